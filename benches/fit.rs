//! Time to a tolerance, including set-up: Gauss-Newton and gradient descent against gradient descent in JAX on the same
//! problem: `cargo bench --bench fit`.
//!
//! `EXPNET_PYTHON` is the Python to use. JAX gets the best constant step size, 1 / lambda_max(G_0), for free.

mod common;

use common::is_tiny;
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork, FitReport, Initializer, Trainer, kernel, schedule};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::io::Write;
use std::process::Command;

const TOLERANCE: f64 = 1e-3;
const MAX_STEPS: usize = 5000;

/// Points on the unit sphere, labels +-1, antisymmetric start.
fn problem(n: usize, d: usize, m: usize) -> (ExpNetwork<f64>, Dataset<f64>) {
    let mut rng = StdRng::seed_from_u64(5);
    let mut points = DMatrix::from_fn(d, n, |_, _| <f64 as expnet::Float>::standard_normal(&mut rng));
    points.column_iter_mut().for_each(|mut x| {
        x.normalize_mut();
    });
    let labels = DVector::from_fn(n, |_, _| if rng.random() { 1.0 } else { -1.0 });
    let net = Initializer::new(d, m).antisymmetric(true).seed(1).build();
    (
        net.expect("the sizes are valid"),
        Dataset::new(points, labels).expect("normal numbers are finite"),
    )
}

/// The fastest of several runs.
fn best<'a>(net: &ExpNetwork<f64>, data: &Dataset<f64>, trainer: impl Fn() -> Trainer<'a, f64>) -> FitReport<f64> {
    let run = || {
        let trainer = trainer().tolerance(TOLERANCE).max_steps(MAX_STEPS);
        trainer.fit(&mut net.clone(), data).expect("it converges")
    };
    let runs = (0..if is_tiny() { 1 } else { 7 }).map(|_| run());
    runs.min_by_key(FitReport::elapsed).expect("at least one run")
}

fn main() {
    let (n, d, m) = if is_tiny() { (9, 3, 200) } else { (128, 16, 16384) };
    let (net, data) = problem(n, d, m);
    println!("to ||e|| <= {TOLERANCE:e} from an antisymmetric start, n = {n}, d = {d}, m = {m}, f64, including set-up");
    let frozen = best(&net, &data, || Trainer::default().method(GaussNewton::frozen()));
    let full = best(&net, &data, || Trainer::default().method(GaussNewton::default()));
    let descent = best(&net, &data, || Trainer::new(schedule::KernelStable::default()));
    let search = best(&net, &data, || Trainer::new(schedule::Backtracking::default()));
    let fastest = frozen.elapsed().min(full.elapsed()).as_secs_f64();
    for (name, report) in [
        ("GaussNewton::frozen", frozen),
        ("GaussNewton::default", full),
        ("gradient descent, KernelStable", descent),
        ("gradient descent, Backtracking", search),
    ] {
        let seconds = report.elapsed().as_secs_f64();
        let (steps, passes, norm) = (report.steps(), report.passes(), report.residual_norm());
        println!("{name:32} {seconds:10.3e} s  {steps:5} steps  {passes:5} passes  ||e|| {norm:.1e}");
    }
    let eigenvalue = kernel::empirical_kernel(&net, data.points())
        .and_then(|kernel| kernel::Spectrum::new(&kernel))
        .expect("the points are finite")
        .lambda_max()
        * m as f64;
    match jax(&net, &data, 1.0 / eigenvalue) {
        Some([steps, seconds, compilation, norm]) => {
            println!(
                "{:32} {seconds:10.3e} s  {steps:5} steps                ||e|| {norm:.1e}  (compiled in {compilation:.1} s)",
                "JAX, step size 1 / lambda_max"
            );
            println!("JAX takes {:.0} times as long as the fastest", seconds / fastest);
        }
        None => println!("JAX: not found here (see benches/peers/README.md)"),
    }
}

/// Steps, seconds, seconds of compilation, and the final ||e||; `None` if JAX is missing.
fn jax(net: &ExpNetwork<f64>, data: &Dataset<f64>, step_size: f64) -> Option<[f64; 4]> {
    let python = std::env::var("EXPNET_PYTHON").unwrap_or_else(|_| "python3".into());
    let path = std::env::temp_dir().join(format!("expnet-fit-{}.bin", std::process::id()));
    let mut file = std::fs::File::create(&path).ok()?;
    let points = data.points().iter().chain(data.labels());
    let numbers = points.chain(net.weights()).chain(net.output_weights());
    let bytes: Vec<u8> = numbers.flat_map(|x| x.to_ne_bytes()).collect();
    file.write_all(&bytes).ok()?;
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/gd_to_tolerance.py"))
        .arg(&path)
        .args([data.samples(), data.dimension(), net.width()].map(|size| size.to_string()))
        .args([step_size, TOLERANCE].map(|x| x.to_string()))
        .args([MAX_STEPS.to_string(), if is_tiny() { "1" } else { "3" }.into()])
        .output();
    // A leftover temporary file does no harm.
    let _ = std::fs::remove_file(&path);
    let line = String::from_utf8(output.ok()?.stdout).ok()?;
    let numbers: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    numbers.try_into().ok()
}

//! Time to a tolerance, including set-up: Gauss-Newton and gradient descent against gradient descent in JAX on the same
//! problem: `cargo bench --bench fit`. `-- methods` compares every kind of method instead, with JAX and optax.
//!
//! `EXPNET_PYTHON` is the Python to use. JAX gets the best constant step size, 1 / lambda_max(G_0), for free.

mod common;

use common::is_tiny;
use expnet::method::{Adam, GaussNewton, Lbfgs};
use expnet::{Dataset, ExpNetwork, FitReport, Initializer, Trainer, kernel, schedule};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

const TOLERANCE: f64 = 1e-3;
const MAX_STEPS: usize = 5000;
const LONGEST: Duration = Duration::from_secs(5);
/// The first step size of Adam.
const ADAM: f64 = 3e-3;

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
    let begin = Instant::now();
    let mut fastest = run();
    for _ in 1..if is_tiny() { 1 } else { 7 } {
        // What takes long varies little.
        if begin.elapsed() > LONGEST {
            break;
        }
        let next = run();
        if next.elapsed() < fastest.elapsed() {
            fastest = next;
        }
    }
    fastest
}

fn main() {
    if std::env::args().any(|word| word == "methods") {
        return methods();
    }
    let (n, d, m) = if is_tiny() { (9, 3, 200) } else { (128, 16, 16384) };
    let (net, data) = problem(n, d, m);
    announce(&net, &data);
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
        print(name, &report);
    }
    let peer = Peer::Jax(stable_step_size(&net, &data));
    if let Some(seconds) = peer.print("JAX, step size 1 / lambda_max", &net, &data) {
        println!("JAX takes {:.0} times as long as the fastest", seconds / fastest);
    }
}

/// One line for each method.
fn methods() {
    let (n, d, m) = if is_tiny() { (9, 3, 200) } else { (128, 16, 4096) };
    let (net, data) = problem(n, d, m);
    announce(&net, &data);
    let run = |name: &str, trainer: &dyn Fn() -> Trainer<'static, f64>| print(name, &best(&net, &data, trainer));
    run("Gauss-Newton", &|| Trainer::default().method(GaussNewton::default()));
    run("L-BFGS, StrongWolfe", &|| Trainer::default().method(Lbfgs::default()));
    run("gradient descent, BarzilaiBorwein", &|| {
        Trainer::new(schedule::BarzilaiBorwein::default())
    });
    let cosine = || schedule::Cosine::new(ADAM, 2000).expect("the settings are valid");
    run("Adam, Cosine(3e-3, 2000)", &|| {
        Trainer::new(cosine()).method(Adam::default())
    });
    run("gradient descent, KernelStable", &|| {
        Trainer::new(schedule::KernelStable::default())
    });
    Peer::Optax("lbfgs").print("optax, L-BFGS, zoom", &net, &data);
    Peer::Optax("adam").print("optax, Adam, cosine(3e-3, 2000)", &net, &data);
    Peer::Jax(stable_step_size(&net, &data)).print("JAX, step size 1 / lambda_max", &net, &data);
}

fn announce(net: &ExpNetwork<f64>, data: &Dataset<f64>) {
    let (n, d, m) = (data.samples(), data.dimension(), net.width());
    println!("to ||e|| <= {TOLERANCE:e} from an antisymmetric start, n = {n}, d = {d}, m = {m}, f64, including set-up");
}

fn print(name: &str, report: &FitReport<f64>) {
    let seconds = report.elapsed().as_secs_f64();
    let (steps, passes, norm) = (report.steps(), report.passes(), report.residual_norm());
    println!("{name:34} {seconds:10.3e} s  {steps:5} steps  {passes:5} passes  ||e|| {norm:.1e}");
}

/// 1 / lambda_max(G_0).
fn stable_step_size(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> f64 {
    let kernel = kernel::empirical_kernel(net, data.points()).and_then(|kernel| kernel::Spectrum::new(&kernel));
    1.0 / (kernel.expect("the points are finite").lambda_max() * net.width() as f64)
}

/// What else one could use.
enum Peer {
    /// Gradient descent with this step size.
    Jax(f64),
    Optax(&'static str),
}

impl Peer {
    /// Prints a line, and returns the seconds; `None` if it is missing.
    fn print(&self, name: &str, net: &ExpNetwork<f64>, data: &Dataset<f64>) -> Option<f64> {
        let (script, method, step_size) = match self {
            Self::Jax(step_size) => ("gd_to_tolerance.py", None, *step_size),
            Self::Optax(method) => ("optax_to_tolerance.py", Some(*method), ADAM),
        };
        let Some([steps, seconds, compilation, norm]) = jax(script, method, net, data, step_size) else {
            println!("{name}: not found here (see benches/peers/README.md)");
            return None;
        };
        println!(
            "{name:34} {seconds:10.3e} s  {steps:5} steps                ||e|| {norm:.1e}  (compiled in {compilation:.1} s)"
        );
        Some(seconds)
    }
}

/// Steps, seconds, seconds of compilation, and the final ||e||; `None` if JAX is missing.
fn jax(
    script: &str,
    method: Option<&str>,
    net: &ExpNetwork<f64>,
    data: &Dataset<f64>,
    step_size: f64,
) -> Option<[f64; 4]> {
    let python = std::env::var("EXPNET_PYTHON").unwrap_or_else(|_| "python3".into());
    let path = std::env::temp_dir().join(format!("expnet-fit-{}.bin", std::process::id()));
    let mut file = std::fs::File::create(&path).ok()?;
    let points = data.points().iter().chain(data.labels());
    let numbers = points.chain(net.weights()).chain(net.output_weights());
    let bytes: Vec<u8> = numbers.flat_map(|x| x.to_ne_bytes()).collect();
    file.write_all(&bytes).ok()?;
    let output = Command::new(python)
        .arg(format!("{}/{script}", common::PEERS))
        .args(method)
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

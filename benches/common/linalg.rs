//! A table of n x n linear algebra, against LAPACK as called by numpy and scipy.

use super::{PEERS, is_tiny, python, unit_points};
use expnet::Dataset;
use expnet::kernel::{Predictor, Spectrum, limit_kernel};
use nalgebra::DVector;
use std::time::Instant;

/// Peer and expnet take turns this many times, and the best time of each counts.
const ROUNDS: usize = 3;
const DIMENSION: usize = 16;
const RIDGE: f64 = 0.1;

/// Prints one line per task. For the inputs, see `peers/linalg.py`.
pub fn table() {
    let backend = if cfg!(feature = "faer") { "faer" } else { "nalgebra" };
    println!("{backend} on {} threads", rayon::current_num_threads());
    println!("{:40} {:>6} {:>9} {:>9} {:>6}", "task", "n", "s", "LAPACK s", "ratio");
    let (eigen, solve) = if is_tiny() { (30, 40) } else { (2000, 4000) };
    let kernel = limit_kernel(&unit_points(eigen, DIMENSION), 1.0).expect("unit vectors are in range");
    line("eigenvalues and eigenvectors", "eigh", eigen, || {
        let spectrum = Spectrum::with_eigenvectors(&kernel).expect("the kernel is finite");
        spectrum.lambda_max()
    });
    line("eigenvalues", "eigvalsh", eigen, || {
        Spectrum::new(&kernel).expect("the kernel is finite").lambda_max()
    });
    let labels = DVector::from_fn(solve, |i, _| (0.3 * i as f64).cos());
    let data = Dataset::new(unit_points(solve, DIMENSION), labels).expect("closed-form points are finite");
    line("`Predictor::ridge` with its kernel", "cholesky", solve, || {
        let predictor = Predictor::new(&data, 1.0).expect("unit vectors are in range");
        predictor
            .ridge(RIDGE)
            .expect("the ridge is large enough")
            .coefficients()
            .norm()
    });
}

fn line(task: &str, peer: &str, n: usize, work: impl Fn() -> f64) {
    let (mut own, mut other) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..if is_tiny() { 1 } else { ROUNDS } {
        let start = Instant::now();
        let result = work();
        own = own.min(start.elapsed().as_secs_f64());
        if let Some((seconds, expected)) = lapack(peer, n) {
            assert!(
                (result - expected).abs() <= 1e-9 * expected,
                "{task}: {result}, expected {expected}"
            );
            other = other.min(seconds);
        }
    }
    print!("{task:40} {n:6} {own:9.3}");
    if other.is_finite() {
        println!(" {other:9.3} {:6.2}", own / other);
    } else {
        println!(" {:>9} {:>6}", "-", "-");
    }
}

/// Seconds, and the result; `None` if numpy or scipy is missing.
fn lapack(task: &str, n: usize) -> Option<(f64, f64)> {
    let mut command = python();
    command
        .arg(format!("{PEERS}/linalg.py"))
        .arg(task)
        .args([n, DIMENSION].map(|size| size.to_string()));
    let line = String::from_utf8(command.output().ok()?.stdout).ok()?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    Some((fields.get(3)?.parse().ok()?, fields.get(4)?.parse().ok()?))
}

//! Runs under a limit of memory end in an error that says so, not in an abort.

use super::net;
use crate::support::refused;
use expnet::kernel::{Predictor, Solver, Spectrum, limit_kernel};
use expnet::method::GaussNewton;
use expnet::{Dataset, Error, Memory, Trainer, certificate};
use nalgebra::DMatrix;

/// The test below, as the program knows it.
const WORKER: &str = "faults::memory::memory_worker";

/// G takes 648 MB.
const SAMPLES: usize = 9000;

fn many() -> Dataset<f64> {
    let points = DMatrix::from_fn(2, SAMPLES, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let labels = points.row(0).transpose();
    Dataset::new(points, labels).unwrap()
}

/// Everything that needs an n x n matrix. Not a test of its own.
#[test]
#[ignore = "started by the test below"]
fn memory_worker() {
    let data = many();
    let words = ["does not fit in memory"];
    for (method, remedy) in [
        (GaussNewton::default(), "matrix_free"),
        (GaussNewton::frozen(), "matrix_free"),
        (GaussNewton::default().ridge(0.1), "matrix_free"),
    ] {
        let run = Trainer::default().method(method).memory(Memory::Recompute).max_steps(2);
        refused(run.fit(&mut net(2, 16), &data), &[words[0], remedy]);
    }
    // No n x n matrix.
    let run = Trainer::default()
        .method(GaussNewton::matrix_free().max_products(3))
        .max_steps(1);
    assert!(run.memory(Memory::Recompute).fit(&mut net(2, 16), &data).is_ok());
    assert!(Trainer::new(1e-6).max_steps(2).fit(&mut net(2, 16), &data).is_ok());

    let direct = Predictor::new(&data, 0.5).unwrap().solver(Solver::Cholesky);
    refused(direct.ridge(0.1), &words);
    let spectrum = limit_kernel(data.points(), 0.5).and_then(|kernel| Spectrum::new(&kernel));
    refused(spectrum, &words);
    let certified = certificate::certify(&net::<f64>(2, 16), &data);
    assert!(matches!(certified, Err(Error::OutOfMemory { .. })), "{certified:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a11_a_limit_of_memory_is_an_error() {
    let program = std::env::current_exe().unwrap();
    let command = format!(
        "ulimit -v 1250000; exec {:?} --ignored --exact {WORKER}",
        program.display().to_string()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &command])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{} {text} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "{text}");
}

//! Runs under a limit of memory end in an error that says so, not in an abort.

use super::net;
use crate::support::refused;
use expnet::kernel::{Predictor, Solver, Spectrum, limit_kernel};
use expnet::method::GaussNewton;
use expnet::{Dataset, Memory, Trainer, certificate};
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

/// Tells the worker what is to be tried.
const TRIED: &str = "EXPNET_TEST_MEMORY";

/// Everything that needs an n x n matrix. Not a test of its own.
#[test]
#[ignore = "started by the tests below"]
fn memory_worker() {
    let data = many();
    let word = "does not fit in memory";
    if std::env::var(TRIED).unwrap() == "kernel" {
        let direct = Predictor::new(&data, 0.5).unwrap().solver(Solver::Cholesky);
        refused(direct.ridge(0.1), &[word]);
        refused(limit_kernel(data.points(), 0.5), &[word]);
        refused(certificate::certify(&net::<f64>(2, 16), &data), &[word]);
    } else {
        for method in [
            GaussNewton::default(),
            GaussNewton::frozen(),
            GaussNewton::default().ridge(0.1),
        ] {
            let run = Trainer::default().method(method).memory(Memory::Recompute).max_steps(2);
            refused(run.fit(&mut net(2, 16), &data), &[word, "matrix_free"]);
        }
        refused(
            limit_kernel(data.points(), 0.5).and_then(|kernel| Spectrum::new(&kernel)),
            &[word],
        );
    }
    // No n x n matrix.
    let run = Trainer::default()
        .method(GaussNewton::matrix_free().max_products(3))
        .max_steps(1);
    assert!(run.memory(Memory::Recompute).fit(&mut net(2, 16), &data).is_ok());
    assert!(Trainer::new(1e-6).max_steps(2).fit(&mut net(2, 16), &data).is_ok());
}

#[cfg(target_os = "linux")]
fn under_a_limit(kilobytes: usize, tried: &str) {
    let program = std::env::current_exe().unwrap();
    let command = format!("ulimit -v {kilobytes}; exec \"$0\" --ignored --exact {WORKER}");
    let mut shell = std::process::Command::new("sh");
    let output = shell
        .args(["-c", &command])
        .arg(program)
        .env(TRIED, tried)
        .output()
        .unwrap();
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{} {text} {errors}", output.status);
    assert!(text.contains("1 passed"), "{text}");
}

/// G fits, a copy of it does not.
#[cfg(target_os = "linux")]
#[test]
fn a11_no_memory_for_a_factor_is_an_error() {
    under_a_limit(1_250_000, "factor");
}

/// No n x n matrix fits.
#[cfg(target_os = "linux")]
#[test]
fn a11_no_memory_for_a_kernel_is_an_error() {
    under_a_limit(640_000, "kernel");
}

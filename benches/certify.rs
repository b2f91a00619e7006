//! What `Trainer::certify(25)` adds to a run: 2000 steps at n = 64, d = 16, m = 4096 with and without it, in turn.
//!
//! Theorems from traces (`Effort::Basic`), as `Effort::Auto` chooses at this size. Prints the minimum of each, and the share
//! that the looks add. Two starts: an antisymmetric one that is proved early, and one of random signs with labels so large
//! that every look fails.

mod common;

use common::is_tiny;
use expnet::schedule::KernelStable;
use expnet::{Dataset, ExpNetwork, FitReport, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};
use std::time::Instant;

fn main() {
    let (n, d, m, steps, rounds) = if is_tiny() {
        (8, 4, 64, 20, 1)
    } else {
        (64, 16, 4096, 2000, 5)
    };
    println!("n = {n}, d = {d}, m = {m}, {steps} steps, f64; minima of {rounds} runs in turn");
    // So large that looks at the start fail, and not so large that the run diverges.
    let large = if is_tiny() { 2.0 } else { 100.0 };
    for (name, antisymmetric, size) in [
        ("antisymmetric, y = +-1", true, 1.0),
        ("random signs, large y", false, large),
    ] {
        let data = data(n, d, size);
        let net = Initializer::new(d, m)
            .antisymmetric(antisymmetric)
            .seed(1)
            .build()
            .expect("the settings are valid");
        let mut minima = [f64::INFINITY; 2];
        let mut proof = String::new();
        for _ in 0..rounds {
            for (minimum, every) in minima.iter_mut().zip([None, Some(25)]) {
                let (seconds, report) = run(&net, &data, steps, every);
                *minimum = minimum.min(seconds);
                if every.is_some() {
                    proof = report.proof().map_or("not proved".into(), |proof| {
                        format!("proved after {} steps", proof.step())
                    });
                }
            }
        }
        let [without, with] = minima;
        println!(
            "{name:24} without {without:8.4} s, with {with:8.4} s: {:+.2}% ({proof})",
            100.0 * (with / without - 1.0)
        );
    }
}

/// Points on the unit sphere, labels +-`size`.
fn data(n: usize, d: usize, size: f64) -> Dataset<f64> {
    let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
    points.column_iter_mut().for_each(|mut point| {
        point.normalize_mut();
    });
    let labels = DVector::from_fn(n, |i, _| if i % 2 == 0 { size } else { -size });
    Dataset::new(points, labels).expect("the data are finite")
}

fn run(net: &ExpNetwork<f64>, data: &Dataset<f64>, steps: usize, every: Option<usize>) -> (f64, FitReport<f64>) {
    let mut net = net.clone();
    let mut trainer = Trainer::new(KernelStable::default()).max_steps(steps);
    if let Some(every) = every {
        trainer = trainer.certify(every);
    }
    let started = Instant::now();
    let report = trainer.fit(&mut net, data).expect("the run converges");
    (started.elapsed().as_secs_f64(), report)
}

//! Gauss-Newton in the dual: the same step as the primal one, few steps where gradient descent takes hundreds, and
//! never a step upwards.

mod convergence;
mod damping;
mod passes;
mod primal;
mod record;
mod refused;
mod ridge;

use crate::support::oracle::jacobian;
use expnet::method::GaussNewton;
use expnet::observer::Progress;
use expnet::{Dataset, ExpNetwork, FitReport, Float, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::ControlFlow;

/// The mean eigenvalue of G.
fn mean_eigenvalue(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> f64 {
    jacobian(net, data.points()).norm_squared() / data.samples() as f64
}

fn fit<T: Float>(net: &mut ExpNetwork<T>, data: &Dataset<T>, method: GaussNewton, steps: usize) -> FitReport<T> {
    Trainer::default()
        .method(method)
        .max_steps(steps)
        .fit(net, data)
        .unwrap()
}

/// n points on the unit sphere, labels +-1.
fn sphere<T: Float>(n: usize, d: usize, seed: u64) -> Dataset<T> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut points = DMatrix::from_fn(d, n, |_, _| f64::standard_normal(&mut rng));
    points.column_iter_mut().for_each(|mut x| {
        x.normalize_mut();
    });
    let labels = DVector::from_fn(n, |_, _| T::lit(if rng.random() { 1.0 } else { -1.0 }));
    Dataset::new(points.map(T::lit), labels).unwrap()
}

fn antisymmetric<T: Float>(d: usize, m: usize) -> ExpNetwork<T> {
    Initializer::new(d, m).antisymmetric(true).seed(1).build().unwrap()
}

/// Trains for at most `steps` steps and down to `tolerance`; the objective L + ridge / 2 ||W - W_0||^2 falls at each.
fn descend<T: Float>(
    net: &mut ExpNetwork<T>,
    data: &Dataset<T>,
    (method, ridge): (GaussNewton, f64),
    steps: usize,
    tolerance: f64,
) -> FitReport<T> {
    let mut last = net.loss(data).unwrap().as_f64();
    let start = net.weights().map(Float::as_f64);
    Trainer::default()
        .method(method.ridge(ridge))
        .max_steps(steps)
        .tolerance(tolerance)
        .observe(|progress: &Progress<'_, T>| {
            let moved = progress.weights().unwrap().map(Float::as_f64) - &start;
            let objective = progress.loss().as_f64() + 0.5 * ridge * moved.norm_squared();
            assert!(
                objective < last * (1.0 + 1e-12),
                "{last:e} -> {objective:e} in step {}",
                progress.steps()
            );
            last = objective;
            ControlFlow::Continue(())
        })
        .fit(net, data)
        .unwrap()
}

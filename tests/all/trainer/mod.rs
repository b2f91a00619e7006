//! A run, as the documentation describes it.

mod batches;
mod bits;
mod divergence;
mod ending;
mod feasible;
mod momentum;
mod observers;
mod passes;
mod proof;
mod session;
mod state;
mod undo;
mod validation;

use crate::support::problems::{data, net, small_step};
use expnet::{Dataset, ExpNetwork};
use nalgebra::DMatrix;

/// 12 points in 3 dimensions, 64 neurons, and a step size that descends.
fn problem() -> (Dataset<f64>, ExpNetwork<f64>, f64) {
    let (data, net) = (data(12, 3, 5), net(3, 64, 5));
    let size = small_step(&net, &data, 1.0);
    (data, net, size)
}

fn with_weights(net: &ExpNetwork<f64>, weights: DMatrix<f64>) -> ExpNetwork<f64> {
    ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap()
}

fn assert_close(found: &ExpNetwork<f64>, expected: &DMatrix<f64>) {
    let error = (found.weights() - expected).amax();
    assert!(error <= 1e-12, "off by {error:e}");
}

//! With ridge: the minimum of the penalised loss, and kernel ridge regression where the network is linear.

use super::{descend, mean_eigenvalue};
use crate::support::oracle::jacobian;
use crate::support::problems;
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork, Initializer, Termination};
use nalgebra::DMatrix;

/// grad L + ridge (W - W_0), relative to its parts.
fn stationarity(net: &ExpNetwork<f64>, start: &ExpNetwork<f64>, data: &Dataset<f64>, ridge: f64) -> f64 {
    let (gradient, pull) = (net.gradient(data).unwrap(), ridge * (net.weights() - start.weights()));
    (&gradient + &pull).norm() / pull.norm()
}

#[test]
fn ridge_ends_where_the_pull_balances_the_gradient() {
    let data = problems::data::<f64>(30, 4, 9);
    let start = Initializer::new(4, 300)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(1)
        .build()
        .unwrap();
    let ridge = 0.05 * mean_eigenvalue(&start, &data);
    for method in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free().accuracy(1e-6),
    ] {
        let mut net = start.clone();
        let report = descend(&mut net, &data, (method, ridge), 200, 0.0);
        // A gradient g promises the objective a fall of g^T H^-1 g / 2, H the curvature: at the end that is rounding.
        let curvature = 30.0 * mean_eigenvalue(&net, &data) + ridge;
        let moved = (net.weights() - start.weights()).norm();
        let objective = report.loss() + 0.5 * ridge * moved.powi(2);
        let rounding = (2.0 * curvature * 16.0 * f64::EPSILON * objective).sqrt() / (ridge * moved);
        let rest = stationarity(&net, &start, &data, ridge);
        assert!(rounding < 1e-5 && rest < rounding, "{rest:e} {rounding:e}\n{report}");
        assert_eq!(report.termination(), Termination::Stalled, "{report}");
    }
}

#[test]
fn ridge_is_kernel_ridge_where_the_network_is_linear() {
    let small = problems::data::<f64>(30, 4, 9);
    let data = Dataset::new(small.points().clone(), small.labels() * 1e-5).unwrap();
    let start = Initializer::new(4, 2000).antisymmetric(true).seed(1).build().unwrap();
    let j = jacobian(&start, data.points());
    let gram = &j * j.transpose();
    let ridge = 0.01 * mean_eigenvalue(&start, &data);
    // The prediction at points between the samples: k (G + ridge I)^-1 y.
    let between = data.points() * 0.7;
    let cross = jacobian(&start, &between) * j.transpose();
    let shifted = gram + DMatrix::identity(30, 30) * ridge;
    let expected = cross * shifted.cholesky().unwrap().solve(data.labels());
    for method in [GaussNewton::default(), GaussNewton::frozen()] {
        let mut net = start.clone();
        descend(&mut net, &data, (method, ridge), 20, 0.0);
        let found = net.forward(&between).unwrap();
        assert!((found - &expected).norm() < 1e-5 * expected.norm());
    }
}

//! The dual step against the primal one, from the equations in d m unknowns.

use super::{descend, fit, mean_eigenvalue};
use crate::support::oracle::jacobian;
use crate::support::{cases, problems};
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// The minimiser d of 1/2 ||e + J d||^2 + ridge/2 ||W + d - W_0||^2 + mu/2 ||d||^2, from the equations in d m unknowns.
fn primal_step(
    net: &ExpNetwork<f64>,
    start: &ExpNetwork<f64>,
    data: &Dataset<f64>,
    mu: f64,
    ridge: f64,
) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let j = jacobian(net, data.points());
    let e = net.residual(data).unwrap();
    let moved = DVector::from_column_slice((net.weights() - start.weights()).as_slice());
    let hessian = j.tr_mul(&j) + DMatrix::identity(d * m, d * m) * (mu + ridge);
    let step = hessian.cholesky().unwrap().solve(&-(j.tr_mul(&e) + ridge * moved));
    net.weights() + DMatrix::from_column_slice(d, m, step.as_slice())
}

#[test]
fn no_damping_is_the_least_norm_step_where_that_exists() {
    let (data, start) = (problems::data(6, 3, 4), problems::net::<f64>(3, 20, 4));
    let mut net = start.clone();
    fit(&mut net, &data, GaussNewton::default().damping(0.0), 1);
    let j = jacobian(&start, data.points());
    let gram = &j * j.transpose();
    let dual = gram.cholesky().unwrap().solve(&start.residual(&data).unwrap());
    let step = j.tr_mul(&dual);
    let found = DVector::from_column_slice((start.weights() - net.weights()).as_slice());
    assert!((found - &step).norm() < 1e-10 * step.norm());
}

#[test]
fn without_matrices_the_step_is_the_same() {
    let (data, start) = (problems::data::<f64>(20, 5, 2), problems::net::<f64>(5, 40, 2));
    let mu = 1e-2 * mean_eigenvalue(&start, &data);
    for ridge in [0.0, mu] {
        let (mut dense, mut free) = (start.clone(), start.clone());
        fit(&mut dense, &data, GaussNewton::default().damping(mu).ridge(ridge), 3);
        let method = GaussNewton::matrix_free().damping(mu).accuracy(1e-12);
        let report = fit(&mut free, &data, method.ridge(ridge), 3);
        let moved = (dense.weights() - start.weights()).norm();
        assert!((dense.weights() - free.weights()).norm() < 1e-9 * moved);
        assert!(report.passes() <= 1 + 3 * (20 + 2), "{report}");
    }
    // A space too small is made to do by damping.
    let report = descend(
        &mut start.clone(),
        &data,
        (GaussNewton::matrix_free().max_products(3), 0.0),
        20,
        0.0,
    );
    assert!(report.loss() < 0.2 * report.initial_loss(), "{report}");
}

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn dual_is_primal(n in 1usize..12, d in 1usize..6, m in 1usize..12, seed in 0u64..1000, share in 0.01f64..2.0) {
        let (data, start) = (problems::data(n, d, seed), problems::net::<f64>(d, m, seed));
        let mu = share * mean_eigenvalue(&start, &data);
        let mut net = start.clone();
        fit(&mut net, &data, GaussNewton::default().damping(mu), 1);
        let expected = primal_step(&start, &start, &data, mu, 0.0);
        let size = (&expected - start.weights()).norm();
        prop_assert!((net.weights() - expected).norm() <= 1e-10 * size + 1e-13 * start.weights().norm());
    }

    #[test]
    fn dual_is_primal_with_a_pull(n in 1usize..10, d in 1usize..5, m in 1usize..10, seed in 0u64..1000, share in 0.2f64..2.0) {
        let (data, start) = (problems::data(n, d, seed), problems::net::<f64>(d, m, seed));
        let mean = mean_eigenvalue(&start, &data);
        let (mu, ridge) = (share * mean, 0.5 * share * mean);
        let mut net = start.clone();
        fit(&mut net, &data, GaussNewton::default().damping(mu).ridge(ridge), 3);
        let mut expected = start.clone();
        for _ in 0..3 {
            let weights = primal_step(&expected, &start, &data, mu, ridge);
            expected = ExpNetwork::from_parts(weights, start.output_weights().clone()).unwrap();
        }
        let size = (expected.weights() - start.weights()).norm();
        prop_assert!((net.weights() - expected.weights()).norm() <= 1e-9 * size + 1e-13 * start.weights().norm());
    }
}

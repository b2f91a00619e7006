//! The linearised network: its outputs, its weights, and networks that approach it.

use super::smooth;
use crate::support::cases;
use crate::support::oracle::jacobian;
use crate::support::problems::{data, net, table_points};
use expnet::kernel::LinearizedNetwork;
use expnet::{Dataset, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// d x m as one column per neuron below the other, which is the order of a Jacobian's columns.
fn flat(weights: &DMatrix<f64>) -> DVector<f64> {
    DVector::from_column_slice(weights.as_slice())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn outputs_by_the_jacobian((n, d, m, seed) in (1..=40_usize, 1..=12_usize, 1..=60_usize, any::<u64>())) {
        let (points, start) = (data::<f32>(n, d, seed).points().clone(), net::<f32>(d, m, seed));
        let linear = LinearizedNetwork::new(&start).unwrap();
        let wide = start.cast::<f64>().unwrap();
        prop_assert_eq!(linear.start(), &wide);
        let x = points.map(f64::from);
        let (j, f) = (jacobian(&wide, &x), wide.forward(&x).unwrap());
        prop_assert_eq!(&linear.forward(wide.weights(), &points).unwrap(), &f);
        let moved = net::<f64>(d, m, !seed).into_parts().0;
        let exact = &f + &j * (flat(&moved) - flat(wide.weights()));
        let found = linear.forward(&moved, &points).unwrap();
        let scale = j.map(f64::abs).row_sum().max() * 3.0 + f.amax() + j.amax() * (d * m) as f64;
        prop_assert!((&found - &exact).amax() <= 1e-12 * scale, "{found} {exact}");
    }

    /// W <- W - eta J^T (f_lin - y), one step at a time, with f_lin by the Jacobian.
    #[test]
    fn weights_step_by_step(
        (n, d, m, seed) in (1..=12_usize, 1..=6_usize, 1..=40_usize, any::<u64>()),
        (part, steps) in (0.1..1.9_f64, 0..=30_usize),
    ) {
        let (data, start) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let (j, w0) = (jacobian(&start, data.points()), flat(start.weights()));
        let f0 = start.forward(data.points()).unwrap();
        let eta = part / (&j * j.transpose()).symmetric_eigenvalues().max();
        let mut w = w0.clone();
        for _ in 0..steps {
            let residual = &f0 + &j * (&w - &w0) - data.labels();
            w -= j.tr_mul(&residual) * eta;
        }
        let linear = LinearizedNetwork::new(&start).unwrap();
        let descent = linear.predictor(&data).unwrap().gradient_descent(eta * m as f64).unwrap();
        let found = linear.weights(data.points(), &descent.at(steps).unwrap()).unwrap();
        let moved = (&w - &w0).amax() + f0.amax() * eta * j.amax();
        prop_assert!((flat(&found) - &w).amax() <= 1e-9 * moved.max(1e-3), "{}", (flat(&found) - &w).amax());
        let outputs = linear.forward(&found, data.points()).unwrap();
        let exact = &f0 + &j * (&w - &w0);
        prop_assert!((outputs - &exact).amax() <= 1e-9 * (f0.amax() + 1.0));
        let residual = (exact - data.labels()).norm();
        prop_assert!((descent.residual_norm(steps).unwrap() - residual).abs() <= 1e-9 * (f0.norm() + 1.0));
    }
}

/// Ridge: the gradient of 1/2 ||f_lin - y||^2 + mu/2 ||W - W_0||^2 vanishes.
#[test]
fn ridge_is_the_minimum_with_a_penalty() {
    let (data, start, mu) = (smooth(9), net::<f64>(3, 30, 2), 0.7);
    let linear = LinearizedNetwork::new(&start).unwrap();
    let fit = linear.predictor(&data).unwrap().ridge(mu / 30.0).unwrap();
    let weights = linear.weights(data.points(), &fit).unwrap();
    let residual = linear.forward(&weights, data.points()).unwrap() - data.labels();
    let j = jacobian(&start, data.points());
    let gradient = j.tr_mul(&residual) + (flat(&weights) - flat(start.weights())) * mu;
    assert!(gradient.amax() < 1e-10 * j.amax(), "{:e}", gradient.amax());
}

/// More points than are evaluated at a time.
#[test]
fn outputs_in_blocks() {
    let (points, start) = (data::<f64>(2500, 3, 1).points().clone(), net::<f64>(3, 20, 1));
    let moved = net::<f64>(3, 20, 2).into_parts().0;
    let linear = LinearizedNetwork::new(&start).unwrap();
    let all = linear.forward(&moved, &points).unwrap();
    for j in [0, 1023, 1024, 2047, 2048, 2499] {
        let one = linear.forward(&moved, &points.columns(j, 1).into_owned()).unwrap();
        assert!((all[j] - one[0]).abs() < 1e-11, "{j}");
    }
}

/// Networks from random signs at output scale 1/sqrt(m), where F_0 is of order 1, against their own linearisation. The weights'
/// relative distance falls like 1/sqrt(m), that of the outputs like 1/m, because second-order changes have random signs too.
#[test]
fn wide_networks_approach_their_linearisation() {
    let (n, d, steps, eta, seeds) = (6, 4, 15, 0.15, 32);
    let points = table_points(n + 4, d);
    let (train, test) = (points.columns(0, n).into_owned(), points.columns(n, 4).into_owned());
    let data = Dataset::new(train, DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -0.5 })).unwrap();
    let distance = |width: usize| {
        let mut squares = [0.0; 2];
        for seed in 0..seeds {
            let scale = 1.0 / (width as f64).sqrt();
            let start = Initializer::new(d, width).std_dev(0.3).output_scale(scale).seed(seed);
            let net = start.build::<f64>().unwrap();
            let linear = LinearizedNetwork::new(&net).unwrap();
            // s^2 m = 1: a step of the network is eta, and one with the empirical kernel H = G / m is eta m.
            let predictor = linear.predictor(&data).unwrap();
            let descent = predictor.gradient_descent(eta * width as f64).unwrap();
            let weights = linear.weights(data.points(), &descent.at(steps).unwrap()).unwrap();
            let mut trained = net.clone();
            Trainer::new(eta).max_steps(steps).fit(&mut trained, &data).unwrap();
            let off = trained.forward(&test).unwrap() - linear.forward(&weights, &test).unwrap();
            squares[0] += off.norm_squared();
            squares[1] += (trained.weights() - &weights).norm_squared() / (&weights - net.weights()).norm_squared();
        }
        squares.map(|sum| (sum / seeds as f64).sqrt())
    };
    let (narrow, wide) = (distance(1024), distance(16_384));
    println!("{narrow:?} {wide:?}");
    let [outputs, weights] = [narrow[0] / wide[0], narrow[1] / wide[1]];
    assert!(wide[0] < 0.01 && (9.0..28.0).contains(&outputs), "{outputs}");
    assert!(wide[1] < 0.05 && (3.0..5.5).contains(&weights), "{weights}");
}

//! Loss and gradient of a network.

use super::problem;
use crate::support::cases;
use crate::support::problems::{self, net, scale, shapes};
use expnet::communicator::{Communicator, Threads};
use expnet::{Dataset, ExpNetwork, Initializer, check};
use nalgebra::DVector;
use proptest::prelude::*;

/// Weights in [0, 4], some of them 0.
fn data(n: usize, d: usize, seed: u64) -> Dataset<f64> {
    let random = problems::data::<f64>(n, 1, !seed);
    let mut weights = random.labels().map(|y| 4.0 * f64::max(y, 0.0));
    weights[n / 2] = 1.5;
    problems::data(n, d, seed).with_weights(weights).unwrap()
}

proptest! {
    #![proptest_config(cases(48))]

    /// L = 1/2 sum_i s_i e_i^2, and along a random direction D: <grad L, D> = (L(W + hD) - L(W - hD)) / 2h.
    #[test]
    fn gradient_is_the_slope_of_the_weighted_loss((n, d, m, seed) in shapes()) {
        let (data, net) = (data(n, d, seed), net::<f64>(d, m, seed));
        let weights = data.weights().unwrap();
        let e = net.forward(data.points()).unwrap() - data.labels();
        prop_assert_eq!(&net.residual(&data).unwrap(), &e);
        let exact = 0.5 * e.iter().zip(weights).map(|(e, s)| s * e * e).sum::<f64>();
        prop_assert!((net.loss(&data).unwrap() - exact).abs() <= 1e-13 * exact);
        let direction = problems::net::<f64>(d, m, seed ^ 1).weights().normalize();
        let loss = |h: f64| {
            let weights = net.weights() + &direction * h;
            ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap().loss(&data).unwrap()
        };
        let slope = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        let gradient = net.gradient(&data).unwrap();
        let s = scale(&net, data.points());
        let size = gradient.norm() + weights.max() * s * s * n as f64;
        prop_assert!((gradient.dot(&direction) - slope).abs() <= 1e-8 * size, "{} {slope}", gradient.dot(&direction));
    }

    #[test]
    fn the_checker_knows_weights((n, d, m, seed) in shapes()) {
        let data = data(n, d, seed);
        let report = check::gradient(&net::<f64>(d, m, seed), &data).unwrap();
        prop_assert!(report.relative_error() < 1e-7, "{report}");
        let report = check::gradient(&net::<f32>(d, m, seed), &data.cast().unwrap()).unwrap();
        prop_assert!(report.agrees(), "{report}");
    }
}

#[test]
fn a_step_of_the_network_follows_the_weighted_gradient() {
    let (data, copies, net) = problem::<f64>(3, 40);
    let (mut one, mut other) = (net.clone(), net);
    for _ in 0..5 {
        let (a, b) = (one.step(&data, 1e-4).unwrap(), other.step(&copies, 1e-4).unwrap());
        assert!((a - b).abs() <= 1e-12 * b);
    }
    assert!((one.weights() - other.weights()).norm() <= 1e-12 * one.weights().norm());
}

#[test]
fn the_loss_over_ranks_is_weighted() {
    let (data, _, _) = problem::<f64>(3, 40);
    let recipe = Initializer::new(3, 50);
    let expected = recipe.build::<f64>().unwrap().loss(&data).unwrap();
    for loss in Threads::run(2, move |world| {
        recipe
            .shard(world.rank(), world.size())
            .build::<f64>()?
            .loss_over(&world, &data)
    }) {
        assert!((loss.unwrap() - expected).abs() <= 1e-12 * expected);
    }
}

/// Weights of 1 change nothing but the path.
#[test]
fn equal_weights_are_none() {
    let data = problems::data::<f64>(20, 3, 1);
    let ones = data.clone().with_weights(DVector::from_element(20, 1.0)).unwrap();
    let net = net::<f64>(3, 40, 1);
    assert_eq!(net.loss(&data).unwrap(), net.loss(&ones).unwrap());
    assert_eq!(net.gradient(&data).unwrap(), net.gradient(&ones).unwrap());
}

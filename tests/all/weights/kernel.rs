//! The infinitely wide network with weights.

use super::{problem, weighted};
use crate::support::cases;
use crate::support::problems;
use expnet::Dataset;
use expnet::kernel::{
    ConjugateGradient, Fit, GradientFlow, GradientSteps, LinearizedNetwork, Posterior, Predictor, Solver, limit_kernel,
};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

const SIGMA: f64 = 0.8;

fn solvers() -> [Solver; 2] {
    let settings = ConjugateGradient::default().tolerance(1e-13);
    [Solver::Cholesky, Solver::ConjugateGradient(settings)]
}

/// That two fits predict the same.
fn same(fit: &Fit, other: &Fit, data: &Dataset<f64>, tolerance: f64) {
    let between = data.points() * 0.7;
    let (found, expected) = (fit.predict(&between).unwrap(), other.predict(&between).unwrap());
    assert!(
        (&found - &expected).norm() <= tolerance * expected.norm(),
        "{found} {expected}"
    );
}

/// Copies of a point make the kernel singular, which lambda mends; no copies, and no mending, for weights of 0.
#[test]
fn ridge_is_that_of_copies() {
    let (data, copies, _) = problem::<f64>(12, 4);
    for solver in solvers() {
        for lambda in [1e-2, 1.0] {
            let fit = |data| {
                Predictor::new(data, SIGMA)
                    .unwrap()
                    .solver(solver)
                    .ridge(lambda)
                    .unwrap()
            };
            same(&fit(&data), &fit(&copies), &data, 1e-9);
            assert_eq!(fit(&data).coefficients()[1], 0.0);
        }
        // It interpolates, whatever the weights.
        let fit = Predictor::new(&data, SIGMA).unwrap().solver(solver).ridge(0.0).unwrap();
        let left = fit.predict(data.points()).unwrap() - data.labels();
        assert!(
            left.iter()
                .zip(data.weights().unwrap())
                .all(|(e, &s)| s == 0.0 || e.abs() < 1e-9),
            "{left}"
        );
        assert!(left[1].abs() > 1e-3);
    }
}

#[test]
fn gradient_flow_is_that_of_copies() {
    let (data, copies, _) = problem::<f64>(12, 4);
    let flow = |data| -> GradientFlow { Predictor::new(data, SIGMA).unwrap().gradient_flow().unwrap() };
    let (one, other) = (flow(&data), flow(&copies));
    for t in [0.0, 0.01, 0.1, 1.0] {
        same(&one.at(t).unwrap(), &other.at(t).unwrap(), &data, 1e-9);
        let (found, expected) = (one.residual_norm(t).unwrap(), other.residual_norm(t).unwrap());
        assert!((found - expected).abs() <= 1e-9 * expected, "{t}: {found} {expected}");
    }
    // To the end, which copies cannot reach.
    let left = one.at(f64::INFINITY).unwrap().predict(data.points()).unwrap() - data.labels();
    assert!(
        left.iter()
            .zip(data.weights().unwrap())
            .all(|(e, &s)| s == 0.0 || e.abs() < 1e-9),
        "{left}"
    );
    assert_eq!(one.spectrum().eigenvalues().len(), 7, "samples that count");
}

/// Noise of variance lambda / s is that of the mean of s labels; samples of weight 0 do not exist.
#[test]
fn posterior_is_that_of_copies() {
    let (data, copies, _) = problem::<f64>(12, 4);
    let others = data.points() * 0.7;
    for lambda in [1e-2, 1.0] {
        let posterior = |data| -> Posterior { Predictor::new(data, SIGMA).unwrap().posterior(lambda).unwrap() };
        let (one, other) = (posterior(&data), posterior(&copies));
        same(one.mean(), other.mean(), &data, 1e-9);
        let fit = Predictor::new(&data, SIGMA).unwrap().ridge(lambda).unwrap();
        assert_eq!(one.mean().coefficients(), fit.coefficients());
        let prior = limit_kernel(&others, SIGMA).unwrap().amax();
        for points in [&others, data.points()] {
            let (found, expected) = (one.covariance(points).unwrap(), other.covariance(points).unwrap());
            assert!((&found - &expected).amax() <= 1e-11 * prior, "{found} {expected}");
            let variance = one.std_dev(points).unwrap().map(|s| s * s);
            assert!((variance - expected.diagonal()).amax() <= 1e-11 * prior);
        }
        let plain = posterior(&data.clone().without_weights()).covariance(&others).unwrap();
        assert!(
            (plain - one.covariance(&others).unwrap()).amax() > 1e-3 * lambda,
            "the weights matter"
        );
    }
}

#[test]
fn gradient_descent_is_that_of_copies() {
    let (data, copies, _) = problem::<f64>(12, 4);
    let descent =
        |data, size| -> GradientSteps { Predictor::new(data, SIGMA).unwrap().gradient_descent(size).unwrap() };
    let largest = descent(&copies, 1.0).max_step_size();
    // Slowly, and in oscillations.
    for part in [0.2, 0.9] {
        let (one, other) = (descent(&data, part * largest), descent(&copies, part * largest));
        assert!((one.max_step_size() / largest - 1.0).abs() < 1e-12);
        for steps in [0, 1, 7, 50] {
            same(&one.at(steps).unwrap(), &other.at(steps).unwrap(), &data, 1e-9);
            let (found, expected) = (one.residual_norm(steps).unwrap(), other.residual_norm(steps).unwrap());
            assert!(
                (found - expected).abs() <= 1e-9 * expected,
                "{steps}: {found} {expected}"
            );
        }
        assert_eq!(one.at(7).unwrap().coefficients()[1], 0.0);
    }
}

#[test]
fn networks_scatter_as_those_of_copies() {
    let (data, copies, _) = problem::<f64>(12, 4);
    let points = data.points() * 0.7;
    let (one, other) = [&data, &copies].map(|data| Predictor::new(data, SIGMA).unwrap()).into();
    let flows = (one.gradient_flow().unwrap(), other.gradient_flow().unwrap());
    let size = other.gradient_descent(1.0).unwrap().max_step_size() / 3.0;
    let steps = (
        one.gradient_descent(size).unwrap(),
        other.gradient_descent(size).unwrap(),
    );
    for (found, expected) in [
        (
            flows.0.ensemble_covariance(0.1, &points),
            flows.1.ensemble_covariance(0.1, &points),
        ),
        (
            steps.0.ensemble_covariance(9, &points),
            steps.1.ensemble_covariance(9, &points),
        ),
    ] {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!(
            (&found - &expected).amax() <= 1e-10 * expected.amax(),
            "{found} {expected}"
        );
    }
}

/// Starts with F_0 other than 0, in the limit and of a network.
#[test]
fn starts_are_those_of_copies() {
    let (data, copies, net) = problem::<f64>(12, 40);
    let fit = |data: &Dataset<f64>| {
        let predictor = Predictor::new(data, SIGMA).unwrap();
        let outputs = net.forward(data.points()).unwrap();
        predictor.initial_outputs(&outputs).unwrap().ridge(0.1).unwrap()
    };
    same(&fit(&data), &fit(&copies), &data, 1e-9);

    let linear = LinearizedNetwork::new(&net).unwrap();
    let outputs = |data: &Dataset<f64>, fit: &Fit| {
        let weights = linear.weights(data.points(), fit).unwrap();
        linear.forward(&weights, &(data.points().columns(0, 1) * 0.7)).unwrap()[0]
    };
    let (one, other) = (linear.predictor(&data).unwrap(), linear.predictor(&copies).unwrap());
    let size = other.gradient_descent(1.0).unwrap().max_step_size() / 3.0;
    for (found, expected) in [
        (one.ridge(0.1), other.ridge(0.1)),
        (
            one.gradient_descent(size).unwrap().at(9),
            other.gradient_descent(size).unwrap().at(9),
        ),
    ] {
        let (found, expected) = (outputs(&data, &found.unwrap()), outputs(&copies, &expected.unwrap()));
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} {expected}");
    }
}

/// A wide network that is trained on the weighted loss follows the weighted flow.
#[test]
fn a_wide_network_follows_the_flow() {
    let data = weighted(problems::data(9, 3, 4));
    let mut net = expnet::Initializer::new(3, 40_000)
        .std_dev(SIGMA)
        .antisymmetric(true)
        .seed(1)
        .build()
        .unwrap();
    let (size, steps) = (1e-7, 60);
    expnet::Trainer::new(size)
        .max_steps(steps)
        .fit(&mut net, &data)
        .unwrap();
    let time = size * steps as f64 * 40_000.0;
    let fit = Predictor::new(&data, SIGMA)
        .unwrap()
        .gradient_flow()
        .unwrap()
        .at(time)
        .unwrap();
    let (found, expected) = (net.forward(data.points()).unwrap(), fit.predict(data.points()).unwrap());
    assert!(
        (&found - &expected).norm() < 0.05 * expected.norm(),
        "{found} {expected}"
    );
    let plain = Predictor::new(&data.clone().without_weights(), SIGMA)
        .unwrap()
        .gradient_flow()
        .unwrap();
    let plain = plain.at(time).unwrap().predict(data.points()).unwrap();
    assert!((&found - &plain).norm() > 0.2 * expected.norm(), "the weights matter");
}

proptest! {
    #![proptest_config(cases(32))]

    /// (S K + lambda I) c = S y, which needs no square root.
    #[test]
    fn ridge_solves_its_weighted_system(
        (n, d, seed) in (1..=60_usize, 1..=10_usize, any::<u64>()),
        lambda in 1e-2..10.0_f64,
    ) {
        let random = problems::data::<f64>(n, 1, !seed);
        let mut weights = random.labels().map(|y| f64::max(3.0 * y, 0.0));
        weights[n / 2] = 2.0;
        let data = problems::data::<f64>(n, d, seed).with_weights(weights.clone()).unwrap();
        let s = DMatrix::from_diagonal(&weights);
        let right = weights.component_mul(data.labels());
        let matrix = &s * limit_kernel(data.points(), SIGMA).unwrap() + DMatrix::identity(n, n) * lambda;
        let exact: DVector<f64> = matrix.lu().solve(&right).unwrap();
        for solver in solvers() {
            let fit = Predictor::new(&data, SIGMA).unwrap().solver(solver).ridge(lambda).unwrap();
            let off = (fit.coefficients() - &exact).norm();
            prop_assert!(off <= 1e-9 * exact.norm(), "{solver:?} {off:e}");
        }
    }
}

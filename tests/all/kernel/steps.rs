//! Gradient descent in discrete time.

use super::{distance, smooth};
use crate::support::problems::data;
use crate::support::{cases, refused};
use expnet::Dataset;
use expnet::kernel::{Predictor, limit_cross_kernel, limit_kernel};
use nalgebra::{DVector, dmatrix};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(48))]

    /// c <- c - eta (K c - y), one step at a time, from small to divergent step sizes.
    #[test]
    fn steps_one_by_one(
        (n, d, seed) in (1..=40_usize, 1..=8_usize, any::<u64>()),
        (sigma, part, steps) in (0.0..1.2_f64, 0.01..2.2_f64, 0..=60_usize),
    ) {
        let data = data::<f64>(n, d, seed);
        let kernel = limit_kernel(data.points(), sigma).unwrap();
        let eta = part / kernel.clone().symmetric_eigenvalues().max();
        let descent = Predictor::new(&data, sigma).unwrap().gradient_descent(eta).unwrap();
        prop_assert!((descent.max_step_size() * part / eta - 2.0).abs() < 1e-12);
        let mut c = DVector::zeros(n);
        for _ in 0..steps {
            c -= (&kernel * &c - data.labels()) * eta;
        }
        let fit = descent.at(steps).unwrap();
        let scale = c.norm() + data.labels().norm();
        prop_assert!((fit.coefficients() - &c).norm() <= 1e-10 * scale, "{} {c}", fit.coefficients());
        let residual = &kernel * &c - data.labels();
        prop_assert!((descent.residual_norm(steps).unwrap() - residual.norm()).abs() <= 1e-10 * scale * kernel.norm().max(1.0));
        let others = self::data::<f64>(5, d, !seed).points().clone();
        let exact = limit_cross_kernel(data.points(), &others, sigma).unwrap().tr_mul(&c);
        let reach = kernel.amax().max(1.0) * n as f64;
        prop_assert!((fit.predict(&others).unwrap() - exact).amax() <= 1e-9 * scale * reach);
    }
}

#[test]
fn small_steps_are_the_flow() {
    let data = smooth(9);
    let predictor = Predictor::new(&data, 1.0).unwrap();
    let flow = predictor.gradient_flow().unwrap().at(1.5).unwrap();
    let off = |steps: usize| {
        let descent = predictor.gradient_descent(1.5 / steps as f64).unwrap();
        (descent.at(steps).unwrap().coefficients() - flow.coefficients()).norm() / flow.coefficients().norm()
    };
    let (coarse, fine) = (off(1000), off(100_000));
    assert!(
        coarse < 0.02 && (90.0..110.0).contains(&(coarse / fine)),
        "{coarse:e} {fine:e}"
    );
}

/// eta lambda of 1 (done in one step), 1 + tiny, near 2 (for ever), above 2, and steps beyond counting.
#[test]
fn ends_of_the_range() {
    // K = exp(1/2) I.
    let data = Dataset::from_rows(&[[1.0, 0.0], [0.0, 1.0]], &[1.0, -1.0]).unwrap();
    let lambda = 0.5_f64.exp();
    let descent = |part: f64| {
        Predictor::new(&data, 0.5)
            .unwrap()
            .gradient_descent(part / lambda)
            .unwrap()
    };
    let left = |part: f64, steps: usize| {
        let descent = descent(part);
        let f = descent.at(steps).unwrap().predict(data.points()).unwrap();
        let norm = descent.residual_norm(steps).unwrap();
        assert!(((1.0 - f[0]).abs() * 2.0_f64.sqrt() - norm).abs() < 1e-13 * norm.max(1.0));
        1.0 - f[0]
    };
    for part in [0.1, 1.0, 1.9, 3.0] {
        assert_eq!(descent(part).at(0).unwrap().coefficients().amax(), 0.0);
        assert!((left(part, 1) - (1.0 - part)).abs() < 1e-15);
    }
    assert!(left(1.0, 2).abs() < 1e-15 && left(0.5, usize::MAX).abs() < 1e-15);
    assert!((left(1.5, 3) + 0.125).abs() < 1e-15 && (left(1.5, 4) - 0.0625).abs() < 1e-15);
    // (1 - 1e-6)^1e6, and with the sign of an odd number of steps.
    let exact = (1e6 * (-1e-6_f64).ln_1p()).exp();
    assert!((left(2.0 - 1e-6, 1_000_000) / exact - 1.0).abs() < 1e-8);
    assert!((left(2.0 - 1e-6, 1_000_001) / -exact - 1.0).abs() < 1e-5);
    assert!((left(3.0, 10) - 1024.0).abs() < 1e-9);
    let words = [
        "`step_size` of `Predictor::gradient_descent`",
        "step 2000 overflows",
        "below 1.213",
    ];
    refused(descent(3.0).at(2000), &words);
    refused(descent(3.0).residual_norm(2000), &words);
    refused(descent(3.0).ensemble_covariance(2000, data.points()), &words);
}

#[test]
fn on_equal_points_the_mean_is_found_and_too_many_steps_are_refused() {
    let points = dmatrix![1.0, 0.0, 1.0, 0.6; 0.0, 1.0, 0.0, 0.8];
    let data = Dataset::new(points.clone(), vec![1.0, 0.5, 2.0, -1.0].into()).unwrap();
    let descent = Predictor::new(&data, 0.7).unwrap().gradient_descent(0.2).unwrap();
    let late = descent.at(50_000).unwrap().predict(&points).unwrap();
    for (found, exact) in late.iter().zip([1.5, 0.5, 1.5, -1.0]) {
        assert!((found - exact).abs() < 1e-9, "{late}");
    }
    assert!((descent.residual_norm(50_000).unwrap() - 0.5_f64.sqrt()).abs() < 1e-14);
    let words = [
        "limit kernel",
        "singular",
        "point 2 equals point 0",
        "fewer than",
        "steps",
    ];
    refused(descent.at(usize::MAX), &words);
    refused(descent.ensemble_covariance(usize::MAX, &points), &words);
}

/// Networks of growing width that take the same steps, with eta lambda_max of 1.5.
#[test]
fn wide_networks_take_these_steps() {
    let steps = 12;
    let run = |width: usize| {
        distance(width, 8, |predictor, kernel| {
            let eta = 1.5 / kernel.clone().symmetric_eigenvalues().max();
            (eta, steps, predictor.gradient_descent(eta).unwrap().at(steps).unwrap())
        })
    };
    let (narrow, wide) = (run(1024), run(16_384));
    println!("{narrow:?} {wide:?}");
    for (narrow, wide) in narrow.into_iter().zip(wide) {
        assert!(wide < 0.03 && (2.5..6.5).contains(&(narrow / wide)), "{narrow} {wide}");
    }
}

//! Gradient flow in time.

use crate::kernel::smooth;
use crate::support::refused;
use expnet::Dataset;
use expnet::kernel::{Predictor, limit_kernel};
use nalgebra::{DVector, dmatrix};

#[test]
fn flow_starts_at_zero_ends_at_the_labels_and_falls_in_between() {
    let data = smooth(12);
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    assert_eq!(flow.at(0.0).unwrap().predict(data.points()).unwrap().amax(), 0.0);
    let mut last = f64::INFINITY;
    for t in [0.0, 0.01, 0.1, 1.0, 10.0, 1e3, 1e6] {
        let residual = flow.at(t).unwrap().predict(data.points()).unwrap() - data.labels();
        let norm = flow.residual_norm(t).unwrap();
        assert!(
            (residual.norm() - norm).abs() < 1e-10 && norm < last,
            "{t}: {norm:e} after {last:e}"
        );
        last = norm;
    }
    let end = flow.at(f64::INFINITY).unwrap().predict(data.points()).unwrap();
    assert!((end - data.labels()).amax() < 1e-10);
    assert_eq!(flow.residual_norm(f64::INFINITY).unwrap(), 0.0);
}

/// d f / dt = K (y - f), f(0) = 0, by tiny steps.
#[test]
fn flow_solves_its_equation() {
    let data = smooth(9);
    let kernel = limit_kernel(data.points(), 1.0).unwrap();
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    let (t, steps) = (1.5, 100_000);
    let mut f = DVector::zeros(9);
    for _ in 0..steps {
        f += &kernel * (data.labels() - &f) * (t / f64::from(steps));
    }
    let found = flow.at(t).unwrap().predict(data.points()).unwrap();
    assert!((&found - &f).amax() < 1e-4 * data.labels().norm(), "{found} {f}");
}

/// Points 0 and 2 are equal, their labels are not: K is singular, and f there goes to the mean.
#[test]
fn flow_on_equal_points() {
    let points = dmatrix![1.0, 0.0, 1.0, 0.6; 0.0, 1.0, 0.0, 0.8];
    let data = Dataset::new(points.clone(), vec![1.0, 0.5, 2.0, -1.0].into()).unwrap();
    let flow = Predictor::new(&data, 0.7).unwrap().gradient_flow().unwrap();
    let late = flow.at(1e4).unwrap().predict(&points).unwrap();
    for (found, exact) in late.iter().zip([1.5, 0.5, 1.5, -1.0]) {
        assert!((found - exact).abs() < 1e-9, "{late}");
    }
    assert!((flow.residual_norm(1e4).unwrap() - 0.5_f64.sqrt()).abs() < 1e-14);
    for t in [1e18, f64::INFINITY] {
        refused(
            flow.at(t),
            &[
                "limit kernel",
                "singular",
                "condition inf",
                "point 2 equals point 0",
                "time below",
            ],
        );
    }
}

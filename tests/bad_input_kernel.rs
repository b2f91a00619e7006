//! One wrong thing a test: the error names the value, the place and the remedy.

mod refused;

use expnet::kernel::{Spectrum, empirical_kernel, limit_kernel};
use expnet::{ExpNetwork, Float};
use nalgebra::{DMatrix, DVector, dmatrix};
use refused::refused;

fn net<T: Float>(weight: f64) -> ExpNetwork<T> {
    let weights = DMatrix::from_column_slice(2, 2, &[weight, 0.0, 0.5, 0.5].map(T::lit));
    ExpNetwork::from_parts(weights, DVector::from_element(2, T::one())).unwrap()
}

#[test]
fn no_points() {
    refused(
        limit_kernel(&DMatrix::<f64>::zeros(2, 0), 1.0),
        &["list of points", "empty", "at least one"],
    );
    refused(
        empirical_kernel(&net::<f64>(1.0), &DMatrix::zeros(2, 0)),
        &["list of points", "empty"],
    );
    refused(
        limit_kernel(&DMatrix::<f64>::zeros(0, 2), 1.0),
        &["each point", "coordinate"],
    );
}

#[test]
fn points_that_are_not_finite() {
    for value in [f64::NAN, f64::INFINITY] {
        let points = dmatrix![0.0, 1.0; 0.0, value];
        refused(limit_kernel(&points, 1.0), &["point 1, coordinate 1", "finite"]);
        refused(
            empirical_kernel(&net(1.0), &points),
            &["point 1, coordinate 1", "finite"],
        );
    }
}

#[test]
fn a_standard_deviation_out_of_range() {
    for value in [-0.1, f64::NAN, f64::INFINITY] {
        refused(
            limit_kernel(&dmatrix![1.0], value),
            &["std_dev", &format!("{value:?}"), "at least 0"],
        );
    }
    assert_eq!(limit_kernel(&dmatrix![3.0], 0.0).unwrap(), dmatrix![9.0]);
}

#[test]
fn points_of_another_dimension() {
    refused(
        empirical_kernel(&net::<f64>(1.0), &DMatrix::zeros(3, 4)),
        &["dimension", "expected 2", "found 3"],
    );
}

#[test]
fn a_limit_that_overflows() {
    // 2 * 19^2 > 709.78
    let words = [
        "limit kernel",
        "points 2 and 2",
        "inf",
        "beyond",
        "scale the points",
        "std_dev",
    ];
    refused(limit_kernel(&dmatrix![1.0, 2.0, 19.0], 1.0), &words);
    refused(limit_kernel(&dmatrix![1.0_f32, 2.0, 19.0], 1.0), &words);
    let both = dmatrix![1.0, 0.0, 30.0, 31.0];
    refused(limit_kernel(&both, 1.0), &["points 2 and 2"]);
    // The square of the distance overflows as well.
    refused(limit_kernel(&dmatrix![1e200], 1.0), &["points 0 and 0", "inf"]);
}

fn an_activation_that_overflows<T: Float>(weight: f64) {
    let points = dmatrix![0.1, 1.0, 0.2; 0.3, 1.0, -0.1].map(T::lit);
    let words = [
        "empirical kernel",
        "points 1 and 1",
        "inf",
        "beyond",
        "scale the points",
        "smaller",
    ];
    refused(empirical_kernel(&net::<T>(weight), &points), &words);
}

#[test]
fn a_network_that_overflows() {
    an_activation_that_overflows::<f64>(400.0);
    an_activation_that_overflows::<f32>(400.0);
    // An f32 network's kernel is that of f64: exp(200) is no overflow.
    let kernel = empirical_kernel(&net::<f32>(200.0), &dmatrix![1.0; 0.0]).unwrap();
    assert!(kernel[(0, 0)] > 1e170);
}

#[test]
fn matrices_without_a_spectrum() {
    for of in [Spectrum::new, Spectrum::with_eigenvectors] {
        refused(of(&DMatrix::zeros(0, 0)), &["kernel matrix", "empty"]);
        refused(of(&DMatrix::zeros(2, 3)), &["columns", "expected 2", "found 3"]);
        refused(
            of(&dmatrix![1.0, f64::NAN; f64::NAN, 1.0]),
            &["NaN", "row 1, column 0", "finite"],
        );
        let words = ["5e-1 at (1, 0)", "2.5e-1 at (0, 1)", "symmetric"];
        refused(of(&dmatrix![1.0, 0.25; 0.5, 1.0]), &words);
    }
}

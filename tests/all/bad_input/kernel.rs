//! Kernels, spectra and predictors.

use crate::support::refused;
use expnet::kernel::{ConjugateGradient, Predictor, Solver, Spectrum, empirical_kernel, limit_kernel};
use expnet::{Dataset, ExpNetwork, Float};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

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
            &["`std_dev` of `limit_kernel`", &format!("{value:?}"), "at least 0"],
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

fn predictor() -> Predictor {
    let data = Dataset::new(dmatrix![1.0, 0.0; 0.0, 2.0], dvector![1.0, -1.0]).unwrap();
    Predictor::new(&data, 1.0).unwrap()
}

#[test]
fn a_predictor_of_points_that_overflow() {
    let data = Dataset::new(dmatrix![1.0, 30.0], dvector![1.0, 1.0]).unwrap();
    refused(
        Predictor::new(&data, 1.0),
        &["limit kernel", "points 1 and 1", "scale the points"],
    );
    refused(Predictor::new(&data, -1.0), &["`std_dev` of `Predictor::new` is -1;"]);
}

#[test]
fn a_lambda_out_of_range() {
    for lambda in [-1e-9, f64::NAN, f64::INFINITY] {
        refused(
            predictor().ridge(lambda),
            &["lambda", &format!("{lambda:?}"), "at least 0"],
        );
    }
}

#[test]
fn a_time_out_of_range() {
    let flow = predictor().gradient_flow().unwrap();
    for t in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        refused(
            flow.at(t),
            &["`t` of `GradientFlow::at`", &format!("{t:?}"), "at least 0"],
        );
        refused(
            flow.residual_norm(t),
            &["`t` of `GradientFlow::residual_norm`", &format!("{t:?}")],
        );
    }
}

#[test]
fn points_that_cannot_be_predicted() {
    let fit = predictor().ridge(0.1).unwrap();
    refused(
        fit.predict(&DMatrix::<f64>::zeros(3, 1)),
        &["dimension", "expected 2", "found 3"],
    );
    refused(fit.predict(&DMatrix::<f64>::zeros(2, 0)), &["points", "empty"]);
    refused(
        fit.predict(&dmatrix![0.0, 1.0; 0.0, f64::NAN]),
        &["point 1, coordinate 1", "NaN"],
    );
    let words = ["limit kernel", "training point 1 and point 1", "inf", "beyond"];
    refused(fit.predict(&dmatrix![0.0, 0.0; 1.0, 40.0]), &words);
    let large = Dataset::new(dmatrix![1.0], dvector![1e300]).unwrap();
    let fit = Predictor::new(&large, 1.0).unwrap().ridge(0.0).unwrap();
    refused(fit.predict(&dmatrix![0.5, 12.0]), &["output at point 1", "inf"]);
}

#[test]
fn conjugate_gradients_with_bad_settings() {
    let ridge = |settings| predictor().solver(Solver::ConjugateGradient(settings)).ridge(0.1);
    for (tolerance, is) in [
        (0.0, "is 0;"),
        (1.0, "is 1;"),
        (-1e-3, "is -0.001;"),
        (f64::NAN, "is NaN;"),
    ] {
        refused(
            ridge(ConjugateGradient::default().tolerance(tolerance)),
            &["`ConjugateGradient::tolerance`", is],
        );
    }
    refused(
        ridge(ConjugateGradient::default().max_iterations(0)),
        &["max_iterations", "at least 1"],
    );
    assert!(ridge(ConjugateGradient::default()).is_ok());
}

#[test]
fn conjugate_gradients_that_end_too_soon() {
    let points = DMatrix::from_fn(2, 50, |k, i| ((1 + i * 2 + k) as f64).sin());
    let data = Dataset::new(points, DVector::from_fn(50, |i, _| (i as f64).cos())).unwrap();
    let ridge = |settings, lambda| {
        let solver = Solver::ConjugateGradient(settings);
        Predictor::new(&data, 1.0).unwrap().solver(solver).ridge(lambda)
    };
    let words = [
        "conjugate gradient",
        "did not converge in 3 iterations",
        "larger lambda",
        "more iterations",
    ];
    refused(
        ridge(ConjugateGradient::default().rank(0).max_iterations(3), 1e-3),
        &words,
    );
    // Out of reach: the labels are not in the range of a kernel of lower rank.
    refused(ridge(ConjugateGradient::default(), 0.0), &["did not converge"]);
}

//! Cross-kernels, kernels given by the caller, initial outputs, steps, posteriors and linearised networks.

use crate::support::refused;
use expnet::kernel::{
    Fit, LinearizedNetwork, Predictor, conjugate_cross_kernel, conjugate_kernel, empirical_cross_kernel,
    limit_cross_kernel,
};
use expnet::{Dataset, Error, ExpNetwork};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

fn net() -> ExpNetwork<f64> {
    ExpNetwork::from_parts(dmatrix![1.0, 0.5; 0.0, 0.5], dvector![1.0, -1.0]).unwrap()
}

type Cross = fn(&DMatrix<f64>, &DMatrix<f64>) -> Result<DMatrix<f64>, Error>;

const CROSS: [Cross; 3] = [
    |points, others| limit_cross_kernel(points, others, 1.0),
    |points, others| conjugate_cross_kernel(points, others, 1.0),
    |points, others| empirical_cross_kernel(&net(), points, others),
];

type Covariance<'a> = &'a dyn Fn(&DMatrix<f64>) -> Result<f64, Error>;

#[test]
fn lists_of_points() {
    let (good, none, other) = (DMatrix::identity(2, 2), DMatrix::zeros(2, 0), DMatrix::zeros(3, 2));
    let nan = dmatrix![0.0, 1.0; 0.0, f64::NAN];
    for cross in CROSS {
        refused(cross(&none, &good), &["list of points", "empty", "at least one"]);
        refused(cross(&good, &none), &["list of other points", "empty", "at least one"]);
        refused(
            cross(&good, &other),
            &["dimension of the other points", "expected 2", "found 3"],
        );
        refused(cross(&nan, &good), &["NaN at point 1, coordinate 1", "finite"]);
        refused(cross(&good, &nan), &["NaN at other point 1, coordinate 1", "finite"]);
    }
    refused(
        empirical_cross_kernel(&net(), &other, &other),
        &["dimension of the points", "expected 2", "found 3"],
    );
    refused(conjugate_kernel(&none, 1.0), &["list of points", "empty"]);
    refused(conjugate_kernel(&nan, 1.0), &["NaN at point 1, coordinate 1"]);
}

#[test]
fn standard_deviations() {
    let x = dmatrix![1.0];
    for value in [-0.1, f64::NAN, f64::INFINITY] {
        let is = format!("{value:?}");
        refused(
            limit_cross_kernel(&x, &x, value),
            &["`std_dev` of `limit_cross_kernel`", &is],
        );
        refused(
            conjugate_cross_kernel(&x, &x, value),
            &["`std_dev` of `conjugate_cross_kernel`", &is],
        );
        refused(
            conjugate_kernel(&x, value),
            &["`std_dev` of `conjugate_kernel`", &is, "at least 0"],
        );
    }
}

#[test]
fn entries_that_overflow() {
    let words = ["point 1 and other point 2", "inf", "beyond", "scale the points"];
    let (points, others) = (dmatrix![0.1, 20.0], dmatrix![0.0, 1.0, 20.0]);
    refused(
        limit_cross_kernel(&points, &others, 1.0),
        &[&["limit kernel"], &words[..]].concat(),
    );
    refused(
        conjugate_cross_kernel(&points, &others, 1.0),
        &[&["conjugate kernel"], &words[..]].concat(),
    );
    refused(
        conjugate_kernel(&points, 1.0),
        &["conjugate kernel", "points 1 and 1", "inf"],
    );
    let net = ExpNetwork::from_parts(dmatrix![20.0], dvector![1.0]).unwrap();
    refused(
        empirical_cross_kernel(&net, &points, &others),
        &[&["empirical kernel"], &words[..]].concat(),
    );
}

fn given() -> Predictor {
    Predictor::from_kernel(dmatrix![2.0, 0.5; 0.5, 1.0], dvector![1.0, -1.0]).unwrap()
}

#[test]
fn kernels_and_labels_that_are_given() {
    let from = |kernel, labels: DVector<f64>| Predictor::from_kernel(kernel, labels);
    let two = dvector![1.0, -1.0];
    refused(
        from(DMatrix::zeros(0, 0), DVector::zeros(0)),
        &["kernel matrix", "empty"],
    );
    refused(
        from(DMatrix::zeros(2, 3), two.clone()),
        &["columns", "expected 2", "found 3"],
    );
    refused(
        from(dmatrix![1.0, 0.25; 0.5, 1.0], two.clone()),
        &["5e-1 at (1, 0)", "2.5e-1 at (0, 1)", "symmetric"],
    );
    let nan = dmatrix![1.0, f64::NAN; f64::NAN, 1.0];
    refused(from(nan, two), &["NaN", "row 1, column 0", "finite"]);
    let one = DMatrix::identity(2, 2);
    refused(
        from(one.clone(), dvector![1.0]),
        &["number of labels", "expected 2", "found 1"],
    );
    refused(
        from(one, dvector![1.0, f64::INFINITY]),
        &["a label is inf at point 1", "finite"],
    );
}

#[test]
fn initial_outputs() {
    refused(
        given().initial_outputs(&dvector![1.0]),
        &["number of initial outputs", "expected 2", "found 1"],
    );
    refused(
        given().initial_outputs(&dvector![1.0, f64::NAN]),
        &["an initial output is NaN at point 1"],
    );
    let huge = Predictor::from_kernel(DMatrix::identity(2, 2), dvector![1.0, 1e308]).unwrap();
    refused(
        huge.initial_outputs(&dvector![0.0, -1e308]),
        &["a label minus its initial output", "inf at point 1", "scale the labels"],
    );
}

#[test]
fn cross_kernels_that_are_given() {
    let (fit, posterior) = (given().ridge(0.1).unwrap(), given().posterior(0.1).unwrap());
    let prior = dmatrix![1.0, 0.0; 0.0, 1.0];
    let cases: [(DMatrix<f64>, &[&str]); 4] = [
        (
            DMatrix::zeros(3, 2),
            &["rows of the cross-kernel", "expected 2", "found 3"],
        ),
        (DMatrix::zeros(2, 0), &["cross-kernel", "empty", "at least one"]),
        (dmatrix![1.0, 0.0; f64::NAN, 1.0], &["NaN at row 1, column 0", "finite"]),
        (dmatrix![1.0, f64::INFINITY; 0.0, 1.0], &["inf at row 0, column 1"]),
    ];
    for (cross, words) in cases {
        refused(fit.predict_from(&cross), words);
        refused(posterior.covariance_from(&cross, &prior), words);
    }
    let cross = dmatrix![1.0, 0.0; 0.0, 1.0];
    refused(
        posterior.covariance_from(&cross, &DMatrix::zeros(3, 2)),
        &["rows of the prior kernel", "expected 2", "found 3"],
    );
    refused(
        posterior.covariance_from(&cross, &DMatrix::zeros(2, 1)),
        &["columns of the prior kernel", "expected 2", "found 1"],
    );
    refused(
        posterior.covariance_from(&cross, &dmatrix![1.0, 0.5; 0.25, 1.0]),
        &["symmetric"],
    );
    let large = dmatrix![1e308, 0.0; -1e308, 0.0];
    refused(
        given().ridge(0.0).unwrap().predict_from(&(large * 1.7)),
        &["output at point 0", "inf"],
    );
}

#[test]
fn step_sizes() {
    for eta in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        refused(
            given().gradient_descent(eta),
            &["`step_size` of `Predictor::gradient_descent`", "positive and finite"],
        );
    }
    assert!(
        given().gradient_descent(5.0).unwrap().at(3).is_ok(),
        "divergent, but not yet"
    );
}

#[test]
fn lambdas_and_times() {
    for value in [-1e-9, f64::NAN, f64::INFINITY] {
        refused(
            given().posterior(value),
            &["`lambda` of `Predictor::posterior`", &format!("{value:?}")],
        );
    }
    let data = Dataset::new(dmatrix![1.0, 0.0; 0.0, 2.0], dvector![1.0, -1.0]).unwrap();
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    refused(
        flow.ensemble_covariance(-1.0, data.points()),
        &["`t` of `GradientFlow::ensemble_covariance`", "-1.0"],
    );
}

#[test]
fn new_points_of_covariances() {
    let data = Dataset::new(dmatrix![1.0, 0.0; 0.0, 2.0], dvector![1.0, -1.0]).unwrap();
    let predictor = Predictor::new(&data, 1.0).unwrap();
    let (posterior, flow) = (predictor.posterior(0.1).unwrap(), predictor.gradient_flow().unwrap());
    let covariances: [Covariance<'_>; 3] = [
        &|points| posterior.covariance(points).map(|c| c.amax()),
        &|points| posterior.std_dev(points).map(|c| c.amax()),
        &|points| flow.ensemble_covariance(1.0, points).map(|c| c.amax()),
    ];
    for covariance in covariances {
        refused(covariance(&DMatrix::zeros(2, 0)), &["points", "empty"]);
        refused(
            covariance(&DMatrix::zeros(3, 1)),
            &["dimension", "expected 2", "found 3"],
        );
        refused(
            covariance(&dmatrix![0.0, 1.0; 0.0, f64::NAN]),
            &["point 1, coordinate 1", "NaN"],
        );
        refused(
            covariance(&dmatrix![0.0, 0.0; 1.0, 40.0]),
            &["limit kernel", "inf", "beyond"],
        );
    }
}

#[test]
fn linearised_networks() {
    let linear = LinearizedNetwork::new(&net()).unwrap();
    let (start, points) = (net().weights().clone(), DMatrix::<f64>::identity(2, 2));
    refused(
        linear.forward(&DMatrix::zeros(3, 2), &points),
        &["dimension of the weights", "expected 2", "found 3"],
    );
    refused(
        linear.forward(&DMatrix::zeros(2, 5), &points),
        &["number of neurons", "expected 2", "found 5"],
    );
    refused(
        linear.forward(&dmatrix![1.0, f64::NAN; 0.0, 0.0], &points),
        &["a weight is NaN at neuron 1, coordinate 0"],
    );
    refused(
        linear.forward(&start, &DMatrix::<f64>::zeros(3, 1)),
        &["dimension of the points", "expected 2", "found 3"],
    );
    refused(
        linear.forward(&start, &DMatrix::<f64>::zeros(2, 0)),
        &["points", "empty"],
    );
    refused(
        linear.forward(&start, &dmatrix![f64::NAN; 0.0]),
        &["NaN at point 0, coordinate 0"],
    );
    refused(
        linear.forward(&start, &dmatrix![1e3; 0.0]),
        &["output at point 0", "out of range"],
    );
    refused(
        linear.forward(&(start.clone() * 1e300), &dmatrix![1e10; 0.0]),
        &["output at point 0"],
    );
    refused(
        linear.predictor(&Dataset::new(dmatrix![1.0], dvector![1.0]).unwrap()),
        &["dimension", "expected 2", "found 1"],
    );
    let fit: Fit = given().ridge(0.1).unwrap();
    refused(
        linear.weights(&DMatrix::<f64>::identity(2, 3), &fit),
        &["number of training points", "expected 2", "found 3", "data set"],
    );
    let huge = Predictor::from_kernel(DMatrix::identity(2, 2), dvector![1e308, 1e308]).unwrap();
    refused(
        linear.weights(&(points * 5.0), &huge.ridge(0.0).unwrap()),
        &["weights of neuron", "inf"],
    );
}

//! Networks, and points that they are evaluated at.

use super::{fit_refused, problem};
use crate::support::problems::data;
use crate::support::refused;
use expnet::{ExpNetwork, Trainer, check};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

#[test]
fn too_few_output_weights() {
    let parts = ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 5), dvector![1.0, 1.0]);
    refused(
        parts,
        &[
            "output weights",
            "expected 5",
            "found 2",
            "one output weight per neuron",
        ],
    );
}

#[test]
fn too_many_output_weights() {
    let parts = ExpNetwork::from_parts(DMatrix::<f32>::zeros(2, 1), dvector![1.0, 1.0]);
    refused(parts, &["expected 1", "found 2"]);
}

#[test]
fn no_neurons() {
    refused(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 0), DVector::zeros(0)),
        &["weight matrix", "empty"],
    );
}

#[test]
fn no_dimension() {
    refused(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(0, 3), DVector::zeros(3)),
        &["weight matrix", "empty"],
    );
}

#[test]
fn weights_that_are_not_finite() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let mut weights = DMatrix::zeros(2, 3);
        weights[(1, 2)] = value;
        let parts = ExpNetwork::from_parts(weights, DVector::from_element(3, 1.0));
        refused(parts, &["a weight", name, "neuron 2, coordinate 1", "finite"]);
    }
}

#[test]
fn output_weights_that_are_not_finite() {
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let parts = ExpNetwork::from_parts(DMatrix::zeros(1, 2), dvector![1.0, value]);
        refused(parts, &["an output weight", name, "neuron 1", "finite"]);
    }
}

#[test]
fn cast_beyond_f32() {
    let net = ExpNetwork::from_parts(dmatrix![0.0, 1e300], dvector![1.0, 1.0]).unwrap();
    refused(net.cast::<f32>(), &["a weight", "inf", "neuron 1"]);
}

#[test]
fn points_of_another_dimension() {
    let (_, net) = problem::<f64>();
    let words = ["dimension of the points", "expected 2", "found 3"];
    refused(net.forward(&DMatrix::zeros(3, 1)), &words);
    let other = data(4, 3, 1);
    refused(net.residual(&other), &words);
    refused(net.loss(&other), &words);
    refused(net.gradient(&other), &words);
    refused(check::gradient(&net, &other), &words);
    refused(net.clone().step(&other, 0.1), &words);
    refused(Trainer::new(0.1).fit(&mut net.clone(), &other), &words);
}

#[test]
fn validation_points_of_another_dimension() {
    let other = data(4, 3, 1);
    fit_refused(
        Trainer::new(0.1).validation(&other, 5),
        &["validation points", "expected 2", "found 3"],
    );
}

#[test]
fn points_that_are_not_finite() {
    let (_, net) = problem::<f64>();
    for (value, name) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let mut points = DMatrix::zeros(2, 5);
        points[(1, 3)] = value;
        refused(
            net.forward(&points),
            &["a coordinate", name, "point 3, coordinate 1", "finite"],
        );
    }
}

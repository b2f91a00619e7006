//! Outputs and losses that overflow the scalar type.

use crate::support::problems::is_finite;
use crate::support::{Scripted, refused};
use expnet::method::Minibatch;
use expnet::{Dataset, ExpNetwork, Float, Trainer};
use nalgebra::{dmatrix, dvector};

/// exp(800) is no f64, exp(100) no f32.
fn steep<T: Float>(weight: f64) -> (Dataset<T>, ExpNetwork<T>) {
    let points = dmatrix![T::zero(), T::one()];
    let data = Dataset::new(points, dvector![T::zero(), T::zero()]).unwrap();
    let net = ExpNetwork::from_parts(dmatrix![T::lit(weight)], dvector![T::one()]).unwrap();
    (data, net)
}

fn overflows<T: Float>(weight: f64) {
    let (data, start) = steep::<T>(weight);
    let mut net = start.clone();
    let words = ["inf", T::NAME, "scale the points down"];
    let at_point = ["point 1", "inf", T::NAME, "scale the points down"];
    refused(net.forward(data.points()), &at_point);
    refused(net.loss(&data), &at_point);
    refused(net.gradient(&data), &at_point);
    refused(net.step(&data, T::lit(0.1)), &at_point);
    refused(Trainer::new(0.1).fit(&mut net, &data), &words);
    refused(
        Trainer::default().method(Minibatch::new(2)).fit(&mut net, &data),
        &words,
    );
    assert_eq!(net, start);
}

#[test]
fn activation_that_overflows() {
    overflows::<f64>(800.0);
    overflows::<f32>(100.0);
}

#[test]
fn loss_that_overflows() {
    // The output is finite, its square is not.
    let (data, net) = steep::<f64>(500.0);
    assert!(net.forward(data.points()).unwrap()[1].is_finite());
    refused(net.loss(&data), &["the loss over all points", "inf", "f64"]);
    let (data, net) = steep::<f32>(60.0);
    assert!(net.forward(data.points()).unwrap()[1].is_finite());
    refused(net.loss(&data), &["the loss over all points", "inf", "f32"]);
}

#[test]
fn loss_that_overflows_outside_the_batch() {
    let (data, start) = steep::<f64>(500.0);
    let mut net = start.clone();
    let only_the_first = Scripted::new().dealing(|_, batch| batch.push(0));
    let result = Trainer::new(0.1)
        .method(only_the_first)
        .max_steps(2)
        .fit(&mut net, &data);
    refused(result, &["the activations reach exp(500) at sample 1", "inf", "f64"]);
    assert!(is_finite(&net));
}

#[test]
fn cancelling_infinities() {
    // inf - inf would be NaN.
    let net = ExpNetwork::from_parts(dmatrix![800.0, 800.0], dvector![1.0, -1.0]).unwrap();
    refused(net.forward(&dmatrix![1.0]), &["point 0", "f64"]);
}

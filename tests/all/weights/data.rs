//! Data made from data with weights keep them.

use super::problem;
use crate::support::problems;
use expnet::{Dataset, Scaling};
use nalgebra::DVector;

/// Each sample with its weight, found by its label.
fn keeps(part: &Dataset<f64>, whole: &Dataset<f64>) {
    let weights = part.weights().unwrap();
    for (label, weight) in part.labels().iter().zip(weights) {
        let i = whole.labels().iter().position(|y| y == label).unwrap();
        assert_eq!(*weight, whole.weights().unwrap()[i]);
    }
}

fn data() -> Dataset<f64> {
    let weights = DVector::from_fn(30, |i, _| 0.5 + i as f64);
    problems::data(30, 3, 1).with_weights(weights).unwrap()
}

#[test]
fn parts_keep_their_weights() {
    let data = data();
    let (train, test) = data.split(0.7, 3).unwrap();
    keeps(&train, &data);
    keeps(&test, &data);
    for (train, test) in data.k_fold(4, 1).unwrap() {
        keeps(&train, &data);
        keeps(&test, &data);
    }
    let some = data.select(&[5, 0, 5]).unwrap();
    assert_eq!(some.weights().unwrap().as_slice(), [5.5, 0.5, 5.5]);
    assert_eq!(
        data.clone().with_weights(data.weights().unwrap().clone()).unwrap(),
        data
    );
    assert_ne!(data.clone().without_weights(), data);
    let named = data
        .clone()
        .with_names(vec!["a".into(), "b".into(), "c".into()])
        .unwrap();
    assert_eq!(named.weights(), data.weights());
}

#[test]
fn a_cast_keeps_them() {
    let weights = data().cast::<f32>().unwrap().weights().unwrap().clone();
    assert_eq!(weights[7], 7.5_f32);
    assert_eq!(data().without_weights().cast::<f32>().unwrap().weights(), None);
}

/// The scaling itself does not depend on them.
#[test]
fn scaling_keeps_them() {
    let (data, _, _) = problem::<f64>(3, 4);
    let scaling = Scaling::fit(&data).unwrap();
    assert_eq!(scaling, Scaling::fit(&data.clone().without_weights()).unwrap());
    let scaled = scaling.apply(&data).unwrap();
    assert_eq!(scaled.weights(), data.weights());
    assert_eq!(
        scaled.without_weights(),
        scaling.apply(&data.without_weights()).unwrap()
    );
}

//! Problems for the tests: reproducible, of moderate size, in any scalar type.
#![allow(dead_code)]

use expnet::{Dataset, ExpNetwork, Float};
use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// n points in d dimensions with coordinates in [-1, 1] / sqrt(d), labels in [-1, 1].
pub fn data<T: Float>(n: usize, d: usize, seed: u64) -> Dataset<T> {
    let mut rng = StdRng::seed_from_u64(seed);
    let scale = (d as f64).sqrt();
    let points = DMatrix::from_fn(d, n, |_, _| T::lit(rng.random_range(-1.0..1.0) / scale));
    let labels = DVector::from_fn(n, |_, _| T::lit(rng.random_range(-1.0..1.0)));
    Dataset::new(points, labels).unwrap()
}

/// m neurons with weights in [-1.5, 1.5], random signs.
pub fn net<T: Float>(d: usize, m: usize, seed: u64) -> ExpNetwork<T> {
    let mut rng = StdRng::seed_from_u64(!seed);
    let weights = DMatrix::from_fn(d, m, |_, _| T::lit(rng.random_range(-1.5..1.5)));
    let signs = DVector::from_fn(m, |_, _| T::lit(if rng.random() { 1.0 } else { -1.0 }));
    ExpNetwork::from_parts(weights, signs).unwrap()
}

/// max over points of sum_r |a_r| exp(<w_r, x>): what errors of F are measured against.
pub fn scale(net: &ExpNetwork<f64>, points: &DMatrix<f64>) -> f64 {
    let positive = ExpNetwork::from_parts(net.weights().clone(), net.output_weights().abs()).unwrap();
    positive.forward(points).unwrap().max()
}

/// A step size that is small for this problem: a part of 1 / trace(G).
pub fn small_step(net: &ExpNetwork<f64>, data: &Dataset<f64>, part: f64) -> f64 {
    let trace: f64 = data
        .points()
        .column_iter()
        .map(|x| {
            let sum: f64 = (net.weights().tr_mul(&x))
                .iter()
                .zip(net.output_weights())
                .map(|(z, a)| (a * z.exp()).powi(2))
                .sum();
            sum * x.norm_squared()
        })
        .sum();
    part / trace
}

pub fn is_finite<T: Float>(net: &ExpNetwork<T>) -> bool {
    net.weights()
        .iter()
        .chain(net.output_weights())
        .all(|w| w.as_f64().is_finite())
}

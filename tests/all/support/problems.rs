//! Problems: reproducible, of moderate size, in any scalar type.

use expnet::{Dataset, ExpNetwork, Float};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::{Strategy, any};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// The red wines, whose label is `quality`.
#[cfg(feature = "csv")]
pub const WINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/winequality-red.csv");

/// n, d, m and a seed, for random cases.
pub fn shapes() -> impl Strategy<Value = (usize, usize, usize, u64)> {
    (1..=40_usize, 1..=40_usize, 1..=40_usize, any::<u64>())
}

/// A rearrangement of 0..n.
pub fn order(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    order
}

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

/// n points in d dimensions, x_ik = sin(1 + 2 k + 3 i + k i) / sqrt(d), and labels cos(i).
pub fn sines<T: Float>(n: usize, d: usize) -> Dataset<T> {
    let value = |k: usize, i: usize| ((1 + 2 * k + 3 * i + k * i) as f64).sin() / (d as f64).sqrt();
    let points = DMatrix::from_fn(d, n, |k, i| T::lit(value(k, i)));
    Dataset::new(points, DVector::from_fn(n, |i, _| T::lit((i as f64).cos()))).unwrap()
}

/// A smooth function of the plane at 24 points, not scaled.
pub fn plane<T: Float>() -> Dataset<T> {
    plane_at(24)
}

/// The same function at n points.
pub fn plane_at<T: Float>(n: usize) -> Dataset<T> {
    let points = DMatrix::from_fn(2, n, |k, i| T::lit((0.7 * ((i + 1) * (k + 1)) as f64).sin()));
    let labels: Vec<T> = points.column_iter().map(|x| x[0] * x[0] + x[1].sin()).collect();
    Dataset::new(points, labels.into()).unwrap()
}

/// Unit vectors x_ik = sin(1 + i d + k + 0.37 i k), normalised: the points of the theory's tables.
pub fn table_points(n: usize, d: usize) -> DMatrix<f64> {
    let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    points
}

/// Standard normal numbers, by the method of Box and Muller.
pub fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = StdRng::seed_from_u64(seed);
    move || {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

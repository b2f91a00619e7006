//! The problem that the benches and the peers of `benches/peers/` share: closed-form numbers, so that
//! every program sees the same ones and losses can be compared.

use expnet::{Dataset, ExpNetwork, Float};
use nalgebra::{DMatrix, DVector};
use std::fmt;

/// A size of the problem.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: &'static str,
    pub samples: usize,
    pub dimension: usize,
    pub width: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            samples,
            dimension,
            width,
        } = self;
        write!(f, "{name} ({samples}, {dimension}, {width})")
    }
}

const fn shape(name: &'static str, samples: usize, dimension: usize, width: usize) -> Shape {
    Shape {
        name,
        samples,
        dimension,
        width,
    }
}

/// The shapes (n, d, m) on which the crate is judged; one tiny one where `EXPNET_BENCH=tiny`, or where
/// cargo runs the benches as tests.
pub fn shapes() -> Vec<Shape> {
    if is_tiny() {
        return vec![shape("tiny", 12, 3, 64)];
    }
    vec![
        shape("A", 128, 16, 16384),
        shape("B", 256, 32, 65536),
        shape("C", 1000, 16, 10000),
        shape("D", 128, 784, 16384),
        shape("E", 32, 4, 1024),
    ]
}

pub fn is_tiny() -> bool {
    std::env::var("EXPNET_BENCH").is_ok_and(|size| size == "tiny") || !std::env::args().any(|a| a == "--bench")
}

/// Data, network and step size: the formulas in the head of `peers/gd_step.py`.
pub fn problem<T: Float>(shape: Shape) -> (Dataset<T>, ExpNetwork<T>, f64) {
    let Shape {
        samples: n,
        dimension: d,
        width: m,
        ..
    } = shape;
    let mut points = DMatrix::from_fn(d, n, |k, i| {
        let (i, k) = (i as f64, k as f64);
        (1.0 + 0.7 * i + 1.3 * k + 0.37 * i * k).sin()
    });
    for mut point in points.column_iter_mut() {
        point.normalize_mut();
    }
    let labels = DVector::from_fn(n, |i, _| T::lit((0.3 * i as f64).cos()));
    let weights = DMatrix::from_fn(d, m, |k, r| T::lit((0.9 * k as f64 + 0.37 * r as f64).sin()));
    let signs = DVector::from_fn(m, |r, _| T::lit(if r % 2 == 0 { 1.0 } else { -1.0 }));
    let data = Dataset::new(points.map(T::lit), labels).expect("the closed form is finite");
    let net = ExpNetwork::from_parts(weights, signs).expect("the closed form is finite");
    (data, net, 1e-3 / m as f64)
}

//! Kinds of faults that users of similar software have reported, each with the right outcome. `aNN` and `bNN` number the kinds.

mod checkpoints;
mod extremes;
mod hostile;
mod memory;
mod messages;
mod metrics;
mod silent;
mod start;
mod waiting;

use expnet::{Dataset, ExpNetwork, Float, Initializer, Scaling};
use nalgebra::DMatrix;

/// A smooth function of the plane, not scaled.
fn smooth<T: Float>(n: usize) -> Dataset<T> {
    let points = DMatrix::from_fn(2, n, |k, i| T::lit((0.7 * ((i + 1) * (k + 1)) as f64).sin()));
    let labels: Vec<T> = points.column_iter().map(|x| x[0] * x[0] + x[1].sin()).collect();
    Dataset::new(points, labels.into()).unwrap()
}

/// The same after scaling.
fn scaled<T: Float>(n: usize) -> Dataset<T> {
    let data = smooth(n);
    Scaling::fit(&data).unwrap().apply(&data).unwrap()
}

/// An antisymmetric network with weights of standard deviation 0.5.
fn net<T: Float>(d: usize, m: usize) -> ExpNetwork<T> {
    let start = Initializer::new(d, m).std_dev(0.5).antisymmetric(true).seed(3);
    start.build().unwrap()
}

/// The wines as they are in the file.
#[cfg(feature = "csv")]
fn raw_wine<T: Float>() -> Dataset<T> {
    Dataset::from_csv_path(crate::support::problems::WINE, "quality").unwrap()
}

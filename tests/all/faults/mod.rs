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

use crate::support::problems::plane_at;
use expnet::{Dataset, ExpNetwork, Float, Initializer, Scaling};

/// A smooth function of the plane after scaling.
fn scaled<T: Float>(n: usize) -> Dataset<T> {
    let data = plane_at(n);
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

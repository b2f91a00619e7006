//! Kernels, their spectra, and the infinitely wide network that they describe.

mod entries;
mod limit;
mod predictor;
mod properties;
mod spectrum;

use crate::support::problems::data;
use expnet::Dataset;

/// Points on the unit sphere in 3 dimensions and smooth labels: some eigenvalues are large and most are tiny.
fn smooth(n: usize) -> Dataset<f64> {
    let mut points = data::<f64>(n, 3, 5).points().clone();
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    let labels: Vec<f64> = points.column_iter().map(|x| (3.0 * x[0]).sin() + x[1] * x[2]).collect();
    Dataset::new(points, labels.into()).unwrap()
}

//! Linfa's cross-validation chooses between regressors and widths.
//!
//!     cargo run --release --example cross_validation

use expnet_linfa::{Error, ExpRegressor, KernelRegressor};
use linfa::prelude::*;
use ndarray::{Array2, Axis};

fn main() -> Result<(), Error> {
    // 150 samples of y = x0^2 + sin(3 x1), with noise.
    let records = Array2::from_shape_fn((150, 2), |(i, k)| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let mut targets = records.map_axis(Axis(1), |x| x[0] * x[0] + (3.0 * x[1]).sin());
    targets
        .indexed_iter_mut()
        .for_each(|(i, y)| *y += 0.1 * ((i * i) as f64).sin());
    let mut data = Dataset::new(records, targets);

    let widths = [2, 16, 256];
    let models = widths.map(|width| ExpRegressor::params().width(width));
    let scores = data.cross_validate_single(5, &models, |predicted, truth| predicted.r2(truth))?;
    for (width, score) in widths.iter().zip(&scores) {
        println!("network of {width:3} neurons   R² = {score:.4}");
    }
    let kernel = [KernelRegressor::params()];
    let infinite = data.cross_validate_single(5, &kernel, |predicted, truth| predicted.r2(truth))?[0];
    println!("network of infinite width R² = {infinite:.4}");
    assert!(scores[2] > 0.97 && scores[2] > scores[0], "{scores}");
    assert!((scores[2] - infinite).abs() < 0.02);
    Ok(())
}

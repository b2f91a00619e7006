//! Bad input, one per test: the error names the value, the place and the remedy, and the network keeps finite weights.

#[cfg(feature = "csv")]
mod csv;
mod dataset;
mod initializer;
mod kernel;
mod kernel_training;
mod methods;
mod network;
mod overflow;
mod scaling;
mod schedules;
mod settings;
mod step_sizes;

use crate::support::problems::{data, net};
use crate::support::refused;
use expnet::{Dataset, ExpNetwork, Float, Trainer};
use nalgebra::{DMatrix, DVector};

/// Three points in two dimensions, four neurons.
fn problem<T: Float>() -> (Dataset<T>, ExpNetwork<T>) {
    (data(3, 2, 1), net(2, 4, 1))
}

/// Two points in two dimensions.
fn two<T: Float>() -> Dataset<T> {
    let points = DMatrix::from_column_slice(2, 2, &[1.0, 2.0, 3.0, 5.0].map(T::lit));
    Dataset::new(points, DVector::from_column_slice(&[1.0, 2.0].map(T::lit))).unwrap()
}

/// The trainer refuses, and the network is as it was.
#[track_caller]
fn fit_refused(trainer: Trainer<'_, f64>, words: &[&str]) {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    refused(trainer.fit(&mut net, &data), words);
    assert_eq!(net, start);
}

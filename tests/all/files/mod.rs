//! Files: networks, regressors, matrices, settings and logs.

mod damaged;
mod fuzz;
mod kernel_regressor;
mod logs;
mod network;
#[cfg(feature = "npy")]
mod npy;
mod python;
mod regressor;
mod serde;

use crate::support::safetensors;
use expnet::{Dataset, Error, ExpNetwork, ExpRegressor, Float, ScalingOptions};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Numbers at every edge of the type.
fn awkward<T: Float>() -> ExpNetwork<T> {
    let (tiny, huge) = if T::NAME == "f32" {
        (f64::from(f32::from_bits(1)), f64::from(f32::MAX))
    } else {
        (5e-324, f64::MAX)
    };
    let weights = dmatrix![0.1, -0.0, tiny, 1.0 / 3.0; -huge, 7.0, 1e-30, -2.5; 0.0, huge, -tiny, 1e30];
    ExpNetwork::from_parts(weights.map(T::lit), dvector![1.0, -1.0, 0.1, -tiny].map(T::lit)).unwrap()
}

fn bits<T: Float>(net: &ExpNetwork<T>) -> Vec<u64> {
    net.weights()
        .iter()
        .chain(net.output_weights())
        .map(|x| x.as_f64().to_bits())
        .collect()
}

/// The header of a file, and the numbers behind it.
fn parts(path: &Path) -> (Value, Vec<u8>) {
    safetensors::parts(&fs::read(path).unwrap())
}

/// The same of a file without checksums, as another program may write it.
fn unchecked(path: &Path) -> (Value, Vec<u8>) {
    let (header, numbers) = parts(path);
    (safetensors::without_checksums(header), numbers)
}

fn put(path: &Path, header: &Value, numbers: &[u8]) {
    fs::write(path, safetensors::whole(header, numbers)).unwrap();
}

/// What loading says of a file, which must name the file.
fn problem<T: Float>(path: &Path) -> String {
    match ExpNetwork::<T>::load(path) {
        Err(Error::Format { file, problem }) => {
            assert_eq!(file, path.display().to_string());
            problem
        }
        other => panic!("{other:?}"),
    }
}

/// A model of 60 points with names that are awkward too, or none.
fn fitted<T: Float>(scaling: ScalingOptions, names: bool) -> (ExpRegressor<T>, Dataset<T>) {
    let points = DMatrix::from_fn(3, 60, |k, i| {
        T::lit(50.0 + (1 + k) as f64 * ((1 + i) as f64 * (0.7 + k as f64)).sin())
    });
    let labels = DVector::from_fn(60, |i, _| {
        T::lit(0.1 + 0.003 * points[(0, i)].as_f64() * (i as f64).cos())
    });
    let mut data = Dataset::new(points, labels).unwrap();
    if names {
        data = data
            .with_names(["a \"quoted\" name", "Säure", ""].map(String::from).to_vec())
            .unwrap();
    }
    let options = ExpRegressor::options()
        .width(64)
        .std_dev(0.02)
        .max_steps(30)
        .scaling(scaling);
    (options.fit(&data).unwrap(), data)
}

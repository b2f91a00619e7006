//! The regressors of [`expnet`] for [`linfa`]: [`ExpRegressor`], an exponential network, and [`KernelRegressor`], the same at
//! infinite width, with standard deviations. Both scale the data and choose their settings by themselves.
//!
//! ```
//! use expnet_linfa::KernelRegressor;
//! use linfa::prelude::*;
//! use ndarray::Array;
//!
//! let records = Array::from_shape_fn((60, 1), |(i, _)| i as f64 / 10.0);
//! let targets = records.column(0).mapv(f64::sin);
//! let (train, valid) = Dataset::new(records, targets).split_with_ratio(0.8);
//!
//! let model = KernelRegressor::params().fit(&train)?;
//! assert!(model.predict(&train).r2(&train)? > 0.999);
//! let (mean, std_dev) = model.predict_with_std(valid.records())?;
//! assert!(std_dev[11] > std_dev[0]); // farther from all data it is less certain
//! # assert_eq!(mean.len(), 12);
//! # Ok::<(), expnet_linfa::Error>(())
//! ```
//!
//! | linfa | here |
//! |---|---|
//! | `Params` | [`ExpParams`], [`KernelParams`]: setters, checked by [`ParamGuard`](linfa::ParamGuard) |
//! | `Fit` | for records of any storage and single targets, `f32` or `f64`, with the weights of the dataset |
//! | `Predict` | arrays, views and datasets |
//! | what linfa has no name for | [`ExpRegressor::inner`], [`KernelRegressor::predict_with_std`], files: `inner().save(path)` |

/// The README's example is tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod data;
mod error;
mod models;
mod params;

pub use error::Error;
pub use models::{ExpRegressor, KernelRegressor};
pub use params::{ExpParams, ExpValidParams, KernelParams, KernelValidParams};

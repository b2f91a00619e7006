//! Trains the over-parameterised exponential network
//!
//! ```text
//! F(W, x) = sum_r a_r exp(<w_r, x>)
//! ```
//!
//! by moving W only, with any step-size schedule. The model, and the proof that gradient descent fits it when it is
//! wide enough, are from Gao, Mahadevan, Song, *An Over-parameterized Exponential Regression*,
//! [arXiv 2303.16504](https://arxiv.org/abs/2303.16504).
//!
//! ```
//! use expnet::{Dataset, Initializer, Trainer};
//!
//! let rows = [[0.0, 1.0], [0.6, 0.8], [1.0, 0.0]];
//! let data = Dataset::from_rows(&rows, &[0.5, -0.2, 0.1])?;
//! let mut net = Initializer::new(2, 1024).antisymmetric(true).seed(1).build::<f64>()?;
//! let report = Trainer::default().tolerance(1e-3).fit(&mut net, &data)?;
//! println!("{report}");
//! assert!(report.residual_norm() <= 1e-3);
//!
//! // A step size of one's own: a number, a closure or a struct.
//! let halving = |state: &mut expnet::schedule::StepState<'_, f64>| 1e-4 / (1.0 + state.iteration() as f64);
//! Trainer::new(halving).max_steps(10).fit(&mut net, &data)?;
//! # Ok::<(), expnet::Error>(())
//! ```
//!
//! # Map
//!
//! | what | where |
//! |---|---|
//! | data, from rows, matrices, CSV | [`Dataset`] |
//! | scaling of data | [`Scaling`] |
//! | the start | [`Initializer`] |
//! | the network: forward, loss, gradient, step | [`ExpNetwork`] |
//! | the loop | [`Trainer`], [`Session`], [`FitReport`] |
//! | how far to step | [`schedule`] |
//! | which way to step | [`method`] |
//! | watching a run | [`observer`] |
//! | all in one: fit, predict, score | [`ExpRegressor`] |
//! | checkers for your own data | [`check`] |
//!
//! # Symbols
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | n, d, m | `samples`, `dimension`, `width` | |
//! | X | `points` | d x n, a point a column |
//! | y | `labels` | n |
//! | W | `weights` | d x m, a neuron a column |
//! | a | `output_weights` | m, never trained |
//! | F(W, X) | `forward` | n |
//! | e = F - y | `residual` | n |
//! | L = 1/2 ||e||^2 | `loss` | |
//! | eps | `tolerance`, on ||e||_2 | |
//! | eta | `step_size` | |
//! | G = J J^T | `tangent_gram`, `largest_kernel_eigenvalue` | n x n |
//! | sigma | `std_dev` of the initial weights | |
//!
//! # Bits
//!
//! A run gives the same bits on any number of threads, with activations stored or recomputed, with or without observers.
//! Another SIMD level rounds differently; `EXPNET_SIMD=avx2` (or `sse4.2`, `sse2`) makes a machine use a lower level than its best.

pub mod check;
mod dataset;
mod engine;
mod error;
mod float;
mod init;
pub mod method;
mod network;
pub mod observer;
mod regressor;
mod report;
mod scaling;
pub mod schedule;
mod step;
mod trainer;

pub use dataset::Dataset;
pub use engine::Memory;
#[doc(hidden)]
pub use engine::roofline;
pub use error::Error;
pub use float::Float;
pub use init::Initializer;
pub use network::ExpNetwork;
pub use regressor::{ExpRegressor, RegressorOptions};
pub use report::{FitReport, Termination};
pub use scaling::{Scaling, ScalingOptions};
pub use trainer::{Session, Trainer};

/// The README's examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

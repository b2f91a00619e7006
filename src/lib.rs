//! Train the over-parameterised exponential network
//!
//! ```text
//! F(W, x) = sum_r a_r exp(<w_r, x>),   L(W) = 1/2 ||F(W, X) - y||^2
//! ```
//!
//! by moving W alone, with any step-size schedule, in `f32` or `f64`. The model is that of Gao, Mahadevan, Song,
//! *An Over-parameterized Exponential Regression* ([arXiv:2303.16504](https://arxiv.org/abs/2303.16504)).
//!
//! ```
//! use expnet::{Dataset, Initializer, Scaling, Trainer};
//! use nalgebra::DMatrix;
//!
//! let points = DMatrix::from_fn(2, 40, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
//! let labels: Vec<f64> = points.column_iter().map(|x| x[0] * x[0] + x[1].sin()).collect();
//! let (train, test) = Dataset::new(points, labels.into())?.split(0.75, 1)?;
//!
//! let scaling = Scaling::fit(&train)?;
//! let scaled = scaling.apply(&train)?;
//! let mut net = Initializer::new(scaled.dimension(), 256).antisymmetric(true).seed(7).build()?;
//! let report = Trainer::default().max_steps(300).tolerance(1e-3).fit(&mut net, &scaled)?;
//! println!("{report}");
//! let predicted = scaling.predict(&net, test.points())?; // in the units of the labels
//! assert_eq!(predicted.len(), test.samples());
//! # Ok::<(), expnet::Error>(())
//! ```
//!
//! Those who want an answer and not a study take [`ExpRegressor`], which does all of this in one call.
//!
//! # Two questions a step
//!
//! Every method moves the weights along the rows of the Jacobian, `W <- W - eta J(W)^T v`. So a step answers two
//! questions, each with one trait: which way, the dual vector v ([`method::Method`]), and how far, the step size eta
//! ([`schedule::Schedule`]). Any pair composes, and one loop ([`Trainer`], or [`Session`] by hand) owns stopping, time,
//! observers and the check for numbers that are not finite.
//!
//! # Map
//!
//! | module or type | what for |
//! |---|---|
//! | [`Dataset`], [`Scaling`] | points and labels from rows, matrices or CSV; put to a scale that suits the network |
//! | [`Initializer`], [`ExpNetwork`] | random starts; forward, residual, loss, gradient, a single step |
//! | [`Trainer`], [`Session`], [`FitReport`], [`Termination`] | the loop, whole or by hand, and what came of it |
//! | [`schedule`] | how far to step: the trait, its schedules, and how to write one |
//! | [`method`] | which way to step: the trait, its methods, and how to write one |
//! | [`observer`] | watching a run: history, progress bar, closures |
//! | [`ExpRegressor`] | all of it in one: fit, predict, score |
//! | [`kernel`] | tangent kernels, of a network and of infinite width, their spectra, and regression with them |
//! | [`certificate`] | when convergence is proved, and how wide is wide enough |
//! | [`communicator`] | one network on many threads or machines |
//! | [`check`] | checkers for a network and data of your own |
//! | [`Record`] | the state of a schedule or method, saved and restored bit for bit |
//! | [`Float`], [`Error`], [`Memory`] | the scalar types; the one error type; whether activations are stored |
//!
//! # Symbols
//!
//! | symbol | code | shape |
//! |---|---|---|
//! | n, d, m | `samples`, `dimension`, `width` | |
//! | X | [`points`](Dataset::points) | d x n, one point per column |
//! | y | [`labels`](Dataset::labels) | n |
//! | W | [`weights`](ExpNetwork::weights) | d x m, one neuron per column |
//! | a | [`output_weights`](ExpNetwork::output_weights) | m, fixed; +1 or -1 unless given |
//! | F(W, X) | [`forward`](ExpNetwork::forward) | n |
//! | e = F - y | [`residual`](ExpNetwork::residual) | n |
//! | L | [`loss`](ExpNetwork::loss) | 1 |
//! | grad L | [`gradient`](ExpNetwork::gradient) | d x m |
//! | eps, on the 2-norm of e | [`tolerance`](Trainer::tolerance) | 1 |
//! | exp(<w_r, x_i>) | activations | n x m |
//! | eta | [`step_size`](schedule::Schedule::step_size) | 1 |
//! | v | [`dual`](method::Direction::dual) | n |
//! | G = J J^T | tangent Gram matrix, [`tangent_gram`](method::Evaluation::tangent_gram) | n x n |
//! | H = G / m | empirical kernel | n x n |
//! | sigma | [`std_dev`](Initializer::std_dev) of the initial weights | 1 |
//!
//! All matrices are nalgebra's, column-major.
//!
//! # Bits
//!
//! A run gives the same bits on any number of threads, with activations stored or recomputed, with or without observers
//! and checkpoints, and stopped and resumed at any step ([`Trainer::checkpoint`], [`Trainer::resume`]): for every schedule and
//! method here, and for those of your own that [`check::resume`] passes. Another SIMD level rounds differently;
//! `EXPNET_SIMD=avx2` (or `sse4.2`, `sse2`) makes a machine use a lower level than its best.
//!
//! # Features
//!
//! `csv` (`Dataset::from_csv`, `History::to_csv`) and `progress` (`observer::ProgressBar`), both on by default; `npy`
//! (NumPy's files), `serde` (settings and reports); `mpi` (`mpi::World`), for runs on many machines, which needs MPI where it is
//! built; `faer` makes the n x n factors of [`method::GaussNewton`] 5 to 15 times faster from n = 1000 on, and rounds them
//! differently. No other feature changes a result.

pub mod certificate;
pub mod check;
mod checkpoint;
mod checksum;
pub mod communicator;
mod dataset;
mod engine;
mod error;
mod exact;
mod float;
mod init;
#[cfg(debug_assertions)]
mod instances;
pub mod kernel;
mod linalg;
mod memory;
pub mod method;
#[cfg(feature = "mpi")]
#[cfg_attr(docsrs, doc(cfg(feature = "mpi")))]
pub mod mpi;
mod network;
#[cfg(feature = "npy")]
#[cfg_attr(docsrs, doc(cfg(feature = "npy")))]
pub mod npy;
mod numbers;
pub mod observer;
mod record;
mod regressor;
mod report;
mod scaling;
pub mod schedule;
mod setting;
mod step;
mod storage;
mod trainer;

pub use dataset::Dataset;
pub use engine::Memory;
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub use engine::roofline;
pub use error::Error;
pub use float::Float;
pub use init::Initializer;
#[cfg(debug_assertions)]
pub use instances::instances;
pub use nalgebra;
pub use network::ExpNetwork;
pub use record::{Record, Stored};
pub use regressor::{ExpRegressor, RegressorOptions};
pub use report::{FitReport, Termination};
pub use scaling::{Scaling, ScalingOptions};
pub use trainer::{Session, Trainer};

/// The README's examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

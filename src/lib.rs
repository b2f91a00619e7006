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
//! If you just want predictions, [`ExpRegressor`] does all of this in one call.
//!
//! # Two questions per step
//!
//! Methods move the weights along the rows of the Jacobian, `W <- W - eta J(W)^T v`, or along any direction in weight space. A
//! step answers two questions, each with one trait: which way, the dual vector v or the direction ([`method::Method`]), and
//! how far, the step size eta ([`schedule::Schedule`]). Any pair composes, and one loop ([`Trainer`], or [`Session`] step by step) owns stopping, time,
//! observers and the check for non-finite numbers.
//!
//! # Map
//!
//! | module or type | purpose |
//! |---|---|
//! | [`Dataset`], [`Scaling`] | points and labels from rows, matrices or CSV; scaled to suit the network |
//! | `CsvOptions`, `CsvColumns` | data sets from CSV with text columns and missing values; points to predict at |
//! | [`Initializer`], [`ExpNetwork`] | random starts; forward, residual, loss, gradient, a single step |
//! | [`Trainer`], [`Session`], [`FitReport`], [`Termination`] | the training loop, whole or step by step, and its outcome |
//! | [`Objective`] | value, gradient and products with Jacobian and Hessian, for external optimisers |
//! | [`schedule`] | step sizes: the trait, the built-in schedules, how to write your own |
//! | [`method`] | directions: the trait, the built-in methods, how to write your own |
//! | [`observer`] | watching a run: history, logs, progress bar, closures |
//! | [`ExpRegressor`], [`KernelRegressor`] | scaling, choice of settings and fit in one, for a network of finite or infinite width: fit, predict, score |
//! | [`metrics`] | R², RMSE and MAE of predictions |
//! | [`kernel`] | tangent kernels of finite and infinite width, their spectra, regression with them, and linearised networks |
//! | [`certificate`] | proofs of convergence, and widths that suffice for one |
//! | [`communicator`] | one network spread over many threads or machines |
//! | [`check`] | checkers for your own data, schedules and methods |
//! | [`Record`] | the state of a schedule or method, saved and restored bit for bit |
//! | [`Float`], [`Error`] | the scalar types; the error type |
//! | [`Memory`], [`Pass`] | whether activations are stored; how passes are computed |
//! | [`nalgebra`] | re-exported, so that the versions of its types match |
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
//! | s | sample [`weights`](Dataset::weights), if any: e_i stands for sqrt(s_i) (F(x_i) - y_i) in all below | n |
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
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | sample, point, label | (x_i, y_i), x_i, y_i |
//! | neuron | a column w_r of W with its output weight a_r |
//! | start | the initial weights; antisymmetric: neurons in pairs with opposite a_r, so that F = 0 |
//! | residual | e = F(W, X) - y |
//! | pass | one evaluation over all neurons (forward, backward or both at once): the unit of cost |
//! | direction | what a method chooses: the dual vector v or d m numbers in weight space, momentum, a pull towards the start |
//! | dual vector | v, one number per sample: W moves along -J^T v |
//! | trial step | a step that a schedule evaluates in search of a step size |
//! | proposal | a step that was evaluated, and that the method keeps or undoes |
//! | movement | the distance of the weights from the start |
//! | tangent kernel | inner products of the rows of J: G as it is, H per neuron, Hcts in the limit of infinite width |
//! | cross-kernel | a kernel between the training points and others, n x k |
//! | conjugate kernel | C, the covariance of F at a start with independent random signs at output scale 1/sqrt(m) |
//! | validation data | samples that are not trained on, whose loss decides about early stopping |
//! | certificate | a proof that gradient descent converges from a given start |
//! | checkpoint | the complete state of a run in a file, from which it is resumed |
//! | rank, share | a process or thread of a distributed run, and its neurons |
//!
//! # Reproducible bits
//!
//! A run gives the same bits on any number of threads, with activations stored or recomputed, with or without observers
//! and checkpoints, and if it is stopped and resumed at any step ([`Trainer::checkpoint`], [`Trainer::resume`]). This holds for
//! every schedule and method of the crate, and for your own if they pass [`check::resume`]. Another SIMD level rounds differently;
//! `EXPNET_SIMD=avx2` (or `sse4.2`, `sse2`) selects a level below the best of the machine.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `csv` | yes | `Dataset::from_csv`, `CsvOptions`, `History::to_csv` |
//! | `faer` | yes | n x n factorisations and eigendecompositions by faer, 4 to 10 times faster at n = 2000 than nalgebra's, which serve without it and round differently |
//! | `progress` | yes | `observer::ProgressBar` |
//! | `ndarray`, `ndarray_0_16` | no | conversions to and from ndarray 0.17 and 0.16 |
//! | `npy` | no | matrices in NumPy's format |
//! | `mpi` | no | `mpi::World`, for runs on many machines; needs MPI and libclang at build time |
//!
//! No other feature changes a result.

#[cfg(any(feature = "ndarray", feature = "ndarray_0_16"))]
mod arrays;
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
pub mod metrics;
#[cfg(feature = "mpi")]
#[cfg_attr(docsrs, doc(cfg(feature = "mpi")))]
pub mod mpi;
mod network;
#[cfg(feature = "npy")]
#[cfg_attr(docsrs, doc(cfg(feature = "npy")))]
pub mod npy;
mod numbers;
mod objective;
pub mod observer;
mod record;
mod regressor;
mod report;
mod scaling;
pub mod schedule;
mod selection;
mod setting;
mod step;
mod storage;
mod trainer;

#[cfg(feature = "ndarray")]
pub use arrays::ndarray;
#[cfg(feature = "ndarray_0_16")]
pub use arrays::ndarray_0_16;
#[cfg(feature = "csv")]
#[cfg_attr(docsrs, doc(cfg(feature = "csv")))]
pub use dataset::{CsvColumns, CsvOptions, Missing, UnknownCategory};
pub use dataset::{Dataset, RawPoints};
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub use engine::roofline;
pub use engine::{Memory, Pass};
pub use error::Error;
pub use float::Float;
pub use init::Initializer;
#[cfg(debug_assertions)]
pub use instances::instances;
pub use nalgebra;
pub use network::ExpNetwork;
pub use objective::Objective;
pub use record::{Record, Stored};
pub use regressor::{ExpRegressor, KernelOptions, KernelRegressor, RegressorOptions, RegressorRun, Training};
pub use report::{FitReport, Termination};
pub use scaling::{Model, Scaling, ScalingOptions};
pub use selection::{Candidate, Selection};
pub use trainer::{Session, Trainer};

/// The README's examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! Tangent kernels: of a given network, and in the limit of infinite width.
//!
//! Near its start a wide network trains like a linear model, which is described by one n x n matrix:
//!
//! ```text
//! H_ij    = (1/m) sum_r a_r^2 exp(<w_r, x_i>) exp(<w_r, x_j>) <x_i, x_j>     empirical_kernel: H = G / m, G = J J^T
//! Hcts_ij = <x_i, x_j> exp(sigma^2 ||x_i + x_j||^2 / 2)                      limit_kernel: E H for w_r ~ N(0, sigma^2 I)
//! ```
//!
//! Its [`Spectrum`] gives the rate at which each component of the residual falls. [`Predictor`] computes what the
//! infinitely wide network predicts, by ridge regression, gradient flow or gradient descent. Everything here is computed
//! in `f64`, whatever the scalar type of the points and the network, because these matrices are usually ill-conditioned.
//!
//! | what | of a network | at infinite width |
//! |---|---|---|
//! | tangent kernel, n x n | [`empirical_kernel`] | [`limit_kernel`] |
//! | between two lists of points, n x k | [`empirical_cross_kernel`] | [`limit_cross_kernel`] |
//! | conjugate kernel: covariance of F at the start | | [`conjugate_kernel`], [`conjugate_cross_kernel`] |
//! | training | [`LinearizedNetwork`], with its weights | [`Predictor`]: [`GradientFlow`], [`GradientSteps`] |
//! | regression with noisy labels | [`Predictor::from_kernel`] | [`Predictor::ridge`], [`Posterior`] |
//! | scatter of trained networks | | [`GradientFlow::ensemble_covariance`] |
//!
//! # Which starts approach the limit
//!
//! The limit f_t starts at 0. A network of width m that starts at F_0 ends, at each time, near
//! f_t(x) + F_0(x) - K* K^-1 (I - exp(-t K)) F_0(X), so what matters is F_0:
//!
//! | start | F_0 | distance from f_t, away from the training points |
//! |---|---|---|
//! | antisymmetric, output scale 1 or 1/sqrt(m) | 0 | falls like 1/sqrt(m) |
//! | random signs, output scale 1/sqrt(m) | Gaussian, of order 1 | of order 1: [`GradientFlow::ensemble_covariance`] |
//! | the same, with [`Predictor::initial_outputs`] | accounted for | falls like 1/sqrt(m) |
//! | random signs, output scale 1 (the default of [`Initializer`](crate::Initializer)) | grows like sqrt(m) | grows like sqrt(m) |
//!
//! So with random signs at output scale 1 the network does not approach the limit, however wide it is: F_0 does not
//! vanish. Use [`Initializer::antisymmetric`](crate::Initializer::antisymmetric), or
//! [`output_scale`](crate::Initializer::output_scale) 1/sqrt(m) and account for F_0. From its own linearisation
//! ([`LinearizedNetwork`]), which starts at the same F_0, a network of output scale 1/sqrt(m) is 1/m away.
//!
//! Sources: Jacot, Gabriel, Hongler, *Neural Tangent Kernel: Convergence and Generalization in Neural Networks* (2018);
//! Lee et al., *Wide neural networks of any depth evolve as linear models under gradient descent* (2019); Rasmussen and
//! Williams, *Gaussian Processes for Machine Learning* (2006).
//!
//! ```
//! use expnet::{Initializer, kernel};
//! use nalgebra::dmatrix;
//!
//! // Two unit vectors at 60 degrees, one point per column.
//! let points = dmatrix![1.0, 0.5; 0.0, 0.75_f64.sqrt()];
//! let limit = kernel::limit_kernel(&points, 1.0)?;
//! let spectrum = kernel::Spectrum::new(&limit)?;
//! assert!((spectrum.lambda_min() - 5.148211563761618).abs() < 1e-14);
//!
//! let net = Initializer::new(2, 50_000).seed(1).build::<f32>()?;
//! let empirical = kernel::empirical_kernel(&net, &points.cast::<f32>())?;
//! assert!((&empirical - &limit).norm() < 0.1 * limit.norm());
//! # Ok::<(), expnet::Error>(())
//! ```

mod conjugate;
mod cross;
mod degenerate;
mod ensemble;
mod file;
mod fit;
mod flow;
mod leave_one_out;
mod limit;
mod linearized;
mod low_rank;
mod modes;
mod monomials;
mod pairs;
mod posterior;
mod preconditioner;
mod predictor;
mod roots;
mod saved;
mod solver;
mod spectrum;
mod steps;
mod training_kernel;
mod weighted_kernel;

pub use conjugate::{conjugate_cross_kernel, conjugate_kernel};
pub use cross::{empirical_cross_kernel, limit_cross_kernel};
pub(crate) use degenerate::copies;
pub use degenerate::{Degeneracy, degenerate_points};
pub use fit::Fit;
pub use flow::GradientFlow;
pub(crate) use leave_one_out::{HeldOut, LeaveOneOut, Validation};
pub use linearized::LinearizedNetwork;
pub(crate) use low_rank::LowRank;
pub(crate) use monomials::MonomialFit;
pub use posterior::Posterior;
pub(crate) use predictor::MAX_DIRECT;
pub use predictor::Predictor;
pub(crate) use roots::Roots;
pub(crate) use saved::TENSORS;
pub use solver::{ConjugateGradient, Solver};
pub use spectrum::Spectrum;
pub use steps::GradientSteps;

use self::pairs::ClosedForm;
use crate::dataset::check_points;
use crate::engine::{Engine, Memory};
use crate::error::Error;
use crate::float::Float;
use crate::memory;
use crate::network::ExpNetwork;
use crate::setting::not_negative;
use nalgebra::DMatrix;

/// The tangent kernel H in the limit of infinite width: Hcts, n x n, exactly symmetric.
///
/// ```text
/// Hcts_ij = <x_i, x_j> exp(sigma^2 ||x_i + x_j||^2 / 2),   the mean of H_ij over w_r ~ N(0, sigma^2 I), a_r = +-1
/// ```
///
/// `points` has one point per column (d x n), and `std_dev` is sigma as in [`Initializer`](crate::Initializer), whose
/// `output_scale` s multiplies the kernel by s^2. For sigma > 0 the kernel is positive definite if and only if no point
/// is zero and no two points are equal ([`degenerate_points`]); parallel and opposite points are fine. For sigma = 0 it
/// is X^T X.
///
/// Errors: no points; a point that is not finite; a `std_dev` that is negative or not finite; an entry outside the
/// range of `f64` ([`Error::KernelOverflow`] names the pair); an n x n matrix that does not fit in memory.
///
/// Costs n^2 d flops and n^2 / 2 exponentials, on all threads.
///
/// ```
/// use expnet::kernel;
/// use nalgebra::dmatrix;
///
/// let opposite = kernel::limit_kernel(&dmatrix![1.0, -1.0], 1.0)?;
/// assert_eq!(opposite, dmatrix![2.0_f64.exp(), -1.0; -1.0, 2.0_f64.exp()]);
///
/// let error = kernel::limit_kernel(&dmatrix![0.1, 30.0], 1.0).unwrap_err();
/// assert!(error.to_string().contains("points 1 and 1"));
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn limit_kernel<T: Float>(points: &DMatrix<T>, std_dev: f64) -> Result<DMatrix<f64>, Error> {
    check_points(points, None)?;
    not_negative("`std_dev` of `limit_kernel`", std_dev)?;
    let mut kernel = pairs::lower_triangle(ClosedForm::Tangent, &points.map(Float::as_f64), std_dev)?;
    kernel.fill_upper_triangle_with_lower_triangle();
    Ok(kernel)
}

/// The tangent kernel of a network: H = J J^T / m, n x n, exactly symmetric.
///
/// ```text
/// H_ij = (1/m) sum_r a_r^2 exp(<w_r, x_i>) exp(<w_r, x_j>) <x_i, x_j>
/// ```
///
/// `points` has one point per column (d x n). The numbers of an `f32` network are used as they are, but all arithmetic
/// is in `f64`. The rank is at most min(n, d m).
///
/// Errors: points whose dimension is not the network's; no points; a point that is not finite; an entry outside the
/// range of `f64` ([`Error::KernelOverflow`] names the pair); an n x n matrix that does not fit in memory.
///
/// Costs n^2 m + 2 n d m flops and n m exponentials. Memory in addition to the result does not grow with m.
///
/// ```
/// use expnet::{ExpNetwork, kernel};
/// use nalgebra::{dmatrix, dvector};
///
/// let net = ExpNetwork::from_parts(dmatrix![0.0, 1.0], dvector![1.0, -1.0])?;
/// let h = kernel::empirical_kernel(&net, &dmatrix![1.0, 2.0])?;
/// let e = std::f64::consts::E;
/// assert!((h[(0, 1)] - 2.0 * (1.0 + e.powi(3)) / 2.0).abs() < 1e-13);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn empirical_kernel<T: Float>(net: &ExpNetwork<T>, points: &DMatrix<T>) -> Result<DMatrix<f64>, Error> {
    net.check_dimension(points)?;
    check_points(points, None)?;
    let points = points.map(Float::as_f64);
    let (n, d, m) = (points.ncols(), net.dimension(), net.width());
    let mut kernel = memory::square("the empirical kernel", n)?;
    let block = neurons_per_block(n, d);
    for first in (0..m).step_by(block) {
        let count = block.min(m - first);
        let weights = net.weights().columns(first, count).map(Float::as_f64);
        let output_weights = net.output_weights().rows(first, count).map(Float::as_f64);
        let mut engine = Engine::direct(&weights, &output_weights, &points, Memory::Recompute)?;
        kernel += engine.tangent_gram()? / m as f64;
    }
    check_entries("the empirical kernel", &kernel)?;
    Ok(kernel)
}

/// Returns an error unless all entries of a cross-kernel are finite.
fn check_cross_entries(what: &'static str, kernel: &DMatrix<f64>) -> Result<(), Error> {
    match kernel.iter().position(|entry| !entry.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::KernelOverflow {
            what,
            place: format!("point {} and other point {}", at % kernel.nrows(), at / kernel.nrows()),
            value: kernel[at],
        }),
    }
}

/// Neurons converted to f64 and packed at a time: about 64 MiB. Depends only on the shape, so that the bits do too.
fn neurons_per_block(samples: usize, dimension: usize) -> usize {
    const NUMBERS: usize = 1 << 23;
    const STEP: usize = 1024;
    (NUMBERS / (dimension + samples / 16) / STEP).max(1) * STEP
}

/// product exp(exponent), even if the exponential alone overflows.
fn times_exp(product: f64, exponent: f64) -> f64 {
    if product == 0.0 {
        return 0.0;
    }
    let value = product * exponent.exp();
    if value.is_finite() {
        return value;
    }
    let root = (exponent / 2.0).exp();
    product * root * root
}

/// Returns an error unless the lower triangle is finite.
fn check_entries(what: &'static str, kernel: &DMatrix<f64>) -> Result<(), Error> {
    for (j, column) in kernel.column_iter().enumerate() {
        if let Some(i) = (j..kernel.nrows()).find(|&i| !column[i].is_finite()) {
            return Err(Error::KernelOverflow {
                what,
                place: format!("points {j} and {i}"),
                value: column[i],
            });
        }
    }
    Ok(())
}

//! The conjugate kernel: the covariance of the outputs of a random network.

use super::cross::check_lists;
use super::pairs::{self, ClosedForm};
use crate::dataset::check_points;
use crate::error::Error;
use crate::float::Float;
use crate::setting::not_negative;
use nalgebra::DMatrix;

/// The conjugate kernel C, n x n, exactly symmetric: that of the activations, and of training the output weights alone.
///
/// ```text
/// C_ij = E exp(<w, x_i>) exp(<w, x_j>) = exp(sigma^2 ||x_i + x_j||^2 / 2),   w ~ N(0, sigma^2 I)
/// ```
///
/// Whether it is the covariance of F at the start depends on the output weights a_r, whose absolute value s is
/// [`Initializer::output_scale`](crate::Initializer::output_scale):
///
/// | start | mean of F(x_i) | covariance of F(x_i) and F(x_j) |
/// |---|---|---|
/// | independent random signs | 0 | s^2 m C_ij at any width, and thus C_ij for s = 1/sqrt(m) |
/// | antisymmetric | 0 | 0: F = 0 |
/// | all a_r = s | s m mu_i | s^2 m (C_ij - mu_i mu_j), mu_i = exp(sigma^2 \|\|x_i\|\|^2 / 2) |
///
/// With random signs and s = 1/sqrt(m), F tends to a Gaussian process with this covariance as m -> infinity (the NNGP
/// kernel of Lee et al., *Wide neural networks of any depth evolve as linear models under gradient descent*, 2019). Its
/// posterior is [`Predictor::from_kernel`](super::Predictor::from_kernel) with this kernel, which is what training the
/// output weights alone leads to. Hcts_ij = <x_i, x_j> C_ij.
///
/// `points` has one point per column (d x n), and `std_dev` is sigma. For sigma > 0 the kernel is positive definite if and
/// only if no two points are equal.
///
/// Errors: no points; a point that is not finite; a `std_dev` that is negative or not finite; an entry outside the range
/// of `f64` ([`Error::KernelOverflow`] names the pair); an n x n matrix that does not fit in memory.
///
/// Costs n^2 d flops and n^2 / 2 exponentials, on all threads.
///
/// ```
/// use expnet::kernel;
/// use nalgebra::dmatrix;
///
/// let opposite = kernel::conjugate_kernel(&dmatrix![1.0, -1.0], 1.0)?;
/// assert_eq!(opposite, dmatrix![2.0_f64.exp(), 1.0; 1.0, 2.0_f64.exp()]);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn conjugate_kernel<T: Float>(points: &DMatrix<T>, std_dev: f64) -> Result<DMatrix<f64>, Error> {
    check_points(points, None)?;
    not_negative("`std_dev` of `conjugate_kernel`", std_dev)?;
    let mut kernel = pairs::lower_triangle(ClosedForm::Conjugate, &points.map(Float::as_f64), std_dev)?;
    kernel.fill_upper_triangle_with_lower_triangle();
    Ok(kernel)
}

/// The conjugate kernel between two lists of points, n x k: C(x_i, x'_j) = exp(sigma^2 ||x_i + x'_j||^2 / 2).
///
/// `points` is d x n and `others` is d x k, one point per column. Row i belongs to `points`, and column j to `others`.
/// The kernel of a list with itself is [`conjugate_kernel`], bit for bit.
///
/// Errors: an empty list; a point that is not finite; lists of different dimensions; a `std_dev` that is negative or not
/// finite; an entry outside the range of `f64` ([`Error::KernelOverflow`] names the pair); an n x k matrix that does not
/// fit in memory.
///
/// Costs 4 n k d flops and n k exponentials, on all threads.
pub fn conjugate_cross_kernel<T: Float>(
    points: &DMatrix<T>,
    others: &DMatrix<T>,
    std_dev: f64,
) -> Result<DMatrix<f64>, Error> {
    check_lists(points, others)?;
    not_negative("`std_dev` of `conjugate_cross_kernel`", std_dev)?;
    let (points, others) = (points.map(Float::as_f64), others.map(Float::as_f64));
    pairs::rectangle(ClosedForm::Conjugate, &points, &others, std_dev)
}

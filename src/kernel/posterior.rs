//! The posterior of a Gaussian process whose prior covariance is the kernel.

use super::cross::check_cross;
use super::ensemble::symmetric;
use super::fit::{Fit, needs_the_limit};
use super::limit::Limit;
use super::spectrum::check_kernel;
use super::weighted_kernel::WeightedKernel;
use super::{limit_cross_kernel, limit_kernel};
use crate::error::Error;
use crate::float::Float;
use crate::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// Points whose standard deviations are computed at a time.
const BLOCK: usize = 256;

/// The Gaussian process with prior mean 0 and covariance K, given labels with independent noise of variance lambda.
/// Created by [`Predictor::posterior`](super::Predictor::posterior).
///
/// ```text
/// mean        K*^T (K + lambda I)^-1 y                 k numbers: the fit of ridge regression
/// covariance  K** - K*^T (K + lambda I)^-1 K*          k x k
/// ```
///
/// K is Hcts of the n training points, K* (n x k) that of the training points with k new ones, and K** that of the new
/// ones, or all three are yours ([`Predictor::from_kernel`](super::Predictor::from_kernel)). With
/// [sample weights](crate::Dataset::with_weights) s_i the noise of label i has variance lambda / s_i: lambda I becomes
/// lambda diag(1 / s_i), and samples of weight 0 are left out. From Rasmussen and Williams,
/// *Gaussian Processes for Machine Learning* (2006), equations 2.25 and 2.26. The covariance is that of the function; add
/// lambda to the diagonal for that of new labels (of weight 1).
///
/// Hcts as prior treats the tangent features as random. How trained networks scatter with their random start is another
/// question: see [`GradientFlow::ensemble_covariance`](super::GradientFlow::ensemble_covariance).
///
/// ```
/// use expnet::{Dataset, kernel::Predictor};
/// use nalgebra::dmatrix;
///
/// // K = exp(1/2) for the one point.
/// let data = Dataset::from_rows(&[[0.5_f64.sqrt()]], &[1.0])?;
/// let posterior = Predictor::new(&data, 1.0)?.posterior(0.3)?;
/// let (here, prior) = (posterior.std_dev(data.points())?[0], 0.5 * 1.0_f64.exp());
/// assert!((here.powi(2) - (prior - prior * prior / (prior + 0.3))).abs() < 1e-14);
/// assert!(posterior.std_dev(&dmatrix![-1.0])?[0] > here);
/// let mean = posterior.mean().predict(data.points())?[0];
/// assert!((mean - prior / (prior + 0.3)).abs() < 1e-14);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Posterior {
    pub(super) kernel: WeightedKernel,
    /// Of R K R + lambda I.
    pub(super) factor: Cholesky,
    pub(super) mean: Fit,
}

impl Posterior {
    pub(super) fn new(kernel: WeightedKernel, factor: Cholesky, mean: Fit) -> Self {
        Self { kernel, factor, mean }
    }

    /// The posterior mean, which is the fit of ridge regression with the same lambda.
    pub fn mean(&self) -> &Fit {
        &self.mean
    }

    /// The posterior covariance at the columns of `points` (d x k), k x k and exactly symmetric. Diagonal entries that
    /// rounding makes negative are replaced with 0; errors are about n epsilon times the largest entry of K**.
    ///
    /// Costs n^2 k + 2 n k^2 flops and n k + k^2 / 2 exponentials.
    ///
    /// Errors: no points; points of the wrong dimension or not finite; a kernel entry that overflows; a matrix that does
    /// not fit in memory; a kernel given by the caller ([`Error::Incompatible`]: use
    /// [`covariance_from`](Self::covariance_from)).
    pub fn covariance<T: Float>(&self, points: &DMatrix<T>) -> Result<DMatrix<f64>, Error> {
        let limit = self.limit("`Posterior::covariance`")?;
        let points = points.map(Float::as_f64);
        let cross = limit_cross_kernel(limit.points(), &points, limit.std_dev())?;
        Ok(self.reduce(limit_kernel(&points, limit.std_dev())?, cross))
    }

    /// The posterior standard deviation at each column of `points` (d x k): k numbers, the square roots of the diagonal of
    /// [`covariance`](Self::covariance), without a k x k matrix. Works in blocks of points.
    ///
    /// Costs n^2 k flops and n k exponentials. Errors: those of [`covariance`](Self::covariance).
    pub fn std_dev<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        let limit = self.limit("`Posterior::std_dev`")?;
        deviations(limit, points, |cross| {
            let half = self.half(cross);
            half.column_iter().map(|column| column.norm_squared()).collect()
        })
    }

    /// The posterior covariance at k new points, from the `cross` kernel (n x k) of the training points with them and the
    /// `prior` kernel (k x k) between them. Costs n^2 k + n k^2 flops.
    ///
    /// Errors: matrices of other shapes; entries that are not finite; a `prior` that is not exactly symmetric.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, kernel};
    /// use nalgebra::dmatrix;
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let net = Initializer::new(2, 64).antisymmetric(true).build()?;
    /// let h = kernel::empirical_kernel(&net, data.points())?;
    /// let posterior = kernel::Predictor::from_kernel(h, data.labels().clone())?.posterior(0.1)?;
    ///
    /// let new = dmatrix![0.0, 0.5; 1.0, 0.5];
    /// let cross = kernel::empirical_cross_kernel(&net, data.points(), &new)?;
    /// let covariance = posterior.covariance_from(&cross, &kernel::empirical_kernel(&net, &new)?)?;
    /// assert_eq!(covariance.shape(), (2, 2));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn covariance_from(&self, cross: &DMatrix<f64>, prior: &DMatrix<f64>) -> Result<DMatrix<f64>, Error> {
        check_cross(cross, self.kernel.samples())?;
        check_prior(prior, cross.ncols())?;
        Ok(self.reduce(prior.clone(), cross.clone()))
    }

    /// K** - K*^T R (R K R + lambda I)^-1 R K*.
    fn reduce(&self, prior: DMatrix<f64>, cross: DMatrix<f64>) -> DMatrix<f64> {
        let half = self.half(cross);
        symmetric(prior - half.tr_mul(&half))
    }

    /// L^-1 R K*, with R K R + lambda I = L L^T.
    fn half(&self, cross: DMatrix<f64>) -> DMatrix<f64> {
        self.factor.half_solve(self.kernel.roots.scale_rows(cross))
    }

    fn limit(&self, what: &'static str) -> Result<&Limit, Error> {
        let reason = "its values at new points are not known; give them to `Posterior::covariance_from`";
        self.kernel
            .training
            .limit()
            .map(AsRef::as_ref)
            .ok_or_else(|| needs_the_limit(what, reason))
    }
}

/// sqrt(k(x, x) - lost(x)) at each column x of `points`, for what data took from the variance. `lost` is given the kernel between
/// the points of `limit` and a block of the others.
pub(super) fn deviations<T: Float>(
    limit: &Limit,
    points: &DMatrix<T>,
    lost: impl Fn(DMatrix<f64>) -> Vec<f64>,
) -> Result<DVector<f64>, Error> {
    let points = points.map(Float::as_f64);
    let mut results = Limit::new(&points, limit.std_dev())?.diagonal();
    for (block, results) in results.as_mut_slice().chunks_mut(BLOCK).enumerate() {
        let block = points.columns(block * BLOCK, results.len()).into_owned();
        let cross = limit_cross_kernel(limit.points(), &block, limit.std_dev())?;
        for (result, lost) in results.iter_mut().zip(lost(cross)) {
            *result = (*result - lost).max(0.0).sqrt();
        }
    }
    Ok(results)
}

fn check_prior(prior: &DMatrix<f64>, points: usize) -> Result<(), Error> {
    for (what, found) in [
        ("the number of rows of the prior kernel", prior.nrows()),
        ("the number of columns of the prior kernel", prior.ncols()),
    ] {
        if found != points {
            return Err(Error::Shape {
                what: what.into(),
                expected: points,
                found,
                remedy: "give the kernel between the new points, with one row and one column per column of the cross-kernel",
            });
        }
    }
    check_kernel(prior)
}

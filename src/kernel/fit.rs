//! The result of regression with a kernel.

use super::cross::check_cross;
use super::limit::Limit;
use super::training_kernel::TrainingKernel;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// The function fitted by [`Predictor`](super::Predictor): f(x) = sum_i c_i K(x_i, x), with K = Hcts or the kernel given
/// to [`Predictor::from_kernel`](super::Predictor::from_kernel).
///
/// After [`Predictor::initial_outputs`](super::Predictor::initial_outputs), f is the change of the outputs during
/// training, to which F_0(x) is to be added.
#[derive(Clone, Debug)]
#[must_use]
pub struct Fit {
    /// The points and sigma of the limit kernel; `None` for a given kernel.
    pub(super) limit: Option<Arc<Limit>>,
    pub(super) coefficients: DVector<f64>,
    pub(super) iterations: usize,
}

impl Fit {
    pub(super) fn new(kernel: &TrainingKernel, coefficients: DVector<f64>, iterations: usize) -> Self {
        Self {
            limit: kernel.limit().cloned(),
            coefficients,
            iterations,
        }
    }

    /// f at each column of `points` (d x k): k numbers.
    ///
    /// Costs 2 n d k flops and n k exponentials, on all threads, in blocks of points.
    ///
    /// Errors: no points; points of the wrong dimension or not finite; a kernel entry or a result that overflows; a fit
    /// with a given kernel ([`Error::Incompatible`]: use [`predict_from`](Self::predict_from)).
    pub fn predict<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        match &self.limit {
            Some(limit) => limit.apply(points, &self.coefficients),
            None => Err(needs_the_limit(
                "`Fit::predict`",
                "its values at new points are not known; give the cross-kernel to `Fit::predict_from`",
            )),
        }
    }

    /// f at k new points, from the `cross` kernel (n x k) of the n training points with them: cross^T c.
    ///
    /// The cross-kernel is [`limit_cross_kernel`](super::limit_cross_kernel),
    /// [`empirical_cross_kernel`](super::empirical_cross_kernel) or
    /// [`conjugate_cross_kernel`](super::conjugate_cross_kernel), whichever goes with the kernel of the fit, or your own.
    /// Costs 2 n k flops.
    ///
    /// Errors: a matrix without n rows or without columns; an entry that is not finite; a result that overflows.
    ///
    /// ```
    /// use expnet::{Dataset, kernel};
    /// use nalgebra::dmatrix;
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let fit = kernel::Predictor::new(&data, 0.5)?.ridge(0.1)?;
    /// let new = dmatrix![0.0, 0.5; 1.0, 0.5];
    /// let cross = kernel::limit_cross_kernel(data.points(), &new, 0.5)?; // 2 x 2
    /// assert!((fit.predict_from(&cross)? - fit.predict(&new)?).amax() < 1e-14);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn predict_from(&self, cross: &DMatrix<f64>) -> Result<DVector<f64>, Error> {
        check_cross(cross, self.coefficients.len())?;
        let results = cross.tr_mul(&self.coefficients);
        match results.iter().position(|result| !result.is_finite()) {
            None => Ok(results),
            Some(j) => Err(Error::Overflow {
                place: format!("point {j}"),
                value: results[j],
                dtype: "f64",
            }),
        }
    }

    /// The dimension of the points, if they are known.
    pub(crate) fn dimension(&self) -> Option<usize> {
        self.limit.as_ref().map(|limit| limit.points().nrows())
    }

    /// The coefficients c, one per training point.
    pub fn coefficients(&self) -> &DVector<f64> {
        &self.coefficients
    }

    /// The number of conjugate gradient iterations; 0 for a direct solver.
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

/// The error for `what`, which needs more of a kernel than its values at the training points. `reason` says what to use.
pub(super) fn needs_the_limit(what: &'static str, reason: &'static str) -> Error {
    Error::Incompatible {
        what,
        with: "a kernel given to `Predictor::from_kernel`",
        reason,
    }
}

//! What regression with the limit kernel has fitted.

use super::degenerate_points;
use super::limit::Limit;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// What [`Predictor`](super::Predictor) fitted: f(x) = sum_i c_i Hcts(x_i, x).
#[derive(Clone, Debug)]
pub struct Fit {
    limit: Limit,
    coefficients: DVector<f64>,
    iterations: usize,
}

impl Fit {
    pub(super) fn new(limit: Limit, coefficients: DVector<f64>, iterations: usize) -> Self {
        Self {
            limit,
            coefficients,
            iterations,
        }
    }

    /// f at each column of `points` (d x k): k numbers.
    ///
    /// Costs 2 n d k flops and n k exponentials, in blocks of points on all threads.
    ///
    /// Errors: points of another dimension, points that are not finite, a kernel entry or a result that overflows.
    pub fn predict<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        self.limit.apply(points, &self.coefficients)
    }

    /// The coefficients c, one for each training point.
    pub fn coefficients(&self) -> &DVector<f64> {
        &self.coefficients
    }

    /// The iterations of conjugate gradients that it took, 0 for a direct solver.
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

/// The error for a matrix that is singular to working precision, with the points that make it so where there are some.
pub(super) fn singular(limit: &Limit, what: &'static str, condition: f64, remedy: String) -> Error {
    let degenerate = degenerate_points(limit.points());
    let cause = match degenerate.as_slice() {
        [] => "the points are close, or many, for this sigma".into(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more such points", rest.len()),
    };
    Error::Singular {
        what,
        condition,
        cause,
        remedy,
    }
}

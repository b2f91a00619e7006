//! The result of regression with the limit kernel.

use super::degenerate_points;
use super::limit::Limit;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// The function fitted by [`Predictor`](super::Predictor): f(x) = sum_i c_i Hcts(x_i, x).
#[derive(Clone, Debug)]
#[must_use]
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
    /// Costs 2 n d k flops and n k exponentials, on all threads, in blocks of points.
    ///
    /// Errors: no points; points of the wrong dimension or not finite; a kernel entry or a result that overflows.
    pub fn predict<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        self.limit.apply(points, &self.coefficients)
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

/// The error for a matrix that is singular to working precision, naming the points that make it so, if any.
pub(super) fn singular(limit: &Limit, what: &'static str, condition: f64, remedy: String) -> Error {
    let degenerate = degenerate_points(limit.points());
    let cause = match degenerate.as_slice() {
        [] => "the points are too close or too many for this sigma".into(),
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

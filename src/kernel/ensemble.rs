//! How networks that start from random signs scatter around the limit.

use super::fit::needs_the_limit;
use super::modes::Modes;
use super::{conjugate_cross_kernel, conjugate_kernel, limit_cross_kernel};
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// C** - B^T C* - C*^T B + B^T C B with B = R V diag(factors) V^T R K*: the covariance of F_0(x) - B(x)^T F_0(X).
pub(super) fn covariance<T: Float>(
    what: &'static str,
    modes: &Modes,
    points: &DMatrix<T>,
    at_zero: f64,
    factor: impl Fn(f64) -> f64,
) -> Result<DMatrix<f64>, Error> {
    let Some(limit) = modes.kernel().limit() else {
        let reason = "the covariance of the start is known for the limit kernel only; use `Predictor::new`";
        return Err(needs_the_limit(what, reason));
    };
    let points = points.map(Float::as_f64);
    let (training, std_dev) = (limit.points(), limit.std_dev());
    let moves = modes.product(&limit_cross_kernel(training, &points, std_dev)?, at_zero, factor);
    let between = conjugate_cross_kernel(training, &points, std_dev)?;
    let covariance = conjugate_kernel(&points, std_dev)? - moves.tr_mul(&between) - between.tr_mul(&moves)
        + moves.tr_mul(&(conjugate_kernel(training, std_dev)? * &moves));
    Ok(symmetric(covariance))
}

/// Makes a covariance matrix exactly symmetric, with no diagonal entry below 0.
pub(super) fn symmetric(mut covariance: DMatrix<f64>) -> DMatrix<f64> {
    for j in 0..covariance.ncols() {
        covariance[(j, j)] = covariance[(j, j)].max(0.0);
    }
    covariance.fill_upper_triangle_with_lower_triangle();
    covariance
}

//! Checks for finite numbers, and the loss.

use crate::error::Error;
use crate::float::Float;
use nalgebra::{Dim, Matrix, RawStorage};

/// The loss, 1/2 ||e||^2 in `f64`; infinite if it is out of range for T.
pub(crate) fn half_square<T: Float>(residual: impl Iterator<Item = f64>) -> f64 {
    let loss = residual.map(|e| e * e).sum::<f64>() / 2.0;
    if T::lit(loss).is_finite() { loss } else { f64::INFINITY }
}

/// The error of a network output, or a sum over outputs, that is out of range for T.
pub(crate) fn overflow<T: Float>(place: impl Into<String>, value: f64) -> Error {
    Error::Overflow {
        place: place.into(),
        value,
        dtype: T::NAME,
    }
}

/// Checks that all entries of a matrix are finite. `place` describes (row, column) in the error message.
pub(crate) fn check_finite<T: Float, R: Dim, C: Dim, S: RawStorage<T, R, C>>(
    what: &'static str,
    matrix: &Matrix<T, R, C, S>,
    remedy: &'static str,
    place: impl Fn(usize, usize) -> String,
) -> Result<(), Error> {
    match matrix.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::NotFinite {
            what,
            value: matrix[at].as_f64(),
            place: place(at % matrix.nrows(), at / matrix.nrows()),
            remedy,
        }),
    }
}

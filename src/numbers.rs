//! Checks for finite numbers, and the loss.

use crate::error::Error;
use crate::float::Float;
use nalgebra::{Dim, Matrix, RawStorage};

/// The loss, 1/2 ||e||^2 in `f64`; infinite if it is out of range for T.
pub(crate) fn half_square<T: Float>(residual: impl Iterator<Item = f64>) -> f64 {
    let loss = residual.map(|e| e * e).sum::<f64>() / 2.0;
    if T::lit(loss).is_finite() { loss } else { f64::INFINITY }
}

/// The largest absolute value; 0 if there are no numbers.
pub(crate) fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |largest, x| f64::max(largest, x.abs()))
}

/// The largest power of two that is at most `x`, by which division is exact. At least the smallest normal number.
pub(crate) fn power_of_two(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & f64::INFINITY.to_bits()).max(f64::MIN_POSITIVE)
}

/// The error of a network output, or a sum over outputs, that is out of range for T.
pub(crate) fn overflow<T: Float>(place: impl Into<String>, value: f64) -> Error {
    Error::Overflow {
        place: place.into(),
        value,
        dtype: T::NAME,
    }
}

/// <a, b> in `f64`, in eight interleaved sums. Inlined, because sweeps call it at their own SIMD level.
#[inline(always)]
pub(crate) fn dot<A: Float, B: Float>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0; 8];
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a.as_f64() * b.as_f64();
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(last_a).zip(last_b) {
        *sum += a.as_f64() * b.as_f64();
    }
    sums.iter().sum()
}

/// The index of the first number that is not finite.
pub(crate) fn first_not_finite<T: Float>(numbers: &[T]) -> Option<usize> {
    // A loop without an exit is done in SIMD.
    const BLOCK: usize = 256;
    let is_clean = |block: &[T]| block.iter().fold(true, |clean, x| clean & x.is_finite());
    let block = numbers.chunks(BLOCK).position(|block| !is_clean(block))?;
    let within = numbers[block * BLOCK..].iter().position(|x| !x.is_finite())?;
    Some(block * BLOCK + within)
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

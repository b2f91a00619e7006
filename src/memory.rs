//! Matrices of n x n numbers, taken so that a lack of memory is an error.

use crate::error::Error;
use nalgebra::DMatrix;

/// n x n zeros, or [`Error::OutOfMemory`]: `what` they are for.
pub(crate) fn square(what: &'static str, n: usize) -> Result<DMatrix<f64>, Error> {
    Ok(DMatrix::from_vec(n, n, zeros(what, n.saturating_mul(n))?))
}

/// A copy of a square matrix, or [`Error::OutOfMemory`].
pub(crate) fn copy(what: &'static str, matrix: &DMatrix<f64>) -> Result<DMatrix<f64>, Error> {
    let mut numbers = reserve(what, matrix.len())?;
    numbers.extend_from_slice(matrix.as_slice());
    Ok(DMatrix::from_vec(matrix.nrows(), matrix.ncols(), numbers))
}

fn zeros(what: &'static str, len: usize) -> Result<Vec<f64>, Error> {
    // `vec!` takes pages that the system has zeroed, but aborts where there are none: asked for first.
    drop(reserve(what, len)?);
    Ok(vec![0.0; len])
}

fn reserve(what: &'static str, numbers: usize) -> Result<Vec<f64>, Error> {
    let mut reserved = Vec::new();
    match reserved.try_reserve_exact(numbers) {
        Ok(()) => Ok(reserved),
        Err(_) => Err(Error::OutOfMemory {
            what,
            numbers,
            remedy: "use fewer samples, or a method without n x n matrices (`GaussNewton::matrix_free`, \
                     `kernel::Solver::ConjugateGradient`)",
        }),
    }
}

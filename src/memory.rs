//! Allocation of large matrices that returns an error if there is not enough memory.

use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// What to do where a number for each pair of a sample and another point does not fit.
pub(crate) const FEWER_POINTS: &str = "use fewer samples, or fewer points at a time";

/// What to do where n x n numbers do not fit.
pub(crate) const REMEDY: &str = "use fewer samples, or a method without n x n matrices (`GaussNewton::matrix_free`, \
                                 `kernel::Solver::ConjugateGradient` with a small `rank`)";

/// An n x n matrix of zeros, or [`Error::OutOfMemory`]. `what` names the matrix in the error message.
pub(crate) fn square(what: &'static str, n: usize) -> Result<DMatrix<f64>, Error> {
    matrix(what, REMEDY, (n, n))
}

/// A rows x columns matrix of zeros, or [`Error::OutOfMemory`] with this remedy.
pub(crate) fn matrix(
    what: &'static str,
    remedy: &'static str,
    (rows, columns): (usize, usize),
) -> Result<DMatrix<f64>, Error> {
    // `vec!` gets zeroed pages from the system for free but aborts if there are none, so try to reserve the memory
    // first.
    let numbers = rows.saturating_mul(columns);
    drop(reserve::<f64>(what, remedy, numbers)?);
    Ok(DMatrix::from_vec(rows, columns, vec![0.0; numbers]))
}

/// A rows x columns matrix of `entry(row, column)`, or [`Error::OutOfMemory`] with this remedy.
pub(crate) fn from_fn<T: Float>(
    what: &'static str,
    remedy: &'static str,
    (rows, columns): (usize, usize),
    entry: impl Fn(usize, usize) -> T,
) -> Result<DMatrix<T>, Error> {
    let mut numbers = reserve(what, remedy, rows.saturating_mul(columns))?;
    for column in 0..columns {
        numbers.extend((0..rows).map(|row| entry(row, column)));
    }
    Ok(DMatrix::from_vec(rows, columns, numbers))
}

/// A copy of an n x n matrix, or [`Error::OutOfMemory`].
pub(crate) fn copy(what: &'static str, matrix: &DMatrix<f64>) -> Result<DMatrix<f64>, Error> {
    let mut numbers = reserve(what, REMEDY, matrix.len())?;
    numbers.extend_from_slice(matrix.as_slice());
    Ok(DMatrix::from_vec(matrix.nrows(), matrix.ncols(), numbers))
}

/// Checks that `count` n x n matrices fit in memory at the same time: for work whose many temporaries are not taken one by one.
pub(crate) fn check(what: &'static str, count: usize, n: usize) -> Result<(), Error> {
    reserve::<f64>(what, REMEDY, count.saturating_mul(n).saturating_mul(n)).map(drop)
}

fn reserve<T>(what: &'static str, remedy: &'static str, numbers: usize) -> Result<Vec<T>, Error> {
    let mut reserved = Vec::new();
    match reserved.try_reserve_exact(numbers) {
        Ok(()) => Ok(reserved),
        Err(_) => Err(Error::OutOfMemory { what, numbers, remedy }),
    }
}

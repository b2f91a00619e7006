//! What is done with n x n matrices as a whole, by nalgebra. The tests compile it beside `by_faer`.

use super::{Threads, not_converged, tridiagonal};
use crate::error::Error;
use nalgebra::linalg::SymmetricTridiagonal;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Replaces the lower triangle with L; false if there is no factor.
#[expect(clippy::unnecessary_wraps, reason = "fallible with faer")]
pub fn factor(matrix: &mut DMatrix<f64>, _: Threads) -> Result<bool, Error> {
    match nalgebra::Cholesky::new(std::mem::take(matrix)) {
        Some(factor) => {
            *matrix = factor.unpack_dirty();
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Columns `first` to `first + count` of the inverse of a lower triangular matrix, without the zeros of rows 0 to `first`.
pub fn inverse_columns(lower: &DMatrix<f64>, first: usize, count: usize) -> DMatrix<f64> {
    let rest = lower.nrows() - first;
    let mut columns = DMatrix::identity(rest, count);
    // Cannot fail: the diagonal of a factor has no zeros.
    lower
        .view((first, first), (rest, rest))
        .solve_lower_triangular_mut(&mut columns);
    columns
}

/// Replaces a lower triangular matrix, whose diagonal has no zeros, with its inverse.
pub fn invert(lower: &mut DMatrix<f64>) {
    *lower = inverse_columns(lower, 0, lower.nrows());
}

/// The eigenvalues of `matrix` / `unit`, largest first, by bisection, which always terminates.
#[expect(clippy::unnecessary_wraps, reason = "fallible with faer")]
pub fn eigenvalues(matrix: &DMatrix<f64>, unit: f64) -> Result<DVector<f64>, Error> {
    let (diagonal, off_diagonal) = SymmetricTridiagonal::new(matrix / unit).unpack_tridiagonal();
    let values = tridiagonal::eigenvalues(diagonal.as_slice(), off_diagonal.as_slice());
    Ok(DVector::from_vec(values))
}

/// The eigenvalues of `matrix` / `unit`, largest first, and their eigenvectors, by QR iteration.
pub fn eigen(matrix: &DMatrix<f64>, unit: f64) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
    /// The maximum number of QR iterations per eigenvalue; two are usual.
    const MAX_ITERATIONS: usize = 100;

    // Adding 1 to every eigenvalue keeps rounding noise, and numbers whose squares underflow, off the diagonal: on
    // those the relative convergence test can hang.
    let shifted = matrix / unit + DMatrix::identity(matrix.nrows(), matrix.nrows());
    let iterations = MAX_ITERATIONS * matrix.nrows();
    let found = SymmetricEigen::try_new(shifted, f64::EPSILON, iterations);
    let found = found.ok_or_else(|| not_converged(iterations))?;
    let values = found.eigenvalues.add_scalar(-1.0);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    Ok((values.select_rows(&order), found.eigenvectors.select_columns(&order)))
}

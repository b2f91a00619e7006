//! What is done with n x n matrices as a whole, by faer.

use super::{Threads, not_converged};
use crate::error::Error;
use crate::memory;
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::{LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, EvdError, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{MatMut, MatRef, Par, Spec};
use nalgebra::{DMatrix, DVector};

impl From<Threads> for Par {
    fn from(threads: Threads) -> Self {
        // Always the same, so that the bits do not depend on the number of threads.
        const PARTS: usize = 16;
        match threads {
            Threads::One => Self::Seq,
            Threads::All => Self::rayon(PARTS),
        }
    }
}

/// Replaces the lower triangle with L; false if there is no factor.
pub fn factor(matrix: &mut DMatrix<f64>, threads: Threads) -> Result<bool, Error> {
    /// Columns factored before the rest is updated. With twice faer's default of 128, the rest, which exceeds the
    /// cache, is updated half as often.
    const BLOCK: usize = 256;

    let n = matrix.nrows();
    let par = threads.into();
    let mut spec = Spec::<LltParams, f64>::default();
    spec.config.block_size = BLOCK;
    let mut scratch = workspace(cholesky_in_place_scratch::<f64>(n, par, spec), "a Cholesky factor", n)?;
    let (none, scratch) = (LltRegularization::default(), MemStack::new(&mut scratch));
    Ok(cholesky_in_place(view_mut(matrix), none, par, scratch, spec).is_ok())
}

/// Columns `first` to `first + count` of the inverse of a lower triangular matrix, without the zeros of rows 0 to `first`.
pub fn inverse_columns(lower: &DMatrix<f64>, first: usize, count: usize) -> DMatrix<f64> {
    let rest = lower.nrows() - first;
    let mut columns = DMatrix::identity(rest, count);
    let factor = view(lower).submatrix(first, first, rest, rest);
    solve_lower_triangular_in_place(factor, view_mut(&mut columns), Par::Seq);
    columns
}

/// Replaces a lower triangular matrix, whose diagonal has no zeros, with its inverse.
pub fn invert(lower: &mut DMatrix<f64>) {
    let factor = lower.clone();
    let par = Threads::of(lower.nrows()).into();
    invert_lower_triangular(view_mut(lower), view(&factor), par);
}

/// The eigenvalues of `matrix` / `unit`, largest first, by divide and conquer.
pub fn eigenvalues(matrix: &DMatrix<f64>, unit: f64) -> Result<DVector<f64>, Error> {
    let mut values = decompose(matrix, unit, None)?;
    values.as_mut_slice().reverse();
    Ok(values)
}

/// The eigenvalues of `matrix` / `unit`, largest first, and their eigenvectors.
pub fn eigen(matrix: &DMatrix<f64>, unit: f64) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
    let n = matrix.nrows();
    let mut vectors = memory::square("the eigenvectors", n)?;
    let mut values = decompose(matrix, unit, Some(&mut vectors))?;
    values.as_mut_slice().reverse();
    (0..n / 2).for_each(|k| vectors.swap_columns(k, n - 1 - k));
    Ok((values, vectors))
}

/// The eigenvalues of `matrix` / `unit`, smallest first.
fn decompose(matrix: &DMatrix<f64>, unit: f64, vectors: Option<&mut DMatrix<f64>>) -> Result<DVector<f64>, Error> {
    let n = matrix.nrows();
    let mut scaled = memory::copy("a scaled kernel matrix", matrix)?;
    scaled /= unit;
    let (par, params) = (Threads::of(n).into(), Spec::default());
    let compute = if vectors.is_some() {
        ComputeEigenvectors::Yes
    } else {
        ComputeEigenvectors::No
    };
    let scratch = self_adjoint_evd_scratch::<f64>(n, compute, par, params);
    let mut scratch = workspace(scratch, "the eigenvalues", n)?;
    let mut values = DVector::zeros(n);
    let diagonal = DiagMut::from_slice_mut(values.as_mut_slice());
    let vectors = vectors.map(view_mut);
    match self_adjoint_evd(
        view(&scaled),
        diagonal,
        vectors,
        par,
        MemStack::new(&mut scratch),
        params,
    ) {
        Ok(()) => Ok(values),
        Err(EvdError::NoConvergence) => Err(not_converged(n)),
    }
}

fn view(matrix: &DMatrix<f64>) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(matrix.as_slice(), matrix.nrows(), matrix.ncols())
}

fn view_mut(matrix: &mut DMatrix<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = matrix.shape();
    MatMut::from_column_major_slice_mut(matrix.as_mut_slice(), rows, columns)
}

fn workspace(size: StackReq, what: &'static str, n: usize) -> Result<MemBuffer, Error> {
    MemBuffer::try_new(size).map_err(|_| Error::OutOfMemory {
        what,
        numbers: n.saturating_mul(n),
        remedy: memory::REMEDY,
    })
}

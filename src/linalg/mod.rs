//! All n x n work, in `f64`: factors, eigenvalues, and iterations on products.
//!
//! | file | idea |
//! |---|---|
//! | `cholesky` | A = L L^T, solves with it, and how ill-conditioned A is |
//! | `eigen` | eigenvalues and eigenvectors of a symmetric matrix |
//! | `tridiagonal` | eigenvalues by bisection, solves |
//! | `lanczos` | Krylov spaces of a matrix known by its products: leading eigenvalue, shifted systems |
//! | `conjugate_gradient` | a definite system known by its products, with a preconditioner |
//!
//! Factors and eigenvalues are faer's (feature `faer`, on by default), or without it nalgebra's, which takes 4 to 10 times as
//! long at n = 2000. Either gives the same bits on any number of threads.

mod cholesky;
mod conjugate_gradient;
mod eigen;
mod lanczos;
mod tridiagonal;

pub(crate) use cholesky::{Cholesky, norm_1};
pub(crate) use conjugate_gradient::conjugate_gradient;
pub(crate) use eigen::{eigen, eigenvalues};
pub(crate) use lanczos::{Krylov, Solution, leading};

/// faer's division of its work: always into the same parts, so that the bits don't depend on how many threads share them;
/// below a few hundred rows it is not worth their waking up.
#[cfg(feature = "faer")]
fn parallelism(n: usize) -> faer::Par {
    const PARTS: usize = 16;
    const SMALL: usize = 256;
    if n < SMALL {
        faer::Par::Seq
    } else {
        faer::Par::rayon(PARTS)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use nalgebra::{DMatrix, DVector};

    /// Q diag(spectrum) Q^T for an orthogonal Q that mixes everything.
    pub fn with_spectrum(spectrum: &[f64]) -> DMatrix<f64> {
        let n = spectrum.len();
        let mix = DMatrix::from_fn(n, n, |i, j| ((3 * i + 7 * j + 5 * i * j + 1) as f64).sin());
        let q = mix.qr().q();
        let matrix = &q * DMatrix::from_diagonal(&DVector::from_column_slice(spectrum)) * q.transpose();
        (&matrix + matrix.transpose()) / 2.0
    }
}

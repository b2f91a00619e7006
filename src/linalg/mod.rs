//! All n x n linear algebra, in `f64`: factorisations, eigenvalues and Krylov methods.
//!
//! | file | purpose |
//! |---|---|
//! | `cholesky` | A = L L^T, solving with it, and the condition number of A |
//! | `eigen` | eigenvalues and eigenvectors of a symmetric matrix |
//! | `tridiagonal` | eigenvalues by bisection; solving |
//! | `lanczos` | Krylov spaces of a matrix given by its products: leading eigenvalue, shifted systems |
//! | `whitening` | P with P G P^T = I, and how exact it is |
//! | `conjugate_gradient` | a positive definite system given by its products, with a preconditioner |
//!
//! Factorisations and eigenvalues come from faer (feature `faer`, on by default) or else from nalgebra, which takes 4
//! to 10 times as long at n = 2000. Both give the same bits on any number of threads.

mod cholesky;
mod conjugate_gradient;
mod eigen;
mod lanczos;
mod tridiagonal;
mod whitening;

pub(crate) use cholesky::{Cholesky, norm_1};
pub(crate) use conjugate_gradient::conjugate_gradient;
pub(crate) use eigen::{eigen, eigenvalues};
pub(crate) use lanczos::{Krylov, Solution, leading};
pub(crate) use whitening::{UNIT, Whitening, gamma};

/// How faer divides its work: always into the same number of parts, so that the bits do not depend on the number of
/// threads. Below a few hundred rows, threads are not worth waking.
#[derive(Clone, Copy)]
enum Threads {
    One,
    All,
}

impl Threads {
    /// For n x n.
    fn of(n: usize) -> Self {
        const SMALL: usize = 256;
        if n < SMALL { Self::One } else { Self::All }
    }
}

#[cfg(feature = "faer")]
impl From<Threads> for faer::Par {
    fn from(threads: Threads) -> Self {
        const PARTS: usize = 16;
        match threads {
            Threads::One => Self::Seq,
            Threads::All => Self::rayon(PARTS),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use nalgebra::{DMatrix, DVector};

    /// Q diag(spectrum) Q^T for a dense orthogonal Q.
    pub fn with_spectrum(spectrum: &[f64]) -> DMatrix<f64> {
        let n = spectrum.len();
        let mix = DMatrix::from_fn(n, n, |i, j| ((3 * i + 7 * j + 5 * i * j + 1) as f64).sin());
        let q = mix.qr().q();
        let matrix = &q * DMatrix::from_diagonal(&DVector::from_column_slice(spectrum)) * q.transpose();
        (&matrix + matrix.transpose()) / 2.0
    }
}

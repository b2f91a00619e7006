//! All n x n linear algebra, in `f64`: factorisations, eigenvalues and Krylov methods.
//!
//! | file | purpose |
//! |---|---|
//! | `cholesky` | A = L L^T, solving with it, and the condition number of A |
//! | `eigen` | eigenvalues and eigenvectors of a symmetric matrix |
//! | `by_faer`, `by_nalgebra` | factorisations and eigenvalues themselves |
//! | `tridiagonal` | eigenvalues by bisection; solving |
//! | `lanczos` | Krylov spaces of a matrix given by its products: leading eigenvalue, shifted systems |
//! | `whitening` | P with P G P^T = I, and how exact it is |
//! | `conjugate_gradient` | a positive definite system given by its products, with a preconditioner |
//!
//! Factorisations and eigenvalues come from faer (feature `faer`, on by default) or else from nalgebra, which takes 4
//! to 10 times as long at n = 2000. Both give the same bits on any number of threads.

#[cfg(feature = "faer")]
mod by_faer;
#[cfg(any(test, not(feature = "faer")))]
mod by_nalgebra;
mod cholesky;
mod conjugate_gradient;
mod eigen;
mod lanczos;
mod tridiagonal;
mod whitening;

#[cfg(feature = "faer")]
use by_faer as backend;
#[cfg(not(feature = "faer"))]
use by_nalgebra as backend;

use crate::error::Error;

pub(crate) use cholesky::{Cholesky, norm_1};
pub(crate) use conjugate_gradient::conjugate_gradient;
pub(crate) use eigen::{eigen, eigenvalues};
pub(crate) use lanczos::{Krylov, Solution, leading};
pub(crate) use whitening::{UNIT, Whitening, gamma};

/// The threads that share a task. Below a few hundred rows, others are not worth waking.
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

fn not_converged(iterations: usize) -> Error {
    Error::NotConverged {
        what: "the eigenvalue iteration",
        iterations,
        remedy: "this is not known to happen for finite kernels; please report the matrix",
    }
}

#[cfg(test)]
pub(crate) mod tests;

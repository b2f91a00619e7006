//! Solvers for the n x n system of kernel ridge regression.

use super::preconditioner::Preconditioner;
use super::weighted_kernel::WeightedKernel;
use crate::error::Error;
use crate::linalg::conjugate_gradient;
use crate::setting::{at_least_one, checked_serde, within_unit};
use nalgebra::DVector;
use serde::{Deserialize, Serialize};

/// How [`Predictor::ridge`](super::Predictor::ridge) solves its n x n system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Solver {
    /// Cholesky for up to 4096 points. For more, if they have at most four coordinates, ridge regression with the N monomials of which the limit
    /// kernel consists up to rounding, in about 2^d n N + N^3 / 3 flops and O(n + N^2) memory; otherwise
    /// conjugate gradients with default settings.
    #[default]
    Auto,
    /// A Cholesky factorisation with an estimate of the condition number: n^3 / 3 flops, n^2 numbers.
    Cholesky,
    /// Conjugate gradients: 2 n^2 d flops and n^2 exponentials per iteration, O(n (d + k)) numbers.
    ConjugateGradient(ConjugateGradient),
}

/// Settings of the conjugate gradient solver: [`Solver::ConjugateGradient`].
///
/// The preconditioner is a partial Cholesky factorisation with pivoting, Hcts ~ L L^T with L n x k. It selects the k
/// points that say most about the others, and so removes the largest eigenvalues from the problem.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`tolerance`](Self::tolerance) | ||y - (Hcts + lambda I) c|| / ||y|| at the end | above 0, below 1 | 1e-8 |
/// | [`max_iterations`](Self::max_iterations) | maximum number of iterations | at least 1 | 1000 |
/// | [`rank`](Self::rank) | maximum rank k of the preconditioner | 0 (none) or more | 256 |
///
/// Each iteration costs 2 n^2 d flops and n^2 exponentials, on all threads; the preconditioner costs 2 n k^2 flops.
/// Memory is O(n (d + k)). With sample weights s_i, Hcts is R Hcts R and y is R y for R = diag(sqrt(s_i)).
///
/// ```
/// use expnet::Dataset;
/// use expnet::kernel::{ConjugateGradient, Predictor, Solver};
///
/// let rows: Vec<[f64; 1]> = (0..60).map(|i| [f64::from(i) / 30.0 - 0.97]).collect();
/// let labels: Vec<f64> = rows.iter().map(|[x]| (3.0 * x).sin()).collect();
/// let predictor = Predictor::new(&Dataset::from_rows(&rows, &labels)?, 1.0)?;
/// let iterations = |rank| {
///     let solver = ConjugateGradient::default().rank(rank);
///     predictor.clone().solver(Solver::ConjugateGradient(solver)).ridge(1e-3).map(|fit| fit.iterations())
/// };
/// assert!(iterations(8)? < iterations(0)?);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct ConjugateGradient {
    tolerance: f64,
    max_iterations: usize,
    rank: usize,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self {
            tolerance: 1e-8,
            max_iterations: 1000,
            rank: 256,
        }
    }
}

impl ConjugateGradient {
    /// The relative residual at which to stop, 1e-8 by default. Before the solver stops, the residual is recomputed.
    /// Values below about 1e-16 (lambda_max + lambda) / lambda cannot be reached in `f64`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The maximum number of iterations, 1000 by default; needing more is an error.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// The maximum rank of the preconditioner, 256 by default; 0 for none. The rank is lower if the rest of the trace
    /// falls below lambda first.
    pub fn rank(mut self, rank: usize) -> Self {
        self.rank = rank;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        within_unit("`ConjugateGradient::tolerance`", self.tolerance)?;
        at_least_one("`ConjugateGradient::max_iterations`", self.max_iterations)
    }

    /// (R K R + lambda I)^-1 times `right`, and the number of iterations.
    pub(super) fn solve(
        &self,
        kernel: &WeightedKernel,
        lambda: f64,
        right: &DVector<f64>,
    ) -> Result<(DVector<f64>, usize), Error> {
        self.check_settings()?;
        let preconditioner = Preconditioner::new(kernel, lambda, self.rank)?;
        let product = |vector: &DVector<f64>| kernel.product(vector) + vector * lambda;
        let precondition = |vector: &DVector<f64>| preconditioner.apply(vector);
        let solved = conjugate_gradient(right, self.tolerance, self.max_iterations, product, precondition);
        solved.map_err(|failed| Error::NotConverged {
            what: "the conjugate gradient solver",
            iterations: failed.iterations,
            remedy: "use a larger lambda, a larger tolerance, a preconditioner of higher rank, or more iterations",
        })
    }
}

checked_serde!(ConjugateGradient);

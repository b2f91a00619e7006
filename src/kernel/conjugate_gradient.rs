//! (Hcts + lambda I) c = y by preconditioned conjugate gradients, for more points than an n x n matrix is good for.

use super::limit::Limit;
use super::preconditioner::Preconditioner;
use crate::error::Error;
use nalgebra::DVector;

/// Settings of the conjugate gradient solver: [`Solver::ConjugateGradient`](super::Solver).
///
/// The preconditioner is a partial Cholesky factorisation with pivoting, Hcts ~ L L^T with L n x k: it takes the k
/// points that say most about the others, and with them the largest eigenvalues out of the problem.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`tolerance`](Self::tolerance) | ||y - (Hcts + lambda I) c|| / ||y|| at the end | above 0, below 1 | 1e-8 |
/// | [`max_iterations`](Self::max_iterations) | iterations at most | at least 1 | 1000 |
/// | [`rank`](Self::rank) | k of the preconditioner, at most | 0 (none) or more | 256 |
///
/// An iteration costs 2 n^2 d flops and n^2 exponentials, on all threads; the preconditioner 2 n k^2 flops. Memory is
/// O(n (d + k)).
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// The relative residual at which to stop, by default 1e-8. It is computed anew before it is believed. Less than about
    /// 1e-16 (lambda_max + lambda) / lambda is out of reach of `f64`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Iterations at most, by default 1000; more is an error.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// The rank of the preconditioner, by default at most 256 (fewer where what is left of the trace is below lambda);
    /// with 0 there is none.
    pub fn rank(mut self, rank: usize) -> Self {
        self.rank = rank;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |setting, value, expected| {
            Err(Error::Setting {
                setting,
                value,
                expected,
            })
        };
        // Written so that NaN fails too.
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return wrong(
                "tolerance",
                format!("{:?}", self.tolerance),
                "more than 0 and less than 1",
            );
        }
        if self.max_iterations == 0 {
            return wrong("max_iterations", "0".into(), "at least 1");
        }
        Ok(())
    }

    /// The coefficients c, and how many iterations they took.
    pub(super) fn solve(
        &self,
        limit: &Limit,
        lambda: f64,
        right: &DVector<f64>,
    ) -> Result<(DVector<f64>, usize), Error> {
        self.check()?;
        let preconditioner = Preconditioner::new(limit, lambda, self.rank)?;
        let product = |vector: &DVector<f64>| limit.product(vector) + vector * lambda;
        let goal = self.tolerance * right.norm();
        // Written so that NaN is not there.
        let there = |residual: &DVector<f64>| residual.norm() <= goal;
        let mut solution = DVector::zeros(right.len());
        let mut iterations = 0;
        let mut residual = right.clone();
        // Each round ends when the recursion has reached the goal; the next starts from the true residual.
        while !there(&residual) {
            let mut direction = preconditioner.apply(&residual);
            let mut slope = residual.dot(&direction);
            while !there(&residual) {
                let image = product(&direction);
                let curvature = direction.dot(&image);
                // Not positive, or NaN: rounding has taken over.
                if iterations == self.max_iterations || !(curvature > 0.0 && slope > 0.0) {
                    return Err(not_converged(iterations));
                }
                iterations += 1;
                let step = slope / curvature;
                solution.axpy(step, &direction, 1.0);
                residual.axpy(-step, &image, 1.0);
                let preconditioned = preconditioner.apply(&residual);
                let next = residual.dot(&preconditioned);
                direction = preconditioned + direction * (next / slope);
                slope = next;
            }
            residual = right - product(&solution);
        }
        Ok((solution, iterations))
    }
}

fn not_converged(iterations: usize) -> Error {
    Error::NotConverged {
        what: "the conjugate gradient solver",
        iterations,
        remedy: "give a larger lambda, a larger tolerance, a preconditioner of higher rank, or more iterations",
    }
}

//! A preconditioner built from the points that say most about the others.
//!
//! ```text
//! K ~ L L^T = U diag(theta) U^T            pivoted Cholesky, n x k: each pivot is the point approximated worst so far
//! P^-1 = I - U diag(1 - (theta_k + lambda) / (theta + lambda)) U^T
//! ```
//!
//! P^-1 (K + lambda I) has its leading eigenvalues near theta_k + lambda and leaves the others unchanged. The form
//! of P is from Frangella, Tropp and Udell, *Randomized Nystrom preconditioning* (2023), and needs no division by
//! lambda. The factor is from Harbrecht, Peters and Schneider, *On the low-rank approximation by the pivoted Cholesky
//! decomposition* (2012), and needs only k columns of the kernel.

use super::spectrum::Spectrum;
use super::weighted_kernel::WeightedKernel;
use crate::error::Error;
use crate::memory;
use nalgebra::{DMatrix, DVector};

/// P^-1, or the identity for rank 0.
#[derive(Clone, Debug)]
pub(super) struct Preconditioner {
    /// U, n x k with orthonormal columns.
    basis: DMatrix<f64>,
    /// (theta_k + lambda) / (theta + lambda).
    shrink: DVector<f64>,
}

impl Preconditioner {
    pub fn new(kernel: &WeightedKernel, lambda: f64, rank: usize) -> Result<Self, Error> {
        let factor = pivoted_cholesky(kernel, rank, lambda)?;
        if factor.ncols() == 0 {
            return Ok(Self {
                basis: factor,
                shrink: DVector::zeros(0),
            });
        }
        let (basis, root) = factor.qr().unpack();
        let mut inner = &root * root.transpose();
        inner.fill_upper_triangle_with_lower_triangle();
        let (spectrum, vectors) = Spectrum::decompose(&inner)?;
        let last = spectrum.lambda_min().max(spectrum.resolution());
        let shrink = spectrum
            .eigenvalues()
            .map(|theta| (last + lambda) / (theta.max(last) + lambda));
        Ok(Self {
            basis: basis * vectors,
            shrink,
        })
    }

    /// P^-1 times a vector.
    pub fn apply(&self, vector: &DVector<f64>) -> DVector<f64> {
        let components = self.basis.tr_mul(vector);
        let removed = components.zip_map(&self.shrink, |x, shrink| x * (1.0 - shrink));
        vector - &self.basis * removed
    }
}

/// L, n x k with k <= `rank`, such that L L^T approximates K. Stops early once the diagonal of K - L L^T is
/// rounding noise or its trace is at most `trace`.
fn pivoted_cholesky(kernel: &WeightedKernel, rank: usize, trace: f64) -> Result<DMatrix<f64>, Error> {
    let n = kernel.samples();
    let mut diagonal = kernel.diagonal();
    let noise = n as f64 * f64::EPSILON * diagonal.max();
    let mut factor = memory::matrix(
        "the preconditioner of conjugate gradients",
        "use fewer samples, or a smaller `rank`",
        (n, rank.min(n)),
    )?;
    for k in 0..factor.ncols() {
        let pivot = diagonal.imax();
        if diagonal[pivot] <= noise || diagonal.sum() <= trace {
            return Ok(factor.columns(0, k).into_owned());
        }
        let row = factor.view((pivot, 0), (1, k)).transpose();
        let column = (kernel.column(pivot) - factor.columns(0, k) * row) / diagonal[pivot].sqrt();
        diagonal.zip_apply(&column.column(0), |rest, l| *rest = (*rest - l * l).max(0.0));
        diagonal[pivot] = 0.0;
        factor.set_column(k, &column.column(0));
    }
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::limit::Limit;
    use crate::kernel::limit_kernel;
    use crate::kernel::roots::Roots;
    use crate::kernel::training_kernel::TrainingKernel;
    use nalgebra::DMatrix;

    fn limit(points: &DMatrix<f64>, std_dev: f64) -> WeightedKernel {
        WeightedKernel {
            training: TrainingKernel::Limit(Limit::new(points, std_dev).unwrap().into()),
            roots: Roots::default(),
        }
    }

    fn points(n: usize, d: usize) -> DMatrix<f64> {
        DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin())
    }

    #[test]
    fn full_rank_cholesky_is_exact() {
        let points = points(12, 5);
        let limit = limit(&points, 0.6);
        let factor = pivoted_cholesky(&limit, 40, 0.0).unwrap();
        assert_eq!(factor.ncols(), 12);
        let kernel = limit_kernel(&points, 0.6).unwrap();
        assert!((&factor * factor.transpose() - &kernel).amax() < 1e-14 * kernel.amax());
    }

    #[test]
    fn stops_at_the_rank_the_trace_and_the_noise() {
        let limit = limit(&points(40, 2), 0.3);
        assert_eq!(pivoted_cholesky(&limit, 7, 0.0).unwrap().ncols(), 7);
        let trace = limit.diagonal().sum();
        let few = pivoted_cholesky(&limit, 40, 0.01 * trace).unwrap();
        assert!(few.ncols() < 7 && few.norm_squared() >= 0.99 * trace, "{}", few.ncols());
        // 40 points in the plane: far fewer than 40 eigenvalues are above the rounding error.
        let all = pivoted_cholesky(&limit, 40, 0.0).unwrap().ncols();
        assert!((10..40).contains(&all), "{all}");
    }

    /// With P^-1 = L L^T, the condition number of L^T (Hcts + lambda I) L falls to about that of the remaining
    /// eigenvalues.
    #[test]
    fn removes_the_large_eigenvalues() {
        let points = points(60, 3);
        let limit = limit(&points, 0.8);
        let lambda = 1e-3;
        let one = DMatrix::identity(60, 60);
        let matrix = limit_kernel(&points, 0.8).unwrap() + &one * lambda;
        let condition = |rank| {
            let preconditioner = Preconditioner::new(&limit, lambda, rank).unwrap();
            let columns: Vec<_> = one
                .column_iter()
                .map(|v| preconditioner.apply(&v.into_owned()))
                .collect();
            let root = DMatrix::from_columns(&columns).cholesky().unwrap().unpack();
            let mut product = root.tr_mul(&(&matrix * &root));
            product.fill_upper_triangle_with_lower_triangle();
            Spectrum::new(&product).unwrap().condition()
        };
        let (plain, some, many) = (condition(0), condition(15), condition(60));
        assert!(
            plain > 1e4 && some < plain / 20.0 && many < 3.0,
            "{plain:e} {some:e} {many:e}"
        );
    }
}

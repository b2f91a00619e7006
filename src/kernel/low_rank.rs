//! Kernel ridge regression for many samples: the best combination of the kernel functions of a few of them.

use super::fit::Fit;
use super::limit::Limit;
use super::posterior::deviations;
use super::training_kernel::TrainingKernel;
use super::{limit_cross_kernel, limit_kernel};
use crate::dataset::{Dataset, shuffled};
use crate::error::Error;
use crate::float::Float;
use crate::linalg::Cholesky;
use crate::memory;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use std::sync::Arc;

/// Samples at a time.
const BLOCK: usize = 2048;
/// Columns of a product that one thread computes at a time.
const STRIP: usize = 128;
/// Added to the diagonal of the centres' kernel, relative to its mean, so that centres may be close to each other.
const JITTER: f64 = 1e-10;

/// The subset of regressors, with the predictive variance of the deterministic training conditional.
///
/// ```text
/// f = sum_c a_c k(z_c, .) minimises sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2     over the centres z_c
///
/// K_zz = L L^T,  B = L^-1 K_zx R,  M = B B^T + lambda I,  a = L^-T M^-1 B R y,      R = diag(sqrt(s_i))
/// var(x) = k(x, x) - ||b||^2 + lambda b^T M^-1 b,  b = L^-1 k(z, x)
/// ```
///
/// J. Quinonero-Candela, C. E. Rasmussen, *A unifying view of sparse approximate Gaussian process regression* (2005), sections
/// 4 and 5. With all points as centres these are the exact formulas, up to the jitter.
#[derive(Clone, Debug)]
pub(crate) struct LowRank {
    pub(super) mean: Fit,
    pub(super) limit: Arc<Limit>,
    /// L^-1, zero above the diagonal.
    pub(super) whitening: DMatrix<f64>,
    /// The factor of M.
    pub(super) normal: Cholesky,
    pub(super) lambda: f64,
}

impl LowRank {
    /// With `centres` random points of `data` (or all, if there are fewer). Costs 4 n c^2 flops and n c exponentials, on all
    /// threads, and 3 c^2 numbers. The bits do not depend on the number of threads.
    ///
    /// Errors: a kernel entry that overflows; no memory; centres whose kernel is singular.
    pub fn new<T: Float>(
        data: &Dataset<T>,
        std_dev: f64,
        lambda: f64,
        centres: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let order = shuffled(data.samples(), seed);
        let chosen = &order[..centres.min(order.len())];
        let points = DMatrix::from_fn(data.dimension(), chosen.len(), |k, c| {
            data.points()[(k, chosen[c])].as_f64()
        });
        let whitening = whitening(&points, std_dev)?;
        let roots = data.roots();
        let mut normal = memory::square("the normal equations", chosen.len())?;
        let mut right = DVector::zeros(chosen.len());
        for first in (0..data.samples()).step_by(BLOCK) {
            let count = BLOCK.min(data.samples() - first);
            let others = data.points().columns(first, count).map(Float::as_f64);
            let cross = limit_cross_kernel(&points, &others, std_dev)?;
            let mut whitened = product(&whitening, &cross);
            let mut labels = data.labels().rows(first, count).map(Float::as_f64);
            if let Some(roots) = &roots {
                for (i, mut column) in whitened.column_iter_mut().enumerate() {
                    column *= roots[first + i];
                    labels[i] *= roots[first + i];
                }
            }
            right += &whitened * labels;
            add_square(&mut normal, &whitened);
        }
        for c in 0..chosen.len() {
            normal[(c, c)] += lambda;
        }
        let normal = Cholesky::new(normal)?.ok_or_else(|| singular("the normal equations of the centres"))?;
        let coefficients = whitening.tr_mul(&normal.solve(&right));
        let limit = Arc::new(Limit::new(&points, std_dev)?);
        Ok(Self {
            mean: Fit::new(&TrainingKernel::Limit(limit.clone()), coefficients, 0),
            limit,
            whitening,
            normal,
            lambda,
        })
    }

    /// f.
    pub fn mean(&self) -> &Fit {
        &self.mean
    }

    /// The standard deviation of f at each column of `points` (d x k): k numbers. Costs 2 c^2 k flops.
    ///
    /// Errors: points of the wrong dimension or not finite; an entry that overflows.
    pub fn std_dev<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        deviations(&self.limit, points, |cross| {
            let whitened = product(&self.whitening, &cross);
            let reduced = self.normal.half_solve(whitened.clone());
            let pairs = whitened.column_iter().zip(reduced.column_iter());
            pairs
                .map(|(b, half)| b.norm_squared() - self.lambda * half.norm_squared())
                .collect()
        })
    }
}

/// L^-1 of the centres' kernel.
fn whitening(points: &DMatrix<f64>, std_dev: f64) -> Result<DMatrix<f64>, Error> {
    let mut kernel = limit_kernel(points, std_dev)?;
    let jitter = JITTER * kernel.diagonal().mean();
    for c in 0..kernel.nrows() {
        kernel[(c, c)] += jitter;
    }
    let factor = Cholesky::new(kernel)?.ok_or_else(|| singular("the kernel of the centres"))?;
    let mut inverse = factor.into_inverse_factor();
    inverse.fill_upper_triangle(0.0, 1);
    Ok(inverse)
}

fn singular(what: &'static str) -> Error {
    Error::Singular {
        what,
        condition: f64::INFINITY,
        cause: "the points are too close or too many for this sigma".into(),
        remedy: "use a larger lambda or a larger sigma".into(),
    }
}

/// left * right, in strips of columns on all threads.
fn product(left: &DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    let rows = left.nrows();
    let mut product = DMatrix::zeros(rows, right.ncols());
    let strips = product.as_mut_slice().par_chunks_mut(rows * STRIP).enumerate();
    strips.for_each(|(s, strip)| {
        let count = strip.len() / rows;
        let columns = left * right.columns(s * STRIP, count);
        strip.copy_from_slice(columns.as_slice());
    });
    product
}

/// sum += b b^T, in strips of columns on all threads.
fn add_square(sum: &mut DMatrix<f64>, b: &DMatrix<f64>) {
    let rows = sum.nrows();
    let transposed = b.transpose();
    let strips = sum.as_mut_slice().par_chunks_mut(rows * STRIP).enumerate();
    strips.for_each(|(s, strip)| {
        let count = strip.len() / rows;
        let columns = b * transposed.columns(s * STRIP, count);
        strip
            .iter_mut()
            .zip(columns.iter())
            .for_each(|(sum, term)| *sum += term);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Predictor;

    fn data() -> Dataset<f64> {
        let points = DMatrix::from_fn(3, 40, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
        Dataset::new(points, DVector::from_fn(40, |i, _| (1.3 * i as f64).cos())).unwrap()
    }

    #[test]
    fn with_all_points_as_centres_it_is_exact() {
        let data = data();
        let others = DMatrix::from_fn(3, 9, |k, i| (0.3 * (i + 2 * k) as f64).cos());
        let exact = Predictor::new(&data, 0.8).unwrap().posterior(0.1).unwrap();
        // There are but 40.
        let low_rank = LowRank::new(&data, 0.8, 0.1, 99, 7).unwrap();
        assert_eq!(low_rank.mean().iterations(), 0);
        let (a, b) = (
            exact.mean().predict(&others).unwrap(),
            low_rank.mean().predict(&others).unwrap(),
        );
        assert!((&a - &b).amax() < 1e-6 * a.amax(), "{a} {b}");
        let (a, b) = (exact.std_dev(&others).unwrap(), low_rank.std_dev(&others).unwrap());
        assert!((&a - &b).amax() < 1e-6 * a.amax(), "{a} {b}");
    }

    #[test]
    fn fewer_centres_solve_the_same_least_squares_problem() {
        let data = data()
            .with_weights(DVector::from_fn(40, |i, _| (i % 3) as f64))
            .unwrap();
        let (lambda, weights) = (0.2, data.weights().unwrap().clone());
        let low_rank = LowRank::new(&data, 0.8, lambda, 11, 3).unwrap();
        let centres = low_rank.limit.points().clone();
        assert_eq!(centres.ncols(), 11);
        let cross = limit_cross_kernel(&centres, data.points(), 0.8).unwrap();
        let kernel = limit_kernel(&centres, 0.8).unwrap();
        let weighted = &cross * DMatrix::from_diagonal(&weights);
        let normal = &weighted * cross.transpose() + kernel * lambda;
        let expected = normal.lu().solve(&(weighted * data.labels())).unwrap();
        let (found, expected) = (cross.tr_mul(low_rank.mean().coefficients()), cross.tr_mul(&expected));
        assert!(
            (&found - &expected).amax() < 1e-6 * expected.amax(),
            "{found} {expected}"
        );
    }

    /// More samples than a block, and more centres than a strip.
    #[test]
    fn blocks_and_strips_leave_nothing_out() {
        let points = DMatrix::from_fn(2, BLOCK + 300, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
        let labels = DVector::from_fn(BLOCK + 300, |i, _| points[(0, i)] + 0.3 * (1.3 * i as f64).cos());
        let weights = DVector::from_fn(BLOCK + 300, |i, _| (i % 3) as f64);
        let data = Dataset::new(points, labels).unwrap().with_weights(weights).unwrap();
        let fit = LowRank::new(&data, 0.8, 0.2, 5, 3).unwrap();
        let cross = limit_cross_kernel(fit.limit.points(), data.points(), 0.8).unwrap();
        let missed = cross.tr_mul(fit.mean.coefficients()) - data.labels();
        // The gradient of the weighted squares and the ridge is 0.
        let kernel = limit_kernel(fit.limit.points(), 0.8).unwrap();
        let ridge = kernel * fit.mean.coefficients() * 0.2;
        let squares = &cross * missed.component_mul(data.weights().unwrap());
        assert!((&squares + &ridge).amax() < 1e-6 * ridge.amax(), "{squares} {ridge}");

        let left = DMatrix::from_fn(3, 5, |i, j| (1 + i + 2 * j) as f64);
        let right = DMatrix::from_fn(5, 2 * STRIP + 7, |i, j| ((i + 1) * (j + 1)) as f64);
        assert_eq!(product(&left, &right), &left * &right);
        let mut sum = DMatrix::repeat(2 * STRIP + 7, 2 * STRIP + 7, 1.0);
        add_square(&mut sum, &right.transpose());
        assert_eq!(sum, right.tr_mul(&right).add_scalar(1.0));
    }

    /// Whatever the size of the kernel's entries.
    #[test]
    fn centres_may_be_copies_of_each_other() {
        for size in [1e-3, 1.0, 1e3] {
            let rows: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i % 5) * size, size]).collect();
            let labels: Vec<f64> = (0..20).map(|i| f64::from(i % 5)).collect();
            let data = Dataset::from_rows(&rows, &labels).unwrap();
            let lambda = 1e-3 * size * size;
            let fit = LowRank::new(&data, 1e-2 / size, lambda, 20, 1).unwrap();
            let predicted = fit.mean().predict(data.points()).unwrap();
            assert!((predicted - data.labels()).amax() < 0.05, "{size}");
        }
    }
}

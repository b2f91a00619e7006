//! Cholesky factorisation, with an estimate of the condition number.

use super::{Threads, backend};
use crate::error::Error;
use nalgebra::{DMatrix, DVector, DVectorViewMut};
use rayon::prelude::*;

/// The maximum number of rounds of the condition estimate; two or three are usual.
const MAX_ROUNDS: usize = 5;
/// Columns of the inverse factor computed at a time.
const COLUMNS: usize = 64;

/// A = L L^T.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky {
    /// L on and below the diagonal, arbitrary numbers above it.
    lower: DMatrix<f64>,
}

impl Cholesky {
    /// Factors a symmetric matrix, of which only the lower triangle is read; `None` if a pivot is not positive. A pivot
    /// may be positive only because of rounding, which [`inverse_norm_1`](Self::inverse_norm_1) reveals.
    ///
    /// Costs n^3 / 3 flops. Errors: no memory for the workspace.
    pub fn new(mut matrix: DMatrix<f64>) -> Result<Option<Self>, Error> {
        let threads = Threads::of(matrix.nrows());
        Ok(backend::factor(&mut matrix, threads)?.then_some(Self { lower: matrix }))
    }

    /// The same on this thread alone, for several factors at the same time.
    pub fn on_one_thread(mut matrix: DMatrix<f64>) -> Result<Option<Self>, Error> {
        Ok(backend::factor(&mut matrix, Threads::One)?.then_some(Self { lower: matrix }))
    }

    /// From L, a finite matrix whose diagonal is positive; numbers above it do not matter.
    pub fn from_matrix(lower: DMatrix<f64>) -> Self {
        Self { lower }
    }

    /// L, on and below the diagonal.
    pub fn matrix(&self) -> &DMatrix<f64> {
        &self.lower
    }

    /// L, on and below the diagonal.
    pub fn into_matrix(self) -> DMatrix<f64> {
        self.lower
    }

    /// L^-1, on and below the diagonal; arbitrary numbers above it. Costs n^3 / 3 flops.
    pub fn into_inverse_factor(mut self) -> DMatrix<f64> {
        backend::invert(&mut self.lower);
        self.lower
    }

    /// The diagonal of A^-1, and those columns of L^-1 (n x k) whose numbers, in ascending order, are `wanted`: the products of
    /// these columns are further entries of A^-1.
    ///
    /// Costs n^3 / 3 flops, on all threads, and n (k + 64) numbers per thread. The bits do not depend on the number of threads.
    pub fn inverse_diagonal(&self, wanted: &[usize]) -> (DVector<f64>, DMatrix<f64>) {
        let n = self.lower.nrows();
        let mut diagonal = DVector::zeros(n);
        let blocks = diagonal.as_mut_slice().par_chunks_mut(COLUMNS).enumerate();
        let kept: Vec<Vec<DVector<f64>>> = blocks
            .map(|(block, diagonal)| {
                let first = block * COLUMNS;
                let columns = backend::inverse_columns(&self.lower, first, diagonal.len());
                let norms = columns.column_iter().map(|column| column.norm_squared());
                diagonal.iter_mut().zip(norms).for_each(|(entry, norm)| *entry = norm);
                let last = first + diagonal.len();
                let wanted = &wanted[wanted.partition_point(|&j| j < first)..wanted.partition_point(|&j| j < last)];
                let whole = |&j: &usize| {
                    let mut whole = DVector::zeros(n);
                    whole.rows_mut(first, n - first).copy_from(&columns.column(j - first));
                    whole
                };
                wanted.iter().map(whole).collect()
            })
            .collect();
        let kept: Vec<DVector<f64>> = kept.into_iter().flatten().collect();
        let numbers = kept.iter().flat_map(|column| column.iter().copied());
        (diagonal, DMatrix::from_iterator(n, kept.len(), numbers))
    }

    /// Replaces `right` with A^-1 `right`.
    pub fn solve_mut(&self, right: &mut DVector<f64>) {
        // Neither can fail: the diagonal of a factor has no zeros.
        self.lower.solve_lower_triangular_mut(right);
        self.lower.tr_solve_lower_triangular_mut(right);
    }

    /// A^-1 `right`.
    pub fn solve(&self, right: &DVector<f64>) -> DVector<f64> {
        let mut solution = right.clone();
        self.solve_mut(&mut solution);
        solution
    }

    /// L^-1 `right`, n x k, whose products with itself are those of `right` with A^-1 `right`. The columns are solved on all
    /// threads; the bits do not depend on their number. Costs n^2 k flops.
    pub fn half_solve(&self, mut right: DMatrix<f64>) -> DMatrix<f64> {
        let n = right.nrows();
        right.as_mut_slice().par_chunks_mut(n.max(1)).for_each(|column| {
            // Cannot fail: the diagonal of a factor has no zeros.
            self.lower
                .solve_lower_triangular_mut(&mut DVectorViewMut::from_slice(column, n));
        });
        right
    }

    /// A lower bound on ||A^-1||_1, rarely too small by more than a factor of 3: Higham's estimator (*Accuracy and
    /// Stability of Numerical Algorithms*, algorithm 15.1), after Hager. Climbs ||A^-1 x||_1 over the unit ball, whose
    /// corners give the columns of A^-1, and tries one vector of alternating signs as a safeguard. Costs a few solves
    /// of 2 n^2 flops.
    pub fn inverse_norm_1(&self) -> f64 {
        let n = self.lower.nrows();
        let mut x = DVector::from_element(n, 1.0 / n.max(1) as f64);
        let mut estimate = 0.0;
        for _ in 0..MAX_ROUNDS {
            let y = self.solve(&x);
            let norm = y.lp_norm(1);
            if !norm.is_finite() {
                return f64::INFINITY;
            }
            if norm <= estimate {
                break;
            }
            estimate = norm;
            let ascent = self.solve(&y.map(f64::signum));
            let corner = ascent.iamax();
            if ascent[corner].abs() <= ascent.dot(&x) {
                break;
            }
            x.fill(0.0);
            x[corner] = 1.0;
        }
        let alternating = DVector::from_fn(n, |i, _| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            sign * (1.0 + i as f64 / (n.max(2) - 1) as f64)
        });
        let other = 2.0 * self.solve(&alternating).lp_norm(1) / (3.0 * n.max(1) as f64);
        estimate.max(other)
    }
}

/// The largest absolute column sum of a symmetric matrix, of which only the lower triangle is read.
pub(crate) fn norm_1(lower: &DMatrix<f64>) -> f64 {
    let mut sums = DVector::zeros(lower.nrows());
    for (j, column) in lower.column_iter().enumerate() {
        let column = &column.as_slice()[j..];
        let below = sums.as_mut_slice()[j..].iter_mut().zip(column).skip(1);
        below.for_each(|(sum, entry)| *sum += entry.abs());
        sums[j] += column.iter().map(|entry| entry.abs()).sum::<f64>();
    }
    sums.max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn inverts_its_factor() {
        for n in [1, 2, 7, 64, 300] {
            let matrix = with_spectrum(&(0..n).map(|i| 1.0 + f64::from(i)).collect::<Vec<_>>());
            let inverse = Cholesky::new(matrix.clone()).unwrap().unwrap().into_inverse_factor();
            let inverse = inverse.lower_triangle();
            let identity = &inverse * &matrix * inverse.transpose();
            assert!(
                (identity - DMatrix::identity(matrix.nrows(), matrix.nrows())).amax() < 1e-11,
                "{n}"
            );
        }
    }

    #[test]
    fn finds_the_diagonal_and_columns_of_the_inverse() {
        for n in [1, 2, 63, 64, 65, 200_usize] {
            let matrix = with_spectrum(&(0..n).map(|i| 1.0 + i as f64).collect::<Vec<_>>());
            let inverse = matrix.clone().try_inverse().unwrap();
            let factor = Cholesky::new(matrix).unwrap().unwrap();
            let wanted: Vec<usize> = (0..n).filter(|i| i % 7 == 1 || i % 64 == 0).collect();
            let (diagonal, columns) = factor.inverse_diagonal(&wanted);
            assert!((diagonal - inverse.diagonal()).amax() < 1e-13, "{n}");
            let products = inverse.select_rows(&wanted).select_columns(&wanted);
            assert!((columns.tr_mul(&columns) - products).amax() < 1e-13, "{n}");
            assert_eq!(factor.inverse_diagonal(&[]).1.ncols(), 0);
        }
    }

    #[test]
    fn solves() {
        for n in [1, 2, 7, 64, 300] {
            let spectrum: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
            let matrix = with_spectrum(&spectrum);
            let x = DVector::from_fn(n, |i, _| (i as f64).cos());
            let factor = Cholesky::new(matrix.clone()).unwrap().unwrap();
            assert!((factor.solve(&(&matrix * &x)) - x).amax() < 1e-12);
            let right = DMatrix::from_fn(n, 3, |i, k| ((i + 2 * k) as f64).sin());
            let half = factor.half_solve(right.clone());
            let exact = right.tr_mul(&matrix.try_inverse().unwrap()) * &right;
            assert!((half.tr_mul(&half) - exact).amax() < 1e-12);
        }
    }

    #[test]
    fn the_norm_of_the_inverse_is_estimated_within_a_factor_of_three() {
        for n in [1, 2, 5, 30, 120_usize] {
            for power in [0, 3, 9] {
                let spectrum: Vec<f64> = (0..n)
                    .map(|i| 10f64.powf(-f64::from(power) * i as f64 / n as f64))
                    .collect();
                let matrix = with_spectrum(&spectrum);
                let found = Cholesky::new(matrix.clone()).unwrap().unwrap().inverse_norm_1();
                let exact = matrix.try_inverse().map_or(f64::NAN, |inverse| norm_1(&inverse));
                assert!(
                    found <= exact * (1.0 + 1e-6) && found >= exact / 3.0,
                    "{n} {power}: {found:e}, not {exact:e}"
                );
            }
        }
    }

    #[test]
    fn condition_is_within_a_factor_of_three() {
        for n in [1, 2, 5, 30] {
            for power in [0, 2, 5] {
                let root = DMatrix::from_fn(n, n, |i, j| {
                    ((3 * i + 7 * j * j + 1) as f64).sin() / ((j + 1) as f64).powi(power)
                });
                let matrix = &root * root.transpose() + DMatrix::identity(n, n) * 1e-8;
                let exact = norm_1(&matrix) * norm_1(&matrix.clone().try_inverse().unwrap());
                let found = norm_1(&matrix) * Cholesky::new(matrix).unwrap().unwrap().inverse_norm_1();
                assert!(
                    found <= exact * 1.001 && found >= exact / 3.0,
                    "{n} {power}: {found:e} {exact:e}"
                );
            }
        }
    }

    /// For rank 1 the second pivot is rounding noise of either sign.
    #[test]
    fn a_singular_matrix_is_detected() {
        for a in [0.1, 0.3, 0.7, 1.1, 3.3] {
            let v = DVector::from_vec(vec![a, 1.0 / a, a * a]);
            let matrix = &v * v.transpose();
            let norm = norm_1(&matrix);
            let factor = Cholesky::new(matrix).unwrap();
            let condition = factor.map_or(f64::INFINITY, |factor| norm * factor.inverse_norm_1());
            assert!(condition > 1e15, "{a}: {condition:e}");
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        for n in [40_u16, 300, 700] {
            let spectrum: Vec<f64> = (0..n).map(|k| 0.99_f64.powi(k.into())).collect();
            let matrix = with_spectrum(&spectrum);
            let right = DVector::from_fn(n.into(), |i, _| (i as f64).sin());
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| Cholesky::new(matrix.clone()).unwrap().unwrap().solve(&right))
            };
            let one = on(1);
            assert!((2..=3).all(|threads| on(threads) == one), "{n}");
        }
    }

    #[test]
    fn the_norm_counts_both_triangles() {
        let matrix = DMatrix::from_row_slice(3, 3, &[1.0, 9.0, 9.0, -2.0, 0.5, 9.0, 3.0, -4.0, 0.25]);
        assert_eq!(norm_1(&matrix), 7.25);
    }
}

//! Cholesky factors whose condition is looked at.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// Solves of the condition estimate at most; two or three are usual.
const SOLVES: usize = 5;

/// A = L L^T, and about how ill-conditioned A is.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    cholesky: Cholesky<f64, Dyn>,
    condition: f64,
}

impl Factor {
    /// `None` where a pivot is not positive. Where rounding alone makes it positive, the factor exists, and its
    /// [`condition`](Self::condition) tells.
    pub fn new(matrix: DMatrix<f64>) -> Option<Self> {
        let norm = norm_1(&matrix);
        let cholesky = Cholesky::new(matrix)?;
        let condition = norm * inverse_norm_1(&cholesky);
        Some(Self { cholesky, condition })
    }

    pub fn solve(&self, right: &DVector<f64>) -> DVector<f64> {
        self.cholesky.solve(right)
    }

    /// ||A||_1 times an estimate of ||A^-1||_1 from below, seldom by more than a factor of 3.
    pub fn condition(&self) -> f64 {
        self.condition
    }
}

/// The largest column sum of absolute values.
pub(super) fn norm_1(matrix: &DMatrix<f64>) -> f64 {
    matrix.column_iter().map(|column| column.lp_norm(1)).fold(0.0, f64::max)
}

/// Higham's estimate (Accuracy and Stability of Numerical Algorithms, algorithm 15.1): an ascent of ||A^-1 x||_1 over
/// the unit ball, whose corners are the columns of A^-1, and one vector of alternating signs against bad luck.
fn inverse_norm_1(cholesky: &Cholesky<f64, Dyn>) -> f64 {
    let n = cholesky.l_dirty().nrows();
    let mut x = DVector::from_element(n, 1.0 / n as f64);
    let mut estimate = 0.0;
    for _ in 0..SOLVES {
        let y = cholesky.solve(&x);
        let norm = y.lp_norm(1);
        if norm <= estimate {
            break;
        }
        estimate = norm;
        let ascent = cholesky.solve(&y.map(f64::signum));
        let corner = ascent.icamax();
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
    let other = 2.0 * cholesky.solve(&alternating).lp_norm(1) / (3.0 * n as f64);
    estimate.max(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_is_within_a_factor_of_three() {
        for n in [1, 2, 5, 30] {
            for power in [0, 2, 5] {
                let root = DMatrix::from_fn(n, n, |i, j| {
                    ((3 * i + 7 * j * j + 1) as f64).sin() / ((j + 1) as f64).powi(power)
                });
                let matrix = &root * root.transpose() + DMatrix::identity(n, n) * 1e-8;
                let exact = norm_1(&matrix) * norm_1(&matrix.clone().try_inverse().unwrap());
                let found = Factor::new(matrix).unwrap().condition();
                assert!(
                    found <= exact * 1.001 && found >= exact / 3.0,
                    "{n} {power}: {found:e} {exact:e}"
                );
            }
        }
    }

    /// Of rank 1: the second pivot is rounding, of either sign.
    #[test]
    fn a_singular_matrix_is_seen_to_be_one() {
        for a in [0.1, 0.3, 0.7, 1.1, 3.3] {
            let v = DVector::from_vec(vec![a, 1.0 / a, a * a]);
            let condition = Factor::new(&v * v.transpose()).map_or(f64::INFINITY, |factor| factor.condition());
            assert!(condition > 1e15, "{a}: {condition:e}");
        }
    }
}

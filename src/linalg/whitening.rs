//! P with P G P^T = I for a positive definite G, and bounds on the rounding of P.
//!
//! With eigenvalues lambda_1 <= … <= lambda_n and G = V diag(lambda) V^T, P = diag(lambda)^(-1/2) V^T. The computed P is
//! not exact, but it is close to a matrix that is: if ||P G P^T - I||_F <= e1 < 0.1, there is an upper triangular T with
//! ||T - I||_F <= e1 and ||T|| <= 1/sqrt(1 - e1) such that T P whitens G exactly. (With A = P G P^T = R R^T and T = R^-1,
//! S = R - I satisfies sqrt2 ||S||_F <= ||S + S^T||_F <= e1 + ||S||_F^2.) As lambda ascends, T with rows and columns scaled
//! by lambda is no farther from I, which gives ||diag(lambda) T P P^T T^T - I|| <= e2, with
//! e2 = (1 + e1)^2 (1 + e2h) - 1 and e2h >= ||diag(lambda) P P^T - I||_F.

use super::eigen;
use crate::error::Error;
use nalgebra::{DMatrix, DVector};

/// u = 2^-53, the relative error of one operation.
pub(crate) const UNIT: f64 = f64::EPSILON / 2.0;

/// k u / (1 - k u), the relative error of k operations one after the other.
pub(crate) fn gamma(operations: usize) -> f64 {
    let k = operations as f64 * UNIT;
    k / (1.0 - k)
}

/// The largest e1 for which P is of use.
const LARGEST: f64 = 0.1;

/// A matrix P that nearly whitens a symmetric positive definite G, with proven bounds.
#[derive(Clone, Debug)]
pub(crate) struct Whitening {
    /// The eigenvalues of G as computed, smallest first.
    pub eigenvalues: DVector<f64>,
    /// P, n x n: row k belongs to eigenvalue k.
    pub matrix: DMatrix<f64>,
    /// e1 >= ||P G P^T - I||_F.
    pub e1: f64,
    /// e2 >= ||diag(lambda) T P P^T T^T - I||.
    pub e2: f64,
}

impl Whitening {
    /// Whitens G, known as `gram` to within `error` times `sizes`, entry by entry: `sizes` has the sums of the absolute values
    /// of the terms that add up to G. `None` if G is not proved to be positive definite. Costs about 20 n^3 flops.
    ///
    /// Errors: no memory; an eigenvalue iteration that does not converge.
    pub fn new(gram: &DMatrix<f64>, sizes: &DMatrix<f64>, error: f64) -> Result<Option<Self>, Error> {
        let n = gram.nrows();
        let (descending, vectors) = eigen(gram)?;
        let ascending: Vec<usize> = (0..n).rev().collect();
        let eigenvalues = descending.select_rows(&ascending);
        if eigenvalues[0].is_nan() || eigenvalues[0] <= 0.0 {
            return Ok(None);
        }
        let mut matrix = vectors.select_columns(&ascending).transpose();
        for (mut row, eigenvalue) in matrix.row_iter_mut().zip(&eigenvalues) {
            row /= eigenvalue.sqrt();
        }
        let size = matrix.abs();
        let rounding = 1.01 * (error + gamma(2 * n + 4)) * (&size * sizes * size.transpose()).norm();
        let e1 = (distance_from_identity(&matrix * gram * matrix.transpose()) + rounding) * (1.0 + 1e-12);
        if e1.is_nan() || e1 >= LARGEST {
            return Ok(None);
        }
        let scaled = |mut product: DMatrix<f64>| {
            for (mut row, eigenvalue) in product.row_iter_mut().zip(&eigenvalues) {
                row *= *eigenvalue;
            }
            product
        };
        let rounding = 1.01 * gamma(n + 3) * scaled(&size * size.transpose()).norm();
        let e2h = distance_from_identity(scaled(&matrix * matrix.transpose())) + rounding;
        let e2 = ((1.0 + e1).powi(2) * (1.0 + e2h) - 1.0) * (1.0 + 1e-12);
        if e2.is_nan() || e2 >= LARGEST {
            return Ok(None);
        }
        Ok(Some(Self {
            eigenvalues,
            matrix,
            e1,
            e2,
        }))
    }

    /// A proven lower bound on the smallest eigenvalue of G.
    pub fn smallest(&self) -> f64 {
        self.eigenvalues[0] / (1.0 + self.e2) * (1.0 - 1e-12)
    }

    /// A proven upper bound on the largest eigenvalue of G.
    pub fn largest(&self) -> f64 {
        self.eigenvalues[self.eigenvalues.len() - 1] / (1.0 - self.e2) * (1.0 + 1e-12)
    }

    /// c1 = 1/sqrt(1 - e1), a bound on ||T||.
    pub fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.e1).sqrt()
    }
}

/// ||A - I||_F.
fn distance_from_identity(mut matrix: DMatrix<f64>) -> f64 {
    for k in 0..matrix.nrows() {
        matrix[(k, k)] -= 1.0;
    }
    matrix.norm()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn whitens_and_encloses_the_spectrum() {
        for n in [1, 2, 5, 40] {
            let spectrum: Vec<f64> = (0..n).map(|k| 0.8_f64.powi(k) * 3.0).collect();
            let gram = with_spectrum(&spectrum);
            let whitening = Whitening::new(&gram, &gram.abs(), 1e-15).unwrap().unwrap();
            let product = &whitening.matrix * &gram * whitening.matrix.transpose();
            assert!(distance_from_identity(product) <= whitening.e1 && whitening.e1 < 1e-8);
            let (smallest, largest) = (spectrum[spectrum.len() - 1], spectrum[0]);
            assert!(whitening.smallest() <= smallest && whitening.smallest() > smallest * (1.0 - 1e-8));
            assert!(whitening.largest() >= largest && whitening.largest() < largest * (1.0 + 1e-8));
            assert!(whitening.stretch() >= 1.0 && whitening.stretch() < 1.0 + whitening.e1);
        }
    }

    #[test]
    fn makes_no_claim_where_rounding_decides() {
        let hilbert = DMatrix::from_fn(12, 12, |i, j| 1.0 / (i + j + 1) as f64);
        assert!(Whitening::new(&hilbert, &hilbert, 1e-15).unwrap().is_none());
        let zero = DMatrix::zeros(3, 3);
        assert!(Whitening::new(&zero, &zero, 1e-15).unwrap().is_none());
        let gram = with_spectrum(&[1.0, 0.5, 0.1]);
        assert!(Whitening::new(&gram, &gram.abs(), 1e-2).unwrap().is_none());
        assert!(Whitening::new(&gram, &gram.abs(), f64::INFINITY).unwrap().is_none());
    }
}

//! The largest eigenvalue of a symmetric positive semidefinite matrix known by its products.

use super::lanczos::Lanczos;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The bound may lie this far above the eigenvalue, relatively.
const TOLERANCE: f64 = 0.02;

/// Lanczos iterations at most; ten are usual, since kernels of positive activations have one
/// eigenvalue far above the others.
const ITERATIONS: usize = 200;

/// A Ritz value plus its residual norm, once that norm is below 2% of the value.
///
/// `multiply(v, p)` writes the product of the n x n matrix with v into p. The start vector is
/// fixed, so the result is reproducible. Full reorthogonalisation, O(n k^2) beside k products.
/// NaN where the products are not finite.
pub(crate) fn largest_eigenvalue(n: usize, mut multiply: impl FnMut(&[f64], &mut [f64])) -> f64 {
    let mut space = Lanczos::new(start_vector(n));
    loop {
        let mut product = DVector::zeros(n);
        if let Some(last) = space.basis.last() {
            multiply(last.as_slice(), product.as_mut_slice());
        }
        space.extend(product);
        let size = space.diagonal.len();
        let rest = space.beside[size - 1];
        let (value, share) = leading_ritz_pair(&space.diagonal, &space.beside);
        let bound = rest * share.abs();
        if !(value.is_finite() && bound.is_finite()) {
            return f64::NAN;
        }
        let exhausted = size >= n.min(ITERATIONS) || rest <= f64::EPSILON * value;
        if bound <= TOLERANCE * value || exhausted {
            return value + bound.min(TOLERANCE * value);
        }
    }
}

/// Positive, and not a multiple of anything with symmetry.
fn start_vector(n: usize) -> DVector<f64> {
    DVector::from_fn(n, |i, _| 1.0 + 0.3 * (1.0 + i as f64 * 0.618_033_988_749_895).sin()).normalize()
}

/// The largest eigenvalue of the tridiagonal matrix and the last entry of its eigenvector.
fn leading_ritz_pair(diagonal: &[f64], beside: &[f64]) -> (f64, f64) {
    let k = diagonal.len();
    let tridiagonal = DMatrix::from_fn(k, k, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    });
    if tridiagonal.iter().any(|x| !x.is_finite()) {
        return (f64::NAN, f64::NAN);
    }
    let eigen = SymmetricEigen::new(tridiagonal);
    let top = eigen.eigenvalues.imax();
    (eigen.eigenvalues[top].max(0.0), eigen.eigenvectors[(k - 1, top)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(matrix: &DMatrix<f64>) -> f64 {
        largest_eigenvalue(matrix.nrows(), |v, p| {
            p.copy_from_slice((matrix * DVector::from_column_slice(v)).as_slice());
        })
    }

    #[test]
    fn is_within_two_percent_from_above() {
        for n in [1, 2, 3, 10, 60] {
            for power in [0.5, 2.0, 6.0] {
                let root = DMatrix::from_fn(n, n, |i, j| {
                    ((3 * i + 7 * j * j) as f64).sin() / ((j + 1) as f64).powf(power)
                });
                let matrix = &root * root.transpose();
                let exact = SymmetricEigen::new(matrix.clone()).eigenvalues.max();
                let found = of(&matrix);
                assert!(
                    found >= exact * (1.0 - 1e-9) && found <= 1.02 * exact,
                    "{n} {power}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn knows_zero_and_overflow() {
        assert_eq!(of(&DMatrix::zeros(4, 4)), 0.0);
        assert!(of(&DMatrix::from_element(3, 3, f64::INFINITY)).is_nan());
    }
}

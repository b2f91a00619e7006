//! Bounds on eigenvalues that hold despite rounding.
//!
//! An eigenvalue solver has an error of about n eps times the norm, which for an ill-conditioned matrix exceeds the
//! smallest eigenvalue. A certificate must not rest on that, so an estimate s is verified: if Cholesky's algorithm runs
//! to completion on A = H - s I in floating point, then A + D = R^T R for some |D_ij| <= g sqrt(a_ii a_jj), g = (n + 1)
//! u / (1 - 2 (n + 1) u) (Higham, *Accuracy and Stability of Numerical Algorithms*, theorem 10.3; Rump, *Verification
//! of positive definiteness*, 2006), in whatever order sums are taken. This proves lambda_min(H) >= s - g tr A.

use crate::error::Error;
use crate::kernel::Spectrum;
use crate::linalg::Cholesky;
use crate::memory;
use nalgebra::{DMatrix, DVector};

/// A proven enclosure of the spectrum of a symmetric matrix that is itself known to within some error in the 2-norm.
#[derive(Clone, Debug)]
pub(super) struct Enclosure {
    /// A lower bound on lambda_min.
    pub lambda_min: f64,
    /// An upper bound on lambda_max.
    pub lambda_max: f64,
    /// The solver's lambda_min.
    pub estimate: f64,
    /// estimate - `lambda_min`: the possible rounding error.
    pub slack: f64,
}

impl Enclosure {
    /// Encloses the eigenvalues of every symmetric matrix within `error` of `matrix`, of which only the lower triangle
    /// is read. Costs O(n^3).
    ///
    /// Errors: a matrix that is not finite.
    pub fn new(matrix: &DMatrix<f64>, error: f64) -> Result<Self, Error> {
        let mut matrix = matrix.clone();
        matrix.fill_upper_triangle_with_lower_triangle();
        let spectrum = Spectrum::new(&matrix)?;
        let estimate = spectrum.lambda_min();
        let lambda_min = lower_bound(&matrix, estimate)? - error;
        let lambda_max = -lower_bound(&-matrix, -spectrum.lambda_max())? + error;
        Ok(Self {
            lambda_min,
            lambda_max,
            estimate,
            slack: estimate - lambda_min,
        })
    }
}

/// A proven lower bound on lambda_min, close to a solver's `estimate`.
fn lower_bound(matrix: &DMatrix<f64>, estimate: f64) -> Result<f64, Error> {
    let n = matrix.nrows() as f64;
    let largest = matrix.amax().max(f64::MIN_POSITIVE);
    // The solver's error is a modest multiple of n eps ||H||; after each failed check the slack grows by a factor of 8.
    let mut slack = n * f64::EPSILON * largest;
    for _ in 0..6 {
        let shift = estimate - slack;
        if let Some((_, below)) = factor_below(matrix, shift)? {
            return Ok(shift - below);
        }
        slack *= 8.0;
    }
    // ||H||_2 <= n max |H_ij| holds whatever the solver did.
    Ok(-n * largest)
}

/// The factor of R^T R = H - shift I + D and a bound on ||D||_2; `None` if Cholesky's algorithm breaks down.
pub(super) fn factor_below(matrix: &DMatrix<f64>, shift: f64) -> Result<Option<(Cholesky, f64)>, Error> {
    let n = matrix.nrows();
    let mut shifted = memory::copy("a shifted kernel", matrix)?;
    for i in 0..n {
        shifted[(i, i)] -= shift;
    }
    // EPSILON is 2 u, which leaves room for rounding in the shift and the trace, and for an algorithm that multiplies
    // by rounded reciprocals of the pivots.
    let below = (n as f64 + 4.0) * f64::EPSILON * (shifted.trace() + shift.abs() + matrix.trace().abs());
    Ok(Cholesky::new(shifted)?.map(|factor| (factor, below)))
}

/// An upper bound on lambda_max of a symmetric matrix with entries >= 0, by Collatz and Wielandt:
/// lambda_max <= max_i (M v)_i / v_i for every v > 0. v comes from power iteration, which makes the bound tight.
///
/// Costs 2 n^2 flops per iteration, of which there are at most 500.
pub(super) fn perron_bound(matrix: &DMatrix<f64>) -> f64 {
    let n = matrix.nrows();
    let mut v = DVector::from_element(n, 1.0);
    let mut bound = f64::INFINITY;
    for _ in 0..500 {
        let product = matrix * &v;
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for (p, v) in product.iter().zip(&v) {
            low = low.min(p / v);
            high = high.max(p / v);
        }
        bound = bound.min(high);
        let largest = product.amax();
        if !largest.is_normal() || high - low <= 1e-13 * high {
            break;
        }
        v.zip_apply(&product, |v, p| *v = (p / largest).max(1e-100));
    }
    bound * (1.0 + (n as f64 + 4.0) * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hilbert matrices: at n = 12 the condition number is 1.7e16 and lambda_min = 1.0e-16, far below n eps ||H||.
    #[test]
    fn an_ill_conditioned_matrix_is_not_proved_to_be_definite() {
        let hilbert = |n| DMatrix::from_fn(n, n, |i, j| 1.0 / (i + j + 1) as f64);
        let spectrum = Enclosure::new(&hilbert(4), 0.0).unwrap();
        assert!(
            spectrum.lambda_min <= 9.670230402258e-5 && spectrum.lambda_min > 9.67e-5,
            "{spectrum:?}"
        );
        assert!(
            spectrum.lambda_max >= 1.5002142800592 && spectrum.lambda_max < 1.500215,
            "{spectrum:?}"
        );
        assert!(Enclosure::new(&hilbert(4), 1e-4).unwrap().lambda_min < 0.0);
        assert!(Enclosure::new(&hilbert(12), 0.0).unwrap().lambda_min < 0.0);
    }

    #[test]
    fn encloses_the_spectrum_and_is_tight() {
        for n in [1, 2, 5, 40] {
            let x = DMatrix::from_fn(n, n, |i, j| ((1 + i * n + j) as f64).sin());
            let matrix = &x * x.transpose();
            let spectrum = Enclosure::new(&matrix, 0.0).unwrap();
            let eigenvalues = matrix.symmetric_eigenvalues();
            let allowed = 40.0 * n as f64 * f64::EPSILON * matrix.trace();
            assert!(spectrum.lambda_min <= eigenvalues.min() && spectrum.lambda_max >= eigenvalues.max());
            assert!(spectrum.slack <= allowed && spectrum.lambda_max - eigenvalues.max() <= n as f64 * allowed);
        }
    }

    #[test]
    fn perron_bound_is_an_upper_bound_and_tight() {
        for n in [1, 2, 7, 30] {
            let matrix = DMatrix::from_fn(n, n, |i, j| {
                1.0 + ((i * j) as f64).sin() + if i == j { 2.0 } else { 0.0 }
            });
            let exact = matrix.symmetric_eigenvalues().max();
            let bound = perron_bound(&matrix);
            assert!(
                bound >= exact * (1.0 - 1e-14) && bound <= exact * (1.0 + 1e-11),
                "{bound} {exact}"
            );
        }
        // Decoupled blocks, one of them zero.
        let blocks = DMatrix::from_diagonal(&DVector::from_column_slice(&[1.0, 3.0, 0.0]));
        let bound = perron_bound(&blocks);
        assert!((3.0..3.0 + 1e-12).contains(&bound), "{bound}");
        assert_eq!(perron_bound(&DMatrix::zeros(3, 3)), 0.0);
    }
}

//! Cholesky's factor of G + shift I, and whether it can be trusted.

use crate::error::Error;
use nalgebra::{DMatrix, DVector};

/// The tangent Gram matrix G, and the factor of G + shift I. All of it in `f64`.
#[derive(Clone, Debug, Default)]
pub(super) struct Dense {
    gram: DMatrix<f64>,
    /// Below the diagonal and on it: L with L L^T = G + shift I.
    factor: DMatrix<f64>,
    shift: Option<f64>,
}

impl Dense {
    /// Replaces G.
    ///
    /// Errors: entries that are not finite.
    pub fn set(&mut self, gram: DMatrix<f64>) -> Result<(), Error> {
        if let Some(at) = gram.iter().position(|g| !g.is_finite()) {
            let n = gram.nrows();
            return Err(Error::KernelOverflow {
                what: "the tangent Gram matrix",
                place: format!("samples {} and {}", at % n, at / n),
                value: gram[at],
            });
        }
        self.gram = gram;
        self.shift = None;
        Ok(())
    }

    /// G on and below the diagonal, column by column: what `restore` takes.
    pub fn lower_triangle(&self) -> Vec<f64> {
        let columns = self.gram.column_iter().enumerate();
        columns
            .flat_map(|(j, column)| column.as_slice()[j..].to_vec())
            .collect()
    }

    /// G of `n` samples from its lower triangle, and its factor with this shift.
    pub fn restore(&mut self, n: usize, lower: &[f64], shift: f64) -> Result<(), Error> {
        let mut gram = DMatrix::zeros(n, n);
        let pairs = (0..n).flat_map(|j| (j..n).map(move |i| (i, j)));
        for ((i, j), &g) in pairs.zip(lower) {
            (gram[(i, j)], gram[(j, i)]) = (g, g);
        }
        self.set(gram)?;
        self.try_factor(shift);
        Ok(())
    }

    /// The shift of the factor at hand.
    pub fn shift(&self) -> Option<f64> {
        self.shift
    }

    /// trace(G) / n, the mean eigenvalue.
    pub fn mean_eigenvalue(&self) -> f64 {
        self.gram.trace() / self.gram.nrows().max(1) as f64
    }

    /// Factors G + shift I and returns the shift, which is raised where the factor would be rounding: a factorisation
    /// can go through on a singular matrix.
    ///
    /// n^3 / 3 multiply-adds; none where the factor at hand has this shift.
    pub fn factor(&mut self, shift: f64) -> f64 {
        if self.shift == Some(shift) {
            return shift;
        }
        let trusted = self.least_trusted_shift();
        let shift = if shift >= trusted || (self.try_factor(shift) && self.is_well_conditioned(trusted)) {
            shift
        } else {
            trusted
        };
        if self.shift != Some(shift) && !self.try_factor(shift) {
            // G is positive semidefinite within a rounding far below the trusted shift.
            self.factor = DMatrix::identity(self.gram.nrows(), self.gram.nrows()) * f64::MAX.sqrt();
        }
        self.shift = Some(shift);
        shift
    }

    /// With this shift the condition is at most 1 / (4 n eps), whatever the spectrum of G.
    fn least_trusted_shift(&self) -> f64 {
        let n = self.gram.nrows() as f64;
        (4.0 * n * f64::EPSILON * self.gram.trace()).max(f64::MIN_POSITIVE)
    }

    /// Whether the least eigenvalue of the matrix just factored stands out of the rounding: ||A^-1|| <= 1 / trusted.
    fn is_well_conditioned(&self, trusted: f64) -> bool {
        inverse_norm(&self.factor) * trusted <= 1.0
    }

    fn try_factor(&mut self, shift: f64) -> bool {
        let n = self.gram.nrows();
        if self.factor.shape() == (n, n) {
            self.factor.copy_from(&self.gram);
        } else {
            self.factor.clone_from(&self.gram);
        }
        for i in 0..n {
            self.factor[(i, i)] += shift;
        }
        let done = cholesky(&mut self.factor);
        self.shift = done.then_some(shift);
        done
    }

    /// (G + shift I)^-1 `rhs`, in place of it, for the factor at hand.
    pub fn solve(&self, rhs: &mut DVector<f64>) {
        solve(&self.factor, rhs);
    }
}

fn solve(lower: &DMatrix<f64>, rhs: &mut DVector<f64>) {
    // The diagonal of a factor has no zeros, so neither of them fails.
    lower.solve_lower_triangular_mut(rhs);
    lower.tr_solve_lower_triangular_mut(rhs);
}

/// The factor in place of the matrix (what stands above the diagonal is of no meaning); false where there is none.
#[cfg(not(feature = "faer"))]
fn cholesky(matrix: &mut DMatrix<f64>) -> bool {
    match nalgebra::Cholesky::new(std::mem::take(matrix)) {
        Some(factor) => {
            *matrix = factor.unpack_dirty();
            true
        }
        None => false,
    }
}

/// The factor in place of the matrix (what stands above the diagonal is of no meaning); false where there is none. On one
/// thread, so that the bits don't depend on their number.
#[cfg(feature = "faer")]
fn cholesky(matrix: &mut DMatrix<f64>) -> bool {
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
    use faer::{Par, Spec};
    let n = matrix.nrows();
    let room = cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default());
    let Ok(mut room) = MemBuffer::try_new(room) else {
        return false;
    };
    let view = faer::MatMut::from_column_major_slice_mut(matrix.as_mut_slice(), n, n);
    let (plain, room) = (LltRegularization::default(), MemStack::new(&mut room));
    cholesky_in_place(view, plain, Par::Seq, room, Spec::default()).is_ok()
}

/// A lower bound of ||A^-1||_1 for A = L L^T that is nearly always within a factor of 3 (Hager 1984, Higham 1988): a few
/// solves, n^2 each.
fn inverse_norm(lower: &DMatrix<f64>) -> f64 {
    let n = lower.nrows();
    let mut x = DVector::from_element(n, 1.0 / n.max(1) as f64);
    let mut norm = 0.0;
    for _ in 0..5 {
        let mut y = x.clone();
        solve(lower, &mut y);
        let found = y.lp_norm(1);
        if !found.is_finite() {
            return f64::INFINITY;
        }
        if found <= norm {
            break;
        }
        norm = found;
        let mut z = y.map(f64::signum);
        solve(lower, &mut z);
        let steepest = z.iamax();
        if z[steepest].abs() <= z.dot(&x) {
            break;
        }
        x.fill(0.0);
        x[steepest] = 1.0;
    }
    // A vector that defeats cancellation.
    let mut y = DVector::from_fn(n, |i, _| {
        let size = 1.0 + i as f64 / (n as f64 - 1.0).max(1.0);
        if i % 2 == 0 { size } else { -size }
    });
    solve(lower, &mut y);
    norm.max(2.0 * y.lp_norm(1) / (3.0 * n.max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q diag(spectrum) Q^T for an orthogonal Q that mixes everything.
    fn with_spectrum(spectrum: &[f64]) -> DMatrix<f64> {
        let n = spectrum.len();
        let mix = DMatrix::from_fn(n, n, |i, j| ((3 * i + 7 * j + 5 * i * j + 1) as f64).sin());
        let q = mix.qr().q();
        let matrix = &q * DMatrix::from_diagonal(&DVector::from_column_slice(spectrum)) * q.transpose();
        (&matrix + matrix.transpose()) / 2.0
    }

    #[test]
    fn the_norm_of_the_inverse_is_estimated_within_a_factor_of_three() {
        for n in [1, 2, 5, 30, 120_usize] {
            for power in [0, 3, 9] {
                let spectrum: Vec<f64> = (0..n)
                    .map(|i| 10f64.powf(-f64::from(power) * i as f64 / n as f64))
                    .collect();
                let matrix = with_spectrum(&spectrum);
                let mut lower = matrix.clone();
                assert!(cholesky(&mut lower));
                let exact = matrix.try_inverse().map_or(f64::NAN, |inverse| {
                    inverse.column_iter().map(|c| c.lp_norm(1)).fold(0.0, f64::max)
                });
                let found = inverse_norm(&lower);
                assert!(
                    found <= exact * (1.0 + 1e-6) && found >= exact / 3.0,
                    "{n} {power}: {found:e}, not {exact:e}"
                );
            }
        }
    }

    #[test]
    fn a_sound_matrix_is_solved_without_a_shift() {
        for n in [1, 2, 7, 64] {
            let spectrum: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
            let mut dense = Dense::default();
            dense.set(with_spectrum(&spectrum)).unwrap();
            assert_eq!(dense.factor(0.0), 0.0);
            let x = DVector::from_fn(n, |i, _| (i as f64).cos());
            let mut rhs = with_spectrum(&spectrum) * &x;
            dense.solve(&mut rhs);
            assert!((rhs - x).amax() < 1e-12);
        }
    }

    #[test]
    fn a_singular_matrix_is_damped_even_where_cholesky_goes_through() {
        let mut went_through = 0;
        for n in 2..40_u32 {
            // Rank n - 1, and rounding on top.
            let spectrum: Vec<f64> = (0..n).map(f64::from).collect();
            let matrix = with_spectrum(&spectrum);
            went_through += usize::from(cholesky(&mut matrix.clone()));
            let mut dense = Dense::default();
            dense.set(matrix).unwrap();
            let shift = dense.factor(0.0);
            assert!(shift > 0.0, "{n}");
            // The 1-norm is at most sqrt(n) times the 2-norm.
            assert!(inverse_norm(&dense.factor) <= 1.1 * f64::from(n).sqrt() / shift, "{n}");
        }
        assert!(went_through > 0, "the case that the estimate is for");
    }

    #[test]
    fn zero_and_overflow() {
        let mut dense = Dense::default();
        dense.set(DMatrix::zeros(3, 3)).unwrap();
        assert!(dense.factor(0.0) > 0.0);
        let error = dense.set(DMatrix::from_element(2, 2, f64::INFINITY)).unwrap_err();
        assert!(error.to_string().contains("samples 0 and 0"), "{error}");
    }

    #[test]
    fn a_restored_factor_has_the_same_bits() {
        let spectrum: Vec<f64> = (0..9).map(|i| 1.0 + f64::from(i)).collect();
        let (mut one, mut other) = (Dense::default(), Dense::default());
        one.set(with_spectrum(&spectrum)).unwrap();
        let shift = one.factor(0.1);
        other.restore(9, &one.lower_triangle(), shift).unwrap();
        assert_eq!(other.shift(), Some(shift));
        assert_eq!(one.factor.lower_triangle(), other.factor.lower_triangle());
    }
}

//! The tangent Gram matrix G, and a reliable factor of G + shift I.

use crate::error::Error;
use crate::linalg::Cholesky;
use crate::memory;
use nalgebra::{DMatrix, DVector};

/// G and the factor of G + shift I, in `f64`.
#[derive(Clone, Debug, Default)]
pub(super) struct Dense {
    gram: DMatrix<f64>,
    factor: Option<Cholesky>,
    /// The shift of the factor.
    shift: Option<f64>,
}

impl Dense {
    /// Replaces G.
    ///
    /// Errors: an entry that is not finite.
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

    /// G on and below the diagonal, column by column, as [`restore`](Self::restore) takes it.
    pub fn lower_triangle(&self) -> Vec<f64> {
        let columns = self.gram.column_iter().enumerate();
        columns
            .flat_map(|(j, column)| column.as_slice()[j..].to_vec())
            .collect()
    }

    /// Restores G, n x n, from its lower triangle, and the factor with this shift.
    pub fn restore(&mut self, n: usize, lower: &[f64], shift: f64) -> Result<(), Error> {
        let mut gram = memory::square("the tangent Gram matrix", n)?;
        let pairs = (0..n).flat_map(|j| (j..n).map(move |i| (i, j)));
        for ((i, j), &g) in pairs.zip(lower) {
            (gram[(i, j)], gram[(j, i)]) = (g, g);
        }
        self.set(gram)?;
        self.try_factor(shift)?;
        Ok(())
    }

    /// The shift of the current factor.
    pub fn shift(&self) -> Option<f64> {
        self.shift
    }

    /// trace(G) / n, the mean eigenvalue.
    pub fn mean_eigenvalue(&self) -> f64 {
        self.gram.trace() / self.gram.nrows().max(1) as f64
    }

    /// Factors G + shift I and returns the shift, which is raised if the factor would be mostly rounding: Cholesky can
    /// succeed on a singular matrix.
    ///
    /// n^3 / 3 flops; none if the current factor has this shift.
    pub fn factor(&mut self, shift: f64) -> Result<f64, Error> {
        if self.shift == Some(shift) {
            return Ok(shift);
        }
        // With this shift the condition number is at most 1 / (4 n eps), whatever the spectrum of G.
        let n = self.gram.nrows() as f64;
        let trusted = (4.0 * n * f64::EPSILON * self.gram.trace()).max(f64::MIN_POSITIVE);
        if shift < trusted && !(self.try_factor(shift)? && self.is_well_conditioned(trusted)) {
            return self.factor(trusted);
        }
        if self.shift != Some(shift) {
            // G is positive semidefinite up to rounding far below the trusted shift.
            self.try_factor(shift)?;
        }
        self.shift = Some(shift);
        Ok(shift)
    }

    /// Whether the smallest eigenvalue of the matrix A just factored is well above rounding: ||A^-1|| <= 1 / trusted.
    fn is_well_conditioned(&self, trusted: f64) -> bool {
        let inverse = self.factor.as_ref().map_or(f64::INFINITY, Cholesky::inverse_norm_1);
        inverse * trusted <= 1.0
    }

    fn try_factor(&mut self, shift: f64) -> Result<bool, Error> {
        let mut matrix = match self.factor.take().map(Cholesky::into_matrix) {
            Some(mut matrix) if matrix.shape() == self.gram.shape() => {
                matrix.copy_from(&self.gram);
                matrix
            }
            _ => memory::copy("a Cholesky factor", &self.gram)?,
        };
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += shift;
        }
        self.factor = Cholesky::new(matrix)?;
        self.shift = self.factor.is_some().then_some(shift);
        Ok(self.factor.is_some())
    }

    /// (G + shift I)^-1 `right`, by the current factor; 0 if there is none.
    pub fn solve(&self, right: &DVector<f64>) -> DVector<f64> {
        match &self.factor {
            Some(factor) => factor.solve(right),
            None => DVector::zeros(right.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn a_well_conditioned_matrix_is_solved_without_a_shift() {
        for n in [1, 2, 7, 64] {
            let spectrum: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
            let mut dense = Dense::default();
            dense.set(with_spectrum(&spectrum)).unwrap();
            assert_eq!(dense.factor(0.0).unwrap(), 0.0);
            let x = DVector::from_fn(n, |i, _| (i as f64).cos());
            let right = with_spectrum(&spectrum) * &x;
            assert!((dense.solve(&right) - x).amax() < 1e-12);
        }
    }

    #[test]
    fn a_singular_matrix_is_damped_even_if_cholesky_succeeds() {
        let mut succeeded = 0;
        for n in 2..40_u32 {
            // Rank n - 1, up to rounding.
            let spectrum: Vec<f64> = (0..n).map(f64::from).collect();
            let matrix = with_spectrum(&spectrum);
            succeeded += usize::from(Cholesky::new(matrix.clone()).unwrap().is_some());
            let mut dense = Dense::default();
            dense.set(matrix).unwrap();
            let shift = dense.factor(0.0).unwrap();
            assert!(shift > 0.0, "{n}");
            // The 1-norm is at most sqrt(n) times the 2-norm.
            let inverse = dense.factor.unwrap().inverse_norm_1();
            assert!(inverse <= 1.1 * f64::from(n).sqrt() / shift, "{n}");
        }
        assert!(succeeded > 0, "the case in which the estimate is needed");
    }

    #[test]
    fn zero_and_overflow() {
        let mut dense = Dense::default();
        dense.set(DMatrix::zeros(3, 3)).unwrap();
        assert!(dense.factor(0.0).unwrap() > 0.0);
        let error = dense.set(DMatrix::from_element(2, 2, f64::INFINITY)).unwrap_err();
        assert!(error.to_string().contains("samples 0 and 0"), "{error}");
    }

    #[test]
    fn a_restored_factor_has_the_same_bits() {
        let spectrum: Vec<f64> = (0..9).map(|i| 1.0 + f64::from(i)).collect();
        let (mut one, mut other) = (Dense::default(), Dense::default());
        one.set(with_spectrum(&spectrum)).unwrap();
        let shift = one.factor(0.1).unwrap();
        other.restore(9, &one.lower_triangle(), shift).unwrap();
        assert_eq!(other.shift(), Some(shift));
        let lower = |dense: Dense| dense.factor.unwrap().into_matrix().lower_triangle();
        assert_eq!(lower(one), lower(other));
    }
}

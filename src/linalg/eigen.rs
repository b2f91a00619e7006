//! Eigenvalues and eigenvectors of a symmetric matrix.

use super::backend;
use crate::error::Error;
use crate::numbers::power_of_two;
use nalgebra::{DMatrix, DVector};

/// The eigenvalues of a symmetric matrix that is finite and not empty, largest first, with an error of about n epsilon
/// times the largest absolute value.
///
/// Costs 4/3 n^3 flops. Errors: no memory for the workspace; an iteration that does not converge.
pub(crate) fn eigenvalues(matrix: &DMatrix<f64>) -> Result<DVector<f64>, Error> {
    let unit = power_of_two(matrix.amax());
    Ok(backend::eigenvalues(matrix, unit)? * unit)
}

/// The eigenvalues, as above, and the eigenvectors, n x n: column k belongs to eigenvalue k.
///
/// Costs about 9 n^3 flops.
pub(crate) fn eigen(matrix: &DMatrix<f64>) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
    let unit = power_of_two(matrix.amax());
    let (values, vectors) = backend::eigen(matrix, unit)?;
    Ok((values * unit, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn zeros_and_rank_one_at_the_ends_of_the_range() {
        assert_eq!(eigenvalues(&DMatrix::zeros(4, 4)).unwrap(), DVector::zeros(4));
        for scale in [1.0, 1e-300, 1e300, f64::MIN_POSITIVE] {
            let matrix = DMatrix::from_element(5, 5, scale);
            for values in [eigenvalues(&matrix).unwrap(), eigen(&matrix).unwrap().0] {
                assert!((values[0] / scale - 5.0).abs() < 1e-14, "{scale:e}: {values}");
                assert!(
                    values.iter().skip(1).all(|value| value.abs() < 1e-14 * scale),
                    "{scale:e}: {values}"
                );
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        for n in [40, 300] {
            let spectrum: Vec<f64> = (0..n).map(|k| 0.9_f64.powi(k)).collect();
            let matrix = with_spectrum(&spectrum);
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| (eigen(&matrix).unwrap(), eigenvalues(&matrix).unwrap()))
            };
            let one = on(1);
            assert!((2..=3).all(|threads| on(threads) == one), "{n}");
        }
    }
}

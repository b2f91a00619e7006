//! Eigenvalues and eigenvectors of a symmetric matrix.

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

fn not_converged(iterations: usize) -> Error {
    Error::NotConverged {
        what: "the eigenvalue iteration",
        iterations,
        remedy: "this is not known to happen for finite kernels; please report the matrix",
    }
}

#[cfg(feature = "faer")]
pub(super) fn out_of_memory(what: &'static str, n: usize) -> Error {
    Error::OutOfMemory {
        what,
        numbers: n.saturating_mul(n),
        remedy: "use fewer samples, or a method without n x n matrices",
    }
}

/// Divide and conquer, by faer.
#[cfg(feature = "faer")]
mod backend {
    use super::{not_converged, out_of_memory};
    use crate::error::Error;
    use crate::linalg::Threads;
    use crate::memory;
    use faer::diag::DiagMut;
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::linalg::evd::{ComputeEigenvectors, EvdError, self_adjoint_evd, self_adjoint_evd_scratch};
    use faer::{MatMut, MatRef, Spec};
    use nalgebra::{DMatrix, DVector};

    pub fn eigenvalues(matrix: &DMatrix<f64>, unit: f64) -> Result<DVector<f64>, Error> {
        let mut values = decompose(matrix, unit, None)?;
        values.as_mut_slice().reverse();
        Ok(values)
    }

    pub fn eigen(matrix: &DMatrix<f64>, unit: f64) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
        let n = matrix.nrows();
        let mut vectors = memory::square("the eigenvectors", n)?;
        let mut values = decompose(matrix, unit, Some(&mut vectors))?;
        values.as_mut_slice().reverse();
        (0..n / 2).for_each(|k| vectors.swap_columns(k, n - 1 - k));
        Ok((values, vectors))
    }

    /// The eigenvalues of `matrix` / `unit`, smallest first.
    fn decompose(matrix: &DMatrix<f64>, unit: f64, vectors: Option<&mut DMatrix<f64>>) -> Result<DVector<f64>, Error> {
        let n = matrix.nrows();
        let mut scaled = memory::copy("a scaled kernel matrix", matrix)?;
        scaled /= unit;
        let (par, params) = (Threads::of(n).into(), Spec::default());
        let compute = if vectors.is_some() {
            ComputeEigenvectors::Yes
        } else {
            ComputeEigenvectors::No
        };
        let scratch = self_adjoint_evd_scratch::<f64>(n, compute, par, params);
        let mut scratch = MemBuffer::try_new(scratch).map_err(|_| out_of_memory("the eigenvalues", n))?;
        let mut values = DVector::zeros(n);
        let found = self_adjoint_evd(
            MatRef::from_column_major_slice(scaled.as_slice(), n, n),
            DiagMut::from_slice_mut(values.as_mut_slice()),
            vectors.map(|vectors| MatMut::from_column_major_slice_mut(vectors.as_mut_slice(), n, n)),
            par,
            MemStack::new(&mut scratch),
            params,
        );
        match found {
            Ok(()) => Ok(values),
            Err(EvdError::NoConvergence) => Err(not_converged(n)),
        }
    }
}

/// QR iteration, by nalgebra. Without eigenvectors bisection instead, which always terminates and is no less accurate.
#[cfg(not(feature = "faer"))]
mod backend {
    use super::not_converged;
    use crate::error::Error;
    use crate::linalg::tridiagonal;
    use nalgebra::linalg::SymmetricTridiagonal;
    use nalgebra::{DMatrix, DVector, SymmetricEigen};

    /// The maximum number of QR iterations per eigenvalue; two are usual.
    const MAX_ITERATIONS: usize = 100;

    #[expect(clippy::unnecessary_wraps, reason = "fallible with faer")]
    pub fn eigenvalues(matrix: &DMatrix<f64>, unit: f64) -> Result<DVector<f64>, Error> {
        let (diagonal, off_diagonal) = SymmetricTridiagonal::new(matrix / unit).unpack_tridiagonal();
        let values = tridiagonal::eigenvalues(diagonal.as_slice(), off_diagonal.as_slice());
        Ok(DVector::from_vec(values))
    }

    pub fn eigen(matrix: &DMatrix<f64>, unit: f64) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
        // Adding 1 to every eigenvalue keeps rounding noise, and numbers whose squares underflow, off the diagonal: on
        // those the relative convergence test can hang.
        let shifted = matrix / unit + DMatrix::identity(matrix.nrows(), matrix.nrows());
        let iterations = MAX_ITERATIONS * matrix.nrows();
        let found = SymmetricEigen::try_new(shifted, f64::EPSILON, iterations);
        let found = found.ok_or_else(|| not_converged(iterations))?;
        let values = found.eigenvalues.add_scalar(-1.0);
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        Ok((values.select_rows(&order), found.eigenvectors.select_columns(&order)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn finds_the_spectrum_and_its_vectors() {
        for n in [1, 2, 3, 17, 120, 300_usize] {
            let spectrum: Vec<f64> = (0..n).map(|k| (n - k) as f64 - 0.5 * n as f64).collect();
            let matrix = with_spectrum(&spectrum);
            let close = 1e-14 * (n * n) as f64;
            let exact = DVector::from_vec(spectrum);
            let (values, vectors) = eigen(&matrix).unwrap();
            assert!((&values - &exact).amax() < close, "{n}");
            assert!((eigenvalues(&matrix).unwrap() - &exact).amax() < close, "{n}");
            let back = &vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
            assert!((back - &matrix).amax() < close, "{n}");
            assert!(
                (vectors.tr_mul(&vectors) - DMatrix::identity(n, n)).amax() < close,
                "{n}"
            );
        }
    }

    #[test]
    fn zeros_rank_one_and_the_ends_of_the_range() {
        let zeros = DMatrix::zeros(4, 4);
        assert_eq!(eigenvalues(&zeros).unwrap(), DVector::zeros(4));
        assert_eq!(eigen(&zeros).unwrap().0, DVector::zeros(4));
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

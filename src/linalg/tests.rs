//! Both backends, whichever the library uses, and matrices for the tests of the other files.

use super::{Threads, by_nalgebra};
use crate::error::Error;
use nalgebra::{DMatrix, DVector};

/// Q diag(spectrum) Q^T for a dense orthogonal Q.
pub fn with_spectrum(spectrum: &[f64]) -> DMatrix<f64> {
    let n = spectrum.len();
    let mix = DMatrix::from_fn(n, n, |i, j| ((3 * i + 7 * j + 5 * i * j + 1) as f64).sin());
    let q = mix.qr().q();
    let matrix = &q * DMatrix::from_diagonal(&DVector::from_column_slice(spectrum)) * q.transpose();
    (&matrix + matrix.transpose()) / 2.0
}

type Eigen = Result<(DVector<f64>, DMatrix<f64>), Error>;

struct Backend {
    name: &'static str,
    factor: fn(&mut DMatrix<f64>, Threads) -> Result<bool, Error>,
    inverse_columns: fn(&DMatrix<f64>, usize, usize) -> DMatrix<f64>,
    invert: fn(&mut DMatrix<f64>),
    eigenvalues: fn(&DMatrix<f64>, f64) -> Result<DVector<f64>, Error>,
    eigen: fn(&DMatrix<f64>, f64) -> Eigen,
}

fn backends() -> Vec<Backend> {
    vec![
        #[cfg(feature = "faer")]
        Backend {
            name: "faer",
            factor: super::by_faer::factor,
            inverse_columns: super::by_faer::inverse_columns,
            invert: super::by_faer::invert,
            eigenvalues: super::by_faer::eigenvalues,
            eigen: super::by_faer::eigen,
        },
        Backend {
            name: "nalgebra",
            factor: by_nalgebra::factor,
            inverse_columns: by_nalgebra::inverse_columns,
            invert: by_nalgebra::invert,
            eigenvalues: by_nalgebra::eigenvalues,
            eigen: by_nalgebra::eigen,
        },
    ]
}

#[test]
fn backends_factor_and_invert() {
    for backend in backends() {
        for n in [1, 2, 7, 64, 300_usize] {
            let name = format!("{} {n}", backend.name);
            let matrix = with_spectrum(&(0..n).map(|i| 1.0 + i as f64).collect::<Vec<_>>());
            let mut lower = matrix.clone();
            assert!((backend.factor)(&mut lower, Threads::of(n)).unwrap(), "{name}");
            let factor = lower.lower_triangle();
            assert!(
                (&factor * factor.transpose() - &matrix).amax() < 1e-14 * (n * n) as f64,
                "{name}"
            );

            let identity = DMatrix::identity(n, n);
            let mut inverse = factor.clone();
            (backend.invert)(&mut inverse);
            let inverse = inverse.lower_triangle();
            assert!((&factor * &inverse - &identity).amax() < 1e-12, "{name}");
            let (first, count) = (n / 3, (n - n / 3).min(5));
            let columns = (backend.inverse_columns)(&lower, first, count);
            let expected = inverse.view((first, first), (n - first, count));
            assert!((columns - expected).amax() < 1e-13, "{name}");

            let last = n - 1;
            let mut indefinite = matrix;
            indefinite[(last, last)] = -1.0;
            assert!(!(backend.factor)(&mut indefinite, Threads::of(n)).unwrap(), "{name}");
        }
    }
}

#[test]
fn backends_find_the_spectrum_and_its_vectors() {
    for backend in backends() {
        for n in [1, 2, 3, 17, 120, 300_usize] {
            let name = format!("{} {n}", backend.name);
            let spectrum: Vec<f64> = (0..n).map(|k| (n - k) as f64 - 0.5 * n as f64).collect();
            let matrix = with_spectrum(&spectrum);
            let close = 1e-14 * (n * n) as f64;
            let exact = DVector::from_vec(spectrum) / 4.0;
            let (values, vectors) = (backend.eigen)(&matrix, 4.0).unwrap();
            assert!((&values - &exact).amax() < close, "{name}");
            assert!(
                ((backend.eigenvalues)(&matrix, 4.0).unwrap() - &exact).amax() < close,
                "{name}"
            );
            let back = &vectors * DMatrix::from_diagonal(&(values * 4.0)) * vectors.transpose();
            assert!((back - &matrix).amax() < close, "{name}");
            let gram = vectors.tr_mul(&vectors);
            assert!((gram - DMatrix::identity(n, n)).amax() < close, "{name}");
        }
    }
}

/// All eigenvalues but a few are rounding noise, on which a relative test of convergence may never hold.
#[test]
fn backends_converge_for_zeros_rank_one_and_steep_spectra() {
    for backend in backends() {
        let name = backend.name;
        let zeros = DMatrix::zeros(4, 4);
        assert_eq!((backend.eigenvalues)(&zeros, 1.0).unwrap(), DVector::zeros(4), "{name}");
        assert_eq!((backend.eigen)(&zeros, 1.0).unwrap().0, DVector::zeros(4), "{name}");
        let steep: Vec<f64> = (0..60).map(|k| 10f64.powi(-5 * k)).collect();
        for matrix in [DMatrix::from_element(5, 5, 0.2), with_spectrum(&steep)] {
            for values in [
                (backend.eigenvalues)(&matrix, 1.0).unwrap(),
                (backend.eigen)(&matrix, 1.0).unwrap().0,
            ] {
                assert!((values[0] - 1.0).abs() < 1e-14, "{name}: {values}");
                assert!(
                    values.iter().skip(1).all(|value| value.abs() < 1.1e-5),
                    "{name}: {values}"
                );
            }
        }
    }
}

//! Eigenvalues: closed forms, tables, 60 digits, and two algorithms that agree.

use crate::support::digits::{self, columns, network, number};
use crate::support::problems::table_points;
use expnet::Float;
use expnet::kernel::{Spectrum, empirical_kernel, limit_kernel};
use nalgebra::{DMatrix, DVector, dmatrix};
use std::f64::consts::E;

#[test]
fn closed_forms() {
    // 60 degrees: e^2 -+ e^1.5 / 2. Opposite: e^2 -+ 1.
    let spectrum = |points| Spectrum::new(&limit_kernel(&points, 1.0).unwrap()).unwrap();
    let sixty = spectrum(dmatrix![1.0, 0.5; 0.0, 0.75_f64.sqrt()]);
    assert!((sixty.lambda_min() - 5.148_211_563_761_618).abs() < 4e-15, "{sixty:?}");
    assert!((sixty.lambda_max() - 9.629_900_634_099_683).abs() < 4e-15, "{sixty:?}");
    let opposite = spectrum(dmatrix![1.0, -1.0]);
    assert!((opposite.lambda_min() - (E * E - 1.0)).abs() < 4e-15, "{opposite:?}");
    assert!((opposite.lambda_max() - (E * E + 1.0)).abs() < 4e-15, "{opposite:?}");
}

#[test]
fn six_digits_of_the_table() {
    let rows = [
        (8, 4, 1.0, 0.250122, 15.9393),
        (32, 8, 1.0, 0.110287, 24.8637),
        (8, 4, 0.3, 0.00387321, 3.57234),
        (32, 8, 0.3, 0.000738254, 7.09587),
    ];
    for (n, d, sigma, least, largest) in rows {
        let spectrum = Spectrum::new(&limit_kernel(&table_points(n, d), sigma).unwrap()).unwrap();
        for (found, printed) in [(spectrum.lambda_min(), least), (spectrum.lambda_max(), largest)] {
            assert_eq!(
                format!("{found:.5e}"),
                format!("{printed:.5e}"),
                "n = {n}, d = {d}, sigma = {sigma}"
            );
        }
    }
}

/// Extreme eigenvalues against 60 digits, within the tolerances that tests/data/README.md states.
fn golden<T: Float>(tolerance: f64) {
    for case in &digits::golden() {
        let points = columns::<T>(&case["x"]);
        let kernels = [
            ("H0", empirical_kernel(&network::<T>(case), &points).unwrap()),
            ("Hcts", limit_kernel(&points, 1.0).unwrap()),
        ];
        for (name, kernel) in kernels {
            // Exponents of 200: rounding the points to f32 alone changes entries by 200 times that rounding, and the README
            // leaves this value out of the f32 tests.
            if T::NAME == "f32" && name == "Hcts" && case["name"] == "large_4x2x10" {
                assert_eq!(kernel, limit_kernel(&points.map(Float::as_f64), 1.0).unwrap());
                continue;
            }
            let expect = |end| number(&case["expect"][format!("{name}_lambda_{end}")]);
            let spectrum = Spectrum::new(&kernel).unwrap();
            for (found, exact) in [
                (spectrum.lambda_min(), expect("min")),
                (spectrum.lambda_max(), expect("max")),
            ] {
                let error = (found - exact).abs() / expect("max");
                assert!(
                    error <= tolerance,
                    "{}, {name} in {}: {found:e}, not {exact:e} ({error:e})",
                    case["name"],
                    T::NAME
                );
            }
        }
    }
}

#[test]
fn golden_in_f64() {
    golden::<f64>(1e-12);
}

#[test]
fn golden_in_f32() {
    golden::<f32>(1e-5);
}

#[test]
fn ranks() {
    let diagonal =
        |values: &[f64]| Spectrum::new(&DMatrix::from_diagonal(&DVector::from_column_slice(values))).unwrap();
    let spectrum = diagonal(&[1e-3, 4.0, 1e-18, 1.0]);
    assert_eq!(spectrum.rank(), 3);
    assert!(spectrum.condition().is_infinite());
    assert!((spectrum.trace() - 5.001).abs() < 1e-14);
    let two = diagonal(&[0.25, 0.75]);
    let entropy = -0.25 * 0.25_f64.ln() - 0.75 * 0.75_f64.ln();
    assert!((two.effective_rank() - entropy.exp()).abs() < 1e-14);
    let none = diagonal(&[0.0; 3]);
    assert_eq!((none.rank(), none.effective_rank(), none.lambda_max()), (0, 0.0, 0.0));
    assert!(none.condition().is_infinite());
}

/// Values from 1 down to 1e-30 with rounding noise below: the usual spectrum of these kernels.
#[test]
fn both_ways_to_the_eigenvalues_agree() {
    for n in [1, 2, 3, 20, 70] {
        let kernel = limit_kernel(&table_points(n, 2), 1.0).unwrap();
        let (values, all) = (
            Spectrum::new(&kernel).unwrap(),
            Spectrum::with_eigenvectors(&kernel).unwrap(),
        );
        let close = 4.0 * values.resolution();
        assert!((values.eigenvalues() - all.eigenvalues()).amax() <= close, "{n}");
        let vectors = all.eigenvectors().unwrap();
        let rebuilt = vectors * DMatrix::from_diagonal(all.eigenvalues()) * vectors.transpose();
        assert!((rebuilt - &kernel).amax() <= close, "{n}");
        assert!(
            (vectors.tr_mul(vectors) - DMatrix::identity(n, n)).amax() < 1e-13,
            "{n}"
        );
        assert!(values.eigenvectors().is_none());
        let sorted = |spectrum: &Spectrum| spectrum.eigenvalues().as_slice().is_sorted_by(|a, b| a >= b);
        assert!(sorted(&values) && sorted(&all));
    }
}

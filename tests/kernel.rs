//! Kernels and their spectra: closed forms, tables, 60-digit values, Monte Carlo, and what holds for all points.

mod common;

use common::{data, net};
use expnet::kernel::{Degeneracy, Spectrum, degenerate_points, empirical_kernel, limit_kernel};
use expnet::{ExpNetwork, Float, Initializer};
use nalgebra::{DMatrix, DVector, SymmetricEigen, dmatrix};
use proptest::prelude::*;
use serde_json::Value;
use std::f64::consts::E;

/// Unit vectors x_ik = sin(1 + i d + k + 0.37 i k), normalised: the points of the theory's tables.
fn table_points(n: usize, d: usize) -> DMatrix<f64> {
    let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    points
}

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

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .map_or_else(|| value.as_f64().unwrap(), |digits| digits.parse().unwrap())
}

/// Rows of the file are columns here.
fn columns<T: Float>(value: &Value) -> DMatrix<T> {
    let rows = value.as_array().unwrap();
    DMatrix::from_fn(rows[0].as_array().unwrap().len(), rows.len(), |k, r| {
        T::lit(number(&rows[r][k]))
    })
}

/// Extreme eigenvalues against 60 digits, within the tolerances that tests/data/README.md states.
fn golden<T: Float>(tolerance: f64) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let points = columns::<T>(&case["x"]);
        let signs: Vec<T> = case["a"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| T::lit(number(a)))
            .collect();
        let net = ExpNetwork::from_parts(columns(&case["w"]), DVector::from_vec(signs)).unwrap();
        let kernels = [
            ("H0", empirical_kernel(&net, &points).unwrap()),
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

/// The largest distance of entries of H from those of `mean`, in standard errors of a mean over m independent neurons:
/// Var = (x_i.x_j)^2 (exp(2 sigma^2 ||x_i + x_j||^2) - exp(sigma^2 ||x_i + x_j||^2)).
fn standard_errors(
    points: &DMatrix<f64>,
    std_dev: f64,
    empirical: &DMatrix<f64>,
    m: usize,
    mean: &DMatrix<f64>,
) -> f64 {
    let mut worst = 0.0_f64;
    for i in 0..points.ncols() {
        for j in 0..points.ncols() {
            let (x, y) = (points.column(i), points.column(j));
            let s = std_dev * std_dev * (x + y).norm_squared();
            let spread = x.dot(&y).abs() * ((2.0 * s).exp() - s.exp()).sqrt();
            worst = worst.max((empirical[(i, j)] - mean[(i, j)]).abs() / (spread / (m as f64).sqrt()));
        }
    }
    worst
}

#[test]
fn wide_networks_agree_with_the_limit_and_not_with_a_wrong_one() {
    let (n, d, m) = (6, 4, 100_000);
    let points = table_points(n, d);
    for (std_dev, seed) in [(0.3, 1), (0.3, 2), (0.5, 3)] {
        let net = Initializer::new(d, m)
            .std_dev(std_dev)
            .seed(seed)
            .build::<f64>()
            .unwrap();
        let empirical = empirical_kernel(&net, &points).unwrap();
        let limit = limit_kernel(&points, std_dev).unwrap();
        let off = standard_errors(&points, std_dev, &empirical, m, &limit);
        assert!(off <= 4.0, "{off} standard errors");
        // Without the 1/2 in the exponent, which is sigma sqrt 2 for sigma.
        let wrong = limit_kernel(&points, std_dev * 2.0_f64.sqrt()).unwrap();
        let off = standard_errors(&points, std_dev, &empirical, m, &wrong);
        assert!(off > 40.0, "only {off} standard errors");
    }
}

#[test]
fn a_wide_network_in_blocks_is_the_sum_of_its_parts() {
    // More neurons than are packed at a time.
    let (n, d, m) = (3, 2, 5_000_000);
    let net = Initializer::new(d, m).std_dev(0.2).seed(4).build::<f32>().unwrap();
    let points = table_points(n, d).map(f32::lit);
    let found = empirical_kernel(&net, &points).unwrap();
    let mut expected = DMatrix::<f64>::zeros(n, n);
    for w in net.weights().column_iter() {
        let e: Vec<f64> = points
            .column_iter()
            .map(|x| w.map(f64::from).dot(&x.map(f64::from)).exp())
            .collect();
        expected += DMatrix::from_fn(n, n, |i, j| e[i] * e[j]);
    }
    let points = points.map(f64::from);
    expected = expected.component_mul(&points.tr_mul(&points)) / m as f64;
    assert!(
        (&found - &expected).amax() < 1e-12 * expected.amax(),
        "{found} {expected}"
    );
}

#[test]
fn output_weights_count_squared() {
    let (points, plain) = (data::<f64>(5, 3, 1).points().clone(), net::<f64>(3, 40, 1));
    let scaled = ExpNetwork::from_parts(plain.weights().clone(), plain.output_weights() * 3.0).unwrap();
    let (h, nine) = (
        empirical_kernel(&plain, &points).unwrap(),
        empirical_kernel(&scaled, &points).unwrap(),
    );
    assert!((nine - h * 9.0).amax() < 1e-12);
}

#[test]
fn degenerate_points_by_index() {
    let points = dmatrix![
        1.0, 0.0, 1.0, -1.0, 2.0, -0.0, 1.0, 2.0;
        0.0, 0.0, -0.0, 0.0, 0.0, 0.0, 0.0, 1e-300
    ];
    let found = degenerate_points(&points);
    let expected = [
        Degeneracy::Vanishes { point: 1 },
        Degeneracy::Coincides { point: 2, with: 0 },
        Degeneracy::Vanishes { point: 5 },
        Degeneracy::Coincides { point: 6, with: 0 },
    ];
    assert_eq!(found, expected);
    let spectrum = Spectrum::new(&limit_kernel(&points, 0.5).unwrap()).unwrap();
    assert!(
        spectrum.condition().is_infinite() && spectrum.rank() < 5,
        "{spectrum:?}"
    );
    assert!(degenerate_points(&DMatrix::<f32>::zeros(3, 0)).is_empty());
}

#[test]
fn zero_and_equal_points_make_equal_rows() {
    let points = dmatrix![0.3, 0.0, 0.3, -0.2; 0.1, 0.0, 0.1, 0.5];
    let net = net::<f64>(2, 30, 3);
    for kernel in [
        limit_kernel(&points, 0.7).unwrap(),
        empirical_kernel(&net, &points).unwrap(),
    ] {
        assert_eq!(kernel.column(1).amax(), 0.0);
        assert_eq!(kernel.column(0), kernel.column(2));
    }
}

#[test]
fn entries_near_the_ends_of_the_range() {
    // exp(720) overflows, 1e-12 exp(720) does not.
    let found = limit_kernel(&dmatrix![1e-6], 360.0_f64.sqrt() * 1e6).unwrap()[(0, 0)];
    let expected = (720.0 - 12.0 * 10.0_f64.ln()).exp();
    assert!((found / expected - 1.0).abs() < 1e-12, "{found:e} {expected:e}");
    // Orthogonal points at any distance: 0, not 0 times infinity.
    let kernel = limit_kernel(&dmatrix![18.0, 0.0; 0.0, 18.0], 1.0).unwrap();
    assert_eq!(kernel[(0, 1)], 0.0);
    // A spectrum of numbers whose squares overflow, and of numbers whose squares underflow.
    for unit in [1e300, 1e-300] {
        let kernel = dmatrix![2.0, 1.0; 1.0, 2.0] * unit;
        for spectrum in [Spectrum::new(&kernel), Spectrum::with_eigenvectors(&kernel)] {
            let spectrum = spectrum.unwrap();
            assert!((spectrum.lambda_max() / unit - 3.0).abs() < 1e-15, "{spectrum:?}");
            assert!(
                (spectrum.condition() - 3.0).abs() < 1e-14 && spectrum.rank() == 2,
                "{spectrum:?}"
            );
        }
    }
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

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn symmetric_semidefinite_and_without_preference(
        (n, d, m, seed) in (1..=24_usize, 1..=12_usize, 1..=60_usize, any::<u64>()),
        std_dev in 0.0..1.5_f64,
    ) {
        use rand::{SeedableRng, seq::SliceRandom};
        let (points, net) = (data::<f64>(n, d, seed).points().clone(), net::<f64>(d, m, seed));
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
        let permuted = points.select_columns(&order);
        let kernels = [
            (limit_kernel(&points, std_dev).unwrap(), limit_kernel(&permuted, std_dev).unwrap()),
            (empirical_kernel(&net, &points).unwrap(), empirical_kernel(&net, &permuted).unwrap()),
        ];
        for (kernel, permuted) in kernels {
            prop_assert_eq!(&kernel, &kernel.transpose());
            let rearranged = kernel.select_rows(&order).select_columns(&order);
            prop_assert!((&permuted - rearranged).amax() <= 1e-13 * kernel.amax());
            let spectrum = Spectrum::new(&kernel).unwrap();
            prop_assert!(spectrum.lambda_min() >= -spectrum.resolution(), "{spectrum:?}");
            prop_assert!((spectrum.trace() - kernel.trace()).abs() <= spectrum.resolution() * n as f64);
            prop_assert!(spectrum.effective_rank() >= 1.0 - 1e-12 && spectrum.effective_rank() <= n as f64 + 1e-9);
            let oracle = SymmetricEigen::new(kernel).eigenvalues;
            prop_assert!((spectrum.lambda_max() - oracle.max()).abs() <= 4.0 * spectrum.resolution());
            prop_assert!((spectrum.lambda_min() - oracle.min()).abs() <= 4.0 * spectrum.resolution());
        }
    }

    /// c sigma on X / c: the exponents are the same, the products c^2 smaller.
    #[test]
    fn scaling_of_std_dev(
        (n, d, seed) in (1..=24_usize, 1..=12_usize, any::<u64>()),
        (std_dev, c) in (0.0..1.5_f64, 0.1..10.0_f64),
    ) {
        let points = data::<f64>(n, d, seed).points().clone();
        let kernel = limit_kernel(&points, std_dev).unwrap();
        let scaled = limit_kernel(&(points / c), c * std_dev).unwrap() * (c * c);
        prop_assert!((&scaled - &kernel).amax() <= 1e-13 * kernel.amax());
    }

    /// The empirical kernel against the definition, in both scalar types.
    #[test]
    fn empirical_kernel_is_the_gram_matrix_of_the_jacobian(
        (n, d, m, seed) in (1..=24_usize, 1..=12_usize, 1..=60_usize, any::<u64>()),
    ) {
        let (points, net) = (data::<f32>(n, d, seed).points().clone(), net::<f32>(d, m, seed));
        let found = empirical_kernel(&net, &points).unwrap();
        let (x, w) = (points.map(f64::from), net.weights().map(f64::from));
        let jacobian = DMatrix::from_fn(n, d * m, |i, c| {
            let (k, r) = (c % d, c / d);
            f64::from(net.output_weights()[r]) * w.column(r).dot(&x.column(i)).exp() * x[(k, i)]
        });
        let expected = &jacobian * jacobian.transpose() / m as f64;
        prop_assert!((&found - &expected).amax() <= 1e-12 * expected.amax());
        prop_assert_eq!(found, empirical_kernel(&net.cast::<f64>().unwrap(), &x).unwrap());
    }
}

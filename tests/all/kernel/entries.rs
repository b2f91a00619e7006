//! Entries at the ends of the range, and degenerate points.

use crate::support::problems::{data, net};
use expnet::ExpNetwork;
use expnet::kernel::{Degeneracy, Spectrum, degenerate_points, empirical_kernel, limit_kernel};
use nalgebra::{DMatrix, dmatrix};

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

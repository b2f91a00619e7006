//! The empirical kernel of a wide network against the limit, and in blocks.

use crate::support::problems::table_points;
use expnet::kernel::{empirical_kernel, limit_kernel};
use expnet::{Float, Initializer};
use nalgebra::DMatrix;

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

//! The conjugate kernel as the covariance of the outputs of random networks: the table in its documentation.

use crate::support::problems::table_points;
use expnet::kernel::conjugate_kernel;
use expnet::{ExpNetwork, Initializer};
use nalgebra::{DMatrix, DVector};

const SIGMA: f64 = 0.5;
const WIDTH: usize = 16;
const SAMPLES: u64 = 40_000;

/// Mean and covariance of F at the points over random networks.
fn moments(points: &DMatrix<f64>, draw: impl Fn(Initializer) -> ExpNetwork<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let n = points.ncols();
    let (mut sum, mut squares) = (DVector::zeros(n), DMatrix::zeros(n, n));
    for seed in 0..SAMPLES {
        let net = draw(Initializer::new(points.nrows(), WIDTH).std_dev(SIGMA).seed(seed));
        // F by its formula: the oracle knows nothing of the engine.
        let f = points.tr_mul(net.weights()).map(f64::exp) * net.output_weights();
        squares += &f * f.transpose();
        sum += f;
    }
    let mean = sum / SAMPLES as f64;
    let covariance = squares / SAMPLES as f64 - &mean * mean.transpose();
    (mean, covariance)
}

/// Standard errors of about 1 / sqrt(SAMPLES) = 0.005, times some for the heavy tails.
#[track_caller]
fn close(found: &DMatrix<f64>, exact: &DMatrix<f64>, off_by: f64) {
    let off = (found - exact).amax() / exact.amax();
    assert!(off < off_by, "{off}: {found} {exact}");
}

#[test]
fn of_independent_random_signs() {
    let points = table_points(5, 3);
    let scale = 1.0 / (WIDTH as f64).sqrt();
    let (mean, covariance) = moments(&points, |start| start.output_scale(scale).build().unwrap());
    let exact = conjugate_kernel(&points, SIGMA).unwrap();
    close(&covariance, &exact, 0.04);
    assert!(mean.amax() < 0.04 * exact.amax().sqrt(), "{mean}");
    // The tolerance tells a factor of 1/2 in the exponent.
    let wrong = conjugate_kernel(&points, SIGMA * 2.0_f64.sqrt()).unwrap();
    assert!((&wrong - &exact).amax() / exact.amax() > 0.4);
    // At output scale 1 it is m times as large.
    let (_, covariance) = moments(&points, |start| start.build().unwrap());
    close(&covariance, &(exact * WIDTH as f64), 0.04);
}

#[test]
fn of_equal_output_weights() {
    let points = table_points(4, 3);
    let (mean, covariance) = moments(&points, |start| {
        let weights = start.build::<f64>().unwrap().into_parts().0;
        ExpNetwork::from_parts(weights, DVector::from_element(WIDTH, 0.5)).unwrap()
    });
    let mu = DVector::from_iterator(
        4,
        points
            .column_iter()
            .map(|x| (SIGMA * SIGMA * x.norm_squared() / 2.0).exp()),
    );
    let (m, s) = (WIDTH as f64, 0.5);
    assert!((mean / (s * m) - &mu).amax() < 0.01 * mu.amax());
    let exact = (conjugate_kernel(&points, SIGMA).unwrap() - &mu * mu.transpose()) * (s * s * m);
    close(&covariance, &exact, 0.06);
}

#[test]
fn of_antisymmetric_starts() {
    let points = table_points(4, 3);
    for seed in 0..20 {
        let net = Initializer::new(3, WIDTH).std_dev(SIGMA).antisymmetric(true).seed(seed);
        assert_eq!(net.build::<f64>().unwrap().forward(&points).unwrap().amax(), 0.0);
    }
}

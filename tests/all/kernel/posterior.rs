//! Posterior covariances of the Gaussian process.

use super::smooth;
use crate::support::problems::data;
use crate::support::{cases, refused};
use expnet::Dataset;
use expnet::kernel::{Predictor, limit_cross_kernel, limit_kernel};
use nalgebra::{DMatrix, DVector, dmatrix};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(48))]

    /// The joint covariance of labels and new outputs, inverted as a whole: the posterior covariance is the inverse of its
    /// lower right block, and the mean follows from the block beside it.
    #[test]
    fn by_the_precision_matrix(
        (n, k, d, seed) in (1..=30_usize, 1..=6_usize, 2..=8_usize, any::<u64>()),
        (sigma, lambda) in (0.1..1.2_f64, 0.01..3.0_f64),
    ) {
        let (data, others) = (data::<f64>(n, d, seed), data::<f64>(k, d, !seed).points().clone());
        let posterior = Predictor::new(&data, sigma).unwrap().posterior(lambda).unwrap();
        let all = DMatrix::from_fn(d, n + k, |c, i| if i < n { data.points()[(c, i)] } else { others[(c, i - n)] });
        let mut joint = limit_kernel(&all, sigma).unwrap();
        // A little noise of the new outputs too, without which the joint covariance may be singular.
        let (unit, noise) = (joint.amax(), 1e-3);
        for i in 0..n + k {
            joint[(i, i)] += if i < n { lambda } else { noise };
        }
        let precision = joint.try_inverse().unwrap();
        let block = precision.view((n, n), (k, k)).into_owned().try_inverse().unwrap();
        let covariance = posterior.covariance(&others).unwrap();
        let exact = &block - DMatrix::identity(k, k) * noise;
        prop_assert!((&covariance - &exact).amax() <= 1e-9 * unit, "{covariance} {exact}");
        let mean = -&block * precision.view((n, 0), (k, n)) * data.labels();
        let found = posterior.mean().predict(&others).unwrap();
        prop_assert!((&found - &mean).amax() <= 1e-8 * mean.amax().max(1.0), "{found} {mean}");
        prop_assert_eq!(&covariance, &covariance.transpose());
        let std_dev = posterior.std_dev(&others).unwrap();
        prop_assert!((std_dev.map(|s| s * s) - covariance.diagonal()).amax() <= 1e-12 * unit);
    }
}

#[test]
fn the_mean_is_the_fit_of_ridge_regression() {
    let data = smooth(40);
    let predictor = Predictor::new(&data, 0.8).unwrap();
    let (posterior, fit) = (predictor.posterior(0.01).unwrap(), predictor.ridge(0.01).unwrap());
    assert_eq!(posterior.mean().coefficients(), fit.coefficients());
}

/// More points than are solved at a time; the prior far away, and certainty at points with little noise.
#[test]
fn certain_where_the_labels_are() {
    let data = smooth(12);
    let predictor = Predictor::new(&data, 1.0).unwrap();
    let exact = predictor.posterior(0.0).unwrap();
    assert!(exact.std_dev(data.points()).unwrap().amax() < 1e-6);
    assert!(exact.covariance(data.points()).unwrap().amax() < 1e-12);
    let vague = predictor.posterior(1e9).unwrap();
    let prior = limit_kernel(data.points(), 1.0).unwrap();
    assert!((vague.covariance(data.points()).unwrap() - &prior).amax() < 1e-6 * prior.amax());

    let many = smooth(600).points().clone();
    let (posterior, all) = (predictor.posterior(0.1).unwrap(), limit_kernel(&many, 1.0).unwrap());
    let std_dev = posterior.std_dev(&many).unwrap();
    let covariance = posterior.covariance(&many).unwrap();
    for j in 0..600 {
        assert!(
            (std_dev[j].powi(2) - covariance[(j, j)]).abs() < 1e-13 * all[(j, j)],
            "{j}"
        );
        assert!(std_dev[j].powi(2) <= all[(j, j)]);
    }
}

/// 95 % of noisy labels of functions drawn from the prior lie within 1.96 standard deviations.
#[test]
fn intervals_cover_what_they_promise() {
    let (sigma, lambda, points) = (0.8, 0.05_f64, smooth(40).points().clone());
    let root = (limit_kernel(&points, sigma).unwrap() + DMatrix::identity(40, 40) * 1e-9)
        .cholesky()
        .unwrap();
    let mut draws = crate::support::problems::normals(7);
    let (mut inside, mut all) = (0, 0);
    for _ in 0..200 {
        let f = root.l() * DVector::from_fn(40, |_, _| draws());
        let labels = DVector::from_fn(20, |i, _| f[i] + lambda.sqrt() * draws());
        let train = Dataset::new(points.columns(0, 20).into_owned(), labels).unwrap();
        let test = points.columns(20, 20).into_owned();
        let posterior = Predictor::new(&train, sigma).unwrap().posterior(lambda).unwrap();
        let (mean, std_dev) = (
            posterior.mean().predict(&test).unwrap(),
            posterior.std_dev(&test).unwrap(),
        );
        for j in 0..20 {
            all += 1;
            inside += i32::from((f[20 + j] - mean[j]).abs() <= 1.96 * std_dev[j]);
        }
    }
    let share = f64::from(inside) / f64::from(all);
    assert!((0.93..0.97).contains(&share), "{share}");
}

#[test]
fn singular_kernels_are_refused() {
    let points = dmatrix![1.0, 0.0, 1.0; 0.0, 1.0, 0.0];
    let data = Dataset::new(points, vec![1.0, 0.5, 2.0].into()).unwrap();
    let predictor = Predictor::new(&data, 0.7).unwrap();
    refused(
        predictor.posterior(0.0),
        &["Hcts + lambda I", "singular", "point 2 equals point 0", "larger lambda"],
    );
    let cross = limit_cross_kernel(data.points(), &dmatrix![1.0; 0.0], 0.7).unwrap();
    let prior = limit_kernel(&dmatrix![1.0; 0.0], 0.7).unwrap();
    assert!(
        predictor
            .posterior(1e-3)
            .unwrap()
            .covariance_from(&cross, &prior)
            .unwrap()[0]
            > 0.0
    );
}

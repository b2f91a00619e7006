//! How networks from random signs at output scale 1/sqrt(m) scatter around the limit.

use super::smooth;
use crate::support::problems::table_points;
use expnet::kernel::{Predictor, conjugate_kernel};
use expnet::{Dataset, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};

const SIGMA: f64 = 0.5;

/// Mean and covariance of trained networks at the points.
fn trained(data: &Dataset<f64>, points: &DMatrix<f64>, eta: f64, steps: usize) -> (DVector<f64>, DMatrix<f64>) {
    let (width, seeds, k) = (256, 2000, points.ncols());
    let (mut sum, mut squares) = (DVector::zeros(k), DMatrix::zeros(k, k));
    for seed in 0..seeds {
        let scale = 1.0 / f64::from(width).sqrt();
        let start = Initializer::new(data.dimension(), 256)
            .std_dev(SIGMA)
            .output_scale(scale)
            .seed(seed);
        let mut net = start.build::<f64>().unwrap();
        Trainer::new(eta).max_steps(steps).fit(&mut net, data).unwrap();
        let f = net.forward(points).unwrap();
        squares += &f * f.transpose();
        sum += f;
    }
    let mean = sum / seeds as f64;
    (mean.clone(), squares / seeds as f64 - &mean * mean.transpose())
}

/// The steps of the limit, and its flow for small steps, against 2000 networks: sampling errors are about 3 %.
#[test]
fn trained_networks_scatter_as_predicted() {
    let points = table_points(7, 4);
    let train = points.columns(0, 4).into_owned();
    let data = Dataset::new(train, vec![1.0, -0.5, 0.5, 1.0].into()).unwrap();
    let (eta, steps) = (0.05, 12);
    let (mean, covariance) = trained(&data, &points, eta, steps);
    let predictor = Predictor::new(&data, SIGMA).unwrap();
    let descent = predictor.gradient_descent(eta).unwrap();
    let start = conjugate_kernel(&points, SIGMA).unwrap();
    let exact = descent.ensemble_covariance(steps, &points).unwrap();
    println!("{covariance} {exact} {start}");
    assert!(
        (&covariance - &exact).amax() < 0.08 * start.amax(),
        "{covariance} {exact}"
    );
    // The tolerance tells the start, and the end, from this.
    let end = predictor
        .gradient_flow()
        .unwrap()
        .ensemble_covariance(1e3, &points)
        .unwrap();
    assert!((&start - &exact).amax() > 0.3 * start.amax() && (&end - &exact).amax() > 0.1 * start.amax());
    let limit = descent.at(steps).unwrap().predict(&points).unwrap();
    assert!((&mean - &limit).amax() < 0.08, "{mean} {limit}");
    let flow = predictor.gradient_flow().unwrap();
    let flow = flow.ensemble_covariance(eta * 12.0, &points).unwrap();
    assert!((&flow - &exact).amax() < 0.15 * start.amax());
}

#[test]
fn from_the_prior_to_certainty() {
    let data = smooth(8);
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    let others = smooth(20).points().clone();
    let prior = conjugate_kernel(&others, 1.0).unwrap();
    assert_eq!(flow.ensemble_covariance(0.0, &others).unwrap(), prior);
    let end = flow.ensemble_covariance(f64::INFINITY, data.points()).unwrap();
    assert!(end.amax() < 1e-10 * prior.amax());
    let later = flow.ensemble_covariance(3.0, &others).unwrap();
    assert_eq!(later, later.transpose());
    let smallest = later.symmetric_eigenvalues().min();
    assert!(smallest > -1e-12 * prior.amax(), "{smallest:e}");
    let steps = Predictor::new(&data, 1.0).unwrap().gradient_descent(0.01).unwrap();
    assert_eq!(steps.ensemble_covariance(0, &others).unwrap(), prior);
}

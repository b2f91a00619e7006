//! Kernels given by the caller, and starts that are not 0.

use super::smooth;
use crate::support::problems::{data, net};
use crate::support::{cases, refused};
use expnet::Error;
use expnet::kernel::{
    ConjugateGradient, Fit, Predictor, Solver, empirical_cross_kernel, empirical_kernel, limit_cross_kernel,
    limit_kernel,
};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(32))]

    /// What the limit kernel gives as a matrix is what it gives as points, for everything that fits.
    #[test]
    fn the_limit_kernel_as_a_matrix(
        (n, d, seed) in (1..=130_usize, 1..=8_usize, any::<u64>()),
        (sigma, lambda) in (0.0..1.2_f64, 1e-2..10.0_f64),
    ) {
        let data = data::<f64>(n, d, seed);
        let others = self::data::<f64>(6, d, !seed).points().clone();
        let kernel = limit_kernel(data.points(), sigma).unwrap();
        let cross = limit_cross_kernel(data.points(), &others, sigma).unwrap();
        let points = Predictor::new(&data, sigma).unwrap();
        let matrix = Predictor::from_kernel(kernel, data.labels().clone()).unwrap();
        let same = |one: Fit, other: Fit, tolerance: f64| {
            let scale = cross.map(f64::abs).tr_mul(&one.coefficients().abs()).amax();
            let off = (one.predict(&others).unwrap() - other.predict_from(&cross).unwrap()).amax();
            prop_assert!(off <= tolerance * scale, "{off:e} of {scale:e}");
            Ok(())
        };
        for solver in [Solver::Cholesky, Solver::ConjugateGradient(ConjugateGradient::default().rank(n / 2))] {
            let ridge = |predictor: &Predictor| predictor.clone().solver(solver).ridge(lambda).unwrap();
            same(ridge(&points), ridge(&matrix), 1e-6)?;
        }
        let (flow, given) = (points.gradient_flow().unwrap(), matrix.gradient_flow().unwrap());
        let c = |fit: Result<Fit, Error>| fit.unwrap().coefficients().clone();
        prop_assert_eq!(c(flow.at(0.3)), c(given.at(0.3)));
        prop_assert_eq!(flow.residual_norm(0.3).unwrap(), given.residual_norm(0.3).unwrap());
        let (steps, given) = (points.gradient_descent(0.1).unwrap(), matrix.gradient_descent(0.1).unwrap());
        prop_assert_eq!(c(steps.at(9)), c(given.at(9)));
    }

    /// Initial outputs are a shift of the labels.
    #[test]
    fn initial_outputs_shift_the_labels((n, d, m, seed) in (1..=40_usize, 1..=8_usize, 1..=40_usize, any::<u64>())) {
        let (data, net) = (data::<f32>(n, d, seed), net::<f32>(d, m, seed));
        let initial = net.forward(data.points()).unwrap();
        let kernel = empirical_kernel(&net, data.points()).unwrap();
        let labels = data.labels().map(f64::from);
        let from = |labels: DVector<f64>| Predictor::from_kernel(kernel.clone(), labels).unwrap();
        let shifted = from(&labels - initial.map(f64::from));
        // A second call replaces the first.
        let other = DVector::from_element(n, 7.0);
        let started = from(labels).initial_outputs(&other).unwrap().initial_outputs(&initial).unwrap();
        let ridge = |predictor: &Predictor| predictor.ridge(0.1).unwrap().coefficients().clone();
        prop_assert_eq!(ridge(&shifted), ridge(&started));
        let cg = |predictor: &Predictor| {
            let solver = Solver::ConjugateGradient(ConjugateGradient::default());
            predictor.clone().solver(solver).ridge(10.0).unwrap().coefficients().clone()
        };
        prop_assert_eq!(cg(&shifted), cg(&started));
        let flow = |predictor: &Predictor| predictor.gradient_flow().unwrap().at(0.2).unwrap().coefficients().clone();
        prop_assert_eq!(flow(&shifted), flow(&started));
        let mean = |predictor: &Predictor| predictor.posterior(0.1).unwrap().mean().coefficients().clone();
        prop_assert_eq!(mean(&shifted), mean(&started));
        let steps = |predictor: &Predictor| predictor.gradient_descent(0.01).unwrap().residual_norm(3).unwrap();
        prop_assert_eq!(steps(&shifted), steps(&started));
    }
}

/// The network interpolates the labels from any start: F_0 plus the change is y at the training points.
#[test]
fn an_empirical_kernel_interpolates_from_any_start() {
    let (data, net) = (smooth(10), net::<f64>(3, 50, 4));
    let initial = net.forward(data.points()).unwrap();
    let kernel = empirical_kernel(&net, data.points()).unwrap();
    let predictor = Predictor::from_kernel(kernel, data.labels().clone())
        .unwrap()
        .initial_outputs(&initial)
        .unwrap();
    let cross = empirical_cross_kernel(&net, data.points(), data.points()).unwrap();
    for fit in [
        predictor.ridge(0.0).unwrap(),
        predictor.gradient_flow().unwrap().at(f64::INFINITY).unwrap(),
    ] {
        let end = &initial + fit.predict_from(&cross).unwrap();
        assert!((end - data.labels()).amax() < 1e-8);
    }
}

#[test]
fn what_needs_points_is_refused_without_them() {
    let predictor = Predictor::from_kernel(dmatrix![2.0, 0.5; 0.5, 1.0], dvector![1.0, -1.0]).unwrap();
    let given = "a kernel given to `Predictor::from_kernel`";
    let fit = predictor.ridge(0.1).unwrap();
    refused(
        fit.predict(&dmatrix![1.0]),
        &["`Fit::predict`", given, "`Fit::predict_from`"],
    );
    let posterior = predictor.posterior(0.1).unwrap();
    let instead = "`Posterior::covariance_from`";
    refused(
        posterior.covariance(&dmatrix![1.0]),
        &["`Posterior::covariance`", given, instead],
    );
    refused(
        posterior.std_dev(&dmatrix![1.0]),
        &["`Posterior::std_dev`", given, instead],
    );
    let flow = predictor.gradient_flow().unwrap();
    let what = "`GradientFlow::ensemble_covariance`";
    refused(
        flow.ensemble_covariance(1.0, &dmatrix![1.0]),
        &[what, given, "`Predictor::new`"],
    );
    let steps = predictor.gradient_descent(0.1).unwrap();
    let what = "`GradientSteps::ensemble_covariance`";
    refused(
        steps.ensemble_covariance(1, &dmatrix![1.0]),
        &[what, given, "`Predictor::new`"],
    );
}

#[test]
fn singular_and_indefinite_matrices() {
    let from = |kernel: DMatrix<f64>| Predictor::from_kernel(kernel, dvector![1.0, -1.0]).unwrap();
    let singular = from(dmatrix![1.0, 1.0; 1.0, 1.0]);
    refused(
        singular.ridge(0.0),
        &["the given kernel + lambda I", "singular", "larger lambda"],
    );
    refused(singular.posterior(0.0), &["the given kernel + lambda I", "singular"]);
    assert!(singular.ridge(0.1).is_ok() && singular.gradient_flow().unwrap().at(1.0).is_ok());
    refused(
        singular.gradient_flow().unwrap().at(f64::INFINITY),
        &["the given kernel", "singular", "time below"],
    );
    let indefinite = from(dmatrix![1.0, 2.0; 2.0, 1.0]);
    let words = [
        "smallest eigenvalue of the kernel matrix",
        "-1",
        "largest is 3",
        "positive semidefinite",
    ];
    refused(indefinite.gradient_flow(), &words);
    refused(indefinite.gradient_descent(0.1), &words);
    refused(indefinite.ridge(0.1), &["the given kernel + lambda I", "singular"]);
    // (I + K) is definite with lambda = 2: eigenvalues 5 and 1.
    assert!((indefinite.ridge(2.0).unwrap().coefficients() - dvector![1.0, -1.0]).amax() < 1e-14);
    // The rounding of f32 is none of this.
    let rounded = from(dmatrix![1.0, 1.0 + 1e-9; 1.0 + 1e-9, 1.0]);
    assert!(rounded.gradient_flow().unwrap().at(1.0).is_ok());
}

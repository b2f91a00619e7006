//! Ridge regression by Cholesky and by conjugate gradients.

use crate::kernel::smooth;
use crate::support::problems::{self, data};
use crate::support::{cases, refused};
use expnet::Dataset;
use expnet::kernel::{ConjugateGradient, Predictor, Solver, limit_kernel};
use nalgebra::{DVector, dmatrix};
use proptest::prelude::*;

#[test]
fn conjugate_gradients_agree_with_cholesky_and_the_preconditioner_saves_iterations() {
    let data = smooth(500);
    let predictor = Predictor::new(&data, 0.8).unwrap();
    let others = smooth(40).points() * 0.9;
    for lambda in [1e-4, 1e-2, 1.0] {
        let by = |rank| {
            let settings = ConjugateGradient::default().rank(rank).tolerance(1e-9);
            predictor
                .clone()
                .solver(Solver::ConjugateGradient(settings))
                .ridge(lambda)
                .unwrap()
        };
        let exact = predictor.ridge(lambda).unwrap();
        assert_eq!(exact.iterations(), 0);
        let (plain, some, full) = (by(0), by(20), by(256));
        for fit in [&plain, &some, &full] {
            let off = (fit.predict(&others).unwrap() - exact.predict(&others).unwrap()).amax();
            assert!(off < 1e-6, "lambda {lambda}: {off:e}");
        }
        let counts = [plain.iterations(), some.iterations(), full.iterations()];
        assert!(
            2 * counts[1] < counts[0] && counts[2] < counts[1],
            "lambda {lambda}: {counts:?}"
        );
        assert!(counts[2] <= 12, "lambda {lambda}: {counts:?}");
    }
}

#[test]
fn beyond_a_few_thousand_points_no_matrix_is_made() {
    let (n, lambda) = (4200, 1e-2);
    let data = smooth(n);
    let predictor = Predictor::new(&data, 0.8).unwrap();
    let iterating = Solver::ConjugateGradient(ConjugateGradient::default());
    // In few coordinates, monomials take the place of iterations.
    for (solver, iterations) in [(Solver::Auto, 0..=0), (iterating, 1..=12)] {
        let fit = predictor.clone().solver(solver).ridge(lambda).unwrap();
        assert!(iterations.contains(&fit.iterations()), "{}", fit.iterations());
        // (K + lambda I) c = y
        let left = fit.predict(data.points()).unwrap() + fit.coefficients() * lambda - data.labels();
        assert!(left.norm() < 1.1e-8 * data.labels().norm(), "{:e}", left.norm());
    }
}

#[test]
fn ridge_on_singular_kernels_is_refused_with_a_lambda_that_is_safe() {
    let points = dmatrix![1.0, 0.0, 1.0, 0.6, 0.0; 0.0, 1.0, 0.0, 0.8, 0.0];
    let data = Dataset::new(points, DVector::from_element(5, 1.0)).unwrap();
    // Cholesky may or may not meet a pivot that is not positive: both ways it is refused.
    let words = [
        "Hcts + lambda I",
        "singular",
        "point 2 equals point 0, and 1 more such points",
        "larger lambda",
    ];
    for std_dev in [0.1, 0.3, 0.7, 1.0] {
        let predictor = Predictor::new(&data, std_dev).unwrap();
        refused(predictor.ridge(0.0), &words);
        refused(predictor.ridge(1e-18), &words);
    }
    // No two equal, but far too many for the plane.
    let crowd = Predictor::new(&problems::data::<f64>(60, 2, 1), 1.0).unwrap();
    let error = crowd.ridge(0.0).unwrap_err().to_string();
    assert!(error.contains("too close or too many"), "{error}");
    let safe: f64 = error
        .split("lambda; ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(safe < 1e-9 && crowd.ridge(safe).is_ok(), "{error}");
    assert!(crowd.ridge(safe * 1e-6).is_err());
}

proptest! {
    #![proptest_config(cases(48))]

    /// (K + lambda I) c = y, f = K c on the training points, and more lambda pulls f towards 0.
    #[test]
    fn ridge_solves_its_system(
        (n, d, seed) in (1..=150_usize, 1..=10_usize, any::<u64>()),
        (std_dev, lambda) in (0.0..1.2_f64, 1e-3..10.0_f64),
    ) {
        let data = data::<f64>(n, d, seed);
        let predictor = Predictor::new(&data, std_dev).unwrap();
        let kernel = limit_kernel(data.points(), std_dev).unwrap();
        for solver in [Solver::Cholesky, Solver::ConjugateGradient(ConjugateGradient::default().rank(n / 2))] {
            let fit = predictor.clone().solver(solver).ridge(lambda).unwrap();
            let c = fit.coefficients();
            let left = &kernel * c + c * lambda - data.labels();
            prop_assert!(left.norm() <= 1.1e-8 * data.labels().norm(), "{solver:?} {:e}", left.norm());
            let f = fit.predict(data.points()).unwrap();
            prop_assert!((&f - &kernel * c).norm() <= 1e-12 * kernel.norm() * c.norm());
            let flatter = predictor.clone().solver(solver).ridge(10.0 * lambda).unwrap();
            prop_assert!(flatter.predict(data.points()).unwrap().norm() <= f.norm() * (1.0 + 1e-7));
        }
    }
}

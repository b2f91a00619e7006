//! The infinitely wide network: against 60 digits, against itself, and against wide networks that are trained.

mod common;
mod refused;

use common::data;
use expnet::kernel::{ConjugateGradient, Predictor, Solver, limit_kernel};
use expnet::{Dataset, Float, Initializer, Trainer};
use nalgebra::{DMatrix, DVector, dmatrix};
use proptest::prelude::*;
use refused::refused;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let number = |v: &Value| {
        v.as_str()
            .map_or_else(|| v.as_f64().unwrap(), |digits| digits.parse().unwrap())
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn columns<T: Float>(value: &Value) -> DMatrix<T> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    DMatrix::from_fn(rows[0].len(), rows.len(), |k, i| T::lit(rows[i][k]))
}

/// tests/data/kernel_regression.py says how the file was made. The condition of its kernel is 3e3.
fn sixty_digits<T: Float>(tolerance: f64) {
    let text = include_str!("data/kernel_regression.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let labels = numbers(&file["labels"]).into_iter().map(T::lit).collect::<Vec<_>>();
    let data = Dataset::<T>::new(columns(&file["points"]), labels.into()).unwrap();
    let others = columns::<T>(&file["others"]);
    let predictor = Predictor::new(&data, file["std_dev"].as_f64().unwrap()).unwrap();
    let flow = predictor.gradient_flow().unwrap();
    let check = |what: &str, found: DVector<f64>, exact: &Value| {
        for (found, exact) in found.iter().zip(numbers(exact)) {
            assert!(
                (found - exact).abs() <= tolerance * exact.abs().max(1.0),
                "{what}, {}: {found} {exact}",
                T::NAME
            );
        }
    };
    for case in file["ridge"].as_array().unwrap() {
        let lambda = case["lambda"].as_f64().unwrap();
        for solver in [
            Solver::Auto,
            Solver::Cholesky,
            Solver::ConjugateGradient(ConjugateGradient::default().tolerance(1e-14)),
        ] {
            let fit = predictor.clone().solver(solver).ridge(lambda).unwrap();
            check(
                &format!("ridge {lambda} by {solver:?}"),
                fit.predict(&others).unwrap(),
                &case["predictions"],
            );
        }
    }
    for case in file["flow"].as_array().unwrap() {
        let time = case["time"].as_f64().unwrap();
        check(
            &format!("time {time}"),
            flow.at(time).unwrap().predict(&others).unwrap(),
            &case["predictions"],
        );
    }
    let end = flow.at(f64::INFINITY).unwrap();
    check(
        "interpolation by flow",
        end.predict(&others).unwrap(),
        &file["interpolation"],
    );
    let exact = predictor.ridge(0.0).unwrap();
    check(
        "interpolation by Cholesky",
        exact.predict(&others).unwrap(),
        &file["interpolation"],
    );
}

#[test]
fn sixty_digits_in_f64() {
    sixty_digits::<f64>(1e-11);
}

/// Rounding the points to f32 changes K by 1e-7 and the predictions by up to its condition times that.
#[test]
fn sixty_digits_in_f32() {
    sixty_digits::<f32>(1e-3);
}

/// Points on the unit sphere in 3 dimensions and smooth labels: some eigenvalues are large and most are tiny.
fn smooth(n: usize) -> Dataset<f64> {
    let mut points = data::<f64>(n, 3, 5).points().clone();
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    let labels: Vec<f64> = points.column_iter().map(|x| (3.0 * x[0]).sin() + x[1] * x[2]).collect();
    Dataset::new(points, labels.into()).unwrap()
}

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
    let fit = Predictor::new(&data, 0.8).unwrap().ridge(lambda).unwrap();
    assert!((1..=12).contains(&fit.iterations()), "{}", fit.iterations());
    // (K + lambda I) c = y
    let left = fit.predict(data.points()).unwrap() + fit.coefficients() * lambda - data.labels();
    assert!(left.norm() < 1.1e-8 * data.labels().norm(), "{:e}", left.norm());
}

#[test]
fn flow_starts_at_zero_ends_at_the_labels_and_falls_in_between() {
    let data = smooth(12);
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    assert_eq!(flow.at(0.0).unwrap().predict(data.points()).unwrap().amax(), 0.0);
    let mut last = f64::INFINITY;
    for t in [0.0, 0.01, 0.1, 1.0, 10.0, 1e3, 1e6] {
        let residual = flow.at(t).unwrap().predict(data.points()).unwrap() - data.labels();
        let norm = flow.residual_norm(t).unwrap();
        assert!(
            (residual.norm() - norm).abs() < 1e-10 && norm < last,
            "{t}: {norm:e} after {last:e}"
        );
        last = norm;
    }
    let end = flow.at(f64::INFINITY).unwrap().predict(data.points()).unwrap();
    assert!((end - data.labels()).amax() < 1e-10);
    assert_eq!(flow.residual_norm(f64::INFINITY).unwrap(), 0.0);
}

/// d f / dt = K (y - f), f(0) = 0, by tiny steps.
#[test]
fn flow_solves_its_equation() {
    let data = smooth(9);
    let kernel = limit_kernel(data.points(), 1.0).unwrap();
    let flow = Predictor::new(&data, 1.0).unwrap().gradient_flow().unwrap();
    let (t, steps) = (1.5, 100_000);
    let mut f = DVector::zeros(9);
    for _ in 0..steps {
        f += &kernel * (data.labels() - &f) * (t / f64::from(steps));
    }
    let found = flow.at(t).unwrap().predict(data.points()).unwrap();
    assert!((&found - &f).amax() < 1e-4 * data.labels().norm(), "{found} {f}");
}

/// Points 0 and 2 are equal, their labels are not: K is singular, and f there goes to the mean.
#[test]
fn flow_on_equal_points() {
    let points = dmatrix![1.0, 0.0, 1.0, 0.6; 0.0, 1.0, 0.0, 0.8];
    let data = Dataset::new(points.clone(), vec![1.0, 0.5, 2.0, -1.0].into()).unwrap();
    let flow = Predictor::new(&data, 0.7).unwrap().gradient_flow().unwrap();
    let late = flow.at(1e4).unwrap().predict(&points).unwrap();
    for (found, exact) in late.iter().zip([1.5, 0.5, 1.5, -1.0]) {
        assert!((found - exact).abs() < 1e-9, "{late}");
    }
    assert!((flow.residual_norm(1e4).unwrap() - 0.5_f64.sqrt()).abs() < 1e-14);
    for t in [1e18, f64::INFINITY] {
        refused(
            flow.at(t),
            &[
                "limit kernel",
                "singular",
                "condition inf",
                "point 2 equals point 0",
                "time below",
            ],
        );
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
    let crowd = Predictor::new(&common::data::<f64>(60, 2, 1), 1.0).unwrap();
    let error = crowd.ridge(0.0).unwrap_err().to_string();
    assert!(error.contains("close, or many"), "{error}");
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

/// What a network of this width is away from the limit, at training and at other points: root mean square over seeds.
fn distance_from_the_limit(width: usize, seeds: u64) -> [f64; 2] {
    let (n, d, std_dev) = (6, 4, 0.5);
    let mut points = DMatrix::from_fn(d, n + 4, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    let (train, test) = (points.columns(0, n).into_owned(), points.columns(n, 4).into_owned());
    let labels = DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -0.5 });
    let data = Dataset::new(train.clone(), labels).unwrap();
    // t = steps * eta * m, where about half of the residual is gone.
    let (time, steps) = (1.5, 600_usize);
    let fit = Predictor::new(&data, std_dev)
        .unwrap()
        .gradient_flow()
        .unwrap()
        .at(time)
        .unwrap();
    let (on_train, on_test) = (fit.predict(&train).unwrap(), fit.predict(&test).unwrap());
    let mut squares = [0.0; 2];
    for seed in 0..seeds {
        let start = Initializer::new(d, width)
            .std_dev(std_dev)
            .antisymmetric(true)
            .seed(seed);
        let mut net = start.build::<f64>().unwrap();
        let eta = time / (steps as f64 * width as f64);
        Trainer::new(eta).max_steps(steps).fit(&mut net, &data).unwrap();
        squares[0] += (net.forward(&train).unwrap() - &on_train).norm_squared() / on_train.norm_squared();
        squares[1] += (net.forward(&test).unwrap() - &on_test).norm_squared() / on_test.norm_squared();
    }
    squares.map(|sum| (sum / seeds as f64).sqrt())
}

#[test]
fn wide_networks_go_where_the_limit_goes() {
    let (narrow, wide) = (distance_from_the_limit(2048, 8), distance_from_the_limit(32_768, 8));
    println!("{narrow:?} {wide:?}");
    for (narrow, wide) in narrow.into_iter().zip(wide) {
        assert!(wide < 0.02, "{wide}");
        // sqrt(32768 / 2048) = 4, within the scatter of 8 seeds.
        assert!((2.5..6.5).contains(&(narrow / wide)), "{narrow} {wide}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

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

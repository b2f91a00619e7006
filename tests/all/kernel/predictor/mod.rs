//! The infinitely wide network: against 60 digits, and against wide networks that are trained.

mod flow;
mod ridge;

use crate::support::digits::{columns, numbers, vector};
use crate::support::problems::table_points;
use expnet::kernel::{ConjugateGradient, Predictor, Solver};
use expnet::{Dataset, Float, Initializer, Trainer};
use nalgebra::DVector;
use serde_json::Value;

/// tests/data/kernel_regression.py says how the file was made. The condition of its kernel is 3e3.
fn sixty_digits<T: Float>(tolerance: f64) {
    let text = include_str!("../../../data/kernel_regression.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let data = Dataset::<T>::new(columns(&file["points"]), vector(&file["labels"])).unwrap();
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

/// What a network of this width is away from the limit, at training and at other points: root mean square over seeds.
fn distance_from_the_limit(width: usize, seeds: u64) -> [f64; 2] {
    let (n, d, std_dev) = (6, 4, 0.5);
    let points = table_points(n + 4, d);
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

//! The infinitely wide network: against 60 digits, and against wide networks that are trained.

mod flow;
mod ridge;

use crate::kernel::distance;
use crate::support::digits::{columns, numbers, vector};
use expnet::kernel::{ConjugateGradient, Predictor, Solver};
use expnet::{Dataset, Float};
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

/// How far networks of this width are from the limit, when about half of the residual is gone.
fn distance_from_the_limit(width: usize, seeds: u64) -> [f64; 2] {
    // t = steps * eta * m
    let (time, steps) = (1.5, 600_usize);
    distance(width, seeds, |predictor, _| {
        let fit = predictor.gradient_flow().unwrap().at(time).unwrap();
        (time / steps as f64, steps, fit)
    })
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

//! Everything around training, against numpy: tests/data/kernel_training.py has the formulas and wrote the numbers.

use crate::support::digits::{columns, numbers, vector};
use expnet::kernel::{
    Fit, GradientSteps, LinearizedNetwork, Predictor, conjugate_cross_kernel, conjugate_kernel, empirical_cross_kernel,
    empirical_kernel, limit_cross_kernel, limit_kernel,
};
use expnet::{Dataset, ExpNetwork};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

/// The condition numbers of the file are below 500.
const TOLERANCE: f64 = 1e-12;

struct Case {
    file: Value,
    data: Dataset<f64>,
    others: DMatrix<f64>,
    net: ExpNetwork<f64>,
    std_dev: f64,
}

fn case() -> Case {
    let file: Value = serde_json::from_str(include_str!("../../data/kernel_training.json")).unwrap();
    let net = ExpNetwork::from_parts(columns(&file["weights"]), vector(&file["output_weights"])).unwrap();
    Case {
        data: Dataset::new(columns(&file["points"]), vector(&file["labels"])).unwrap(),
        others: columns(&file["others"]),
        net,
        std_dev: file["std_dev"].as_f64().unwrap(),
        file,
    }
}

impl Case {
    fn number(&self, name: &str) -> f64 {
        self.file[name].as_f64().unwrap()
    }

    fn steps(&self) -> usize {
        usize::try_from(self.file["steps"].as_u64().unwrap()).unwrap()
    }

    fn limit(&self) -> Predictor {
        Predictor::new(&self.data, self.std_dev).unwrap()
    }

    fn descent(&self) -> GradientSteps {
        self.limit().gradient_descent(self.number("eta")).unwrap()
    }
}

/// A matrix whose rows are those of the file.
#[track_caller]
fn same(found: &DMatrix<f64>, exact: &Value) {
    let exact = columns::<f64>(exact).transpose();
    assert_eq!(found.shape(), exact.shape());
    let off = (found - &exact).amax() / exact.amax().max(1.0);
    assert!(off <= TOLERANCE, "{off:e}: {found} {exact}");
}

#[track_caller]
fn same_numbers(found: &DVector<f64>, exact: &Value) {
    let exact = DVector::from_vec(numbers(exact));
    let off = (found - &exact).amax() / exact.amax().max(1.0);
    assert!(off <= TOLERANCE, "{off:e}: {found} {exact}");
}

#[track_caller]
fn same_number(found: f64, exact: &Value) {
    let exact = exact.as_f64().unwrap();
    assert!(
        (found - exact).abs() <= TOLERANCE * exact.abs().max(1.0),
        "{found} {exact}"
    );
}

#[test]
fn kernels() {
    let case = case();
    let (points, sigma) = (case.data.points(), case.std_dev);
    let file = &case.file;
    same(
        &limit_cross_kernel(points, &case.others, sigma).unwrap(),
        &file["limit_cross"],
    );
    same(
        &empirical_cross_kernel(&case.net, points, &case.others).unwrap(),
        &file["empirical_cross"],
    );
    same(&conjugate_kernel(points, sigma).unwrap(), &file["conjugate"]);
    same(
        &conjugate_cross_kernel(points, &case.others, sigma).unwrap(),
        &file["conjugate_cross"],
    );
}

#[test]
fn gradient_flow() {
    let case = case();
    let (flow, time) = (case.limit().gradient_flow().unwrap(), case.number("time"));
    let exact = &case.file["flow"];
    same_numbers(
        &flow.at(time).unwrap().predict(&case.others).unwrap(),
        &exact["predictions"],
    );
    same_number(flow.residual_norm(time).unwrap(), &exact["residual_norm"]);
    same(
        &flow.ensemble_covariance(time, &case.others).unwrap(),
        &exact["ensemble"],
    );
}

#[test]
fn gradient_descent() {
    let case = case();
    let (descent, steps) = (case.descent(), case.steps());
    let exact = &case.file["descent"];
    same_numbers(
        &descent.at(steps).unwrap().predict(&case.others).unwrap(),
        &exact["predictions"],
    );
    same_number(descent.residual_norm(steps).unwrap(), &exact["residual_norm"]);
    same(
        &descent.ensemble_covariance(steps, &case.others).unwrap(),
        &exact["ensemble"],
    );
    same_number(descent.max_step_size(), &exact["max_step_size"]);
}

#[test]
fn gradient_descent_from_the_outputs_of_a_network() {
    let case = case();
    let exact = &case.file["descent_from_network"];
    let initial = case.net.forward(case.data.points()).unwrap();
    same_numbers(&initial, &exact["initial"]);
    let predictor = case.limit().initial_outputs(&initial).unwrap();
    let fit = predictor
        .gradient_descent(case.number("eta"))
        .unwrap()
        .at(case.steps())
        .unwrap();
    let at_start = case.net.forward(&case.others).unwrap();
    same_numbers(&at_start, &exact["initial_others"]);
    same_numbers(&(at_start + fit.predict(&case.others).unwrap()), &exact["predictions"]);
}

#[test]
fn posteriors() {
    let case = case();
    let (points, others, sigma) = (case.data.points(), &case.others, case.std_dev);
    let (lambda, exact) = (case.number("lambda"), &case.file["posterior"]);
    let posterior = case.limit().posterior(lambda).unwrap();
    same_numbers(&posterior.mean().predict(others).unwrap(), &exact["mean"]);
    same(&posterior.covariance(others).unwrap(), &exact["covariance"]);
    let (cross, prior) = (
        limit_cross_kernel(points, others, sigma).unwrap(),
        limit_kernel(others, sigma).unwrap(),
    );
    same(
        &posterior.covariance_from(&cross, &prior).unwrap(),
        &exact["covariance"],
    );

    let exact = &case.file["posterior_conjugate"];
    let kernel = conjugate_kernel(points, sigma).unwrap();
    let given = Predictor::from_kernel(kernel, case.data.labels().clone()).unwrap();
    let posterior = given.posterior(lambda).unwrap();
    let cross = conjugate_cross_kernel(points, others, sigma).unwrap();
    same_numbers(&posterior.mean().predict_from(&cross).unwrap(), &exact["mean"]);
    let prior = conjugate_kernel(others, sigma).unwrap();
    same(
        &posterior.covariance_from(&cross, &prior).unwrap(),
        &exact["covariance"],
    );
}

/// Weights and predictions, by the weights and by the cross-kernel.
fn linearised(case: &Case, fit: &Fit, exact: &Value) {
    let linear = LinearizedNetwork::new(&case.net).unwrap();
    let weights = linear.weights(case.data.points(), fit).unwrap();
    same(&weights.transpose(), &exact["weights"]);
    same_numbers(&linear.forward(&weights, &case.others).unwrap(), &exact["predictions"]);
    let cross = empirical_cross_kernel(&case.net, case.data.points(), &case.others).unwrap();
    let change = fit.predict_from(&cross).unwrap();
    same_numbers(
        &(case.net.forward(&case.others).unwrap() + change),
        &exact["predictions"],
    );
}

#[test]
fn linearised_networks() {
    let case = case();
    let predictor = LinearizedNetwork::new(&case.net)
        .unwrap()
        .predictor(&case.data)
        .unwrap();
    let descent = predictor.gradient_descent(case.number("eta")).unwrap();
    linearised(
        &case,
        &descent.at(case.steps()).unwrap(),
        &case.file["linearised_descent"],
    );
    let flow = predictor.gradient_flow().unwrap();
    linearised(
        &case,
        &flow.at(case.number("time")).unwrap(),
        &case.file["linearised_flow"],
    );
    // The same problem, put together by hand.
    let kernel = empirical_kernel(&case.net, case.data.points()).unwrap();
    let by_hand = Predictor::from_kernel(kernel, case.data.labels().clone())
        .unwrap()
        .initial_outputs(&case.net.forward(case.data.points()).unwrap())
        .unwrap();
    let fit = by_hand.gradient_flow().unwrap().at(case.number("time")).unwrap();
    linearised(&case, &fit, &case.file["linearised_flow"]);
}

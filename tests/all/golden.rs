//! Inputs and outputs computed at 60 digits: tests/data/README.md says how, and states the tolerances.

use crate::support::Scripted;
use crate::support::digits::{columns, golden, network, number, numbers, vector};
use expnet::method::{GaussNewton, GradientDescent};
use expnet::{Dataset, ExpNetwork, Float, Trainer};
use nalgebra::DMatrix;
use serde_json::Value;
use std::cell::Cell;

struct Case<'a, T: Float> {
    name: &'a str,
    net: ExpNetwork<T>,
    data: Dataset<T>,
    eta: f64,
    expect: &'a Value,
    /// Of outputs, gradients and losses.
    tolerance: f64,
    /// Of weights and norms.
    weight_tolerance: f64,
    forward_scale: f64,
}

fn each<T: Float>(tolerances: [f64; 3], check: impl Fn(&Case<'_, T>)) {
    for case in &golden() {
        let (expect, net) = (&case["expect"], network(case));
        let [narrow, wide, weight_tolerance] = tolerances;
        check(&Case {
            name: case["name"].as_str().unwrap(),
            data: Dataset::new(columns(&case["x"]), vector(&case["y"])).unwrap(),
            eta: number(&case["eta"]),
            expect,
            tolerance: if net.width() >= 128 { wide } else { narrow },
            weight_tolerance,
            forward_scale: number(&expect["forward_scale"]),
            net,
        });
    }
}

fn in_both(check64: impl Fn(&Case<'_, f64>), check32: impl Fn(&Case<'_, f32>)) {
    each([1e-12, 1e-11, 1e-12], check64);
    each([1e-5, 1e-5, 1e-5], check32);
}

impl<T: Float> Case<'_, T> {
    fn close(&self, what: &str, found: f64, expected: f64, bound: f64) {
        let name = self.name;
        let error = (found - expected).abs();
        assert!(
            error <= bound,
            "{name}, {what} in {}: {found:e}, not {expected:e} (off by {error:e}, allowed {bound:e})",
            T::NAME
        );
    }

    fn close_loss(&self, what: &str, found: T, expected: &Value) {
        let loss = number(expected);
        let samples = self.data.samples() as f64;
        let bound = self.tolerance * (loss + self.forward_scale * (2.0 * samples * loss).sqrt());
        self.close(what, found.as_f64(), loss, bound);
    }

    /// Every entry that the file has, and the Frobenius norm of all of them.
    fn close_matrix(&self, what: &str, found: &DMatrix<T>, expected: &Value, bound: impl Fn(f64) -> f64) {
        let neurons = found.ncols();
        let compare = |rows: &Value, first: usize| {
            let rows = rows.as_array().unwrap();
            for (j, row) in rows.iter().enumerate() {
                for (k, &value) in numbers(row).iter().enumerate() {
                    let place = format!("{what}, neuron {}, coordinate {k}", first + j);
                    self.close(&place, found[(k, first + j)].as_f64(), value, bound(value));
                }
            }
            rows.len()
        };
        if expected.get("rows").is_some() {
            assert_eq!(compare(&expected["rows"], 0), neurons);
        } else {
            assert_eq!(compare(&expected["head"], 0), 8);
            assert_eq!(compare(&expected["tail"], neurons - 8), 8);
        }
        // Squares of f32 may leave its range (`large`): the norm is summed in f64.
        let norm = number(&expected["fro"]);
        let found = found.map(Float::as_f64).norm();
        self.close(&format!("norm of {what}"), found, norm, self.weight_tolerance * norm);
    }

    fn weights_bound(&self) -> impl Fn(f64) -> f64 {
        let tolerance = self.weight_tolerance;
        move |w| tolerance * w.abs().max(1.0)
    }
}

fn outputs<T: Float>(case: &Case<'_, T>) {
    let expected = numbers(&case.expect["forward0"]);
    let found = case.net.forward(case.data.points()).unwrap();
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let bound = case.tolerance * case.forward_scale;
        case.close(&format!("output {i}"), f.as_f64(), e, bound);
    }
    case.close_loss("loss", case.net.loss(&case.data).unwrap(), &case.expect["loss0"]);
}

fn gradients<T: Float>(case: &Case<'_, T>) {
    let scale = number(&case.expect["gradient_scale"]);
    let gradient = case.net.gradient(&case.data).unwrap();
    case.close_matrix("gradient", &gradient, &case.expect["gradient0"], |_| {
        case.tolerance * scale
    });
}

fn descent_by_steps<T: Float>(case: &Case<'_, T>) {
    let mut net = case.net.clone();
    let expected = case.expect["gd_losses"].as_array().unwrap();
    assert_eq!(expected.len(), 10);
    let before = net.step(&case.data, T::lit(case.eta)).unwrap();
    case.close_loss("loss before step 0", before, &case.expect["loss0"]);
    for (k, expected) in expected[..9].iter().enumerate() {
        let loss = net.step(&case.data, T::lit(case.eta)).unwrap();
        case.close_loss(&format!("loss after step {k}"), loss, expected);
    }
    case.close_loss("loss after step 9", net.loss(&case.data).unwrap(), &expected[9]);
    case.close_matrix(
        "weights",
        net.weights(),
        &case.expect["gd_weights10"],
        case.weights_bound(),
    );
}

fn descent_by_session<T: Float>(case: &Case<'_, T>) {
    let mut net = case.net.clone();
    let expected = case.expect["gd_losses"].as_array().unwrap();
    let mut session = Trainer::new(case.eta).start(&mut net, &case.data).unwrap();
    for (k, expected) in expected.iter().enumerate() {
        assert_eq!(session.step().unwrap(), None);
        case.close_loss(&format!("loss after step {k}"), session.loss(), expected);
    }
    let report = session.finish().unwrap();
    assert_eq!(report.steps(), 10);
    case.close_matrix(
        "weights",
        net.weights(),
        &case.expect["gd_weights10"],
        case.weights_bound(),
    );
}

fn momentum<T: Float>(case: &Case<'_, T>) {
    let mut net = case.net.clone();
    let expected = case.expect["momentum_losses"].as_array().unwrap();
    assert_eq!(expected.len(), 5);
    let trainer = Trainer::new(case.eta).method(GradientDescent::default().momentum(0.9));
    let mut session = trainer.start(&mut net, &case.data).unwrap();
    for (k, expected) in expected.iter().enumerate() {
        assert_eq!(session.step().unwrap(), None);
        case.close_loss(&format!("loss after momentum step {k}"), session.loss(), expected);
    }
}

fn minibatch<T: Float>(case: &Case<'_, T>) {
    let size = (case.data.samples() / 2).max(1);
    assert_eq!(case.expect["minibatch_size"].as_u64(), Some(size as u64));
    let mut net = case.net.clone();
    let first_half = |samples: usize, batch: &mut Vec<usize>| batch.extend(0..(samples / 2).max(1));
    let report = Trainer::new(case.eta)
        .method(Scripted::new().dealing(first_half))
        .max_steps(1)
        .fit(&mut net, &case.data)
        .unwrap();
    case.close_loss("minibatch loss", report.loss(), &case.expect["minibatch_loss"]);
    case.close_loss(
        "minibatch loss",
        net.loss(&case.data).unwrap(),
        &case.expect["minibatch_loss"],
    );
}

fn one_step<T: Float>(case: &Case<'_, T>, mu: f64) -> (ExpNetwork<T>, T) {
    let mut net = case.net.clone();
    let trainer = Trainer::default()
        .method(GaussNewton::default().damping(mu))
        .max_steps(1);
    let loss = trainer.fit(&mut net, &case.data).unwrap().loss();
    (net, loss)
}

fn levenberg_marquardt<T: Float>(case: &Case<'_, T>) {
    let (net, loss) = one_step(case, number(&case.expect["lm_mu"]));
    case.close_loss("loss after a Levenberg-Marquardt step", loss, &case.expect["lm_loss"]);
    let norm = number(&case.expect["lm_weights_fro"]);
    let found = net.weights().map(Float::as_f64).norm();
    case.close("norm of weights", found, norm, case.weight_tolerance * norm);
}

/// Says whether the file has the step, and the type can take it.
fn gauss_newton<T: Float>(case: &Case<'_, T>, unit: f64, largest: f64) -> bool {
    let (expected, condition) = (&case.expect["gn_loss"], number(&case.expect["G0_cond"]));
    if expected.is_null() || condition > largest {
        return false;
    }
    let (_, loss) = one_step(case, 0.0);
    let wide = Case {
        tolerance: unit * condition,
        net: case.net.clone(),
        data: case.data.clone(),
        ..*case
    };
    wide.close_loss("loss after a Gauss-Newton step", loss, expected);
    true
}

#[test]
fn one_levenberg_marquardt_step() {
    in_both(levenberg_marquardt, levenberg_marquardt);
}

#[test]
fn one_gauss_newton_step() {
    let (double, single) = (Cell::new(0), Cell::new(0));
    in_both(
        |case| double.set(double.get() + usize::from(gauss_newton(case, 1e-14, f64::INFINITY))),
        |case| single.set(single.get() + usize::from(gauss_newton(case, 1e-7, 1e3))),
    );
    assert_eq!((double.get(), single.get()), (7, 6));
}

#[test]
fn outputs_and_loss() {
    in_both(outputs, outputs);
}

#[test]
fn gradient() {
    in_both(gradients, gradients);
}

#[test]
fn ten_steps_of_the_network() {
    in_both(descent_by_steps, descent_by_steps);
}

#[test]
fn ten_steps_of_a_session() {
    in_both(descent_by_session, descent_by_session);
}

#[test]
fn five_steps_with_momentum() {
    in_both(momentum, momentum);
}

#[test]
fn one_minibatch_step() {
    in_both(minibatch, minibatch);
}

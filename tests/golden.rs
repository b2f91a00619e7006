//! The golden values: exact to 25 digits, from 60-digit arithmetic (`tests/data/golden.md` says how they were made and
//! what the tolerances mean).

use expnet::method::{Direction, Evaluation, GradientDescent, Method};
use expnet::{Dataset, Error, ExpNetwork, Float, Trainer};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

struct Case {
    name: String,
    json: Value,
    samples: usize,
    width: usize,
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("data/golden.json")).unwrap();
    let size = |case: &Value, key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap().iter();
    cases
        .map(|case| Case {
            name: case["name"].as_str().unwrap().to_string(),
            json: case.clone(),
            samples: size(case, "n"),
            width: size(case, "m"),
        })
        .collect()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

impl Case {
    fn expected(&self, key: &str) -> &Value {
        &self.json["expect"][key]
    }

    fn data<T: Float>(&self) -> Dataset<T> {
        let rows: Vec<Vec<T>> = self.json["x"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| numbers(row).into_iter().map(T::lit).collect())
            .collect();
        let labels: Vec<T> = numbers(&self.json["y"]).into_iter().map(T::lit).collect();
        Dataset::from_rows(&rows, &labels).unwrap()
    }

    fn network<T: Float>(&self) -> ExpNetwork<T> {
        let columns: Vec<DVector<T>> = self.json["w"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| DVector::from_vec(numbers(w).into_iter().map(T::lit).collect()))
            .collect();
        let a = numbers(&self.json["a"]).into_iter().map(T::lit).collect();
        ExpNetwork::from_parts(DMatrix::from_columns(&columns), DVector::from_vec(a)).unwrap()
    }

    fn eta(&self) -> f64 {
        number(&self.json["eta"])
    }

    /// The tolerance of all but the weights.
    fn tolerance<T: Float>(&self) -> f64 {
        match (T::NAME, self.width >= 128) {
            ("f32", _) => 1e-5,
            (_, true) => 1e-11,
            (_, false) => 1e-12,
        }
    }

    fn check_loss<T: Float>(&self, what: &str, found: T, expected: f64) {
        let (n, scale) = (self.samples as f64, number(self.expected("forward_scale")));
        let bound = self.tolerance::<T>() * (expected + scale * (2.0 * n * expected).sqrt());
        let error = (found.as_f64() - expected).abs();
        assert!(
            error <= bound,
            "{} {} {what}: {found} instead of {expected}, bound {bound:e}",
            self.name,
            T::NAME
        );
    }

    /// A matrix m x d of the file against the columns of `found`; `bound(expected)` is the allowed error of an entry.
    fn check_matrix<T: Float>(&self, what: &str, found: &DMatrix<T>, expected: &Value, bound: impl Fn(f64) -> f64) {
        let mut rows: Vec<(usize, Vec<f64>)> = Vec::new();
        for (key, start) in [("rows", 0), ("head", 0), ("tail", self.width.saturating_sub(8))] {
            if let Some(block) = expected[key].as_array() {
                rows.extend(block.iter().enumerate().map(|(r, row)| (start + r, numbers(row))));
            }
        }
        assert!(!rows.is_empty(), "{} {what}", self.name);
        for (r, row) in rows {
            for (k, expected) in row.into_iter().enumerate() {
                let error = (found[(k, r)].as_f64() - expected).abs();
                assert!(
                    error <= bound(expected),
                    "{} {} {what} neuron {r}, {k}: error {error:e}",
                    self.name,
                    T::NAME
                );
            }
        }
        // The Frobenius norm, summed in f64: in f32 the squares of `large` overflow, as its README says.
        let fro = found.iter().map(|x| x.as_f64().powi(2)).sum::<f64>().sqrt();
        let expected = number(&expected["fro"]);
        let relative = if T::NAME == "f32" { 1e-5 } else { 1e-12 };
        let slack = relative * expected;
        assert!(
            (fro - expected).abs() <= slack,
            "{} {} {what}: norm {fro} instead of {expected}",
            self.name,
            T::NAME
        );
    }
}

/// The first half of the samples, every step.
struct FirstHalf;

impl<T: Float> Method<T> for FirstHalf {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        Ok(()) // the direction comes filled with the residual of the batch
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        batch.extend(0..(samples / 2).max(1));
    }
}

fn check<T: Float>() {
    let cases = cases();
    assert!(cases.len() >= 10);
    for case in &cases {
        let (data, net) = (case.data::<T>(), case.network::<T>());
        let tolerance = case.tolerance::<T>();

        let forward = net.forward(data.points()).unwrap();
        let scale = number(case.expected("forward_scale"));
        for (i, (found, expected)) in forward.iter().zip(numbers(case.expected("forward0"))).enumerate() {
            let error = (found.as_f64() - expected).abs();
            assert!(
                error <= tolerance * scale,
                "{} {} forward {i}: error {error:e}",
                case.name,
                T::NAME
            );
        }
        case.check_loss("loss0", net.loss(&data).unwrap(), number(case.expected("loss0")));

        let scale = number(case.expected("gradient_scale"));
        let gradient = net.gradient(&data).unwrap();
        case.check_matrix("gradient0", &gradient, case.expected("gradient0"), |_| {
            tolerance * scale
        });

        gradient_descent(case, &data, &net);
        momentum(case, &data, &net);

        let mut half = net.clone();
        let report = Trainer::new(case.eta())
            .method(FirstHalf)
            .max_steps(1)
            .fit(&mut half, &data)
            .unwrap();
        case.check_loss("minibatch", report.loss(), number(case.expected("minibatch_loss")));
        assert_eq!(
            number(case.expected("minibatch_size")),
            (case.samples / 2).max(1) as f64
        );
    }
}

/// By the trainer, by hand, and by `step`.
fn gradient_descent<T: Float>(case: &Case, data: &Dataset<T>, net: &ExpNetwork<T>) {
    let losses = numbers(case.expected("gd_losses"));
    let (mut trained, mut stepped) = (net.clone(), net.clone());
    let mut session = Trainer::new(case.eta())
        .max_steps(losses.len())
        .start(&mut trained, data)
        .unwrap();
    for (t, &expected) in losses.iter().enumerate() {
        session.step().unwrap();
        case.check_loss(&format!("gd step {t}"), session.loss(), expected);
        stepped.step(data, T::lit(case.eta())).unwrap();
        case.check_loss(&format!("`step` {t}"), stepped.loss(data).unwrap(), expected);
    }
    session.finish().unwrap();
    let relative = if T::NAME == "f32" { 1e-5 } else { 1e-12 };
    let bound = |expected: f64| relative * expected.abs().max(1.0);
    case.check_matrix(
        "weights after 10 steps",
        trained.weights(),
        case.expected("gd_weights10"),
        bound,
    );
    case.check_matrix(
        "weights after 10 `step`s",
        stepped.weights(),
        case.expected("gd_weights10"),
        bound,
    );
}

fn momentum<T: Float>(case: &Case, data: &Dataset<T>, net: &ExpNetwork<T>) {
    let losses = numbers(case.expected("momentum_losses"));
    let mut net = net.clone();
    let method = GradientDescent::default().momentum(0.9);
    let mut session = Trainer::new(case.eta())
        .method(method)
        .max_steps(losses.len())
        .start(&mut net, data)
        .unwrap();
    for (t, &expected) in losses.iter().enumerate() {
        session.step().unwrap();
        case.check_loss(&format!("momentum step {t}"), session.loss(), expected);
    }
}

#[test]
fn every_case_in_f64() {
    check::<f64>();
}

#[test]
fn every_case_in_f32() {
    check::<f32>();
}

//! Adam and L-BFGS against optax: every loss and the last weights of `tests/data/methods.json`.

use approx::assert_relative_eq;
use expnet::method::{Adam, Lbfgs, Method};
use expnet::observer::{self, Progress};
use expnet::{Dataset, ExpNetwork, Trainer, schedule};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;
use std::ops::ControlFlow;

/// Differences of rounding, which a run amplifies.
const TOLERANCE: f64 = 1e-9;

/// The problem of `methods.py`.
fn problem() -> (ExpNetwork<f64>, Dataset<f64>) {
    let (n, d, m) = (6, 3, 8);
    let points = DMatrix::from_fn(d, n, |k, i| {
        ((1 + 2 * k + 3 * i + k * i) as f64).sin() / (d as f64).sqrt()
    });
    let data = Dataset::new(points, DVector::from_fn(n, |i, _| (i as f64).cos())).unwrap();
    let weights = DMatrix::from_fn(d, m, |k, r| 0.5 * ((1 + 2 * k + 3 * r) as f64).sin());
    let signs = DVector::from_fn(m, |r, _| if r % 2 == 0 { 1.0 } else { -1.0 });
    (ExpNetwork::from_parts(weights, signs).unwrap(), data)
}

fn numbers(case: &Value, key: &str) -> Vec<f64> {
    case[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn method(case: &Value) -> Box<dyn Method<f64>> {
    let number = |key: &str| case[key].as_f64().unwrap();
    match case["method"].as_str().unwrap() {
        "Adam" => Box::new(
            Adam::default()
                .beta1(number("beta1"))
                .beta2(number("beta2"))
                .eps(number("eps"))
                .weight_decay(number("decay")),
        ),
        "Lbfgs" => Box::new(Lbfgs::default().memory(case["memory"].as_u64().unwrap().try_into().unwrap())),
        other => panic!("{other}"),
    }
}

#[test]
fn runs_are_those_of_optax() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../data/methods.json")).unwrap();
    let of = |name: &str| cases.iter().filter(|case| case["method"] == name).count();
    assert_eq!((of("Adam"), of("Lbfgs"), cases.len()), (4, 3, 7));
    for case in &cases {
        let (mut net, data) = problem();
        let sizes = numbers(case, "sizes");
        let mut losses = Vec::new();
        let watch = observer::from_fn(|progress: &Progress<'_, f64>| {
            losses.push(progress.loss());
            ControlFlow::Continue(())
        });
        Trainer::new(schedule::from_fn(|state| sizes[state.iteration()]))
            .method(method(case))
            .max_steps(sizes.len())
            .observe(watch)
            .fit(&mut net, &data)
            .unwrap();
        let expected = numbers(case, "losses");
        assert_eq!(losses.len(), expected.len(), "{case}");
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            let close = (loss - expected).abs() <= TOLERANCE * expected;
            assert!(close, "step {step}: {loss} instead of {expected}, {case}");
        }
        let expected = DMatrix::from_column_slice(3, 8, &numbers(case, "weights"));
        assert_relative_eq!(net.weights(), &expected, epsilon = TOLERANCE * expected.amax());
    }
}

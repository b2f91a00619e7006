//! Settings of schedules. The error names the setting, the value and the range.

mod adaptive;
mod combinators;
mod decays;
mod kinds;
mod waves;

use crate::support::refused;
use expnet::method::{GradientDescent, Method};
use expnet::schedule::Schedule;
use expnet::{Dataset, ExpNetwork, Initializer, Trainer};

const POSITIVE: &str = "positive and finite";

const LEAST: &str = "finite and at least 0";

const SHARE: &str = "above 0 and below 1";

/// Neither positive nor finite, as printed.
const NOT_POSITIVE: [(f64, &str); 5] = [
    (0.0, "is 0;"),
    (-1.0, "is -1;"),
    (f64::NAN, "is NaN;"),
    (f64::INFINITY, "is inf;"),
    (f64::NEG_INFINITY, "is -inf;"),
];

const NOT_SHARES: [(f64, &str); 4] = [
    (0.0, "is 0;"),
    (1.0, "is 1;"),
    (-0.5, "is -0.5;"),
    (f64::NAN, "is NaN;"),
];

/// Starts a run with the method; the error must name each of `words`, and the network stays as it is.
fn run_refused_by<'a>(schedule: impl Schedule<f64> + 'a, method: impl Method<f64> + 'a, words: &[&str]) {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let mut net: ExpNetwork<f64> = Initializer::new(2, 8).build().unwrap();
    let before = net.weights().clone();
    refused(Trainer::new(schedule).method(method).fit(&mut net, &data), words);
    assert_eq!(net.weights(), &before);
}

fn run_refused<'a>(schedule: impl Schedule<f64> + 'a, words: &[&str]) {
    run_refused_by(schedule, GradientDescent::default(), words);
}

/// Every number that is not positive and finite is refused, by the run.
fn positive<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in NOT_POSITIVE {
        run_refused(with(value), &[setting, is, POSITIVE]);
    }
}

/// 0 is fine, anything below, infinite or NaN is refused, by the run.
fn least<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in &NOT_POSITIVE[1..] {
        run_refused(with(*value), &[setting, is, LEAST]);
    }
}

fn share<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in NOT_SHARES {
        run_refused(with(value), &[setting, is, SHARE]);
    }
}

#[test]
fn number() {
    for (value, is) in NOT_POSITIVE {
        run_refused(value, &["the step size given to `Trainer::new`", is, POSITIVE]);
    }
}

#[test]
fn closure_turning_bad() {
    let mut calls = 0;
    let schedule = expnet::schedule::from_fn(move |_| {
        calls += 1;
        if calls < 4 { 0.0 } else { f64::NAN }
    });
    run_refused(schedule, &["step size of step 3", "NaN"]);
}

//! Settings of the trainer and of gradient descent.

use super::fit_refused;
use crate::support::problems::data;
use expnet::Trainer;
use expnet::method::{GradientDescent, Minibatch};
use expnet::schedule::KernelStable;

#[test]
fn momentum_out_of_range() {
    for (beta, name) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let words = ["momentum", name, "at least 0 and below 1"];
        fit_refused(
            Trainer::new(0.1).method(GradientDescent::default().momentum(beta)),
            &words,
        );
        fit_refused(
            Trainer::new(0.1).method(GradientDescent::default().nesterov(beta)),
            &words,
        );
        fit_refused(Trainer::new(0.1).method(Minibatch::new(2).momentum(beta)), &words);
    }
}

#[test]
fn clip_out_of_range() {
    for (c, name) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let words = ["clip_norm", name, "positive and finite"];
        fit_refused(
            Trainer::new(0.1).method(GradientDescent::default().clip_norm(c)),
            &words,
        );
        fit_refused(Trainer::new(0.1).method(Minibatch::new(2).clip_norm(c)), &words);
    }
}

#[test]
fn empty_minibatches() {
    fit_refused(
        Trainer::new(0.1).method(Minibatch::new(0)),
        &["Minibatch", "is 0", "at least 1"],
    );
}

#[test]
fn tolerance_out_of_range() {
    for (tolerance, name) in [(f64::NAN, "NaN"), (-1e-3, "-0.001"), (f64::INFINITY, "inf")] {
        fit_refused(Trainer::new(0.1).tolerance(tolerance), &["tolerance", name, "finite"]);
    }
}

#[test]
fn no_patience() {
    let validation = data(3, 2, 9);
    fit_refused(
        Trainer::new(0.1).validation(&validation, 0),
        &["patience", "is 0", "at least 1"],
    );
}

#[test]
fn stall_out_of_range() {
    fit_refused(
        Trainer::new(0.1).stall(0, 0.1),
        &["stall", "window", "is 0", "at least 1"],
    );
    for (fraction, name) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.0, "1"), (f64::INFINITY, "inf")] {
        fit_refused(
            Trainer::new(0.1).stall(5, fraction),
            &["stall", "`relative`", name, "below 1"],
        );
    }
}

#[test]
fn kernel_stable_factor_out_of_range() {
    for factor in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let words = ["KernelStable", &factor.to_string(), "positive"];
        fit_refused(Trainer::new(KernelStable::default().factor(factor)), &words);
    }
}

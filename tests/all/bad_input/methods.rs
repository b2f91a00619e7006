//! User-defined methods that answer wrongly.

use super::fit_refused;
use crate::support::{Answers, Scripted};
use expnet::schedule::KernelStable;
use expnet::{Error, Trainer};

#[test]
fn dual_vector_of_another_length() {
    let short = Answers::changing(|direction| direction.dual.truncate(2));
    fit_refused(
        Trainer::new(0.1).method(short),
        &["dual vector", "expected 3", "found 2", "one number per sample"],
    );
    let long = Answers::changing(|direction| direction.dual.push(0.0));
    fit_refused(
        Trainer::new(0.1).method(long),
        &["dual vector", "expected 3", "found 4"],
    );
}

#[test]
fn dual_vector_that_is_not_finite() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let method = Answers::changing(move |direction| direction.dual[1] = value);
        fit_refused(
            Trainer::new(0.1).method(method),
            &["dual vector", name, "sample 1", "step 0"],
        );
    }
}

#[test]
fn momentum_and_pull_out_of_range() {
    for (value, name) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf")] {
        let method = Answers::changing(move |direction| direction.momentum = value);
        fit_refused(
            Trainer::new(0.1).method(method),
            &["`Direction::momentum`", name, "finite"],
        );
        let method = Answers::changing(move |direction| direction.pull = value);
        fit_refused(Trainer::new(0.1).method(method), &["pull", name, "finite"]);
    }
}

#[test]
fn batch_beyond_the_samples() {
    fit_refused(
        Trainer::new(0.1).method(Scripted::new().dealing(|_, batch| batch.push(3))),
        &["batch", "3", "expected 2", "counted from 0"],
    );
}

#[test]
fn product_of_another_length() {
    let asks = Answers::new(|evaluation, _| evaluation.tangent_product(&[1.0]).map(drop));
    fit_refused(
        Trainer::new(0.1).method(asks),
        &["length of the vector", "expected 3", "found 1"],
    );
}

#[test]
fn error_of_a_method_ends_the_run() {
    let fails = Answers::new(|_, _| {
        Err(Error::Empty {
            what: "the quiver",
            remedy: "make arrows",
        })
    });
    fit_refused(Trainer::new(0.1).method(fails), &["the quiver is empty", "make arrows"]);
}

#[test]
fn kernel_schedule_with_a_method_that_is_no_gradient() {
    let method = Answers::changing(|direction| direction.dual.fill(1.0));
    let trainer = Trainer::new(KernelStable::default()).method(method);
    fit_refused(
        trainer,
        &["KernelStable", "does not follow the gradient", "use a constant"],
    );
}

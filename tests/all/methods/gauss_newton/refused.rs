//! Settings, schedules and kernels that it does not work with.

use super::{antisymmetric, sphere};
use crate::support::refused;
use expnet::method::GaussNewton;
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable, Polyak, Schedule};
use expnet::{Dataset, ExpNetwork, Trainer};
use nalgebra::{dmatrix, dvector};

#[test]
fn an_overflowing_g_is_an_error_that_names_the_sample() {
    let data = Dataset::from_rows(&[[1.0], [360.0]], &[0.5, 0.0]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![1.0, 1.0], dvector![1.0, -1.0]).unwrap();
    let result = Trainer::default().method(GaussNewton::default()).fit(&mut net, &data);
    refused(
        result,
        &["the activations reach exp(360) at sample 1", "tangent kernel", "inf"],
    );
}

#[track_caller]
fn run_refused(trainer: Trainer<'_, f64>, words: &[&str]) {
    let data = sphere::<f64>(4, 2, 3);
    refused(trainer.fit(&mut antisymmetric(2, 8), &data), words);
}

#[test]
fn bad_settings_are_errors_before_the_first_step() {
    let method = GaussNewton::default;
    let bad = |method, words: &[&str]| run_refused(Trainer::default().method(method), words);
    for (value, name) in [(-1.0, "is -1;"), (f64::NAN, "is NaN;"), (f64::INFINITY, "is inf;")] {
        bad(method().ridge(value), &["`GaussNewton::ridge`", name, "at least 0"]);
        bad(method().damping(value), &["`GaussNewton::damping`", name, "at least 0"]);
        bad(
            method().initial_damping(value),
            &["`GaussNewton::initial_damping`", name, "positive"],
        );
        bad(
            method().accuracy(value),
            &["`GaussNewton::accuracy`", name, "above 0 and below 1"],
        );
    }
    bad(
        method().initial_damping(0.0),
        &["`GaussNewton::initial_damping`", "is 0;"],
    );
    bad(
        method().max_products(0),
        &["`GaussNewton::max_products`", "is 0;", "at least 1"],
    );
}

#[test]
fn schedules_that_make_no_sense_are_errors() {
    fn with(schedule: impl Schedule<f64>, ridge: f64, words: &[&str]) {
        run_refused(
            Trainer::new(schedule).method(GaussNewton::default().ridge(ridge)),
            words,
        );
    }
    for ridge in [0.0, 1.0] {
        with(
            KernelStable::default(),
            ridge,
            &["KernelStable", "constant step size of 1"],
        );
        with(Polyak::default(), ridge, &["Polyak", "does not follow the gradient"]);
        with(
            BarzilaiBorwein::default(),
            ridge,
            &["BarzilaiBorwein", "does not follow the gradient"],
        );
    }
    with(Backtracking::default(), 1.0, &["Backtracking", "penalty"]);
}

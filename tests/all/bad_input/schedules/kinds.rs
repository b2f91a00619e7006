//! Schedules with methods that they do not work with.

use super::run_refused_by;
use crate::support::Answers;
use expnet::method::{GradientDescent, Minibatch};
use expnet::schedule::{BarzilaiBorwein, DeltaBarDelta, KernelStable, Polyak, Schedule};

const NO_GRADIENT: &str = "a method that does not follow the gradient";

#[test]
fn kernel_stable_without_a_gradient() {
    let words = ["KernelStable", NO_GRADIENT, "constant step size of 1", "`Backtracking`"];
    run_refused_by(KernelStable::default(), Answers::plain(), &words);
}

#[test]
fn polyak_without_a_gradient() {
    let words = ["Polyak", NO_GRADIENT, "constant step size of 1", "`Backtracking`"];
    run_refused_by(Polyak::default(), Answers::plain(), &words);
}

/// Those that compare the gradients of two steps.
fn plain_only<S: Schedule<f64>>(schedule: impl Fn() -> S, name: &str) {
    let plain = GradientDescent::default();
    let remedies = ["`KernelStable`", "`Backtracking`", "`GradientDescent::default()`"];
    let words = |with| [&[name, with, "compares the gradients of two steps"], &remedies[..]].concat();
    run_refused_by(schedule(), plain.momentum(0.5), &words("momentum or clipping"));
    run_refused_by(schedule(), plain.nesterov(0.5), &words("momentum or clipping"));
    run_refused_by(schedule(), plain.clip_norm(1.0), &words("momentum or clipping"));
    run_refused_by(schedule(), Minibatch::new(1), &words("minibatches"));
    let dual = [name, NO_GRADIENT, "constant step size of 1", "`Backtracking`"];
    run_refused_by(schedule(), Answers::plain(), &dual);
    let later = Schedule::<f64>::then(0.1, 10, schedule()).warmup(3);
    run_refused_by(later, Minibatch::new(1), &words("minibatches"));
}

#[test]
fn barzilai_borwein_with_anything_but_plain_gradients() {
    plain_only(BarzilaiBorwein::default, "BarzilaiBorwein");
}

#[test]
fn delta_bar_delta_with_anything_but_plain_gradients() {
    plain_only(DeltaBarDelta::default, "DeltaBarDelta");
}

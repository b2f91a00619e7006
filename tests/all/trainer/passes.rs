//! How many passes a step takes, with trials and without.

use super::{assert_close, problem};
use expnet::method::GradientDescent;
use expnet::observer::{History, Progress};
use expnet::schedule::StepState;
use expnet::{Termination, Trainer};
use std::cell::RefCell;
use std::ops::ControlFlow;

#[test]
fn constant_steps_take_a_pass_each_and_one_more() {
    let (data, start, size) = problem();
    for steps in [1, 2, 7] {
        let report = Trainer::new(size)
            .max_steps(steps)
            .fit(&mut start.clone(), &data)
            .unwrap();
        assert_eq!((report.steps(), report.passes()), (steps, steps + 1));
        assert_eq!((report.trial_steps(), report.undone_steps()), (0, 0));
    }
}

#[test]
fn observers_and_momentum_take_no_pass() {
    let (data, mut net, size) = problem();
    let mut history = History::default();
    let trainer = Trainer::new(size)
        .method(GradientDescent::default().momentum(0.5))
        .observe(&mut history);
    assert_eq!(trainer.max_steps(7).fit(&mut net, &data).unwrap().passes(), 8);
}

#[test]
fn observers_see_the_passes_so_far() {
    let (data, mut net, size) = problem();
    let mut seen = Vec::new();
    // Two passes a step: a trial that the step does not use, and the step.
    let schedule = |state: &mut StepState<'_, f64>| {
        state.loss_at(0.5 * size);
        size
    };
    let watch = |progress: &Progress<'_, f64>| {
        seen.push(progress.passes());
        ControlFlow::Continue(())
    };
    let trainer = Trainer::new(schedule).max_steps(3).observe(watch);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((seen, report.passes()), (vec![3, 5, 7], 7));
}

#[test]
fn a_trial_that_is_taken_is_the_step() {
    let (data, start, size) = problem();
    let (mut tried, mut plain) = (start.clone(), start.clone());
    let losses = RefCell::new(Vec::new());
    let trial = |state: &mut StepState<'_, f64>| {
        losses.borrow_mut().push(state.loss_at(size));
        size
    };
    let mut history = History::default();
    let report = Trainer::new(trial)
        .max_steps(7)
        .observe(&mut history)
        .fit(&mut tried, &data)
        .unwrap();
    assert_eq!((report.passes(), report.trial_steps()), (8, 0));
    assert_eq!(*losses.borrow(), history.losses()[1..]);
    Trainer::new(size).max_steps(7).fit(&mut plain, &data).unwrap();
    assert_close(&tried, plain.weights());
}

#[test]
fn a_trial_that_is_not_taken_counts_and_leaves_no_trace() {
    let (data, start, size) = problem();
    let (mut tried, mut plain) = (start.clone(), start.clone());
    let report = Trainer::new(move |state: &mut StepState<'_, f64>| {
        let (far, near) = (state.loss_at(3.0 * size), state.loss_at(size / 2.0));
        assert!(far.is_finite() && near < state.loss());
        size
    })
    .max_steps(3)
    .fit(&mut tried, &data)
    .unwrap();
    assert_eq!(report.trial_steps(), 6);
    Trainer::new(size).max_steps(3).fit(&mut plain, &data).unwrap();
    assert_close(&tried, plain.weights());
}

#[test]
fn a_step_size_of_zero_does_not_move() {
    let (data, start, _) = problem();
    let mut net = start.clone();
    let report = Trainer::new(|_: &mut StepState<'_, f64>| 0.0)
        .max_steps(5)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!((report.steps(), report.termination()), (5, Termination::MaxSteps));
    assert_eq!(net, start);
    assert_eq!(report.loss(), report.initial_loss());
}

#[test]
fn the_schedule_is_asked_once_a_step() {
    let (data, mut net, size) = problem();
    let asked = RefCell::new(Vec::new());
    let count = |state: &mut StepState<'_, f64>| {
        asked.borrow_mut().push(state.iteration());
        size
    };
    Trainer::new(count).max_steps(4).fit(&mut net, &data).unwrap();
    assert_eq!(*asked.borrow(), [0, 1, 2, 3]);
}

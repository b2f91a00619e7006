//! The meanings that the documentation promises for a run.

mod common;

use common::{data, net, small_step};
use expnet::method::{Direction, Evaluation, GradientDescent, Kind, Method, Minibatch, Outcome, Verdict};
use expnet::observer::{History, Observer, Progress};
use expnet::schedule::{self, StepState};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Termination, Trainer};
use nalgebra::{DMatrix, dmatrix, dvector};
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::time::Duration;

/// 12 points in 3 dimensions, 64 neurons, and a step size that descends.
fn problem() -> (Dataset<f64>, ExpNetwork<f64>, f64) {
    let (data, net) = (data(12, 3, 5), net(3, 64, 5));
    let size = small_step(&net, &data, 1.0);
    (data, net, size)
}

fn with_weights(net: &ExpNetwork<f64>, weights: DMatrix<f64>) -> ExpNetwork<f64> {
    ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap()
}

fn assert_close(found: &ExpNetwork<f64>, expected: &DMatrix<f64>) {
    let error = (found.weights() - expected).amax();
    assert!(error <= 1e-12, "off by {error:e}");
}

// What ends a run.

#[test]
fn zero_steps_evaluate_once_and_move_nothing() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let report = Trainer::new(size).max_steps(0).fit(&mut net, &data).unwrap();
    assert_eq!(report.termination(), Termination::MaxSteps);
    assert_eq!((report.steps(), report.passes()), (0, 1));
    assert_eq!(report.last_step_size(), None);
    assert_eq!(net, start);
    assert_eq!(report.loss(), report.initial_loss());
}

#[test]
fn tolerance_is_tested_before_the_first_step() {
    let (data, mut net, size) = problem();
    let norm = net.residual(&data).unwrap().norm();
    let report = Trainer::new(size).tolerance(1.01 * norm).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Converged, 0));
}

#[test]
fn tolerance_is_tested_after_the_last_step() {
    let (data, start, size) = problem();
    let ten = Trainer::new(size).max_steps(10).fit(&mut start.clone(), &data).unwrap();
    assert_eq!(ten.termination(), Termination::MaxSteps);
    let tolerance = ten.residual_norm() * (1.0 + 1e-12);
    let trainer = Trainer::new(size).max_steps(10).tolerance(tolerance);
    let report = trainer.fit(&mut start.clone(), &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Converged, 10));
}

#[test]
fn zero_residual_is_converged_at_tolerance_zero() {
    let (data, mut net, size) = problem();
    let labels = net.forward(data.points()).unwrap();
    let fitted = Dataset::new(data.points().clone(), labels).unwrap();
    let report = Trainer::new(size).fit(&mut net, &fitted).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Converged, 0));
}

#[test]
fn zero_gradient_is_stationary() {
    // At x = 0 the output is the sum of the output weights, whatever the weights.
    let data = Dataset::new(dmatrix![0.0, 0.0], dvector![3.0, 4.0]).unwrap();
    let start = net(1, 8, 1);
    let mut net = start.clone();
    let report = Trainer::new(0.1).fit(&mut net, &data).unwrap();
    assert_eq!(report.termination(), Termination::Stationary);
    assert!(report.steps() <= 1);
    assert_eq!(net, start);
    // The default schedule measures a kernel of 0 there.
    let report = Trainer::default().fit(&mut net, &data).unwrap();
    assert_eq!(report.termination(), Termination::Stationary);
    assert_eq!(net, start);
}

#[test]
fn time_ends_a_run() {
    let (data, mut net, size) = problem();
    let report = Trainer::new(size * 1e-6)
        .max_steps(usize::MAX)
        .max_time(Duration::from_millis(20))
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(report.termination(), Termination::MaxTime);
    assert!(report.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_loss_that_stays_is_a_stall() {
    let (data, mut net, _) = problem();
    let report = Trainer::new(0.0).stall(7, 1e-3).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 7));
}

#[test]
fn a_loss_that_falls_is_no_stall() {
    let (data, mut net, size) = problem();
    let trainer = Trainer::new(size).stall(7, 1e-9).max_steps(50);
    assert_eq!(
        trainer.fit(&mut net, &data).unwrap().termination(),
        Termination::MaxSteps
    );
}

#[test]
fn observers_stop_a_run() {
    let (data, start, size) = problem();
    let seen = RefCell::new(Vec::new());
    let mut net = start.clone();
    let report = Trainer::new(size)
        .observe(|progress: &Progress<'_, f64>| {
            seen.borrow_mut().push(progress.steps());
            if progress.steps() == 4 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 4));
    assert_eq!(*seen.borrow(), [1, 2, 3, 4]);
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary {
    every: usize,
    stop_at_start: bool,
    entries: Vec<String>,
}

impl<T: Float> Observer<T> for Diary {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.entries.push(format!("start {}", progress.steps()));
        if self.stop_at_start {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.entries.push(format!("step {}", progress.steps()));
        ControlFlow::Continue(())
    }
    fn end(&mut self, report: &FitReport<T>) {
        self.entries.push(format!("end {}", report.steps()));
    }
    fn every(&self) -> usize {
        self.every
    }
}

#[test]
fn observers_are_called_as_often_as_they_say() {
    let (data, mut net, size) = problem();
    let mut diaries = [3, 0].map(|every| Diary {
        every,
        ..Diary::default()
    });
    let [third, never] = &mut diaries;
    Trainer::new(size)
        .max_steps(7)
        .observe(third as &mut dyn Observer<f64>)
        .observe(never as &mut dyn Observer<f64>)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(third.entries, ["start 0", "step 3", "step 6", "end 7"]);
    assert_eq!(never.entries, ["start 0", "end 7"]);
}

#[test]
fn an_observer_may_stop_a_run_at_its_start() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let mut diary = Diary {
        stop_at_start: true,
        ..Diary::default()
    };
    let trainer = Trainer::new(size).observe(&mut diary as &mut dyn Observer<f64>);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 0));
    assert_eq!(net, start);
}

#[test]
fn history_records_start_and_steps() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let mut history = History::default();
    for _ in 0..2 {
        // Used twice: the second run is recorded alone.
        net = start.clone();
        let trainer = Trainer::new(size)
            .max_steps(5)
            .validation(&data, 100)
            .observe(&mut history);
        trainer.fit(&mut net, &data).unwrap();
    }
    assert_eq!(history.steps(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(history.losses()[0], start.loss(&data).unwrap());
    assert_eq!(history.step_sizes()[0], None);
    assert!(history.step_sizes()[1..].iter().all(|s| *s == Some(size)));
    assert!(history.seconds().is_sorted());
    for i in 0..6 {
        let loss = history.losses()[i];
        assert!((history.validation_losses()[i].unwrap() - loss).abs() <= 1e-14 * loss);
    }
    let moved = net.weights() - start.weights();
    let largest = moved.column_iter().map(|w| w.norm()).fold(0.0, f64::max);
    assert_eq!(
        (history.movements()[0].largest, history.movements()[0].frobenius),
        (0.0, 0.0)
    );
    assert!((history.movements()[5].frobenius - moved.norm()).abs() < 1e-12);
    assert!((history.movements()[5].largest - largest).abs() < 1e-12);
}

#[cfg(feature = "csv")]
#[test]
fn history_is_written_as_a_table() {
    let (data, mut net, size) = problem();
    let mut history = History::default().every(2).movement(false);
    Trainer::new(size)
        .max_steps(5)
        .observe(&mut history)
        .fit(&mut net, &data)
        .unwrap();
    let mut bytes = Vec::new();
    history.to_csv(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("step,loss,step_size,validation_loss,seconds"),
        "{text}"
    );
    assert_eq!(lines.len(), 4);
    let row: Vec<&str> = lines[3].split(',').collect();
    assert_eq!((row[0], row.len()), ("4", 7));
    assert_eq!(row[1].parse::<f64>().unwrap(), history.losses()[2]); // digits enough to come back
    assert_eq!((row[3], &row[5..]), ("", &["", ""][..]));
}

// Validation.

#[test]
fn best_weights_are_put_back_when_validation_only_rises() {
    let (data, start, size) = problem();
    // What the start gives already: every step away from it is worse.
    let validation = Dataset::new(data.points().clone(), start.forward(data.points()).unwrap()).unwrap();
    let mut net = start.clone();
    let trainer = Trainer::new(size).validation(&validation, 4);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::NoImprovement, 4));
    assert_eq!((report.best_step(), report.validation_loss()), (Some(0), Some(0.0)));
    assert_eq!(net, start);
    assert_eq!(report.loss(), start.loss(&data).unwrap());
}

/// Labels halfway between the start's outputs and the data's: passed by on the way.
fn halfway(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> Dataset<f64> {
    let labels = (net.forward(data.points()).unwrap() + data.labels()) / 2.0;
    Dataset::new(data.points().clone(), labels).unwrap()
}

#[test]
fn best_weights_are_put_back_whatever_ends_the_run() {
    let (data, start, size) = problem();
    let validation = halfway(&start, &data);
    for (patience, reason) in [(5, Termination::NoImprovement), (100_000, Termination::MaxSteps)] {
        let mut net = start.clone();
        let mut history = History::default();
        let trainer = Trainer::new(size)
            .validation(&validation, patience)
            .observe(&mut history);
        let report = trainer.max_steps(3000).fit(&mut net, &data).unwrap();
        assert_eq!(report.termination(), reason);
        let best = report.best_step().unwrap();
        assert!(best > 0 && best < report.steps());
        let least = history
            .validation_losses()
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        assert_eq!(report.validation_loss(), Some(least));
        assert_eq!(history.validation_losses()[best], Some(least));
        if reason == Termination::NoImprovement {
            assert_eq!(report.steps(), best + patience);
        }
        let of_net = net.loss(&validation).unwrap();
        assert!((of_net - least).abs() <= 1e-12 * least.max(1.0), "{of_net} {least}");
        assert!((report.loss() - net.loss(&data).unwrap()).abs() <= 1e-12 * report.loss());
        // The same weights as a run that ends there.
        let mut short = start.clone();
        Trainer::new(size).max_steps(best).fit(&mut short, &data).unwrap();
        assert_eq!(net, short);
    }
}

// Divergence.

#[test]
fn divergence_leaves_the_last_finite_weights() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let sizes = schedule::from_fn(move |state| if state.iteration() < 3 { size } else { 1e9 });
    let error = Trainer::new(sizes).fit(&mut net, &data).unwrap_err();
    let Error::Diverged {
        step,
        step_size,
        last_loss,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((step, step_size), (3, 1e9));
    let mut three = start.clone();
    let report = Trainer::new(size).max_steps(3).fit(&mut three, &data).unwrap();
    assert_eq!(net, three);
    assert_eq!(last_loss, report.loss());
}

#[test]
fn divergence_of_f32_is_judged_in_f32() {
    // Outputs of 1e30 are finite in f32, their squares are not.
    let data = Dataset::new(dmatrix![1.0_f32], dvector![0.0]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![0.0_f32], dvector![1.0]).unwrap();
    let error = Trainer::new(1.0).method(Uphill).fit(&mut net, &data).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(net.loss(&data).unwrap().is_finite());
}

/// Climbs, slowly enough to be finite for some steps.
struct Uphill;

impl<T: Float> Method<T> for Uphill {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction
            .dual
            .iter_mut()
            .for_each(|v| *v = -T::one() / (T::one() + v.abs()) * T::lit(20.0));
        Ok(())
    }
}

#[test]
fn a_loss_that_rises_first_is_not_divergence() {
    let data = data::<f64>(6, 3, 2);
    let mut net = Initializer::new(3, 256)
        .antisymmetric(true)
        .seed(1)
        .build::<f64>()
        .unwrap();
    let mut history = History::default();
    let mut size = None;
    let report = Trainer::new(move |state: &mut StepState<'_, f64>| {
        *size.get_or_insert_with(|| 2.5 / state.largest_kernel_eigenvalue())
    })
    .max_steps(20_000)
    .tolerance(1e-3)
    .observe(&mut history)
    .fit(&mut net, &data)
    .unwrap();
    assert_eq!(report.termination(), Termination::Converged);
    let losses = history.losses();
    assert!(losses.iter().any(|&l| l > 1.5 * losses[0]), "never rose");
}

// Steps.

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
fn slope_and_carried_are_the_first_order_of_a_trial() {
    let (data, start, size) = problem();
    let methods = [
        GradientDescent::default(),
        GradientDescent::default().clip_norm(1e-3),
        GradientDescent::default().momentum(0.9),
        GradientDescent::default().nesterov(0.7),
    ];
    for method in methods {
        let check = |state: &mut StepState<'_, f64>| {
            let (slope, carried) = (state.slope(), state.carried());
            let h = 1e-3 * (state.loss() / slope).abs();
            let measured = (state.loss_at(2.0 * h) - state.loss_at(h)) / h;
            assert!(
                (measured - slope).abs() <= 0.01 * slope.abs(),
                "{method:?}: {slope} {measured}"
            );
            let measured = state.loss_at(h) - h * slope - state.loss();
            let second_order = 1e-2 * (carried.abs() + (h * slope).abs());
            assert!(
                (measured - carried).abs() <= second_order,
                "{method:?}: {carried} {measured}"
            );
            size * 1e-2
        };
        Trainer::new(check)
            .method(method)
            .max_steps(3)
            .fit(&mut start.clone(), &data)
            .unwrap();
    }
}

#[test]
fn lazy_members_agree_with_the_network() {
    let (data, mut net, size) = problem();
    let gradients = RefCell::new(vec![net.gradient(&data).unwrap()]);
    let start = net.clone();
    let ask = |state: &mut StepState<'_, f64>| {
        let gradients = gradients.borrow();
        let now = gradients.last().unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-10 * b.abs(), "{a} {b}");
        close(state.gradient_norm_squared(), now.norm_squared());
        close(state.slope(), -now.norm_squared());
        assert_eq!(state.carried(), 0.0);
        assert_eq!((state.samples(), state.dimension(), state.width()), (12, 3, 64));
        close(state.residual_norm().powi(2) / 2.0, state.loss());
        let dot = state.gradient_dot_previous();
        match state.iteration() {
            0 => assert_eq!(dot, None),
            k => close(dot.unwrap(), now.dot(&gradients[k - 1])),
        }
        size
    };
    let note = |progress: &Progress<'_, f64>| {
        let now = with_weights(&start, progress.weights().unwrap());
        gradients.borrow_mut().push(now.gradient(&data).unwrap());
        ControlFlow::Continue(())
    };
    let report = Trainer::new(ask)
        .observe(note)
        .max_steps(4)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(report.passes(), 1 + 2 * 4); // a gradient asked for is a sweep; the step moves and evaluates
}

#[test]
fn kernel_eigenvalue_is_within_two_percent_from_above() {
    let (data, mut net, _) = problem();
    let (points, a) = (data.points(), net.output_weights());
    let mut e = points.tr_mul(net.weights()).map(f64::exp);
    for (mut column, a) in e.column_iter_mut().zip(a) {
        column *= *a;
    }
    let gram = points.tr_mul(points).component_mul(&(&e * e.transpose()));
    let exact = gram.symmetric_eigenvalues().max();
    Trainer::new(move |state: &mut StepState<'_, f64>| {
        let found = state.largest_kernel_eigenvalue();
        assert!(
            found >= exact * (1.0 - 1e-12) && found <= 1.02 * exact,
            "{found} {exact}"
        );
        0.0
    })
    .max_steps(1)
    .fit(&mut net, &data)
    .unwrap();
}

#[test]
fn a_step_size_of_zero_does_not_move() {
    let (data, start, _) = problem();
    let mut net = start.clone();
    let report = Trainer::new(0.0).max_steps(5).fit(&mut net, &data).unwrap();
    assert_eq!((report.steps(), report.termination()), (5, Termination::MaxSteps));
    assert_eq!(net, start);
    assert_eq!(report.loss(), report.initial_loss());
}

#[test]
fn report_speaks_of_the_network_handed_back() {
    let (data, mut net, size) = problem();
    let report = Trainer::new(size).max_steps(20).fit(&mut net, &data).unwrap();
    let (loss, norm) = (net.loss(&data).unwrap(), net.residual(&data).unwrap().norm());
    assert!((report.loss() - loss).abs() <= 1e-14 * loss);
    assert!((report.residual_norm() - norm).abs() <= 1e-14 * norm);
    assert_eq!(report.last_step_size(), Some(size));
    let text = report.to_string();
    for part in ["20 steps", "21 passes", "the number of steps was used up"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn session_by_hand_equals_fit() {
    let (data, start, size) = problem();
    let (mut fitted, mut driven) = (start.clone(), start.clone());
    let fit = Trainer::new(size).max_steps(30).fit(&mut fitted, &data).unwrap();
    let mut session = Trainer::new(size).max_steps(30).start(&mut driven, &data).unwrap();
    let mut steps = 0;
    while session.step().unwrap().is_none() {
        steps += 1;
        assert_eq!(session.steps(), steps);
    }
    assert_eq!(session.termination(), Some(Termination::MaxSteps));
    assert_eq!(session.step().unwrap(), Some(Termination::MaxSteps)); // no further step
    let report = session.finish().unwrap();
    assert_eq!((report.steps(), report.passes()), (30, 31));
    assert_eq!(report.loss(), fit.loss());
    assert_eq!(driven, fitted);
}

#[test]
fn a_session_left_early_leaves_its_weights() {
    let (data, start, size) = problem();
    let (mut dropped, mut finished, mut fitted) = (start.clone(), start.clone(), start.clone());
    {
        let mut session = Trainer::new(size).start(&mut dropped, &data).unwrap();
        session.step().unwrap();
        session.step().unwrap();
    }
    let mut session = Trainer::new(size).start(&mut finished, &data).unwrap();
    session.step().unwrap();
    session.step().unwrap();
    let report = session.finish().unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 2));
    Trainer::new(size).max_steps(2).fit(&mut fitted, &data).unwrap();
    assert_eq!(dropped, fitted);
    assert_eq!(finished, fitted);
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

// Methods.

/// `update(W, gradient, k)` gives the next weights.
fn by_hand(
    start: &ExpNetwork<f64>,
    data: &Dataset<f64>,
    steps: usize,
    mut update: impl FnMut(&DMatrix<f64>, DMatrix<f64>, usize) -> DMatrix<f64>,
) -> DMatrix<f64> {
    let mut net = start.clone();
    for k in 0..steps {
        net = with_weights(&net, update(net.weights(), net.gradient(data).unwrap(), k));
    }
    net.weights().clone()
}

/// A step size that changes: momentum must keep the steps already taken.
fn changing(size: f64, k: usize) -> f64 {
    size / (1.0 + k as f64)
}

fn fitted(start: &ExpNetwork<f64>, data: &Dataset<f64>, size: f64, method: impl Method<f64>) -> ExpNetwork<f64> {
    let mut net = start.clone();
    let sizes = schedule::from_fn(|state| changing(size, state.iteration()));
    Trainer::new(sizes)
        .method(method)
        .max_steps(12)
        .fit(&mut net, data)
        .unwrap();
    net
}

#[test]
fn momentum_is_the_heavy_ball() {
    let (data, start, size) = problem();
    let mut velocity = DMatrix::zeros(3, 64);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        velocity = &velocity * 0.8 - g * changing(size, k);
        w + &velocity
    });
    assert_close(
        &fitted(&start, &data, size, GradientDescent::default().momentum(0.8)),
        &expected,
    );
}

#[test]
fn nesterov_looks_ahead() {
    let (data, start, size) = problem();
    let mut velocity = DMatrix::zeros(3, 64);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        let step = g * changing(size, k);
        velocity = &velocity * 0.8 - &step;
        w + &velocity * 0.8 - step
    });
    assert_close(
        &fitted(&start, &data, size, GradientDescent::default().nesterov(0.8)),
        &expected,
    );
}

#[test]
fn clipping_shortens_long_gradients_only() {
    let (data, start, size) = problem();
    let norm = start.gradient(&data).unwrap().norm();
    let c = norm / 2.0; // the first gradients are longer, the last ones are not
    let clipped = Cell::new(0);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        clipped.set(clipped.get() + usize::from(g.norm() > c));
        w - &g * (changing(4.0 * size, k) * (c / g.norm()).min(1.0))
    });
    assert!((1..12).contains(&clipped.get()), "{}", clipped.get());
    assert_close(
        &fitted(&start, &data, 4.0 * size, GradientDescent::default().clip_norm(c)),
        &expected,
    );
}

#[test]
fn clipping_works_where_the_squared_norm_leaves_f32() {
    // A gradient of about 1e21: its square is no f32.
    let data = Dataset::new(dmatrix![1.0_f32], dvector![0.0]).unwrap();
    let start = ExpNetwork::from_parts(dmatrix![24.0_f32], dvector![1.0]).unwrap();
    let mut net = start.clone();
    let method = GradientDescent::default().clip_norm(1.0);
    Trainer::new(0.5)
        .method(method)
        .max_steps(2)
        .fit(&mut net, &data)
        .unwrap();
    assert!((net.weights()[0] - 23.0).abs() < 1e-5, "{}", net.weights());
}

/// Gradient descent with ridge: the loss plus pull / 2 ||W - W_0||^2.
struct Ridge {
    pull: f64,
    asks_norm: bool,
}

impl Method<f64> for Ridge {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        assert_eq!(direction.dual, evaluation.residual()); // it comes as the residual
        if self.asks_norm {
            assert!(evaluation.gradient_norm_squared() > 0.0);
        }
        if evaluation.iteration() == 3 {
            direction.dual.fill(0.0); // a step of the pull alone
        }
        direction.pull = self.pull;
        Ok(())
    }
}

#[test]
fn a_method_may_pull_towards_the_start() {
    let (data, start, size) = problem();
    let pull = 0.2 / size;
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        let g = if k == 3 { g * 0.0 } else { g };
        w - (g + (w - start.weights()) * pull) * changing(size, k)
    });
    for asks_norm in [false, true] {
        assert_close(&fitted(&start, &data, size, Ridge { pull, asks_norm }), &expected);
    }
}

/// Takes back every step that makes the loss rise, and tries a tenth of it.
#[derive(Default)]
struct Careful {
    factor: f64,
    undone: usize,
}

impl Method<f64> for Careful {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        direction.dual.iter_mut().for_each(|v| *v *= self.factor);
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        if outcome.loss_after <= outcome.loss_before {
            return Verdict::Keep;
        }
        self.factor /= 10.0;
        self.undone += 1;
        Verdict::Undo
    }

    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        assert_eq!(samples, 12);
        self.factor = 1.0;
        Ok(Kind::ModifiedGradient)
    }
}

#[test]
fn a_method_may_undo_its_steps() {
    let (data, mut net, size) = problem();
    let mut method = Careful::default();
    let mut history = History::default();
    let asked = Cell::new(0);
    let sizes = schedule::from_fn(|_| {
        asked.set(asked.get() + 1);
        1e5 * size // overflows at first
    });
    let report = Trainer::new(sizes)
        .method(&mut method as &mut dyn Method<f64>)
        .max_steps(10)
        .observe(&mut history)
        .fit(&mut net, &data)
        .unwrap();
    assert!(method.undone >= 2, "{}", method.undone);
    assert_eq!(
        (report.undone_steps(), report.steps(), asked.get()),
        (method.undone, 10, 10)
    );
    assert_eq!(report.passes(), 11 + method.undone);
    assert!(history.losses().is_sorted_by(|a, b| a >= b));
}

/// Takes back everything.
struct Never;

impl<T: Float> Method<T> for Never {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        Ok(())
    }
    fn judge(&mut self, _: &Outcome) -> Verdict {
        Verdict::Undo
    }
}

#[test]
fn a_method_that_takes_back_every_step_stalls() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let report = Trainer::new(size).method(Never).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 0));
    assert_eq!(net, start);
    assert_eq!(report.loss(), start.loss(&data).unwrap());
}

// Minibatches.

/// Writes down the batches that another method deals.
struct Dealt<'a> {
    inner: Minibatch,
    batches: &'a RefCell<Vec<Vec<usize>>>,
}

impl<T: Float> Method<T> for Dealt<'_> {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        self.inner.direction(evaluation, direction)
    }
    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        Method::<T>::batch(&mut self.inner, samples, batch);
        self.batches.borrow_mut().push(batch.clone());
    }
    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        Method::<T>::prepare(&mut self.inner, samples)
    }
}

#[test]
fn an_epoch_uses_every_sample_once() {
    let (data, start, size) = problem();
    let batches = RefCell::new(Vec::new());
    let dealt = Dealt {
        inner: Minibatch::new(5).seed(3),
        batches: &batches,
    };
    let mut net = start.clone();
    Trainer::new(size)
        .method(dealt)
        .max_steps(9)
        .fit(&mut net, &data)
        .unwrap();
    let batches = batches.borrow();
    let mut orders = Vec::new();
    for epoch in batches[..9].chunks(3) {
        let sizes: Vec<usize> = epoch.iter().map(Vec::len).collect();
        assert_eq!(sizes, [5, 5, 2]);
        let order = epoch.concat();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..12).collect::<Vec<_>>());
        orders.push(order);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2], "shuffled anew");

    // The steps are those of the batches' own losses.
    let mut expected = start.clone();
    for batch in &batches[..9] {
        let part = Dataset::new(data.points().select_columns(batch), data.labels().select_rows(batch)).unwrap();
        expected.step(&part, size).unwrap();
    }
    assert_close(&net, expected.weights());
}

#[test]
fn the_report_of_minibatches_is_of_all_samples() {
    let (data, mut net, size) = problem();
    let report = Trainer::new(size)
        .method(Minibatch::new(5))
        .max_steps(10)
        .fit(&mut net, &data)
        .unwrap();
    let loss = net.loss(&data).unwrap();
    assert!((report.loss() - loss).abs() <= 1e-14 * loss);
}

#[test]
fn minibatches_converge_once_an_epoch() {
    let (data, mut net, size) = problem();
    let tolerance = 0.5 * net.residual(&data).unwrap().norm();
    let trainer = Trainer::new(size).method(Minibatch::new(5)).tolerance(tolerance);
    let report = trainer.max_steps(30_000).fit(&mut net, &data).unwrap();
    assert_eq!(report.termination(), Termination::Converged);
    assert_eq!(report.steps() % 3, 0);
    assert!(net.residual(&data).unwrap().norm() <= tolerance * (1.0 + 1e-12));
}

#[test]
fn a_batch_of_all_samples_is_gradient_descent() {
    let (data, start, size) = problem();
    let (mut batched, mut full) = (start.clone(), start.clone());
    Trainer::new(size)
        .method(Minibatch::new(99))
        .max_steps(10)
        .fit(&mut batched, &data)
        .unwrap();
    Trainer::new(size).max_steps(10).fit(&mut full, &data).unwrap();
    assert_close(&batched, full.weights());
}

#[test]
fn minibatches_have_momentum() {
    let (data, start, size) = problem();
    let (mut batched, mut full) = (start.clone(), start.clone());
    Trainer::new(size)
        .method(Minibatch::new(12).momentum(0.7))
        .max_steps(10)
        .fit(&mut batched, &data)
        .unwrap();
    let method = GradientDescent::default().momentum(0.7);
    Trainer::new(size)
        .method(method)
        .max_steps(10)
        .fit(&mut full, &data)
        .unwrap();
    assert_close(&batched, full.weights());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (data, start, size) = problem();
    let run = |seed| {
        let mut net = start.clone();
        let method = Minibatch::new(5).seed(seed);
        Trainer::new(size)
            .method(method)
            .max_steps(20)
            .fit(&mut net, &data)
            .unwrap();
        net
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// All samples in the first step, one sample in the later ones.
struct FirstAll(bool);

impl<T: Float> Method<T> for FirstAll {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        Ok(())
    }
    fn batch(&mut self, _: usize, batch: &mut Vec<usize>) {
        if std::mem::replace(&mut self.0, true) {
            batch.push(7);
        }
    }
}

#[test]
fn a_method_may_go_over_to_batches() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let report = Trainer::new(size)
        .method(FirstAll(false))
        .max_steps(3)
        .fit(&mut net, &data)
        .unwrap();
    let loss = net.loss(&data).unwrap();
    assert!((report.loss() - loss).abs() <= 1e-14 * loss, "{report} {loss}");
    let one = Dataset::new(
        data.points().columns(7, 1).into_owned(),
        data.labels().rows(7, 1).into_owned(),
    )
    .unwrap();
    let mut expected = start;
    expected.step(&data, size).unwrap();
    expected.step(&one, size).unwrap();
    expected.step(&one, size).unwrap();
    assert_close(&net, expected.weights());
}

// Promises about bits and types.

fn run_in_pool<T: Float>(threads: usize, memory: Memory, observed: bool) -> (ExpNetwork<T>, FitReport<T>) {
    let (data, mut net) = (data::<T>(37, 5, 3), net::<T>(5, 4099, 3));
    let mut history = History::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let report = pool.install(|| {
        let mut trainer = Trainer::default().max_steps(6).memory(memory);
        if observed {
            trainer = trainer.observe(&mut history);
        }
        trainer
            .method(GradientDescent::default().momentum(0.5))
            .fit(&mut net, &data)
            .unwrap()
    });
    (net, report)
}

fn bits_are_the_same<T: Float>() {
    let (net, report) = run_in_pool::<T>(1, Memory::Auto, false);
    let others = [
        (2, Memory::Auto, false),
        (3, Memory::Auto, true),
        (2, Memory::Store, false),
        (1, Memory::Recompute, false),
        (3, Memory::Recompute, false),
        (2, Memory::Budget(1 << 16), false),
    ];
    for (threads, memory, observed) in others {
        let (other, other_report) = run_in_pool::<T>(threads, memory, observed);
        assert_eq!(net, other, "{threads} threads, {memory:?}");
        assert_eq!(report.loss(), other_report.loss());
    }
}

#[test]
fn bits_do_not_depend_on_threads_memory_or_observers() {
    bits_are_the_same::<f64>();
    bits_are_the_same::<f32>();
}

#[test]
fn outputs_do_not_depend_on_threads() {
    let (data, net) = (data::<f64>(101, 5, 3), net::<f64>(5, 4099, 3));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (net.forward(data.points()).unwrap(), net.gradient(&data).unwrap()))
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
}

#[test]
fn public_types_are_send_and_sync() {
    fn check<S: Send + Sync + 'static>() {}
    check::<ExpNetwork<f64>>();
    check::<ExpNetwork<f32>>();
    check::<Dataset<f64>>();
    check::<FitReport<f64>>();
    check::<Error>();
    check::<History>();
    check::<Initializer>();
    check::<Minibatch>();
    check::<GradientDescent>();
}

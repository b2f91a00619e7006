//! What ends a run, and what the report says about it.

use super::problem;
use crate::support::problems::net;
use crate::support::says;
use expnet::{Dataset, Termination, Trainer};
use nalgebra::{dmatrix, dvector};
use std::time::Duration;

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
    let (data, mut net, size) = problem();
    let report = Trainer::new(size * 1e-6).stall(7, 1e-3).fit(&mut net, &data).unwrap();
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
fn report_speaks_of_the_network_handed_back() {
    let (data, mut net, size) = problem();
    let report = Trainer::new(size).max_steps(20).fit(&mut net, &data).unwrap();
    let (loss, norm) = (net.loss(&data).unwrap(), net.residual(&data).unwrap().norm());
    assert!((report.loss() - loss).abs() <= 1e-14 * loss);
    assert!((report.residual_norm() - norm).abs() <= 1e-14 * norm);
    assert_eq!(report.last_step_size(), Some(size));
    says(
        &report,
        &["20 steps", "21 passes", "the maximum number of steps was reached"],
    );
}

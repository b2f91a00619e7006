//! A run driven by hand.

use super::problem;
use expnet::{Termination, Trainer};
use nalgebra::DMatrix;

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
fn a_session_shows_its_weights_and_residual_and_may_be_stopped() {
    let (data, start, size) = problem();
    let (mut net, mut two) = (start.clone(), start.clone());
    Trainer::new(size).max_steps(2).fit(&mut two, &data).unwrap();
    let mut session = Trainer::new(size).start(&mut net, &data).unwrap();
    session.step().unwrap();
    session.step().unwrap();
    let mut weights = DMatrix::zeros(0, 0);
    session.weights_into(&mut weights).unwrap();
    assert_eq!(&weights, two.weights());
    let norm = two.residual(&data).unwrap().norm();
    assert!((session.residual_norm() - norm).abs() <= 1e-12 * norm);
    session.stop();
    assert_eq!(session.step().unwrap(), Some(Termination::Stopped));
    assert_eq!(session.finish().unwrap().steps(), 2);
}

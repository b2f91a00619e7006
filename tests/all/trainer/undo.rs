//! Methods that take steps back.

use super::problem;
use crate::support::Scripted;
use expnet::method::{DirectionKind, Method, Verdict};
use expnet::observer::History;
use expnet::schedule::Backtracking;
use expnet::{Termination, Trainer, schedule};
use std::cell::Cell;

#[test]
fn a_method_may_undo_its_steps() {
    let (data, mut net, size) = problem();
    // Takes back every step that makes the loss rise, and tries a tenth of it.
    let (factor, undone) = (Cell::new(0.0), Cell::new(0));
    let mut method = Scripted::new()
        .preparing(|samples| {
            assert_eq!(samples, 12);
            factor.set(1.0);
        })
        .of_kind(DirectionKind::ModifiedGradient)
        .changing(|direction| direction.dual.iter_mut().for_each(|v| *v *= factor.get()))
        .judging(|outcome| {
            if outcome.loss_after <= outcome.loss_before {
                return Verdict::Keep;
            }
            factor.set(factor.get() / 10.0);
            undone.set(undone.get() + 1);
            Verdict::Undo
        });
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
    let undone = undone.get();
    assert!(undone >= 2, "{undone}");
    assert_eq!((report.undone_steps(), report.steps(), asked.get()), (undone, 10, 10));
    assert_eq!(report.passes(), 11 + undone);
    assert!(history.losses().is_sorted_by(|a, b| a >= b));
}

#[test]
fn a_method_that_takes_back_every_step_stalls() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let never = Scripted::new().judging(|_| Verdict::Undo);
    let report = Trainer::new(size).method(never).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 0));
    assert_eq!(net, start);
    assert_eq!(report.loss(), start.loss(&data).unwrap());
}

#[test]
fn a_step_given_up_counts_as_undone() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let never = Scripted::new().judging(|_| Verdict::GiveUp);
    let report = Trainer::new(size).method(never).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 0));
    assert_eq!((report.undone_steps(), report.passes()), (1, 2));
    assert_eq!(net, start);
}

#[test]
fn a_method_is_asked_once_more_where_a_line_search_finds_nothing() {
    let (data, mut net, size) = problem();
    let asked = Cell::new(0);
    // Uphill at first.
    let method = Scripted::<f64>::new().changing(|direction| {
        asked.set(asked.get() + 1);
        if asked.get() == 1 {
            direction.dual.iter_mut().for_each(|v| *v = -*v);
        }
    });
    let trainer = Trainer::new(Backtracking::default().initial(size)).method(method);
    let report = trainer.max_steps(1).fit(&mut net, &data).unwrap();
    assert_eq!((report.steps(), asked.get()), (1, 2));
    assert!(report.loss() < report.initial_loss());
}

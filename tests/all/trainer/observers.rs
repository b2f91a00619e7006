//! When observers are called and what they see; the history that one of them records.

use super::problem;
use crate::support::Folder;
use crate::support::oracle::largest_column;
use expnet::observer::{History, Observer, Progress};
use expnet::{Dataset, FitReport, Float, Initializer, Termination, Trainer};
use std::cell::RefCell;
use std::ops::ControlFlow;

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

/// Records what it is told.
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
    assert_eq!(third.entries, ["start 0", "step 3", "step 6", "step 7", "end 7"]);
    assert_eq!(never.entries, ["start 0", "end 7"]);
}

/// Once, however the run ends.
#[test]
fn observers_see_the_last_step() {
    let entries = |every, max_steps, stop| {
        let (data, mut net, size) = problem();
        let mut diary = Diary {
            every,
            ..Diary::default()
        };
        let trainer = Trainer::new(size).max_steps(max_steps);
        let trainer = trainer.observe(&mut diary as &mut dyn Observer<f64>);
        let trainer = trainer.observe(move |progress: &Progress<'_, f64>| {
            if progress.steps() == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        trainer.fit(&mut net, &data).unwrap();
        diary.entries
    };
    assert_eq!(entries(3, 6, 99), ["start 0", "step 3", "step 6", "end 6"]);
    assert_eq!(entries(3, 9, 4), ["start 0", "step 3", "step 4", "end 4"]);
    assert_eq!(entries(100, 2, 99), ["start 0", "step 2", "end 2"]);
    assert_eq!(entries(3, 0, 99), ["start 0", "end 0"]);

    let (data, mut net, size) = problem();
    let mut history = History::default().every(2);
    let mut session = Trainer::new(size).observe(&mut history).start(&mut net, &data).unwrap();
    for _ in 0..3 {
        session.step().unwrap();
    }
    let loss = session.loss();
    session.finish().unwrap();
    assert_eq!(history.steps(), [0, 2, 3]);
    assert_eq!(history.losses()[2], loss);
}

/// At the step where it is resumed an observer is started, and need not be shown that step again.
#[test]
fn observers_of_a_resumed_run_see_the_last_step() {
    let folder = Folder::new("last-step");
    let path = folder.join("run");
    let (data, start, size) = problem();
    let steps = |max_steps| {
        let mut history = History::default().every(5);
        let trainer = Trainer::new(size).max_steps(max_steps).resume(&path);
        trainer.observe(&mut history).fit(&mut start.clone(), &data).unwrap();
        history.steps().to_vec()
    };
    let trainer = Trainer::new(size).max_steps(3).checkpoint(&path, 100);
    trainer.fit(&mut start.clone(), &data).unwrap();
    assert_eq!(steps(3), [3]);
    assert_eq!(steps(4), [3, 4]);
    assert_eq!(steps(7), [3, 5, 7]);
}

/// While the weights are those of the last step: the best ones come back later.
#[test]
fn the_last_record_is_of_the_last_step() {
    let (data, _, size) = problem();
    // From F = 0, what brings F closer to the labels brings it away from their negatives.
    let start = Initializer::new(3, 64).antisymmetric(true).build().unwrap();
    let far = Dataset::new(data.points().clone(), -data.labels()).unwrap();
    let [mut all, mut some] = [1, 4].map(|every| History::default().every(every));
    let trainer = Trainer::new(size).max_steps(6).validation(&far, 100);
    let trainer = trainer.observe(&mut all).observe(&mut some);
    let report = trainer.fit(&mut start.clone(), &data).unwrap();
    assert_eq!((report.best_step(), some.steps()), (Some(0), &[0, 4, 6][..]));
    assert_eq!(some.losses()[2], all.losses()[6]);
    assert_eq!(some.validation_losses()[2], all.validation_losses()[6]);
    assert_eq!(some.movements()[2], all.movements()[6]);
    assert!(some.movements()[2].frobenius > 0.0);
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
    assert_eq!(
        (history.movements()[0].largest, history.movements()[0].frobenius),
        (0.0, 0.0)
    );
    assert!((history.movements()[5].frobenius - moved.norm()).abs() < 1e-12);
    assert!((history.movements()[5].largest - largest_column(&moved)).abs() < 1e-12);
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
    assert_eq!(lines.len(), 5);
    let row: Vec<&str> = lines[4].split(',').collect();
    assert_eq!((row[0], row.len()), ("5", 7));
    assert_eq!(row[1].parse::<f64>().unwrap(), history.losses()[3]); // digits enough to come back
    assert_eq!((row[3], &row[5..]), ("", &["", ""][..]));
}

#[test]
fn observers_are_shown_the_tolerance() {
    let (data, mut net, size) = problem();
    let mut seen = Vec::new();
    Trainer::new(size)
        .max_steps(1)
        .tolerance(1e-5)
        .observe(|progress: &Progress<'_, f64>| {
            seen.push(progress.tolerance());
            ControlFlow::Continue(())
        })
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(seen, [1e-5]);
}

#[test]
fn two_observers_may_stop_the_run_at_once() {
    let (data, mut net, size) = problem();
    let stop = |progress: &Progress<'_, f64>| match progress.steps() {
        3 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let trainer = Trainer::new(size).observe(stop).observe(stop).max_steps(9);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 3));
}

/// Counts the steps that it is shown.
struct Never(usize);

impl Observer<f64> for Never {
    fn step(&mut self, _: &Progress<'_, f64>) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }

    fn every(&self) -> usize {
        0
    }
}

#[test]
fn an_observer_of_every_0_steps_sees_none() {
    let (data, mut net, size) = problem();
    let mut never = Never(0);
    let trainer = Trainer::new(size).observe_mut(&mut never).max_steps(5);
    trainer.fit(&mut net, &data).unwrap();
    assert_eq!(never.0, 0);
}

//! A run continues from its last checkpoint, however it ended.

use super::{momentum, problems, start};
use crate::support::problems::sines;
use crate::support::{Folder, on_threads};
use expnet::method::{GaussNewton, Minibatch};
use expnet::observer::History;
use expnet::schedule::{self, Backtracking, StepState};
use expnet::{Dataset, FitReport, Memory, Termination, Trainer};
use nalgebra::{DMatrix, DVector};

/// The bits of a run may not depend on who looks, how often it is saved, the memory or the threads.
#[test]
fn threads_memory_and_observers_leave_the_bits() {
    let folder = Folder::new("threads");
    for (data, _) in problems::<f64>() {
        let net = start(data.dimension());
        let mut whole = net.clone();
        let mut history = History::default();
        momentum(1e-3)
            .max_steps(12)
            .observe(&mut history)
            .fit(&mut whole, &data)
            .unwrap();
        let path = folder.join(format!("run-{}", data.dimension()));
        let mut parts = net.clone();
        for (steps, threads, memory) in [(5, 1, Memory::Store), (9, 3, Memory::Recompute), (12, 2, Memory::Auto)] {
            let (report, seen) = on_threads(threads, || {
                let mut seen = History::default();
                let mut trainer = momentum(1e-3).max_steps(steps).memory(memory).checkpoint(&path, 2);
                if steps > 5 {
                    trainer = trainer.resume(&path);
                }
                (trainer.observe(&mut seen).fit(&mut parts, &data).unwrap(), seen)
            });
            assert_eq!(report.steps(), steps);
            let from = seen.steps()[0];
            assert_eq!(seen.losses(), &history.losses()[from..=steps]);
            assert_eq!(
                seen.movements(),
                &history.movements()[from..=steps],
                "measured from the first weights"
            );
        }
        assert!(whole.weights() == parts.weights());
    }
}

/// By hand, with a checkpoint on the way: what follows the last one is lost, and nothing else.
#[test]
fn a_dropped_session_leaves_the_last_checkpoint() {
    let folder = Folder::new("dropped");
    let path = folder.join("run");
    let (data, net) = (sines(12, 3), start::<f64>(3));
    let (mut whole, mut parts) = (net.clone(), net.clone());
    momentum(1e-3).max_steps(10).fit(&mut whole, &data).unwrap();
    let mut session = momentum(1e-3).checkpoint(&path, 3).start(&mut parts, &data).unwrap();
    for _ in 0..8 {
        session.step().unwrap();
    }
    drop(session);
    let mut any = start(3);
    let session = momentum(1e-3)
        .max_steps(10)
        .resume(&path)
        .start(&mut any, &data)
        .unwrap();
    assert_eq!(session.steps(), 6);
    drop(session);
    momentum(1e-3).max_steps(10).resume(&path).fit(&mut any, &data).unwrap();
    assert!(whole.weights() == any.weights());
    assert_eq!(folder.names(), ["run"], "no temporary file is left");
}

#[test]
fn a_run_that_is_over_stays_over() {
    let folder = Folder::new("over");
    let path = folder.join("run");
    let (data, mut net) = (sines(12, 3), start::<f64>(3));
    let trainer = || Trainer::new(Backtracking::default()).tolerance(3.0);
    let first = trainer().checkpoint(&path, 1).fit(&mut net, &data).unwrap();
    let weights = net.weights().clone();
    let again = trainer().resume(&path).fit(&mut net, &data).unwrap();
    assert_eq!((first.steps(), first.loss()), (again.steps(), again.loss()));
    assert!(*net.weights() == weights && again.elapsed() >= first.elapsed() / 2);
    let on = Trainer::new(Backtracking::default())
        .tolerance(2.0)
        .resume(&path)
        .fit(&mut net, &data)
        .unwrap();
    assert!(on.steps() > first.steps() && on.residual_norm() <= 2.0, "{on}");
}

/// A run whose method takes back every step ends as it would have ended without a checkpoint, and so does one that goes on
/// from its last one.
#[test]
fn a_run_that_is_given_up_is_over() {
    let folder = Folder::new("given-up");
    let data = sines(12, 3);
    for every in [1, 1000] {
        let path = folder.join(every.to_string());
        let trainer = || Trainer::new(1.0).method(GaussNewton::default()).max_steps(500);
        let (mut undisturbed, mut kept, mut resumed) = (start::<f64>(3), start(3), start(3));
        let report = trainer().fit(&mut undisturbed, &data).unwrap();
        assert_eq!(report.termination(), Termination::Stalled);
        trainer().checkpoint(&path, every).fit(&mut kept, &data).unwrap();
        let again = trainer().resume(&path).fit(&mut resumed, &data).unwrap();
        assert!(undisturbed.weights() == kept.weights() && kept.weights() == resumed.weights());
        let counts = |report: &FitReport<f64>| (report.termination(), report.passes(), report.undone_steps());
        assert_eq!(counts(&report), counts(&again), "every {every}");
    }
}

#[test]
fn a_step_that_fails_leaves_the_checkpoint_before_it() {
    let folder = Folder::new("failed");
    let path = folder.join("run");
    let fails =
        || schedule::stateless(|state: &mut StepState<'_, f64>| if state.iteration() == 5 { f64::NAN } else { 1e-3 });
    let (data, mut net) = (sines(12, 3), start::<f64>(3));
    let trainer = || Trainer::new(fails()).method(Minibatch::new(5).seed(3));
    let mut session = trainer().checkpoint(&path, 2).start(&mut net, &data).unwrap();
    while session.step().is_ok() {}
    session.finish().unwrap();
    let session = trainer().resume(&path).start(&mut net, &data).unwrap();
    assert_eq!(session.steps(), 4);
}

/// The words come from the checkpoint: the resumed run takes no step in which it could find them again.
#[test]
fn a_run_that_has_stalled_keeps_its_reason() {
    let folder = Folder::new("reason");
    let path = folder.join("run");
    let points = DMatrix::from_fn(3, 6, |k, i| (0.9 * (1 + k + 3 * (i % 5)) as f64).sin());
    let labels = DVector::from_column_slice(&[1.0, 0.2, -0.3, 0.4, -0.5, 3.0]);
    let contrary = Dataset::new(points, labels).unwrap();
    let run = |trainer: Trainer<'_, f64>| {
        trainer
            .method(GaussNewton::default())
            .fit(&mut start(3), &contrary)
            .unwrap()
    };
    let first = run(Trainer::default().checkpoint(&path, 3));
    let again = run(Trainer::default().resume(&path));
    for report in [&first, &again] {
        assert_eq!(report.termination(), Termination::Stalled, "{report}");
    }
    assert!(first.reason().is_some());
    assert_eq!((again.reason(), again.steps()), (first.reason(), first.steps()));
    let short = run(Trainer::default().max_steps(2).checkpoint(&path, 1));
    let again = run(Trainer::default().max_steps(2).resume(&path));
    assert_eq!((again.reason(), again.steps()), (None, short.steps()));
}

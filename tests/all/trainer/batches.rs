//! Minibatches.

use super::{assert_close, problem};
use crate::support::Scripted;
use expnet::method::{self, Direction, DirectionKind, Evaluation, GradientDescent, Method, Minibatch};
use expnet::{Dataset, Error, Float, Termination, Trainer};
use std::cell::RefCell;

/// Records the batches of another method.
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
    fn kind(&self) -> DirectionKind {
        Method::<T>::kind(&self.inner)
    }
    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
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

/// Each run begins with the first epoch, whatever ran before.
#[test]
fn a_lent_method_starts_anew() {
    let (data, start, size) = problem();
    let mut lent = Minibatch::new(5).seed(1);
    let mut run = || {
        let mut net = start.clone();
        let trainer = Trainer::new(size).method(method::lend(&mut lent)).max_steps(3);
        trainer.fit(&mut net, &data).unwrap();
        net
    };
    let first = run();
    assert_eq!(run(), first);
}

#[test]
fn a_method_may_go_over_to_batches() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let mut first = true;
    // All samples in the first step, one sample in the later ones.
    let method = Scripted::new().dealing(|_, batch| {
        if !std::mem::replace(&mut first, false) {
            batch.push(7);
        }
    });
    let report = Trainer::new(size)
        .method(method)
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

#[test]
fn two_epochs_that_move_no_weight_are_a_stall() {
    let (data, mut net, _) = problem();
    let trainer = Trainer::new(1e-40).method(Minibatch::new(4));
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 6));
    let reason = report.reason().unwrap();
    assert!(reason.contains("steps of size 1e-40 move no weight"), "{reason}");
}

#[test]
fn an_epoch_takes_a_further_pass_only_if_its_loss_decides() {
    let (data, start, size) = problem();
    let passes = |tolerance| {
        let trainer = Trainer::new(size).method(Minibatch::new(4)).tolerance(tolerance);
        let report = trainer.max_steps(9).fit(&mut start.clone(), &data).unwrap();
        report.passes()
    };
    assert_eq!(passes(1e-12), passes(0.0) + 3);
}

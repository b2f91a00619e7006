//! The bits of a run do not depend on threads, memory or observers.

use crate::support::on_threads;
use crate::support::oracle::largest_column;
use crate::support::problems::{data, net, sines};
use approx::assert_relative_eq;
use expnet::method::{GradientDescent, Minibatch};
use expnet::observer::History;
use expnet::{ExpNetwork, FitReport, Float, Initializer, Memory, Trainer, schedule};

fn run_in_pool<T: Float>(threads: usize, memory: Memory, observed: bool) -> (ExpNetwork<T>, FitReport<T>) {
    let (data, mut net) = (data::<T>(37, 5, 3), net::<T>(5, 4099, 3));
    let mut history = History::default();
    let report = on_threads(threads, || {
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
        on_threads(threads, || {
            (net.forward(data.points()).unwrap(), net.gradient(&data).unwrap())
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
}

fn start() -> ExpNetwork<f64> {
    Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap()
}

fn fit(trainer: Trainer<'_, f64>) -> (ExpNetwork<f64>, FitReport<f64>) {
    let mut net = start();
    let report = trainer.fit(&mut net, &sines(15, 4)).unwrap();
    (net, report)
}

#[test]
fn observers_change_no_bit() {
    let mut history = History::default();
    let (watched, _) = fit(Trainer::default().max_steps(30).observe(&mut history));
    let (alone, _) = fit(Trainer::default().max_steps(30));
    assert_eq!(watched, alone);
    let moved = watched.weights() - start().weights();
    let movement = history.movements()[30];
    assert_relative_eq!(movement.frobenius, moved.norm(), max_relative = 1e-10);
    assert_relative_eq!(movement.largest, largest_column(&moved), max_relative = 1e-10);
}

#[test]
fn memory_changes_no_bit() {
    let run = |memory| fit(Trainer::default().memory(memory).max_steps(30)).0;
    let auto = run(Memory::Auto);
    for memory in [
        Memory::Store,
        Memory::Recompute,
        Memory::Budget(1000),
        Memory::Budget(usize::MAX),
    ] {
        assert_eq!(run(memory), auto, "{memory:?}");
    }
}

#[test]
fn a_trial_is_a_pass_that_the_step_reuses() {
    let twice = schedule::from_fn(|state| {
        let _ = state.loss_at(3e-4);
        let trial = state.loss_at(1e-4);
        assert!(trial < state.loss());
        1e-4
    });
    let (with_trials, report) = fit(Trainer::new(twice).max_steps(4));
    let (plain, _) = fit(Trainer::new(1e-4).max_steps(4));
    assert_eq!(with_trials, plain, "the same bits");
    assert_eq!((report.passes(), report.trial_steps()), (1 + 2 * 4, 4));
}

fn runs<T: Float>() -> Vec<u64> {
    let data = sines::<T>(40, 6);
    let mut net = Initializer::new(6, 30_000).antisymmetric(true).build::<T>().unwrap();
    let report = Trainer::default()
        .method(Minibatch::new(16).momentum(0.5))
        .max_steps(6)
        .fit(&mut net, &data)
        .unwrap();
    let report = report.loss().as_f64()
        + Trainer::default()
            .max_steps(5)
            .fit(&mut net, &data)
            .unwrap()
            .loss()
            .as_f64();
    net.weights()
        .iter()
        .map(|w| w.as_f64().to_bits())
        .chain([report.to_bits()])
        .collect()
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let on = |threads| on_threads(threads, || (runs::<f64>(), runs::<f32>()));
    let one = on(1);
    assert!(on(2) == one && on(3) == one);
}

//! Sample weights: a whole number counts like so many copies of a sample, and 0 like none.

mod data;
mod kernel;
mod loss;
mod methods;
mod metrics;
mod refused;
mod runs;
mod schedules;

use crate::support::problems;
use expnet::observer::History;
use expnet::{Dataset, ExpNetwork, FitReport, Float, Trainer};
use nalgebra::DVector;

/// How often each sample counts.
const COPIES: [usize; 9] = [2, 0, 1, 3, 1, 5, 0, 2, 1];

/// Nine samples with weights, the same with copies instead, and a network.
fn problem<T: Float>(d: usize, m: usize) -> (Dataset<T>, Dataset<T>, ExpNetwork<T>) {
    let data = problems::data(COPIES.len(), d, 4);
    let copies = data.select(&repeated(&(0..COPIES.len()).collect::<Vec<_>>())).unwrap();
    (weighted(data), copies, problems::net(d, m, 4))
}

fn weighted<T: Float>(data: Dataset<T>) -> Dataset<T> {
    data.with_weights(DVector::from_iterator(9, COPIES.iter().map(|&s| T::lit(s as f64))))
        .unwrap()
}

/// The samples of a batch, each as often as it counts.
fn repeated(batch: &[usize]) -> Vec<usize> {
    let copies = |&i: &usize| std::iter::repeat_n(i, COPIES[i]);
    batch.iter().flat_map(copies).collect()
}

/// The same samples, in the order of the copies: sample `i` of the problem is one of these.
fn places(batch: &[usize]) -> Vec<usize> {
    let first = |i: usize| COPIES[..i].iter().sum::<usize>();
    batch.iter().flat_map(|&i| first(i)..first(i) + COPIES[i]).collect()
}

/// A run, and its losses: at the start and after each step.
fn run<T: Float>(trainer: Trainer<'_, T>, net: &ExpNetwork<T>, data: &Dataset<T>) -> (FitReport<T>, Vec<f64>) {
    let (mut net, mut history) = (net.clone(), History::default());
    let report = trainer.observe(&mut history).fit(&mut net, data).unwrap();
    (report, history.losses().to_vec())
}

/// That two runs have the same losses, step by step; `others` says how the trainers differ.
#[track_caller]
fn same_runs<T: Float>(name: &str, steps: usize, trainers: [&dyn Fn() -> Trainer<'static, T>; 2]) {
    let tolerance = 4e3 * T::EPSILON.as_f64();
    // The second is trained in reduced coordinates.
    for (d, m) in [(3, 40), (24, 31)] {
        let (data, copies, net) = problem::<T>(d, m);
        let [of_weights, of_copies] = trainers.map(|trainer| trainer().max_steps(steps));
        let (report, losses) = run(of_weights, &net, &data);
        let (expected, all) = run(of_copies, &net, &copies);
        assert_eq!(losses.len(), all.len(), "{name}");
        for (step, (loss, other)) in losses.iter().zip(&all).enumerate() {
            let off = (loss - other).abs();
            // e = F - y is rounded relative to y, not to itself: L is off by ||e|| ||y|| times epsilon, and L_0 stands for ||y||^2.
            assert!(
                off <= tolerance * (other * all[0]).sqrt(),
                "{name}, d = {d}, step {step}: {loss:e} {other:e}"
            );
        }
        assert!(losses[steps.min(losses.len() - 1)] < losses[0], "{name}: {losses:?}");
        assert_eq!(report.passes(), expected.passes(), "{name}");
        assert_eq!(report.termination(), expected.termination(), "{name}");
        let (loss, other) = (report.loss().as_f64(), expected.loss().as_f64());
        let off = (loss - other).abs();
        assert!(off <= tolerance * (other * all[0]).sqrt(), "{name}: {loss:e} {other:e}");
    }
}

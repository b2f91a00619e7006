//! What a run costs in units of the machine's limits and of its own steps. All are measured in turn, in rounds of some
//! tens of milliseconds (longer where a step is), so that whoever else uses the machine slows down all of them alike; each
//! figure is the median of the rounds' ratios.

use super::{Shape, is_tiny, median, problem, step_size};
use expnet::roofline::Limits;
use expnet::schedule::{StepState, from_fn};
use expnet::{Dataset, ExpNetwork, Float, Memory, Trainer};
use std::time::Instant;

const ROUNDS: usize = 31;

/// How long steps are timed in each round, and starts of runs, if it takes more than one.
const WINDOW: f64 = 10e-3;

/// About how many steps a start takes.
const START: f64 = 10.0;

pub struct Turns {
    /// What a step takes at the limits of the machine, in units of what it takes.
    pub share: f64,
    /// Packing, reduction and the first forward pass, in steps.
    pub setup: f64,
    /// The same and the largest eigenvalue, which the default schedule needs before the first step.
    pub eigenvalue: f64,
}

/// For steps that take about `step` seconds, and `least` at these limits of that many threads.
pub fn take<T: Float>(
    shape: Shape,
    memory: Memory,
    (threads, step): (usize, f64),
    least: impl Fn(Limits) -> f64,
) -> Turns {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 10,000
    let times = |seconds: f64| (WINDOW / seconds).clamp(1.0, 10_000.0) as usize;
    let (steps, starts) = (times(step), times(START * step));
    let (mut net, data) = problem::<T>(shape);
    let mut round = || {
        let limits = Limits::sample::<T>(threads);
        // The last run goes on.
        let steps = |run| if run == starts { steps } else { 0 };
        let runs = (1..=starts).map(|run| start(shape, memory, &mut net, &data, steps(run)));
        let runs: Vec<_> = runs.collect();
        let [setup, eigenvalue] = [0, 1].map(|which| median(runs.iter().map(|run| run[which]).collect()));
        let step = runs[starts - 1][2];
        [least(limits) / step, setup / step, eigenvalue / step]
    };
    let rounds: Vec<_> = (0..if is_tiny() { 1 } else { ROUNDS }).map(|_| round()).collect();
    let [share, setup, eigenvalue] = [0, 1, 2].map(|which| median(rounds.iter().map(|round| round[which]).collect()));
    Turns {
        share,
        setup,
        eigenvalue,
    }
}

/// Seconds until a run's first step, the same and the largest eigenvalue, and for each of some steps after the first.
fn start<T: Float>(shape: Shape, memory: Memory, net: &mut ExpNetwork<T>, data: &Dataset<T>, steps: usize) -> [f64; 3] {
    let mut eigenvalue = None;
    let schedule = from_fn(|state: &mut StepState<'_, T>| {
        eigenvalue.get_or_insert_with(|| {
            let start = Instant::now();
            state.largest_kernel_eigenvalue();
            start.elapsed().as_secs_f64()
        });
        T::lit(step_size(shape))
    });
    let trainer = Trainer::new(schedule).memory(memory).max_steps(usize::MAX);
    let start = Instant::now();
    let mut session = trainer.start(net, data).expect("the problem is valid");
    let setup = start.elapsed().as_secs_f64();
    session.step().expect("the step is small");
    let start = Instant::now();
    for _ in 0..steps {
        session.step().expect("the step is small");
    }
    let step = start.elapsed().as_secs_f64() / steps as f64;
    drop(session);
    [setup, setup + eigenvalue.unwrap_or(f64::NAN), step]
}

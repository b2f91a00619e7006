//! The overhead of observers: steps on shape A with each observer, alternating with steps without one.
//!
//! The overhead is the median over all rounds of the time with an observer, relative to the mean of the two times
//! without one in the same round, because a temporary slowdown of the machine affects the whole round.
//!
//! The progress bar only draws if stderr is a terminal.

mod common;

use common::{SHAPES, Shape, is_tiny, median};
use expnet::observer::{CsvLog, History, JsonLog, Observer};
use expnet::{Session, Trainer};
use std::fs::File;
use std::time::Instant;

/// The number of steps per measurement.
const BLOCK: usize = 10;

fn main() {
    let folder = std::env::temp_dir();
    let path = |name: &str| folder.join(format!("expnet-bench-{}-{name}", std::process::id()));
    let file = |name: &str| File::create(path(name)).expect("a file for the log");
    #[allow(unused_mut)]
    let mut observers: Vec<(&str, Box<dyn Observer<f64>>)> = vec![
        ("history", Box::new(History::default().movement(false))),
        ("CSV log to a file", Box::new(CsvLog::new(file("csv")))),
        ("JSON log to a file", Box::new(JsonLog::new(file("json")))),
    ];
    #[cfg(feature = "progress")]
    observers.push(("progress bar", Box::new(expnet::observer::ProgressBar::default())));
    let shape = if is_tiny() {
        Shape {
            name: "tiny",
            n: 9,
            d: 3,
            m: 70,
        }
    } else {
        SHAPES[0]
    };
    let rounds = if is_tiny() { 2 } else { 120 };
    let trainer = || Trainer::new(common::step_size(shape)).max_steps(usize::MAX);
    // The second run without an observer shows how accurate the measurement is.
    let mut names = vec!["none", "none again"];
    let mut trainers = vec![trainer(), trainer()];
    for (name, observer) in observers {
        names.push(name);
        trainers.push(trainer().observe(observer));
    }
    let times = measure(shape, trainers, rounds);
    println!(
        "a step of shape {}, f64, {rounds} rounds of {BLOCK} steps",
        shape.size()
    );
    for (name, times_of) in names.iter().zip(&times) {
        let without = times[0].iter().zip(&times[1]).map(|(a, b)| (a + b) / 2.0);
        let overheads = times_of.iter().zip(without).map(|(time, without)| time / without - 1.0);
        println!(
            "{name:20} median {:9.2} us, {:+.2}%",
            1e6 * median(times_of.clone()),
            100.0 * median(overheads.collect())
        );
    }
    for name in ["csv", "json"] {
        std::fs::remove_file(path(name)).expect("the log exists");
    }
}

/// Seconds per step for each trainer and round. The trainers take turns, each round in another order.
fn measure(shape: Shape, trainers: Vec<Trainer<'_, f64>>, rounds: usize) -> Vec<Vec<f64>> {
    let (net, data) = common::problem::<f64>(shape);
    let count = trainers.len();
    let mut nets = vec![net; count];
    let mut sessions: Vec<Session<'_, '_, f64>> = trainers
        .into_iter()
        .zip(&mut nets)
        .map(|(trainer, net)| trainer.start(net, &data).expect("the problem is valid"))
        .collect();
    let mut times = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let i = (turn + round) % count;
            let start = Instant::now();
            for _ in 0..BLOCK {
                sessions[i].step().expect("the steps are small");
            }
            let seconds = start.elapsed().as_secs_f64() / BLOCK as f64;
            times[i].push(seconds.max(f64::MIN_POSITIVE));
        }
    }
    times
}

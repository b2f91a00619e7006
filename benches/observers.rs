//! What watching costs: steps on shape A with each observer, in turns with steps without one.
//!
//! The share is the median, over the rounds, of the time with an observer over the mean of the two times without in the same round:
//! what slows the machine down for a while slows all of a round.
//!
//! The progress bar draws only where stderr is a terminal.

mod common;

use common::{SHAPES, Shape, is_tiny};
use expnet::observer::{CsvLog, History, JsonLog, Observer};
use expnet::{Session, Trainer};
use std::fs::File;
use std::time::Instant;

/// Steps between two looks at the clock.
const BLOCK: usize = 10;

fn main() {
    let folder = std::env::temp_dir();
    let path = |name: &str| folder.join(format!("expnet-bench-{}-{name}", std::process::id()));
    let file = |name: &str| File::create(path(name)).expect("a file for the log");
    #[allow(unused_mut)]
    let mut observers: Vec<(&str, Box<dyn Observer<f64>>)> = vec![
        ("CSV log to a file", Box::new(CsvLog::new(file("csv")))),
        ("JSON log to a file", Box::new(JsonLog::new(file("json")))),
    ];
    #[cfg(feature = "progress")]
    observers.push(("progress bar", Box::new(expnet::observer::ProgressBar::default())));
    let mut history = History::default().movement(false);
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
    let (net, data) = common::problem::<f64>(shape);
    let trainer = || Trainer::new(1e-3 / shape.m as f64).max_steps(usize::MAX);
    // The second without an observer says what the clock is worth.
    let mut names = vec!["none", "none again", "history"];
    let mut trainers = vec![trainer(), trainer(), trainer().observe(&mut history)];
    for (name, observer) in observers {
        names.push(name);
        trainers.push(trainer().observe(Lent(observer)));
    }
    let mut nets = vec![net; names.len()];
    let mut sessions: Vec<Session<'_, '_, f64>> = trainers
        .into_iter()
        .zip(&mut nets)
        .map(|(trainer, net)| trainer.start(net, &data).expect("the problem is sound"))
        .collect();
    let mut times = vec![Vec::with_capacity(rounds); names.len()];
    for round in 0..rounds {
        let mut seconds = vec![0.0; names.len()];
        for turn in 0..names.len() {
            let i = (turn + round) % names.len();
            let start = Instant::now();
            for _ in 0..BLOCK {
                sessions[i].step().expect("the steps are short");
            }
            seconds[i] = start.elapsed().as_secs_f64() / BLOCK as f64;
        }
        for (times, seconds) in times.iter_mut().zip(seconds) {
            times.push(seconds.max(f64::MIN_POSITIVE));
        }
    }
    drop(sessions);
    println!(
        "a step of shape {}, f64, {rounds} rounds of {BLOCK} steps",
        shape.size()
    );
    for (name, times_of) in names.iter().zip(&times) {
        let without = times[0].iter().zip(&times[1]).map(|(a, b)| (a + b) / 2.0);
        let shares = times_of.iter().zip(without).map(|(time, without)| time / without - 1.0);
        println!(
            "{name:20} median {:9.2} us, {:+.2}%",
            1e6 * median(times_of.clone()),
            100.0 * median(shares.collect())
        );
    }
    for name in ["csv", "json"] {
        std::fs::remove_file(path(name)).expect("the log is there");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A boxed observer is one too.
struct Lent(Box<dyn Observer<f64>>);

impl Observer<f64> for Lent {
    fn step(&mut self, progress: &expnet::observer::Progress<'_, f64>) -> std::ops::ControlFlow<()> {
        self.0.step(progress)
    }

    fn start(&mut self, progress: &expnet::observer::Progress<'_, f64>) -> std::ops::ControlFlow<()> {
        self.0.start(progress)
    }

    fn every(&self) -> usize {
        self.0.every()
    }
}

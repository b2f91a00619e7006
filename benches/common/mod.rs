//! Shared by the benches: inputs and timed runs.
#![allow(dead_code)] // Each bench uses only part of it.

pub mod linalg;
pub mod turns;

use expnet::{Dataset, ExpNetwork, Float, Memory, Pass, Trainer};
use nalgebra::{DMatrix, DVector};
use std::process::Command;
use std::time::Instant;

/// The size of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: &'static str,
    pub n: usize,
    pub d: usize,
    pub m: usize,
}

impl Shape {
    pub const fn new(name: &'static str, n: usize, d: usize, m: usize) -> Self {
        Self { name, n, d, m }
    }

    pub fn size(&self) -> String {
        format!("{} ({}, {}, {})", self.name, self.n, self.d, self.m)
    }
}

/// The shapes that the engine is tuned for.
pub const SHAPES: [Shape; 5] = [
    Shape::new("A", 128, 16, 16384),
    Shape::new("B", 256, 32, 65536),
    Shape::new("C", 1000, 16, 10000),
    Shape::new("D", 128, 784, 16384),
    Shape::new("E", 32, 4, 1024),
];

/// Shapes that the engine is not tuned for.
pub const OTHERS: [Shape; 4] = [
    Shape::new("odd", 101, 7, 9973),
    Shape::new("d 100", 333, 100, 5003),
    Shape::new("long", 2503, 11, 3001),
    Shape::new("wide", 37, 19, 100_003),
];

/// Points of so few coordinates that a step need not go through pairs.
pub const FEW: [Shape; 2] = [
    Shape::new("plane", 6000, 2, 12_000),
    Shape::new("space", 15_000, 3, 6000),
];

const TINY: [Shape; 2] = [Shape::new("tiny", 9, 3, 70), Shape::new("reduced", 5, 20, 40)];

/// `EXPNET_BENCH=tiny` runs every bench at tiny sizes, so that CI can check that it works.
pub fn is_tiny() -> bool {
    std::env::var("EXPNET_BENCH").is_ok_and(|size| size == "tiny")
}

pub fn shapes() -> Vec<Shape> {
    if is_tiny() { TINY.to_vec() } else { SHAPES.to_vec() }
}

/// The points of `peers/gd_step.py` and `peers/linalg.py`, d x n.
pub fn unit_points(n: usize, d: usize) -> DMatrix<f64> {
    let mut points = DMatrix::from_fn(d, n, |k, i| {
        (1.0 + 0.7 * i as f64 + 1.3 * k as f64 + 0.37 * (i * k * k) as f64).sin()
    });
    for mut point in points.column_iter_mut() {
        point.normalize_mut();
    }
    points
}

/// The inputs of `peers/gd_step.py`.
pub fn problem<T: Float>(shape: Shape) -> (ExpNetwork<T>, Dataset<T>) {
    let Shape { n, d, m, .. } = shape;
    let labels = DVector::from_fn(n, |i, _| T::lit((0.3 * i as f64).cos()));
    let weights = DMatrix::from_fn(d, m, |k, r| T::lit((0.9 * k as f64 + 0.37 * r as f64).sin()));
    let output_weights = DVector::from_fn(m, |r, _| if r % 2 == 0 { T::one() } else { -T::one() });
    let net = ExpNetwork::from_parts(weights, output_weights).expect("closed-form weights are finite");
    (
        net,
        Dataset::new(unit_points(n, d).map(T::lit), labels).expect("closed-form points are finite"),
    )
}

/// Timings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Seconds per step: the median of five batches.
    pub step: f64,
    /// The loss after the first batch, which is not timed.
    pub loss: f64,
}

impl Timing {
    /// The shorter step.
    pub fn best(self, other: Self) -> Self {
        Self {
            step: self.step.min(other.step),
            loss: self.loss,
        }
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// That of the peers: stable for many points, too.
pub fn step_size(shape: Shape) -> f64 {
    1e-3 / shape.m as f64 / (shape.n as f64 / 100.0).max(1.0)
}

/// Times a run the way the peers do: one warm-up batch, then five batches of `steps` steps each.
pub fn run<T: Float>(shape: Shape, steps: usize, (memory, pass): (Memory, Pass)) -> Timing {
    let (mut net, data) = problem::<T>(shape);
    let trainer = Trainer::new(step_size(shape)).max_steps(usize::MAX);
    let trainer = trainer.memory(memory).pass(pass);
    let mut session = trainer.start(&mut net, &data).expect("the problem is valid");
    let (mut times, mut loss) = (Vec::new(), f64::NAN);
    for batch in 0..6 {
        let begin = Instant::now();
        for _ in 0..steps {
            session.step().expect("the step is small");
        }
        if batch == 0 {
            loss = session.loss().as_f64();
        } else {
            times.push(begin.elapsed().as_secs_f64() / steps as f64);
        }
    }
    Timing {
        step: median(times),
        loss,
    }
}

/// The number of steps that take about a fifth of a second.
pub fn steps(shape: Shape) -> usize {
    let flops = (4 * shape.n * shape.d * shape.m + 60 * shape.n * shape.m) as f64;
    let max = if is_tiny() { 2.0 } else { 2000.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 2 and 2000
    let steps = (2e10 / flops).clamp(2.0, max) as usize;
    steps
}

/// The folder of the peer programs.
pub const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// The line of the system's status on the largest memory that this process has had.
pub fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.unwrap_or("VmHWM: not known on this system").to_owned()
}

/// The Python in which the peers are installed.
pub fn python() -> Command {
    let mut python = Command::new(std::env::var("EXPNET_PYTHON").unwrap_or_else(|_| "python3".into()));
    python.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
    python
}

/// The programs in `peers/` that can be run on this machine.
pub struct Peers {
    found: Vec<&'static str>,
}

impl Peers {
    /// No peers.
    pub fn none() -> Self {
        Self { found: Vec::new() }
    }

    /// Tries each peer once, or only those named in `words` if any are, and prints which are missing.
    pub fn find(words: &[String]) -> Self {
        let mut peers = Self::none();
        let tiny = Shape::new("", 3, 2, 8);
        let all = ["jax", "torch-compile", "numpy", "nalgebra", "faer", "candle"];
        let named = |peer: &&str| words.iter().any(|word| word == peer);
        let chosen = all.iter().filter(|peer| !all.iter().any(&named) || named(peer));
        for peer in chosen.copied().filter(|peer| !is_tiny() || *peer == "numpy") {
            match Self::run(peer, tiny, "f64", 2) {
                Some(_) => peers.found.push(peer),
                None => println!("{peer}: not found here (see benches/peers/README.md)"),
            }
        }
        peers
    }

    pub fn names(&self) -> &[&'static str] {
        &self.found
    }

    /// Seconds per step, and the loss after `steps` steps.
    pub fn run(peer: &str, shape: Shape, dtype: &str, steps: usize) -> Option<(f64, f64)> {
        let mut command = if ["nalgebra", "faer", "candle"].contains(&peer) {
            Command::new(format!("{PEERS}/rust/target/release/rust-peers"))
        } else {
            let mut command = python();
            command.arg(format!("{PEERS}/gd_step.py"));
            command
        };
        command.args([
            peer,
            &shape.n.to_string(),
            &shape.d.to_string(),
            &shape.m.to_string(),
            dtype,
            &steps.to_string(),
            "2",
            &step_size(shape).to_string(),
        ]);
        let output = command.output().ok()?;
        let line = String::from_utf8(output.stdout).ok()?;
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some((fields.get(5)?.parse().ok()?, fields.get(7)?.parse().ok()?))
    }
}

//! expnet beside other programs on the same work, in the same run: full-batch gradient steps on the
//! closed-form problem of `inputs`, the losses after them compared as well.
//!
//!     cargo bench --bench peers                       # every shape, type and peer that is there
//!     cargo bench --bench peers -- jax faer A f64     # only these
//!     EXPNET_BENCH=tiny cargo bench --bench peers
//!
//! Python is `$EXPNET_PYTHON`, else `python3`; see `peers/README.md` for what to install. Peer and expnet
//! take turns, because machines are shared and their clocks drift; the table shows the best of three
//! medians of each.

mod inputs;

use expnet::{Float, Trainer};
use inputs::Shape;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

const PYTHON_PEERS: [&str; 4] = ["numpy", "jax", "torch", "torch-compile"];
const RUST_PEERS: [&str; 3] = ["nalgebra", "faer", "candle"];
const ROUNDS: usize = 3;
/// Medians are over so many batches of steps, as in the peers.
const BATCHES: usize = 5;

/// Seconds a step and the loss after a batch of steps.
#[derive(Clone, Copy)]
struct Measured {
    seconds: f64,
    loss: f64,
}

fn main() -> ExitCode {
    let wanted: BTreeSet<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let wants = |name: &str, all: &[&str]| wanted.contains(name) || !all.iter().any(|&other| wanted.contains(other));
    let shapes = inputs::shapes();
    let names: Vec<&str> = shapes.iter().map(|shape| shape.name).collect();
    let all_peers = [&PYTHON_PEERS[..], &RUST_PEERS[..]].concat();

    let known = |name: &str| names.contains(&name) || all_peers.contains(&name) || ["f64", "f32"].contains(&name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        eprintln!("{unknown} is none of {names:?}, {all_peers:?}, f64, f32");
        return ExitCode::FAILURE;
    }
    let peers: Vec<Peer> = all_peers
        .iter()
        .filter(|name| wants(name, &all_peers))
        .filter_map(Peer::find)
        .collect();
    println!(
        "{} threads; seconds a step, the best of {ROUNDS} medians; ratio = peer / expnet",
        threads()
    );
    println!(
        "{:<20} {:<4} {:<14} {:>10} {:>10} {:>7}  loss",
        "(n, d, m)", "type", "peer", "expnet", "peer", "ratio"
    );
    let mut agree = true;
    for &shape in shapes.iter().filter(|shape| wants(shape.name, &names)) {
        for (dtype, ours) in [("f64", ours::<f64> as fn(_, _) -> _), ("f32", ours::<f32>)] {
            if wants(dtype, &["f64", "f32"]) {
                agree &= compare(shape, dtype, ours, &peers);
            }
        }
    }
    if agree { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One block of the table; false where a loss differs.
fn compare(shape: Shape, dtype: &str, ours: fn(Shape, usize) -> Measured, peers: &[Peer]) -> bool {
    let steps = steps(shape, ours);
    if peers.is_empty() {
        let Measured { seconds, loss } = ours(shape, steps);
        println!(
            "{:<20} {dtype:<4} {:<14} {seconds:>10.2e} {:>10} {:>7}  {loss:.9e}",
            shape.to_string(),
            "none",
            "",
            ""
        );
    }
    let mut agree = true;
    for peer in peers {
        let mut best: Option<(Measured, Measured)> = None;
        for _ in 0..if inputs::is_tiny() { 1 } else { ROUNDS } {
            let theirs = match peer.run(shape, dtype, steps) {
                Ok(measured) => measured,
                Err(reason) => {
                    println!(
                        "{:<20} {dtype:<4} {:<14} failed: {reason}",
                        shape.to_string(),
                        peer.name
                    );
                    break;
                }
            };
            let mine = ours(shape, steps);
            let faster = |a: Measured, b: Measured| if a.seconds < b.seconds { a } else { b };
            best = Some(best.map_or((mine, theirs), |(a, b)| (faster(a, mine), faster(b, theirs))));
        }
        let Some((mine, theirs)) = best else { continue };
        // f32 rounds: sums of m large numbers of both signs keep few digits.
        let tolerance = if dtype == "f64" { 1e-8 } else { 5e-2 };
        let difference = ((theirs.loss - mine.loss) / mine.loss).abs();
        let verdict = if difference <= tolerance { "agrees" } else { "DIFFERS" };
        agree &= difference <= tolerance;
        println!(
            "{:<20} {dtype:<4} {:<14} {:>10.2e} {:>10.2e} {:>7.2}  {verdict} to {difference:.0e} after {steps} steps",
            shape.to_string(),
            peer.name,
            mine.seconds,
            theirs.seconds,
            theirs.seconds / mine.seconds
        );
    }
    agree
}

/// expnet's time a step: the median over batches that all begin at the same weights, like the peers'.
fn ours<T: Float>(shape: Shape, steps: usize) -> Measured {
    let (data, start, step_size) = inputs::problem::<T>(shape);
    let mut times = Vec::new();
    let mut loss = f64::NAN;
    for batch in 0..=BATCHES {
        let mut net = start.clone();
        let trainer = Trainer::new(step_size).max_steps(steps);
        let mut session = trainer.start(&mut net, &data).expect("the shapes fit");
        let clock = Instant::now();
        while session.step().expect("small steps do not diverge").is_none() {}
        // The first batch warms up.
        if batch > 0 {
            times.push(clock.elapsed().as_secs_f64() / steps as f64);
        }
        loss = session.loss().as_f64();
    }
    times.sort_by(f64::total_cmp);
    Measured {
        seconds: times[times.len() / 2],
        loss,
    }
}

/// So many steps that a batch takes about a tenth of a second here, and several times that in a peer.
fn steps(shape: Shape, ours: fn(Shape, usize) -> Measured) -> usize {
    if inputs::is_tiny() {
        return 20;
    }
    let flops = shape.samples * shape.width * (4 * shape.dimension + 40);
    let seconds = ours(shape, 1_000_000_000 / flops + 1).seconds;
    (5..500).find(|&steps| steps as f64 * seconds > 0.1).unwrap_or(500)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A program that does the same work.
struct Peer {
    name: &'static str,
    command: Vec<String>,
}

impl Peer {
    /// The peer, or `None` with a line that says why it is left out.
    fn find(name: &&'static str) -> Option<Self> {
        let peers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        if RUST_PEERS.contains(name) {
            let program = peers
                .join("rust/target/release")
                .join(format!("rust-peers{}", std::env::consts::EXE_SUFFIX));
            if !program.exists() {
                println!(
                    "{name} is left out: build it with `cargo build --release --manifest-path benches/peers/rust/Cargo.toml`"
                );
                return None;
            }
            let command = vec![program.to_string_lossy().into_owned()];
            return Some(Self { name, command });
        }
        let python = std::env::var("EXPNET_PYTHON").unwrap_or_else(|_| "python3".into());
        let module = name.split('-').next().unwrap_or(name);
        let there = Command::new(&python)
            .args(["-c", &format!("import numpy, {module}")])
            .output()
            .is_ok_and(|output| output.status.success());
        if !there {
            println!(
                "{name} is left out: `{python}` does not import {module} with numpy (see benches/peers/README.md)"
            );
            return None;
        }
        let script = peers.join("gd_step.py").to_string_lossy().into_owned();
        Some(Self {
            name,
            command: vec![python, script],
        })
    }

    /// Runs the peer in a process of its own: `peer n d m type median min loss` is its answer.
    fn run(&self, shape: Shape, dtype: &str, steps: usize) -> Result<Measured, String> {
        let sizes = [shape.samples, shape.dimension, shape.width].map(|size| size.to_string());
        let output = Command::new(&self.command[0])
            .args(&self.command[1..])
            .arg(self.name)
            .args(sizes)
            .args([dtype, &steps.to_string(), &threads().to_string()])
            // Where these are set, numpy's matrix products run on kernels for another machine.
            .env_remove("OPENBLAS_CORETYPE")
            .env_remove("OPENBLAS_L2_SIZE")
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let words: Vec<&str> = text.lines().last().unwrap_or_default().split_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<f64>().ok());
        match (output.status.success(), number(5), number(7)) {
            (true, Some(seconds), Some(loss)) => Ok(Measured { seconds, loss }),
            _ => Err(String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or("no answer")
                .into()),
        }
    }
}

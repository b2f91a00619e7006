//! The time per step in one table, as the README has it: against the machine's limits, and against JAX, PyTorch, numpy and
//! Rust libraries if they are installed, all measured in the same run: `cargo bench --bench roofline`.
//!
//! ```text
//! jax, ...      how many times longer their step takes, alternating, best of three medians each; of one, where it is over 4 times
//! share         of the limit t = flops / peak + n m t_exp; flops = 4 n d m, or 4 m (n k - k (k - 1) / 2) in reduced
//!               coordinates; `expansion` where the step does not go through pairs and this is no limit. Limits and steps
//!               are measured in turn: the median of 31 ratios
//! threads       how many times longer a step takes on one thread
//! set-up        packing, reduction and the first forward pass; then the same plus the largest eigenvalue; in units of a step,
//!               and warm like the steps, in turn with them: medians of 31 ratios, each of the median start of some
//!               milliseconds
//! ```
//!
//! Arguments choose shapes, types and peers: `-- A f64 jax torch-compile`. `alone` omits the peers; `recompute`
//! recomputes activations. `EXPNET_PYTHON` is the Python in which the peers are installed. `-- memory` instead runs n =
//! 1000, d = 16, m = 10^6 with recomputed activations and prints the peak resident memory.

mod common;

use common::turns::{self, Turns};
use common::{FEW, OTHERS, Peers, Shape, is_tiny, run, shapes, steps};
use expnet::roofline::{Limits, level_name, takes_one_thread};
use expnet::{ExpNetwork, Float, Initializer, Memory, Pass, Trainer};

/// The number of medians of which each takes the best.
const ROUNDS: usize = 3;

/// A peer whose step takes so many times longer is measured once, since the noise is less than the difference.
const FAR: f64 = 4.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |word: &str| words.iter().any(|given| given == word);
    if wants("memory") {
        return peak_memory();
    }
    let bench = Bench {
        threads: rayon::current_num_threads(),
        memory: if wants("recompute") {
            Memory::Recompute
        } else {
            Memory::Auto
        },
        peers: if wants("alone") {
            Peers::none()
        } else {
            Peers::find(&words)
        },
    };
    println!("{} on {} threads, {:?}", level_name(), bench.threads, bench.memory);
    let mut all = shapes();
    if !is_tiny() {
        all.extend(OTHERS.iter().chain(&FEW));
    }
    let named = all.iter().any(|shape| wants(shape.name));
    let chosen = all.into_iter().filter(|shape| !named || wants(shape.name));
    let (doubles, singles) = (wants("f64") || !wants("f32"), wants("f32") || !wants("f64"));
    if doubles {
        print_limits::<f64>(bench.threads);
    }
    if singles {
        print_limits::<f32>(bench.threads);
    }
    bench.head();
    for shape in chosen {
        if doubles {
            bench.row::<f64>(shape);
        }
        if singles {
            bench.row::<f32>(shape);
        }
    }
}

struct Bench {
    threads: usize,
    memory: Memory,
    peers: Peers,
}

/// Prints the limits of one thread and of all threads.
fn print_limits<T: Float>(threads: usize) {
    // Reference values for a good implementation of the exponential on one core.
    let reference = if T::NAME == "f64" {
        " (0.23 with AVX-512, 0.62 with AVX2)"
    } else {
        ""
    };
    for (name, threads, reference) in [("1 thread", 1, reference), ("all threads", threads, "")] {
        let Limits { peak, exp } = Limits::best::<T>(threads);
        println!(
            "{} {name}: {:.0} GF/s, {:.3} ns per exponential{reference}",
            T::NAME,
            peak / 1e9,
            exp * 1e9
        );
    }
}

impl Bench {
    fn head(&self) {
        print!("\n| {:27} | type | {:>8} |", "(n, d, m)", "expnet");
        for peer in self.peers.names() {
            print!(" {peer:>13} |");
        }
        println!(" {:>9} | {:>7} | {:>12} |", "share", "threads", "set-up");
        println!("|---|---|---|{}---|---|---|", "---|".repeat(self.peers.names().len()));
    }

    fn row<T: Float>(&self, shape: Shape) {
        let count = steps(shape);
        let pool = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads can be started")
        };
        let on = |threads: usize| pool(threads).install(|| run::<T>(shape, count, (self.memory, Pass::Auto)));
        let (mut one, mut all) = (on(1), on(self.threads));
        let mut others = vec![f64::INFINITY; self.peers.names().len()];
        for _ in 0..if is_tiny() { 1 } else { ROUNDS } {
            (one, all) = (one.best(on(1)), all.best(on(self.threads)));
            for (peer, time) in self.peers.names().iter().zip(&mut others) {
                if time.is_finite() && *time > FAR * all.step {
                    continue;
                }
                if let Some((step, loss)) = Peers::run(peer, shape, T::NAME, count) {
                    *time = time.min(step);
                    compare_losses::<T>(shape, peer, loss, all.loss);
                }
            }
        }
        let by_expansion = FEW.iter().any(|few| few.name == shape.name);
        // A small problem runs on one thread and has the limit of one thread.
        let (coordinates, flops) = work(shape);
        let single = !by_expansion && takes_one_thread::<T>(shape.n, coordinates, shape.m);
        let threads = if single { 1 } else { self.threads };
        let least = |limit: Limits| flops as f64 / limit.peak + (shape.n * shape.m) as f64 * limit.exp;
        let turns = pool(self.threads).install(|| turns::take::<T>(shape, self.memory, (threads, all.step), least));
        print!("| {:27} | {:4} | {:>8} |", shape.size(), T::NAME, readable(all.step));
        for time in others {
            print!(" {:>11.1} x |", time / all.step);
        }
        let share = if by_expansion {
            "expansion".to_owned()
        } else {
            format!("{:.0}%", 100.0 * turns.share)
        };
        let threads = if single {
            "one".to_owned()
        } else {
            format!("{:.2} x", one.step / all.step)
        };
        let Turns { setup, eigenvalue, .. } = turns;
        println!(" {share:>9} | {threads:>7} | {setup:5.1}, {eigenvalue:5.1} |");
    }
}

/// With three digits and a unit.
fn readable(seconds: f64) -> String {
    let (value, unit) = match seconds {
        ..1e-3 => (1e6 * seconds, "us"),
        ..1.0 => (1e3 * seconds, "ms"),
        _ => (seconds, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// The peers do the same work, so after the same number of steps the loss must be the same.
fn compare_losses<T: Float>(shape: Shape, peer: &str, loss: f64, own: f64) {
    let tolerance = if T::NAME == "f64" { 1e-8 } else { 2e-2 };
    if (loss - own).abs() > tolerance * own {
        println!(
            "{} {}: {peer} ends at loss {loss}, expnet at {own}",
            shape.name,
            T::NAME
        );
    }
}

/// The number of coordinates that the engine chooses, and of flops per step in them.
fn work(shape: Shape) -> (usize, usize) {
    let Shape { n, d, m, .. } = shape;
    let k = d.min(n);
    let reduced = n * k - k * (k - 1) / 2;
    // The engine's own rule: reduce if that saves at least a quarter of the work.
    if 4 * reduced <= 3 * n * d {
        (k, 4 * m * reduced)
    } else {
        (d, 4 * m * n * d)
    }
}

/// Peak resident memory with a million neurons, including set-up and the largest eigenvalue.
fn peak_memory() {
    let (n, m) = if is_tiny() { (10, 1000) } else { (1000, 1_000_000) };
    let data = common::problem::<f64>(Shape {
        name: "",
        n,
        d: 16,
        m: 2,
    })
    .1;
    let mut net: ExpNetwork<f64> = Initializer::new(16, m)
        .antisymmetric(true)
        .build()
        .expect("the sizes are valid");
    let report = Trainer::default()
        .memory(Memory::Recompute)
        .max_steps(3)
        .fit(&mut net, &data)
        .expect("three stable steps cannot fail");
    println!("{report}");
    let peak = common::peak_memory();
    println!("n = {n}, d = 16, m = {m}, f64, recomputed: {peak}");
}

//! Seconds a step against the machine's own limits, measured in the same run: `cargo bench --bench roofline`.
//!
//! ```text
//! t = flops / peak + n m t_exp        flops = 4 n d m, or 4 m (n k - k (k - 1) / 2) in reduced coordinates
//! ```
//!
//! `-- recompute` runs with activations computed again; `-- memory` runs n = 1000, d = 16, m = 10^6 that way and prints the peak of
//! resident memory.

mod common;

use common::{OTHERS, Shape, is_tiny, run, shapes, steps};
use expnet::roofline::{Limits, level_name, limits};
use expnet::{ExpNetwork, Float, Initializer, Memory, Trainer};

fn main() {
    let wants = |word: &str| std::env::args().any(|arg| arg == word);
    if wants("memory") {
        return peak_memory();
    }
    let threads = rayon::current_num_threads();
    let memory = if wants("recompute") {
        Memory::Recompute
    } else {
        Memory::Auto
    };
    println!("{} on {threads} threads, {memory:?}", level_name());
    let (double, single) = (Machine::measure::<f64>(threads), Machine::measure::<f32>(threads));
    println!(
        "\n{:26} {:4} {:>10} {:>7} {:>9} {:>8} {:>9} {:>10}",
        "shape (n, d, m)", "type", "s a step", "GF/s", "roofline", "threads", "2 over 1", "set-up"
    );
    let others = if is_tiny() { &[][..] } else { &OTHERS[..] };
    for &shape in shapes().iter().chain(others) {
        row::<f64>(shape, &double, threads, memory);
        row::<f32>(shape, &single, threads, memory);
    }
}

/// Limits of one thread, and of all of them.
struct Machine {
    one: Limits,
    all: Limits,
}

impl Machine {
    fn measure<T: Float>(threads: usize) -> Self {
        let machine = Self {
            one: limits::<T>(1),
            all: limits::<T>(threads),
        };
        for (name, Limits { peak, exp }) in [("1 thread ", machine.one), ("together ", machine.all)] {
            println!(
                "{} {name}: {:.0} GF/s, {:.3} ns an exponential",
                T::NAME,
                peak / 1e9,
                exp * 1e9
            );
        }
        machine
    }
}

/// Multiplications and additions of a step on the path that the engine takes.
fn flops(shape: Shape) -> usize {
    let Shape { n, d, m, .. } = shape;
    let k = d.min(n);
    let reduced = n * k - k * (k - 1) / 2;
    // The engine's own rule: worth it from a quarter of the work on.
    4 * m * if 4 * reduced <= 3 * n * d { reduced } else { n * d }
}

fn row<T: Float>(shape: Shape, machine: &Machine, threads: usize, memory: Memory) {
    let count = steps(shape);
    let best = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads can be had");
        let runs = (0..if is_tiny() { 1 } else { 5 }).map(|_| pool.install(|| run::<T>(shape, count, memory)));
        runs.min_by(|a, b| a.step.total_cmp(&b.step)).expect("at least one run")
    };
    let (one, all) = (best(1), best(threads));
    // A small problem stays on one thread: its roofline is that of one.
    let alone = all.step > 0.9 * one.step;
    let limit = if alone { machine.one } else { machine.all };
    let roofline = flops(shape) as f64 / limit.peak + (shape.n * shape.m) as f64 * limit.exp;
    println!(
        "{:26} {:4} {:10.3e} {:7.0} {:8.0}% {:>8} {:8.2}x {:6.1} steps",
        shape.size(),
        T::NAME,
        all.step,
        flops(shape) as f64 / all.step / 1e9,
        100.0 * roofline / all.step,
        if alone { 1 } else { threads },
        one.step / all.step,
        all.setup / all.step,
    );
}

/// Peak resident memory with a million neurons, set-up with its eigenvalue included.
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
        .expect("the sizes are sound");
    let report = Trainer::default()
        .memory(Memory::Recompute)
        .max_steps(3)
        .fit(&mut net, &data)
        .expect("it converges");
    println!("{report}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: not known on this system");
    println!("n = {n}, d = 16, m = {m}, f64, recomputed: {peak}");
}

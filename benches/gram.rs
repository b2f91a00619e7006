//! The tangent Gram matrix G = J J^T, compared with the machine's limits measured in the same run: `cargo bench --bench
//! gram`.
//!
//! Arguments choose shapes: `cargo bench --bench gram -- A odd`. The roofline is (n^2 m + 2 n d m) flops at peak f64
//! throughput plus n m exponentials from L1, on all threads; limits and G are measured in turn, and shares are medians of 25
//! ratios. Without arguments, the table of `--bench linalg` follows, which covers what is done with G.

mod common;

use common::{Shape, is_tiny, problem};
use expnet::method::{Direction, Evaluation, Method};
use expnet::roofline::{Limits, level_name};
use expnet::{Error, Float, Trainer};
use std::time::Instant;

const SHAPES: [Shape; 4] = [
    Shape {
        name: "A",
        n: 128,
        d: 16,
        m: 16384,
    },
    Shape {
        name: "C",
        n: 1000,
        d: 16,
        m: 10000,
    },
    Shape {
        name: "wide C",
        n: 1000,
        d: 16,
        m: 16384,
    },
    Shape {
        name: "odd",
        n: 333,
        d: 7,
        m: 9973,
    },
];

/// Forms G several times, in turn with measurements of the limits.
struct Clock {
    threads: usize,
    /// Seconds, and the limits for products and for exponentials.
    rounds: Vec<(f64, Limits, Limits)>,
}

impl<T: Float> Method<T> for Clock {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        for _ in 0..if is_tiny() { 1 } else { 25 } {
            let limits = (Limits::sample::<f64>(self.threads), Limits::sample::<T>(self.threads));
            let start = Instant::now();
            evaluation.tangent_gram()?;
            self.rounds.push((start.elapsed().as_secs_f64(), limits.0, limits.1));
        }
        Ok(())
    }
}

fn row<T: Float>(shape: Shape, threads: usize) {
    let (mut net, data) = problem::<T>(shape);
    let mut clock = Clock {
        threads,
        rounds: Vec::new(),
    };
    let trainer = Trainer::new(1e-9).method(&mut clock as &mut dyn Method<T>).max_steps(1);
    trainer.fit(&mut net, &data).expect("the problem is valid");
    let Shape { n, d, m, .. } = shape;
    let product = |double: &Limits| (n * n * m) as f64 / double.peak;
    let median = |of: &dyn Fn(&(f64, Limits, Limits)) -> f64| common::median(clock.rounds.iter().map(of).collect());
    println!(
        "{:28} {:>4} {:10.3e} {:15.0}% {:8.0}%",
        shape.size(),
        T::NAME,
        median(&|(seconds, ..)| *seconds),
        100.0 * median(&|(seconds, double, _)| product(double) / seconds),
        100.0
            * median(&|(seconds, double, own)| {
                let exponentials = (n * m) as f64 * own.exp;
                (product(double) + (2 * n * d * m) as f64 / double.peak + exponentials) / seconds
            })
    );
}

fn main() {
    let threads = rayon::current_num_threads();
    println!("{} on {threads} threads", level_name());
    let (double, single) = (Limits::best::<f64>(threads), Limits::best::<f32>(threads));
    println!(
        "{:.0} GF/s in f64, {:.3} ns per exponential ({:.3} ns in f32)",
        double.peak / 1e9,
        double.exp * 1e9,
        single.exp * 1e9
    );
    println!(
        "{:28} {:>4} {:>10} {:>16} {:>9}",
        "shape (n, d, m)", "type", "s", "n^2 m / s / peak", "roofline"
    );
    let tiny = [Shape {
        name: "tiny",
        n: 9,
        d: 3,
        m: 70,
    }];
    let names: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |shape: &&Shape| names.is_empty() || names.iter().any(|name| name == shape.name);
    let shapes = if is_tiny() { &tiny[..] } else { &SHAPES[..] };
    for &shape in shapes.iter().filter(chosen) {
        row::<f64>(shape, threads);
        row::<f32>(shape, threads);
    }
    if names.is_empty() {
        println!();
        common::linalg::table();
    }
}

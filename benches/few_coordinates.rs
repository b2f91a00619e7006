//! Points of few coordinates: seconds per step of gradient descent by expansion, direct, and in JAX if it is installed:
//! `cargo bench --bench few_coordinates`. Draws `target/few_coordinates.png`.
//!
//! ```text
//! (no argument)   over n = m, for d = 1 to 4
//! targets         three problems, with the losses after the same number of steps
//! ridge           ridge regression with the limit kernel on a million points in the plane
//! alone           without JAX
//! ```
//!
//! `EXPNET_PYTHON` is the Python to use.

#[path = "../examples/common/mod.rs"]
mod chart;
mod common;

use chart::{BLUE, Curve, GREY, ORANGE, dots, figure, key, line};
use common::{FEW, Peers, Shape, Timing, is_tiny, run, unit_points};
use expnet::kernel::Predictor;
use expnet::{Dataset, Float, Memory, Pass};
use kuva::prelude::*;
use nalgebra::DVector;
use std::time::Instant;

/// Sizes whose step takes longer are not measured.
const LONGEST: f64 = 0.5;

/// One size takes about this many times as long as the one before, or less.
const GROWTH: f64 = 12.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |word: &str| words.iter().any(|given| given == word);
    let peers = if wants("alone") || is_tiny() {
        Peers::none()
    } else {
        Peers::find(&["jax".into()])
    };
    if wants("ridge") {
        return ridge();
    }
    if wants("targets") {
        return targets(&peers);
    }
    let panels = (1..=4).map(|d| panel(d, &peers)).collect();
    let legend = vec![key("by expansion", BLUE), key("direct", ORANGE), key("JAX", GREY)];
    let picture = figure(panels, 2, (430.0, 330.0), legend);
    if let Err(error) = chart::save("few_coordinates", &picture) {
        println!("no picture: {error}");
    }
}

/// The number of steps that take about a tenth of a second.
fn steps(seconds: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 1000
    let steps = (0.1 / seconds).clamp(1.0, 1000.0) as usize;
    steps
}

/// The best of three; of one, if a step may take a second.
fn time<T: Float>(shape: Shape, count: usize, pass: Pass) -> Timing {
    let run = || run::<T>(shape, count, (Memory::Auto, pass));
    let first = run();
    if is_tiny() || count == 1 {
        first
    } else {
        first.best(run()).best(run())
    }
}

fn jax<T: Float>(shape: Shape, count: usize, peers: &Peers) -> Option<(f64, f64)> {
    let peer = peers.names().first()?;
    Peers::run(peer, shape, T::NAME, count)
}

fn targets(peers: &Peers) {
    println!(
        "{:26} {:4} {:>9} {:>9} {:>9} {:>8} {:>8}  losses",
        "shape (n, d, m)", "type", "expansion", "direct", "JAX", "direct /", "JAX /"
    );
    let [plane, space] = FEW;
    compare::<f64>(plane, peers);
    compare::<f64>(space, peers);
    compare::<f32>(plane, peers);
}

fn compare<T: Float>(shape: Shape, peers: &Peers) {
    // As many steps of each, so that the losses can be compared.
    let count = if is_tiny() { 2 } else { 5 };
    let expanded = time::<T>(shape, count, Pass::Auto);
    let direct = run::<T>(shape, count, (Memory::Auto, Pass::Direct));
    let (seconds, loss) = jax::<T>(shape, count, peers).unwrap_or((f64::NAN, f64::NAN));
    let expanded = expanded.best(time::<T>(shape, count, Pass::Auto));
    println!(
        "{:26} {:4} {:9.2e} {:9.2e} {seconds:9.2e} {:8.0} {:8.0}  {:.10e} {:.10e} {loss:.10e}",
        shape.size(),
        T::NAME,
        expanded.step,
        direct.step,
        direct.step / expanded.step,
        seconds / expanded.step,
        expanded.loss,
        direct.loss,
    );
}

/// Seconds per step over n = m, as a table and as a panel of the picture.
fn panel(d: usize, peers: &Peers) -> (Vec<Plot>, Layout) {
    let sizes: &[usize] = if is_tiny() {
        &[10, 100]
    } else {
        &[100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000]
    };
    println!(
        "d = {d}, m = n: seconds per step\n{:>9} {:>10} {:>10} {:>10}",
        "n", "expansion", "direct", "JAX"
    );
    let mut curves: [Curve; 3] = Default::default();
    let mut last = [1e-4; 3];
    for &n in sizes {
        let shape = Shape::new("", n, d, n);
        let expected = last.map(|seconds| seconds * GROWTH);
        let worth = last.map(|seconds| seconds < LONGEST);
        let own = |of: usize, pass| {
            let measured = worth[of].then(|| time::<f64>(shape, steps(expected[of]), pass).step);
            measured.unwrap_or(f64::INFINITY)
        };
        let others = worth[2].then(|| jax::<f64>(shape, steps(expected[2]), peers)).flatten();
        last = [
            own(0, Pass::Expansion),
            own(1, Pass::Direct),
            others.map_or(f64::INFINITY, |(seconds, _)| seconds),
        ];
        println!("{n:9} {:10.2e} {:10.2e} {:10.2e}", last[0], last[1], last[2]);
        for (curve, seconds) in curves.iter_mut().zip(last) {
            if seconds.is_finite() {
                curve.push(((n as f64).log10(), seconds.log10()));
            }
        }
    }
    let mut plots: Vec<Plot> = Vec::new();
    for (curve, colour) in curves
        .into_iter()
        .zip([BLUE, ORANGE, GREY])
        .filter(|(curve, _)| !curve.is_empty())
    {
        plots.push(line(curve.clone(), colour).into());
        plots.push(dots(curve, colour).into());
    }
    let layout = chart::with_powers_of_ten(Layout::auto_from_plots(&plots), 1.0)
        .with_title(format!("d = {d}"))
        .with_x_label("log10 of n = m")
        .with_y_label("seconds per step");
    (plots, layout)
}

/// Seconds and memory of ridge regression on many points.
fn ridge() {
    let n = if is_tiny() { 5000 } else { 1_000_000 };
    let points = unit_points(n, 2);
    let labels = DVector::from_fn(n, |i, _| (3.0 * points[(0, i)]).sin() + 0.1 * (i as f64).cos());
    let data = Dataset::new(points, labels).expect("sines are finite");
    let begin = Instant::now();
    let fit = Predictor::new(&data, 1.0)
        .and_then(|predictor| predictor.ridge(1.0))
        .expect("lambda is large");
    let seconds = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let predicted = fit.predict(data.points()).expect("the points are finite");
    let error = (predicted - data.labels()).norm() / (n as f64).sqrt();
    println!(
        "ridge regression, n = {n}, d = 2: {seconds:.2} s; predictions at as many points: {:.2} s; RMSE {error:.4}",
        begin.elapsed().as_secs_f64()
    );
    println!("{}", common::peak_memory());
}

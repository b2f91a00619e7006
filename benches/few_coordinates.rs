//! Points of few coordinates: seconds per step of gradient descent over n, for d = 1 to 4 and m = n, by expansion, direct, and
//! in JAX if it is installed: `cargo bench --bench few_coordinates`. Draws `target/few_coordinates.png`.
//!
//! `-- alone` omits JAX; `-- targets` measures three large problems instead. `EXPNET_PYTHON` is the Python to use.

#[path = "../examples/common/mod.rs"]
mod chart;
mod common;

use chart::{BLUE, Curve, GREY, ORANGE, dots, figure, key, line};
use common::{Peers, Shape, Timing, is_tiny, run_by};
use expnet::{Float, Memory, Pass};
use kuva::prelude::*;

/// A step takes no longer than this, or it is not measured.
const LONGEST: f64 = 30.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |word: &str| words.iter().any(|given| given == word);
    let peers = if wants("alone") || is_tiny() {
        Peers::none()
    } else {
        Peers::find(&["jax".into()])
    };
    if wants("targets") {
        println!("{:28} {:4} {:>10} {:>10} {:>10} {:>8} {:>8}", "shape (n, d, m)", "type", "expansion", "direct", "JAX", "direct /", "JAX /");
        compare::<f64>(Shape::new("plane", 6000, 2, 12_000), &peers);
        compare::<f64>(Shape::new("space", 15_000, 3, 6000), &peers);
        compare::<f32>(Shape::new("plane", 6000, 2, 12_000), &peers);
        return;
    }
    let panels = (1..=4).map(|d| panel(d, &peers)).collect();
    let legend = vec![key("expansion", BLUE), key("direct", ORANGE), key("JAX", GREY)];
    let picture = figure(panels, 2, (430.0, 330.0), legend);
    if let Err(error) = chart::save("few_coordinates", &picture) {
        println!("no picture: {error}");
    }
}

/// Stable for many points, too.
fn step_size(shape: Shape) -> f64 {
    1e-3 / shape.m as f64 / (shape.n as f64 / 100.0).max(1.0)
}

/// The number of steps that take about a tenth of a second.
fn steps(seconds: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 1000
    let steps = (0.1 / seconds).clamp(1.0, 1000.0) as usize;
    steps
}

/// The best of three.
fn time<T: Float>(shape: Shape, guess: f64, pass: Pass) -> Timing {
    let run = || run_by::<T>(shape, steps(guess), step_size(shape), (Memory::Auto, pass));
    let first = run();
    if is_tiny() { first } else { first.best(run()).best(run()) }
}

fn compare<T: Float>(shape: Shape, peers: &Peers) {
    let (guess, count) = (5e-3, steps(5e-3));
    let expanded = time::<T>(shape, guess, Pass::Auto);
    // As many steps, so that the losses can be compared.
    let direct = run_by::<T>(shape, count, step_size(shape), (Memory::Auto, Pass::Direct));
    let jax = peers.names().first().and_then(|jax| Peers::run_by(jax, shape, T::NAME, count, step_size(shape)));
    let seconds = jax.map_or(f64::NAN, |jax| jax.0);
    println!(
        "{:28} {:4} {:10.2e} {:10.2e} {:10.2e} {:8.0} {:8.0}   losses {:.12e} {:.12e} {:.12e}",
        shape.size(),
        T::NAME,
        expanded.step,
        direct.step,
        seconds,
        direct.step / expanded.step,
        seconds / expanded.step,
        expanded.loss,
        direct.loss,
        jax.map_or(f64::NAN, |jax| jax.1),
    );
}

/// Seconds per step over n = m, as a table and as a panel of the picture.
fn panel(d: usize, peers: &Peers) -> (Vec<Plot>, Layout) {
    let sizes: &[usize] = if is_tiny() {
        &[10, 100]
    } else {
        &[100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
    };
    println!("d = {d}, m = n: seconds per step\n{:>9} {:>10} {:>10} {:>10}", "n", "expansion", "direct", "JAX");
    let mut curves: [Curve; 3] = Default::default();
    let (mut direct, mut jax) = (1e-5, 1e-4);
    for &n in sizes {
        let shape = Shape::new("", n, d, n);
        let growth = 10.0;
        let expanded = time::<f64>(shape, 1e-8 * (n * 200 * d * d) as f64, Pass::Expansion).step;
        direct = if direct * growth < LONGEST { time::<f64>(shape, direct * growth, Pass::Direct).step } else { f64::INFINITY };
        let own = peers.names().first().filter(|_| jax * growth < LONGEST);
        jax = own.and_then(|peer| Peers::run_by(peer, shape, "f64", steps(jax * growth), step_size(shape))).map_or(f64::INFINITY, |jax| jax.0);
        let seconds = [expanded, direct, jax];
        println!("{n:9} {:10.2e} {:10.2e} {:10.2e}", seconds[0], seconds[1], seconds[2]);
        for (curve, seconds) in curves.iter_mut().zip(seconds) {
            if seconds.is_finite() {
                curve.push(((n as f64).log10(), seconds.log10()));
            }
        }
    }
    let mut plots = Vec::new();
    for (curve, colour) in curves.into_iter().zip([BLUE, ORANGE, GREY]) {
        plots.push(line(curve.clone(), colour).into());
        plots.push(dots(curve, colour).into());
    }
    let layout = Layout::auto_from_plots(&plots);
    let layout = chart::with_powers_of_ten(layout, 2.0)
        .with_title(format!("d = {d}"))
        .with_x_label("log10 of n = m")
        .with_y_label("seconds per step");
    (plots, layout)
}

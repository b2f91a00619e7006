//! A loss with its gradient, as an optimiser from outside asks for it, against a step of the trainer:
//! `cargo bench --bench objective`.

mod common;

use common::{Shape, is_tiny};
use expnet::{Float, Objective, Trainer};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The two take turns, and the best time of each counts.
const ROUNDS: usize = 15;
/// Of one measurement.
const SHORTEST: Duration = Duration::from_millis(100);

fn main() {
    println!("on {} threads; microseconds", rayon::current_num_threads());
    println!(
        "{:26} {:4} {:>9} {:>9} {:>6} {:>9} {:>9}",
        "(n, d, m)", "", "step", "L, grad L", "ratio", "J^T J u", "H u"
    );
    let shapes = if is_tiny() {
        vec![Shape::new("tiny", 9, 3, 70)]
    } else {
        vec![
            Shape::new("middle", 128, 16, 4096),
            Shape::new("small", 64, 8, 256),
            Shape::new("A", 128, 16, 16384),
            Shape::new("E", 32, 4, 1024),
        ]
    };
    for shape in shapes {
        line::<f64>(shape);
        line::<f32>(shape);
    }
}

fn line<T: Float>(shape: Shape) {
    let (net, data) = common::problem::<T>(shape);
    let mut trained = net.clone();
    let trainer = Trainer::new(common::step_size(shape)).max_steps(usize::MAX);
    let mut session = trainer.start(&mut trained, &data).expect("the problem is valid");
    let mut objective = Objective::new(&net, &data).expect("the problem is valid");
    // Two points in turn: the same one would not be evaluated again.
    let start = net.weights().as_slice();
    let moved: Vec<T> = start.iter().map(|&w| w * T::lit(1.0 - 1e-6)).collect();
    let (mut gradient, mut turn) = (vec![T::zero(); start.len()], false);
    let mut best = [f64::INFINITY; 4];
    for _ in 0..if is_tiny() { 1 } else { ROUNDS } {
        best[0] = best[0].min(time(|| {
            session.step().expect("the step is small");
        }));
        best[1] = best[1].min(time(|| {
            turn = !turn;
            let w = if turn { &moved } else { start };
            black_box(objective.value_and_gradient(w, &mut gradient)).expect("the weights are finite");
        }));
        best[2] = best[2].min(time(|| {
            let product = objective.gauss_newton_product(&moved, &mut gradient);
            black_box(product).expect("the direction is finite");
        }));
        best[3] = best[3].min(time(|| {
            let product = objective.hessian_product(&moved, &mut gradient);
            black_box(product).expect("the direction is finite");
        }));
    }
    let [step, both, gauss_newton, hessian] = best.map(|seconds| 1e6 * seconds);
    println!(
        "{:26} {:4} {step:9.1} {both:9.1} {:6.2} {gauss_newton:9.1} {hessian:9.1}",
        shape.size(),
        T::NAME,
        both / step
    );
}

/// Seconds of a call, on average over as many as take long enough.
fn time(mut call: impl FnMut()) -> f64 {
    let shortest = if is_tiny() { Duration::ZERO } else { SHORTEST };
    let start = Instant::now();
    let mut calls = 0_u32;
    while calls == 0 || start.elapsed() < shortest {
        call();
        calls += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

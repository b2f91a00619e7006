//! Seconds for one full-batch gradient step, n samples, d dimensions, m neurons, in f64 and f32.
//!
//!     cargo bench --bench step
//!     EXPNET_BENCH=tiny cargo bench --bench step

mod inputs;

use divan::Bencher;
use divan::counter::ItemsCount;
use expnet::{Float, Trainer};
use inputs::Shape;

fn main() {
    divan::main();
}

/// Throughput is in activations exp(<w_r, x_i>), of which a step computes n m.
#[divan::bench(types = [f64, f32], args = inputs::shapes(), max_time = 5)]
fn step<T: Float>(bencher: Bencher<'_, '_>, shape: Shape) {
    let (data, mut net, step_size) = inputs::problem::<T>(shape);
    let trainer = Trainer::new(step_size).max_steps(usize::MAX);
    let mut session = trainer.start(&mut net, &data).expect("the shapes fit");
    bencher
        .counter(ItemsCount::new(shape.samples * shape.width))
        .bench_local(|| session.step().expect("small steps do not diverge"));
}

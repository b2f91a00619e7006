//! One full-batch step, measured with divan: `cargo bench --bench step`.

mod common;

use common::{Shape, shapes};
use divan::Bencher;
use expnet::{Float, Trainer};

fn main() {
    divan::main();
}

#[divan::bench(types = [f32, f64], args = 0..5)]
fn step<T: Float>(bencher: Bencher, index: usize) {
    let Some(&shape) = shapes().get(index) else { return };
    let Shape { n, m, .. } = shape;
    let (mut net, data) = common::problem::<T>(shape);
    let trainer = Trainer::new(1e-3 / m as f64).max_steps(usize::MAX);
    let mut session = trainer.start(&mut net, &data).expect("the problem is valid");
    bencher
        .counter(divan::counter::ItemsCount::new(n * m))
        .bench_local(|| session.step());
}

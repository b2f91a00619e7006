//! The same bits on any number of threads, with activations stored or recomputed.

use super::super::plan::Plan;
use super::super::reduce::reduce;
use super::super::{Dual, Engine, Memory, Move, Pass, Scope};
use super::{problem, step};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::DMatrix;

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(work)
}

/// The bits of a short run: outputs after some steps with a trial, a batch and momentum in between.
fn bits<T: Float>((n, d, m): (usize, usize, usize), memory: Memory, threads: usize) -> Vec<u64> {
    bits_by::<T>((n, d, m), (memory, Pass::Direct), threads)
}

fn bits_by<T: Float>((n, d, m): (usize, usize, usize), (memory, pass): (Memory, Pass), threads: usize) -> Vec<u64> {
    on_threads(threads, || {
        let p = problem::<T>(n, d, m);
        let plan = Plan::new::<T>(memory).unwrap().by(pass);
        let reduction = reduce(&p.points, None).unwrap();
        let mut engine = Engine::with(
            plan,
            reduction,
            &p.weights,
            &p.output_weights,
            &p.points,
            Some(&p.points),
        )
        .unwrap();
        engine.forward().unwrap();
        let mut bits = Vec::new();
        for t in 0..4 {
            let momentum = if t > 1 { 0.5 } else { 0.0 };
            let eta = 1e-3 / m as f64;
            engine
                .propose(Dual::Direction, &p.dual, step(3.0 * eta), true, Scope::Batch)
                .unwrap();
            let sums = engine.gradient(Dual::Direction, &p.dual).unwrap();
            engine
                .propose(
                    Dual::Direction,
                    &p.dual,
                    Move { momentum, ..step(eta) },
                    t == 2,
                    Scope::BatchAndValidation,
                )
                .unwrap();
            bits.extend([sums.norm_squared.to_bits(), sums.dot_velocity.to_bits()]);
            bits.extend(
                engine
                    .outputs()
                    .iter()
                    .chain(engine.validation_outputs())
                    .map(|f| f.to_bits()),
            );
            engine.accept(momentum > 0.0, t == 1);
        }
        let mut product = vec![0.0; n];
        engine.tangent_product(&vec![1.0; n], &mut product).unwrap();
        bits.extend(product.iter().map(|p| p.to_bits()));
        let mut weights = p.weights.clone();
        engine.advance(&mut weights).unwrap();
        bits.extend(weights.iter().map(|w| w.as_f64().to_bits()));
        bits
    })
}

#[test]
fn bits_do_not_depend_on_threads_or_memory() {
    let shapes = [
        (1, 1, 1),
        (32, 4, 1024),
        (13, 7, 5001),
        (128, 16, 4096),
        (40, 100, 3000),
        (300, 5, 2500),
        (1100, 3, 900),
        (64, 64, 2048),
    ];
    for shape in shapes {
        let first = bits::<f64>(shape, Memory::Store, 1);
        let first_f32 = bits::<f32>(shape, Memory::Store, 1);
        for threads in [1, 2, 3] {
            for memory in [Memory::Store, Memory::Recompute, Memory::Auto] {
                assert!(
                    bits::<f64>(shape, memory, threads) == first,
                    "{shape:?} {threads} {memory:?}"
                );
                assert!(
                    bits::<f32>(shape, memory, threads) == first_f32,
                    "{shape:?} {threads} {memory:?}"
                );
            }
        }
    }
}

#[test]
fn bits_of_expansions_do_not_depend_on_threads() {
    for shape in [(1, 1, 1), (40, 2, 70), (700, 2, 3001), (1200, 3, 900), (300, 4, 500)] {
        let by = |threads| bits_by::<f64>(shape, (Memory::Auto, Pass::Expansion), threads);
        let in_f32 = |threads| bits_by::<f32>(shape, (Memory::Auto, Pass::Expansion), threads);
        let (first, first_f32) = (by(1), in_f32(1));
        for threads in [2, 3] {
            assert!(by(threads) == first, "{shape:?} {threads}");
            assert!(in_f32(threads) == first_f32, "{shape:?} {threads}");
        }
    }
}

#[test]
fn the_bits_of_g_do_not_depend_on_threads() {
    fn gram<T: Float>(shape: (usize, usize, usize), threads: usize) -> DMatrix<f64> {
        let p = problem::<T>(shape.0, shape.1, shape.2);
        on_threads(threads, || {
            p.engine(Level::new(), Memory::Auto, false).tangent_gram().unwrap()
        })
    }
    for shape in [(1, 1, 1), (40, 3, 5000), (150, 5, 10_001), (300, 2, 700)] {
        for threads in [2, 3] {
            assert_eq!(gram::<f64>(shape, 1), gram::<f64>(shape, threads), "{shape:?}");
            assert_eq!(gram::<f32>(shape, 1), gram::<f32>(shape, threads), "{shape:?}");
        }
    }
}

#[test]
fn the_bits_of_the_moments_do_not_depend_on_threads() {
    let moments = |threads| {
        let p = problem::<f32>(9, 7, 10_001);
        on_threads(threads, || {
            p.engine(Level::new(), Memory::Auto, false).weight_moments().unwrap()
        })
    };
    assert_eq!(moments(1), moments(3));
}

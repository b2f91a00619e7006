//! The fused engine against the plain one, on every level, over all sizes around the lane, block and panel edges.

mod bits;
mod expansion;
mod gram;
mod outside;
mod reach;

use super::plan::{Plan, levels};
use super::reduce::reduce;
use super::{Dual, Engine, Memory, Move, Pass, Scope, plain};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

struct Problem<T> {
    weights: DMatrix<T>,
    output_weights: DVector<T>,
    points: DMatrix<T>,
    dual: Vec<T>,
}

/// Points of full rank, weights of size 1, closed form.
fn problem<T: Float>(n: usize, d: usize, m: usize) -> Problem<T> {
    let wave = |a: usize, b: usize| ((3 * a + 5 * b + 7 * a * b + 1) as f64).sin();
    let scale = 1.0 / (d as f64).sqrt();
    Problem {
        weights: DMatrix::from_fn(d, m, |k, r| T::lit(wave(k, r))),
        output_weights: DVector::from_fn(m, |r, _| T::lit(if r % 3 == 0 { 1.5 } else { -1.0 })),
        points: DMatrix::from_fn(d, n, |k, i| T::lit(scale * wave(k + 11, i))),
        dual: (0..n).map(|i| T::lit((2.0 * i as f64 + 0.5).cos())).collect(),
    }
}

impl<T: Float> Problem<T> {
    /// Of the direct sweep.
    fn engine(&self, level: Level, memory: Memory, reduced: bool) -> Engine<T> {
        self.engine_by(Plan::at::<T>(level, memory).by(Pass::Direct), reduced)
    }

    fn engine_by(&self, plan: Plan, reduced: bool) -> Engine<T> {
        let reduction = if reduced {
            reduce(&self.points, None).unwrap()
        } else {
            None
        };
        Engine::with(plan, reduction, &self.weights, &self.output_weights, &self.points, None).unwrap()
    }

    /// sum_r |a_r| exp(<w_r, x_i>), the scale of rounding.
    fn scale(&self) -> f64 {
        let a = self.output_weights.abs();
        plain::outputs(&self.weights, &a, &self.points)
            .into_iter()
            .fold(1.0, f64::max)
    }
}

fn tolerance<T: Float>() -> f64 {
    20.0 * T::EPSILON.as_f64()
}

fn step(step_size: f64) -> Move {
    Move {
        step_size,
        momentum: 0.0,
        nesterov: false,
        pull: 0.0,
    }
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            // Where both overflow, they do so alike.
            f == e || (f - e).abs() <= tolerance,
            "{what}, entry {i}: {f} instead of {e}, tolerance {tolerance:e}"
        );
    }
}

fn as_f64<T: Float>(matrix: &DMatrix<T>) -> Vec<f64> {
    matrix.iter().map(|x| x.as_f64()).collect()
}

/// Every sweep of the engine, for one problem on one path.
fn compare<T: Float>(level: Level, (n, d, m): (usize, usize, usize), memory: Memory, reduced: bool) {
    let p = problem::<T>(n, d, m);
    let name = format!("{level:?} {} n {n} d {d} m {m} {memory:?} reduced {reduced}", T::NAME);
    compare_engine(p.engine(level, memory, reduced), &p, &name);
}

/// Every sweep of an engine for a problem.
fn compare_engine<T: Float>(mut engine: Engine<T>, p: &Problem<T>, name: &str) {
    let (n, d) = (p.points.ncols(), p.points.nrows());
    let unit = tolerance::<T>() * (d as f64).sqrt() * p.scale();
    engine.forward().unwrap();
    let expected = plain::outputs(&p.weights, &p.output_weights, &p.points);
    assert_close(&format!("{name}: outputs"), engine.outputs(), &expected, unit);

    let gradient = plain::gradient(&p.weights, &p.output_weights, &p.points, &p.dual);
    let sums = engine.gradient(Dual::Direction, &p.dual).unwrap();
    let norm = gradient.iter().map(|g| g.as_f64().powi(2)).sum::<f64>();
    assert!(
        (sums.norm_squared - norm).abs() <= 1e3 * tolerance::<T>() * (norm + 1.0),
        "{name}: norm"
    );

    let vector: Vec<f64> = p.dual.iter().map(|v| v.as_f64()).collect();
    let (mut product, mut expected) = (vec![0.0; n], vec![0.0; n]);
    engine.tangent_product(&vector, &mut product).unwrap();
    plain::tangent(&p.weights, &p.output_weights, &p.points, &gradient, &mut expected);
    let size = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs())) + p.scale() * n as f64;
    assert_close(
        &format!("{name}: G v"),
        &product,
        &expected,
        10.0 * tolerance::<T>() * size,
    );

    compare_step(&mut engine, p, &gradient, name);
}

/// A step along J^T v, and what is evaluated after it.
fn compare_step<T: Float>(engine: &mut Engine<T>, p: &Problem<T>, gradient: &DMatrix<T>, name: &str) {
    let (d, m) = p.weights.shape();
    let unit = tolerance::<T>() * (d as f64).sqrt() * p.scale();
    let eta = 1e-3 / (m as f64);
    engine
        .propose(Dual::Direction, &p.dual, step(eta), false, Scope::Batch)
        .unwrap();
    let moved = &p.weights - gradient * T::lit(eta);
    let expected = plain::outputs(&moved, &p.output_weights, &p.points);
    assert_close(
        &format!("{name}: outputs after a step"),
        engine.outputs(),
        &expected,
        2.0 * unit,
    );
    engine.accept(false, false);
    let mut weights = p.weights.clone();
    engine.advance(&mut weights).unwrap();
    assert_close(
        &format!("{name}: weights"),
        &as_f64(&weights),
        &as_f64(&moved),
        10.0 * tolerance::<T>(),
    );
    assert_close(
        &format!("{name}: evaluate"),
        engine.evaluate_all().unwrap(),
        &expected,
        2.0 * unit,
    );
    let frobenius = (&weights - &p.weights)
        .iter()
        .map(|x| x.as_f64().powi(2))
        .sum::<f64>()
        .sqrt();
    let movement = engine.movement(&p.weights).unwrap().frobenius;
    assert!(
        (movement - frobenius).abs() <= 1e3 * tolerance::<T>(),
        "{name}: movement {movement} {frobenius}"
    );
}

fn compare_everywhere<T: Float>(shape: (usize, usize, usize)) {
    for level in levels() {
        for memory in [Memory::Store, Memory::Recompute] {
            compare::<T>(level, shape, memory, false);
            if shape.1 > shape.0 / 2 {
                compare::<T>(level, shape, memory, true);
            }
        }
    }
}

#[test]
fn agrees_with_the_plain_model_around_every_edge() {
    for n in [1, 2, 3, 4, 5, 8, 11, 12, 13, 25] {
        for d in [1, 3, 4, 5, 12, 13] {
            compare_everywhere::<f64>((n, d, 37));
        }
    }
    for m in [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 300] {
        compare_everywhere::<f64>((5, 3, m));
        compare_everywhere::<f32>((5, 3, m));
    }
    for shape in [(1, 1, 1), (13, 7, 129), (33, 60, 70), (20, 19, 64)] {
        compare_everywhere::<f32>(shape);
        compare_everywhere::<f64>(shape);
    }
}

#[test]
fn many_samples_are_recomputed_in_groups() {
    for n in [1023, 1024, 1025, 2500] {
        compare::<f64>(Level::new(), (n, 3, 40), Memory::Recompute, false);
        compare::<f32>(Level::new(), (n, 3, 40), Memory::Store, false);
    }
}

#[test]
fn the_tangent_product_of_the_movement_is_that_of_the_plain_model() {
    for (level, memory) in levels()
        .into_iter()
        .flat_map(|l| [(l, Memory::Store), (l, Memory::Recompute)])
    {
        for (shape, reduced) in [((9, 4, 70), false), ((13, 20, 50), true), ((600, 3, 40), false)] {
            let p = problem::<f64>(shape.0, shape.1, shape.2);
            let mut engine = p.engine(level, memory, reduced);
            engine.forward().unwrap();
            engine.keep_initial(&p.weights).unwrap();
            let proposed = engine
                .propose(Dual::Direction, &p.dual, step(1e-3), false, Scope::Batch)
                .unwrap();
            engine.accept(false, false);
            let mut weights = p.weights.clone();
            engine.advance(&mut weights).unwrap();
            let moved = &weights - &p.weights;
            let movement = proposed.movement.unwrap();
            assert!((movement - moved.norm_squared()).abs() < 1e-10 * movement);
            let (mut found, mut expected) = (vec![0.0; shape.0], vec![0.0; shape.0]);
            engine.movement_product(&p.weights, &mut found).unwrap();
            plain::tangent(&weights, &p.output_weights, &p.points, &moved, &mut expected);
            let size = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            assert_close(
                &format!("{level:?} {shape:?} {memory:?}"),
                &found,
                &expected,
                1e-10 * size,
            );
        }
    }
}

#[test]
fn an_antisymmetric_network_gives_exactly_zero() {
    fn check<T: Float>(level: Level) {
        for (n, m) in [(1, 2), (5, 34), (13, 64), (20, 3000)] {
            let mut p = problem::<T>(n, 3, m);
            for r in (0..m).step_by(2) {
                let w = p.weights.column(r).into_owned();
                p.weights.set_column(r + 1, &w);
                p.output_weights[r] = T::lit(0.3);
                p.output_weights[r + 1] = T::lit(-0.3);
            }
            let mut engine = p.engine(level, Memory::Auto, false);
            engine.forward().unwrap();
            assert!(engine.outputs().iter().all(|f| *f == 0.0), "{level:?} {n} {m}");
        }
    }
    for level in levels() {
        check::<f32>(level);
        check::<f64>(level);
    }
}

#[test]
fn wide_f32_networks_add_in_f64() {
    let (n, m) = (4, 200_000);
    let p = problem::<f32>(n, 3, m);
    let mut engine = p.engine(Level::new(), Memory::Recompute, false);
    engine.forward().unwrap();
    let exact = plain::outputs(
        &p.weights.map(f64::from),
        &p.output_weights.map(f64::from),
        &p.points.map(f64::from),
    );
    // Each activation rounds on its own, so the error grows like sqrt(m), not like m.
    let unit = f64::from(f32::EPSILON) * p.scale() / (m as f64).sqrt();
    assert_close("outputs", engine.outputs(), &exact, 20.0 * unit);
}

#[test]
fn undo_restores_everything() {
    for memory in [Memory::Store, Memory::Recompute] {
        let p = problem::<f64>(9, 4, 70);
        let mut plain_run = p.engine(Level::new(), memory, false);
        let mut with_undo = p.engine(Level::new(), memory, false);
        for engine in [&mut plain_run, &mut with_undo] {
            engine.forward().unwrap();
        }
        let other: Vec<f64> = p.dual.iter().map(|v| v * 3.0 + 1.0).collect();
        with_undo
            .propose(
                Dual::Direction,
                &other,
                Move {
                    momentum: 0.7,
                    ..step(1e-2)
                },
                true,
                Scope::Batch,
            )
            .unwrap();
        with_undo.forget(Dual::Direction);
        for engine in [&mut plain_run, &mut with_undo] {
            engine
                .propose(Dual::Direction, &p.dual, step(1e-4), false, Scope::Batch)
                .unwrap();
            engine.accept(false, false);
        }
        assert_eq!(plain_run.outputs(), with_undo.outputs());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn reduction_is_the_direct_path(n in 1usize..30, d in 1usize..60, m in 1usize..80, rank in 1usize..30) {
        let mut p = problem::<f64>(n, d, m);
        // Duplicates beyond the rank.
        for i in rank..n {
            let copy = p.points.column(i % rank).into_owned();
            p.points.set_column(i, &copy);
        }
        let mut direct = p.engine(Level::new(), Memory::Auto, false);
        let mut reduced = p.engine(Level::new(), Memory::Auto, true);
        for engine in [&mut direct, &mut reduced] {
            engine.forward().unwrap();
            for _ in 0..5 {
                engine.propose(Dual::Direction, &p.dual, step(1e-3), false, Scope::Batch).unwrap();
                engine.accept(false, false);
            }
        }
        let unit = 1e-12 * p.scale();
        assert_close("outputs", reduced.outputs(), direct.outputs(), unit);
        let (mut a, mut b) = (p.weights.clone(), p.weights.clone());
        direct.advance(&mut a).unwrap();
        reduced.advance(&mut b).unwrap();
        assert_close("weights", b.as_slice(), a.as_slice(), 1e-12 * (1.0 + a.amax()));
    }
}

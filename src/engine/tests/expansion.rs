//! Sweeps by expansion against the plain model and the direct sweep.

use super::super::plan::{Pass, Plan, levels};
use super::super::reduce::reduce;
use super::super::{Dual, Engine, Memory, Move, Scope, plain};
use super::{Problem, assert_close, compare_engine, problem, step};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

fn plan<T: Float>(level: Level, pass: Pass) -> Plan {
    Plan::at::<T>(level, Memory::Auto).by(pass)
}

fn compare<T: Float>(level: Level, (n, d, m): (usize, usize, usize)) {
    let problems = [problem::<T>(n, d, m), problem::<T>(n, d, m).on_sphere(0.7)];
    for (p, place) in problems.into_iter().zip(["", " on a sphere"]) {
        let name = format!("{level:?} {} n {n} d {d} m {m} by expansion{place}", T::NAME);
        let engine = p.engine_by(plan::<T>(level, Pass::Expansion), false);
        compare_engine(engine, &p, &name);
    }
}

#[test]
fn agrees_with_the_plain_model_around_every_edge() {
    for level in levels() {
        for d in 1..=4 {
            for (n, m) in [(1, 1), (2, 3), (13, 37), (50, 8), (5, 300), (97, 129)] {
                compare::<f64>(level, (n, d, m));
                compare::<f32>(level, (n, d, m));
            }
        }
    }
}

#[test]
fn an_antisymmetric_network_gives_exactly_zero() {
    fn check<T: Float>(level: Level) {
        for (n, d, m) in [(1, 1, 2), (5, 2, 34), (60, 3, 400), (20, 4, 3000)] {
            let mut p = problem::<T>(n, d, m);
            for r in (0..m).step_by(2) {
                let w = p.weights.column(r).into_owned();
                p.weights.set_column(r + 1, &w);
                p.output_weights[r] = T::lit(0.3);
                p.output_weights[r + 1] = T::lit(-0.3);
            }
            let mut engine = p.engine_by(plan::<T>(level, Pass::Expansion), false);
            engine.forward().unwrap();
            assert_eq!(engine.passes().expanded, 1);
            assert!(engine.outputs().iter().all(|f| *f == 0.0), "{level:?} {n} {d} {m}");
        }
    }
    for level in levels() {
        check::<f32>(level);
        check::<f64>(level);
    }
}

impl<T: Float> Problem<T> {
    /// The same on a sphere of this radius.
    fn on_sphere(mut self, radius: f64) -> Self {
        for mut x in self.points.column_iter_mut() {
            let norm = x.iter().map(|x| x.as_f64().powi(2)).sum::<f64>().sqrt();
            x.iter_mut().for_each(|x| *x = T::lit(x.as_f64() / norm * radius));
        }
        self
    }
}

/// A random problem: weights of standard deviation `spread` about `mean`, points of at most `radius`.
fn random<T: Float>(shape: (usize, usize, usize), spread: f64, mean: f64, radius: f64, seed: u64) -> Problem<T> {
    let (n, d, m) = shape;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut normal = || f64::standard_normal(&mut rng);
    let weights = DMatrix::from_fn(d, m, |k, _| T::lit(spread * normal() + if k == 0 { mean } else { 0.0 }));
    let mut points = DMatrix::from_fn(d, n, |_, _| normal());
    let longest = points.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
    points *= radius / longest;
    Problem {
        output_weights: DVector::from_fn(m, |_, _| T::lit(normal())),
        dual: (0..n).map(|_| T::lit(normal())).collect(),
        weights,
        points: points.map(T::lit),
    }
}

/// Sums of absolute terms, to which rounding is relative: those of each output, and the largest of J^T v and of G v.
fn scales<T: Float>(p: &Problem<T>) -> (DVector<f64>, [f64; 2]) {
    let sizes = p.points.map(Float::as_f64);
    let activations = sizes.tr_mul(&p.weights.map(Float::as_f64)).map(f64::exp);
    let a = p.output_weights.map(|a| a.as_f64().abs());
    let outputs = &activations * &a;
    let norms = DVector::from_fn(sizes.ncols(), |i, _| sizes.column(i).norm() * p.dual[i].as_f64().abs());
    let gradient = activations.tr_mul(&norms).component_mul(&a);
    let radius = sizes.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
    let products = radius * (&activations * gradient.component_mul(&a)).max();
    (outputs, [gradient.max(), products])
}

/// Outputs, each relative to its own scale.
fn assert_close_to_scale(found: &[f64], expected: &[f64], scales: &DVector<f64>, promise: f64) {
    for (i, ((found, expected), scale)) in found.iter().zip(expected).zip(scales).enumerate() {
        let off = (found - expected).abs();
        assert!(
            off <= promise * scale,
            "output {i}: off by {:e} of {scale:e}",
            off / scale
        );
    }
}

/// Every pass by expansion against the direct one, relative to the scales.
fn assert_like_direct<T: Float>(p: &Problem<T>, level: Level) -> usize {
    let promise = if T::NAME == "f64" { 1e-12 } else { 1e-5 };
    let (outputs, [gradients, products]) = scales(p);
    let mut engines = [Pass::Direct, Pass::Expansion].map(|pass| p.engine_by(plan::<T>(level, pass), false));
    let (d, m) = p.weights.shape();
    let n = p.points.ncols();
    let vector: Vec<f64> = p.dual.iter().map(|v| v.as_f64()).collect();
    let mut found = engines.each_mut().map(|engine| {
        engine.forward().unwrap();
        let forward = engine.outputs().to_vec();
        engine.gradient(Dual::Direction, &p.dual).unwrap();
        let mut gradient = DMatrix::zeros(d, m);
        engine.unpack_gradient(gradient.as_mut_slice());
        let mut product = vec![0.0; n];
        engine.tangent_product(&vector, &mut product).unwrap();
        (forward, gradient.map(Float::as_f64), product)
    });
    let [direct, expanded] = &mut found;
    assert_close_to_scale(&expanded.0, &direct.0, &outputs, promise);
    assert_close(
        "gradient",
        expanded.1.as_slice(),
        direct.1.as_slice(),
        promise * gradients,
    );
    assert_close("G v", &expanded.2, &direct.2, promise * products);
    engines[1].passes().expanded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pass_is_within_the_promise_of_the_direct_one(
        (n, d, m) in (1usize..80, 1usize..=4, 1usize..150),
        spread in 0.01f64..3.0,
        mean in -3.0f64..3.0,
        radius in 0.01f64..4.0,
        seed in 0u64..1_000_000,
    ) {
        assert_like_direct(&random::<f64>((n, d, m), spread, mean, radius, seed), Level::new());
        assert_like_direct(&random::<f32>((n, d, m), spread, mean, radius, seed), Level::new());
    }

    #[test]
    fn every_pass_on_a_sphere_is_within_the_promise_of_the_direct_one(
        (n, d, m) in (1usize..80, 1usize..=4, 1usize..150),
        spread in 0.01f64..3.0,
        mean in -2.0f64..2.0,
        radius in 0.1f64..3.0,
        seed in 0u64..1_000_000,
    ) {
        assert_like_direct(&random::<f64>((n, d, m), spread, mean, 1.0, seed).on_sphere(radius), Level::new());
        assert_like_direct(&random::<f32>((n, d, m), spread, mean, 1.0, seed).on_sphere(radius), Level::new());
    }
}

/// Where digits cancel as far as the guard lets them: points on a sphere in f32 are off it by rounding.
#[test]
fn weights_far_out_in_f32_are_within_the_promise() {
    let signs = |r: usize| if r.is_multiple_of(2) { 1.0 } else { -1.0 };
    for d in [2, 3, 4] {
        for (size, both) in [
            (4.0, false),
            (6.0, false),
            (7.9, false),
            (8.0, true),
            (12.0, true),
            (16.0, true),
        ] {
            let mut p = random::<f32>((400, d, 64), 0.0, size, 1.0, 7).on_sphere(1.0);
            p.output_weights.fill(1.0);
            if both {
                p.weights
                    .row_mut(0)
                    .iter_mut()
                    .enumerate()
                    .for_each(|(r, w)| *w *= signs(r));
            }
            assert!(assert_like_direct(&p, Level::new()) > 0, "{d} {size} {both}");
        }
        let mut p = random::<f32>((400, d, 64), 0.0, 0.0, 0.9, 7);
        p.output_weights.fill(1.0);
        p.weights.row_mut(d - 1).fill(-7.96);
        p.points.column_mut(0).fill(0.0);
        p.points[(d - 1, 0)] = 1.0;
        assert!(assert_like_direct(&p, Level::new()) > 0, "{d}");
    }
}

/// With many validation points, an expansion pays for few samples.
#[test]
fn validation_points_count() {
    let p = random::<f64>((60, 2, 1000), 0.5, 0.0, 1.0, 5);
    let many = random::<f64>((20_000, 2, 1), 0.5, 0.0, 1.0, 6).points;
    let expanded = |validation| {
        let plan = plan::<f64>(Level::new(), Pass::Auto);
        let engine = Engine::with(plan, None, &p.weights, &p.output_weights, &p.points, validation);
        let mut engine = engine.unwrap();
        engine.forward().unwrap();
        let first = engine.passes().expanded;
        engine
            .propose(Dual::Direction, &p.dual, step(1e-4), false, Scope::BatchAndValidation)
            .unwrap();
        engine.accept(false, false);
        let last = engine.outputs().to_vec();
        // As in a run that is resumed.
        engine.forget_weights();
        engine.forward().unwrap();
        assert_eq!(engine.outputs(), last);
        (first, engine.passes().expanded)
    };
    assert_eq!(expanded(None), (0, 0));
    assert_eq!(expanded(Some(&many)), (1, 3));
}

/// Samples on a great circle, validation points beside it: rounding would move neurons out of the plane of the samples.
#[test]
fn neurons_stay_in_the_span_of_the_samples() {
    fn check<T: Float>() {
        let mut p = random::<T>((60, 3, 100), 0.5, 0.0, 1.0, 5);
        p.points.row_mut(2).fill(T::zero());
        let p = p.on_sphere(1.0);
        let validation = random::<T>((5, 3, 1), 0.5, 0.0, 1.0, 6).on_sphere(1.0).points;
        let reduction = reduce(&p.points, Some(&validation)).unwrap();
        assert_eq!(reduction.as_ref().map(|r| (r.trained, r.basis.ncols())), Some((2, 3)));
        let plan = plan::<T>(Level::new(), Pass::Expansion);
        let lanes = plan.lanes;
        let (weights, a) = (&p.weights, &p.output_weights);
        let mut engine = Engine::with(plan, reduction, weights, a, &p.points, Some(&validation)).unwrap();
        engine.forward().unwrap();
        engine.gradient(Dual::Direction, &p.dual).unwrap();
        assert_eq!(engine.passes().expanded, 2);
        for chunk in &engine.chunks {
            let rows = chunk.gradient.as_ref().unwrap().get().chunks_exact(lanes).enumerate();
            for (k, row) in rows {
                let moves = k % chunk.shape.gradient_rows < 2;
                assert!(moves || row.iter().all(|g| *g == T::zero()), "{k} {row:?}");
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Squared lengths so small that they round to the same number say nothing of a sphere.
#[test]
fn lengths_whose_squares_vanish_are_not_equal() {
    let mut p = random::<f64>((400, 2, 64), 0.5, 0.0, 1.0, 5);
    // On the axes, where no second square rounds.
    p.points = DMatrix::from_fn(2, 400, |k, i| if i % 2 == k { 1e-161 } else { 0.0 });
    p.points[(0, 0)] = 1.005e-161;
    assert_eq!(p.points.column(0).norm_squared(), p.points.column(1).norm_squared());
    // With opposite weights, since the square of their mean would overflow.
    for r in (0..64).step_by(2) {
        let w = p.weights.column(r) * 1e161;
        p.weights.set_column(r, &w);
        p.weights.set_column(r + 1, &-w);
    }
    p.output_weights.fill(1.0);
    let [direct, expanded] = [Pass::Direct, Pass::Expansion].map(|pass| {
        let mut engine = p.engine_by(plan::<f64>(Level::new(), pass), false);
        engine.forward().unwrap();
        assert_eq!(engine.passes().expanded == 1, pass == Pass::Expansion);
        engine.outputs().to_vec()
    });
    assert_close_to_scale(&expanded, &direct, &scales(&p).0, 1e-12);
}

#[test]
fn ordinary_weights_are_expanded() {
    for (d, spread) in [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (2, 0.1), (3, 0.5)] {
        assert_eq!(
            assert_like_direct(&random::<f64>((90, d, 400), spread, 0.0, 1.0, 3), Level::new()),
            3
        );
        assert_eq!(
            assert_like_direct(&random::<f32>((90, d, 400), spread, 0.0, 1.0, 3), Level::new()),
            3
        );
        assert_eq!(
            assert_like_direct(
                &random::<f64>((90, d, 400), spread, 0.0, 1.0, 3).on_sphere(1.0),
                Level::new()
            ),
            3
        );
    }
}

#[test]
fn weights_on_the_far_side_fall_back() {
    let mut p = random::<f64>((60, 2, 300), 0.1, -8.0, 1.0, 5);
    p.points.row_mut(0).iter_mut().for_each(|x| *x = x.abs());
    assert_eq!(assert_like_direct(&p, Level::new()), 0);
}

#[test]
fn one_huge_neuron_falls_back() {
    for at in [20.0, 300.0, 1e200] {
        let mut p = random::<f64>((60, 3, 300), 0.3, 0.0, 1.0, 5);
        p.weights[(1, 17)] = at;
        let mut engine = p.engine_by(plan::<f64>(Level::new(), Pass::Expansion), false);
        let mut direct = p.engine(Level::new(), Memory::Auto, false);
        engine.forward().unwrap();
        direct.forward().unwrap();
        assert_eq!(engine.passes().expanded, 0);
        assert_eq!(
            engine.outputs().iter().map(|f| f.to_bits()).collect::<Vec<_>>(),
            direct.outputs().iter().map(|f| f.to_bits()).collect::<Vec<_>>()
        );
    }
}

/// Weights that grow until digits would cancel, and then shrink again.
#[test]
fn growing_weights_raise_the_degree_and_then_fall_back() {
    let p = random::<f64>((70, 2, 200), 0.3, 0.0, 1.0, 9);
    let mut engine = p.engine_by(plan::<f64>(Level::new(), Pass::Expansion), false);
    engine.forward().unwrap();
    let mut degrees = vec![engine.passes().degree];
    let mut weights = p.weights.clone();
    let mut grow = |engine: &mut Engine<f64>, size: f64| {
        let before = engine.passes().expanded;
        engine
            .propose(Dual::Direction, &p.dual, step(size), false, Scope::Batch)
            .unwrap();
        engine.accept(false, false);
        weights.clone_from(&p.weights);
        engine.advance(&mut weights).unwrap();
        let now = Problem {
            weights: weights.clone(),
            points: p.points.clone(),
            output_weights: p.output_weights.clone(),
            dual: p.dual.clone(),
        };
        let mut direct = now.engine(Level::new(), Memory::Auto, false);
        direct.forward().unwrap();
        assert_close_to_scale(engine.outputs(), direct.outputs(), &scales(&now).0, 1e-12);
        (engine.passes().expanded > before).then_some(engine.passes().degree)
    };
    let mut fell_back = false;
    for _ in 0..200 {
        match grow(&mut engine, -3e-3) {
            Some(degree) => degrees.push(degree),
            None => {
                fell_back = true;
                break;
            }
        }
    }
    assert!(
        fell_back && degrees.is_sorted() && degrees.last() > degrees.first(),
        "{degrees:?}"
    );
    // The same direction back, from where the derivative is larger.
    let back = (0..200).find_map(|_| grow(&mut engine, 1e-3));
    assert!(
        back.is_some_and(|degree| degree <= degrees[degrees.len() - 1] + 1),
        "{back:?}"
    );
}

/// What a step found out while it was too far is forgotten when it is undone.
#[test]
fn a_proposal_beyond_the_guard_is_undone() {
    let p = random::<f64>((70, 2, 200), 0.3, 0.0, 1.0, 9);
    let run = |trial: Option<f64>| {
        let mut engine = p.engine_by(plan::<f64>(Level::new(), Pass::Expansion), false);
        engine.forward().unwrap();
        if let Some(size) = trial {
            engine
                .propose(Dual::Direction, &p.dual, step(size), true, Scope::Batch)
                .unwrap();
            engine.forget(Dual::Direction);
        }
        let other = Move {
            momentum: 0.5,
            ..step(1e-3)
        };
        engine
            .propose(Dual::Direction, &p.dual, other, false, Scope::Batch)
            .unwrap();
        engine.accept(true, false);
        let outputs: Vec<u64> = engine.evaluate_all().unwrap().iter().map(|f| f.to_bits()).collect();
        let last: Vec<u64> = engine.outputs().iter().map(|f| f.to_bits()).collect();
        assert_eq!(outputs, last);
        outputs
    };
    let expected = run(None);
    for size in [1e-2, -1.0, 1e3, 1e300] {
        assert_eq!(run(Some(size)), expected, "{size}");
    }
}

#[test]
fn forward_of_a_network_is_that_of_the_direct_sweep() {
    let p = random::<f64>((5000, 2, 3000), 0.5, 0.0, 1.0, 1);
    let found = super::super::outputs(&p.weights, &p.output_weights, &p.points).unwrap();
    let expected = plain::outputs(&p.weights, &p.output_weights, &p.points);
    assert_close_to_scale(&found, &expected, &scales(&p).0, 1e-12);
}

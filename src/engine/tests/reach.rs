//! Exponents that have to be clamped, since they are, or could be, beyond those of the type.

use super::super::plan::{Plan, levels};
use super::super::{Engine, Memory, Pass, plain};
use super::{Problem, assert_close, compare_engine, tolerance};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::{DMatrix, DVector};

/// Two points along an axis, and one far out along another if `far`. The neurons' exponents at the first point go from -most to
/// most; at the far point they are 0.
fn problem<T: Float>(most: f64, far: bool) -> Problem<T> {
    let m = 400;
    let share = |r: usize| 2.0 * r as f64 / (m - 1) as f64 - 1.0;
    let points = [[1.0, 0.0], [-0.5, 0.0], [0.0, 1e3]];
    let n = if far { 3 } else { 2 };
    Problem {
        weights: DMatrix::from_fn(2, m, |k, r| if k == 0 { T::lit(most * share(r)) } else { T::zero() }),
        output_weights: DVector::from_fn(m, |r, _| T::lit(if r % 3 == 0 { 1.5 } else { -1.0 })),
        points: DMatrix::from_fn(2, n, |k, i| T::lit(points[i][k])),
        dual: vec![T::one(); n],
    }
}

/// One neuron at a time, so that no other hides it.
fn activation<T: Float>(level: Level, weight: f64) -> f64 {
    let p = Problem::<T> {
        weights: DMatrix::from_element(1, 1, T::lit(weight)),
        output_weights: DVector::from_element(1, T::one()),
        points: DMatrix::from_element(1, 1, T::one()),
        dual: vec![T::one()],
    };
    let mut engine = p.engine(level, Memory::Auto, false);
    engine.forward().unwrap();
    engine.outputs()[0]
}

#[test]
fn activations_are_right_on_both_sides_of_the_reach() {
    fn check<T: Float>(level: Level, most: f64, (smallest, largest): (f64, f64)) {
        for weight in (-500..=500).map(|i| most * f64::from(i) / 500.0) {
            let (found, exact) = (activation::<T>(level, weight), T::lit(weight).as_f64().exp());
            let name = format!("{level:?} {}: exp({weight}) = {found}", T::NAME);
            if exact > largest {
                assert_eq!(found, f64::INFINITY, "{name}");
            } else if exact < smallest {
                assert!((0.0..=smallest).contains(&found), "{name}");
            } else {
                // z = w log2(e) rounds, too.
                let error = tolerance::<T>() * (1.0 + weight.abs());
                assert!((found / exact - 1.0).abs() <= error, "{name} instead of {exact}");
            }
        }
    }
    for level in levels() {
        check::<f64>(level, 2000.0, (f64::MIN_POSITIVE, f64::MAX));
        check::<f32>(level, 250.0, (f32::MIN_POSITIVE.into(), f32::MAX.into()));
    }
}

#[test]
fn a_far_point_changes_no_bit_at_the_others() {
    fn check<T: Float>(level: Level, memory: Memory, most: f64) {
        let [near, far] = [false, true].map(|far| {
            let mut engine = problem::<T>(most, far).engine(level, memory, false);
            engine.forward().unwrap();
            engine.outputs()[..2].to_vec()
        });
        assert_eq!(near, far, "{level:?} {} {memory:?}", T::NAME);
        assert!(near.iter().all(|f| f.is_finite()), "{near:?}");
    }
    for level in levels() {
        for memory in [Memory::Store, Memory::Recompute] {
            check::<f64>(level, memory, 600.0);
            check::<f32>(level, memory, 60.0);
        }
    }
}

#[test]
fn the_tangent_gram_matrix_is_clamped_too() {
    fn check<T: Float>(level: Level, least: f64) {
        let mut p = problem::<T>(2.0, false);
        p.points[(0, 1)] = T::lit(1e-3);
        for r in (0..400).step_by(3) {
            // Its activations vanish at the first point, and are less than 1 at the second.
            p.weights[(0, r)] = T::lit(least);
        }
        let mut engine = p.engine(level, Memory::Auto, false);
        engine.forward().unwrap();
        let gram = engine.tangent_gram().unwrap();
        let expected = plain::tangent_gram(&p.weights, &p.output_weights, &p.points);
        let name = format!("{level:?} {}", T::NAME);
        assert_close(
            &name,
            gram.as_slice(),
            expected.as_slice(),
            tolerance::<T>() * expected.amax(),
        );
    }
    for level in levels() {
        // So far out that exponents which wrap around would become large ones.
        check::<f64>(level, -2508.0);
        check::<f32>(level, -304.0);
    }
}

#[test]
fn every_sweep_is_right_beyond_the_reach() {
    fn check<T: Float>(level: Level, memory: Memory) {
        let p = problem::<T>(3.0, true);
        let name = format!("{level:?} {} {memory:?}", T::NAME);
        compare_engine(p.engine(level, memory, false), &p, &name);
    }
    for level in levels() {
        for memory in [Memory::Store, Memory::Recompute] {
            check::<f64>(level, memory);
            check::<f32>(level, memory);
        }
    }
}

/// Only points that come later are far out: those of validation, and those of a second batch. Exponents that wrap around would
/// become large ones.
#[test]
fn the_reach_is_that_of_the_points_at_hand() {
    fn check<T: Float>(level: Level, least: f64) {
        let name = format!("{level:?} {}", T::NAME);
        let p = Problem::<T> {
            weights: DMatrix::from_fn(1, 70, |_, r| T::lit(1.0 + r as f64 / 100.0)),
            output_weights: DVector::from_element(70, T::one()),
            points: DMatrix::from_row_slice(1, 2, &[T::lit(0.1), T::lit(least)]),
            dual: vec![T::one(); 2],
        };
        let exact = plain::outputs(&p.weights, &p.output_weights, &p.points);
        let close = tolerance::<T>() * 70.0;

        let (near, far) = (p.points.columns(0, 1).into_owned(), p.points.columns(1, 1).into_owned());
        let plan = Plan::at::<T>(level, Memory::Auto).by(Pass::Direct);
        let mut engine = Engine::with(plan, None, &p.weights, &p.output_weights, &near, Some(&far)).unwrap();
        engine.forward().unwrap();
        assert_close(&format!("{name}: samples"), engine.outputs(), &exact[..1], close);
        assert_close(
            &format!("{name}: validation"),
            engine.validation_outputs(),
            &exact[1..],
            close,
        );

        let mut engine = p.engine(level, Memory::Auto, false);
        for i in [0, 1] {
            engine.choose_batch(&[i]).unwrap();
            engine.forward().unwrap();
            assert_close(&format!("{name}: batch {i}"), engine.outputs(), &exact[i..=i], close);
        }
    }
    for level in levels() {
        check::<f64>(level, -2000.0);
        check::<f32>(level, -240.0);
    }
}

//! Sweeps by expansion against the plain model and the direct sweep.

use super::super::plan::{Pass, Plan, levels};
use super::super::{Dual, Engine, Memory, Move, Scope, plain};
use super::{Problem, assert_close, compare_engine, problem, step};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn plan<T: Float>(level: Level, pass: Pass) -> Plan {
    Plan::at::<T>(level, Memory::Auto).by(pass)
}

fn compare<T: Float>(level: Level, (n, d, m): (usize, usize, usize)) {
    let p = problem::<T>(n, d, m);
    let name = format!("{level:?} {} n {n} d {d} m {m} by expansion", T::NAME);
    let engine = p.engine_by(plan::<T>(level, Pass::Expansion), false);
    compare_engine(engine, &p, &name);
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

//! Weights and directions from outside, and products with them, against the plain model.

use super::super::plan::{Plan, levels};
use super::super::{Engine, Memory, Pass, plain};
use super::{Problem, as_f64, assert_close, problem, tolerance};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::DMatrix;

/// The weights w' = -w / 2, a direction, J u and J^T v + sum_i e_i H_i u at them.
fn compare_engine<T: Float>(mut engine: Engine<T>, p: &Problem<T>, name: &str) {
    let (d, m) = p.weights.shape();
    let n = p.points.ncols();
    let weights = p.weights.map(|w| w * T::lit(-0.5));
    let direction = DMatrix::from_fn(d, m, |k, r| T::lit((1.0 + (2 * k + 3 * r) as f64).cos()));
    engine.forward().unwrap();
    engine.load_weights(weights.as_slice());
    engine.forward().unwrap();
    let expected = plain::outputs(&weights, &p.output_weights, &p.points);
    let unit = tolerance::<T>() * (d as f64).sqrt() * p.scale();
    assert_close(&format!("{name}: outputs"), engine.outputs(), &expected, unit);

    let (mut product, mut expected) = (vec![0.0; n], vec![0.0; n]);
    engine.jacobian_product(direction.as_slice(), &mut product).unwrap();
    plain::tangent(&weights, &p.output_weights, &p.points, &direction, &mut expected);
    assert_close(&format!("{name}: J u"), &product, &expected, 10.0 * d as f64 * unit);

    let residual: Vec<T> = (0..n).map(|i| T::lit((0.3 * i as f64).sin())).collect();
    let mut bent = DMatrix::zeros(d, m);
    engine
        .curvature_product(&p.dual, &residual, bent.as_mut_slice())
        .unwrap();
    let expected = plain::curvature(&weights, &p.output_weights, &p.points, &direction, [&p.dual, &residual]);
    let unit = 10.0 * unit * (d * n) as f64;
    assert_close(&format!("{name}: H u"), &as_f64(&bent), &as_f64(&expected), unit);
}

fn compare<T: Float>(level: Level, (n, d, m): (usize, usize, usize)) {
    let p = problem::<T>(n, d, m);
    let passes: &[Pass] = if d <= 4 {
        &[Pass::Direct, Pass::Expansion]
    } else {
        &[Pass::Direct]
    };
    for memory in [Memory::Store, Memory::Recompute] {
        for &pass in passes {
            let name = format!("{level:?} {} n {n} d {d} m {m} {memory:?} {pass:?}", T::NAME);
            let plan = || Plan::at::<T>(level, memory).by(pass);
            compare_engine(p.engine_by(plan(), false), &p, &name);
            let mut prepared = p.engine_by(plan(), false);
            prepared.forward().unwrap();
            prepared.prepare_products().unwrap();
            compare_engine(prepared, &p, &format!("{name}, prepared"));
        }
    }
}

#[test]
fn products_agree_with_the_plain_model_around_every_edge() {
    for level in levels() {
        for n in [1, 2, 3, 4, 5, 8, 11, 13, 25] {
            for d in [1, 2, 3, 4, 5, 13] {
                compare::<f64>(level, (n, d, 37));
            }
        }
        for m in [1, 2, 7, 8, 9, 16, 17, 33, 65, 300] {
            compare::<f64>(level, (5, 3, m));
            compare::<f32>(level, (5, 7, m));
        }
        compare::<f32>(level, (33, 3, 129));
    }
}

#[test]
fn products_with_many_samples_go_in_groups() {
    for n in [255, 256, 257, 600] {
        compare::<f64>(Level::new(), (n, 5, 40));
        compare::<f32>(Level::new(), (n, 3, 40));
    }
}

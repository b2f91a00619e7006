//! The tangent Gram matrix, and the moments of the weights, against the plain ones.

use super::super::Memory;
use super::super::kernels::microkernel::lanes;
use super::super::plain;
use super::super::plan::levels;
use super::{assert_close, problem, tolerance};
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::DMatrix;

/// G against the plain one, on all samples and on a batch of them.
fn compare_gram<T: Float>(level: Level, (n, d, m): (usize, usize, usize), reduced: bool) {
    let p = problem::<T>(n, d, m);
    let mut engine = p.engine(level, Memory::Auto, reduced);
    engine.forward().unwrap();
    let gram = engine.tangent_gram().unwrap();
    let expected = plain::tangent_gram(&p.weights, &p.output_weights, &p.points);
    let name = format!("{level:?} {} n {n} d {d} m {m} reduced {reduced}", T::NAME);
    // The activations round like sqrt(d), their sum like sqrt(m).
    let close = tolerance::<T>() * (d as f64 + m as f64 / 1e3).sqrt() * expected.amax();
    assert_close(&name, gram.as_slice(), expected.as_slice(), close);
    assert_eq!(gram, gram.transpose(), "{name}");
    assert_eq!(engine.passes().all, 2);

    let chosen: Vec<usize> = (0..n).rev().step_by(2).collect();
    engine.choose_batch(&chosen).unwrap();
    engine.forward().unwrap();
    let part = engine.tangent_gram().unwrap();
    let expected = expected.select_rows(&chosen).select_columns(&chosen);
    assert_close(&format!("{name}, a batch"), part.as_slice(), expected.as_slice(), close);
}

#[test]
fn tangent_gram_is_the_plain_one_around_every_edge() {
    for level in levels() {
        for n in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50] {
            compare_gram::<f64>(level, (n, 3, 70), false);
            compare_gram::<f32>(level, (n, 3, 70), false);
        }
        for m in [1, 2, 7, 16, 31, 33, 127, 128, 129, 300, 1000] {
            compare_gram::<f64>(level, (11, 4, m), false);
            compare_gram::<f32>(level, (11, 4, m), false);
        }
        for shape in [(13, 20, 130), (40, 30, 333), (5, 60, 64)] {
            compare_gram::<f64>(level, shape, true);
            compare_gram::<f32>(level, shape, true);
        }
        compare_gram::<f64>(level, (260, 3, 300), false);
        compare_gram::<f32>(level, (260, 3, 300), false);
    }
}

#[test]
fn tangent_gram_of_few_samples_takes_several_groups_of_neurons() {
    for m in [128, 129, 1025, 4500] {
        compare_gram::<f64>(Level::new(), (100, 3, m), false);
        compare_gram::<f32>(Level::new(), (100, 3, m), false);
    }
}

#[test]
fn tangent_gram_of_many_samples_takes_several_slabs() {
    let lanes = lanes::<f64>(Level::new());
    let (n, m) = (260, 9_000);
    assert!(n / lanes * lanes * m > 2 << 20, "more than two slabs");
    compare_gram::<f64>(Level::new(), (n, 3, m), false);
    compare_gram::<f32>(Level::new(), (n, 3, m), false);
}

/// Mean and covariance of the projections <w, x_i>, each neuron counted a_r^2 times, as on paper: they are the same in any
/// coordinates.
fn compare_moments<T: Float>(level: Level, (n, d, m): (usize, usize, usize), reduced: bool) {
    let p = problem::<T>(n, d, m);
    let mut engine = p.engine(level, Memory::Auto, reduced);
    engine.forward().unwrap();
    let (mean, covariance) = engine.weight_moments().unwrap();
    let points = engine.points();
    let spread = points.tr_mul(&(covariance * &points));

    let (weights, points) = (p.weights.map(Float::as_f64), p.points.map(Float::as_f64));
    let squares = p.output_weights.map(|a| a.as_f64() * a.as_f64());
    let projections = weights.tr_mul(&points);
    let means = projections.tr_mul(&squares) / squares.sum();
    let centred = DMatrix::from_fn(m, n, |r, i| projections[(r, i)] - means[i]);
    let weighted = DMatrix::from_fn(m, n, |r, i| squares[r] * centred[(r, i)]);
    let expected = centred.tr_mul(&weighted) / squares.sum();
    let name = format!("{level:?} {} n {n} d {d} m {m} reduced {reduced}", T::NAME);
    let found = engine.points().tr_mul(&mean);
    let close = 50.0 * tolerance::<T>();
    assert_close(&format!("{name}: means"), found.as_slice(), means.as_slice(), close);
    assert_close(
        &format!("{name}: covariances"),
        spread.as_slice(),
        expected.as_slice(),
        close,
    );
}

#[test]
fn the_moments_of_the_weights_are_those_on_paper_around_every_edge() {
    for level in levels() {
        for shape in [
            (3, 1, 1),
            (5, 3, 70),
            (9, 4, 129),
            (12, 5, 333),
            (20, 8, 1000),
            (30, 13, 257),
        ] {
            compare_moments::<f64>(level, shape, false);
            compare_moments::<f32>(level, shape, false);
        }
        for shape in [(13, 20, 130), (40, 30, 333), (5, 60, 64)] {
            compare_moments::<f64>(level, shape, true);
            compare_moments::<f32>(level, shape, true);
        }
    }
}

//! Momentum, clipping and a pull towards the start, against the same steps by hand.

use super::{assert_close, problem, with_weights};
use crate::support::{Answers, Scripted};
use expnet::method::{GradientDescent, Method};
use expnet::{Dataset, ExpNetwork, Trainer, schedule};
use nalgebra::{DMatrix, dmatrix, dvector};
use std::cell::Cell;

/// `update(W, gradient, k)` gives the next weights.
fn by_hand(
    start: &ExpNetwork<f64>,
    data: &Dataset<f64>,
    steps: usize,
    mut update: impl FnMut(&DMatrix<f64>, DMatrix<f64>, usize) -> DMatrix<f64>,
) -> DMatrix<f64> {
    let mut net = start.clone();
    for k in 0..steps {
        net = with_weights(&net, update(net.weights(), net.gradient(data).unwrap(), k));
    }
    net.weights().clone()
}

/// A step size that changes: momentum must keep the steps already taken.
fn changing(size: f64, k: usize) -> f64 {
    size / (1.0 + k as f64)
}

fn fitted(start: &ExpNetwork<f64>, data: &Dataset<f64>, size: f64, method: impl Method<f64>) -> ExpNetwork<f64> {
    let mut net = start.clone();
    let sizes = schedule::from_fn(|state| changing(size, state.iteration()));
    Trainer::new(sizes)
        .method(method)
        .max_steps(12)
        .fit(&mut net, data)
        .unwrap();
    net
}

#[test]
fn momentum_is_the_heavy_ball() {
    let (data, start, size) = problem();
    let mut velocity = DMatrix::zeros(3, 64);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        velocity = &velocity * 0.8 - g * changing(size, k);
        w + &velocity
    });
    assert_close(
        &fitted(&start, &data, size, GradientDescent::default().momentum(0.8)),
        &expected,
    );
}

#[test]
fn nesterov_looks_ahead() {
    let (data, start, size) = problem();
    let mut velocity = DMatrix::zeros(3, 64);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        let step = g * changing(size, k);
        velocity = &velocity * 0.8 - &step;
        w + &velocity * 0.8 - step
    });
    assert_close(
        &fitted(&start, &data, size, GradientDescent::default().nesterov(0.8)),
        &expected,
    );
}

#[test]
fn clipping_shortens_long_gradients_only() {
    let (data, start, size) = problem();
    let norm = start.gradient(&data).unwrap().norm();
    let c = norm / 2.0; // the first gradients are longer, the last ones are not
    let clipped = Cell::new(0);
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        clipped.set(clipped.get() + usize::from(g.norm() > c));
        w - &g * (changing(4.0 * size, k) * (c / g.norm()).min(1.0))
    });
    assert!((1..12).contains(&clipped.get()), "{}", clipped.get());
    assert_close(
        &fitted(&start, &data, 4.0 * size, GradientDescent::default().clip_norm(c)),
        &expected,
    );
}

#[test]
fn clipping_works_where_the_squared_norm_leaves_f32() {
    // A gradient of about 1e21: its square is no f32.
    let data = Dataset::new(dmatrix![1.0_f32], dvector![0.0]).unwrap();
    let start = ExpNetwork::from_parts(dmatrix![24.0_f32], dvector![1.0]).unwrap();
    let mut net = start.clone();
    let method = GradientDescent::default().clip_norm(1.0);
    Trainer::new(0.5)
        .method(method)
        .max_steps(2)
        .fit(&mut net, &data)
        .unwrap();
    assert!((net.weights()[0] - 23.0).abs() < 1e-5, "{}", net.weights());
}

#[test]
fn a_method_may_pull_towards_the_start() {
    let (data, start, size) = problem();
    let pull = 0.2 / size;
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        let g = if k == 3 { g * 0.0 } else { g };
        w - (g + (w - start.weights()) * pull) * changing(size, k)
    });
    for asks_norm in [false, true] {
        // Gradient descent with ridge: the loss plus pull / 2 ||W - W_0||^2.
        let ridge = Answers::new(|evaluation, direction| {
            assert_eq!(direction.dual, evaluation.residual()); // it comes as the residual
            if asks_norm {
                assert!(evaluation.gradient_norm_squared() > 0.0);
            }
            if evaluation.iteration() == 3 {
                direction.dual.fill(0.0); // a step of the pull alone
            }
            direction.pull = pull;
            Ok(())
        });
        assert_close(&fitted(&start, &data, size, ridge), &expected);
    }
}

#[test]
fn a_multiple_of_the_residual_may_have_a_pull_beside_it() {
    let (data, start, size) = problem();
    let pull = 0.2 / size;
    let expected = by_hand(&start, &data, 12, |w, g, k| {
        w - (g * 0.5 + (w - start.weights()) * pull) * changing(size, k)
    });
    let halved = Answers::new(|evaluation, direction| {
        assert!(evaluation.gradient_norm_squared() > 0.0); // J^T e is there, and the step follows half of it
        direction.dual.iter_mut().for_each(|v| *v *= 0.5);
        direction.pull = pull;
        Ok(())
    });
    assert_close(&fitted(&start, &data, size, halved), &expected);
}

#[test]
fn small_duals_that_are_no_multiple_of_the_residual_are_followed() {
    let (data, start, size) = problem();
    let labels = start.forward(data.points()).unwrap() + data.labels() * 1e-9;
    let close = Dataset::new(data.points().clone(), labels).unwrap();
    let smallest = start.residual(&close).unwrap().iamin();
    let moved = |change: f64| {
        let method = Answers::<f64>::new(move |evaluation, direction| {
            assert!(evaluation.gradient_norm_squared() > 0.0); // a multiple of the residual would reuse J^T e
            direction.dual[smallest] *= change;
            Ok(())
        });
        let mut net = start.clone();
        let trainer = Trainer::new(1e6 * size).method(method).max_steps(1);
        trainer.fit(&mut net, &close).unwrap();
        net
    };
    assert_ne!(moved(1.0 + 1e-4), moved(1.0));
}

#[test]
fn a_dual_may_move_where_the_residual_is_zero() {
    // Two neurons that cancel: F = 0. Sample 0 alone, whose residual is 0, and a dual of 1.
    let data = Dataset::new(dmatrix![1.0, 2.0], dvector![0.0, 1.0]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![0.5, 0.5], dvector![1.0, -1.0]).unwrap();
    let method = Scripted::new()
        .dealing(|_, batch| batch.push(0))
        .changing(|direction| direction.dual.fill(1.0));
    let trainer = Trainer::new(0.1).method(method).max_steps(1);
    trainer.fit(&mut net, &data).unwrap();
    let change = 0.1 * 0.5_f64.exp();
    assert_close(&net, &dmatrix![0.5 - change, 0.5 + change]);
}

//! What a schedule is told about the run, against the network itself.

use super::{problem, with_weights};
use crate::support::Answers;
use expnet::Trainer;
use expnet::method::GradientDescent;
use expnet::observer::Progress;
use expnet::schedule::StepState;
use std::cell::RefCell;
use std::ops::ControlFlow;

#[test]
fn slope_and_carried_are_the_first_order_of_a_trial() {
    let (data, start, size) = problem();
    let methods = [
        GradientDescent::default(),
        GradientDescent::default().clip_norm(1e-3),
        GradientDescent::default().momentum(0.9),
        GradientDescent::default().nesterov(0.7),
    ];
    for method in methods {
        let check = |state: &mut StepState<'_, f64>| {
            let (slope, carried) = (state.slope(), state.momentum_slope());
            let h = 1e-3 * (state.loss() / slope).abs();
            let measured = (state.loss_at(2.0 * h) - state.loss_at(h)) / h;
            assert!(
                (measured - slope).abs() <= 0.01 * slope.abs(),
                "{method:?}: {slope} {measured}"
            );
            let measured = state.loss_at(h) - h * slope - state.loss();
            let second_order = 1e-2 * (carried.abs() + (h * slope).abs());
            assert!(
                (measured - carried).abs() <= second_order,
                "{method:?}: {carried} {measured}"
            );
            size * 1e-2
        };
        Trainer::new(check)
            .method(method)
            .max_steps(3)
            .fit(&mut start.clone(), &data)
            .unwrap();
    }
}

#[test]
fn lazy_members_agree_with_the_network() {
    let (data, mut net, size) = problem();
    let gradients = RefCell::new(vec![net.gradient(&data).unwrap()]);
    let start = net.clone();
    let ask = |state: &mut StepState<'_, f64>| {
        let gradients = gradients.borrow();
        let now = gradients.last().unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-10 * b.abs(), "{a} {b}");
        close(state.gradient_norm_squared(), now.norm_squared());
        close(state.slope(), -now.norm_squared());
        assert_eq!(state.momentum_slope(), 0.0);
        assert_eq!((state.samples(), state.dimension(), state.width()), (12, 3, 64));
        close(state.residual_norm().powi(2) / 2.0, state.loss());
        let dot = state.gradient_dot_previous();
        match state.iteration() {
            0 => assert_eq!(dot, None),
            k => close(dot.unwrap(), now.dot(&gradients[k - 1])),
        }
        size
    };
    let note = |progress: &Progress<'_, f64>| {
        let now = with_weights(&start, progress.weights().unwrap());
        gradients.borrow_mut().push(now.gradient(&data).unwrap());
        ControlFlow::Continue(())
    };
    let report = Trainer::new(ask)
        .observe(note)
        .max_steps(4)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(report.passes(), 1 + 2 * 4); // a gradient asked for is a sweep; the step moves and evaluates
}

#[test]
fn kernel_eigenvalue_is_within_two_percent_from_above() {
    let (data, mut net, _) = problem();
    let (points, a) = (data.points(), net.output_weights());
    let mut e = points.tr_mul(net.weights()).map(f64::exp);
    for (mut column, a) in e.column_iter_mut().zip(a) {
        column *= *a;
    }
    let gram = points.tr_mul(points).component_mul(&(&e * e.transpose()));
    let exact = gram.symmetric_eigenvalues().max();
    Trainer::new(move |state: &mut StepState<'_, f64>| {
        let found = state.largest_kernel_eigenvalue();
        assert!(
            found >= exact * (1.0 - 1e-12) && found <= 1.02 * exact,
            "{found} {exact}"
        );
        0.0
    })
    .max_steps(1)
    .fit(&mut net, &data)
    .unwrap();
}

#[test]
fn the_slope_of_any_dual_is_the_first_order_of_a_trial() {
    let (data, start, size) = problem();
    let method = || Answers::<f64>::changing(|direction| direction.dual.iter_mut().for_each(|v| *v = v.signum()));
    let check = |state: &mut StepState<'_, f64>| {
        let slope = state.slope();
        let h = 1e-4 * (state.loss() / slope).abs();
        let measured = (state.loss_at(h) - state.loss()) / h;
        assert!(
            slope < 0.0 && (measured - slope).abs() <= 0.01 * slope.abs(),
            "{slope} {measured}"
        );
        size * 1e-2
    };
    let trainer = Trainer::new(check).method(method()).max_steps(3);
    trainer.fit(&mut start.clone(), &data).unwrap();
}

#[test]
fn a_trial_of_size_0_is_the_step_of_the_momentum_alone() {
    let (data, start, size) = problem();
    let mut one = start.clone();
    Trainer::new(size).max_steps(1).fit(&mut one, &data).unwrap();
    let drifted = with_weights(&start, one.weights() + (one.weights() - start.weights()) * 0.9);
    let expected = [start.loss(&data).unwrap(), drifted.loss(&data).unwrap()];
    let check = |state: &mut StepState<'_, f64>| {
        let (found, expected) = (state.loss_at(0.0), expected[state.iteration()]);
        assert!((found - expected).abs() <= 1e-12 * expected, "{found} {expected}");
        size
    };
    let method = GradientDescent::default().momentum(0.9);
    let trainer = Trainer::new(check).method(method).max_steps(2);
    trainer.fit(&mut start.clone(), &data).unwrap();
}

#[test]
fn a_trial_along_another_dual_leaves_the_gradient_as_it_is() {
    let (data, start, size) = problem();
    let squared = start.gradient(&data).unwrap().norm_squared();
    let method = Answers::<f64>::changing(|direction| direction.dual.iter_mut().for_each(|v| *v = v.signum()));
    let check = |state: &mut StepState<'_, f64>| {
        assert!(state.loss_at(size * 1e-2) < state.loss());
        let found = state.gradient_norm_squared();
        assert!((found - squared).abs() <= 1e-10 * squared, "{found} {squared}");
        size * 1e-2
    };
    let trainer = Trainer::new(check).method(method).max_steps(1);
    trainer.fit(&mut start.clone(), &data).unwrap();
}

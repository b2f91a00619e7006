//! Invalid step sizes, and step sizes that are too large.

use super::{fit_refused, problem};
use crate::support::refused;
use expnet::method::{GradientDescent, Minibatch};
use expnet::schedule::{Constant, StepState};
use expnet::{Dataset, ExpNetwork, Float, Trainer};
use nalgebra::{dmatrix, dvector};

#[test]
fn step_sizes_of_a_network_step() {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    for (size, name) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (-0.1, "-0.1"),
        (0.0, "is 0"),
        (-0.0, "0"),
    ] {
        refused(net.step(&data, size), &["step size", name, "positive, finite"]);
        assert_eq!(net, start);
    }
}

#[test]
fn network_step_that_throws_the_weights_away() {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    refused(
        net.step(&data, f64::MAX),
        &["diverged", "step 0", "1.797", "smaller steps"],
    );
    assert_eq!(net, start);
}

#[test]
fn step_sizes_from_a_number() {
    for (size, name) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (-0.5, "-0.5"),
        (0.0, "is 0;"),
    ] {
        fit_refused(Trainer::new(size), &["step size", "`Trainer::new`", name, "positive"]);
        if size != 0.0 {
            let schedule = expnet::schedule::from_fn(move |_| size);
            fit_refused(Trainer::new(schedule), &["step size", "step 0", name, ">= 0"]);
        }
    }
}

#[test]
fn step_size_beyond_f32() {
    let (data, start) = problem::<f32>();
    let mut net = start.clone();
    refused(
        Trainer::new(1e39).fit(&mut net, &data),
        &["step size", "1e39", "range of f32"],
    );
    let closure = expnet::schedule::from_fn(|_| f32::MAX * 2.0);
    refused(Trainer::new(closure).fit(&mut net, &data), &["step size", "inf"]);
    assert_eq!(net, start);
}

#[test]
fn step_sizes_from_a_closure() {
    let (data, start) = problem::<f64>();
    for (size, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1e-3, "-0.001")] {
        let mut net = start.clone();
        let sizes = move |state: &mut StepState<'_, f64>| if state.iteration() < 2 { 1e-3 } else { size };
        refused(
            Trainer::new(sizes).fit(&mut net, &data),
            &["step size", "step 2", name, ">= 0"],
        );
        // The two steps before it were taken.
        let mut two = start.clone();
        Trainer::new(1e-3).max_steps(2).fit(&mut two, &data).unwrap();
        assert_eq!(net, two);
    }
}

#[test]
fn constants_that_are_no_step_size() {
    for size in [f64::NAN, f64::INFINITY, -0.1, 0.0] {
        refused(Constant::new(size), &["Constant", &size.to_string(), "positive"]);
    }
}

#[test]
fn trials_of_bad_sizes_are_infinite() {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    let sizes = |state: &mut StepState<'_, f64>| {
        for size in [f64::NAN, f64::INFINITY, -1.0, f64::MAX, 1e200] {
            assert_eq!(state.loss_at(size), f64::INFINITY, "{size}");
        }
        assert_eq!(state.loss_at(0.0), state.loss());
        1e-3
    };
    Trainer::new(sizes).max_steps(3).fit(&mut net, &data).unwrap();
    let mut plain = start;
    Trainer::new(1e-3).max_steps(3).fit(&mut plain, &data).unwrap();
    assert!((net.weights() - plain.weights()).amax() < 1e-14);
}

#[test]
fn steps_that_overflow() {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    refused(
        Trainer::new(1e200).fit(&mut net, &data),
        &["diverged", "step 0", "1e200", "smaller steps"],
    );
    assert_eq!(net, start);
}

/// The gradient points up, so the step goes to w = -inf, where exp(w) = 0 and the loss is finite.
fn steps_to_minus_infinity<T: Float>(step_size: f64) {
    let data = Dataset::new(dmatrix![T::one()], dvector![-T::one()]).unwrap();
    let start = ExpNetwork::from_parts(dmatrix![T::lit(3.0)], dvector![T::one()]).unwrap();
    let methods = [
        GradientDescent::default(),
        GradientDescent::default().momentum(0.9),
        GradientDescent::default().nesterov(0.9),
    ];
    for method in methods {
        let mut net = start.clone();
        let result = Trainer::new(step_size).method(method).max_steps(1).fit(&mut net, &data);
        refused(result, &["diverged", "step 0", "weight"]);
        assert_eq!(net, start);
        let sizes = move |state: &mut StepState<'_, T>| {
            assert!(!state.loss_at(T::lit(step_size)).as_f64().is_finite());
            T::zero()
        };
        Trainer::new(sizes)
            .method(method)
            .max_steps(1)
            .fit(&mut net, &data)
            .unwrap();
    }
    let mut net = start.clone();
    let result = Trainer::new(step_size)
        .method(Minibatch::new(1))
        .max_steps(1)
        .fit(&mut net, &data);
    refused(result, &["diverged", "weight"]);
    refused(net.step(&data, T::lit(step_size)), &["diverged", "weight"]);
    assert_eq!(net, start);
}

#[test]
fn steps_that_throw_weights_where_activations_vanish() {
    steps_to_minus_infinity::<f64>(1e307);
    steps_to_minus_infinity::<f32>(1e37);
}

//! One wrong thing a test: each is an error that names the value, the place and the remedy, and
//! leaves finite numbers in the network.

mod common;

use common::{data, is_finite, net};
use expnet::method::{Direction, Evaluation, GradientDescent, Method, Minibatch};
use expnet::schedule::{Constant, KernelStable, StepState};
use expnet::{Dataset, Error, ExpNetwork, Float, Trainer, check};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no \"{word}\" in: {text}");
    }
}

#[track_caller]
fn refuses<R: std::fmt::Debug>(result: Result<R, Error>, words: &[&str]) {
    says(&result.unwrap_err(), words);
}

/// Three points in two dimensions, four neurons.
fn problem<T: Float>() -> (Dataset<T>, ExpNetwork<T>) {
    (data(3, 2, 1), net(2, 4, 1))
}

/// The trainer refuses, and the network is as it was.
#[track_caller]
fn fit_refuses(trainer: Trainer<'_, f64>, words: &[&str]) {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    refuses(trainer.fit(&mut net, &data), words);
    assert_eq!(net, start);
}

// Networks.

#[test]
fn too_few_output_weights() {
    let parts = ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 5), dvector![1.0, 1.0]);
    refuses(
        parts,
        &[
            "output weights",
            "expected 5",
            "found 2",
            "one output weight for each neuron",
        ],
    );
}

#[test]
fn too_many_output_weights() {
    let parts = ExpNetwork::from_parts(DMatrix::<f32>::zeros(2, 1), dvector![1.0, 1.0]);
    refuses(parts, &["expected 1", "found 2"]);
}

#[test]
fn no_neurons() {
    refuses(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 0), DVector::zeros(0)),
        &["weight matrix", "empty"],
    );
}

#[test]
fn no_dimension() {
    refuses(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(0, 3), DVector::zeros(3)),
        &["weight matrix", "empty"],
    );
}

#[test]
fn weights_that_are_not_finite() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let mut weights = DMatrix::zeros(2, 3);
        weights[(1, 2)] = value;
        let parts = ExpNetwork::from_parts(weights, DVector::from_element(3, 1.0));
        refuses(parts, &["a weight", name, "neuron 2, coordinate 1", "finite"]);
    }
}

#[test]
fn output_weights_that_are_not_finite() {
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let parts = ExpNetwork::from_parts(DMatrix::zeros(1, 2), dvector![1.0, value]);
        refuses(parts, &["an output weight", name, "neuron 1", "finite"]);
    }
}

#[test]
fn cast_beyond_f32() {
    let net = ExpNetwork::from_parts(dmatrix![0.0, 1e300], dvector![1.0, 1.0]).unwrap();
    refuses(net.cast::<f32>(), &["a weight", "inf", "neuron 1"]);
}

#[test]
fn points_of_another_dimension() {
    let (_, net) = problem::<f64>();
    let words = ["dimension of the points", "expected 2", "found 3"];
    refuses(net.forward(&DMatrix::zeros(3, 1)), &words);
    let other = data(4, 3, 1);
    refuses(net.residual(&other), &words);
    refuses(net.loss(&other), &words);
    refuses(net.gradient(&other), &words);
    refuses(check::gradient(&net, &other), &words);
    refuses(net.clone().step(&other, 0.1), &words);
    refuses(Trainer::new(0.1).fit(&mut net.clone(), &other), &words);
}

#[test]
fn validation_points_of_another_dimension() {
    let other = data(4, 3, 1);
    fit_refuses(
        Trainer::new(0.1).validation(&other, 5),
        &["validation points", "expected 2", "found 3"],
    );
}

#[test]
fn points_that_are_not_finite() {
    let (_, net) = problem::<f64>();
    for (value, name) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let mut points = DMatrix::zeros(2, 5);
        points[(1, 3)] = value;
        refuses(
            net.forward(&points),
            &["a coordinate", name, "point 3, coordinate 1", "finite"],
        );
    }
}

// Overflow.

/// exp(800) is no f64, exp(100) no f32.
fn steep<T: Float>(weight: f64) -> (Dataset<T>, ExpNetwork<T>) {
    let points = dmatrix![T::zero(), T::one()];
    let data = Dataset::new(points, dvector![T::zero(), T::zero()]).unwrap();
    let net = ExpNetwork::from_parts(dmatrix![T::lit(weight)], dvector![T::one()]).unwrap();
    (data, net)
}

fn overflows<T: Float>(weight: f64) {
    let (data, start) = steep::<T>(weight);
    let mut net = start.clone();
    let words = ["inf", T::NAME, "scale the points down"];
    let at_point = ["point 1", "inf", T::NAME, "scale the points down"];
    refuses(net.forward(data.points()), &at_point);
    refuses(net.loss(&data), &at_point);
    refuses(net.gradient(&data), &at_point);
    refuses(net.step(&data, T::lit(0.1)), &at_point);
    refuses(Trainer::new(0.1).fit(&mut net, &data), &words);
    refuses(
        Trainer::default().method(Minibatch::new(2)).fit(&mut net, &data),
        &words,
    );
    assert_eq!(net, start);
}

#[test]
fn activation_that_overflows() {
    overflows::<f64>(800.0);
    overflows::<f32>(100.0);
}

#[test]
fn loss_that_overflows() {
    // The output is finite, its square is not.
    let (data, net) = steep::<f64>(500.0);
    assert!(net.forward(data.points()).unwrap()[1].is_finite());
    refuses(net.loss(&data), &["the loss over all points", "inf", "f64"]);
    let (data, net) = steep::<f32>(60.0);
    assert!(net.forward(data.points()).unwrap()[1].is_finite());
    refuses(net.loss(&data), &["the loss over all points", "inf", "f32"]);
}

#[test]
fn loss_that_overflows_outside_the_batch() {
    let (data, start) = steep::<f64>(500.0);
    let mut net = start.clone();
    let result = Trainer::new(0.1).method(Only(0)).max_steps(2).fit(&mut net, &data);
    refuses(result, &["the loss over all points", "inf", "f64"]);
    assert!(is_finite(&net));
}

#[test]
fn cancelling_infinities() {
    // inf - inf would be NaN.
    let net = ExpNetwork::from_parts(dmatrix![800.0, 800.0], dvector![1.0, -1.0]).unwrap();
    refuses(net.forward(&dmatrix![1.0]), &["point 0", "f64"]);
}

// Step sizes.

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
        refuses(net.step(&data, size), &["step size", name, "positive, finite"]);
        assert_eq!(net, start);
    }
}

#[test]
fn network_step_that_throws_the_weights_away() {
    let (data, start) = problem::<f64>();
    let mut net = start.clone();
    refuses(
        net.step(&data, f64::MAX),
        &["diverged", "step 0", "1.797", "smaller steps"],
    );
    assert_eq!(net, start);
}

#[test]
fn step_sizes_from_a_number() {
    for (size, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-0.5, "-0.5")] {
        fit_refuses(Trainer::new(size), &["step size", "step 0", name, "not negative"]);
    }
}

#[test]
fn step_size_beyond_f32() {
    let (data, start) = problem::<f32>();
    let mut net = start.clone();
    refuses(Trainer::new(1e39).fit(&mut net, &data), &["step size", "inf"]);
    assert_eq!(net, start);
}

#[test]
fn step_sizes_from_a_closure() {
    let (data, start) = problem::<f64>();
    for (size, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1e-3, "-0.001")] {
        let mut net = start.clone();
        let sizes = move |state: &mut StepState<'_, f64>| if state.iteration() < 2 { 1e-3 } else { size };
        refuses(
            Trainer::new(sizes).fit(&mut net, &data),
            &["step size", "step 2", name, "not negative"],
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
        refuses(Constant::new(size), &["Constant", &size.to_string(), "positive"]);
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
    let error = Trainer::new(1e200).fit(&mut net, &data).unwrap_err();
    says(&error, &["diverged", "step 0", "1e200", "smaller steps"]);
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
        refuses(result, &["diverged", "step 0", "weight"]);
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
    refuses(result, &["diverged", "weight"]);
    refuses(net.step(&data, T::lit(step_size)), &["diverged", "weight"]);
    assert_eq!(net, start);
}

#[test]
fn steps_that_throw_weights_where_activations_vanish() {
    steps_to_minus_infinity::<f64>(1e307);
    steps_to_minus_infinity::<f32>(1e37);
}

// Settings.

#[test]
fn momentum_out_of_range() {
    for (beta, name) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let words = ["momentum", name, "at least 0 and below 1"];
        fit_refuses(
            Trainer::new(0.1).method(GradientDescent::default().momentum(beta)),
            &words,
        );
        fit_refuses(
            Trainer::new(0.1).method(GradientDescent::default().nesterov(beta)),
            &words,
        );
        fit_refuses(Trainer::new(0.1).method(Minibatch::new(2).momentum(beta)), &words);
    }
}

#[test]
fn clip_out_of_range() {
    for (c, name) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let words = ["clip_norm", name, "positive and finite"];
        fit_refuses(
            Trainer::new(0.1).method(GradientDescent::default().clip_norm(c)),
            &words,
        );
        fit_refuses(Trainer::new(0.1).method(Minibatch::new(2).clip_norm(c)), &words);
    }
}

#[test]
fn empty_minibatches() {
    fit_refuses(
        Trainer::new(0.1).method(Minibatch::new(0)),
        &["Minibatch", "is 0", "at least 1"],
    );
}

#[test]
fn tolerance_out_of_range() {
    for (tolerance, name) in [(f64::NAN, "NaN"), (-1e-3, "-0.001"), (f64::INFINITY, "inf")] {
        fit_refuses(Trainer::new(0.1).tolerance(tolerance), &["tolerance", name, "finite"]);
    }
}

#[test]
fn no_patience() {
    let validation = data(3, 2, 9);
    fit_refuses(
        Trainer::new(0.1).validation(&validation, 0),
        &["patience", "is 0", "at least 1"],
    );
}

#[test]
fn stall_out_of_range() {
    fit_refuses(
        Trainer::new(0.1).stall(0, 0.1),
        &["stall", "window", "is 0", "at least 1"],
    );
    for (fraction, name) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.0, "1"), (f64::INFINITY, "inf")] {
        fit_refuses(
            Trainer::new(0.1).stall(5, fraction),
            &["stall", "fraction", name, "below 1"],
        );
    }
}

#[test]
fn kernel_stable_factor_out_of_range() {
    for factor in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let words = ["KernelStable", &factor.to_string(), "positive"];
        fit_refuses(Trainer::new(KernelStable::default().factor(factor)), &words);
    }
}

// Methods of one's own.

/// Writes what it is told to into the direction.
struct Answers<F>(F);

impl<F: FnMut(&mut Direction<f64>)> Method<f64> for Answers<F> {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        (self.0)(direction);
        Ok(())
    }
}

/// One sample a step.
struct Only(usize);

impl<T: Float> Method<T> for Only {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        Ok(())
    }
    fn batch(&mut self, _: usize, batch: &mut Vec<usize>) {
        batch.push(self.0);
    }
}

#[test]
fn dual_vector_of_another_length() {
    let short = Answers(|direction: &mut Direction<f64>| direction.dual.truncate(2));
    fit_refuses(
        Trainer::new(0.1).method(short),
        &["dual vector", "expected 3", "found 2", "each sample"],
    );
    let long = Answers(|direction: &mut Direction<f64>| direction.dual.push(0.0));
    fit_refuses(
        Trainer::new(0.1).method(long),
        &["dual vector", "expected 3", "found 4"],
    );
}

#[test]
fn dual_vector_that_is_not_finite() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let method = Answers(move |direction: &mut Direction<f64>| direction.dual[1] = value);
        fit_refuses(
            Trainer::new(0.1).method(method),
            &["dual vector", name, "sample 1", "step 0"],
        );
    }
}

#[test]
fn carry_and_pull_out_of_range() {
    for (value, name) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf")] {
        let method = Answers(move |direction: &mut Direction<f64>| direction.carry = value);
        fit_refuses(Trainer::new(0.1).method(method), &["carry", name, "finite"]);
        let method = Answers(move |direction: &mut Direction<f64>| direction.pull = value);
        fit_refuses(Trainer::new(0.1).method(method), &["pull", name, "finite"]);
    }
}

#[test]
fn batch_beyond_the_samples() {
    fit_refuses(
        Trainer::new(0.1).method(Only(3)),
        &["batch", "3", "expected 2", "counted from 0"],
    );
}

#[test]
fn product_of_another_length() {
    struct Asks;
    impl Method<f64> for Asks {
        fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
            evaluation.tangent_product(&[1.0]).map(drop)
        }
    }
    fit_refuses(
        Trainer::new(0.1).method(Asks),
        &["length of the vector", "expected 3", "found 1"],
    );
}

#[test]
fn error_of_a_method_ends_the_run() {
    struct Fails;
    impl Method<f64> for Fails {
        fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
            Err(Error::Empty {
                what: "the quiver",
                remedy: "make arrows",
            })
        }
    }
    fit_refuses(Trainer::new(0.1).method(Fails), &["the quiver is empty", "make arrows"]);
}

#[test]
fn kernel_schedule_with_a_method_that_is_no_gradient() {
    let method = Answers(|direction: &mut Direction<f64>| direction.dual.fill(1.0));
    let trainer = Trainer::new(KernelStable::default()).method(method);
    fit_refuses(
        trainer,
        &["KernelStable", "does not follow the gradient", "use a constant"],
    );
}

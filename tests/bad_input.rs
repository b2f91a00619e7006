//! One wrong thing a test: an error that names the value, the place and the remedy, and a network that stays finite.

mod refused;

use expnet::method::{Direction, Evaluation, GradientDescent, Method, Minibatch};
use expnet::schedule;
use expnet::{Dataset, Error, ExpNetwork, Initializer, Trainer};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use refused::refused;

fn data() -> Dataset<f64> {
    Dataset::new(dmatrix![0.1, 0.5, -0.3; 0.7, 0.2, 0.4], dvector![1.0, -1.0, 0.5]).unwrap()
}

fn net() -> ExpNetwork<f64> {
    Initializer::new(2, 10).seed(1).build().unwrap()
}

/// The message of a run that must fail; the network must come out finite.
fn fails(trainer: Trainer<'_, f64>) -> String {
    let mut net = net();
    let error = trainer.max_steps(10).fit(&mut net, &data()).unwrap_err();
    assert!(net.weights().iter().all(|w| w.is_finite()));
    error.to_string()
}

fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in: {message}");
    }
}

#[test]
fn no_neurons() {
    refused(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 0), DVector::zeros(0)),
        &["weight matrix", "empty", "column"],
    );
}

#[test]
fn no_dimension() {
    refused(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(0, 2), DVector::zeros(2)),
        &["weight matrix", "empty", "row"],
    );
}

#[test]
fn too_few_output_weights() {
    refused(
        ExpNetwork::from_parts(DMatrix::<f64>::zeros(2, 3), DVector::zeros(2)),
        &["output weights", "3", "2"],
    );
}

#[test]
fn a_weight_that_is_nan() {
    let weights = dmatrix![0.0, 1.0; f64::NAN, 1.0];
    refused(
        ExpNetwork::from_parts(weights, dvector![1.0, 1.0]),
        &["weight", "NaN", "neuron 0", "coordinate 1"],
    );
}

#[test]
fn an_output_weight_that_is_infinite() {
    let error = ExpNetwork::from_parts(dmatrix![0.0, 1.0], dvector![1.0, f64::INFINITY]);
    refused(error, &["output weight", "inf", "neuron 1"]);
}

#[test]
fn points_of_another_dimension() {
    refused(
        net().forward(&DMatrix::zeros(3, 4)),
        &["dimension of the points", "expected 2", "found 3", "columns"],
    );
}

#[test]
fn a_coordinate_that_is_nan() {
    let points = dmatrix![0.0, 1.0; 0.0, f64::NAN];
    refused(
        net().forward(&points),
        &["coordinate", "NaN", "point 1", "coordinate 1"],
    );
}

#[test]
fn data_of_another_dimension() {
    let other = Dataset::new(dmatrix![1.0, 2.0], dvector![1.0, 2.0]).unwrap();
    refused(net().loss(&other), &["expected 2", "found 1"]);
    refused(net().gradient(&other), &["expected 2", "found 1"]);
    refused(net().step(&other, 0.1), &["expected 2", "found 1"]);
    refused(Trainer::new(0.1).fit(&mut net(), &other), &["expected 2", "found 1"]);
}

#[test]
fn validation_data_of_another_dimension() {
    let other = Dataset::new(dmatrix![1.0, 2.0], dvector![1.0, 2.0]).unwrap();
    says(
        &fails(Trainer::new(0.1).validation(&other, 5)),
        &["expected 2", "found 1"],
    );
}

#[test]
fn an_activation_that_overflows() {
    let net = ExpNetwork::from_parts(dmatrix![1.0, 800.0], dvector![1.0, 1.0]).unwrap();
    let words = ["point 1", "inf", "f64", "Scaling"];
    refused(net.forward(&dmatrix![0.5, 1.0]), &words);
    let data = Dataset::new(dmatrix![0.5, 1.0], dvector![0.0, 0.0]).unwrap();
    refused(net.loss(&data), &words);
    refused(
        Trainer::new(0.1).fit(&mut net.clone(), &data),
        &["sample 1", "inf", "f64", "Scaling"],
    );
    let small = ExpNetwork::from_parts(dmatrix![100.0_f32], dvector![1.0]).unwrap();
    refused(small.forward(&dmatrix![1.0_f32]), &["point 0", "inf", "f32"]);
}

#[test]
fn a_loss_that_overflows() {
    let net = ExpNetwork::from_parts(dmatrix![600.0], dvector![1.0]).unwrap();
    let data = Dataset::new(dmatrix![1.0], dvector![0.0]).unwrap();
    assert!(net.forward(data.points()).is_ok());
    refused(net.loss(&data), &["loss", "inf"]);
    refused(net.clone().step(&data, 1e-300), &["loss", "inf"]);
}

#[test]
fn an_infinity_minus_an_infinity() {
    let net = ExpNetwork::from_parts(dmatrix![800.0, 800.0], dvector![1.0, -1.0]).unwrap();
    refused(net.forward(&dmatrix![1.0]), &["point 0", "NaN"]);
}

#[test]
fn a_weight_beyond_f32() {
    let net = ExpNetwork::from_parts(dmatrix![1e300], dvector![1.0]).unwrap();
    refused(net.cast::<f32>(), &["weight", "inf", "neuron 0"]);
}

#[test]
fn step_sizes_that_are_none_in_step() {
    for bad in [f64::NAN, f64::INFINITY, -0.1, 0.0] {
        let mut net = net();
        let before = net.clone();
        refused(net.step(&data(), bad), &["step size", &bad.to_string(), "positive"]);
        assert_eq!(net, before);
    }
}

#[test]
fn a_step_that_overflows() {
    let mut net = net();
    let before = net.clone();
    let data = Dataset::new(data().points() * 1e10, data().labels() * 1e300);
    let data = data
        .map(|data| Dataset::new(data.points() * 1e-10, data.labels() * 1e-150).unwrap())
        .unwrap();
    let error = net.step(&data, f64::MAX).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert_eq!(net, before);
}

#[test]
fn step_sizes_that_are_none_from_a_number() {
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        says(
            &fails(Trainer::new(bad)),
            &["step size of step 0", &bad.to_string(), "not negative"],
        );
    }
}

#[test]
fn step_sizes_that_are_none_from_a_closure() {
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        let late = schedule::from_fn(move |state| if state.iteration() == 2 { bad } else { 1e-6 });
        says(&fails(Trainer::new(late)), &["step size of step 2", &bad.to_string()]);
    }
}

#[test]
fn step_sizes_that_are_none_from_constant() {
    for bad in [f64::NAN, f64::INFINITY, -0.1, 0.0] {
        refused(
            schedule::Constant::new(bad),
            &["Constant", &bad.to_string(), "positive"],
        );
    }
}

#[test]
fn divergence() {
    says(
        &fails(Trainer::new(1e9)),
        &["diverged", "step 0", "1e9", "KernelStable"],
    );
}

/// A weight can run to -inf while its activation goes to 0 and the loss stays finite.
#[test]
fn weights_that_overflow_behind_a_finite_loss() {
    let data = Dataset::new(dmatrix![1e100, 2e100], dvector![-1e100, -1e100]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![0.0, -1e-100], dvector![1.0, 1.0]).unwrap();
    let before = net.clone();
    refused(Trainer::new(1e150).fit(&mut net, &data), &["diverged"]);
    assert_eq!(net, before);
}

#[test]
fn a_momentum_of_one() {
    for bad in [1.0, -0.1, f64::NAN] {
        says(
            &fails(Trainer::new(0.1).method(GradientDescent::default().momentum(bad))),
            &["momentum", "below 1"],
        );
        says(
            &fails(Trainer::new(0.1).method(Minibatch::new(2).nesterov(bad))),
            &["momentum", "below 1"],
        );
    }
}

#[test]
fn a_clip_norm_of_zero() {
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        says(
            &fails(Trainer::new(0.1).method(GradientDescent::default().clip_norm(bad))),
            &["clip_norm", "positive"],
        );
    }
}

#[test]
fn batches_of_nothing() {
    says(
        &fails(Trainer::new(0.1).method(Minibatch::new(0))),
        &["Minibatch", "0", "at least 1"],
    );
}

#[test]
fn a_tolerance_that_is_none() {
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        says(&fails(Trainer::new(0.1).tolerance(bad)), &["tolerance", "at least 0"]);
    }
}

#[test]
fn a_patience_of_zero() {
    let data = data();
    says(
        &fails(Trainer::new(0.1).validation(&data, 0)),
        &["patience", "0", "at least 1"],
    );
}

#[test]
fn a_stall_test_that_is_none() {
    says(
        &fails(Trainer::new(0.1).stall(0, 0.1)),
        &["window", "stall", "at least 1"],
    );
    says(
        &fails(Trainer::new(0.1).stall(5, 1.0)),
        &["fraction", "stall", "below 1"],
    );
    says(&fails(Trainer::new(0.1).stall(5, f64::NAN)), &["fraction", "stall"]);
}

/// Answers with whatever it is told to.
#[derive(Default)]
struct Told {
    dual: Option<Vec<f64>>,
    carry: f64,
    pull: f64,
    batch: Vec<usize>,
}

impl Method<f64> for Told {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        if let Some(dual) = &self.dual {
            direction.dual.clone_from(dual);
        }
        (direction.carry, direction.pull) = (self.carry, self.pull);
        Ok(())
    }

    fn batch(&mut self, _: usize, batch: &mut Vec<usize>) {
        batch.extend(&self.batch);
    }
}

#[test]
fn a_dual_of_the_wrong_length() {
    let method = Told {
        dual: Some(vec![1.0]),
        ..Told::default()
    };
    says(
        &fails(Trainer::new(0.1).method(method)),
        &["dual", "expected 3", "found 1"],
    );
}

#[test]
fn a_dual_that_is_nan() {
    let method = Told {
        dual: Some(vec![1.0, f64::NAN, 0.0]),
        ..Told::default()
    };
    says(
        &fails(Trainer::new(0.1).method(method)),
        &["dual", "NaN", "sample 1", "step 0"],
    );
}

#[test]
fn a_carry_or_pull_that_is_nan() {
    says(
        &fails(Trainer::new(0.1).method(Told {
            carry: f64::NAN,
            ..Told::default()
        })),
        &["carry", "NaN"],
    );
    says(
        &fails(Trainer::new(0.1).method(Told {
            pull: -1.0,
            ..Told::default()
        })),
        &["pull", "-1"],
    );
}

#[test]
fn a_batch_beyond_the_data() {
    says(
        &fails(Trainer::new(0.1).method(Told {
            batch: vec![0, 3],
            ..Told::default()
        })),
        &["batch", "3", "2", "from 0"],
    );
}

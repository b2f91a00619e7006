//! Step-size schedules, in both scalar types: by formula, adaptive, and combined.

mod backtracking;
mod barzilai_borwein;
mod combinators;
mod delta_bar_delta;
mod forms;
mod formulas;
mod kernel_stable;
mod plateau;
mod polyak;
mod strong_wolfe;

use expnet::observer::Progress;
use expnet::{Dataset, ExpNetwork, Float, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;

/// Six points on a smooth curve, and a network wide enough for them.
fn smooth<T: Float>() -> (ExpNetwork<T>, Dataset<T>) {
    let points = DMatrix::from_fn(3, 6, |k, i| T::lit((1.3 * i as f64 + 2.1 * k as f64).sin() * 0.6));
    let labels = DVector::from_fn(6, |i, _| T::lit((0.9 * i as f64).cos() * 0.5));
    let net = Initializer::new(3, 64).antisymmetric(true).std_dev(0.5).seed(5);
    (net.build().unwrap(), Dataset::new(points, labels).unwrap())
}

/// One neuron at w = 0 with output weight 1 and one sample at x = 1: F = exp(w), grad L = (F - y) F.
fn single_neuron<T: Float>(label: f64) -> (ExpNetwork<T>, Dataset<T>) {
    let net = ExpNetwork::from_parts(DMatrix::zeros(1, 1), DVector::from_element(1, T::one())).unwrap();
    (net, Dataset::from_rows(&[[T::one()]], &[T::lit(label)]).unwrap())
}

/// What a run went through.
struct Trace {
    sizes: Vec<f64>,
    /// One more than sizes.
    losses: Vec<f64>,
    passes: usize,
    trials: usize,
    termination: Termination,
}

impl Trace {
    fn falls(&self) -> bool {
        self.losses.windows(2).all(|pair| pair[1] <= pair[0])
    }
}

fn trace<T: Float>(trainer: Trainer<'_, T>, (mut net, data): (ExpNetwork<T>, Dataset<T>)) -> Trace {
    let (mut sizes, mut losses) = (Vec::new(), Vec::new());
    let report = trainer
        .observe(|progress: &Progress<'_, T>| {
            sizes.push(progress.step_size().unwrap().as_f64());
            losses.push(progress.loss().as_f64());
            ControlFlow::Continue(())
        })
        .fit(&mut net, &data)
        .unwrap();
    losses.insert(0, report.initial_loss().as_f64());
    assert_eq!(sizes.len(), report.steps());
    Trace {
        sizes,
        losses,
        passes: report.passes(),
        trials: report.trial_steps(),
        termination: report.termination(),
    }
}

/// Equal up to the rounding of T.
fn close<T: Float>(found: f64, expected: f64) {
    let bound = 16.0 * T::EPSILON.as_f64() * expected.abs();
    assert!((found - expected).abs() <= bound, "{found} instead of {expected}");
}

/// A residual that either type can reach.
fn small<T: Float>() -> f64 {
    T::EPSILON.as_f64().sqrt() * 10.0
}

//! Starts that are refused because of their activations, and what is said after divergence.

use crate::support::refused;
use expnet::schedule::KernelStable;
use expnet::{Dataset, ExpNetwork, Float, Termination, Trainer};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

/// Two neurons of weight w and output weights a and -a, so that F = 0, at the point x.
fn pair<T: Float>(w: T, a: T, x: T, label: T) -> (ExpNetwork<T>, Dataset<T>) {
    let net = ExpNetwork::from_parts(dmatrix![w, w], dvector![a, -a]).unwrap();
    (net, Dataset::new(dmatrix![x], dvector![label]).unwrap())
}

fn start_refused<T: Float>((mut net, data): (ExpNetwork<T>, Dataset<T>), words: &[&str]) {
    refused(Trainer::new(1e-30).max_steps(1).fit(&mut net, &data), words);
}

#[test]
fn rounding_beyond_the_labels_is_refused() {
    // eps exp(81) is about 1e19.
    start_refused(
        pair(9.0, 1.0, 9.0, 1.0),
        &["exp(81)", "rounding in f64 exceeds the labels"],
    );
    // eps 1e10 exp(20) is about 1e3.
    start_refused(pair(20.0, 1e10, 1.0, 100.0), &["exp(20)", "rounding in f64 exceeds"]);
    let (mut net, data) = pair(20.0, 1e10, 1.0, 1e4);
    Trainer::new(1e-30).max_steps(1).fit(&mut net, &data).unwrap();
    // Nothing to do.
    let (mut net, data) = pair(20.0, 1e10, 1.0, 0.0);
    let report = Trainer::new(1e-30).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Converged, 0));
}

#[test]
fn activations_beyond_the_first_65536_neurons_are_measured() {
    let m = 70_000;
    let weights = DMatrix::from_fn(1, m, |_, r| if r == m - 1 { 360.0 } else { 0.0 });
    let net = ExpNetwork::from_parts(weights, DVector::from_element(m, 1.0)).unwrap();
    let data = Dataset::new(dmatrix![1.0], dvector![1.0]).unwrap();
    start_refused((net, data), &["exp(360)", "sample 0", "tangent kernel"]);
}

#[test]
fn outputs_that_overflow_together_name_their_sample() {
    // exp(88) is 1.65e38 and fits into f32; three of them do not. The other samples are harmless.
    let net = ExpNetwork::from_parts(dmatrix![88.0_f32, 88.0, 88.0], DVector::from_element(3, 1.0)).unwrap();
    let data = Dataset::new(dmatrix![0.0, 0.5, 1.0, 0.1], DVector::from_element(4, 1.0)).unwrap();
    start_refused((net, data), &["sample 2", "f32"]);
}

#[test]
fn divergence_names_a_remedy_that_was_not_yet_taken() {
    let diverged = |trainer: Trainer<'_, f64>, words: &[&str]| {
        // As large as the outputs near the start can be, but not larger.
        let (mut net, data) = pair(0.0, 1.0, 1.0, 2.0);
        refused(trainer.max_steps(1000).fit(&mut net, &data), words);
    };
    diverged(Trainer::new(1e3), &["for example `schedule::KernelStable`"]);
    let stable = KernelStable::default().factor(1e3);
    diverged(Trainer::new(stable), &["a smaller `KernelStable::factor`"]);
}

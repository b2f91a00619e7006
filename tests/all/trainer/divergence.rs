//! What counts as divergence, and the weights that it leaves.

use super::problem;
use crate::support::Answers;
use crate::support::problems::data;
use expnet::observer::History;
use expnet::schedule::{self, StepState};
use expnet::{Dataset, Error, ExpNetwork, Initializer, Termination, Trainer};
use nalgebra::{dmatrix, dvector};

#[test]
fn divergence_leaves_the_last_finite_weights() {
    let (data, start, size) = problem();
    let mut net = start.clone();
    let sizes = schedule::from_fn(move |state| if state.iteration() < 3 { size } else { 1e9 });
    let error = Trainer::new(sizes).fit(&mut net, &data).unwrap_err();
    let Error::Diverged {
        step,
        step_size,
        last_loss,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((step, step_size), (3, 1e9));
    let mut three = start.clone();
    let report = Trainer::new(size).max_steps(3).fit(&mut three, &data).unwrap();
    assert_eq!(net, three);
    assert_eq!(last_loss, report.loss());
}

#[test]
fn divergence_of_f32_is_judged_in_f32() {
    // Outputs of 1e30 are finite in f32, their squares are not.
    let data = Dataset::new(dmatrix![1.0_f32], dvector![0.0]).unwrap();
    let mut net = ExpNetwork::from_parts(dmatrix![0.0_f32], dvector![1.0]).unwrap();
    // Climbs, slowly enough to be finite for some steps.
    let uphill = Answers::changing(|direction| {
        let away = |v: f32| -20.0 / (1.0 + v.abs());
        direction.dual.iter_mut().for_each(|v| *v = away(*v));
    });
    let error = Trainer::new(1.0).method(uphill).fit(&mut net, &data).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(net.loss(&data).unwrap().is_finite());
}

#[test]
fn a_loss_that_rises_first_is_not_divergence() {
    let data = data::<f64>(6, 3, 2);
    let mut net = Initializer::new(3, 256)
        .antisymmetric(true)
        .seed(1)
        .build::<f64>()
        .unwrap();
    let mut history = History::default();
    let mut size = None;
    let report = Trainer::new(move |state: &mut StepState<'_, f64>| {
        *size.get_or_insert_with(|| 2.5 / state.largest_kernel_eigenvalue())
    })
    .max_steps(20_000)
    .tolerance(1e-3)
    .observe(&mut history)
    .fit(&mut net, &data)
    .unwrap();
    assert_eq!(report.termination(), Termination::Converged);
    let losses = history.losses();
    assert!(losses.iter().any(|&l| l > 1.5 * losses[0]), "never rose");
}

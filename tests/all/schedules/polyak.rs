//! Polyak's step size: the loss over the squared norm of the gradient.

use super::{close, single_neuron, smooth, trace};
use crate::support::on_both;
use expnet::schedule::{Polyak, Schedule, StepState, from_fn};
use expnet::{Float, Termination, Trainer};

on_both!(polyak_follows_its_formula, polyak_converges,);

fn polyak_follows_its_formula<T: Float>() {
    // e = -1, L = 1/2, grad L = -1.
    let first = |schedule: Polyak| trace(Trainer::<T>::new(schedule).max_steps(1), single_neuron(2.0)).sizes[0];
    close::<T>(first(Polyak::default()), 0.5);
    close::<T>(first(Polyak::default().max(0.25).scaling(0.5)), 0.125);
    close::<T>(first(Polyak::default().minimum(0.25)), 0.25);
    close::<T>(first(Polyak::default().eps(1.0)), 0.25);
    // Below the minimum there is no step.
    let below = trace(
        Trainer::<T>::new(Polyak::default().minimum(0.75)).max_steps(1),
        single_neuron(2.0),
    );
    assert_eq!((below.termination, below.sizes.len()), (Termination::Stalled, 0));
    let at = Polyak::default().minimum(0.75);
    assert_eq!((at.at(0.5, 1.0), at.at(1.0, 0.0)), (0.0, 0.0));
    // In every step, with the gradient as the state has it.
    let mut expected = Vec::new();
    let schedule = from_fn(|state: &mut StepState<'_, T>| {
        let (loss, norm) = (state.loss().as_f64(), state.gradient_norm_squared().as_f64());
        expected.push((loss / norm).min(1.0));
        Polyak::default().step_size(state)
    });
    let run = trace(Trainer::new(schedule).max_steps(20), smooth());
    for (size, expected) in run.sizes.iter().zip(&expected) {
        close::<T>(*size, *expected);
    }
}

fn polyak_converges<T: Float>() {
    let trainer = Trainer::<T>::new(Polyak::default()).max_steps(100_000).tolerance(1e-3);
    let run = trace(trainer, smooth());
    assert_eq!(run.termination, Termination::Converged);
}

//! `ReduceOnPlateau`: a smaller step size when the loss stops falling.

use super::{close, single_neuron, trace};
use crate::support::on_both;
use expnet::schedule::ReduceOnPlateau;
use expnet::{Float, Trainer};

on_both!(plateau_lowers_a_size_that_bounces,);

fn plateau_lowers_a_size_that_bounces<T: Float>() {
    // Steps of 2.5 / lambda_max at the minimum, where lambda_max = y^2 = 4: they go to and fro.
    let schedule = || ReduceOnPlateau::new(0.625).unwrap().factor(0.5).patience(5);
    let run = trace(Trainer::<T>::new(schedule()).max_steps(100), single_neuron(2.0));
    close::<T>(run.sizes[0], 0.625);
    assert!(run.sizes.windows(2).all(|pair| pair[1] <= pair[0]));
    assert!(run.sizes.contains(&(0.625 / 2.0)));
    assert!(*run.losses.last().unwrap() < 1e-10);
}

//! `ReduceOnPlateau`: a smaller step size when the loss stops falling.

use super::{close, single_neuron, trace};
use crate::support::{Answers, on_both};
use expnet::schedule::ReduceOnPlateau;
use expnet::{ExpNetwork, Float, Trainer};

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

#[test]
fn plateau_waits_for_patience_where_the_loss_stays() {
    // Steps that move no weight: the loss is always the same, which is no improvement.
    let sizes = |schedule: ReduceOnPlateau, steps| {
        let (net, data) = single_neuron(2.0);
        let net = ExpNetwork::from_parts(net.weights().add_scalar(1.0), net.output_weights().clone()).unwrap();
        let trainer = Trainer::<f64>::new(schedule).method(Answers::plain()).max_steps(steps);
        trace(trainer, (net, data)).sizes
    };
    let schedule = || ReduceOnPlateau::new(1e-100).unwrap().factor(0.5);
    let found = sizes(schedule().threshold(0.0).patience(2), 6);
    assert_eq!(found, [1e-100, 1e-100, 1e-100, 5e-101, 5e-101, 5e-101]);
    let found = sizes(schedule(), 12);
    assert_eq!((found[10], found[11]), (1e-100, 5e-101), "10 steps by default");
}

//! Delta-bar-delta: the step size grows while the gradient keeps its direction.

use super::{close, single_neuron, smooth, trace};
use crate::support::on_both;
use expnet::schedule::{DeltaBarDelta, KernelStable};
use expnet::{Dataset, Float, Initializer, Termination, Trainer};

on_both!(
    delta_bar_delta_grows,
    delta_bar_delta_shrinks_on_a_turn,
    delta_bar_delta_takes_back_a_growth,
    delta_bar_delta_converges,
);

fn delta_bar_delta_grows<T: Float>() {
    let schedule = DeltaBarDelta::default().initial(1e-4).growth(0.5);
    let run = trace(Trainer::<T>::new(schedule).max_steps(6), smooth());
    for (t, size) in run.sizes.iter().enumerate() {
        close::<T>(*size, 1e-4 * (1.0 + 0.5 * t as f64));
    }
    assert!(run.falls());
    let constant = DeltaBarDelta::default().initial(1e-4).growth(0.0);
    let run = trace(Trainer::<T>::new(constant).max_steps(6), smooth());
    run.sizes.iter().for_each(|size| close::<T>(*size, 1e-4));
}

fn delta_bar_delta_shrinks_on_a_turn<T: Float>() {
    // From w = 0 over ln 2 = 0.69 to w = 0.9.
    let schedule = DeltaBarDelta::default().initial(0.9).shrink(0.25);
    let run = trace(Trainer::<T>::new(schedule).max_steps(2), single_neuron(2.0));
    close::<T>(run.sizes[0], 0.9);
    close::<T>(run.sizes[1], 0.225);
}

fn delta_bar_delta_takes_back_a_growth<T: Float>() {
    let schedule = DeltaBarDelta::default().growth(0.7);
    let run = trace(Trainer::<T>::new(schedule).max_steps(200), smooth());
    let mut seen = 0;
    for t in 1..run.sizes.len() - 1 {
        if run.sizes[t] > run.sizes[t - 1] && run.losses[t + 1] > run.losses[t] {
            close::<T>(run.sizes[t + 1], run.sizes[t - 1]);
            seen += 1;
        }
    }
    assert!(seen > 0, "{:?}", run.losses);
}

fn delta_bar_delta_converges<T: Float>() {
    let steps = |trainer: Trainer<'_, T>| {
        let run = trace(trainer.max_steps(200_000).tolerance(1e-2), smooth());
        assert_eq!(run.termination, Termination::Converged);
        run.sizes.len()
    };
    let (own, stable) = (
        steps(Trainer::new(DeltaBarDelta::default())),
        steps(Trainer::new(KernelStable::default())),
    );
    assert!(own <= stable, "{own} against {stable}");
}

#[test]
fn delta_bar_delta_keeps_its_size_where_the_product_is_zero() {
    // Gradients of about 1e-170, whose product is 0 in f64.
    let data = Dataset::from_rows(&[[1e-20], [2e-20]], &[1e-150, -1e-150]).unwrap();
    let net = Initializer::new(1, 8).antisymmetric(true).build().unwrap();
    let schedule = DeltaBarDelta::default().initial(1e-4).growth(0.5);
    let run = trace(Trainer::<f64>::new(schedule).max_steps(2), (net, data));
    assert_eq!(run.sizes, [1e-4; 2]);
}

#[test]
fn delta_bar_delta_grows_where_the_loss_stays() {
    // Steps that move no weight: the gradient keeps its direction, and the loss does not rise.
    let schedule = DeltaBarDelta::default().initial(1e-100).growth(0.5);
    let run = trace(Trainer::<f64>::new(schedule).max_steps(4), smooth());
    for (t, size) in run.sizes.iter().enumerate() {
        close::<f64>(*size, 1e-100 * (1.0 + 0.5 * t as f64));
    }
}

//! Step sizes from the largest eigenvalue of the kernel.

use super::{single_neuron, smooth, trace};
use crate::support::on_both;
use expnet::schedule::KernelStable;
use expnet::{Float, Trainer};

on_both!(
    kernel_stable_contracts,
    kernel_stable_damps_one_sample_at_once,
    kernel_stable_measures_again,
);

fn kernel_stable_contracts<T: Float>() {
    for factor in [0.5, 1.0, 1.5] {
        let schedule = KernelStable::default().factor(factor);
        let run = trace(Trainer::<T>::new(schedule).max_steps(300), smooth());
        assert!(run.falls() && run.losses[300] < 0.5 * run.losses[0], "{factor}");
        assert!(run.sizes.iter().all(|size| *size == run.sizes[0]));
    }
}

fn kernel_stable_damps_one_sample_at_once<T: Float>() {
    // G = 1 for one sample; the eigenvalue is within 2% from above.
    let run = trace(
        Trainer::<T>::new(KernelStable::default()).max_steps(1),
        single_neuron(1.01),
    );
    assert!(run.sizes[0] <= 1.0 + 1e-6 && run.sizes[0] >= 0.97, "{}", run.sizes[0]);
    assert!(run.losses[1] < 2e-3 * run.losses[0]);
}

fn kernel_stable_measures_again<T: Float>() {
    // G = F^2 grows from 1 to 9.
    let schedule = KernelStable::default().factor(0.1).refresh(5);
    let run = trace(Trainer::<T>::new(schedule).max_steps(200), single_neuron(3.0));
    assert!(run.sizes.chunks(5).all(|five| five.iter().all(|s| *s == five[0])));
    assert!((run.sizes[run.sizes.len() - 1] * 9.0 / run.sizes[0] - 1.0).abs() < 0.05);
    let once = KernelStable::default().factor(0.1);
    let run = trace(Trainer::<T>::new(once).max_steps(200), single_neuron(3.0));
    assert!(run.sizes.iter().all(|s| *s == run.sizes[0]));
}

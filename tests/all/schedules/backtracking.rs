//! Backtracking line search.

use super::{close, smooth, trace};
use crate::support::on_both;
use expnet::method::{GradientDescent, Method, Minibatch};
use expnet::schedule::Backtracking;
use expnet::{Float, Trainer};

on_both!(
    backtracking_takes_a_pass_a_step,
    backtracking_never_rises,
    backtracking_shrinks_a_huge_first_trial,
    backtracking_keeps_to_its_largest,
    backtracking_goes_with_every_method,
);

fn backtracking_takes_a_pass_a_step<T: Float>() {
    for k in [1, 5, 20] {
        let schedule = Backtracking::default().initial(1e-4).grow(1.1);
        let run = trace(Trainer::<T>::new(schedule).max_steps(k), smooth());
        assert_eq!((run.passes, run.trials), (k + 1, 0));
        assert!(run.falls());
        for (t, size) in run.sizes.iter().enumerate() {
            let expected = 1e-4 * 1.1_f64.powf(t as f64);
            assert!((size / expected - 1.0).abs() < 1e-5);
        }
    }
}

fn backtracking_never_rises<T: Float>() {
    let trainer = || Trainer::<T>::new(Backtracking::default()).max_steps(200);
    let run = trace(trainer(), smooth());
    assert!(run.falls());
    assert!(run.losses[200] < 0.5 * run.losses[0]);
}

fn backtracking_shrinks_a_huge_first_trial<T: Float>() {
    let schedule = Backtracking::default().initial(1e6).shrink(0.25).grow(1.0);
    let run = trace(Trainer::<T>::new(schedule).max_steps(30), smooth());
    assert!(run.falls() && run.trials > 0);
    // Sizes are the first trial times whole powers of the factor.
    let power = (run.sizes[0] / 1e6).ln() / 0.25_f64.ln();
    assert!((power - power.round()).abs() < 1e-5 && power > 1.0);
}

fn backtracking_keeps_to_its_largest<T: Float>() {
    let schedule = Backtracking::default().initial(1e-4).grow(2.0).max(5e-4);
    let run = trace(Trainer::<T>::new(schedule).max_steps(6), smooth());
    for (size, expected) in run.sizes.iter().zip([1e-4, 2e-4, 4e-4, 5e-4, 5e-4, 5e-4]) {
        close::<T>(*size, expected);
    }
}

fn backtracking_goes_with_every_method<T: Float>() {
    let descent = GradientDescent::default();
    let run = |method: Box<dyn Method<T>>| {
        let run = trace(
            Trainer::new(Backtracking::default()).method(method).max_steps(50),
            smooth(),
        );
        assert!(run.losses[50] < run.losses[0]);
    };
    run(Box::new(descent.momentum(0.5)));
    run(Box::new(descent.nesterov(0.5)));
    run(Box::new(descent.clip_norm(0.1)));
    run(Box::new(Minibatch::new(4)));
}

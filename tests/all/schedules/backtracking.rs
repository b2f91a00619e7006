//! Backtracking line search.

use super::{close, single_neuron, smooth, trace};
use crate::support::on_both;
use expnet::method::{GradientDescent, Method, Minibatch};
use expnet::schedule::Backtracking;
use expnet::{Float, Trainer};

on_both!(
    backtracking_takes_a_pass_a_step,
    backtracking_never_rises,
    backtracking_shrinks_a_huge_first_trial,
    backtracking_requires_the_fraction_of_the_decrease,
    backtracking_predicts_with_momentum,
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

fn backtracking_requires_the_fraction_of_the_decrease<T: Float>() {
    // From w = 0 along the gradient -1, L(s) = (exp(s) - 2)^2 / 2 against 1/2 - 0.9 s: 0.258, 0.0617, 0.2563 against -0.4,
    // 0.05, 0.275 at s = 1, 1/2, 1/4.
    let schedule = Backtracking::default().initial(1.0).armijo(0.9);
    let run = trace(Trainer::<T>::new(schedule).max_steps(1), single_neuron(2.0));
    assert_eq!((run.sizes[0], run.trials), (0.25, 2));
}

fn backtracking_predicts_with_momentum<T: Float>() {
    let schedule = Backtracking::default().initial(0.2).armijo(0.5).grow(1.0);
    let method = GradientDescent::default().momentum(0.5);
    let trainer = Trainer::<T>::new(schedule).method(method).max_steps(3);
    let sizes = trace(trainer, single_neuron(2.0)).sizes;
    // By hand, from w = 0: a trial moves w by 0.5 velocity - s g, which predicts 0.5 velocity g - s g^2.
    let (mut w, mut velocity, mut size) = (0.0_f64, 0.0, 0.2);
    let loss = |w: f64| 0.5 * (w.exp() - 2.0).powi(2);
    for found in sizes {
        let g = (w.exp() - 2.0) * w.exp();
        let moved = |size: f64| 0.5 * velocity - size * g;
        while loss(w + moved(size)) > loss(w) + 0.5 * moved(size) * g {
            size *= 0.5;
        }
        close::<T>(found, size);
        velocity = moved(size);
        w += velocity;
    }
    assert_eq!(size, 0.1, "one trial is rejected");
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

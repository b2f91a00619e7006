//! Runs with a certified step size.

use super::table_problem;
use crate::support::refused;
use expnet::certificate::NarrowestSearch;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{Certified, Schedule};
use expnet::{Float, Trainer};

#[test]
fn a_certified_run_keeps_its_number_of_steps() {
    let data = table_problem(6, 8);
    let (net, proved) = NarrowestSearch::default().seed(3).search(&data).unwrap();
    for tolerance in [1.0, 0.1, 1e-3] {
        let steps = usize::try_from(proved.steps_to(tolerance)).unwrap();
        let mut net = net.clone();
        let report = Trainer::new(Certified::new(&proved).unwrap())
            .max_steps(steps)
            .fit(&mut net, &data)
            .unwrap();
        assert!(report.residual_norm() <= tolerance);
        let bound = proved.residual_bound(steps);
        assert!(
            bound <= tolerance * (1.0 + 1e-9) && (steps == 0 || proved.residual_bound(steps - 1) > tolerance),
            "{bound} {tolerance}"
        );
    }
    assert_eq!(proved.steps_to(1e3), 0);
    for tolerance in [0.0, -1.0, f64::NAN] {
        assert_eq!(proved.steps_to(tolerance), u64::MAX);
    }
}

#[test]
fn certified_is_for_plain_gradient_descent() {
    let data = table_problem(6, 8);
    let (net, proved) = NarrowestSearch::default().seed(3).search(&data).unwrap();
    let schedule = Certified::new(&proved).unwrap();
    let words = ["Certified", "plain full-batch gradient descent"];
    let run = |trainer: Trainer<f64>| refused(trainer.fit(&mut net.clone(), &data), &words);
    run(Trainer::new(schedule).method(GradientDescent::default().momentum(0.9)));
    run(Trainer::new(schedule).method(GradientDescent::default().clip_norm(1.0)));
    run(Trainer::new(schedule).method(Minibatch::new(2)));
    run(Trainer::new(schedule).method(GaussNewton::default()));

    let record = Schedule::<f64>::save(&schedule).unwrap();
    let mut same = schedule;
    Schedule::<f64>::restore(&mut same, &record).unwrap();
    let (_, wider) = NarrowestSearch::default().seed(4).search(&data).unwrap();
    let mut other = Certified::new(&wider).unwrap();
    refused(
        Schedule::<f64>::restore(&mut other, &record),
        &["`size` of `Certified`"],
    );
}

#[test]
fn certified_sizes_are_rounded_down_in_f32() {
    let data = table_problem(6, 8).cast::<f32>().unwrap();
    let mut inexact = 0;
    for seed in 0..6 {
        let (mut net, proved) = NarrowestSearch::default().seed(seed).search(&data).unwrap();
        let trainer = Trainer::new(Certified::new(&proved).unwrap()).max_steps(1);
        let size = trainer.fit(&mut net, &data).unwrap().last_step_size().unwrap();
        let (size, most) = (f64::from(size), proved.step_size());
        assert!(size <= most && size >= most * (1.0 - 2.0 * f64::from(f32::EPSILON)));
        inexact += usize::from(most < f64::from(f32::lit(most)));
    }
    assert!(inexact > 0, "one of them is rounded up by a plain conversion");
}

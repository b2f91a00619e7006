//! Runs with a certified step size.

use super::table_problem;
use crate::support::refused;
use expnet::Trainer;
use expnet::certificate::NarrowestSearch;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{Certified, Schedule};

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
        let by_rate = (1.0 - proved.rate()).powf(steps as f64) * proved.residual_norm();
        assert!(by_rate <= tolerance, "{by_rate} {tolerance}");
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

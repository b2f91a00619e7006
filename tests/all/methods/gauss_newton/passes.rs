//! How many passes a step takes: G is formed only when it must be.

use super::{antisymmetric, descend, sphere};
use expnet::method::GaussNewton;
use expnet::schedule::StepState;
use expnet::{FitReport, Termination, Trainer};

#[test]
fn a_step_taken_back_does_not_form_g_again() {
    let data = sphere::<f64>(300, 4, 7);
    let report = descend(
        &mut antisymmetric(4, 2000),
        &data,
        (GaussNewton::default(), 0.0),
        5,
        0.0,
    );
    assert!(report.undone_steps() > 0, "the problem is there for this");
    // The first evaluation; for each step G and the step itself; and a pass for each step taken back.
    assert_eq!(report.passes(), 1 + 2 * report.steps() + report.undone_steps());
    assert_eq!((report.steps(), report.passes()), (5, 18));
}

#[test]
fn a_frozen_kernel_is_renewed_when_it_no_longer_serves() {
    let (data, start) = (sphere::<f64>(40, 8, 3), antisymmetric::<f64>(8, 24));
    let mut net = start.clone();
    let frozen = descend(&mut net, &data, (GaussNewton::frozen(), 0.0), 30, 1e-9);
    let full = descend(&mut start.clone(), &data, (GaussNewton::default(), 0.0), 30, 1e-9);
    let grams = |report: &FitReport<f64>| report.passes() - 1 - report.steps() - report.undone_steps();
    println!("{frozen}\n{full}");
    assert_eq!(grams(&full), full.steps());
    assert!(grams(&frozen) > 1 && grams(&frozen) < frozen.steps(), "{frozen}");
    assert_eq!(frozen.termination(), Termination::Converged);
}

#[test]
fn a_step_of_size_0_stays_and_costs_no_second_g() {
    let data = sphere::<f64>(10, 3, 3);
    let mut net = antisymmetric(3, 50);
    let start = net.clone();
    let trainer = Trainer::new(|_: &mut StepState<'_, f64>| 0.0)
        .method(GaussNewton::default())
        .max_steps(4);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!(net.weights(), start.weights());
    assert_eq!((report.steps(), report.passes()), (4, 1 + 1 + 4));
}

//! Line search with the strong Wolfe conditions.

use crate::resume::methods::MakeMethod;
use crate::support::problems::{net, sines};
use crate::support::{Answers, on_both, refused};
use expnet::method::{GaussNewton, GradientDescent, Lbfgs};
use expnet::schedule::{self, Schedule, StepState, StrongWolfe};
use expnet::{Float, Termination, Trainer};

/// Both conditions hold at every size that the search returns, from first trials far too short and far too long.
fn accepted_sizes_satisfy_both_conditions<T: Float>() {
    let methods: [MakeMethod<T>; 2] = [|| Box::new(GradientDescent::default()), || Box::new(Lbfgs::default())];
    for (which, method) in methods.iter().enumerate() {
        for (initial, curvature) in [(None, 0.9), (Some(1e-3), 0.1), (Some(1e3), 0.5), (Some(1.0), 0.02)] {
            let data = sines::<T>(14, 5);
            let mut search = StrongWolfe::default().curvature(curvature);
            if let Some(size) = initial {
                search = search.initial(size);
            }
            let mut checked = 0;
            let watched = schedule::from_fn(|state: &mut StepState<'_, T>| {
                let (loss, slope) = (state.loss().as_f64(), state.slope().as_f64());
                let size = search.step_size(state);
                let (after, left) = (state.loss_at(size).as_f64(), state.slope_at(size).as_f64());
                let name = format!("{} method {which}, {initial:?}, {curvature}", T::NAME);
                assert!(
                    size > T::zero() && after <= loss + 1e-4 * size.as_f64() * slope,
                    "{name}: {after} {loss}"
                );
                assert!(left.abs() <= curvature * slope.abs(), "{name}: slope {left} of {slope}");
                checked += 1;
                size
            });
            let mut net = net::<T>(5, 60, 5);
            let trainer = Trainer::new(watched).method(method());
            trainer.max_steps(6).fit(&mut net, &data).unwrap();
            assert_eq!(checked, 6);
        }
    }
}

on_both!(accepted_sizes_satisfy_both_conditions);

/// Effort, as literal counts: a step takes its trial, the slope there and the gradient, and the first one also its scale.
#[test]
fn a_step_costs_its_trial_a_slope_and_a_gradient() {
    let data = sines::<f64>(14, 5);
    let mut net = net::<f64>(5, 60, 5);
    let trainer = Trainer::new(StrongWolfe::default().curvature(0.99)).method(Lbfgs::default());
    let report = trainer.max_steps(4).fit(&mut net, &data).unwrap();
    assert_eq!(
        (report.steps(), report.trial_steps(), report.passes()),
        (4, 0, 2 + 4 * 3),
        "{report}"
    );
}

#[test]
fn directions_uphill_stall_with_the_reason() {
    let (data, start) = (sines::<f64>(6, 2), net::<f64>(2, 20, 5));
    let uphill = Answers::<f64>::changing(|direction| direction.dual.iter_mut().for_each(|v| *v = -*v));
    let report = Trainer::new(StrongWolfe::default())
        .method(uphill)
        .fit(&mut start.clone(), &data)
        .unwrap();
    assert_eq!(report.termination(), Termination::Stalled);
    assert!(
        report
            .reason()
            .unwrap()
            .contains("`StrongWolfe` was given a direction in which the loss does not fall")
    );
}

#[test]
fn bad_settings_and_penalties_are_refused() {
    let (data, start) = (sines::<f64>(6, 2), net::<f64>(2, 20, 5));
    let fit = |search: StrongWolfe| Trainer::new(search).fit(&mut start.clone(), &data);
    for bad in [0.0, 1.0, f64::NAN] {
        refused(
            fit(StrongWolfe::default().armijo(bad)),
            &["`StrongWolfe::armijo`", "above 0 and below 1"],
        );
        refused(
            fit(StrongWolfe::default().curvature(bad)),
            &["`StrongWolfe::curvature`", "above 0 and below 1"],
        );
    }
    refused(
        fit(StrongWolfe::default().curvature(1e-5)),
        &["`StrongWolfe::curvature`", "above `StrongWolfe::armijo`"],
    );
    refused(
        fit(StrongWolfe::default().initial(-1.0)),
        &["`StrongWolfe::initial`", "positive"],
    );
    let ridge = Trainer::new(StrongWolfe::default()).method(GaussNewton::default().ridge(0.1));
    refused(ridge.fit(&mut start.clone(), &data), &["`StrongWolfe`", "pulls"]);
}

//! The verdict on a step.

use super::*;

/// A method in the middle of a run: G has this age, and the model promises this reduction for a step of size 1.
fn running(mut method: GaussNewton, age: usize, promised: f64) -> GaussNewton {
    let model = Model {
        along: promised,
        ..Model::default()
    };
    method.run = Run {
        age,
        model,
        damping: Some(Damping::new(1e-2, 100.0)),
        ..Run::default()
    };
    method
}

/// The verdict on a step of size 1 between these losses.
fn judge(method: &mut GaussNewton, loss_before: f64, loss_after: f64) -> Verdict {
    judge_size(method, 1.0, loss_before, loss_after)
}

fn judge_size(method: &mut GaussNewton, step_size: f64, loss_before: f64, loss_after: f64) -> Verdict {
    let outcome = Outcome {
        step_size,
        loss_before,
        loss_after,
        movement: None,
    };
    Method::<f64>::judge(method, &outcome)
}

fn mu(method: &GaussNewton) -> f64 {
    method.run.damping.unwrap().mu
}

#[test]
fn an_outdated_g_is_formed_again_before_damping_grows() {
    let mut outdated = running(GaussNewton::frozen(), 1, 0.5);
    assert_eq!(judge(&mut outdated, 1.0, 2.0), Verdict::Undo);
    assert!(outdated.run.renew && mu(&outdated) == 1.0);
    let mut fresh = running(GaussNewton::frozen(), 0, 0.5);
    assert_eq!(judge(&mut fresh, 1.0, 2.0), Verdict::Undo);
    assert!(!fresh.run.renew && mu(&fresh) == 4.0);
}

#[test]
fn damping_adapts_to_steps_of_the_current_g_only() {
    let mut fresh = running(GaussNewton::frozen(), 0, 0.5);
    assert_eq!(judge(&mut fresh, 1.0, 0.5), Verdict::Keep);
    assert!((mu(&fresh) - 0.1).abs() < 1e-15);
    let mut outdated = running(GaussNewton::frozen(), 1, 0.5);
    assert_eq!(judge(&mut outdated, 1.0, 0.5), Verdict::Keep);
    assert_eq!(mu(&outdated), 1.0);
}

#[test]
fn a_step_lost_in_rounding_ends_the_run() {
    let verdict = |before, after, promised| judge(&mut running(GaussNewton::default(), 0, promised), before, after);
    assert_eq!(verdict(1.0, 1.0, 0.5), Verdict::GiveUp);
    let small = 1e-6;
    let rounding = f64::EPSILON * small;
    assert_eq!(verdict(small, 1.1 * small, 7.0 * rounding), Verdict::GiveUp);
    assert_eq!(verdict(small, 1.1 * small, 9.0 * rounding), Verdict::Undo);
}

#[test]
fn a_frozen_g_is_kept_while_steps_gain_enough() {
    for (after, renew) in [(0.0, false), (1e-3, true)] {
        let mut method = running(GaussNewton::frozen(), 0, 1.0);
        for age in 1..4 {
            assert_eq!(judge(&mut method, SUFFICIENT_GAIN, after), Verdict::Keep);
            assert_eq!((method.run.renew, method.run.age), (renew, age));
        }
    }
}

#[test]
fn after_a_step_of_size_0_only_an_outdated_g_is_formed_again() {
    for (age, renew) in [(0, false), (2, true)] {
        let mut method = running(GaussNewton::frozen(), age, 1.0);
        assert_eq!(judge_size(&mut method, 0.0, 1.0, 1.0), Verdict::Keep);
        assert_eq!((method.run.renew, method.run.age), (renew, age));
    }
}

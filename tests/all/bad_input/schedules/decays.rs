//! Schedules that are constant or decay.

use super::{LEAST, NOT_POSITIVE, POSITIVE, least, positive, run_refused};
use crate::support::refused;
use expnet::schedule::{Constant, ExponentialDecay, InverseTime, Polynomial, StepDecay};

#[test]
fn constant() {
    for (value, is) in NOT_POSITIVE {
        refused(Constant::new(value), &["`size` of `Constant::new`", is, POSITIVE]);
    }
}

#[test]
fn inverse_time_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            InverseTime::new(value, 1.0),
            &["`initial` of `InverseTime::new`", is, POSITIVE],
        );
    }
}

#[test]
fn inverse_time_rate() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(
            InverseTime::new(0.1, *value),
            &["`rate` of `InverseTime::new`", is, LEAST],
        );
    }
    assert!(InverseTime::new(0.1, 0.0).is_ok());
}

#[test]
fn inverse_time_steps() {
    let schedule = InverseTime::new(0.1, 1.0).unwrap().steps(0);
    run_refused(schedule, &["`InverseTime::steps`", "is 0;", "at least 1"]);
}

#[test]
fn step_decay_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            StepDecay::new(value, 0.5, 10),
            &["`initial` of `StepDecay::new`", is, POSITIVE],
        );
    }
}

#[test]
fn step_decay_factor() {
    for (value, is) in NOT_POSITIVE {
        refused(
            StepDecay::new(0.1, value, 10),
            &["`factor` of `StepDecay::new`", is, POSITIVE],
        );
    }
}

#[test]
fn step_decay_period() {
    refused(
        StepDecay::new(0.1, 0.5, 0),
        &["`every` of `StepDecay::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn exponential_decay_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ExponentialDecay::new(value, 0.5, 10),
            &["`initial` of `ExponentialDecay::new`", is, POSITIVE],
        );
    }
}

#[test]
fn exponential_decay_rate() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ExponentialDecay::new(0.1, value, 10),
            &["`rate` of `ExponentialDecay::new`", is, POSITIVE],
        );
    }
}

#[test]
fn exponential_decay_steps() {
    refused(
        ExponentialDecay::new(0.1, 0.5, 0),
        &["`steps` of `ExponentialDecay::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn exponential_decay_end() {
    least(
        |end| ExponentialDecay::new(0.1, 0.5, 10).unwrap().end(end),
        "`ExponentialDecay::end`",
    );
}

#[test]
fn polynomial_initial() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(
            Polynomial::new(*value, 0.0, 10),
            &["`initial` of `Polynomial::new`", is, LEAST],
        );
    }
}

#[test]
fn polynomial_end() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(
            Polynomial::new(0.1, *value, 10),
            &["`end` of `Polynomial::new`", is, LEAST],
        );
    }
}

#[test]
fn polynomial_steps() {
    refused(
        Polynomial::new(0.1, 0.0, 0),
        &["`steps` of `Polynomial::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn polynomial_power() {
    positive(
        |power| Polynomial::new(0.1, 0.0, 10).unwrap().power(power),
        "`Polynomial::power`",
    );
}

//! Schedules that rise and fall.

use super::{LEAST, NOT_POSITIVE, POSITIVE, positive, run_refused, share};
use crate::support::refused;
use expnet::schedule::{Cosine, Cyclic, OneCycle};

#[test]
fn cosine_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(Cosine::new(value, 10), &["`initial` of `Cosine::new`", is, POSITIVE]);
    }
}

#[test]
fn cosine_steps() {
    refused(
        Cosine::new(0.1, 0),
        &["`steps` of `Cosine::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn cosine_alpha() {
    for (value, is) in [(-0.1, "is -0.1;"), (1.5, "is 1.5;"), (f64::NAN, "is NaN;")] {
        let schedule = Cosine::new(0.1, 10).unwrap().alpha(value);
        run_refused(schedule, &["`Cosine::alpha`", is, "from 0 to 1"]);
    }
}

#[test]
fn cosine_exponent() {
    positive(
        |exponent| Cosine::new(0.1, 10).unwrap().exponent(exponent),
        "`Cosine::exponent`",
    );
}

#[test]
fn cosine_restarts() {
    let schedule = Cosine::new(0.1, 10).unwrap().restarts(0);
    run_refused(schedule, &["`multiplier` of `Cosine::restarts`", "is 0;", "at least 1"]);
}

#[test]
fn one_cycle_peak() {
    for (value, is) in NOT_POSITIVE {
        refused(OneCycle::new(value, 10), &["`peak` of `OneCycle::new`", is, POSITIVE]);
    }
}

#[test]
fn one_cycle_steps() {
    refused(
        OneCycle::new(0.1, 0),
        &["`steps` of `OneCycle::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn one_cycle_start_share() {
    share(
        |x| OneCycle::new(0.1, 10).unwrap().start_share(x),
        "`OneCycle::start_share`",
    );
}

#[test]
fn one_cycle_div() {
    positive(
        |x| OneCycle::new(0.1, 10).unwrap().div_factor(x),
        "`OneCycle::div_factor`",
    );
}

#[test]
fn one_cycle_final_div() {
    positive(
        |x| OneCycle::new(0.1, 10).unwrap().final_div_factor(x),
        "`OneCycle::final_div_factor`",
    );
}

#[test]
fn cyclic_base() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(Cyclic::new(*value, 1.0, 4), &["`base` of `Cyclic::new`", is, LEAST]);
    }
}

#[test]
fn cyclic_peak() {
    for (value, is) in [(0.1, "is 0.1;"), (f64::NAN, "is NaN;"), (f64::INFINITY, "is inf;")] {
        refused(
            Cyclic::new(0.2, value, 4),
            &["`peak` of `Cyclic::new`", is, "finite and at least `base`"],
        );
    }
}

#[test]
fn cyclic_rise() {
    refused(
        Cyclic::new(0.1, 1.0, 0),
        &["`up` of `Cyclic::new`", "is 0;", "at least 1"],
    );
}

#[test]
fn cyclic_down() {
    let schedule = Cyclic::new(0.1, 1.0, 4).unwrap().down(0);
    run_refused(schedule, &["`Cyclic::down`", "is 0;", "at least 1"]);
}

#[test]
fn cyclic_decay() {
    let with = |gamma| Cyclic::new(0.1, 1.0, 4).unwrap().decay(gamma);
    positive(with, "`Cyclic::decay`");
    run_refused(with(1.01), &["`Cyclic::decay`", "is 1.01;", "at most 1"]);
}

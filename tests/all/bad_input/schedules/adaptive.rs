//! Adaptive schedules.

use super::{NOT_POSITIVE, POSITIVE, least, positive, run_refused, share};
use crate::support::refused;
use expnet::schedule::{Backtracking, BarzilaiBorwein, DeltaBarDelta, KernelStable, Polyak, ReduceOnPlateau};

#[test]
fn plateau_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ReduceOnPlateau::new(value),
            &["`initial` of `ReduceOnPlateau::new`", is, POSITIVE],
        );
    }
}

#[test]
fn plateau_factor() {
    share(
        |x| ReduceOnPlateau::new(0.1).unwrap().factor(x),
        "`ReduceOnPlateau::factor`",
    );
}

#[test]
fn plateau_threshold() {
    for (value, is) in [(-0.1, "is -0.1;"), (1.0, "is 1;"), (f64::NAN, "is NaN;")] {
        let schedule = ReduceOnPlateau::new(0.1).unwrap().threshold(value);
        run_refused(
            schedule,
            &["`ReduceOnPlateau::threshold`", is, "at least 0 and below 1"],
        );
    }
}

#[test]
fn plateau_min_size() {
    least(
        |x| ReduceOnPlateau::new(0.1).unwrap().min_size(x),
        "`ReduceOnPlateau::min_size`",
    );
}

#[test]
fn kernel_stable_factor() {
    positive(|c| KernelStable::default().factor(c), "`KernelStable::factor`");
}

#[test]
fn backtracking_initial() {
    positive(|x| Backtracking::default().initial(x), "`Backtracking::initial`");
}

#[test]
fn backtracking_armijo() {
    share(|x| Backtracking::default().armijo(x), "`Backtracking::armijo`");
}

#[test]
fn backtracking_shrink() {
    share(|x| Backtracking::default().shrink(x), "`Backtracking::shrink`");
}

#[test]
fn backtracking_grow() {
    for (value, is) in [(0.9, "is 0.9;"), (f64::NAN, "is NaN;"), (f64::INFINITY, "is inf;")] {
        let schedule = Backtracking::default().grow(value);
        run_refused(schedule, &["`Backtracking::grow`", is, "finite and at least 1"]);
    }
}

#[test]
fn backtracking_max() {
    positive(|x| Backtracking::default().max(x), "`Backtracking::max`");
}

#[test]
fn polyak_scaling() {
    positive(|x| Polyak::default().scaling(x), "`Polyak::scaling`");
}

#[test]
fn polyak_max() {
    positive(|x| Polyak::default().max(x), "`Polyak::max`");
}

#[test]
fn polyak_minimum() {
    least(|x| Polyak::default().minimum(x), "`Polyak::minimum`");
}

#[test]
fn polyak_eps() {
    least(|x| Polyak::default().eps(x), "`Polyak::eps`");
}

#[test]
fn barzilai_borwein_initial() {
    positive(|x| BarzilaiBorwein::default().initial(x), "`BarzilaiBorwein::initial`");
}

#[test]
fn delta_bar_delta_initial() {
    positive(|x| DeltaBarDelta::default().initial(x), "`DeltaBarDelta::initial`");
}

#[test]
fn delta_bar_delta_growth() {
    least(|x| DeltaBarDelta::default().growth(x), "`DeltaBarDelta::growth`");
}

#[test]
fn delta_bar_delta_shrink() {
    share(|x| DeltaBarDelta::default().shrink(x), "`DeltaBarDelta::shrink`");
}

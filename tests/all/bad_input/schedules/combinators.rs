//! Combinators of schedules.

use super::{POSITIVE, least, positive, run_refused};
use expnet::schedule::{Constant, KernelStable, Schedule};

#[test]
fn clamp_low() {
    least(|x| 0.1.clamp_to(x, 1.0), "`low` of `Schedule::clamp`");
}

#[test]
fn clamp_high() {
    for (value, is) in [(0.1, "is 0.1;"), (f64::NAN, "is NaN;")] {
        run_refused(
            0.1.clamp_to(0.2, value),
            &["`high` of `Schedule::clamp`", is, "at least `low`"],
        );
    }
}

#[test]
fn scale_factor() {
    positive(|x| Schedule::<f64>::scale(0.1, x), "`factor` of `Schedule::scale`");
}

/// Every combinator passes the check on to what it holds.
#[test]
fn bad_settings_within_combinators() {
    let bad = || KernelStable::default().factor(-1.0);
    let words = ["`KernelStable::factor`", "is -1;", POSITIVE];
    run_refused(Schedule::<f64>::warmup(bad(), 3), &words);
    run_refused(Schedule::<f64>::clamp(bad(), 0.0, 1.0), &words);
    run_refused(Schedule::<f64>::scale(bad(), 2.0), &words);
    run_refused(Schedule::<f64>::then(bad(), 3, 0.1), &words);
    run_refused(Schedule::<f64>::then(0.1, 3, bad()), &words);
    run_refused(Box::new(bad()) as Box<dyn Schedule<f64>>, &words);
    let mut lent = bad();
    run_refused(&mut lent as &mut dyn Schedule<f64>, &words);
}

/// `f64::clamp` takes precedence over the trait's.
trait ClampTo {
    fn clamp_to(self, low: f64, high: f64) -> expnet::schedule::Clamp<Constant, f64>;
}

impl ClampTo for f64 {
    fn clamp_to(self, low: f64, high: f64) -> expnet::schedule::Clamp<Constant, f64> {
        Constant::new(self).unwrap().clamp(low, high)
    }
}

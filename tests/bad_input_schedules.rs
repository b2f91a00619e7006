//! One bad setting a test: the error names the setting, the value and the range.

mod refused;

use expnet::method::{Direction, Evaluation, GradientDescent, Method, Minibatch};
use expnet::schedule::{
    Backtracking, BarzilaiBorwein, Constant, Cosine, Cyclic, DeltaBarDelta, ExponentialDecay, InverseTime,
    KernelStable, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule, StepDecay,
};
use expnet::{Dataset, Error, ExpNetwork, Initializer, Trainer};
use refused::refused;

const POSITIVE: &str = "positive and finite";
const LEAST: &str = "finite and at least 0";
const SHARE: &str = "above 0 and below 1";
/// Neither positive nor finite, as printed.
const NOT_POSITIVE: [(f64, &str); 5] = [
    (0.0, "is 0;"),
    (-1.0, "is -1;"),
    (f64::NAN, "is NaN;"),
    (f64::INFINITY, "is inf;"),
    (f64::NEG_INFINITY, "is -inf;"),
];
const NOT_SHARES: [(f64, &str); 4] = [
    (0.0, "is 0;"),
    (1.0, "is 1;"),
    (-0.5, "is -0.5;"),
    (f64::NAN, "is NaN;"),
];

/// Starts a run with the method; the error must name each of `words`, and the network stays as it is.
fn run_refused_by<'a>(schedule: impl Schedule<f64> + 'a, method: impl Method<f64> + 'a, words: &[&str]) {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let mut net: ExpNetwork<f64> = Initializer::new(2, 8).build().unwrap();
    let before = net.weights().clone();
    refused(Trainer::new(schedule).method(method).fit(&mut net, &data), words);
    assert_eq!(net.weights(), &before);
}

fn run_refused<'a>(schedule: impl Schedule<f64> + 'a, words: &[&str]) {
    run_refused_by(schedule, GradientDescent::default(), words);
}

/// Every number that is not positive and finite is refused, by the run.
fn positive<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in NOT_POSITIVE {
        run_refused(with(value), &[setting, is, POSITIVE]);
    }
}

/// 0 is fine, anything below, infinite or NaN is refused, by the run.
fn least<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in &NOT_POSITIVE[1..] {
        run_refused(with(*value), &[setting, is, LEAST]);
    }
}

fn share<S: Schedule<f64>>(with: impl Fn(f64) -> S, setting: &str) {
    for (value, is) in NOT_SHARES {
        run_refused(with(value), &[setting, is, SHARE]);
    }
}

#[test]
fn constant() {
    for (value, is) in NOT_POSITIVE {
        refused(Constant::new(value), &["the step size of `Constant`", is, POSITIVE]);
    }
}

#[test]
fn number() {
    let remedy = "a schedule must answer with a finite number that is not negative";
    for (value, is) in &NOT_POSITIVE[1..] {
        run_refused(*value, &["step size of step 0", &is.replace(';', ""), remedy]);
    }
}

#[test]
fn closure_turning_bad() {
    let mut calls = 0;
    let schedule = expnet::schedule::from_fn(move |_| {
        calls += 1;
        if calls < 4 { 0.0 } else { f64::NAN }
    });
    run_refused(schedule, &["step size of step 3", "NaN"]);
}

#[test]
fn inverse_time_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            InverseTime::new(value, 1.0),
            &["the initial size of `InverseTime`", is, POSITIVE],
        );
    }
}

#[test]
fn inverse_time_rate() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(InverseTime::new(0.1, *value), &["the rate of `InverseTime`", is, LEAST]);
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
            &["the initial size of `StepDecay`", is, POSITIVE],
        );
    }
}

#[test]
fn step_decay_factor() {
    for (value, is) in NOT_POSITIVE {
        refused(
            StepDecay::new(0.1, value, 10),
            &["the factor of `StepDecay`", is, POSITIVE],
        );
    }
}

#[test]
fn step_decay_period() {
    refused(
        StepDecay::new(0.1, 0.5, 0),
        &["the period of `StepDecay`", "is 0;", "at least 1"],
    );
}

#[test]
fn exponential_decay_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ExponentialDecay::new(value, 0.5, 10),
            &["the initial size of `ExponentialDecay`", is, POSITIVE],
        );
    }
}

#[test]
fn exponential_decay_rate() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ExponentialDecay::new(0.1, value, 10),
            &["the rate of `ExponentialDecay`", is, POSITIVE],
        );
    }
}

#[test]
fn exponential_decay_steps() {
    refused(
        ExponentialDecay::new(0.1, 0.5, 0),
        &["the steps of `ExponentialDecay`", "is 0;", "at least 1"],
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
            &["the initial size of `Polynomial`", is, LEAST],
        );
    }
}

#[test]
fn polynomial_end() {
    for (value, is) in &NOT_POSITIVE[1..] {
        refused(
            Polynomial::new(0.1, *value, 10),
            &["the end of `Polynomial`", is, LEAST],
        );
    }
}

#[test]
fn polynomial_steps() {
    refused(
        Polynomial::new(0.1, 0.0, 0),
        &["the steps of `Polynomial`", "is 0;", "at least 1"],
    );
}

#[test]
fn polynomial_power() {
    positive(
        |power| Polynomial::new(0.1, 0.0, 10).unwrap().power(power),
        "`Polynomial::power`",
    );
}

#[test]
fn cosine_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(Cosine::new(value, 10), &["the initial size of `Cosine`", is, POSITIVE]);
    }
}

#[test]
fn cosine_steps() {
    refused(Cosine::new(0.1, 0), &["the steps of `Cosine`", "is 0;", "at least 1"]);
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
    run_refused(
        schedule,
        &["the multiplier of `Cosine::restarts`", "is 0;", "at least 1"],
    );
}

#[test]
fn one_cycle_peak() {
    for (value, is) in NOT_POSITIVE {
        refused(OneCycle::new(value, 10), &["the peak of `OneCycle`", is, POSITIVE]);
    }
}

#[test]
fn one_cycle_steps() {
    refused(
        OneCycle::new(0.1, 0),
        &["the steps of `OneCycle`", "is 0;", "at least 1"],
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
        refused(Cyclic::new(*value, 1.0, 4), &["the base of `Cyclic`", is, LEAST]);
    }
}

#[test]
fn cyclic_peak() {
    for (value, is) in [(0.1, "is 0.1;"), (f64::NAN, "is NaN;"), (f64::INFINITY, "is inf;")] {
        refused(
            Cyclic::new(0.2, value, 4),
            &["the peak of `Cyclic`", is, "finite and at least the base"],
        );
    }
}

#[test]
fn cyclic_rise() {
    refused(
        Cyclic::new(0.1, 1.0, 0),
        &["the rise of `Cyclic`", "is 0;", "at least 1 step"],
    );
}

#[test]
fn cyclic_down() {
    let schedule = Cyclic::new(0.1, 1.0, 4).unwrap().down(0);
    run_refused(schedule, &["`Cyclic::down`", "is 0;", "at least 1 step"]);
}

#[test]
fn cyclic_decay() {
    let with = |gamma| Cyclic::new(0.1, 1.0, 4).unwrap().decay(gamma);
    positive(with, "`Cyclic::decay`");
    run_refused(with(1.01), &["`Cyclic::decay`", "is 1.01;", "at most 1"]);
}

#[test]
fn plateau_initial() {
    for (value, is) in NOT_POSITIVE {
        refused(
            ReduceOnPlateau::new(value),
            &["the initial size of `ReduceOnPlateau`", is, POSITIVE],
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

#[test]
fn clamp_low() {
    least(|x| 0.1.clamp_to(x, 1.0), "the lower bound of `clamp`");
}

#[test]
fn clamp_high() {
    for (value, is) in [(0.1, "is 0.1;"), (f64::NAN, "is NaN;")] {
        run_refused(
            0.1.clamp_to(0.2, value),
            &["the upper bound of `clamp`", is, "at least the lower bound"],
        );
    }
}

#[test]
fn scale_factor() {
    positive(|x| Schedule::<f64>::scale(0.1, x), "the factor of `scale`");
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

/// A method of the default kind, `Kind::Dual`.
struct Other;

impl Method<f64> for Other {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
        Ok(())
    }
}

const NO_GRADIENT: &str = "a method that does not follow the gradient";

#[test]
fn kernel_stable_without_a_gradient() {
    let words = ["KernelStable", NO_GRADIENT, "constant step size of 1", "`Backtracking`"];
    run_refused_by(KernelStable::default(), Other, &words);
}

#[test]
fn polyak_without_a_gradient() {
    let words = ["Polyak", NO_GRADIENT, "constant step size of 1", "`Backtracking`"];
    run_refused_by(Polyak::default(), Other, &words);
}

/// Those that compare the gradients of two steps.
fn plain_only<S: Schedule<f64>>(schedule: impl Fn() -> S, name: &str) {
    let plain = GradientDescent::default();
    let remedies = ["`KernelStable`", "`Backtracking`", "`GradientDescent::default()`"];
    let words = |with| [&[name, with, "compares the gradients of two steps"], &remedies[..]].concat();
    run_refused_by(schedule(), plain.momentum(0.5), &words("momentum or clipping"));
    run_refused_by(schedule(), plain.nesterov(0.5), &words("momentum or clipping"));
    run_refused_by(schedule(), plain.clip_norm(1.0), &words("momentum or clipping"));
    run_refused_by(schedule(), Minibatch::new(1), &words("minibatches"));
    run_refused_by(schedule(), Other, &words(NO_GRADIENT));
    let later = Schedule::<f64>::then(0.1, 10, schedule()).warmup(3);
    run_refused_by(later, Minibatch::new(1), &words("minibatches"));
}

#[test]
fn barzilai_borwein_with_anything_but_plain_gradients() {
    plain_only(BarzilaiBorwein::default, "BarzilaiBorwein");
}

#[test]
fn delta_bar_delta_with_anything_but_plain_gradients() {
    plain_only(DeltaBarDelta::default, "DeltaBarDelta");
}

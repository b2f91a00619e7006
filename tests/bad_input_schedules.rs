//! Schedules with one wrong setting each, and schedules that make no sense for a method.

mod refused;

use expnet::method::{Direction, Evaluation, GradientDescent, Method, Minibatch};
use expnet::schedule::*;
use expnet::{Dataset, Error, Initializer, Trainer};
use refused::refused;

/// What a run says before its first step.
fn start(trainer: Trainer<'_, f64>) -> Result<(), Error> {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    let mut net = Initializer::new(2, 4).build::<f64>()?;
    trainer.start(&mut net, &data).map(|_| ())
}

fn bad(schedule: impl Schedule<f64>, words: &[&str]) {
    refused(start(Trainer::new(schedule)), words);
}

#[test]
fn constructors_refuse_sizes_that_are_none() {
    for x in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let value = x.to_string();
        refused(Constant::new(x), &["Constant", &value, "positive"]);
        refused(InverseTime::new(x, 1.0), &["InverseTime", &value, "positive"]);
        refused(StepDecay::new(x, 0.5, 3), &["StepDecay", &value, "positive"]);
        refused(StepDecay::new(1.0, x, 3), &["factor", "StepDecay", &value]);
        refused(
            ExponentialDecay::new(x, 0.5, 3),
            &["ExponentialDecay", &value, "positive"],
        );
        refused(ExponentialDecay::new(1.0, x, 3), &["rate", "ExponentialDecay", &value]);
        refused(Cosine::new(x, 3), &["Cosine", &value, "positive"]);
        refused(OneCycle::new(x, 3), &["OneCycle", &value, "positive"]);
        refused(ReduceOnPlateau::new(x), &["ReduceOnPlateau", &value, "positive"]);
    }
    for x in [-1.0, f64::NAN, f64::INFINITY] {
        let value = x.to_string();
        refused(InverseTime::new(1.0, x), &["rate", "InverseTime", &value]);
        refused(Polynomial::new(x, 1.0, 3), &["initial", "Polynomial", &value]);
        refused(Polynomial::new(1.0, x, 3), &["end", "Polynomial", &value]);
        refused(Cyclic::new(x, 1.0, 3), &["base", "Cyclic", &value]);
    }
    refused(Cyclic::new(2.0, 1.0, 3), &["peak", "Cyclic", "1", "at least the base"]);
}

#[test]
fn constructors_refuse_no_steps() {
    refused(StepDecay::new(1.0, 0.5, 0), &["StepDecay", "0", "at least 1"]);
    refused(
        ExponentialDecay::new(1.0, 0.5, 0),
        &["ExponentialDecay", "0", "at least 1"],
    );
    refused(Polynomial::new(1.0, 0.5, 0), &["Polynomial", "0", "at least 1"]);
    refused(Cosine::new(1.0, 0), &["Cosine", "0", "at least 1"]);
    refused(OneCycle::new(1.0, 0), &["OneCycle", "0", "at least 1"]);
    refused(Cyclic::new(0.1, 1.0, 0), &["Cyclic", "0", "at least 1"]);
}

#[test]
fn setters_of_functions_of_the_step() {
    bad(
        InverseTime::new(1.0, 1.0).unwrap().steps(0),
        &["InverseTime::steps", "0", "at least 1"],
    );
    bad(
        ExponentialDecay::new(1.0, 0.5, 3).unwrap().end(-1.0),
        &["ExponentialDecay::end", "-1"],
    );
    bad(
        Polynomial::new(1.0, 0.5, 3).unwrap().power(0.0),
        &["Polynomial::power", "0", "positive"],
    );
    bad(
        Cosine::new(1.0, 3).unwrap().alpha(1.5),
        &["Cosine::alpha", "1.5", "0 to 1"],
    );
    bad(Cosine::new(1.0, 3).unwrap().exponent(-2.0), &["Cosine::exponent", "-2"]);
    bad(
        Cosine::new(1.0, 3).unwrap().restarts(0),
        &["Cosine::restarts", "0", "at least 1"],
    );
    bad(
        OneCycle::new(1.0, 3).unwrap().start_share(1.0),
        &["OneCycle::start_share", "1", "below 1"],
    );
    bad(
        OneCycle::new(1.0, 3).unwrap().div_factor(0.0),
        &["OneCycle::div_factor", "0", "positive"],
    );
    bad(
        OneCycle::new(1.0, 3).unwrap().final_div_factor(f64::NAN),
        &["OneCycle::final_div_factor", "NaN"],
    );
    bad(
        Cyclic::new(0.1, 1.0, 3).unwrap().down(0),
        &["Cyclic::down", "0", "at least 1"],
    );
    bad(
        Cyclic::new(0.1, 1.0, 3).unwrap().decay(1.5),
        &["Cyclic::decay", "1.5", "at most 1"],
    );
}

#[test]
fn setters_of_schedules_that_look() {
    let plateau = || ReduceOnPlateau::new(1.0).unwrap();
    bad(plateau().factor(1.0), &["ReduceOnPlateau::factor", "1", "below 1"]);
    bad(plateau().threshold(-0.1), &["ReduceOnPlateau::threshold", "-0.1"]);
    bad(plateau().min_size(f64::NAN), &["ReduceOnPlateau::min_size", "NaN"]);
    bad(
        KernelStable::default().factor(0.0),
        &["KernelStable::factor", "0", "positive"],
    );
    bad(Polyak::default().scaling(0.0), &["Polyak::scaling", "0"]);
    bad(Polyak::default().max(-1.0), &["Polyak::max", "-1"]);
    bad(Polyak::default().minimum(-1.0), &["Polyak::minimum", "-1"]);
    bad(Polyak::default().eps(f64::NAN), &["Polyak::eps", "NaN"]);
    bad(Backtracking::default().initial(0.0), &["Backtracking::initial", "0"]);
    bad(Backtracking::default().armijo(1.0), &["Backtracking::armijo", "1"]);
    bad(Backtracking::default().shrink(1.0), &["Backtracking::shrink", "1"]);
    bad(Backtracking::default().grow(0.9), &["Backtracking::grow", "0.9"]);
    bad(Backtracking::default().max(0.0), &["Backtracking::max", "0"]);
    bad(
        BarzilaiBorwein::default().initial(-1.0),
        &["BarzilaiBorwein::initial", "-1"],
    );
    bad(
        DeltaBarDelta::default().initial(-1.0),
        &["DeltaBarDelta::initial", "-1"],
    );
    bad(DeltaBarDelta::default().growth(-1.0), &["DeltaBarDelta::growth", "-1"]);
    bad(DeltaBarDelta::default().shrink(0.0), &["DeltaBarDelta::shrink", "0"]);
}

#[test]
fn combinators() {
    let fine = || Constant::new(1.0).unwrap();
    bad(
        Schedule::<f64>::clamp(fine(), 2.0, 1.0),
        &["upper bound of `clamp`", "1", "at least the lower"],
    );
    bad(
        Schedule::<f64>::clamp(fine(), -1.0, 1.0),
        &["lower bound of `clamp`", "-1"],
    );
    bad(
        Schedule::<f64>::clamp(fine(), f64::NAN, 1.0),
        &["lower bound of `clamp`", "NaN"],
    );
    bad(Schedule::<f64>::scale(fine(), 0.0), &["factor of `scale`", "0"]);
    let hidden = KernelStable::default().factor(-1.0);
    bad(
        Schedule::<f64>::warmup(hidden, 3).scale(2.0).clamp(0.0, 1.0),
        &["KernelStable::factor", "-1"],
    );
    bad(
        Schedule::<f64>::then(fine(), 3, hidden),
        &["KernelStable::factor", "-1"],
    );
}

/// A method that follows something else than the gradient.
struct Other;

impl Method<f64> for Other {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn schedules_that_make_no_sense_for_a_method() {
    let words = |name| ["does not go with", "gradient", name];
    refused(
        start(Trainer::new(KernelStable::default()).method(Other)),
        &words("KernelStable"),
    );
    refused(start(Trainer::new(Polyak::default()).method(Other)), &words("Polyak"));
    refused(
        start(Trainer::new(BarzilaiBorwein::default()).method(Other)),
        &words("BarzilaiBorwein"),
    );
    refused(
        start(Trainer::new(DeltaBarDelta::default()).method(Other)),
        &words("DeltaBarDelta"),
    );
    let momentum = GradientDescent::default().momentum(0.5);
    refused(
        start(Trainer::new(BarzilaiBorwein::default()).method(momentum)),
        &["momentum", "KernelStable"],
    );
    let clipped = GradientDescent::default().clip_norm(0.5);
    refused(
        start(Trainer::new(DeltaBarDelta::default()).method(clipped)),
        &["clipping"],
    );
    refused(
        start(Trainer::new(BarzilaiBorwein::default()).method(Minibatch::new(1))),
        &["minibatches"],
    );
    let joined = Schedule::<f64>::then(1e-3, 5, KernelStable::default());
    refused(start(Trainer::new(joined).method(Other)), &words("KernelStable"));
    start(Trainer::default().method(Other)).unwrap();
}

//! Schedules against optax, JAX and PyTorch: every value of `tests/data/schedules.json`, computed directly and in a
//! run.

use crate::support::Scripted;
use expnet::method::DirectionKind;
use expnet::observer::Progress;
use expnet::schedule::{
    Constant, Cosine, Cyclic, ExponentialDecay, InverseTime, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule,
    StepDecay,
};
use expnet::{Dataset, Error, ExpNetwork, Trainer};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;
use std::ops::ControlFlow;

/// PyTorch's recurrences multiply where the formulas here take powers.
const TOLERANCE: f64 = 1e-12;

/// Steps so small that the weights stay as they are.
const STILL: f64 = 1e-200;

/// Steps that a run goes at most.
const RUN: usize = 500;

struct Case(Value);

impl Case {
    fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("no {key}"))
    }

    fn maybe(&self, key: &str) -> Option<f64> {
        self.0[key].as_f64()
    }

    fn count(&self, key: &str) -> usize {
        usize::try_from(self.0[key].as_u64().unwrap_or_else(|| panic!("no {key}"))).unwrap()
    }

    fn flag(&self, key: &str) -> bool {
        self.0[key].as_bool().unwrap()
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    fn list(&self, key: &str) -> Vec<f64> {
        let values = self.0[key].as_array().unwrap();
        values.iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn steps(&self) -> Vec<usize> {
        let steps = self.0["steps"].as_array().unwrap();
        steps
            .iter()
            .map(|t| usize::try_from(t.as_u64().unwrap()).unwrap())
            .collect()
    }

    /// That `found` are the values at the first steps.
    fn compare(&self, found: &[f64]) {
        let (steps, expected) = (self.steps(), self.list("values"));
        assert_eq!(steps.len(), expected.len());
        for ((t, expected), found) in steps.iter().zip(expected).zip(found) {
            assert!(
                (found - expected).abs() <= TOLERANCE * expected.abs(),
                "step {t}: {found} instead of {expected} in {}",
                self.0
            );
        }
    }

    fn compare_at(&self, at: impl Fn(usize) -> f64) {
        let found: Vec<f64> = self.steps().into_iter().map(at).collect();
        self.compare(&found);
    }

    /// Runs the schedule for all steps up to `RUN`.
    fn compare_run(&self, schedule: impl Schedule<f64>) {
        let steps: Vec<usize> = self.steps().into_iter().filter(|&t| t < RUN).collect();
        assert!(steps.iter().copied().eq(0..steps.len()), "{steps:?} has gaps");
        let data = Dataset::from_rows(&[[0.3], [0.7]], &[1.0, -1.0]).unwrap();
        let sizes = sizes(Trainer::new(schedule.scale(STILL)), &data, steps.len());
        self.compare(&sizes);
    }
}

/// The sizes of a run on the network 2 neurons wide whose weights are 0 and whose outputs cancel.
fn sizes(trainer: Trainer<'_, f64>, data: &Dataset<f64>, steps: usize) -> Vec<f64> {
    let mut sizes = Vec::new();
    let (weights, outputs) = (
        DMatrix::zeros(data.points().nrows(), 2),
        DVector::from_vec(vec![1.0, -1.0]),
    );
    let mut net = ExpNetwork::from_parts(weights, outputs).unwrap();
    let report = trainer
        .max_steps(steps)
        .observe(|progress: &Progress<'_, f64>| {
            sizes.push(progress.step_size().unwrap() / STILL);
            ControlFlow::Continue(())
        })
        .fit(&mut net, data)
        .unwrap();
    assert_eq!(report.steps(), steps);
    assert_eq!(sizes.len(), steps);
    sizes
}

/// Gradient descent on one sample per step, in order: a run through given losses. With `whole` the sample is repeated as often
/// as there are samples, as for a schedule that compares epochs.
fn in_order(whole: bool) -> Scripted<'static, f64> {
    let mut steps = 0;
    Scripted::new()
        .of_kind(DirectionKind::BatchGradient)
        .dealing(move |samples, batch| {
            batch.resize(if whole { samples } else { 1 }, steps % samples);
            steps += 1;
        })
}

/// One sample for each loss; the square of the gradient's norm is ||x||^2 (a_1^2 + a_2^2) e^2 = 4 ||x||^2 L.
fn with_losses(losses: &[f64], norms: &[f64]) -> Dataset<f64> {
    let rows: Vec<[f64; 1]> = losses
        .iter()
        .zip(norms)
        .map(|(loss, norm)| [(norm / (4.0 * loss)).sqrt()])
        .collect();
    let labels: Vec<f64> = losses.iter().map(|loss| (2.0 * loss).sqrt()).collect();
    Dataset::from_rows(&rows, &labels).unwrap()
}

#[allow(clippy::too_many_lines)] // one arm per schedule
fn run(case: &Case) -> Result<(), Error> {
    match case.text("schedule") {
        "Constant" => {
            case.compare_run(Constant::new(case.number("size"))?);
            case.compare_run(case.number("size"));
        }
        "InverseTime" => {
            let schedule = InverseTime::new(case.number("initial"), case.number("rate"))?
                .steps(case.count("length"))
                .staircase(case.flag("staircase"));
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "StepDecay" => {
            let schedule = StepDecay::new(case.number("initial"), case.number("factor"), case.count("every"))?;
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "ExponentialDecay" => {
            let mut schedule =
                ExponentialDecay::new(case.number("initial"), case.number("rate"), case.count("length"))?
                    .begin(case.count("begin"))
                    .staircase(case.flag("staircase"));
            if let Some(end) = case.maybe("end") {
                schedule = schedule.end(end);
            }
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "Polynomial" => {
            let schedule = Polynomial::new(case.number("initial"), case.number("end"), case.count("length"))?
                .power(case.number("power"))
                .begin(case.count("begin"));
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "Cosine" => {
            let schedule = Cosine::new(case.number("initial"), case.count("length"))?
                .alpha(case.number("alpha"))
                .exponent(case.number("exponent"));
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "CosineRestarts" => {
            let schedule = Cosine::new(case.number("initial"), case.count("length"))?
                .alpha(case.number("alpha"))
                .restarts(case.count("multiplier"));
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "OneCycle" => {
            let schedule = OneCycle::new(case.number("peak"), case.count("length"))?
                .start_share(case.number("start_share"))
                .div_factor(case.number("div"))
                .final_div_factor(case.number("final_div"));
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "Cyclic" => {
            let mut schedule = Cyclic::new(case.number("base"), case.number("peak"), case.count("up"))?;
            if case.maybe("down").is_some() {
                schedule = schedule.down(case.count("down"));
            }
            schedule = match case.text("mode") {
                "triangular" => schedule,
                "triangular2" => schedule.halving(),
                "exp_range" => schedule.decay(case.number("gamma")),
                mode => panic!("{mode}"),
            };
            case.compare_at(|t| schedule.at(t));
            case.compare_run(schedule);
        }
        "WarmupCosine" => {
            let (warmup, total) = (case.count("warmup"), case.count("total"));
            let cosine = Cosine::new(case.number("peak"), total - warmup)?
                .alpha(case.number("alpha"))
                .exponent(case.number("exponent"));
            case.compare_run(cosine.warmup(warmup));
        }
        "Then" => {
            let (first, start, steps) = (case.number("first"), case.count("start"), case.count("length"));
            let decay = ExponentialDecay::new(first, case.number("decay"), 6)?;
            let cosine = Cosine::new(2.0 * first, steps)?;
            let last = case.number("last");
            case.compare_run(Schedule::<f64>::then(decay, start, cosine).then(start + steps + 3, last));
            case.compare_run(decay.then(start, Schedule::<f64>::then(cosine, steps + 3, last)));
        }
        "ReduceOnPlateau" => {
            let schedule = ReduceOnPlateau::new(case.number("initial"))?
                .factor(case.number("factor"))
                .patience(case.count("patience"))
                .threshold(case.number("threshold"))
                .cooldown(case.count("cooldown"))
                .min_size(case.number("min_size"));
            let losses = case.list("losses");
            let trainer = Trainer::new(schedule.scale(STILL)).method(in_order(true));
            case.compare(&sizes(trainer, &with_losses(&losses, &losses), losses.len()));
        }
        "Polyak" => {
            let schedule = Polyak::default()
                .scaling(case.number("scaling"))
                .max(case.number("max"))
                .minimum(case.number("minimum"))
                .eps(case.number("eps"));
            let (losses, norms) = (case.list("losses"), case.list("norms"));
            case.compare_at(|t| schedule.at(losses[t], norms[t]));
            let trainer = Trainer::new(schedule.scale(STILL)).method(in_order(false));
            case.compare(&sizes(trainer, &with_losses(&losses, &norms), losses.len()));
        }
        unknown => panic!("no test for {unknown}"),
    }
    Ok(())
}

#[test]
fn every_value_of_the_table() {
    let Ok(Value::Array(cases)) = serde_json::from_str(include_str!("../../data/schedules.json")) else {
        panic!("the table is no list");
    };
    let mut seen = std::collections::BTreeMap::new();
    for case in cases {
        let case = Case(case);
        assert!(case.steps().len() >= 8);
        run(&case).unwrap();
        *seen.entry(case.text("schedule").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
    assert!(seen.values().all(|&n| n >= 3), "{seen:?}");
}

/// As in optax, whose bound is a lower one for rates below 1 only.
#[test]
fn exponential_decay_at_rate_1_is_bounded_from_above() {
    let schedule = |end| ExponentialDecay::new(1.0, 1.0, 5).unwrap().end(end);
    assert_eq!((schedule(0.5).at(3), schedule(2.0).at(3)), (0.5, 1.0));
}

//! Schedules against optax, JAX and PyTorch: every value of `tests/data/schedules.json`, asked for by step and taken in a run.

use expnet::method::{Direction, Evaluation, Kind, Method};
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

impl Case<'_> {
    fn float(&self, key: &str) -> f64 {
        self.0[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {}", self.0["schedule"]))
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

    fn floats(&self, key: &str) -> Vec<f64> {
        self.0[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect()
    }

    fn steps(&self) -> Vec<usize> {
        self.0["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| usize::try_from(x.as_u64().unwrap()).unwrap())
            .collect()
    }
}

/// The schedule of a case; `None` for those that do not depend on the step alone.
fn schedule(case: &Case<'_>) -> Option<Box<dyn Schedule<f64>>> {
    let (initial, every) = (|| case.float("initial"), || case.int("every"));
    Some(match case.0["schedule"].as_str().unwrap() {
        "Constant" => Box::new(Constant::new(case.float("size")).unwrap()),
        "InverseTime" => {
            let schedule = InverseTime::new(initial(), case.float("rate")).unwrap();
            Box::new(schedule.steps(every()).staircase(case.flag("staircase")))
        }
        "StepDecay" => Box::new(StepDecay::new(initial(), case.float("factor"), every()).unwrap()),
        "ExponentialDecay" => {
            let schedule = ExponentialDecay::new(initial(), case.float("rate"), every()).unwrap();
            let schedule = schedule.begin(case.int("begin")).staircase(case.flag("staircase"));
            Box::new(match case.0["end"].as_f64() {
                Some(end) => schedule.end(end),
                None => schedule,
            })
        }
        "Polynomial" => {
            let schedule = Polynomial::new(initial(), case.float("end"), every()).unwrap();
            Box::new(schedule.power(case.float("power")).begin(case.int("begin")))
        }
        "Cosine" => {
            let schedule = Cosine::new(initial(), every()).unwrap();
            Box::new(schedule.alpha(case.float("alpha")).exponent(case.float("exponent")))
        }
        "CosineRestarts" => {
            let schedule = Cosine::new(initial(), every()).unwrap();
            Box::new(schedule.alpha(case.float("alpha")).restarts(case.int("multiplier")))
        }
        "OneCycle" => {
            let schedule = OneCycle::new(case.float("peak"), every())
                .unwrap()
                .start_share(case.float("share"));
            Box::new(
                schedule
                    .div_factor(case.float("div"))
                    .final_div_factor(case.float("final")),
            )
        }
        "Cyclic" => {
            let schedule = Cyclic::new(case.float("base"), case.float("peak"), case.int("up")).unwrap();
            let schedule = schedule.down(case.int("down"));
            Box::new(match case.0["mode"].as_str().unwrap() {
                "triangular2" => schedule.halving(),
                "exp_range" => schedule.decay(case.float("gamma")),
                _ => schedule,
            })
        }
        "WarmupCosine" => {
            let schedule = Cosine::new(case.float("peak"), case.int("decay"))
                .unwrap()
                .alpha(case.float("alpha"));
            Box::new(schedule.warmup(case.int("warmup")))
        }
        "Joined" => {
            let next = ExponentialDecay::new(initial(), case.float("rate"), every()).unwrap();
            Box::new(Constant::new(case.float("size")).unwrap().then(case.int("at"), next))
        }
        "Polyak" | "ReduceOnPlateau" => return None,
        other => panic!("no test for {other}"),
    })
}

/// The sizes that a trainer gets in its first steps, times `unit`.
fn sizes(schedule: Box<dyn Schedule<f64>>, unit: f64, steps: usize) -> Vec<f64> {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let mut net = Initializer::new(2, 4).std_dev(0.1).build::<f64>().unwrap();
    let mut sizes = Vec::new();
    let record = |progress: &Progress<'_, f64>| {
        sizes.push(progress.step_size().unwrap() / unit);
        ControlFlow::Continue(())
    };
    Trainer::new(schedule.scale(unit))
        .max_steps(steps)
        .observe(record)
        .fit(&mut net, &data)
        .unwrap();
    sizes
}

#[test]
fn functions_of_the_step_match_value_for_value() {
    let mut compared = std::collections::BTreeMap::new();
    for case in &table() {
        let case = Case(case);
        let Some(schedule) = schedule(&case) else { continue };
        let (steps, values) = (case.steps(), case.floats("values"));
        assert_eq!(steps.len(), values.len());
        // So small that nothing moves, and a power of two, so that no value is rounded.
        let found = sizes(schedule, 2f64.powi(-40), steps.last().unwrap() + 1);
        let scale = values.iter().copied().fold(0.0, f64::max);
        for (step, expected) in steps.into_iter().zip(values) {
            let error = (found[step] - expected).abs();
            assert!(
                error <= 1e-12 * scale,
                "{:?} at step {step}: {} instead of {expected}",
                case.0,
                found[step]
            );
        }
        *compared.entry(case.0["schedule"].to_string()).or_insert(0) += 1;
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        batch.push(self.0 % samples);
        self.0 += 1;
    }

    fn prepare(&mut self, _: usize) -> Result<Kind, Error> {
        Ok(Kind::BatchGradient)
    }
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
                .div(case.number("div"))
                .final_div(case.number("final_div"));
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
            let trainer = Trainer::new(schedule.scale(STILL)).method(InOrder(0));
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
            let trainer = Trainer::new(schedule.scale(STILL)).method(InOrder(0));
            case.compare(&sizes(trainer, &with_losses(&losses, &norms), losses.len()));
        }
        unknown => panic!("no test for {unknown}"),
    }
    Ok(())
}

#[test]
fn every_value_of_the_table() {
    let Ok(Value::Array(cases)) = serde_json::from_str(include_str!("data/schedules.json")) else {
        panic!("the table is no list");
    };
    let mut seen = std::collections::BTreeMap::new();
    for case in cases {
        let case = Case(case);
        let schedule = Polyak::default().scaling(case.float("scaling")).max(case.float("max"));
        let schedule = schedule.minimum(case.float("minimum")).eps(case.float("eps"));
        let inputs = case.0["inputs"].as_array().unwrap().iter();
        for (input, expected) in inputs.zip(case.floats("values")) {
            let found = schedule.at(input[0].as_f64().unwrap(), input[1].as_f64().unwrap());
            assert!(
                (found - expected).abs() <= 1e-12 * expected.abs(),
                "{input}: {found} instead of {expected}"
            );
        }
        cases += 1;
    }
    assert_eq!(cases, 3);
    assert_eq!(Polyak::default().at(1.0, 0.0), 0.0);
    assert_eq!(
        Polyak::default().scaling(0.5).at(1.0, 4.0),
        0.125,
        "a factor for every size"
    );
}

#[test]
fn clamp_and_scale_do_what_they_say() {
    let schedule = InverseTime::new(1.0, 1.0).unwrap();
    let clamped = sizes(Box::new(Schedule::<f64>::clamp(schedule, 0.3, 0.6)), 2f64.powi(-40), 5);
    assert_eq!(clamped, [0.6, 0.5, 1.0 / 3.0, 0.3, 0.3]);
    let scaled = sizes(Box::new(Schedule::<f64>::scale(schedule, 4.0)), 2f64.powi(-40), 3);
    assert_eq!(scaled, [4.0, 2.0, 4.0 / 3.0]);
}

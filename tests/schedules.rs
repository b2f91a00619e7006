//! Every schedule against the values of optax, JAX and PyTorch (`tests/data/schedules.py`), through the trait, in a run.

use expnet::observer::Progress;
use expnet::schedule::{
    Constant, Cosine, Cyclic, ExponentialDecay, InverseTime, OneCycle, Polyak, Polynomial, Schedule, StepDecay,
};
use expnet::{Dataset, Initializer, Trainer};
use serde_json::Value;
use std::ops::ControlFlow;

fn table() -> Vec<Value> {
    let table: Value = serde_json::from_str(include_str!("data/schedules.json")).unwrap();
    table.as_array().unwrap().clone()
}

/// The settings of a case.
struct Case<'a>(&'a Value);

impl Case<'_> {
    fn float(&self, key: &str) -> f64 {
        self.0[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {}", self.0["schedule"]))
    }

    fn int(&self, key: &str) -> usize {
        usize::try_from(self.0[key].as_u64().unwrap()).unwrap()
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
    assert_eq!(compared.len(), 11, "{compared:?}");
    assert!(compared.values().all(|&count| count >= 3), "{compared:?}");
}

#[test]
fn polyak_matches_optax() {
    let mut cases = 0;
    for case in table().iter().filter(|case| case["schedule"] == "Polyak") {
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

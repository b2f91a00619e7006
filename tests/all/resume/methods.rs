//! Every method of the crate, and a user-defined one, resumed after each step.

use super::{Make, STEPS, passes, problems, start};
use expnet::method::{Adam, Direction, Evaluation, GaussNewton, GradientDescent, Lbfgs, Method, Minibatch};
use expnet::schedule::{self, Backtracking, Schedule, StepState};
use expnet::{Dataset, Error, Float, Memory, Pass, Record, Trainer, check};

pub type MakeMethod<T> = fn() -> Box<dyn Method<T>>;

/// Every method of the crate, and a user-defined one.
pub fn methods<T: Float>() -> Vec<(&'static str, MakeMethod<T>)> {
    vec![
        ("plain", || Box::new(GradientDescent::default())),
        ("momentum", || Box::new(GradientDescent::default().momentum(0.9))),
        ("nesterov, clipped", || {
            Box::new(GradientDescent::default().nesterov(0.8).clip_norm(3.0))
        }),
        ("minibatch", || Box::new(Minibatch::new(5).seed(3))),
        ("minibatch, momentum", || {
            Box::new(Minibatch::new(4).momentum(0.5).clip_norm(1.0))
        }),
        ("pull", || Box::new(Pull)),
        ("GaussNewton", || Box::new(GaussNewton::default())),
        ("GaussNewton, ridge", || Box::new(GaussNewton::default().ridge(0.1))),
        ("GaussNewton, frozen", || Box::new(GaussNewton::frozen())),
        ("GaussNewton, frozen, ridge", || {
            Box::new(GaussNewton::frozen().ridge(0.1))
        }),
        ("GaussNewton, matrix-free", || Box::new(GaussNewton::matrix_free())),
        ("Lbfgs", || Box::new(Lbfgs::default().memory(3))),
        ("Adam", || Box::new(Adam::default().weight_decay(0.1))),
    ]
}

/// Ridge, which is measured from the weights that the run began with.
struct Pull;

impl<T: Float> Method<T> for Pull {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction.pull = 0.3;
        direction.momentum = 0.5;
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("Pull"))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Pull")
    }
}

fn every_method<T: Float>() {
    for (data, points) in problems::<T>() {
        let net = start(data.dimension());
        for (name, make) in methods::<T>() {
            // The methods' natural step sizes are far apart.
            let size = if name.contains("GaussNewton") { 0.5 } else { 2e-3 };
            // Labels that the network meets on its way, so that the best weights are not the last.
            let mut later = net.clone();
            Trainer::new(size)
                .method(make())
                .max_steps(4)
                .fit(&mut later, &data)
                .unwrap();
            let labels = later.forward(points.points()).unwrap();
            let validation = Dataset::new(points.points().clone(), labels).unwrap();
            let passes = passes(&data).iter().map(|&pass| (Memory::Recompute, pass));
            for (memory, pass) in passes.chain([(Memory::Store, Pass::Direct)]) {
                let trainer = || Trainer::new(size).method(make()).memory(memory).pass(pass);
                let name = format!("{name}, {memory:?}, {pass:?}, {}, d = {}", T::NAME, data.dimension());
                let report = check::resume(trainer, &net, &data, STEPS).unwrap();
                assert!(report.agrees(), "{name}: {report}");
                let watched = || trainer().validation(&validation, 4).stall(6, 1e-3);
                let report = check::resume(watched, &net, &data, STEPS).unwrap();
                assert!(report.agrees(), "{name}, validation: {report}");
                let ends = report.steps < STEPS || name.contains("minibatch");
                assert!(ends, "{name}: patience or stalling ends it: {report}");
            }
        }
    }
}

#[test]
fn every_method_resumes_in_f64() {
    every_method::<f64>();
}

#[test]
fn every_method_resumes_in_f32() {
    every_method::<f32>();
}

/// Schedules that answer 0 on the way, with methods that keep something between steps.
#[test]
fn steps_of_size_zero_leave_nothing_behind() {
    let schedules: [Make<f64>; 3] = [
        || Box::new(0.5.warmup(3)),
        || {
            Box::new(schedule::stateless(|state: &mut StepState<'_, f64>| {
                f64::from(u8::from(state.iteration() % 3 != 1)) * 0.5
            }))
        },
        || Box::new(Backtracking::default().initial(1.0).warmup(2)),
    ];
    for (data, _) in problems::<f64>() {
        let net = start(data.dimension());
        for (name, make) in methods::<f64>() {
            let scale = if name.contains("GaussNewton") { 1.0 } else { 2e-3 };
            for (which, schedule) in schedules.iter().enumerate() {
                let trainer = || Trainer::new(schedule().scale(scale)).method(make());
                match check::resume(trainer, &net, &data, STEPS) {
                    Ok(report) => assert!(report.agrees(), "{name}, schedule {which}: {report}"),
                    Err(error) => assert!(matches!(error, Error::Incompatible { .. }), "{name}, {which}: {error}"),
                }
            }
        }
    }
}

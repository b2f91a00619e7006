//! A run that is stopped and resumed is the same run, to the last bit; and a checkpoint that does not belong to a run is
//! refused by name.

use expnet::method::{Direction, Evaluation, GaussNewton, GradientDescent, Method, Minibatch};
use expnet::schedule::{
    self, Backtracking, BarzilaiBorwein, Certified, Constant, Cosine, Cyclic, DeltaBarDelta, ExponentialDecay,
    InverseTime, KernelStable, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule, StepDecay, StepState,
};
use expnet::{
    Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Record, Termination, Trainer, certificate,
    check, observer::History,
};
use nalgebra::{DMatrix, DVector};
use std::path::PathBuf;

const STEPS: usize = 9;

fn data<T: Float>(dimension: usize, samples: usize) -> Dataset<T> {
    let value = |k: usize, i: usize| ((1 + 2 * k + 3 * i + k * i) as f64).sin() / (dimension as f64).sqrt();
    let points = DMatrix::from_fn(dimension, samples, |k, i| T::lit(value(k, i)));
    Dataset::new(points, DVector::from_fn(samples, |i, _| T::lit((i as f64).cos()))).unwrap()
}

/// Several chunks, and a panel that is not full.
fn start<T: Float>(dimension: usize) -> ExpNetwork<T> {
    Initializer::new(dimension, 150).std_dev(0.5).seed(3).build().unwrap()
}

type Make<T> = fn() -> Box<dyn Schedule<T>>;
type MakeMethod<T> = fn() -> Box<dyn Method<T>>;

/// Every schedule and combinator of the crate, with settings that put its memory to use within a few steps.
fn schedules<T: Float>() -> Vec<(&'static str, Make<T>)> {
    vec![
        ("number", || Box::new(1e-3)),
        ("stateless", || {
            Box::new(schedule::stateless(|state: &mut StepState<'_, T>| {
                T::lit(1e-3 / (1.0 + state.iteration() as f64))
            }))
        }),
        ("Constant", || Box::new(Constant::new(1e-3).unwrap())),
        ("InverseTime", || {
            Box::new(InverseTime::new(1e-3, 0.5).unwrap().steps(2).staircase(true))
        }),
        ("StepDecay", || Box::new(StepDecay::new(1e-3, 0.5, 3).unwrap())),
        ("ExponentialDecay", || {
            Box::new(ExponentialDecay::new(1e-3, 0.5, 4).unwrap().begin(2).end(4e-4))
        }),
        ("Polynomial", || {
            Box::new(Polynomial::new(1e-3, 1e-4, 6).unwrap().power(2.0))
        }),
        ("Cosine", || Box::new(Cosine::new(1e-3, 3).unwrap().restarts(2))),
        ("OneCycle", || Box::new(OneCycle::new(1e-3, 7).unwrap())),
        ("Cyclic", || Box::new(Cyclic::new(1e-4, 1e-3, 2).unwrap().decay(0.9))),
        ("Cyclic, halving", || {
            Box::new(Cyclic::new(1e-4, 1e-3, 2).unwrap().halving())
        }),
        ("ReduceOnPlateau", || {
            Box::new(
                ReduceOnPlateau::new(1e-3)
                    .unwrap()
                    .patience(1)
                    .threshold(0.5)
                    .cooldown(1),
            )
        }),
        ("KernelStable", || Box::new(KernelStable::default())),
        ("KernelStable, refreshed", || {
            Box::new(KernelStable::default().factor(0.7).refresh(3))
        }),
        ("Backtracking", || Box::new(Backtracking::default())),
        ("Backtracking, from afar", || {
            Box::new(Backtracking::default().initial(10.0).grow(3.0))
        }),
        ("Polyak", || Box::new(Polyak::default().max(1e-2))),
        ("BarzilaiBorwein", || Box::new(BarzilaiBorwein::default())),
        ("BarzilaiBorwein, short", || {
            Box::new(BarzilaiBorwein::default().short(true).initial(1e-3))
        }),
        ("DeltaBarDelta", || Box::new(DeltaBarDelta::default().growth(0.8))),
        ("warmup", || Box::new(KernelStable::default().warmup(4))),
        ("clamp", || Box::new(Backtracking::default().clamp(1e-6, 2e-3))),
        ("then", || {
            Box::new(
                ReduceOnPlateau::new(1e-3)
                    .unwrap()
                    .patience(0)
                    .then(3, DeltaBarDelta::default()),
            )
        }),
        ("scale", || Box::new(BarzilaiBorwein::default().scale(0.9))),
        ("all of them", || {
            let boxed: Box<dyn Schedule<T>> = Box::new(KernelStable::default().warmup(2).scale(0.5));
            Box::new(boxed.then(4, Polyak::default()).clamp(0.0, 1e-2))
        }),
    ]
}

/// Every method of the crate.
fn methods<T: Float>() -> Vec<(&'static str, MakeMethod<T>)> {
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
    ]
}

/// Ridge, which is measured from the weights that the run began with.
struct Pull;

impl<T: Float> Method<T> for Pull {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction.pull = 0.3;
        direction.carry = 0.5;
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("Pull"))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Pull")
    }
}

/// A problem in the network's own coordinates, and one in reduced ones (with a validation set that leaves their span).
fn problems<T: Float>() -> [(Dataset<T>, Dataset<T>); 2] {
    [(data(3, 12), data(3, 5)), (data(40, 12), data(40, 3))]
}

fn every_schedule<T: Float>() {
    for (data, _) in problems::<T>() {
        let net = start(data.dimension());
        for (name, make) in schedules::<T>() {
            let report = check::resume(|| Trainer::new(make()), &net, &data, STEPS).unwrap();
            assert!(
                report.agrees(),
                "{name}, {}, d = {}: {report}",
                T::NAME,
                data.dimension()
            );
            assert_eq!((report.steps, report.compared), (STEPS, STEPS + 2), "{name}");
        }
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
            for memory in [Memory::Store, Memory::Recompute] {
                let trainer = || Trainer::new(size).method(make()).memory(memory);
                let name = format!("{name}, {memory:?}, {}, d = {}", T::NAME, data.dimension());
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

/// A run whose method takes back every step ends as it would have ended without a checkpoint, and so does one that goes on
/// from its last one.
#[test]
fn a_run_that_is_given_up_is_over() {
    let folder = Folder::new("given-up");
    let data = data(3, 12);
    for every in [1, 1000] {
        let path = folder.0.join(every.to_string());
        let trainer = || Trainer::new(1.0).method(GaussNewton::default()).max_steps(500);
        let (mut undisturbed, mut kept, mut resumed) = (start::<f64>(3), start(3), start(3));
        let report = trainer().fit(&mut undisturbed, &data).unwrap();
        assert_eq!(report.termination(), Termination::Stalled);
        trainer().checkpoint(&path, every).fit(&mut kept, &data).unwrap();
        let again = trainer().resume(&path).fit(&mut resumed, &data).unwrap();
        assert!(undisturbed.weights() == kept.weights() && kept.weights() == resumed.weights());
        let counts = |report: &FitReport<f64>| (report.termination(), report.passes(), report.undone_steps());
        assert_eq!(counts(&report), counts(&again), "every {every}");
    }
}

#[test]
fn a_step_that_fails_leaves_the_checkpoint_before_it() {
    let folder = Folder::new("failed");
    let path = folder.0.join("run");
    let fails =
        || schedule::stateless(|state: &mut StepState<'_, f64>| if state.iteration() == 5 { f64::NAN } else { 1e-3 });
    let (data, mut net) = (data(3, 12), start::<f64>(3));
    let trainer = || Trainer::new(fails()).method(Minibatch::new(5).seed(3));
    let mut session = trainer().checkpoint(&path, 2).start(&mut net, &data).unwrap();
    while session.step().is_ok() {}
    session.finish().unwrap();
    let session = trainer().resume(&path).start(&mut net, &data).unwrap();
    assert_eq!(session.steps(), 4);
}

#[test]
fn a_state_too_deep_for_a_file_is_refused_at_once() {
    let nested = |depth| {
        let mut schedule: Box<dyn Schedule<f64>> = Box::new(1e-3);
        for _ in 0..depth {
            schedule = Box::new(schedule.scale(1.0));
        }
        schedule
    };
    let report = check::resume(|| Trainer::new(nested(45)), &start(3), &data(3, 12), 2).unwrap();
    assert!(report.agrees(), "{report}");
    let error = check::resume(|| Trainer::new(nested(70)), &start(3), &data(3, 12), 2).unwrap_err();
    assert!(error.to_string().contains("nested more than 48"), "{error}");
}

#[test]
fn every_schedule_resumes_in_f64() {
    every_schedule::<f64>();
}

#[test]
fn every_schedule_resumes_in_f32() {
    every_schedule::<f32>();
}

#[test]
fn every_method_resumes_in_f64() {
    every_method::<f64>();
}

#[test]
fn every_method_resumes_in_f32() {
    every_method::<f32>();
}

/// A certificate's step size, on a problem where one holds.
#[test]
fn a_certified_run_resumes() {
    let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5]).unwrap();
    let net = Initializer::new(2, 512)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    let proved = certificate::certify(&net, &data).unwrap();
    let report = check::resume(|| Trainer::new(Certified::new(&proved).unwrap()), &net, &data, STEPS).unwrap();
    assert!(report.agrees() && report.steps == STEPS, "{report}");
}

/// A schedule with an error in its `restore`.
struct Forgetful {
    seen: f64,
}

impl Schedule<f64> for Forgetful {
    fn step_size(&mut self, _: &mut StepState<'_, f64>) -> f64 {
        self.seen += 1.0;
        1e-4 * self.seen
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("Forgetful"))
    }

    fn restore(&mut self, _: &Record) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn the_check_finds_what_is_forgotten() {
    let report = check::resume(|| Trainer::new(Forgetful { seen: 0.0 }), &start(3), &data(3, 12), 4).unwrap();
    assert!(!report.agrees());
    // Resumed at 0 and at the end, nothing is forgotten yet, or no longer needed.
    let steps: Vec<usize> = report.differences.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [1, 2, 3, 4], "{report}");
    assert!(
        report
            .to_string()
            .contains("another one in 4 of 6 runs resumed on its way; resumed at step 1, coordinate")
    );
}

/// A folder for a test's files, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("expnet-resume-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn momentum<'a, T: Float>(schedule: impl Schedule<T> + 'a) -> Trainer<'a, T> {
    Trainer::new(schedule).method(GradientDescent::default().momentum(0.9))
}

/// The bits of a run may not depend on who looks, how often it is saved, the memory or the threads.
#[test]
fn threads_memory_and_observers_leave_the_bits() {
    let folder = Folder::new("threads");
    for (data, _) in problems::<f64>() {
        let net = start(data.dimension());
        let mut whole = net.clone();
        let mut history = History::default();
        momentum(1e-3)
            .max_steps(12)
            .observe(&mut history)
            .fit(&mut whole, &data)
            .unwrap();
        let path = folder.0.join(format!("run-{}", data.dimension()));
        let mut parts = net.clone();
        for (steps, threads, memory) in [(5, 1, Memory::Store), (9, 3, Memory::Recompute), (12, 2, Memory::Auto)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (report, seen) = pool.install(|| {
                let mut seen = History::default();
                let mut trainer = momentum(1e-3).max_steps(steps).memory(memory).checkpoint(&path, 2);
                if steps > 5 {
                    trainer = trainer.resume(&path);
                }
                (trainer.observe(&mut seen).fit(&mut parts, &data).unwrap(), seen)
            });
            assert_eq!(report.steps(), steps);
            let from = seen.steps()[0];
            assert_eq!(seen.losses(), &history.losses()[from..=steps]);
            assert_eq!(
                seen.movements(),
                &history.movements()[from..=steps],
                "measured from the first weights"
            );
        }
        assert!(whole.weights() == parts.weights());
    }
}

/// By hand, with a checkpoint on the way: what follows the last one is lost, and nothing else.
#[test]
fn a_dropped_session_leaves_the_last_checkpoint() {
    let folder = Folder::new("dropped");
    let path = folder.0.join("run");
    let (data, net) = (data(3, 12), start::<f64>(3));
    let (mut whole, mut parts) = (net.clone(), net.clone());
    momentum(1e-3).max_steps(10).fit(&mut whole, &data).unwrap();
    let mut session = momentum(1e-3).checkpoint(&path, 3).start(&mut parts, &data).unwrap();
    for _ in 0..8 {
        session.step().unwrap();
    }
    drop(session);
    let mut any = start(3);
    let session = momentum(1e-3)
        .max_steps(10)
        .resume(&path)
        .start(&mut any, &data)
        .unwrap();
    assert_eq!(session.steps(), 6);
    drop(session);
    momentum(1e-3).max_steps(10).resume(&path).fit(&mut any, &data).unwrap();
    assert!(whole.weights() == any.weights());
    assert_eq!(
        std::fs::read_dir(&folder.0).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn a_run_that_is_over_stays_over() {
    let folder = Folder::new("over");
    let path = folder.0.join("run");
    let (data, mut net) = (data(3, 12), start::<f64>(3));
    let trainer = || Trainer::new(Backtracking::default()).tolerance(3.0);
    let first = trainer().checkpoint(&path, 1).fit(&mut net, &data).unwrap();
    let weights = net.weights().clone();
    let again = trainer().resume(&path).fit(&mut net, &data).unwrap();
    assert_eq!((first.steps(), first.loss()), (again.steps(), again.loss()));
    assert!(*net.weights() == weights && again.elapsed() >= first.elapsed() / 2);
    let on = Trainer::new(Backtracking::default())
        .tolerance(2.0)
        .resume(&path)
        .fit(&mut net, &data)
        .unwrap();
    assert!(on.steps() > first.steps() && on.residual_norm() <= 2.0, "{on}");
}

/// A reduced run keeps its own coordinates: 12 of 40.
#[test]
fn checkpoints_hold_the_coordinates_of_the_run() {
    let folder = Folder::new("coordinates");
    let path = folder.0.join("run");
    momentum(1e-3)
        .max_steps(2)
        .checkpoint(&path, 1)
        .fit(&mut start::<f32>(40), &data(40, 12))
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    for (name, coordinates) in [("weights", 12), ("velocity", 12), ("initial", 40)] {
        assert_eq!(header[name]["shape"], serde_json::json!([150, coordinates]), "{name}");
        assert_eq!(header[name]["dtype"], "F32");
    }
    assert!(header.get("best").is_none() && header.get("previous_gradient").is_none());
}

/// Resumes the run of `keep` with `other` parts and says why that is refused.
fn refused<T: Float>(
    keep: Trainer<'_, f64>,
    other: Trainer<'_, T>,
    net: &mut ExpNetwork<T>,
    data_given: &Dataset<T>,
    name: &str,
) -> String {
    let folder = Folder::new(name);
    let path = folder.0.join("run");
    keep.max_steps(3)
        .checkpoint(&path, 1)
        .fit(&mut start::<f64>(3), &data(3, 12))
        .unwrap();
    let before = net.clone();
    let error = other.max_steps(6).resume(&path).fit(net, data_given).unwrap_err();
    assert!(*net == before, "the network is left as it was");
    error.to_string()
}

#[test]
fn another_run_is_refused_by_name() {
    let plain = || Trainer::new(1e-3);
    let says = |text: String, parts: &[&str]| {
        for part in parts {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    };
    let (d, net) = (data::<f64>(3, 12), || start::<f64>(3));
    let moved = Dataset::new(d.points().clone(), d.labels() + DVector::from_element(12, 1e-15)).unwrap();
    let shifted = Dataset::new(d.points() * 0.9, d.labels().clone()).unwrap();
    let refused = |keep, other, net: ExpNetwork<f64>, data: &Dataset<f64>| {
        let mut net = net;
        refused(keep, other, &mut net, data, "refused")
    };
    says(
        refused(plain(), plain(), net(), &moved),
        &["fingerprint of the labels` of `data set`"],
    );
    says(
        refused(plain(), plain(), net(), &shifted),
        &["fingerprint of the points` of `data set`"],
    );
    says(
        refused(plain(), plain(), net(), &data(3, 11)),
        &["`samples` of `data set` is 12 in the record, and 11 here"],
    );
    let wider = Initializer::new(3, 152).build().unwrap();
    says(
        refused(plain(), plain(), wider, &d),
        &["`width` of `network` is 150 in the record, and 152 here"],
    );
    let flipped = ExpNetwork::from_parts(net().weights().clone(), -net().output_weights()).unwrap();
    says(
        refused(plain(), plain(), flipped, &d),
        &["fingerprint of the output weights` of `network`"],
    );
    says(
        refused(plain(), plain(), start(40), &data(40, 12)),
        &["`dimension` of `network` is 3 in the record, and 40 here"],
    );
    let schedule = Trainer::new(Backtracking::default());
    says(
        refused(plain(), schedule, net(), &d),
        &["the kind is `a number` in the record, and `Backtracking` here"],
    );
    says(
        refused(plain(), Trainer::new(2e-3), net(), &d),
        &["`size` of `a number` is 0.001 in the record, and 0.002 here"],
    );
    let (one, two) = (Cosine::new(1e-3, 9).unwrap(), Cosine::new(1e-3, 9).unwrap().alpha(0.1));
    says(
        refused(Trainer::new(one.warmup(2)), Trainer::new(two.warmup(2)), net(), &d),
        &["`alpha` of `Cosine`"],
    );
    says(
        refused(Trainer::new(one.warmup(2)), Trainer::new(one.warmup(3)), net(), &d),
        &["`steps` of `Warmup`"],
    );
    says(
        refused(plain(), momentum(1e-3), net(), &d),
        &["`momentum` of `GradientDescent` is 0.0 in the record, and 0.9 here"],
    );
    let batches = |seed| plain().method(Minibatch::new(5).seed(seed));
    says(
        refused(plain(), batches(0), net(), &d),
        &["the kind is `GradientDescent` in the record, and `Minibatch` here"],
    );
    says(
        refused(batches(1), batches(2), net(), &d),
        &["`seed` of `Minibatch` is 1 in the record, and 2 here"],
    );
    let watched = plain().validation(&d, 5);
    says(
        refused(plain(), watched, net(), &d),
        &["`validation` of `identity` is not set in the record"],
    );
    says(
        refused(plain().validation(&d, 5), plain().validation(&moved, 5), net(), &d),
        &["fingerprint of the labels` of `validation data`"],
    );
    let closure = Trainer::new(schedule::from_fn(|_: &mut StepState<'_, f64>| 1e-3));
    says(
        refused(plain(), closure, net(), &d),
        &["the record of `a number` has no taker"],
    );
    let mut single = start::<f32>(3);
    says(
        self::refused(plain(), Trainer::new(1e-3), &mut single, &data(3, 12), "single"),
        &["`dtype` of `network` is \"f64\" in the record, and \"f32\" here"],
    );
}

struct Unknown;

impl Method<f64> for Unknown {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
        Ok(())
    }
}

/// What can't be resumed is refused before the first step.
#[test]
fn unknown_states_are_refused_when_a_checkpoint_is_asked_for() {
    let folder = Folder::new("unknown");
    let path = folder.0.join("run");
    let data = data::<f64>(3, 12);
    let refused = |trainer: Trainer<'_, f64>, every: usize| {
        let mut net = start(3);
        let error = trainer
            .checkpoint(&path, every)
            .fit(&mut net, &data)
            .unwrap_err()
            .to_string();
        assert!(net == start(3) && !path.exists());
        error
    };
    let closure = |_: &mut StepState<'_, f64>| 1e-3;
    let text = refused(Trainer::new(closure), 1);
    assert!(
        text.starts_with("`Trainer::checkpoint` does not go with resume::"),
        "{text}"
    );
    assert!(
        text.contains("{{closure}}") && text.contains("`schedule::stateless`"),
        "{text}"
    );
    let text = refused(Trainer::new(closure.warmup(3).then(5, 1e-3)), 1);
    assert!(text.contains("expnet::schedule::combinators::Then<"), "{text}");

    let text = refused(Trainer::new(1e-3).method(Unknown), 1);
    assert!(text.contains("Unknown") && text.contains("`Method::save`"), "{text}");
    let text = refused(Trainer::new(1e-3), 0);
    assert_eq!(
        text,
        "the interval of `Trainer::checkpoint` is 0; it must be at least 1 step"
    );
}

/// Tells the worker below where the checkpoint is.
const FOLDER: &str = "EXPNET_TEST_LEVEL_FOLDER";

/// Resumes on the SIMD level that its environment names. Not a test of its own.
#[test]
#[ignore = "started by the test below"]
fn level_worker() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let mut net = start::<f64>(40);
    let trainer = momentum(1e-3).max_steps(12).resume(folder.join("run"));
    assert_eq!(trainer.fit(&mut net, &data(40, 12)).unwrap().steps(), 12);
    net.save(folder.join("net")).unwrap();
}

/// A level of other vectors packs neurons otherwise: it takes up the same weights, and rounds in its own way.
#[test]
fn another_simd_level_takes_a_checkpoint_up() {
    let folder = Folder::new("level");
    let (data, mut net) = (data(40, 12), start::<f64>(40));
    momentum(1e-3)
        .max_steps(5)
        .checkpoint(folder.0.join("run"), 5)
        .fit(&mut net, &data)
        .unwrap();
    let mut whole = start::<f64>(40);
    momentum(1e-3).max_steps(12).fit(&mut whole, &data).unwrap();
    for level in ["avx512", "avx2", "sse4.2", "sse2"] {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "level_worker"])
            .env("EXPNET_SIMD", level)
            .env(FOLDER, &folder.0)
            .status();
        assert!(status.unwrap().success(), "{level}");
        let found = ExpNetwork::<f64>::load(folder.0.join("net")).unwrap();
        let distance = (found.weights() - whole.weights()).norm() / whole.weights().norm();
        println!("{level}: relative distance {distance:.1e}");
        assert!(distance < 1e-13, "{level}: {distance:e}");
    }
}

#[test]
fn files_that_are_no_checkpoint_are_errors() {
    let folder = Folder::new("files");
    let path = folder.0.join("run");
    let (data, net) = (data::<f64>(3, 12), start::<f64>(3));
    let resumed = |path: &PathBuf| {
        let mut parts = net.clone();
        let error = momentum(1e-3).resume(path).fit(&mut parts, &data).unwrap_err();
        assert!(parts == net);
        error
    };
    assert!(
        matches!(resumed(&path), Error::Io { action, .. } if action.contains("checkpoint") && action.contains("run"))
    );
    momentum(1e-3)
        .max_steps(2)
        .checkpoint(&path, 1)
        .fit(&mut net.clone(), &data)
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.0.join("damaged");
    // Every byte of the header in turn, and bytes all over the numbers.
    let header = 8 + usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    let mut accepted = 0;
    for at in (0..header).chain((header..whole.len()).step_by(97)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&damaged, &bytes).unwrap();
        let mut parts = net.clone();
        match momentum(1e-3).max_steps(2).resume(&damaged).fit(&mut parts, &data) {
            Err(_) => assert!(parts == net),
            // Only what means the same: blanks around the header's text.
            Ok(_) => accepted += 1,
        }
    }
    assert!(accepted <= 8, "{accepted} damaged files were accepted");
    for length in [
        0,
        1,
        7,
        8,
        9,
        header - 1,
        header,
        header + 1,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        std::fs::write(&damaged, &whole[..length]).unwrap();
        assert!(matches!(resumed(&damaged), Error::Format { .. }), "{length} bytes");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("unwritable");
    let path = folder.0.join("nowhere").join("run");
    let mut net = start::<f64>(3);
    let error = Trainer::new(1e-3)
        .checkpoint(&path, 2)
        .fit(&mut net, &data(3, 12))
        .unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let mut two = start(3);
    Trainer::new(1e-3).max_steps(2).fit(&mut two, &data(3, 12)).unwrap();
    assert!(
        net.weights() == two.weights(),
        "the network has the weights of the last step"
    );
}

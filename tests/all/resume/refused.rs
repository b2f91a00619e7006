//! Checkpoints of another run, and runs whose state cannot be saved.

use super::{momentum, start};
use crate::support::problems::sines;
use crate::support::safetensors::{parts, whole, without_checksums};
use crate::support::{Answers, Folder, refused, says};
use expnet::method::{Direction, Evaluation, Method, Minibatch};
use expnet::schedule::{self, Backtracking, Constant, Cosine, Polyak, Schedule, StepState};
use expnet::{Dataset, Error, ExpNetwork, Float, Initializer, Record, Trainer};
use nalgebra::DVector;

/// A method that saves its state and cannot restore it.
struct OnlySaves;

impl Method<f64> for OnlySaves {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("mine"))
    }
}

/// That the run of `keep` does not go on with other parts, and why.
#[track_caller]
fn resume_refused<T: Float>(
    keep: Trainer<'_, f64>,
    other: Trainer<'_, T>,
    net: &ExpNetwork<T>,
    data: &Dataset<T>,
    words: &[&str],
) {
    let folder = Folder::new("refused");
    let path = folder.join("run");
    keep.max_steps(3)
        .checkpoint(&path, 1)
        .fit(&mut start::<f64>(3), &sines(12, 3))
        .unwrap();
    let mut after = net.clone();
    refused(other.max_steps(6).resume(&path).fit(&mut after, data), words);
    assert!(*net == after, "the network is left as it was");
}

fn plain() -> Trainer<'static, f64> {
    Trainer::new(1e-3)
}

/// The data of the run that is kept, with labels that are 1e-15 away.
fn moved() -> Dataset<f64> {
    let data = sines::<f64>(12, 3);
    Dataset::new(data.points().clone(), data.labels() + DVector::from_element(12, 1e-15)).unwrap()
}

fn another_problem_is_refused_by_name() {
    let (d, net) = (sines::<f64>(12, 3), || start::<f64>(3));
    let refused = |net: &ExpNetwork<f64>, data: &Dataset<f64>, words: &[&str]| {
        resume_refused(plain(), plain(), net, data, words);
    };
    let shifted = Dataset::new(d.points() * 0.9, d.labels().clone()).unwrap();
    refused(&net(), &moved(), &["fingerprint of the labels` of `data set`"]);
    refused(&net(), &shifted, &["fingerprint of the points` of `data set`"]);
    refused(
        &net(),
        &sines(11, 3),
        &["`samples` of `data set` is 12 in the record and 11 here"],
    );
    let wider = Initializer::new(3, 152).build().unwrap();
    refused(&wider, &d, &["`width` of `network` is 150 in the record and 152 here"]);
    let flipped = ExpNetwork::from_parts(net().weights().clone(), -net().output_weights()).unwrap();
    refused(&flipped, &d, &["fingerprint of the output weights` of `network`"]);
    refused(
        &start(40),
        &sines(12, 40),
        &["`dimension` of `network` is 3 in the record and 40 here"],
    );
    let single = start::<f32>(3);
    resume_refused(
        plain(),
        Trainer::new(1e-3),
        &single,
        &sines(12, 3),
        &["`dtype` of `network` is \"f64\" in the record and \"f32\" here"],
    );
}

fn other_parts_are_refused_by_name() {
    let (data, moved) = (sines::<f64>(12, 3), moved());
    let refused = |keep: Trainer<'_, f64>, other: Trainer<'_, f64>, words: &[&str]| {
        resume_refused(keep, other, &start(3), &data, words);
    };
    let schedule = Trainer::new(Backtracking::default());
    refused(
        plain(),
        schedule,
        &["the kind is `a number` in the record and `Backtracking` here"],
    );
    refused(
        plain(),
        Trainer::new(2e-3),
        &["`size` of `a number` is 0.001 in the record and 0.002 here"],
    );
    let constant = |size| Trainer::new(Constant::new(size).unwrap());
    refused(
        constant(1e-3),
        constant(2e-3),
        &["`size` of `Constant` is 0.001 in the record and 0.002 here"],
    );
    let polyak = |max| Trainer::new(Polyak::default().max(max));
    refused(
        polyak(1e-3),
        polyak(2e-3),
        &["`max` of `Polyak` is 0.001 in the record"],
    );
    let (one, two) = (Cosine::new(1e-3, 9).unwrap(), Cosine::new(1e-3, 9).unwrap().alpha(0.1));
    refused(
        Trainer::new(one.warmup(2)),
        Trainer::new(two.warmup(2)),
        &["`alpha` of `Cosine`"],
    );
    refused(
        Trainer::new(one.warmup(2)),
        Trainer::new(one.warmup(3)),
        &["`steps` of `Warmup`"],
    );
    refused(
        plain(),
        momentum(1e-3),
        &["`momentum` of `GradientDescent` is 0.0 in the record and 0.9 here"],
    );
    let batches = |seed| plain().method(Minibatch::new(5).seed(seed));
    refused(
        plain(),
        batches(0),
        &["the kind is `GradientDescent` in the record and `Minibatch` here"],
    );
    refused(
        batches(1),
        batches(2),
        &["`seed` of `Minibatch` is 1 in the record and 2 here"],
    );
    let watched = plain().validation(&data, 5);
    refused(
        plain(),
        watched,
        &["`validation` of `run` is false in the record and true here"],
    );
    refused(
        plain().validation(&data, 5),
        plain().validation(&moved, 5),
        &["fingerprint of the labels` of `validation data`"],
    );
    let closure = Trainer::new(schedule::from_fn(|_: &mut StepState<'_, f64>| 1e-3));
    refused(plain(), closure, &["the record of `a number` cannot be restored"]);
    let stateless = Trainer::new(schedule::stateless(|_: &mut StepState<'_, f64>| 1e-3));
    refused(
        plain(),
        stateless,
        &["the kind is `a number` in the record and `stateless` here"],
    );
    let saves = || plain().method(OnlySaves);
    refused(saves(), saves(), &["the record of `mine` cannot be restored"]);
}

#[test]
fn another_run_is_refused_by_name() {
    another_problem_is_refused_by_name();
    other_parts_are_refused_by_name();
}

/// What can't be resumed is refused before the first step.
#[test]
fn unknown_states_are_refused_when_a_checkpoint_is_asked_for() {
    let folder = Folder::new("unknown");
    let path = folder.join("run");
    let data = sines::<f64>(12, 3);
    let text_of = |trainer: Trainer<'_, f64>, every: usize| {
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
    let text = text_of(Trainer::new(closure), 1);
    assert!(
        text.starts_with("`Trainer::checkpoint` cannot be combined with all::resume::refused::"),
        "{text}"
    );
    assert!(
        text.contains("{{closure}}") && text.contains("`schedule::stateless`"),
        "{text}"
    );
    let text = text_of(Trainer::new(closure.warmup(3).then(5, 1e-3)), 1);
    assert!(text.contains("expnet::schedule::combinators::Then<"), "{text}");

    let text = text_of(Trainer::new(1e-3).method(Answers::plain()), 1);
    says(&text, &["Answers", "`Method::save`"]);
    let text = text_of(Trainer::new(1e-3), 0);
    assert_eq!(text, "`every` of `Trainer::checkpoint` is 0; it must be at least 1");
}

/// A file to which somebody has added weights that the run has no place for.
#[test]
fn best_weights_without_validation_data_are_refused() {
    let folder = Folder::new("best");
    let path = folder.join("run");
    let data = sines::<f64>(12, 3);
    let run = |steps| plain().max_steps(steps).checkpoint(&path, 1);
    run(3).fit(&mut start(3), &data).unwrap();
    let (header, mut numbers) = parts(&std::fs::read(&path).unwrap());
    let mut header = without_checksums(header);
    std::fs::write(&path, whole(&header, &numbers)).unwrap();
    run(6).resume(&path).fit(&mut start(3), &data).unwrap();

    let offsets = [
        &header["weights"]["data_offsets"][0],
        &header["weights"]["data_offsets"][1],
    ];
    let [from, to] = offsets.map(|at| usize::try_from(at.as_u64().unwrap()).unwrap());
    header["best"] = header["weights"].clone();
    header["best"]["data_offsets"] = vec![numbers.len(), numbers.len() + to - from].into();
    numbers.extend_from_within(from..to);
    std::fs::write(&path, whole(&header, &numbers)).unwrap();
    refused(
        plain().max_steps(6).resume(&path).fit(&mut start(3), &data),
        &["\"best\"", "validation data"],
    );
}

//! The whole state of a run in a file, and out of it again.
//!
//! ```text
//! document     identity (network, data), schedule, method, position, run: records, in JSON, with a checksum
//! weights      [neuron][coordinate]    the current weights, in the coordinates of the run
//! initial      [neuron][dimension]     the weights the run began with
//! best, velocity, previous_gradient    [neuron][coordinate], where there are such
//! lists        long lists of numbers from the records
//! ```
//!
//! Written are the run's own coordinates, reduced or not: the way back to the network's would round. What belongs to a
//! neuron stands in arrays that any machine, with panels of any width, can take up a part of; what belongs to the run
//! stands in the document.
//!
//! Of a network on several ranks the file is that of the whole: rank 0 writes it, and the neurons of the others pass it a
//! message at a time. Each rank of the run that goes on, however many they are, reads its own neurons.

mod json;

use crate::communicator::{Gather, Link, elsewhere};
use crate::dataset::Dataset;
use crate::digest::Digest;
use crate::engine::{Array, Engine};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::record::Record;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::{ComplexField, DMatrix};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

const KIND: &str = "checkpoint";
const INITIAL: &str = "initial";
const LISTS: &str = "lists";
const TENSORS: [&str; 6] = ["weights", "best", "velocity", "previous_gradient", INITIAL, LISTS];

/// What a run is about: what must be the same when it is resumed. How many ranks it is on is no part of that.
pub(crate) struct Identity {
    record: Record,
    /// Of each rank.
    widths: Vec<usize>,
}

impl Identity {
    /// All ranks call it. An exchange a rank.
    pub fn of<T: Float>(
        link: &Link,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        validation: Option<&Dataset<T>>,
    ) -> Result<Self, Error> {
        let print = |numbers: &[T]| Digest::of(numbers).to_string();
        let of_data = |kind: &str, data: &Dataset<T>| {
            Record::new(kind)
                .with("samples", data.samples())
                .with("fingerprint of the points", print(data.points().as_slice()))
                .with("fingerprint of the labels", print(data.labels().as_slice()))
        };
        let widths = link.widths(network.width())?;
        let output_weights = link.digest(|digest| digest.feed(network.output_weights().as_slice()))?;
        let network = Record::new("network")
            .with("dtype", T::NAME.to_string())
            .with("dimension", network.dimension())
            .with("width", widths.iter().sum::<usize>())
            .with("fingerprint of the output weights", output_weights.to_string());
        let record = Record::new("identity")
            .with("network", network)
            .with("data", of_data("data set", data))
            .with("validation", validation.map(|data| of_data("validation data", data)));
        Ok(Self { record, widths })
    }

    fn width(&self) -> usize {
        self.widths.iter().sum()
    }

    /// The neurons of a rank.
    fn neurons(&self, rank: usize) -> Range<usize> {
        let first = self.widths[..rank].iter().sum();
        first..first + self.widths[rank]
    }

    /// That the run is the one of the record.
    fn agree(&self, stored: &Record) -> Result<(), Error> {
        for part in ["network", "data"] {
            stored.get::<Record>(part)?.agree_on_all(&self.record.get(part)?)?;
        }
        match (stored.get("validation")?, self.record.get("validation")?) {
            (Some::<Record>(stored), Some::<Record>(given)) => stored.agree_on_all(&given),
            (_, given) => stored.agree("validation", given),
        }
    }
}

/// What a run remembers beside its arrays.
pub(crate) struct State {
    pub schedule: Record,
    pub method: Record,
    pub position: Record,
    pub run: Record,
}

/// What a checkpoint holds for each neuron.
enum Part<'a, T: Float> {
    Initial(&'a DMatrix<T>),
    Of(&'a Engine<T>, Array),
}

impl<T: Float> Part<'_, T> {
    fn name(&self) -> &'static str {
        match self {
            Self::Initial(_) => INITIAL,
            Self::Of(_, array) => array.name(),
        }
    }

    /// Numbers of a neuron.
    fn numbers(&self) -> usize {
        match self {
            Self::Initial(weights) => weights.nrows(),
            Self::Of(engine, array) => engine.numbers_in(*array),
        }
    }

    /// Hands out those of this rank, some neurons at a time.
    fn unload<E>(&self, mut give: impl FnMut(&[T]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Initial(weights) => give(weights.as_slice()),
            Self::Of(engine, array) => engine.unload(*array, give),
        }
    }

    /// That of all ranks.
    fn checksum(&self, link: &Link) -> Result<u64, Error> {
        let digest = link.digest(|digest| {
            let done: Result<(), Infallible> = self.unload(|numbers| {
                digest.feed(numbers);
                Ok(())
            });
            let Ok(()) = done;
        })?;
        Ok(digest.finish())
    }
}

/// Replaces the checkpoint at `path`. All ranks call it, with the same state; rank 0 writes.
pub(crate) fn write<T: Float>(
    path: &Path,
    identity: &Identity,
    state: State,
    engine: &Engine<T>,
    initial: &DMatrix<T>,
) -> Result<(), Error> {
    let link = engine.link();
    let arrays = Array::ALL
        .into_iter()
        .filter(|&array| engine.numbers_of(array).is_some());
    let mut parts = vec![Part::Initial(initial)];
    parts.extend(arrays.map(|array| Part::Of(engine, array)));
    let mut checksums = Record::new("checksums");
    for part in &parts {
        checksums = checksums.with(part.name(), part.checksum(link)?);
    }
    let gather = link.gather()?;
    let written = if link.rank() == 0 {
        write_whole(path, identity, state, checksums, &parts, &gather)
    } else {
        let mut shown = parts
            .iter()
            .map(|part| gather.numbers(&lengths(identity, part), |give| part.unload(give), |_| Ok(())));
        shown.try_for_each(|shown| shown.map_err(|error| elsewhere(&error)))
    };
    gather.end(written)
}

/// Numbers of each rank.
fn lengths<T: Float>(identity: &Identity, part: &Part<'_, T>) -> Vec<usize> {
    identity.widths.iter().map(|width| width * part.numbers()).collect()
}

fn write_whole<T: Float>(
    path: &Path,
    identity: &Identity,
    state: State,
    checksums: Record,
    parts: &[Part<'_, T>],
    gather: &Gather<'_>,
) -> Result<(), Error> {
    let record = Record::new(KIND)
        .with("identity", identity.record.clone())
        .with("schedule", state.schedule)
        .with("method", state.method)
        .with("position", state.position)
        .with("run", state.run);
    let (mut lists, mut listed) = (Vec::new(), Digest::default());
    let record = json::from_record(record, &mut lists);
    for list in &lists {
        listed.feed(list);
    }
    let checksums = json::from_record(checksums.with(LISTS, listed.finish()), &mut Vec::new());
    let document = json::sealed(&record, &checksums);

    let length = lists.iter().map(Vec::len).sum();
    // Those of f64 first: every number is aligned.
    let mut tensors = vec![Tensor::streamed::<f64>(LISTS, &[length], |give| {
        lists.iter().try_for_each(|list| give(list))
    })];
    for part in parts {
        let lengths = lengths(identity, part);
        let shape = [identity.width(), part.numbers()];
        tensors.push(Tensor::streamed::<T>(part.name(), &shape, move |give| {
            gather.numbers(&lengths, |give| part.unload(give), give)
        }));
    }
    save(path, KIND, document, &tensors)
}

/// A checkpoint that was opened, and belongs to this run.
pub(crate) struct Stored<T> {
    file: TensorFile,
    record: Record,
    checksums: Record,
    /// Tells the file from others: all ranks must have opened the same.
    mark: u64,
    /// Of the whole network.
    shape: (usize, usize),
    /// Those of this rank.
    neurons: Range<usize>,
    of: PhantomData<T>,
}

impl<T: Float> Stored<T> {
    /// Reads all but the arrays, for the share of rank `rank`.
    pub fn open(path: &Path, identity: &Identity, rank: usize) -> Result<Self, Error> {
        let mut file = TensorFile::open(path, KIND, &TENSORS)?;
        let (record, checksums, mark) = json::unsealed(file.document()?).map_err(|problem| file.wrong(problem))?;
        let [length] = file.shape(LISTS)?;
        let lists: Vec<f64> = file.numbers(LISTS, &[length])?;
        let read = |value| json::to_record(&value, &lists).ok_or("its records are damaged");
        let (record, checksums) = read(record)
            .and_then(|record| Ok((record, read(checksums)?)))
            .map_err(|problem| file.wrong(problem))?;
        if checksums.get::<u64>(LISTS)? != Digest::of(&lists).finish() {
            return Err(file.damaged(LISTS));
        }
        identity.agree(&record.get("identity")?)?;
        let network: Record = identity.record.get("network")?;
        Ok(Self {
            file,
            record,
            checksums,
            mark,
            shape: (network.get("dimension")?, identity.width()),
            neurons: identity.neurons(rank),
            of: PhantomData,
        })
    }

    pub fn state(&self) -> Result<State, Error> {
        Ok(State {
            schedule: self.record.get("schedule")?,
            method: self.record.get("method")?,
            position: self.record.get("position")?,
            run: self.record.get("run")?,
        })
    }

    /// The weights that this rank's neurons began with, d x m: not compared with their checksum yet.
    pub fn initial(&mut self) -> Result<DMatrix<T>, Error> {
        let ((dimension, width), neurons) = (self.shape, self.neurons.clone());
        let numbers = neurons.start * dimension..neurons.end * dimension;
        let initial = self.file.range::<T>(INITIAL, &[width, dimension], numbers)?;
        if !initial.iter().all(ComplexField::is_finite) {
            return Err(not_finite(&self.file, INITIAL));
        }
        Ok(DMatrix::from_vec(dimension, neurons.len(), initial))
    }

    /// Takes the arrays into an engine that was made from the initial weights. All ranks call it.
    pub fn load(&mut self, engine: &mut Engine<T>, initial: &DMatrix<T>) -> Result<(), Error> {
        engine.link().note(self.mark);
        self.check(engine.link(), &Part::Initial(initial))?;
        for array in Array::ALL {
            let name = array.name();
            if array != Array::Weights && !self.file.has(name) {
                continue;
            }
            let (numbers, mut all_finite) = (engine.numbers_in(array), true);
            let first = self.neurons.start * numbers;
            let mut parts = self.file.parts::<T>(name, &[self.shape.1, numbers], first)?;
            engine.load(array, |count| {
                let numbers = parts.next(count)?;
                all_finite &= numbers.iter().all(ComplexField::is_finite);
                Ok(numbers)
            })?;
            if !all_finite {
                return Err(not_finite(&self.file, name));
            }
            self.check(engine.link(), &Part::Of(engine, array))?;
        }
        Ok(())
    }

    /// That what was read is what was written: the same verdict on every rank.
    fn check(&self, link: &Link, part: &Part<'_, T>) -> Result<(), Error> {
        if self.checksums.get::<u64>(part.name())? == part.checksum(link)? {
            Ok(())
        } else {
            Err(self.file.damaged(part.name()))
        }
    }
}

fn not_finite(file: &TensorFile, name: &str) -> Error {
    file.wrong(format!("tensor {name:?} holds a number that is not finite"))
}

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

mod digest;
mod json;

use crate::dataset::Dataset;
use crate::engine::{Array, Engine};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::record::Record;
use crate::storage::tensors::{Tensor, TensorFile, save};
use digest::Digest;
use nalgebra::DMatrix;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;

const KIND: &str = "checkpoint";
const INITIAL: &str = "initial";
const LISTS: &str = "lists";
const TENSORS: [&str; 6] = ["weights", "best", "velocity", "previous_gradient", INITIAL, LISTS];

/// What a run is about: what must be the same when it is resumed.
pub(crate) struct Identity(Record);

impl Identity {
    pub fn of<T: Float>(network: &ExpNetwork<T>, data: &Dataset<T>, validation: Option<&Dataset<T>>) -> Self {
        let print = |numbers: &[T]| Digest::of(numbers).to_string();
        let of_data = |kind: &str, data: &Dataset<T>| {
            Record::new(kind)
                .with("samples", data.samples())
                .with("fingerprint of the points", print(data.points().as_slice()))
                .with("fingerprint of the labels", print(data.labels().as_slice()))
        };
        let network = Record::new("network")
            .with("dtype", T::NAME.to_string())
            .with("dimension", network.dimension())
            .with("width", network.width())
            .with(
                "fingerprint of the output weights",
                print(network.output_weights().as_slice()),
            );
        Self(
            Record::new("identity")
                .with("network", network)
                .with("data", of_data("data set", data))
                .with("validation", validation.map(|data| of_data("validation data", data))),
        )
    }

    /// That the run is the one of the record.
    fn agree(&self, stored: &Record) -> Result<(), Error> {
        for part in ["network", "data"] {
            stored.get::<Record>(part)?.agree_on_all(&self.0.get(part)?)?;
        }
        match (stored.get("validation")?, self.0.get("validation")?) {
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

/// Replaces the checkpoint at `path`.
pub(crate) fn write<T: Float>(
    path: &Path,
    identity: &Identity,
    state: State,
    engine: &Engine<T>,
    initial: &DMatrix<T>,
) -> Result<(), Error> {
    let width = initial.ncols();
    let arrays = || {
        Array::ALL
            .into_iter()
            .filter_map(|array| Some((array, engine.numbers_of(array)?)))
    };
    let mut checksums = Record::new("checksums").with(INITIAL, Digest::of(initial.as_slice()).finish());
    for (array, _) in arrays() {
        let mut digest = Digest::default();
        let done: Result<(), Infallible> = engine.unload(array, |numbers| {
            digest.feed(numbers);
            Ok(())
        });
        let Ok(()) = done;
        checksums = checksums.with(array.name(), digest.finish());
    }
    let record = Record::new(KIND)
        .with("identity", identity.0.clone())
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

    let mut tensors = vec![Tensor::new(INITIAL, &[width, initial.nrows()], initial.as_slice())];
    for (array, numbers) in arrays() {
        tensors.push(Tensor::streamed::<T>(array.name(), &[width, numbers], move |give| {
            engine.unload(array, give)
        }));
    }
    let length = lists.iter().map(Vec::len).sum();
    let lists = Tensor::streamed::<f64>(LISTS, &[length], |give| lists.iter().try_for_each(|list| give(list)));
    // Those of f64 first: every number is aligned.
    tensors.insert(0, lists);
    save(path, KIND, document, &tensors)
}

/// A checkpoint that was opened, and belongs to this run.
pub(crate) struct Stored<T> {
    file: TensorFile,
    record: Record,
    checksums: Record,
    shape: (usize, usize),
    of: PhantomData<T>,
}

impl<T: Float> Stored<T> {
    /// Reads all but the arrays.
    pub fn open(path: &Path, identity: &Identity) -> Result<Self, Error> {
        let mut file = TensorFile::open(path, KIND, &TENSORS)?;
        let document = file.document()?;
        let (record, checksums) = json::unsealed(document).map_err(|problem| file.wrong(problem))?;
        let [length] = file.shape(LISTS)?;
        let lists: Vec<f64> = file.numbers(LISTS, &[length])?;
        let read = |value| json::to_record(&value, &lists).ok_or("its records are damaged");
        let (record, checksums) = read(record)
            .and_then(|record| Ok((record, read(checksums)?)))
            .map_err(|problem| file.wrong(problem))?;
        if checksums.get::<u64>(LISTS)? != Digest::of(&lists).finish() {
            return Err(damaged(&file, LISTS));
        }
        identity.agree(&record.get("identity")?)?;
        let network: Record = identity.0.get("network")?;
        let shape = (network.get("dimension")?, network.get("width")?);
        Ok(Self {
            file,
            record,
            checksums,
            shape,
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

    /// The weights the run began with, d x m.
    pub fn initial(&mut self) -> Result<DMatrix<T>, Error> {
        let (dimension, width) = self.shape;
        let initial = self.file.numbers::<T>(INITIAL, &[width, dimension])?;
        self.check(
            INITIAL,
            Digest::of(&initial),
            initial.iter().all(nalgebra::ComplexField::is_finite),
        )?;
        Ok(DMatrix::from_vec(dimension, width, initial))
    }

    /// Takes the arrays into an engine that was made from the initial weights.
    pub fn load(&mut self, engine: &mut Engine<T>) -> Result<(), Error> {
        for array in Array::ALL {
            let name = array.name();
            if array != Array::Weights && !self.file.has(name) {
                continue;
            }
            let (mut digest, mut all_finite) = (Digest::default(), true);
            let mut parts = self.file.parts::<T>(name, &[self.shape.1, engine.numbers_in(array)])?;
            engine.load(array, |count| {
                let numbers = parts.next(count)?;
                digest.feed(&numbers);
                all_finite &= numbers.iter().all(nalgebra::ComplexField::is_finite);
                Ok(numbers)
            })?;
            self.check(name, digest, all_finite)?;
        }
        Ok(())
    }

    fn check(&self, name: &str, found: Digest, all_finite: bool) -> Result<(), Error> {
        if self.checksums.get::<u64>(name)? != found.finish() {
            return Err(damaged(&self.file, name));
        }
        if !all_finite {
            return Err(self
                .file
                .wrong(format!("tensor {name:?} holds a number that is not finite")));
        }
        Ok(())
    }
}

fn damaged(file: &TensorFile, name: &str) -> Error {
    file.wrong(format!("tensor {name:?} is damaged: its checksum is another"))
}

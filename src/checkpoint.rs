//! The whole state of a run in a file, and out of it again.
//!
//! ```text
//! document     identity (network, data), schedule, method, position, run: records, in JSON, with a checksum
//! weights      [neuron][coordinate]    the current weights, in the coordinates of the run
//! initial      [neuron][dimension]     the weights the run began with
//! best, velocity, previous_gradient    [neuron][coordinate], where the run has them
//! lists        long lists of numbers from the records
//! ```
//!
//! The coordinates are those of the run, reduced or not: the way back to the network's would round. What belongs to a
//! neuron is in arrays that any machine, with panels of any width, can take up a part of; what belongs to the run
//! is in the document.
//!
//! Of a network on several ranks the file is that of the whole: rank 0 writes it, and the neurons of the others pass it a
//! message at a time. Each rank of the resumed run, however many there are, reads its own neurons.

mod document;

use crate::checksum::{self, Checksum};
use crate::communicator::{Link, Sum};
use crate::dataset::Dataset;
use crate::engine::{Array, Engine};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::record::Record;
use crate::storage::tensors::{Tensor, TensorFile, save};
use document::Document;
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
#[derive(Debug)]
pub(crate) struct Identity {
    record: Record,
    /// Of each rank.
    widths: Vec<usize>,
}

impl Identity {
    /// All ranks call it. Two exchanges.
    pub fn of<T: Float>(
        link: &Link<'_>,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        validation: Option<&Dataset<T>>,
    ) -> Result<Self, Error> {
        let print = |numbers: &[T]| Checksum::of(numbers).to_string();
        let of_data = |kind: &str, data: &Dataset<T>| {
            Record::new(kind)
                .with("samples", data.samples())
                .with("fingerprint of the points", print(data.points().as_slice()))
                .with("fingerprint of the labels", print(data.labels().as_slice()))
        };
        let widths = link.widths(network.width())?;
        let output_weights = link.checksum(|checksum| checksum.feed(network.output_weights().as_slice()))?;
        let network = Record::new("network")
            .with("dtype", T::NAME.to_string())
            .with("dimension", network.dimension())
            .with("width", widths.iter().sum::<usize>())
            .with("fingerprint of the output weights", checksum::name(output_weights));
        let record = Record::new("run")
            .with("validation", validation.is_some())
            .with_part("network", network)
            .with_part("data", of_data("data set", data));
        let record = match validation {
            Some(data) => record.with_part("validation", of_data("validation data", data)),
            None => record,
        };
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
        stored.agree_on_all(&self.record)?;
        for part in ["network", "data", "validation"] {
            if let Ok(given) = self.record.part(part) {
                stored.part(part)?.agree_on_all(given)?;
            }
        }
        Ok(())
    }
}

/// What a run remembers beside its arrays.
pub(crate) struct Records {
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
    fn checksum(&self, link: &Link<'_>) -> Result<u64, Error> {
        link.checksum(|checksum| {
            let Ok(()) = self.unload::<Infallible>(|numbers| {
                checksum.feed(numbers);
                Ok(())
            });
        })
    }
}

/// Replaces the checkpoint at `path`. All ranks call it, with the same records; rank 0 writes.
pub(crate) fn write<T: Float>(
    path: &Path,
    identity: &Identity,
    records: Records,
    engine: &Engine<T>,
    initial: &DMatrix<T>,
) -> Result<(), Error> {
    let link = engine.link();
    let arrays = Array::ALL
        .into_iter()
        .filter(|&array| engine.numbers_of(array).is_some());
    let mut parts = vec![Part::Initial(initial)];
    parts.extend(arrays.map(|array| Part::Of(engine, array)));
    let checksums: Vec<u64> = parts.iter().map(|part| part.checksum(link)).collect::<Result<_, _>>()?;
    let written = if link.rank() == 0 {
        write_whole(path, identity, records, &parts, &checksums, link)
    } else {
        let mut parts = parts.iter();
        parts.try_for_each(|part| link.gather(&lengths(identity, part), |give| part.unload(give), |_| Ok(())))
    };
    link.pass(written)?;
    // Rank 0 may have failed after the last number.
    link.sum(Sum::Gather, &mut [])
}

/// Numbers of each rank.
fn lengths<T: Float>(identity: &Identity, part: &Part<'_, T>) -> Vec<usize> {
    identity.widths.iter().map(|width| width * part.numbers()).collect()
}

fn write_whole<T: Float>(
    path: &Path,
    identity: &Identity,
    records: Records,
    parts: &[Part<'_, T>],
    checksums: &[u64],
    link: &Link<'_>,
) -> Result<(), Error> {
    let record = Record::new(KIND)
        .with_part("identity", identity.record.clone())
        .with_part("schedule", records.schedule)
        .with_part("method", records.method)
        .with_part("position", records.position)
        .with_part("run", records.run);
    let mut lists = Vec::new();
    let document = Document::new(record, &mut lists);
    // Those of f64 first: every number is aligned.
    let mut tensors = vec![Tensor::new(LISTS, &[lists.len()], &lists)];
    for (part, &checksum) in parts.iter().zip(checksums) {
        let lengths = lengths(identity, part);
        let shape = [identity.width(), part.numbers()];
        let tensor = Tensor::streamed::<T>(part.name(), &shape, move |give| {
            link.gather(&lengths, |give| part.unload(give), give)
        });
        tensors.push(tensor.with_checksum(checksum));
    }
    save(path, KIND, document, &tensors)
}

/// A checkpoint that was opened, and belongs to this run.
pub(crate) struct Saved<T> {
    file: TensorFile,
    record: Record,
    /// Tells the file from others: all ranks must have opened the same.
    mark: u64,
    /// Of the whole network.
    shape: (usize, usize),
    /// Those of this rank.
    neurons: Range<usize>,
    of: PhantomData<T>,
}

impl<T: Float> Saved<T> {
    /// Reads all but the arrays, for the share of rank `rank`.
    pub fn open(path: &Path, identity: &Identity, rank: usize) -> Result<Self, Error> {
        let mut file = TensorFile::open(path, KIND, &TENSORS)?;
        let document: Document = file.document()?;
        let mark = document.check().map_err(|problem| file.wrong(problem))?;
        let [length] = file.shape(LISTS)?;
        let lists: Vec<f64> = file.numbers(LISTS, &[length])?;
        let record = document.into_record(&lists).map_err(|problem| file.wrong(problem))?;
        identity.agree(record.part("identity")?)?;
        let network = identity.record.part("network")?;
        Ok(Self {
            file,
            mark,
            shape: (network.get("dimension")?, identity.width()),
            neurons: identity.neurons(rank),
            of: PhantomData,
            record,
        })
    }

    pub fn records(&self) -> Result<Records, Error> {
        Ok(Records {
            schedule: self.record.part("schedule")?.clone(),
            method: self.record.part("method")?.clone(),
            position: self.record.part("position")?.clone(),
            run: self.record.part("run")?.clone(),
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
    fn check(&self, link: &Link<'_>, part: &Part<'_, T>) -> Result<(), Error> {
        self.file.check(part.name(), part.checksum(link)?)
    }
}

fn not_finite(file: &TensorFile, name: &str) -> Error {
    file.wrong(format!("tensor {name:?} holds a number that is not finite"))
}

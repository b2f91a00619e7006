//! Saving the whole state of a run to a file, and restoring it.
//!
//! ```text
//! document     records of identity (network, data), schedule, method, position, run, in JSON, with a checksum
//! weights      [neuron][coordinate]    the current weights, in the coordinates of the run
//! initial      [neuron][dimension]     the initial weights
//! best, velocity, previous_gradient    [neuron][coordinate], if the run has them
//! lists        long lists of numbers from the records
//! ```
//!
//! The coordinates are those of the run, reduced or not, because converting back to the network's would round. State of
//! single neurons is in arrays, any part of which a machine with panels of any width can load; state of the whole run
//! is in the document. Each tensor has a CRC-64/XZ checksum (see [`crate::storage::tensors`]).
//!
//! With several ranks the file holds the whole network: rank 0 writes it, receiving the neurons of the other ranks one
//! message at a time. Each rank of the resumed run, of which there may be more or fewer, reads its own neurons.

mod document;

use crate::checksum::{self, Checksum};
use crate::communicator::{Exchange, Link};
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

/// What must be the same when a run is resumed: its network and data. The number of ranks is not part of it.
#[derive(Debug)]
pub(crate) struct Identity {
    record: Record,
    /// The number of neurons on each rank.
    widths: Vec<usize>,
}

impl Identity {
    /// Called by all ranks. Takes two exchanges.
    pub fn of<T: Float>(
        link: &Link<'_>,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        validation: Option<&Dataset<T>>,
    ) -> Result<Self, Error> {
        let fingerprint = |numbers: &[T]| Checksum::of(numbers).to_string();
        let of_data = |kind: &str, data: &Dataset<T>| {
            Record::new(kind)
                .with("samples", data.samples())
                .with("fingerprint of the points", fingerprint(data.points().as_slice()))
                .with("fingerprint of the labels", fingerprint(data.labels().as_slice()))
                .with(
                    "fingerprint of the sample weights",
                    data.weights()
                        .map_or("none".into(), |weights| fingerprint(weights.as_slice())),
                )
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

    /// The neurons on a rank.
    fn neurons(&self, rank: usize) -> Range<usize> {
        let first = self.widths[..rank].iter().sum();
        first..first + self.widths[rank]
    }

    /// Checks that `stored` is the identity of this run.
    fn check(&self, stored: &Record) -> Result<(), Error> {
        stored.agree_on_all(&self.record)?;
        for part in ["network", "data", "validation"] {
            if let Ok(given) = self.record.part(part) {
                stored.part(part)?.agree_on_all(given)?;
            }
        }
        Ok(())
    }
}

/// The state of a run apart from its arrays.
pub(crate) struct Records {
    pub schedule: Record,
    pub method: Record,
    pub position: Record,
    pub run: Record,
}

/// A tensor with one row per neuron.
enum NeuronTensor<'a, T: Float> {
    Initial(&'a DMatrix<T>),
    InEngine(&'a Engine<T>, Array),
}

impl<T: Float> NeuronTensor<'_, T> {
    fn name(&self) -> &'static str {
        match self {
            Self::Initial(_) => INITIAL,
            Self::InEngine(_, array) => array.name(),
        }
    }

    /// The number of entries per neuron.
    fn entries(&self) -> usize {
        match self {
            Self::Initial(weights) => weights.nrows(),
            Self::InEngine(engine, array) => engine.numbers_in(*array),
        }
    }

    /// Passes this rank's rows to `sink`, some neurons at a time.
    fn unload<E>(&self, mut sink: impl FnMut(&[T]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Initial(weights) => sink(weights.as_slice()),
            Self::InEngine(engine, array) => engine.unload(*array, sink),
        }
    }

    /// The checksum of the whole tensor, over all ranks.
    fn checksum(&self, link: &Link<'_>) -> Result<u64, Error> {
        link.checksum(|checksum| {
            let Ok(()) = self.unload::<Infallible>(|numbers| {
                checksum.feed(numbers);
                Ok(())
            });
        })
    }
}

/// Creates or replaces the checkpoint at `path`. Called by all ranks with the same records; rank 0 writes.
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
    let mut tensors = vec![NeuronTensor::Initial(initial)];
    tensors.extend(arrays.map(|array| NeuronTensor::InEngine(engine, array)));
    let checksums: Vec<u64> = tensors
        .iter()
        .map(|tensor| tensor.checksum(link))
        .collect::<Result<_, _>>()?;
    let written = if link.rank() == 0 {
        write_whole(path, identity, records, &tensors, &checksums, link)
    } else {
        tensors
            .iter()
            .try_for_each(|tensor| link.gather(&lengths(identity, tensor), |sink| tensor.unload(sink), |_| Ok(())))
    };
    link.leave_on_error(written)?;
    // Rank 0 may have failed after the last message.
    link.sum(Exchange::Gather, &mut [])
}

/// The number of entries on each rank.
fn lengths<T: Float>(identity: &Identity, tensor: &NeuronTensor<'_, T>) -> Vec<usize> {
    identity.widths.iter().map(|width| width * tensor.entries()).collect()
}

fn write_whole<T: Float>(
    path: &Path,
    identity: &Identity,
    records: Records,
    neuron_tensors: &[NeuronTensor<'_, T>],
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
    // f64 tensors come first, so that all numbers are aligned.
    let mut tensors = vec![Tensor::new(LISTS, &[lists.len()], &lists)];
    for (tensor, &checksum) in neuron_tensors.iter().zip(checksums) {
        let lengths = lengths(identity, tensor);
        let shape = [identity.width(), tensor.entries()];
        let streamed = Tensor::streamed::<T>(tensor.name(), &shape, move |sink| {
            link.gather(&lengths, |own| tensor.unload(own), sink)
        });
        tensors.push(streamed.with_checksum(checksum));
    }
    save(path, KIND, document, &tensors)
}

/// An open checkpoint that belongs to this run.
pub(crate) struct CheckpointReader<T> {
    file: TensorFile,
    record: Record,
    /// Identifies the file: all ranks must have opened the same one.
    fingerprint: u64,
    /// Dimension and width of the whole network.
    shape: (usize, usize),
    /// The neurons of this rank.
    neurons: Range<usize>,
    scalar: PhantomData<T>,
}

impl<T: Float> CheckpointReader<T> {
    /// Reads everything but the arrays, for rank `rank`.
    pub fn open(path: &Path, identity: &Identity, rank: usize) -> Result<Self, Error> {
        let mut file = TensorFile::open(path, KIND, &TENSORS)?;
        let document: Document = file.document()?;
        let fingerprint = document.check().map_err(|problem| file.invalid(problem))?;
        let [length] = file.shape(LISTS)?;
        let lists: Vec<f64> = file.numbers(LISTS, &[length])?;
        let record = document.into_record(&lists).map_err(|problem| file.invalid(problem))?;
        identity.check(record.part("identity")?)?;
        let network = identity.record.part("network")?;
        Ok(Self {
            file,
            fingerprint,
            shape: (network.get("dimension")?, identity.width()),
            neurons: identity.neurons(rank),
            scalar: PhantomData,
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

    /// The initial weights of this rank's neurons, d x m. [`load`](Self::load) verifies their checksum.
    pub fn initial(&mut self) -> Result<DMatrix<T>, Error> {
        let ((dimension, width), neurons) = (self.shape, self.neurons.clone());
        let entries = neurons.start * dimension..neurons.end * dimension;
        let initial = self.file.range::<T>(INITIAL, &[width, dimension], entries)?;
        if !initial.iter().all(ComplexField::is_finite) {
            return Err(not_finite(&self.file, INITIAL));
        }
        Ok(DMatrix::from_vec(dimension, neurons.len(), initial))
    }

    /// Loads the arrays into an engine created from the initial weights. Called by all ranks.
    pub fn load(&mut self, engine: &mut Engine<T>, initial: &DMatrix<T>) -> Result<(), Error> {
        engine.link().note(self.fingerprint);
        self.check(engine.link(), &NeuronTensor::Initial(initial))?;
        for array in Array::ALL {
            let name = array.name();
            if array != Array::Weights && !self.file.has(name) {
                continue;
            }
            if array == Array::Best && !engine.validates() {
                return Err(self.file.invalid(format!(
                    "tensor {name:?} holds the best weights of a run with validation data, and this run has none"
                )));
            }
            let (entries, mut all_finite) = (engine.numbers_in(array), true);
            let first = self.neurons.start * entries;
            let mut stream = self.file.stream::<T>(name, &[self.shape.1, entries], first)?;
            engine.load(array, |count| {
                let numbers = stream.next(count)?;
                all_finite &= numbers.iter().all(ComplexField::is_finite);
                Ok(numbers)
            })?;
            if !all_finite {
                return Err(not_finite(&self.file, name));
            }
            self.check(engine.link(), &NeuronTensor::InEngine(engine, array))?;
        }
        Ok(())
    }

    /// Verifies the checksum of what all ranks have read. The result is the same on every rank.
    fn check(&self, link: &Link<'_>, tensor: &NeuronTensor<'_, T>) -> Result<(), Error> {
        self.file.check_checksum(tensor.name(), tensor.checksum(link)?)
    }
}

fn not_finite(file: &TensorFile, name: &str) -> Error {
    file.invalid(format!("tensor {name:?} holds a number that is not finite"))
}

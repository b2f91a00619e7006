//! A run's numbers for each neuron, out of the chunks and into them again bit for bit.
//!
//! They leave as [neuron][coordinate], whatever the width of a panel, so that any machine and any share of the
//! neurons can take them up.

use super::chunk::Chunk;
use super::pack::{Aligned, pack_panel, unpack_panel};
use super::training::Engine;
use crate::error::Error;
use crate::float::Float;

/// What a run holds for each neuron beside its output weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Array {
    /// The weights, in the coordinates of the run.
    Weights,
    /// The best weights so far, where they are others.
    Best,
    /// The movement that momentum carries on.
    Velocity,
    /// The gradient of the step before.
    Previous,
}

impl Array {
    pub const ALL: [Self; 4] = [Self::Weights, Self::Best, Self::Velocity, Self::Previous];

    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Best => "best",
            Self::Velocity => "velocity",
            Self::Previous => "previous_gradient",
        }
    }
}

/// Rows of a panel, and how many of them stand for something.
fn rows<T>(chunk: &Chunk<T>, array: Array, trained: usize) -> (usize, usize) {
    match array {
        Array::Weights | Array::Best => (chunk.dimension, chunk.dimension),
        Array::Velocity | Array::Previous => (chunk.gradient_rows, trained),
    }
}

impl<T: Float> Engine<T> {
    /// Numbers that a neuron has in this array; `None` where the run has no such array.
    pub fn numbers_of(&self, array: Array) -> Option<usize> {
        let chunk = self.chunks.first()?;
        self.packed(chunk, array)?;
        Some(self.numbers_in(array))
    }

    /// Numbers that a neuron has in this array where there is one.
    pub fn numbers_in(&self, array: Array) -> usize {
        self.chunks
            .first()
            .map_or(0, |chunk| rows(chunk, array, self.batches.trained()).1)
    }

    fn packed<'a>(&self, chunk: &'a Chunk<T>, array: Array) -> Option<&'a Aligned<T>> {
        match array {
            Array::Weights => Some(&chunk.weights[self.current()]),
            Array::Best => self
                .best()
                .filter(|&best| best != self.current())
                .map(|best| &chunk.weights[best]),
            Array::Velocity => chunk.velocity.as_ref().map(|[now, _]| now),
            Array::Previous => chunk.previous.as_ref(),
        }
    }

    /// Hands out the array, a share of the neurons at a time.
    pub fn unload<E>(&self, array: Array, mut give: impl FnMut(&[T]) -> Result<(), E>) -> Result<(), E> {
        let mut neurons = Vec::new();
        for chunk in &self.chunks {
            let Some(packed) = self.packed(chunk, array) else {
                continue;
            };
            let (rows, valid) = rows(chunk, array, self.batches.trained());
            neurons.clear();
            neurons.resize(chunk.neurons * valid, T::zero());
            let panels = packed.get().chunks_exact(rows * chunk.lanes);
            for (panel, neurons) in panels.zip(neurons.chunks_mut(chunk.lanes * valid)) {
                unpack_panel(panel, valid, neurons, chunk.lanes);
            }
            give(&neurons)?;
        }
        Ok(())
    }

    /// Takes up the array, a share of the neurons at a time: `take` answers with as many numbers as it is asked for.
    pub fn load(&mut self, array: Array, mut take: impl FnMut(usize) -> Result<Vec<T>, Error>) -> Result<(), Error> {
        let trained = self.batches.trained();
        let role = if array == Array::Best {
            self.remember_best_apart()
        } else {
            self.current()
        };
        for chunk in &mut self.chunks {
            let (rows, valid) = rows(chunk, array, trained);
            let neurons = take(chunk.neurons * valid)?;
            let lanes = chunk.lanes;
            let packed = match array {
                Array::Weights | Array::Best => &mut chunk.weights[role],
                Array::Velocity => {
                    chunk.prepare(false, true)?;
                    match &mut chunk.velocity {
                        Some([now, _]) => now,
                        None => continue,
                    }
                }
                Array::Previous => {
                    let zeros = Aligned::zeros(chunk.panels * rows * lanes)?;
                    chunk.previous.insert(zeros)
                }
            };
            let panels = packed.get_mut().chunks_exact_mut(rows * lanes);
            for (panel, neurons) in panels.zip(neurons.chunks(lanes * valid)) {
                pack_panel(neurons, valid, panel, lanes);
            }
        }
        Ok(())
    }
}

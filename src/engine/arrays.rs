//! The per-neuron arrays of a run, read from the chunks and loaded back bit for bit.
//!
//! Outside the chunks they are [neuron][coordinate], whatever the width of a panel, so that any machine can load them,
//! and any rank its share of the neurons.

use super::chunk::{Chunk, Roles};
use super::memory::Aligned;
use super::points::{pack_panel, unpack_panel};
use crate::error::Error;
use crate::float::Float;

/// What a run holds for each neuron in addition to its output weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Array {
    /// The weights, in the coordinates of the run.
    Weights,
    /// The best weights so far, if they are not the current ones.
    Best,
    /// The velocity of momentum.
    Velocity,
    /// The gradient of the previous step.
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

    /// The rows of a panel, and how many of them are not padding.
    fn rows<T>(self, chunk: &Chunk<T>, trained: usize) -> (usize, usize) {
        match self {
            Self::Weights | Self::Best => (chunk.shape.dimension, chunk.shape.dimension),
            Self::Velocity | Self::Previous => (chunk.shape.gradient_rows, trained),
        }
    }

    /// Numbers per neuron.
    pub(super) fn numbers<T>(self, chunks: &[Chunk<T>], trained: usize) -> usize {
        chunks.first().map_or(0, |chunk| self.rows(chunk, trained).1)
    }

    /// The buffer of the chunk that holds it; `None` if the run has no such array.
    pub(super) fn of<T>(self, chunk: &Chunk<T>, roles: Roles) -> Option<&Aligned<T>> {
        match self {
            Self::Weights => Some(&chunk.weights[roles.current]),
            Self::Best => {
                let apart = roles.best.filter(|&best| best != roles.current);
                apart.map(|best| &chunk.weights[best])
            }
            Self::Velocity => chunk.velocity.as_ref().map(|[now, _]| now),
            Self::Previous => chunk.previous.as_ref(),
        }
    }
}

/// Passes the array to `give`, the neurons of one chunk at a time.
pub(super) fn unload<T: Float, E>(
    array: Array,
    chunks: &[Chunk<T>],
    roles: Roles,
    trained: usize,
    mut give: impl FnMut(&[T]) -> Result<(), E>,
) -> Result<(), E> {
    let mut neurons = Vec::new();
    for chunk in chunks {
        let Some(packed) = array.of(chunk, roles) else {
            continue;
        };
        let (rows, valid) = array.rows(chunk, trained);
        let lanes = chunk.shape.lanes;
        neurons.clear();
        neurons.resize(chunk.shape.neurons * valid, T::zero());
        let panels = packed.get().chunks_exact(rows * lanes);
        for (panel, neurons) in panels.zip(neurons.chunks_mut(lanes * valid)) {
            unpack_panel(panel, valid, neurons, lanes);
        }
        give(&neurons)?;
    }
    Ok(())
}

/// Loads the array, the neurons of one chunk at a time: `take` returns as many numbers as it is asked for.
pub(super) fn load<T: Float>(
    array: Array,
    chunks: &mut [Chunk<T>],
    roles: &mut Roles,
    trained: usize,
    mut take: impl FnMut(usize) -> Result<Vec<T>, Error>,
) -> Result<(), Error> {
    let role = match array {
        Array::Best => roles.set_best_apart(),
        _ => roles.current,
    };
    for chunk in chunks {
        let (rows, valid) = array.rows(chunk, trained);
        let neurons = take(chunk.shape.neurons * valid)?;
        let lanes = chunk.shape.lanes;
        let packed = match array {
            Array::Weights | Array::Best => &mut chunk.weights[role],
            Array::Velocity => {
                chunk.prepare_velocity()?;
                match &mut chunk.velocity {
                    Some([now, _]) => now,
                    None => continue,
                }
            }
            Array::Previous => {
                let zeros = Aligned::zeros(chunk.shape.gradient_len())?;
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

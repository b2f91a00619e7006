//! The outputs of the network that the last sweeps evaluated.

use super::Scope;
use super::batches::Batches;
use super::chunk::{Chunk, gather};
use crate::float::Float;

/// F at the points of the last sweeps.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub batch: Vec<f64>,
    pub validation: Vec<f64>,
    /// Of a sweep that is not a step.
    pub evaluated: Vec<f64>,
    /// The factor of the outputs of a tangent product.
    pub unit: f64,
}

impl Outputs {
    /// Adds up the outputs that a sweep evaluated, over all chunks.
    pub fn read<T: Float>(&mut self, chunks: &[Chunk<T>], batches: &Batches<T>, scope: Scope) {
        let batch = batches.next();
        let n = batch.points.samples;
        if scope != Scope::Nothing {
            gather(chunks, n, 0, &batch.slots, &mut self.batch);
        }
        if let (Scope::BatchAndValidation, Some(points)) = (scope, batches.validation()) {
            gather(chunks, points.samples, n, &[], &mut self.validation);
        }
    }

    /// The outputs that a sweep evaluated, of the batch and of the validation points.
    pub fn of(&mut self, scope: Scope) -> [&mut [f64]; 2] {
        match scope {
            Scope::Nothing => [&mut [], &mut []],
            Scope::Batch => [&mut self.batch, &mut []],
            Scope::BatchAndValidation => [&mut self.batch, &mut self.validation],
        }
    }
}

//! Which samples a sweep works on: all of them, or a batch that a method chose.
//!
//! ```text
//! caller's sample i  --place[i]-->  column of `samples`  --pack-->  packed row p  --slots[p]-->  caller's number of the batch
//! ```

use super::pack::{Coordinates, Points};
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// Packed samples, and which ones they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch<T> {
    pub points: Points<T>,
    /// The samples as the caller counts them; empty for all.
    chosen: Vec<usize>,
    /// Packed row p is number `slots[p]` of the caller's vectors.
    pub slots: Vec<usize>,
}

/// All samples and two batches in turn: the one of the current activations, and the one of the next.
#[derive(Debug)]
pub(super) struct Batches<T> {
    samples: Coordinates<T>,
    /// The caller's sample i is column `place[i]` of `samples`.
    place: Vec<usize>,
    /// Coordinates along which weights move.
    trained: usize,
    /// Rows of a kernel's blocks, in units of 4.
    units: usize,
    /// All samples, and two batches.
    packed: [Batch<T>; 3],
    now: usize,
    then: usize,
    permuted: Vec<T>,
}

impl<T: Float> Batches<T> {
    /// Column p of `samples` is the caller's sample `order[p]`.
    pub fn new(samples: Coordinates<T>, order: Vec<usize>, trained: usize, units: usize) -> Result<Self, Error> {
        let mut place = vec![0; order.len()];
        for (p, &i) in order.iter().enumerate() {
            place[i] = p;
        }
        let mut all = Batch {
            slots: order,
            ..Batch::default()
        };
        all.points.pack(&samples, &[], trained, units)?;
        Ok(Self {
            samples,
            place,
            trained,
            units,
            packed: [all, Batch::default(), Batch::default()],
            now: 0,
            then: 0,
            permuted: Vec::new(),
        })
    }

    /// Other samples, in the caller's order.
    pub fn replace(&mut self, points: DMatrix<T>) -> Result<(), Error> {
        let order = (0..points.ncols()).collect();
        *self = Self::new(Coordinates::new(points), order, self.trained, self.units)?;
        Ok(())
    }

    /// Chooses the samples of the next forward sweep; none means all of them.
    pub fn choose(&mut self, chosen: &[usize]) -> Result<(), Error> {
        let same = |batch: &Batch<T>| batch.points.samples > 0 && batch.chosen == chosen;
        if chosen.is_empty() {
            self.then = 0;
        } else if let Some(found) = (1..3).find(|&b| same(&self.packed[b])) {
            self.then = found;
        } else {
            self.then = if self.now == 1 { 2 } else { 1 };
            let batch = &mut self.packed[self.then];
            batch.chosen.clear();
            batch.chosen.extend_from_slice(chosen);
            batch.slots.clear();
            batch.slots.extend(0..chosen.len());
            // In the order of the samples' coordinates, so that what is triangular stays so.
            batch
                .slots
                .sort_unstable_by_key(|&slot| (self.place[chosen[slot]], slot));
            let columns: Vec<usize> = batch.slots.iter().map(|&slot| self.place[chosen[slot]]).collect();
            batch.points.pack(&self.samples, &columns, self.trained, self.units)?;
        }
        Ok(())
    }

    /// The chosen samples become the current ones.
    pub fn enter(&mut self) {
        self.now = self.then;
    }

    pub fn all(&self) -> &Batch<T> {
        &self.packed[0]
    }

    pub fn now(&self) -> &Batch<T> {
        &self.packed[self.now]
    }

    pub fn then(&self) -> &Batch<T> {
        &self.packed[self.then]
    }

    /// Packs a number for each current sample, for the backward half.
    pub fn pack_dual(&mut self, dual: &[T]) {
        let batch = &mut self.packed[self.now];
        self.permuted.clear();
        self.permuted.extend(batch.slots.iter().map(|&slot| dual[slot]));
        batch.points.pack_dual(&self.permuted);
    }

    /// Coordinates along which weights move.
    pub fn trained(&self) -> usize {
        self.trained
    }

    pub fn coordinates(&self) -> &Coordinates<T> {
        &self.samples
    }

    /// The columns of the coordinates that are the rows of the current batch.
    pub fn columns(&self) -> Vec<usize> {
        let batch = self.now();
        let column = |&slot: &usize| self.place[batch.chosen.get(slot).copied().unwrap_or(slot)];
        batch.slots.iter().map(column).collect()
    }

    /// The current samples in the coordinates along which weights move, in the caller's order: a sample a column.
    pub fn points(&self) -> DMatrix<f64> {
        let batch = self.now();
        let columns: Vec<usize> = if batch.chosen.is_empty() {
            self.place.clone()
        } else {
            batch.chosen.iter().map(|&i| self.place[i]).collect()
        };
        let rows = self.samples.matrix.rows(0, self.trained);
        rows.select_columns(&columns).map(Float::as_f64)
    }
}

//! The points that a sweep works on: all samples or a batch that a method chose, and the validation points.
//!
//! ```text
//! caller's sample i  --place[i]-->  column of `samples`  --pack-->  packed row p  --slots[p]-->  caller's index in the batch
//! ```

use super::expansion::Packing;
use super::plan::BlockRows;
use super::points::{Coordinates, Points};
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// Packed samples, and which ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch<T> {
    pub points: Points<T>,
    /// The caller's sample indices; empty means all.
    pub chosen: Vec<usize>,
    /// Packed row p is entry `slots[p]` of the caller's vectors.
    pub slots: Vec<usize>,
}

impl<T> Batch<T> {
    /// The sample of entry `slot` of the caller's vectors.
    fn sample(&self, slot: usize) -> usize {
        self.chosen.get(slot).copied().unwrap_or(slot)
    }
}

/// All samples, and two batches in turn: that of the current activations and that of the next ones.
#[derive(Debug)]
pub(super) struct Batches<T> {
    samples: Coordinates<T>,
    /// The caller's sample i is column `place[i]` of `samples`.
    place: Vec<usize>,
    /// Coordinates along which weights move.
    trained: usize,
    rows: BlockRows,
    /// All samples, then two batches.
    packed: [Batch<T>; 3],
    current: usize,
    next: usize,
    permuted: Vec<T>,
    /// The factor of row i of the Jacobian, one per sample; empty if all are 1.
    pub roots: Vec<f64>,
    /// How points are packed for sweeps by expansion, if there may be any.
    packing: Option<Packing>,
    validation: Option<Points<T>>,
}

impl<T: Float> Batches<T> {
    /// Column p of `samples` is the caller's sample `order[p]`. With `packing`, points are also packed for sweeps by expansion.
    pub fn new(
        samples: Coordinates<T>,
        order: Vec<usize>,
        validation: Option<&Coordinates<T>>,
        trained: usize,
        rows: BlockRows,
        packing: Option<Packing>,
    ) -> Result<Self, Error> {
        let mut place = vec![0; order.len()];
        for (p, &i) in order.iter().enumerate() {
            place[i] = p;
        }
        let mut all = Batch {
            slots: order,
            ..Batch::default()
        };
        all.points.pack(&samples, &[], trained, rows)?;
        if let Some(packing) = packing {
            all.points.pack_few(&samples, &[], packing)?;
        }
        let validation = validation.map(|points| {
            let mut packed = Points::default();
            packed.pack_forward(points, &[], rows, std::f64::consts::LOG2_E)?;
            if let Some(packing) = packing {
                packed.pack_few(points, &[], packing)?;
            }
            Ok(packed)
        });
        Ok(Self {
            samples,
            place,
            trained,
            rows,
            packed: [all, Batch::default(), Batch::default()],
            current: 0,
            next: 0,
            permuted: Vec::new(),
            roots: Vec::new(),
            packing,
            validation: validation.transpose()?,
        })
    }

    /// Other samples, in the caller's order.
    pub fn replace(&mut self, points: DMatrix<T>) -> Result<(), Error> {
        let order = (0..points.ncols()).collect();
        *self = Self::new(Coordinates::new(points), order, None, self.trained, self.rows, None)?;
        Ok(())
    }

    /// Chooses the samples of the next forward half; empty means all.
    pub fn choose(&mut self, chosen: &[usize]) -> Result<(), Error> {
        let same = |batch: &Batch<T>| batch.points.samples > 0 && batch.chosen == chosen;
        if chosen.is_empty() {
            self.next = 0;
        } else if let Some(found) = (1..3).find(|&b| same(&self.packed[b])) {
            self.next = found;
        } else {
            self.next = if self.current == 1 { 2 } else { 1 };
            let batch = &mut self.packed[self.next];
            batch.chosen.clear();
            batch.chosen.extend_from_slice(chosen);
            batch.slots.clear();
            batch.slots.extend(0..chosen.len());
            // In the order of the coordinates, so that triangular points stay triangular.
            batch
                .slots
                .sort_unstable_by_key(|&slot| (self.place[chosen[slot]], slot));
            let columns: Vec<usize> = batch.slots.iter().map(|&slot| self.place[chosen[slot]]).collect();
            batch.points.pack(&self.samples, &columns, self.trained, self.rows)?;
            if let Some(packing) = self.packing {
                batch.points.pack_few(&self.samples, &columns, packing)?;
            }
        }
        Ok(())
    }

    /// Lets the next forward half evaluate the current samples again.
    pub fn stay(&mut self) {
        self.next = self.current;
    }

    /// Makes the chosen samples the current ones.
    pub fn enter(&mut self) {
        self.current = self.next;
    }

    pub fn all(&self) -> &Batch<T> {
        &self.packed[0]
    }

    /// All samples times 2, packed for the forward half.
    pub fn doubled(&self) -> Result<Points<T>, Error> {
        let mut points = Points::default();
        points.pack_forward(&self.samples, &[], self.rows, 2.0 * std::f64::consts::LOG2_E)?;
        Ok(points)
    }

    pub fn current(&self) -> &Batch<T> {
        &self.packed[self.current]
    }

    pub fn next(&self) -> &Batch<T> {
        &self.packed[self.next]
    }

    pub fn validation(&self) -> Option<&Points<T>> {
        self.validation.as_ref()
    }

    /// The number of points that the next forward half evaluates as a rule: validation points come with all samples, and
    /// else only now and then.
    pub fn ahead(&self) -> usize {
        let validation = self.validation().filter(|_| self.next == 0);
        self.next().points.samples + validation.map_or(0, |points| points.samples)
    }

    /// Multiplies entry i of a product with the Jacobian, one per current sample, by the factor of its row.
    pub fn scale(&self, product: &mut [f64]) {
        if self.roots.is_empty() {
            return;
        }
        for (slot, p) in product.iter_mut().enumerate() {
            *p *= self.roots[self.current().sample(slot)];
        }
    }

    /// The same for the rows and the columns of J J^T. Entry (i, j) gets the bits of entry (j, i).
    pub fn scale_both(&self, gram: &mut DMatrix<f64>) {
        if self.roots.is_empty() {
            return;
        }
        let root = |slot| self.roots[self.current().sample(slot)];
        for (j, mut column) in gram.column_iter_mut().enumerate() {
            for (i, g) in column.iter_mut().enumerate() {
                *g *= root(i) * root(j);
            }
        }
    }

    /// Sets the dual, one number per current sample, of the backward half.
    pub fn pack_dual(&mut self, dual: &[T]) {
        let batch = &mut self.packed[self.current];
        self.permuted.clear();
        if self.roots.is_empty() {
            self.permuted.extend(batch.slots.iter().map(|&slot| dual[slot]));
        } else {
            let root = |slot| self.roots[batch.sample(slot)];
            let scaled = |&slot: &usize| T::lit(dual[slot].as_f64() * root(slot));
            self.permuted.extend(batch.slots.iter().map(scaled));
        }
        if let Some(few) = &mut batch.points.few {
            few.pack_dual(&self.permuted);
        }
    }

    /// Sets the factors v and e, one number each per current sample, of a product with the Hessian.
    pub fn pack_factors(&mut self, first: &[T], second: &[T]) {
        let batch = &mut self.packed[self.current];
        let mut factors = std::mem::take(&mut batch.points.factors);
        let units = [1.0, std::f64::consts::LN_2];
        for ((to, from), unit) in factors.iter_mut().zip([first, second]).zip(units) {
            to.clear();
            to.extend(batch.slots.iter().map(|&slot| {
                let root = self.roots.get(batch.sample(slot)).copied().unwrap_or(1.0);
                T::lit(from[slot].as_f64() * root * unit)
            }));
        }
        batch.points.factors = factors;
        self.permuted.clear();
        self.permuted.resize(batch.slots.len(), T::one());
    }

    /// Packs the same dual for a direct backward half.
    pub fn pack_direct_dual(&mut self) {
        self.packed[self.current].points.pack_dual(&self.permuted);
    }

    /// Coordinates along which weights move.
    pub fn trained(&self) -> usize {
        self.trained
    }

    pub fn coordinates(&self) -> &Coordinates<T> {
        &self.samples
    }

    /// The column of the coordinates for each packed row of the current batch.
    pub fn columns(&self) -> Vec<usize> {
        let batch = self.current();
        let column = |&slot: &usize| self.place[batch.sample(slot)];
        batch.slots.iter().map(column).collect()
    }

    /// The current samples in the coordinates along which weights move, one per column, in the caller's order.
    pub fn points(&self) -> DMatrix<f64> {
        let batch = self.current();
        let columns: Vec<usize> = if batch.chosen.is_empty() {
            self.place.clone()
        } else {
            batch.chosen.iter().map(|&i| self.place[i]).collect()
        };
        let rows = self.samples.matrix.rows(0, self.trained);
        rows.select_columns(&columns).map(Float::as_f64)
    }

    /// The rows of a panel's activations if they are stored, and if they are recomputed one group of samples at a time;
    /// and the number of outputs of the largest sweep.
    pub fn room(&self) -> (usize, usize, usize) {
        let (current, next) = (&self.current().points, &self.next().points);
        let validation = self.validation.as_ref().map_or(0, |points| points.samples);
        let outputs = current.samples.max(next.samples) + validation;
        (
            current.rows().max(next.rows()),
            current.group_rows().max(next.group_rows()),
            outputs.max(self.all().points.samples),
        )
    }
}

//! The engine of a run: the weights in packed form, and the sweeps over them.

use super::batches::Batches;
use super::chunk::{Along, Backward, Chunk, Partial, Roles, Sweep};
use super::compiled;
use super::kernel::Update;
use super::pack::{Coordinates, Points};
use super::pages::Pages;
use super::path::{Memory, Path};
use super::reduce::{Reduction, reduce};
use super::{Ahead, Move, Movement, Set, Sums, weights};
use crate::communicator::{Link, Sum};
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// Whose activations the chunks hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Nothing,
    Current,
    Next,
}

/// The weights of a run, and the sweeps over them.
#[derive(Debug)]
pub(crate) struct Engine<T: Float> {
    pub(super) path: Path,
    pub(super) chunks: Vec<Chunk<T>>,
    activations: Pages<T>,
    /// What G was formed from.
    slab: Pages<f64>,
    pub(super) basis: Option<weights::Basis<T>>,
    pub(super) batches: Batches<T>,
    watched: Option<Points<T>>,
    roles: Roles,
    best: Option<usize>,
    holds: Holds,
    pub(super) outputs: Vec<f64>,
    pub(super) watched_outputs: Vec<f64>,
    evaluated: Vec<f64>,
    pub(super) shape: (usize, usize),
    passes: usize,
    /// To the ranks with the other neurons.
    pub(super) link: Link,
    /// What goes over it.
    pub(super) message: Vec<f64>,
}

impl<T: Float> Engine<T> {
    /// Packs weights and points. No sweep yet.
    pub fn new(
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        watched: Option<&DMatrix<T>>,
        memory: Memory,
    ) -> Result<Self, Error> {
        let path = Path::new::<T>(memory);
        Self::with(path, reduce(points, watched), weights, output_weights, points, watched)
    }

    pub(super) fn with(
        path: Path,
        reduction: Option<Reduction<T>>,
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        watched: Option<&DMatrix<T>>,
    ) -> Result<Self, Error> {
        let n = points.ncols();
        let path = if reduction.is_some() { path.triangular() } else { path };
        let (basis, samples, watched, order, trained) = match reduction {
            Some(r) => (Some(r.basis), r.samples, r.watched, r.order, r.trained),
            None => {
                let watched = watched.map(|points| Coordinates::new(points.clone()));
                (
                    None,
                    Coordinates::new(points.clone()),
                    watched,
                    (0..n).collect(),
                    points.nrows(),
                )
            }
        };
        let basis = basis.map(|basis| weights::Basis::new(&basis, path.units)).transpose()?;
        let copies = if watched.is_some() { 3 } else { 2 };
        let watched = match watched {
            Some(from) => {
                let mut points = Points::default();
                points.pack_forward(&from, &[], path.units, std::f64::consts::LOG2_E)?;
                Some(points)
            }
            None => None,
        };
        let batches = Batches::new(samples, order, trained, path.units)?;
        let chunks = weights::pack(&path, weights, output_weights, basis.as_ref(), trained, copies)?;
        Ok(Self {
            path,
            chunks,
            activations: Pages::default(),
            slab: Pages::default(),
            basis,
            batches,
            watched,
            roles: Roles { current: 0, next: 1 },
            best: None,
            holds: Holds::Nothing,
            outputs: Vec::with_capacity(n),
            watched_outputs: Vec::new(),
            evaluated: Vec::new(),
            shape: weights.shape(),
            passes: 0,
            link: Link::solo(),
            message: Vec::new(),
        })
    }

    /// An engine in the coordinates of the network.
    pub fn direct(
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        memory: Memory,
    ) -> Result<Self, Error> {
        Self::with(Path::new::<T>(memory), None, weights, output_weights, points, None)
    }

    /// Other points for an engine without reduction.
    pub fn replace_points(&mut self, points: DMatrix<T>) -> Result<(), Error> {
        self.holds = Holds::Nothing;
        self.batches.replace(points)
    }

    /// The kept gradient of an engine without reduction, d x m.
    pub fn unpack_gradient(&self, gradient: &mut DMatrix<T>) {
        weights::unpack_gradient(&self.chunks, gradient);
    }

    /// The number of sweeps so far.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// Chooses the samples of the next forward sweep; none means all of them.
    pub fn set_batch(&mut self, chosen: &[usize]) -> Result<(), Error> {
        if !self.link.is_solo() {
            for &i in chosen {
                self.link.note(i as u64);
            }
        }
        let set = self.batches.choose(chosen);
        self.link.pass(set)
    }

    /// Evaluates the chosen samples, and the watched points, at the current weights.
    pub fn forward(&mut self) -> Result<(), Error> {
        self.batches.enter();
        self.make_room()?;
        self.sweep(Backward::No, false, None, None, Ahead::BatchAndWatched);
        self.read_outputs(true);
        self.holds = if self.stores() { Holds::Current } else { Holds::Nothing };
        let sums = self.sums();
        self.over_ranks(Sum::Forward, sums, Ahead::BatchAndWatched, 0.0, None)?;
        Ok(())
    }

    /// F at the samples of the last sweep.
    pub fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    /// F at the watched points of the last sweep that looked at them.
    pub fn watched_outputs(&self) -> &[f64] {
        &self.watched_outputs
    }

    /// A backward sweep alone: J^T dual is kept for the next `propose`.
    pub fn gradient(&mut self, dual: &[T]) -> Result<Sums, Error> {
        self.batches.pack_dual(dual);
        self.make_room()?;
        self.prepare(true, false)?;
        let backward = self.backward();
        self.sweep(backward, true, None, None, Ahead::Nothing);
        if backward == Backward::Recomputed {
            self.holds = if self.stores() { Holds::Current } else { Holds::Nothing };
        }
        let sums = self.sums();
        self.over_ranks(Sum::Gradient, sums, Ahead::Nothing, 0.0, Some(dual))
    }

    /// Moves a copy of the weights along the kept gradient (`dual` is `None`) or along J^T dual, and evaluates what is
    /// `ahead` there. With `keep`, J^T dual is kept for further proposals.
    pub fn propose(&mut self, dual: Option<&[T]>, step: Move, keep: bool, ahead: Ahead) -> Result<Sums, Error> {
        let backward = match dual {
            Some(dual) => {
                self.batches.pack_dual(dual);
                self.backward()
            }
            None => Backward::Kept,
        };
        self.make_room()?;
        let backward = if backward == Backward::Stored {
            self.backward()
        } else {
            backward
        };
        self.prepare(keep, step.carry != 0.0)?;
        let update = Update {
            step_size: T::lit(step.step_size),
            carry: T::lit(step.carry),
            nesterov: step.nesterov,
            pull: T::lit(step.pull),
        };
        self.sweep(backward, keep, None, Some(update), ahead);
        if ahead != Ahead::Nothing {
            self.read_outputs(ahead == Ahead::BatchAndWatched);
            self.holds = if self.stores() { Holds::Next } else { Holds::Nothing };
        }
        let sums = self.sums();
        let sums = self.over_ranks(Sum::Proposal, sums, ahead, step.step_size, dual)?;
        if !sums.all_finite {
            self.outputs.fill(f64::NAN);
        }
        Ok(sums)
    }

    /// The proposal becomes the current weights.
    pub fn accept(&mut self, carry: bool, keep_previous: bool) {
        self.roles.current = self.roles.next;
        self.choose_next();
        self.batches.enter();
        self.holds = if self.holds == Holds::Next {
            Holds::Current
        } else {
            Holds::Nothing
        };
        for chunk in &mut self.chunks {
            match &mut chunk.velocity {
                Some([now, next]) if carry => std::mem::swap(now, next),
                // A step without momentum forgets the movement before it.
                Some([now, _]) => now.get_mut().fill(T::zero()),
                None => {}
            }
            if keep_previous {
                chunk.remember_gradient();
            }
        }
    }

    fn choose_next(&mut self) {
        let taken = |copy: &usize| *copy != self.roles.current && Some(*copy) != self.best;
        self.roles.next = (0..3).find(taken).unwrap_or(self.roles.next);
    }

    /// Evaluates a whole set at the current weights, leaving everything else as it is.
    pub fn evaluate(&mut self, set: Set) -> Result<&[f64], Error> {
        self.passes += 1;
        let all = self.batches.all();
        let (points, slots) = match (set, &self.watched) {
            (Set::Watched, Some(points)) => (points, &[][..]),
            _ => (&all.points, &all.slots[..]),
        };
        let sweep = evaluation(self.roles, points);
        let work = (self.batches.trained() + 8) * points.samples * self.shape.1;
        compiled::run(self.path.level, &mut self.chunks, &mut self.activations, &sweep, work);
        gather(&self.chunks, points.samples, 0, slots, &mut self.evaluated);
        self.link.sum(Sum::Evaluation, &mut self.evaluated)?;
        Ok(&self.evaluated)
    }

    /// product = G vector for G = J J^T on the current samples, at the current weights.
    pub fn tangent_product(&mut self, vector: &[f64], product: &mut [f64]) -> Result<(), Error> {
        let dual: Vec<T> = vector.iter().map(|&v| T::lit(v)).collect();
        self.batches.pack_dual(&dual);
        self.tangent(Along::Gradient, product)
    }

    /// product = J (W - W_0) on the current samples, at the current weights. W_0 must be kept.
    pub fn movement_product(&mut self, product: &mut [f64]) -> Result<(), Error> {
        self.tangent(Along::Movement, product)
    }

    fn tangent(&mut self, along: Along, product: &mut [f64]) -> Result<(), Error> {
        self.make_room()?;
        let backward = self.backward();
        self.sweep(backward, false, Some(along), None, Ahead::Nothing);
        if backward == Backward::Recomputed {
            self.holds = if self.stores() { Holds::Current } else { Holds::Nothing };
        }
        let batch = self.batches.now();
        gather(&self.chunks, product.len(), 0, &batch.slots, &mut self.evaluated);
        self.link.sum(Sum::TangentProduct, &mut self.evaluated)?;
        for (p, sum) in product.iter_mut().zip(&self.evaluated) {
            *p = sum * std::f64::consts::LN_2;
        }
        Ok(())
    }

    /// The current samples in the coordinates along which weights move, a sample a column.
    pub fn points(&self) -> DMatrix<f64> {
        self.batches.points()
    }

    /// Remembers the current weights as the best so far.
    pub fn remember_best(&mut self) {
        self.best = Some(self.roles.current);
        self.choose_next();
    }

    /// The copy to fill with best weights that are not the current ones.
    pub(super) fn remember_best_apart(&mut self) -> usize {
        let best = self.roles.next;
        self.best = Some(best);
        self.choose_next();
        best
    }

    /// Puts the best weights back, where some were remembered.
    pub fn recall_best(&mut self) {
        if let Some(best) = self.best {
            self.roles.current = best;
            self.choose_next();
            self.holds = Holds::Nothing;
        }
    }

    /// Turns the initial weights into the current ones.
    pub fn advance(&self, weights: &mut DMatrix<T>) -> Result<(), Error> {
        weights::unpack(
            &self.path,
            &self.chunks,
            self.basis.as_ref(),
            self.roles.current,
            weights,
        )
    }

    /// How far the current weights are from the initial ones.
    pub fn movement(&self, initial: &DMatrix<T>) -> Result<Movement, Error> {
        let own = weights::movement(
            &self.path,
            &self.chunks,
            self.basis.as_ref(),
            self.roles.current,
            initial,
        );
        self.largest_over_ranks(own)
    }

    /// Keeps a packed copy of the initial weights, for steps that pull towards them.
    pub fn keep_initial(&mut self, initial: &DMatrix<T>) -> Result<(), Error> {
        if self.keeps_initial() {
            return Ok(());
        }
        let kept = weights::keep_initial(&self.path, &mut self.chunks, self.basis.as_ref(), initial);
        self.link.pass(kept)
    }

    /// Whether it does.
    pub fn keeps_initial(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.initial.is_some())
    }

    pub(super) fn best(&self) -> Option<usize> {
        self.best
    }

    pub(super) fn current(&self) -> usize {
        self.roles.current
    }

    /// Sets the number of sweeps, for a run that goes on.
    pub fn set_passes(&mut self, passes: usize) {
        self.passes = passes;
    }

    /// Memory for a slab of `len` activations; `keep_slab` gives it back, for the next G.
    pub(super) fn take_slab(&mut self, len: usize) -> Result<Pages<f64>, Error> {
        let mut slab = std::mem::take(&mut self.slab);
        slab.set_len(len)?;
        Ok(slab)
    }

    pub(super) fn keep_slab(&mut self, slab: Pages<f64>) {
        self.slab = slab;
    }

    pub(super) fn count_pass(&mut self) {
        self.passes += 1;
    }

    fn stores(&self) -> bool {
        self.chunks.first().is_some_and(|chunk| chunk.stores)
    }

    fn backward(&self) -> Backward {
        if self.holds == Holds::Current {
            Backward::Stored
        } else {
            Backward::Recomputed
        }
    }

    /// Sees to it that the chunks' buffers hold the samples of the next sweep.
    fn make_room(&mut self) -> Result<(), Error> {
        let (now, then) = (&self.batches.now().points, &self.batches.then().points);
        let rows = now.rows().max(then.rows());
        let group = now.group_rows().max(then.group_rows());
        let outputs = now.samples.max(then.samples) + self.watched.as_ref().map_or(0, |points| points.samples);
        let outputs = outputs.max(self.batches.all().points.samples);
        let stores = self.path.stores::<T>(rows, self.shape.1);
        let fits = |chunk: &Chunk<T>| {
            chunk.stores == stores
                && chunk.activation_rows >= if stores { rows } else { group }
                && chunk.sums_fit(outputs)
        };
        if self.chunks.iter().all(fits) {
            return Ok(());
        }
        self.holds = Holds::Nothing;
        let rows = if stores { rows } else { group };
        let made = self
            .chunks
            .iter_mut()
            .try_for_each(|chunk| chunk.make_room(stores, rows, outputs))
            .and_then(|()| {
                let len = self.chunks.iter().map(Chunk::activations_len).sum();
                self.activations.set_len(len)
            });
        self.link.pass(made)
    }

    /// Takes the memory of kept gradients and velocities, where they are asked for.
    fn prepare(&mut self, keep: bool, carry: bool) -> Result<(), Error> {
        let prepared = self.chunks.iter_mut().try_for_each(|chunk| chunk.prepare(keep, carry));
        self.link.pass(prepared)
    }

    fn sweep(
        &mut self,
        backward: Backward,
        keep: bool,
        tangent: Option<Along>,
        update: Option<Update<T>>,
        ahead: Ahead,
    ) {
        self.passes += 1;
        let (now, then) = (&self.batches.now().points, &self.batches.then().points);
        let then = (ahead != Ahead::Nothing).then_some(then);
        let sweep = Sweep {
            roles: self.roles,
            backward,
            now,
            keep,
            tangent,
            update,
            then,
            store: self.chunks.first().is_some_and(|chunk| chunk.stores),
            watched: self.watched.as_ref().filter(|_| ahead == Ahead::BatchAndWatched),
        };
        let halves = usize::from(backward != Backward::No) + usize::from(then.is_some() || tangent.is_some());
        let work = (self.batches.trained() * halves + 8) * now.samples * self.shape.1;
        compiled::run(self.path.level, &mut self.chunks, &mut self.activations, &sweep, work);
    }

    fn read_outputs(&mut self, watched: bool) {
        let batch = self.batches.then();
        let n = batch.points.samples;
        gather(&self.chunks, n, 0, &batch.slots, &mut self.outputs);
        if let (true, Some(points)) = (watched, &self.watched) {
            gather(&self.chunks, points.samples, n, &[], &mut self.watched_outputs);
        }
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums {
            is_zero: true,
            all_finite: true,
            ..Sums::default()
        };
        for Partial {
            is_zero,
            norm_squared,
            dot_previous,
            dot_velocity,
            movement,
            all_finite,
            ..
        } in self.chunks.iter().map(|c| &c.partial)
        {
            sums.is_zero &= is_zero;
            sums.all_finite &= all_finite;
            sums.norm_squared += norm_squared;
            sums.dot_previous += dot_previous;
            sums.dot_velocity += dot_velocity;
            sums.movement += movement;
        }
        sums
    }
}

/// A forward sweep at the current weights that stores nothing.
pub(super) fn evaluation<T>(roles: Roles, points: &Points<T>) -> Sweep<'_, T> {
    Sweep {
        roles,
        backward: Backward::No,
        now: points,
        keep: false,
        tangent: None,
        update: None,
        then: Some(points),
        store: false,
        watched: None,
    }
}

/// Adds the chunks' sums in order: `count` of them from `from` on, the p-th of which goes to `slots[p]` (none: to p).
pub(super) fn gather<T>(chunks: &[Chunk<T>], count: usize, from: usize, slots: &[usize], to: &mut Vec<f64>) {
    to.clear();
    to.resize(count, 0.0);
    for chunk in chunks {
        let sums = &chunk.partial.outputs[from..from + count];
        if slots.is_empty() {
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        } else {
            slots.iter().zip(sums).for_each(|(&slot, sum)| to[slot] += sum);
        }
    }
}

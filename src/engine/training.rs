//! The engine of a run: the weights in packed form, and the sweeps over them.

use super::arrays::{self, Array};
use super::batches::Batches;
use super::cached::Cached;
use super::chunk::{Chunk, Roles, gather};
use super::expansion::{Expansion, Extent};
use super::kernels::panel::Update;
use super::memory::Pages;
use super::outputs::Outputs;
use super::pass::Passes;
use super::plan::{Memory, Pass, Plan};
use super::points::Coordinates;
use super::ranks::{Decided, Ranks};
use super::reduce::{Reduction, reduce};
use super::sweep::{Along, Job, Source};
use super::weights::{self, Basis, Frame};
use super::{Dual, GradientSums, Move, Movement, ProposalSums, Scope, SweepSums, gram, moments};
use crate::communicator::{Exchange, Link};
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// The weights of a run, and the sweeps over them.
#[derive(Debug)]
pub(crate) struct Engine<T: Float> {
    pub(super) plan: Plan,
    pub(super) chunks: Vec<Chunk<T>>,
    pub(super) buffers: Buffers<T>,
    basis: Option<Basis<T>>,
    pub(super) batches: Batches<T>,
    pub(super) roles: Roles,
    pub(super) cached: Cached,
    pub(super) outputs: Outputs,
    pub(super) passes: Passes,
    pub(super) ranks: Ranks,
    /// If the points have few coordinates.
    pub(super) expansion: Option<Expansion>,
}

/// The largest buffers.
#[derive(Debug, Default)]
pub(super) struct Buffers<T> {
    pub activations: Pages<T>,
    /// What G was formed from.
    slab: Pages<f64>,
}

impl<T: Float> Engine<T> {
    /// Packs weights and points, without a sweep; in fewer coordinates if the points span fewer and the engine `reduces`.
    pub fn new(
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        validation: Option<&DMatrix<T>>,
        (memory, pass): (Memory, Pass),
        reduces: bool,
    ) -> Result<Self, Error> {
        let plan = Plan::new::<T>(memory)?.by_setting(pass)?;
        let reduction = if reduces { reduce(points, validation)? } else { None };
        Self::with(plan, reduction, weights, output_weights, points, validation)
    }

    /// An engine in the coordinates of the network.
    pub fn direct(
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        memory: Memory,
    ) -> Result<Self, Error> {
        let plan = Plan::new::<T>(memory)?.by_setting(Pass::Auto)?;
        Self::with(plan, None, weights, output_weights, points, None)
    }

    pub(super) fn with(
        plan: Plan,
        reduction: Option<Reduction<T>>,
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        validation: Option<&DMatrix<T>>,
    ) -> Result<Self, Error> {
        let copies = if validation.is_some() { 3 } else { 2 };
        let order = || (0..points.ncols()).collect();
        let (plan, basis, samples, order, validation, trained) = match reduction {
            Some(r) => {
                let plan = plan.triangular();
                let basis = Basis::new(&r.basis, plan.rows)?;
                (plan, Some(basis), r.samples, r.order, r.validation, r.trained)
            }
            None => {
                let validation = validation.map(|points| Coordinates::new(points.clone()));
                let samples = Coordinates::new(points.clone());
                (plan, None, samples, order(), validation, points.nrows())
            }
        };
        let extent = Extent::of(&plan, &samples, validation.as_ref());
        let expansion = extent.map(|extent| Expansion::new(&plan, output_weights, &extent));
        let packing = extent.map(|extent| extent.packing());
        let batches = Batches::new(samples, order, validation.as_ref(), trained, plan.rows, packing)?;
        let frame = Frame::new(&plan, basis.as_ref());
        let chunks = weights::pack(frame, weights, output_weights, batches.trained(), copies)?;
        Ok(Self {
            plan,
            chunks,
            buffers: Buffers::default(),
            basis,
            batches,
            roles: Roles::default(),
            cached: Cached::default(),
            outputs: Outputs::default(),
            passes: Passes::default(),
            ranks: Ranks::new(Link::solo()),
            expansion,
        })
    }

    /// Whether the points have few enough coordinates for sweeps by expansion.
    pub fn may_expand(&self) -> bool {
        self.expansion.is_some()
    }

    /// The engine of a rank, with row i of the Jacobian J, and so of J J^T, multiplied by `roots[i]`; by 1 if it is empty.
    pub fn joined(mut self, link: Link<'static>, roots: Vec<f64>) -> Self {
        self.ranks = Ranks::new(link);
        self.batches.roots = roots;
        self
    }

    /// The factors of the rows of the Jacobian; empty if all are 1.
    pub fn roots(&self) -> &[f64] {
        &self.batches.roots
    }

    pub fn link(&self) -> &Link<'static> {
        self.ranks.link()
    }

    /// Replaces the points of an engine without reduction.
    pub fn replace_points(&mut self, points: DMatrix<T>) -> Result<(), Error> {
        self.cached = Cached::default();
        self.expansion = None;
        self.batches.replace(points)
    }

    /// The number of sweeps so far.
    pub fn passes(&self) -> Passes {
        self.passes
    }

    /// Sets the number of sweeps, for a run that is resumed.
    pub fn set_passes(&mut self, passes: Passes) {
        self.passes = passes;
    }

    /// Chooses the samples of the next forward sweep or step, each below the number of samples; none means all of them.
    pub fn choose_batch(&mut self, chosen: &[usize]) -> Result<(), Error> {
        if !self.link().is_solo() {
            for &i in chosen {
                self.link().note(i as u64);
            }
        }
        let set = self.batches.choose(chosen);
        self.link().leave_on_error(set)
    }

    /// Lets the next step evaluate the current samples again.
    pub fn stay_with_batch(&mut self) {
        self.batches.stay();
    }

    /// The current samples; empty for all.
    pub fn batch(&self) -> &[usize] {
        &self.batches.current().chosen
    }

    /// The samples chosen for the next forward sweep or step; empty for all.
    pub fn next_batch(&self) -> &[usize] {
        &self.batches.next().chosen
    }

    /// F at the samples of the last sweep that evaluated them.
    pub fn outputs(&self) -> &[f64] {
        &self.outputs.batch
    }

    /// F at the validation points of the last sweep that evaluated them.
    pub fn validation_outputs(&self) -> &[f64] {
        &self.outputs.validation
    }

    /// Evaluates the chosen samples and the validation points at the current weights.
    pub fn forward(&mut self) -> Result<(), Error> {
        self.batches.enter();
        let own = self.sweep(Job::Forward, Scope::BatchAndValidation)?;
        self.over_ranks(Exchange::Forward, own, Scope::BatchAndValidation, 0.0, None)?;
        Ok(())
    }

    /// Computes J^T v in a backward sweep, and keeps it for the next step along the same vector.
    pub fn gradient(&mut self, dual: Dual, v: &[T]) -> Result<GradientSums, Error> {
        self.batches.pack_dual(v);
        self.prepare(true, false)?;
        let own = self.sweep(Job::Gradient, Scope::Nothing)?;
        let sums = self.over_ranks(Exchange::Gradient, own, Scope::Nothing, 0.0, Some(v))?;
        self.cached.keep(Some(dual));
        Ok(sums.gradient)
    }

    /// Whether J^T v is available.
    pub fn keeps(&self, dual: Dual) -> bool {
        self.cached.keeps(dual)
    }

    /// Forgets J^T v, because this v has changed.
    pub fn forget(&mut self, dual: Dual) {
        self.cached.forget(dual);
    }

    /// Moves a copy of the weights along J^T v, which is computed unless it was kept, and evaluates `scope` there. With
    /// `keep`, a J^T v that is computed is kept for further proposals.
    pub fn propose(
        &mut self,
        dual: Dual,
        v: &[T],
        step: Move,
        keep: bool,
        scope: Scope,
    ) -> Result<ProposalSums, Error> {
        let source = if self.keeps(dual) {
            Source::Kept
        } else {
            self.batches.pack_dual(v);
            Source::Dual { keep }
        };
        self.prepare(keep, step.momentum != 0.0)?;
        let update = Update {
            step_size: T::lit(step.step_size),
            momentum: T::lit(step.momentum),
            nesterov: step.nesterov,
            pull: T::lit(step.pull),
        };
        let own = self.sweep(Job::Step { source, update }, scope)?;
        let fresh = source != Source::Kept;
        let sums = self.over_ranks(Exchange::Proposal, own, scope, step.step_size, fresh.then_some(v))?;
        if fresh {
            self.cached.keep(keep.then_some(dual));
        }
        if !sums.all_finite {
            self.outputs.batch.fill(f64::NAN);
        }
        Ok(ProposalSums {
            gradient: fresh.then_some(sums.gradient),
            moved: sums.moved,
            movement: self.keeps_initial().then_some(sums.movement),
        })
    }

    /// Makes the proposal the current weights; `momentum` says whether it had any. With `keep_previous`, the kept
    /// gradient becomes the previous one.
    pub fn accept(&mut self, momentum: bool, keep_previous: bool) {
        self.roles.accept();
        self.batches.enter();
        self.cached.accept();
        if let Some(expansion) = &mut self.expansion {
            expansion.accept();
        }
        for chunk in &mut self.chunks {
            chunk.accept(momentum, keep_previous);
        }
    }

    /// F at all samples, at the current weights, leaving everything else as it is.
    pub fn evaluate_all(&mut self) -> Result<&[f64], Error> {
        self.evaluate(|batches| {
            let all = batches.all();
            Some((&all.points, &all.slots))
        })
    }

    /// F at the validation points, at the current weights, leaving everything else as it is. Empty if there are none.
    pub fn evaluate_validation(&mut self) -> Result<&[f64], Error> {
        self.evaluate(|batches| batches.validation().map(|points| (points, &[][..])))
    }

    /// product = G vector for G = J J^T on the current samples, at the current weights.
    pub fn tangent_product(&mut self, vector: &[f64], product: &mut [f64]) -> Result<(), Error> {
        let v: Vec<T> = vector.iter().map(|&v| T::lit(v)).collect();
        self.batches.pack_dual(&v);
        self.product(Along::Gradient, product)
    }

    /// product = J (W - W_0) on the current samples, at the current weights; keeps W_0.
    pub fn movement_product(&mut self, initial: &DMatrix<T>, product: &mut [f64]) -> Result<(), Error> {
        self.keep_initial(initial)?;
        self.product(Along::Movement, product)
    }

    pub(super) fn product(&mut self, along: Along, product: &mut [f64]) -> Result<(), Error> {
        self.sweep(Job::Product(along), Scope::Nothing)?;
        self.read_product(product)
    }

    /// product = J u for the direction u that proposals are along, at the weights and outputs of the last one.
    pub fn product_ahead(&mut self, product: &mut [f64]) -> Result<(), Error> {
        let done = self.sweep_ahead();
        self.link().leave_on_error(done)?;
        self.read_product(product)
    }

    fn read_product(&mut self, product: &mut [f64]) -> Result<(), Error> {
        let (slots, evaluated) = (&self.batches.current().slots, &mut self.outputs.evaluated);
        gather(&self.chunks, product.len(), 0, slots, evaluated);
        self.ranks.link().sum(Exchange::TangentProduct, evaluated)?;
        for (p, sum) in product.iter_mut().zip(&self.outputs.evaluated) {
            *p = sum * self.outputs.unit;
        }
        self.batches.scale(product);
        Ok(())
    }

    /// G = J J^T on the current samples, at the current weights.
    ///
    /// n^2 m + 2 n d m flops and n m exponentials; memory for 3/2 n^2 numbers besides a slab.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.passes.all += 1;
        let slab = &mut self.buffers.slab;
        let own = gram::products_of_activations(&self.plan, &self.chunks, self.roles.current, &self.batches, slab);
        let mut gram = self.link().leave_on_error(own)?;
        self.link().sum(Exchange::TangentGram, gram.as_mut_slice())?;
        gram::multiply_by_products(&mut gram, &self.batches.points());
        self.batches.scale_both(&mut gram);
        Ok(gram)
    }

    /// Mean (k) and covariance (k x k) of the current weights, in the k coordinates along which they move.
    ///
    /// m k^2 flops.
    pub fn weight_moments(&self) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
        let (level, trained) = (self.plan.level, self.batches.trained());
        moments::weight_moments(level, &self.chunks, self.roles.current, trained, &self.ranks)
    }

    /// The current samples in the coordinates along which weights move, one sample per column.
    pub fn points(&self) -> DMatrix<f64> {
        self.batches.points()
    }

    /// Remembers the current weights as the best so far.
    pub fn remember_best(&mut self) {
        self.roles.remember_best();
    }

    /// Restores the best weights, if any were remembered.
    pub fn recall_best(&mut self) {
        if self.roles.recall_best() {
            self.cached = Cached::default();
            self.forget_weights();
        }
    }

    /// Whether there are validation points, and so best weights.
    pub fn validates(&self) -> bool {
        self.batches.validation().is_some()
    }

    /// Whether weights move in their own coordinates, and not in those of the span of the points.
    pub fn is_direct(&self) -> bool {
        self.basis.is_none()
    }

    /// Turns the initial weights into the current ones.
    pub fn advance(&self, weights: &mut DMatrix<T>) -> Result<(), Error> {
        weights::unpack(self.frame(), &self.chunks, self.roles.current, weights)
    }

    /// How far the current weights are from the initial ones.
    pub fn movement(&self, initial: &DMatrix<T>) -> Result<Movement, Error> {
        let own = weights::movement(self.frame(), &self.chunks, self.roles.current, initial);
        self.ranks.largest(self.link().leave_on_error(own)?)
    }

    /// Keeps a packed copy of the initial weights, for steps that pull towards them.
    pub fn keep_initial(&mut self, initial: &DMatrix<T>) -> Result<(), Error> {
        if self.keeps_initial() {
            return Ok(());
        }
        let frame = Frame::new(&self.plan, self.basis.as_ref());
        let kept = weights::keep_initial(frame, &mut self.chunks, initial);
        self.link().leave_on_error(kept)
    }

    /// Whether the initial weights are kept.
    pub fn keeps_initial(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.initial.is_some())
    }

    /// Numbers per neuron of an array; `None` if the run has no such array.
    pub fn numbers_of(&self, array: Array) -> Option<usize> {
        array.of(self.chunks.first()?, self.roles)?;
        Some(self.numbers_in(array))
    }

    /// Numbers per neuron of an array that the run has.
    pub fn numbers_in(&self, array: Array) -> usize {
        array.numbers(&self.chunks, self.batches.trained())
    }

    /// Passes an array to `give`, some neurons at a time: see [`arrays::unload`].
    pub fn unload<E>(&self, array: Array, give: impl FnMut(&[T]) -> Result<(), E>) -> Result<(), E> {
        arrays::unload(array, &self.chunks, self.roles, self.batches.trained(), give)
    }

    /// Reads an array from `take`, some neurons at a time: see [`arrays::load`].
    pub fn load(&mut self, array: Array, take: impl FnMut(usize) -> Result<Vec<T>, Error>) -> Result<(), Error> {
        self.forget_weights();
        arrays::load(array, &mut self.chunks, &mut self.roles, self.batches.trained(), take)
    }

    fn frame(&self) -> Frame<'_, T> {
        Frame::new(&self.plan, self.basis.as_ref())
    }

    pub(super) fn width(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.shape.neurons).sum()
    }

    /// Allocates kept gradients and velocities, if asked for.
    pub(super) fn prepare(&mut self, keep: bool, momentum: bool) -> Result<(), Error> {
        let prepared = self.chunks.iter_mut().try_for_each(|chunk| {
            if keep {
                chunk.prepare_gradient()?;
            }
            if momentum {
                chunk.prepare_velocity()?;
            }
            Ok(())
        });
        self.link().leave_on_error(prepared)
    }

    /// The sums of the last sweep over all ranks, and the outputs that it evaluated.
    fn over_ranks(
        &mut self,
        what: Exchange,
        mut own: SweepSums,
        scope: Scope,
        step_size: f64,
        dual: Option<&[T]>,
    ) -> Result<SweepSums, Error> {
        if what == Exchange::Proposal {
            own.moved = self.chunks.iter().any(|chunk| chunk.moves(self.roles));
        }
        let outputs = self.outputs.of(scope);
        self.ranks.sum(what, own, outputs, &Decided { step_size, dual })
    }
}

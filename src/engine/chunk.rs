//! Chunks: fixed ranges of neurons, each with all its memory.
//!
//! Neurons are grouped into panels, panels into chunks. One thread at a time works on a chunk. How many panels a chunk
//! has depends on the width and the SIMD level alone, and the partial sums of the chunks are added in their order, so the
//! bits do not depend on the number of threads.
//!
//! ```text
//! chunk:  weights x3 (current, next, best)   [panel][coordinate][P]
//!         activations (in `Pages`)           [panel][sample][P], or one panel if they are recomputed
//!         sums                               [sample][lanes], flushed into f64 every 32 panels
//! ```

use super::memory::Aligned;
use super::points::{Group, UNIT};
use super::{GradientSums, SweepSums};
use crate::error::Error;
use crate::float::Float;

/// The number of panels in a chunk. Each chunk fetches and flushes its sums at least once, which takes eight panels to
/// pay off.
pub(super) fn panels_in_chunk(panels: usize) -> usize {
    (panels / 64).max(8)
}

/// The roles of the three copies of the weights in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub current: usize,
    pub next: usize,
    pub best: Option<usize>,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            current: 0,
            next: 1,
            best: None,
        }
    }
}

impl Roles {
    /// Makes the next weights the current ones.
    pub fn accept(&mut self) {
        self.current = self.next;
        self.choose_next();
    }

    /// The next weights in the place of the current ones, for a sweep that moves nothing.
    pub fn exchanged(self) -> Self {
        Self {
            current: self.next,
            next: self.current,
            ..self
        }
    }

    /// Makes the current weights the best ones as well.
    pub fn remember_best(&mut self) {
        self.best = Some(self.current);
        self.choose_next();
    }

    /// Makes another copy than the current one the best, and returns it, to be filled.
    pub fn set_best_apart(&mut self) -> usize {
        let best = self.next;
        self.best = Some(best);
        self.choose_next();
        best
    }

    /// Makes the best weights the current ones; returns false if there are none.
    pub fn recall_best(&mut self) -> bool {
        let Some(best) = self.best else { return false };
        self.current = best;
        self.choose_next();
        true
    }

    fn choose_next(&mut self) {
        let free = |copy: &usize| *copy != self.current && Some(*copy) != self.best;
        self.next = (0..3).find(free).unwrap_or(self.next);
    }
}

/// The range of neurons of a chunk, and the size of its panels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub panels: usize,
    pub first_neuron: usize,
    pub neurons: usize,
    /// Coordinates per neuron.
    pub dimension: usize,
    /// Coordinates along which neurons move: the first ones.
    pub trained: usize,
    /// Coordinates of its gradient: `trained`, padded to a multiple of 4.
    pub gradient_rows: usize,
    /// Neurons per panel: P.
    pub lanes: usize,
}

impl Shape {
    /// The length of a copy of the weights.
    pub fn weights_len(&self) -> usize {
        self.panels * self.dimension * self.lanes
    }

    /// The length of a gradient.
    pub fn gradient_len(&self) -> usize {
        self.panels * self.gradient_rows * self.lanes
    }
}

/// Sums over the neurons of a chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// One number per sample, then one per validation point; none after a sweep by expansion, except in the first chunk.
    pub outputs: Vec<f64>,
    /// Whether J^T v is 0 so far.
    pub is_zero: bool,
    pub norm_squared: f64,
    pub dot_previous: f64,
    pub dot_velocity: f64,
    /// ||W - W_0||^2 after the update, if W_0 is kept.
    pub movement: f64,
    pub all_finite: bool,
}

impl Partial {
    /// Resets the sums, with room for this many outputs.
    pub fn reset(&mut self, outputs: usize) {
        let mut memory = std::mem::take(&mut self.outputs);
        memory.clear();
        memory.resize(outputs, 0.0);
        *self = Self {
            outputs: memory,
            is_zero: true,
            all_finite: true,
            ..Self::default()
        };
    }
}

/// A fixed range of neurons, and everything that belongs to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk<T> {
    pub shape: Shape,
    pub output_weights: Aligned<T>,
    pub weights: [Aligned<T>; 3],
    /// W_0, for steps that pull towards it.
    pub initial: Option<Aligned<T>>,
    /// The velocity of momentum at the current weights, and at the next ones.
    pub velocity: Option<[Aligned<T>; 2]>,
    /// The kept J^T v.
    pub gradient: Option<Aligned<T>>,
    /// The gradient of the previous step.
    pub previous: Option<Aligned<T>>,
    pub activations: Activations,
    pub work: Work<T>,
    pub partial: Partial,
}

/// How the activations of a chunk are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Activations {
    /// Rows per panel.
    pub rows: usize,
    /// Whether those of every panel are stored, or those of one at a time.
    pub stored: bool,
}

impl Activations {
    /// Where those of a panel start: only one panel has any at a time, unless they are stored.
    #[inline(always)]
    pub fn start(self, panel: usize, lanes: usize) -> usize {
        if self.stored { panel * self.rows * lanes } else { 0 }
    }

    /// Where those of a group of samples start within a panel's: only one group has any at a time, unless they are stored.
    #[inline(always)]
    pub fn offset(self, group: &Group, lanes: usize) -> usize {
        if self.stored { group.samples.start * lanes } else { 0 }
    }
}

/// Memory whose contents do not outlive a sweep.
#[derive(Clone, Debug, Default)]
pub(super) struct Work<T> {
    /// The rows of a block, then J^T v of a panel.
    pub scratch: Aligned<T>,
    /// [output][lanes].
    pub sums: Aligned<T>,
    /// Activations of a group of samples, times what a product with the Hessian multiplies them by.
    pub bent: Aligned<T>,
}

/// Rows of the scratch memory before J^T v: those of the largest block.
pub(super) const SCRATCH_ROWS: usize = 3 * UNIT;

impl<T: Float> Chunk<T> {
    /// Allocates J^T v on demand: most runs never keep it.
    pub fn prepare_gradient(&mut self) -> Result<(), Error> {
        if self.gradient.is_none() {
            self.gradient = Some(Aligned::zeros(self.shape.gradient_len())?);
        }
        Ok(())
    }

    /// Allocates the velocity on demand: most runs have no momentum.
    pub fn prepare_velocity(&mut self) -> Result<(), Error> {
        if self.velocity.is_none() {
            let zeros = || Aligned::zeros(self.shape.gradient_len());
            self.velocity = Some([zeros()?, zeros()?]);
        }
        Ok(())
    }

    /// Makes room for products with the Hessian, for groups of this many samples.
    pub fn prepare_curvature(&mut self, group_rows: usize) -> Result<(), Error> {
        self.work.bent.set_len(group_rows * self.shape.lanes)
    }

    /// Whether there is room for the sums of this many outputs.
    pub fn sums_fit(&self, outputs: usize) -> bool {
        self.work.sums.get().len() >= outputs * (self.shape.lanes / 2)
    }

    /// The length of its activations, kept like this: those of one panel if they are not stored.
    pub fn activations_len(&self, kept: Activations) -> usize {
        let panels = if kept.stored { self.shape.panels } else { 1 };
        panels * kept.rows * self.shape.lanes
    }

    /// Makes room for the sums of `outputs` outputs.
    pub fn make_room(&mut self, outputs: usize) -> Result<(), Error> {
        self.work.sums.set_len(outputs * (self.shape.lanes / 2))?;
        self.partial.outputs.reserve(outputs);
        Ok(())
    }

    /// Whether the next weights differ from the current ones anywhere. Almost always ends at the first weight.
    pub fn moves(&self, roles: Roles) -> bool {
        self.weights[roles.next].get() != self.weights[roles.current].get()
    }

    /// Accepts the proposal: its velocity becomes the current one, or 0 if it had no momentum. With `keep_previous` the
    /// kept gradient becomes the previous one.
    pub fn accept(&mut self, momentum: bool, keep_previous: bool) {
        match &mut self.velocity {
            Some([now, next]) if momentum => std::mem::swap(now, next),
            // A step without momentum resets the velocity.
            Some([now, _]) => now.get_mut().fill(T::zero()),
            None => {}
        }
        if keep_previous {
            std::mem::swap(&mut self.gradient, &mut self.previous);
        }
    }
}

/// Adds up the outputs of the chunks in order: `count` of them from `from` on. Output p goes to `slots[p]`, or to p if
/// there are no slots.
pub(super) fn gather<T>(chunks: &[Chunk<T>], count: usize, from: usize, slots: &[usize], to: &mut Vec<f64>) {
    to.clear();
    to.resize(count, 0.0);
    for sums in chunks
        .iter()
        .filter_map(|chunk| chunk.partial.outputs.get(from..from + count))
    {
        if slots.is_empty() {
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        } else {
            slots.iter().zip(sums).for_each(|(&slot, sum)| to[slot] += sum);
        }
    }
}

/// Adds up the other sums of the chunks in order.
pub(super) fn sums<T>(chunks: &[Chunk<T>]) -> SweepSums {
    let mut sums = SweepSums {
        gradient: GradientSums {
            is_zero: true,
            ..GradientSums::default()
        },
        moved: false,
        all_finite: true,
        movement: 0.0,
    };
    for partial in chunks.iter().map(|chunk| &chunk.partial) {
        sums.gradient.is_zero &= partial.is_zero;
        sums.gradient.norm_squared += partial.norm_squared;
        sums.gradient.dot_previous += partial.dot_previous;
        sums.gradient.dot_velocity += partial.dot_velocity;
        sums.all_finite &= partial.all_finite;
        sums.movement += partial.movement;
    }
    sums
}

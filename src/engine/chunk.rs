//! Chunks: fixed ranges of neurons, each with all of its memory.
//!
//! Neurons lie in panels, panels in chunks. A chunk is worked on by one thread at a time; how many panels it has depends on
//! the width alone, and the chunks' partial sums are added in order by whoever needs them. So the bits don't depend on the
//! number of threads.
//!
//! ```text
//! chunk:  weights x3 (current, next, best)   [panel][coordinate][P]
//!         activations (in `Pages`)           [panel][sample][P], or one panel where they are recomputed
//!         sums                               [sample][lanes], emptied into f64 every 32 panels
//! ```

use super::memory::Aligned;
use super::points::UNIT;
use super::{GradientSums, SweepSums};
use crate::error::Error;
use crate::float::Float;

/// Panels of a chunk. Each chunk fetches and empties its sums once, which fewer than eight panels don't pay back.
pub(super) fn panels_in_chunk(panels: usize) -> usize {
    (panels / 64).max(8)
}

/// Which of a chunk's three copies of the weights is which.
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
    /// The next weights become the current ones.
    pub fn accept(&mut self) {
        self.current = self.next;
        self.choose_next();
    }

    /// The current weights become the best ones.
    pub fn remember_best(&mut self) {
        self.best = Some(self.current);
        self.choose_next();
    }

    /// The copy to fill with best weights that are not the current ones.
    pub fn set_best_apart(&mut self) -> usize {
        let best = self.next;
        self.best = Some(best);
        self.choose_next();
        best
    }

    /// The best weights become the current ones; false where none were remembered.
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

/// Where a chunk's neurons lie, and how large its panels are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub panels: usize,
    pub first_neuron: usize,
    pub neurons: usize,
    /// Coordinates of a neuron.
    pub dimension: usize,
    /// Those of its gradient, padded to a multiple of 4.
    pub gradient_rows: usize,
    /// Neurons of a panel: P.
    pub lanes: usize,
}

impl Shape {
    /// Numbers of the weights.
    pub fn weights_len(&self) -> usize {
        self.panels * self.dimension * self.lanes
    }

    /// Numbers of the gradient.
    pub fn gradient_len(&self) -> usize {
        self.panels * self.gradient_rows * self.lanes
    }
}

/// Sums over a chunk's neurons.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// One number per sample, then one per validation point.
    pub outputs: Vec<f64>,
    /// J^T v is 0 so far.
    pub is_zero: bool,
    pub norm_squared: f64,
    pub dot_previous: f64,
    pub dot_velocity: f64,
    /// ||W - W_0||^2 after the update, where W_0 is kept.
    pub movement: f64,
    pub all_finite: bool,
}

impl Partial {
    /// Before the first neuron, with room for so many outputs.
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
    /// Momentum's, at the current weights and at the next.
    pub velocity: Option<[Aligned<T>; 2]>,
    /// J^T v that is kept, and that of the step before.
    pub gradient: Option<Aligned<T>>,
    pub previous: Option<Aligned<T>>,
    /// How its activations are kept.
    pub activations: Activations,
    pub work: Work<T>,
    pub partial: Partial,
}

/// How a chunk's activations are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Activations {
    /// Rows of a panel's activations.
    pub rows: usize,
    /// Whether those of every panel are stored, or those of one at a time.
    pub stored: bool,
}

/// Memory that holds nothing from one sweep to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Work<T> {
    /// A block's rows, and a panel's J^T v.
    pub scratch: Aligned<T>,
    /// [output][lanes].
    pub sums: Aligned<T>,
}

/// Rows of the scratch memory in front of J^T v: the largest block.
pub(super) const SCRATCH_ROWS: usize = 3 * UNIT;

impl<T: Float> Chunk<T> {
    /// Takes memory for J^T v: most runs never keep it.
    pub fn prepare_gradient(&mut self) -> Result<(), Error> {
        if self.gradient.is_none() {
            self.gradient = Some(Aligned::zeros(self.shape.gradient_len())?);
        }
        Ok(())
    }

    /// Takes memory for the velocity: most runs have no momentum.
    pub fn prepare_velocity(&mut self) -> Result<(), Error> {
        if self.velocity.is_none() {
            let zeros = || Aligned::zeros(self.shape.gradient_len());
            self.velocity = Some([zeros()?, zeros()?]);
        }
        Ok(())
    }

    /// Whether the sums of this many outputs have room.
    pub fn sums_fit(&self, outputs: usize) -> bool {
        self.work.sums.get().len() >= outputs * (self.shape.lanes / 2)
    }

    /// Numbers of its activations: of one panel alone where they are not stored.
    pub fn activations_len(&self) -> usize {
        let panels = if self.activations.stored { self.shape.panels } else { 1 };
        panels * self.activations.rows * self.shape.lanes
    }

    /// From now on activations are kept in this way; takes memory for the sums of `outputs` outputs.
    pub fn make_room(&mut self, activations: Activations, outputs: usize) -> Result<(), Error> {
        self.activations = activations;
        self.work.sums.set_len(outputs * (self.shape.lanes / 2))?;
        self.partial.outputs.reserve(outputs);
        Ok(())
    }

    /// The proposal becomes the current state: what `momentum` carried on, or a velocity of 0; with `keep_previous` the
    /// kept gradient becomes the previous one.
    pub fn accept(&mut self, momentum: bool, keep_previous: bool) {
        match &mut self.velocity {
            Some([now, next]) if momentum => std::mem::swap(now, next),
            // A step without momentum forgets the movement before it.
            Some([now, _]) => now.get_mut().fill(T::zero()),
            None => {}
        }
        if keep_previous {
            std::mem::swap(&mut self.gradient, &mut self.previous);
        }
    }
}

/// Adds the chunks' outputs in order: `count` of them from `from` on, the p-th of which goes to `slots[p]` (none: to p).
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

/// The chunks' other sums in order.
pub(super) fn sums<T>(chunks: &[Chunk<T>]) -> SweepSums {
    let mut sums = SweepSums {
        gradient: GradientSums {
            is_zero: true,
            ..GradientSums::default()
        },
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

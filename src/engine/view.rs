//! A chunk as a sweep sees it: slices, so that what belongs to a panel is found without asking each buffer where it starts.
//!
//! In a small network a panel takes about a microsecond, of which such questions were a tenth.

use super::chunk::{Activations, Chunk, Partial, Roles, SCRATCH_ROWS, Shape};
use crate::float::Float;
use std::ops::Range;

/// The buffers of a [`Chunk`]. What a run has no use for is empty.
pub(super) struct View<'a, T> {
    pub shape: &'a Shape,
    pub activations: Activations,
    pub output_weights: &'a [T],
    pub current: &'a [T],
    pub next: &'a mut [T],
    pub initial: &'a [T],
    /// The velocity at the current weights, and at the next ones.
    pub velocity: (&'a [T], &'a mut [T]),
    pub gradient: Gradient<'a, T>,
    /// The kept J^T v of the step before.
    pub previous: &'a [T],
    pub work: WorkView<'a, T>,
    pub partial: &'a mut Partial,
}

/// J^T v, or another direction.
pub(super) struct Gradient<'a, T> {
    /// That of all panels.
    pub kept: &'a mut [T],
    /// That of one panel, in the working memory.
    pub own: &'a mut [T],
}

/// Memory whose contents do not outlive a sweep.
pub(super) struct WorkView<'a, T> {
    /// The rows of a block.
    pub scratch: &'a mut [T],
    pub sums: &'a mut [T],
    pub bent: &'a mut [T],
}

impl<T: Float> Chunk<T> {
    /// Its buffers; nothing if the next weights are the current ones, which they never are.
    pub fn view(&mut self, roles: Roles) -> Option<View<'_, T>> {
        debug_assert_ne!(roles.current, roles.next);
        let weights = [roles.current, roles.next];
        let [current, next] = self.weights.get_disjoint_mut(weights).ok()?;
        let scratch = self.work.scratch.get_mut();
        let (scratch, own) = scratch.split_at_mut(SCRATCH_ROWS * self.shape.lanes);
        Some(View {
            shape: &self.shape,
            activations: self.activations,
            output_weights: self.output_weights.get(),
            current: current.get(),
            next: next.get_mut(),
            initial: self.initial.as_ref().map_or(&[], |initial| initial.get()),
            velocity: match &mut self.velocity {
                Some([now, next]) => (now.get(), next.get_mut()),
                None => (&[], &mut []),
            },
            gradient: Gradient {
                kept: self.gradient.as_mut().map_or(&mut [], |kept| kept.get_mut()),
                own,
            },
            previous: self.previous.as_ref().map_or(&[], |previous| previous.get()),
            work: WorkView {
                scratch,
                sums: self.work.sums.get_mut(),
                bent: self.work.bent.get_mut(),
            },
            partial: &mut self.partial,
        })
    }
}

impl<T> Gradient<'_, T> {
    /// That of a panel: kept, or in the working memory.
    #[inline(always)]
    pub fn of(&self, keep: bool, at: &PanelAt) -> &[T] {
        if keep {
            &self.kept[at.gradient.clone()]
        } else {
            self.own
        }
    }

    #[inline(always)]
    pub fn of_mut(&mut self, keep: bool, at: &PanelAt) -> &mut [T] {
        if keep {
            &mut self.kept[at.gradient.clone()]
        } else {
            self.own
        }
    }
}

/// Where the numbers of a panel lie in the buffers of its chunk.
pub(super) struct PanelAt {
    pub panel: usize,
    pub weights: Range<usize>,
    pub gradient: Range<usize>,
}

impl PanelAt {
    #[inline(always)]
    pub fn new(shape: &Shape, panel: usize) -> Self {
        let (weights, gradient) = (shape.dimension * shape.lanes, shape.gradient_rows * shape.lanes);
        Self {
            panel,
            weights: panel * weights..(panel + 1) * weights,
            gradient: panel * gradient..(panel + 1) * gradient,
        }
    }
}

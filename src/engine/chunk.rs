//! Chunks and threads: a sweep over all neurons.
//!
//! Neurons lie in panels, panels in chunks. A chunk owns all of its memory and is worked on by one
//! thread at a time; how many panels it has depends on the width alone, and the chunks' partial sums are
//! added in order by whoever needs them. So the bits don't depend on the number of threads.
//!
//! ```text
//! chunk:  weights x3 (current, next, best)   [panel][coordinate][P]
//!         activations (in `pages`)           [panel][sample][P], or one panel where they are recomputed
//!         sums                               [sample][lanes], emptied into f64 every 32 panels
//! ```

use super::kernel::{self, Rows, Update};
use super::pack::{Aligned, Points, UNIT};
use crate::error::Error;
use crate::float::Float;
use fearless_simd::{Level, dispatch, prelude::*};
use rayon::prelude::*;
use std::ops::Range;

/// Lane sums go to `f64` every so many panels: the rounding of an `f32` network does not grow with its width.
const FLUSH: usize = 32;

/// Below this much work in a sweep (multiply-adds, and eight for an exponential, times the bytes of a number) one thread
/// is done before another has woken up: 15 microseconds on the machine of the README's table.
pub(super) const ONE_THREAD: usize = 6_400_000;

/// Panels of a chunk. Each chunk fetches and empties its sums once, which fewer than eight panels don't pay back.
pub(super) fn panels_in_chunk(panels: usize) -> usize {
    (panels / 64).max(8)
}

/// Which of a chunk's three copies of the weights is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub current: usize,
    pub next: usize,
}

/// Where the backward half gets J^T v from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backward {
    /// There is none.
    No,
    /// From the activations of the last sweep.
    Stored,
    /// From activations computed again.
    Recomputed,
    /// It was kept.
    Kept,
}

/// The direction of a tangent product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// J^T v.
    Gradient,
    /// W - W_0.
    Movement,
}

/// What a sweep does with each panel, in this order.
pub(super) struct Sweep<'a, T> {
    pub roles: Roles,
    pub backward: Backward,
    /// The samples of the backward half, with the packed dual.
    pub now: &'a Points<T>,
    /// J^T v is kept, and its norm and products with others are summed.
    pub keep: bool,
    /// J times J^T v, or times W - W_0, in place of outputs.
    pub tangent: Option<Along>,
    pub update: Option<Update<T>>,
    /// The samples of the forward half.
    pub then: Option<&'a Points<T>>,
    /// Activations of the forward half are stored.
    pub store: bool,
    pub watched: Option<&'a Points<T>>,
}

/// Sums over a chunk's neurons.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    /// One number a sample, then one a watched point.
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

/// A fixed range of neurons, and everything that belongs to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk<T> {
    pub panels: usize,
    pub first_neuron: usize,
    pub neurons: usize,
    /// Coordinates of a neuron, and of its gradient (a multiple of 4).
    pub dimension: usize,
    pub gradient_rows: usize,
    pub lanes: usize,
    pub output_weights: Aligned<T>,
    pub weights: [Aligned<T>; 3],
    pub initial: Option<Aligned<T>>,
    pub velocity: Option<[Aligned<T>; 2]>,
    pub gradient: Option<Aligned<T>>,
    pub previous: Option<Aligned<T>>,
    /// Numbers of a panel's activations.
    pub activation_rows: usize,
    pub stores: bool,
    pub scratch: Aligned<T>,
    pub sums: Aligned<T>,
    pub partial: Partial,
}

impl<T: Float> Chunk<T> {
    pub fn weights_len(&self) -> usize {
        self.panels * self.dimension * self.lanes
    }

    fn gradient_len(&self) -> usize {
        self.panels * self.gradient_rows * self.lanes
    }

    /// Memory that most runs never need is taken when it is first asked for.
    pub fn prepare(&mut self, keep: bool, carry: bool) -> Result<(), Error> {
        if keep && self.gradient.is_none() {
            self.gradient = Some(Aligned::zeros(self.gradient_len())?);
        }
        if carry && self.velocity.is_none() {
            let zeros = || Aligned::zeros(self.gradient_len());
            self.velocity = Some([zeros()?, zeros()?]);
        }
        Ok(())
    }

    /// Whether the sums of this many outputs have room.
    pub fn sums_fit(&self, outputs: usize) -> bool {
        self.sums.get().len() >= outputs * (self.lanes / 2)
    }

    /// Numbers of its activations: of one panel alone where they are not stored.
    pub fn activations_len(&self) -> usize {
        let panels = if self.stores { self.panels } else { 1 };
        panels * self.activation_rows * self.lanes
    }

    /// From now on activations have `rows` rows a panel; takes memory for the sums of `outputs` outputs.
    pub fn make_room(&mut self, stores: bool, rows: usize, outputs: usize) -> Result<(), Error> {
        self.stores = stores;
        self.activation_rows = rows;
        self.sums.set_len(outputs * (self.lanes / 2))?;
        self.partial.outputs.reserve(outputs);
        Ok(())
    }

    /// The kept gradient becomes the previous one.
    pub fn remember_gradient(&mut self) {
        std::mem::swap(&mut self.gradient, &mut self.previous);
    }
}

/// Runs a sweep over all chunks, on the caller's rayon pool where it is large enough. `activations` are those of all
/// chunks, one after the other.
pub(super) fn run<T: Float>(
    level: Level,
    chunks: &mut [Chunk<T>],
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    work: usize,
) {
    let one = |(chunk, activations): (&mut Chunk<T>, &mut [T])| {
        dispatch!(level, s => sweep_chunk(s, chunk, activations, sweep));
    };
    // Only the last chunk may have fewer.
    let part = chunks.first().map_or(1, |chunk| chunk.activations_len().max(1));
    if work * size_of::<T>() < ONE_THREAD || chunks.len() < 2 || rayon::current_num_threads() < 2 {
        chunks.iter_mut().zip(activations.chunks_mut(part)).for_each(one);
    } else {
        chunks
            .par_iter_mut()
            .zip(activations.par_chunks_mut(part))
            .for_each(one);
    }
}

#[inline(always)]
fn sweep_chunk<S: Simd, T: Float>(s: S, chunk: &mut Chunk<T>, activations: &mut [T], sweep: &Sweep<'_, T>) {
    let samples = sweep
        .then
        .map_or(if sweep.tangent.is_some() { sweep.now.samples } else { 0 }, |points| {
            points.samples
        });
    let watched = sweep.watched.map_or(0, |points| points.samples);
    let outputs = samples + watched;
    let partial = &mut chunk.partial;
    partial.outputs.clear();
    partial.outputs.resize(outputs, 0.0);
    (partial.norm_squared, partial.dot_previous, partial.dot_velocity) = (0.0, 0.0, 0.0);
    partial.movement = 0.0;
    (partial.is_zero, partial.all_finite) = (true, true);
    let sum_len = outputs * (chunk.lanes / 2);
    for panel in 0..chunk.panels {
        sweep_panel(s, chunk, activations, sweep, panel, samples);
        if panel % FLUSH == FLUSH - 1 || panel + 1 == chunk.panels {
            let sums = &mut chunk.sums.get_mut()[..sum_len];
            let outputs = &mut chunk.partial.outputs;
            match T::Native::<S>::LEN {
                2 => flush::<T, 2>(sums, outputs),
                4 => flush::<T, 4>(sums, outputs),
                8 => flush::<T, 8>(sums, outputs),
                _ => flush::<T, 16>(sums, outputs),
            }
        }
    }
}

/// Adds the lanes of each sample, and leaves zeros. Neighbours first: in an antisymmetric network they cancel exactly.
#[inline(always)]
fn flush<T: Float, const LANES: usize>(sums: &mut [T], outputs: &mut [f64]) {
    for (lanes, output) in sums.as_chunks_mut::<LANES>().0.iter_mut().zip(outputs) {
        let mut sum = lanes.map(Float::as_f64);
        let mut left = LANES;
        while left > 1 {
            left /= 2;
            for pair in 0..left {
                sum[pair] = sum[2 * pair] + sum[2 * pair + 1];
            }
        }
        *output += sum[0];
        *lanes = [T::zero(); LANES];
    }
}

/// Where a panel's numbers lie in its chunk's buffers.
struct At {
    panel: usize,
    weights: Range<usize>,
    gradient: Range<usize>,
}

#[inline(always)]
fn sweep_panel<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    panel: usize,
    samples: usize,
) {
    let (weights, gradient) = (chunk.dimension * chunk.lanes, chunk.gradient_rows * chunk.lanes);
    let at = At {
        panel,
        weights: panel * weights..(panel + 1) * weights,
        gradient: panel * gradient..(panel + 1) * gradient,
    };
    if sweep.backward != Backward::No {
        backward_half(s, chunk, activations, sweep, &at);
    }
    if let Some(step) = sweep.update {
        update(s, chunk, sweep, step, &at);
    }
    let role = if sweep.update.is_some() {
        sweep.roles.next
    } else {
        sweep.roles.current
    };
    forward_half(s, chunk, activations, sweep, role, &at, samples);
}

/// J^T v (or W - W_0) of the panel, into the kept gradient or the scratch; its sums, and J times it where that is asked for.
#[inline(always)]
fn backward_half<S: Simd, T: Float>(s: S, chunk: &mut Chunk<T>, activations: &mut [T], sweep: &Sweep<'_, T>, at: &At) {
    let Chunk {
        lanes,
        activation_rows,
        stores,
        ..
    } = *chunk;
    let a = kernel::load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let (scratch, own) = chunk.scratch.get_mut().split_at_mut(3 * UNIT * lanes);
    let gradient = match &mut chunk.gradient {
        Some(kept) if sweep.keep || sweep.backward == Backward::Kept => &mut kept.get_mut()[at.gradient.clone()],
        _ => own,
    };
    let first = if stores { at.panel * activation_rows * lanes } else { 0 };
    let activations = &mut activations[first..];
    let w = &chunk.weights[sweep.roles.current].get()[at.weights.clone()];
    let moved = sweep.tangent == Some(Along::Movement);
    if let (true, Some(initial)) = (moved, &chunk.initial) {
        subtract(w, &initial.get()[at.weights.clone()], gradient);
    }
    for (blocks, range, from) in groups(sweep.now, stores, lanes) {
        let activations = &mut activations[from..];
        if sweep.backward == Backward::Recomputed {
            kernel::forward(s, sweep.now, blocks, w, None, Some(activations), scratch, &mut [], &[]);
        }
        if sweep.backward != Backward::Kept && !moved {
            kernel::backward(s, sweep.now, range, activations, a, gradient);
        }
    }
    if sweep.backward != Backward::Kept && !moved {
        let partial = &mut chunk.partial;
        partial.is_zero = partial.is_zero && kernel::is_zero(s, gradient);
        if sweep.keep {
            partial.norm_squared += dot(gradient, gradient);
            if let Some(previous) = &chunk.previous {
                partial.dot_previous += dot(gradient, &previous.get()[at.gradient.clone()]);
            }
            if let Some([velocity, _]) = &chunk.velocity {
                partial.dot_velocity += dot(gradient, &velocity.get()[at.gradient.clone()]);
            }
        }
    }
    if sweep.tangent.is_some() {
        for (blocks, _, from) in groups(sweep.now, stores, lanes) {
            let len = if stores {
                activation_rows * lanes
            } else {
                activations.len()
            };
            let (activations, ahead) = activations.split_at_mut(len);
            let activations = &mut activations[from..];
            let ahead = ahead.get(from..).unwrap_or(&[]);
            if !stores && sweep.now.groups.len() > 1 {
                kernel::forward(
                    s,
                    sweep.now,
                    blocks.clone(),
                    w,
                    None,
                    Some(activations),
                    scratch,
                    &mut [],
                    &[],
                );
            }
            kernel::tangent(
                s,
                sweep.now,
                blocks,
                gradient,
                activations,
                a,
                scratch,
                chunk.sums.get_mut(),
                ahead,
            );
        }
    }
}

/// Moves the panel along its J^T v, into the next copy of the weights.
#[inline(always)]
fn update<S: Simd, T: Float>(s: S, chunk: &mut Chunk<T>, sweep: &Sweep<'_, T>, step: Update<T>, at: &At) {
    let kept = sweep.keep || sweep.backward == Backward::Kept;
    let gradient = match &chunk.gradient {
        Some(gradient) if kept => &gradient.get()[at.gradient.clone()],
        _ => &chunk.scratch.get()[3 * UNIT * chunk.lanes..],
    };
    let roles = [sweep.roles.current, sweep.roles.next];
    let Ok([current, next]) = chunk.weights.get_disjoint_mut(roles) else {
        return; // the roles are always two different copies
    };
    let (velocity, next_velocity): (&[T], &mut [T]) = match &mut chunk.velocity {
        Some([now, next]) if step.carry != T::zero() => (
            &now.get()[at.gradient.clone()],
            &mut next.get_mut()[at.gradient.clone()],
        ),
        _ => (&[], &mut []),
    };
    let initial = match &chunk.initial {
        Some(initial) if step.pull != T::zero() => &initial.get()[at.weights.clone()],
        _ => &[],
    };
    let mut rows = Rows {
        gradient: &gradient[..gradient.len().min(at.weights.len())],
        current: &current.get()[at.weights.clone()],
        next: &mut next.get_mut()[at.weights.clone()],
        ahead: &current.get()[at.weights.end..],
        initial,
        velocity,
        next_velocity,
    };
    chunk.partial.all_finite &= kernel::update(s, step, &mut rows);
    if let Some(initial) = &chunk.initial {
        chunk.partial.movement += distance_squared(rows.next, &initial.get()[at.weights.clone()]);
    }
}

/// The outputs at copy `role` of the weights, and the activations where they are stored.
#[inline(always)]
fn forward_half<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    role: usize,
    at: &At,
    samples: usize,
) {
    let Chunk {
        lanes, activation_rows, ..
    } = *chunk;
    let a = kernel::load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let scratch = &mut chunk.scratch.get_mut()[..3 * UNIT * lanes];
    let w = &chunk.weights[role].get()[at.weights.clone()];
    if let Some(points) = sweep.then {
        let (store, ahead) = if sweep.store {
            let len = activation_rows * lanes;
            let (store, ahead) = activations[at.panel * len..].split_at_mut(len);
            (Some(store), &*ahead)
        } else {
            (None, &[][..])
        };
        let blocks = 0..points.sample_blocks.len();
        kernel::forward(
            s,
            points,
            blocks,
            w,
            Some(a),
            store,
            scratch,
            chunk.sums.get_mut(),
            ahead,
        );
    }
    if let Some(points) = sweep.watched {
        let sums = &mut chunk.sums.get_mut()[samples * (lanes / 2)..];
        let blocks = 0..points.sample_blocks.len();
        kernel::forward(s, points, blocks, w, Some(a), None, scratch, sums, &[]);
    }
}

/// The groups of samples: their blocks, their samples, and where their activations lie in a panel's (all at the
/// beginning where only one group's are kept).
fn groups<T: Float>(
    points: &Points<T>,
    stores: bool,
    lanes: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>, usize)> + '_ {
    points.groups.iter().map(move |blocks| {
        let first = points.sample_blocks[blocks.start].first;
        let last = &points.sample_blocks[blocks.end - 1];
        let at = if stores { first * lanes } else { 0 };
        (blocks.clone(), first..last.first + last.valid, at)
    })
}

/// difference = a - b, as far as it goes; 0 beyond them.
#[inline(always)]
fn subtract<T: Float>(a: &[T], b: &[T], difference: &mut [T]) {
    let (within, beyond) = difference.split_at_mut(difference.len().min(a.len()));
    beyond.fill(T::zero());
    for ((d, &a), &b) in within.iter_mut().zip(a).zip(b) {
        *d = a - b;
    }
}

/// ||a - b||^2 in `f64`, in eight sums side by side.
#[inline(always)]
fn distance_squared<T: Float>(a: &[T], b: &[T]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a.as_f64() - b.as_f64()).powi(2);
        }
    }
    sums.iter().sum()
}

/// <a, b> in `f64`, in eight sums side by side.
#[inline(always)]
fn dot<T: Float>(a: &[T], b: &[T]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a.as_f64() * b.as_f64();
        }
    }
    sums.iter().sum()
}

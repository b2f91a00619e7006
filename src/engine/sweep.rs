//! A sweep: one job on every panel of neurons, on all threads.
//!
//! ```text
//! backward half   J^T v of the panel, from the activations at the current weights (stored or recomputed)
//! update          the panel moves along it, into the next copy of the weights
//! forward half    activations and outputs at the new weights
//! ```

use super::chunk::{Chunk, Roles, SCRATCH_ROWS, Shape};
use super::kernels::microkernel::load;
use super::kernels::panel::{self, Rows, Update};
use super::points::Points;
use super::tangent::{curvature, tangent_product};
use crate::float::Float;
use crate::numbers::dot;
use fearless_simd::{Level, dispatch, prelude::*};
use rayon::prelude::*;
use std::ops::Range;

/// Lane sums are added to `f64` sums every so many panels, so that the rounding of an `f32` network does not grow with
/// its width.
const FLUSH: usize = 32;

/// Below this much work in a sweep (multiply-adds, an exponential counting as eight, times the bytes of a number), one
/// thread finishes before another wakes up: 15 microseconds on the machine of the table in the README.
pub(super) const ONE_THREAD: usize = 6_400_000;

/// What a sweep does with each panel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job<T> {
    /// Only the forward half.
    Forward,
    /// Computes and keeps J^T v, with its norm and its inner products.
    Gradient,
    /// J times a direction, in place of the outputs.
    Product(Along),
    /// Replaces a kept direction u by a sum_i E_i (v_i + e_i <x_i, u>) x_i: the product of the Hessian and u, if v = J u.
    Curvature,
    /// Moves along J^T v, then does the forward half at the next weights.
    Step { source: Source, update: Update<T> },
}

impl<T> Job<T> {
    /// Whether it computes J^T v from the dual.
    pub fn goes_backward(&self) -> bool {
        self.needs_gradient() || matches!(self, Self::Curvature)
    }

    /// Whether it computes J^T v first.
    fn needs_gradient(&self) -> bool {
        match self {
            Self::Gradient | Self::Product(Along::Gradient) => true,
            Self::Step { source, .. } => *source != Source::Kept,
            Self::Forward | Self::Curvature | Self::Product(Along::Movement | Along::Kept) => false,
        }
    }
}

/// The direction of a tangent product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// J^T v.
    Gradient,
    /// W - W_0.
    Movement,
    /// What the memory of the kept gradient holds.
    Kept,
}

/// Where a step gets J^T v from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// From an earlier sweep, which kept it.
    Kept,
    /// From its own backward half, which keeps it on request, as in [`Job::Gradient`].
    Dual { keep: bool },
}

/// A job, and what it works on.
pub(super) struct Sweep<'a, T> {
    pub job: Job<T>,
    pub roles: Roles,
    /// The samples of the backward half, with the packed dual.
    pub samples: &'a Points<T>,
    /// Whether their activations are still those of the last sweep; otherwise they are recomputed.
    pub activated: bool,
    pub ahead: Option<Ahead<'a, T>>,
}

/// The forward half.
pub(super) struct Ahead<'a, T> {
    pub points: &'a Points<T>,
    /// Whether their activations are stored.
    pub store: bool,
    /// More points to evaluate.
    pub validation: Option<&'a Points<T>>,
}

impl<'a, T: Float> Sweep<'a, T> {
    /// Evaluates these points at the current weights, and stores nothing.
    pub fn evaluation(roles: Roles, points: &'a Points<T>) -> Self {
        Self {
            job: Job::Forward,
            roles,
            samples: points,
            activated: false,
            ahead: Some(Ahead {
                points,
                store: false,
                validation: None,
            }),
        }
    }

    /// Whether J^T v is kept, by this sweep or by an earlier one.
    pub fn keeps_gradient(&self) -> bool {
        match self.job {
            Job::Gradient | Job::Curvature => true,
            Job::Step { source, .. } => source != Source::Dual { keep: false },
            Job::Forward | Job::Product(_) => false,
        }
    }

    /// The numbers of samples and of all outputs.
    fn outputs(&self) -> (usize, usize) {
        match (&self.ahead, self.job) {
            (Some(ahead), _) => {
                let samples = ahead.points.samples;
                (samples, samples + ahead.validation.map_or(0, |points| points.samples))
            }
            (None, Job::Product(_)) => (self.samples.samples, self.samples.samples),
            (None, _) => (0, 0),
        }
    }

    /// Multiply-adds, an exponential counting as eight.
    fn work(&self, trained: usize, width: usize) -> usize {
        let backward = !matches!(self.job, Job::Forward);
        let forward = self.ahead.is_some() || matches!(self.job, Job::Product(_) | Job::Curvature);
        let halves = usize::from(backward) + usize::from(forward);
        (trained * halves + 8) * self.samples.samples * width
    }
}

/// Runs a sweep over all chunks, on the caller's rayon pool if there is enough work. Weights move along `trained`
/// coordinates, and there are `width` neurons. `activations` are those of all chunks, one after the other.
pub(super) fn run<T: Float>(
    level: Level,
    chunks: &mut [Chunk<T>],
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    (trained, width): (usize, usize),
) {
    let one = |(chunk, activations): (&mut Chunk<T>, &mut [T])| {
        dispatch!(level, s => sweep_chunk(s, chunk, activations, sweep));
    };
    // Only the last chunk can have fewer.
    let part = chunks
        .first()
        .map_or(1, |chunk| chunk.activations_len(chunk.activations).max(1));
    let small = sweep.work(trained, width) * size_of::<T>() < ONE_THREAD;
    if small || chunks.len() < 2 || rayon::current_num_threads() < 2 {
        chunks.iter_mut().zip(activations.chunks_mut(part)).for_each(one);
    } else {
        let activations = activations.par_chunks_mut(part);
        chunks.par_iter_mut().zip(activations).for_each(one);
    }
}

#[inline(always)]
fn sweep_chunk<S: Simd, T: Float>(s: S, chunk: &mut Chunk<T>, activations: &mut [T], sweep: &Sweep<'_, T>) {
    let (samples, outputs) = sweep.outputs();
    chunk.partial.reset(outputs);
    let sum_len = outputs * (chunk.shape.lanes / 2);
    for panel in 0..chunk.shape.panels {
        sweep_panel(s, chunk, activations, sweep, panel, samples);
        if panel % FLUSH == FLUSH - 1 || panel + 1 == chunk.shape.panels {
            let sums = &mut chunk.work.sums.get_mut()[..sum_len];
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

/// Adds up the lanes of each sample and zeroes them. Neighbours come first: in an antisymmetric network they cancel
/// exactly.
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

#[inline(always)]
fn sweep_panel<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    panel: usize,
    samples: usize,
) {
    let at = PanelAt::new(&chunk.shape, panel);
    let mut role = sweep.roles.current;
    if sweep.job.needs_gradient() {
        backward_half(s, chunk, activations, sweep, &at);
    }
    match sweep.job {
        Job::Forward | Job::Gradient => {}
        Job::Product(along) => tangent_product(s, chunk, activations, sweep, along, &at),
        Job::Curvature => curvature(s, chunk, activations, sweep, &at),
        Job::Step { update, .. } => {
            move_panel(s, chunk, sweep, update, &at);
            role = sweep.roles.next;
        }
    }
    if let Some(ahead) = &sweep.ahead {
        forward_half(s, chunk, activations, ahead, role, &at, samples);
    }
}

/// Computes J^T v of the panel, into the kept gradient or the scratch memory, and its sums.
#[inline(always)]
fn backward_half<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    at: &PanelAt,
) {
    let (lanes, kept) = (chunk.shape.lanes, chunk.activations);
    let a = load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let (scratch, own) = chunk.work.scratch.get_mut().split_at_mut(SCRATCH_ROWS * lanes);
    let keep = sweep.keeps_gradient();
    let gradient = match &mut chunk.gradient {
        Some(kept) if keep => &mut kept.get_mut()[at.gradient.clone()],
        _ => own,
    };
    let activations = &mut activations[kept.start(at.panel, lanes)..];
    let w = &chunk.weights[sweep.roles.current].get()[at.weights.clone()];
    for (blocks, range, from) in groups(sweep.samples, kept.stored, lanes) {
        let activations = &mut activations[from..];
        if !sweep.activated {
            panel::activate(s, sweep.samples, blocks, w, activations, scratch);
        }
        panel::backward(s, sweep.samples, range, activations, a, gradient);
    }
    note_gradient(s, chunk, keep, at);
}

/// Adds J^T v of the panel, in the kept gradient or the scratch memory, to the sums of the chunk.
#[inline(always)]
pub(super) fn note_gradient<S: Simd, T: Float>(s: S, chunk: &mut Chunk<T>, keep: bool, at: &PanelAt) {
    let gradient = match &chunk.gradient {
        Some(kept) if keep => &kept.get()[at.gradient.clone()],
        _ => &chunk.work.scratch.get()[SCRATCH_ROWS * chunk.shape.lanes..],
    };
    let partial = &mut chunk.partial;
    partial.is_zero = partial.is_zero && panel::is_zero(s, gradient);
    if keep {
        partial.norm_squared += dot(gradient, gradient);
        if let Some(previous) = &chunk.previous {
            partial.dot_previous += dot(gradient, &previous.get()[at.gradient.clone()]);
        }
        if let Some([velocity, _]) = &chunk.velocity {
            partial.dot_velocity += dot(gradient, &velocity.get()[at.gradient.clone()]);
        }
    }
}

/// Moves the panel along its J^T v, into the next copy of the weights.
#[inline(always)]
pub(super) fn move_panel<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    sweep: &Sweep<'_, T>,
    update: Update<T>,
    at: &PanelAt,
) {
    let gradient = match &chunk.gradient {
        Some(gradient) if sweep.keeps_gradient() => &gradient.get()[at.gradient.clone()],
        _ => &chunk.work.scratch.get()[SCRATCH_ROWS * chunk.shape.lanes..],
    };
    let roles = [sweep.roles.current, sweep.roles.next];
    let Ok([current, next]) = chunk.weights.get_disjoint_mut(roles) else {
        return; // the roles are always two different copies
    };
    let (velocity, next_velocity): (&[T], &mut [T]) = match &mut chunk.velocity {
        Some([now, next]) if update.momentum != T::zero() => (
            &now.get()[at.gradient.clone()],
            &mut next.get_mut()[at.gradient.clone()],
        ),
        _ => (&[], &mut []),
    };
    let initial = match &chunk.initial {
        Some(initial) if update.pull != T::zero() => &initial.get()[at.weights.clone()],
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
    chunk.partial.all_finite &= panel::update(s, update, &mut rows);
    if let Some(initial) = &chunk.initial {
        chunk.partial.movement += distance_squared(rows.next, &initial.get()[at.weights.clone()]);
    }
}

/// Computes the outputs at copy `role` of the weights, and the activations if they are stored.
#[inline(always)]
fn forward_half<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    ahead: &Ahead<'_, T>,
    role: usize,
    at: &PanelAt,
    samples: usize,
) {
    let lanes = chunk.shape.lanes;
    let a = load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let scratch = &mut chunk.work.scratch.get_mut()[..SCRATCH_ROWS * lanes];
    let w = &chunk.weights[role].get()[at.weights.clone()];
    let (store, next) = if ahead.store {
        let len = chunk.activations.rows * lanes;
        let (store, next) = activations[at.panel * len..].split_at_mut(len);
        (Some(store), &*next)
    } else {
        (None, &[][..])
    };
    let sums = chunk.work.sums.get_mut().split_at_mut(samples * (lanes / 2));
    let training = (ahead.points, store, sums.0, next);
    let validation = ahead.validation.map(|points| (points, None, sums.1, &[][..]));
    // One loop, so that the kernel is compiled once.
    for (points, store, sums, next) in [Some(training), validation].into_iter().flatten() {
        let blocks = 0..points.sample_blocks.len();
        panel::forward(s, points, blocks, w, Some(a), store, scratch, sums, next);
    }
}

/// For each group of samples: its blocks, its samples, and the offset of its activations in those of a panel (0 if only
/// one group is kept at a time).
pub(super) fn groups<T: Float>(
    points: &Points<T>,
    stored: bool,
    lanes: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>, usize)> + '_ {
    points.groups.iter().map(move |blocks| {
        let first = points.sample_blocks[blocks.start].first;
        let last = &points.sample_blocks[blocks.end - 1];
        let at = if stored { first * lanes } else { 0 };
        (blocks.clone(), first..last.first + last.valid, at)
    })
}

/// ||a - b||^2 in `f64`, in eight interleaved sums.
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

//! A sweep: one job on every panel of neurons, on all threads.
//!
//! ```text
//! backward half   J^T v of the panel, from the activations at the current weights (stored or recomputed)
//! update          the panel moves along it, into the next copy of the weights
//! forward half    activations and outputs at the new weights
//! ```

use super::chunk::{Chunk, Roles};
use super::kernels::microkernel::load;
use super::kernels::panel::{self, Rows, Update};
use super::points::Points;
use super::tangent::{curvature, tangent_product};
use super::view::{PanelAt, View};
use crate::float::Float;
use crate::numbers::dot;
use fearless_simd::{Level, dispatch, prelude::*};
use rayon::prelude::*;

/// Lane sums are added to `f64` sums every so many panels, so that the rounding of an `f32` network does not grow with
/// its width.
const FLUSH: usize = 32;

/// Below this much work in a sweep (multiply-adds, an exponential counting as eight, times the bytes of a number), one
/// thread finishes before another wakes up: 15 microseconds on the machine of the table in the README.
pub(super) const ONE_THREAD: usize = 6_400_000;

/// Whether a sweep of this many halves, along `trained` coordinates, is less work than [`ONE_THREAD`].
pub(super) fn is_small<T>(halves: usize, trained: usize, samples: usize, width: usize) -> bool {
    (trained * halves + 8) * samples * width * size_of::<T>() < ONE_THREAD
}

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

    /// The number of halves: backward, and forward or the like.
    fn halves(&self) -> usize {
        let backward = !matches!(self.job, Job::Forward);
        let forward = self.ahead.is_some() || matches!(self.job, Job::Product(_) | Job::Curvature);
        usize::from(backward) + usize::from(forward)
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
    let small = is_small::<T>(sweep.halves(), trained, sweep.samples.samples, width);
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
    let Some(mut view) = chunk.view(sweep.roles) else {
        return;
    };
    let panels = view.shape.panels;
    for panel in 0..panels {
        sweep_panel(s, &mut view, activations, sweep, panel, samples);
        if panel % FLUSH == FLUSH - 1 || panel + 1 == panels {
            let sums = &mut view.work.sums[..sum_len];
            let outputs = &mut view.partial.outputs;
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

#[inline(always)]
fn sweep_panel<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    panel: usize,
    samples: usize,
) {
    let at = PanelAt::new(view.shape, panel);
    if sweep.job.needs_gradient() {
        backward_half(s, view, activations, sweep, &at);
    }
    let mut moved = false;
    match sweep.job {
        Job::Forward | Job::Gradient => {}
        Job::Product(along) => tangent_product(s, view, activations, sweep, along, &at),
        Job::Curvature => curvature(s, view, activations, sweep, &at),
        Job::Step { update, .. } => {
            move_panel(s, view, sweep, update, &at);
            moved = true;
        }
    }
    if let Some(ahead) = &sweep.ahead {
        forward_half(s, view, activations, ahead, moved, &at, samples);
    }
}

/// Computes J^T v of the panel, and its sums.
#[inline(always)]
fn backward_half<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    at: &PanelAt,
) {
    let lanes = view.shape.lanes;
    let a = load::<S, T>(s, &view.output_weights[at.panel * lanes..]);
    let keep = sweep.keeps_gradient();
    let gradient = view.gradient.of_mut(keep, at);
    let activations = &mut activations[view.activations.start(at.panel, lanes)..];
    let w = &view.current[at.weights.clone()];
    for group in &sweep.samples.groups {
        let activations = &mut activations[view.activations.offset(group, lanes)..];
        if !sweep.activated {
            let blocks = group.blocks.clone();
            panel::activate(s, sweep.samples, blocks, w, activations, view.work.scratch);
        }
        panel::backward(s, sweep.samples, group.samples.clone(), activations, a, gradient);
    }
    note_gradient(s, view, keep, at);
}

/// Adds J^T v of the panel to the sums of the chunk.
#[inline(always)]
pub(super) fn note_gradient<S: Simd, T: Float>(s: S, view: &mut View<'_, T>, keep: bool, at: &PanelAt) {
    let gradient = view.gradient.of(keep, at);
    let partial = &mut *view.partial;
    partial.is_zero = partial.is_zero && panel::is_zero(s, gradient);
    if !keep {
        return;
    }
    partial.norm_squared += dot(gradient, gradient);
    if !view.previous.is_empty() {
        partial.dot_previous += dot(gradient, &view.previous[at.gradient.clone()]);
    }
    if !view.velocity.0.is_empty() {
        partial.dot_velocity += dot(gradient, &view.velocity.0[at.gradient.clone()]);
    }
}

/// Moves the panel along its J^T v, into the next copy of the weights.
#[inline(always)]
pub(super) fn move_panel<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    sweep: &Sweep<'_, T>,
    update: Update<T>,
    at: &PanelAt,
) {
    let gradient = view.gradient.of(sweep.keeps_gradient(), at);
    let (velocity, next_velocity): (&[T], &mut [T]) = if update.momentum == T::zero() {
        (&[], &mut [])
    } else {
        let (now, next) = &mut view.velocity;
        (&now[at.gradient.clone()], &mut next[at.gradient.clone()])
    };
    let initial = match view.initial {
        initial if initial.is_empty() => initial,
        initial => &initial[at.weights.clone()],
    };
    let mut rows = Rows {
        gradient: &gradient[..gradient.len().min(at.weights.len())],
        current: &view.current[at.weights.clone()],
        next: &mut view.next[at.weights.clone()],
        ahead: &view.current[at.weights.end..],
        initial: if update.pull == T::zero() { &[] } else { initial },
        velocity,
        next_velocity,
    };
    view.partial.all_finite &= panel::update(s, update, &mut rows);
    if !initial.is_empty() {
        view.partial.movement += distance_squared(rows.next, initial);
    }
}

/// Computes the outputs at the next weights if the panel has `moved`, and at the current ones otherwise; and the activations if
/// they are stored.
#[inline(always)]
fn forward_half<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    activations: &mut [T],
    ahead: &Ahead<'_, T>,
    moved: bool,
    at: &PanelAt,
    samples: usize,
) {
    let lanes = view.shape.lanes;
    let a = load::<S, T>(s, &view.output_weights[at.panel * lanes..]);
    let w = if moved {
        &view.next[at.weights.clone()]
    } else {
        &view.current[at.weights.clone()]
    };
    let (store, next) = if ahead.store {
        let len = view.activations.rows * lanes;
        let (store, next) = activations[at.panel * len..].split_at_mut(len);
        (Some(store), &*next)
    } else {
        (None, &[][..])
    };
    let (sums, validation_sums) = view.work.sums.split_at_mut(samples * (lanes / 2));
    let mut now = Some((ahead.points, store, sums, next));
    let mut later = ahead.validation.map(|points| (points, None, validation_sums, &[][..]));
    // One loop, so that the kernel is compiled once.
    while let Some((points, store, sums, next)) = now {
        let blocks = 0..points.sample_blocks.len();
        panel::forward(s, points, blocks, w, Some(a), store, view.work.scratch, sums, next);
        now = later.take();
    }
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

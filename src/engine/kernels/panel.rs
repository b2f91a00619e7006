//! The kernels of a sweep: the operations on a panel, two vectors of neurons.
//!
//! ```text
//!              coordinate                 sample                       lanes
//! weights   w [k][ b0 | b1 ]  --forward--> E [i][ b0 | b1 ]  --a E-->  sums [i][ lanes ]
//! gradient  g [k][ b0 | b1 ]  <-backward-- E [i][ b0 | b1 ]
//! ```
//!
//! One microkernel serves both halves.

use super::call;
use super::exp::{clamp, pow2, within_reach};
use super::microkernel::{Pair, has_32_registers, load, multiply, store};
use crate::engine::points::Points;
use crate::float::Float;
use fearless_simd::prelude::*;
use std::ops::Range;

/// The microkernel for the numbers of rows that the blocks of this level have: see `plan::BlockRows`.
#[inline(always)]
fn multiply_rows<S: Simd, T: Float>(s: S, rows: usize, a: &[T], b: &[T], out: &mut [T], onto: bool) {
    if has_32_registers(s.level()) {
        match rows {
            12 => multiply::<S, T, 12>(s, a.as_chunks().0.iter(), b, out, onto),
            8 => multiply::<S, T, 8>(s, a.as_chunks().0.iter(), b, out, onto),
            _ => multiply::<S, T, 4>(s, a.as_chunks().0.iter(), b, out, onto),
        }
    } else {
        match rows {
            6 => multiply::<S, T, 6>(s, a.as_chunks().0.iter(), b, out, onto),
            4 => multiply::<S, T, 4>(s, a.as_chunks().0.iter(), b, out, onto),
            _ => multiply::<S, T, 2>(s, a.as_chunks().0.iter(), b, out, onto),
        }
    }
}

/// <x_i, w> for every point: a matrix product, from [panel][coordinate][P] to [panel][point][P]. Each block of points is read
/// once for all panels.
#[inline(always)]
pub fn project<S: Simd, T: Float>(s: S, points: &Points<T>, weights: &[T], out: &mut [T]) {
    let lanes = 2 * T::Native::<S>::LEN;
    let len = points.rows() * lanes;
    let count = out.len() / len;
    for (block, packed, row) in points.blocks(0..points.sample_blocks.len()) {
        let panels = weights
            .chunks_exact(weights.len() / count)
            .zip(out.chunks_exact_mut(len));
        for (weights, out) in panels {
            let out = &mut out[row * lanes..][..block.rows * lanes];
            multiply_rows(s, block.rows, packed, weights, out, false);
        }
    }
}

/// E = exp(<w, x_i>) for the samples of `blocks`, into `activations` (which start at the first of these samples); a E
/// is added to the lanes of `sums`.
///
/// Without `activations`, E only passes through `scratch` (the rows of a block). `ahead` holds the activations of the
/// next panel, which are prefetched: otherwise its first feature block would take all the cache misses.
#[inline(always)]
pub fn forward<S: Simd, T: Float>(
    s: S,
    points: &Points<T>,
    blocks: Range<usize>,
    weights: &[T],
    output_weights: Option<Pair<S, T>>,
    mut activations: Option<&mut [T]>,
    scratch: &mut [T],
    sums: &mut [T],
    ahead: &[T],
) {
    let lanes = T::Native::<S>::LEN;
    let panel = 2 * lanes;
    let within_reach = within_reach(s, points.largest_square, weights);
    for (block, packed, row) in points.blocks(blocks) {
        let from = row * panel;
        let out = match &mut activations {
            Some(e) => &mut e[from..][..block.rows * panel],
            None => &mut scratch[..block.rows * panel],
        };
        multiply_rows(s, block.rows, packed, weights, out, false);
        prefetch(ahead.get(from..).unwrap_or(&[]), block.valid * panel);
        if !within_reach {
            for row in out.chunks_exact_mut(panel) {
                store::<S, T>(clamp::<S, T>(s, load::<S, T>(s, row)), row);
            }
        }
        let rows = out.chunks_exact_mut(panel).take(block.valid);
        let Some(a) = output_weights else {
            for row in rows {
                store::<S, T>(pow2::<S, T>(s, load::<S, T>(s, row)), row);
            }
            continue;
        };
        for (row, sum) in rows.zip(sums[block.first * lanes..].chunks_exact_mut(lanes)) {
            let e = pow2::<S, T>(s, load::<S, T>(s, row));
            store::<S, T>(e, row);
            let sum0 = T::Native::<S>::from_slice(s, sum);
            a[1].mul_add(e[1], a[0].mul_add(e[0], sum0)).store_slice(sum);
        }
    }
}

/// E for the samples of `blocks`, into `activations`, which start at the first of these samples.
#[inline(never)]
pub fn activate<S: Simd, T: Float>(
    s: S,
    points: &Points<T>,
    blocks: Range<usize>,
    weights: &[T],
    activations: &mut [T],
    scratch: &mut [T],
) {
    call(
        s,
        #[inline(always)]
        || {
            let e = Some(activations);
            forward(s, points, blocks, weights, None, e, scratch, &mut [], &[]);
        },
    );
}

/// Brings the cache lines of the first `len` numbers into L2.
#[inline(always)]
fn prefetch<T: Float>(numbers: &[T], len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers[..len.min(numbers.len())].chunks_exact(64 / size_of::<T>()) {
        safe_arch::prefetch_t1(&line[0]);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, len);
}

/// g = a sum_i v_i E_i x_i, the part of J^T v for the panel, from the packed dual: adds the samples of `range`, whose
/// activations are given. The ranges come in order, and the last one completes g.
#[inline(always)]
pub fn backward<S: Simd, T: Float>(
    s: S,
    points: &Points<T>,
    range: Range<usize>,
    activations: &[T],
    output_weights: Pair<S, T>,
    gradient: &mut [T],
) {
    let panel = 2 * T::Native::<S>::LEN;
    let packed = points.dual.get();
    for block in &points.feature_blocks {
        let start = points.samples - block.depth;
        let from = range.start.max(start).min(range.end);
        let dual = &packed[block.offset + from.saturating_sub(start) * block.rows..];
        let dual = &dual[..(range.end - from) * block.rows];
        let activations = &activations[(from - range.start) * panel..];
        let out = &mut gradient[block.first * panel..][..block.rows * panel];
        multiply_rows(s, block.rows, dual, activations, out, range.start > 0);
        if range.end == points.samples {
            for row in out.chunks_exact_mut(panel) {
                let [g0, g1] = load::<S, T>(s, row);
                store::<S, T>([g0 * output_weights[0], g1 * output_weights[1]], row);
            }
        }
    }
}

/// (J u)_i += a E_i <x_i, u> for u = `direction` and the samples of `blocks`, into the lanes of `sums`.
///
/// The result is multiplied by log2(e), as the packed points are. `ahead` as in [`forward`].
#[inline(always)]
pub fn tangent<S: Simd, T: Float>(
    s: S,
    points: &Points<T>,
    blocks: Range<usize>,
    direction: &[T],
    activations: &[T],
    output_weights: Pair<S, T>,
    scratch: &mut [T],
    sums: &mut [T],
    ahead: &[T],
) {
    let lanes = T::Native::<S>::LEN;
    let panel = 2 * lanes;
    for (block, packed, row) in points.blocks(blocks) {
        let (from, len) = (row * panel, block.valid * panel);
        prefetch(ahead.get(from..).unwrap_or(&[]), len);
        multiply_rows(s, block.rows, packed, direction, scratch, false);
        let rows = scratch
            .chunks_exact(panel)
            .zip(activations[from..][..len].chunks_exact(panel));
        for ((z, e), sum) in rows.zip(sums[block.first * lanes..].chunks_exact_mut(lanes)) {
            let (z, e) = (load::<S, T>(s, z), load::<S, T>(s, e));
            let sum0 = T::Native::<S>::from_slice(s, sum);
            let ae = [output_weights[0] * e[0], output_weights[1] * e[1]];
            ae[1].mul_add(z[1], ae[0].mul_add(z[0], sum0)).store_slice(sum);
        }
    }
}

/// E_i (v_i + e_i <x_i, u>) for u = `direction` and the samples of `blocks`, with the points' factors v and e, into `bent`.
///
/// `activations` and `bent` start at the first of these samples. e is divided by log2(e), since the packed points are
/// multiplied by it.
#[inline(always)]
pub fn bend<S: Simd, T: Float>(
    s: S,
    points: &Points<T>,
    blocks: Range<usize>,
    direction: &[T],
    activations: &[T],
    scratch: &mut [T],
    bent: &mut [T],
) {
    let panel = 2 * T::Native::<S>::LEN;
    let [first, second] = &points.factors;
    for (block, packed, row) in points.blocks(blocks) {
        multiply_rows(s, block.rows, packed, direction, scratch, false);
        let (from, len) = (row * panel, block.valid * panel);
        let rows = scratch
            .chunks_exact(panel)
            .zip(activations[from..][..len].chunks_exact(panel));
        let factors = first[block.first..].iter().zip(&second[block.first..]);
        let bent = bent[from..].chunks_exact_mut(panel).zip(factors);
        for ((z, e), (bent, (&v, &slope))) in rows.zip(bent) {
            let (z, e) = (load::<S, T>(s, z), load::<S, T>(s, e));
            let (v, slope) = (T::Native::<S>::splat(s, v), T::Native::<S>::splat(s, slope));
            let bends = [slope.mul_add(z[0], v) * e[0], slope.mul_add(z[1], v) * e[1]];
            store::<S, T>(bends, bent);
        }
    }
}

/// An update of the weights, in T: see `engine::Move`.
#[derive(Clone, Copy, Debug)]
pub struct Update<T> {
    pub step_size: T,
    pub momentum: T,
    pub nesterov: bool,
    pub pull: T,
}

/// What an update reads and writes: [coordinate][P] each, empty if unused.
pub struct Rows<'a, T> {
    pub gradient: &'a [T],
    pub current: &'a [T],
    pub next: &'a mut [T],
    /// The current weights of the next panel, which are prefetched.
    pub ahead: &'a [T],
    pub initial: &'a [T],
    pub velocity: &'a [T],
    pub next_velocity: &'a mut [T],
}

/// Moves a panel. Returns whether every new weight is finite.
#[allow(clippy::eq_op)]
#[inline(always)]
pub fn update<S: Simd, T: Float>(s: S, step: Update<T>, rows: &mut Rows<'_, T>) -> bool {
    let panel = 2 * T::Native::<S>::LEN;
    let splat = |x: T| T::Native::<S>::splat(s, x);
    let (eta, momentum, pull) = (splat(-step.step_size), splat(step.momentum), splat(step.pull));
    // x - x is 0 for a finite x, NaN otherwise.
    let mut poison = [splat(T::zero()); 2];
    let mut ahead = rows.ahead.chunks_exact(panel);
    let mut initial = rows.initial.chunks_exact(panel);
    let next_velocity = rows.next_velocity.chunks_exact_mut(panel);
    let mut velocity = rows.velocity.chunks_exact(panel).zip(next_velocity);
    let from = rows.gradient.chunks_exact(panel).zip(rows.current.chunks_exact(panel));
    for ((g, w), next) in from.zip(rows.next.chunks_exact_mut(panel)) {
        prefetch(ahead.next().unwrap_or(&[]), panel);
        let (mut g, w) = (load::<S, T>(s, g), load::<S, T>(s, w));
        if let Some(start) = initial.next() {
            let start = load::<S, T>(s, start);
            g = std::array::from_fn(|v| pull.mul_add(w[v] - start[v], g[v]));
        }
        let moved: Pair<S, T> = match velocity.next() {
            None => std::array::from_fn(|v| eta.mul_add(g[v], w[v])),
            Some((u, next)) => {
                let u = load::<S, T>(s, u);
                let u: Pair<S, T> = std::array::from_fn(|v| eta.mul_add(g[v], momentum * u[v]));
                store::<S, T>(u, next);
                if step.nesterov {
                    std::array::from_fn(|v| eta.mul_add(g[v], momentum.mul_add(u[v], w[v])))
                } else {
                    std::array::from_fn(|v| w[v] + u[v])
                }
            }
        };
        poison = std::array::from_fn(|v| poison[v] + (moved[v] - moved[v]));
        store::<S, T>(moved, next);
    }
    (poison[0] + poison[1]).simd_eq(splat(T::zero())).all_true()
}

/// Whether the whole panel is 0.
#[inline(always)]
pub fn is_zero<S: Simd, T: Float>(s: S, gradient: &[T]) -> bool {
    let zero = T::Native::<S>::splat(s, T::zero());
    gradient
        .chunks_exact(T::Native::<S>::LEN)
        .all(|row| T::Native::<S>::from_slice(s, row).simd_eq(zero).all_true())
}

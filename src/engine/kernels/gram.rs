//! The kernels of S = E E^T for E = activations times |a|. The activations are in the type of the network, E and S in `f64`.

use super::exp::{clamp, pow2, within_reach};
use super::microkernel::{has_32_registers, load, multiply, store};
use crate::engine::memory::Aligned;
use crate::engine::squares::Square;
use crate::float::Float;
use fearless_simd::{Level, prelude::*};

/// Neurons per block: a panel of their activations takes at most half of L1.
pub const BLOCK: usize = 128;

/// Packed samples, for activations with one sample per lane.
#[derive(Debug)]
pub struct SamplePanels<T> {
    pub level: Level,
    /// [panel][coordinate][P], times log2(e).
    pub points: Aligned<T>,
    /// For each panel, the number of coordinates that are not all zero.
    pub depths: Vec<usize>,
    /// The largest |x|^2 of the packed points.
    pub largest_square: T,
    pub coordinates: usize,
    /// P for T.
    pub lanes: usize,
    /// P for `f64`.
    pub side: usize,
    /// The number of panels of `side` samples.
    pub count: usize,
}

impl<T> SamplePanels<T> {
    /// The length of the activations of a block.
    pub fn block_len(&self) -> usize {
        self.count * BLOCK * self.side
    }
}

/// A panel of neurons.
pub struct Neurons<'a, T> {
    /// [coordinate][P].
    pub weights: &'a [T],
    /// [P].
    pub output_weights: &'a [T],
}

/// Activations of a block of neurons: [panel of samples][BLOCK][P].
#[derive(Clone, Copy)]
pub struct Activations<'a> {
    pub level: Level,
    pub numbers: &'a [f64],
    /// At most `BLOCK`.
    pub neurons: usize,
}

/// |a_r| exp(<w_r, x_i>) for a panel of neurons and all samples, into the rows from `row` on of each panel of a block.
#[inline(always)]
pub fn fill_activations<S: Simd, T: Float>(
    s: S,
    samples: &SamplePanels<T>,
    neurons: &Neurons<'_, T>,
    scratch: &mut [T],
    to: &mut [f64],
    row: usize,
) {
    let lanes = 2 * T::Native::<S>::LEN;
    let side = 2 * <f64 as SimdFloatElement>::Native::<S>::LEN;
    let within_reach = within_reach(s, samples.largest_square, neurons.weights);
    for (q, &depth) in samples.depths.iter().enumerate() {
        let points = &samples.points.get()[q * samples.coordinates * lanes..][..depth * lanes];
        multiply_panels::<S, T>(s, &neurons.weights[..depth * lanes], points, scratch, false);
        let rows = scratch.chunks_exact_mut(lanes).enumerate();
        for ((r, e), a) in rows.zip(&neurons.output_weights[..lanes]) {
            let mut z = load::<S, T>(s, e);
            if !within_reach {
                z = clamp::<S, T>(s, z);
            }
            store::<S, T>(pow2::<S, T>(s, z), e);
            let a = a.as_f64().abs();
            for (part, e) in e.chunks_exact(side).enumerate() {
                let panel = q * (lanes / side) + part;
                if panel < samples.count {
                    let to = &mut to[(panel * BLOCK + row + r) * side..][..side];
                    // In arrays, or else the compiler multiplies one number at a time.
                    for (to, e) in to.as_chunks_mut().0.iter_mut().zip(e.as_chunks::<4>().0) {
                        *to = [
                            a * e[0].as_f64(),
                            a * e[1].as_f64(),
                            a * e[2].as_f64(),
                            a * e[3].as_f64(),
                        ];
                    }
                }
            }
        }
    }
}

/// Adds the products of a block to a square of S.
#[inline(always)]
pub fn add_products<S: Simd>(s: S, square: &mut Square<'_>, block: &Activations<'_>) {
    let side = 2 * <f64 as SimdFloatElement>::Native::<S>::LEN;
    let panel = |at: usize| &block.numbers[at * BLOCK * side..][..block.neurons * side];
    let mut tiles = square.tiles.chunks_exact_mut(side * side);
    for row in square.rows.clone() {
        let a = panel(row);
        let columns = square.columns.start..square.columns.end.min(row + 1);
        for (column, tile) in columns.zip(&mut tiles) {
            multiply_panels::<S, f64>(s, a, panel(column), tile, true);
        }
    }
}

/// out[r] = sum over t of a[t][r] b[t], for panels with rows of P numbers; `out` is P x P. With `onto`, adds to `out`.
#[inline(always)]
fn multiply_panels<S: Simd, T: Float>(s: S, a: &[T], b: &[T], out: &mut [T], onto: bool) {
    let lanes = 2 * T::Native::<S>::LEN;
    if has_32_registers(s.level()) && lanes.is_multiple_of(8) {
        for (part, out) in out.chunks_exact_mut(8 * lanes).enumerate() {
            multiply::<S, T, 8>(s, rows(a, 8 * part, lanes), b, out, onto);
        }
    } else {
        for (part, out) in out.chunks_exact_mut(4 * lanes).enumerate() {
            multiply::<S, T, 4>(s, rows(a, 4 * part, lanes), b, out, onto);
        }
    }
}

/// R numbers of each row of a panel, from lane `first` on.
#[inline(always)]
fn rows<T: Float, const R: usize>(panel: &[T], first: usize, lanes: usize) -> impl Iterator<Item = &[T; R]> {
    let rows = panel.chunks_exact(lanes);
    rows.filter_map(move |row| row.get(first..)?.first_chunk::<R>())
}

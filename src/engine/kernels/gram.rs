//! The kernels of S = E E^T for E = activations times |a|, in `f64` whatever the type of the network.

use super::exp::pow2;
use super::microkernel::{has_32_registers, load, multiply, store};
use crate::engine::memory::Aligned;
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

/// Activations of some blocks of neurons.
pub struct Slab<'a> {
    pub level: Level,
    pub numbers: &'a [f64],
    pub block_len: usize,
    /// Neurons in all blocks: only the last block can have fewer than `BLOCK`.
    pub neurons: usize,
}

/// A column of panels of S, from the diagonal down.
pub struct Column {
    pub first: usize,
    /// [row panel][P][P].
    pub tiles: Aligned<f64>,
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
    for (q, &depth) in samples.depths.iter().enumerate() {
        let points = &samples.points.get()[q * samples.coordinates * lanes..][..depth * lanes];
        multiply_panels::<S, T>(s, &neurons.weights[..depth * lanes], points, scratch, false);
        let rows = scratch.chunks_exact_mut(lanes).enumerate();
        for ((r, e), a) in rows.zip(&neurons.output_weights[..lanes]) {
            let z = load::<S, T>(s, e);
            store::<S, T>(pow2::<S, T>(s, z), e);
            let a = a.as_f64().abs();
            for (part, e) in e.chunks_exact(side).enumerate() {
                let panel = q * (lanes / side) + part;
                if panel < samples.count {
                    let to = &mut to[(panel * BLOCK + row + r) * side..][..side];
                    to.iter_mut().zip(e).for_each(|(to, e)| *to = a * e.as_f64());
                }
            }
        }
    }
}

/// Adds the products of a slab to some columns of S.
#[inline(always)]
pub fn add_products<S: Simd>(s: S, columns: &mut [Column], slab: &Slab<'_>) {
    let side = 2 * <f64 as SimdFloatElement>::Native::<S>::LEN;
    let panel_len = BLOCK * side;
    for (at, block) in slab.numbers.chunks_exact(slab.block_len).enumerate() {
        let depth = BLOCK.min(slab.neurons - at * BLOCK);
        for Column { first, tiles } in &mut *columns {
            let panels = block[*first * panel_len..].chunks_exact(panel_len);
            let b = &block[*first * panel_len..][..depth * side];
            for (a, tile) in panels.zip(tiles.get_mut().chunks_exact_mut(side * side)) {
                multiply_panels::<S, f64>(s, &a[..depth * side], b, tile, true);
            }
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
    let rows = panel.get(first..).unwrap_or(&[]).chunks(lanes);
    rows.map_while(<[T]>::first_chunk::<R>)
}

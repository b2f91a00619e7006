//! G = J J^T = K o S, n x n: K the products of the points, S = E E^T for the activations E times |a|, n x m.
//!
//! ```text
//! slab       [block of 128 neurons][panel of samples][neuron][P]     a slab of blocks at a time: n x m never stands in memory
//! triangle   [column panel j][row panel i >= j][P][P]                S, summed over the blocks in their order
//! ```
//!
//! All in `f64`, whatever the type of the network: P is two vectors of it. A slab is filled by threads that share its
//! blocks, then multiplied by threads that share the columns of the triangle, so that each number of S has
//! one owner and the bits don't depend on the threads. Samples lie side by side in a panel, not neurons: with the roles of points
//! and weights exchanged the forward half writes E as the product reads it, and one microkernel serves both.

use super::chunk::{Chunk, ONE_THREAD};
use super::compiled;
use super::kernel::{load, store};
use super::pack::{Aligned, Coordinates, pack_panel};
use super::path::{Path, has_32_registers};
use super::training::Engine;
use crate::communicator::Sum;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::{Level, prelude::*};
use nalgebra::DMatrix;
use rayon::prelude::*;

/// Neurons of a block: a panel of its activations takes half of L1 at most.
const BLOCK: usize = 128;

/// Numbers of a slab, unless one block has more: it stays in the last level of cache.
const SLAB: usize = 1 << 20;

/// Packed samples, for activations with a sample a lane.
#[derive(Debug)]
pub(super) struct SamplePanels<T> {
    pub level: Level,
    /// [panel][coordinate][P], times log2(e).
    points: Aligned<T>,
    /// Coordinates of each panel that are not all zero.
    depths: Vec<usize>,
    coordinates: usize,
    /// P in T, and in f64.
    lanes: usize,
    side: usize,
    /// Panels of `side` samples.
    count: usize,
}

impl<T: Float> SamplePanels<T> {
    /// The samples `columns` of `from`, in this order.
    fn new(path: &Path, from: &Coordinates<T>, columns: &[usize]) -> Result<Self, Error> {
        let (lanes, coordinates) = (path.lanes, from.matrix.nrows());
        let mut points = Aligned::zeros(columns.len().div_ceil(lanes) * coordinates * lanes)?;
        let mut depths = Vec::new();
        let panels = points.get_mut().chunks_exact_mut((coordinates * lanes).max(1));
        for (columns, panel) in columns.chunks(lanes).zip(panels) {
            let samples = from.matrix.select_columns(columns);
            let scaled = samples.map(|x| T::lit(x.as_f64() * std::f64::consts::LOG2_E));
            pack_panel(scaled.as_slice(), coordinates, panel, lanes);
            depths.push(columns.iter().map(|&i| from.extent[i]).max().unwrap_or(0));
        }
        let side = Path::lanes_of::<f64>(path.level);
        Ok(Self {
            level: path.level,
            points,
            depths,
            coordinates,
            lanes,
            side,
            count: columns.len().div_ceil(side),
        })
    }

    /// Numbers of a block's activations.
    fn block_len(&self) -> usize {
        self.count * BLOCK * self.side
    }
}

/// Activations of some blocks of neurons.
pub(super) struct Slab<'a> {
    pub level: Level,
    numbers: &'a [f64],
    block_len: usize,
    /// Neurons in all of the blocks: only the last may have fewer than `BLOCK`.
    neurons: usize,
}

/// A column of panels of S, from the diagonal down.
pub(super) struct Column {
    first: usize,
    /// [row panel][P][P].
    tiles: Aligned<f64>,
}

/// The lower triangle of S.
struct Triangle {
    side: usize,
    /// The longest and the shortest in turn, so that any few of them in a row are about the same work.
    columns: Vec<Column>,
}

impl Triangle {
    fn zeros(count: usize, side: usize) -> Result<Self, Error> {
        let both_ends = (0..count).map(|c| if c % 2 == 0 { c / 2 } else { count - 1 - c / 2 });
        let column = |first| {
            let tiles = Aligned::zeros((count - first) * side * side)?;
            Ok(Column { first, tiles })
        };
        let columns = both_ends.map(column).collect::<Result<_, Error>>()?;
        Ok(Self { side, columns })
    }

    /// S += E E^T for the activations of a slab.
    fn add(&mut self, slab: &Slab<'_>, parallel: bool) {
        // Columns that are worked on together share what they read of a block in L2.
        let together = (self.columns.len() / 8).clamp(2, 4);
        let add = |columns: &mut [Column]| compiled::add_products(columns, slab);
        if parallel {
            self.columns.par_chunks_mut(together).for_each(add);
        } else {
            self.columns.chunks_mut(together).for_each(add);
        }
    }

    /// S as a matrix: its rows and columns are those of the slots.
    fn into_matrix(self, slots: &[usize]) -> DMatrix<f64> {
        let (n, side) = (slots.len(), self.side);
        let mut matrix = DMatrix::zeros(n, n);
        for Column { first, tiles } in &self.columns {
            for (t, row) in tiles.get().chunks_exact(side).enumerate() {
                let i = first * side + t;
                let Some(&to) = slots.get(i) else { break };
                for (j, &s) in (first * side..=i).zip(row) {
                    (matrix[(to, slots[j])], matrix[(slots[j], to)]) = (s, s);
                }
            }
        }
        matrix
    }
}

impl<T: Float> Engine<T> {
    /// G = J J^T on the current samples, at the current weights.
    ///
    /// n^2 m + 2 n d m flops and n m exponentials; memory for 5/2 n^2 numbers beside a slab.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.count_pass();
        let own = self.products_of_activations();
        let mut gram = self.link.pass(own)?;
        self.link.sum(Sum::TangentGram, gram.as_mut_slice())?;
        let points = self.batches.points();
        gram.component_mul_assign(&points.tr_mul(&points));
        Ok(gram)
    }

    /// S, of the neurons that are here.
    fn products_of_activations(&mut self) -> Result<DMatrix<f64>, Error> {
        let n = self.batches.now().points.samples;
        // Room for G itself, which is not taken in a way that can fail.
        let _ = Aligned::<f64>::zeros(n.saturating_mul(n))?;
        let samples = SamplePanels::new(&self.path, self.batches.coordinates(), &self.batches.columns())?;
        let mut triangle = Triangle::zeros(samples.count, samples.side)?;
        let panels = self.chunks.iter().map(|chunk| chunk.panels).sum::<usize>();
        let (block, per_chunk) = (
            BLOCK / samples.lanes,
            self.chunks.first().map_or(1, |chunk| chunk.panels),
        );
        let blocks: Vec<_> = (0..panels).step_by(block).map(|p| p..panels.min(p + block)).collect();
        let at_a_time = (SLAB / samples.block_len().max(1)).clamp(1, blocks.len().max(1));
        let mut slab = self.take_slab(at_a_time * samples.block_len())?;
        let work = n.saturating_mul(n).saturating_mul(4 * panels * samples.lanes);
        let (role, parallel) = (self.current(), work >= ONE_THREAD);
        let parallel = parallel && rayon::current_num_threads() > 1;
        for blocks in blocks.chunks(at_a_time) {
            let fill = |(block, to): (&std::ops::Range<usize>, &mut [f64])| -> Result<(), Error> {
                let mut scratch = Aligned::zeros(samples.lanes * samples.lanes)?;
                for (row, panel) in block.clone().enumerate() {
                    let chunk = &self.chunks[panel / per_chunk];
                    let at = (role, panel % per_chunk);
                    compiled::fill_activations(&samples, chunk, at, &mut scratch, to, row * samples.lanes);
                }
                Ok(())
            };
            let numbers = &mut slab.get_mut()[..blocks.len() * samples.block_len()];
            if parallel {
                let parts = numbers.par_chunks_mut(samples.block_len());
                blocks.par_iter().zip(parts).try_for_each(fill)?;
            } else {
                let parts = numbers.chunks_mut(samples.block_len());
                blocks.iter().zip(parts).try_for_each(fill)?;
            }
            let slab = Slab {
                level: samples.level,
                numbers,
                block_len: samples.block_len(),
                neurons: blocks.iter().map(|block| block.len() * samples.lanes).sum(),
            };
            triangle.add(&slab, parallel);
        }
        self.keep_slab(slab);
        Ok(triangle.into_matrix(&self.batches.now().slots))
    }
}

/// |a_r| exp(<w_r, x_i>) for the neurons of a panel and all samples, into rows `row` and following of each panel of a block.
#[inline(always)]
pub(super) fn fill_activations<S: Simd, T: Float>(
    s: S,
    samples: &SamplePanels<T>,
    chunk: &Chunk<T>,
    (role, panel): (usize, usize),
    scratch: &mut [T],
    to: &mut [f64],
    row: usize,
) {
    let lanes = 2 * T::Native::<S>::LEN;
    let side = 2 * <f64 as SimdFloatElement>::Native::<S>::LEN;
    let weights = &chunk.weights[role].get()[panel * chunk.dimension * lanes..];
    let output_weights = &chunk.output_weights.get()[panel * lanes..][..lanes];
    for (q, &depth) in samples.depths.iter().enumerate() {
        let points = &samples.points.get()[q * samples.coordinates * lanes..][..depth * lanes];
        multiply_panels::<S, T>(s, &weights[..depth * lanes], points, scratch, false);
        for ((r, e), a) in scratch.chunks_exact_mut(lanes).enumerate().zip(output_weights) {
            let z = load::<S, T>(s, e);
            let powers = [super::exp::pow2::<S, T>(s, z[0]), super::exp::pow2::<S, T>(s, z[1])];
            store::<S, T>(powers, e);
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

/// Adds a slab's share to some columns of S.
#[inline(always)]
pub(super) fn add_products<S: Simd>(s: S, columns: &mut [Column], slab: &Slab<'_>) {
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

/// out[r] = sum over t of a[t][r] b[t] for panels of P numbers a row, `out` P x P; `onto` adds to what stands there.
#[inline(always)]
fn multiply_panels<S: Simd, T: Float>(s: S, a: &[T], b: &[T], out: &mut [T], onto: bool) {
    let lanes = 2 * T::Native::<S>::LEN;
    if has_32_registers(s.level()) && lanes.is_multiple_of(8) {
        for (part, out) in out.chunks_exact_mut(8 * lanes).enumerate() {
            multiply_rows::<S, T, 8>(s, a.get(8 * part..).unwrap_or(&[]), b, out, onto);
        }
    } else {
        for (part, out) in out.chunks_exact_mut(4 * lanes).enumerate() {
            multiply_rows::<S, T, 4>(s, a.get(4 * part..).unwrap_or(&[]), b, out, onto);
        }
    }
}

/// R rows of that: those with which `a` begins.
#[inline(always)]
fn multiply_rows<S: Simd, T: Float, const R: usize>(s: S, a: &[T], b: &[T], out: &mut [T], onto: bool) {
    let lanes = 2 * T::Native::<S>::LEN;
    let mut acc = [[T::Native::<S>::splat(s, T::zero()); 2]; R];
    if onto {
        for (acc, out) in acc.iter_mut().zip(out.chunks_exact(lanes)) {
            *acc = load::<S, T>(s, out);
        }
    }
    for (a, b) in a.chunks(lanes).zip(b.chunks_exact(lanes)) {
        let Some(a) = a.first_chunk::<R>() else { break };
        let [b0, b1] = load::<S, T>(s, b);
        for r in 0..R {
            let v = T::Native::<S>::splat(s, a[r]);
            acc[r][0] = v.mul_add(b0, acc[r][0]);
            acc[r][1] = v.mul_add(b1, acc[r][1]);
        }
    }
    for (acc, out) in acc.into_iter().zip(out.chunks_exact_mut(lanes)) {
        store::<S, T>(acc, out);
    }
}

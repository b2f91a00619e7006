//! G = J J^T = K o S, n x n: K holds the inner products of the points, and S = E E^T for the activations E times |a|,
//! n x m.
//!
//! ```text
//! slab       [block of 128 neurons][panel of samples][neuron][P]     some blocks at a time: E is never formed as a whole
//! triangle   [column panel j][row panel i >= j][P][P]                S, summed over the blocks in their order
//! ```
//!
//! All in `f64`, whatever the type of the network: P is two vectors of `f64`. The threads first fill the blocks of a
//! slab, then add its products to the columns of the triangle, so that each number of S has one owner and the bits do
//! not depend on the number of threads. A panel holds samples, not neurons, side by side: with the roles of points and
//! weights exchanged, the forward half writes E in the layout that the product reads, and one microkernel serves both.

use super::batches::Batches;
use super::chunk::Chunk;
use super::compiled;
use super::kernels::gram::{BLOCK, Column, Neurons, SamplePanels, Slab};
use super::kernels::microkernel::lanes;
use super::memory::{Aligned, Pages};
use super::plan::Plan;
use super::points::{Coordinates, pack_panel};
use super::sweep::ONE_THREAD;
use crate::error::Error;
use crate::float::Float;
use crate::memory;
use nalgebra::DMatrix;
use rayon::prelude::*;
use std::ops::Range;

/// The numbers in a slab, unless one block has more: a slab stays in the last-level cache.
const SLAB: usize = 1 << 20;

/// Packs the samples `columns` of `from`, in this order.
fn pack_samples<T: Float>(plan: &Plan, from: &Coordinates<T>, columns: &[usize]) -> Result<SamplePanels<T>, Error> {
    let (width, coordinates) = (plan.lanes, from.matrix.nrows());
    let mut points = Aligned::zeros(columns.len().div_ceil(width) * coordinates * width)?;
    let mut depths = Vec::new();
    let panels = points.get_mut().chunks_exact_mut((coordinates * width).max(1));
    for (columns, panel) in columns.chunks(width).zip(panels) {
        let samples = from.matrix.select_columns(columns);
        let scaled = samples.map(|x| T::lit(x.as_f64() * std::f64::consts::LOG2_E));
        pack_panel(scaled.as_slice(), coordinates, panel, width);
        depths.push(columns.iter().map(|&i| from.extent[i]).max().unwrap_or(0));
    }
    let side = lanes::<f64>(plan.level);
    Ok(SamplePanels {
        level: plan.level,
        points,
        depths,
        coordinates,
        lanes: width,
        side,
        count: columns.len().div_ceil(side),
    })
}

/// The lower triangle of S.
struct Triangle {
    side: usize,
    /// Long and short ones in turn, so that a few consecutive ones are always about the same work.
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
        // Columns that are processed together share their reads of a block in L2.
        let together = (self.columns.len() / 8).clamp(2, 4);
        let add = |columns: &mut [Column]| compiled::add_products(columns, slab);
        if parallel {
            self.columns.par_chunks_mut(together).for_each(add);
        } else {
            self.columns.chunks_mut(together).for_each(add);
        }
    }

    /// S as a matrix, with its rows and columns permuted to `slots`.
    fn into_matrix(self, slots: &[usize]) -> Result<DMatrix<f64>, Error> {
        let (n, side) = (slots.len(), self.side);
        let mut matrix = memory::square("the tangent Gram matrix", n)?;
        for Column { first, tiles } in &self.columns {
            for (t, row) in tiles.get().chunks_exact(side).enumerate() {
                let i = first * side + t;
                let Some(&to) = slots.get(i) else { break };
                for (j, &s) in (first * side..=i).zip(row) {
                    (matrix[(to, slots[j])], matrix[(slots[j], to)]) = (s, s);
                }
            }
        }
        Ok(matrix)
    }
}

/// S for the neurons of these chunks and the current samples, at copy `role` of the weights. `slab` is memory that
/// calls reuse.
///
/// n^2 m + 2 n d m flops and n m exponentials; memory for 5/2 n^2 numbers in addition to a slab.
pub(super) fn products_of_activations<T: Float>(
    plan: &Plan,
    chunks: &[Chunk<T>],
    role: usize,
    batches: &Batches<T>,
    slab: &mut Pages<f64>,
) -> Result<DMatrix<f64>, Error> {
    let batch = batches.current();
    let samples = pack_samples(plan, batches.coordinates(), &batches.columns())?;
    let mut triangle = Triangle::zeros(samples.count, samples.side)?;
    let panels: usize = chunks.iter().map(|chunk| chunk.shape.panels).sum();
    let block = BLOCK / samples.lanes;
    let blocks: Vec<_> = (0..panels).step_by(block).map(|p| p..panels.min(p + block)).collect();
    let at_a_time = (SLAB / samples.block_len().max(1)).clamp(1, blocks.len().max(1));
    slab.set_len(at_a_time * samples.block_len())?;
    let n = batch.points.samples;
    let work = n.saturating_mul(n).saturating_mul(4 * panels * samples.lanes);
    let parallel = work >= ONE_THREAD && rayon::current_num_threads() > 1;
    for blocks in blocks.chunks(at_a_time) {
        let numbers = &mut slab.get_mut()[..blocks.len() * samples.block_len()];
        fill_slab(&samples, chunks, role, blocks, numbers, parallel)?;
        let slab = Slab {
            level: samples.level,
            numbers,
            block_len: samples.block_len(),
            neurons: blocks.iter().map(|block| block.len() * samples.lanes).sum(),
        };
        triangle.add(&slab, parallel);
    }
    triangle.into_matrix(&batch.slots)
}

/// Computes the activations of some blocks, given as ranges of panels.
fn fill_slab<T: Float>(
    samples: &SamplePanels<T>,
    chunks: &[Chunk<T>],
    role: usize,
    blocks: &[Range<usize>],
    numbers: &mut [f64],
    parallel: bool,
) -> Result<(), Error> {
    let per_chunk = chunks.first().map_or(1, |chunk| chunk.shape.panels);
    let lanes = samples.lanes;
    let fill = |(block, to): (&Range<usize>, &mut [f64])| -> Result<(), Error> {
        let mut scratch = Aligned::zeros(lanes * lanes)?;
        for (row, panel) in block.clone().enumerate() {
            let (chunk, panel) = (&chunks[panel / per_chunk], panel % per_chunk);
            let neurons = Neurons {
                weights: &chunk.weights[role].get()[panel * chunk.shape.dimension * lanes..],
                output_weights: &chunk.output_weights.get()[panel * lanes..][..lanes],
            };
            compiled::fill_activations(samples, &neurons, &mut scratch, to, row * lanes);
        }
        Ok(())
    };
    if parallel {
        let parts = numbers.par_chunks_mut(samples.block_len());
        blocks.par_iter().zip(parts).try_for_each(fill)
    } else {
        let parts = numbers.chunks_mut(samples.block_len());
        blocks.iter().zip(parts).try_for_each(fill)
    }
}

/// Turns S into G: multiplies entry by entry with the inner products of the points (k x n).
pub(super) fn multiply_by_products(gram: &mut DMatrix<f64>, points: &DMatrix<f64>) {
    for (j, mut column) in gram.column_iter_mut().enumerate() {
        column.component_mul_assign(&points.tr_mul(&points.column(j)));
    }
}

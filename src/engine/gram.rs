//! G = J J^T = K o S, n x n: K holds the inner products of the points, and S = E E^T for the activations E times |a|,
//! n x m.
//!
//! ```text
//! block      [panel of samples][neuron][P]     E for 128 neurons
//! S          in squares of tiles P x P          summed over the blocks in their order
//! ```
//!
//! S is in `f64`, whatever the type of the network: P is two vectors of `f64`. A panel holds samples, not neurons, side by
//! side: with the roles of points and weights exchanged, the forward half writes E in the layout that the product reads,
//! and one microkernel serves both.
//!
//! With few samples, a block and all of S fit in L2. Then each thread forms the blocks of a group of neurons, one after the
//! other in the same place, and adds their products to an S of the group's own; finally these are added up. With more
//! samples, the threads first fill the blocks of a slab, which stays in the last-level cache, then add its products to S,
//! one square after the other. The groups depend on the numbers of samples and neurons alone, and each number of S has
//! one owner, so the bits do not depend on the number of threads.

use super::batches::Batches;
use super::chunk::Chunk;
use super::compiled;
use super::kernels::gram::{Activations, BLOCK, Neurons, SamplePanels};
use super::kernels::microkernel::lanes;
use super::memory::{Aligned, Pages};
use super::plan::{Plan, fewest_items};
use super::points::pack_panel;
use super::squares::{Square, Squares};
use super::sweep::ONE_THREAD;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVectorViewMut};
use rayon::prelude::*;
use std::ops::Range;

/// The numbers in the slab of many samples, unless one block has more.
const SLAB: usize = 1 << 20;

/// The numbers that fit in L2 beside what is read: three quarters of 512 KB.
const CACHE: usize = 48 << 10;

/// Groups of neurons, at most: each takes memory, and time to be added up.
const GROUPS: usize = 16;

/// The numbers of S that are added up over the groups at a time.
const PART: usize = 2048;

/// Panels of samples in a square, at most: the tiles of a square and two panels of blocks fit in L2.
const SQUARE: usize = 12;

/// Packs the current samples, in their order.
fn pack_samples<T: Float>(plan: &Plan, batches: &Batches<T>) -> Result<SamplePanels<T>, Error> {
    let (from, columns) = (batches.coordinates(), batches.columns());
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
        largest_square: batches.current().points.largest_square,
        coordinates,
        lanes: width,
        side,
        count: columns.len().div_ceil(side),
    })
}

/// S for the neurons of these chunks and the current samples, at copy `role` of the weights. `slab` is memory that
/// calls reuse.
///
/// n^2 m + 2 n d m flops and n m exponentials; memory for 3/2 n^2 numbers in addition to a slab.
pub(super) fn products_of_activations<T: Float>(
    plan: &Plan,
    chunks: &[Chunk<T>],
    role: usize,
    batches: &Batches<T>,
    slab: &mut Pages<f64>,
) -> Result<DMatrix<f64>, Error> {
    let batch = batches.current();
    let samples = pack_samples(plan, batches)?;
    let panels: usize = chunks.iter().map(|chunk| chunk.shape.panels).sum();
    let block = BLOCK / samples.lanes;
    let blocks: Vec<_> = (0..panels).step_by(block).map(|p| p..panels.min(p + block)).collect();
    let n = batch.points.samples;
    let work = n.saturating_mul(n).saturating_mul(4 * panels * samples.lanes);
    let products = Products {
        samples: &samples,
        chunks,
        role,
        threads: if work < ONE_THREAD {
            1
        } else {
            rayon::current_num_threads()
        },
    };
    let (squares, tiles) = products.sum(&blocks, slab)?;
    squares.to_matrix(tiles.get(), &batch.slots)
}

/// Where S comes from.
struct Products<'a, T> {
    samples: &'a SamplePanels<T>,
    chunks: &'a [Chunk<T>],
    role: usize,
    /// 1 where more would not pay.
    threads: usize,
}

impl<T: Float> Products<'_, T> {
    /// S of these blocks, which are ranges of panels.
    fn sum(&self, blocks: &[Range<usize>], slab: &mut Pages<f64>) -> Result<(Squares, Aligned<f64>), Error> {
        let SamplePanels { side, count, .. } = *self.samples;
        let whole = Squares::new(side, count, count);
        if self.samples.block_len() + whole.len() <= CACHE {
            return Ok((whole, self.by_groups(whole, blocks, slab)?));
        }
        // g groups have g (g + 1) / 2 squares: five for each thread, so that all have about as much to do.
        let groups = (10 * self.threads).isqrt();
        let squares = Squares::new(side, count, (count / groups).min(SQUARE));
        Ok((squares, self.by_slabs(squares, blocks, slab)?))
    }

    /// Shares out items one by one, or leaves all of them to the caller's thread.
    fn share<I: IndexedParallelIterator>(&self, items: I) -> impl IndexedParallelIterator<Item = I::Item> {
        let fewest = if self.threads > 1 { 1 } else { usize::MAX };
        items.with_min_len(fewest).with_max_len(1)
    }

    /// Few samples: an S for each group of neurons, which is one square.
    fn by_groups(&self, whole: Squares, blocks: &[Range<usize>], slab: &mut Pages<f64>) -> Result<Aligned<f64>, Error> {
        let (block_len, len) = (self.samples.block_len(), self.samples.block_len() + whole.len());
        // No group has less work than would pay for a thread.
        let fewest = ONE_THREAD / (8 * whole.len() * BLOCK);
        let groups = blocks.chunks(blocks.len().div_ceil(GROUPS).max(fewest).max(1));
        slab.set_len(groups.len() * len)?;
        let sum = |(blocks, numbers): (&[Range<usize>], &mut [f64])| -> Result<(), Error> {
            let (activations, tiles) = numbers.split_at_mut(block_len);
            tiles.fill(0.0);
            let mut square = Square {
                rows: 0..self.samples.count,
                columns: 0..self.samples.count,
                tiles,
            };
            for block in blocks {
                self.fill(block, activations)?;
                compiled::add_products(&mut square, &self.activations(block, activations));
            }
            Ok(())
        };
        let groups: Vec<_> = groups.zip(slab.get_mut().chunks_mut(len)).collect();
        self.share(groups.into_par_iter()).try_for_each(sum)?;
        let mut total = Aligned::zeros(whole.len())?;
        let slab = &*slab.get_mut();
        let parts = total.get_mut().par_chunks_mut(PART).enumerate();
        self.share(parts).for_each(|(at, total)| {
            for group in slab.chunks(len) {
                let part = &group[block_len + at * PART..];
                total.iter_mut().zip(part).for_each(|(total, s)| *total += s);
            }
        });
        Ok(total)
    }

    /// Many samples: the threads share out the squares of S.
    fn by_slabs(
        &self,
        squares: Squares,
        blocks: &[Range<usize>],
        slab: &mut Pages<f64>,
    ) -> Result<Aligned<f64>, Error> {
        let mut tiles = Aligned::zeros(squares.len())?;
        let mut parts = squares.of(tiles.get_mut());
        let block_len = self.samples.block_len();
        let at_a_time = (SLAB / block_len).clamp(1, blocks.len().max(1));
        slab.set_len(at_a_time * block_len)?;
        for blocks in blocks.chunks(at_a_time) {
            let slab = &mut slab.get_mut()[..blocks.len() * block_len];
            let parts_of_slab = blocks.par_iter().zip(slab.par_chunks_mut(block_len));
            self.share(parts_of_slab)
                .try_for_each(|(block, to)| self.fill(block, to))?;
            let add = |square: &mut Square<'_>| {
                for (block, numbers) in blocks.iter().zip(slab.chunks(block_len)) {
                    compiled::add_products(square, &self.activations(block, numbers));
                }
            };
            self.share(parts.par_iter_mut()).for_each(add);
        }
        drop(parts);
        Ok(tiles)
    }

    /// Computes the activations of a block.
    fn fill(&self, block: &Range<usize>, to: &mut [f64]) -> Result<(), Error> {
        let per_chunk = self.chunks.first().map_or(1, |chunk| chunk.shape.panels);
        let lanes = self.samples.lanes;
        let mut scratch = Aligned::zeros(lanes * lanes)?;
        for (row, panel) in block.clone().enumerate() {
            let (chunk, panel) = (&self.chunks[panel / per_chunk], panel % per_chunk);
            let len = chunk.shape.dimension * lanes;
            let neurons = Neurons {
                weights: &chunk.weights[self.role].get()[panel * len..][..len],
                output_weights: &chunk.output_weights.get()[panel * lanes..][..lanes],
            };
            compiled::fill_activations(self.samples, &neurons, &mut scratch, to, row * lanes);
        }
        Ok(())
    }

    fn activations<'a>(&self, block: &Range<usize>, numbers: &'a [f64]) -> Activations<'a> {
        Activations {
            level: self.samples.level,
            numbers,
            neurons: block.len() * self.samples.lanes,
        }
    }
}

/// Turns S into G: multiplies entry by entry with the inner products of the points (k x n).
pub(super) fn multiply_by_products(gram: &mut DMatrix<f64>, points: &DMatrix<f64>) {
    let n = gram.nrows();
    let columns = gram.as_mut_slice().par_chunks_mut(n.max(1)).enumerate();
    columns
        .with_min_len(fewest_items(n * points.nrows()))
        .for_each(|(j, column)| {
            DVectorViewMut::from_slice(column, n).component_mul_assign(&points.tr_mul(&points.column(j)));
        });
}

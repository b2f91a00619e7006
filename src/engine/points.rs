//! Points in the layout that the kernels read, the dual vector packed with them, and panels of weights.
//!
//! ```text
//! weights             [panel][coordinate][P]           P = two vectors of neurons, side by side
//! activations         [panel][sample][P]
//! points, forward     [sample block][coordinate][R]    times log2(e); coordinates up to the block's depth
//! points, backward    [feature block][sample][R]       from the block's first sample on
//! ```
//!
//! A block has R = 4, 8 or 12 rows, or 2, 4 or 6, depending on how many registers there are for its R x 2 accumulators. If the points
//! are triangular (see `reduce`), sample j has j + 1 coordinates, and depth and first sample skip the zeros: half of
//! the work.

use super::expansion::{FewPoints, Packing};
use super::memory::Aligned;
use super::plan::BlockRows;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;
use std::ops::Range;

/// Buffers of rows are padded to a multiple of this, which is one of every block's unit.
pub(super) const UNIT: usize = 4;

/// Rows that the microkernel processes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The first row: a sample in the forward half, a feature in the backward half.
    pub first: usize,
    /// The number of rows, including padding.
    pub rows: usize,
    /// The number of rows that are not padding.
    pub valid: usize,
    /// Forward: the coordinates 0..depth. Backward: the samples from n - depth on.
    pub depth: usize,
    /// The offset of the block's numbers.
    pub offset: usize,
}

/// Some blocks of samples whose activations stay in L2 until the backward half has read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub blocks: Range<usize>,
    pub samples: Range<usize>,
}

/// The number of samples whose activations are recomputed at a time, so that they stay in L2 until the backward half.
const GROUP: usize = 256;

/// Splits `len` rows into blocks, as evenly as possible: the first row and the number of rows of each.
fn split(len: usize, rows: BlockRows) -> impl Iterator<Item = (usize, usize)> {
    let BlockRows { unit, most } = rows;
    let all = len.div_ceil(unit);
    let count = (all * unit).div_ceil(most);
    let (size, larger) = (all / count.max(1), all % count.max(1));
    (0..count).map(move |b| {
        let first = b * size + b.min(larger);
        (first * unit, (size + usize::from(b < larger)) * unit)
    })
}

/// Points in the coordinates of a run, before they are packed.
#[derive(Clone, Debug)]
pub(super) struct Coordinates<T> {
    /// k x n, one point per column.
    pub matrix: DMatrix<T>,
    /// The coordinates of point i from `extent[i]` on are zero.
    pub extent: Vec<usize>,
    /// |x_i|^2.
    pub squares: Vec<f64>,
}

impl<T: Float> Coordinates<T> {
    pub fn new(matrix: DMatrix<T>) -> Self {
        let nonzero = |x: &T| *x != T::zero();
        let extent = matrix
            .column_iter()
            .map(|c| c.iter().rposition(nonzero).map_or(0, |last| last + 1))
            .collect();
        let square = |x: &T| x.as_f64().powi(2);
        let squares = matrix.column_iter().map(|c| c.iter().map(square).sum()).collect();
        Self {
            matrix,
            extent,
            squares,
        }
    }
}

/// Packed points, and the dual packed with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Points<T> {
    pub samples: usize,
    pub sample_blocks: Vec<Block>,
    /// Groups of at most 256 samples.
    pub groups: Vec<Group>,
    pub forward: Aligned<T>,
    /// The largest |x|^2 in `forward`.
    pub largest_square: T,
    pub feature_blocks: Vec<Block>,
    backward: Aligned<T>,
    /// `backward` with sample i multiplied by v_i.
    pub dual: Aligned<T>,
    /// v and e of a product with the Hessian, in the order of the packed samples.
    pub factors: [Vec<T>; 2],
    /// The same points and dual for a sweep by expansion, if there may be one.
    pub few: Option<FewPoints>,
}

impl<T: Float> Points<T> {
    /// Packs the samples `batch` (empty means all) into blocks of such rows. Weights move along the
    /// first `trained` coordinates. Reuses the memory of an earlier packing.
    pub fn pack(
        &mut self,
        from: &Coordinates<T>,
        batch: &[usize],
        trained: usize,
        rows: BlockRows,
    ) -> Result<(), Error> {
        self.pack_forward(from, batch, rows, std::f64::consts::LOG2_E)?;
        self.pack_backward(from, batch, trained, rows)
    }

    /// Packs the same points for a sweep by expansion.
    pub fn pack_few(&mut self, from: &Coordinates<T>, batch: &[usize], packing: Packing) -> Result<(), Error> {
        self.few.get_or_insert_default().pack(&from.matrix, batch, packing)
    }

    /// Packs for the forward half alone, with every coordinate multiplied by `factor`.
    pub fn pack_forward(
        &mut self,
        from: &Coordinates<T>,
        batch: &[usize],
        rows: BlockRows,
        factor: f64,
    ) -> Result<(), Error> {
        self.samples = if batch.is_empty() {
            from.matrix.ncols()
        } else {
            batch.len()
        };
        let sample = |i: usize| batch.get(i).copied().unwrap_or(i);
        let len = self.split_samples(rows, |i| from.extent[sample(i)]);
        self.forward.set_len(len)?;
        let packed = self.forward.get_mut();
        let largest = (0..self.samples).map(|i| from.squares[sample(i)]).fold(0.0, f64::max);
        self.largest_square = T::lit(factor.powi(2) * largest);
        for block in &self.sample_blocks {
            for j in 0..block.rows {
                let point = (j < block.valid).then(|| from.matrix.column(sample(block.first + j)));
                for k in 0..block.depth {
                    packed[block.offset + k * block.rows + j] = match &point {
                        Some(point) => T::lit(point[k].as_f64() * factor),
                        None => T::zero(),
                    };
                }
            }
        }
        Ok(())
    }

    /// Splits the samples, `extent(i)` coordinates each, into blocks and groups. Returns the length of the packed
    /// blocks.
    fn split_samples(&mut self, block_rows: BlockRows, extent: impl Fn(usize) -> usize) -> usize {
        let n = self.samples;
        self.sample_blocks.clear();
        self.groups.clear();
        let mut offset = 0;
        for (first, rows) in split(n, block_rows) {
            let valid = rows.min(n - first);
            let depth = (first..first + valid).map(&extent).max().unwrap_or(0);
            match self.groups.last_mut() {
                Some(group) if first + rows - group.samples.start <= GROUP => {
                    group.blocks.end += 1;
                    group.samples.end = first + valid;
                }
                _ => self.groups.push(Group {
                    blocks: self.sample_blocks.len()..self.sample_blocks.len() + 1,
                    samples: first..first + valid,
                }),
            }
            self.sample_blocks.push(Block {
                first,
                rows,
                valid,
                depth,
                offset,
            });
            offset += depth * rows;
        }
        offset
    }

    fn pack_backward(
        &mut self,
        from: &Coordinates<T>,
        batch: &[usize],
        trained: usize,
        block_rows: BlockRows,
    ) -> Result<(), Error> {
        let sample = |i: usize| batch.get(i).copied().unwrap_or(i);
        let n = self.samples;
        self.feature_blocks.clear();
        let mut offset = 0;
        for (first, rows) in split(trained, block_rows) {
            let start = (0..n).find(|&i| from.extent[sample(i)] > first).unwrap_or(n);
            let valid = rows.min(trained - first);
            self.feature_blocks.push(Block {
                first,
                rows,
                valid,
                depth: n - start,
                offset,
            });
            offset += (n - start) * rows;
        }
        self.backward.set_len(offset)?;
        self.dual.set_len(offset)?;
        let packed = self.backward.get_mut();
        for block in &self.feature_blocks {
            for i in 0..block.depth {
                let point = from.matrix.column(sample(n - block.depth + i));
                for j in 0..block.rows {
                    packed[block.offset + i * block.rows + j] = if j < block.valid {
                        point[block.first + j]
                    } else {
                        T::zero()
                    };
                }
            }
        }
        Ok(())
    }

    /// The blocks in this range, each with its packed points and its first row, counted from the first block of the range.
    #[inline(always)]
    pub fn blocks(&self, range: Range<usize>) -> impl Iterator<Item = (&Block, &[T], usize)> {
        let packed = self.forward.get();
        let blocks = &self.sample_blocks[range];
        let base = blocks.first().map_or(0, |block| block.first);
        let packed = move |block: &Block| &packed[block.offset..][..block.depth * block.rows];
        let blocks = blocks.iter();
        blocks.map(move |block| (block, packed(block), block.first - base))
    }

    /// The rows of a panel's activations, including padding.
    pub fn rows(&self) -> usize {
        self.samples.next_multiple_of(UNIT)
    }

    /// The rows of the activations of the largest group.
    pub fn group_rows(&self) -> usize {
        self.rows().min(GROUP)
    }

    /// Multiplies sample i of the backward half by `dual[i]`.
    pub fn pack_dual(&mut self, dual: &[T]) {
        let (from, to) = (self.backward.get(), self.dual.get_mut());
        for block in &self.feature_blocks {
            let end = block.offset + block.depth * block.rows;
            let rows = from[block.offset..end].chunks_exact(block.rows);
            let scaled = to[block.offset..end].chunks_exact_mut(block.rows);
            for ((row, scaled), &v) in rows.zip(scaled).zip(&dual[self.samples - block.depth..]) {
                for (x, scaled) in row.iter().zip(scaled) {
                    *scaled = v * *x;
                }
            }
        }
    }
}

/// The number of coordinates that are copied of one neuron after the other: their rows of a panel stay in L1.
const ROWS: usize = 64;

/// Copies neurons (`dimension` numbers each) into a panel [coordinate][P]; missing ones are 0.
pub(super) fn pack_panel<T: Float>(neurons: &[T], dimension: usize, panel: &mut [T], lanes: usize) {
    if neurons.len() < panel.len() {
        panel.fill(T::zero());
    }
    for first in (0..dimension).step_by(ROWS) {
        for (lane, neuron) in neurons.chunks_exact(dimension).enumerate() {
            for (k, &w) in neuron.iter().enumerate().skip(first).take(ROWS) {
                panel[k * lanes + lane] = w;
            }
        }
    }
}

/// The inverse of `pack_panel`.
pub(super) fn unpack_panel<T: Float>(panel: &[T], dimension: usize, neurons: &mut [T], lanes: usize) {
    for first in (0..dimension).step_by(ROWS) {
        for (lane, neuron) in neurons.chunks_exact_mut(dimension).enumerate() {
            for (k, w) in neuron.iter_mut().enumerate().skip(first).take(ROWS) {
                *w = panel[k * lanes + lane];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_row_once() {
        for (unit, most) in [(4, 12), (4, 8), (2, 6)] {
            for len in 0..60 {
                let mut next = 0;
                for (first, rows) in split(len, BlockRows { unit, most }) {
                    assert_eq!(first, next);
                    assert!(rows % unit == 0 && rows > 0 && rows <= most);
                    next += rows;
                }
                assert_eq!(next, len.next_multiple_of(unit));
            }
        }
    }

    #[test]
    fn triangular_points_skip_their_zeros() {
        let matrix = DMatrix::from_fn(8, 16, |k, i| if k <= i { 1.0 + (k + i) as f64 } else { 0.0 });
        let mut points = Points::default();
        let rows = BlockRows { unit: 4, most: 4 };
        points.pack(&Coordinates::new(matrix), &[], 8, rows).unwrap();
        assert_eq!(
            points.sample_blocks.iter().map(|b| b.depth).collect::<Vec<_>>(),
            [4, 8, 8, 8]
        );
        assert_eq!(
            points.feature_blocks.iter().map(|b| b.depth).collect::<Vec<_>>(),
            [16, 12]
        );
    }
}

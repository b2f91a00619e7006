//! The kernel of the moments of the weights.
//!
//! ```text
//! weights  w [panel][coordinate][P]   -->   4 x 4 coordinates at a time:  acc [4][4][lanes] += a^2 w_k w_l, over all panels
//! ```

use super::microkernel::load;
use crate::float::Float;
use fearless_simd::prelude::*;
use nalgebra::{DMatrix, DVector};

/// The rows and columns of a tile.
const TILE: usize = 4;

/// The columns of a tile that are summed at a time: with four, the sums would not fit in 16 registers.
const PAIR: usize = 2;

/// Panels per block.
const BLOCK: usize = 8;

/// The moments of the weights, as sums over neurons.
#[derive(Debug)]
pub struct MomentSums {
    /// The sum of a_r^2.
    pub zeroth: f64,
    /// The sum of a_r^2 w_r.
    pub first: DVector<f64>,
    /// The sum of a_r^2 w_r w_r^T: the lower triangle.
    pub second: DMatrix<f64>,
}

impl MomentSums {
    pub fn zeros(k: usize) -> Self {
        Self {
            zeroth: 0.0,
            first: DVector::zeros(k),
            second: DMatrix::zeros(k, k),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.zeroth += other.zeroth;
        self.first += &other.first;
        self.second += &other.second;
    }
}

/// Adds the moments of some panels, [panel][coordinate][P], in as many of their first coordinates as `sums` has.
#[inline(always)]
pub fn add_moments<S: Simd, T: Float>(
    s: S,
    weights: &[T],
    output_weights: &[T],
    dimension: usize,
    sums: &mut MomentSums,
) {
    let k = sums.first.len();
    let lanes = 2 * T::Native::<S>::LEN;
    let panels = weights.chunks(BLOCK * dimension * lanes);
    let a = output_weights.chunks(BLOCK * lanes);
    let zero = T::Native::<S>::splat(s, T::zero());
    let squares = output_weights.iter().map(|a| a.as_f64() * a.as_f64());
    sums.zeroth += squares.sum::<f64>();
    let mut tiles = vec![[[zero; TILE]; TILE]; k.div_ceil(TILE)];
    for rows in (0..k).step_by(TILE) {
        tiles.fill([[zero; TILE]; TILE]);
        let mut first = [zero; TILE];
        for (panels, a) in panels.clone().zip(a.clone()) {
            add_rows::<S, T>(s, (panels, a), dimension, (rows, k), &mut first, &mut tiles);
        }
        for (i, (first, r)) in (rows..k).zip(first.into_iter().zip(0..TILE)) {
            sums.first[i] += sum_of_lanes::<S, T>(first);
            for j in 0..=i {
                sums.second[(i, j)] += sum_of_lanes::<S, T>(tiles[j / TILE][r][j % TILE]);
            }
        }
    }
}

/// The same for a block of panels, and one row of tiles of the second moments, from coordinate `rows` on.
#[inline(always)]
fn add_rows<S: Simd, T: Float>(
    s: S,
    (panels, a): (&[T], &[T]),
    dimension: usize,
    (rows, k): (usize, usize),
    first: &mut [T::Native<S>; TILE],
    second: &mut [[[T::Native<S>; TILE]; TILE]],
) {
    let lanes = 2 * T::Native::<S>::LEN;
    let zero = T::Native::<S>::splat(s, T::zero());
    let mut scaled = [[[zero; 2]; TILE]; BLOCK];
    for ((scaled, panel), a) in scaled
        .iter_mut()
        .zip(panels.chunks_exact(dimension * lanes))
        .zip(a.chunks_exact(lanes))
    {
        let [a0, a1] = load::<S, T>(s, a);
        let tile = tile::<S, T, TILE>(s, panel, rows, k);
        for ((scaled, [w0, w1]), sum) in scaled.iter_mut().zip(tile).zip(&mut *first) {
            *scaled = [a0 * a0 * w0, a1 * a1 * w1];
            *sum = *sum + scaled[0] + scaled[1];
        }
    }
    for (columns, second) in (0..=rows).step_by(TILE).zip(second) {
        for pair in (0..TILE).step_by(PAIR) {
            let mut sums: [[_; PAIR]; TILE] = std::array::from_fn(|i| [second[i][pair], second[i][pair + 1]]);
            for (left, panel) in scaled.iter().zip(panels.chunks_exact(dimension * lanes)) {
                let right: [_; PAIR] = tile::<S, T, PAIR>(s, panel, columns + pair, k);
                for i in 0..TILE {
                    for j in 0..PAIR {
                        let sum = left[i][0].mul_add(right[j][0], sums[i][j]);
                        sums[i][j] = left[i][1].mul_add(right[j][1], sum);
                    }
                }
            }
            for (second, sums) in second.iter_mut().zip(sums) {
                second[pair..pair + PAIR].copy_from_slice(&sums);
            }
        }
    }
}

/// The rows of a panel from `first` on; the last of the k rows is repeated as padding.
#[inline(always)]
fn tile<S: Simd, T: Float, const ROWS: usize>(s: S, panel: &[T], first: usize, k: usize) -> [[T::Native<S>; 2]; ROWS] {
    let lanes = 2 * T::Native::<S>::LEN;
    std::array::from_fn(|i| load::<S, T>(s, &panel[(first + i).min(k - 1) * lanes..]))
}

#[inline(always)]
fn sum_of_lanes<S: Simd, T: Float>(vector: T::Native<S>) -> f64 {
    let mut lanes = [T::zero(); 16];
    let lanes = &mut lanes[..T::Native::<S>::LEN];
    vector.store_slice(lanes);
    lanes.iter().map(|x| x.as_f64()).sum()
}

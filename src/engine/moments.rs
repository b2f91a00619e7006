//! Mean and covariance of the weights, each neuron counted a_r^2 times as in G.
//!
//! ```text
//! weights  w [panel][coordinate][P]   -->   4 x 4 coordinates at a time:  acc [4][4][lanes] += a^2 w_k w_l, over all panels
//! ```

use super::chunk::Chunk;
use super::compiled;
use super::kernel::load;
use super::training::Engine;
use crate::communicator::Sum;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::prelude::*;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Rows and columns of a tile.
const TILE: usize = 4;

/// Panels at a time.
const BLOCK: usize = 8;

/// Sums over neurons.
#[derive(Debug)]
pub(super) struct Moments {
    /// Of a_r^2.
    zeroth: f64,
    /// Of a_r^2 w_r.
    first: DVector<f64>,
    /// Of a_r^2 w_r w_r^T: the lower triangle.
    second: DMatrix<f64>,
}

impl Moments {
    pub fn zeros(k: usize) -> Self {
        Self {
            zeroth: 0.0,
            first: DVector::zeros(k),
            second: DMatrix::zeros(k, k),
        }
    }

    fn add(&mut self, other: &Self) {
        self.zeroth += other.zeroth;
        self.first += &other.first;
        self.second += &other.second;
    }

    /// Over the neurons of all ranks.
    fn over_ranks<T: Float>(&mut self, engine: &Engine<T>) -> Result<(), Error> {
        let mut numbers = vec![self.zeroth];
        numbers.extend(self.first.iter().chain(self.second.iter()));
        engine.link.sum(Sum::Moments, &mut numbers)?;
        let (first, second) = numbers[1..].split_at(self.first.len());
        self.zeroth = numbers[0];
        self.first.copy_from_slice(first);
        self.second.copy_from_slice(second);
        Ok(())
    }
}

impl<T: Float> Engine<T> {
    /// Mean (k) and covariance (k x k) of the current weights, in the k coordinates along which they move.
    ///
    /// m k^2 flops.
    pub fn weight_moments(&self) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
        let (k, level, role) = (self.batches.trained(), self.path.level, self.current());
        let mut sum = Moments::zeros(k);
        // The parts take no more memory than the weights.
        let together = self.shape.1.div_ceil(k.max(1));
        for chunks in self.chunks.chunks(together) {
            let of = |chunk: &Chunk<T>| {
                let mut moments = Moments::zeros(k);
                compiled::add_moments(level, chunk, role, &mut moments);
                moments
            };
            let parts: Vec<Moments> = chunks.par_iter().map(of).collect();
            for part in &parts {
                sum.add(part);
            }
        }
        sum.over_ranks(self)?;
        let Moments {
            zeroth,
            first,
            mut second,
        } = sum;
        second.fill_upper_triangle_with_lower_triangle();
        let mean = first / zeroth;
        let covariance = second / zeroth - &mean * mean.transpose();
        Ok((mean, covariance))
    }
}

/// Adds those of a chunk, in its first coordinates: as many as `moments` has.
#[inline(always)]
pub(super) fn add_moments<S: Simd, T: Float>(s: S, chunk: &Chunk<T>, role: usize, moments: &mut Moments) {
    let k = moments.first.len();
    let panels = chunk.weights[role].get().chunks(BLOCK * chunk.dimension * chunk.lanes);
    let a = chunk.output_weights.get().chunks(BLOCK * chunk.lanes);
    let zero = T::Native::<S>::splat(s, T::zero());
    let squares = chunk.output_weights.get().iter().map(|a| a.as_f64() * a.as_f64());
    moments.zeroth += squares.sum::<f64>();
    let mut sums = vec![[[zero; TILE]; TILE]; k.div_ceil(TILE)];
    for rows in (0..k).step_by(TILE) {
        sums.fill([[zero; TILE]; TILE]);
        let mut first = [zero; TILE];
        for (panels, a) in panels.clone().zip(a.clone()) {
            add_rows::<S, T>(s, (panels, a), chunk.dimension, (rows, k), &mut first, &mut sums);
        }
        for (i, (first, r)) in (rows..k).zip(first.into_iter().zip(0..TILE)) {
            moments.first[i] += sum_of_lanes::<S, T>(first);
            for j in 0..=i {
                moments.second[(i, j)] += sum_of_lanes::<S, T>(sums[j / TILE][r][j % TILE]);
            }
        }
    }
}

/// The same for the rows from `rows` on of the second moments, and a block of panels.
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
        *scaled = tile::<S, T>(s, panel, rows, k).map(|[w0, w1]| [a0 * a0 * w0, a1 * a1 * w1]);
        for (sum, [w0, w1]) in first.iter_mut().zip(scaled) {
            *sum = *sum + *w0 + *w1;
        }
    }
    for (columns, second) in (0..=rows).step_by(TILE).zip(second) {
        let mut sums = *second;
        for (left, panel) in scaled.iter().zip(panels.chunks_exact(dimension * lanes)) {
            let right = tile::<S, T>(s, panel, columns, k);
            for i in 0..TILE {
                for j in 0..TILE {
                    let sum = left[i][0].mul_add(right[j][0], sums[i][j]);
                    sums[i][j] = left[i][1].mul_add(right[j][1], sum);
                }
            }
        }
        *second = sums;
    }
}

/// Rows `first` and following of a panel; the last of the k again where there are no more.
#[inline(always)]
fn tile<S: Simd, T: Float>(s: S, panel: &[T], first: usize, k: usize) -> [[T::Native<S>; 2]; TILE] {
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

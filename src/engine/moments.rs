//! Mean and covariance of the weights, with neuron r weighted by a_r^2 as in G.

use super::chunk::Chunk;
use super::compiled;
use super::kernels::moments::MomentSums;
use super::ranks::Ranks;
use crate::communicator::Exchange;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Below this many multiply-adds, one thread is done before another wakes up.
const SMALL: usize = 200_000;

/// The mean (k) and covariance (k x k) of copy `role` of the weights, in the k coordinates along which they move.
///
/// m k^2 flops.
pub(super) fn weight_moments<T: Float>(
    level: Level,
    chunks: &[Chunk<T>],
    role: usize,
    k: usize,
    ranks: &Ranks,
) -> Result<(DVector<f64>, DMatrix<f64>), Error> {
    let mut sums = MomentSums::zeros(k);
    // In groups, so that the partial sums take no more memory than the weights.
    let neurons: usize = chunks.iter().map(|chunk| chunk.shape.neurons).sum();
    let fewest = if neurons * k * k < SMALL { usize::MAX } else { 1 };
    for chunks in chunks.chunks(neurons.div_ceil(k.max(1)).max(1)) {
        let of = |chunk: &Chunk<T>| {
            let mut sums = MomentSums::zeros(k);
            compiled::add_moments(chunk, level, role, &mut sums);
            sums
        };
        let parts: Vec<MomentSums> = chunks.par_iter().with_min_len(fewest).map(of).collect();
        for part in &parts {
            sums.add(part);
        }
    }
    sum_over_ranks(&mut sums, ranks)?;
    let MomentSums {
        zeroth,
        first,
        mut second,
    } = sums;
    second.fill_upper_triangle_with_lower_triangle();
    let mean = first / zeroth;
    let covariance = second / zeroth - &mean * mean.transpose();
    Ok((mean, covariance))
}

fn sum_over_ranks(sums: &mut MomentSums, ranks: &Ranks) -> Result<(), Error> {
    let mut numbers = vec![sums.zeroth];
    numbers.extend(sums.first.iter().chain(sums.second.iter()));
    ranks.link().sum(Exchange::Moments, &mut numbers)?;
    let (first, second) = numbers[1..].split_at(sums.first.len());
    sums.zeroth = numbers[0];
    sums.first.copy_from_slice(first);
    sums.second.copy_from_slice(second);
    Ok(())
}

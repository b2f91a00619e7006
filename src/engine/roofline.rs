//! The limits of the machine, measured with the kernels of the engine: for `benches/roofline.rs` (feature
//! `bench-internals`), not part of the public API.

use super::Memory;
use super::kernels::exp::pow2;
use super::kernels::microkernel::{has_32_registers, load, store};
use super::memory::Aligned;
use super::plan::Plan;
use super::sweep::is_small;
use crate::float::Float;
use fearless_simd::{dispatch, prelude::*};
use std::hint::black_box;
use std::time::Instant;

/// What the machine can do at best, with all given threads together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Flops per second; a multiply-add counts as two.
    pub peak: f64,
    /// Seconds per exponential, from L1 to L1.
    pub exp: f64,
}

impl Limits {
    /// The limits for type T on this many threads, from one try of some ten milliseconds.
    pub fn sample<T: Float>(threads: usize) -> Self {
        let level = Plan::new::<T>(Memory::Auto).map_or(fearless_simd::Level::new(), |plan| plan.level);
        let flops = rate(threads, || dispatch!(level, s => multiply_adds::<_, T>(s)));
        let exps = rate(threads, || dispatch!(level, s => exponentials::<_, T>(s)));
        Self {
            peak: 2.0 * flops,
            exp: 1.0 / exps,
        }
    }

    /// The best of several tries.
    pub fn best<T: Float>(threads: usize) -> Self {
        let tries = (0..20).map(|_| Self::sample::<T>(threads));
        tries.fold(
            Self {
                peak: 0.0,
                exp: f64::INFINITY,
            },
            |best, next| Self {
                peak: best.peak.max(next.peak),
                exp: best.exp.min(next.exp),
            },
        )
    }
}

/// Whether a step in this many coordinates is too little work for more than one thread: the engine's own rule.
pub fn takes_one_thread<T: Float>(samples: usize, coordinates: usize, width: usize) -> bool {
    is_small::<T>(2, coordinates, samples, width)
}

/// The name of the SIMD level in use.
pub fn level_name() -> String {
    let name = format!(
        "{:?}",
        Plan::new::<f64>(Memory::Auto).map_or(fearless_simd::Level::new(), |plan| plan.level)
    );
    name.split('(').next().unwrap_or_default().to_string()
}

/// Operations per second of `work`, which returns how many it did, on this many threads together.
fn rate(threads: usize, work: impl Fn() -> usize + Sync) -> f64 {
    let one = || {
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed().as_millis() < 5 {
            done += work();
        }
        done as f64 / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        one() + others.into_iter().filter_map(|thread| thread.join().ok()).sum::<f64>()
    })
}

/// The pattern of the microkernel without its loads: 24 (or 8) independent accumulators.
#[inline(always)]
fn multiply_adds<S: Simd, T: Float>(s: S) -> usize {
    const ROUNDS: usize = 20_000;
    if has_32_registers(s.level()) {
        chains::<S, T, 24>(s, ROUNDS)
    } else {
        chains::<S, T, 8>(s, ROUNDS)
    }
}

#[inline(always)]
fn chains<S: Simd, T: Float, const N: usize>(s: S, rounds: usize) -> usize {
    let splat = |x: f64| T::Native::<S>::splat(s, T::lit(x));
    let (a, b) = (splat(black_box(0.999)), splat(black_box(1e-3)));
    let mut acc = [splat(1.0); N];
    for _ in 0..rounds {
        for x in &mut acc {
            *x = x.mul_add(a, b);
        }
    }
    black_box(acc);
    rounds * N * T::Native::<S>::LEN
}

#[inline(always)]
fn exponentials<S: Simd, T: Float>(s: S) -> usize {
    let lanes = T::Native::<S>::LEN;
    // If the second buffer began a multiple of 4 KiB after the first, every load would wait for a store that seems to
    // be to the same address.
    let half = 1024 + 2112 / size_of::<T>();
    let Ok(mut buffers) = Aligned::zeros(2 * half) else {
        return 0;
    };
    buffers.get_mut().fill(T::lit(0.3));
    let (from, to) = buffers.get_mut().split_at_mut(half);
    for _ in 0..40 {
        let (from, to) = (black_box(&from[..1024]), black_box(&mut to[..1024]));
        for (from, to) in from.chunks_exact(2 * lanes).zip(to.chunks_exact_mut(2 * lanes)) {
            store::<S, T>(pow2::<S, T>(s, load::<S, T>(s, from)), to);
        }
    }
    40 * 1024
}

//! SIMD kernels, which work on numbers in registers and L1. They know nothing of runs, threads or ranks.
//!
//! Each kernel is written once, generic over the SIMD level `S` and the scalar type `T`. Small ones are inlined completely
//! into the functions of `compiled`; large ones that are needed in several places are called: see [`call`].

pub mod exp;
pub mod expansion;
pub mod gram;
pub mod harmonics;
pub mod microkernel;
pub mod moments;
pub mod panel;

use fearless_simd::prelude::*;
use std::hint::black_box;

/// Runs a kernel from a function that is not inlined, `#[inline(always)]` itself: it is compiled once for each level, not once
/// for each use.
///
/// The reference to a vector makes LLVM align the stack. Otherwise vectors that do not fit in registers may straddle two
/// cache lines, depending on the thread, and a sweep took up to 1.5 times as long.
#[inline(always)]
pub fn call<S: Simd>(s: S, kernel: impl FnOnce()) {
    s.vectorize(
        #[inline(always)]
        || {
            black_box(&S::f64s::splat(s, 0.0));
            kernel();
        },
    );
}

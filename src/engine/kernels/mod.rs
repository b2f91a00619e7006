//! SIMD kernels, which work on numbers in registers and L1. They know nothing of runs, threads or ranks.
//!
//! Each kernel is written once, generic over the SIMD level `S` and the scalar type `T`, and inlined completely into
//! the functions of `compiled`.

pub mod exp;
pub mod expansion;
pub mod gram;
pub mod harmonics;
pub mod microkernel;
pub mod moments;
pub mod panel;

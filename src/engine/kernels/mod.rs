//! SIMD: what happens to numbers that lie in registers and L1. Nothing here knows a run, a thread or a rank.
//!
//! Each kernel is written once, generic over the SIMD level `S` and the scalar type `T`, and inlined whole into the
//! functions of `compiled`.

pub mod exp;
pub mod gram;
pub mod microkernel;
pub mod moments;
pub mod panel;

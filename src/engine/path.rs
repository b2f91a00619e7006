//! The choice of path: which instructions, stored or recomputed activations, which coordinates.

use crate::Float;
use fearless_simd::{Level, dispatch, prelude::*};

/// The environment variable that forces a lower SIMD level than the machine's best, to reproduce a
/// run of another machine: `avx512`, `avx2`, `sse4.2` or `sse2`. A level that the machine
/// lacks, or any other word, is ignored.
pub(super) const LEVEL_VARIABLE: &str = "EXPNET_SIMD";

/// The SIMD level of a run.
pub(super) fn level() -> Level {
    let best = Level::new();
    match std::env::var(LEVEL_VARIABLE) {
        Ok(name) => forced(best, &name).unwrap_or(best),
        Err(_) => best,
    }
}

#[cfg(target_arch = "x86_64")]
fn forced(best: Level, name: &str) -> Option<Level> {
    match name {
        "avx512" => best.as_avx512().map(Level::Avx512),
        "avx2" => best.as_avx2().map(Level::Avx2),
        "sse4.2" => best.as_sse4_2().map(Level::Sse4_2),
        "sse2" => best.as_sse2().map(Level::Sse2),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn forced(_: Level, _: &str) -> Option<Level> {
    None
}

/// Neurons side by side in a panel: two vectors.
pub(super) fn panel_width<T: Float>(level: Level) -> usize {
    #[inline(always)]
    fn lanes<S: Simd, T: Float>(_: S) -> usize {
        T::Native::<S>::LEN
    }
    2 * dispatch!(level, s => lanes::<_, T>(s))
}

/// Whether a kernel can hold 24 accumulators: AVX-512 and NEON have 32 vector registers, the others 16.
#[inline(always)]
pub(super) fn has_32_registers(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level.as_avx512().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64") && !level.is_fallback();
}

/// Rows of a kernel's blocks, in units of 4.
pub(super) fn block_units(level: Level) -> usize {
    if has_32_registers(level) { 3 } else { 1 }
}

/// Every level this machine has, and the scalar fallback, for tests.
#[cfg(test)]
pub(super) fn levels() -> Vec<Level> {
    let mut levels = vec![Level::fallback()];
    for name in ["sse2", "sse4.2", "avx2", "avx512"] {
        match forced(Level::new(), name) {
            Some(level) => levels.push(level),
            None => println!("level {name}: skipped, this machine lacks it"),
        }
    }
    if !cfg!(target_arch = "x86_64") {
        levels.push(Level::new());
    }
    levels
}

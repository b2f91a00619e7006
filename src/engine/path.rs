//! The choice of path: which instructions, stored or recomputed activations, which coordinates.

use crate::float::Float;
use fearless_simd::{Level, dispatch, prelude::*};

/// The environment variable that forces a lower SIMD level than the machine's best, to reproduce a
/// run of another machine: `avx512`, `avx2`, `sse4.2` or `sse2`. A level that the machine
/// lacks, or any other word, is ignored.
const LEVEL_VARIABLE: &str = "EXPNET_SIMD";

/// Whether activations (n m numbers) are stored from one pass to the next, or computed again.
///
/// The result is the same to the last bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Memory {
    /// Stores them while they take at most 1 GiB.
    #[default]
    Auto,
    /// Stores them.
    Store,
    /// Computes them again: about 1.4 times the time, memory O(d m).
    Recompute,
    /// Stores them while they take at most this many bytes.
    Budget(usize),
}

impl Memory {
    fn budget(self) -> usize {
        match self {
            Self::Auto => 1 << 30,
            Self::Store => usize::MAX,
            Self::Recompute => 0,
            Self::Budget(bytes) => bytes,
        }
    }
}

/// The path of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub level: Level,
    /// Neurons side by side in a panel: two vectors.
    pub lanes: usize,
    /// Rows of a kernel's blocks, in units of 4.
    pub units: usize,
    budget: usize,
}

impl Path {
    pub fn new<T: Float>(memory: Memory) -> Self {
        Self::at::<T>(level(), memory)
    }

    pub fn at<T: Float>(level: Level, memory: Memory) -> Self {
        let units = if has_32_registers(level) { 3 } else { 1 };
        Self {
            level,
            lanes: panel_width::<T>(level),
            units,
            budget: memory.budget(),
        }
    }

    /// Two vectors of T.
    pub fn lanes_of<T: Float>(level: Level) -> usize {
        panel_width::<T>(level)
    }

    /// For triangular points, whose blocks compute with the zeros of their own rows: smaller blocks have fewer.
    pub fn triangular(mut self) -> Self {
        self.units = self.units.min(2);
        self
    }

    /// Whether activations of this many samples and neurons are stored.
    pub fn stores<T>(&self, samples: usize, width: usize) -> bool {
        samples.saturating_mul(width).saturating_mul(size_of::<T>()) <= self.budget
    }
}

/// The SIMD level of a run.
fn level() -> Level {
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

fn panel_width<T: Float>(level: Level) -> usize {
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

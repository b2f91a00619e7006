//! The plan of a run: which instructions, and whether activations are stored.

use super::kernels::microkernel::{has_32_registers, lanes};
use crate::float::Float;
use fearless_simd::Level;
use serde::{Deserialize, Serialize};

/// The environment variable that forces a lower SIMD level than the machine's best, to reproduce a
/// run of another machine: `avx512`, `avx2`, `sse4.2` or `sse2`. A level that the machine
/// lacks, or any other word, is ignored.
const LEVEL_VARIABLE: &str = "EXPNET_SIMD";

/// Whether activations (n m numbers) are stored from one pass to the next, or computed again.
///
/// The results are the same, bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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

/// How a run computes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub level: Level,
    /// Neurons side by side in a panel: two vectors.
    pub lanes: usize,
    /// Rows of a kernel's blocks, in units of 4.
    pub units: usize,
    budget: usize,
}

impl Plan {
    pub fn new<T: Float>(memory: Memory) -> Self {
        Self::at::<T>(level(), memory)
    }

    pub fn at<T: Float>(level: Level, memory: Memory) -> Self {
        Self {
            level,
            lanes: lanes::<T>(level),
            units: if has_32_registers(level) { 3 } else { 1 },
            budget: memory.budget(),
        }
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
pub(crate) fn level() -> Level {
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

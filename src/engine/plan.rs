//! The plan of a run: the SIMD level, and whether activations are stored.

use super::kernels::microkernel::{has_32_registers, lanes};
use crate::error::Error;
use crate::float::Float;
use fearless_simd::Level;
use serde::{Deserialize, Serialize};

/// The environment variable that selects a lower SIMD level than the best of the machine, to reproduce a run of another
/// machine: `avx512`, `avx2`, `sse4.2` or `sse2`. A level that the machine does not have, or any other value, is an
/// error.
const LEVEL_VARIABLE: &str = "EXPNET_SIMD";

/// The environment variable that replaces [`Pass::Auto`] in every run, for tests: `direct` or `expansion`. Any other value is
/// an error.
const PASS_VARIABLE: &str = "EXPNET_PASS";

/// Whether activations (n m numbers) are stored from one pass to the next, or recomputed.
///
/// The results are the same, bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Memory {
    /// Stores them if they take at most 1 GiB.
    #[default]
    Auto,
    /// Always stores them.
    Store,
    /// Always recomputes them, in about 1.4 times the time and with O(d m) memory.
    Recompute,
    /// Stores them if they take at most this many bytes.
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

/// How a pass is computed: pair by pair, or by an expansion that needs no pairs.
///
/// Where the points have at most four coordinates (or lie in a space of at most four dimensions), exp(<w, x>) is, up to rounding,
/// a sum of few monomials (or harmonics, on a circle), and a pass costs n + m instead of n m. An expansion is used only where it
/// keeps the promise of the direct pass, 1e-12 of the scale in `f64` and 1e-5 in `f32`; as weights grow, its degree rises,
/// until digits would cancel and the run continues directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Pass {
    /// By expansion where that is exact enough and faster.
    #[default]
    Auto,
    /// Always pair by pair.
    Direct,
    /// By expansion where that is exact enough, whether or not it is faster: to study and test it.
    Expansion,
}

/// The rows of the kernels' blocks, for as many accumulators as there are registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockRows {
    /// A multiple of this,
    pub unit: usize,
    /// and at most so many.
    pub most: usize,
}

/// How a run computes: see the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub level: Level,
    /// Neurons per panel: two vectors.
    pub lanes: usize,
    pub rows: BlockRows,
    budget: usize,
    pub pass: Pass,
}

impl Plan {
    /// Errors: a SIMD level that does not exist here.
    pub fn new<T: Float>(memory: Memory) -> Result<Self, Error> {
        Ok(Self::at::<T>(level()?, memory))
    }

    pub fn at<T: Float>(level: Level, memory: Memory) -> Self {
        Self {
            level,
            lanes: lanes::<T>(level),
            rows: if has_32_registers(level) {
                BlockRows { unit: 4, most: 12 }
            } else {
                BlockRows { unit: 2, most: 6 }
            },
            budget: memory.budget(),
            pass: Pass::Auto,
        }
    }

    /// With this kind of pass, whatever the environment says.
    pub fn by(mut self, pass: Pass) -> Self {
        self.pass = pass;
        self
    }

    /// With this kind of pass, or the one of the environment in place of `Auto`.
    ///
    /// Errors: a variable with another value.
    pub fn by_setting(self, pass: Pass) -> Result<Self, Error> {
        if pass != Pass::Auto {
            return Ok(self.by(pass));
        }
        let Some(name) = std::env::var_os(PASS_VARIABLE) else {
            return Ok(self.by(pass));
        };
        match &*name.to_string_lossy().to_ascii_lowercase() {
            "direct" => Ok(self.by(Pass::Direct)),
            "expansion" => Ok(self.by(Pass::Expansion)),
            _ => Err(Error::Setting {
                setting: "the environment variable `EXPNET_PASS`",
                value: format!("{:?}", name.to_string_lossy()),
                expected: "`direct` or `expansion`",
            }),
        }
    }

    /// Lanes of a vector of T and of `f64`.
    pub fn lanes_of<T: Float>(&self) -> (usize, usize) {
        (lanes::<T>(self.level) / 2, lanes::<f64>(self.level) / 2)
    }

    /// For triangular points: their blocks also multiply the zeros within, of which smaller blocks have fewer.
    pub fn triangular(mut self) -> Self {
        self.rows.most = self.rows.most.min(8);
        self
    }

    /// Whether the activations of this many samples and neurons are stored.
    pub fn stores<T>(&self, samples: usize, width: usize) -> bool {
        samples.saturating_mul(width).saturating_mul(size_of::<T>()) <= self.budget
    }
}

/// How many items of so many numbers one thread takes at least: it is done with fewer before another wakes up.
pub(super) fn fewest_items(numbers: usize) -> usize {
    20_000 / numbers.max(1) + 1
}

/// The SIMD level of a run.
///
/// Errors: a level that is unknown, or that the machine lacks.
pub(crate) fn level() -> Result<Level, Error> {
    let best = Level::new();
    let Some(name) = std::env::var_os(LEVEL_VARIABLE) else {
        return Ok(best);
    };
    let name = name.to_string_lossy();
    forced(best, &name.to_ascii_lowercase()).ok_or_else(|| Error::Setting {
        setting: "the environment variable `EXPNET_SIMD`",
        value: format!("{name:?}"),
        expected: "`avx512`, `avx2`, `sse4.2` or `sse2`, and a level of this machine",
    })
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

/// For tests: every level of this machine, and the scalar fallback.
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

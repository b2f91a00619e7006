//! Cyclic step sizes.

use super::{Schedule, function_of_step};
use crate::error::Error;
use crate::setting::{at_least_one, checked_serde, not_negative, positive, require};
use serde::{Deserialize, Serialize};

/// How the triangles of [`Cyclic`] change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Height {
    #[default]
    Constant,
    Halved,
    Decayed(f64),
}

/// A triangle wave: `size(t) = base + (peak - base) triangle(t) height(t)`.
///
/// In each cycle the triangle rises from 0 to 1 in `up` steps and falls back to 0 in `down` steps. Its height is 1, or
/// halves from cycle to cycle ([`halving`](Self::halving)), or is gamma^t ([`decay`](Self::decay)): the modes
/// `triangular`, `triangular2` and `exp_range` of `torch.optim.lr_scheduler.CyclicLR`.
///
/// ```
/// use expnet::schedule::Cyclic;
///
/// let schedule = Cyclic::new(0.25, 1.25, 4)?.down(2);
/// assert_eq!((schedule.at(0), schedule.at(2), schedule.at(4)), (0.25, 0.75, 1.25));
/// assert!((schedule.at(5) - 0.75).abs() < 1e-12);
/// assert_eq!(schedule.at(6), 0.25);
/// assert!((schedule.halving().at(10) - 0.75).abs() < 1e-12);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Cyclic {
    base: f64,
    peak: f64,
    up: usize,
    down: usize,
    #[serde(default)]
    height: Height,
}

impl Cyclic {
    /// Oscillates between `base` (at least 0) and `peak` (at least `base`): `up` steps (at least 1) up, as many down.
    ///
    /// Errors: a setting outside its range.
    pub fn new(base: f64, peak: f64, up: usize) -> Result<Self, Error> {
        let schedule = Self {
            base,
            peak,
            up,
            down: up,
            height: Height::Constant,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// The number of steps down, at least 1; `up` by default.
    pub fn down(mut self, steps: usize) -> Self {
        self.down = steps;
        self
    }

    /// Halves the height from cycle to cycle. Replaces [`decay`](Self::decay).
    pub fn halving(mut self) -> Self {
        self.height = Height::Halved;
        self
    }

    /// Lets the height decay as gamma^t, where gamma is positive and at most 1. Replaces [`halving`](Self::halving).
    pub fn decay(mut self, gamma: f64) -> Self {
        self.height = Height::Decayed(gamma);
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        let total = self.up.saturating_add(self.down);
        let (cycle, within) = (step / total, (step % total) as f64 / total as f64);
        let ratio = self.up as f64 / total as f64;
        let triangle = if within <= ratio {
            within / ratio
        } else {
            (within - 1.0) / (ratio - 1.0)
        };
        let height = match self.height {
            Height::Constant => 1.0,
            Height::Halved => 0.5_f64.powf(cycle as f64),
            Height::Decayed(gamma) => gamma.powf(step as f64),
        };
        self.base + (self.peak - self.base) * triangle * height
    }

    fn check_settings(&self) -> Result<(), Error> {
        not_negative("`base` of `Cyclic::new`", self.base)?;
        let above = self.peak.is_finite() && self.peak >= self.base;
        require(
            above,
            "`peak` of `Cyclic::new`",
            self.peak,
            "finite and at least `base`",
        )?;
        at_least_one("`up` of `Cyclic::new`", self.up)?;
        at_least_one("`Cyclic::down`", self.down)?;
        if let Height::Decayed(gamma) = self.height {
            positive("`Cyclic::decay`", gamma)?;
            require(gamma <= 1.0, "`Cyclic::decay`", gamma, "at most 1")?;
        }
        Ok(())
    }
}

function_of_step!(Cyclic);
checked_serde!(Cyclic);

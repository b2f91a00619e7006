//! Cosine schedules.

use super::{Schedule, function_of_step};
use crate::error::Error;
use crate::setting::{at_least_one, checked_serde, positive, require, within_unit};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Cosine decay: `size(t) = initial ((1 - alpha) c^exponent + alpha)`, where c = (1 + cos(pi s / steps)) / 2 and
/// s = min(t, steps).
///
/// Same as `optax.cosine_decay_schedule`. With [`restarts`](Self::restarts), s returns to 0 after each cycle, and each
/// cycle is `multiplier` times as long as the one before, as in `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`
/// with `T_0 = steps`, `T_mult = multiplier` and `eta_min = alpha initial`.
///
/// ```
/// use expnet::schedule::Cosine;
///
/// let once = Cosine::new(1.0, 10)?;
/// assert_eq!((once.at(0), once.at(10), once.at(11)), (1.0, 0.0, 0.0));
/// assert!((once.at(5) - 0.5).abs() < 1e-15);
/// let again = once.restarts(2);
/// assert_eq!((again.at(10), again.at(30)), (1.0, 1.0)); // cycles of 10, 20, 40, ... steps
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Cosine {
    initial: f64,
    steps: usize,
    #[serde(default)]
    alpha: f64,
    #[serde(default = "Cosine::default_exponent")]
    exponent: f64,
    #[serde(default)]
    multiplier: Option<usize>,
}

impl Cosine {
    /// Decays from `initial` (positive) to 0 over `steps` steps (at least 1).
    ///
    /// Errors: a setting outside its range.
    pub fn new(initial: f64, steps: usize) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            steps,
            alpha: 0.0,
            exponent: Self::default_exponent(),
            multiplier: None,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn default_exponent() -> f64 {
        1.0
    }

    /// The final size as a fraction of the initial one, from 0 to 1; 0 by default.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The exponent of the cosine, positive; 1 by default.
    pub fn exponent(mut self, exponent: f64) -> Self {
        self.exponent = exponent;
        self
    }

    /// Restarts after each cycle, each `multiplier` (at least 1) times as long as the one before; off by default.
    pub fn restarts(mut self, multiplier: usize) -> Self {
        self.multiplier = Some(multiplier);
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        let (done, steps) = match self.multiplier {
            None => (step.min(self.steps), self.steps),
            Some(multiplier) => cycle(step, self.steps, multiplier),
        };
        let cosine = 0.5 * (1.0 + (PI * done as f64 / steps as f64).cos());
        self.initial * ((1.0 - self.alpha) * cosine.powf(self.exponent) + self.alpha)
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `Cosine::new`", self.initial)?;
        at_least_one("`steps` of `Cosine::new`", self.steps)?;
        let in_range = (0.0..=1.0).contains(&self.alpha);
        require(in_range, "`Cosine::alpha`", self.alpha, "from 0 to 1")?;
        positive("`Cosine::exponent`", self.exponent)?;
        at_least_one("`multiplier` of `Cosine::restarts`", self.multiplier.unwrap_or(1))
    }
}

/// The number of steps done in the current cycle, and its length.
fn cycle(step: usize, first: usize, multiplier: usize) -> (usize, usize) {
    if multiplier <= 1 {
        return (step % first, first);
    }
    let (mut done, mut length) = (step, first);
    while done >= length {
        done -= length;
        length = length.saturating_mul(multiplier);
    }
    (done, length)
}

/// The one-cycle schedule: rises along half a cosine to the peak, then falls along another to nearly 0.
///
/// ```text
/// t <  rise          size(t) = peak + (peak / div_factor - peak) (1 + cos(pi t / rise)) / 2
/// t <  steps         size(t) = low + (peak - low) (1 + cos(pi (t - rise) / (steps - rise))) / 2
/// t >= steps         size(t) = low
/// rise = floor(start_share steps),  low = peak / (div_factor final_div_factor)
/// ```
///
/// Same as `optax.cosine_onecycle_schedule`, including its defaults.
///
/// ```
/// use expnet::schedule::OneCycle;
///
/// let schedule = OneCycle::new(1.0, 100)?;
/// assert!((schedule.at(0) - 0.04).abs() < 1e-15);
/// assert_eq!(schedule.at(30), 1.0);
/// assert_eq!((schedule.at(100), schedule.at(1000)), (4e-6, 4e-6));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct OneCycle {
    peak: f64,
    steps: usize,
    #[serde(default = "OneCycle::default_start_share")]
    start_share: f64,
    #[serde(default = "OneCycle::default_div_factor")]
    div_factor: f64,
    #[serde(default = "OneCycle::default_final_div_factor")]
    final_div_factor: f64,
}

impl OneCycle {
    /// Creates a cycle of `steps` steps (at least 1) that peaks at `peak` (positive).
    ///
    /// Errors: a setting outside its range.
    pub fn new(peak: f64, steps: usize) -> Result<Self, Error> {
        let schedule = Self {
            peak,
            steps,
            start_share: Self::default_start_share(),
            div_factor: Self::default_div_factor(),
            final_div_factor: Self::default_final_div_factor(),
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn default_start_share() -> f64 {
        0.3
    }

    fn default_div_factor() -> f64 {
        25.0
    }

    fn default_final_div_factor() -> f64 {
        1e4
    }

    /// The fraction of the steps in which the size rises, above 0 and below 1; 0.3 by default.
    pub fn start_share(mut self, share: f64) -> Self {
        self.start_share = share;
        self
    }

    /// The ratio of the peak to the size at step 0, positive; 25 by default.
    pub fn div_factor(mut self, factor: f64) -> Self {
        self.div_factor = factor;
        self
    }

    /// The ratio of the size at step 0 to the final size, positive; 10,000 by default.
    pub fn final_div_factor(mut self, factor: f64) -> Self {
        self.final_div_factor = factor;
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and `steps`
        let rise = (self.start_share * self.steps as f64) as usize;
        let start = self.peak / self.div_factor;
        let low = start / self.final_div_factor;
        let along = |from: f64, to: f64, done: usize, of: usize| {
            to + (from - to) / 2.0 * ((PI * done as f64 / of as f64).cos() + 1.0)
        };
        if step < rise {
            along(start, self.peak, step, rise)
        } else if step < self.steps {
            along(self.peak, low, step - rise, self.steps - rise)
        } else {
            low
        }
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`peak` of `OneCycle::new`", self.peak)?;
        at_least_one("`steps` of `OneCycle::new`", self.steps)?;
        within_unit("`OneCycle::start_share`", self.start_share)?;
        positive("`OneCycle::div_factor`", self.div_factor)?;
        positive("`OneCycle::final_div_factor`", self.final_div_factor)
    }
}

function_of_step!(Cosine, OneCycle);
checked_serde!(Cosine, OneCycle);

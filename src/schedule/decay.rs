//! Decay schedules: functions of the step number alone.

use super::{Schedule, function_of_step};
use crate::error::Error;
use crate::setting::{at_least_one, checked_serde, not_negative, positive};
use serde::{Deserialize, Serialize};

/// Inverse time decay: `size(t) = initial / (1 + rate t / steps)`.
///
/// Same as `jax.example_libraries.optimizers.inverse_time_decay`. With [`staircase`](Self::staircase), t / steps is
/// rounded down.
///
/// ```
/// use expnet::schedule::InverseTime;
///
/// let schedule = InverseTime::new(0.1, 0.5)?.steps(10);
/// assert_eq!(schedule.at(0), 0.1);
/// assert_eq!(schedule.at(10), 0.1 / 1.5);
/// assert_eq!(schedule.at(20), 0.05);
/// assert_eq!(schedule.staircase(true).at(19), 0.1 / 1.5);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct InverseTime {
    initial: f64,
    rate: f64,
    #[serde(default = "InverseTime::default_steps")]
    steps: usize,
    #[serde(default)]
    staircase: bool,
}

impl InverseTime {
    /// Starts at `initial` (positive) and decays at `rate` (at least 0).
    ///
    /// Errors: a setting outside its range.
    pub fn new(initial: f64, rate: f64) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            rate,
            steps: Self::default_steps(),
            staircase: false,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn default_steps() -> usize {
        1
    }

    /// The number of steps per application of `rate`, at least 1; 1 by default.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Whether the size falls only at multiples of `steps`; off by default.
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        let periods = step as f64 / self.steps as f64;
        self.initial / (1.0 + self.rate * if self.staircase { periods.floor() } else { periods })
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `InverseTime::new`", self.initial)?;
        not_negative("`rate` of `InverseTime::new`", self.rate)?;
        at_least_one("`InverseTime::steps`", self.steps)
    }
}

/// Step decay: `size(t) = initial factor^floor(t / every)`.
///
/// Same as `torch.optim.lr_scheduler.StepLR`, and as `optax.exponential_decay` with `staircase=True`.
///
/// ```
/// use expnet::schedule::StepDecay;
///
/// let schedule = StepDecay::new(0.8, 0.5, 10)?;
/// assert_eq!((schedule.at(0), schedule.at(9), schedule.at(10), schedule.at(20)), (0.8, 0.8, 0.4, 0.2));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct StepDecay {
    initial: f64,
    factor: f64,
    every: usize,
}

impl StepDecay {
    /// Starts at `initial` (positive) and is multiplied by `factor` (positive) every `every` steps (at least 1).
    ///
    /// Errors: a setting outside its range.
    pub fn new(initial: f64, factor: f64, every: usize) -> Result<Self, Error> {
        let schedule = Self { initial, factor, every };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `StepDecay::new`", self.initial)?;
        positive("`factor` of `StepDecay::new`", self.factor)?;
        at_least_one("`every` of `StepDecay::new`", self.every)
    }
}

/// Exponential decay: `size(t) = initial rate^((t - begin) / steps)`, and `initial` before step `begin`.
///
/// Same as `optax.exponential_decay`. With [`staircase`](Self::staircase), the exponent is rounded down.
/// [`end`](Self::end) bounds the size: from below if `rate` < 1, from above otherwise.
///
/// ```
/// use expnet::schedule::ExponentialDecay;
///
/// let schedule = ExponentialDecay::new(1.0, 0.25, 10)?.begin(5).end(0.1);
/// assert_eq!((schedule.at(0), schedule.at(5), schedule.at(10), schedule.at(15)), (1.0, 1.0, 0.5, 0.25));
/// assert_eq!(schedule.at(100), 0.1);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct ExponentialDecay {
    initial: f64,
    rate: f64,
    steps: usize,
    #[serde(default)]
    begin: usize,
    #[serde(default)]
    staircase: bool,
    #[serde(default)]
    end: Option<f64>,
}

impl ExponentialDecay {
    /// Starts at `initial` (positive) and is multiplied by `rate` (positive) over every `steps` steps (at least 1).
    ///
    /// Errors: a setting outside its range.
    pub fn new(initial: f64, rate: f64, steps: usize) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            rate,
            steps,
            begin: 0,
            staircase: false,
            end: None,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// The step at which the decay begins; 0 by default.
    pub fn begin(mut self, step: usize) -> Self {
        self.begin = step;
        self
    }

    /// Whether the size changes only every `steps` steps; off by default.
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The bound on the size, at least 0; none by default.
    pub fn end(mut self, size: f64) -> Self {
        self.end = Some(size);
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        let periods = step.saturating_sub(self.begin) as f64 / self.steps as f64;
        let size = self.initial * self.rate.powf(if self.staircase { periods.floor() } else { periods });
        match self.end {
            Some(end) if self.rate < 1.0 => size.max(end),
            Some(end) => size.min(end),
            None => size,
        }
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `ExponentialDecay::new`", self.initial)?;
        positive("`rate` of `ExponentialDecay::new`", self.rate)?;
        at_least_one("`steps` of `ExponentialDecay::new`", self.steps)?;
        not_negative("`ExponentialDecay::end`", self.end.unwrap_or(0.0))
    }
}

/// Polynomial decay: `size(t) = (initial - end) (1 - s / steps)^power + end`, where s = t - begin, clamped to
/// 0..=steps.
///
/// Same as `optax.polynomial_schedule`; with the default power of 1, as `optax.linear_schedule`.
///
/// ```
/// use expnet::schedule::Polynomial;
///
/// let schedule = Polynomial::new(1.0, 0.2, 10)?.power(2.0);
/// assert_eq!((schedule.at(0), schedule.at(5), schedule.at(10), schedule.at(11)), (1.0, 0.4, 0.2, 0.2));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Polynomial {
    initial: f64,
    end: f64,
    steps: usize,
    #[serde(default = "Polynomial::default_power")]
    power: f64,
    #[serde(default)]
    begin: usize,
}

impl Polynomial {
    /// Changes from `initial` to `end` (both at least 0) over `steps` steps (at least 1).
    ///
    /// Errors: a setting outside its range.
    pub fn new(initial: f64, end: f64, steps: usize) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            end,
            steps,
            power: Self::default_power(),
            begin: 0,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn default_power() -> f64 {
        1.0
    }

    /// The exponent, positive; 1 by default.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// The step at which the change begins; 0 by default.
    pub fn begin(mut self, step: usize) -> Self {
        self.begin = step;
        self
    }

    /// Returns the size at step t = `step`.
    pub fn at(&self, step: usize) -> f64 {
        let done = step.saturating_sub(self.begin).min(self.steps);
        let left = 1.0 - done as f64 / self.steps as f64;
        (self.initial - self.end) * left.powf(self.power) + self.end
    }

    fn check_settings(&self) -> Result<(), Error> {
        not_negative("`initial` of `Polynomial::new`", self.initial)?;
        not_negative("`end` of `Polynomial::new`", self.end)?;
        at_least_one("`steps` of `Polynomial::new`", self.steps)?;
        positive("`Polynomial::power`", self.power)
    }
}

function_of_step!(InverseTime, StepDecay, ExponentialDecay, Polynomial);
checked_serde!(InverseTime, StepDecay, ExponentialDecay, Polynomial);

//! Step sizes that fall with the step alone.

use super::{Schedule, function_of_step};
use crate::error::Error;
use crate::setting::{at_least_one, checked_serde, not_negative, positive};
use serde::{Deserialize, Serialize};

/// `size(t) = initial / (1 + rate t / steps)`.
///
/// Follows `jax.example_libraries.optimizers.inverse_time_decay`. With
/// [`staircase`](Self::staircase) t / steps is rounded down.
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
    #[serde(default = "one")]
    steps: usize,
    #[serde(default)]
    staircase: bool,
}

fn one() -> usize {
    1
}

impl InverseTime {
    /// From `initial` (positive) on, with a `rate` of at least 0.
    pub fn new(initial: f64, rate: f64) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            rate,
            steps: 1,
            staircase: false,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// The number of steps over which the rate counts once; at least 1, 1 by default.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Whether it falls at whole multiples of `steps` only; off by default.
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The size at step t.
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

/// `size(t) = initial factor^floor(t / every)`.
///
/// Follows `torch.optim.lr_scheduler.StepLR`, and `optax.exponential_decay` with a staircase.
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
    /// `initial` (positive) times `factor` (positive) every `every` steps (at least 1).
    pub fn new(initial: f64, factor: f64, every: usize) -> Result<Self, Error> {
        let schedule = Self { initial, factor, every };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// The size at step t.
    pub fn at(&self, step: usize) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `StepDecay::new`", self.initial)?;
        positive("`factor` of `StepDecay::new`", self.factor)?;
        at_least_one("`every` of `StepDecay::new`", self.every)
    }
}

/// `size(t) = initial rate^((t - begin) / steps)`, and `initial` before `begin`.
///
/// Follows `optax.exponential_decay`: with [`staircase`](Self::staircase) the exponent is rounded
/// down; [`end`](Self::end) bounds the size, from below for a rate under 1, from above otherwise.
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
    /// `initial` (positive) times `rate` (positive) over `steps` steps (at least 1).
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

    /// The step at which it begins to decay; 0 by default.
    pub fn begin(mut self, step: usize) -> Self {
        self.begin = step;
        self
    }

    /// Whether it decays at whole multiples of the steps only; off by default.
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The size beyond which it does not go, at least 0; none by default.
    pub fn end(mut self, size: f64) -> Self {
        self.end = Some(size);
        self
    }

    /// The size at step t.
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

/// `size(t) = (initial - end) (1 - s / steps)^power + end`, s = t - begin kept in 0..=steps.
///
/// Follows `optax.polynomial_schedule`; with the default power of 1, `optax.linear_schedule`.
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
    #[serde(default = "linear")]
    power: f64,
    #[serde(default)]
    begin: usize,
}

fn linear() -> f64 {
    1.0
}

impl Polynomial {
    /// From `initial` to `end` (both at least 0) over `steps` steps (at least 1).
    pub fn new(initial: f64, end: f64, steps: usize) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            end,
            steps,
            power: linear(),
            begin: 0,
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    /// The exponent, positive; 1 by default.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// The step at which it begins to change; 0 by default.
    pub fn begin(mut self, step: usize) -> Self {
        self.begin = step;
        self
    }

    /// The size at step t.
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

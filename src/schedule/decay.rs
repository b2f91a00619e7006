//! Step sizes that fall with the step alone.

use super::{Schedule, require};
use crate::error::Error;
use crate::serial::serialised;

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseTime {
    initial: f64,
    rate: f64,
    steps: usize,
    staircase: bool,
}

impl InverseTime {
    /// From `initial` (positive) on, with a rate of at least 0.
    pub fn new(initial: f64, rate: f64) -> Result<Self, Error> {
        positive("the initial size of `InverseTime`", initial)?;
        require(
            rate.is_finite() && rate >= 0.0,
            "the rate of `InverseTime`",
            rate,
            "finite and at least 0",
        )?;
        Ok(Self {
            initial,
            rate,
            steps: 1,
            staircase: false,
        })
    }

    /// The rate counts once every so many steps; at least 1, 1 by default.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Falls at whole multiples of `steps` only; off by default.
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The size at step t.
    pub fn at(&self, step: usize) -> f64 {
        let periods = step as f64 / self.steps as f64;
        self.initial / (1.0 + self.rate * if self.staircase { periods.floor() } else { periods })
    }

    fn sound(&self) -> Result<(), Error> {
        require(self.steps > 0, "`InverseTime::steps`", self.steps, "at least 1")
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    initial: f64,
    factor: f64,
    every: usize,
}

impl StepDecay {
    /// `initial` (positive) times `factor` (positive) every `every` steps (at least 1).
    pub fn new(initial: f64, factor: f64, every: usize) -> Result<Self, Error> {
        positive("the initial size of `StepDecay`", initial)?;
        positive("the factor of `StepDecay`", factor)?;
        require(every > 0, "the period of `StepDecay`", every, "at least 1")?;
        Ok(Self { initial, factor, every })
    }

    /// The size at step t.
    pub fn at(&self, step: usize) -> f64 {
        self.initial * self.factor.powf((step / self.every) as f64)
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    initial: f64,
    rate: f64,
    steps: usize,
    begin: usize,
    staircase: bool,
    end: Option<f64>,
}

impl ExponentialDecay {
    /// `initial` (positive) times `rate` (positive) over `steps` steps (at least 1).
    pub fn new(initial: f64, rate: f64, steps: usize) -> Result<Self, Error> {
        positive("the initial size of `ExponentialDecay`", initial)?;
        positive("the rate of `ExponentialDecay`", rate)?;
        require(steps > 0, "the steps of `ExponentialDecay`", steps, "at least 1")?;
        Ok(Self {
            initial,
            rate,
            steps,
            begin: 0,
            staircase: false,
            end: None,
        })
    }

    /// The step from which on it decays; 0 by default.
    pub fn begin(mut self, step: usize) -> Self {
        self.begin = step;
        self
    }

    /// Decays at whole multiples of the steps only; off by default.
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

    fn sound(&self) -> Result<(), Error> {
        let end = self.end.unwrap_or(0.0);
        require(
            end.is_finite() && end >= 0.0,
            "`ExponentialDecay::end`",
            end,
            "finite and at least 0",
        )
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    initial: f64,
    end: f64,
    steps: usize,
    power: f64,
    begin: usize,
}

impl Polynomial {
    /// From `initial` to `end` (both at least 0) over `steps` steps (at least 1).
    pub fn new(initial: f64, end: f64, steps: usize) -> Result<Self, Error> {
        for (setting, size) in [
            ("the initial size of `Polynomial`", initial),
            ("the end of `Polynomial`", end),
        ] {
            require(size.is_finite() && size >= 0.0, setting, size, "finite and at least 0")?;
        }
        require(steps > 0, "the steps of `Polynomial`", steps, "at least 1")?;
        Ok(Self {
            initial,
            end,
            steps,
            power: 1.0,
            begin: 0,
        })
    }

    /// The exponent, positive; 1 by default.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// The step from which on it changes; 0 by default.
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

    fn sound(&self) -> Result<(), Error> {
        positive("`Polynomial::power`", self.power)
    }
}

pub(super) fn positive(setting: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite() && value > 0.0, setting, value, "positive and finite")
}

super::function_of_step!(InverseTime { initial, rate, steps, staircase } sound);
super::function_of_step!(StepDecay { initial, factor, every });
super::function_of_step!(ExponentialDecay { initial, rate, steps, begin, staircase, end } sound);
super::function_of_step!(Polynomial { initial, end, steps, power, begin } sound);

serialised!(InverseTime { initial: f64, rate: f64, steps: usize, staircase: bool } => {
    Self::new(initial, rate).map(|new| new.steps(steps).staircase(staircase))
});
serialised!(StepDecay { initial: f64, factor: f64, every: usize } => Self::new(initial, factor, every));
serialised!(ExponentialDecay {
    initial: f64, rate: f64, steps: usize, begin: usize, staircase: bool, end: Option<f64>,
} => Self::new(initial, rate, steps).map(|new| Self { begin, staircase, end, ..new }));
serialised!(Polynomial { initial: f64, end: f64, steps: usize, power: f64, begin: usize } => {
    Self::new(initial, end, steps).map(|new| Self { power, begin, ..new })
});

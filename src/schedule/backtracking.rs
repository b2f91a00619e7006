//! Backtracking line search.

use super::{Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive, representable, require, within_unit};
use serde::{Deserialize, Serialize};

/// Trials before a step is given up: with halving, 1e-18 of the first one, where no loss falls measurably.
const TRIALS: usize = 60;

/// Backtracking line search with Armijo's rule: the first of s, s shrink, s shrink^2, ... at which the loss has fallen
/// enough.
///
/// ```text
/// accept s if                  L(s) <= L + armijo (s slope + momentum_slope),   slope = <grad L, d>
/// first trial of a step        min(grow s, max) for the s accepted before
/// ```
///
/// Each trial costs a pass, and the step reuses the last one: if every first trial is accepted, k steps take k + 1
/// passes, as with a constant step size. Works with every method without a penalty. If even the smallest trial is rejected (the
/// loss can no longer fall measurably), it stalls: see [`StepState::stall`].
///
/// ```
/// use expnet::{Dataset, Initializer, Trainer, schedule::Backtracking};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(Backtracking::default().initial(1e-3)).max_steps(5).fit(&mut net, &data)?;
/// assert_eq!((report.passes(), report.trial_steps()), (6, 0));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct Backtracking {
    initial: Option<f64>,
    armijo: f64,
    shrink: f64,
    grow: f64,
    max: f64,
    #[serde(skip)]
    last: Option<f64>,
}

impl Default for Backtracking {
    fn default() -> Self {
        Self {
            initial: None,
            armijo: 1e-4,
            shrink: 0.5,
            grow: 1.25,
            max: f64::MAX,
            last: None,
        }
    }
}

impl Backtracking {
    /// The first trial of the first step, positive; by default 1 / `lambda_max` of the tangent Gram matrix, which costs
    /// a few passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// The required fraction of the predicted decrease, above 0 and below 1; 1e-4 by default.
    pub fn armijo(mut self, share: f64) -> Self {
        self.armijo = share;
        self
    }

    /// The factor that shrinks a rejected trial, above 0 and below 1; 0.5 by default.
    pub fn shrink(mut self, factor: f64) -> Self {
        self.shrink = factor;
        self
    }

    /// The factor from an accepted size to the first trial of the next step, at least 1; 1.25 by default.
    pub fn grow(mut self, factor: f64) -> Self {
        self.grow = factor;
        self
    }

    /// The largest trial step size, positive; unbounded by default.
    pub fn max(mut self, size: f64) -> Self {
        self.max = size;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`Backtracking::initial`", self.initial.unwrap_or(1.0))?;
        within_unit("`Backtracking::armijo`", self.armijo)?;
        within_unit("`Backtracking::shrink`", self.shrink)?;
        let grow = self.grow.is_finite() && self.grow >= 1.0;
        require(grow, "`Backtracking::grow`", self.grow, "finite and at least 1")?;
        positive("`Backtracking::max`", self.max)
    }
}

checked_serde!(Backtracking);

impl<T: Float> Schedule<T> for Backtracking {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let loss = state.loss().as_f64();
        let first = match (self.last, self.initial) {
            (Some(last), _) => last * self.grow,
            (None, Some(initial)) => initial,
            (None, None) => super::natural_size(state),
        };
        let mut size = T::lit(first.min(self.max));
        for _ in 0..TRIALS {
            // The trial comes first: its pass computes the slope as well.
            let trial = state.loss_at(size).as_f64();
            let slope = state.slope().as_f64();
            let predicted = size.as_f64() * slope + state.momentum_slope().as_f64();
            // Uphill, tiny sizes would be accepted in the end because of rounding.
            let descends = slope <= 0.0 || trial < loss;
            if size > T::zero() && descends && trial <= loss + self.armijo * predicted {
                self.last = Some(size.as_f64());
                return size;
            }
            size *= T::lit(self.shrink);
        }
        let last = size.as_f64();
        state.stall(format!(
            "`Backtracking` found no size at which the loss falls enough, from {first:e} down to {last:e}"
        ))
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        super::unpenalized_only("`Backtracking`", kind)?;
        self.check_settings()?;
        representable::<T>("`Backtracking::initial`", self.initial.unwrap_or(1.0))
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("Backtracking", self).with("last", self.last))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Backtracking", self)?;
        self.last = record.get("last")?;
        Ok(())
    }
}

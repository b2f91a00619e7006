//! The Polyak step size.

use super::{Schedule, StepState, gradient_only, in_float};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, not_negative, positive};
use serde::{Deserialize, Serialize};

/// The Polyak step size: `size = scaling min((L - minimum) / (||grad L||^2 + eps), max)`, and 0 if grad L = 0. If L <= minimum
/// while grad L is not 0, it stalls: see [`StepState::stall`].
///
/// Follows the documentation of `optax.polyak_sgd`, including its defaults; for a scaling other than 1 the code of
/// optax (version 0.2.8) instead divides by the norm of the scaled gradient. The minimum of the loss is 0 for a network
/// wide enough to interpolate. Each step takes two sweeps, which together do the work of one. Only for methods that
/// follow the gradient.
///
/// ```
/// use expnet::{Dataset, Initializer, Trainer, schedule::Polyak};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(Polyak::default()).max_steps(200).tolerance(1e-6).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-6);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct Polyak {
    scaling: f64,
    max: f64,
    minimum: f64,
    eps: f64,
}

impl Default for Polyak {
    fn default() -> Self {
        Self {
            scaling: 1.0,
            max: 1.0,
            minimum: 0.0,
            eps: 0.0,
        }
    }
}

impl Polyak {
    /// The factor of every size, positive; 1 by default.
    pub fn scaling(mut self, factor: f64) -> Self {
        self.scaling = factor;
        self
    }

    /// The largest size before scaling, positive; 1 by default.
    pub fn max(mut self, size: f64) -> Self {
        self.max = size;
        self
    }

    /// The smallest loss that can be reached, at least 0; 0 by default. A loss at or below it stalls the run
    /// ([`Termination::Stalled`](crate::Termination::Stalled)).
    pub fn minimum(mut self, loss: f64) -> Self {
        self.minimum = loss;
        self
    }

    /// The number added to the squared norm, at least 0; 0 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Returns the size for this loss and this squared norm of its gradient.
    pub fn at(&self, loss: f64, norm_squared: f64) -> f64 {
        let size = if norm_squared > 0.0 {
            (loss - self.minimum) / (norm_squared + self.eps)
        } else {
            0.0
        };
        self.scaling * size.min(self.max).max(0.0)
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`Polyak::scaling`", self.scaling)?;
        positive("`Polyak::max`", self.max)?;
        not_negative("`Polyak::minimum`", self.minimum)?;
        not_negative("`Polyak::eps`", self.eps)
    }
}

checked_serde!(Polyak);

impl<T: Float> Schedule<T> for Polyak {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let (loss, norm_squared) = (state.loss().as_f64(), state.gradient_norm_squared().as_f64());
        let size = self.at(loss, norm_squared);
        if size == 0.0 && norm_squared > 0.0 {
            return state.stall(format!(
                "`Polyak` finds no step: the loss is {loss:.3e}, its smallest value `Polyak::minimum` {:.3e}, and the squared \
                 norm of the gradient {norm_squared:.3e}",
                self.minimum
            ));
        }
        in_float(state, size)
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        gradient_only("`Polyak`", kind)?;
        self.check_settings()
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("Polyak", self))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Polyak", self)
    }
}

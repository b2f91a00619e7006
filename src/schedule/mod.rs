//! How far to step: the [`Schedule`] trait, the schedules of the crate, and how to write one.
//!
//! A schedule is a number, a closure or a struct:
//!
//! ```
//! use expnet::Trainer;
//! use expnet::schedule::{self, Constant, Schedule, StepState};
//!
//! let number = Trainer::<f64>::new(1e-3);
//! let closure = Trainer::<f64>::new(schedule::from_fn(|state| 0.1 / (1.0 + state.iteration() as f64)));
//!
//! /// Halves the step whenever the loss has risen.
//! struct Careful {
//!     size: f64,
//!     last: f64,
//! }
//! impl Schedule<f64> for Careful {
//!     fn step_size(&mut self, state: &mut StepState<'_, f64>) -> f64 {
//!         if state.loss() > self.last {
//!             self.size /= 2.0;
//!         }
//!         self.last = state.loss();
//!         self.size
//!     }
//! }
//! let own = Trainer::new(Careful { size: 0.1, last: f64::INFINITY }.warmup(10));
//! let joined = Trainer::<f32>::new(Constant::new(1e-3)?.warmup(100).then(1000, 1e-4));
//! # Ok::<(), expnet::Error>(())
//! ```

mod constant;
mod kernel_stable;

pub use crate::step::StepState;
pub use constant::Constant;
pub use kernel_stable::KernelStable;

use crate::method::Kind;
use crate::{Error, Float};

/// How far to step.
///
/// [`step_size`](Self::step_size) is called exactly once for each counted step. 0 is a step that
/// does not move; NaN, infinite and negative sizes end the run with an error.
pub trait Schedule<T: Float> {
    /// The size of the step that `state` is about to take.
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T;

    /// Whether the settings are sound, and the schedule makes sense for directions of this kind.
    /// Called once, before the first step of a run.
    fn check(&self, kind: Kind) -> Result<(), Error> {
        let _ = kind;
        Ok(())
    }
}

/// `f`, with its argument's type inferred: a closure can then be written without annotations.
pub fn from_fn<T: Float, F: FnMut(&mut StepState<'_, T>) -> T>(f: F) -> F {
    f
}

impl<T: Float, F: FnMut(&mut StepState<'_, T>) -> T> Schedule<T> for F {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        self(state)
    }
}

/// A plain number is a constant step size; like [`Constant`], but 0 is allowed.
impl<T: Float> Schedule<T> for f64 {
    fn step_size(&mut self, _: &mut StepState<'_, T>) -> T {
        T::lit(*self)
    }
}

impl<T: Float> Schedule<T> for Box<dyn Schedule<T> + '_> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        (**self).step_size(state)
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        (**self).check(kind)
    }
}

impl<T: Float> Schedule<T> for &mut (dyn Schedule<T> + '_) {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        (**self).step_size(state)
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        (**self).check(kind)
    }
}

/// The one form of a range check: `setting` is `value` and must be `expected`.
fn require(
    holds: bool,
    setting: &'static str,
    value: impl std::fmt::Display,
    expected: &'static str,
) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Setting {
            setting,
            value: value.to_string(),
            expected,
        })
    }
}

/// For schedules whose formula assumes that the step follows the loss's gradient.
fn gradient_only(schedule: &'static str, kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::Dual => Err(Error::Incompatible {
            what: schedule,
            with: "a method that does not follow the gradient",
            reason: "its step size is derived from the gradient; use a constant step size of 1 or `Backtracking`",
        }),
        _ => Ok(()),
    }
}

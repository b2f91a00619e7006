//! Step directions: the [`Method`] trait, the built-in methods, and how to write your own.
//!
//! Most methods move the weights along the rows of the Jacobian, W <- W - eta J(W)^T v. What they choose is the dual
//! vector v, one number per sample:
//!
//! | method | v |
//! |---|---|
//! | [`GradientDescent`] | e = F - y; momentum and clipping are optional |
//! | [`Minibatch`] | e on a batch of samples |
//! | [`GaussNewton`] | (G + mu I)^-1 e, G = J J^T: Levenberg-Marquardt, frozen, ridge, matrix-free |
//!
//! Others choose a direction in weight space, d m numbers p ([`Direction::weights`]), and W <- W - eta p:
//!
//! | method | p |
//! |---|---|
//! | [`Lbfgs`] | the inverse of the Hessian of L, approximated from the last k steps, times the gradient g = J^T e |
//! | [`Adam`] | g, scaled weight by weight with the size of recent gradients; AdamW with weight decay |
//!
//! A custom method, gradient descent on the sum of absolute errors:
//!
//! ```
//! use expnet::method::{Direction, Evaluation, Method};
//! use expnet::{Dataset, Error, Initializer, Trainer};
//!
//! struct AbsoluteErrors;
//! impl Method<f64> for AbsoluteErrors {
//!     fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
//!         direction.dual.iter_mut().for_each(|e| *e = e.signum()); // on entry, `dual` is the residual
//!         Ok(())
//!     }
//! }
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//! let mut net = Initializer::new(2, 64).antisymmetric(true).build()?;
//! let report = Trainer::new(1e-4).method(AbsoluteErrors).max_steps(20).fit(&mut net, &data)?;
//! assert!(report.loss() < 0.25);
//! # Ok::<(), Error>(())
//! ```

mod adam;
mod gauss_newton;
mod gradient_descent;
mod lbfgs;
mod minibatch;

pub use crate::step::{Direction, Evaluation, Outcome};
pub use adam::Adam;
pub use gauss_newton::GaussNewton;
pub use gradient_descent::GradientDescent;
pub use lbfgs::Lbfgs;
pub use minibatch::Minibatch;

use crate::error::Error;
use crate::float::Float;
use crate::record::Record;

/// Decides the direction of each step.
pub trait Method<T: Float> {
    /// Writes the direction of the next step. On entry, `direction` is that of plain gradient descent: `dual` is the
    /// residual, and everything else is zero.
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error>;

    /// Returns the kind of the directions, since some schedules work with certain kinds only. [`DirectionKind::Dual`]
    /// by default.
    fn kind(&self) -> DirectionKind {
        DirectionKind::Dual
    }

    /// Validates the settings and discards the state of earlier runs. Called before the first step of a run on
    /// `samples` samples.
    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        let _ = samples;
        Ok(())
    }

    /// Writes the batch of the next step, as sample indices below `samples`. `batch` is empty on entry; left empty, the
    /// default, it means all samples.
    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        let _ = (samples, batch);
    }

    /// Decides whether to keep the step just made. After [`Undo`](Verdict::Undo) the weights are restored and
    /// [`direction`](Self::direction) is called again; the undone step does not count. By default every step is kept,
    /// even one with an infinite loss, which then stops the run as diverged.
    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        let _ = outcome;
        Verdict::Keep
    }

    /// Returns the settings and the internal state, for a checkpoint, as in
    /// [`Schedule::save`](crate::schedule::Schedule::save). `None`, the default, means that they are unknown: a run
    /// that asks for checkpoints is then refused.
    fn save(&self) -> Option<Record> {
        None
    }

    /// Restores the internal state that [`save`](Self::save) returned. Called right after [`prepare`](Self::prepare).
    ///
    /// Errors: a record of another kind, or with other settings; by default, every record.
    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        Err(record.not_restored())
    }
}

/// The kind of a method's directions. Some schedules work with certain kinds only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectionKind {
    /// The gradient on all samples.
    Gradient,
    /// The gradient on all samples, with momentum or clipping.
    ModifiedGradient,
    /// The gradient on a batch that changes from step to step.
    BatchGradient,
    /// Any other dual vector. The natural step size is 1.
    Dual,
    /// A dual vector with a pull towards the initial weights, which minimises the loss plus a penalty. The natural step
    /// size is 1.
    Penalized,
    /// A direction in weight space that models the curvature, in [`Direction::weights`]. The natural step size is 1. The run
    /// does not change coordinates, for methods that leave the span of the points or depend on the axes.
    Weights,
    /// A direction in weight space that scales the gradient weight by weight. The natural step size is the change of a
    /// weight per step, of the order of 1e-3. Coordinates as for [`Weights`](Self::Weights).
    ScaledGradient,
}

impl DirectionKind {
    /// Whether directions are in weight space, in the coordinates of the network.
    pub(crate) fn is_in_weights(self) -> bool {
        matches!(self, Self::Weights | Self::ScaledGradient)
    }

    /// Whether the method may have another direction where a schedule finds no step.
    pub(crate) fn has_a_choice(self) -> bool {
        self.is_dual() || self == Self::Weights
    }

    /// Whether directions come from a solution in the dual, in which the method may have a choice.
    pub(crate) fn is_dual(self) -> bool {
        matches!(self, Self::Dual | Self::Penalized)
    }
}

/// A method's verdict on a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Keeps the step.
    Keep,
    /// Restores the weights and asks for another direction.
    Undo,
    /// Restores the weights and stops the run as stalled: the method knows no direction in which the loss falls.
    GiveUp,
}

/// What to do where a method was restored for another number of weights than the network has.
const SAME_NETWORK: &str = "resume with the network that the run was started with";

/// Lends a method to a trainer, so that it can be inspected after the run: `.method(method::lend(&mut mine))`.
pub fn lend<T: Float, M: Method<T>>(method: &mut M) -> &mut (dyn Method<T> + '_) {
    method
}

/// Implements [`Method`] for lent and boxed methods.
macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<T: Float> Method<T> for $pointer {
            fn direction(
                &mut self,
                evaluation: &mut Evaluation<'_, T>,
                direction: &mut Direction<T>,
            ) -> Result<(), Error> {
                (**self).direction(evaluation, direction)
            }

            fn kind(&self) -> DirectionKind {
                (**self).kind()
            }

            fn prepare(&mut self, samples: usize) -> Result<(), Error> {
                (**self).prepare(samples)
            }

            fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
                (**self).batch(samples, batch);
            }

            fn judge(&mut self, outcome: &Outcome) -> Verdict {
                (**self).judge(outcome)
            }

            fn save(&self) -> Option<Record> {
                (**self).save()
            }

            fn restore(&mut self, record: &Record) -> Result<(), Error> {
                (**self).restore(record)
            }
        }
    )*};
}
delegate!(&mut (dyn Method<T> + '_), Box<dyn Method<T> + '_>);

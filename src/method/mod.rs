//! Which way to step: the [`Method`] trait, and the methods of the crate.
//!
//! Every method moves the weights along the rows of the Jacobian, W <- W - eta J(W)^T v, and so
//! answers with a dual vector v, one number per sample:
//!
//! | method | v |
//! |---|---|
//! | [`GradientDescent`] | e = F - y, with momentum and clipping on request |
//! | [`Minibatch`] | e on a batch of the samples |
//! | [`GaussNewton`] | (G + mu I)^-1 e, G = J J^T: Levenberg-Marquardt, frozen, ridge, matrix-free |
//!
//! A method of your own, gradient descent on the sum of absolute errors:
//!
//! ```
//! use expnet::method::{Direction, Evaluation, Method};
//! use expnet::{Dataset, Error, Initializer, Trainer};
//!
//! struct AbsoluteErrors;
//! impl Method<f64> for AbsoluteErrors {
//!     fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
//!         direction.dual.iter_mut().for_each(|e| *e = e.signum()); // `dual` comes as the residual
//!         Ok(())
//!     }
//! }
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//! let mut net = Initializer::new(2, 64).antisymmetric(true).build()?;
//! let report = Trainer::new(1e-4).method(AbsoluteErrors).max_steps(20).fit(&mut net, &data)?;
//! assert!(report.loss() < 0.25);
//! # Ok::<(), Error>(())
//! ```

mod gauss_newton;
mod gradient_descent;
mod minibatch;

pub use crate::step::{Direction, Evaluation, Outcome};
pub use gauss_newton::GaussNewton;
pub use gradient_descent::GradientDescent;
pub use minibatch::Minibatch;

use crate::error::Error;
use crate::float::Float;
use crate::record::Record;

/// Which way to step.
pub trait Method<T: Float> {
    /// Writes the direction of the next step. `direction` comes filled for plain gradient descent:
    /// `dual` is the residual, everything else zero.
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error>;

    /// Of what kind the directions are: some schedules are derived for one kind only. [`DirectionKind::Dual`] by default.
    fn kind(&self) -> DirectionKind {
        DirectionKind::Dual
    }

    /// Checks the settings and forgets earlier runs, before the first step of a run on `samples` samples.
    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        let _ = samples;
        Ok(())
    }

    /// Writes the samples of the next step, as indices below `samples`; leaves `batch` empty for all
    /// of them, which is the default.
    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        let _ = (samples, batch);
    }

    /// Keeps or takes back the step just made. After an [`Undo`](Verdict::Undo) the weights are as before, and
    /// [`direction`](Self::direction) is asked again; the step is not counted. By default every step is kept, even one
    /// whose loss is infinite, which then ends the run as diverged.
    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        let _ = outcome;
        Verdict::Keep
    }

    /// The settings and the memory, for a checkpoint, as in [`Schedule::save`](crate::schedule::Schedule::save). `None`,
    /// the default, says that they are not known: a run that asks for checkpoints is then refused.
    fn save(&self) -> Option<Record> {
        None
    }

    /// Restores the memory that [`save`](Self::save) returned. Called after [`prepare`](Self::prepare), before anything else.
    ///
    /// Errors: a record of another kind, or of other settings; by default every record.
    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        Err(record.not_restored())
    }
}

/// What kind of directions a method answers with: some schedules are derived for one kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectionKind {
    /// The gradient on all samples, and nothing else.
    Gradient,
    /// The gradient on all samples with momentum or clipping.
    ModifiedGradient,
    /// The gradient on a batch, another one in each step.
    BatchGradient,
    /// Any other dual vector. The natural step size is 1.
    Dual,
    /// A dual vector with a pull towards the initial weights, which lowers the loss plus a penalty. The natural step size is 1.
    Penalized,
}

/// A method's answer to what came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The step counts.
    Keep,
    /// The weights go back to where they were.
    Undo,
    /// They go back, and the run ends as stalled: the method knows no direction in which the loss falls.
    GiveUp,
}

/// A method of your own, lent to a trainer so that you can look at it after the run: `.method(method::lend(&mut mine))`.
pub fn lend<T: Float, M: Method<T>>(method: &mut M) -> &mut (dyn Method<T> + '_) {
    method
}

/// A method that is lent or boxed is a method.
macro_rules! pass_on {
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
pass_on!(&mut (dyn Method<T> + '_), Box<dyn Method<T> + '_>);

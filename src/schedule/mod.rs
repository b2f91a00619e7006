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
//!
//! | schedule | size at step t | follows |
//! |---|---|---|
//! | a number, [`Constant`] | eta | `optax.constant_schedule` |
//! | [`Certified`] | the largest with a proof | theorems A to A'' |
//! | [`InverseTime`] | eta / (1 + rate t / k) | `jax.example_libraries.optimizers.inverse_time_decay` |
//! | [`StepDecay`] | eta factor^floor(t / k) | `torch StepLR` |
//! | [`ExponentialDecay`] | eta rate^(t / k) | `optax.exponential_decay` |
//! | [`Polynomial`] | (eta - end) (1 - t / k)^p + end | `optax.polynomial_schedule` |
//! | [`Cosine`] | eta (1 + cos(pi t / k)) / 2 | `optax.cosine_decay_schedule`, `torch CosineAnnealingWarmRestarts` |
//! | [`OneCycle`] | up and down half a cosine | `optax.cosine_onecycle_schedule` |
//! | [`Cyclic`] | triangles | `torch CyclicLR` |
//! | [`ReduceOnPlateau`] | falls when the loss does not | `torch ReduceLROnPlateau` |
//! | [`KernelStable`] | c / `lambda_max(G)` | |
//! | [`Backtracking`] | the first that lowers the loss enough | Armijo |
//! | [`Polyak`] | L / norm(grad L)^2 | `optax.polyak_sgd` |
//! | [`BarzilaiBorwein`] | the secant's inverse curvature | |
//! | [`DeltaBarDelta`] | grows while the gradient keeps its direction | |
//!
//! [`warmup`](Schedule::warmup), [`clamp`](Schedule::clamp), [`then`](Schedule::then) and [`scale`](Schedule::scale) build
//! new schedules from them.
//!
//! To look at a schedule after the run, lend it to the trainer: `Trainer::new(schedule::lend(&mut mine))`.

mod backtracking;
mod barzilai_borwein;
mod certified;
mod combinators;
mod constant;
mod cosine;
mod cyclic;
mod decay;
mod delta_bar_delta;
mod kernel_stable;
mod plateau;
mod polyak;

pub use crate::step::StepState;
pub use backtracking::Backtracking;
pub use barzilai_borwein::BarzilaiBorwein;
pub use certified::Certified;
pub use combinators::{Clamp, Scale, Then, Warmup};
pub use constant::Constant;
pub use cosine::{Cosine, OneCycle};
pub use cyclic::Cyclic;
pub use decay::{ExponentialDecay, InverseTime, Polynomial, StepDecay};
pub use delta_bar_delta::DeltaBarDelta;
pub use kernel_stable::KernelStable;
pub use plateau::ReduceOnPlateau;
pub use polyak::Polyak;

use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use std::fmt;
use std::marker::PhantomData;

/// How far to step.
///
/// [`step_size`](Self::step_size) is called exactly once for each counted step. 0 is a step that
/// does not move; NaN, infinite and negative sizes end the run with an error.
pub trait Schedule<T: Float> {
    /// The size of the step that `state` is about to take.
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T;

    /// Checks the settings, and that the schedule makes sense for directions of this kind.
    /// Called once, before the first step of a run.
    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        let _ = kind;
        Ok(())
    }

    /// The settings and the memory, for a checkpoint. `None`, the default, says that they are not known: a run that asks for
    /// checkpoints is then refused, rather than resumed wrong. See [`Record`] for an example.
    fn save(&self) -> Option<Record> {
        None
    }

    /// Restores the memory that [`save`](Self::save) returned, so that every further answer is the one that would have
    /// followed.
    ///
    /// Errors: a record of another kind, or of other settings; by default every record.
    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        Err(record.not_restored())
    }

    /// Rises linearly from 0 for `steps` steps: t / steps times this schedule's step 0, then this schedule from its step 0 on.
    ///
    /// Follows `optax.join_schedules` of a linear schedule and this one, so that a cosine gives
    /// `optax.warmup_cosine_decay_schedule` from an initial value of 0.
    fn warmup(self, steps: usize) -> Warmup<Self, T>
    where
        Self: Sized,
    {
        Warmup {
            inner: self,
            steps,
            of: PhantomData,
        }
    }

    /// Keeps every size within `low..=high`, 0 <= low <= high.
    fn clamp(self, low: f64, high: f64) -> Clamp<Self, T>
    where
        Self: Sized,
    {
        Clamp {
            inner: self,
            low,
            high,
            of: PhantomData,
        }
    }

    /// This schedule for `steps` steps, then `next` from its own step 0 on: `optax.join_schedules`.
    fn then<N: Schedule<T>>(self, steps: usize, next: N) -> Then<Self, N, T>
    where
        Self: Sized,
    {
        Then {
            first: self,
            steps,
            next,
            of: PhantomData,
        }
    }

    /// Every size times `factor`, positive.
    fn scale(self, factor: f64) -> Scale<Self, T>
    where
        Self: Sized,
    {
        Scale {
            inner: self,
            factor,
            of: PhantomData,
        }
    }
}

/// Implements [`Schedule`] for functions of the step alone: `at(t)`, and `check_settings`.
macro_rules! function_of_step {
    ($($name:ident),*) => {$(
        impl<T: crate::float::Float> Schedule<T> for $name {
            fn step_size(&mut self, state: &mut super::StepState<'_, T>) -> T {
                T::lit(self.at(state.iteration()))
            }

            fn check(&self, _: crate::method::DirectionKind) -> Result<(), Error> {
                self.check_settings()
            }

            fn save(&self) -> Option<crate::record::Record> {
                Some(crate::record::Record::of(stringify!($name), self))
            }

            fn restore(&mut self, record: &crate::record::Record) -> Result<(), Error> {
                record.agree_on(stringify!($name), self)
            }
        }
    )*};
}
use function_of_step;

/// 1 / `lambda_max`, or 1 where nothing moves the outputs.
fn natural_size<T: Float>(state: &mut StepState<'_, T>) -> f64 {
    let eigenvalue = state.largest_kernel_eigenvalue().as_f64();
    if eigenvalue == 0.0 { 1.0 } else { 1.0 / eigenvalue }
}

/// `f`, with its argument's type inferred: a closure can then be written without annotations.
pub fn from_fn<T: Float, F: FnMut(&mut StepState<'_, T>) -> T>(f: F) -> F {
    f
}

/// `f`, which you guarantee depends on the state alone: such a run can be saved and resumed.
///
/// A closure may remember what the crate cannot see, so that [`Trainer::checkpoint`](crate::Trainer::checkpoint)
/// refuses a plain one.
pub fn stateless<T: Float, F: Fn(&mut StepState<'_, T>) -> T>(f: F) -> Stateless<F> {
    Stateless { f }
}

/// What [`stateless`] returns.
#[derive(Clone, Copy)]
#[must_use]
pub struct Stateless<F> {
    f: F,
}

impl<F> fmt::Debug for Stateless<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stateless").finish_non_exhaustive()
    }
}

impl<T: Float, F: Fn(&mut StepState<'_, T>) -> T> Schedule<T> for Stateless<F> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        (self.f)(state)
    }

    fn save(&self) -> Option<Record> {
        Some(Record::new("stateless"))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("stateless")
    }
}

impl<T: Float, F: FnMut(&mut StepState<'_, T>) -> T> Schedule<T> for F {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        self(state)
    }
}

/// A schedule of your own, lent to a trainer so that you can look at it after the run.
///
/// ```
/// use expnet::schedule::{self, Schedule, StepState};
/// use expnet::{Dataset, Initializer, Trainer};
///
/// struct Counting(usize);
/// impl Schedule<f64> for Counting {
///     fn step_size(&mut self, _: &mut StepState<'_, f64>) -> f64 {
///         self.0 += 1;
///         1e-3
///     }
/// }
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).build()?;
/// let mut mine = Counting(0);
/// Trainer::new(schedule::lend(&mut mine)).max_steps(5).fit(&mut net, &data)?;
/// assert_eq!(mine.0, 5);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn lend<T: Float, S: Schedule<T>>(schedule: &mut S) -> &mut (dyn Schedule<T> + '_) {
    schedule
}

/// A schedule that is lent or boxed is a schedule.
macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        impl<T: Float> Schedule<T> for $pointer {
            fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
                (**self).step_size(state)
            }

            fn check(&self, kind: DirectionKind) -> Result<(), Error> {
                (**self).check(kind)
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
pass_on!(&mut (dyn Schedule<T> + '_), Box<dyn Schedule<T> + '_>);

/// For schedules whose formula assumes that the step follows the loss's gradient.
fn gradient_only(schedule: &'static str, kind: DirectionKind) -> Result<(), Error> {
    match kind {
        DirectionKind::Dual | DirectionKind::Penalized => Err(Error::Incompatible {
            what: schedule,
            with: "a method that does not follow the gradient",
            reason: "its step size is derived from the gradient; use a constant step size of 1 or `Backtracking`",
        }),
        _ => Ok(()),
    }
}

/// For schedules that compare the gradients of two steps.
fn plain_gradient_only(schedule: &'static str, kind: DirectionKind) -> Result<(), Error> {
    let reason = "it compares the gradients of two steps; use `KernelStable` or `Backtracking`, or plain \
                  full-batch `GradientDescent::default()`";
    let with = match kind {
        DirectionKind::Gradient => return Ok(()),
        DirectionKind::ModifiedGradient => "momentum or clipping",
        DirectionKind::BatchGradient => "minibatches",
        DirectionKind::Dual | DirectionKind::Penalized => "a method that does not follow the gradient",
    };
    Err(Error::Incompatible {
        what: schedule,
        with,
        reason,
    })
}

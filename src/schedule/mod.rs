//! Step sizes: the [`Schedule`] trait, the built-in schedules, and how to write your own.
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
//! let custom = Trainer::new(Careful { size: 0.1, last: f64::INFINITY }.warmup(10));
//! let joined = Trainer::<f32>::new(Constant::new(1e-3)?.warmup(100).then(1000, 1e-4));
//! # Ok::<(), expnet::Error>(())
//! ```
//!
//! | schedule | step size at step t | modelled on |
//! |---|---|---|
//! | a number, [`Constant`] | eta | `optax.constant_schedule` |
//! | [`Certified`] | the one that a certificate is about | theorems A to A'' and G |
//! | [`InverseTime`] | eta / (1 + rate t / k) | `jax.example_libraries.optimizers.inverse_time_decay` |
//! | [`StepDecay`] | eta factor^floor(t / k) | `torch StepLR` |
//! | [`ExponentialDecay`] | eta rate^(t / k) | `optax.exponential_decay` |
//! | [`Polynomial`] | (eta - end) (1 - t / k)^p + end | `optax.polynomial_schedule` |
//! | [`Cosine`] | eta (1 + cos(pi t / k)) / 2 | `optax.cosine_decay_schedule`, `torch CosineAnnealingWarmRestarts` |
//! | [`OneCycle`] | rises, then falls, along half a cosine each | `optax.cosine_onecycle_schedule` |
//! | [`Cyclic`] | a triangle wave | `torch CyclicLR` |
//! | [`ReduceOnPlateau`] | reduced when the loss stops falling | `torch ReduceLROnPlateau` |
//! | [`KernelStable`] | c / `lambda_max(G)` | |
//! | [`Backtracking`] | the first trial that lowers the loss enough | Armijo's rule |
//! | [`StrongWolfe`] | a trial that lowers the loss and its slope enough | Wolfe's rules |
//! | [`Polyak`] | L / norm(grad L)^2 | `optax.polyak_sgd` |
//! | [`BarzilaiBorwein`] | the inverse curvature along the last step | |
//! | [`DeltaBarDelta`] | grows while the gradient keeps its direction | Jacobs' rule |
//!
//! [`warmup`](Schedule::warmup), [`clamp`](Schedule::clamp), [`then`](Schedule::then) and [`scale`](Schedule::scale)
//! combine schedules into new ones.
//!
//! To inspect a schedule after the run, lend it to the trainer: `Trainer::new(schedule::lend(&mut mine))`.

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
mod strong_wolfe;

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
pub use strong_wolfe::StrongWolfe;

use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use std::fmt;
use std::marker::PhantomData;

/// Decides the size of each step.
///
/// [`step_size`](Self::step_size) is called once per step, and a second time if it calls [`StepState::stall`] and the method then
/// chooses another direction. A size of 0 is valid: without momentum, the weights
/// then stay where they are. A NaN, infinite or negative size stops the run with an error.
pub trait Schedule<T: Float> {
    /// Returns the size of the step that is about to be taken from `state`.
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T;

    /// Validates the settings, and that the schedule works with directions of this kind. Called once, before the first
    /// step of a run; by default, accepts everything.
    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        let _ = kind;
        Ok(())
    }

    /// What is known about the sizes of step `step` and all later ones; by default, that they may vary.
    ///
    /// [`Trainer::certify`](crate::Trainer::certify) proves convergence for constant step sizes only.
    fn outlook(&self, step: usize) -> Outlook {
        let _ = step;
        Outlook::Varies
    }

    /// Returns the settings and the internal state, for a checkpoint. `None`, the default, means that they are unknown:
    /// a run that asks for checkpoints is then refused, rather than resumed incorrectly. See [`Record`] for an example.
    fn save(&self) -> Option<Record> {
        None
    }

    /// Restores the internal state that [`save`](Self::save) returned, so that all later step sizes are those of the
    /// original run.
    ///
    /// Errors: a record of another kind, or with other settings; by default, every record.
    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        Err(record.not_restored())
    }

    /// Precedes this schedule with a linear warmup from 0 over `steps` steps: for t < `steps`, the size is t / `steps`
    /// times this schedule's size at its step 0; this schedule then starts at its own step 0.
    ///
    /// Equivalent to `optax.join_schedules` of a linear schedule and this one; a warmup of [`Cosine`] is
    /// `optax.warmup_cosine_decay_schedule` with an initial value of 0.
    fn warmup(self, steps: usize) -> Warmup<Self, T>
    where
        Self: Sized,
    {
        Warmup {
            inner: self,
            steps,
            scalar: PhantomData,
        }
    }

    /// Clamps every size to `low..=high`, where 0 <= `low` <= `high`. The bounds are checked when the run starts.
    fn clamp(self, low: f64, high: f64) -> Clamp<Self, T>
    where
        Self: Sized,
    {
        Clamp {
            inner: self,
            low,
            high,
            scalar: PhantomData,
        }
    }

    /// Uses this schedule for `steps` steps, then `next` from its own step 0, as `optax.join_schedules` does.
    fn then<N: Schedule<T>>(self, steps: usize, next: N) -> Then<Self, N, T>
    where
        Self: Sized,
    {
        Then {
            first: self,
            steps,
            next,
            scalar: PhantomData,
        }
    }

    /// Multiplies every size by `factor`, which must be positive. It is checked when the run starts.
    fn scale(self, factor: f64) -> Scale<Self, T>
    where
        Self: Sized,
    {
        Scale {
            inner: self,
            factor,
            scalar: PhantomData,
        }
    }
}

/// What is known about the step sizes to come: see [`Schedule::outlook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// They may change at any time.
    Varies,
    /// They will be constant from some later step on.
    Settles,
    /// They are constant from this step on.
    Constant,
}

impl Outlook {
    /// What is known before a constant size begins.
    pub(crate) fn later(self) -> Self {
        match self {
            Self::Varies => Self::Varies,
            Self::Settles | Self::Constant => Self::Settles,
        }
    }
}

/// Implements [`Schedule`] for schedules that depend on the step number alone, by their `at` and `check_settings`.
macro_rules! function_of_step {
    ($($name:ident),*) => {$(
        impl<T: crate::float::Float> Schedule<T> for $name {
            fn step_size(&mut self, state: &mut super::StepState<'_, T>) -> T {
                let size = self.at(state.iteration());
                super::in_float(state, size)
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

/// A size in T. One that vanishes there is no step.
fn in_float<T: Float>(state: &mut StepState<'_, T>, size: f64) -> T {
    let rounded = T::lit(size);
    if size > 0.0 && rounded == T::zero() {
        let step = state.iteration();
        state.vanish(format!("the size {size:e} of step {step} vanishes in {}", T::NAME));
    }
    rounded
}

/// 1 / `lambda_max`(G), or 1 if G = 0.
fn natural_size<T: Float>(state: &mut StepState<'_, T>) -> f64 {
    let eigenvalue = state.largest_kernel_eigenvalue().as_f64();
    if eigenvalue == 0.0 { 1.0 } else { 1.0 / eigenvalue }
}

/// Returns the closure `f` as it is, with the type of its argument inferred: it needs no annotations.
pub fn from_fn<T: Float, F: FnMut(&mut StepState<'_, T>) -> T>(f: F) -> F {
    f
}

/// Makes a schedule of `f`, which you guarantee depends on its argument alone: runs with it can be checkpointed and
/// resumed.
///
/// [`Trainer::checkpoint`](crate::Trainer::checkpoint) refuses plain closures, since they may hold state that the crate
/// cannot see.
pub fn stateless<T: Float, F: Fn(&mut StepState<'_, T>) -> T>(f: F) -> Stateless<F> {
    Stateless { f }
}

/// The schedule returned by [`stateless`].
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

/// Lends a schedule to a trainer, so that it can be inspected after the run.
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

/// Implements [`Schedule`] for lent and boxed schedules.
macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<T: Float> Schedule<T> for $pointer {
            fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
                (**self).step_size(state)
            }

            fn check(&self, kind: DirectionKind) -> Result<(), Error> {
                (**self).check(kind)
            }

            fn outlook(&self, step: usize) -> Outlook {
                (**self).outlook(step)
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
delegate!(&mut (dyn Schedule<T> + '_), Box<dyn Schedule<T> + '_>);

/// The check of schedules whose formula assumes that steps follow the gradient of the loss.
fn gradient_only(schedule: &'static str, kind: DirectionKind) -> Result<(), Error> {
    let reason = match kind {
        DirectionKind::Dual => {
            "its step size is derived from the gradient; use a constant step size of 1 or `Backtracking`"
        }
        DirectionKind::Penalized => "its step size is derived from the gradient; use a constant step size of 1",
        DirectionKind::Weights => {
            "its step size is derived from the gradient; use `StrongWolfe`, `Backtracking` or a constant step size of 1"
        }
        DirectionKind::ScaledGradient => {
            "its step size is derived from the gradient; use a constant step size of 1e-3 or so, or one that decays"
        }
        _ => return Ok(()),
    };
    Err(Error::Incompatible {
        what: schedule,
        with: "a method that does not follow the gradient",
        reason,
    })
}

/// Refuses methods with a penalty, for line searches.
fn unpenalized_only(schedule: &'static str, kind: DirectionKind) -> Result<(), Error> {
    if kind != DirectionKind::Penalized {
        return Ok(());
    }
    Err(Error::Incompatible {
        what: schedule,
        with: "a method that pulls towards the initial weights",
        reason: "it requires the loss alone to fall, which the method's penalty may prevent; use a constant step size of 1",
    })
}

/// The check of schedules that compare the gradients of two steps.
fn plain_gradient_only(schedule: &'static str, kind: DirectionKind) -> Result<(), Error> {
    let with = match kind {
        DirectionKind::Gradient => return Ok(()),
        DirectionKind::ModifiedGradient => "momentum or clipping",
        DirectionKind::BatchGradient => "minibatches",
        _ => return gradient_only(schedule, kind),
    };
    Err(Error::Incompatible {
        what: schedule,
        with,
        reason: "it compares the gradients of two steps; use `KernelStable` or `Backtracking`, or plain full-batch \
                 `GradientDescent::default()`",
    })
}

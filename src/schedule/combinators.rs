//! Schedules made of schedules.

use super::{Schedule, StepState, require};
use crate::error::Error;
use crate::float::Float;
use crate::method::Kind;
use crate::record::kept;
use std::fmt;
use std::marker::PhantomData;

/// Keeps T known to the compiler without holding one.
type Of<T> = PhantomData<fn() -> T>;

macro_rules! debug {
    ($name:ident<$($s:ident),*> { $($field:ident),* }) => {
        impl<$($s: fmt::Debug,)* T> fmt::Debug for $name<$($s,)* T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
    };
}

/// What [`Schedule::warmup`] returns.
#[derive(Clone)]
pub struct Warmup<S, T> {
    pub(super) inner: S,
    pub(super) steps: usize,
    pub(super) of: Of<T>,
}

impl<T: Float, S: Schedule<T>> Schedule<T> for Warmup<S, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let step = state.iteration();
        let size = self.inner.step_size(&mut state.from_step(self.steps));
        if step < self.steps {
            size * T::lit(step as f64 / self.steps as f64)
        } else {
            size
        }
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        self.inner.check(kind)
    }

    kept!("Warmup"; settings: steps; parts of Schedule<T>: inner);
}
debug!(Warmup<S> { inner, steps });

/// What [`Schedule::clamp`] returns.
#[derive(Clone)]
pub struct Clamp<S, T> {
    pub(super) inner: S,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) of: Of<T>,
}

impl<T: Float, S: Schedule<T>> Schedule<T> for Clamp<S, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        // A NaN stays one, and is reported by the trainer.
        let size = self.inner.step_size(state);
        let (low, high) = (T::lit(self.low), T::lit(self.high));
        if size < low {
            low
        } else if size > high {
            high
        } else {
            size
        }
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        require(
            self.low.is_finite() && self.low >= 0.0,
            "the lower bound of `clamp`",
            self.low,
            "finite and at least 0",
        )?;
        require(
            self.high >= self.low,
            "the upper bound of `clamp`",
            self.high,
            "at least the lower bound",
        )?;
        self.inner.check(kind)
    }

    kept!("Clamp"; settings: low, high; parts of Schedule<T>: inner);
}
debug!(Clamp<S> { inner, low, high });

/// What [`Schedule::then`] returns.
#[derive(Clone)]
pub struct Then<S, N, T> {
    pub(super) first: S,
    pub(super) steps: usize,
    pub(super) next: N,
    pub(super) of: Of<T>,
}

impl<T: Float, S: Schedule<T>, N: Schedule<T>> Schedule<T> for Then<S, N, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        if state.iteration() < self.steps {
            self.first.step_size(state)
        } else {
            self.next.step_size(&mut state.from_step(self.steps))
        }
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        self.first.check(kind)?;
        self.next.check(kind)
    }

    kept!("Then"; settings: steps; parts of Schedule<T>: first, next);
}
debug!(Then<S, N> { first, steps, next });

/// What [`Schedule::scale`] returns.
#[derive(Clone)]
pub struct Scale<S, T> {
    pub(super) inner: S,
    pub(super) factor: f64,
    pub(super) of: Of<T>,
}

impl<T: Float, S: Schedule<T>> Schedule<T> for Scale<S, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        self.inner.step_size(state) * T::lit(self.factor)
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        super::decay::positive("the factor of `scale`", self.factor)?;
        self.inner.check(kind)
    }

    kept!("Scale"; settings: factor; parts of Schedule<T>: inner);
}
debug!(Scale<S> { inner, factor });

//! Schedules built from other schedules.

use super::{Outlook, Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{not_negative, positive, require};
use std::fmt;
use std::marker::PhantomData;

/// Marks the scalar type T without holding a value of it.
type Scalar<T> = PhantomData<fn() -> T>;

macro_rules! debug {
    ($name:ident<$($s:ident),*> { $($field:ident),* }) => {
        impl<$($s: fmt::Debug,)* T> fmt::Debug for $name<$($s,)* T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
    };
}

/// The schedule returned by [`Schedule::warmup`].
#[derive(Clone)]
#[must_use]
pub struct Warmup<S, T> {
    pub(super) inner: S,
    pub(super) steps: usize,
    pub(super) scalar: Scalar<T>,
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

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        self.inner.check(kind)
    }

    fn outlook(&self, step: usize) -> Outlook {
        match step.checked_sub(self.steps) {
            Some(step) => self.inner.outlook(step),
            None => self.inner.outlook(0).later(),
        }
    }

    fn save(&self) -> Option<Record> {
        let record = Record::new("Warmup").with("steps", self.steps);
        Some(record.with_part("inner", self.inner.save()?))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Warmup")?;
        record.agree("steps", self.steps)?;
        self.inner.restore(record.part("inner")?)
    }
}
debug!(Warmup<S> { inner, steps });

/// The schedule returned by [`Schedule::clamp`].
#[derive(Clone)]
#[must_use]
pub struct Clamp<S, T> {
    pub(super) inner: S,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scalar: Scalar<T>,
}

impl<T: Float, S: Schedule<T>> Schedule<T> for Clamp<S, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        // A NaN passes through: the trainer reports it.
        let size = self.inner.step_size(state);
        let (low, high) = (T::lit(self.low), T::lit(self.high));
        if size < low {
            state.raise();
            low
        } else if size > high {
            high
        } else {
            size
        }
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        not_negative("`low` of `Schedule::clamp`", self.low)?;
        let above = self.high >= self.low;
        require(above, "`high` of `Schedule::clamp`", self.high, "at least `low`")?;
        self.inner.check(kind)
    }

    fn outlook(&self, step: usize) -> Outlook {
        self.inner.outlook(step)
    }

    fn save(&self) -> Option<Record> {
        let record = Record::new("Clamp").with("low", self.low).with("high", self.high);
        Some(record.with_part("inner", self.inner.save()?))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Clamp")?;
        record.agree("low", self.low)?;
        record.agree("high", self.high)?;
        self.inner.restore(record.part("inner")?)
    }
}
debug!(Clamp<S> { inner, low, high });

/// The schedule returned by [`Schedule::then`].
#[derive(Clone)]
#[must_use]
pub struct Then<S, N, T> {
    pub(super) first: S,
    pub(super) steps: usize,
    pub(super) next: N,
    pub(super) scalar: Scalar<T>,
}

impl<T: Float, S: Schedule<T>, N: Schedule<T>> Schedule<T> for Then<S, N, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        if state.iteration() < self.steps {
            self.first.step_size(state)
        } else {
            self.next.step_size(&mut state.from_step(self.steps))
        }
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        self.first.check(kind)?;
        self.next.check(kind)
    }

    fn outlook(&self, step: usize) -> Outlook {
        match step.checked_sub(self.steps) {
            Some(step) => self.next.outlook(step),
            None => self.next.outlook(0).later(),
        }
    }

    fn save(&self) -> Option<Record> {
        let record = Record::new("Then").with("steps", self.steps);
        Some(
            record
                .with_part("first", self.first.save()?)
                .with_part("next", self.next.save()?),
        )
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Then")?;
        record.agree("steps", self.steps)?;
        self.first.restore(record.part("first")?)?;
        self.next.restore(record.part("next")?)
    }
}
debug!(Then<S, N> { first, steps, next });

/// The schedule returned by [`Schedule::scale`].
#[derive(Clone)]
#[must_use]
pub struct Scale<S, T> {
    pub(super) inner: S,
    pub(super) factor: f64,
    pub(super) scalar: Scalar<T>,
}

impl<T: Float, S: Schedule<T>> Schedule<T> for Scale<S, T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        self.inner.step_size(state) * T::lit(self.factor)
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        positive("`factor` of `Schedule::scale`", self.factor)?;
        self.inner.check(kind)
    }

    fn outlook(&self, step: usize) -> Outlook {
        self.inner.outlook(step)
    }

    fn save(&self) -> Option<Record> {
        let record = Record::new("Scale").with("factor", self.factor);
        Some(record.with_part("inner", self.inner.save()?))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("Scale")?;
        record.agree("factor", self.factor)?;
        self.inner.restore(record.part("inner")?)
    }
}
debug!(Scale<S> { inner, factor });

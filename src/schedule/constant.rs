//! The same step size throughout.

use super::{Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive};
use serde::{Deserialize, Serialize};

/// The same step size throughout: `size(t) = size`.
///
/// Follows `optax.constant_schedule`. A plain number, `f64` or `f32`, is the same schedule.
///
/// ```
/// use expnet::schedule::Constant;
///
/// assert!(Constant::new(0.01).is_ok());
/// assert!(Constant::new(0.0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Constant {
    size: f64,
}

impl Constant {
    /// A constant step size; positive and finite, or an error.
    pub fn new(size: f64) -> Result<Self, Error> {
        let schedule = Self { size };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn check_settings(self) -> Result<(), Error> {
        positive("`size` of `Constant::new`", self.size)
    }
}

checked_serde!(Constant);

impl<T: Float> Schedule<T> for Constant {
    fn step_size(&mut self, _: &mut StepState<'_, T>) -> T {
        T::lit(self.size)
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("Constant", self))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Constant", self)
    }
}

/// A plain number is a constant step size.
macro_rules! number {
    ($($t:ident),*) => {$(
        impl<T: Float> Schedule<T> for $t {
            fn step_size(&mut self, _: &mut StepState<'_, T>) -> T {
                T::lit(f64::from(*self))
            }

            fn check(&self, _: DirectionKind) -> Result<(), Error> {
                positive("the step size given to `Trainer::new`", f64::from(*self))
            }

            fn save(&self) -> Option<Record> {
                Some(Record::new("a number").with("size", f64::from(*self)))
            }

            fn restore(&mut self, record: &Record) -> Result<(), Error> {
                record.agree_on_kind("a number")?;
                record.agree("size", f64::from(*self))
            }
        }
    )*};
}
number!(f32, f64);

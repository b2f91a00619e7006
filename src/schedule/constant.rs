//! A constant step size.

use super::{Outlook, Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive, representable};
use serde::{Deserialize, Serialize};

/// A constant step size: `size(t) = size`.
///
/// Same as `optax.constant_schedule`. A plain number (`f64` or `f32`) is also a constant schedule.
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
    /// Creates a schedule with this size at every step.
    ///
    /// Errors: a size that is not positive and finite.
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

    fn check(&self, _: DirectionKind) -> Result<(), Error> {
        self.check_settings()?;
        representable::<T>("`size` of `Constant::new`", self.size)
    }

    fn outlook(&self, _: usize) -> Outlook {
        Outlook::Constant
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("Constant", self))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Constant", self)
    }
}

/// Implements [`Schedule`] for plain numbers, as constant step sizes.
macro_rules! number {
    ($($t:ident),*) => {$(
        impl<T: Float> Schedule<T> for $t {
            fn step_size(&mut self, _: &mut StepState<'_, T>) -> T {
                T::lit(f64::from(*self))
            }

            fn check(&self, _: DirectionKind) -> Result<(), Error> {
                positive("the step size given to `Trainer::new`", f64::from(*self))?;
                representable::<T>("the step size given to `Trainer::new`", f64::from(*self))
            }

            fn outlook(&self, _: usize) -> Outlook {
                Outlook::Constant
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

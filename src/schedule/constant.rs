//! The same step size throughout.

use super::{Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::record::kept;
use crate::serial::serialised;

/// The same step size throughout: `size(t) = size`.
///
/// Follows `optax.constant_schedule`.
///
/// ```
/// use expnet::schedule::Constant;
///
/// assert!(Constant::new(0.01).is_ok());
/// assert!(Constant::new(0.0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    size: f64,
}

impl Constant {
    /// A constant step size; positive and finite, or an error.
    pub fn new(size: f64) -> Result<Self, Error> {
        super::require(
            size.is_finite() && size > 0.0,
            "the step size of `Constant`",
            size,
            "positive and finite",
        )?;
        Ok(Self { size })
    }
}

impl<T: Float> Schedule<T> for Constant {
    fn step_size(&mut self, _: &mut StepState<'_, T>) -> T {
        T::lit(self.size)
    }

    kept!("Constant"; settings: size);
}

serialised!(Constant { size: f64 } => Self::new(size));

//! The step size that a certificate allows.

use super::{Outlook, Schedule, StepState};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use serde::Serialize;

/// The step size that a certificate is about, at every step: `size(t) = step_size`.
///
/// The guarantees of a [`Certificate`] hold for plain full-batch gradient descent from the certified network on the
/// certified data. The schedule therefore refuses momentum, clipping, minibatches, sample weights (in the first step) and
/// other methods; using the same network and data is up to the caller. In `f32` the size is rounded down, and the run itself is subject to rounding.
///
/// ```
/// use expnet::schedule::Certified;
/// use expnet::{Dataset, Initializer, Trainer, certificate};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 512).antisymmetric(true).seed(3).build::<f64>()?;
/// let proved = certificate::certify(&net, &data)?;
/// let report = Trainer::new(Certified::new(&proved)?).max_steps(10).fit(&mut net, &data)?;
/// assert_eq!(report.last_step_size(), Some(proved.step_size()));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Certified {
    size: f64,
}

impl Certified {
    /// Creates the schedule from a certificate that holds.
    ///
    /// Errors: a certificate that does not hold ([`Error::NotProved`], with the inequality that fails).
    pub fn new(certificate: &Certificate) -> Result<Self, Error> {
        if certificate.holds() {
            return Ok(Self {
                size: certificate.step_size(),
            });
        }
        Err(Error::NotProved {
            reason: format!("at width {}, {}", certificate.width(), certificate.decisive()),
            remedy: "widen the network (see `certificate::NarrowestSearch`), or train without a proof, with `KernelStable`",
        })
    }
}

impl<T: Float> Schedule<T> for Certified {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        if state.is_weighted() {
            return state.refuse(Error::Incompatible {
                what: "`Certified`",
                with: "sample weights",
                reason: "its proof is about the loss without weights; use another schedule, such as `KernelStable`, or train \
                         without weights (`Dataset::without_weights`)",
            });
        }
        let size = T::lit(self.size);
        if size.as_f64() <= self.size {
            size
        } else {
            // The next number below, or slightly less.
            size * (T::one() - T::EPSILON)
        }
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        let with = match kind {
            DirectionKind::Gradient => return Ok(()),
            DirectionKind::ModifiedGradient => "momentum or clipping",
            DirectionKind::BatchGradient => "minibatches",
            DirectionKind::Dual | DirectionKind::Penalized | DirectionKind::Weights | DirectionKind::ScaledGradient => {
                "a method that does not follow the gradient"
            }
        };
        Err(Error::Incompatible {
            what: "`Certified`",
            with,
            reason: "its proof covers plain full-batch gradient descent only; use `GradientDescent::default()`, or another schedule",
        })
    }

    fn outlook(&self, _: usize) -> Outlook {
        Outlook::Constant
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("Certified", self))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Certified", self)
    }
}

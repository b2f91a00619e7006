//! What was proved along a run.

use super::report::Certificate;
use crate::exact;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A proof that a run converges, found by [`Trainer::certify`](crate::Trainer::certify). `Display` prints it in a
/// sentence.
///
/// Exact gradient descent with step size [`step_size`](Self::step_size), from the weights that the run had after
/// [`step`](Self::step) steps, converges to weights with which the network fits the data exactly; the
/// [`certificate`](Self::certificate) says how fast. If [`from_start`](Self::from_start), the same is proved of exact
/// gradient descent from the weights that were drawn, with the step sizes of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Proof {
    pub(crate) step: usize,
    #[serde(with = "exact::number")]
    pub(crate) step_size: f64,
    pub(crate) from_start: bool,
    #[serde(with = "exact::number")]
    pub(crate) drift: f64,
    pub(crate) certificate: Certificate,
}

impl Proof {
    /// The number of steps after which the proof was found.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The step size eta, constant from there on.
    pub fn step_size(&self) -> f64 {
        self.step_size
    }

    /// The number of steps, from [`step`](Self::step) on, after which ||e|| <= `tolerance` is guaranteed; see
    /// [`Certificate::steps_to`].
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        self.certificate.steps_to(tolerance)
    }

    /// Whether exact gradient descent from the drawn start is proved to converge too, despite all rounding since.
    pub fn from_start(&self) -> bool {
        self.from_start
    }

    /// A bound on the distance ||V - W||_F between the weights of the run and those of exact gradient descent from the
    /// same start, after [`step`](Self::step) steps. Infinite if rounding was not followed, which depends on the cost
    /// (see [`Trainer::certify`](crate::Trainer::certify)).
    pub fn drift(&self) -> f64 {
        self.drift
    }

    /// The certificate of the weights after [`step`](Self::step) steps.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, size, theorem) = (self.step, self.step_size, self.certificate.theorem());
        write!(
            f,
            "proved after {step} steps by theorem {theorem}: exact gradient descent with step size {size:.4e} converges to an \
             interpolant, with ||e|| <= 1e-3 after {} more steps",
            self.steps_to(1e-3)
        )?;
        if self.from_start {
            write!(
                f,
                "; and so it does from the start, of which rounding has lost at most {:.1e}",
                self.drift
            )?;
        }
        Ok(())
    }
}

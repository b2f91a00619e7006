//! Full-batch gradient descent.

use super::{Direction, DirectionKind, Evaluation, Method};
use crate::error::Error;
use crate::float::Float;
use crate::record::Record;
use crate::setting::{below_one, checked_serde, positive};
use serde::{Deserialize, Serialize};

/// Full-batch gradient descent: v = e, with optional momentum and clipping.
///
/// ```text
/// plain        W <- W - eta g                                  g = J^T e
/// momentum     u <- beta u - eta g,   W <- W + u
/// nesterov     u <- beta u - eta g,   W <- W + beta u - eta g
/// clip_norm    g <- g min(1, c / ||g||)                        before any of the above
/// ```
///
/// With a constant step size, both kinds of momentum agree with `torch.optim.SGD` and `optax.sgd`. If the step size
/// changes, they differ: here the velocity keeps the step sizes of the steps already taken.
///
/// ```
/// use expnet::Trainer;
/// use expnet::method::GradientDescent;
///
/// let trainer = Trainer::<f64>::new(1e-3).method(GradientDescent::default().momentum(0.9).clip_norm(10.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct GradientDescent {
    momentum: f64,
    nesterov: bool,
    clip_norm: Option<f64>,
}

impl GradientDescent {
    /// Heavy-ball momentum, with beta in [0, 1); 0, the default, means none. Replaces [`nesterov`](Self::nesterov).
    pub fn momentum(mut self, beta: f64) -> Self {
        self.momentum = beta;
        self.nesterov = false;
        self
    }

    /// Nesterov momentum, with beta in [0, 1). Replaces [`momentum`](Self::momentum).
    pub fn nesterov(mut self, beta: f64) -> Self {
        self.momentum = beta;
        self.nesterov = true;
        self
    }

    /// Rescales gradients whose Frobenius norm exceeds `c` to norm `c`, positive; off by default.
    pub fn clip_norm(mut self, c: f64) -> Self {
        self.clip_norm = Some(c);
        self
    }

    pub(super) fn check_settings(&self) -> Result<(), Error> {
        below_one("`GradientDescent::momentum`", self.momentum)?;
        positive("`GradientDescent::clip_norm`", self.clip_norm.unwrap_or(1.0))
    }
}

checked_serde!(GradientDescent);

impl<T: Float> Method<T> for GradientDescent {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction.momentum = self.momentum;
        direction.nesterov = self.nesterov;
        if let Some(c) = self.clip_norm {
            let norm = evaluation.gradient_norm();
            if norm > c {
                let factor = T::lit(c / norm);
                direction.dual.iter_mut().for_each(|v| *v *= factor);
            }
        }
        Ok(())
    }

    fn kind(&self) -> DirectionKind {
        if self.momentum == 0.0 && self.clip_norm.is_none() {
            DirectionKind::Gradient
        } else {
            DirectionKind::ModifiedGradient
        }
    }

    fn prepare(&mut self, _: usize) -> Result<(), Error> {
        self.check_settings()
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("GradientDescent", self))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("GradientDescent", self)
    }
}

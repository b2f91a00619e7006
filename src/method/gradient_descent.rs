//! Gradient descent on all samples.

use super::{Direction, Evaluation, Kind, Method};
use crate::error::Error;
use crate::float::Float;
use crate::record::kept;
use crate::serial::serialised;

/// Gradient descent: v = e, with momentum and clipping on request.
///
/// ```text
/// plain        W <- W - eta g                                  g = J^T e
/// momentum     u <- beta u - eta g,   W <- W + u
/// nesterov     u <- beta u - eta g,   W <- W + beta u - eta g
/// clip_norm    g <- g min(1, c / ||g||)                        before any of these
/// ```
///
/// With a constant step size, momentum and Nesterov's variant are those of PyTorch's and optax's
/// `sgd`; where the step size changes, the velocity here keeps the steps already taken.
///
/// ```
/// use expnet::Trainer;
/// use expnet::method::GradientDescent;
///
/// let trainer = Trainer::<f64>::new(1e-3).method(GradientDescent::default().momentum(0.9).clip_norm(10.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GradientDescent {
    momentum: f64,
    nesterov: bool,
    clip: Option<f64>,
}

impl GradientDescent {
    /// Heavy-ball momentum beta in [0, 1); 0, the default, is none.
    pub fn momentum(mut self, beta: f64) -> Self {
        self.momentum = beta;
        self.nesterov = false;
        self
    }

    /// Nesterov's momentum, beta in [0, 1).
    pub fn nesterov(mut self, beta: f64) -> Self {
        self.momentum = beta;
        self.nesterov = true;
        self
    }

    /// Shortens gradients whose Frobenius norm exceeds `c` to that norm; positive. Off by default.
    pub fn clip_norm(mut self, c: f64) -> Self {
        self.clip = Some(c);
        self
    }

    pub(super) fn check(&self) -> Result<Kind, Error> {
        let bad = |setting, value: f64, expected| {
            Err(Error::Setting {
                setting,
                value: value.to_string(),
                expected,
            })
        };
        if !(0.0..1.0).contains(&self.momentum) {
            return bad("the momentum", self.momentum, "at least 0 and below 1");
        }
        match self.clip {
            Some(c) if !(c.is_finite() && c > 0.0) => bad("`clip_norm`", c, "positive and finite"),
            None if self.momentum == 0.0 => Ok(Kind::Gradient),
            _ => Ok(Kind::ModifiedGradient),
        }
    }
}

impl<T: Float> Method<T> for GradientDescent {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction.carry = self.momentum;
        direction.nesterov = self.nesterov;
        if let Some(c) = self.clip {
            let norm = evaluation.gradient_norm();
            if norm > c {
                let factor = T::lit(c / norm);
                direction.dual.iter_mut().for_each(|v| *v *= factor);
            }
        }
        Ok(())
    }

    fn prepare(&mut self, _: usize) -> Result<Kind, Error> {
        self.check()
    }

    kept!("GradientDescent"; settings: momentum, nesterov, clip);
}

serialised!(GradientDescent { momentum: f64, nesterov: bool, clip: Option<f64> } => {
    Ok(Self { momentum, nesterov, clip })
});

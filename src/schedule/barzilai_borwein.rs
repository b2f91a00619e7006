//! The Barzilai-Borwein step size.

use super::{Schedule, StepState, plain_gradient_only};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive, representable};
use serde::{Deserialize, Serialize};

/// A trial may raise the loss to at most this multiple of the largest recent one: the method need not be monotone.
const RISE: f64 = 10.0;
/// How many losses count as recent.
const RECENT: usize = 10;
/// Trials before a step is given up.
const TRIALS: usize = 60;

/// The Barzilai-Borwein step size: the secant estimate of the inverse curvature along the last step.
///
/// ```text
/// s = W_t - W_{t-1} = -size g_{t-1},   y = g_t - g_{t-1}
/// long (default)   size = <s, s> / <s, y>           short   size = <s, y> / <y, y>
/// ```
///
/// Safeguards: if `<s, y> <= 0` or s = 0, the last good size is used again, doubled if s was lost in the rounding of
/// the weights; a trial that overflows, or whose loss exceeds ten times the largest of the last ten, is halved and
/// tried again, and after 60 trials it stalls: see [`StepState::stall`].
///
/// Each step takes two sweeps, which together do the work of one; the gradients take the memory of two more copies of
/// the weights. Only for plain full-batch gradient descent.
///
/// Reference: J. Barzilai, J. M. Borwein, *Two-point step size gradient methods*, IMA J. Numer. Anal. 8, 1988.
///
/// ```
/// use expnet::{Dataset, Initializer, Trainer, schedule::BarzilaiBorwein};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.1]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(BarzilaiBorwein::default()).max_steps(100).tolerance(1e-10).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-10 && report.steps() < 30);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct BarzilaiBorwein {
    initial: Option<f64>,
    short: bool,
    #[serde(skip)]
    memory: Memory,
}

/// What is kept from step to step.
#[derive(Clone, Debug, PartialEq)]
struct Memory {
    /// The last size used.
    good: Option<f64>,
    /// ||g||^2 of the previous step.
    norm: f64,
    /// The recent losses.
    losses: Vec<f64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            good: None,
            norm: 0.0,
            losses: Vec::with_capacity(RECENT + 1),
        }
    }
}

impl BarzilaiBorwein {
    /// The size of the first step, positive; by default 1 / `lambda_max` of the tangent Gram matrix, which costs a few
    /// passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// Whether to use the short step size; off by default.
    pub fn short(mut self, short: bool) -> Self {
        self.short = short;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`BarzilaiBorwein::initial`", self.initial.unwrap_or(1.0))
    }

    /// The secant estimate, if it is usable.
    fn secant(&self, norm: f64, dot: Option<f64>, last: Option<f64>) -> Option<f64> {
        let (dot, last) = (dot?, last?);
        let previous = self.memory.norm;
        // <s, y> / last and <y, y>, from the norms and the inner product of the two gradients.
        let curvature = previous - dot;
        let change = norm - 2.0 * dot + previous;
        let size = if self.short {
            last * curvature / change
        } else {
            last * previous / curvature
        };
        (curvature > 0.0 && size.is_finite() && size > 0.0).then_some(size)
    }
}

checked_serde!(BarzilaiBorwein);

impl<T: Float> Schedule<T> for BarzilaiBorwein {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let dot = state.gradient_dot_previous().map(Float::as_f64);
        let norm = state.gradient_norm_squared().as_f64();
        let last = state.last_step_size().map(Float::as_f64);
        let secant = self.secant(norm, dot, last);
        // The last step was lost in the rounding of the weights: one of the same size would be lost too.
        let lost = last > Some(0.0) && dot == Some(norm) && norm == self.memory.norm;
        let memory = &mut self.memory;
        memory.norm = norm;
        let size = match (secant, memory.good, self.initial) {
            (Some(size), ..) => size,
            (None, Some(good), _) if lost => 2.0 * good,
            (None, Some(good), _) => good,
            (None, None, Some(initial)) => initial,
            (None, None, None) => super::natural_size(state),
        };
        memory.losses.push(state.loss().as_f64());
        if memory.losses.len() > RECENT {
            memory.losses.remove(0);
        }
        let bound = RISE * memory.losses.iter().copied().fold(0.0, f64::max);
        let mut size = T::lit(size);
        for _ in 0..TRIALS {
            if size > T::zero() && state.loss_at(size).as_f64() <= bound {
                memory.good = Some(size.as_f64());
                return size;
            }
            size /= T::lit(2.0);
        }
        let last = size.as_f64();
        state.stall(format!(
            "`BarzilaiBorwein` found no size at which the loss stays below {bound:.3e}, down to {last:e}"
        ))
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        plain_gradient_only("`BarzilaiBorwein`", kind)?;
        self.check_settings()?;
        representable::<T>("`BarzilaiBorwein::initial`", self.initial.unwrap_or(1.0))
    }

    fn save(&self) -> Option<Record> {
        let Memory { good, norm, losses } = &self.memory;
        let record = Record::of("BarzilaiBorwein", self).with("good", *good);
        Some(record.with("norm", *norm).with("losses", losses.clone()))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("BarzilaiBorwein", self)?;
        self.memory = Memory {
            good: record.get("good")?,
            norm: record.get("norm")?,
            losses: record.get("losses")?,
        };
        Ok(())
    }
}

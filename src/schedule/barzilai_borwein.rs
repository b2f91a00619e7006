//! The step size of Barzilai and Borwein.

use super::decay::positive;
use super::{Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::Kind;
use crate::record::kept;
use crate::serial::serialised;

/// A trial may raise the loss up to this factor over the largest of the last ten: the method is not monotone, and
/// needs not to be.
const RISE: f64 = 10.0;
const MEMORY: usize = 10;
const TRIALS: usize = 60;

/// Barzilai and Borwein's step size: the secant estimate of the inverse curvature along the last step.
///
/// ```text
/// s = W_t - W_{t-1} = -size g_{t-1},   y = g_t - g_{t-1}
/// long (default)   size = <s, s> / <s, y>           short   size = <s, y> / <y, y>
/// ```
///
/// (*Two-point step size gradient methods*, IMA J. Numer. Anal. 8, 1988.) Safeguarded: the last good size is used again where
/// `<s, y> <= 0` or s = 0, twice that where s was lost in the rounding of the weights, and a trial that overflows, or raises
/// the loss tenfold above the largest of the last ten, is halved and tried again. Costs two sweeps a step that do the work of one,
/// and two copies of the weights. For plain full-batch gradient descent.
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
#[derive(Clone, Debug, PartialEq)]
pub struct BarzilaiBorwein {
    initial: Option<f64>,
    short: bool,
    good: Option<f64>,
    previous_norm: f64,
    losses: Vec<f64>,
}

impl Default for BarzilaiBorwein {
    fn default() -> Self {
        Self {
            initial: None,
            short: false,
            good: None,
            previous_norm: 0.0,
            losses: Vec::with_capacity(MEMORY + 1),
        }
    }
}

impl BarzilaiBorwein {
    /// The size of the first step, positive. By default 1 / `lambda_max` of the tangent Gram matrix, which costs a few passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// Takes the short size; off by default.
    pub fn short(mut self, short: bool) -> Self {
        self.short = short;
        self
    }

    /// The secant size, where there is one.
    fn secant(&self, norm: f64, dot: Option<f64>, last: Option<f64>) -> Option<f64> {
        let (dot, last) = (dot?, last?);
        let previous = self.previous_norm;
        // <s, y> / last and <y, y>, from norms and the product of the two gradients.
        let curvature = previous - dot;
        let change = norm - 2.0 * dot + previous;
        let size = if self.short {
            last * curvature / change
        } else {
            last * previous / curvature
        };
        (last > 0.0 && curvature > 0.0 && size.is_finite() && size > 0.0).then_some(size)
    }
}

impl<T: Float> Schedule<T> for BarzilaiBorwein {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let dot = state.gradient_dot_previous().map(Float::as_f64);
        let norm = state.gradient_norm_squared().as_f64();
        let last = state.last_step_size().map(Float::as_f64);
        let secant = self.secant(norm, dot, last);
        // The last step was lost in the weights' rounding: the same one again would be lost too.
        let lost = last > Some(0.0) && dot == Some(norm) && norm == self.previous_norm;
        self.previous_norm = norm;
        let size = match (secant, self.good, self.initial) {
            (Some(size), ..) => size,
            (None, Some(good), _) if lost => 2.0 * good,
            (None, Some(good), _) => good,
            (None, None, Some(initial)) => initial,
            (None, None, None) => super::natural_size(state),
        };
        self.losses.push(state.loss().as_f64());
        if self.losses.len() > MEMORY {
            self.losses.remove(0);
        }
        let bound = RISE * self.losses.iter().copied().fold(0.0, f64::max);
        let mut size = T::lit(size);
        for _ in 0..TRIALS {
            if state.loss_at(size).as_f64() <= bound {
                self.good = Some(size.as_f64());
                return size;
            }
            size /= T::lit(2.0);
        }
        T::zero()
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        super::plain_gradient_only("BarzilaiBorwein", kind)?;
        positive("`BarzilaiBorwein::initial`", self.initial.unwrap_or(1.0))
    }

    kept!("BarzilaiBorwein"; settings: initial, short; memory: good, previous_norm, losses);
}

serialised!(BarzilaiBorwein { initial: Option<f64>, short: bool } => Ok(Self { initial, short, ..Self::default() }));

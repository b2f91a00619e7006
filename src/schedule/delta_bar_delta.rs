//! A step size that grows while the gradient keeps its direction.

use super::decay::positive;
use super::{Schedule, StepState, require};
use crate::error::Error;
use crate::float::Float;
use crate::method::Kind;
use crate::record::kept;
use crate::serial::serialised;

/// Grows additively while the gradient keeps its direction, shrinks when it turns.
///
/// ```text
/// the last growth made the loss rise    size <- the size before it
/// <g_t, g_{t-1}> > 0                    size <- size + growth initial
/// <g_t, g_{t-1}> < 0                    size <- size shrink
/// ```
///
/// After Jacobs' delta-bar-delta rule (*Increased rates of convergence through learning rate adaptation*, Neural Networks 1,
/// 1988), with one size for all weights. Costs two sweeps a step that do the work of one, and two copies of the weights. For plain
/// full-batch gradient descent.
///
/// ```
/// use expnet::{Dataset, Initializer, Trainer, schedule::DeltaBarDelta};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.1]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(DeltaBarDelta::default()).max_steps(300).tolerance(1e-6).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-6);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeltaBarDelta {
    initial: Option<f64>,
    growth: f64,
    shrink: f64,
    /// The unit of growth and the current size.
    sizes: Option<(f64, f64)>,
    before_growth: Option<f64>,
    last_loss: f64,
}

impl Default for DeltaBarDelta {
    fn default() -> Self {
        Self {
            initial: None,
            growth: 0.1,
            shrink: 0.5,
            sizes: None,
            before_growth: None,
            last_loss: f64::INFINITY,
        }
    }
}

impl DeltaBarDelta {
    /// The first size, positive. By default 1 / `lambda_max` of the tangent Gram matrix, which costs a few passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// What is added, as a share of the first size; at least 0, 0.1 by default.
    pub fn growth(mut self, share: f64) -> Self {
        self.growth = share;
        self
    }

    /// What a size is multiplied by when the gradient turns; above 0 and below 1, 0.5 by default.
    pub fn shrink(mut self, factor: f64) -> Self {
        self.shrink = factor;
        self
    }
}

impl<T: Float> Schedule<T> for DeltaBarDelta {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let loss = state.loss().as_f64();
        let dot = state.gradient_dot_previous().map(Float::as_f64);
        let (unit, mut size) = match (self.sizes, self.initial) {
            (Some(sizes), _) => sizes,
            (None, Some(initial)) => (initial, initial),
            (None, None) => {
                let natural = super::natural_size(state);
                (natural, natural)
            }
        };
        let grown_from = self.before_growth.take();
        match (grown_from, dot) {
            (Some(before), _) if loss > self.last_loss => size = before,
            (_, Some(dot)) if dot > 0.0 => {
                self.before_growth = Some(size);
                size += self.growth * unit;
            }
            (_, Some(dot)) if dot < 0.0 => size *= self.shrink,
            _ => {}
        }
        self.sizes = Some((unit, size));
        self.last_loss = loss;
        T::lit(size)
    }

    fn check(&self, kind: Kind) -> Result<(), Error> {
        super::plain_gradient_only("DeltaBarDelta", kind)?;
        positive("`DeltaBarDelta::initial`", self.initial.unwrap_or(1.0))?;
        let Self { growth, shrink, .. } = *self;
        require(
            growth.is_finite() && growth >= 0.0,
            "`DeltaBarDelta::growth`",
            growth,
            "finite and at least 0",
        )?;
        require(
            shrink > 0.0 && shrink < 1.0,
            "`DeltaBarDelta::shrink`",
            shrink,
            "above 0 and below 1",
        )
    }

    kept!("DeltaBarDelta"; settings: initial, growth, shrink; memory: sizes, before_growth, last_loss);
}

serialised!(DeltaBarDelta { initial: Option<f64>, growth: f64, shrink: f64 } => {
    Ok(Self { initial, growth, shrink, ..Self::default() })
});

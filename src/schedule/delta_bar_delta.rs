//! A step size that grows while the gradient keeps its direction.

use super::{Schedule, StepState, in_float, natural_size, plain_gradient_only};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, not_negative, positive, within_unit};
use serde::{Deserialize, Serialize};

/// Grows additively while the gradient keeps its direction, and shrinks when the gradient turns.
///
/// ```text
/// the loss rose after a growth          size <- the size before it
/// <g_t, g_{t-1}> > 0                    size <- size + growth initial
/// <g_t, g_{t-1}> < 0                    size <- size shrink
/// ```
///
/// The first of these cases that holds applies; the first step has size `initial`. This is Jacobs' delta-bar-delta rule
/// with a single size for all weights. Each step takes two sweeps, which together do the work of one; the gradients
/// take the memory of two more copies of the weights. Only for plain full-batch gradient descent.
///
/// Reference: R. A. Jacobs, *Increased rates of convergence through learning rate adaptation*, Neural Networks 1, 1988.
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct DeltaBarDelta {
    initial: Option<f64>,
    growth: f64,
    shrink: f64,
    #[serde(skip)]
    memory: Memory,
}

/// What is kept from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Memory {
    /// The initial size and the current one.
    sizes: Option<(f64, f64)>,
    /// The size before the last step, if that step grew it.
    before_growth: Option<f64>,
    last_loss: f64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            sizes: None,
            before_growth: None,
            last_loss: f64::INFINITY,
        }
    }
}

impl Default for DeltaBarDelta {
    fn default() -> Self {
        Self {
            initial: None,
            growth: 0.1,
            shrink: 0.5,
            memory: Memory::default(),
        }
    }
}

impl DeltaBarDelta {
    /// The initial size, positive; by default 1 / `lambda_max` of the tangent Gram matrix, which costs a few passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// The increment as a fraction of the initial size, at least 0; 0.1 by default.
    pub fn growth(mut self, share: f64) -> Self {
        self.growth = share;
        self
    }

    /// The factor that shrinks the size when the gradient turns, above 0 and below 1; 0.5 by default.
    pub fn shrink(mut self, factor: f64) -> Self {
        self.shrink = factor;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`DeltaBarDelta::initial`", self.initial.unwrap_or(1.0))?;
        not_negative("`DeltaBarDelta::growth`", self.growth)?;
        within_unit("`DeltaBarDelta::shrink`", self.shrink)
    }
}

checked_serde!(DeltaBarDelta);

impl<T: Float> Schedule<T> for DeltaBarDelta {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let loss = state.loss().as_f64();
        let dot = state.gradient_dot_previous().map(Float::as_f64);
        let (initial, mut size) = match (self.memory.sizes, self.initial) {
            (Some(sizes), _) => sizes,
            (None, Some(initial)) => (initial, initial),
            (None, None) => {
                let natural = natural_size(state);
                (natural, natural)
            }
        };
        let memory = &mut self.memory;
        let grown_from = memory.before_growth.take();
        match (grown_from, dot) {
            (Some(before), _) if loss > memory.last_loss => size = before,
            (_, Some(dot)) if dot > 0.0 => {
                memory.before_growth = Some(size);
                size += self.growth * initial;
            }
            (_, Some(dot)) if dot < 0.0 => size *= self.shrink,
            _ => {}
        }
        memory.sizes = Some((initial, size));
        memory.last_loss = loss;
        in_float(state, size)
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        plain_gradient_only("`DeltaBarDelta`", kind)?;
        self.check_settings()
    }

    fn save(&self) -> Option<Record> {
        let Memory {
            sizes,
            before_growth,
            last_loss,
        } = self.memory;
        let record = Record::of("DeltaBarDelta", self).with("sizes", sizes);
        Some(record.with("before_growth", before_growth).with("last_loss", last_loss))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("DeltaBarDelta", self)?;
        self.memory = Memory {
            sizes: record.get("sizes")?,
            before_growth: record.get("before_growth")?,
            last_loss: record.get("last_loss")?,
        };
        Ok(())
    }
}

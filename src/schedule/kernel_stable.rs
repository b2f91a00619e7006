//! The step size that the tangent kernel allows.

use super::{Schedule, StepState, gradient_only};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive};
use serde::{Deserialize, Serialize};

/// `c / lambda_max(G)`, G = J J^T the tangent Gram matrix: gradient descent's natural step size.
///
/// While G barely moves (wide networks) the residual contracts for every step size below
/// 2 / `lambda_max`, and c = 1 is the largest that damps the top eigendirection without overshoot.
/// G is measured once, in the first step, matrix-free (see
/// [`StepState::largest_kernel_eigenvalue`]); [`refresh`](Self::refresh) measures again.
/// With minibatches it is measured on the batch of the step. For [`Method`](crate::method::Method)s
/// that follow a gradient only.
///
/// ```
/// use expnet::schedule::KernelStable;
/// use expnet::{Dataset, Initializer, Trainer};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -2.0])?;
/// let mut net = Initializer::new(2, 256).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(KernelStable::default()).tolerance(1e-9).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-9);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct KernelStable {
    factor: f64,
    refresh: usize,
    #[serde(skip)]
    measured: Option<f64>,
}

impl Default for KernelStable {
    /// c = 1, measured once.
    fn default() -> Self {
        Self {
            factor: 1.0,
            refresh: 0,
            measured: None,
        }
    }
}

impl KernelStable {
    /// c: positive and finite, default 1. Below 2 the first steps contract; up to about 3 the loss
    /// may rise first and then converge.
    pub fn factor(mut self, c: f64) -> Self {
        self.factor = c;
        self
    }

    /// Measures again every `steps` steps; 0, the default, means never.
    pub fn refresh(mut self, steps: usize) -> Self {
        self.refresh = steps;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`KernelStable::factor`", self.factor)
    }
}

checked_serde!(KernelStable);

impl<T: Float> Schedule<T> for KernelStable {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let due = self.refresh > 0 && state.iteration().is_multiple_of(self.refresh);
        let eigenvalue = match self.measured {
            Some(eigenvalue) if !due => eigenvalue,
            _ => *self.measured.insert(state.largest_kernel_eigenvalue().as_f64()),
        };
        // G = 0 means that no direction moves the outputs; the step is then stationary anyway.
        T::lit(if eigenvalue == 0.0 {
            0.0
        } else {
            self.factor / eigenvalue
        })
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        self.check_settings()?;
        gradient_only("`KernelStable`", kind)
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("KernelStable", self).with("measured", self.measured))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("KernelStable", self)?;
        self.measured = record.get("measured")?;
        Ok(())
    }
}

//! The step size that the tangent kernel allows.

use super::{Outlook, Schedule, StepState, gradient_only, in_float};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive};
use serde::{Deserialize, Serialize};

/// The natural step size of gradient descent: `size = c / lambda_max(G)`, where G = J J^T is the tangent Gram matrix.
///
/// While G hardly changes, as in wide networks, the residual contracts for every step size below 2 / `lambda_max`, and
/// c = 1 is the largest factor for which the top eigendirection does not overshoot. The size is 0 if G = 0.
///
/// `lambda_max` is estimated once, in the first step, without forming G (see [`StepState::largest_kernel_eigenvalue`]);
/// [`refresh`](Self::refresh) repeats the estimate. With minibatches it is that of the current batch. Only for
/// [`Method`](crate::method::Method)s that follow a gradient.
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
    /// c = 1, with `lambda_max` estimated once.
    fn default() -> Self {
        Self {
            factor: 1.0,
            refresh: 0,
            measured: None,
        }
    }
}

impl KernelStable {
    /// The factor c, positive and finite; 1 by default. Below 2 the first steps contract; up to about 3 the loss may
    /// rise at first and still converge.
    pub fn factor(mut self, c: f64) -> Self {
        self.factor = c;
        self
    }

    /// Estimates `lambda_max` again every `steps` steps; 0, the default, means never.
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
            // After a batch without gradient, of samples with weight 0 for example, the estimate is made on the next.
            Some(eigenvalue) if !due && eigenvalue > 0.0 => eigenvalue,
            _ => *self.measured.insert(state.largest_kernel_eigenvalue().as_f64()),
        };
        // If G = 0, no direction moves the outputs, and the step is stationary anyway.
        let size = if eigenvalue == 0.0 {
            0.0
        } else {
            self.factor / eigenvalue
        };
        in_float(state, size)
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        self.check_settings()?;
        gradient_only("`KernelStable`", kind)
    }

    fn outlook(&self, _: usize) -> Outlook {
        match self.measured {
            _ if self.refresh > 0 => Outlook::Varies,
            Some(eigenvalue) if eigenvalue > 0.0 => Outlook::Constant,
            _ => Outlook::Settles,
        }
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

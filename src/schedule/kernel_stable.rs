//! The step size that the tangent kernel allows.

use super::{Schedule, StepState, require};
use crate::error::Error;
use crate::float::Float;
use crate::method::Kind;
use crate::record::kept;
use crate::serial::serialised;

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelStable {
    factor: f64,
    refresh: usize,
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

    /// Measure again every `steps` steps; 0, the default, is never.
    pub fn refresh(mut self, steps: usize) -> Self {
        self.refresh = steps;
        self
    }
}

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

    fn check(&self, kind: Kind) -> Result<(), Error> {
        let c = self.factor;
        require(
            c.is_finite() && c > 0.0,
            "`KernelStable::factor`",
            c,
            "positive and finite",
        )?;
        super::gradient_only("KernelStable", kind)
    }

    kept!("KernelStable"; settings: factor, refresh; memory: measured);
}

serialised!(KernelStable { factor: f64, refresh: usize } => Ok(Self { factor, refresh, ..Self::default() }));

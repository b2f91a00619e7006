//! What a schedule written in Python sees of a run.

use crate::bridge::Reply;
use crate::error::refused;
use expnet::schedule;
use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// A quantity that costs something, computed if a callable asks for it.
#[derive(Clone, Copy)]
pub enum Query {
    /// ||grad L||^2.
    GradientNormSquared,
    /// The loss after a trial step.
    LossAt(f64),
    /// The derivative of that loss with respect to the size.
    SlopeAt(f64),
    /// The largest eigenvalue of the tangent kernel.
    LargestKernelEigenvalue,
    /// <grad L, d>.
    Slope,
    /// <grad L, c> of momentum.
    MomentumSlope,
    /// The inner product of this gradient and the last.
    GradientDotPrevious,
}

impl Query {
    /// Asks the run.
    pub fn answer(self, state: &mut schedule::StepState<'_, f64>) -> Option<f64> {
        match self {
            Self::GradientNormSquared => Some(state.gradient_norm_squared()),
            Self::LossAt(size) => Some(state.loss_at(size)),
            Self::SlopeAt(size) => Some(state.slope_at(size)),
            Self::LargestKernelEigenvalue => Some(state.largest_kernel_eigenvalue()),
            Self::Slope => Some(state.slope()),
            Self::MomentumSlope => Some(state.momentum_slope()),
            Self::GradientDotPrevious => state.gradient_dot_previous(),
        }
    }
}

/// There is nobody to ask.
struct RunEnded;

/// The way from a callable to the run that asks it.
#[derive(Clone)]
pub struct Link {
    requests: Sender<Reply>,
    results: Arc<Mutex<Receiver<Option<f64>>>>,
}

impl Link {
    /// Requests go out by `requests`; what they find comes back by `results`.
    pub fn new(requests: Sender<Reply>, results: Arc<Mutex<Receiver<Option<f64>>>>) -> Self {
        Self { requests, results }
    }

    fn ask(&self, query: Query) -> Result<Option<f64>, RunEnded> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        self.requests.send(Reply::Query(query)).map_err(|_| RunEnded)?;
        results.recv().map_err(|_| RunEnded)
    }
}

/// What a schedule can ask before it returns a step size. Valid during the call.
#[pyclass(frozen, module = "expnet")]
pub struct StepState {
    /// The index of the step about to be taken, from 0.
    #[pyo3(get)]
    iteration: usize,
    /// The loss L = 1/2 ||e||^2 at the current weights.
    #[pyo3(get)]
    loss: f64,
    /// ||e||_2 at the current weights.
    #[pyo3(get)]
    residual_norm: f64,
    /// The number of samples (with minibatches: of the batch).
    #[pyo3(get)]
    samples: usize,
    /// The number of samples of the whole data set.
    #[pyo3(get)]
    all_samples: usize,
    /// The dimension of the points.
    #[pyo3(get)]
    dimension: usize,
    /// The number of neurons.
    #[pyo3(get)]
    width: usize,
    /// The size of the last step, or None before the first.
    #[pyo3(get)]
    last_step_size: Option<f64>,
    link: Mutex<Option<Link>>,
}

impl StepState {
    /// What costs nothing is read now.
    pub fn new(state: &schedule::StepState<'_, f64>, link: Link) -> Self {
        Self {
            iteration: state.iteration(),
            loss: state.loss(),
            residual_norm: state.residual_norm(),
            samples: state.samples(),
            all_samples: state.all_samples(),
            dimension: state.dimension(),
            width: state.width(),
            last_step_size: state.last_step_size(),
            link: Mutex::new(Some(link)),
        }
    }

    /// Ends the validity of the state.
    pub fn close(&self) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn ask(&self, py: Python<'_>, query: Query) -> PyResult<Option<f64>> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let link = link.ok_or_else(|| refused("a step state is valid only while the schedule is being asked"))?;
        py.detach(|| link.ask(query))
            .map_err(|RunEnded| refused("the run has ended"))
    }

    fn number(&self, py: Python<'_>, query: Query) -> PyResult<f64> {
        Ok(self.ask(py, query)?.unwrap_or(f64::NAN))
    }
}

#[pymethods]
impl StepState {
    /// ||grad L||^2. The first call in a step costs a backward sweep, which the step then saves.
    fn gradient_norm_squared(&self, py: Python<'_>) -> PyResult<f64> {
        self.number(py, Query::GradientNormSquared)
    }

    /// The loss after a trial step of this size; inf if it overflows. Costs a pass, which the step saves if it has this size.
    fn loss_at(&self, py: Python<'_>, step_size: f64) -> PyResult<f64> {
        self.number(py, Query::LossAt(step_size))
    }

    /// The derivative of that loss with respect to the step size; nan if the loss overflows. Costs a pass more than `loss_at`.
    fn slope_at(&self, py: Python<'_>, step_size: f64) -> PyResult<f64> {
        self.number(py, Query::SlopeAt(step_size))
    }

    /// The largest eigenvalue of the tangent Gram matrix, overestimated by at most 2%. Gradient descent is stable for step
    /// sizes below 2 over it.
    fn largest_kernel_eigenvalue(&self, py: Python<'_>) -> PyResult<f64> {
        self.number(py, Query::LargestKernelEigenvalue)
    }

    /// <grad L, d>, where a step of size s moves the weights by s d.
    fn slope(&self, py: Python<'_>) -> PyResult<f64> {
        self.number(py, Query::Slope)
    }

    /// <grad L, c>, where c is the part of the step that momentum adds.
    fn momentum_slope(&self, py: Python<'_>) -> PyResult<f64> {
        self.number(py, Query::MomentumSlope)
    }

    /// The inner product of this gradient and that of the previous step; None in the first step in which it is called.
    fn gradient_dot_previous(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.ask(py, Query::GradientDotPrevious)
    }

    fn __repr__(&self) -> String {
        format!("StepState(iteration={}, loss={:?})", self.iteration, self.loss)
    }
}

//! What came of a run.

use crate::certificate::Proof;
use expnet::observer::History;
use expnet::{FitReport, Termination};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The outcome of a run; `print` shows a summary.
#[pyclass(frozen, module = "expnet")]
pub struct Report(pub FitReport<f64>);

#[pymethods]
impl Report {
    /// Why the run ended: "converged", "max_steps", "no_improvement", "stopped", "stationary", "max_time", "proved" or
    /// "stalled".
    #[getter]
    fn termination(&self) -> &'static str {
        match self.0.termination() {
            Termination::Converged => "converged",
            Termination::MaxSteps => "max_steps",
            Termination::NoImprovement => "no_improvement",
            Termination::Stopped => "stopped",
            Termination::Stationary => "stationary",
            Termination::MaxTime => "max_time",
            Termination::Proved => "proved",
            Termination::Stalled => "stalled",
            _ => "other",
        }
    }

    /// More about why the run ended, if there is more to say.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.0.reason()
    }

    /// The number of steps taken.
    #[getter]
    fn steps(&self) -> usize {
        self.0.steps()
    }

    /// The number of passes over all neurons.
    #[getter]
    fn passes(&self) -> usize {
        self.0.passes()
    }

    /// The number of trial steps that were not taken.
    #[getter]
    fn trial_steps(&self) -> usize {
        self.0.trial_steps()
    }

    /// The number of steps that the method undid.
    #[getter]
    fn undone_steps(&self) -> usize {
        self.0.undone_steps()
    }

    /// The loss before the first step.
    #[getter]
    fn initial_loss(&self) -> f64 {
        self.0.initial_loss()
    }

    /// The loss of the trained network.
    #[getter]
    fn loss(&self) -> f64 {
        self.0.loss()
    }

    /// ||e||_2 of the trained network.
    #[getter]
    fn residual_norm(&self) -> f64 {
        self.0.residual_norm()
    }

    /// The size of the last step, if there was one.
    #[getter]
    fn last_step_size(&self) -> Option<f64> {
        self.0.last_step_size()
    }

    /// The validation loss of the trained network, if there is validation data.
    #[getter]
    fn validation_loss(&self) -> Option<f64> {
        self.0.validation_loss()
    }

    /// The number of steps after which the validation loss was lowest.
    #[getter]
    fn best_step(&self) -> Option<usize> {
        self.0.best_step()
    }

    /// The duration of the run in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// The proof of convergence, if one was looked for and found.
    #[getter]
    fn proof(&self) -> Option<Proof> {
        self.0.proof().cloned().map(Proof)
    }

    /// Problems that did not end the run, in words.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.0.problems().to_vec()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!(
            "<expnet.Report {} after {} steps, loss {:e}>",
            self.termination(),
            self.steps(),
            self.loss()
        )
    }
}

/// The columns of a history as arrays; an unknown number is NaN.
pub fn columns<'py>(py: Python<'py>, history: &History) -> PyResult<Bound<'py, PyDict>> {
    let table = history.to_matrix();
    let columns = PyDict::new(py);
    for (name, column) in History::COLUMNS.into_iter().zip(table.column_iter()) {
        columns.set_item(name, PyArray1::from_slice(py, column.as_slice()))?;
    }
    columns.set_item("step", PyArray1::from_slice(py, history.steps()))?;
    Ok(columns)
}

//! Training with any schedule and method.

use crate::arrays::{Points, Vector, dataset};
use crate::bridge::{Line, supervised};
use crate::certificate;
use crate::error::refused;
use crate::method::Method;
use crate::network::Network;
use crate::report::{Report, columns};
use crate::schedule::Plan;
use expnet::certificate::Effort;
use expnet::observer::History;
use expnet::{Dataset, Error, ExpNetwork, FitReport, Trainer};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::time::Duration;

/// When to look for a proof of convergence, how hard, and whether to stop then.
#[derive(Clone, Copy)]
struct Looks {
    every: usize,
    effort: Effort,
    stop: bool,
}

/// The settings of runs. `expnet.Trainer` describes them.
#[pyclass(frozen, module = "expnet._core")]
pub struct Settings {
    schedule: Option<Plan>,
    method: Option<Method>,
    max_steps: usize,
    tolerance: f64,
    max_time: Option<Duration>,
    stall: Option<(usize, f64)>,
    patience: usize,
    record_every: usize,
    record_movement: bool,
    looks: Option<Looks>,
    checkpoint: Option<(PathBuf, usize)>,
    resume: Option<PathBuf>,
}

/// A duration in seconds.
pub fn duration(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let parse = |seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|error| refused(format!("max_time is {seconds} seconds: {error}")))
    };
    seconds.map(parse).transpose()
}

#[pymethods]
impl Settings {
    #[new]
    #[pyo3(signature = (*, schedule, method, max_steps, tolerance, max_time, stall, patience, record_every,
        record_movement, certify, checkpoint, resume))]
    fn new(
        schedule: Option<Plan>,
        method: Option<PyRef<'_, Method>>,
        max_steps: usize,
        tolerance: f64,
        max_time: Option<f64>,
        stall: Option<(usize, f64)>,
        patience: usize,
        record_every: usize,
        record_movement: bool,
        certify: Option<(usize, String, bool)>,
        checkpoint: Option<(PathBuf, usize)>,
        resume: Option<PathBuf>,
    ) -> PyResult<Self> {
        let looks = |(every, effort, stop): (usize, String, bool)| {
            let effort = certificate::effort(Some(&effort))?;
            Ok::<_, PyErr>(Looks { every, effort, stop })
        };
        Ok(Self {
            schedule,
            method: method.map(|method| method.clone()),
            max_steps,
            tolerance,
            max_time: duration(max_time)?,
            stall,
            patience,
            record_every,
            record_movement,
            looks: certify.map(looks).transpose()?,
            checkpoint,
            resume,
        })
    }

    /// Trains a copy of `network` and returns it with history and report.
    #[pyo3(signature = (network, points, labels, sample_weight, validation))]
    fn fit<'py>(
        &self,
        py: Python<'py>,
        network: &Bound<'py, Network>,
        points: Points,
        labels: Vector,
        sample_weight: Option<Vector>,
        validation: Option<(Points, Vector)>,
    ) -> PyResult<(Network, Bound<'py, PyDict>, Report)> {
        let data = dataset(points, labels, sample_weight)?;
        let validation = validation
            .map(|(points, labels)| dataset(points, labels, None))
            .transpose()?;
        let start = &network.get().0;
        let (network, history, report) =
            supervised(py, |line| self.run(line, start.clone(), &data, validation.as_ref()))?;
        Ok((Network(network), columns(py, &history)?, Report(report)))
    }
}

impl Settings {
    fn run(
        &self,
        line: &Line<'_>,
        mut network: ExpNetwork<f64>,
        data: &Dataset<f64>,
        validation: Option<&Dataset<f64>>,
    ) -> Result<(ExpNetwork<f64>, History, FitReport<f64>), Error> {
        let mut history = History::default()
            .every(self.record_every)
            .movement(self.record_movement);
        let trainer = self.trainer(line).observe(line.observer()).observe_mut(&mut history);
        let trainer = match validation {
            Some(data) => trainer.validation(data, self.patience),
            None => trainer,
        };
        let report = trainer.fit(&mut network, data)?;
        Ok((network, history, report))
    }

    fn trainer<'a>(&self, line: &'a Line<'_>) -> Trainer<'a, f64> {
        let mut trainer = match &self.schedule {
            Some(plan) => Trainer::new(plan.build(line)),
            None => Trainer::default(),
        };
        trainer = trainer.max_steps(self.max_steps).tolerance(self.tolerance);
        if let Some(method) = &self.method {
            trainer = trainer.method(method.build());
        }
        if let Some(limit) = self.max_time {
            trainer = trainer.max_time(limit);
        }
        if let Some((window, relative)) = self.stall {
            trainer = trainer.stall(window, relative);
        }
        if let Some(Looks { every, effort, stop }) = self.looks {
            trainer = trainer.certify(every).certify_effort(effort).stop_when_proved(stop);
        }
        if let Some((path, every)) = &self.checkpoint {
            trainer = trainer.checkpoint(path, *every);
        }
        match &self.resume {
            Some(path) => trainer.resume(path),
            None => trainer,
        }
    }
}

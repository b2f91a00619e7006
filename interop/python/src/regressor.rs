//! The fitted regressors behind the classes for scikit-learn.

use crate::arrays::{Points, Vector, dataset, vector};
use crate::bridge::supervised;
use crate::error::{exception, refused};
use crate::network::Network;
use crate::report::{Report, columns};
use crate::setters::with;
use crate::train::duration;
use expnet::observer::History;
use expnet::{ExpRegressor, KernelRegressor, ScalingOptions, Selection, Training};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// An array of Python's.
type Array<'py> = Bound<'py, PyArray1<f64>>;

/// The switches `standardise`, `bias`, `unit_sphere` and `labels`, and the numbers `beta` and `clip`.
type Switches = (bool, bool, bool, bool, Option<f64>, Option<f64>);

fn scaling((standardise, bias, unit_sphere, labels, beta, clip): Switches) -> ScalingOptions {
    let options = ScalingOptions::default()
        .standardise(standardise)
        .bias(bias)
        .unit_sphere(unit_sphere)
        .labels(labels)
        .clip(clip);
    match beta {
        Some(beta) => options.beta(beta),
        None => options,
    }
}

/// The candidates of a selection as lists, the index of the best and the final ridge.
fn selection<'py>(py: Python<'py>, selection: &Selection) -> PyResult<Bound<'py, PyDict>> {
    let table = PyDict::new(py);
    let candidates = selection.candidates();
    let column = |value: fn(&expnet::Candidate) -> f64| candidates.iter().map(value).collect::<Vec<_>>();
    table.set_item("beta", PyArray1::from_vec(py, column(expnet::Candidate::beta)))?;
    table.set_item(
        "round",
        candidates.iter().map(expnet::Candidate::round).collect::<Vec<_>>(),
    )?;
    table.set_item("ridge", PyArray1::from_vec(py, column(expnet::Candidate::lambda)))?;
    table.set_item(
        "mean_square",
        PyArray1::from_vec(py, column(expnet::Candidate::mean_square)),
    )?;
    let chosen = selection
        .chosen()
        .and_then(|best| candidates.iter().position(|candidate| *candidate == best));
    table.set_item("chosen", chosen)?;
    table.set_item("summary", selection.to_string())?;
    Ok(table)
}

/// A fitted `ExpRegressor`.
#[pyclass(frozen, module = "expnet._core")]
pub struct ExpModel {
    model: ExpRegressor<f64>,
    history: Option<History>,
}

#[pymethods]
impl ExpModel {
    #[staticmethod]
    #[pyo3(signature = (points, labels, sample_weight, *, width, std_dev, seed, training, ridge, length_scales, validation,
        patience, max_steps, max_time, scaling, earlier))]
    fn fit(
        py: Python<'_>,
        points: Points,
        labels: Vector,
        sample_weight: Option<Vector>,
        width: usize,
        std_dev: f64,
        seed: u64,
        training: &str,
        ridge: Option<f64>,
        length_scales: Option<bool>,
        validation: Option<f64>,
        patience: Option<usize>,
        max_steps: Option<usize>,
        max_time: Option<f64>,
        scaling: Switches,
        earlier: Option<PyRef<'_, Self>>,
    ) -> PyResult<Self> {
        let data = dataset(points, labels, sample_weight)?;
        let max_time = duration(max_time)?;
        let options = ExpRegressor::options()
            .width(width)
            .std_dev(std_dev)
            .seed(seed)
            .training(self::training(training)?)
            .scaling(self::scaling(scaling));
        let options = with!(
            options,
            lambda(ridge),
            length_scales(length_scales),
            validation(validation),
            patience(patience),
            max_steps(max_steps),
            max_time(max_time)
        );
        let earlier = earlier.as_ref().map(|earlier| &earlier.model);
        supervised(py, |line| {
            let mut history = History::default().movement(false);
            let run = options.on(&data).observe(line.observer()).observe_mut(&mut history);
            let model = with!(run, warm_start(earlier)).fit()?;
            let history = Some(history);
            Ok(Self { model, history })
        })
    }

    fn predict<'py>(&self, py: Python<'py>, points: Points) -> PyResult<Array<'py>> {
        let predicted = supervised(py, |_| self.model.predict(&points.0))?;
        Ok(vector(py, predicted))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.model.save(path)).map_err(exception)
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let model = py.detach(|| ExpRegressor::load(path)).map_err(exception)?;
        Ok(Self { model, history: None })
    }

    #[getter]
    fn features(&self) -> usize {
        self.model.scaling().lengths().len()
    }

    #[getter]
    fn network(&self) -> Network {
        Network(self.model.network().clone())
    }

    #[getter]
    fn report(&self) -> Report {
        Report(self.model.report().clone())
    }

    #[getter]
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.history.as_ref().map(|history| columns(py, history)).transpose()
    }

    #[getter]
    fn selection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        selection(py, self.model.selection())
    }

    #[getter]
    fn ridge(&self) -> f64 {
        self.model.selection().lambda()
    }

    #[getter]
    fn length_scales<'py>(&self, py: Python<'py>) -> Array<'py> {
        PyArray1::from_slice(py, self.model.scaling().lengths())
    }

    #[getter]
    fn problems(&self) -> Vec<String> {
        self.model.report().problems().to_vec()
    }
}

fn training(name: &str) -> PyResult<Training> {
    match name {
        "ridge" => Ok(Training::Ridge),
        "early_stopping" => Ok(Training::EarlyStopping),
        other => Err(refused(format!(
            "training is {other:?}; it must be \"ridge\" or \"early_stopping\""
        ))),
    }
}

/// A fitted `KernelRegressor`.
#[pyclass(frozen, module = "expnet._core")]
pub struct KernelModel(KernelRegressor<f64>);

#[pymethods]
impl KernelModel {
    #[staticmethod]
    #[pyo3(signature = (points, labels, sample_weight, *, std_dev, seed, ridge, length_scales, scaling))]
    fn fit(
        py: Python<'_>,
        points: Points,
        labels: Vector,
        sample_weight: Option<Vector>,
        std_dev: f64,
        seed: u64,
        ridge: Option<f64>,
        length_scales: bool,
        scaling: Switches,
    ) -> PyResult<Self> {
        let data = dataset(points, labels, sample_weight)?;
        let options = KernelRegressor::options()
            .std_dev(std_dev)
            .seed(seed)
            .length_scales(length_scales)
            .scaling(self::scaling(scaling));
        let options = with!(options, lambda(ridge));
        supervised(py, |_| options.fit(&data)).map(Self)
    }

    fn predict<'py>(&self, py: Python<'py>, points: Points) -> PyResult<Array<'py>> {
        let predicted = supervised(py, |_| self.0.predict(&points.0))?;
        Ok(vector(py, predicted))
    }

    fn predict_with_std<'py>(&self, py: Python<'py>, points: Points) -> PyResult<(Array<'py>, Array<'py>)> {
        let (mean, std_dev) = supervised(py, |_| self.0.predict_with_std(&points.0))?;
        Ok((vector(py, mean), vector(py, std_dev)))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(path)).map_err(exception)
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| KernelRegressor::load(path)).map(Self).map_err(exception)
    }

    #[getter]
    fn features(&self) -> usize {
        self.0.scaling().lengths().len()
    }

    #[getter]
    fn selection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        selection(py, self.0.selection())
    }

    #[getter]
    fn ridge(&self) -> f64 {
        self.0.selection().lambda()
    }

    #[getter]
    fn length_scales<'py>(&self, py: Python<'py>) -> Array<'py> {
        PyArray1::from_slice(py, self.0.scaling().lengths())
    }

    #[getter]
    fn problems(&self) -> Vec<String> {
        self.0.problems().to_vec()
    }
}

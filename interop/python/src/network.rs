//! The network F(W, x) = sum_r a_r exp(<w_r, x>).

use crate::arrays::{Points, Vector, dataset, rows, vector};
use crate::bridge::supervised;
use crate::error::exception;
use expnet::{ExpNetwork, Initializer};
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use std::path::PathBuf;

/// The network F(W, x) = sum_r a_r exp(<w_r, x>). It never changes: training returns a new one.
#[pyclass(frozen, module = "expnet")]
pub struct Network(pub ExpNetwork<f64>);

#[pymethods]
impl Network {
    /// A network with these weights, one neuron per row, and output weights.
    #[new]
    fn new(weights: Points, output_weights: Vector) -> PyResult<Self> {
        ExpNetwork::from_parts(weights.0, output_weights.0)
            .map(Self)
            .map_err(exception)
    }

    /// A random network: w_r ~ N(0, std_dev^2 I), a_r = +-output_scale. With `antisymmetric` neurons come in pairs whose
    /// outputs cancel, so that F = 0.
    #[staticmethod]
    #[pyo3(signature = (dimension, width, *, std_dev = 1.0, antisymmetric = true, output_scale = 1.0, seed = 0))]
    fn random(
        py: Python<'_>,
        dimension: usize,
        width: usize,
        std_dev: f64,
        antisymmetric: bool,
        output_scale: f64,
        seed: u64,
    ) -> PyResult<Self> {
        let start = Initializer::new(dimension, width)
            .std_dev(std_dev)
            .antisymmetric(antisymmetric)
            .output_scale(output_scale)
            .seed(seed);
        py.detach(|| start.build()).map(Self).map_err(exception)
    }

    /// Reads a network that `save` has written, here or in Rust.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| ExpNetwork::load(path)).map(Self).map_err(exception)
    }

    /// Writes the network as a safetensors file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(path)).map_err(exception)
    }

    /// The weights, shape (width, dimension), one neuron per row. A copy.
    #[getter]
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        rows(py, self.0.weights().clone())
    }

    /// The output weights a, shape (width,). A copy.
    #[getter]
    fn output_weights<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        vector(py, self.0.output_weights().clone())
    }

    /// The dimension d of the points.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    /// The number m of neurons.
    #[getter]
    fn width(&self) -> usize {
        self.0.width()
    }

    /// F(W, x) of each row of `points`.
    fn forward<'py>(&self, py: Python<'py>, points: Points) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let outputs = supervised(py, |_| self.0.forward(&points.0))?;
        Ok(vector(py, outputs))
    }

    /// The loss 1/2 sum_i s_i (F(x_i) - y_i)^2.
    #[pyo3(signature = (points, labels, *, sample_weight = None))]
    fn loss(&self, py: Python<'_>, points: Points, labels: Vector, sample_weight: Option<Vector>) -> PyResult<f64> {
        let data = dataset(points, labels, sample_weight)?;
        supervised(py, |_| self.0.loss(&data))
    }

    /// The gradient of the loss, shape (width, dimension).
    #[pyo3(signature = (points, labels, *, sample_weight = None))]
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        points: Points,
        labels: Vector,
        sample_weight: Option<Vector>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let data = dataset(points, labels, sample_weight)?;
        let gradient = supervised(py, |_| self.0.gradient(&data))?;
        rows(py, gradient)
    }

    fn __repr__(&self) -> String {
        format!(
            "<expnet.Network of {} neurons in {} dimensions>",
            self.width(),
            self.dimension()
        )
    }
}

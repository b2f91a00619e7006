//! Tangent kernels, and regression with them.

use crate::arrays::{Points, Vector, dataset, rows, vector};
use crate::bridge::supervised;
use crate::error::exception;
use crate::network::Network;
use expnet::kernel as theory;
use expnet::nalgebra::DMatrix;
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;

/// A matrix of Python's.
type Matrix<'py> = PyResult<Bound<'py, PyArray2<f64>>>;

/// The tangent kernel in the limit of infinite width, shape (n, n): <x, z> exp(std_dev^2 ||x + z||^2 / 2).
#[pyfunction]
#[pyo3(signature = (points, std_dev = 1.0))]
pub fn limit_kernel(py: Python<'_>, points: Points, std_dev: f64) -> Matrix<'_> {
    let kernel = supervised(py, |_| theory::limit_kernel(&points.0, std_dev))?;
    rows(py, kernel)
}

/// The limit kernel between two lists of points, shape (n, k).
#[pyfunction]
#[pyo3(signature = (points, others, std_dev = 1.0))]
pub fn limit_cross_kernel(py: Python<'_>, points: Points, others: Points, std_dev: f64) -> Matrix<'_> {
    // The transpose of the k x n kernel, whose columns are rows here.
    let kernel = supervised(py, |_| theory::limit_cross_kernel(&others.0, &points.0, std_dev))?;
    rows(py, kernel)
}

/// The tangent kernel J J^T / m of a network, shape (n, n).
#[pyfunction]
pub fn empirical_kernel<'py>(py: Python<'py>, network: &Bound<'py, Network>, points: Points) -> Matrix<'py> {
    let net = &network.get().0;
    let kernel = supervised(py, |_| theory::empirical_kernel(net, &points.0))?;
    rows(py, kernel)
}

/// The tangent kernel of a network between two lists of points, shape (n, k).
#[pyfunction]
pub fn empirical_cross_kernel<'py>(
    py: Python<'py>,
    network: &Bound<'py, Network>,
    points: Points,
    others: Points,
) -> Matrix<'py> {
    let net = &network.get().0;
    let kernel = supervised(py, |_| theory::empirical_cross_kernel(net, &others.0, &points.0))?;
    rows(py, kernel)
}

/// Regression with a kernel: what the network of infinite width predicts.
#[pyclass(frozen, module = "expnet")]
pub struct Predictor(theory::Predictor);

#[pymethods]
impl Predictor {
    /// With the limit kernel.
    #[new]
    #[pyo3(signature = (points, labels, std_dev = 1.0, *, sample_weight = None))]
    fn new(
        py: Python<'_>,
        points: Points,
        labels: Vector,
        std_dev: f64,
        sample_weight: Option<Vector>,
    ) -> PyResult<Self> {
        let data = dataset(points, labels, sample_weight)?;
        supervised(py, |_| theory::Predictor::new(&data, std_dev)).map(Self)
    }

    /// With any kernel of the training points, shape (n, n).
    #[staticmethod]
    fn from_kernel(kernel: Points, labels: Vector) -> PyResult<Self> {
        // Symmetric, or refused: rows are columns.
        theory::Predictor::from_kernel(kernel.0, labels.0)
            .map(Self)
            .map_err(exception)
    }

    /// The fit of kernel ridge regression: (K + ridge I)^-1 y.
    fn ridge(&self, py: Python<'_>, ridge: f64) -> PyResult<Fit> {
        supervised(py, |_| self.0.ridge(ridge)).map(Fit)
    }

    /// The posterior of a Gaussian process whose labels have noise of this variance: the fit of `ridge`, with covariances.
    fn posterior(&self, py: Python<'_>, ridge: f64) -> PyResult<Posterior> {
        supervised(py, |_| self.0.posterior(ridge)).map(Posterior)
    }

    /// Gradient flow from F = 0, which can be evaluated at any time.
    fn gradient_flow(&self, py: Python<'_>) -> PyResult<GradientFlow> {
        supervised(py, |_| self.0.gradient_flow()).map(GradientFlow)
    }

    /// Gradient descent with a constant step size from F = 0, which can be evaluated at any step.
    fn gradient_descent(&self, py: Python<'_>, step_size: f64) -> PyResult<GradientSteps> {
        supervised(py, |_| self.0.gradient_descent(step_size)).map(GradientSteps)
    }
}

/// A fitted function sum_i c_i K(x_i, x).
#[pyclass(frozen, module = "expnet")]
pub struct Fit(theory::Fit);

#[pymethods]
impl Fit {
    /// The predictions at points.
    fn predict<'py>(&self, py: Python<'py>, points: Points) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let predicted = supervised(py, |_| self.0.predict(&points.0))?;
        Ok(vector(py, predicted))
    }

    /// The predictions from the kernel between training points and others, shape (n, k).
    fn predict_from<'py>(&self, py: Python<'py>, cross: Points) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let predicted = supervised(py, |_| self.0.predict_from(&cross.0.transpose()))?;
        Ok(vector(py, predicted))
    }

    /// The coefficients, shape (n,). A copy.
    #[getter]
    fn coefficients<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        vector(py, self.0.coefficients().clone())
    }
}

/// The posterior of a Gaussian process.
#[pyclass(frozen, module = "expnet")]
pub struct Posterior(theory::Posterior);

#[pymethods]
impl Posterior {
    /// The mean, as a fit.
    #[getter]
    fn mean(&self) -> Fit {
        Fit(self.0.mean().clone())
    }

    /// The covariance at k points, shape (k, k).
    fn covariance<'py>(&self, py: Python<'py>, points: Points) -> Matrix<'py> {
        let covariance = supervised(py, |_| self.0.covariance(&points.0))?;
        rows(py, covariance)
    }

    /// The standard deviation at each point.
    fn std_dev<'py>(&self, py: Python<'py>, points: Points) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let deviations = supervised(py, |_| self.0.std_dev(&points.0))?;
        Ok(vector(py, deviations))
    }
}

/// Gradient flow at infinite width.
#[pyclass(frozen, module = "expnet")]
pub struct GradientFlow(theory::GradientFlow);

#[pymethods]
impl GradientFlow {
    /// The fit at time t, which may be inf.
    fn at(&self, py: Python<'_>, t: f64) -> PyResult<Fit> {
        supervised(py, |_| self.0.at(t)).map(Fit)
    }

    /// The norm of the residual at time t.
    fn residual_norm(&self, t: f64) -> PyResult<f64> {
        self.0.residual_norm(t).map_err(exception)
    }

    /// The eigenvalues of the kernel. A copy.
    #[getter]
    fn eigenvalues<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        vector(py, self.0.spectrum().eigenvalues().clone())
    }

    /// The covariance of trained networks at k points and time t, shape (k, k).
    fn ensemble_covariance<'py>(&self, py: Python<'py>, t: f64, points: Points) -> Matrix<'py> {
        let covariance: DMatrix<f64> = supervised(py, |_| self.0.ensemble_covariance(t, &points.0))?;
        rows(py, covariance)
    }
}

/// Gradient descent at infinite width.
#[pyclass(frozen, module = "expnet")]
pub struct GradientSteps(theory::GradientSteps);

#[pymethods]
impl GradientSteps {
    /// The fit after this many steps.
    fn at(&self, py: Python<'_>, steps: usize) -> PyResult<Fit> {
        supervised(py, |_| self.0.at(steps)).map(Fit)
    }

    /// The norm of the residual after this many steps.
    fn residual_norm(&self, steps: usize) -> PyResult<f64> {
        self.0.residual_norm(steps).map_err(exception)
    }

    /// Steps must be shorter than this.
    #[getter]
    fn max_step_size(&self) -> f64 {
        self.0.max_step_size()
    }

    /// The eigenvalues of the kernel. A copy.
    #[getter]
    fn eigenvalues<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        vector(py, self.0.spectrum().eigenvalues().clone())
    }
}

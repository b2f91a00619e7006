//! Proofs of convergence.

use crate::arrays::{Points, Vector, dataset};
use crate::bridge::supervised;
use crate::error::refused;
use crate::network::Network;
use expnet::certificate::{self as theory, Certifier, Effort};
use pyo3::prelude::*;

/// What can be proved about gradient descent from a network: a step size, a rate, and bounds; or which inequality fails.
#[pyclass(frozen, module = "expnet")]
pub struct Certificate(pub theory::Certificate);

#[pymethods]
impl Certificate {
    /// Whether convergence is proved.
    #[getter]
    fn holds(&self) -> bool {
        self.0.holds()
    }

    /// The theorem, by name.
    #[getter]
    fn theorem(&self) -> String {
        self.0.theorem().to_string()
    }

    /// The step size that all promises are about.
    #[getter]
    fn step_size(&self) -> f64 {
        self.0.step_size()
    }

    /// The largest step size for which convergence is proved.
    #[getter]
    fn max_step_size(&self) -> f64 {
        self.0.max_step_size()
    }

    /// The residual shrinks by at least this fraction in each step.
    #[getter]
    fn rate(&self) -> f64 {
        self.0.rate()
    }

    /// No neuron moves further than this.
    #[getter]
    fn radius(&self) -> f64 {
        self.0.radius()
    }

    /// The smallest eigenvalue of the tangent Gram matrix at the start.
    #[getter]
    fn lambda_min(&self) -> f64 {
        self.0.lambda_min()
    }

    /// The largest eigenvalue of the tangent Gram matrix at the start.
    #[getter]
    fn lambda_max(&self) -> f64 {
        self.0.lambda_max()
    }

    /// The inequality that decides, in words.
    #[getter]
    fn decisive(&self) -> String {
        self.0.decisive().to_string()
    }

    /// What the residual is at most after t steps.
    fn residual_bound(&self, steps: usize) -> f64 {
        self.0.residual_bound(steps)
    }

    /// The steps after which the residual is at most `tolerance`.
    fn steps_to(&self, tolerance: f64) -> u64 {
        self.0.steps_to(tolerance)
    }

    fn __bool__(&self) -> bool {
        self.0.holds()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<expnet.Certificate holds={} theorem={}>", self.holds(), self.theorem())
    }
}

/// What can be proved about Gauss-Newton from a network.
#[pyclass(frozen, module = "expnet")]
pub struct NewtonCertificate(theory::NewtonCertificate);

#[pymethods]
impl NewtonCertificate {
    /// Whether convergence is proved.
    #[getter]
    fn holds(&self) -> bool {
        self.0.holds()
    }

    /// The theorem, by name.
    #[getter]
    fn theorem(&self) -> String {
        self.0.theorem().to_string()
    }

    /// The inequality that decides, in words.
    #[getter]
    fn decisive(&self) -> String {
        self.0.decisive().to_string()
    }

    /// What the residual is at most after t steps.
    fn residual_bound(&self, steps: usize) -> f64 {
        self.0.residual_bound(steps)
    }

    /// The steps after which the residual is at most `tolerance`.
    fn steps_to(&self, tolerance: f64) -> u64 {
        self.0.steps_to(tolerance)
    }

    fn __bool__(&self) -> bool {
        self.0.holds()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// A proof of convergence that was found along a run.
#[pyclass(frozen, module = "expnet")]
pub struct Proof(pub theory::Proof);

#[pymethods]
impl Proof {
    /// The number of steps after which convergence was proved.
    #[getter]
    fn step(&self) -> usize {
        self.0.step()
    }

    /// The step size of the run, which the proof is about.
    #[getter]
    fn step_size(&self) -> f64 {
        self.0.step_size()
    }

    /// Whether the proof extends to the weights that were drawn.
    #[getter]
    #[allow(clippy::wrong_self_convention, reason = "the crate's name for it")]
    fn from_start(&self) -> bool {
        self.0.from_start()
    }

    /// What is proved from the weights of that step.
    #[getter]
    fn certificate(&self) -> Certificate {
        Certificate(self.0.certificate().clone())
    }

    /// The steps, counted from the proof, after which the residual is at most `tolerance`.
    fn steps_to(&self, tolerance: f64) -> u64 {
        self.0.steps_to(tolerance)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// The effort by name.
pub fn effort(name: Option<&str>) -> PyResult<Effort> {
    match name {
        None | Some("auto") => Ok(Effort::Auto),
        Some("basic") => Ok(Effort::Basic),
        Some("full") => Ok(Effort::Full),
        Some(other) => Err(refused(format!(
            "effort is {other:?}; it must be \"auto\", \"basic\" or \"full\""
        ))),
    }
}

/// Tries to prove that gradient descent from `network` converges: with the best step size, or with the one given.
#[pyfunction]
#[pyo3(signature = (network, points, labels, *, step_size = None, effort = None))]
pub fn certify(
    py: Python<'_>,
    network: &Bound<'_, Network>,
    points: Points,
    labels: Vector,
    step_size: Option<f64>,
    effort: Option<&str>,
) -> PyResult<Certificate> {
    let certifier = Certifier::new(self::effort(effort)?);
    let (net, data) = (&network.get().0, dataset(points, labels, None)?);
    supervised(py, |_| match step_size {
        None => certifier.certify(net, &data),
        Some(size) => certifier.certify_at(net, &data, size),
    })
    .map(Certificate)
}

/// Tries to prove that Gauss-Newton from `network` converges; `frozen` reuses the first factor.
#[pyfunction]
#[pyo3(signature = (network, points, labels, *, frozen = false, effort = None))]
pub fn certify_gauss_newton(
    py: Python<'_>,
    network: &Bound<'_, Network>,
    points: Points,
    labels: Vector,
    frozen: bool,
    effort: Option<&str>,
) -> PyResult<NewtonCertificate> {
    let certifier = Certifier::new(self::effort(effort)?);
    let (net, data) = (&network.get().0, dataset(points, labels, None)?);
    supervised(py, |_| {
        if frozen {
            certifier.certify_frozen(net, &data)
        } else {
            certifier.certify_gauss_newton(net, &data)
        }
    })
    .map(NewtonCertificate)
}

//! Which way to step.

use crate::setters::with;
use expnet::method::{self, Adam, GaussNewton, GradientDescent, Lbfgs};
use pyo3::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;

/// Makes a method in its first state, for each run anew.
type Make = dyn Fn() -> Box<dyn method::Method<f64>> + Send + Sync;

/// Which way to step: made by the functions of `expnet.methods`.
#[pyclass(frozen, module = "expnet")]
#[derive(Clone)]
pub struct Method {
    make: Arc<Make>,
    text: String,
}

impl Method {
    fn of(method: impl method::Method<f64> + Clone + Debug + Send + Sync + 'static) -> Self {
        Self {
            text: format!("{method:?}"),
            make: Arc::new(move || Box::new(method.clone())),
        }
    }

    /// A method in its first state.
    pub fn build(&self) -> Box<dyn method::Method<f64>> {
        (self.make)()
    }
}

#[pymethods]
impl Method {
    fn __repr__(&self) -> String {
        format!("<expnet.Method {}>", self.text)
    }
}

/// Gradient descent, with heavy-ball or Nesterov momentum, and with clipping of the gradient's norm.
#[pyfunction]
#[pyo3(signature = (*, momentum = None, nesterov = None, clip_norm = None))]
pub fn gradient_descent(momentum: Option<f64>, nesterov: Option<f64>, clip_norm: Option<f64>) -> Method {
    Method::of(with!(
        GradientDescent::default(),
        momentum(momentum),
        nesterov(nesterov),
        clip_norm(clip_norm)
    ))
}

/// Gradient descent on shuffled batches of `size` samples.
#[pyfunction]
#[pyo3(signature = (size, *, seed = None, momentum = None, nesterov = None, clip_norm = None))]
pub fn minibatch(
    size: usize,
    seed: Option<u64>,
    momentum: Option<f64>,
    nesterov: Option<f64>,
    clip_norm: Option<f64>,
) -> Method {
    Method::of(with!(
        method::Minibatch::new(size),
        seed(seed),
        momentum(momentum),
        nesterov(nesterov),
        clip_norm(clip_norm)
    ))
}

/// Levenberg-Marquardt, which adapts its damping. A number for `damping` fixes it instead.
#[pyfunction]
#[pyo3(signature = (*, ridge = None, initial_damping = None, damping = None))]
pub fn gauss_newton(ridge: Option<f64>, initial_damping: Option<f64>, damping: Option<f64>) -> Method {
    Method::of(with!(
        GaussNewton::default(),
        ridge(ridge),
        initial_damping(initial_damping),
        damping(damping)
    ))
}

/// Gauss-Newton that reuses one factor, usually for the whole run.
#[pyfunction]
#[pyo3(signature = (*, ridge = None, damping = None))]
pub fn frozen_gauss_newton(ridge: Option<f64>, damping: Option<f64>) -> Method {
    Method::of(with!(GaussNewton::frozen(), ridge(ridge), damping(damping)))
}

/// Gauss-Newton by conjugate gradients, for many samples.
#[pyfunction]
#[pyo3(signature = (*, ridge = None, initial_damping = None, damping = None, accuracy = None, max_products = None))]
pub fn matrix_free_gauss_newton(
    ridge: Option<f64>,
    initial_damping: Option<f64>,
    damping: Option<f64>,
    accuracy: Option<f64>,
    max_products: Option<usize>,
) -> Method {
    Method::of(with!(
        GaussNewton::matrix_free(),
        ridge(ridge),
        initial_damping(initial_damping),
        damping(damping),
        accuracy(accuracy),
        max_products(max_products)
    ))
}

/// L-BFGS: the inverse of the Hessian, approximated from the last `memory` steps, times the gradient. The default schedule is
/// `schedules.strong_wolfe()`.
#[pyfunction]
#[pyo3(signature = (*, memory = None))]
pub fn lbfgs(memory: Option<usize>) -> Method {
    Method::of(with!(Lbfgs::default(), memory(memory)))
}

/// Adam, or AdamW with `weight_decay`: the gradient, scaled weight by weight with the size of recent gradients. Every weight
/// moves by about the step size in each step. The default schedule is 1e-3; steps that decay reach smaller residuals.
#[pyfunction]
#[pyo3(signature = (*, beta1 = None, beta2 = None, eps = None, weight_decay = None))]
pub fn adam(beta1: Option<f64>, beta2: Option<f64>, eps: Option<f64>, weight_decay: Option<f64>) -> Method {
    Method::of(with!(
        Adam::default(),
        beta1(beta1),
        beta2(beta2),
        eps(eps),
        weight_decay(weight_decay)
    ))
}

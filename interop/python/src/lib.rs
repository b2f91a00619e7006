//! The compiled half of the Python package `expnet`. The other half, in `python/expnet`, has the classes for scikit-learn, and
//! documents everything.
//!
//! | module | purpose |
//! |---|---|
//! | `arrays` | NumPy's arrays as nalgebra's matrices, and back |
//! | `bridge`, `state` | computations without the interpreter, and schedules that call back into it |
//! | `error` | the crate's errors as exceptions |
//! | `regressor` | fitted regressors |
//! | `network`, `schedule`, `method`, `train`, `report` | training |
//! | `kernel`, `certificate` | theory |
//! | `setters` | optional settings |

mod arrays;
mod bridge;
mod certificate;
mod error;
mod kernel;
mod method;
mod network;
mod regressor;
mod report;
mod schedule;
mod setters;
mod state;
mod train;

use pyo3::prelude::*;

/// The compiled half of `expnet`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::certificate::{Certificate, NewtonCertificate, Proof, certify, certify_gauss_newton};
    #[pymodule_export]
    use super::error::ExpnetError;
    #[pymodule_export]
    use super::kernel::{
        Fit, GradientFlow, GradientSteps, Posterior, Predictor, empirical_cross_kernel, empirical_kernel,
        limit_cross_kernel, limit_kernel,
    };
    #[pymodule_export]
    use super::method::{
        Method, adam, frozen_gauss_newton, gauss_newton, gradient_descent, lbfgs, matrix_free_gauss_newton, minibatch,
    };
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::regressor::{ExpModel, KernelModel};
    #[pymodule_export]
    use super::report::Report;
    #[pymodule_export]
    use super::schedule::{
        Schedule, backtracking, barzilai_borwein, constant, cosine, cyclic, delta_bar_delta, exponential_decay,
        inverse_time, kernel_stable, one_cycle, polyak, polynomial, reduce_on_plateau, step_decay, strong_wolfe,
    };
    #[pymodule_export]
    use super::state::StepState;
    #[pymodule_export]
    use super::train::Settings;
}

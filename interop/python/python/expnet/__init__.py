"""Regressors and training of the over-parameterised exponential network F(W, x) = sum_r a_r exp(<w_r, x>).

=================================  =================================================================================
`ExpRegressor`, `KernelRegressor`  regressors for scikit-learn that choose their settings by themselves
`train`, `Trainer`, `Network`      training with any step size (`schedules`) along any direction (`methods`)
`limit_kernel`, `Predictor`, ...   tangent kernels, and regression with them
`certify`, `Trainer.certify`       proofs of convergence, of a start and along a run
=================================  =================================================================================

Points are arrays of shape (n, d), one point per row; everything is computed in float64, without the GIL, on all threads.
What expnet refuses is an `ExpnetError`, which is a `ValueError`.
"""

from importlib.metadata import version as _version

from . import methods, schedules
from ._core import (
    Certificate,
    ExpnetError,
    Fit,
    GradientFlow,
    GradientSteps,
    Method,
    Network,
    NewtonCertificate,
    Posterior,
    Predictor,
    Proof,
    Report,
    Schedule,
    StepState,
    certify,
    certify_gauss_newton,
    empirical_cross_kernel,
    empirical_kernel,
    limit_cross_kernel,
    limit_kernel,
)
from ._regressors import ExpRegressor, KernelRegressor
from ._training import Run, Trainer, train

__version__ = _version("expnet")

__all__ = [
    "Certificate",
    "ExpRegressor",
    "ExpnetError",
    "Fit",
    "GradientFlow",
    "GradientSteps",
    "KernelRegressor",
    "Method",
    "Network",
    "NewtonCertificate",
    "Posterior",
    "Predictor",
    "Proof",
    "Report",
    "Run",
    "Schedule",
    "StepState",
    "Trainer",
    "certify",
    "certify_gauss_newton",
    "empirical_cross_kernel",
    "empirical_kernel",
    "limit_cross_kernel",
    "limit_kernel",
    "methods",
    "schedules",
    "train",
]

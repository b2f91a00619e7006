"""Which way to step: gradient descent, on all samples or on batches, Gauss-Newton, L-BFGS and Adam."""

from ._core import (
    Method,
    adam,
    frozen_gauss_newton,
    gauss_newton,
    gradient_descent,
    lbfgs,
    matrix_free_gauss_newton,
    minibatch,
)

__all__ = [
    "Method",
    "adam",
    "frozen_gauss_newton",
    "gauss_newton",
    "gradient_descent",
    "lbfgs",
    "matrix_free_gauss_newton",
    "minibatch",
]

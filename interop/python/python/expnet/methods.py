"""Which way to step: gradient descent, on all samples or on batches, and Gauss-Newton."""

from ._core import (
    Method,
    frozen_gauss_newton,
    gauss_newton,
    gradient_descent,
    matrix_free_gauss_newton,
    minibatch,
)

__all__ = [
    "Method",
    "frozen_gauss_newton",
    "gauss_newton",
    "gradient_descent",
    "matrix_free_gauss_newton",
    "minibatch",
]

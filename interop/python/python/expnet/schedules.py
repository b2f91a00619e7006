"""How far to step.

A schedule is a number, a callable that takes a `StepState` and returns a float, or one of the functions here. What they return
has the methods `warmup`, `clamp`, `then` and `scale`, and so has `Schedule(callable)`. Settings that are not given have the
defaults of the Rust crate, whose documentation has the formulas.
"""

from ._core import (
    Schedule,
    backtracking,
    barzilai_borwein,
    constant,
    cosine,
    cyclic,
    delta_bar_delta,
    exponential_decay,
    inverse_time,
    kernel_stable,
    one_cycle,
    polyak,
    polynomial,
    reduce_on_plateau,
    step_decay,
    strong_wolfe,
)

__all__ = [
    "Schedule",
    "backtracking",
    "barzilai_borwein",
    "constant",
    "cosine",
    "cyclic",
    "delta_bar_delta",
    "exponential_decay",
    "inverse_time",
    "kernel_stable",
    "one_cycle",
    "polyak",
    "polynomial",
    "reduce_on_plateau",
    "step_decay",
    "strong_wolfe",
]

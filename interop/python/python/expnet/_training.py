"""Training with any schedule and method."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import ArrayLike

from ._core import Method, Network, Report, Schedule, Settings, StepState

AnySchedule = Union[float, Callable[[StepState], float], Schedule]


class Run(NamedTuple):
    """What came of a run."""

    network: Network
    """The trained network."""
    history: dict[str, np.ndarray]
    """One array per column: step, loss, step_size, validation_loss, seconds, largest_movement, frobenius_movement."""
    report: Report
    """Why the run ended, and what it did; `print` shows a summary."""


class Trainer:
    """Trains networks: a method says which way to step, a schedule how far.

    Parameters
    ----------
    schedule : float, callable or Schedule, optional
        The step size. A callable takes a `StepState` and returns a float; it runs on the calling thread. By default the method's own:
        1 / lambda_max of the tangent kernel for gradient descent, 1 for Gauss-Newton, `strong_wolfe` for L-BFGS, 1e-3
        for Adam.
    method : Method, optional
        The direction, from `expnet.methods`; gradient descent by default.
    max_steps : int, default 1000
        Stops the run after this many steps.
    tolerance : float, default 0
        Stops the run once the norm of the residual is at most this.
    max_time : float, optional
        Stops the run after this many seconds.
    stall : (int, float), optional
        Stops the run when the loss has not fallen by this fraction within this many steps.
    patience : int, default 100
        With validation data: stops the run when their loss has not improved for this many steps.
    record_every : int, default 1
        The history has the start, every so many steps, and the end.
    record_movement : bool, default True
        Whether the history has how far weights have moved, at the cost of one look at them per record.
    checkpoint : (path, int), optional
        Saves the state of the run every so many steps. Not with callables.
    resume : path, optional
        Goes on from a checkpoint, to the same bits as without the interruption.
    """

    def __init__(
        self,
        schedule: AnySchedule | None = None,
        *,
        method: Method | None = None,
        max_steps: int = 1000,
        tolerance: float = 0.0,
        max_time: float | None = None,
        stall: tuple[int, float] | None = None,
        patience: int = 100,
        record_every: int = 1,
        record_movement: bool = True,
        checkpoint: tuple[str | PathLike[str], int] | None = None,
        resume: str | PathLike[str] | None = None,
    ) -> None:
        self._settings: dict = {
            "schedule": schedule,
            "method": method,
            "max_steps": max_steps,
            "tolerance": tolerance,
            "max_time": max_time,
            "stall": stall,
            "patience": patience,
            "record_every": record_every,
            "record_movement": record_movement,
            "checkpoint": checkpoint,
            "resume": resume,
            "certify": None,
        }

    def certify(self, every: int, *, effort: str = "auto", stop: bool = False) -> Trainer:
        """A trainer that also looks for a proof that the run converges; `Report.proof` has it.

        Parameters
        ----------
        every : int
            Looks at steps that are multiples of this.
        effort : {"auto", "basic", "full"}
            How much work a look may cost.
        stop : bool
            Whether the run ends once it is proved.

        Returns
        -------
        Trainer
            A new one; this one is as before.
        """
        trainer = Trainer.__new__(Trainer)
        trainer._settings = self._settings | {"certify": (every, effort, stop)}
        return trainer

    def fit(
        self,
        network: Network,
        points: ArrayLike,
        labels: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Run:
        """Trains a copy of a network.

        Parameters
        ----------
        network : Network
            The start, which is not changed.
        points : array of shape (n, d)
            One point per row, scaled to a length of about 1.
        labels : array of shape (n,)
        sample_weight : array of shape (n,), optional
        validation : (points, labels), optional
            Stops early, and restores the weights with the smallest loss on these.

        Returns
        -------
        Run
            The trained network, the history and the report.

        Raises
        ------
        ExpnetError
            For bad input and settings, and if training diverges.
        """
        return Run(*Settings(**self._settings).fit(network, points, labels, sample_weight, validation))


def train(
    points: ArrayLike,
    labels: ArrayLike,
    width: int,
    schedule: AnySchedule | None = None,
    *,
    std_dev: float = 1.0,
    antisymmetric: bool = True,
    output_scale: float = 1.0,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    certify: int | None = None,
    **settings,
) -> Run:
    """Draws a network and trains it.

    Parameters
    ----------
    points : array of shape (n, d)
        One point per row, scaled to a length of about 1.
    labels : array of shape (n,)
    width : int
        The number of neurons, even for an antisymmetric start.
    schedule : float, callable or Schedule, optional
        As for `Trainer`.
    std_dev : float, default 1
        The standard deviation of the initial weights.
    antisymmetric : bool, default True
        Whether neurons come in pairs whose outputs cancel, so that F = 0 at the start.
    output_scale : float, default 1
        The absolute value of the output weights.
    seed : int, default 0
    sample_weight, validation
        As for `Trainer.fit`.
    certify : int, optional
        As for `Trainer.certify`.
    **settings
        `method`, `max_steps`, `tolerance` and all other settings of `Trainer`.

    Returns
    -------
    Run
        The trained network, the history and the report.
    """
    points = np.asarray(points, dtype=np.float64)
    network = Network.random(
        points.shape[-1] if points.ndim else 0,
        width,
        std_dev=std_dev,
        antisymmetric=antisymmetric,
        output_scale=output_scale,
        seed=seed,
    )
    trainer = Trainer(schedule, **settings)
    if certify is not None:
        trainer = trainer.certify(certify)
    return trainer.fit(network, points, labels, sample_weight=sample_weight, validation=validation)

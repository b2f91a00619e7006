"""Regressors for scikit-learn."""

from __future__ import annotations

import tempfile
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._core import ExpModel, KernelModel, Network, Report


class _Regressor(RegressorMixin, BaseEstimator):
    """What the two regressors share."""

    _Model: type

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None):
        """Chooses the settings and fits.

        Parameters
        ----------
        X : array of shape (n, d)
            Raw data: scaling is part of the fit.
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
            How much each sample counts. A whole number has the effect of copies in training, but the choice of settings
            leaves out one sample with all its copies.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            kept = sample_weight != 0
            if kept.any() and not kept.all():
                X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
            if (sample_weight == 1).all():
                sample_weight = None
        self._model = self._fitted(X, y, sample_weight)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predicts labels.

        Parameters
        ----------
        X : array of shape (k, d)

        Returns
        -------
        array of shape (k,)
        """
        points = self._checked(X)
        return self._model.predict(points)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the fitted regressor as a safetensors file, which `load` reads, here and in Rust.

        The settings of this object are not part of the file. To keep them too, use pickle or joblib.
        """
        check_is_fitted(self)
        self._model.save(path)

    @classmethod
    def load(cls, path: str | PathLike[str]):
        """Reads a fitted regressor that `save` has written, here or in Rust."""
        regressor = cls()
        regressor._model = cls._Model.load(path)
        regressor.n_features_in_ = regressor._model.features
        return regressor

    @property
    def ridge_(self) -> float:
        """The ridge of the fit."""
        check_is_fitted(self)
        return self._model.ridge

    @property
    def length_scales_(self) -> np.ndarray:
        """The length scale of each column, in standard deviations: the longer, the less the column matters."""
        check_is_fitted(self)
        return self._model.length_scales

    @property
    def selection_(self) -> dict:
        """The settings that were compared: arrays beta, round, ridge and mean_square, the index `chosen`, and a `summary`."""
        check_is_fitted(self)
        return self._model.selection

    @property
    def problems_(self) -> list[str]:
        """Problems that did not stop the fit, such as columns that were left out."""
        check_is_fitted(self)
        return self._model.problems

    def __sklearn_is_fitted__(self) -> bool:
        # A fit that failed leaves `n_features_in_` behind.
        return hasattr(self, "_model")

    def _checked(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _seed(self) -> int:
        """The seed itself if it is a number, so that fits are those of Rust."""
        if isinstance(self.random_state, (int, np.integer)):
            return self.random_state
        return int(check_random_state(self.random_state).randint(2**31))

    def _scaling(self) -> tuple:
        return (self.standardise, self.bias, self.unit_sphere, self.scale_labels, self.beta, self.clip)

    def __getstate__(self) -> dict:
        state = dict(super().__getstate__())
        if "_model" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model")
                self._model.save(path)
                state["_model"] = path.read_bytes()
        return state

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        if "_model" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model")
                path.write_bytes(state["_model"])
                state["_model"] = self._Model.load(path)
        super().__setstate__(state)


class ExpRegressor(_Regressor):
    """Exponential network that scales the data and chooses its settings by itself.

    Compares bias coordinates, ridges and length scales of the columns by closed-form leave-one-out errors, and trains a network
    by Gauss-Newton with this ridge, or by gradient descent with early stopping.

    Parameters
    ----------
    width : int, default 1024
        The number of neurons, even.
    std_dev : float, default 1
        The standard deviation of the initial weights; larger is more flexible.
    training : {"ridge", "early_stopping"}
    ridge : float, optional
        The ridge, relative to the tangent kernel; chosen by default.
    length_scales : bool, optional
        Whether to learn a length scale for each column; by default with ridge only.
    validation : float, optional
        The fraction of the data set aside: none with ridge, 0.15 with early stopping.
    patience : int, optional
        Early stopping: how many steps without improvement, 100 by default.
    max_steps : int, optional
        8 with ridge, 1000 with early stopping.
    max_time : float, optional
        Training stops after this many seconds.
    standardise, bias, unit_sphere, scale_labels : bool, default True
        The steps of the scaling.
    beta : float, optional
        The weight of the bias coordinate; chosen by default.
    clip : float or None, default 3
        The largest absolute value of a standardised coordinate.
    random_state : int, RandomState or None, default 0
        The seed; a number gives the same network as in Rust.
    warm_start : bool, default False
        Whether `fit` keeps the settings chosen before and trains on from the network.

    Attributes
    ----------
    n_features_in_ : int
    ridge_ : float
    length_scales_ : array of shape (d,)
    selection_ : dict
    network_ : Network
        Takes scaled points.
    report_ : Report
    history_ : dict of arrays, or None after `load`
    problems_ : list of str

    Examples
    --------
    >>> import numpy as np, expnet
    >>> X = np.random.default_rng(1).uniform(-1, 1, (80, 2))
    >>> y = X[:, 0] ** 2 + np.sin(X[:, 1])
    >>> bool(expnet.ExpRegressor().fit(X[:60], y[:60]).score(X[60:], y[60:]) > 0.99)
    True
    """

    _Model = ExpModel

    def __init__(
        self,
        width=1024,
        *,
        std_dev=1.0,
        training="ridge",
        ridge=None,
        length_scales=None,
        validation=None,
        patience=None,
        max_steps=None,
        max_time=None,
        standardise=True,
        bias=True,
        unit_sphere=True,
        scale_labels=True,
        beta=None,
        clip=3.0,
        random_state=0,
        warm_start=False,
    ):
        self.width = width
        self.std_dev = std_dev
        self.training = training
        self.ridge = ridge
        self.length_scales = length_scales
        self.validation = validation
        self.patience = patience
        self.max_steps = max_steps
        self.max_time = max_time
        self.standardise = standardise
        self.bias = bias
        self.unit_sphere = unit_sphere
        self.scale_labels = scale_labels
        self.beta = beta
        self.clip = clip
        self.random_state = random_state
        self.warm_start = warm_start

    def _fitted(self, X, y, sample_weight):
        earlier = getattr(self, "_model", None) if self.warm_start else None
        # With a ridge the settings are those of the earlier model: validation data would decide nothing.
        kept = earlier is not None and self.training == "ridge"
        return ExpModel.fit(
            X,
            y,
            sample_weight,
            width=self.width,
            std_dev=self.std_dev,
            seed=self._seed(),
            training=self.training,
            ridge=self.ridge,
            length_scales=self.length_scales,
            validation=None if kept else self.validation,
            patience=self.patience,
            max_steps=self.max_steps,
            max_time=self.max_time,
            scaling=self._scaling(),
            earlier=earlier,
        )

    @property
    def network_(self) -> Network:
        """The fitted network, which takes scaled points. A copy."""
        check_is_fitted(self)
        return self._model.network

    @property
    def report_(self) -> Report:
        """The report of training, in scaled units."""
        check_is_fitted(self)
        return self._model.report

    @property
    def history_(self) -> dict[str, np.ndarray] | None:
        """The history of training, in scaled units; None in a regressor that was loaded or unpickled."""
        check_is_fitted(self)
        return self._model.history


class KernelRegressor(_Regressor):
    """The exponential network of infinite width: a Gaussian process that chooses its settings by itself.

    Parameters
    ----------
    std_dev : float, default 1
        The standard deviation of the kernel; larger is more flexible.
    ridge : float, optional
        The ridge; chosen by default.
    length_scales : bool, default True
        Whether to learn a length scale for each column.
    standardise, bias, unit_sphere, scale_labels : bool, default True
        The steps of the scaling.
    beta : float, optional
        The weight of the bias coordinate; chosen by default.
    clip : float or None, default 3
        The largest absolute value of a standardised coordinate.
    random_state : int, RandomState or None, default 0
        The seed of the centres for more than 4096 samples.

    Attributes
    ----------
    n_features_in_ : int
    ridge_ : float
    length_scales_ : array of shape (d,)
    selection_ : dict
    problems_ : list of str

    Examples
    --------
    >>> import numpy as np, expnet
    >>> X = np.linspace(0, 6, 60)[:, None]
    >>> y = np.sin(X[:, 0]) + 0.1 * np.sin(np.arange(60) ** 2)
    >>> mean, std = expnet.KernelRegressor().fit(X, y).predict([[3.0], [30.0]], return_std=True)
    >>> bool(std[1] > std[0])
    True
    """

    _Model = KernelModel

    def __init__(
        self,
        *,
        std_dev=1.0,
        ridge=None,
        length_scales=True,
        standardise=True,
        bias=True,
        unit_sphere=True,
        scale_labels=True,
        beta=None,
        clip=3.0,
        random_state=0,
    ):
        self.std_dev = std_dev
        self.ridge = ridge
        self.length_scales = length_scales
        self.standardise = standardise
        self.bias = bias
        self.unit_sphere = unit_sphere
        self.scale_labels = scale_labels
        self.beta = beta
        self.clip = clip
        self.random_state = random_state

    def _fitted(self, X, y, sample_weight):
        return KernelModel.fit(
            X,
            y,
            sample_weight,
            std_dev=self.std_dev,
            seed=self._seed(),
            ridge=self.ridge,
            length_scales=self.length_scales,
            scaling=self._scaling(),
        )

    def predict(self, X: ArrayLike, return_std: bool = False):
        """Predicts labels, with standard deviations if asked for.

        Parameters
        ----------
        X : array of shape (k, d)
        return_std : bool, default False

        Returns
        -------
        array of shape (k,), or two of them
            The predictions, and the standard deviation of a label about each.
        """
        return self.predict_with_std(X) if return_std else super().predict(X)

    def predict_with_std(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Predictions, and the standard deviation of a label about each. About 90% of labels lie within 1.645 of these."""
        points = self._checked(X)
        return self._model.predict_with_std(points)

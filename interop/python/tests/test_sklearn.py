"""The regressors are scikit-learn's."""

import pickle

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from expnet import ExpnetError, ExpRegressor, KernelRegressor

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "settings are chosen by leaving out one sample with all its copies, "
    "and scaling is that of the samples, as in RidgeCV and StandardScaler"
}


@pytest.mark.parametrize("regressor", [ExpRegressor(width=64), KernelRegressor()])
def test_check_estimator(regressor):
    results = check_estimator(regressor, expected_failed_checks=EXPECTED, on_skip=None)
    assert len(results) > 50
    assert {result["check_name"] for result in results if result["status"] == "xfail"} <= set(EXPECTED)
    assert all(result["status"] in ("passed", "skipped", "xfail") for result in results)


@pytest.mark.parametrize("Regressor", [ExpRegressor, KernelRegressor])
def test_whole_weights_are_copies_where_nothing_is_chosen(Regressor, smooth):
    X, y = smooth
    weights = np.random.default_rng(2).integers(0, 4, len(y))
    given = dict(ridge=0.1, length_scales=False, standardise=False, scale_labels=False, beta=1.0)
    if Regressor is ExpRegressor:
        given["max_steps"] = 3
    weighted = Regressor(**given).fit(X, y, sample_weight=weights).predict(X)
    copied = Regressor(**given).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights)).predict(X)
    assert np.abs(weighted - copied).max() < 1e-6
    assert np.abs(weighted - Regressor(**given).fit(X, y).predict(X)).max() > 1e-4


def test_in_the_company_of_others(smooth):
    X, y = smooth
    pipeline = make_pipeline(StandardScaler(), KernelRegressor())
    assert cross_val_score(pipeline, X, y, cv=4).min() > 0.98
    search = GridSearchCV(ExpRegressor(width=64), {"std_dev": [0.5, 1.0]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.95


def test_settings(smooth):
    regressor = ExpRegressor(256, ridge=1e-3, random_state=5)
    assert regressor.get_params()["width"] == 256
    assert clone(regressor).set_params(width=32).fit(*smooth).network_.width == 32
    assert regressor.fit(*smooth).ridge_ == 1e-3
    with pytest.raises(ExpnetError, match="width"):
        ExpRegressor(width=33).fit(*smooth)
    with pytest.raises(ExpnetError, match='it must be "ridge" or "early_stopping"'):
        ExpRegressor(training="boosting").fit(*smooth)
    with pytest.raises(ExpnetError, match="patience"):
        ExpRegressor(patience=3).fit(*smooth)


def test_what_is_fitted(smooth):
    X, y = smooth
    model = ExpRegressor(width=128).fit(np.column_stack([X, np.ones(len(X))]), y)
    assert model.n_features_in_ == 3 and model.length_scales_.shape == (3,)
    assert model.network_.width == 128
    assert "column" in model.problems_[0] or "coordinate" in model.problems_[0]
    table = model.selection_
    assert table["mean_square"][table["chosen"]] == table["mean_square"].min()
    assert "leave-one-out" in table["summary"]
    assert model.history_["step"][-1] == model.report_.steps > 0
    assert model.report_.loss < model.report_.initial_loss
    failed = ExpRegressor(width=3)
    with pytest.raises(ValueError):
        failed.fit(X, y)
    for unfitted in [ExpRegressor(), failed]:
        with pytest.raises(NotFittedError):
            unfitted.ridge_
        with pytest.raises(NotFittedError):
            unfitted.predict(X)


def test_early_stopping_and_warm_start(smooth):
    stopped = ExpRegressor(width=128, training="early_stopping", max_steps=60).fit(*smooth)
    assert stopped.report_.validation_loss is not None
    model = ExpRegressor(width=64, warm_start=True, ridge=1e-4, max_steps=1)
    first = model.fit(*smooth).report_
    assert model.fit(*smooth).report_.initial_loss == pytest.approx(first.loss)
    # Validation data decide about the settings of the first fit, which the second keeps.
    ExpRegressor(width=64, warm_start=True, validation=0.2, max_steps=1).fit(*smooth).fit(*smooth)


@pytest.mark.parametrize("Regressor", [ExpRegressor, KernelRegressor])
def test_files_and_pickles(Regressor, smooth, tmp_path):
    X, y = smooth
    model = Regressor().fit(X, y)
    predicted = model.predict(X)
    model.save(tmp_path / "model")
    loaded = Regressor.load(tmp_path / "model")
    assert loaded.n_features_in_ == 2
    assert (loaded.predict(X) == predicted).all()
    assert (pickle.loads(pickle.dumps(model)).predict(X) == predicted).all()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Regressor.load(tmp_path / "nowhere")
    (tmp_path / "damaged").write_bytes(b"not a model")
    with pytest.raises(ExpnetError, match="damaged"):
        Regressor.load(tmp_path / "damaged")


def test_standard_deviations(smooth):
    X, y = smooth
    y = y + 0.2 * np.random.default_rng(3).normal(size=len(y))
    model = KernelRegressor().fit(X[:60], y[:60])
    mean, std = model.predict(X[60:], return_std=True)
    assert (mean == model.predict(X[60:])).all() or np.allclose(mean, model.predict(X[60:]), rtol=1e-12)
    assert 0.1 < std.mean() < 0.4
    assert (np.abs(mean - y[60:]) < 1.645 * std).mean() > 0.7


def test_names_of_columns(smooth):
    X, y = smooth
    frame = pandas.DataFrame(X, columns=["a", "b"])
    model = KernelRegressor().fit(frame, y)
    assert list(model.feature_names_in_) == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a"]])

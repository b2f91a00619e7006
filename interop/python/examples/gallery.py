"""Two pictures of expnet's documentation, drawn from Python.

    pip install './interop/python[gallery]'
    python interop/python/examples/gallery.py            # draws wine.png and width.png in the current folder
    python interop/python/examples/gallery.py --full     # more samples and problems, as in docs/README.md
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from expnet import ExpnetError, ExpRegressor, KernelRegressor, Network, Trainer

DATA = Path(__file__).parents[3] / "examples" / "data" / "winequality-red.csv"
NINETY_PERCENT = 1.645
DIMENSION = 16
TOLERANCE = 0.1
MAX_STEPS = 2000


def wine(path):
    """The choice of settings, and predicted against actual quality of some test wines."""
    table = np.genfromtxt(DATA, delimiter=",", skip_header=1)
    X, X_test, y, y_test = train_test_split(table[:, :-1], table[:, -1], train_size=0.8, random_state=1)
    network, kernel, linear = (model.fit(X, y) for model in (ExpRegressor(), KernelRegressor(), LinearRegression()))
    print(network.selection_["summary"], network.report_, sep="\n\n")
    scores = {}
    for name, model in [("exponential network", network), ("infinite width", kernel), ("least squares", linear)]:
        scores[name] = model.score(X_test, y_test)
        print(f"{name:20}  R² {model.score(X, y):.3f} on train, {scores[name]:.3f} on test")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2), layout="constrained")
    tried = network.selection_
    errors, chosen = np.sqrt(tried["mean_square"]), tried["chosen"]
    names = [f"β = {b:g}" if r == 0 else f"lengths {r}" for b, r in zip(tried["beta"], tried["round"])]
    left.plot(errors, "o-", color="tab:blue", label="tried")
    left.plot(chosen, errors[chosen], "o", color="tab:orange", markersize=9, label="chosen")
    left.set(title="Choice of settings", ylabel="leave-one-out RMSE / std of quality")
    left.set_xticks(range(len(names)), names, rotation=45)

    mean, std = kernel.predict(X_test[::5], return_std=True)
    actual = y_test[::5] + np.random.default_rng(0).uniform(-0.4, 0.4, len(mean))
    right.errorbar(actual, mean, NINETY_PERCENT * std, fmt=".", ecolor="lightsteelblue", label="test wines, 90% intervals")
    right.plot([3, 8], [3, 8], color="grey", label="predicted = actual")
    right.set(title="Prediction at infinite width", xlabel="actual quality", ylabel="predicted quality")
    for panel in (left, right):
        panel.legend()
    figure.savefig(path, dpi=130)
    return scores


def problem(samples, number):
    """Points uniform on the sphere of R^16 and labels +-1."""
    random = np.random.default_rng([samples, number])
    points = random.normal(size=(samples, DIMENSION))
    return points / np.linalg.norm(points, axis=1, keepdims=True), random.choice([-1.0, 1.0], samples)


def solved(samples, width, number, antisymmetric, proof=False):
    """Whether gradient descent reaches the tolerance in 2000 steps, or with `proof`, whether it is proved to converge."""
    start = Network.random(DIMENSION, width, antisymmetric=antisymmetric, seed=1000 * samples + number)
    trainer = Trainer(max_steps=MAX_STEPS, tolerance=0.0 if proof else TOLERANCE, record_every=0, record_movement=False)
    if proof:
        trainer = trainer.certify(25, effort="basic", stop=True)
    try:
        report = trainer.fit(start, *problem(samples, number)).report
    except ExpnetError as error:
        assert "diverged" in str(error), error
        return False
    return report.termination == ("proved" if proof else "converged")


def width(path, full):
    """The share of random problems that gradient descent solves, by samples and width."""
    sizes, problems = ([16, 23, 32, 45, 64, 91, 128], 20) if full else ([16, 32, 64], 10)
    widths = 2 ** np.arange(1, 8)

    def shares(**kind):
        share = [[np.mean([solved(n, m, k, **kind) for k in range(problems)]) for n in sizes] for m in widths]
        return np.array(share)

    kinds = {
        "antisymmetric": shares(antisymmetric=True),
        "random signs": shares(antisymmetric=False),
        "proved, along the run": shares(antisymmetric=True, proof=True),
    }
    figure, panels = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    smallest = {}
    for panel, (name, share) in zip(panels, kinds.items()):
        image = panel.imshow(share, origin="lower", cmap="Blues", vmin=0, vmax=1, aspect="auto")
        panel.set(title=f"share solved, {name}" if "proved" not in name else f"share {name}", xlabel="samples n")
        panel.set_xticks(range(len(sizes)), sizes)
        panel.set_yticks(range(len(widths)), widths)
        # The smallest width from which on nine of ten are solved.
        enough = [[(share[i:, k] >= 0.9).all() for i in range(len(widths))] for k in range(len(sizes))]
        smallest[name] = [int(widths[e.index(True)]) if True in e else None for e in enough]
        rows = [e.index(True) if True in e else np.nan for e in enough]
        panel.plot(range(len(sizes)), rows, "o-", color="tab:red", label="m*: nine of ten")
        panel.legend(loc="upper left")
        print(f"{name:22} m* = {dict(zip(sizes, smallest[name]))}")
    panels[0].set_ylabel("width m")
    figure.colorbar(image, ax=panels)
    figure.savefig(path, dpi=130)
    return smallest


if __name__ == "__main__":
    wine("wine.png")
    width("width.png", "--full" in sys.argv[1:])

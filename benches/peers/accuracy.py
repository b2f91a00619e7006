"""Peers for benches/accuracy.rs: tuned regressors of scikit-learn on one split.

usage: accuracy.py TRAIN.csv TEST.csv      CSV with a header; the label is the column `target`
  ridge: RidgeCV; KRR: KernelRidge (RBF), grid over alpha and gamma; GP: GaussianProcessRegressor (RBF + noise);
  MLP: MLPRegressor with early stopping, grid over alpha; forest: RandomForestRegressor, 300 trees
All but the forest on standardised columns, with standardised labels.
Prints: test R2 of each, then the seconds of each fit.
"""
import sys, time, warnings
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")


def read(path):
    header = open(path).readline().strip().split(",")
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    label = header.index("target")
    return np.delete(table, label, axis=1), table[:, label]


(x, y), (xt, yt) = read(sys.argv[1]), read(sys.argv[2])
d = x.shape[1]
gammas = np.logspace(-2.5, 1, 8) / d
peers = [
    RidgeCV(np.logspace(-4, 4, 33)),
    GridSearchCV(KernelRidge(kernel="rbf"), {"alpha": np.logspace(-5, 1, 7), "gamma": gammas}, cv=5),
    GaussianProcessRegressor(ConstantKernel(1.0) * RBF(np.sqrt(d)) + WhiteKernel(0.1)),
    GridSearchCV(MLPRegressor(hidden_layer_sizes=(100,), early_stopping=True, max_iter=1000, random_state=0),
                 {"alpha": [1e-4, 1e-2, 1.0]}, cv=5),
]
models = [make_pipeline(StandardScaler(), TransformedTargetRegressor(peer, transformer=StandardScaler())) for peer in peers]
models.append(RandomForestRegressor(300, random_state=0))
scores, seconds = [], []
for model in models:
    start = time.perf_counter()
    model.fit(x, y)
    seconds.append(time.perf_counter() - start)
    scores.append(model.score(xt, yt))
print(*scores, *seconds)

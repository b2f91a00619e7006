"""Training with tangent kernels, in numpy, for tests/all/kernel/training_data.rs.

python3 kernel_training.py > kernel_training.json      (needs numpy and scipy; a second)

As in neural-tangents (predict.gradient_descent_mse, predict.gradient_descent_mse_ensemble, predict.gp_inference,
empirical.linearize), each formula in its own form: Jacobians as explicit matrices, matrix exponentials by scipy.linalg.expm,
steps one by one, inverses by numpy.linalg.solve. Inputs are shortest round-trip doubles.

    Theta(x, x') = <x, x'> exp(s^2 ||x + x'||^2 / 2)          C(x, x') = exp(s^2 ||x + x'||^2 / 2)
    H(x, x')     = J(x) J(x')^T / m,                          J(x)_r = a_r exp(<w_r, x>) x
    flow         f_t(x*) = Theta* Theta^-1 (I - expm(-t Theta)) y
    descent      f <- f - eta Theta(., X) (f(X) - y), step by step
    posterior    Theta* (Theta + l I)^-1 y,  Theta** - Theta* (Theta + l I)^-1 Theta*^T
    ensemble     C** - B C* - (B C*)^T + B C B^T,             B = Theta* Theta^-1 (I - expm(-t Theta))
    linearised   W <- W - (eta/m) J^T (f_lin(W, X) - y), step by step; flow: W_0 - J^T G^-1 (I - expm(-s G)) (F_0 - y)
"""
import json

import numpy as np
from scipy.linalg import expm

n, d, k, m = 6, 3, 4, 9
sigma, ridge, time, eta, steps = 0.6, 0.07, 0.8, 0.11, 7
rows = lambda count, shift: np.array([[np.sin(shift + i * d + c + 0.37 * i * c) for c in range(d)] for i in range(count)])
X, Z = rows(n, 1.0), rows(k, 50.0)
y = np.array([np.cos(2 * i) + 0.5 for i in range(n)])
W = np.array([[0.8 * np.sin(0.7 * (r * d + c) + 0.3 * r * c) for c in range(d)] for r in range(m)])
a = np.array([(1.0 if r % 3 else -1.0) * (1 + 0.1 * r) for r in range(m)])

squares = lambda A, B: ((A[:, None, :] + B[None, :, :]) ** 2).sum(-1)
C = lambda A, B: np.exp(sigma**2 * squares(A, B) / 2)
Theta = lambda A, B: (A @ B.T) * C(A, B)
J = lambda A: ((a * np.exp(A @ W.T))[:, :, None] * A[:, None, :]).reshape(len(A), -1)
F = lambda A: np.exp(A @ W.T) @ a
I = np.eye(n)


def descend(on_train, on_new, f_train, f_new):
    for _ in range(steps):
        e = f_train - y
        f_train, f_new = f_train - eta * on_train @ e, f_new - eta * on_new @ e
    return f_train, f_new


def posterior(K, cross, prior):
    A = np.linalg.solve(K + ridge * I, cross.T)
    return {"mean": (A.T @ y).tolist(), "covariance": (prior - cross @ A).tolist()}


def ensemble(B):
    mixed = B @ C(X, Z)
    return (C(Z, Z) - mixed - mixed.T + B @ C(X, X) @ B.T).tolist()


K, cross, G = Theta(X, X), Theta(Z, X), J(X) @ J(X).T
filled = lambda K, t: np.linalg.solve(K, I - expm(-t * K))
powers = cross @ np.linalg.solve(K, I - np.linalg.matrix_power(I - eta * K, steps))
V = W.copy().reshape(-1)
for _ in range(steps):
    V = V - eta / m * J(X).T @ (F(X) + J(X) @ (V - W.reshape(-1)) - y)
flow_weights = W.reshape(-1) - J(X).T @ filled(G, time / m) @ (F(X) - y)
residual = lambda t: float(np.linalg.norm(expm(-t * K) @ y))
f_lin = lambda V, A: (F(A) + J(A) @ (V - W.reshape(-1))).tolist()
descended = descend(K, cross, np.zeros(n), np.zeros(k))
offset = descend(K, cross, F(X), F(Z))
print(json.dumps({
    "points": X.tolist(), "others": Z.tolist(), "labels": y.tolist(), "weights": W.tolist(), "output_weights": a.tolist(),
    "std_dev": sigma, "lambda": ridge, "time": time, "eta": eta, "steps": steps,
    "condition": float(np.linalg.cond(K)), "condition_empirical": float(np.linalg.cond(G)),
    "limit_cross": Theta(X, Z).tolist(), "empirical_cross": (J(X) @ J(Z).T / m).tolist(),
    "conjugate": C(X, X).tolist(), "conjugate_cross": C(X, Z).tolist(),
    "flow": {"predictions": (cross @ filled(K, time) @ y).tolist(), "residual_norm": residual(time),
             "ensemble": ensemble(cross @ filled(K, time))},
    "descent": {"predictions": descended[1].tolist(), "residual_norm": float(np.linalg.norm(descended[0] - y)),
                "ensemble": ensemble(powers), "max_step_size": float(2 / np.linalg.eigvalsh(K)[-1])},
    "descent_from_network": {"initial": F(X).tolist(), "initial_others": F(Z).tolist(),
                             "predictions": offset[1].tolist()},
    "posterior": posterior(K, cross, Theta(Z, Z)),
    "posterior_conjugate": posterior(C(X, X), C(Z, X), C(Z, Z)),
    "linearised_descent": {"weights": V.reshape(m, d).tolist(), "predictions": f_lin(V, Z)},
    "linearised_flow": {"weights": flow_weights.reshape(m, d).tolist(), "predictions": f_lin(flow_weights, Z)},
}, indent=1))

"""Regression with the limit kernel at 60 digits, for tests/all/kernel/predictor.

python3 kernel_regression.py > kernel_regression.json      (needs mpmath; a second)

K_ij = <x_i, x_j> exp(sigma^2 ||x_i + x_j||^2 / 2); ridge: f = K* (K + lambda I)^-1 y; flow at time t:
f = K* K^-1 (I - exp(-t K)) y, by the eigenvalues of K. Inputs are shortest round-trip doubles, taken as exact.
"""
import json
import math

from mpmath import diag, expm1, exp, eye, inf, lu_solve, matrix, mp, mpf, eigsy, nstr

mp.dps = 60
n, d, k = 7, 3, 4
sigma, ridges, times = 0.7, [0.05, 3.0], [0.25, 20.0, 1e3]
rows = lambda count, shift: [[math.sin(shift + i * d + c + 0.37 * i * c) for c in range(d)] for i in range(count)]
points, others = rows(n, 1.0), rows(k, 50.0)
labels = [math.cos(2 * i) + 0.5 for i in range(n)]


def kernel(a, b):
    entry = lambda x, y: sum(mpf(p) * mpf(q) for p, q in zip(x, y)) * exp(
        mpf(sigma) ** 2 * sum((mpf(p) + mpf(q)) ** 2 for p, q in zip(x, y)) / 2
    )
    return matrix([[entry(x, y) for y in b] for x in a])


K, cross, y = kernel(points, points), kernel(others, points), matrix([mpf(v) for v in labels])
values, vectors = eigsy(K)


def flow(t):
    factors = [1 / v if t == inf else -expm1(-mpf(t) * v) / v for v in values]
    return cross * (vectors * (diag(factors) * (vectors.T * y)))


digits = lambda v: [nstr(x, 25, strip_zeros=False) for x in v]
print(json.dumps({
    "std_dev": sigma, "points": points, "labels": labels, "others": others,
    "condition": nstr(max(values) / min(values), 6),
    "ridge": [{"lambda": r, "predictions": digits(cross * lu_solve(K + mpf(r) * eye(n), y))} for r in ridges],
    "flow": [{"time": t, "predictions": digits(flow(t))} for t in times],
    "interpolation": digits(flow(inf)),
}, indent=1))

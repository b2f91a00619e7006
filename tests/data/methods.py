"""Runs of Adam and L-BFGS as optax computes them, for `tests/all/methods/optax.rs`.

    python3 methods.py > methods.json

Needs optax and jax; the table that is here was made with optax 0.2.8, jax 0.10.2, Python 3.11. Everything is computed in
double precision.
"""
import json
import sys

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
import optax

N, D, M = 6, 3, 8
POINTS = np.array([[np.sin(1 + 2 * k + 3 * i + k * i) / np.sqrt(D) for i in range(N)] for k in range(D)])
LABELS = np.cos(np.arange(N))
START = np.array([[0.5 * np.sin(1 + 2 * k + 3 * r) for r in range(M)] for k in range(D)])
SIGNS = np.array([1.0 if r % 2 == 0 else -1.0 for r in range(M)])


def outputs(w):
    return jnp.exp(POINTS.T @ w) @ SIGNS


def loss(w):
    return 0.5 * jnp.sum((outputs(w) - LABELS) ** 2)


def cauchy(w):
    """The minimiser of the linearised loss along the gradient."""
    g = jax.grad(loss)(w)
    image = jax.jvp(outputs, (w,), (g,))[1]
    return float(jnp.vdot(g, g) / jnp.vdot(image, image)), float(jnp.linalg.norm(g))


def run(optimizer, steps):
    w, losses = jnp.asarray(START), []
    state = optimizer.init(w)
    for _ in range(steps):
        value, grad = jax.value_and_grad(loss)(w)
        updates, state = optimizer.update(grad, state, w)
        w = optax.apply_updates(w, updates)
        losses.append(float(loss(w)))
    assert w.dtype == jnp.float64
    return losses, np.asarray(w).T.ravel().tolist()


cases = []


def adam(sizes, b1, b2, eps, decay):
    table = jnp.asarray(sizes)
    optimizer = optax.adamw(lambda t: table[t], b1=b1, b2=b2, eps=eps, weight_decay=decay)
    losses, weights = run(optimizer, len(sizes))
    cases.append(dict(method="Adam", beta1=b1, beta2=b2, eps=eps, decay=decay, sizes=sizes, losses=losses, weights=weights))


adam([0.01] * 30, 0.9, 0.999, 1e-8, 0.0)
adam([0.03 / (1 + 0.1 * t) for t in range(30)], 0.5, 0.9, 1e-3, 0.0)
adam([0.02] * 30, 0.9, 0.99, 1e-8, 0.3)
adam([0.02] * 20, 0.0, 0.0, 1e-2, 0.0)


def lbfgs(sizes, memory):
    tau, norm = cauchy(START)
    # optax scales its first direction by min(1, 1 / ||g||).
    table = jnp.asarray([sizes[0] * tau / min(1.0, 1.0 / norm), *sizes[1:]])
    optimizer = optax.lbfgs(lambda t: table[t], memory_size=memory, linesearch=None)
    losses, weights = run(optimizer, len(sizes))
    cases.append(dict(method="Lbfgs", memory=memory, sizes=sizes, losses=losses, weights=weights))


lbfgs([1.0] * 12, 10)
lbfgs([1.0] * 12, 3)
lbfgs([0.5 + 0.03 * t for t in range(14)], 1)

json.dump(cases, sys.stdout, indent=1)
print()

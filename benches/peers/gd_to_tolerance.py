"""Gradient descent by JAX down to a tolerance, on the problem in a file.

usage: gd_to_tolerance.py FILE n d m step_size tolerance max_steps runs
FILE holds f64 in this machine's order: points (n x d, a point a row), labels (n), weights (m x d, a neuron a row),
output weights (m). One compiled while-loop does the whole run, and tests ||e|| with the residual that it has anyway;
the residual's gradient is written out (closed) or left to jax.grad (grad), and the faster of the two counts.
Prints: steps, seconds of the best run (compilation left out), seconds of compilation, ||e|| at the end.
"""
import sys, time
import numpy as np
import jax, jax.numpy as jnp
from jax import lax
jax.config.update("jax_enable_x64", True)
file, n, d, m = sys.argv[1], *map(int, sys.argv[2:5])
eta, tolerance, most, runs = float(sys.argv[5]), float(sys.argv[6]), int(sys.argv[7]), int(sys.argv[8])
numbers = np.fromfile(file)
X, y, W0, a = np.split(numbers, np.cumsum([n * d, n, m * d]))
X, W0 = X.reshape(n, d), W0.reshape(m, d)
X, y, W0, a = (jnp.asarray(v) for v in (X, y, W0, a))

def closed(W):
    E = jnp.exp(X @ W.T)
    e = E @ a - y
    return e, ((E * e[:, None]).T @ X) * a[:, None]

def grad(W):
    def loss(W):
        e = jnp.exp(X @ W.T) @ a - y
        return 0.5 * (e @ e), e
    (_, e), g = jax.value_and_grad(loss, has_aux=True)(W)
    return e, g

def run(f):
    def go(state):
        W, _, t = state
        e, g = f(W)
        return W - eta * g, e, t + 1
    # The residual in the state is that before the last step: one step more than needed, which is taken off below.
    def wanted(state):
        _, e, t = state
        return (jnp.sqrt(e @ e) > tolerance) & (t <= most)
    return jax.jit(lambda W: lax.while_loop(wanted, go, (W, jnp.full(n, jnp.inf), 0)))

best = None
for f in (closed, grad):
    start = time.perf_counter()
    compiled = run(f).lower(W0).compile()
    compilation = time.perf_counter() - start
    for _ in range(runs):
        start = time.perf_counter()
        _, e, t = compiled(W0)
        e.block_until_ready()
        steps = int(t) - 1
        seconds = (time.perf_counter() - start) * steps / max(int(t), 1)
        if best is None or seconds < best[1]:
            best = steps, seconds, compilation, float(jnp.sqrt(e @ e))
print(*best)

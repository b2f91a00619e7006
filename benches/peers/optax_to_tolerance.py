"""Adam and L-BFGS by optax down to a tolerance, on the problem in a file.

usage: optax_to_tolerance.py adam|lbfgs FILE n d m step_size tolerance max_steps runs
FILE as in gd_to_tolerance.py. Adam starts with the given step size, which falls to 0 along a cosine over 2000 steps; L-BFGS
has a memory of 10 and optax's own zoom line search. One compiled while-loop does the whole run.
Prints: steps, seconds of the best run (compilation left out), seconds of compilation, ||e|| at the end.
"""
import sys, time
import numpy as np
import jax, jax.numpy as jnp
import optax
from jax import lax
jax.config.update("jax_enable_x64", True)
method, file, n, d, m = *sys.argv[1:3], *map(int, sys.argv[3:6])
eta, tolerance, most, runs = float(sys.argv[6]), float(sys.argv[7]), int(sys.argv[8]), int(sys.argv[9])
numbers = np.fromfile(file)
X, y, W0, a = np.split(numbers, np.cumsum([n * d, n, m * d]))
X, W0 = X.reshape(n, d), W0.reshape(m, d)
X, y, W0, a = (jnp.asarray(v) for v in (X, y, W0, a))

def loss(W):
    e = jnp.exp(X @ W.T) @ a - y
    return 0.5 * (e @ e)

if method == "lbfgs":
    optimiser = optax.lbfgs(memory_size=10)
    value_and_grad = optax.value_and_grad_from_state(loss)
    evaluate = lambda W, state: value_and_grad(W, state=state)
else:
    optimiser = optax.adam(optax.cosine_decay_schedule(eta, 2000))
    evaluate = lambda W, state: jax.value_and_grad(loss)(W)

def go(carry):
    W, state, _, t = carry
    value, gradient = evaluate(W, state)
    extra = dict(value=value, grad=gradient, value_fn=loss) if method == "lbfgs" else {}
    updates, state = optimiser.update(gradient, state, W, **extra)
    return optax.apply_updates(W, updates), state, jnp.sqrt(2 * value), t + 1

# The norm in the state is that before the last step: one step more than needed, which is taken off below.
def wanted(carry):
    return (carry[2] > tolerance) & (carry[3] <= most)

run = jax.jit(lambda W: lax.while_loop(wanted, go, (W, optimiser.init(W), jnp.inf, 0)))
start = time.perf_counter()
compiled = run.lower(W0).compile()
compilation = time.perf_counter() - start
best = None
for _ in range(runs):
    start = time.perf_counter()
    _, _, norm, t = compiled(W0)
    norm.block_until_ready()
    steps = int(t) - 1
    seconds = (time.perf_counter() - start) * steps / max(int(t), 1)
    if best is None or seconds < best[1]:
        best = steps, seconds, compilation, float(norm)
print(*best)

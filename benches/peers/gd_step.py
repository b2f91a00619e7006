"""Peers on the same work: full-batch gradient-descent steps of
F(W,x) = sum_r a_r exp(<w_r,x>), L = 1/2 ||F - y||^2, only W trained.

usage: gd_step.py PEER n d m dtype steps      PEER: numpy | jax | torch | torch-compile
Inputs are closed-form (no RNG), so every peer and this project see the same numbers:
  x_ik = sin(1 + 0.7 i + 1.3 k + 0.37 i k^2) normalised to unit norm; y_i = cos(0.3 i)
  w_kr = sin(0.9 k + 0.37 r); a_r = +1 for even r, -1 for odd r
eta = 1e-3 / m, or the argument after the number of threads. Prints: peer n d m dtype seconds_per_step(median of 5 batches) loss_after
"""
import sys, time, math, statistics
import numpy as np
peer, n, d, m, dtype, steps = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], int(sys.argv[6])
threads = int(sys.argv[7]) if len(sys.argv) > 7 else 2
f = np.float64 if dtype == "f64" else np.float32
i, k, r = np.arange(n), np.arange(d), np.arange(m)
X = np.sin(1 + 0.7 * i[:, None] + 1.3 * k[None, :] + 0.37 * i[:, None] * k[None, :] ** 2); X /= np.linalg.norm(X, axis=1, keepdims=True)
y = np.cos(0.3 * i)
W = np.sin(0.9 * k[None, :] + 0.37 * r[:, None])          # m x d, one neuron a row
a = np.where(r % 2 == 0, 1.0, -1.0)
eta = float(sys.argv[8]) if len(sys.argv) > 8 else 1e-3 / m
X, y, W, a = (np.ascontiguousarray(v, dtype=f) for v in (X, y, W, a))
reps = 5

def report(times, loss):
    print(peer, n, d, m, dtype, f"{statistics.median(times):.6e}", f"{min(times):.6e}", f"{float(loss):.12g}")

if peer == "numpy":
    def batch(W):
        for _ in range(steps):
            E = X @ W.T; np.exp(E, out=E)
            res = E @ a - y
            E *= res[:, None]
            G = E.T @ X; G *= a[:, None]
            W = W - f(eta) * G
        return W
    W1 = batch(W); ts = []
    for _ in range(reps):
        t = time.perf_counter(); W1 = batch(W); ts.append((time.perf_counter() - t) / steps)
    res = np.exp(X @ W1.T) @ a - y
    report(ts, 0.5 * (res @ res))
elif peer == "jax":
    import os
    import jax, jax.numpy as jnp
    from jax import lax
    jax.config.update("jax_enable_x64", True)
    Xj, yj, aj = jnp.asarray(X), jnp.asarray(y), jnp.asarray(a)
    def loss(W):
        res = jnp.exp(Xj @ W.T) @ aj - yj
        return 0.5 * jnp.sum(res * res)
    g = jax.grad(loss)
    @jax.jit
    def batch(W):
        return lax.fori_loop(0, steps, lambda _, W: W - f(eta) * g(W), W)
    Wj = jnp.asarray(W); batch(Wj).block_until_ready(); ts = []
    for _ in range(reps):
        t = time.perf_counter(); W1 = batch(Wj); W1.block_until_ready(); ts.append((time.perf_counter() - t) / steps)
    report(ts, loss(W1))
elif peer in ("torch", "torch-compile"):
    import torch
    torch.set_num_threads(threads)
    Xt, yt, at, W0 = (torch.from_numpy(v) for v in (X, y, a, W))
    def closed(W):
        E = torch.exp(Xt @ W.T)
        res = E @ at - yt
        return W - eta * ((E * res[:, None]).T @ Xt) * at[:, None]
    if peer == "torch-compile":
        closed = torch.compile(closed)
    def batch(W):
        with torch.no_grad():
            for _ in range(steps): W = closed(W)
        return W
    W1 = batch(W0); ts = []
    for _ in range(reps):
        t = time.perf_counter(); W1 = batch(W0); ts.append((time.perf_counter() - t) / steps)
    with torch.no_grad():
        res = torch.exp(Xt @ W1.T) @ at - yt
    report(ts, 0.5 * (res @ res))
elif peer == "torch-autograd":
    import torch
    torch.set_num_threads(threads)
    Xt, yt, at, W0 = (torch.from_numpy(v) for v in (X, y, a, W))
    def batch(W0):
        W = W0.clone().requires_grad_(); opt = torch.optim.SGD([W], lr=eta)
        for _ in range(steps):
            opt.zero_grad(); res = torch.exp(Xt @ W.T) @ at - yt
            L = 0.5 * (res @ res); L.backward(); opt.step()
        return W.detach()
    W1 = batch(W0); ts = []
    for _ in range(reps):
        t = time.perf_counter(); W1 = batch(W0); ts.append((time.perf_counter() - t) / steps)
    with torch.no_grad():
        res = torch.exp(Xt @ W1.T) @ at - yt
    report(ts, 0.5 * (res @ res))

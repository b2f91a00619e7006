"""Values of step-size schedules as optax, JAX and PyTorch compute them, for `tests/all/schedules/formulas.rs`.

    python3 schedules.py > schedules.json

Needs optax, jax and torch; the table that is here was made with optax 0.2.8, jax 0.10.2, torch 2.15.0, Python 3.11.
Everything is computed in double precision.
"""
import json
import sys
import warnings

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
import optax
import torch
from jax.example_libraries.optimizers import inverse_time_decay
from torch.optim import lr_scheduler

warnings.simplefilter("ignore")
FAR = [999, 12_345, 1_000_003]
cases = []


def add(schedule, settings, steps, values, **more):
    values = [float(v) for v in values]
    # Single precision anywhere would show in every value.
    assert any(v != float(np.float32(v)) for v in values), (schedule, settings)
    cases.append({"schedule": schedule, **settings, **more, "steps": list(steps), "values": values})


def of_jax(schedule, settings, f, length, far=True):
    steps = list(range(length)) + (FAR if far else [])
    values = [f(t) for t in steps]
    assert all(jnp.asarray(v).dtype == jnp.float64 for v in values)
    add(schedule, settings, steps, values)


def of_torch(schedule, settings, initial, f, length):
    """The sizes before each of `length` steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=initial)
    scheduler = f(optimizer)
    values = []
    for _ in range(length):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    add(schedule, settings, range(length), values)


for size in [0.1, 1.7e-3, 3.3]:
    of_jax("Constant", {"size": size}, lambda t: jnp.asarray(optax.constant_schedule(size)(t), jnp.float64), 20, False)

for initial, rate, steps, staircase in [(0.1, 0.5, 1, False), (0.3, 1.3, 7, False), (0.3, 1.3, 7, True), (2.1, 0.01, 10, True)]:
    f = inverse_time_decay(initial, steps, rate, staircase)
    of_jax("InverseTime", dict(initial=initial, rate=rate, length=steps, staircase=staircase), lambda t: jnp.asarray(f(t)), 60)

for initial, factor, every in [(0.7, 0.5, 10), (0.1, 0.1, 7), (1.3, 0.93, 1), (0.011, 1.07, 4)]:
    of_torch(
        "StepDecay", dict(initial=initial, factor=factor, every=every), initial,
        lambda o: lr_scheduler.StepLR(o, every, factor), 75,
    )

for initial, rate, steps, begin, staircase, end in [
    (0.7, 0.5, 10, 0, False, None),
    (0.1, 0.31, 7, 12, False, 0.0013),
    (1.3, 0.93, 4, 3, True, None),
    (0.7, 0.3, 9, 5, True, 0.05),
    (0.011, 1.2, 6, 2, False, 0.03),
    (0.011, 1.2, 6, 0, True, 0.033),
]:
    f = optax.exponential_decay(initial, steps, rate, begin, staircase, end)
    of_jax(
        "ExponentialDecay",
        dict(initial=initial, rate=rate, length=steps, begin=begin, staircase=staircase, end=end),
        # JAX gives the initial value back as it is before `begin`.
        lambda t: jnp.asarray(f(t), jnp.float64), 60, far=rate < 1 or end is not None,
    )

for initial, end, power, steps, begin in [
    (1.1, 0.2, 1.0, 10, 0), (0.3, 0.0, 2.0, 17, 5), (0.01, 0.4, 0.5, 23, 3), (0.9, 0.1, 3.7, 1, 4),
]:
    f = optax.polynomial_schedule(initial, end, power, steps, begin)
    of_jax("Polynomial", dict(initial=initial, end=end, power=power, length=steps, begin=begin), lambda t: f(t), 45)

for initial, steps, alpha, exponent in [(1.1, 10, 0.0, 1.0), (0.3, 17, 0.1, 1.0), (0.02, 33, 0.25, 2.0), (0.7, 21, 0.0, 0.7)]:
    f = optax.cosine_decay_schedule(initial, steps, alpha, exponent)
    of_jax("Cosine", dict(initial=initial, length=steps, alpha=alpha, exponent=exponent), lambda t: jnp.asarray(f(t)), 45)

for initial, steps, multiplier, share in [(1.1, 10, 1, 0.0), (0.3, 7, 2, 0.1), (0.02, 3, 3, 0.25), (0.5, 1, 2, 0.05)]:
    of_torch(
        "CosineRestarts", dict(initial=initial, length=steps, multiplier=multiplier, alpha=share), initial,
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, steps, multiplier, eta_min=share * initial), 130,
    )

for peak, steps, share, div, final in [
    (1.1, 100, 0.3, 25.0, 1e4), (0.3, 47, 0.45, 10.0, 100.0), (0.02, 10, 0.25, 3.0, 7.0), (0.7, 33, 0.8, 2.0, 0.3),
]:
    f = optax.cosine_onecycle_schedule(steps, peak, share, div, final)
    of_jax(
        "OneCycle", dict(peak=peak, length=steps, start_share=share, div=div, final_div=final),
        lambda t: jnp.asarray(f(t)), 130,
    )

for base, peak, up, down, mode, gamma in [
    (0.1, 1.3, 4, None, "triangular", 1.0),
    (0.0, 0.7, 5, 3, "triangular", 1.0),
    (0.1, 1.3, 4, None, "triangular2", 1.0),
    (0.01, 0.7, 3, 8, "triangular2", 1.0),
    (0.1, 1.3, 4, None, "exp_range", 0.97),
    (0.01, 0.7, 7, 1, "exp_range", 0.9),
]:
    of_torch(
        "Cyclic", dict(base=base, peak=peak, up=up, down=down, mode=mode, gamma=gamma), base,
        lambda o: lr_scheduler.CyclicLR(o, base, peak, up, down, mode, gamma, cycle_momentum=False), 60,
    )

for peak, warmup, total, alpha, exponent in [(0.7, 10, 50, 0.0, 1.0), (1.3, 7, 31, 0.1, 1.0), (0.02, 1, 20, 0.25, 2.0)]:
    f = optax.warmup_cosine_decay_schedule(0.0, peak, warmup, total, alpha * peak, exponent)
    of_jax(
        "WarmupCosine", dict(peak=peak, warmup=warmup, total=total, alpha=alpha, exponent=exponent),
        lambda t: jnp.asarray(f(t)), 70, far=False,
    )

for first, decay, start, steps, last in [
    (0.7, 0.5, 10, 17, 0.01), (0.3, 0.9, 4, 9, 0.2), (0.05, 0.1, 33, 8, 0.7),
]:
    # Exponential decay, then a cosine, then a constant: two boundaries.
    f = optax.join_schedules(
        [optax.exponential_decay(first, 6, decay), optax.cosine_decay_schedule(2 * first, steps), optax.constant_schedule(last)],
        [start, start + steps + 3],
    )
    of_jax(
        "Then", dict(first=first, decay=decay, start=start, length=steps, last=last),
        lambda t: jnp.asarray(f(t)), start + steps + 10, far=False,
    )

rng = np.random.default_rng(7)
noisy = [float(v) for v in np.exp(-np.arange(60) / 10) + 0.05 * rng.random(60)]
for losses, initial, factor, patience, threshold, cooldown, least in [
    (noisy, 0.1, 0.3, 2, 1e-4, 0, 0.0),
    (noisy, 0.7, 0.5, 1, 0.05, 3, 0.01),
    ([2.3] * 40, 0.3, 0.1, 10, 1e-4, 0, 0.0),
    ([2.3 - 0.01 * t for t in range(40)], 0.3, 0.6, 0, 0.02, 1, 1e-3),
    ([1.1, 0.9, 1.0, 1.2, 1.3, 0.8, 0.81, 0.82, 0.83, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 0.3, 0.6, 2, 0.0, 2, 0.15),
]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=initial)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer, "min", factor, patience, threshold, "rel", cooldown, least, eps=0
    )
    values = []
    for loss in losses:
        scheduler.step(loss)
        values.append(optimizer.param_groups[0]["lr"])
    add(
        "ReduceOnPlateau",
        dict(initial=initial, factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, min_size=least),
        range(len(losses)), values, losses=losses,
    )

for scaling, largest, minimum, eps in [(1.0, 1.0, 0.0, 0.0), (0.7, 0.3, 0.1, 0.05), (1.3, 50.0, 0.02, 1e-3)]:
    losses, norms, values = [], [], []
    for loss, norm in [(1.7, 3.1), (0.3, 0.2), (0.5, 40.0), (12.1, 1.1), (0.9, 0.0), (0.7, 1e-3), (3e2, 7e3), (0.15, 0.3)]:
        parameters = jnp.zeros(4)
        gradient = jnp.full(4, np.sqrt(norm / 4))
        norm = float(jnp.sum(gradient**2))
        # `polyak_sgd` as its documentation has it; its code scales the gradient before it takes the norm.
        optimizer = optax.chain(optax.scale_by_polyak(minimum, largest, eps), optax.scale_by_learning_rate(scaling))
        updates, _ = optimizer.update(gradient, optimizer.init(parameters), parameters, value=jnp.asarray(loss))
        assert updates.dtype == jnp.float64
        losses.append(loss)
        norms.append(norm)
        values.append(-updates[0] / gradient[0] if norm > 0 else 0.0)
    add("Polyak", dict(scaling=scaling, max=largest, minimum=minimum, eps=eps), range(len(losses)), values, losses=losses, norms=norms)

print("[")
print(",\n".join(json.dumps(case) for case in cases))
print("]")
print(len(cases), "cases", file=sys.stderr)

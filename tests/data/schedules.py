"""Values of the schedules as optax, JAX and PyTorch compute them, in float64.

    pip install optax torch && python3 schedules.py > schedules.json

Made with optax 0.2.8, jax 0.10.2, torch 2.15.0. Each case: the schedule, its settings by name, steps, values.
PyTorch's closed forms are used where its chained form accumulates rounding.
"""
import json
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import optax
import torch
from jax.example_libraries import optimizers

cases = []


def add(schedule, settings, function, steps):
    values = [float(function(jnp.asarray(t, dtype=jnp.float64))) for t in steps]
    cases.append({"schedule": schedule, **settings, "steps": list(steps), "values": values})


def drive(scheduler, optimizer, steps, feed=None):
    values = []
    for t in range(steps):
        if feed is not None:
            scheduler.step(feed[t])
        values.append(float(optimizer.param_groups[0]["lr"]))
        if feed is None:
            optimizer.step()
            scheduler.step()
    return values


def sgd(lr, momentum=0.0):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=lr, momentum=momentum)


for size in (0.1, 3.0, 1e-7):
    add("Constant", {"size": size}, optax.constant_schedule(size), [0, 1, 1000])

for initial, rate, steps, staircase in [(0.1, 0.5, 10, False), (0.3, 1.7, 7, True), (2.0, 0.01, 1, False), (1.0, 3.0, 4, True)]:
    f = optimizers.inverse_time_decay(initial, steps, rate, staircase)
    add("InverseTime", dict(initial=initial, rate=rate, every=steps, staircase=staircase), f, range(0, 60, 3))

for initial, factor, every in [(0.1, 0.5, 10), (0.3, 0.9, 7), (2.0, 1.1, 3)]:
    o = sgd(initial)
    values = drive(torch.optim.lr_scheduler.StepLR(o, every, factor), o, 40)
    cases.append(dict(schedule="StepDecay", initial=initial, factor=factor, every=every, steps=list(range(40)), values=values))

for initial, rate, steps, begin, staircase, end in [
    (1.0, 0.25, 10, 0, False, None),
    (0.3, 0.9, 7, 5, True, None),
    (0.5, 0.5, 3, 2, False, 0.01),
    (0.01, 2.0, 6, 4, True, 0.1),
]:
    f = optax.exponential_decay(initial, steps, rate, begin, staircase, end)
    add("ExponentialDecay", dict(initial=initial, rate=rate, every=steps, begin=begin, staircase=staircase, end=end), f, range(0, 61, 2))

for initial, end, power, steps, begin in [(1.0, 0.2, 1.0, 10, 0), (0.5, 0.0, 2.5, 7, 3), (0.1, 0.9, 0.5, 13, 4)]:
    f = optax.polynomial_schedule(initial, end, power, steps, begin)
    add("Polynomial", dict(initial=initial, end=end, power=power, every=steps, begin=begin), f, range(0, 30))

for initial, steps, alpha, exponent in [(1.0, 10, 0.0, 1.0), (0.3, 17, 0.1, 1.0), (2.0, 9, 0.25, 2.5)]:
    f = optax.cosine_decay_schedule(initial, steps, alpha, exponent)
    add("Cosine", dict(initial=initial, every=steps, alpha=alpha, exponent=exponent), f, range(0, 30))

for initial, first, multiplier, alpha in [(1.0, 10, 1, 0.0), (0.3, 3, 2, 0.1), (0.5, 2, 3, 0.0)]:
    o = sgd(initial)
    s = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, first, multiplier, eta_min=alpha * initial)
    values = drive(s, o, 50)
    cases.append(dict(schedule="CosineRestarts", initial=initial, every=first, multiplier=multiplier, alpha=alpha, steps=list(range(50)), values=values))

for peak, steps, share, div, final in [(1.0, 100, 0.3, 25.0, 1e4), (0.1, 17, 0.45, 10.0, 100.0), (3.0, 8, 0.2, 4.0, 50.0)]:
    f = optax.cosine_onecycle_schedule(steps, peak, share, div, final)
    add("OneCycle", dict(peak=peak, every=steps, share=share, div=div, final=final), f, range(0, steps + 10))

for mode in ("triangular", "triangular2", "exp_range"):
    for base, peak, up, down, gamma in [(0.1, 1.0, 4, 4, 0.99), (0.001, 0.006, 5, 3, 0.9), (0.0, 2.0, 3, 7, 0.5)]:
        o = sgd(base)
        s = torch.optim.lr_scheduler.CyclicLR(o, base, peak, up, down, mode=mode, gamma=gamma, cycle_momentum=False)
        values = drive(s, o, 40)
        cases.append(dict(schedule="Cyclic", base=base, peak=peak, up=up, down=down, mode=mode, gamma=gamma, steps=list(range(40)), values=values))

for peak, warmup, decay, end in [(1.0, 5, 20, 0.0), (0.3, 7, 31, 0.03), (2.0, 1, 10, 0.5)]:
    f = optax.warmup_cosine_decay_schedule(0.0, peak, warmup, decay, end)
    add("WarmupCosine", dict(peak=peak, warmup=warmup, decay=decay - warmup, alpha=end / peak), f, range(0, 40))

for size, at, initial, rate, steps in [(0.1, 5, 1.0, 0.5, 3), (0.3, 0, 0.2, 0.9, 7), (1.0, 12, 0.5, 0.1, 10)]:
    f = optax.join_schedules([optax.constant_schedule(size), optax.exponential_decay(initial, steps, rate)], [at])
    add("Joined", dict(size=size, at=at, initial=initial, rate=rate, every=steps), f, range(0, 30))

losses = [5.0, 4.0, 4.0, 3.9999, 4.1, 3.0, 3.0, 3.0, 3.0, 2.9, 2.9, 2.9, 2.9, 2.9, 2.9, 2.9, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
for initial, factor, patience, threshold, cooldown, least in [
    (1.0, 0.5, 1, 1e-4, 0, 0.0),
    (0.3, 0.1, 2, 0.01, 2, 0.0),
    (0.8, 0.5, 0, 0.0, 0, 0.1),
]:
    o = sgd(initial)
    s = torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, min_lr=least, eps=0.0)
    cases.append(dict(schedule="ReduceOnPlateau", initial=initial, factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, min_size=least, losses=losses, values=drive(s, o, len(losses), losses)))

# optax applies its `scaling` before it takes the norm, unlike the formula in its documentation: 1 here.
for scaling, largest, minimum, eps in [(1.0, 1.0, 0.0, 0.0), (1.0, 0.3, 0.1, 1e-3), (1.0, 10.0, 0.0, 0.1)]:
    optimizer = optax.polyak_sgd(max_learning_rate=largest, scaling=scaling, f_min=minimum, eps=eps)
    inputs, values = [], []
    for loss, gradient in [(1.0, 2.0), (0.5, 0.25), (7.0, 0.1), (1e-3, 3.0), (2.0, 0.0)]:
        g = jnp.asarray([gradient], dtype=jnp.float64)
        update, _ = optimizer.update(g, optimizer.init(g), g, value=jnp.asarray(loss, dtype=jnp.float64))
        if gradient != 0.0:
            inputs.append([loss, gradient**2])
            values.append(float(-update[0] / gradient))
    cases.append(dict(schedule="Polyak", scaling=scaling, max=largest, minimum=minimum, eps=eps, inputs=inputs, values=values))

print(json.dumps(cases, indent=None, separators=(",", ":")).replace("},{", "},\n{"))

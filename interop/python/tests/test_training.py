"""Training: schedules, methods, history, files, exceptions."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from expnet import ExpnetError, Network, Schedule, Trainer, methods, schedules, train


def test_a_step_is_that_of_the_formula(circle):
    X, y = circle
    W = np.random.default_rng(0).normal(size=(6, 2))
    a = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    activations = np.exp(X @ W.T)
    e = activations @ a - y
    gradient = (activations * a).T * e @ X
    net = Network(W, a)
    assert (net.weights == W).all() and (net.output_weights == a).all()
    assert (net.dimension, net.width) == (2, 6)
    assert np.allclose(net.forward(X), e + y, rtol=1e-13)
    assert net.loss(X, y) == pytest.approx(0.5 * e @ e, rel=1e-13)
    assert np.allclose(net.gradient(X, y), gradient, rtol=1e-12)
    run = Trainer(1e-3, max_steps=1).fit(net, X, y)
    assert np.allclose(run.network.weights, W - 1e-3 * gradient, rtol=1e-12)
    assert (net.weights == W).all()


def test_history_and_report(circle):
    run = train(*circle, 64, max_steps=20, record_every=5)
    assert list(run.history["step"]) == [0, 5, 10, 15, 20]
    assert run.history["loss"][0] == run.report.initial_loss
    assert run.history["loss"][-1] == run.report.loss < run.report.initial_loss
    assert run.history["frobenius_movement"][0] == 0 < run.history["frobenius_movement"][-1]
    assert np.isnan(run.history["validation_loss"]).all()
    assert (run.report.termination, run.report.steps) == ("max_steps", 20)
    assert "20 steps" in str(run.report)


def test_numbers_callables_and_names_agree(circle):
    sizes = [1e-3 / (1 + 0.5 * t) for t in range(8)]
    seen = []

    def mine(state):
        seen.append((state.iteration, state.samples, state.width, state.last_step_size))
        return sizes[state.iteration]

    def weights(schedule):
        return train(*circle, 32, schedule, max_steps=8).network.weights

    assert (weights(mine) == weights(schedules.inverse_time(1e-3, 0.5))).all()
    assert seen[0] == (0, 24, 32, None) and seen[3] == (3, 24, 32, sizes[2])
    assert (weights(1e-3) == weights(lambda _: 1e-3)).all()
    assert (weights(Schedule(1e-3).scale(2.0)) == weights(schedules.constant(2e-3))).all()
    joined = Schedule(lambda state: 1e-3).then(4, lambda state: 1e-3 / (1 + state.iteration))
    assert (weights(joined) != weights(1e-3)).any()


def test_what_a_callable_can_ask(circle):
    X, y = circle
    asked = {}

    def curious(state):
        asked.update(
            loss=state.loss,
            squared=state.gradient_norm_squared(),
            slope=state.slope(),
            trial=state.loss_at(1e-3),
            slope_there=state.slope_at(1e-3),
            eigenvalue=state.largest_kernel_eigenvalue(),
            momentum=state.momentum_slope(),
            dot=state.gradient_dot_previous(),
        )
        return 1e-3

    start = Network.random(2, 64, seed=3)
    run = Trainer(curious, max_steps=1).fit(start, X, y)
    gradient = start.gradient(X, y)
    assert asked["squared"] == pytest.approx((gradient**2).sum(), rel=1e-12)
    assert asked["slope"] == pytest.approx(-asked["squared"])
    assert asked["trial"] == pytest.approx(run.report.loss, rel=1e-12)
    there = run.network.gradient(X, y)
    assert asked["slope_there"] == pytest.approx(-(there * gradient).sum(), rel=1e-10)
    assert (asked["momentum"], asked["dot"]) == (0, None)
    activations = np.exp(X @ start.weights.T)
    gram = (activations @ activations.T) * (X @ X.T)
    largest = np.linalg.eigvalsh(gram)[-1]
    assert 0.97 * largest < asked["eigenvalue"] < 1.03 * largest


def test_a_state_does_not_outlive_its_step(circle):
    kept = []
    train(*circle, 16, lambda state: kept.append(state) or 1e-3, max_steps=2)
    assert kept[0].iteration == 0 and kept[1].loss < kept[0].loss
    with pytest.raises(ExpnetError, match="only while the schedule is being asked"):
        kept[0].slope()


def test_exceptions_of_callables(circle):
    class Mine(Exception):
        pass

    def failing(state):
        if state.iteration == 3:
            raise Mine("at step 3")
        return 1e-3

    with pytest.raises(Mine, match="at step 3"):
        train(*circle, 16, failing)
    with pytest.raises(TypeError):
        train(*circle, 16, lambda state: "long")
    with pytest.raises(ExpnetError, match="step 0 is NaN"):
        train(*circle, 16, lambda state: float("nan"))
    with pytest.raises(TypeError, match="a schedule is a number, a callable"):
        train(*circle, 16, "fast")


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.step_decay(1e-3, 0.5, 10),
        schedules.exponential_decay(1e-3, 0.9, 10, end=1e-5),
        schedules.polynomial(1e-3, 1e-5, 40, power=2.0),
        schedules.cosine(1e-3, 40, alpha=0.1),
        schedules.one_cycle(1e-3, 40),
        schedules.cyclic(1e-4, 1e-3, 5, decay=0.99),
        schedules.reduce_on_plateau(1e-3, patience=3),
        schedules.kernel_stable(factor=0.5).warmup(3),
        schedules.backtracking(initial=0.1),
        schedules.strong_wolfe(curvature=0.5),
        schedules.polyak(max=1e-2),
        schedules.barzilai_borwein(short=True),
        schedules.delta_bar_delta(growth=0.1),
        schedules.constant(1.0).clamp(0.0, 1e-3),
    ],
    ids=repr,
)
def test_every_schedule_descends(schedule, circle):
    report = train(*circle, 64, schedule, max_steps=40).report
    assert report.loss < report.initial_loss


@pytest.mark.parametrize(
    "method, schedule",
    [
        (methods.gradient_descent(momentum=0.9), None),
        (methods.gradient_descent(nesterov=0.9, clip_norm=10.0), 1e-3),
        (methods.minibatch(8, seed=1, momentum=0.5), 1e-3),
        (methods.gauss_newton(), None),
        (methods.frozen_gauss_newton(damping=1e-6), None),
        (methods.matrix_free_gauss_newton(max_products=50), None),
        (methods.lbfgs(memory=5), None),
        (methods.adam(beta2=0.99), 1e-2),
    ],
    ids=repr,
)
def test_every_method_descends(method, schedule, circle):
    report = train(*circle, 64, schedule, method=method, max_steps=20).report
    assert report.loss < 0.9 * report.initial_loss


def test_gauss_newton_converges(circle):
    run = train(*circle, 256, method=methods.gauss_newton(), tolerance=1e-4)
    assert run.report.termination == "converged" and run.report.steps < 20
    assert np.linalg.norm(run.network.forward(circle[0]) - circle[1]) <= 1e-4


def test_validation_weights_and_limits(circle):
    X, y = circle
    run = train(X[::2], y[::2], 64, validation=(X[1::2], y[1::2]), patience=5, max_steps=500)
    assert run.report.validation_loss == pytest.approx(run.network.loss(X[1::2], y[1::2]))
    weights = np.arange(24.0)
    run = train(X, y, 64, max_steps=3, sample_weight=weights)
    assert run.report.loss == pytest.approx(run.network.loss(X, y, sample_weight=weights))
    assert train(X, y, 64, max_steps=10**9, max_time=0.05).report.termination == "max_time"
    assert train(X, y, 64, 1e-12, stall=(5, 0.1)).report.termination == "stalled"


def test_files_and_checkpoints(circle, tmp_path):
    start = Network.random(2, 64, seed=1)
    whole = Trainer(max_steps=8).fit(start, *circle)
    Trainer(max_steps=3, checkpoint=(tmp_path / "run", 100)).fit(start, *circle)
    rest = Trainer(max_steps=8, resume=tmp_path / "run").fit(start, *circle)
    assert (rest.network.weights == whole.network.weights).all()
    whole.network.save(tmp_path / "net")
    assert (Network.load(tmp_path / "net").weights == whole.network.weights).all()
    with pytest.raises(ExpnetError, match="checkpoint"):
        Trainer(lambda state: 1e-3, checkpoint=(tmp_path / "other", 1)).fit(start, *circle)


def test_messages(circle):
    X, y = circle
    with pytest.raises(ExpnetError, match="NaN at sample 2|NaN at"):
        train(np.where(np.arange(24)[:, None] == 2, np.nan, X), y, 16)
    with pytest.raises(ExpnetError, match="expected 24, found 23"):
        train(X, y[:23], 16)
    with pytest.raises(ExpnetError, match=r"shape \[24\]"):
        Network.random(2, 16).forward(y)
    with pytest.raises(ExpnetError, match="diverged"):
        train(X, y, 16, 1e3)
    with pytest.raises(ExpnetError, match="max_time is -1"):
        train(X, y, 16, max_time=-1.0)
    with pytest.raises(ValueError):
        train(X, y, 15)


def test_others_run_meanwhile(circle):
    """The GIL is free during a run, and held by nobody who waits."""
    ticks = 0
    over = threading.Event()

    def count():
        nonlocal ticks
        while not over.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    train(*circle, 4096, 1e-6, max_steps=10**9, max_time=0.5, record_every=10**9)
    over.set()
    thread.join()
    assert ticks > 50


def test_two_runs_at_once(circle):
    expected = train(*circle, 64, lambda state: 1e-3, max_steps=50).network.weights
    found = [None, None]

    def run(k):
        found[k] = train(*circle, 64, lambda state: 1e-3, max_steps=50).network.weights

    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((weights == expected).all() for weights in found)


@pytest.fixture
def keyboard():
    # A process in the background of a script starts with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("schedule", [None, lambda state: 1e-6])
@pytest.mark.usefixtures("keyboard")
def test_the_keyboard_stops_a_run(circle, schedule):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(*circle, 1024, schedule, max_steps=10**9, max_time=30, record_every=10**9)
    assert time.monotonic() - began < 5

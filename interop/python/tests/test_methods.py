"""L-BFGS, Adam, and the line search with Wolfe's conditions."""

import numpy as np
import pytest

from expnet import ExpnetError, Network, Trainer, methods, schedules, train


@pytest.fixture
def start():
    return Network.random(2, 64, seed=3)


def loss_and_gradient(points, labels, W, a):
    activations = np.exp(points @ W.T)
    e = activations @ a - labels
    return 0.5 * e @ e, (activations * a).T * e @ points


def adam(points, labels, net, steps, size=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """The weights after these steps, and the loss before each."""
    W, losses = net.weights, []
    mean = square = np.zeros_like(W)
    for t in range(1, steps + 1):
        loss, g = loss_and_gradient(points, labels, W, net.output_weights)
        losses.append(loss)
        mean = beta1 * mean + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * g**2
        scaled = mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps)
        W = W - size * (scaled + weight_decay * W)
    return W, losses


@pytest.mark.parametrize(
    "size, settings",
    [
        (None, {}),
        (0.01, {"weight_decay": 0.5}),
        (0.02, {"beta1": 0.6, "beta2": 0.9, "eps": 0.3, "weight_decay": 0.1}),
    ],
)
def test_adam_is_that_of_the_formula(circle, start, size, settings):
    run = Trainer(size, method=methods.adam(**settings), max_steps=20).fit(start, *circle)
    given = settings if size is None else settings | {"size": size}
    weights, losses = adam(*circle, start, 20, **given)
    assert np.abs(run.network.weights - weights).max() < 1e-10
    assert np.allclose(run.history["loss"][:-1], losses, rtol=1e-10, atol=0)
    assert run.report.loss < 0.9 * run.report.initial_loss


def test_lbfgs_needs_fewer_steps_than_gradient_descent(circle):
    X, y = circle[0][::2], circle[1][::2]
    plain = train(X, y, 512, max_steps=60).report
    learned = train(X, y, 512, schedules.strong_wolfe(), method=methods.lbfgs(), max_steps=60).report
    assert learned.loss < 1e-3 * plain.loss


def test_how_much_lbfgs_remembers(circle, start):
    def weights(steps, **settings):
        return Trainer(method=methods.lbfgs(**settings), max_steps=steps).fit(start, *circle).network.weights

    # Of two steps before the third, a memory of one forgets the first.
    assert (weights(2, memory=1) == weights(2, memory=2)).all()
    assert (weights(3, memory=1) != weights(3, memory=2)).any()
    assert (weights(11) == weights(11, memory=10)).all()
    assert (weights(12, memory=11) != weights(12)).any()


@pytest.mark.parametrize("method, schedule", [(methods.lbfgs(), schedules.strong_wolfe()), (methods.adam(), 1e-3)])
def test_schedules_by_default(circle, method, schedule):
    weights = train(*circle, 64, method=method, max_steps=9).network.weights
    assert (train(*circle, 64, schedule, method=method, max_steps=9).network.weights == weights).all()


def test_callables_see_the_direction(circle, start):
    """The first direction of L-BFGS is g ||g||^2 / ||J g||^2."""
    slopes = []

    def whole(state):
        slopes.append(state.slope())
        return 1.0

    def weights(schedule):
        return Trainer(schedule, method=methods.lbfgs(), max_steps=5).fit(start, *circle).network.weights

    assert (weights(whole) == weights(1.0)).all()
    X, y = circle
    g = start.gradient(X, y)
    activations = np.exp(X @ start.weights.T)
    image = (activations @ activations.T) * (X @ X.T) @ (start.forward(X) - y)
    assert slopes[0] == pytest.approx(-((g**2).sum() ** 2) / (image @ image), rel=1e-10)
    assert all(slope < 0 for slope in slopes)


@pytest.mark.parametrize("armijo, curvature", [(None, None), (None, 0.05), (0.8, None)])
def test_strong_wolfe_keeps_its_conditions(circle, start, armijo, curvature):
    run = Trainer(schedules.strong_wolfe(armijo=armijo, curvature=curvature), max_steps=15).fit(start, *circle)
    armijo, curvature = armijo or 1e-4, curvature or 0.9
    rounding = 1e-9
    W = start.weights
    for loss, after, size in zip(run.history["loss"], run.history["loss"][1:], run.history["step_size"][1:]):
        _, g = loss_and_gradient(*circle, W, start.output_weights)
        W = W - size * g
        _, next_g = loss_and_gradient(*circle, W, start.output_weights)
        assert after <= loss - (armijo - rounding) * size * (g**2).sum()
        assert abs((next_g * g).sum()) <= (curvature + rounding) * (g**2).sum()


def test_the_first_trial_of_strong_wolfe(circle, start):
    def size(schedule):
        return Trainer(schedule, max_steps=1).fit(start, *circle).report.last_step_size

    assert size(schedules.strong_wolfe()) == size(schedules.kernel_stable())
    assert size(schedules.strong_wolfe(initial=1e-4)) == 1e-4


@pytest.mark.parametrize(
    "method, other, message",
    [
        (methods.lbfgs(memory=3), methods.lbfgs(memory=4), "`memory` of `Lbfgs` is 3 in the record and 4 here"),
        (methods.adam(weight_decay=0.1), methods.adam(), "`decay` of `Adam` is 0.1 in the record and 0.0 here"),
    ],
)
def test_going_on_is_as_without_the_interruption(circle, start, tmp_path, method, other, message):
    whole = Trainer(method=method, max_steps=9).fit(start, *circle)
    Trainer(method=method, max_steps=5, checkpoint=(tmp_path / "run", 100)).fit(start, *circle)
    rest = Trainer(method=method, max_steps=9, resume=tmp_path / "run").fit(start, *circle)
    assert (rest.network.weights == whole.network.weights).all()
    assert list(rest.history["step"]) == list(whole.history["step"][5:])
    assert list(rest.history["loss"]) == list(whole.history["loss"][5:])
    with pytest.raises(ExpnetError, match=message):
        Trainer(method=other, max_steps=9, resume=tmp_path / "run").fit(start, *circle)


@pytest.mark.parametrize(
    "schedule, method, message",
    [
        (None, methods.lbfgs(memory=0), "`Lbfgs::memory` is 0; it must be at least 1"),
        (None, methods.adam(beta1=1.0), "`Adam::beta1` is 1; it must be at least 0 and below 1"),
        (None, methods.adam(beta2=-0.5), "`Adam::beta2` is -0.5; it must be at least 0 and below 1"),
        (None, methods.adam(eps=0.0), "`Adam::eps` is 0; it must be positive"),
        (None, methods.adam(weight_decay=-1.0), "`Adam::weight_decay` is -1; it must be finite and at least 0"),
        (schedules.strong_wolfe(initial=0.0), None, "`StrongWolfe::initial` is 0; it must be positive"),
        (schedules.strong_wolfe(armijo=1.5), None, "`StrongWolfe::armijo` is 1.5; it must be above 0 and below 1"),
        (schedules.strong_wolfe(armijo=0.5, curvature=0.25), None, "`StrongWolfe::curvature` is 0.25; it must be above"),
        (schedules.polyak(), methods.lbfgs(), "use `StrongWolfe`"),
        (schedules.polyak(), methods.adam(), "1e-3"),
        (schedules.strong_wolfe(), methods.gauss_newton(ridge=1.0), "`StrongWolfe` .* penalty"),
    ],
)
def test_what_is_refused(circle, schedule, method, message):
    with pytest.raises(ExpnetError, match=message):
        train(*circle, 16, schedule, method=method)


def test_names():
    assert repr(methods.lbfgs(memory=5)).startswith("<expnet.Method Lbfgs { memory: 5,")
    shown = repr(methods.adam(beta1=0.5, beta2=0.25, eps=0.125, weight_decay=2.0))
    assert shown.startswith("<expnet.Method Adam { beta1: 0.5, beta2: 0.25, eps: 0.125, decay: 2.0,")
    shown = repr(schedules.strong_wolfe(initial=2.0, armijo=0.25, curvature=0.5).warmup(3))
    assert shown.startswith("<expnet.Schedule StrongWolfe { initial: Some(2.0), armijo: 0.25, curvature: 0.5,")
    with pytest.raises(TypeError):
        methods.lbfgs(5)

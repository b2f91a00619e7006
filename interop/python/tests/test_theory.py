"""Kernels, predictors and certificates against formulas in NumPy."""

import numpy as np
import pytest

import expnet
from expnet import Network, Predictor, Trainer, certify, certify_gauss_newton, train


def limit(points, others, sigma=1.0):
    sums = points[:, None] + others[None]
    return (points @ others.T) * np.exp(sigma**2 * (sums**2).sum(-1) / 2)


def test_kernels(circle):
    X, _ = circle
    Z = 0.5 * X[:5] + 0.1
    assert np.allclose(expnet.limit_kernel(X, 0.7), limit(X, X, 0.7), rtol=1e-13)
    assert np.allclose(expnet.limit_cross_kernel(X, Z), limit(X, Z), rtol=1e-13)
    net = Network.random(2, 32, seed=1)
    activations, others = np.exp(X @ net.weights.T), np.exp(Z @ net.weights.T)
    assert np.allclose(expnet.empirical_kernel(net, X), activations @ activations.T * (X @ X.T) / 32, rtol=1e-12)
    assert np.allclose(expnet.empirical_cross_kernel(net, X, Z), activations @ others.T * (X @ Z.T) / 32, rtol=1e-12)


def test_predictor(circle):
    X, y = circle
    Z = X[:5] * 0.9
    K, cross = limit(X, X), limit(X, Z)
    predictor = Predictor(X, y)
    fit = predictor.ridge(0.1)
    coefficients = np.linalg.solve(K + 0.1 * np.eye(24), y)
    assert np.allclose(fit.coefficients, coefficients, rtol=1e-8, atol=1e-9)
    assert np.allclose(fit.predict(Z), cross.T @ coefficients, rtol=1e-9)
    assert np.allclose(fit.predict_from(cross), fit.predict(Z), rtol=1e-9)
    posterior = predictor.posterior(0.1)
    covariance = limit(Z, Z) - cross.T @ np.linalg.solve(K + 0.1 * np.eye(24), cross)
    assert np.allclose(posterior.covariance(Z), covariance, atol=1e-9)
    assert np.allclose(posterior.std_dev(Z) ** 2, np.diag(covariance), atol=1e-9)
    given = Predictor.from_kernel(K, y).ridge(0.1)
    assert np.allclose(given.coefficients, coefficients, rtol=1e-8, atol=1e-9)
    with pytest.raises(expnet.ExpnetError, match="symmetric"):
        Predictor.from_kernel(np.triu(K), y)


def test_gradient_flow_and_descent(circle):
    X, y = circle
    K = limit(X, X)
    values, vectors = np.linalg.eigh(K)
    flow = Predictor(X, y).gradient_flow()
    assert np.allclose(np.sort(flow.eigenvalues), values, atol=1e-9 * values[-1])
    left = vectors @ (np.exp(-0.05 * values) * (vectors.T @ y))
    assert flow.residual_norm(0.05) == pytest.approx(np.linalg.norm(left))
    assert np.allclose(flow.at(0.05).predict(X), y - left, atol=1e-8)
    steps = Predictor(X, y).gradient_descent(1 / values[-1])
    left = vectors @ ((1 - values / values[-1]) ** 7 * (vectors.T @ y))
    assert np.allclose(steps.at(7).predict(X), y - left, atol=1e-8)
    assert steps.max_step_size == pytest.approx(2 / values[-1])


def test_weights_of_samples(circle):
    X, y = circle
    s = np.linspace(0.5, 2, 24)
    root = np.diag(np.sqrt(s))
    expected = root @ np.linalg.solve(root @ limit(X, X) @ root + 0.3 * np.eye(24), root @ y)
    assert np.allclose(Predictor(X, y, sample_weight=s).ridge(0.3).coefficients, expected, rtol=1e-7, atol=1e-9)


def test_certificates_keep_their_promises():
    X = np.array([[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6], [0.0, -1.0]])
    y = 1e-3 * np.array([0.5, -0.5, 0.5, -0.5])
    net = Network.random(2, 2048, seed=1)
    certificate = certify(net, X, y)
    assert certificate and certificate.holds and "converge" in str(certificate)
    run = Trainer(certificate.step_size, max_steps=50).fit(net, X, y)
    bounds = np.array([certificate.residual_bound(t) for t in range(51)])
    assert (np.sqrt(2 * run.history["loss"]) <= bounds + 1e-12).all()  # rounding, which exact gradient descent has not
    assert run.history["largest_movement"].max() <= certificate.radius
    assert certify(net, X, y, step_size=certificate.step_size).holds
    newton = certify_gauss_newton(net, X, y)
    assert newton.holds and newton.steps_to(1e-9) < 20
    narrow = certify(Network.random(2, 4, seed=1), X, 1e3 * y, effort="basic")
    assert not narrow and narrow.decisive
    with pytest.raises(expnet.ExpnetError, match="effort"):
        certify(net, X, y, effort="heroic")


def test_a_proof_along_the_way():
    X = np.array([[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6], [0.0, -1.0]])
    y = np.array([0.5, -0.5, 0.5, -0.5])
    proof = train(X, y, 8, seed=1, certify=25).report.proof
    assert proof.certificate.holds and proof.from_start
    assert proof.steps_to(1e-3) > 0 and "proved after" in str(proof)
    stopped = Trainer().certify(25, stop=True).fit(Network.random(2, 8, seed=1), X, y).report
    assert stopped.termination == "proved" and stopped.steps == proof.step
    assert Trainer(max_steps=3).fit(Network.random(2, 8), X, y).report.proof is None

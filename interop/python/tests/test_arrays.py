"""NumPy in and out."""

import tracemalloc

import numpy as np
import pytest

from expnet import ExpnetError, Network, limit_kernel


@pytest.mark.parametrize(
    "change",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: x.tolist(),
        lambda x: x.astype(">f8"),
    ],
)
def test_every_layout_is_the_same_points(change, circle):
    points = np.round(circle[0], 3)
    net = Network.random(2, 16, seed=1)
    assert (net.forward(change(points)) == net.forward(points)).all()


def test_other_numbers():
    net = Network.random(2, 16, seed=1)
    assert (net.forward([[1, 0], [0, 1]]) == net.forward(np.eye(2))).all()
    assert (net.forward(np.eye(2, dtype=np.float32)) == net.forward(np.eye(2))).all()


def test_results_are_not_copied():
    """An n x n kernel takes the memory of one n x n array, which NumPy then owns."""
    points = np.random.default_rng(1).normal(size=(300, 3)) / 3
    kernel = limit_kernel(points)
    assert kernel.shape == (300, 300) and kernel.flags.c_contiguous and kernel.flags.writeable
    tracemalloc.start()
    limit_kernel(points)
    assert tracemalloc.get_traced_memory()[1] < kernel.nbytes / 2  # a copy by NumPy would be traced
    tracemalloc.stop()


def test_points_in_the_order_of_memory_are_not_converted():
    points = np.ones((20_000, 20))
    net = Network.random(20, 2, std_dev=0.01)
    tracemalloc.start()
    net.forward(points)
    assert tracemalloc.get_traced_memory()[1] < points.nbytes / 2
    tracemalloc.reset_peak()
    net.forward(points.astype(np.float32))
    assert tracemalloc.get_traced_memory()[1] > points.nbytes / 2  # the conversion is NumPy's, and is traced
    tracemalloc.stop()


def test_wrong_shapes():
    net = Network.random(2, 16)
    with pytest.raises(ExpnetError, match=r"shape \[2\].*one row per point"):
        net.forward([1.0, 2.0])
    with pytest.raises(ExpnetError, match="expected 2, found 3"):
        net.forward(np.zeros((4, 3)))
    assert net.forward(np.zeros((0, 2))).shape == (0,)
    with pytest.raises(ExpnetError, match="empty|no points"):
        limit_kernel(np.zeros((0, 2)))
    with pytest.raises((TypeError, ValueError)):
        net.forward([["a", "b"]])

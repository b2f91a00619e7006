import numpy as np
import pytest


@pytest.fixture
def circle():
    """24 points on the unit circle, with smooth labels."""
    angles = 2 * np.pi * np.arange(24) / 24
    return np.column_stack([np.cos(angles), np.sin(angles)]), 0.5 * np.sin(2 * angles)


@pytest.fixture
def smooth():
    """80 samples of y = x0^2 + sin(x1)."""
    points = np.random.default_rng(1).uniform(-1, 1, (80, 2))
    return points, points[:, 0] ** 2 + np.sin(points[:, 1])

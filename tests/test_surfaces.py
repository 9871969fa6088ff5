"""The surfaces: each gradient is the slope of its value, and each minimum is one."""

import numpy as np
import pytest

from nnlib.errors import ShapeError
from nnlib.surfaces import SURFACES

POINTS = np.random.default_rng(0).uniform(-2, 2, size=(50, 2))


@pytest.mark.parametrize("surface", SURFACES.values(), ids=str)
def test_the_gradient_is_the_slope_of_the_value(surface):
    gradient = surface.gradient(POINTS)
    for axis in range(2):
        moved = POINTS.astype(complex)
        moved[:, axis] += 1e-30j
        np.testing.assert_allclose(gradient[:, axis], surface.value(moved).imag / 1e-30, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=str)
def test_the_minima_are_where_the_loss_is_zero_and_least(surface):
    for minimum in surface.minima:
        assert surface.value(minimum) == pytest.approx(0, abs=1e-15)
        np.testing.assert_allclose(surface.gradient(minimum), 0, atol=1e-15)
    assert (surface.value(POINTS) > 0).all()


def test_the_turned_valley_is_the_valley_seen_from_another_angle():
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(SURFACES["turned_valley"].value(POINTS @ turn.T), SURFACES["valley"].value(POINTS))


@pytest.mark.parametrize("points", [1.0, [1.0, 2.0, 3.0]])
def test_points_need_two_coordinates(points):
    with pytest.raises(ShapeError, match="two parameters a point"):
        SURFACES["valley"].value(points)

"""Surfaces over two parameters, on which the path of an optimizer can be seen.

A network has thousands of parameters and its loss cannot be drawn. These losses have two, so that they can:
a valley, the same valley turned, a bent valley, a saddle and a plateau.
Each is declared with its gradient beside its value, like an activation and its slope.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.errors import ShapeError

__all__ = ["SURFACES", "Surface"]


@dataclass(frozen=True)
class Surface:
    """A loss over two parameters and its gradient.

    Attributes
    ----------
    name : str
        The name in the registry `SURFACES`.
    title : str
        The name in words.
    value : callable
        ``value(points)``: points (..., 2) in, losses (...) out.
    gradient : callable
        ``gradient(points)``: points (..., 2) in, slopes (..., 2) out: how fast the loss changes with each.
    minima : tuple of tuple of float
        The points where the loss is least: 0 on each of these surfaces.

    Examples
    --------
    >>> from nnlib.surfaces import SURFACES
    >>> float(SURFACES["valley"].value([1.0, 0.0])), SURFACES["valley"].gradient([1.0, 1.0]).tolist()
    (0.5, [1.0, 100.0])
    """

    name: str
    title: str
    value: Callable
    gradient: Callable
    minima: tuple

    def __repr__(self):
        return f"Surface({self.name!r})"


def _two_columns(points):
    """Return the two coordinates of points (..., 2), each (...)."""
    points = np.asarray(points)
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ShapeError(
            f"points has shape {points.shape} but a surface needs (..., 2): two parameters a point. "
            "Did you pass a single coordinate?"
        )
    return points[..., 0], points[..., 1]


def _quadratic(name, title, hessian):
    """A bowl L(θ) = ½ θᵀ H θ with the symmetric positive matrix H; its gradient is H θ."""
    hessian = np.asarray(hessian, dtype=float)

    def value(points):
        u, v = _two_columns(points)
        return 0.5 * (hessian[0, 0] * u * u + hessian[1, 1] * v * v) + hessian[0, 1] * u * v

    def gradient(points):
        _two_columns(points)
        return np.asarray(points) @ hessian

    return Surface(name, title, value, gradient, ((0.0, 0.0),))


def _turned(hessian, degrees):
    """The same bowl, turned by an angle: Q H Qᵀ has the eigenvalues of H and the turned eigenvectors."""
    angle = np.deg2rad(degrees)
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Q @ np.asarray(hessian, dtype=float) @ Q.T


def _banana_value(points):
    """Rosenbrock's function, divided by 20: ((1 - u)² + 10 (v - u²)²) / 20."""
    u, v = _two_columns(points)
    return ((1 - u) ** 2 + 10 * (v - u * u) ** 2) / 20


def _banana_gradient(points):
    u, v = _two_columns(points)
    return np.stack([-(1 - u) / 10 - 2 * u * (v - u * u), v - u * u], axis=-1)


def _saddle_value(points):
    """(u² - 1)²/4 + v²/2: a ridge along u = 0, minima at u = -1 and u = 1, a saddle between them."""
    u, v = _two_columns(points)
    return 0.25 * (u * u - 1) ** 2 + 0.5 * v * v


def _saddle_gradient(points):
    u, v = _two_columns(points)
    return np.stack([u**3 - u, v], axis=-1)


def _plateau_value(points):
    """1 - exp(-(u - 1)² - v²): a well at (1, 0) in a plain that is flat far from it."""
    u, v = _two_columns(points)
    return 1 - np.exp(-((u - 1) ** 2) - v * v)


def _plateau_gradient(points):
    u, v = _two_columns(points)
    well = np.exp(-((u - 1) ** 2) - v * v)
    return np.stack([2 * (u - 1) * well, 2 * v * well], axis=-1)


_VALLEY = np.diag([1.0, 100.0])

SURFACES = {
    surface.name: surface
    for surface in (
        _quadratic("valley", "straight valley", _VALLEY),
        _quadratic("turned_valley", "turned valley", _turned(_VALLEY, 30)),
        Surface("banana", "bent valley (Rosenbrock)", _banana_value, _banana_gradient, ((1.0, 1.0),)),
        Surface("saddle", "saddle between two wells", _saddle_value, _saddle_gradient, ((-1.0, 0.0), (1.0, 0.0))),
        Surface("plateau", "well in a plateau", _plateau_value, _plateau_gradient, ((1.0, 0.0),)),
    )
}

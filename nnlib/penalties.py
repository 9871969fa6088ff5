"""A penalty is a second loss, on the weights themselves: it grows with them, so training keeps them small.

It is added to the loss before anything is differentiated, so it is part of the number that is minimised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.errors import SettingError, check_number
from nnlib.network import Network


@dataclass(frozen=True)
class Penalty:
    """A function of the weights W of all layers (never of the biases), declared with its derivative.

    Attributes
    ----------
    name : str
        The key in `PENALTIES`.
    strength : float
        λ, from 0 up.
    function, derivative : callable
        Of one array of weights: the sum of its penalties before λ, and its slope in the shape of the array.
    formula : str
        In LaTeX.
    kinks : tuple of float
        The weights at which the slope jumps.

    Examples
    --------
    >>> net = Network([1, 1], rng=np.random.default_rng(0))
    >>> net.parameters[:] = [3.0, 7.0]
    >>> PENALTIES["l2"](0.1).value(net), PENALTIES["l2"](0.1).slope(net)
    (0.45, array([0.3, 0. ]))
    """

    name: str
    strength: float
    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    formula: str
    kinks: tuple[float, ...] = ()

    def value(self, net: Network) -> float:
        """Return what the penalty adds to the loss."""
        return (self.strength * sum(self.function(layer.W) for layer in net.layers)).item()

    def slope(self, net: Network) -> np.ndarray:
        """Return the gradient of `value` by θ, (P,): zero for every bias."""
        slope = np.zeros_like(net.parameters)
        for layer, block in zip(net.layers, net.blocks(slope), strict=True):
            block[:-1] = self.strength * self.derivative(layer.W)
        return slope


def l2(strength: float) -> Penalty:
    r"""Return :math:`\frac{\lambda}{2} \sum W^2`: every weight shrinks in proportion to itself.

    Source: Hoerl & Kennard, *Ridge regression*, Technometrics 12:55, 1970.

    Raises
    ------
    SettingError
        If `strength` is below 0.
    """
    strength = check_number("strength", strength, at_least=0)
    return Penalty("l2", strength, lambda W: (W * W).sum() / 2, np.positive, r"\frac{\lambda}{2} \sum W^2")


def l1(strength: float) -> Penalty:
    r"""Return :math:`\lambda \sum |W|`: every weight shrinks by the same amount, so small ones reach zero.

    Source: Tibshirani, *Regression shrinkage and selection via the lasso*, JRSS B 58:267, 1996.

    Raises
    ------
    SettingError
        If `strength` is below 0.
    """
    strength = check_number("strength", strength, at_least=0)
    return Penalty(
        "l1",
        strength,
        lambda W: (W * np.sign(W.real)).sum(),
        lambda W: np.sign(W.real).astype(W.dtype),
        r"\lambda \sum |W|",
        (0.0,),
    )


PENALTIES: dict[str, Callable[[float], Penalty]] = {"l2": l2, "l1": l1}


def as_penalty(penalty: Penalty | None) -> Penalty | None:
    """Return a penalty (or None) as it is; anything else raises SettingError with the line to write."""
    if penalty is None or isinstance(penalty, Penalty):
        return penalty
    raise SettingError(f"penalty should come from PENALTIES, as in PENALTIES['l2'](1e-3), got {penalty!r}")

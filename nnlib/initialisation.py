"""Training starts from random weights, and how large they are decides whether a signal survives many layers.

Each rule here draws the weights of one layer from its numbers of inputs and outputs; biases start at zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.errors import look_up


@dataclass(frozen=True)
class Initialisation:
    """A rule that draws the first weights of a layer.

    Attributes
    ----------
    name : str
        The key in `INITIALISATIONS`.
    deviation : callable
        ``deviation(inputs, outputs) -> float``: the standard deviation of the weights.
    formula : str
        The distribution in LaTeX, with m inputs and n outputs.
    uniform : bool
        Whether the weights are uniform; otherwise they are normal.

    Examples
    --------
    >>> INITIALISATIONS["he"].deviation(50, 10)
    0.2
    >>> INITIALISATIONS["xavier"].draw(4, 3, rng=np.random.default_rng(0)).shape
    (4, 3)
    """

    name: str
    deviation: Callable[[int, int], float]
    formula: str
    uniform: bool = False

    def draw(self, inputs: int, outputs: int, *, rng: np.random.Generator) -> np.ndarray:
        """Return random weights W (inputs, outputs) in float64."""
        deviation = self.deviation(inputs, outputs)
        if self.uniform:
            limit = math.sqrt(3) * deviation
            return rng.uniform(-limit, limit, (inputs, outputs))
        return deviation * rng.standard_normal((inputs, outputs))


def as_initialisation(name: str | Initialisation) -> Initialisation:
    """Return the rule of this name; an `Initialisation` is returned as it is.

    Raises
    ------
    SettingError
        If there is none of this name.
    """
    return name if isinstance(name, Initialisation) else look_up("initialisation", name, INITIALISATIONS)


INITIALISATIONS: dict[str, Initialisation] = {
    rule.name: rule
    for rule in (
        Initialisation("zero", lambda inputs, outputs: 0.0, r"W = 0"),
        Initialisation("naive", lambda inputs, outputs: 1.0, r"W \sim \mathcal{N}(0, 1)"),
        Initialisation(
            "lecun",  # LeCun, Bottou, Orr & Müller 1998, equation 16
            lambda inputs, outputs: math.sqrt(1 / inputs),
            r"W \sim \mathcal{N}(0, 1/m)",
        ),
        Initialisation(
            "xavier",  # Glorot & Bengio 2010, equation 16
            lambda inputs, outputs: math.sqrt(2 / (inputs + outputs)),
            r"W \sim \mathcal{U}(\pm \sqrt{6 / (m + n)})",
            uniform=True,
        ),
        Initialisation(
            "he",  # He, Zhang, Ren & Sun 2015, equation 10
            lambda inputs, outputs: math.sqrt(2 / inputs),
            r"W \sim \mathcal{N}(0, 2/m)",
        ),
    )
}

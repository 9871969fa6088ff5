"""The complete process: an example goes in, an answer comes out, the answer is compared, and every weight is told.

One training step, number by number and in the order in which it is computed: forward, loss, backward, update.
The other modules compute the same numbers a whole layer at a time; here each one keeps the formula it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.errors import ShapeError
from nnlib.losses import LOSSES
from nnlib.network import Network

PHASES = ("forward", "loss", "backward", "update")

LOSS = "binary_cross_entropy"

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Quantity:
    """One number of a training step, with the formula that it came from.

    Attributes
    ----------
    phase : str
        One of ``PHASES``.
    name : str
        A plain name: ``"z1_2"`` is z of layer 1, neuron 2; ``"dW1_1_2"`` the gradient of the weight from input 1
        to neuron 2 of layer 1; ``"new_b2_1"`` a bias after the update.
    symbol : str
        The same as it is written in the chapter: ``"z₂⁽¹⁾"``.
    value : float
        The number.
    formula : str
        How it is computed, in symbols.
    numbers : str
        How it is computed, with the numbers plugged in.
    check : float or None
        For the gradient of a weight or bias: the central difference of the loss, found without the chain rule.
    """

    phase: str
    name: str
    symbol: str
    value: float
    formula: str
    numbers: str
    check: float | None = None


def complete_step(
    network: Network, x: np.ndarray, y: float, *, learning_rate: float, difference: float = 1e-5
) -> Iterator[Quantity]:
    r"""One training step on one example, as the sequence of all its numbers.

    - forward, layer by layer: :math:`z_j = \sum_i x_i w_{ij} + b_j` and :math:`a_j = f(z_j)`; at the end
      :math:`p = \sigma(z)`;
    - loss, the binary cross-entropy: :math:`L = -y \log p - (1 - y) \log(1 - p)`;
    - backward: :math:`\delta = p - y` at the output, :math:`\delta_i = f'(z_i) \sum_j w_{ij} \delta_j` before it;
      the gradient of a weight is what came in through it times the δ of the neuron that it leads to;
    - update: :math:`w \leftarrow w - \eta\, \partial L / \partial w`.

    The network is left as it is: its new weights are among the numbers.

    Parameters
    ----------
    network : Network
        Any hidden layers, one output: a logit.
    x : array, shape (inputs,)
        One example.
    y : float
        Its target, 0 or 1.
    learning_rate : float
        η.
    difference : float
        Half the width of the central difference behind ``Quantity.check``.

    Yields
    ------
    Quantity
        In the order of computation.

    Raises
    ------
    ShapeError
        When the network has several outputs, or ``x`` is not one example of its inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlib import Network
    >>> network = Network([2, 3, 1], rng=np.random.default_rng(0))
    >>> network.parameters[:] = 0.5
    >>> step = {q.name: q for q in complete_step(network, np.array([1.0, 0.0]), 1.0, learning_rate=1.0)}
    >>> step["z1_1"].formula
    'x₁ w₁₁⁽¹⁾ + x₂ w₂₁⁽¹⁾ + b₁⁽¹⁾'
    >>> step["z1_1"].numbers
    '1.000 × 0.500 + 0.000 × 0.500 + 0.500 = 1.000'
    >>> abs(step["dW1_1_1"].value - step["dW1_1_1"].check) < 1e-9
    True

    References
    ----------
    Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986).
    """
    x = np.asarray(x, dtype=float)
    inputs, outputs = network.layers[0].W.shape[0], network.layers[-1].W.shape[1]
    if outputs != 1:
        raise ShapeError(
            f"complete_step follows a network with one output (a logit); this one has {outputs}: "
            "use nnlib.loss_and_gradient for several outputs"
        )
    if x.shape != (inputs,):
        raise ShapeError(
            f"complete_step takes one example of shape ({inputs},); got shape {x.shape}: pass one row, such as X[0]"
        )
    return _Step(network, x, float(y), learning_rate, difference).quantities()


class _Step:
    """The numbers which the phases of one step hand on to each other."""

    def __init__(self, network: Network, x: np.ndarray, y: float, learning_rate: float, difference: float):
        self.network, self.x, self.y = network, x[None, :], y
        self.learning_rate, self.difference = learning_rate, difference
        self.trace = network.forward(self.x)
        self.last = len(network.layers)
        self.p = float(ACTIVATIONS["sigmoid"].value(self.trace.output)[0, 0])

    def quantities(self) -> Iterator[Quantity]:
        for number in range(1, self.last + 1):
            yield from self.forward(number)
        yield self.answer()
        yield self.loss()
        gradients = []
        deltas = np.array([self.p - self.y])
        for number in range(self.last, 0, -1):
            if number < self.last:
                deltas = yield from self.hidden_deltas(number, deltas)
            else:
                yield Quantity(
                    "backward", f"δ{number}_1", _symbol("δ", number, 1), float(deltas[0]),
                    "p − y", f"{show(self.p)} − {show(self.y)} = {show(deltas[0])}",
                )  # fmt: skip
            for gradient in self.gradients(number, deltas):
                gradients.append(gradient)
                yield gradient
        for gradient in gradients:
            yield self.update(gradient)

    def forward(self, number: int) -> Iterator[Quantity]:
        layer, seen = self.network.layers[number - 1], self.trace.layers[number - 1]
        for j, (weights, b) in enumerate(zip(layer.W.T, layer.b, strict=True)):
            z = _symbol("z", number, j + 1)
            symbols = [f"{_source(number, i)} {_symbol('w', number, i + 1, j + 1)}" for i in range(len(weights))]
            products = [f"{factor(a)} × {factor(w)}" for a, w in zip(seen.x[0], weights, strict=True)]
            yield Quantity(
                "forward", f"z{number}_{j + 1}", z, float(seen.z[0, j]),
                " + ".join([*symbols, _symbol("b", number, j + 1)]),
                f"{' + '.join([*products, factor(b)])} = {show(seen.z[0, j])}",
            )  # fmt: skip
            if number < self.last:
                f = layer.activation.name
                yield Quantity(
                    "forward", f"a{number}_{j + 1}", _symbol("a", number, j + 1), float(seen.a[0, j]),
                    f"{f}({z})", f"{f}({show(seen.z[0, j])}) = {show(seen.a[0, j])}",
                )  # fmt: skip

    def answer(self) -> Quantity:
        z = self.trace.output[0, 0]
        return Quantity(
            "forward", "p", "p", self.p, f"σ({_symbol('z', self.last, 1)})",
            f"1 / (1 + exp({show(-z)})) = {show(self.p)}",
        )  # fmt: skip

    def loss(self) -> Quantity:
        loss, chance = self._loss(), self.p if self.y == 1 else 1 - self.p
        return Quantity("loss", "L", "L", loss, "−y log p − (1 − y) log(1 − p)", f"−log {show(chance)} = {show(loss)}")

    def hidden_deltas(self, number: int, later: np.ndarray) -> Iterator[Quantity]:
        layer, seen = self.network.layers[number - 1], self.trace.layers[number - 1]
        W = self.network.layers[number].W
        slopes = layer.activation.slope(seen.z[0], seen.a[0])
        deltas = slopes * (W @ later)
        for i, weights in enumerate(W):
            symbols = [
                f"{_symbol('w', number + 1, i + 1, j + 1)} {_symbol('δ', number + 1, j + 1)}"
                for j in range(len(weights))
            ]
            products = [f"{factor(w)} × {factor(d)}" for w, d in zip(weights, later, strict=True)]
            yield Quantity(
                "backward", f"δ{number}_{i + 1}", _symbol("δ", number, i + 1), float(deltas[i]),
                f"{layer.activation.name}′({_symbol('z', number, i + 1)}) × ({' + '.join(symbols)})",
                f"{factor(slopes[i])} × ({' + '.join(products)}) = {show(deltas[i])}",
            )  # fmt: skip
        return deltas

    def gradients(self, number: int, deltas: np.ndarray) -> Iterator[Quantity]:
        came_in = self.trace.layers[number - 1].x[0]
        for j, d in enumerate(deltas):
            delta = _symbol("δ", number, j + 1)
            for i, a in enumerate(came_in):
                name = f"W{number}_{i + 1}_{j + 1}"
                yield Quantity(
                    "backward", f"d{name}", f"∂L/∂{_symbol('w', number, i + 1, j + 1)}", float(a * d),
                    f"{_source(number, i)} {delta}", f"{factor(a)} × {factor(d)} = {show(a * d)}",
                    self.central_difference(name),
                )  # fmt: skip
            name = f"b{number}_{j + 1}"
            yield Quantity(
                "backward", f"d{name}", f"∂L/∂{_symbol('b', number, j + 1)}", float(d),
                f"1 × {delta}", f"1 × {factor(d)} = {show(d)}", self.central_difference(name),
            )  # fmt: skip

    def update(self, gradient: Quantity) -> Quantity:
        name, symbol = gradient.name.removeprefix("d"), gradient.symbol.removeprefix("∂L/∂")
        old = float(parameter(self.network, name))
        new = old - self.learning_rate * gradient.value
        return Quantity(
            "update", f"new_{name}", symbol, new, f"{symbol} − η {gradient.symbol}",
            f"{show(old)} − {show(self.learning_rate)} × {factor(gradient.value)} = {show(new)}",
        )  # fmt: skip

    def central_difference(self, name: str) -> float:
        nudged = parameter(self.network, name)
        kept = float(nudged)
        nudged[...] = kept + self.difference
        above = self._loss()
        nudged[...] = kept - self.difference
        below = self._loss()
        nudged[...] = kept
        return (above - below) / (2 * self.difference)

    def _loss(self) -> float:
        return float(LOSSES[LOSS].value(self.network.forward(self.x).output, np.array([[self.y]])))


def parameter(network: Network, name: str) -> np.ndarray:
    """A view of one weight or bias by its name: ``"W1_1_2"`` (layer 1, input 1, neuron 2) or ``"b2_1"``.

    Examples
    --------
    >>> network = Network([2, 3, 1], rng=np.random.default_rng(0))
    >>> parameter(network, "b2_1")[...] = 0.25
    >>> network.parameters[-1]
    np.float64(0.25)
    """
    letter, *numbers = name[0], *name[1:].split("_")
    number, *index = (int(text) - 1 for text in numbers)
    layer = network.layers[number]
    return (layer.W if letter == "W" else layer.b)[(*index, ...)]


def show(number: float) -> str:
    """Three decimals, with a real minus sign and no negative zero."""
    text = f"{number:.3f}"
    return "0.000" if text == "-0.000" else text.replace("-", "−")


def factor(number: float) -> str:
    """A number within a sum or product: in brackets when it is negative."""
    text = show(number)
    return f"({text})" if text.startswith("−") else text


def _symbol(letter: str, layer: int, *index: int) -> str:
    return letter + "".join(map(str, index)).translate(_SUBSCRIPTS) + f"⁽{str(layer).translate(_SUPERSCRIPTS)}⁾"


def _source(layer: int, i: int) -> str:
    """What comes into a layer at place ``i``: an input, or an activation of the layer before."""
    return f"x{str(i + 1).translate(_SUBSCRIPTS)}" if layer == 1 else _symbol("a", layer - 1, i + 1)

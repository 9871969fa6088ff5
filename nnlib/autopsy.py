"""Where numbers end: the first value of a training step that is infinite or NaN, and how it was computed.

A walk dies of one number. Which, and of what, can be read from the step in the order in which it was computed.
"""

from __future__ import annotations

import numpy as np

from nnlib.backpropagation import BackwardTrace
from nnlib.errors import NonFiniteError
from nnlib.losses import Loss
from nnlib.network import Network, Trace
from nnlib.optimizers import Optimizer


def first_bad(name: str, values: np.ndarray) -> tuple[str, tuple[int, ...], float]:
    """Return where in an array the first number that is not finite stands, its position, and the number.

    >>> first_bad("z", np.array([[0.0, np.inf], [np.nan, 1.0]]))
    ('z[0, 1]', (0, 1), inf)
    """
    position = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
    return f"{name}[{', '.join(map(str, position))}]", position, float(values[position])


def non_finite(
    net: Network,
    loss: Loss,
    target: np.ndarray,
    trace: Trace,
    value: float,
    sweep: BackwardTrace,
    *,
    gradient: np.ndarray,
    index: int,
    optimizer: Optimizer,
    before: tuple[np.ndarray, np.ndarray] | None,
) -> NonFiniteError:
    """Return the error that names the first bad number of a step, in the order in which they were computed.

    Parameters
    ----------
    net, loss, target, trace, value, sweep
        The step: its network, what it computed forward, its loss, and what it computed backward.
    gradient : ndarray (P,)
        That of the sweep, with the penalty's.
    index : int
        Number of updates made before the step.
    optimizer : Optimizer
    before : tuple of ndarray (P,) or None
        The parameters and the gradient of the step before; None at the start, and where they are not kept.
    """
    forward = [
        (number, name, array)
        for number, (layer, seen) in enumerate(zip(net.layers, trace.layers, strict=True))
        for name, array in (("W", layer.W), ("b", layer.b), ("z", seen.z), ("a", seen.a))
    ]
    backward = [
        (number, f"gradient of {name}", array)
        for number, block in reversed(list(enumerate(net.blocks(gradient))))
        for name, array in (("W", block[:-1]), ("b", block[-1]))
    ]
    layer, name, values = next(
        found for found in (*forward, (None, "loss", np.array([value])), *backward) if not np.isfinite(found[2]).all()
    )
    where, position, bad = ("loss", (0,), value) if layer is None else first_bad(name, values)
    place = "the loss" if layer is None else f"{where} of layers[{layer}]"
    advice = (
        "the parameters the walk started from are too large or not finite"
        if index == 0
        else f"the steps have grown too large; try a learning rate well below {optimizer.rate(index - 1):g}"
    )
    if name in ("W", "b"):
        formula, numbers = _update(net, layer, name, position, before, optimizer, index)
    elif name == "z":
        formula, numbers = _weighted_sum(trace.layers[layer].x, net.layers[layer].W, position)
    elif name == "a":
        z = trace.layers[layer].z[position]
        formula, numbers = f"A = f(Z), f = {net.layers[layer].activation.name}", f"z = {z:.3g}: f(z) = {bad}"
    elif name == "loss":
        formula, numbers = _loss(loss, trace.output, target)
    else:
        x, delta = np.abs(trace.layers[layer].x).max(), np.abs(sweep.deltas[layer]).max()
        formula = "∂L/∂W = Xᵀ δ" if name.endswith("W") else "∂L/∂b = Σ δ"
        numbers = f"the largest |x| is {x:.3g}, the largest |δ| is {delta:.3g}"
    return NonFiniteError(
        f"training stopped at step {index}: {place} is {bad}; {advice}",
        step=index,
        layer=layer,
        where=where,
        value=bad,
        formula=formula,
        numbers=numbers,
    )


def _update(net, layer, name, position, before, optimizer, index) -> tuple[str, str]:
    if index == 0:
        return name, f"{name} was not finite when the walk started"
    step = "∂L/∂" + name if optimizer.name == "sgd" else f"{optimizer.name}(∂L/∂{name})"
    formula, rate = f"{name} ← {name} − η {step}", f"η = {optimizer.rate(index - 1):g}"
    if before is None:
        return formula, f"{rate}; with every=1 this says as well what {name} and ∂L/∂{name} were"
    row = position if name == "W" else (-1, *position)  # the bias is the last row of its block
    old, slope = (float(net.blocks(vector)[layer][row]) for vector in before)
    return formula, f"{rate}, {name} was {old:.3g}, ∂L/∂{name} was {slope:.3g}"


def _weighted_sum(X: np.ndarray, W: np.ndarray, position: tuple[int, ...]) -> tuple[str, str]:
    """Name the largest product in the sum of one neuron for one example."""
    example, neuron = position
    x, w = X[example], W[:, neuron]
    k = int(np.argmax(np.abs(x * w)))
    return "Z = X W + b", f"the largest product x · w of the sum is {x[k]:.3g} · {w[k]:.3g} = {x[k] * w[k]:.3g}"


def _loss(loss: Loss, output: np.ndarray, target: np.ndarray) -> tuple[str, str]:
    """Name the example whose loss is largest."""
    words = loss.formula.replace("^2", "²").replace("\\", "").replace("{", "(").replace("}", ")").replace("-", "−")
    formula = f"L = mean of {loss.name if 'begin' in words else words}"
    each = loss.each(output, target)
    worst = np.unravel_index(int(np.argmax(each)), each.shape)
    if loss.by_row:
        return formula, f"the largest loss of an example is {each[worst]:.3g}"
    numbers = f"p = {output[worst]:.3g} where y = {target[worst]:.3g}: its loss is {each[worst]:.3g}"
    if np.isfinite(each[worst]):
        largest = np.finfo(each.dtype).max
        numbers += f", and the sum over {each.size} examples goes beyond the largest number, {largest:.3g}"
    return formula, numbers

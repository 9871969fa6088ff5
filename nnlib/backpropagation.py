"""Backpropagation finds the slope of the loss along every weight in one sweep from the output to the input.

It is the chain rule, written so that what one layer has computed is used by the layer below and never again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nnlib.errors import SettingError, ShapeError, as_numbers, check_number
from nnlib.losses import Loss, as_loss
from nnlib.network import Network, Trace
from nnlib.penalties import Penalty, as_penalty


@dataclass(frozen=True, eq=False)
class BackwardTrace:
    """Everything a backward sweep computed.

    Attributes
    ----------
    gradient : ndarray (P,)
        The slope of the loss along every parameter, in the order of θ; `Network.blocks` cuts it into layers.
    deltas : tuple of ndarray (batch, outputs)
        For each layer δ, the slope of the loss along its weighted sums z.
    x_slope : ndarray (batch, inputs)
        The slope of the loss along the network's inputs.
    """

    gradient: np.ndarray
    deltas: tuple[np.ndarray, ...]
    x_slope: np.ndarray


def backward(net: Network, trace: Trace, output_slope: np.ndarray) -> BackwardTrace:
    r"""Carry the slope of the loss from the output back through every layer.

    .. math::
        δ^{(l)} = A'^{(l)} \odot f'(Z^{(l)}), \qquad \nabla_W = {X^{(l)}}^\top δ^{(l)}, \qquad
        \nabla_b = \textstyle\sum_{\text{batch}} δ^{(l)}, \qquad A'^{(l-1)} = δ^{(l)} {W^{(l)}}^\top

    With shortcuts a layer's input is seen by all later layers as well, and their slopes along it are added.

    Parameters
    ----------
    net : Network
        With the parameters that it had when it made the trace.
    trace : Trace
        From ``net.forward(X)``.
    output_slope : ndarray (batch, outputs)
        The slope of the loss along the output, A' of the last layer: ``loss.slope(trace.output, y)``.

    Returns
    -------
    BackwardTrace

    Raises
    ------
    ShapeError
        If the slope has not the shape of the output.

    Source: Rumelhart, Hinton & Williams 1986, equations 4 to 7; Goodfellow et al. 2016, algorithm 6.4.

    Examples
    --------
    >>> net = Network([1, 1], rng=np.random.default_rng(0))
    >>> net.parameters = [2.0, 1.0]  # p = 2x + 1
    >>> trace = net.forward([[3.0]])
    >>> backward(net, trace, np.array([[0.5]])).gradient  # dL/dw = 0.5 · x, dL/db = 0.5
    array([1.5, 0.5])
    """
    if np.shape(output_slope) != trace.output.shape:
        raise ShapeError(
            f"output_slope should have the shape of the output, {trace.output.shape}, got {np.shape(output_slope)}"
        )
    gradient = np.empty_like(net.parameters, dtype=trace.output.dtype)
    blocks = net.blocks(gradient)
    slope, passed_by, deltas = output_slope, 0.0, []
    for number in range(len(net.layers) - 1, -1, -1):
        layer, seen, block = net.layers[number], trace.layers[number], blocks[number]
        slope = slope if seen.mask is None else slope * seen.mask
        delta = slope * layer.activation.derivative(seen.z, seen.a)  # (batch, outputs)
        block[:-1] = seen.x.T @ delta  # (inputs, outputs)
        block[-1] = delta.sum(axis=0)  # (outputs,)
        slope = delta @ layer.weights.T  # (batch, inputs)
        if layer.mask is not None:
            block[:-1] *= layer.mask
        if net.shortcuts:  # the last columns of what the layer saw are the layer before it, the others passed that by
            slope = slope + passed_by
            passed_by, slope = np.split(slope, [layer.inputs - net.sizes[number]], axis=1)
        deltas.append(delta)
    return BackwardTrace(gradient, tuple(deltas[::-1]), slope)


def loss_and_gradient(
    net: Network,
    loss: str | Loss,
    X,
    y,
    *,
    penalty: Penalty | None = None,
    masks: Sequence[np.ndarray] | None = None,
) -> tuple[float, np.ndarray]:
    """Return the loss of a batch and its gradient by every parameter.

    Parameters
    ----------
    net : Network
    loss : str or Loss
    X : array_like (batch, inputs)
    y : array_like
        The target, as the loss takes it.
    penalty : Penalty, optional
        Added to the loss, and its slope to the gradient.
    masks : sequence of ndarray, optional
        For `Network.forward`: the holes of a step under dropout.

    Returns
    -------
    value : float
    gradient : ndarray (P,)
        In the order and the dtype of ``net.parameters``.

    Raises
    ------
    ShapeError, TargetError, DTypeError, SettingError
        If an argument is not as described.

    Examples
    --------
    >>> net = Network([1, 1], rng=np.random.default_rng(0))
    >>> net.parameters = [2.0, 1.0]  # p = 2x + 1
    >>> loss_and_gradient(net, "mse", [[3.0]], [5.0])  # p = 7: L = 2², dL/dp = 2 · 2
    (4.0, array([12.,  4.]))
    """
    loss, penalty = as_loss(loss), as_penalty(penalty)
    trace = net.forward(X, masks=masks)
    target = loss.prepare(y, trace.output.shape, trace.output.dtype)
    value = loss.mean(trace.output, target)
    gradient = backward(net, trace, loss.mean_slope(trace.output, target)).gradient
    if penalty is not None:
        value, gradient = value + penalty.value(net), gradient + penalty.slope(net)
    return value, gradient


@dataclass(frozen=True, eq=False)
class GradientReport:
    """What a gradient check found. Its text says it in a sentence; ``bool(report)`` is whether all is well.

    Attributes
    ----------
    worst : float
        The largest relative error.
    layer, parameter : int, str
        Where: the layer and the name there, such as ``"W[0, 1]"``.
    index : int
        Its position in θ.
    claimed, measured : float
        There, the number that backpropagation (or the caller) claims and the one that was measured.
    by_layer : tuple of float
        The largest relative error in each layer.
    errors : ndarray (P,)
        All relative errors; NaN for what was not checked.
    skipped : int
        Parameters that stand on a kink, where there is no slope to measure.
    tolerance : float
        Up to which error all is well.
    """

    worst: float
    layer: int
    parameter: str
    index: int
    claimed: float
    measured: float
    by_layer: tuple[float, ...]
    errors: np.ndarray
    skipped: int
    tolerance: float

    @property
    def suspect(self) -> int | None:
        """The last layer that is wrong, None if all is well: a broken rule spoils its own layer and those before."""
        return max((i for i, error in enumerate(self.by_layer) if error > self.tolerance), default=None)

    def __bool__(self) -> bool:
        return self.worst <= self.tolerance

    def __str__(self) -> str:
        verdict = "The gradient is right" if self else "The gradient is wrong"
        skipped = f"; {self.skipped} on a kink were skipped" if self.skipped else ""
        return (
            f"{verdict}: worst relative error {self.worst:.1e} at layers[{self.layer}].{self.parameter} "
            f"(claimed {self.claimed:.9g}, measured {self.measured:.9g}){skipped}."
        )


def check_gradient(
    net: Network,
    loss: str | Loss,
    X,
    y,
    *,
    penalty: Penalty | None = None,
    masks: Sequence[np.ndarray] | None = None,
    gradient: np.ndarray | None = None,
    method: str = "central",
    step: float | None = None,
    tolerance: float | None = None,
) -> GradientReport:
    r"""Compare a gradient with slopes that are measured by moving one parameter at a time.

    .. math::
        \frac{L(θ + h e_i) - L(θ - h e_i)}{2h} \quad \text{or} \quad
        \frac{\operatorname{Im} L(θ + i h e_i)}{h}

    The second, the complex step, has no subtraction and so no loss of digits. Measuring is done in double
    precision whatever the network's dtype. The relative error is :math:`|c - m| / \max(|c|, |m|, n)`, where n
    is as small as the rounding of the measurement allows. Near a kink central differences take a smaller
    step; on one, none.

    Parameters
    ----------
    net, loss, X, y, penalty, masks
        As for `loss_and_gradient`.
    gradient : ndarray (P,), optional
        The gradient to check; by default that of `loss_and_gradient`.
    method : {"central", "complex"}
    step : float, optional
        h, by default 1e-5 (central) or 1e-30 (complex).
    tolerance : float, optional
        For the verdict, by default 1e-6 (central) or 1e-12 (complex); 1e-3 for a float32 network.

    Returns
    -------
    GradientReport

    Raises
    ------
    SettingError, ShapeError
        If a setting or the gradient's shape is not as described.

    Sources: Squire & Trapp, *Using complex variables to estimate derivatives*, SIAM Review 40:110, 1998;
    Goodfellow et al. 2016, section 11.5.

    Examples
    --------
    >>> net = Network([2, 3, 1], rng=np.random.default_rng(0))
    >>> X, y = [[0.0, 1.0], [1.0, 1.0]], [1.0, 0.0]
    >>> bool(check_gradient(net, "binary_cross_entropy", X, y))
    True
    >>> wrong = loss_and_gradient(net, "mse", X, y)[1]
    >>> wrong[7] *= 2
    >>> report = check_gradient(net, "mse", X, y, gradient=wrong)
    >>> bool(report), report.layer, report.parameter
    (False, 0, 'b[1]')
    """
    if not isinstance(method, str) or method not in ("central", "complex"):
        raise SettingError(f'method should be "central" or "complex", got {method!r}')
    central = method == "central"
    h = check_number("step", (1e-5 if central else 1e-30) if step is None else step, above=0)
    if tolerance is None:
        tolerance = 1e-3 if net.dtype == np.float32 else 1e-6 if central else 1e-12
    tolerance = check_number("tolerance", tolerance, above=0)
    loss, penalty = as_loss(loss), as_penalty(penalty)
    claimed = loss_and_gradient(net, loss, X, y, penalty=penalty, masks=masks)[1] if gradient is None else gradient
    claimed = as_numbers("gradient", claimed, np.float64)
    if claimed.shape != net.parameters.shape:
        raise ShapeError(f"gradient should have shape {net.parameters.shape}, got {claimed.shape}")

    probe = net.with_parameters(net.parameters.astype(float if central else complex))
    measure = _central if central else _complex_step
    target = loss.prepare(y, (len(X), net.sizes[-1]), np.dtype(float))
    measured, noise = measure(probe, partial(probe.forward, X, masks=masks), loss, target, penalty, h)
    floor = np.maximum(noise / tolerance, np.finfo(float).tiny)
    errors = np.abs(claimed - measured) / np.maximum(np.maximum(np.abs(claimed), np.abs(measured)), floor)
    errors[~np.isfinite(claimed)] = np.inf
    index = int(np.argmax(np.where(np.isnan(errors), -1, errors)))
    layer, parameter = net.locate(index)
    return GradientReport(
        float(errors[index]),
        layer,
        parameter,
        index,
        float(claimed[index]),
        float(measured[index]),
        tuple(float(np.max(block, initial=0, where=~np.isnan(block))) for block in net.blocks(errors)),
        errors,
        int(np.isnan(errors).sum()),
        tolerance,
    )


def _complex_step(probe, forward, loss, target, penalty, h):
    measured = np.empty(probe.parameters.size)
    for i in range(measured.size):
        kept = probe.parameters[i]
        probe.parameters[i] += 1j * h
        measured[i] = _total(probe, loss, forward(), target, penalty).imag / h
        probe.parameters[i] = kept
    return measured, np.abs(measured).max() * np.finfo(float).eps


def _central(probe, forward, loss, target, penalty, h):
    measured = np.empty(probe.parameters.size)
    noise = np.empty_like(measured)
    for i in range(measured.size):
        kept, width, sides = probe.parameters[i], h * max(1.0, abs(probe.parameters[i])), []
        while True:
            values, sides = [], []
            for moved in (kept - width, kept + width):
                probe.parameters[i] = moved
                trace = forward()
                values.append(_total(probe, loss, trace, target, penalty))
                sides.append(_sides(probe, loss, trace, target, penalty))
            if all(map(np.array_equal, *sides)):
                measured[i] = (values[1] - values[0]) / ((kept + width) - (kept - width))
                break
            width /= 10
            if width < 1e-3 * h:
                measured[i] = np.nan
                break
        noise[i] = 8 * np.finfo(float).eps * max(map(abs, values)) / width
        probe.parameters[i] = kept
    return measured, noise


def _total(net, loss, trace, target, penalty):
    return loss.mean(trace.output, target) + (0 if penalty is None else penalty.value(net))


def _sides(net, loss, trace, target, penalty):
    """Say for every number that has kinks on which side of each it is."""
    sides = [
        seen.z > kink for layer, seen in zip(net.layers, trace.layers, strict=True) for kink in layer.activation.kinks
    ]
    sides += [loss.argument(trace.output, target) > kink for kink in loss.kinks]
    return sides + [
        weights > kink for kink in (penalty.kinks if penalty else ()) for weights in (layer.W for layer in net.layers)
    ]

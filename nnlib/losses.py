"""A loss turns a prediction and the truth into one number: how wrong the network is.

That number is what training makes small, so its slope here is the slope of exactly that number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnlib.activations import ACTIVATIONS, log_softmax, softmax
from nnlib.errors import (
    DTypeError,
    SettingError,
    ShapeError,
    TargetError,
    as_numbers,
    as_rectangle,
    check_number,
    look_up,
)


@dataclass(frozen=True)
class Loss:
    r"""A mean over examples, :math:`L = \sum_i w_i \ell(p_i, y_i) / \sum_i w_i`, declared with its slope.

    Without class weights every :math:`w_i` is 1. The elementwise losses average over the batch and the
    outputs; `cross_entropy` averages over the batch.

    Attributes
    ----------
    name : str
        The key in `LOSSES`.
    each : callable
        ``each(p, y)``: the losses :math:`\ell`, one for each element (for cross-entropy one for each row).
    each_slope : callable
        ``each_slope(p, y)``: the derivative of each of them by p, in the shape of p.
    prepare : callable
        ``prepare(target, output_shape, dtype) -> y``: checks the target and brings it into the form that
        `each` takes. What it returns it takes again unchanged.
    formula : str
        :math:`\ell` in LaTeX.
    argument : callable
        ``argument(p, y)``: the one number that :math:`\ell` is a function of (the residual p - y, the margin
        p y).
    kinks : tuple of float
        The values of `argument` at which the slope jumps.
    predict : callable
        ``predict(output)``: what the network says in the reader's terms: probabilities for the
        cross-entropies, the output itself for the others.
    weights : callable or None
        ``weights(y)``: one weight for each loss that `each` returns; None means all alike.
    by_row : bool
        Whether a whole row of outputs makes one loss; otherwise every element makes one.
    total : bool
        Whether the sum over the batch is taken and not the mean, as in the papers of the 1980s.

    Examples
    --------
    >>> mse = LOSSES["mse"]
    >>> mse.value([[1.0], [3.0]], [[0.0], [3.0]])
    0.5
    >>> mse.slope([[1.0], [3.0]], [[0.0], [3.0]])
    array([[1.],
           [0.]])
    """

    name: str
    each: Callable[[np.ndarray, np.ndarray], np.ndarray]
    each_slope: Callable[[np.ndarray, np.ndarray], np.ndarray]
    prepare: Callable[[np.ndarray, tuple[int, ...], np.dtype], np.ndarray]
    formula: str
    argument: Callable[[np.ndarray, np.ndarray], np.ndarray]
    kinks: tuple[float, ...] = ()
    predict: Callable[[np.ndarray], np.ndarray] = np.positive
    weights: Callable[[np.ndarray], np.ndarray] | None = None
    by_row: bool = False
    total: bool = False

    def value(self, output, target) -> float:
        """Return the loss of a batch as one float (a complex number for complex output).

        Parameters
        ----------
        output : array_like (batch, outputs)
            What the network put out; for the cross-entropies logits.
        target : array_like
            In the shape of output; (batch,) will do for a single output and for integer classes.

        Raises
        ------
        ShapeError, TargetError, DTypeError
            If the target does not fit the output or the loss.
        """
        output = _some("output", output)
        return self.mean(output, self.prepare(target, output.shape, output.dtype))

    def slope(self, output, target) -> np.ndarray:
        """Return the derivative of `value` by every element of the output, in its shape and dtype."""
        output = _some("output", output)
        return self.mean_slope(output, self.prepare(target, output.shape, output.dtype))

    def mean(self, p: np.ndarray, y: np.ndarray) -> float:
        """Return `value` for a target that `prepare` has already brought into form."""
        each = self.each(p, y)
        if self.total:
            return each.sum().item()
        if self.weights is None:
            return each.mean().item()
        weights = self.weights(y)
        return ((weights * each).sum() / weights.sum()).item()

    def mean_slope(self, p: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return `slope` for a target that `prepare` has already brought into form."""
        slope = self.each_slope(p, y)
        if self.total:
            return slope
        if self.weights is None:
            return slope / (slope[..., 0].size if self.by_row else slope.size)
        weights = self.weights(y)
        return slope * ((weights[..., None] if self.by_row else weights) / weights.sum())


def _some(name: str, values) -> np.ndarray:
    array = as_numbers(name, values)
    if not array.size:
        raise ShapeError(f"{name} should hold at least one number, got shape {array.shape}; a mean needs an example")
    return array


def as_loss(name: str | Loss) -> Loss:
    """Return the loss of this name; a `Loss` is returned as it is.

    Raises
    ------
    SettingError
        If there is none of this name.
    """
    return name if isinstance(name, Loss) else look_up("loss", name, LOSSES)


# Targets: three kinds of truth.


def _values(target, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    y = as_numbers("y", target, np.zeros(0, dtype).real.dtype)
    if y.shape == shape[:-1] and shape[-1:] == (1,):
        y = y[..., None]
    if y.shape != shape:
        raise ShapeError(
            f"y has shape {y.shape} but the network's output has shape {shape}; "
            "each output needs its own target and nothing is repeated to fit"
        )
    return y


def _shares(target, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    y = _values(target, shape, dtype)
    if not ((y >= 0) & (y <= 1)).all():
        raise TargetError(
            f"binary_cross_entropy needs y between 0 and 1, got {y.min():g} to {y.max():g}; "
            "for classes -1 and 1 write (y + 1) / 2"
        )
    return y


def _signs(target, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    y = _values(target, shape, dtype)
    if not ((y == 0) | (np.abs(y) == 1)).all():
        raise TargetError(f"hinge needs y of -1 and 1 (or 0 and 1), got {y.min():g} to {y.max():g}")
    return np.where(y > 0, 1, -1).astype(y.dtype)


def _distribution(target, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    y = as_rectangle("y", target)
    if len(shape) < 1 or shape[-1] < 2:
        raise ShapeError(
            f"cross_entropy needs one output for each class, at least 2, got output of shape {shape}; "
            "for a single output use binary_cross_entropy"
        )
    if y.shape == shape:
        y = as_numbers("y", y, np.zeros(0, dtype).real.dtype)
        if not (y >= 0).all() or (np.abs(y.sum(axis=-1) - 1) > 1e-3).any():
            raise TargetError("each row of y should be a distribution: nothing below 0, sum 1 (as in one-hot rows)")
        return y
    if y.shape == (*shape[:-1], 1):
        y = y[..., 0]
    if y.shape != shape[:-1]:
        raise ShapeError(
            f"y has shape {np.shape(target)} but the output has shape {shape}; "
            f"cross_entropy takes integer classes of shape {shape[:-1]} or one-hot rows of shape {shape}"
        )
    if y.dtype.kind not in "ui":
        raise DTypeError(f"classes should be integers, got dtype {y.dtype}; write y.astype(int)")
    if y.size and (y.min() < 0 or y.max() >= shape[-1]):
        raise TargetError(
            f"y holds the classes {y.min()} to {y.max()}, but {shape[-1]} outputs stand for the classes "
            f"0 to {shape[-1] - 1}"
        )
    return np.eye(shape[-1], dtype=np.zeros(0, dtype).real.dtype)[y]


# The losses, each beside its slope.


def huber(delta: float = 1.0) -> Loss:
    r"""Return Huber's loss: :math:`r^2/2` for a residual up to δ, a straight line beyond.

    Source: Huber, *Robust estimation of a location parameter*, Annals of Mathematical Statistics 35:73, 1964.

    Raises
    ------
    SettingError
        If `delta` is not above 0.

    >>> huber(2.0).value([0.0, 0.0], [1.0, 5.0])  # (1/2 + 2 (5 - 1)) / 2
    4.25
    """
    delta = check_number("delta", delta, above=0)

    def each(p, y):
        r = p - y
        size = np.where(r.real < 0, -r, r)
        return np.where(size.real <= delta, r * r / 2, delta * (size - delta / 2))

    def each_slope(p, y):
        r = p - y
        return np.where(np.abs(r.real) <= delta, r, delta * np.sign(r.real))

    words = rf"r^2 / 2 \text{{ if }} |r| \le {delta:g} \text{{ else }} {delta:g} (|r| - {delta / 2:g})"
    return Loss("huber", each, each_slope, _values, words, _residual)


def binary_cross_entropy(class_weights: Sequence[float] | None = None) -> Loss:
    r"""Return the cross-entropy of a logit and a label 0 or 1 (or a probability between).

    .. math:: \ell = y \ln(1 + e^{-p}) + (1 - y) \ln(1 + e^p)

    Parameters
    ----------
    class_weights : pair of float, optional
        How much an example of class 0 and one of class 1 counts.

    Raises
    ------
    SettingError
        If these are not two numbers from 0 up, one above 0.

    Source: Goodfellow, Bengio & Courville, *Deep Learning*, 2016, section 6.2.2.2.

    >>> binary_cross_entropy().value([800.0, -800.0], [0, 0])  # exact where log(1 - sigmoid(800)) is -inf
    400.0
    """
    counts = _class_weights(class_weights, 2)
    softplus, sigmoid = ACTIVATIONS["softplus"].function, ACTIVATIONS["sigmoid"].function
    return Loss(
        "binary_cross_entropy",
        lambda p, y: y * softplus(-p) + (1 - y) * softplus(p),
        lambda p, y: (1 - y) * sigmoid(p) - y * sigmoid(-p),  # σ(p) - y, without its cancellation
        _shares,
        r"y \ln(1 + e^{-p}) + (1 - y) \ln(1 + e^p)",
        lambda p, y: (2 * y - 1) * p,
        predict=sigmoid,
        weights=None if counts is None else lambda y: (1 - y) * counts[0].item() + y * counts[1].item(),
    )


def cross_entropy(class_weights: Sequence[float] | None = None) -> Loss:
    r"""Return the cross-entropy of logits, one for each class, and a class (or a distribution over classes).

    .. math:: \ell = - \sum_k y_k \Bigl( p_k - \ln \sum_j e^{p_j} \Bigr)

    Parameters
    ----------
    class_weights : sequence of float, optional
        How much an example of each class counts.

    Raises
    ------
    SettingError
        If these are not numbers from 0 up, one above 0.

    Source: Bishop, *Pattern Recognition and Machine Learning*, 2006, equation 4.108.

    >>> cross_entropy().value([[1000.0, 0.0, 0.0]], [1])
    1000.0
    """
    counts = _class_weights(class_weights, None)
    return Loss(
        "cross_entropy",
        _cross_entropy,
        _cross_entropy_slope,
        _distribution,
        r"-\sum_k y_k \ln \mathrm{softmax}(p)_k",
        lambda p, y: (p * y).sum(axis=-1),
        predict=softmax,
        weights=None if counts is None else lambda y: y @ counts.astype(y.dtype),
        by_row=True,
    )


def _cross_entropy(p, y):
    return -np.where(y == 0, 0, y * log_softmax(p)).sum(axis=-1)


def _cross_entropy_slope(p, y):
    share = softmax(p)
    top = np.argmax(p.real, axis=-1, keepdims=True)
    rest = share.copy()
    np.put_along_axis(rest, top, 0, axis=-1)
    others = 1 - share
    np.put_along_axis(others, top, rest.sum(axis=-1, keepdims=True), axis=-1)
    return share * (1 - y) - y * others  # softmax(p) - y, without its cancellation


def _class_weights(weights, count: int | None) -> np.ndarray | None:
    if weights is None:
        return None
    counts = as_numbers("class_weights", weights)
    if counts.ndim != 1 or (count and len(counts) != count) or not (counts >= 0).all() or not counts.any():
        raise SettingError(
            f"class_weights should be {count or 'a list of'} numbers, one for each class, "
            f"none below 0 and one above, got {weights!r}"
        )
    return counts


def _residual(p, y):
    return p - y


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "mse",  # Bishop 2006, equation 5.11, as a mean and without the factor 1/2
            lambda p, y: (p - y) * (p - y),
            lambda p, y: 2 * (p - y),
            _values,
            r"(p - y)^2",
            _residual,
        ),
        Loss(
            "mae",  # Laplace 1774
            lambda p, y: (p - y) * np.sign((p - y).real),
            lambda p, y: np.sign(p - y),
            _values,
            r"|p - y|",
            _residual,
            kinks=(0.0,),
        ),
        huber(),
        binary_cross_entropy(),
        cross_entropy(),
        Loss(
            "hinge",  # Cortes & Vapnik 1995
            lambda p, y: np.where((p * y).real < 1, 1 - p * y, 0),
            lambda p, y: np.where((p * y).real < 1, -y, 0),
            _signs,
            r"\max(0, 1 - p y)",
            lambda p, y: p * y,
            kinks=(1.0,),
        ),
    )
}

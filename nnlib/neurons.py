"""A neuron weighs its inputs, adds a bias, and fires when the sum reaches zero.

Everything a network can do is made of that one step, repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnlib.errors import SettingError, ShapeError, as_numbers, check_rng
from nnlib.network import Network


@dataclass(frozen=True, eq=False)
class Neuron:
    """One neuron with a threshold: it answers 1 where ``z = w·x + b`` is at least 0, and 0 elsewhere.

    Parameters
    ----------
    w : array (inputs,)
        The weights, one for each input.
    b : float
        The bias: minus the threshold which the weighted inputs must reach.

    Examples
    --------
    >>> both = Neuron([1.0, 1.0], -1.5)
    >>> both.answer([[0, 0], [0, 1], [1, 0], [1, 1]])
    array([0, 0, 0, 1])

    References
    ----------
    McCulloch and Pitts (1943); Rosenblatt (1958).
    """

    w: np.ndarray
    b: float

    def __post_init__(self) -> None:
        w = np.array(self.w, dtype=float)
        if w.ndim != 1 or w.size == 0:
            raise ShapeError(
                f"w has shape {w.shape}, but a neuron's weights are one row: (inputs,). "
                "Pass w[:, j] to take one neuron out of a layer."
            )
        w.flags.writeable = False
        object.__setattr__(self, "w", w)
        object.__setattr__(self, "b", float(self.b))

    def weighted_sum(self, X: np.ndarray) -> np.ndarray:
        """Return ``z = X w + b``: (batch,) for X (batch, inputs), one number for a single example (inputs,)."""
        X = as_numbers("x", X)
        if X.ndim not in (1, 2) or X.shape[-1] != self.w.size:
            raise ShapeError(
                f"x has shape {X.shape}, but the neuron's w is {self.w.shape}: each example needs one number for "
                "each weight. Did the label column stay in, or is X transposed?"
            )
        return X @ self.w + self.b

    def answer(self, X: np.ndarray) -> np.ndarray:
        """Return 1 where the neuron fires (``z >= 0``) and 0 where it does not."""
        return (self.weighted_sum(X) >= 0).astype(int)

    @property
    def normal(self) -> np.ndarray:
        """The unit vector ``w / ‖w‖``: square to the decision line, pointing to the side which fires."""
        return self.w / self._length()

    @property
    def foot(self) -> np.ndarray:
        """The point of the decision line which is nearest to the origin: ``-b w / ‖w‖²``."""
        return -self.b * self.w / self._length() ** 2

    def distance(self, X: np.ndarray) -> np.ndarray:
        """Return the signed distance ``z / ‖w‖`` from the decision line: positive on the side which fires."""
        return self.weighted_sum(X) / self._length()

    def margin(self, X: np.ndarray, y: np.ndarray) -> float:
        """Return the smallest distance by which an example lies on its right side (negative: one is wrong)."""
        X, sides = _examples(X, y)
        return float(np.min(sides * self.distance(X)))

    def _length(self) -> float:
        length = float(np.linalg.norm(self.w))
        if length == 0:
            raise SettingError("All weights are 0, so there is no decision line: the answer ignores the input.")
        return length


@dataclass(frozen=True, eq=False)
class PerceptronStep:
    """What the perceptron rule did with one example.

    Attributes
    ----------
    index : int
        How many examples have been looked at (0: the start).
    example : int or None
        The row of X that was looked at (None at the start).
    z : float
        The weighted sum for this example, before any correction.
    answer, target : int
        What the neuron said and what it should have said, 0 or 1.
    mistakes : int
        How many corrections have been made so far, this one included.
    neuron : Neuron
        The neuron after this step.
    """

    index: int
    example: int | None
    z: float
    answer: int
    target: int
    mistakes: int
    neuron: Neuron

    @property
    def mistake(self) -> bool:
        """Whether the answer was wrong, so that this step made a correction."""
        return self.answer != self.target


def train_perceptron(
    X: np.ndarray, y: np.ndarray, *, start: Neuron | None = None, rng: np.random.Generator | None = None
) -> Iterator[PerceptronStep]:
    """Yield the steps of Rosenblatt's perceptron rule: ``w += (y - a) x`` and ``b += (y - a)``, one example each.

    The generator ends after a full pass without a mistake.
    Where no line separates the two classes it never ends: take as many steps as you want.

    Parameters
    ----------
    X : array (batch, inputs)
    y : array (batch,)
        Targets, 0 or 1.
    start : Neuron, optional
        Where to start; all weights and the bias 0 if not given.
    rng : np.random.Generator, optional
        Draws a fresh order for every pass; without it the examples are taken in turn.

    Examples
    --------
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> *_, last = train_perceptron(X, y)
    >>> last.mistakes, last.neuron.answer(X)
    (11, array([0, 0, 0, 1]))

    References
    ----------
    Rosenblatt (1958); Novikoff (1962).
    """
    X, sides = _examples(X, y)
    targets = (sides > 0).astype(int)
    neuron = start if start is not None else Neuron(np.zeros(X.shape[1]), 0.0)
    if neuron.w.size != X.shape[1]:
        raise ShapeError(f"start has w {neuron.w.shape}, but X is {X.shape}: one weight for each column.")
    if rng is not None:
        check_rng(rng)
    index = mistakes = clean = 0
    yield PerceptronStep(0, None, 0.0, 0, 0, 0, neuron)
    while clean < len(X):
        clean = 0
        for i in np.arange(len(X)) if rng is None else rng.permutation(len(X)):
            index += 1
            z = float(X[i] @ neuron.w) + neuron.b
            answer, target = int(z >= 0), int(targets[i])
            if answer == target:
                clean += 1
            else:
                mistakes += 1
                neuron = Neuron(neuron.w + (target - answer) * X[i], neuron.b + (target - answer))
            yield PerceptronStep(index, int(i), z, answer, target, mistakes, neuron)


@dataclass(frozen=True, eq=False)
class MistakeBound:
    """Novikoff's promise: from a start at 0 the perceptron rule makes at most ``(R / γ)²`` mistakes.

    Attributes
    ----------
    radius : float
        R, the length of the longest example, its constant input 1 counted in.
    margin : float
        γ, the margin of ``separator``, its bias counted as one more weight. 0 where no line separates.
    mistakes : float
        ``(R / γ)²``; infinite where no line separates: then nothing is promised.
    separator : Neuron or None
        The neuron whose weights and bias (of length 1 together) have the largest margin of all.
    """

    radius: float
    margin: float
    mistakes: float
    separator: Neuron | None


def mistake_bound(X: np.ndarray, y: np.ndarray) -> MistakeBound:
    """Return Novikoff's bound ``(R / γ)²`` for the best separator there is.

    With ``v = s (x, 1)`` for each example (s = +1 or -1 for its class), the best separator is the
    shortest θ with ``θ·v >= 1`` for every v; then ``γ = 1 / ‖θ‖``.

    Examples
    --------
    >>> corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> round(mistake_bound(corners, [0, 1, 1, 1]).mistakes, 6)
    27.0
    >>> mistake_bound(corners, [0, 1, 1, 0]).mistakes  # XOR
    inf

    References
    ----------
    Novikoff (1962). The shortest θ is found as in Lawson and Hanson (1974), chapter 23.
    """
    X, sides = _examples(X, y)
    V = sides[:, None] * np.column_stack([X, np.ones(len(X))])  # (batch, inputs + 1)
    radius = float(np.max(np.linalg.norm(V, axis=1)))
    E = np.vstack([V.T / radius, np.ones(len(V))])
    f = np.append(np.zeros(V.shape[1]), 1.0)
    residual = E @ _nonnegative_least_squares(E, f) - f
    theta = residual[:-1]
    length = float(np.linalg.norm(theta))
    margin = float(np.min(V @ theta)) / length if length > 1e-9 else 0.0
    if margin <= 1e-9 * radius:
        return MistakeBound(radius, 0.0, float("inf"), None)
    return MistakeBound(radius, margin, (radius / margin) ** 2, Neuron(theta[:-1] / length, theta[-1] / length))


def build_bumps(edges: np.ndarray, heights: np.ndarray, *, steepness: float | None = None) -> Network:
    """Return a 1-2n-1 network whose output is ``heights[i]`` between ``edges[i]`` and ``edges[i + 1]``.

    Each bump is two hidden neurons: one steps up at its left edge, one steps down at its right edge.

    Parameters
    ----------
    edges : array (n + 1,)
        Where the bumps begin and end, increasing.
    heights : array (n,)
    steepness : float, optional
        Weight k of the hidden neurons, ``sigmoid(k (x - edge))``; sharp steps if not given.

    Examples
    --------
    >>> net = build_bumps([0.0, 0.5, 1.0], [2.0, -1.0])
    >>> net.forward(np.array([[0.25], [0.75], [2.0]])).output.ravel().tolist()
    [2.0, -1.0, 0.0]
    """
    edges, heights = as_numbers("edges", edges), as_numbers("heights", heights)
    if edges.ndim != 1 or heights.ndim != 1 or edges.size != heights.size + 1:
        raise ShapeError(
            f"edges has shape {edges.shape} and heights {heights.shape}; n heights need n + 1 edges."
        )
    if not np.all(np.diff(edges) > 0):
        raise SettingError("edges must increase from left to right; sort them and drop repeats.")
    if steepness is not None and not steepness > 0:
        raise SettingError(f"steepness is {steepness}, but the steps must rise: pass a number above 0.")
    activation = "step" if steepness is None else "sigmoid"
    net = Network([1, 2 * heights.size, 1], activation=activation, rng=np.random.default_rng(0))
    places = np.column_stack([edges[:-1], edges[1:]]).ravel()  # left, right, left, right, ...
    k = 1.0 if steepness is None else float(steepness)
    hidden, output = net.layers
    hidden.W[...], hidden.b[...] = k, -k * places
    output.W[...] = np.column_stack([heights, -heights]).reshape(-1, 1)
    output.b[...] = 0.0
    return net


def _examples(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check a data set with two classes and return X as floats and the classes as sides -1 and +1."""
    X, y = as_numbers("X", X), as_numbers("y", y)
    if X.ndim != 2 or len(X) == 0 or y.shape != (len(X),):
        raise ShapeError(
            f"X has shape {X.shape} and y {y.shape}, but X must be (batch, inputs) and y (batch,), "
            "one target for each example. Does y need .ravel()?"
        )
    if not np.isin(y, (0, 1)).all():
        raise SettingError(
            f"Targets must be 0 or 1, got {np.unique(y)[:5].tolist()}. "
            "Pass (y == wanted).astype(int) to set one class against the rest."
        )
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise SettingError(f"X[{row}, {column}] is {X[row, column]}. Drop or fill such examples first.")
    return X, np.where(y == 1, 1.0, -1.0)


def _nonnegative_least_squares(E: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return u >= 0 which makes ‖E u - f‖ smallest: the active-set method of Lawson and Hanson (1974)."""
    u = np.zeros(E.shape[1])
    free = np.zeros(E.shape[1], dtype=bool)
    for _ in range(10 * E.shape[1]):
        gradient = np.where(free, -np.inf, E.T @ (f - E @ u))
        best = int(np.argmax(gradient))
        if gradient[best] <= 1e-12:
            break
        free[best] = True
        while True:
            trial = np.zeros_like(u)
            trial[free] = np.linalg.lstsq(E[:, free], f)[0]
            low = free & (trial <= 1e-15)
            if not low.any():
                break
            u = u + np.min(u[low] / (u[low] - trial[low])) * (trial - u)
            free &= u > 1e-15
        u = trial
    return u

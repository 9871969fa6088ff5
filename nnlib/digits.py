"""The complete process on real data: look, hold some examples back, train on the rest, and measure what was held back.

Each part is a few lines; what makes a result worth believing is their order, and what each part is allowed to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import ceil
from typing import NamedTuple

import numpy as np

from nnlib.activations import softmax
from nnlib.datasets import Dataset
from nnlib.dropout import Dropout
from nnlib.errors import SettingError, ShapeError, as_numbers, check_count, check_number, check_rng
from nnlib.gradient_descent import descend
from nnlib.losses import as_loss
from nnlib.network import Network
from nnlib.optimizers import Adam, Optimizer
from nnlib.penalties import Penalty

SIDE = 8  # pixels
ADAM = Adam(0.01)

# As the images of the data set were made: a bitmap of 32 x 32, the digit 20 wide and 32 high, counted in blocks.
# The pen's radius gives as much ink as they have; nothing is stretched more than this in one direction.
_BITMAP, _WIDE, _PEN, _STRETCH = 32, 20.0, 2.6, 1.3


@dataclass(frozen=True, eq=False)
class Scaling:
    """What turns features into numbers around 0 of size about 1; made from training examples alone.

    Attributes
    ----------
    mean : ndarray (features,)
    deviation : ndarray (features,)
        A feature that is the same in all training examples has 1 here.

    Examples
    --------
    >>> scaling = Scaling.of([[0.0, 5.0], [4.0, 5.0]])
    >>> scaling([[0.0, 5.0], [6.0, 6.0]])
    array([[-1.,  0.],
           [ 2.,  1.]])
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X, *, each: bool = True) -> Scaling:
        """Measure training examples X (n, features): each feature's own deviation, or one for all."""
        X = as_numbers("X", X)
        mean = X.mean(axis=0)
        deviation = X.std(axis=0) if each else np.full(X.shape[1], np.sqrt(np.mean((X - mean) ** 2)))
        return cls(mean, np.where(deviation > 0, deviation, 1.0))

    def __call__(self, X) -> np.ndarray:
        """Return (X - mean) / deviation."""
        return (as_numbers("X", X) - self.mean) / self.deviation


class Epoch(NamedTuple):
    """A network after some passes over its training examples.

    Attributes
    ----------
    number : int
        Passes so far; 0 is the start.
    parameters : ndarray (P,)
    train_loss, validation_loss : float
        Of the whole network, without penalty and without holes.
    train_accuracy, validation_accuracy : float
    """

    number: int
    parameters: np.ndarray
    train_loss: float
    validation_loss: float
    train_accuracy: float
    validation_accuracy: float


def train_by_epoch(
    net: Network,
    train: Dataset,
    validation: Dataset,
    *,
    optimizer: str | Optimizer,
    rng: np.random.Generator,
    batch_size: int = 64,
    penalty: Penalty | None = None,
    dropout: Dropout | None = None,
) -> Iterator[Epoch]:
    """Train a classifier and look at it after each pass. Endless; take what you want.

    Parameters
    ----------
    net : Network
        Trained in place.
    train, validation : Dataset
        The first is trained on, the second only looked at.
    optimizer, rng, batch_size, penalty, dropout
        As for `descend`.

    Yields
    ------
    Epoch

    Examples
    --------
    >>> from itertools import islice
    >>> from nnlib.datasets import blobs
    >>> from nnlib.optimizers import SGD
    >>> rng = np.random.default_rng(0)
    >>> train, validation = blobs(60, rng=rng).split(0.5, rng=rng)
    >>> net = Network([2, 3], rng=rng)
    >>> epochs = train_by_epoch(net, train, validation, optimizer=SGD(1.0), rng=rng)
    >>> for epoch in islice(epochs, 0, 41, 20):
    ...     print(epoch.number, round(epoch.validation_loss, 3), round(epoch.validation_accuracy, 2))
    0 1.719 0.0
    20 0.204 1.0
    40 0.099 1.0
    """
    loss = as_loss(train.loss)

    def look(number: int, parameters: np.ndarray) -> Epoch:
        outputs = [net.forward(part.X).output for part in (train, validation)]
        losses = [loss.value(output, part.y) for output, part in zip(outputs, (train, validation), strict=True)]
        right = [accuracy(output, part.y) for output, part in zip(outputs, (train, validation), strict=True)]
        return Epoch(number, parameters, *losses, *right)

    size = min(check_count("batch_size", batch_size), len(train))
    starts = descend(
        net, loss, train.X, train.y, optimizer=optimizer, batch_size=size, rng=rng, penalty=penalty, dropout=dropout,
        every=ceil(len(train) / size),
    )  # fmt: skip
    for step in starts:  # the first batch of a pass: the network is as the last pass left it
        yield look(step.epoch, step.parameters)


def stop_early(epochs: Iterable[Epoch], patience: int) -> list[Epoch]:
    """Take epochs until the validation loss has not improved for `patience` of them.

    The best is ``min(taken, key=lambda epoch: epoch.validation_loss)``, and its parameters are the ones to keep.

    Examples
    --------
    >>> losses = [3.0, 2.0, 1.0, 1.5, 1.2, 0.9]
    >>> epochs = (Epoch(i, np.zeros(1), 0.0, value, 1.0, 1.0) for i, value in enumerate(losses))
    >>> [epoch.number for epoch in stop_early(epochs, patience=2)]
    [0, 1, 2, 3, 4]
    """
    check_count("patience", patience)
    taken, best = [], 0
    for epoch in epochs:
        taken.append(epoch)
        if epoch.validation_loss < taken[best].validation_loss:
            best = len(taken) - 1
        if len(taken) - 1 - best >= patience:
            break
    return taken


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained network together with the scaling of its inputs, which belongs to it as much as its weights.

    Examples
    --------
    >>> from nnlib.datasets import blobs
    >>> train, test = blobs(60, rng=np.random.default_rng(0)).split(0.5, rng=np.random.default_rng(0))
    >>> made = Classifier.fit(train, hidden=(8,), epochs=20, rng=np.random.default_rng(0))
    >>> made.accuracy(test)
    1.0
    """

    scaling: Scaling
    net: Network

    @classmethod
    def fit(
        cls,
        train: Dataset,
        *,
        rng: np.random.Generator,
        hidden: Sequence[int] = (32,),
        epochs: int = 15,
        optimizer: str | Optimizer = ADAM,
        batch_size: int = 64,
        penalty: Penalty | None = None,
        dropout: Dropout | None = None,
    ) -> Classifier:
        """Scale by one deviation for all features, then train ReLU layers by cross-entropy for some epochs."""
        check_count("epochs", epochs)
        scaling = Scaling.of(train.X, each=False)
        net = Network(
            [train.X.shape[1], *hidden, train.outputs], "relu", rng=rng, initialisation="he" if hidden else "xavier"
        )
        size = min(check_count("batch_size", batch_size), len(train))
        starts = descend(
            net, train.loss, scaling(train.X), train.y, optimizer=optimizer, batch_size=size, rng=rng,
            penalty=penalty, dropout=dropout, every=ceil(len(train) / size),
        )  # fmt: skip
        next(islice(starts, epochs, None))
        return cls(scaling, net)

    def probabilities(self, X) -> np.ndarray:
        """Return the probability of each class, (n, classes)."""
        return softmax(self.net.forward(self.scaling(X)).output)

    def accuracy(self, data: Dataset) -> float:
        """Return the share of right answers."""
        return accuracy(self.probabilities(data.X), data.y)


# What an answer is worth.


def accuracy(output, y) -> float:
    """Return the share of rows whose largest entry stands at the true class: logits or probabilities.

    >>> accuracy([[0.1, 2.0], [3.0, 1.0]], [1, 1])
    0.5
    """
    return float(np.mean(np.argmax(output, axis=1) == np.asarray(y)))


def confusion_matrix(y, answers, classes: int) -> np.ndarray:
    """Count how often class k (row) was answered as class j (column), (classes, classes).

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    y, answers = np.asarray(y), np.asarray(answers)
    if y.shape != answers.shape:
        raise ShapeError(f"there should be an answer for each y, {y.shape}, got {answers.shape}")
    return np.bincount(y * classes + answers, minlength=classes**2).reshape(classes, classes)


class Reliability(NamedTuple):
    """How sure and how right, in bins of confidence from 0 to 1; where a bin is empty both are NaN.

    Attributes
    ----------
    confidence, accuracy : ndarray (bins,)
        Means over the answers in the bin.
    count : ndarray (bins,)
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        r"""The expected calibration error, :math:`\sum_b \frac{n_b}{n} |\text{accuracy}_b - \text{confidence}_b|`."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.count) / self.count.sum())


def reliability(p, y, bins: int = 10) -> Reliability:
    """Sort answers by their confidence and compare it with how often they are right.

    Parameters
    ----------
    p : array_like (n, classes)
        Probabilities. The answer is the most probable class, its probability the confidence.
    y : array_like (n,)
    bins : int

    Source: Naeini, Cooper & Hauskrecht, AAAI 2015; Guo et al., ICML 2017.

    Examples
    --------
    >>> found = reliability([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.6, 0.4]], [0, 1, 1, 0], bins=2)
    >>> found.confidence, found.accuracy, found.count
    (array([ nan, 0.75]), array([ nan, 0.75]), array([0, 4]))
    >>> reliability([[0.9, 0.1]] * 4, [0, 1, 1, 1]).error.__round__(3)
    0.65
    """
    p, bins = as_numbers("p", p), check_count("bins", bins)
    sure, right = p.max(axis=1), p.argmax(axis=1) == np.asarray(y)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, weights=values, minlength=bins) / count for values in (sure, right)]
    return Reliability(*means, count)


# Baselines: what a network has to beat.


def nearest_centroid(train: Dataset, X) -> np.ndarray:
    """Answer the class whose mean example is nearest, (n,).

    >>> data = Dataset(np.array([[0.0], [1.0], [10.0]]), np.array([0, 0, 1]), "binary", 2, "line")
    >>> nearest_centroid(data, [[2.0], [7.0]])
    array([0, 1])
    """
    centroids = np.stack([train.X[train.y == k].mean(axis=0) for k in range(train.classes)])
    return _squared_distances(X, centroids).argmin(axis=1)


def neighbours(train: Dataset, X, k: int) -> np.ndarray:
    """Return the rows of the k nearest training examples, nearest first, (n, k).

    >>> data = Dataset(np.array([[0.0], [1.0], [10.0]]), np.array([0, 0, 1]), "binary", 2, "line")
    >>> neighbours(data, [[2.0]], 2)
    array([[1, 0]])
    """
    if check_count("k", k) > len(train):
        raise SettingError(f"k is {k}, but there are only {len(train)} training examples")
    distances = _squared_distances(X, train.X)  # (n, training examples)
    farthest = np.partition(distances, k - 1, axis=1)[:, k - 1]
    near = [np.flatnonzero(row <= limit) for row, limit in zip(distances, farthest, strict=True)]
    return np.stack([rows[np.argsort(row[rows], kind="stable")[:k]] for row, rows in zip(distances, near, strict=True)])


def nearest_neighbours(train: Dataset, X, k: int = 3) -> np.ndarray:
    """Let the k nearest training examples vote, (n,); a tie goes to the smallest class.

    Source: Fix & Hodges 1951; Cover & Hart, IEEE Transactions on Information Theory 13:21, 1967.

    >>> data = Dataset(np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 0, 1, 1]), "binary", 2, "line")
    >>> nearest_neighbours(data, [[1.4], [2.6]], k=3)
    array([0, 1])
    """
    votes = train.y[neighbours(train, X, k)]  # (n, k)
    return np.stack([(votes == label).sum(axis=1) for label in range(train.classes)], axis=1).argmax(axis=1)


def _squared_distances(X, Z: np.ndarray) -> np.ndarray:
    """‖x - z‖² = ‖x‖² - 2 x·z + ‖z‖² for all pairs at once, (rows of X, rows of Z)."""
    X = as_numbers("X", X)
    return (X**2).sum(axis=1)[:, None] - 2 * X @ Z.T + (Z**2).sum(axis=1)


# What can be wrong with data.


def mislabel(data: Dataset, share: float, *, rng: np.random.Generator) -> tuple[Dataset, np.ndarray]:
    """Give a share of the examples another class, drawn evenly from the wrong ones.

    Returns
    -------
    data : Dataset
    wrong : ndarray of bool (n,)
        Which labels were changed.
    """
    share = check_number("share", share, at_least=0, at_most=1)
    rows = check_rng(rng).permutation(len(data))[: round(share * len(data))]
    wrong = np.zeros(len(data), bool)
    wrong[rows] = True
    y = data.y.copy()
    y[rows] = (y[rows] + rng.integers(1, data.classes, len(rows))) % data.classes
    return Dataset(data.X, y, data.task, data.classes, data.name), wrong


def shift(X, right: float, down: float) -> np.ndarray:
    """Move images of 8 x 8 pixels; what leaves is lost, and what enters is paper.

    A part of a pixel is shared out: 0.25 to the right leaves three quarters of the ink where it was.

    >>> image = np.zeros((1, 64))
    >>> image[0, 9] = 1.0  # row 1, column 1
    >>> shift(image, 1, 0.25).reshape(8, 8)[:3, :3]
    array([[0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.75],
           [0.  , 0.  , 0.25]])
    """
    images = as_numbers("X", X).reshape(-1, SIDE, SIDE)
    for axis, distance in ((2, right), (1, down)):
        whole = int(np.floor(distance))
        rest = distance - whole
        images = (1 - rest) * _roll(images, whole, axis) + rest * _roll(images, whole + 1, axis)
    return images.reshape(-1, SIDE * SIDE)


def _roll(images: np.ndarray, pixels: int, axis: int) -> np.ndarray:
    moved = np.zeros_like(images)
    if abs(pixels) < SIDE:
        to, come = slice(max(pixels, 0), SIDE + min(pixels, 0)), slice(max(-pixels, 0), SIDE - max(pixels, 0))
        place = [slice(None)] * 3
        source = [slice(None)] * 3
        place[axis], source[axis] = to, come
        moved[tuple(place)] = images[tuple(source)]
    return moved


def with_shifted_copies(data: Dataset, distance: float = 1.0) -> Dataset:
    """Add to each image its copies moved left, right, up and down: five times as many examples."""
    ways = [(0, 0), (distance, 0), (-distance, 0), (0, distance), (0, -distance)]
    X = np.concatenate([shift(data.X, *way) for way in ways])
    return Dataset(X, np.tile(data.y, len(ways)), data.task, data.classes, data.name)


# From a pen to pixels.


def draw(strokes: Sequence, *, centre: bool = True) -> np.ndarray:
    """Turn the strokes of a pen into an image like those of the data set.

    The data were bitmaps of 32 x 32, the digit scaled to a box 20 wide and 32 high in the middle; each pixel is
    the share of black in a block of 4 x 4. So is this: scale and centre, draw with a round pen, count blocks.

    Parameters
    ----------
    strokes : sequence of array_like (points, 2)
        Each a line through its points (x to the right, y down), on a sheet from 0 to 1.
    centre : bool
        Scale to the box and centre; otherwise the sheet is the bitmap as it is.

    Returns
    -------
    ndarray (64,)
        Sixteenths from 0 (paper) to 1 (ink).

    Examples
    --------
    >>> one = draw([[(0.5, 0.2), (0.5, 0.9)]])  # a vertical line
    >>> one.reshape(8, 8)[[0, 4, 7]].round(2)
    array([[0.  , 0.  , 0.  , 0.62, 0.62, 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  , 0.75, 0.75, 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  , 0.62, 0.62, 0.  , 0.  , 0.  ]])
    """
    lines = [as_numbers("a stroke", stroke).reshape(-1, 2) for stroke in strokes if len(stroke)]
    if not lines:
        return np.zeros(SIDE * SIDE)
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    factor = np.array([_BITMAP, _BITMAP], float)
    offset = np.zeros(2)
    if centre:
        size = high - low
        room = np.array([_WIDE, _BITMAP]) - 2 * _PEN
        fit = [room[i] / size[i] if size[i] > 0 else np.inf for i in (0, 1)]
        factor = np.array([min(fit[0], _STRETCH * fit[1]), min(fit[1], _STRETCH * fit[0])])
        factor[np.isinf(factor)] = 0.0  # a dot stays a dot
        offset = _BITMAP / 2 - factor * (low + high) / 2
    middles = np.arange(_BITMAP) + 0.5
    x, y = middles[None, :], middles[:, None]
    black = np.zeros((_BITMAP, _BITMAP), bool)
    for line in lines:
        placed = factor * line + offset
        for (x0, y0), (x1, y1) in pairwise(placed) if len(placed) > 1 else [(placed[0], placed[0])]:
            dx, dy = x1 - x0, y1 - y0
            length = dx * dx + dy * dy
            along = ((x - x0) * dx + (y - y0) * dy) / length if length > 0 else np.zeros_like(black, float)
            along = np.clip(along, 0, 1)
            off_x, off_y = x - x0 - along * dx, y - y0 - along * dy
            black |= off_x * off_x + off_y * off_y <= _PEN * _PEN
    block = _BITMAP // SIDE
    return black.reshape(SIDE, block, SIDE, block).mean(axis=(1, 3)).reshape(-1)

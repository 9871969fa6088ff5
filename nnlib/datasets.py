"""Small data sets, each made to show one thing: a bend, a hole, a knot, a cloud, a wave, a hand.

All but the digits are drawn from formulas, so the truth behind the points is known and any number can be had.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from nnlib.errors import DTypeError, SettingError, TableError, check_count, check_number, check_rng

REACH = 1.8  # a feature from a table that goes farther from 0 is scaled


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their truth.

    Attributes
    ----------
    X : ndarray (n, features)
        Points of the plane within about -1 to 1; for `sine` one number from -1 to 1; for `digits` 64 pixels
        from 0 to 1.
    y : ndarray
        (n,) integer classes from 0, or (n, 1) values.
    task : {"binary", "multiclass", "regression"}
    classes : int
        How many; 0 for regression.
    name : str
        The key in `DATASETS`.
    """

    X: np.ndarray
    y: np.ndarray
    task: str
    classes: int
    name: str

    def __len__(self) -> int:
        return len(self.X)

    @property
    def outputs(self) -> int:
        """How many outputs a network needs: one for each class, or one for two classes or a value."""
        return self.classes if self.task == "multiclass" else 1

    @property
    def loss(self) -> str:
        """The name of the loss that maximum likelihood suggests."""
        return {"binary": "binary_cross_entropy", "multiclass": "cross_entropy", "regression": "mse"}[self.task]

    def split(
        self, fraction: float, *, rng: np.random.Generator, stratified: bool = False
    ) -> tuple[Dataset, Dataset]:
        """Divide the examples at random: `fraction` of them to train on, the others held out.

        Parameters
        ----------
        fraction : float
            Between 0 and 1; each part gets at least one example.
        rng : numpy.random.Generator
        stratified : bool
            Divide each class by itself, so that both parts have its share of the whole, up to one example.

        Returns
        -------
        train, held_out : Dataset

        Raises
        ------
        SettingError
            If there is no such division, or no classes to divide by.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> train, held_out = DATASETS["moons"](n=10, rng=rng).split(0.8, rng=rng)
        >>> len(train), len(held_out)
        (8, 2)
        """
        check_number("fraction", fraction, above=0, below=1)
        if len(self) < 2:
            raise SettingError("a data set of one example cannot be split")
        order = check_rng(rng).permutation(len(self))
        cut = min(max(round(fraction * len(self)), 1), len(self) - 1)
        if stratified:
            order = self._by_class(order, fraction, cut)
            rng.shuffle(order[cut:])  # who is left over comes class by class
        return self._rows(order[:cut]), self._rows(order[cut:])

    def hold_out(self, every: int) -> tuple[Dataset, Dataset]:
        r"""Hold out every n-th example, with no luck involved: examples added later move none of the earlier ones.

        Parameters
        ----------
        every : int
            At least 2.

        Returns
        -------
        train, held_out : Dataset

        Raises
        ------
        SettingError
            If there are fewer than `every` examples.

        Examples
        --------
        >>> train, held_out = from_csv("0,0,a\n0,1,b\n1,0,b\n1,1,a\n0.5,0,b").hold_out(every=4)
        >>> len(train), held_out.X.tolist()
        (4, [[1.0, 1.0]])
        """
        check_count("every", every, at_least=2)
        if len(self) < every:
            raise SettingError(f"one in {every} examples can be held out of at least {every}; got {len(self)}")
        turn = np.arange(len(self)) % every == every - 1
        return self._rows(np.flatnonzero(~turn)), self._rows(np.flatnonzero(turn))

    def _by_class(self, order: np.ndarray, fraction: float, cut: int) -> np.ndarray:
        """Put the rows that each class gives to the first part in front, `cut` in all; the order is kept."""
        if not self.classes:
            raise SettingError(f"only classes can be stratified, and {self.name} has none")
        counts = np.bincount(self.y, minlength=self.classes)
        shares = fraction * counts
        taken = np.floor(shares).astype(int)
        short = np.argsort(taken - shares, kind="stable")[: cut - taken.sum()]  # largest remainders first
        taken[short] += 1
        y = self.y[order]
        place = np.empty(len(y), int)  # of each row among those of its class
        for k, count in enumerate(counts):
            place[y == k] = np.arange(count)
        first = place < taken[y]
        return np.concatenate([order[first], order[~first]])

    def _rows(self, rows: np.ndarray) -> Dataset:
        return Dataset(self.X[rows], self.y[rows], self.task, self.classes, self.name)


def _check(n: int, noise: float, rng: np.random.Generator) -> None:
    check_count("n", n)
    check_number("noise", noise, at_least=0)
    check_rng(rng)


def _scatter(points: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    return points + noise * rng.standard_normal(points.shape)


def xor(n: int = 200, noise: float = 0.2, *, rng: np.random.Generator) -> Dataset:
    """Return points around the corners (±1, ±1); class 1 where the signs differ.

    No line separates the classes. The first four without noise are the truth table itself.

    Source: Minsky & Papert, *Perceptrons*, 1969.

    >>> table = xor(4, noise=0, rng=np.random.default_rng(0))
    >>> table.X.tolist(), table.y.tolist()
    ([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]], [0, 1, 0, 1])
    """
    _check(n, noise, rng)
    corners = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    turn = np.arange(n) % 4
    return Dataset(_scatter(corners[turn], noise, rng), turn % 2, "binary", 2, "xor")


def moons(n: int = 200, noise: float = 0.08, *, rng: np.random.Generator) -> Dataset:
    """Return two half circles, each reaching into the other.

    >>> moons(rng=np.random.default_rng(0)).X.shape
    (200, 2)
    """
    _check(n, noise, rng)
    y = np.arange(n) % 2
    angle = np.pi * rng.random(n)
    side = 1 - 2 * y  # the upper moon, then the lower one
    points = np.column_stack([side * (np.cos(angle) - 0.5), side * (np.sin(angle) - 0.25)]) / 1.5
    return Dataset(_scatter(points, noise, rng), y, "binary", 2, "moons")


def circles(n: int = 200, noise: float = 0.08, *, rng: np.random.Generator) -> Dataset:
    """Return a ring of radius 1 (class 0) around a ring of radius 0.5 (class 1).

    >>> ring = circles(6, noise=0, rng=np.random.default_rng(0))
    >>> np.linalg.norm(ring.X, axis=1).round(12).tolist()
    [1.0, 0.5, 1.0, 0.5, 1.0, 0.5]
    """
    _check(n, noise, rng)
    y = np.arange(n) % 2
    angle = 2 * np.pi * rng.random(n)
    points = np.where(y == 0, 1, 0.5)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return Dataset(_scatter(points, noise, rng), y, "binary", 2, "circles")


def blobs(n: int = 200, noise: float = 0.2, *, classes: int = 3, rng: np.random.Generator) -> Dataset:
    """Return normal clouds of deviation `noise` around points spread evenly on the circle of radius 0.75.

    >>> cloud = blobs(9, rng=np.random.default_rng(0))
    >>> cloud.task, cloud.y.tolist()
    ('multiclass', [0, 1, 2, 0, 1, 2, 0, 1, 2])
    """
    _check(n, noise, rng)
    check_count("classes", classes, at_least=2)
    y = np.arange(n) % classes
    angle = np.pi / 2 + 2 * np.pi * y / classes
    points = 0.75 * np.column_stack([np.cos(angle), np.sin(angle)])
    return Dataset(_scatter(points, noise, rng), y, "binary" if classes == 2 else "multiclass", classes, "blobs")


def spirals(n: int = 194, noise: float = 0.0, *, rng: np.random.Generator) -> Dataset:
    r"""Return two spirals of three turns each, with n points in all, i evenly from 0 to 96.

    .. math:: φ = π i / 16, \quad r = (104 - i) / 104, \quad x = \pm (r \sin φ, r \cos φ)

    With the original 194 points and no noise these are the original data, divided by their radius of 6.5.

    Source: Lang & Witbrock, *Learning to tell two spirals apart*, Connectionist Models Summer School, 1988.

    >>> spirals(rng=np.random.default_rng(0)).X[:4].round(4).tolist()
    [[0.0, 1.0], [0.0, -1.0], [0.1932, 0.9714], [-0.1932, -0.9714]]
    """
    _check(n, noise, rng)
    y = (np.arange(n) + 1) % 2  # the original counts the outer point at (0, 6.5) as 1
    i = np.linspace(0, 96, (n + 1) // 2).repeat(2)[:n]
    radius, angle = (104 - i) / 104, np.pi * i / 16
    points = (2 * y - 1)[:, None] * radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return Dataset(_scatter(points, noise, rng), y, "binary", 2, "spirals")


def sine(n: int = 200, noise: float = 0.1, *, rng: np.random.Generator) -> Dataset:
    r"""Return one period: :math:`y = \sin(π x)` plus noise, for x drawn evenly from -1 to 1.

    >>> wave = sine(50, rng=np.random.default_rng(0))
    >>> wave.X.shape, wave.y.shape, wave.task
    ((50, 1), (50, 1), 'regression')
    """
    _check(n, noise, rng)
    X = rng.uniform(-1, 1, (n, 1))
    return Dataset(X, _scatter(np.sin(np.pi * X), noise, rng), "regression", 0, "sine")


@cache
def _stored_digits() -> tuple[np.ndarray, np.ndarray]:
    with resources.files("nnlib").joinpath("data/digits.npz").open("rb") as file, np.load(file) as stored:
        return stored["X"] / 16, stored["y"].astype(np.int64)


def digits(n: int = 1797, noise: float = 0.0, *, rng: np.random.Generator) -> Dataset:
    """Return handwritten digits of 8 x 8 pixels from 0 (paper) to 1 (ink).

    All 1,797 come in their order, fewer at random. Noise is added to the pixels.

    Source: Alpaydin & Kaynak, *Optical recognition of handwritten digits*, UCI repository, 1998; see
    ``nnlib/data/README.md``.

    Raises
    ------
    SettingError
        If n is more than 1,797.

    >>> data = digits(rng=np.random.default_rng(0))
    >>> data.X.shape, data.X.min().item(), data.X.max().item(), data.y[:5].tolist()
    ((1797, 64), 0.0, 1.0, [0, 1, 2, 3, 4])
    """
    _check(n, noise, rng)
    X, y = _stored_digits()
    if n > len(X):
        raise SettingError(f"n is {n}, but there are only {len(X)} digits")
    rows = np.arange(n) if n == len(X) else rng.choice(len(X), n, replace=False)
    return Dataset(_scatter(X[rows], noise, rng), y[rows], "multiclass", 10, "digits")


DATASETS: dict[str, Callable[..., Dataset]] = {
    make.__name__: make for make in (xor, moons, circles, blobs, spirals, sine, digits)
}


def from_csv(text: str) -> Dataset:
    r"""Return the points of a table: each line holds two features and one of two classes.

    Commas, semicolons, tabs or spaces divide the columns; without commas between them, numbers may have decimal
    commas. A first line without numbers names the columns. Empty lines and lines that begin with # are left out.
    The classes are any two words or numbers; class 0 is the smaller number, or the first in the alphabet. A feature
    that goes farther from 0 than 1.8 is scaled, its smallest value to -1 and its largest to 1.

    Parameters
    ----------
    text : str
        The table itself, such as ``Path("points.csv").read_text()``.

    Returns
    -------
    Dataset
        In the order of the lines, called "own".

    Raises
    ------
    TableError
        With the line that cannot be read, and why.

    Examples
    --------
    >>> data = from_csv("width;height;species\n2,5;10;rose\n3,5;30;lily\n3,0;20;lily")
    >>> data.X.tolist(), data.y.tolist()
    ([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]], [1, 0, 0])
    >>> from_csv("0.1,0.2,rose\n0.3,wide,lily")
    Traceback (most recent call last):
    nnlib.errors.TableError: line 2: the second feature should be a number, got 'wide'
    """
    if not isinstance(text, str):
        raise DTypeError(f'text should be the table itself, as in Path("points.csv").read_text(), got {text!r:.60}')
    rows, labels = [], {}
    for index, (line, row) in enumerate(_records(text)):
        if len(row) != 3:
            raise TableError(
                "there should be three columns, two features and the class, divided by commas; "
                f"got {len(row)} column{'s' * (len(row) != 1)}",
                line=line,
            )
        numbers = [_number(cell) for cell in row[:2]]
        if index == 0 and all(row[:2]) and numbers == [None, None]:
            continue  # the names of the columns
        for which, cell, number in zip(("first", "second"), row, numbers, strict=False):
            if not cell:
                raise TableError(f"the {which} feature is missing; fill it in or leave the line out", line=line)
            if number is None:
                raise TableError(f"the {which} feature should be a number, got {cell!r:.40}", line=line)
            if not math.isfinite(number):
                raise TableError(f"the {which} feature is {number}; mend it or leave the line out", line=line)
        if not row[2]:
            raise TableError("the class is missing; fill it in or leave the line out", line=line)
        value = _number(row[2])
        label = row[2] if value is None or math.isnan(value) else value
        if label not in labels and len(labels) == 2:
            one, other = (f"{seen!r:.40}" for seen in labels.values())
            raise TableError(f"{row[2]!r:.40} is a third class, after {one} and {other}; keep two", line=line)
        labels.setdefault(label, row[2])
        rows.append((*numbers, label))
    if not rows:
        raise TableError("the table holds no points; each line should be two features and a class, as in 0.5,-0.2,1")
    if len(labels) < 2:
        raise TableError(f"all points are of class {labels.popitem()[1]!r:.40}; there should be two classes")
    zero, _ = sorted(labels, key=lambda label: (isinstance(label, str), label))
    X = np.array([row[:2] for row in rows])
    for column in X.T:
        lo, hi = column.min(), column.max()
        if max(-lo, hi) > REACH:
            middle, half = lo / 2 + hi / 2, hi / 2 - lo / 2
            column[:] = (column - middle) / half if half else 0
    return Dataset(X, np.array([int(label != zero) for *_, label in rows]), "binary", 2, "own")


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that holds something."""
    lines = [line.strip(" ") for line in text.removeprefix("\ufeff").splitlines()]
    told = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    divider = next((mark for mark in "\t;," if told and mark in told[0][1]), " ")
    for number, line in told:
        try:
            (cells,) = csv.reader([line], delimiter=divider, skipinitialspace=True)
        except csv.Error as error:
            raise TableError(f"it cannot be divided into columns: {error}", line=number) from error
        if divider != ",":
            cells[:2] = [cell.replace(",", ".") for cell in cells[:2]]
        yield number, [cell.strip() for cell in cells]


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None

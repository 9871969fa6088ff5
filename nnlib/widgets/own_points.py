"""A reader's own points of the plane as text that fits into a link: three characters a point.

A point is its class and its place in hundredths from -1.80 to 1.80, so 2 · 361 · 361 in all; three digits to the base
64 count 262,144.  `point_editor.js` writes and reads the same.
"""

import re
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np

from nnlib.datasets import REACH, Dataset, from_csv
from nnlib.errors import SettingError

DIGITS = ascii_uppercase + ascii_lowercase + digits + "-_"  # those of base64 that a link need not escape
SIDE = round(200 * REACH) + 1  # places on a side of the plane
MOST = 500  # points, so that a link stays short enough to be sent
LEAST = 2  # points of each class


def write(data: Dataset) -> str:
    r"""Return points as text; those outside the plane come to its edge.

    Examples
    --------
    >>> code = write(from_csv("0.5,-1,0\n0,0.254,1"))
    >>> code, read(code).X.tolist(), read(code).y.tolist()
    ('USmvuy', [[0.5, -1.0], [0.0, 0.25]], [0, 1])
    """
    places = np.rint((np.clip(data.X, -REACH, REACH) + REACH) * 100).astype(int)
    numbers = (data.y * SIDE + places[:, 0]) * SIDE + places[:, 1]
    return "".join(DIGITS[n >> 12] + DIGITS[n >> 6 & 63] + DIGITS[n & 63] for n in numbers.tolist())


def read(code: str) -> Dataset:
    """Return the points that `write` wrote.

    Raises
    ------
    SettingError
        If it did not write this text.
    """
    values = [DIGITS.find(digit) for digit in code]
    numbers = [(a << 12) + (b << 6) + c for a, b, c in zip(*[iter(values)] * 3, strict=False)]
    if len(code) % 3 or -1 in values or max(numbers, default=0) >= 2 * SIDE**2:
        raise SettingError(f"points should be a table, or text that this figure wrote; got {code!r:.40}")
    rest, second = np.divmod(np.array(numbers, dtype=int), SIDE)
    classes, first = np.divmod(rest, SIDE)
    places = np.column_stack([first, second]) - (SIDE - 1) // 2
    return Dataset(places / 100, classes, "binary", 2, "own")


def tidy(text: str) -> str:
    r"""Return a reader's points as `write` writes them, whether they come so or as a table for `from_csv`.

    Raises
    ------
    TableError
        With the line of the table that cannot be read.
    SettingError
        If there are too many points, or text that neither can read.

    Examples
    --------
    >>> tidy("x1,x2,class\n0.5,-1,0\n0,0.25,1") == tidy("USmvuy") == "USmvuy"
    True
    """
    if re.search(r"[\s,;]", text):
        data = from_csv(text)
        text = write(data)
    if len(text) > 3 * MOST:
        raise SettingError(f"a link carries at most {MOST} points; got {len(text) // 3}: leave some out")
    read(text)
    return text


def enough(data: Dataset) -> Dataset:
    """Return the data if there is something to learn, or raise SettingError."""
    zero, one = (int((data.y == label).sum()) for label in (0, 1))
    if min(zero, one) < LEAST:
        raise SettingError(f"draw at least {LEAST} points of each class; so far {zero} of class 0 and {one} of class 1")
    return data

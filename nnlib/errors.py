"""When a number, a name or a shape cannot be right, nnlib says so at once, before any arithmetic.

Each message tells what was checked, what was expected, what came instead, and the likely fix.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np


class NnlibError(Exception):
    """Base of every error that nnlib raises on purpose."""


class ShapeError(NnlibError, ValueError):
    """An array has the wrong number of axes, rows or columns."""


class SettingError(NnlibError, ValueError):
    """A name or a number that configures something is not one of those allowed."""


class TargetError(NnlibError, ValueError):
    """The target y holds values that the loss has no meaning for."""


class DTypeError(NnlibError, TypeError):
    """An array holds something that is not a number of the kind needed."""


class TableError(NnlibError, ValueError):
    """A table of data cannot be read.

    Attributes
    ----------
    line : int or None
        The line at fault, counted from 1; None for the table as a whole.
    """

    def __init__(self, message: str, *, line: int | None = None):
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class NonFiniteError(NnlibError, ValueError):
    """Training met an infinity or a NaN.

    Attributes
    ----------
    step : int or None
        Number of updates made before; None outside training.
    layer : int or None
        The layer in which the first bad value was found; None for data and for the loss.
    where : str
        The array and the position in it, such as ``"z[3, 0]"`` or ``"loss"``.
    value : float
        The bad value itself: ``inf``, ``-inf`` or ``nan``.
    formula, numbers : str
        How the bad value was computed, in symbols and with its numbers; empty outside training.
    """

    def __init__(
        self,
        message: str,
        *,
        step: int | None = None,
        layer: int | None = None,
        where: str,
        value: float,
        formula: str = "",
        numbers: str = "",
    ):
        super().__init__(message)
        self.step, self.layer, self.where, self.value = step, layer, where, value
        self.formula, self.numbers = formula, numbers


def look_up(kind: str, name: Any, registry: Mapping[str, Any]) -> Any:
    """Return ``registry[name]``; a name that is not there raises SettingError with the nearest one.

    >>> look_up("loss", "msee", {"mse": 1, "mae": 2})
    Traceback (most recent call last):
    nnlib.errors.SettingError: there is no loss called 'msee'; did you mean 'mse'? The choices are: mse, mae
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    if not isinstance(name, str):
        raise SettingError(f"{kind} should be a name or one of nnlib's own objects, got {name!r}")
    near = difflib.get_close_matches(name.lower(), registry, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    raise SettingError(f"there is no {kind} called {name!r}{guess} The choices are: {', '.join(registry)}")


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return `value` as a float if it is a finite number within the bounds, or raise SettingError.

    >>> check_number("learning_rate", -1, above=0)
    Traceback (most recent call last):
    nnlib.errors.SettingError: learning_rate should be a number above 0, got -1
    """
    bounds = [
        f"{words} {bound:g}"
        for words, bound in (("above", above), ("at least", at_least), ("below", below), ("at most", at_most))
        if bound is not None
    ]
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    value = value.item() if isinstance(value, (np.integer, np.floating)) else value
    if not (
        real
        and abs(value) <= sys.float_info.max
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (below is None or value < below)
        and (at_most is None or value <= at_most)
    ):
        raise SettingError(f"{name} should be a number {' and '.join(bounds)}, got {value!r}")
    return float(value)


def check_count(name: str, value: Any, *, at_least: int = 1) -> int:
    """Return `value` as an int if it is a whole number of at least `at_least`, or raise SettingError.

    >>> check_count("batch_size", 0)
    Traceback (most recent call last):
    nnlib.errors.SettingError: batch_size should be a whole number, at least 1, got 0
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < at_least:
        raise SettingError(f"{name} should be a whole number, at least {at_least}, got {value!r}")
    return int(value)


def check_rng(rng: Any) -> np.random.Generator:
    """Return `rng` if it is a numpy Generator, or raise SettingError with the line to write.

    >>> check_rng(0)
    Traceback (most recent call last):
    nnlib.errors.SettingError: rng should be a Generator, got 0; write rng=np.random.default_rng(0)
    """
    if not isinstance(rng, np.random.Generator):
        seed = rng if isinstance(rng, int) and not isinstance(rng, bool) else 0
        raise SettingError(f"rng should be a Generator, got {rng!r}; write rng=np.random.default_rng({seed})")
    return rng


def as_rectangle(name: str, values: Any) -> np.ndarray:
    """Return `values` as an array of whatever they are; rows of different length and masked entries are errors.

    >>> as_rectangle("y", [[1, 2], [3]])
    Traceback (most recent call last):
    nnlib.errors.ShapeError: y should be a rectangular array, but its rows differ in length
    """
    masked = sys.modules.get("numpy.ma")  # numpy loads it on demand, which takes a while: until then nothing is masked
    if masked and isinstance(values, masked.MaskedArray) and masked.is_masked(values):
        raise DTypeError(f"{name} has masked entries; fill them in, as in {name}.filled(0), or leave their rows out")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{name} should be a rectangular array, but its rows differ in length") from error


def as_numbers(name: str, values: Any, dtype: np.dtype | type | None = None) -> np.ndarray:
    """Return `values` as an array of real or complex floats; words and objects raise DTypeError.

    Integers and booleans become floats, long doubles doubles. With `dtype` the result has this dtype, except that
    complex values stay complex.

    >>> as_numbers("X", [[1, 2], [3, 4]], np.float32).dtype
    dtype('float32')
    >>> as_numbers("X", [["1", "2"]])
    Traceback (most recent call last):
    nnlib.errors.DTypeError: X should hold numbers, got dtype <U1; convert it first, as in X.astype(float)
    """
    array = as_rectangle(name, values)
    if array.dtype.kind not in "buifc":
        raise DTypeError(
            f"{name} should hold numbers, got dtype {array.dtype}; convert it first, as in {name}.astype(float)"
        )
    if array.dtype.char in "gG":
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
    if array.dtype.kind in "bui":
        return array.astype(np.float64 if dtype is None else dtype)
    if dtype is None:
        return array
    if array.dtype.kind == "c":
        return array.astype(np.result_type(dtype, np.complex64), copy=False)
    return array.astype(dtype, copy=False)

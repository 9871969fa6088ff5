"""Exercises in code: a function to write, and what the usual mistakes would give instead.

An answer is tried on numbers drawn at random. If it gives what the solution gives, it is right; if it gives what a
known mistake gives, the hint for just that mistake helps, and each further try with it gets a plainer hint.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlib.errors import SettingError

TOLERANCE = 1e-7

_tries: Counter = Counter()


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: its name, the function with the mistake in it, and hints from a nudge to the plain answer."""

    name: str
    function: Callable
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a check found: whether the answer is right, and in words what to do about it."""

    solved: bool
    text: str
    mistake: str = ""

    def __repr__(self) -> str:
        return self.text


class Exercise:
    """A function that a reader writes.

    Parameters
    ----------
    name : str
        The function's name.
    solution : callable
        A right answer.
    arguments : callable
        ``arguments(rng)`` draws the arguments of one trial, a tuple.
    praise : str
        What is said of a right answer.
    mistakes : iterable of (name, callable, hints)
        The usual mistakes, each with its hints.

    Examples
    --------
    >>> exercise = Exercise(
    ...     "mean_error", lambda p, y: np.mean(p - y), lambda rng: (rng.normal(size=5), rng.normal(size=5)),
    ...     praise="Right.",
    ...     mistakes=[("sign", lambda p, y: np.mean(y - p), ["Which one is subtracted?", "It is p - y."])],
    ... )
    >>> exercise.check(lambda p, y: np.mean(y - p))
    Not yet. Which one is subtracted?
    >>> exercise.check(lambda p, y: np.mean(y) - np.mean(p))
    Not yet. It is p - y.
    >>> exercise.check(lambda p, y: (p - y).sum() / len(p))
    Right.
    """

    def __init__(
        self,
        name: str,
        solution: Callable,
        arguments: Callable[[np.random.Generator], tuple],
        *,
        praise: str,
        mistakes: Iterable[tuple[str, Callable, list[str]]],
    ) -> None:
        self.name, self.solution, self.arguments, self.praise = name, solution, arguments, praise
        self.mistakes = tuple(Mistake(title, function, tuple(hints)) for title, function, hints in mistakes)
        if empty := [mistake.name for mistake in self.mistakes if not mistake.hints]:
            raise SettingError(f"the mistake {empty[0]!r} of {name} has no hint")

    def check(self, answer: Callable) -> Verdict:
        """Try an answer on a few draws, and say what it is."""
        trials = [self.arguments(np.random.default_rng(seed)) for seed in range(3)]
        got = []
        for arguments in trials:
            kept = [np.array(value, copy=True) for value in arguments]
            try:
                result = answer(*arguments)
            except Exception as error:  # whatever the reader's function raises
                return self._hint("raises", [f"{self.name} raises {type(error).__name__}: {error}"])
            if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(arguments, kept, strict=True)):
                return self._hint(
                    "changes", [f"{self.name} changes its arguments. Return a new array instead of writing into one."]
                )
            if result is None or result is ...:
                return self._hint("nothing", [f"{self.name} returns nothing so far: replace the dots."])
            try:
                got.append(np.asarray(result, float))
            except (TypeError, ValueError):
                return self._hint("type", [f"{self.name} returns {type(result).__name__}, and should return numbers."])
        if self._same(got, self.solution, trials):
            return Verdict(True, self.praise)
        for mistake in self.mistakes:
            if self._same(got, mistake.function, trials):
                return self._hint(mistake.name, mistake.hints)
        wanted, found = np.shape(self.solution(*trials[0])), np.shape(got[0])
        if wanted != found:
            return self._hint("shape", [f"{self.name} returns the shape {found}; it should be {wanted}."])
        numbers = f"for the first trial it gives {_short(got[0])}, and should give {_short(self.solution(*trials[0]))}"
        return self._hint("numbers", [f"The shape is right, the numbers are not: {numbers}."])

    def _hint(self, mistake: str, hints: Iterable[str]) -> Verdict:
        hints = tuple(hints)
        tries = _tries[self.name, mistake]
        _tries[self.name, mistake] += 1
        return Verdict(False, f"Not yet. {hints[min(tries, len(hints) - 1)]}", mistake)

    @staticmethod
    def _same(got: list[np.ndarray], function: Callable, trials: list[tuple]) -> bool:
        for result, arguments in zip(got, trials, strict=True):
            expected = np.asarray(function(*arguments), float)
            if result.shape != expected.shape or not np.allclose(result, expected, rtol=TOLERANCE, atol=TOLERANCE):
                return False
        return True


def _short(value: Any) -> str:
    numbers = np.asarray(value, float).ravel()
    return ", ".join(f"{number:.4g}" for number in numbers[:3]) + (" ..." if numbers.size > 3 else "")

"""A schedule changes the learning rate as training goes on: large steps to arrive, small steps to settle.

Each is a function of the number of updates made so far; an optimizer takes it in place of a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nnlib.errors import check_count, check_number


@dataclass(frozen=True)
class Constant:
    """The same rate for ever.

    >>> Constant(0.1)(0), Constant(0.1)(1000)
    (0.1, 0.1)
    """

    rate: float

    def __post_init__(self):
        check_number("rate", self.rate, above=0)

    def __call__(self, t: int) -> float:
        """Return the learning rate after t updates."""
        return self.rate


@dataclass(frozen=True)
class StepDecay:
    r"""Multiply the rate by `factor` every `every` updates: :math:`η_t = η\, q^{\lfloor t / k \rfloor}`.

    >>> schedule = StepDecay(1.0, every=100, factor=0.5)
    >>> schedule(99), schedule(100), schedule(250)
    (1.0, 0.5, 0.25)
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self):
        check_number("rate", self.rate, above=0)
        check_count("every", self.every)
        check_number("factor", self.factor, above=0, at_most=1)

    def __call__(self, t: int) -> float:
        """Return the learning rate after t updates."""
        return self.rate * self.factor ** (t // self.every)


@dataclass(frozen=True)
class Cosine:
    r"""Go from `rate` down to `final` along half a cosine, and stay there.

    .. math:: \eta_t = \eta_T + (\eta_0 - \eta_T)\, \tfrac12 (1 + \cos(\pi t / T))

    Source: Loshchilov & Hutter, *SGDR: SGD with warm restarts*, ICLR 2017, equation 5.

    >>> schedule = Cosine(1.0, steps=100)
    >>> schedule(0), round(schedule(50), 12), schedule(100), schedule(200)
    (1.0, 0.5, 0.0, 0.0)
    """

    rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self):
        check_number("rate", self.rate, above=0)
        check_count("steps", self.steps)
        check_number("final", self.final, at_least=0)

    def __call__(self, t: int) -> float:
        """Return the learning rate after t updates."""
        done = min(t / self.steps, 1)
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Rise in a straight line over the first `steps` updates, then follow `then`, whose clock starts there.

    The first update already moves: its rate is ``then(0) / steps``.

    Source: Goyal et al., *Accurate, large minibatch SGD*, 2017, section 2.2.

    >>> schedule = WarmUp(4, then=0.8)
    >>> [round(schedule(t), 2) for t in range(6)]
    [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]
    """

    steps: int
    then: float | Schedule

    def __post_init__(self):
        check_count("steps", self.steps)
        object.__setattr__(self, "then", as_schedule(self.then))

    def __call__(self, t: int) -> float:
        """Return the learning rate after t updates."""
        return self.then(0) * (t + 1) / self.steps if t < self.steps else self.then(t - self.steps)


Schedule = Callable[[int], float]

SCHEDULES: dict[str, type] = {"constant": Constant, "step": StepDecay, "cosine": Cosine, "warm_up": WarmUp}


def as_schedule(rate: float | Schedule) -> Schedule:
    """Return a schedule as it is, a number as the constant schedule.

    Raises
    ------
    SettingError
        If it is neither a function nor a number above 0.
    """
    return rate if callable(rate) else Constant(check_number("learning_rate", rate, above=0))

"""An optimizer turns a gradient into a step: which way to move every parameter, and how far.

Each is a small rule over the flat vector θ: parameters, gradient and state in, new parameters and state out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnlib.errors import SettingError, check_number, look_up
from nnlib.schedules import Schedule, as_schedule

State = dict[str, "int | np.ndarray"]


@dataclass(frozen=True)
class Optimizer:
    """Base of the optimizers. In all formulas g is the gradient, η the learning rate and t counts from 1.

    Attributes
    ----------
    learning_rate : float or Schedule
        η above 0, or a function of the number of updates made so far (see `nnlib.schedules`).
    name : str
        The key in `OPTIMIZERS`.
    memory : tuple of str
        The names of the vectors that the state holds beside ``t``; all start at zero.

    Examples
    --------
    >>> optimizer = OPTIMIZERS["momentum"](learning_rate=0.1)
    >>> theta, state = np.array([1.0]), optimizer.start(np.array([1.0]))
    >>> for _ in range(2):
    ...     theta, state = optimizer.update(theta, 2 * theta, state)  # L = θ², so g = 2θ
    >>> theta, state["t"]
    (array([0.46]), 2)
    """

    learning_rate: float | Schedule = 0.1

    name: ClassVar[str]
    memory: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        as_schedule(self.learning_rate)

    def rate(self, t: int) -> float:
        """Return the learning rate η after t updates."""
        return float(as_schedule(self.learning_rate)(t))

    def start(self, parameters: np.ndarray) -> State:
        """Return the state before the first update."""
        return {"t": 0} | {name: np.zeros_like(parameters) for name in self.memory}

    def update(self, parameters: np.ndarray, gradient: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Return the parameters after one step and the new state; neither argument is changed."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    r"""Plain (stochastic) gradient descent: :math:`\theta \leftarrow \theta - \eta g`.

    Source: Robbins & Monro, *A stochastic approximation method*, 1951.
    """

    name = "sgd"

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t = state["t"]
        return parameters - self.rate(t) * gradient, {"t": t + 1}


@dataclass(frozen=True)
class Momentum(Optimizer):
    r"""A heavy ball: :math:`v \leftarrow \beta v + g,\ \theta \leftarrow \theta - \eta v`.

    Source: Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964.
    """

    beta: float = 0.9

    name = "momentum"
    memory = ("velocity",)

    def __post_init__(self):
        super().__post_init__()
        check_number("beta", self.beta, at_least=0, below=1)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t, v = state["t"], self.beta * state["velocity"] + gradient
        return parameters - self.rate(t) * v, {"t": t + 1, "velocity": v}


@dataclass(frozen=True)
class Nesterov(Momentum):
    r"""Momentum that looks ahead: :math:`v \leftarrow βv + g,\ θ \leftarrow θ - η (g + βv)`.

    Source: Nesterov 1983, in the form of Sutskever, Martens, Dahl & Hinton, *On the importance of
    initialization and momentum in deep learning*, ICML 2013, with the look-ahead point as θ.
    """

    name = "nesterov"

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t, v = state["t"], self.beta * state["velocity"] + gradient
        return parameters - self.rate(t) * (gradient + self.beta * v), {"t": t + 1, "velocity": v}


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    r"""A rate for each parameter: :math:`s \leftarrow s + g^2,\ θ \leftarrow θ - η g / (\sqrt s + ε)`.

    Source: Duchi, Hazan & Singer, *Adaptive subgradient methods*, JMLR 12:2121, 2011.
    """

    epsilon: float = 1e-8

    name = "adagrad"
    memory = ("squares",)

    def __post_init__(self):
        super().__post_init__()
        check_number("epsilon", self.epsilon, above=0)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t, s = state["t"], state["squares"] + gradient * gradient
        return parameters - self.rate(t) * gradient / (np.sqrt(s) + self.epsilon), {"t": t + 1, "squares": s}


@dataclass(frozen=True)
class RMSProp(Optimizer):
    r"""AdaGrad that forgets: its sum of squares becomes a running mean.

    .. math:: s \leftarrow ρ s + (1 - ρ) g^2, \quad θ \leftarrow θ - η g / (\sqrt s + ε)

    Source: Tieleman & Hinton, *Neural networks for machine learning*, lecture 6.5, 2012.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8

    name = "rmsprop"
    memory = ("squares",)

    def __post_init__(self):
        super().__post_init__()
        check_number("rho", self.rho, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t, s = state["t"], self.rho * state["squares"] + (1 - self.rho) * gradient * gradient
        return parameters - self.rate(t) * gradient / (np.sqrt(s) + self.epsilon), {"t": t + 1, "squares": s}


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Momentum and RMSProp together, both corrected for having started at zero.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Source: Kingma & Ba, *Adam: a method for stochastic optimization*, ICLR 2015, algorithm 1.
    """

    learning_rate: float | Schedule = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    name = "adam"
    memory = ("mean", "squares")

    def __post_init__(self):
        super().__post_init__()
        check_number("beta1", self.beta1, at_least=0, below=1)
        check_number("beta2", self.beta2, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t = state["t"] + 1
        m = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        v = self.beta2 * state["squares"] + (1 - self.beta2) * gradient * gradient
        step = (m / (1 - self.beta1**t)) / (np.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
        return parameters - self.rate(t - 1) * step, {"t": t, "mean": m, "squares": v}


@dataclass(frozen=True)
class AdamW(Adam):
    r"""Adam whose weight decay bypasses its scaling: θ also shrinks by :math:`\eta \lambda \theta` a step.

    Source: Loshchilov & Hutter, *Decoupled weight decay regularization*, ICLR 2019, algorithm 2.
    """

    weight_decay: float = 0.01

    name = "adamw"

    def __post_init__(self):
        super().__post_init__()
        check_number("weight_decay", self.weight_decay, at_least=0)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        stepped, new = super().update(parameters, gradient, state)
        return stepped - self.rate(state["t"]) * self.weight_decay * parameters, new


OPTIMIZERS: dict[str, type[Optimizer]] = {
    rule.name: rule for rule in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW)
}


def as_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Return an optimizer as it is; a name gives the one of this name with its default settings.

    Raises
    ------
    SettingError
        If there is none of this name, or if it is a class: ``OPTIMIZERS["sgd"]`` still needs its ``()``.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise SettingError(f"optimizer is a class; make one, as in OPTIMIZERS[{optimizer.name!r}](learning_rate=0.1)")
    return look_up("optimizer", optimizer, OPTIMIZERS)()

"""Nobody tells a hidden unit what it should stand for. It is trained all the same, and comes to stand for something.

These are the experiments with which Rumelhart, Hinton and Williams showed it in 1986, ready to be run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import product

import numpy as np

from nnlib.datasets import DATASETS
from nnlib.errors import check_number, look_up
from nnlib.family_trees import family_trees, own_units
from nnlib.losses import LOSSES, Loss, as_loss
from nnlib.network import Network
from nnlib.optimizers import Adam, Optimizer
from nnlib.schedules import Schedule


def half_squares(tolerance: float = 0.0) -> Loss:
    r"""Return the paper's error :math:`E = \frac12 \sum (p - y)^2`, summed over the batch and the outputs.

    An output nearer to its target than `tolerance` counts as right: its error and its slope are zero.

    Source: Rumelhart, Hinton & Williams 1986, equation 3; the tolerance, 0.2, is in the legend of figure 4.

    Raises
    ------
    SettingError
        If `tolerance` is below 0.

    Examples
    --------
    >>> half_squares().value([[1.0, 0.9], [0.0, 0.5]], [[0.0, 1.0], [0.0, 0.0]])  # (1 + 0.01 + 0 + 0.25) / 2
    0.63
    >>> half_squares(0.2).slope([[1.0, 0.9], [0.0, 0.5]], [[0.0, 1.0], [0.0, 0.0]])
    array([[1. , 0. ],
           [0. , 0.5]])
    """
    tolerance = check_number("tolerance", tolerance, at_least=0)

    def error(p, y):
        return p - y if tolerance == 0 else np.where(np.abs((p - y).real) > tolerance, p - y, 0)

    return Loss(
        "half_squares",
        lambda p, y: error(p, y) ** 2 / 2,
        error,
        LOSSES["mse"].prepare,
        r"\tfrac12 (p - y)^2" if tolerance == 0 else rf"\tfrac12 (p - y)^2 \text{{ if }} |p - y| > {tolerance:g}",
        LOSSES["mse"].argument,
        kinks=(-tolerance, tolerance) if tolerance else (),
        total=True,
    )


@dataclass(frozen=True)
class ClassicMomentum(Optimizer):
    r"""The paper's rule: :math:`Δθ \leftarrow αΔθ - ε g`, then :math:`θ \leftarrow (1 - d)(θ + Δθ)`.

    Each weight shrinks by the share d, the `weight_decay`, *after* it has been changed; here ε is the
    `learning_rate`. Both ε and α may follow a schedule. With constant ε and without decay this is `Momentum`.

    Source: Rumelhart, Hinton & Williams 1986, equation 9; the decay, 0.2%, is in the legend of figure 4.

    Examples
    --------
    >>> rule = ClassicMomentum(0.1, alpha=0.5, weight_decay=0.01)
    >>> theta, state = rule.update(np.array([1.0]), np.array([2.0]), rule.start(np.array([1.0])))
    >>> theta, state["change"]  # 0.99 (1 - 0.2)
    (array([0.792]), array([-0.2]))
    """

    alpha: float | Schedule = 0.9
    weight_decay: float = 0.0

    name = "classic_momentum"
    memory = ("change",)

    def __post_init__(self):
        super().__post_init__()
        if not callable(self.alpha):
            check_number("alpha", self.alpha, at_least=0, below=1)
        check_number("weight_decay", self.weight_decay, at_least=0, below=1)

    def update(self, parameters, gradient, state):
        """Return the parameters after one step and the new state."""
        t = state["t"]
        alpha = self.alpha(t) if callable(self.alpha) else self.alpha
        change = alpha * state["change"] - self.rate(t) * gradient
        return (1 - self.weight_decay) * (parameters + change), {"t": t + 1, "change": change}


@dataclass(frozen=True)
class Switch:
    """A schedule with one step: `first` for the first `at` updates, `then` after them.

    >>> epsilon = Switch(0.005, 0.01)
    >>> epsilon(19), epsilon(20)
    (0.005, 0.01)
    """

    first: float
    then: float
    at: int = 20

    def __call__(self, t: int) -> float:
        """Return the value after t updates."""
        return self.first if t < self.at else self.then


def patterns(bits: int) -> np.ndarray:
    """Return all patterns of so many bits, (2^bits, bits).

    >>> patterns(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    return np.array(list(product([0.0, 1.0], repeat=bits)))


def parity(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all patterns and whether the number of ones in each is odd; for two bits this is XOR.

    >>> parity(2)[1].ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    X = patterns(bits)
    return X, X.sum(axis=1, keepdims=True) % 2


def mirror_symmetry(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all patterns and whether each reads the same forwards and backwards.

    >>> X, y = mirror_symmetry(6)
    >>> len(X), int(y.sum())
    (64, 8)
    """
    X = patterns(bits)
    return X, (X[:, ::-1] == X).all(axis=1, keepdims=True).astype(float)


def encoder(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the patterns with a single 1, as inputs and as targets.

    >>> X, y = encoder(8)
    >>> X.shape, bool((X == y).all())
    ((8, 8), True)
    """
    return np.eye(size), np.eye(size)


def spirals() -> tuple[np.ndarray, np.ndarray]:
    """Return the 194 points of Lang & Witbrock and which of the two spirals each lies on.

    >>> spirals()[0].shape, spirals()[1].shape
    ((194, 2), (194, 1))
    """
    data = DATASETS["spirals"](rng=np.random.default_rng(0))
    return data.X, data.y[:, None].astype(float)


@dataclass(frozen=True)
class Experiment:
    """A network, a task and a recipe: all that is needed to run an experiment again from any seed.

    Attributes
    ----------
    name : str
        The key in `EXPERIMENTS`.
    sizes : tuple of int
    data : callable
        ``data() -> (X, y)``.
    optimizer : Optimizer
    sweeps : int
        How many times all cases are gone through in a study.
    seeds : int
        How many seeds a study has: 0, 1, 2, ...
    spread : float or None
        Weights and biases start evenly between -spread and spread; None for the network's own initialisation.
    loss : str or Loss
    activation, output_activation : str
    shortcuts : bool
    masks : tuple
    held_out : int
        How many cases are not trained, drawn anew for each seed.
    """

    name: str
    sizes: tuple[int, ...]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    optimizer: Optimizer
    sweeps: int
    seeds: int
    spread: float | None = 0.3
    loss: str | Loss = field(default_factory=half_squares)
    activation: str = "sigmoid"
    output_activation: str = "sigmoid"
    shortcuts: bool = False
    masks: tuple | None = None
    held_out: int = 0

    def network(self, seed: int) -> Network:
        """Return the network with which the run of this seed starts."""
        return self._start(np.random.default_rng(seed))

    def cases(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the data that the run of this seed trains, and those that it holds out."""
        rng = np.random.default_rng(seed)
        self._start(rng)
        order = rng.permutation(len(self.data()[0]))
        cut = len(order) - self.held_out
        return np.sort(order[:cut]), np.sort(order[cut:])

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """Return outputs as numbers from 0 to 1."""
        return as_loss(self.loss).predict(output)

    def _start(self, rng: np.random.Generator) -> Network:
        net = Network(
            self.sizes,
            self.activation,
            rng=rng,
            output_activation=self.output_activation,
            shortcuts=self.shortcuts,
            masks=self.masks,
        )
        if self.spread is not None:
            net.parameters[:] = rng.uniform(-self.spread, self.spread, net.parameters.size)
            for layer in net.layers:
                layer.W[:] = layer.weights
        return net


def _family(name: str, spread: float, rates: tuple[float, float], decay: float, sweeps: int) -> Experiment:
    return Experiment(
        name,
        (36, 12, 12, 6, 24),
        family_trees,
        ClassicMomentum(Switch(*rates), alpha=Switch(0.5, 0.9), weight_decay=decay),
        sweeps,
        seeds=20,
        spread=spread,
        loss=half_squares(0.2),
        masks=(own_units(), None, None, None),
        held_out=4,
    )


def _spirals(name: str, sizes: tuple[int, ...], *, shortcuts: bool = False) -> Experiment:
    return Experiment(
        name,
        sizes,
        spirals,
        Adam(0.01),
        sweeps=20_000,
        seeds=10,
        spread=None,
        loss="binary_cross_entropy",
        activation="tanh",
        output_activation="identity",
        shortcuts=shortcuts,
    )


_RULE = ClassicMomentum(0.5, alpha=0.9)  # PDP, chapter 8: η = 0.5 for XOR and parity, and α about 0.9 as a rule

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment("symmetry", (6, 2, 1), lambda: mirror_symmetry(6), ClassicMomentum(0.1), 20_000, seeds=100),
        *(
            Experiment(f"{name}_{spread}", sizes, lambda: parity(2), _RULE, 10_000, 100, spread, shortcuts=shortcuts)
            for name, sizes, shortcuts in (("xor_shortcut", (2, 1, 1), True), ("xor", (2, 2, 1), False))
            for spread in (0.3, 0.5, 1.0)
        ),
        *(
            Experiment(f"parity_{hidden}", (4, hidden, 1), lambda: parity(4), ClassicMomentum(0.1), 10_000, 50, 1.0)
            for hidden in (4, 6, 8, 16)
        ),
        Experiment("parity_4_fast", (4, 4, 1), lambda: parity(4), _RULE, 10_000, 50, 1.0),
        Experiment("encoder", (8, 3, 8), lambda: encoder(8), ClassicMomentum(0.1), 3000, seeds=50),
        Experiment("encoder_saturated", (8, 3, 8), lambda: encoder(8), _RULE, 3000, seeds=50, spread=0.5),
        _family("family", 0.3, (0.005, 0.01), 0.002, 1500),
        _family("family_wide", 1.0, (0.005, 0.01), 0.002, 1500),
        _family("family_no_decay", 1.0, (0.025, 0.05), 0.0, 5000),
        _family("family_strong", 1.0, (0.025, 0.05), 0.001, 1500),
        _family("family_long", 1.0, (0.025, 0.05), 0.001, 5000),
        _spirals("spirals_shortcuts", (2, 5, 5, 5, 1), shortcuts=True),
        _spirals("spirals", (2, 5, 5, 5, 1)),
        _spirals("spirals_wide", (2, 7, 7, 7, 1)),
    )
}


@cache
def study(name: str) -> dict:
    """Return the stored results of an experiment over all its seeds; ``make studies`` makes them anew.

    One entry a seed: ``right`` and ``close``, the sweep (to the nearest 10) after which every output of every
    trained case first was on its target's side of 0.5, or within 0.2 of its target, None if that never happened;
    ``early_loss``, the loss after 100 sweeps; ``loss``, that at the end; ``trained`` and ``held_out``, the
    numbers of cases right at the end. Where they were kept, ``parameters`` are the final ones, and ``people`` the
    weights from the 24 people to their six units, (24, 6).

    Raises
    ------
    SettingError
        If there is no experiment of this name.

    Examples
    --------
    >>> results = study("encoder")
    >>> len(results["right"]), sum(sweep is not None for sweep in results["right"])
    (50, 50)
    """
    return look_up("study", name, stored_studies()["studies"])


@cache
def stored_studies() -> dict:
    """Return everything that ``nnlib/data/studies.json`` holds, the versions it was made with included."""
    return json.loads(resources.files("nnlib").joinpath("data/studies.json").read_text("utf-8"))

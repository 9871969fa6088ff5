"""The loss of one neuron as a landscape over its weight and its bias, and the walk of gradient descent down it."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.errors import NonFiniteError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.penalties import PENALTIES
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, Stopped, choice, position

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The examples: inputs (n, 1), targets (n, 1).
VALUES = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [6.0]])
LABELS = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]]), np.array([[0.0], [0.0], [1.0], [0.0], [1.0]])
# A loss of the menu: its name in LOSSES, the activation it stands behind, its examples, and the range of outputs shown.
CASES = {
    "mse": ("mse", "identity", VALUES, (-3.0, 8.0)),
    "mae": ("mae", "identity", VALUES, (-3.0, 8.0)),
    "huber": ("huber", "identity", VALUES, (-3.0, 8.0)),
    "binary_cross_entropy": ("binary_cross_entropy", "identity", LABELS, (-0.1, 1.1)),
    "squared_sigmoid": ("mse", "sigmoid", LABELS, (-0.1, 1.1)),
    "hinge": ("hinge", "identity", LABELS, (-3.0, 3.0)),
}
REACH = 8.0  # w and b are drawn from -REACH to REACH
GRID = np.linspace(-REACH, REACH, 65)
STEPS = 80
STRENGTH = 0.1  # λ of the penalties
STARTS = ([1.0, 0.5], [-6.0, -4.0], [-5.0, 5.0], [6.0, 4.0])  # those that a chapter banks; live, any start will do


class LossSurface(Instrument):
    """The loss over w and b, the walk on it, and the neuron's answers beside it."""

    TITLE = "A loss is a landscape"
    ALT = (
        "The loss of one neuron over its weight w and its bias b, in bands of equal height; on it the path of gradient "
        "descent from its start. Beside it the examples with the answers of the neuron at this step, and the loss at "
        "each step."
    )
    FIGURE_ID = "surface"
    CONTROLS = (
        choice(
            "loss",
            "Loss",
            {
                "mse": "squared error",
                "mae": "absolute error",
                "huber": "Huber, δ = 1",
                "binary_cross_entropy": "cross-entropy",
                "squared_sigmoid": "squared, after sigmoid",
                "hinge": "hinge",
            },
        ),
        choice("penalty", "Penalty on w", {"none": "none", "l2": "L2, λ = 0.1", "l1": "L1, λ = 0.1"}),
        choice("learning_rate", "Learning rate η", [0.1, 1.0]),
        position("start", "Start (w, b)", -REACH, REACH, default=STARTS[0]),
    )
    COLUMNS = (
        Column("w", "w"),
        Column("b", "b"),
        Column("loss", "Loss"),
        Column("steepness", "Length of the gradient", 5),
    )
    ENCODINGS = {"height": Encoding("u1", lo=0, hi=1)}  # noqa: RUF012 (a declaration, never changed)

    @staticmethod
    def record(
        *, loss: str, penalty: str, learning_rate: float, start: list[float]
    ) -> Iterator[Still | Frame | Stopped]:
        """Yield the landscape, then the steps of gradient descent on it."""
        name, behind, (x, y), shown = CASES[loss]
        heights = surface(loss, penalty, GRID, GRID)
        lowest = lowest_point(loss, penalty)
        best = surface(loss, penalty, lowest[:1], lowest[1:]).item()
        probability = loss in ("binary_cross_entropy", "squared_sigmoid")
        along = np.linspace(x.min() - 1, x.max() + 1, 41 if probability else 2)
        yield Still(
            meta={
                "range": list(shown),
                "says": "probability p" if probability else "output z" if loss == "hinge" else "output p",
                "starts": [list(place) for place in STARTS],
                "reach": REACH,
            },
            # Equal bands of the root show a bowl as equally spaced rings.
            height=np.sqrt(np.maximum(heights - best, 0) / (heights.max() - best)),
            lowest=lowest,
            x=x[:, 0],
            y=LOSSES[name].prepare(y, y.shape, y.dtype)[:, 0],
            along=along,
        )
        net = Network([1, 1], output_activation=behind, rng=np.random.default_rng(0))
        net.parameters[:] = start
        walk = descend(
            net, name, x, y, optimizer=OPTIMIZERS["sgd"](learning_rate), penalty=_penalty(penalty)
        )
        try:
            for step in islice(walk, STEPS + 1):
                w, b = step.parameters
                output = w * along + b
                yield Frame(
                    f"Step {{step}} of {{steps}}: w = {w:.4g}, b = {b:.4g}, loss {step.loss:.4g}"
                    f" (the lowest anywhere is {best:.4g}).".replace("-", "−"),
                    w=w,
                    b=b,
                    loss=step.loss,
                    steepness=np.hypot(*step.gradient),
                    answer=ACTIVATIONS["sigmoid"].value(output) if probability else np.clip(output, -1e6, 1e6),
                )
        except NonFiniteError as error:
            words = f"{str(error)[0].upper()}{str(error)[1:]}."
            yield Stopped(words, step=error.step, layer=error.layer, value=str(error.value))

    @staticmethod
    def code(*, loss: str, penalty: str, learning_rate: float, start: list[float]) -> str:
        """Return a snippet that walks down the same landscape and prints the last step."""
        name, behind, (x, y), _ = CASES[loss]
        extra = f', output_activation="{behind}"' if behind != "identity" else ""
        added = f', penalty=nnlib.PENALTIES["{penalty}"]({STRENGTH})' if penalty != "none" else ""
        return (
            "from itertools import islice\n\nimport numpy as np\nimport nnlib\n\n"
            f"x, y = np.array({x[:, 0].tolist()})[:, None], np.array({y[:, 0].tolist()})[:, None]\n"
            f"neuron = nnlib.Network([1, 1]{extra}, rng=np.random.default_rng(0))\n"
            f"neuron.parameters[:] = {list(start)}  # w, b\n"
            f'optimizer = nnlib.OPTIMIZERS["sgd"](learning_rate={learning_rate:g})\n'
            f'for step in islice(nnlib.descend(neuron, "{name}", x, y, optimizer=optimizer{added}), {STEPS + 1}):\n'
            "    w, b = step.parameters\n"
            'print(f"w = {w:.4g}, b = {b:.4g}, loss {step.loss:.4g}")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the landscape with the walk so far, and the neuron's answers."""
        from nnlib import figures

        meta, still, frames = recording.meta, recording.static, recording.frames
        made, (left, right) = figures.figure(7.2, 3.4, columns=2, width_ratios=[1.1, 1])
        left.contourf(GRID, GRID, still["height"], levels=np.linspace(0, 1, 15), cmap="Oranges", alpha=0.8)
        left.plot(frames["w"][: step + 1], frames["b"][: step + 1], ".-", color=figures.INK, lw=1, ms=4)
        left.plot(*still["lowest"], "x", color=figures.NEGATIVE)
        left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), title="loss over w and b")
        left.set(xlabel="weight w", ylabel="bias b")
        right.plot(still["along"], frames["answer"][step], color=figures.NEGATIVE)
        right.plot(still["x"], still["y"], "o", color=figures.INK)
        right.set(xlabel="input x", ylabel=meta["says"], ylim=meta["range"], title=f"the neuron after {step} steps")
        return made


def surface(loss: str, penalty: str, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return what is minimised, at every pair of a weight and a bias: shape (b, w)."""
    name, behind, (x, y), _ = CASES[loss]
    output = ACTIVATIONS[behind].value(w[None, :, None] * x[:, 0] + b[:, None, None])  # (b, w, n)
    target = LOSSES[name].prepare(np.broadcast_to(y[:, 0], output.shape), output.shape, output.dtype)
    heights = LOSSES[name].each(output, target).mean(axis=2)
    rule = _penalty(penalty)
    if rule is None:
        return heights
    return heights + rule.strength * np.array([rule.function(weight) for weight in w[:, None]])


def lowest_point(loss: str, penalty: str) -> np.ndarray:
    """Return the (w, b) of the lowest place, found by looking closer and closer."""
    centre, reach = np.zeros(2), REACH
    while reach > 1e-6:
        w, b = (np.linspace(c - reach, c + reach, 41) for c in centre)
        row, column = divmod(int(np.argmin(surface(loss, penalty, w, b))), len(w))
        centre, reach = np.array([w[column], b[row]]), reach / 4
    return centre


def _penalty(name: str):
    return None if name == "none" else PENALTIES[name](STRENGTH)

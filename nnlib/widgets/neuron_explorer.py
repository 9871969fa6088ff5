"""A neuron to take in your hand: turn its line, shift it, drag points, and see every sum.

Lines are tabulated: one frame for each pair of weights and each bias on a grid.  Points move freely, so the view itself
adds up ``z = w·x + b`` for them; ``tests/test_neurons.py`` runs its two functions under node and compares them with
``nnlib.Neuron``.
"""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nnlib.neurons import Neuron
from nnlib.widgets.stepper import Axis, Column, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
WEIGHTS = np.arange(-2, 2.5, 0.5)
BIASES = np.arange(-3, 3.5, 0.5)
BOX = (-1.1, 2.1)

# The answers at the four corners, in the order of CORNERS, and what a logician calls the function.
FUNCTIONS = {
    "0000": "never",
    "0001": "AND",
    "0010": "x₁ and not x₂",
    "0011": "x₁",
    "0100": "x₂ and not x₁",
    "0101": "x₂",
    "0110": "XOR",
    "0111": "OR",
    "1000": "NOR",
    "1001": "XNOR",
    "1010": "not x₂",
    "1011": "x₁ or not x₂",
    "1100": "not x₁",
    "1101": "x₂ or not x₁",
    "1110": "NAND",
    "1111": "always",
}
TASKS = {"free": "none: collect functions", "and": "AND", "or": "OR", "nand": "NAND", "xor": "XOR"}
WANTED = {"and": "0001", "or": "0111", "nand": "1110", "xor": "0110"}


def step_at(w1: float, w2: float, b: float) -> int:
    """Return the frame of the neuron with these weights and this bias.

    Examples
    --------
    >>> step_at(1, 1, -1.5)
    783
    """
    place = [np.flatnonzero(axis == value)[0] for axis, value in ((WEIGHTS, w1), (WEIGHTS, w2), (BIASES, b))]
    return int(np.ravel_multi_index(place, (WEIGHTS.size, WEIGHTS.size, BIASES.size)))


class NeuronExplorer(Instrument):
    """One neuron with two inputs: its line, its arrow of weights, its answers at four corners and two free points."""

    TITLE = "One neuron"
    ALT = (
        "The plane of two inputs, cut by a neuron's decision line: orange where it fires, blue where it does not. "
        "An arrow of the weights stands square to the line. The four corners of the unit square carry their sums."
    )
    FIGURE_ID = "neuron"
    CONTROLS = (choice("task", "Task", TASKS),)
    COLUMNS = (
        Column("w1", "w₁", 1),
        Column("w2", "w₂", 1),
        Column("bias", "b", 1),
        Column("length", "‖w‖", 3),
        Column("right", "Corners right", 0),
        Column("margin", "Smallest distance to its right side", 3),
    )

    @staticmethod
    def record(*, task: str) -> Iterator[Still | Frame]:
        """Yield one frame for each w₁, w₂ and b of the grid, b fastest."""
        wanted = None if task == "free" else np.array([int(bit) for bit in WANTED[task]])
        yield Still(
            axes=(
                Axis("w1", "Weight w₁", WEIGHTS),
                Axis("w2", "Weight w₂", WEIGHTS),
                Axis("b", "Bias b", BIASES),
            ),
            corners=CORNERS,
            targets=np.full(4, -1) if wanted is None else wanted,
            box=np.array(BOX),
            meta={"functions": list(FUNCTIONS.items())},
        )
        for w1, w2, b in product(WEIGHTS, WEIGHTS, BIASES):
            neuron = Neuron([w1, w2], b)
            z, a = neuron.weighted_sum(CORNERS), neuron.answer(CORNERS)
            made = "".join(map(str, a))
            length = float(np.linalg.norm(neuron.w))
            targets = a if wanted is None else wanted
            margin = neuron.margin(CORNERS, targets) if length else np.nan
            yield Frame(
                _sentence(neuron, z, made, task, margin),
                w1=w1, w2=w2, bias=b, z=z, answer=a, made=int(made, 2),
                normal=neuron.normal if length else np.full(2, np.nan),
                foot=neuron.foot if length else np.full(2, np.nan),
                length=length, right=int((a == targets).sum()), margin=margin,
            )  # fmt: skip

    @staticmethod
    def code(*, task: str) -> str:
        """Return the neuron that the figure starts with as a snippet which prints its sums and its margin."""
        targets = WANTED.get(task, "0001")
        return (
            "from nnlib.neurons import Neuron\n\n"
            "corners = [[0, 0], [0, 1], [1, 0], [1, 1]]\n"
            f"targets = [{', '.join(targets)}]\n"
            "neuron = Neuron([1, 1], -1.5)\n"
            'print("z", *neuron.weighted_sum(corners))\n'
            'print("answers", *neuron.answer(corners))\n'
            'print("margin", round(neuron.margin(corners, targets), 3))\n'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the plane with the two half-planes, the line, the arrow of weights and the sums at the corners."""
        from nnlib import figures

        frame = {name: array[step] for name, array in recording.frames.items()}
        made, plane = figures.figure(4.6, 4.4)
        grid = np.linspace(*BOX, 201)
        z = frame["w1"] * grid[None, :] + frame["w2"] * grid[:, None] + frame["bias"]
        plane.contourf(grid, grid, z >= 0, levels=[-0.5, 0.5, 1.5], colors=["#d6e6f2", "#f9dfcf"])
        plane.contour(grid, grid, z, levels=[0.0], colors=figures.INK)
        tip = (frame["w1"] / 2, frame["w2"] / 2)
        plane.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "->", "color": figures.THIRD, "linewidth": 2})
        plane.annotate("w / 2", tip, color=figures.THIRD, ha="left", va="bottom")
        for corner, sum_, answer in zip(CORNERS, frame["z"], frame["answer"], strict=True):
            plane.scatter(*corner, s=60, color=figures.CLASSES[int(answer)], zorder=3)
            label = f"z = {sum_:g}".replace("-", "−")
            plane.annotate(label, corner, (0, -16), textcoords="offset points", ha="center")
        plane.set(xlim=BOX, ylim=BOX, aspect="equal", xlabel="x₁", ylabel="x₂")
        plane.set_title(f"w = ({frame['w1']:g}, {frame['w2']:g}), b = {frame['bias']:g}".replace("-", "−"))
        return made


def _sentence(neuron: Neuron, z: np.ndarray, made: str, task: str, margin: float) -> str:
    w1, w2, b = (_number(value) for value in (*neuron.w, neuron.b))
    sums = ", ".join(_number(value) for value in z)
    told = f"w = ({w1}, {w2}), b = {b}. Sums at (0, 0), (0, 1), (1, 0), (1, 1): {sums}; answers {', '.join(made)}"
    told += f": {FUNCTIONS[made]}."
    if np.isnan(margin):
        return f"{told} With both weights 0 there is no line."
    if task == "free":
        return f"{told} The nearest corner is {margin:.3f} from the line."
    right = sum(a == t for a, t in zip(made, WANTED[task], strict=True))
    if right < 4:
        return f"{told} {TASKS[task]} wants {', '.join(WANTED[task])}: {right} of 4 right."
    return f"{told} {TASKS[task]} is done, with margin {margin:.3f}."


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")

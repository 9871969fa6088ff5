"""Two spirals and five layers: with shortcuts the network learns them, without it is much harder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.backpropagation import backward
from nnlib.gradient_descent import descend
from nnlib.learning_representations import EXPERIMENTS, spirals, study
from nnlib.losses import LOSSES
from nnlib.optimizers import Adam
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed
from nnlib.widgets.sweeps import draw_sweeps, looks
from nnlib.widgets.training_stepper import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 40  # pixels on a side of the decision surface
LIMIT = 1.1
NETWORKS = {
    "spirals_shortcuts": "shortcuts, 138 parameters",
    "spirals": "plain, 81 parameters",
    "spirals_wide": "plain, wider, 141 parameters",
}


class TwoSpirals(Instrument):
    """The spirals of Lang & Witbrock (1988), learned with shortcut connections and without."""

    TITLE = "Two spirals, with shortcuts and without"
    ALT = (
        "Left: the plane coloured by what the network says, with the points of two spirals wound around each other. "
        "Right: the size of the slope that arrives at each layer, and the share of points right over the sweeps."
    )
    CONTROLS = (
        choice("network", "Network", NETWORKS),
        choice("learning_rate", "Learning rate (Adam)", [0.003, 0.01, 0.03], default=0.01),
        choice("updates", "Sweeps", {1000: "1,000", 5000: "5,000", 20000: "20,000"}, default=5000),
        seed(),
    )
    COLUMNS = (
        Column("sweep", "Sweeps made", 0),
        Column("loss", "Cross-entropy", 4),
        Column("right", "Points right", 0),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "surface": Encoding("u1", lo=-1, hi=1, levels=33, delta=True),
    }

    @staticmethod
    def record(*, network: str, learning_rate: float, updates: int, seed: int) -> Iterator[Still | Frame]:
        """Yield the points, then a frame at each of `moments`."""
        X, y = spirals()
        loss, pixels = LOSSES["binary_cross_entropy"], grid(SIDE, LIMIT)
        yield Still(
            points=X,
            classes=y[:, 0],
            limit=[LIMIT],
            solved=np.array([sweep for sweep in study(network)["right"] if sweep is not None]),
            seeds=[EXPERIMENTS[network].seeds],
        )
        net = EXPERIMENTS[network].network(seed)
        for when, step in looks(descend(net, loss, X, y, optimizer=Adam(learning_rate)), updates):
            trace = net.forward(X)
            deltas = backward(net, trace, len(X) * loss.slope(trace.output, y)).deltas
            sizes = np.array([np.sqrt(np.mean(delta**2)) for delta in deltas])
            right = int(((trace.output > 0) == (y > 0.5)).sum())
            yield Frame(
                f"{when}: {right} of {len(X)} points right, cross-entropy {step.loss:.4f}. The slope δ at the "
                f"first layer is {sizes[0] / sizes[-1]:.2f} times that at the last.",
                sweep=step.index,
                loss=step.loss,
                right=right,
                sizes=sizes / sizes[-1],
                surface=2 * loss.predict(net.forward(pixels).output)[:, 0] - 1,
            )

    @staticmethod
    def code(*, network: str, learning_rate: float, updates: int, seed: int) -> str:
        """Return the same run as a program."""
        return f"""from itertools import islice

import nnlib
from nnlib.learning_representations import EXPERIMENTS, spirals

X, y = spirals()
net = EXPERIMENTS["{network}"].network(seed={seed})
adam = nnlib.OPTIMIZERS["adam"](learning_rate={learning_rate})
*_, step = islice(nnlib.descend(net, "binary_cross_entropy", X, y, optimizer=adam), {updates + 1})
right = ((net.forward(X).output > 0) == (y > 0.5)).sum()
print(f"{{right}} of {{len(X)}} points right, cross-entropy {{step.loss:.4f}}")"""

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the surface with the points, and the share of points right."""
        from nnlib import figures

        figure, (plane, curve) = figures.figure(6.6, 3.0, columns=2, width_ratios=(1, 1.3))
        limit, points = recording.static["limit"].item(), recording.static["points"]
        plane.imshow(
            recording.frames["surface"][step].reshape(SIDE, SIDE),
            origin="lower",
            extent=(-limit, limit, -limit, limit),
            cmap=figures.diverging(),
            vmin=-1.4,
            vmax=1.4,
            interpolation="bilinear",
        )
        colours = [figures.CLASSES[int(label)] for label in recording.static["classes"]]
        plane.scatter(points[:, 0], points[:, 1], s=9, c=colours, edgecolors="white", linewidths=0.3)
        plane.set(xlabel="x₁", ylabel="x₂")
        share = recording.frames["right"] / len(points)
        draw_sweeps(curve, recording, share, step, title="share of the 194 points right", ylim=(0.4, 1.03))
        return figure

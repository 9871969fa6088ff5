"""What a layer does to the plane: it turns and stretches it, and then the activation folds it."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nnlib.datasets import DATASETS
from nnlib.gradient_descent import descend
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TWEENS = 12  # frames from one stage to the next
UPDATES = 800
LINES = np.linspace(-1.2, 1.2, 13)
ALONG = np.linspace(-1.2, 1.2, 81)
LOSS = "binary_cross_entropy"


class PlaneFolder(Instrument):
    """Every point of the plane on its way through the two-neuron layers of a trained network."""

    TITLE = "A layer folds the plane"
    ALT = (
        "A square grid with points of two classes, after a layer of two neurons has turned, stretched and bent it; the "
        "line shows where the last neuron divides the classes."
    )
    FIGURE_ID = "plane"
    CONTROLS = (
        choice("activation", "Activation", ["tanh", "identity", "relu", "leaky_relu", "elu", "sigmoid", "softplus"]),
        choice("dataset", "Points", {"moons": "two moons", "xor": "XOR", "circles": "two rings"}),
        choice("layers", "Layers of two neurons", [1, 2, 3], default=2),
        seed(default=2),
    )
    COLUMNS = (Column("layer", "Layer", 0), Column("bend", "Bent (1) or only turned and stretched (0)", 0))
    ENCODINGS = {"stages": Encoding("u2")}  # noqa: RUF012 (a declaration, never changed)

    @staticmethod
    def record(*, activation: str, dataset: str, layers: int, seed: int) -> Iterator[Still | Frame]:
        """Train the network, then yield the plane between its stages: as it was, weighted sums, bent, and so on."""
        net, right, X, y = trained(activation, dataset, layers, seed)
        points = np.concatenate([X, grid()])
        trace = net.forward(points)
        stages = [points, *(stage for seen in trace.layers[:-1] for stage in (seen.z, seen.a))]
        W, b = net.layers[-1].W[:, 0], net.layers[-1].b[0]
        yield Still(
            meta={"examples": len(X), "lines": 2 * len(LINES), "accuracy": round(float(right), 4)},
            stages=np.stack(stages),
            target=y.ravel(),
            decision=np.array([*W, b]),
            corners=np.array([[stage.min(axis=0), stage.max(axis=0)] for stage in stages]),
        )
        yield Frame(
            "The plane as it is: the points of the two classes on a square grid.", stage=0, share=0.0, layer=0, bend=0
        )
        for stage in range(len(stages) - 1):
            layer, bend = stage // 2 + 1, stage % 2
            what = f"{activation} bends every weighted sum" if bend else "the weights turn, stretch and shift the plane"
            for tween in range(1, TWEENS + 1):
                done = stage == len(stages) - 2 and tween == TWEENS
                ending = f" The last neuron’s line gets {right:.0%} of the points right." if done else ""
                yield Frame(
                    f"Layer {layer} of {layers}: {what} ({tween / TWEENS:.0%} of the way).{ending}",
                    stage=stage,
                    share=tween / TWEENS,
                    layer=layer,
                    bend=bend,
                )

    @staticmethod
    def code(*, activation: str, dataset: str, layers: int, seed: int) -> str:
        """Return a snippet which trains the same network and prints how much it gets right."""
        return (
            "from nnlib.widgets.plane_folder import trained\n\n"
            f"net, right, X, y = trained({activation!r}, {dataset!r}, {layers}, {seed})\n"
            "trace = net.forward(X)  # trace.layers[0].z: turned and stretched; trace.layers[0].a: bent\n"
            'print(f"The last neuron’s line gets {right:.0%} of the points right.")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the plane at the start, and at one frame."""
        from nnlib import figures

        made, axes = figures.figure(7.2, 3.6, columns=2)
        stages, target = recording.static["stages"], recording.static["target"]
        stage, share = int(recording.frames["stage"][step]), recording.frames["share"][step]
        now = (1 - share) * stages[stage] + share * stages[stage + 1]
        for plot, plane, title in zip(
            axes, (stages[0], now), ("before", recording.meta["sentences"][step]), strict=True
        ):
            examples = recording.meta["examples"]
            for line in plane[examples:].reshape(recording.meta["lines"], -1, 2):
                plot.plot(*line.T, color=figures.FAINT, lw=0.8)
            for label, colour in enumerate(figures.CLASSES[:2]):
                plot.plot(*plane[:examples][target == label].T, "o", ms=3, color=colour)
            plot.set(aspect="equal", xticks=[], yticks=[])
            plot.set_title(title if plot is axes[0] else "after the layers", fontsize=8)
        return made


def grid() -> np.ndarray:
    """Return the points (n, 2) of a square grid: the upright lines one after another, then the level ones."""
    upright = [[x, y] for x in LINES for y in ALONG]
    return np.array([*upright, *([y, x] for x, y in upright)])


def trained(activation: str, dataset: str, layers: int, seed: int) -> tuple[Network, float, np.ndarray, np.ndarray]:
    """Return a network with `layers` layers of two neurons after training, the share it gets right, and its data."""
    rng = np.random.default_rng(seed)
    data = DATASETS[dataset](n=120, rng=rng)
    net = Network([2, *[2] * layers, 1], activation, rng=rng)
    walk = descend(net, LOSS, data.X, data.y, optimizer=OPTIMIZERS["adam"](learning_rate=0.03))
    next(islice(walk, UPDATES, None))
    target = np.asarray(data.y).reshape(-1, 1)
    right = np.mean((net.forward(data.X).output > 0) == (target == 1))
    return net, float(right), data.X, target

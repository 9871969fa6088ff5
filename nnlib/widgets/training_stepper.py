"""Training, step by step: the decision surface, the network and every neuron in it, and the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.datasets import DATASETS, Dataset
from nnlib.errors import NonFiniteError, SettingError
from nnlib.gradient_descent import Step, descend
from nnlib.losses import LOSSES, Loss
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.widgets.stepper import (
    Column,
    Encoding,
    Frame,
    Instrument,
    Recording,
    Still,
    Stopped,
    choice,
    number,
    seed,
    text,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SURFACE = 32  # pixels on a side of the decision surface
NEURON = 8  # and of a neuron's own map
FRAMES = 60
SHARE = 0.75  # of the examples train the network, the others are held out
LARGEST = 3e38  # a diverging weight is drawn no larger than this, the largest number that 4 bytes hold

DATASET_NAMES = {
    "xor": "XOR",
    "moons": "two moons",
    "circles": "circles",
    "blobs": "two blobs",
    "spirals": "two spirals",
    "sine": "a sine curve (regression)",
}
LEARNING_RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 1000]
LOSS_NAMES = {"binary_cross_entropy": "binary cross-entropy", "mse": "mean squared error"}


def moments(updates: int) -> list[int]:
    """Return the updates after which a frame is recorded: each at first, then ever fewer.

    >>> moments(1000)[:14], moments(1000)[-2:], len(moments(1000))
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [912, 1000], 61)
    """
    chosen = list(range(min(10, updates) + 1))
    for k in range(1, FRAMES - 9):
        if chosen[-1] < updates:
            geometric = round(10 * (updates / 10) ** (k / (FRAMES - 10)))
            chosen.append(min(updates, max(chosen[-1] + 1, geometric)))
    return chosen


def grid(side: int, limit: float) -> np.ndarray:
    """Return the centres of `side` x `side` pixels over the square from -limit to limit, the lowest row first.

    >>> grid(2, 1.0).tolist()
    [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    """
    centres = (np.arange(side) + 0.5) / side * 2 * limit - limit
    return np.column_stack([np.tile(centres, side), np.repeat(centres, side)])


class TrainingStepper(Instrument):
    """A network learns a small data set: every update can be stepped, and every setting changed.

    Source: after Smilkov & Carter's TensorFlow Playground, 2016, which showed each neuron as its own picture.
    """

    TITLE = "Training, step by step"
    ALT = (
        "Left: the decision surface of a small network, blue where it says class 0 and orange where it says class 1, "
        "with the data points on it. Right: the training and the held-out loss falling as updates are made."
    )
    CONTROLS = (
        choice("dataset", "Data set", DATASET_NAMES, default="moons"),
        text(
            "hidden",
            "Hidden layers",
            r"0|(?:[1-9]|1[0-6])(?:,(?:[1-9]|1[0-6])){0,3}",
            "0 for none, or one to four numbers from 1 to 16 such as 8,8",
            default="6,4",
        ),
        choice("activation", "Activation", list(ACTIVATIONS), default="tanh"),
        choice(
            "loss",
            "Loss",
            {name: LOSS_NAMES.get(name, name) for name in LOSSES if name != "cross_entropy"},
            default="binary_cross_entropy",
        ),
        choice("optimizer", "Optimizer", list(OPTIMIZERS)),
        choice(
            "learning_rate",
            "Learning rate η",
            LEARNING_RATES,
            default=0.3,
        ),
        choice("batch_size", "Batch", {"full": "all examples", 50: "50", 10: "10", 1: "1"}),
        choice("updates", "Updates", [100, 1000, 5000], default=1000),
        number("fork_at", "Fork after update (0: never)", 0, 4999, default=0),
        choice("fork_learning_rate", "η after the fork", LEARNING_RATES, default=0.03),
        seed(),
    )
    COLUMNS = (
        Column("update", "Updates made", 0),
        Column("loss", "Training loss", 4),
        Column("held_out_loss", "Held-out loss", 4),
        Column("accuracy", "Held-out points right", 2),
        Column("unforked_loss", "Training loss without the fork", 4),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "surface": Encoding("u1", lo=-1, hi=1, levels=33),
        "neurons": Encoding("u1", lo=-1, hi=1, levels=17, delta=True),
        "features": Encoding("u1", lo=-1, hi=1, levels=17),
        "weights": Encoding("f4", bits=8, delta=True),
        "curve": Encoding("f4", bits=9, delta=True),
    }

    @staticmethod
    def record(
        *,
        dataset: str,
        hidden: str,
        activation: str,
        loss: str,
        optimizer: str,
        learning_rate: float,
        batch_size: str | int,
        updates: int,
        fork_at: int,
        fork_learning_rate: float,
        seed: int,
    ) -> Iterator[Still | Frame | Stopped]:
        """Yield the data, then a frame at each of `moments`; a run that leaves the finite numbers stops there.

        A fork goes on from step `fork_at` with another learning rate; its frames also hold the loss of the run that
        keeps to the first.
        """
        if fork_at >= updates:
            raise SettingError(f"fork_at must be less than the {updates} updates of the run; got {fork_at}")
        rng = np.random.default_rng(seed)
        options = {"classes": 2} if dataset == "blobs" else {}
        train, held_out = DATASETS[dataset](rng=rng, **options).split(SHARE, rng=rng)
        sizes = [train.X.shape[1], *(int(n) for n in hidden.split(",") if n != "0"), train.outputs]
        net = Network(sizes, activation, rng=rng)
        targets = [_target(part, loss) for part in (train, held_out)]
        view = _View(net, LOSSES[loss], train, held_out, targets)
        yield view.still()

        def walk(net: Network, rate: float, rng: np.random.Generator | None, start: Step | None = None):
            rule = OPTIMIZERS[optimizer](learning_rate=rate)
            size = None if batch_size == "full" else batch_size
            return descend(net, loss, train.X, targets[0], optimizer=rule, batch_size=size, rng=rng, start=start)

        due = {*moments(updates), fork_at}
        unforked = {}
        steps = walk(net, learning_rate, deepcopy(rng))
        if fork_at:
            twin = _View(deepcopy(net), *view.task)
            unforked = twin.losses(walk(twin.net, learning_rate, rng), due)
            steps = _forked(steps, fork_at, lambda step: walk(net, fork_learning_rate, None, step))
        try:
            for step in steps:
                if step.index in due:
                    yield view.frame(step.index, unforked)
                if step.index == updates:
                    return
                last = step
        except NonFiniteError as error:
            if last.index not in due:
                net.parameters = last.parameters
                yield view.frame(last.index, unforked)
            yield Stopped(
                f"{str(error)[0].upper()}{str(error)[1:]}.",
                step=error.step,
                layer=error.layer,
                where=error.where,
                value=str(error.value),
            )

    @staticmethod
    def code(
        *,
        dataset: str,
        hidden: str,
        activation: str,
        loss: str,
        optimizer: str,
        learning_rate: float,
        batch_size: str | int,
        updates: int,
        fork_at: int,
        fork_learning_rate: float,
        seed: int,
    ) -> str:
        """Return the same run in a dozen lines."""
        inputs = 1 if dataset == "sine" else 2
        sizes = ", ".join(str(n) for n in (inputs, *(n for n in hidden.split(",") if n != "0"), 1))
        options = ", classes=2" if dataset == "blobs" else ""
        signed = dataset != "sine" and loss != "binary_cross_entropy"
        y = "2 * train.y - 1" if signed else "train.y"
        batch = "" if batch_size == "full" else f", batch_size={batch_size}"
        shuffle = ", rng=rng" if batch else ""
        fork = f"""*_, fork = islice(walk, {fork_at + 1})
optimizer = nnlib.OPTIMIZERS["{optimizer}"](learning_rate={fork_learning_rate})
walk = nnlib.descend(net, "{loss}", X, y, optimizer=optimizer{batch}, start=fork)
"""
        return f"""from itertools import islice

import numpy as np
import nnlib

rng = np.random.default_rng({seed})
train, held_out = nnlib.DATASETS["{dataset}"](rng=rng{options}).split({SHARE}, rng=rng)
X, y = train.X, {y}
net = nnlib.Network([{sizes}], "{activation}", rng=rng)
optimizer = nnlib.OPTIMIZERS["{optimizer}"](learning_rate={learning_rate})
walk = nnlib.descend(net, "{loss}", X, y, optimizer=optimizer{batch}{shuffle})
{fork if fork_at else ""}*_, step = islice(walk, {updates - fork_at if fork_at else updates + 1})
loss = nnlib.LOSSES["{loss}"].value(net.forward(X).output, y)
print(f"after {{step.index}} updates: training loss {{loss:.4f}}")"""

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the surface with the data, and the two losses up to the end with this step marked."""
        from nnlib import figures

        figure, (left, right) = figures.figure(6.6, 3.0, columns=2, width_ratios=(1, 1.35))
        frames, static = recording.frames, recording.static
        if "curve" in frames:
            left.plot(static["x"], frames["curve"][step], color=figures.INK)
            left.scatter(static["train"][:, 0], static["train_target"], s=9, color=figures.NEGATIVE, linewidths=0)
            left.set(xlabel="x", ylabel="y")
        else:
            limit = static["limit"].item()
            left.imshow(
                frames["surface"][step].reshape(SURFACE, SURFACE),
                origin="lower",
                extent=(-limit, limit, -limit, limit),
                cmap=figures.diverging(),
                vmin=-1.4,
                vmax=1.4,
                interpolation="bilinear",
            )
            for part, width in (("train", 0.4), ("held_out", 1.2)):
                colours = [figures.CLASSES[int(label > 0)] for label in static[f"{part}_target"]]
                faces = colours if part == "train" else "white"
                edges = "white" if part == "train" else colours
                points = static[part]
                left.scatter(points[:, 0], points[:, 1], s=13, c=faces, edgecolors=edges, linewidths=width)
            left.set(xlabel="x₁", ylabel="x₂", xlim=(-limit, limit), ylim=(-limit, limit))
        update = np.maximum(frames["update"], 0.7)
        if "unforked_loss" in frames:
            right.plot(update, frames["unforked_loss"], color=figures.MUTED, linestyle=":")
        apart = 6 if frames["held_out_loss"][-1] >= frames["loss"][-1] else -6
        for array, colour, label, up in (
            ("loss", figures.INK, "training", -apart),
            ("held_out_loss", figures.THIRD, "held out", apart),
        ):
            losses = np.where(np.isfinite(frames[array]), np.clip(frames[array], 1e-12, 1e12), np.nan)
            right.plot(update, losses, color=colour)
            right.plot(update[step], losses[step], "o", color=colour, markersize=4)
            right.annotate(
                label,
                (update[-1], losses[-1]),
                xytext=(7, up),
                textcoords="offset points",
                color=colour,
                va="center",
                annotation_clip=False,
            )
        right.set(xscale="log", yscale="log", xlabel="updates made", ylabel="loss")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter("{x:g}")
        return figure


def _forked(steps: Iterator[Step], at: int, go_on: Callable[[Step], Iterator[Step]]) -> Iterator[Step]:
    """Yield the steps up to update `at`, and from there those of another walk."""
    for step in steps:
        yield step
        if step.index == at:
            yield from go_on(step)
            return


def _target(data: Dataset, loss: str) -> np.ndarray:
    """Cross-entropy takes classes 0 and 1; every other loss pulls the output towards -1 and 1."""
    return 2 * data.y - 1 if data.task == "binary" and loss != "binary_cross_entropy" else data.y


class _View:
    """What a frame shows of a network: its output over the plane, each neuron's, its weights, its losses."""

    def __init__(self, net: Network, loss: Loss, train: Dataset, held_out: Dataset, targets: list[np.ndarray]):
        self.net, self.loss = net, loss
        self.task = (loss, train, held_out, targets)
        self.data = (train, held_out)
        self.targets = targets
        self.flat = train.task == "regression"
        largest = max(np.abs(part.X).max() for part in self.data)
        self.limit = np.ceil(largest * 10 + 0.5) / 10
        if self.flat:
            self.points = np.linspace(-self.limit, self.limit, 121)[:, None]
            self.pixels = ((np.arange(2 * NEURON) + 0.5) / NEURON * self.limit - self.limit)[:, None]
        else:
            self.points, self.pixels = grid(SURFACE, self.limit), grid(NEURON, self.limit)

    def still(self) -> Still:
        features = self.pixels.T / self.limit
        rows = 1 if self.flat else NEURON
        arrays = {
            "limit": np.array([self.limit]),
            "sizes": np.array(self.net.sizes),
            "features": features.reshape(len(features), rows, -1),
        }
        for name, part, target in zip(("train", "held_out"), self.data, self.targets, strict=True):
            arrays |= {name: part.X, f"{name}_target": np.ravel(target).astype(float)}
        if self.flat:
            arrays["x"] = self.points[:, 0]
        return Still(**arrays)

    def loss_on(self, part: int) -> float:
        """Return the loss on the training examples (0) or on those held out (1)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.loss.value(self.net.forward(self.data[part].X).output, self.targets[part])

    def losses(self, steps: Iterator[Step], due: set[int]) -> dict[int, float]:
        """Return the training loss after each of the updates that are due, as far as it is finite."""
        found = dict.fromkeys(sorted(due), np.nan)
        try:
            for step in steps:
                if step.index in found:
                    found[step.index] = self.loss_on(0)
                if step.index == max(found):
                    break
        except NonFiniteError:
            pass
        return found

    def frame(self, update: int, unforked: dict[int, float]) -> Frame:
        losses = [self.loss_on(part) for part in (0, 1)]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            said = self.loss.predict(self.net.forward(self.points).output)[:, 0]
            hidden = [layer.a for layer in self.net.forward(self.pixels).layers[:-1]]
        arrays = {
            "update": update,
            "loss": losses[0],
            "held_out_loss": losses[1],
            "weights": np.clip(self.net.parameters, -LARGEST, LARGEST),
            "neurons": self._maps(np.concatenate(hidden, axis=1).T if hidden else np.empty((0, len(self.pixels)))),
        }
        sentence = (
            f"Step {{step}} of {{steps}}, after {update} update{'s' * (update != 1)}: "
            f"training loss {_loss(losses[0])}, held-out loss {_loss(losses[1])}"
        )
        if unforked:
            arrays["unforked_loss"] = unforked.get(update, np.nan)
            sentence += f" (without the fork, training loss {_loss(arrays['unforked_loss'])})"
        if self.flat:
            return Frame(f"{sentence}.", curve=np.clip(said, -LARGEST, LARGEST), **arrays)
        certain = 2 * said - 1 if self.loss.name == "binary_cross_entropy" else said
        right = self._share_right()
        sentence += f", {right:.0%} of held-out points right."
        return Frame(sentence, surface=np.clip(np.nan_to_num(certain), -1, 1), accuracy=right, **arrays)

    def _maps(self, activations: np.ndarray) -> np.ndarray:
        """Scale each neuron's map into -1 to 1 if it is larger; return (neurons, rows, columns)."""
        activations = np.clip(np.nan_to_num(activations), -LARGEST, LARGEST)
        largest = np.abs(activations).max(axis=1, initial=1, keepdims=True)
        shape = (1, 2 * NEURON) if self.flat else (NEURON, NEURON)
        return (activations / largest).reshape(-1, *shape)

    def _share_right(self) -> float:
        held_out, target = self.data[1], self.targets[1]
        with np.errstate(over="ignore", invalid="ignore"):
            output = self.net.forward(held_out.X).output[:, 0]
        return float(np.mean((output > 0) == (target > 0)))


def _loss(value: float) -> str:
    """Four digits after the point, as long as that says something."""
    return "no longer finite" if not np.isfinite(value) else f"{value:.4f}" if value < 1e4 else f"{value:.3g}"

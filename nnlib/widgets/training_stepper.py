"""Training, step by step: the decision surface, the network and every neuron in it, and the loss."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from textwrap import indent
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.datasets import DATASETS, Dataset
from nnlib.errors import NonFiniteError, SettingError
from nnlib.gradient_descent import Step, descend
from nnlib.losses import LOSSES, Loss
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.widgets import own_points
from nnlib.widgets.stepper import (
    Column,
    Encoding,
    Frame,
    Instrument,
    Recording,
    Still,
    Stopped,
    Value,
    choice,
    drawn,
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
HELD_OUT = 4  # of a reader's own points every fourth is held out
SUCCESS = 0.9  # the least accuracy on held-out points at which a seed counts as a success
LARGEST = 3e38  # a diverging weight is drawn no larger than this, the largest number that 4 bytes hold

DATASET_NAMES = {
    "xor": "XOR",
    "moons": "two moons",
    "circles": "circles",
    "blobs": "two blobs",
    "spirals": "two spirals",
    "sine": "a sine curve (regression)",
    "own": "your own points",
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
        drawn("points", "Your own points", own_points.tidy),
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
        choice("fork_learning_rate", "η after the fork", LEARNING_RATES, default=0.03, needs="fork_at"),
        choice(
            "fork_optimizer",
            "Optimizer after the fork",
            {"same": "as before", **{name: name for name in OPTIMIZERS}},
            needs="fork_at",
        ),
        choice(
            "fork_batch_size",
            "Batch after the fork",
            {"same": "as before", "full": "all examples", 50: "50", 10: "10", 1: "1"},
            needs="fork_at",
        ),
        seed(),
        choice("seeds", "Seeds to compare", {1: "only this one", 8: "8, from this one", 24: "24, from this one"}),
    )
    COLUMNS = (
        Column("update", "Updates made", 0),
        Column("loss", "Training loss", 4),
        Column("held_out_loss", "Held-out loss", 4),
        Column("accuracy", "Held-out points right", 2),
        Column("unforked_loss", "Training loss without the fork", 4),
        Column("unforked_accuracy", "Held-out points right without the fork", 2),
        Column("seed", "Seed", 0),
        Column("successes", "Seeds that succeeded so far", 0),
    )
    PARTS = ("point_editor.js",)
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "surface": Encoding("u1", lo=-1, hi=1, levels=33),
        "unforked_surface": Encoding("u1", lo=-1, hi=1, levels=33),
        "neurons": Encoding("u1", lo=-1, hi=1, levels=17, delta=True),
        "features": Encoding("u1", lo=-1, hi=1, levels=17),
        "weights": Encoding("f4", bits=8, delta=True),
        "curve": Encoding("f4", bits=9, delta=True),
        "unforked_curve": Encoding("f4", bits=9, delta=True),
        "loss": Encoding("f8", bits=18),
        "held_out_loss": Encoding("f8", bits=18),
        "losses": Encoding("f8", bits=18),
    }

    @staticmethod
    def record(**settings: Value) -> Iterator[Still | Frame | Stopped]:
        """Yield the data, then a frame at each of `moments`; a run that leaves the finite numbers stops there.

        A fork goes on from step `fork_at` with other settings; its frames also hold what becomes of the run that keeps
        to its own. With several seeds each frame is the end of one seed's run.
        """
        run = _Run(**settings)
        return run.frames() if run.seeds == 1 else run.seed_by_seed()

    @staticmethod
    def code(**settings: Value) -> str:
        """Return the same run in a dozen lines."""
        run = _Run(**settings)
        return run.code() if run.seeds == 1 else run.code_for_seeds()

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the surface with the data, and the two losses up to the end with this step marked."""
        from matplotlib.ticker import LogLocator

        from nnlib import figures

        figure, (left, right) = figures.figure(6.6, 3.0, columns=2, width_ratios=(1, 1.35))
        frames, static = recording.frames, recording.static
        data = {name: frames[name][step] if name in frames else static[name] for name in _DATA}
        if "curve" in frames:
            left.plot(static["x"], frames["curve"][step], color=figures.INK)
            left.scatter(data["train"][:, 0], data["train_target"], s=9, color=figures.NEGATIVE, linewidths=0)
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
                colours = [figures.CLASSES[int(label > 0)] for label in data[f"{part}_target"]]
                faces = colours if part == "train" else "white"
                edges = "white" if part == "train" else colours
                points = data[part]
                left.scatter(points[:, 0], points[:, 1], s=13, c=faces, edgecolors=edges, linewidths=width)
            left.set(xlabel="x₁", ylabel="x₂", xlim=(-limit, limit), ylim=(-limit, limit))
        right.set(xscale="log", yscale="log", xlabel="updates made", ylabel="loss")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
        right.yaxis.set_minor_formatter("{x:g}")
        if "seed" in frames:
            for index, losses in enumerate(frames["losses"]):
                colour, width = (figures.INK, 1.6) if index == step else (figures.MUTED, 0.5)
                right.plot(np.maximum(static["updates"], 0.7), np.clip(losses, 1e-12, 1e12), color=colour, lw=width)
            return figure
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
        return figure


_DATA = ("train", "train_target", "held_out", "held_out_target")


@dataclass(frozen=True)
class _Run:
    """The settings, and what they mean to nnlib."""

    dataset: str
    points: str
    hidden: str
    activation: str
    loss: str
    optimizer: str
    learning_rate: float
    batch_size: str | int
    updates: int
    fork_at: int
    fork_learning_rate: float
    fork_optimizer: str
    fork_batch_size: str | int
    seed: int
    seeds: int

    def __post_init__(self) -> None:
        if self.fork_at >= self.updates:
            raise SettingError(f"fork_at must be less than the {self.updates} updates of the run; got {self.fork_at}")
        if self.seed + self.seeds > 2**32:
            raise SettingError(f"the last of {self.seeds} seeds must be below 2^32; got seed {self.seed}")

    @property
    def sizes(self) -> list[int]:
        """How many inputs, neurons of each hidden layer, and outputs."""
        return [1 if self.dataset == "sine" else 2, *(int(n) for n in self.hidden.split(",") if n != "0"), 1]

    def succeed(self, seeds: int) -> str:
        """Return what counts as a success, in words that go on from "3 of 8"."""
        if self.dataset == "sine":
            verb, aim = "explains" if seeds == 1 else "explain", f"at least {SUCCESS:.0%} of the variance of"
        else:
            verb, aim = "reaches" if seeds == 1 else "reach", f"an accuracy of at least {SUCCESS:.0%} on"
        return f"{'seed' if seeds == 1 else 'seeds'} {verb} {aim} held-out points"

    @property
    def forked(self) -> _Run:
        """The run that the fork goes on with."""
        changed = {
            name: getattr(self, f"fork_{name}")
            for name in ("optimizer", "batch_size")
            if getattr(self, f"fork_{name}") != "same"
        }
        return replace(self, learning_rate=self.fork_learning_rate, **changed)

    def data(self, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
        """Return the examples to train on and those held out."""
        if self.dataset == "own":
            return own_points.enough(own_points.read(self.points)).hold_out(HELD_OUT)
        options = {"classes": 2} if self.dataset == "blobs" else {}
        return DATASETS[self.dataset](rng=rng, **options).split(SHARE, rng=rng)

    def view(self, limit: float | None = None) -> tuple[_View, np.random.Generator]:
        """Return the network at its start, with its data, and the generator that goes on to shuffle them."""
        rng = np.random.default_rng(self.seed)
        data = self.data(rng)
        targets = [_target(part, self.loss) for part in data]
        net = Network(self.sizes, self.activation, rng=rng)
        return _View(net, LOSSES[self.loss], data, targets, limit), rng

    def walk(self, view: _View, rng: np.random.Generator | None = None, start: Step | None = None) -> Iterator[Step]:
        """Return the steps, endlessly: from the beginning or from a step."""
        rule = OPTIMIZERS[self.optimizer](learning_rate=self.learning_rate)
        size = None if self.batch_size == "full" else self.batch_size
        X, y = view.data[0].X, view.targets[0]
        return descend(view.net, self.loss, X, y, optimizer=rule, batch_size=size, rng=rng, start=start)

    def steps(self, view: _View, rng: np.random.Generator) -> Iterator[tuple[Step, _Twin | None]]:
        """Yield each step up to the last update; with a fork also what has become of the run without it."""
        for step in self.walk(view, rng):
            yield step, None
            if step.index == self.updates:
                return
            if self.fork_at and step.index == self.fork_at:
                break
        fork, twin = step, _Twin(view.twin(), step)
        twin.walk = self.walk(twin.view, start=fork)
        shuffle = rng if self.batch_size == "full" else None
        for step in self.forked.walk(view, shuffle, fork):
            twin.advance()
            yield step, twin
            if step.index == self.updates:
                return

    def frames(self) -> Iterator[Still | Frame | Stopped]:
        """Yield one run, update by update."""
        view, rng = self.view()
        yield Still(**view.still())
        due = {*moments(self.updates), self.fork_at}
        recent: deque[Step] = deque(maxlen=4)
        try:
            for step, twin in self.steps(view, rng):
                recent.append(step)
                if step.index in due:
                    yield view.frame(step.index, twin if self.fork_at else False)
        except NonFiniteError as error:
            last = recent[-1]
            if last.index not in due:
                view.net.parameters = last.parameters
                yield view.frame(last.index, twin if self.fork_at else False)
            yield Stopped(
                f"{str(error)[0].upper()}{str(error)[1:]}.",
                step=error.step,
                layer=error.layer,
                where=error.where,
                value=str(error.value),
                formula=error.formula,
                numbers=error.numbers,
                before=[f"{step.loss:.3g}" for step in recent],
                kept=last.index,
            )

    def seed_by_seed(self) -> Iterator[Still | Frame]:
        """Yield the end of each seed's run: its data, its surface, and whether it succeeded."""
        runs = [replace(self, seed=self.seed + i, seeds=1) for i in range(self.seeds)]
        limit = max(run.view()[0].limit for run in runs)
        due = moments(self.updates)
        successes = 0
        for count, run in enumerate(runs, 1):
            view, rng = run.view(limit)
            still = view.still()
            data = {name: still.pop(name) for name in _DATA}
            if count == 1:
                yield Still(meta={"seeds": self.seeds, "newest": True}, updates=np.array(due), **still)
            losses = dict.fromkeys(due, np.nan)
            stopped = ""
            try:
                for step, _ in run.steps(view, rng):
                    last = step
                    if step.index in losses:
                        losses[step.index] = view.loss_on(0)
            except NonFiniteError as error:
                view.net.parameters = last.parameters
                stopped = f" (it stopped at step {error.step}, where numbers were no longer finite)"
            success = not stopped and view.score() >= SUCCESS
            successes += success
            frame = view.frame(last.index)
            frame.sentence = (
                f"{successes} of {count} {self.succeed(count)}. Shown large: "
                f"seed {run.seed}{stopped}, {frame.sentence.partition(', ')[2]}"
            )
            frame.arrays |= data | {
                "seed": run.seed,
                "success": int(success),
                "score": view.score(),
                "successes": successes,
                "losses": np.array(list(losses.values())),
            }
            yield frame

    def code(self) -> str:
        """Return one run as code."""
        return f"""from itertools import islice

import numpy as np
import nnlib

{self._own()}rng = np.random.default_rng({self.seed})
{self._body()}
loss = nnlib.LOSSES["{self.loss}"].value(net.forward(X).output, y)
print(f"after {{step.index}} updates: training loss {{loss:.4f}}")"""

    def code_for_seeds(self) -> str:
        """Return the runs of several seeds as code."""
        score = "np.mean((output > 0) == held_out.y)"
        if self.dataset == "sine":
            score = "1 - np.mean((output - held_out.y[:, 0]) ** 2) / np.var(held_out.y)"
        body = f"""rng = np.random.default_rng(seed)
{self._body()}
output = net.forward(held_out.X).output[:, 0]
successes += {score} >= {SUCCESS}"""
        return f"""from contextlib import suppress
from itertools import islice

import numpy as np
import nnlib

{self._own()}successes = 0
for seed in range({self.seed}, {self.seed + self.seeds}):
    with suppress(nnlib.NonFiniteError):
{indent(body, "        ")}
print(f"{{successes}} of {self.seeds} {self.succeed(self.seeds)}")"""

    def _own(self) -> str:
        if self.dataset != "own":
            return ""
        data = own_points.read(self.points)
        rows = "\n".join(f"{x1:g},{x2:g},{y}" for (x1, x2), y in zip(data.X, data.y, strict=True))
        return f'data = nnlib.from_csv("""\n{rows}""")\n'

    def _body(self) -> str:
        options = ", classes=2" if self.dataset == "blobs" else ""
        split = f'nnlib.DATASETS["{self.dataset}"](rng=rng{options}).split({SHARE}, rng=rng)'
        if self.dataset == "own":
            split = f"data.hold_out({HELD_OUT})"
        signed = self.dataset != "sine" and self.loss != "binary_cross_entropy"
        steps, fork = self.updates + 1, ""
        if self.fork_at:
            fork = f"""
*_, fork = islice(walk, {self.fork_at + 1})
{self.forked._descent("fork", self.batch_size == "full")}"""
            steps = self.updates - self.fork_at
        return f"""train, held_out = {split}
X, y = train.X, {"2 * train.y - 1" if signed else "train.y"}
net = nnlib.Network({self.sizes}, "{self.activation}", rng=rng)
{self._descent("", True)}{fork}
*_, step = islice(walk, {steps})"""

    def _descent(self, start: str, draws: bool) -> str:
        batch = "" if self.batch_size == "full" else f", batch_size={self.batch_size}{', rng=rng' * draws}"
        goes_on = start and f", start={start}"
        return f"""optimizer = nnlib.OPTIMIZERS["{self.optimizer}"](learning_rate={self.learning_rate})
walk = nnlib.descend(net, "{self.loss}", X, y, optimizer=optimizer{batch}{goes_on})"""


class _Twin:
    """The run without the fork, kept in step with the one that forked."""

    def __init__(self, view: _View, start: Step):
        self.view, self.last, self.finite = view, start, True
        self.walk: Iterator[Step] = iter(())

    def advance(self) -> None:
        """Take a step, or stay at the last one that was finite."""
        if self.finite:
            try:
                self.last = next(self.walk)
            except NonFiniteError:
                self.view.net.parameters = self.last.parameters
                self.finite = False


def _target(data: Dataset, loss: str) -> np.ndarray:
    """Cross-entropy takes classes 0 and 1; every other loss pulls the output towards -1 and 1."""
    return 2 * data.y - 1 if data.task == "binary" and loss != "binary_cross_entropy" else data.y


class _View:
    """What a frame shows of a network: its output over the plane, each neuron's, its weights, its losses."""

    def __init__(
        self,
        net: Network,
        loss: Loss,
        data: tuple[Dataset, Dataset],
        targets: list[np.ndarray],
        limit: float | None = None,
    ):
        self.net, self.loss, self.data, self.targets = net, loss, data, targets
        self.flat = data[0].task == "regression"
        # The plane of a reader's own points leaves room for more of them.
        largest = max(np.abs(part.X).max(initial=1.1 * (part.name == "own")) for part in data)
        self.limit = np.ceil(largest * 10 + 0.5) / 10 if limit is None else limit
        if self.flat:
            self.points = np.linspace(-self.limit, self.limit, 121)[:, None]
            self.pixels = ((np.arange(2 * NEURON) + 0.5) / NEURON * self.limit - self.limit)[:, None]
        else:
            self.points, self.pixels = grid(SURFACE, self.limit), grid(NEURON, self.limit)

    def twin(self) -> _View:
        """Return the same view of a network of its own."""
        return _View(self.net.copy(), self.loss, self.data, self.targets, self.limit)

    def still(self) -> dict[str, np.ndarray]:
        """Return what no update changes."""
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
        return arrays

    def loss_on(self, part: int) -> float:
        """Return the loss on the training examples (0) or on those held out (1)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.loss.value(self.net.forward(self.data[part].X).output, self.targets[part])

    def said(self) -> np.ndarray:
        """Return what the network says over the plane, from -1 to 1 (or the curve that it draws)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            said = self.loss.predict(self.net.forward(self.points).output)[:, 0]
        if self.flat:
            return np.clip(said, -LARGEST, LARGEST)
        certain = 2 * said - 1 if self.loss.name == "binary_cross_entropy" else said
        return np.clip(np.nan_to_num(certain), -1, 1)

    def frame(self, update: int, twin: _Twin | bool | None = False) -> Frame:
        """Return the frame after so many updates; of a run that forks also the other future, None before the fork."""
        losses = [self.loss_on(part) for part in (0, 1)]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            hidden = [layer.a for layer in self.net.forward(self.pixels).layers[:-1]]
        plane = "curve" if self.flat else "surface"
        arrays = {
            "update": update,
            "loss": losses[0],
            "held_out_loss": losses[1],
            "weights": np.clip(self.net.parameters, -LARGEST, LARGEST),
            "neurons": self._maps(np.concatenate(hidden, axis=1).T if hidden else np.empty((0, len(self.pixels)))),
            plane: self.said(),
        }
        sentence = (
            f"Step {{step}} of {{steps}}, after {update} update{'s' * (update != 1)}: "
            f"training loss {_loss(losses[0])}, held-out loss {_loss(losses[1])}"
        )
        if not self.flat:
            arrays["accuracy"] = self.score()
        if twin is not False:
            other = twin.view if twin else self
            arrays["unforked_loss"] = other.loss_on(0) if twin is None or twin.finite else np.nan
            sentence += f" (without the fork, training loss {_loss(arrays['unforked_loss'])}"
            if not self.flat:
                arrays["unforked_accuracy"] = other.score()
                sentence += f", {other.score():.0%} right"
            sentence += ")"
            # Before the fork the two are one, which needs no second picture.
            arrays[f"unforked_{plane}"] = other.said() if twin else np.zeros(len(self.points))
        if not self.flat:
            sentence += f", {arrays['accuracy']:.0%} of held-out points right"
        return Frame(f"{sentence}.", **arrays)

    def _maps(self, activations: np.ndarray) -> np.ndarray:
        """Scale each neuron's map into -1 to 1 if it is larger; return (neurons, rows, columns)."""
        activations = np.clip(np.nan_to_num(activations), -LARGEST, LARGEST)
        largest = np.abs(activations).max(axis=1, initial=1, keepdims=True)
        shape = (1, 2 * NEURON) if self.flat else (NEURON, NEURON)
        return (activations / largest).reshape(-1, *shape)

    def score(self) -> float:
        """Return the share of held-out points that are right, or of a curve's variance that is explained."""
        held_out, target = self.data[1], self.targets[1]
        with np.errstate(over="ignore", invalid="ignore"):
            output = self.net.forward(held_out.X).output[:, 0]
            if self.flat:
                return float(1 - np.mean((output - target[:, 0]) ** 2) / np.var(target))
        return float(np.mean((output > 0) == (target > 0)))


def _loss(value: float) -> str:
    """Four digits after the point, as long as that says something."""
    return "no longer finite" if not np.isfinite(value) else f"{value:.4f}" if value < 1e4 else f"{value:.3g}"

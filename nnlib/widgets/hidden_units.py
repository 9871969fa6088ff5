"""What do hidden units come to stand for? XOR, the encoder and parity, as in chapter 8 of the PDP book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlib.gradient_descent import descend
from nnlib.learning_representations import EXPERIMENTS, ClassicMomentum, Experiment
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed
from nnlib.widgets.sweeps import draw_sweeps, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS = {  # the value of the setting, its label, and the experiment in which the network stands
    "xor_shortcut": ("XOR, one hidden unit and shortcuts", "xor_shortcut_0.5"),
    "xor": ("XOR, two hidden units", "xor_0.5"),
    "encoder": ("encoder 8-3-8", "encoder"),
    "parity_4": ("parity of 4 bits, 4 hidden units", "parity_4"),
    "parity_8": ("parity of 4 bits, 8 hidden units", "parity_8"),
}


def task(name: str, *, spread: float, learning_rate: float) -> Experiment:
    """Return the experiment of this name with another start and learning rate (α is 0.9)."""
    return replace(EXPERIMENTS[TASKS[name][1]], spread=spread, optimizer=ClassicMomentum(learning_rate))


class HiddenUnits(Instrument):
    """Small tasks that need hidden units, after Rumelhart, Hinton & Williams in the PDP book (1986)."""

    TITLE = "What have the hidden units learned?"
    ALT = (
        "A table of coloured cells with one row for each pattern: what each input, hidden and output unit says to it, "
        "blue for 0 and orange for 1. Beside it the error over the sweeps."
    )
    CONTROLS = (
        choice("experiment", "Experiment", {name: label for name, (label, _) in TASKS.items()}),
        choice("spread", "Start weights within ±", [0.3, 0.5, 1], default=0.5),
        choice("learning_rate", "Learning rate", [0.1, 0.25, 0.5], default=0.5),
        choice("updates", "Sweeps", {1000: "1,000", 3000: "3,000", 10000: "10,000"}),
        seed(),
    )
    COLUMNS = (
        Column("sweep", "Sweeps made", 0),
        Column("loss", "Error E", 4),
        Column("right", "Patterns right", 0),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "said": Encoding("u1", lo=0, hi=1, levels=101, delta=True),
        "weights": Encoding("f4", bits=9, delta=True),
    }

    @staticmethod
    def record(
        *, experiment: str, spread: float, learning_rate: float, updates: int, seed: int
    ) -> Iterator[Still | Frame]:
        """Yield the patterns, then a frame at each of `moments`."""
        chosen = task(experiment, spread=spread, learning_rate=learning_rate)
        X, y = chosen.data()
        net = chosen.network(seed)
        names = [f"x{n + 1}" for n in range(X.shape[1])] + [f"h{n + 1}" for n in range(net.sizes[1])]
        outputs = [f"p{n + 1}" if y.shape[1] > 1 else "p" for n in range(y.shape[1])]
        yield Still(
            meta={"names": names, "outputs": outputs, "shortcuts": net.shortcuts},
            X=X,
            target=y,
            sizes=np.array(net.sizes),
        )
        for when, step in looks(descend(net, chosen.loss, X, y, optimizer=chosen.optimizer), updates):
            hidden, output = (layer.a for layer in net.forward(X).layers)
            right = int(((output > 0.5) == (y > 0.5)).all(axis=1).sum())
            high, low = (hidden > 0.8).sum(), (hidden < 0.2).sum()
            yield Frame(
                f"{when}: error {step.loss:.4f}, {right} of {len(X)} patterns right. Of the {hidden.size} answers "
                f"of hidden units {high} are above 0.8, {low} below 0.2, {hidden.size - high - low} between.",
                sweep=step.index,
                loss=step.loss,
                right=right,
                said=np.hstack([hidden, output]),
                weights=step.parameters,
            )

    @staticmethod
    def code(*, experiment: str, spread: float, learning_rate: float, updates: int, seed: int) -> str:
        """Return the same run as a program."""
        return f"""from itertools import islice

import nnlib
from nnlib.widgets.hidden_units import task

experiment = task("{experiment}", spread={spread}, learning_rate={learning_rate})
X, y = experiment.data()
net = experiment.network(seed={seed})
*_, step = islice(nnlib.descend(net, experiment.loss, X, y, optimizer=experiment.optimizer), {updates + 1})
print(net.forward(X).layers[0].a.round(2))  # what the hidden units say to each pattern
print(f"error {{step.loss:.4f}}")"""

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the table of what the units say, and the error."""
        from nnlib import figures

        figure, (table, curve) = figures.figure(7.0, 3.0, columns=2, width_ratios=(1.4, 1))
        said = np.hstack([recording.static["X"], recording.frames["said"][step]])
        table.imshow(2 * said - 1, cmap=figures.diverging(), vmin=-1.2, vmax=1.2, aspect="auto")
        names = recording.meta["names"] + recording.meta["outputs"]
        table.set_xticks(range(len(names)), names, fontsize=7)
        table.set(ylabel="pattern", yticks=[], title="what each unit says to each pattern")
        draw_sweeps(curve, recording, recording.frames["loss"], step, title="error E", ylim=(0, None))
        return figure

"""Two family trees are learned from questions and answers, and six units come to describe 24 people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlib.family_trees import ENGLISH, ITALIAN, RELATIONS, family_trees
from nnlib.gradient_descent import descend
from nnlib.learning_representations import EXPERIMENTS, ClassicMomentum, Experiment, Switch
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed
from nnlib.widgets.sweeps import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def recipe(spread: float, learning_rate: float, weight_decay: float) -> Experiment:
    """Return the paper's experiment with another start, learning rate and decay.

    For the first 20 sweeps the learning rate is half as large and α is 0.5, as in the paper.
    """
    rule = ClassicMomentum(
        Switch(learning_rate / 2, learning_rate), alpha=Switch(0.5, 0.9), weight_decay=weight_decay
    )
    return replace(EXPERIMENTS["family"], spread=spread, optimizer=rule)


class FamilyTrees(Instrument):
    """Figures 2 to 4 of Rumelhart, Hinton & Williams (1986), with any recipe."""

    TITLE = "Who is Colin's aunt? 104 questions, and six units for 24 people"
    ALT = (
        "Left: for each of six hidden units its weights from 24 people, drawn as squares, the English above and the "
        "Italians below. Right: all 104 questions, marked as answered right or wrong, those held out with a ring."
    )
    CONTROLS = (
        choice("spread", "Start weights within ±", [0.3, 1], default=1),
        choice("learning_rate", "Learning rate ε", [0.01, 0.05], default=0.05),
        choice("weight_decay", "Weight decay", {0: "none", 0.001: "0.1%", 0.002: "0.2%"}, default=0.001),
        choice("updates", "Sweeps", {500: "500", 1500: "1,500", 5000: "5,000"}, default=1500),
        seed(),
    )
    COLUMNS = (
        Column("sweep", "Sweeps made", 0),
        Column("loss", "Error E", 2),
        Column("trained", "Trained questions right", 0),
        Column("held_out", "Held-out questions right", 0),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "people": Encoding("f4", bits=9, delta=True),
        "correct": Encoding("u1", lo=0, hi=1, delta=True),
    }

    @staticmethod
    def record(
        *, spread: float, learning_rate: float, weight_decay: float, updates: int, seed: int
    ) -> Iterator[Still | Frame]:
        """Yield the questions, then a frame at each of `moments`."""
        experiment = recipe(spread, learning_rate, weight_decay)
        X, y = family_trees()
        trained, held_out = experiment.cases(seed)
        yield Still(
            meta={"people": [list(ENGLISH), list(ITALIAN)], "relations": list(RELATIONS)},
            person=X[:, :24].argmax(axis=1),
            relation=X[:, 24:].argmax(axis=1),
            held_out_case=held_out,
        )
        net = experiment.network(seed)
        steps = descend(net, experiment.loss, X[trained], y[trained], optimizer=experiment.optimizer)
        for when, step in looks(steps, updates):
            correct = ((net.forward(X).output > 0.5) == (y > 0.5)).all(axis=1)
            found = {"trained": int(correct[trained].sum()), "held_out": int(correct[held_out].sum())}
            yield Frame(
                f"{when}: error {step.loss:.2f}; {found['trained']} of 100 trained questions right, "
                f"{found['held_out']} of the 4 held out.",
                sweep=step.index,
                loss=step.loss,
                people=net.layers[0].W[:24, :6].T,
                correct=correct,
                **found,
            )

    @staticmethod
    def code(*, spread: float, learning_rate: float, weight_decay: float, updates: int, seed: int) -> str:
        """Return the same run as a program."""
        return f"""from itertools import islice

import nnlib
from nnlib.family_trees import family_trees
from nnlib.widgets.family_trees import recipe

X, y = family_trees()
experiment = recipe(spread={spread}, learning_rate={learning_rate}, weight_decay={weight_decay})
trained, held_out = experiment.cases(seed={seed})
net = experiment.network(seed={seed})
*_, step = islice(nnlib.descend(net, experiment.loss, X[trained], y[trained],
                                optimizer=experiment.optimizer), {updates + 1})
right = ((net.forward(X).output > 0.5) == (y > 0.5)).all(axis=1)
print(f"{{right[trained].sum()}} of 100 trained, {{right[held_out].sum()}} of 4 held out, error {{step.loss:.2f}}")"""

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the six units' weights as squares, as the paper draws them, and the questions."""
        from nnlib import figures

        figure, axes = figures.figure(7.6, 3.6, columns=2, width_ratios=(1.5, 1))
        people, correct = recording.frames["people"][step], recording.frames["correct"][step] > 0.5
        largest = max(np.abs(recording.frames["people"]).max(), 1e-9)
        for unit, weights in enumerate(people):
            column, row = unit % 2, unit // 2
            for person, weight in enumerate(weights):
                x, y = column * 13.5 + person % 12, -row * 3.2 - person // 12
                colour = figures.POSITIVE if weight > 0 else figures.NEGATIVE
                side = 0.95 * np.sqrt(abs(weight) / largest)
                axes[0].add_patch(_square(x, y, side, colour))
            axes[0].text(column * 13.5 - 0.5, -row * 3.2 + 0.75, f"unit {unit + 1}", fontsize=8, color=figures.MUTED)
        axes[0].set(xlim=(-0.8, 25.3), ylim=(-8, 1.6), xticks=[], yticks=[], title="weights from the 24 people")
        place = {"x": recording.static["person"], "y": -recording.static["relation"].astype(float)}
        held = recording.static["held_out_case"]
        faces = np.where(correct, figures.THIRD, figures.FAINT)
        axes[1].scatter(place["x"], place["y"], s=16, c=faces, marker="s", linewidths=0)
        axes[1].scatter(place["x"][held], place["y"][held], s=60, facecolors="none", edgecolors=figures.INK)
        axes[1].set_yticks(-np.arange(12), RELATIONS, fontsize=7)
        axes[1].set(xticks=[5.5, 17.5], xticklabels=["English", "Italian"], title="questions answered right")
        for one in axes:
            one.spines[:].set_visible(False)
        return figure


def _square(x: float, y: float, side: float, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x - side / 2, y - side / 2), side, side, color=colour, linewidth=0)

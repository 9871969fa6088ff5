"""A network learns to see mirror symmetry: its weights fall into pairs, and the pairs into the ratio 1:2:4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlib.gradient_descent import descend
from nnlib.learning_representations import EXPERIMENTS, ClassicMomentum, study
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed
from nnlib.widgets.sweeps import draw_sweeps, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BITS = 6
PLACE = 2 ** np.arange(BITS // 2)[::-1]  # what a digit counts in a half that is read as a binary number


def halves(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the left half of each pattern as a number from 0 to 7, and the right half read backwards as another.

    >>> halves(np.array([[1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 1, 0]]))
    (array([4, 6]), array([4, 2]))
    """
    return (X[:, : BITS // 2] @ PLACE).astype(int), (X[:, ::-1][:, : BITS // 2] @ PLACE).astype(int)


def size_of_pairs(W: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the size of each mirror pair of a hidden unit's weights, smallest first, and how far it is off.

    A pair that is equal and opposite has the size (w - w') / 2; what is off is the largest (w + w') / 2,
    measured against the largest size.

    >>> pairs, off = size_of_pairs(np.array([-2.0, 8.0, 4.0, -4.0, -8.0, 2.0]))
    >>> pairs.tolist(), off
    ([2.0, 4.0, 8.0], 0.0)
    """
    mirrored = W[::-1]
    sizes = np.sort(np.abs(W - mirrored)[: BITS // 2] / 2)
    return sizes, float(np.abs(W + mirrored).max() / 2 / sizes[-1])


class MirrorSymmetry(Instrument):
    """Figure 1 of Rumelhart, Hinton & Williams (1986), from any start."""

    TITLE = "Is it the same backwards? Two hidden units find out"
    ALT = (
        "Bars: the weights of two hidden units from six inputs, equal and opposite about the middle. A map of the 64 "
        "patterns, in which the symmetric ones lie on the diagonal. A curve of the error over the sweeps."
    )
    CONTROLS = (
        choice("spread", "Start weights within ±", [0.1, 0.3, 1], default=0.3),
        choice("learning_rate", "Learning rate ε", [0.02, 0.05, 0.1, 0.2, 0.5], default=0.1),
        choice("alpha", "Momentum α", [0, 0.5, 0.9], default=0.9),
        choice("updates", "Sweeps", {2000: "2,000", 5000: "5,000", 20000: "20,000"}),
        seed(default=15),
    )
    COLUMNS = (
        Column("sweep", "Sweeps made", 0),
        Column("loss", "Error E", 4),
        Column("right", "Patterns right", 0),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "outputs": Encoding("u1", lo=0, hi=1, levels=65, delta=True),
        "weights": Encoding("f4", bits=11, delta=True),
    }

    @staticmethod
    def record(
        *, spread: float, learning_rate: float, alpha: float, updates: int, seed: int
    ) -> Iterator[Still | Frame]:
        """Yield what all seeds did, then a frame at each of `moments`."""
        optimizer = ClassicMomentum(learning_rate, alpha=alpha)
        experiment = replace(EXPERIMENTS["symmetry"], spread=spread, optimizer=optimizer)
        X, y = experiment.data()
        left, right = halves(X)
        yield Still(
            cell=8 * left + right,
            bits=X,
            solved=np.array([sweep for sweep in study("symmetry")["right"] if sweep is not None]),
            seeds=[experiment.seeds],
        )
        net = experiment.network(seed)
        for when, step in looks(descend(net, experiment.loss, X, y, optimizer=optimizer), updates):
            output = net.forward(X).output[:, 0]
            correct = int(((output > 0.5) == (y[:, 0] > 0.5)).sum())
            ratios = ", ".join(
                f"{'first' if unit == 0 else 'second'} hidden unit {_ratio(net.layers[0].W[:, unit])}"
                for unit in (0, 1)
            )
            yield Frame(
                f"{when}: error {step.loss:.4f}, {correct} of 64 patterns right. "
                f"Sizes of the mirror pairs of weights: {ratios}.",
                sweep=step.index,
                loss=step.loss,
                right=correct,
                outputs=output,
                weights=step.parameters,
            )

    @staticmethod
    def code(*, spread: float, learning_rate: float, alpha: float, updates: int, seed: int) -> str:
        """Return the same run as a program."""
        return f"""from itertools import islice

import numpy as np
import nnlib
from nnlib.learning_representations import ClassicMomentum, half_squares, mirror_symmetry

X, y = mirror_symmetry(6)
rng = np.random.default_rng({seed})
net = nnlib.Network([6, 2, 1], "sigmoid", rng=rng, output_activation="sigmoid")
net.parameters[:] = rng.uniform(-{spread}, {spread}, 17)
rule = ClassicMomentum({learning_rate}, alpha={alpha})
*_, step = islice(nnlib.descend(net, half_squares(), X, y, optimizer=rule), {updates + 1})
right = ((net.forward(X).output > 0.5) == (y > 0.5)).sum()
print(f"after {{step.index}} sweeps: {{right}} of 64 patterns right, error {{step.loss:.4f}}")"""

    @staticmethod
    def poster(recording: Recording, step: int) -> Figure:
        """Return the weights as bars, the map of the patterns, and the error up to this step."""
        from nnlib import figures

        figure, (bars, grid, curve) = figures.figure(8.2, 2.7, columns=3, width_ratios=(1.3, 0.9, 1))
        weights = recording.frames["weights"][step][:12].reshape(BITS, 2)
        for unit, colour in enumerate((figures.THIRD, figures.FOURTH)):
            bars.bar(np.arange(1, 7) + (unit - 0.5) * 0.36, weights[:, unit], 0.34, color=colour)
        bars.axhline(0, color=figures.MUTED, lw=0.8)
        bars.set(xlabel="input", title="weights of the two hidden units")
        cells = np.empty(64)
        cells[recording.static["cell"]] = recording.frames["outputs"][step]
        grid.imshow(
            2 * cells.reshape(8, 8) - 1, origin="lower", cmap=figures.diverging(), vmin=-1, vmax=1, aspect="auto"
        )
        grid.set(xlabel="right half, backwards", ylabel="left half", title="answer to each pattern")
        draw_sweeps(curve, recording, recording.frames["loss"], step, title="error E", ylim=(0, None))
        return figure


def _ratio(W: np.ndarray) -> str:
    sizes, off = size_of_pairs(W)
    pairs = " : ".join(f"{size / sizes[0]:.2f}" for size in sizes) if sizes[0] > 0.1 else "not yet formed"
    return pairs if off < 0.1 else "not yet equal and opposite"

"""One point is dragged away from the others, and three losses answer: squared, absolute and Huber's."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from nnlib.losses import LOSSES, Loss, huber
from nnlib.widgets.stepper import Axis, Column, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X = np.arange(-4.0, 5.0)  # (9,)
# Wherever the moving point is, the best line for the absolute error is the only one: with other numbers it need not be.
READINGS = {
    "constant": np.array([2.1, 3.4, 2.8, 3.1, 3.0, 2.5, 3.3, 2.7, 4.1]),
    "line": np.array([1.1, 1.5, 2.4, 2.8, 3.0, 3.4, 3.9, 4.4, 4.9]),
}
MOVED = {"middle": 4, "last": 8}
HEIGHTS = np.linspace(-4, 12, 161)  # where the moving point can be, every 0.1
NAMES = ("mse", "mae", "huber")


class Outlier(Instrument):
    """A constant or a line fitted to nine points by three losses, while one of the points is dragged."""

    TITLE = "One point is pulled away"
    ALT = (
        "Nine points and three fits to them. One point stands far above the others: the fit of the squared error is "
        "drawn towards it, those of the absolute error and of the Huber loss stay with the other eight. Bars beside "
        "the plot show how hard each point pulls on each fit."
    )
    CONTROLS = (
        choice("model", "Fit", {"line": "a line w x + b", "constant": "one number c"}),
        choice("moved", "Moving point", {"last": "the last one", "middle": "the middle one"}),
        choice("delta", "Huber’s δ", [1.0, 0.5, 2.0]),
    )
    COLUMNS = (
        Column("height", "Moving point y", 1),
        Column("squared_at", "Squared fit there", 3),
        Column("absolute_at", "Absolute fit there", 3),
        Column("huber_at", "Huber fit there", 3),
    )

    @staticmethod
    def record(*, model: str, moved: str, delta: float) -> Iterator[Still | Frame]:
        """Yield one frame for each height of the moving point, with the three best fits and the pulls of all points."""
        losses = (LOSSES["mse"], LOSSES["mae"], huber(delta))
        index = MOVED[moved]
        readings = np.repeat(READINGS[model][None], len(HEIGHTS), axis=0)  # (heights, 9)
        readings[:, index] = HEIGHTS
        design = np.stack([X * (model == "line"), np.ones_like(X)], axis=1)  # (9, 2), columns for w and b
        fits = np.stack([best_fit(name, design, readings, delta) for name in NAMES], axis=1)  # (heights, 3, 2)
        yield Still(
            axes=(Axis("height", "Moving point y", HEIGHTS),),
            meta={"names": ["squared", "absolute", f"Huber, δ = {delta:g}"], "moved": index, "model": model},
            x=X,
            edges=np.array([X[0] - 0.5, X[-1] + 0.5]),
        )
        for height, y, fit in zip(HEIGHTS, readings, fits, strict=True):
            predicted = fit @ design.T  # (3, 9)
            at = predicted[:, index]
            yield Frame(
                _sentence(model, height, fit),
                height=height,
                y=y,
                fit=fit,
                ends=np.stack([fit[:, 1] + fit[:, 0] * end for end in (X[0] - 0.5, X[-1] + 0.5)], axis=1),  # (3, 2)
                pulls=np.stack([pulls(loss, p, y) for loss, p in zip(losses, predicted, strict=True)]),  # (3, 9)
                squared_at=at[0],
                absolute_at=at[1],
                huber_at=at[2],
            )

    @staticmethod
    def code(*, model: str, moved: str, delta: float) -> str:
        """Return a snippet that finds the three fits for the highest place of the moving point."""
        y = READINGS[model].copy()
        y[MOVED[moved]] = HEIGHTS[-1]
        head = f"import numpy as np\nimport nnlib\n\nx = np.arange(-4.0, 5.0)\ny = np.array({y.tolist()})\n"
        if model == "constant":
            return head + (
                f"c = np.median(y)\nfor _ in range(200):  # gradient descent on Huber's loss\n"
                f"    c -= nnlib.losses.huber({delta:g}).slope(np.full(9, c), y).sum()\n"
                'print(f"squared {y.mean():.2f}, absolute {np.median(y):.2f}, Huber {c:.2f}")'
            )
        return head + (
            "from itertools import combinations, islice\n\n"
            'mae = nnlib.LOSSES["mae"]  # its best line passes through two of the points\n'
            "lines = [np.polyfit(x[list(pair)], y[list(pair)], 1) for pair in combinations(range(9), 2)]\n"
            "neuron = nnlib.Network([1, 1], rng=np.random.default_rng(0))\n"
            f"huber, optimizer = nnlib.losses.huber({delta:g}), nnlib.OPTIMIZERS['sgd'](0.2)\n"
            "steps = nnlib.descend(neuron, huber, x[:, None], y, optimizer=optimizer)\n"
            "*_, step = islice(steps, 1000)\n"
            "for name, (w, b) in {\n"
            '    "squared": np.polyfit(x, y, 1),\n'
            '    "absolute": min(lines, key=lambda line: mae.value(np.polyval(line, x), y)),\n'
            '    "Huber": step.parameters,\n'
            "}.items():\n"
            '    print(f"{name} {w:.2f} x + {b:.2f}")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the points, the three fits and the pulls."""
        from nnlib import figures

        meta, frames = recording.meta, {name: array[step] for name, array in recording.frames.items()}
        made, (left, right) = figures.figure(7.2, 3.2, columns=2, width_ratios=[1.7, 1])
        colours = (figures.NEGATIVE, figures.POSITIVE, figures.THIRD)
        for name, ends, colour in zip(meta["names"], frames["ends"], colours, strict=True):
            left.plot(recording.static["edges"], ends, color=colour)
            left.text(4.7, ends[1], name, color=colour, va="center", fontsize=8)
        left.plot(X, frames["y"], "o", color=figures.INK)
        left.plot(X[meta["moved"]], frames["height"], "o", ms=12, mfc="none", mec=figures.INK)
        left.set(xlabel="x", ylabel="y", ylim=(HEIGHTS[0] - 0.5, HEIGHTS[-1] + 0.5), xlim=(-4.8, 6.8), xticks=X[::2])
        for row, (pull, colour) in enumerate(zip(frames["pulls"], colours, strict=True)):
            right.bar(X, pull / np.abs(pull).max() * 0.4, bottom=-row, width=0.7, color=colour)
            right.axhline(-row, color=figures.MUTED, lw=0.6)
        right.set(xlabel="x", yticks=[], title="pull of each point on the fit", xticks=X[::2])
        return made


def best_fit(name: str, design: np.ndarray, readings: np.ndarray, delta: float) -> np.ndarray:
    """Return the parameters (w, b) that minimise a loss exactly, for many sets of readings at once.

    Parameters
    ----------
    name : str
        "mse", "mae" or "huber".
    design : ndarray (points, 2)
        What w and what b is multiplied by, for each point; a column of zeros makes w zero.
    readings : ndarray (sets, points)
    delta : float
        Huber's δ.

    Returns
    -------
    ndarray (sets, 2)
    """
    if name == "mse":
        return readings @ np.linalg.pinv(design).T
    if name == "mae":
        # A best fit exists that passes through as many points as there are parameters: try them all.
        columns = np.flatnonzero(design.any(axis=0))
        chosen = [list(points) for points in combinations(range(len(design)), len(columns))]
        candidates = np.zeros((len(readings), len(chosen), 2))
        for k, points in enumerate(chosen):
            candidates[:, k, columns] = readings[:, points] @ np.linalg.inv(design[np.ix_(points, columns)]).T
        cost = np.abs(candidates @ design.T - readings[:, None]).mean(axis=2)  # (sets, candidates)
        return candidates[np.arange(len(readings)), np.argmin(cost.round(12), axis=1)]
    parameters = best_fit("mae", design, readings, delta)
    step = np.linalg.pinv(design)
    for _ in range(3000):  # descent with the exact curvature of the square, which Huber's loss never exceeds
        slope = np.clip(parameters @ design.T - readings, -delta, delta)  # (sets, points)
        move = slope @ step.T
        parameters = parameters - move
        if np.abs(move).max() < 1e-12:
            break
    return parameters


def pulls(loss: Loss, predicted: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how hard each point pulls on its prediction, upwards positive: minus the slope of its own loss.

    A point that the fit passes through pulls with nothing that could be said (a kink); it is given 0.
    """
    residual = predicted - y
    touched = np.abs(residual) < 1e-9
    return -loss.slope(np.where(touched, y, predicted), y) * y.size


def _sentence(model: str, height: float, fit: np.ndarray) -> str:
    if model == "constant":
        c = [f"{b:.2f}" for _, b in fit]
        said = f"squared error says {c[0]} (the mean), absolute error {c[1]} (the median), Huber {c[2]}."
    else:
        lines = [f"{w:.2f} x {'+' if b >= 0 else '−'} {abs(b):.2f}" for w, b in fit]
        said = f"squared error fits {lines[0]}, absolute error {lines[1]}, Huber {lines[2]}."
    return f"The moving point is at {height:.1f}: {said}".replace("-", "−")

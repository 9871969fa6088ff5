"""An activation in the hand: drag a point along the curve and read its value and its slope."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.widgets.stepper import Axis, Column, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Z = np.linspace(-6, 6, 121)  # where the point can stand
GRID = np.linspace(-6, 6, 1201)  # what the curves are drawn through
FLAT = 0.01  # where the slope is smaller than this, the activation is said to be flat


class ActivationExplorer(Instrument):
    """One activation function and its slope, at any weighted sum z."""

    TITLE = "An activation and its slope"
    ALT = "Two curves over the weighted sum z: an activation function, and below it the function's slope."
    FIGURE_ID = "activation"
    CONTROLS = (choice("activation", "Activation", list(ACTIVATIONS), default="tanh"),)
    COLUMNS = (
        Column("z", "Weighted sum z", 1),
        Column("value", "Activation f(z)", 5),
        Column("slope", "Slope f′(z)", 5),
    )

    @staticmethod
    def record(*, activation: str) -> Iterator[Still | Frame]:
        """Yield one frame for each weighted sum, with the value and the slope there."""
        f = ACTIVATIONS[activation]
        values = f.value(Z)
        curve = f.value(GRID)
        slopes = f.slope(GRID, curve)
        yield Still(
            axes=(Axis("z", "Weighted sum z", Z),),
            meta={"formula": written(f.formula), "slope_formula": written(f.slope_formula)},
            grid=GRID,
            values=curve,
            slopes=slopes,
            flat=_runs(np.abs(slopes) < FLAT),
        )
        for z, value, slope in zip(Z, values, f.slope(Z, values), strict=True):
            sentence = (
                f"z = {z:.1f}: {activation} gives {value:.5f}, with slope {slope:.5f}. Of the blame that arrives here, "
                f"{_share(slope)} passes on."
            )
            yield Frame(
                sentence.replace("-", "−"),
                z=z,
                value=value,
                slope=slope,
            )

    @staticmethod
    def code(*, activation: str) -> str:
        """Return a snippet that prints the value and the slope at one weighted sum."""
        return (
            "import nnlib\n\n"
            f"f = nnlib.ACTIVATIONS[{activation!r}]\n"
            "z = 1.0\n"
            f'print(f"z = {{z:.1f}}: {activation} gives {{f.value(z):.5f}}, with slope {{f.slope(z):.5f}}")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the curve and its slope."""
        from nnlib import figures

        made, (above, below) = figures.figure(6.4, 4.2, rows=2, sharex=True)
        still, frame = recording.static, recording.frames
        above.plot(still["grid"], still["values"], color=figures.NEGATIVE)
        above.plot(frame["z"][step], frame["value"][step], "o", color=figures.NEGATIVE)
        above.set(ylabel="f(z)", title=recording.meta["settings"]["activation"])
        below.plot(still["grid"], still["slopes"], color=figures.POSITIVE)
        below.plot(frame["z"][step], frame["slope"][step], "o", color=figures.POSITIVE)
        below.set(xlabel="weighted sum z", ylabel="slope f′(z)")
        return made


# What stands in for LaTeX in the headings, which are plain text; the first that fits is replaced first.
_PLAIN = {
    r"\text{ if }": " if ", r"\text{ else }": " else ", "e^{-z}": "e⁻ᶻ", "e^z": "eᶻ", "a^2": "a²", r"\ge": "≥",
    r"\max": "max", r"\tanh": "tanh ", r"\ln": "ln", r"\varphi": "φ", r"\Phi": "Φ", r"\sigma": "σ",
    r"\,": "", "-": "−", "  ": " ",
}  # fmt: skip


def written(formula: str) -> str:
    r"""Return a formula of the catalogue as plain text.

    >>> written(r"z \text{ if } z > 0 \text{ else } (e^z - 1)")
    'z if z > 0 else (eᶻ − 1)'
    """
    for latex, plain in _PLAIN.items():
        formula = formula.replace(latex, plain)
    return formula


def _runs(flat: np.ndarray) -> np.ndarray:
    """Return the stretches of the grid where `flat` is true, each as its two ends: shape (stretches, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(int))).reshape(-1, 2)
    return GRID[edges - [0, 1]]


def _share(slope: float) -> str:
    if slope == 0:
        return "nothing"
    if slope == 1:
        return "everything"
    if slope < 0:
        return f"a share of {slope:.3f}, with its sign turned around,"
    return f"{slope:.2%}" if slope < 0.1 else f"{slope:.0%}"

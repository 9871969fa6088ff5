"""An activation in the hand: drag a point along the curve and read its value and its slope."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.widgets.stepper import Axis, Column, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Z = np.linspace(-6, 6, 121)
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
        slopes = f.slope(Z, values)
        yield Still(
            axes=(Axis("z", "Weighted sum z", Z),),
            meta={"formula": f.formula, "slope_formula": f.slope_formula, "kinks": list(f.kinks)},
            z=Z,
            values=values,
            slopes=slopes,
            flat=np.abs(slopes) < FLAT,
        )
        for z, value, slope in zip(Z, values, slopes, strict=True):
            yield Frame(
                f"z = {z:.1f}: {activation} gives {value:.5f}, with slope {slope:.5f}. Of the blame that arrives here, "
                f"{_share(slope)} passes on.",
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
        above.plot(still["z"], still["values"], color=figures.NEGATIVE)
        above.plot(frame["z"][step], frame["value"][step], "o", color=figures.NEGATIVE)
        above.set(ylabel="f(z)", title=recording.meta["settings"]["activation"])
        below.plot(still["z"], still["slopes"], color=figures.POSITIVE)
        below.plot(frame["z"][step], frame["slope"][step], "o", color=figures.POSITIVE)
        below.set(xlabel="weighted sum z", ylabel="slope f′(z)")
        return made


def _share(slope: float) -> str:
    if slope == 0:
        return "nothing"
    if slope == 1:
        return "everything"
    if slope < 0:
        return f"a share of {slope:.3f}, with its sign turned around,"
    return f"{slope:.2%}" if slope < 0.1 else f"{slope:.0%}"

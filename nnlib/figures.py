"""The book's palette, and the style of its static figures and posters.

Matplotlib is imported when a figure is made, not when this module is: nnlib runs where there is no
matplotlib. Figures are made without pyplot, so nothing is kept in global state, and equal figures give equal
PNG bytes.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; widgets/stepper.css holds the same.
NEGATIVE = "#0072B2"  # blue: negative numbers, class 0
POSITIVE = "#D55E00"  # orange: positive numbers, class 1
THIRD = "#009E73"
FOURTH = "#CC79A7"
SKY = "#56B4E9"
INK = "#24292f"
MUTED = "#667078"
FAINT = "#d5d9dd"
CLASSES = (NEGATIVE, POSITIVE, THIRD, FOURTH, SKY)

_STYLE = {
    "axes.edgecolor": MUTED,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.prop_cycle": None,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 110,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.color": MUTED,
    "ytick.labelsize": 8,
}


def style() -> dict:
    """Return the book's matplotlib settings, for ``matplotlib.rc_context(style())``."""
    from cycler import cycler

    return {**_STYLE, "axes.prop_cycle": cycler(color=CLASSES)}


def figure(
    width: float = 6.4, height: float = 3.2, columns: int = 1, rows: int = 1, **grid: object
) -> "tuple[Figure, Axes]":
    """Return a figure in the book's style and its axes, as ``matplotlib.pyplot.subplots`` would.

    Parameters
    ----------
    width, height : float
        In inches.
    columns, rows : int
        How many axes beside and below each other.
    **grid
        Further arguments of ``Figure.subplots``, such as ``width_ratios``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Show it by leaving it as the last expression of a cell.
    axes : matplotlib.axes.Axes or ndarray of Axes
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(style()):
        made = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(made)
        made._repr_png_ = lambda: png(made)  # a notebook asks for this; pyplot, which would answer, is not here
        return made, made.subplots(rows, columns, **grid)


def png(made: "Figure") -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context(style()):
        made.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def diverging() -> "LinearSegmentedColormap":
    """Return the colour map from negative (blue) over near-white to positive (orange)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("nnlib", [NEGATIVE, "#f7f7f5", POSITIVE])

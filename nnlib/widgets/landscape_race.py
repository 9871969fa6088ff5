"""Landscape race: six optimizers walk down one surface of two parameters from the same start."""

from typing import TYPE_CHECKING

import numpy as np

from nnlib.optimizers import OPTIMIZERS
from nnlib.surfaces import SURFACES
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Still, choice, position

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nnlib.widgets.recording import Recording

RACERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
WORDS = ("gradient descent", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")
UPDATES = 60
FAR = 100.0
LOWEST = 1e-6  # what the loss curves show at least
WIDE, HIGH = 2.4, 1.6  # the map reaches from -WIDE to WIDE and from -HIGH to HIGH
STARTS_U, STARTS_V = (-1.8, -0.9, 0.0, 0.9, 1.8), (-1.2, 0.0, 1.2)
COLUMNS, ROWS, BANDS = 144, 96, 12

# A fair choice: for each racer the rate of this list with the least mean loss after UPDATES steps from the starts above
# (tests/test_landscape_race.py chooses again and compares).
_DIGITS = (1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)
CANDIDATES = tuple(round(digits * 10.0**power, 4) for power in (-3, -2, -1, 0) for digits in _DIGITS)[:40]
RATES = {
    "valley": (0.018, 0.0039, 0.01, 1.5, 0.082, 0.056),
    "turned_valley": (0.018, 0.0039, 0.01, 1.2, 0.082, 0.56),
    "banana": (0.22, 0.082, 0.12, 1.5, 0.15, 0.33),
    "saddle": (0.33, 0.056, 0.47, 0.56, 0.15, 0.056),
    "plateau": (0.82, 0.56, 0.56, 0.47, 0.039, 0.56),
}


def walk(racer: str, rate: float, surface: str, starts: np.ndarray) -> np.ndarray:
    """Walk down a surface with one optimizer; a walker that has left the map by far stands still.

    Parameters
    ----------
    racer, surface : str
        Names in `OPTIMIZERS` and `SURFACES`.
    rate : float
    starts : ndarray (..., 2)

    Returns
    -------
    ndarray (UPDATES + 1, ..., 2)
        The points before the first update and after each.

    Examples
    --------
    >>> walk("sgd", 0.01, "valley", np.array([1.0, 1.0]))[:2].tolist()
    [[1.0, 1.0], [0.99, 0.0]]
    """
    optimizer, slope = OPTIMIZERS[racer](learning_rate=rate), SURFACES[surface].gradient
    theta = np.array(starts, dtype=float)
    state, path = optimizer.start(theta), [theta]
    for _ in range(UPDATES):
        moved, state = optimizer.update(theta, slope(theta), state)
        theta = np.where(np.abs(moved).max(axis=-1, keepdims=True) < FAR, moved, theta)
        path.append(theta)
    return np.array(path)


def _said(loss: float) -> str:
    """Write a loss; what is below 1e-12 depends on how the processor rounds, so it is not spelt out."""
    return f"{loss:.2g}" if loss >= 1e-12 else "under 1e-12"


def _bands(surface):
    """Return the map: the height of each point of a grid in BANDS steps (ROWS, COLUMNS), and the range of the losses.

    The steps are even in the cube root of the loss above the least, so that a valley floor shows beside high walls.
    """
    u, v = np.linspace(-WIDE, WIDE, COLUMNS), np.linspace(-HIGH, HIGH, ROWS)
    heights = surface.value(np.stack(np.meshgrid(u, v), axis=-1))
    above = np.cbrt(heights - heights.min())
    return np.minimum(np.floor(BANDS * above / above.max()), BANDS - 1)


class LandscapeRace(Instrument):
    """Six optimizers on one map of a loss with two parameters; the reader chooses the surface and the start.

    Examples
    --------
    >>> recording = LandscapeRace.recorded(surface="valley")
    >>> recording.frames["points"].shape, recording.frames["loss_sgd"][0] == recording.frames["loss_adam"][0]
    ((61, 6, 2), np.True_)
    """

    TITLE = "Six walkers, one surface"
    ALT = (
        "A map of a loss over two parameters with the paths of six optimizers from one start: gradient descent, "
        "momentum, Nesterov, AdaGrad, RMSProp and Adam; beside it their losses step by step."
    )
    CONTROLS = (
        choice("surface", "Surface", {name: each.title for name, each in SURFACES.items()}, default="turned_valley"),
        choice("rates", "Learning rates", {1: "the best for each", 0.1: "a tenth of that", 2: "twice that"}),
        position("start", "Start", -WIDE, WIDE, default=[-0.9, 1.2]),
    )
    COLUMNS = tuple(
        Column(f"loss_{racer}", words[0].upper() + words[1:], 5) for racer, words in zip(RACERS, WORDS, strict=True)
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "points": Encoding("u2", lo=-2 * WIDE, hi=2 * WIDE, levels=4097),
        "bands": Encoding("u1", lo=0, hi=255),
        **{f"loss_{racer}": Encoding("f4", bits=14) for racer in RACERS},
    }

    @staticmethod
    def record(*, surface, rates, start):
        """Yield the race from one start, one frame an update."""
        chosen = SURFACES[surface]
        named = zip(RACERS, RATES[surface], strict=True)
        walks = [walk(racer, rate * rates, surface, np.array(start)) for racer, rate in named]
        paths = np.stack(walks, axis=1)  # (UPDATES + 1, racers, 2)
        losses = chosen.value(paths)
        yield Still(
            bands=_bands(chosen),
            minima=np.array(chosen.minima),
            meta={
                "racers": [{"name": name, "words": words} for name, words in zip(RACERS, WORDS, strict=True)],
                "rates": [float(f"{rate * rates:.3g}") for rate in RATES[surface]],
                "map": {"wide": WIDE, "high": HIGH, "bands": BANDS},
                "starts": {"u": STARTS_U, "v": STARTS_V},
                "range": [LOWEST, float(f"{min(losses.max(), 1e4) * 2:.1e}")],
            },
        )
        for points, loss in zip(paths, losses, strict=True):
            best = int(np.argmin(loss))
            numbers = ", ".join(f"{words} {_said(value)}" for words, value in zip(WORDS, loss, strict=True))
            yield Frame(
                f"Step {{step}} of {{steps}}: lowest is {WORDS[best]}. Losses: {numbers}.",
                points=np.clip(points, -2 * WIDE, 2 * WIDE),
                **{f"loss_{racer}": value for racer, value in zip(RACERS, loss, strict=True)},
            )

    @staticmethod
    def code(*, surface, rates, start):
        """Return the race as a loop over nnlib's optimizers."""
        chosen = ", ".join(f'"{racer}": {rate * rates:.3g}' for racer, rate in zip(RACERS, RATES[surface], strict=True))
        return (
            "import numpy as np\n"
            "from nnlib import OPTIMIZERS\n"
            "from nnlib.surfaces import SURFACES\n\n"
            f'surface = SURFACES["{surface}"]\n'
            f"rates = {{{chosen}}}\n"
            "for name, rate in rates.items():\n"
            "    optimizer = OPTIMIZERS[name](learning_rate=rate)\n"
            f"    theta = np.array([{start[0]:g}, {start[1]:g}])\n"
            "    state = optimizer.start(theta)\n"
            f"    for _ in range({UPDATES}):\n"
            "        theta, state = optimizer.update(theta, surface.gradient(theta), state)\n"
            '    print(f"{name} {surface.value(theta):.2g}")\n'
        )

    @staticmethod
    def poster(recording: "Recording", step: int) -> "Figure":
        """Return the map with the paths up to this step, and the losses."""
        from nnlib import figures

        figure, (above, curve) = figures.figure(7.4, 3.1, columns=2, width_ratios=[3, 2])
        colours = (figures.INK, figures.NEGATIVE, figures.SKY, figures.FOURTH, figures.THIRD, figures.POSITIVE)
        above.contourf(
            np.linspace(-WIDE, WIDE, COLUMNS), np.linspace(-HIGH, HIGH, ROWS), recording.static["bands"],
            levels=np.arange(-0.5, BANDS), cmap="Greys", vmax=2.2 * BANDS,
        )  # fmt: skip
        points = recording.frames["points"][: step + 1]
        losses = np.maximum([recording.frames[f"loss_{racer}"][: step + 1] for racer in RACERS], LOWEST)
        # The names of racers that end close together are moved apart, a line of text at least.
        low, high = np.log10(recording.meta["range"])
        order = np.argsort(losses[:, -1])
        lines = 0.06 * (high - low) * np.arange(len(RACERS))
        ends = np.maximum(np.log10(losses[order, -1]), low + lines[1] / 2)
        heights = np.maximum.accumulate(ends - lines) + lines
        heights -= max(0, heights[-1] - high)
        beside = 10 ** heights[np.argsort(order)]
        for k, (words, colour) in enumerate(zip(WORDS, colours, strict=True)):
            above.plot(*points[:, k].T, color=colour, lw=1.3, marker="o", markevery=[-1], ms=4)
            curve.semilogy(losses[k], color=colour, lw=1.4)
            curve.annotate(
                words, (step, beside[k]), xytext=(4, 0), textcoords="offset points",
                color=colour, fontsize=7, va="center",
            )  # fmt: skip
        above.plot(*points[0, 0], "o", color="white", mec=figures.INK, ms=7)
        above.plot(*recording.static["minima"].T, "+", color=figures.INK, ms=9)
        above.set(xlim=(-WIDE, WIDE), ylim=(-HIGH, HIGH), xlabel="u", ylabel="v")
        curve.set(xlim=(0, UPDATES * 1.5), ylim=recording.meta["range"], xlabel="step", ylabel="loss")
        return figure

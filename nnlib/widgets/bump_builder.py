"""Any curve from steps: two hidden neurons make a bump, and enough bumps follow any continuous curve."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.neurons import build_bumps
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Each curve on 0 to 1, with the greatest slope L that it has anywhere.
CURVES = {
    "wave": (lambda x: np.sin(2 * np.pi * x), 2 * np.pi, "sin(2πx)"),
    "tent": (lambda x: 1 - np.abs(2 * x - 1), 2.0, "tent: 1 − |2x − 1|"),
    "chirp": (lambda x: np.sin(6 * np.pi * x**2), 12 * np.pi, "chirp: sin(6πx²)"),
}
SNIPPETS = {"wave": "np.sin(2 * np.pi * x)", "tent": "1 - np.abs(2 * x - 1)", "chirp": "np.sin(6 * np.pi * x**2)"}
COUNTS = np.array([1, 2, 4, 8, 16, 32, 64])
X = (np.arange(480) + 0.5) / 480  # no point of the grid lies on an edge


class BumpBuilder(Instrument):
    """A one-hidden-layer network put together by hand, one hidden neuron a frame."""

    TITLE = "Steps, bumps, any curve"
    ALT = (
        "Above, a curve and the staircase which a network of step neurons draws under it, bump by bump. "
        "Below, the greatest error for 1 to 64 bumps, falling with the number of bumps."
    )
    FIGURE_ID = "bumps"
    CONTROLS = (
        choice("curve", "Curve to follow", {name: label for name, (_, _, label) in CURVES.items()}),
        choice("bumps", "Bumps", [8, 4, 16, 32]),
        choice("steepness", "Steepness k of a step", {"sharp": "sharp step", "200": "200", "50": "50", "20": "20"}),
    )
    COLUMNS = (
        Column("neurons", "Hidden neurons", 0),
        Column("height", "Height of the bump", 3),
        Column("built", "Greatest error where built", 3),
        Column("error", "Greatest error from 0 to 1", 3),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "output": Encoding("u2", lo=-2, hi=2, delta=True),
        "signal": Encoding("u2", lo=-2, hi=2),
    }

    @staticmethod
    def record(*, curve: str, bumps: int, steepness: str) -> Iterator[Still | Frame]:
        """Yield the network with 0, 1, 2... hidden neurons: each bump is a step up and then a step down."""
        f, slope, _ = CURVES[curve]
        k = None if steepness == "sharp" else float(steepness)
        edges = np.linspace(0, 1, bumps + 1)
        heights = f((edges[:-1] + edges[1:]) / 2)
        net = build_bumps(edges, heights, steepness=k)
        signals = net.forward(X[:, None]).layers[-1].x * net.layers[-1].W.ravel()  # (grid, hidden), weighted
        target = f(X)
        yield Still(
            x=X, target=target, edges=edges, heights=heights, counts=COUNTS,
            errors=np.array([_error(curve, n, k) for n in COUNTS]),
            promises=slope / (2 * COUNTS),
            meta={"slope": slope},
        )  # fmt: skip
        for neurons in range(2 * bumps + 1):
            output = signals[:, :neurons].sum(axis=1)
            wrong = np.abs(output - target)
            done = neurons // 2
            built = float(wrong[edges[done] > X].max()) if done else 0.0
            yield Frame(
                _sentence(neurons, bumps, edges, heights, built, float(wrong.max())),
                output=output,
                signal=signals[:, neurons - 1] if neurons else np.zeros_like(X),
                neurons=neurons, done=done, built=built, error=wrong.max(),
                height=heights[(neurons - 1) // 2] if neurons else 0.0,
            )  # fmt: skip

    @staticmethod
    def code(*, curve: str, bumps: int, steepness: str) -> str:
        """Return the whole construction as a snippet which prints its greatest error."""
        sharp = "" if steepness == "sharp" else f", steepness={steepness}"
        return (
            "import numpy as np\n\nfrom nnlib.neurons import build_bumps\n\n"
            f"def curve(x):\n    return {SNIPPETS[curve]}\n\n"
            f"edges = np.linspace(0, 1, {bumps} + 1)\n"
            f"net = build_bumps(edges, curve((edges[:-1] + edges[1:]) / 2){sharp})\n"
            f"x = (np.arange({X.size}) + 0.5) / {X.size}\n"
            "error = np.abs(net.forward(x[:, None]).output.ravel() - curve(x)).max()\n"
            'print(f"hidden neurons {net.sizes[1]}, greatest error {error:.3f}")\n'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the curve, the staircase and the errors at one step."""
        from nnlib import figures

        made, (plot, errors) = figures.figure(7.4, 3.2, columns=2, width_ratios=[3, 2])
        x = recording.static["x"]
        plot.plot(x, recording.static["target"], color=figures.MUTED)
        plot.plot(x, recording.frames["output"][step], color=figures.POSITIVE)
        plot.set(xlabel="x", ylabel="output", title=f"{recording.frames['neurons'][step]} hidden neurons")
        counts = recording.static["counts"]
        errors.loglog(counts, recording.static["promises"], color=figures.MUTED, linestyle="--")
        errors.loglog(counts, recording.static["errors"], "o-", color=figures.POSITIVE, markersize=4)
        errors.annotate("promise L / 2n", (1, recording.static["promises"][0]), (4, 4), textcoords="offset points")
        errors.set(xlabel="bumps n", title="greatest error")
        return made


def _error(curve: str, bumps: int, steepness: float | None) -> float:
    f = CURVES[curve][0]
    edges = np.linspace(0, 1, bumps + 1)
    net = build_bumps(edges, f((edges[:-1] + edges[1:]) / 2), steepness=steepness)
    return float(np.abs(net.forward(X[:, None]).output.ravel() - f(X)).max())


def _sentence(neurons: int, bumps: int, edges: np.ndarray, heights: np.ndarray, built: float, error: float) -> str:
    if neurons == 0:
        return f"No hidden neuron yet: the output is 0 everywhere, and the greatest error is {error:.3f}."
    bump = (neurons - 1) // 2
    height = f"{heights[bump]:.3f}".replace("-", "−")
    if neurons % 2:
        return (
            f"Hidden neuron {neurons} steps at x = {edges[bump]:.3f}: from there on the output is changed by {height}."
        )
    told = (
        f"Hidden neuron {neurons} steps at x = {edges[bump + 1]:.3f} and takes it back: bump {bump + 1} of {bumps}, "
        f"height {height}. Greatest error so far, from 0 to {edges[bump + 1]:.3f}: {built:.3f}."
    )
    if bump + 1 < bumps:
        return told
    return f"{told} The curve is covered: {neurons} hidden neurons, greatest error {error:.3f}."

"""Step-size explorer: gradient descent on the bowl L(w, b) = 5 (w - 2)² + ½ λ (b - 1)², too slow, right, too fast."""

from typing import TYPE_CHECKING

import numpy as np

from nnlib.optimizers import OPTIMIZERS
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Still, choice, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nnlib.widgets.recording import Recording

STEEP = 10.0  # the curvature along w; the curvature along b is the reader's
MINIMUM = np.array([2.0, 1.0])
UPDATES = 40
SPAN = 3.6  # how far from the minimum the cross-sections reach
LOWEST, HIGHEST = 1e-6, 1e6  # the losses that the curve shows


def multipliers(learning_rate: float, momentum: float, curvature: float) -> np.ndarray:
    """Return the two numbers by whose powers the distance along one direction of a bowl shrinks or grows.

    They are the roots r of r² - (1 + β - ηλ) r + β = 0. Without momentum one of them is 1 - ηλ and the other 0.

    Returns
    -------
    ndarray (2,), complex

    Examples
    --------
    >>> multipliers(0.05, 0.0, 10.0).real.tolist(), np.abs(multipliers(0.05, 0.81, 10.0)).round(6).tolist()
    ([0.5, 0.0], [0.9, 0.9])
    """
    half = (1 + momentum - learning_rate * curvature) / 2
    root = np.sqrt(complex(half**2 - momentum))
    pair = np.array([half + root, half - root])
    return pair[np.argsort(-np.abs(pair), kind="stable")]


def _walk(learning_rate, momentum, curvatures):
    """Yield the parameters before and after each update."""
    name, extra = ("momentum", {"beta": momentum}) if momentum else ("sgd", {})
    optimizer = OPTIMIZERS[name](learning_rate=learning_rate, **extra)
    theta = np.zeros(2)
    state = optimizer.start(theta)
    for _ in range(UPDATES):
        yield theta
        theta, state = optimizer.update(theta, curvatures * (theta - MINIMUM), state)
    yield theta


def _fate(size: float) -> str:
    if size > 1 + 1e-9:
        return "flies away"
    return "neither nears nor leaves" if size > 1 - 1e-9 else "converges"


class StepSize(Instrument):
    """Gradient descent, with or without momentum, on a bowl with two curvatures.

    Examples
    --------
    >>> recording = StepSize.recorded(learning_rate=0.05)
    >>> recording.frames["w"][:4].tolist(), recording.frames["loss"][:2].round(4).tolist()
    ([0.0, 1.0, 1.5, 1.75], [21.0, 5.81])
    """

    TITLE = "How long a step?"
    ALT = (
        "Gradient descent on a bowl: the two cross-sections with the points visited, the path seen from above, "
        "the multiplier of each direction in the unit circle, and the loss step by step on a logarithmic scale."
    )
    CONTROLS = (
        number("learning_rate", "Learning rate η", 0.01, 0.4, default=0.05, step=0.01, slider=True),
        choice("momentum", "Momentum β", {0: "0 (none)", 0.9: "0.9"}),
        choice("curvature", "Curvature along b", {2: "2 (κ = 5)", 0.2: "0.2 (κ = 50)"}),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "w": Encoding("f4", bits=18),
        "b": Encoding("f4", bits=18),
        "loss": Encoding("f8", bits=18),
        "height": Encoding("f4", bits=10),
        "sections": Encoding("u2"),
    }
    COLUMNS = (Column("w", "w", 4), Column("b", "b", 4), Column("loss", "Loss", 6))

    @staticmethod
    def record(*, learning_rate, momentum, curvature):
        """Yield the walk from (0, 0), one frame an update."""
        curvatures = np.array([STEEP, curvature])
        roots = np.array([multipliers(learning_rate, momentum, each) for each in curvatures])  # (2, roots)
        sizes = np.abs(roots[:, 0])
        limit = 2 * (1 + momentum) / STEEP
        offsets = np.linspace(-SPAN, SPAN, 33)
        levels = 20.0 * 0.25 ** np.arange(-1, 5)
        yield Still(
            minimum=MINIMUM,
            offsets=offsets,  # (33,)
            sections=0.5 * curvatures[:, None] * offsets**2,  # (2, 33)
            rings=np.sqrt(2 * levels[:, None] / curvatures),  # (6, 2): half the axes of each ellipse
            roots=np.stack([roots.real, roots.imag], axis=-1),  # (2, roots, 2)
            sizes=sizes,
            meta={"limit": round(limit, 12), "span": SPAN, "lowest": LOWEST, "highest": HIGHEST},
        )
        below, above = learning_rate < limit * (1 - 1e-9), learning_rate > limit * (1 + 1e-9)
        side = "below" if below else "above" if above else "at"
        verdict = (
            f"The rate {learning_rate:g} is {side} the limit {limit:.3g}; "
            f"each step multiplies the distance along w by {_sized(roots[0, 0])} ({_fate(sizes[0])}) "
            f"and along b by {_sized(roots[1, 0])} ({_fate(sizes[1])})."
        )
        for theta in _walk(learning_rate, momentum, curvatures):
            apart = 0.5 * curvatures * (theta - MINIMUM) ** 2
            loss = apart.sum()
            yield Frame(
                f"Step {{step}} of {{steps}}: w = {theta[0]:.4g}, b = {theta[1]:.4g}, loss {loss:.4g}. {verdict}",
                w=theta[0],
                b=theta[1],
                loss=loss,
                height=np.minimum(apart, HIGHEST),
            )

    @staticmethod
    def code(*, learning_rate, momentum, curvature):
        """Return the walk as a loop over an nnlib optimizer."""
        rule = f'OPTIMIZERS["momentum"](learning_rate={learning_rate:g}, beta={momentum:g})'
        rule = rule if momentum else f'OPTIMIZERS["sgd"](learning_rate={learning_rate:g})'
        return (
            "import numpy as np\n"
            "from nnlib import OPTIMIZERS\n\n"
            f"curvatures, minimum = np.array([{STEEP:g}, {curvature:g}]), np.array([2, 1])\n"
            f"optimizer = {rule}\n"
            "theta = np.zeros(2)  # w, b\n"
            "state = optimizer.start(theta)\n"
            f"for _ in range({UPDATES}):\n"
            "    gradient = curvatures * (theta - minimum)\n"
            "    theta, state = optimizer.update(theta, gradient, state)\n"
            "loss = 0.5 * np.sum(curvatures * (theta - minimum) ** 2)\n"
            'print(f"w = {theta[0]:.4g}, b = {theta[1]:.4g}, loss {loss:.4g}")\n'
        )

    @staticmethod
    def poster(recording: "Recording", step: int) -> "Figure":
        """Return the path from above and the loss, up to this step."""
        from nnlib import figures

        figure, (above, curve) = figures.figure(7.0, 2.9, columns=2)
        w, b = recording.frames["w"], recording.frames["b"]
        angle = np.linspace(0, 2 * np.pi, 121)
        for wide, high in recording.static["rings"]:
            above.plot(MINIMUM[0] + wide * np.cos(angle), MINIMUM[1] + high * np.sin(angle), color=figures.FAINT, lw=1)
        above.plot(w[: step + 1], b[: step + 1], color=figures.POSITIVE, marker="o", ms=3.5, lw=1.2)
        above.plot(*MINIMUM, marker="+", color=figures.INK, ms=10)
        above.set(xlim=(2 - SPAN, 2 + SPAN), ylim=(-1.2, 3.2), xlabel="w", ylabel="b", title="the path on the bowl")
        curve.semilogy(recording.frames["loss"][: step + 1], color=figures.NEGATIVE)
        curve.set(ylim=(LOWEST, HIGHEST), xlim=(0, UPDATES), xlabel="step", ylabel="loss", title="the loss")
        return figure


def _sized(root: complex) -> str:
    """Write a multiplier: a real one with its sign, a complex one by its size."""
    return f"{root.real:+.3g}" if abs(root.imag) < 1e-12 else f"a swing of size {abs(root):.3g}"

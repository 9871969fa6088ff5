"""Signal and blame through a deep network: how the activations spread on the way up, and what comes back down."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.backpropagation import backward
from nnlib.initialisation import INITIALISATIONS
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.widgets.stepper import Column, Frame, Instrument, Recording, Still, choice, seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS, WIDTH, EXAMPLES = 20, 100, 200
BINS = 41
FLOOR = 1e-12  # the logarithmic axes end here
NAMES = {
    "zero": "all zero",
    "naive": "naive: variance 1",
    "lecun": "LeCun: 1 / inputs",
    "xavier": "Xavier: 2 / (inputs + outputs)",
    "he": "He: 2 / inputs",
}


def profile(activation: str, initialisation: str, seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the activations of each hidden layer, their spread, and the size of δ there, for an untrained network.

    Returns
    -------
    activations : list of ndarray (EXAMPLES, WIDTH)
    spread : ndarray (LAYERS,)
        The root mean square of the activations.
    blame : ndarray (LAYERS,)
        The root mean square of δ, as a share of that at the last hidden layer.
    """
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(EXAMPLES, WIDTH)), rng.normal(size=(EXAMPLES, 1))
    net = Network([WIDTH] * (LAYERS + 1) + [1], activation, rng=rng, initialisation=initialisation)
    trace = net.forward(X)
    swept = backward(net, trace, LOSSES["mse"].slope(trace.output, y))
    activations = [seen.a for seen in trace.layers[:-1]]
    sizes = np.array([np.sqrt(np.mean(delta**2)) for delta in swept.deltas[:-1]])
    return activations, np.array([np.sqrt(np.mean(a**2)) for a in activations]), sizes / (sizes[-1] or 1.0)


class DepthProfile(Instrument):
    """Forward through twenty layers, and back again."""

    TITLE = "Twenty layers up, and down again"
    ALT = (
        "Two rows of bars on logarithmic scales, one bar for each of twenty layers: how large the activations are, "
        "and how large the blame is that comes back; beside them a histogram of one layer’s activations."
    )
    FIGURE_ID = "depth"
    CONTROLS = (
        choice(
            "activation", "Activation", ["tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu", "identity"]
        ),
        choice(
            "initialisation",
            "Weights at the start",
            {name: NAMES.get(name, name) for name in INITIALISATIONS},
            default="naive",
        ),
        seed(),
    )
    COLUMNS = (
        Column("layer", "Layer", 0),
        Column("spread_here", "Spread of a", 6),
        Column("blame_here", "Blame, against layer 20", 8),
    )

    @staticmethod
    def record(*, activation: str, initialisation: str, seed: int) -> Iterator[Still | Frame]:
        """Yield a frame for each layer on the way up, then one for each on the way down."""
        activations, spread, blame = profile(activation, initialisation, seed)
        edge = max(1.0, float(np.quantile(np.abs(activations), 0.995)))
        edges = np.linspace(-edge, edge, BINS + 1)
        counts = [np.histogram(np.clip(a, -edge, edge), edges)[0] / a.size for a in activations]
        yield Still(edges=edges, layers=np.arange(1, LAYERS + 1), spread=spread, blame=blame)
        for up in range(1, LAYERS + 1):
            yield Frame(
                f"Forward, layer {up} of {LAYERS}: the activations have a typical size of {written(spread[up - 1])}"
                f"{_saturated(activation, activations[up - 1])}.",
                **_at(up, up, LAYERS + 1, spread, blame, counts),
            )
        for down in range(LAYERS, 0, -1):
            yield Frame(
                f"Backward, layer {down} of {LAYERS}: the blame that arrives here is "
                f"{written(blame[down - 1])} times that at layer {LAYERS}."
                if blame[down - 1]
                else f"Backward, layer {down} of {LAYERS}: no blame arrives here at all.",
                **_at(down, LAYERS, down, spread, blame, counts),
            )

    @staticmethod
    def code(*, activation: str, initialisation: str, seed: int) -> str:
        """Return a snippet that prints both profiles."""
        return (
            "from nnlib.widgets.depth_profile import profile\n\n"
            f"activations, spread, blame = profile({activation!r}, {initialisation!r}, {seed})\n"
            "for layer, (size, share) in enumerate(zip(spread, blame), start=1):\n"
            '    print(f"layer {layer}: activations of size {size:.2g}, blame {share:.2g} times that at layer 20")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw both profiles."""
        from nnlib import figures

        made, axes = figures.figure(7.2, 2.8, columns=2)
        still = recording.static
        for plot, name, colour, label in zip(
            axes, ("spread", "blame"), (figures.NEGATIVE, figures.POSITIVE),
            ("size of the activations", "size of the blame, against layer 20"), strict=True,
        ):  # fmt: skip
            plot.bar(still["layers"], np.maximum(still[name], FLOOR), color=colour)
            plot.set(
                yscale="log",
                xlabel="layer",
                title=label,
                ylim=(max(FLOOR, still[name].min() / 5), 10 * still[name].max() + FLOOR),
            )
        return made


def _at(layer: int, up: int, down: int, spread: np.ndarray, blame: np.ndarray, counts: list) -> dict:
    """Return a frame's arrays: forward has reached layer `up`, backward has come down to layer `down`."""
    return {
        "layer": layer,
        "up": up,
        "down": down,
        "spread_here": spread[layer - 1],
        "blame_here": blame[layer - 1] if down <= layer else np.nan,
        "histogram": counts[layer - 1],
    }


def written(size: float) -> str:
    """Return two significant digits, with a power of ten only where it helps."""
    rounded = float(f"{size:.2g}")
    if rounded == 0 or 1e-3 <= rounded < 1e5:
        return f"{rounded:,g}"
    mantissa, power = f"{rounded:.1e}".split("e")
    return f"{mantissa} × 10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _saturated(activation: str, a: np.ndarray) -> str:
    if activation == "tanh":
        return f", and {np.mean(np.abs(a) > 0.95):.0%} of them are beyond ±0.95, where tanh is nearly flat"
    if activation == "relu":
        return f", and {np.mean(a == 0):.0%} of them are exactly 0"
    return ""

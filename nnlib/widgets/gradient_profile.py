"""The gradient profile: how large δ is at every layer of a deep network, and what training makes of it."""

from collections.abc import Iterator

import numpy as np

from nnlib.backpropagation import backward
from nnlib.losses import as_loss
from nnlib.network import Network
from nnlib.widgets.stepper import Column, Frame, Instrument, Recording, Still, choice, number

WIDTH = 16
EXAMPLES = 64
UPDATES = 60
FLOOR = 1e-20  # below this a bar has no height


def rings(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points X (EXAMPLES, 2) in a disc and whether they lie in its inner half, y (EXAMPLES, 1)."""
    radius, angle = np.sqrt(rng.uniform(0, 1, EXAMPLES)), rng.uniform(0, 2 * np.pi, EXAMPLES)
    X = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return X, (radius < np.sqrt(0.5)).astype(float)[:, None]


def size_of_deltas(net: Network, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the loss, the root mean square of δ at every layer (layers,), and the gradient (P,).

    δ is that of each example's own loss, so its size does not depend on how many examples there are.
    """
    loss = as_loss("binary_cross_entropy")
    trace = net.forward(X)
    swept = backward(net, trace, loss.slope(trace.output, y))
    sizes = [len(X) * np.sqrt(np.mean(delta**2)) for delta in swept.deltas]
    return loss.value(trace.output, y), np.array(sizes), swept.gradient


def power_of_ten(value: float) -> str:
    """Write a positive number so that its size shows: 3.1 · 10⁻⁹."""
    if value < FLOOR:
        return "0"
    if 0.01 <= value < 1000:
        return f"{value:.3g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits} · 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


class GradientProfile(Instrument):
    """The size of δ at every layer of a deep network, over the first updates of its training."""

    TITLE = "What arrives at the first layer?"
    ALT = (
        "Bars on a logarithmic scale, one for each layer: the size of the deltas, from the first layer on the left to "
        "the last on the right."
    )
    CONTROLS = (
        choice("activation", "Activation", ["sigmoid", "tanh", "relu"]),
        choice(
            "initialisation",
            "Initialisation",
            {"xavier": "Xavier", "he": "He", "naive": "naive, standard deviation 1", "zero": "all zero"},
        ),
        choice("depth", "Layers", [5, 10, 20]),
        number("seed", "Seed", 0, 99, default=0),
    )
    COLUMNS = (
        Column("loss", "Loss", 4),
        Column("first", "log₁₀ of δ at the first layer", 2),
        Column("last", "log₁₀ of δ at the last layer", 2),
    )

    @staticmethod
    def record(*, activation: str, initialisation: str, depth: int, seed: int) -> Iterator[Still | Frame]:
        """Yield the profile before the first update and after each of the next."""
        rng = np.random.default_rng(seed)
        X, y = rings(rng)
        net = Network([2, *[WIDTH] * (depth - 1), 1], activation, rng=rng, initialisation=initialisation)
        frames = []
        for update in range(UPDATES + 1):
            loss, sizes, gradient = size_of_deltas(net, X, y)
            first, last = sizes[0], sizes[-1]
            factor = (first / last) ** (1 / (depth - 1)) if first > FLOOR else 0.0
            when = f"After {update} updates" if update else "Before training"
            sentence = (
                f"{when}: δ is {power_of_ten(last)} at layer {depth} and {power_of_ten(first)} at layer 1, a factor of "
                f"{factor:.2f} for each layer on the way down. Loss {loss:.4g}."
            )
            logs = np.log10(np.maximum([first, last], FLOOR))
            frames.append(Frame(sentence, sizes=np.maximum(sizes, FLOOR), loss=loss, first=logs[0], last=logs[1]))
            # A step of at most 0.05, so that an exploding gradient does not end the run.
            net.parameters -= 0.05 * gradient / max(1.0, np.linalg.norm(gradient))
        sizes = np.array([frame.arrays["sizes"] for frame in frames])
        seen = np.append(sizes[sizes > FLOOR], [1e-2, 1.0])
        yield Still(
            layers=np.arange(1, depth + 1),
            range=10.0 ** np.array([np.floor(np.log10(seen.min())) - 1, np.ceil(np.log10(seen.max())) + 1]),
            highest_loss=[1.05 * max(frame.arrays["loss"] for frame in frames)],
        )
        yield from frames

    @staticmethod
    def code(*, activation: str, initialisation: str, depth: int, seed: int) -> str:
        """Return the first frame as a program."""
        return f"""import numpy as np
from nnlib import Network
from nnlib.widgets.gradient_profile import rings, size_of_deltas

rng = np.random.default_rng({seed})
X, y = rings(rng)
net = Network([2, *[{WIDTH}] * {depth - 1}, 1], "{activation}", rng=rng, initialisation="{initialisation}")
loss, sizes, gradient = size_of_deltas(net, X, y)
print(f"loss {{loss:.4f}}")
for layer, size in enumerate(sizes, start=1):
    print(f"layer {{layer}}: delta {{size:.1e}}")"""

    @staticmethod
    def poster(recording: Recording, step: int):
        """Draw the bars of one frame over the outline of the first."""
        from nnlib import figures

        layers, sizes = recording.static["layers"], recording.frames["sizes"]
        figure, axes = figures.figure(6.8, 2.8)
        axes.bar(layers, sizes[step], width=0.7, color=figures.NEGATIVE)
        axes.step(layers, sizes[0], where="mid", color=figures.MUTED, lw=1)
        axes.set_yscale("log")
        axes.set(xlabel="layer (1 is the first)", ylabel="size of δ", ylim=recording.static["range"])
        axes.set_title(recording.meta["sentences"][step], fontsize=8)
        return figure

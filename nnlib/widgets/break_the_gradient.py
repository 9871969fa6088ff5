"""Break the gradient: one rule of backpropagation is sabotaged, and a gradient checker shows where."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnlib.losses import Loss, as_loss
from nnlib.network import Network
from nnlib.widgets.stepper import Column, Frame, Instrument, Recording, Still, choice, seed

RULES = (
    "delta = loss_slope(p, y)        # the slope of the mean over the batch",
    "for each layer, last first:",
    "    dW = x.T @ delta            # x: what this layer was fed in the same forward pass",
    "    db = delta.sum(axis=0)      # over the examples",
    "    delta = (delta @ W.T) * slope(z below)",
)


@dataclass(frozen=True)
class Fault:
    """One way to get backpropagation wrong.

    Attributes
    ----------
    label : str
        The verdict a reader can choose.
    symptom : str
        What the checker shows, and why.
    rule : int or None
        The index in `RULES` of the line that is wrong.
    wrong : str
        That line as it was run.
    """

    label: str
    symptom: str
    rule: int | None = None
    wrong: str = ""


FAULTS = {
    "none": Fault("Nothing is broken", "Every number agrees. A check that never passes would be as useless as none."),
    "mean": Fault(
        "The mean over the batch is forgotten",
        "Everything is too large by one and the same factor, and this factor is the number of examples.",
        0,
        "delta = loss_slope(p, y) * len(X)",
    ),
    "sign": Fault(
        "A sign is wrong",
        "Everything has the right size and the wrong sign: this gradient climbs.",
        0,
        "delta = -loss_slope(p, y)",
    ),
    "twice": Fault(
        "Two backward passes were added up",
        "Everything is too large by exactly 2, whatever the batch: the first pass was not cleared away.",
        2,
        "    dW += x.T @ delta           # and backward ran twice",
    ),
    "bias": Fault(
        "The bias is fed by one example only",
        "Every weight agrees and every bias is wrong: the sum over the examples is missing.",
        3,
        "    db = delta[-1]",
    ),
    "stale": Fault(
        "The inputs come from an older forward pass",
        "Biases agree everywhere, and so do the weights that see the data. "
        "Only weights fed by a hidden layer are wrong: the activations are stale.",
        2,
        "    dW = old_x.T @ delta        # kept from before the last update",
    ),
    "transpose": Fault(
        "A transpose is missing",
        "The layers above agree and the first is wrong without any pattern. "
        "The middle matrix is square, so its shape could not give the mistake away.",
        4,
        "    delta = (delta @ W) * slope(z below)",
    ),
    "slope": Fault(
        "The slope of the activation is missing",
        "The last layer agrees and every layer below it is wrong, "
        "by a different factor for every weight: the slope was skipped on the way down.",
        4,
        "    delta = delta @ W.T",
    ),
}

# The order in which the cases stand in the menu says nothing about them.
CASES = dict(zip("ABCDEFGH", ("slope", "mean", "bias", "none", "transpose", "sign", "stale", "twice"), strict=True))


def broken_gradient(
    net: Network, loss: str | Loss, X: np.ndarray, y: np.ndarray, fault: str, old: Network | None = None
) -> np.ndarray:
    """Return dL/dθ (P,) by backpropagation with one fault in it; "none" gives the true gradient.

    Parameters
    ----------
    net : Network
    loss : str or Loss
    X : ndarray (batch, inputs)
    y : ndarray
        Targets, as `loss` takes them.
    fault : str
        A name in `FAULTS`.
    old : Network, optional
        The network before the last update, which the fault "stale" reads its activations from.
    """
    trace = net.forward(X)
    fed = (old if fault == "stale" and old is not None else net).forward(X)
    delta = as_loss(loss).slope(trace.output, y)  # (batch, outputs)
    delta = delta * {"mean": len(X), "sign": -1}.get(fault, 1)
    gradient = np.empty_like(net.parameters)
    blocks = net.blocks(gradient)
    for index in reversed(range(len(net.layers))):
        blocks[index][:-1] = fed.layers[index].x.T @ delta
        blocks[index][-1] = delta[-1] if fault == "bias" else delta.sum(axis=0)
        if index:
            W, below = net.layers[index].W, trace.layers[index - 1]
            square = W.shape[0] == W.shape[1]
            delta = delta @ (W if fault == "transpose" and square else W.T)
            if fault != "slope":
                delta = delta * net.layers[index - 1].activation.slope(below.z, below.a)
    return 2 * gradient if fault == "twice" else gradient


def _said(claimed: float, measured: float) -> str:
    if np.isclose(claimed, measured, rtol=1e-5, atol=1e-9):
        return "they agree"
    ratio = claimed / measured if abs(measured) > 1e-9 else np.inf
    if np.isclose(ratio, -1, rtol=1e-4):
        return "the sign is wrong"
    return f"{ratio:.2f} times what it should be".replace("-", "−")


class BreakTheGradient(Instrument):
    """A gradient with one fault in it, checked weight by weight; the reader says which rule is broken."""

    TITLE = "Break the gradient"
    ALT = (
        "The weights and biases of a 2-3-3-1 network. Each cell shows the gradient that the code claims and the one "
        "that nudging measures, and is marked where they disagree."
    )
    CONTROLS = (
        choice("case", "Case", {letter: f"case {letter}" for letter in CASES}),
        seed("seed", "Network and data (seed)"),
    )
    COLUMNS = (
        Column("claimed_now", "The code says", 6),
        Column("measured_now", "Nudging measures", 6),
        Column("wrong", "Wrong so far", 0),
    )

    @staticmethod
    def record(*, case: str, seed: int) -> Iterator[Still | Frame]:
        """Yield one frame for each parameter nudged."""
        fault = CASES[case]
        rng = np.random.default_rng(seed)
        net = Network([2, 3, 3, 1], "tanh", rng=rng)
        net.parameters[:] = rng.normal(0, 0.8, net.parameters.size)
        X = rng.normal(size=(6, 2))
        y = (X[:, :1] * X[:, 1:] > 0).astype(float)
        old = net.with_parameters(net.parameters + rng.normal(0, 0.3, net.parameters.size))
        loss = as_loss("binary_cross_entropy")
        claimed = broken_gradient(net, loss, X, y, fault, old)

        measured, h = np.empty_like(claimed), 1e-5
        for index, direction in enumerate(h * np.eye(claimed.size)):
            above = net.with_parameters(net.parameters + direction).forward(X).output
            below = net.with_parameters(net.parameters - direction).forward(X).output
            measured[index] = (loss.value(above, y) - loss.value(below, y)) / (2 * h)
        agrees = np.isclose(claimed, measured, rtol=1e-5, atol=1e-9)

        places = [net.locate(index) for index in range(claimed.size)]
        names = [f"{place[0]}{'₁₂₃'[layer]}{place[1:]}" for layer, place in places]
        names = [name.replace("[0]", "") if name.startswith("b₃") else name for name in names]
        blocks = [part for layer in range(len(net.layers)) for part in (f"W{'₁₂₃'[layer]}", f"b{'₁₂₃'[layer]}")]
        block = np.array([blocks.index(name[:2]) for name in names])
        # The position inside the block: a weight's row and column; a bias stands in row 0.
        inside = [tuple(int(n) for n in place[2:-1].split(",")) for _, place in places]
        cells = np.array([pair if len(pair) == 2 else (0, pair[0]) for pair in inside])
        yield Still(
            claimed=claimed, measured=measured, agrees=agrees, block=block, cells=cells,
            meta={
                "names": names,
                "blocks": [
                    {"name": name, "columns": int(cells[block == k, 1].max() + 1)} for k, name in enumerate(blocks)
                ],
                "rules": list(RULES),
                "fault": fault,
                "faults": {
                    key: {"label": f.label, "symptom": f.symptom, "rule": f.rule, "wrong": f.wrong}
                    for key, f in FAULTS.items()
                },
            },
        )  # fmt: skip
        yield Frame(
            "Nothing is checked yet. The code claims 25 gradients; each will be compared with a nudge of its weight.",
            checked=0, claimed_now=0.0, measured_now=0.0, wrong=0, right_in=np.zeros(len(blocks), int),
            checked_in=np.zeros(len(blocks), int),
        )  # fmt: skip
        for index, name in enumerate(names):
            wrong = int((~agrees[: index + 1]).sum())
            sentence = (
                f"{name}: the code says {claimed[index]:.4f}, nudging measures {measured[index]:.4f}; "
                f"{_said(claimed[index], measured[index])}."
            ).replace("-", "−")
            if index == claimed.size - 1:
                sentence += f" All {claimed.size} are checked: {wrong} wrong. Which rule is broken?"
            seen, right = block[: index + 1], agrees[: index + 1]
            yield Frame(
                sentence, checked=index + 1, claimed_now=claimed[index], measured_now=measured[index], wrong=wrong,
                right_in=np.bincount(seen[right], minlength=len(blocks)),
                checked_in=np.bincount(seen, minlength=len(blocks)),
            )  # fmt: skip

    @staticmethod
    def code(*, case: str, seed: int) -> str:
        """Return the check as a program, which gives nothing away."""
        return f"""from nnlib.widgets import BreakTheGradient

# Every gradient of the case: what the code says, what nudging measures. The last line tells how many are wrong.
*_, recording = BreakTheGradient.recordings(case="{case}", seed={seed})
for sentence in recording.meta["sentences"]:
    print(sentence)"""

    @staticmethod
    def poster(recording: Recording, step: int):
        """Draw the six blocks of numbers at one frame."""
        from nnlib import figures

        meta, still = recording.meta, recording.static
        checked = int(recording.frames["checked"][step])
        figure, axes = figures.figure(7.2, 2.6, columns=len(meta["blocks"]), width_ratios=[3, 3, 3, 3, 1.4, 1.4])
        for k, (block, ax) in enumerate(zip(meta["blocks"], axes, strict=True)):
            ax.set(xlim=(0, block["columns"]), ylim=(3, 0))
            ax.set_title(block["name"])
            ax.set_axis_off()
            for index in np.flatnonzero(still["block"] == k):
                row, column = still["cells"][index]
                colour, numbers = figures.FAINT, f"{still['claimed'][index]:.3f}"
                if index < checked:
                    colour = figures.THIRD if still["agrees"][index] else figures.POSITIVE
                    numbers += f"\n{still['measured'][index]:.3f} {'✓' if still['agrees'][index] else '✗'}"
                ax.text(
                    column + 0.5, row + 0.5, numbers.replace("-", "−"), ha="center", va="center", fontsize=6,
                    bbox={"fc": "white", "ec": colour, "boxstyle": "round", "lw": 1.5},
                )  # fmt: skip
        return figure

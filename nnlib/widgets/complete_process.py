"""The complete process: one training step with every number on screen, then four examples, then a whole run."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from nnlib.errors import NonFiniteError
from nnlib.gradient_descent import descend
from nnlib.how_a_network_works import LOSS, Quantity, complete_step, factor, parameter, show
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, Stopped, choice, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE_STEP, BATCH, RUN = "one training step", "four examples", "training run"

EXAMPLES = {
    "(1, 0) → 1": ((1.0, 0.0), 1),
    "(0, 1) → 1": ((0.0, 1.0), 1),
    "(0, 0) → 0": ((0.0, 0.0), 0),
    "(1, 1) → 0": ((1.0, 1.0), 0),
    "(1, 2) → 1": ((1.0, 2.0), 1),
}
XOR = [EXAMPLES[name] for name in ("(0, 0) → 0", "(0, 1) → 1", "(1, 0) → 1", "(1, 1) → 0")]

# θ in the order W¹, b¹, W², b²: numbers with one decimal, so that a reader can follow with a pencil.
STARTS = {
    "2-3-1": [0.6, -0.4, -0.9, -0.7, 0.8, 0.3, 0.1, 0.0, -0.2, 0.5, -0.6, 0.8, 0.2],
    "one neuron": [0.5, -0.3, 0.1],
}
SIZES = {"2-3-1": [2, 3, 1], "one neuron": [2, 1]}

# With the sign of w₁₃⁽¹⁾ (of w₂₁⁽¹⁾, if there is only one neuron) turned around, the run stops on a plateau.
FLIPPED, FLIP = "one sign flipped", {"2-3-1": 2, "one neuron": 1}

HIDDEN, KNOWN, FRESH = 0, 1, 2


class CompleteProcess(Instrument):
    """A small network through forward, loss, backward and update, each number with its formula."""

    TITLE = "The complete process"
    ALT = (
        "A network of two inputs, three hidden neurons and one output, with every weight, weighted sum, activation, "
        "delta and gradient of one training step written beside the connection or neuron that it belongs to."
    )
    FIGURE_ID = "process"
    CONTROLS = (
        choice("view", "Show", [ONE_STEP, BATCH, RUN]),
        choice("example", "Example", list(EXAMPLES)),
        choice("network", "Network", list(STARTS)),
        choice("activation", "Activation", ["tanh", "sigmoid", "relu"]),
        choice("start", "Weights at the start", ["given", FLIPPED, "all zero"]),
        number("learning_rate", "Learning rate η", 0.001, 1000.0, default=0.5),
    )
    COLUMNS = (
        Column("updates", "Updates", 0),
        Column("prediction", "Prediction p"),
        Column("loss", "Loss L"),
    )

    ENCODINGS = {"state": Encoding("u1")}  # noqa: RUF012 (a declaration, never changed)

    @staticmethod
    def record(*, view, example, network, activation, start, learning_rate) -> Iterator[Still | Frame | Stopped]:
        """Yield the moments of one step, of a step on four examples, or of a run of 1,000 updates."""
        story = _Story(_network(network, activation, start), learning_rate)
        if view == ONE_STEP:
            story.one_step(*EXAMPLES[example])
        elif view == BATCH:
            story.four_examples()
        else:
            story.run(*EXAMPLES[example])
        yield Still(
            meta={
                "sizes": list(story.network.sizes),
                "slots": story.slots,
                "symbols": [story.symbols[name] for name in story.slots],
                "tellings": story.tellings,
            }
        )
        yield from story.frames
        if story.stopped:
            yield story.stopped

    @staticmethod
    def code(*, view, example, network, activation, start, learning_rate) -> str:
        """Return a snippet which prints the numbers of the step, or of the run."""
        lines = [
            "import numpy as np",
            "import nnlib",
            "",
            f"network = nnlib.Network({SIZES[network]}, activation={activation!r}, rng=np.random.default_rng(0))",
            f"network.parameters[:] = {_network(network, activation, start).parameters.tolist()}",
        ]
        if view == ONE_STEP:
            x, y = EXAMPLES[example]
            lines += [
                "from nnlib.how_a_network_works import complete_step",
                f"for q in complete_step(network, np.array({list(x)}), {y}, learning_rate={learning_rate}):",
                '    print(f"{q.phase:8} {q.symbol:10} {q.formula} = {q.numbers}")',
            ]
        else:
            lines += [
                "X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float), np.array([[0], [1], [1], [0]], float)",
                f'optimizer = nnlib.OPTIMIZERS["sgd"](learning_rate={learning_rate})',
                'for step in nnlib.descend(network, "binary_cross_entropy", X, y, optimizer=optimizer):',
                '    print(f"after {step.index} updates: mean loss {step.loss:.4f}")',
                f"    if step.index == {1 if view == BATCH else UPDATES[-1]}:",
                "        break",
            ]
        return "\n".join(lines)

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the network with its numbers."""
        from nnlib import figures

        meta, value = (
            recording.meta,
            dict(zip(recording.meta["slots"], recording.frames["value"][step], strict=True)),
        )
        made, axes = figures.figure(7.2, 3.8)
        axes.set(xlim=(0, 10), ylim=(0, 10))
        axes.axis("off")
        places = [
            _column(x, count) for x, count in zip(np.linspace(1, 7.4, len(meta["sizes"])), meta["sizes"], strict=True)
        ]
        for layer, (sources, targets) in enumerate(pairwise(places), start=1):
            for i, (x0, y0) in enumerate(sources, start=1):
                for j, (x1, y1) in enumerate(targets, start=1):
                    w = value[f"W{layer}_{i}_{j}"]
                    axes.plot(
                        [x0, x1], [y0, y1], lw=0.8 + 2 * min(abs(w), 2), zorder=1,
                        color=figures.POSITIVE if w >= 0 else figures.NEGATIVE,
                    )  # fmt: skip
                    at = (x0 + 0.32 * (x1 - x0), y0 + 0.32 * (y1 - y0))
                    axes.text(*at, show(w), ha="center", va="center", fontsize=8, bbox=_LABEL)
        for layer, column in enumerate(places):
            for j, (x, y) in enumerate(column, start=1):
                axes.plot(x, y, "o", ms=38, mfc="white", mec=figures.INK, zorder=2)
                names = (
                    [f"x_{j}"]
                    if layer == 0
                    else [f"z{layer}_{j}", "p" if layer == len(places) - 1 else f"a{layer}_{j}"]
                )
                lines = [f"{_letter(name)} {show(value[name])}" for name in names]
                axes.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=7, zorder=3)
        axes.text(8.6, 5, f"target {show(value['y'])}\nloss {show(value['L'])}", va="center", fontsize=9)
        return made


# After these numbers of updates the run is shown: every one at first, then further and further apart.
UPDATES = (
    *range(11),
    12,
    15,
    18,
    22,
    27,
    33,
    40,
    50,
    60,
    75,
    90,
    110,
    130,
    160,
    200,
    250,
    300,
    400,
    500,
    650,
    800,
    1000,
)

_LABEL = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.9}


def _column(x: float, count: int) -> list[tuple[float, float]]:
    return [
        (x, y) for y in (np.linspace(8.6, 1.4, count) if count > 2 else np.linspace(7, 3, count) if count == 2 else [5])
    ]


def _letter(name: str) -> str:
    return name.rstrip("0123456789_")


def _network(network: str, activation: str, start: str) -> Network:
    net = Network(SIZES[network], activation=activation, rng=np.random.default_rng(0))
    net.parameters[:] = 0.0 if start == "all zero" else STARTS[network]
    if start == FLIPPED:
        net.parameters[FLIP[network]] *= -1
    return net


class _Story:
    """The frames of one recording, and the tellings: what each number's formula was at that time."""

    def __init__(self, network: Network, learning_rate: float):
        self.network, self.learning_rate = network, learning_rate
        step = list(complete_step(network, np.zeros(network.sizes[0]), 0, learning_rate=learning_rate))
        parameters = {q.name.removeprefix("new_"): q.symbol for q in step if q.phase == "update"}
        inputs = {f"x_{i}": f"x{'₁₂₃'[i - 1]}" for i in range(1, network.sizes[0] + 1)}
        computed = {q.name: q.symbol for q in step if q.phase != "update"}
        self.symbols = {**parameters, **inputs, "y": "y", **computed}
        self.slots = list(self.symbols)
        self.computed = list(computed)
        self.value = dict.fromkeys(self.slots, np.nan)
        self.tellings: list[list] = []
        self.frames: list[Frame] = []
        self.updates = 0
        self.stopped: Stopped | None = None

    def one_step(self, x: tuple[float, ...], y: int) -> None:
        """Follow one example forward and back, update, and look at it once more."""
        step = self.present(x, y)
        self.frame(f"the example x = ({', '.join(f'{v:g}' for v in x)}) with target {y} is about to go in.")
        for layer in range(1, len(self.network.layers)):
            for j in range(1, self.network.sizes[layer] + 1):
                z, a = step[f"z{layer}_{j}"], step[f"a{layer}_{j}"]
                self.frame(
                    f"forward: hidden neuron {j} collects {show(z.value)} and passes on {show(a.value)}.",
                    z,
                    a,
                )
        last = len(self.network.layers)
        z, p, loss = step[f"z{last}_1"], step["p"], step["L"]
        self.frame(f"forward: the output collects {show(z.value)}, a prediction of {show(p.value)}.", z, p)
        self.frame(
            f"loss: the target is {y}, the prediction {show(p.value)}, so the loss is {show(loss.value)}.",
            loss,
        )
        for layer in range(last, 0, -1):
            for j in range(1, self.network.sizes[layer] + 1):
                delta = step[f"δ{layer}_{j}"]
                gradients = self.gradients_of(step, layer, j)
                who = "the output" if layer == last else f"hidden neuron {j}"
                self.frame(f"backward: the delta of {who} is {show(delta.value)}.", delta)
                told = ", ".join(f"{q.symbol.removeprefix('∂L/∂')} {show(q.value)}" for q in gradients)
                self.frame(f"backward: the gradients of what comes into {who}: {told}.", *gradients)
        self.update(step)
        after = self.present(x, y)
        seen = [q for q in after.values() if q.phase in ("forward", "loss")]
        self.frame(
            f"forward again: the prediction is now {show(after['p'].value)}, and the loss fell from "
            f"{show(loss.value)} to {show(after['L'].value)}."
            if after["L"].value < loss.value
            else f"forward again: the prediction is now {show(after['p'].value)}, and the loss did not fall: from "
            f"{show(loss.value)} to {show(after['L'].value)}. The step was too long.",
            *seen,
        )

    def four_examples(self) -> None:
        """Follow the four XOR examples, then update once along the mean of their gradients."""
        steps = []
        for x, y in XOR:
            step = self.present(x, y)
            self.frame(f"the example x = ({x[0]:g}, {x[1]:g}) with target {y} is about to go in.")
            seen = [q for q in step.values() if q.phase in ("forward", "loss")]
            self.frame(
                f"forward: the prediction is {show(step['p'].value)} and the loss {show(step['L'].value)}.",
                *seen,
            )
            back = [q for q in step.values() if q.phase == "backward"]
            self.frame(
                "backward: this example's deltas and gradients; the update waits for the other examples.",
                *back,
            )
            steps.append(step)
        mean = {name: _mean([step[name] for step in steps]) for name in steps[0] if name.startswith("d")}
        loss = _mean([step["L"] for step in steps])
        self.tell({**mean, "L": loss})
        self.frame(
            f"the mean of the four: loss {show(loss.value)}; each gradient is the mean of its four.",
            *mean.values(),
            loss,
        )
        self.update({f"new_{name[1:]}": self.updated(name, q) for name, q in mean.items()})

    def run(self, x: tuple[float, ...], y: int) -> None:
        """Follow one example's numbers through a run on the four XOR examples."""
        X, targets = np.array([x for x, _ in XOR]), np.array([[float(y)] for _, y in XOR])
        optimizer = OPTIMIZERS["sgd"](learning_rate=self.learning_rate)
        steps = islice(descend(self.network, LOSS, X, targets, optimizer=optimizer), UPDATES[-1] + 1)
        while True:
            try:
                step = next(steps, None)
            except NonFiniteError as error:
                self.stopped = Stopped(f"Stopped after {self.updates} updates: {error}")
                return
            if step is None:
                return
            if step.index in UPDATES:
                self.updates = step.index
                seen = self.present(x, y)
                self.value |= {q.name: q.value for q in seen.values() if q.phase != "update"}
                self.frame(
                    f"after {step.index} updates the mean loss over the four examples is {step.loss:.4f}; "
                    f"for this one the prediction is {show(seen['p'].value)}, target {y}.",
                    seen["p"],
                    seen["L"],
                    mean_loss=step.loss,
                )

    def present(self, x: tuple[float, ...], y: int) -> dict[str, Quantity]:
        """Take up an example: its inputs and the parameters are known, everything else is still to come."""
        step = {q.name: q for q in complete_step(self.network, np.array(x), y, learning_rate=self.learning_rate)}
        for q in step.values():
            if q.phase == "update":
                name = q.name.removeprefix("new_")
                self.value[name] = float(parameter(self.network, name))
        self.value |= {f"x_{i}": v for i, v in enumerate(x, start=1)} | {"y": float(y)}
        self.value |= dict.fromkeys(self.computed, np.nan)
        self.tell(step)
        return step

    def tell(self, step: dict[str, Quantity]) -> None:
        told = []
        for name in self.slots:
            q = step.get(name) or step.get(f"new_{name}")
            told.append([q.formula, q.numbers, q.check] if q else None)
        self.tellings.append(told)

    def frame(self, sentence: str, *fresh: Quantity, mean_loss: float = np.nan) -> None:
        names = {q.name.removeprefix("new_") for q in fresh}
        for q in fresh:
            self.value[q.name.removeprefix("new_")] = q.value
        value = np.array([self.value[name] for name in self.slots])
        state = np.where(np.isnan(value), HIDDEN, KNOWN)
        state[[name in names for name in self.slots]] = FRESH
        self.frames.append(
            Frame(
                f"Step {{step}} of {{steps}}, {sentence}", value=value, state=state.astype(np.uint8),
                telling=np.int32(len(self.tellings) - 1), updates=self.updates,
                prediction=self.value["p"], loss=self.value["L"], mean_loss=mean_loss,
            )
        )  # fmt: skip

    def gradients_of(self, step: dict[str, Quantity], layer: int, neuron: int) -> list[Quantity]:
        sources = range(1, self.network.sizes[layer - 1] + 1)
        return [*(step[f"dW{layer}_{i}_{neuron}"] for i in sources), step[f"db{layer}_{neuron}"]]

    def updated(self, name: str, gradient: Quantity) -> Quantity:
        """Return the parameter after the update along a mean gradient."""
        old, symbol = float(parameter(self.network, name[1:])), gradient.symbol.removeprefix("∂L/∂")
        new = old - self.learning_rate * gradient.value
        numbers = f"{show(old)} − {show(self.learning_rate)} × {factor(gradient.value)} = {show(new)}"
        return Quantity("update", f"new_{name[1:]}", symbol, new, f"{symbol} − η {gradient.symbol}", numbers)

    def update(self, step: dict[str, Quantity]) -> None:
        new = [q for q in step.values() if q.phase == "update"]
        self.updates += 1
        self.frame(f"update: all {len(new)} weights and biases move at once, each against its gradient.", *new)
        for q in new:
            parameter(self.network, q.name.removeprefix("new_"))[...] = q.value


def _mean(same: list[Quantity]) -> Quantity:
    value = float(np.mean([q.value for q in same]))
    check = None if same[0].check is None else float(np.mean([q.check for q in same]))
    numbers = f"({' + '.join(factor(q.value) for q in same)}) / {len(same)} = {show(value)}"
    return replace(
        same[0],
        value=value,
        formula=f"the mean of {same[0].symbol} over the examples",
        numbers=numbers,
        check=check,
    )

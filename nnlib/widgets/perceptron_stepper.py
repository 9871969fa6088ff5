"""The perceptron rule, one example at a time, with Novikoff's promise beside the mistakes made."""

from collections.abc import Iterator
from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from nnlib.neurons import mistake_bound, train_perceptron
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0], "xor": [0, 1, 1, 0]}
DATA = {
    "two_groups": "two groups, wide gap",
    "narrow_gap": "two groups, narrow gap",
    "mixed_groups": "two groups, mixed",
    "moved_groups": "wide gap, moved by 3",
    "stretched_groups": "wide gap, x₂ in other units",
    "and": "AND",
    "or": "OR",
    "nand": "NAND",
    "xor": "XOR",
}
LOOKS = 400  # how many looks are recorded where the rule does not come to rest before


def examples(data: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return X (batch, 2) and y (batch,) of one of the data sets in ``DATA``: the corners of a gate or two groups."""
    if data in GATES:
        return np.array(list(product([0.0, 1.0], repeat=2))), np.array(GATES[data])
    rng = np.random.default_rng(seed)
    y = np.tile([0, 1], 10)
    along, across = rng.uniform(-1, 1, 20), rng.uniform(0, 1, 20)
    gap = {"narrow_gap": 0.04, "mixed_groups": -0.3}.get(data, 0.25)
    away = (gap + 0.8 * across) * np.where(y == 1, 1, -1)  # the distance from a slanting line through the origin
    X = np.column_stack([0.8 * along + 0.6 * away, -0.6 * along + 0.8 * away]).round(2)
    if data == "moved_groups":
        X = X + 3
    if data == "stretched_groups":
        X = X * [1, 20]
    return X, y


class PerceptronStepper(Instrument):
    """Rosenblatt's rule on a few points: the line before and after each look, and the squeeze of Novikoff's proof."""

    TITLE = "A neuron learns by the perceptron rule"
    ALT = (
        "Left: orange and blue points with the neuron's decision line. Right: the length of the parameters after each "
        "mistake, between a straight line below and a square root above, which meet at the greatest number of mistakes."
    )
    FIGURE_ID = "perceptron"
    CONTROLS = (
        choice("data", "Examples", DATA),
        choice("order", "Order of the examples", {"turn": "in turn", "shuffled": "shuffled"}),
        seed(),
    )
    COLUMNS = (
        Column("example", "Example", 0),
        Column("z", "Weighted sum z", 3),
        Column("answer", "Answer a", 0),
        Column("target", "Target y", 0),
        Column("mistakes", "Mistakes so far", 0),
        Column("length", "‖θ‖", 3),
    )
    ENCODINGS = {"wrong": Encoding("u1")}  # noqa: RUF012 (a declaration, never changed)

    @staticmethod
    def record(*, data: str, order: str, seed: int) -> Iterator[Still | Frame]:
        """Yield what the rule does with each example, until a clean round or until ``LOOKS`` examples."""
        X, y = examples(data, seed)
        bound = mistake_bound(X, y)
        rng = np.random.default_rng(seed) if order == "shuffled" else None
        steps = list(islice(train_perceptron(X, y, rng=rng), LOOKS + 1))
        made = steps[-1].mistakes
        shown = bound.mistakes if bound.mistakes <= 100 else max(20, (2 if bound.margin else 1) * made)
        k = np.linspace(0, 1.15 * shown, 81)
        room = 1.75 if data in GATES else 0.75  # the lines of a gate swing far out
        middle, half = (X.max(0) + X.min(0)) / 2, room * (X.max(0) - X.min(0))
        yield Still(
            X=X, y=y, box=np.array([middle - half, middle + half]).T,
            k=k, floor=k * bound.margin, ceiling=np.sqrt(k) * bound.radius,
            meta={
                "bound": bound.mistakes if np.isfinite(bound.mistakes) else None,
                "radius": bound.radius, "margin": bound.margin,
            },
        )  # fmt: skip
        promise = _promise(bound.mistakes)
        before = steps[0].neuron
        for step in steps:
            w, b = step.neuron.w, step.neuron.b
            yield Frame(
                _sentence(step, X, promise, step is steps[-1], np.isfinite(bound.mistakes)),
                example=-1 if step.example is None else step.example,
                z=step.z, answer=step.answer, target=step.target, mistakes=step.mistakes,
                theta=np.append(w, b),
                firing=_half_plane(w, b, middle, half), before=_half_plane(before.w, before.b, middle, half),
                wrong=step.neuron.answer(X) != y,
                length=np.linalg.norm(np.append(w, b)),
            )  # fmt: skip
            before = step.neuron

    @staticmethod
    def code(*, data: str, order: str, seed: int) -> str:
        """Return the run as a snippet which prints the number of mistakes and the promise."""
        shuffled = f", rng=np.random.default_rng({seed})" if order == "shuffled" else ""
        return (
            "from itertools import islice\n\nimport numpy as np\n\n"
            "from nnlib.neurons import mistake_bound, train_perceptron\n"
            "from nnlib.widgets.perceptron_stepper import examples\n\n"
            f'X, y = examples("{data}", seed={seed})\n'
            f"*_, last = islice(train_perceptron(X, y{shuffled}), {LOOKS + 1})\n"
            'print(f"looks {last.index}, mistakes {last.mistakes}")\n'
            'print(f"promise (R/γ)² = {mistake_bound(X, y).mistakes:.0f}")\n'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the plane and the squeeze at one step."""
        from nnlib import figures

        made, (plane, squeeze) = figures.figure(7.4, 3.4, columns=2)
        X, y = recording.static["X"], recording.static["y"]
        for side in (0, 1):
            plane.scatter(*X[y == side].T, s=34, color=figures.CLASSES[side], zorder=3)
        (left, right), (bottom, top) = recording.static["box"]
        firing = recording.frames["firing"][step].reshape(4, 2)
        plane.fill(*firing.T, color="#f9dfcf", linewidth=0)
        plane.plot(*firing[:2].T, color=figures.INK)
        plane.set(xlim=(left, right), ylim=(bottom, top), xlabel="x₁", ylabel="x₂")
        mistakes = recording.frames["mistakes"][: step + 1]
        plane.set_title(f"after {step} looks, {mistakes[-1]} mistakes")
        k = recording.static["k"]
        squeeze.plot(k, recording.static["ceiling"], color=figures.MUTED)
        above = (k[24], recording.static["ceiling"][24])
        squeeze.annotate("√k R", above, (-4, 4), textcoords="offset points", ha="right")
        if recording.meta["bound"] is not None:
            squeeze.plot(k, recording.static["floor"], color=figures.MUTED, linestyle="--")
            squeeze.annotate("k γ", (k[48], recording.static["floor"][48]), (6, -10), textcoords="offset points")
        squeeze.plot(mistakes, recording.frames["length"][: step + 1], "o-", color=figures.THIRD, markersize=4)
        squeeze.set(xlabel="mistakes k", title="length of the parameters ‖θ‖", xlim=(0, k[-1]), ylim=(0, None))
        return made


def _promise(mistakes: float) -> str:
    if np.isinf(mistakes):
        return "no line separates, so nothing is promised"
    return f"at most {mistakes:.0f} promised"


def _sentence(step, X: np.ndarray, promise: str, last: bool, separable: bool) -> str:
    w, b = step.neuron.w, step.neuron.b
    now = f"w = ({_number(w[0])}, {_number(w[1])}), b = {_number(b)}"
    if step.example is None:
        return f"Start: all weights and the bias are 0; {promise}."
    x1, x2 = (_number(value) for value in X[step.example])
    verdict = "wrong, so" if step.mistake else "right, nothing changes:"
    told = (
        f"Look {{step}} of {{steps}}: at ({x1}, {x2}) the sum is {_number(step.z)}, the answer {step.answer}, "
        f"the target {step.target}: {verdict} {now}. Mistakes {step.mistakes}; {promise}."
    )
    if not last:
        return told
    if step.index < LOOKS:
        return f"{told} A whole round without a mistake: the rule has come to rest."
    fate = "has not come to rest yet" if separable else "would never rest"
    return f"{told} The recording ends here; the rule {fate}."


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def _half_plane(w: np.ndarray, b: float, middle: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return four corners (x₁, x₂, ...) of the part of the box where the neuron fires; the first two lie on its line.

    NaN where there is no line.
    """
    slope, z = w * half, float(w @ middle + b)  # in units of the box, so that stretched axes are treated alike
    square = float(slope @ slope)
    if square == 0:
        return np.full(8, np.nan)
    foot, normal = -z * slope / square, slope / np.sqrt(square)
    along = np.array([-normal[1], normal[0]])
    corners = [foot - 3 * along, foot + 3 * along, foot + 3 * along + 6 * normal, foot - 3 * along + 6 * normal]
    return (middle + half * np.array(corners)).ravel()

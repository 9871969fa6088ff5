"""Draw a digit, and see every layer of a trained network answer, with the training images that are nearest.

The frames hold drawings and held-out images with all their numbers.  What the reader draws stands in no table, so
the view itself turns strokes into pixels, sums up the layers and looks for the nearest images; ``tests/test_digits.py``
runs its functions under node and compares them with ``nnlib.digits``.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import softmax
from nnlib.datasets import DATASETS
from nnlib.digits import Classifier, draw, neighbours, with_shifted_copies
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAREST = 5
STAGES = 5  # frames in which a drawing grows
TRAININGS = {"plain": "the images as they are", "shifted": "their copies shifted by a pixel as well"}


def _arc(x: float, y: float, wide: float, high: float, start: float, stop: float, points: int = 14) -> list:
    turn = np.radians(np.linspace(start, stop, points))
    return np.column_stack([x + wide * np.cos(turn), y + high * np.sin(turn)]).round(3).tolist()


# One of each digit, as pens write them: strokes of points, x to the right and y down.
DRAWINGS = {
    3: [_arc(0.48, 0.3, 0.2, 0.18, -150, 90, 12) + _arc(0.48, 0.68, 0.23, 0.2, -90, 150, 12)],
    0: [_arc(0.5, 0.5, 0.24, 0.38, -90, 270, 24)],
    1: [[[0.34, 0.3], [0.54, 0.12], [0.54, 0.88]]],
    2: [[*_arc(0.5, 0.32, 0.22, 0.2, -170, 30, 12), [0.3, 0.86], [0.74, 0.86]]],
    4: [[[0.56, 0.12], [0.28, 0.58], [0.76, 0.58]], [[0.6, 0.36], [0.6, 0.9]]],
    5: [[[0.7, 0.12], [0.36, 0.12], [0.33, 0.46], *_arc(0.48, 0.64, 0.22, 0.22, -110, 140, 12)]],
    6: [[[0.6, 0.1], [0.44, 0.26], [0.33, 0.48], *_arc(0.5, 0.66, 0.2, 0.23, 180, 540, 18)]],
    7: [[[0.28, 0.14], [0.74, 0.14], [0.42, 0.88]], [[0.34, 0.52], [0.74, 0.52]]],
    8: [
        _arc(0.5, 0.3, 0.17, 0.18, -40, -270, 12)
        + _arc(0.5, 0.68, 0.21, 0.2, -90, 270, 18)
        + _arc(0.5, 0.3, 0.17, 0.18, 90, -40, 8)
    ],
    9: [[*_arc(0.5, 0.32, 0.2, 0.2, 0, -340, 18), [0.69, 0.4], [0.66, 0.66], [0.56, 0.9]]],
}


def part(strokes: list, share: float) -> list:
    """Return the first part of a drawing: `share` of the length of its strokes.

    Examples
    --------
    >>> part([[[0, 0], [1, 0]], [[0, 1], [1, 1]]], 0.75)
    [[[0, 0], [1, 0]], [[0, 1], [0.5, 1.0]]]
    """
    left = share * sum(np.hypot(*np.subtract(b, a)) for stroke in strokes for a, b in pairwise(stroke))
    drawn = []
    for stroke in strokes:
        drawn.append([stroke[0]])
        for a, b in pairwise(stroke):
            length = np.hypot(*np.subtract(b, a))
            if length > left + 1e-9:
                drawn[-1].append(np.round(np.add(a, left / length * np.subtract(b, a)), 3).tolist())
                return drawn
            left -= length
            drawn[-1].append(b)
    return drawn


class DigitPad(Instrument):
    """A sheet to draw digits on, the layers of a network that was trained on 1,348, and the nearest of those."""

    TITLE = "Draw a digit"
    ALT = (
        "A drawn digit, the eight by eight pixels that it becomes, the activations of 32 hidden neurons, a bar for the "
        "probability of each of the ten digits, and the five training images nearest to it."
    )
    FIGURE_ID = "pad"
    CONTROLS = (choice("training", "Trained on", TRAININGS),)
    COLUMNS = (
        Column("answer", "Answer", 0),
        Column("sure", "Its probability", 3),
        Column("distance", "Distance to the nearest training image", 3),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "images": Encoding("u1", lo=0, hi=1, levels=17),
        "labels": Encoding("u1", lo=0, hi=255),
        "image": Encoding("u1", lo=0, hi=1, levels=17),
        "hidden": Encoding("f4", bits=11),
        "mean": Encoding("f8"),
        "deviation": Encoding("f8"),
    }

    @staticmethod
    def record(*, training: str) -> Iterator[Still | Frame]:
        """Yield the ten drawings as they grow, then held-out images: ten right ones, and those that are missed."""
        train, test, made = trained(training)
        W = [layer.W for layer in made.net.layers]
        b = [layer.b for layer in made.net.layers]
        drawings = [
            (part(strokes, (i + 1) / STAGES), digit, i) for digit, strokes in DRAWINGS.items() for i in range(STAGES)
        ]
        points = _in_one_array([strokes for strokes, _, _ in drawings])
        missed = made.probabilities(test.X).argmax(axis=1) != test.y
        rights = [np.flatnonzero((test.y == k) & ~missed)[0] for k in range(10)]
        rows = [*rights, *np.flatnonzero(missed)]
        yield Still(
            mean=made.scaling.mean, deviation=made.scaling.deviation[0], images=train.X, labels=train.y,
            w1=W[0], b1=b[0], w2=W[1], b2=b[1],
            meta={"nearest": NEAREST},
        )  # fmt: skip
        images = np.concatenate([[draw(strokes) for strokes, _, _ in drawings], test.X[rows]])
        trace = made.net.forward(made.scaling(images))
        hidden, logits, p = trace.layers[0].a, trace.output, softmax(trace.output)
        near = neighbours(train, images, NEAREST)
        distance = np.sqrt(((images - train.X[near[:, 0]]) ** 2).sum(axis=1))
        for i, image in enumerate(images):
            drawn = i < len(drawings)
            if drawn:
                _, truth, stage = drawings[i]
                what = f"A {truth}, drawn to {(stage + 1) * 100 // STAGES}%"
            else:
                truth = test.y[rows[i - len(drawings)]]
                what = f"Held-out image {rows[i - len(drawings)]}, a {truth}"
            verdict = "" if drawn else " Right." if p[i].argmax() == truth else " Wrong."
            first, second = np.argsort(-p[i], kind="stable")[:2]
            yield Frame(
                f"{what}: the network says {first} with probability {p[i, first]:.3f}, then {second} with "
                f"{p[i, second]:.3f}.{verdict} The nearest training images are {_listed(train.y[near[i]])}.",
                image=image, hidden=hidden[i], logits=logits[i], p=p[i], near=near[i], answer=first, sure=p[i, first],
                distance=distance[i], truth=truth, points=points[i] if drawn else np.full(points.shape[1:], np.nan),
            )  # fmt: skip

    @staticmethod
    def code(*, training: str) -> str:
        """Return a snippet that trains the network, draws a 7 and prints the answer."""
        data = "digits.with_shifted_copies(train)" if training == "shifted" else "train"
        return (
            "import numpy as np\nimport nnlib\nfrom nnlib import digits\n\n"
            'data = nnlib.DATASETS["digits"](rng=np.random.default_rng(0))\n'
            "train, test = data.split(0.75, rng=np.random.default_rng(0), stratified=True)\n"
            f"made = digits.Classifier.fit({data}, rng=np.random.default_rng(0), epochs={EPOCHS[training]})\n"
            f"seven = {DRAWINGS[7]}\n"
            "p = made.probabilities([digits.draw(seven)])[0]\n"
            "print(f'It says {p.argmax()} with probability {p.max():.3f}')\n"
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the pixels, the hidden activations, the probabilities and the nearest images."""
        from nnlib import figures

        frame = {name: array[step] for name, array in recording.frames.items()}
        made, axes = figures.figure(8.0, 3.4, columns=4, width_ratios=[1.5, 0.8, 1.6, 0.5])
        axes[0].imshow(frame["image"].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
        axes[0].set_title("64 pixels")
        axes[1].imshow(frame["hidden"].reshape(8, 4), cmap="Oranges", vmin=0)
        axes[1].set_title("32 hidden neurons")
        bars = axes[2].barh(range(10), frame["p"], color=figures.NEGATIVE)
        bars[int(frame["answer"])].set_color(figures.POSITIVE)
        axes[2].set(yticks=range(10), xlim=(0, 1), xlabel="probability")
        axes[2].invert_yaxis()
        near = recording.static["images"][frame["near"]].reshape(-1, 8, 8)
        axes[3].imshow(np.pad(near, ((0, 0), (0, 1), (0, 0))).reshape(-1, 8), cmap="Greys", vmin=0, vmax=1)
        axes[3].set_title("nearest")
        for plain in axes[[0, 1, 3]]:
            plain.set(xticks=[], yticks=[])
        return made


EPOCHS = {"plain": 15, "shifted": 10}


def trained(training: str) -> tuple:
    """Return train, test and the classifier, its numbers rounded to those which the recording holds."""
    data = DATASETS["digits"](rng=np.random.default_rng(0))
    train, test = data.split(0.75, rng=np.random.default_rng(0), stratified=True)
    learnt = with_shifted_copies(train) if training == "shifted" else train
    made = Classifier.fit(learnt, rng=np.random.default_rng(0), epochs=EPOCHS[training])
    made.net.parameters[:] = made.net.parameters.astype(np.float32)
    return train, test, made


def _in_one_array(drawings: list) -> np.ndarray:
    """Put drawings into one array, (drawings, points, 2); rows of NaN lie between strokes and fill up the rest."""
    flat = [[point for stroke in strokes for point in [*stroke, [np.nan, np.nan]]][:-1] for strokes in drawings]
    together = np.full((len(flat), max(map(len, flat)), 2), np.nan)
    for row, points in zip(together, flat, strict=True):
        row[: len(points)] = points
    return together


def _listed(labels: np.ndarray) -> str:
    *first, last = labels.tolist()
    return f"{', '.join(map(str, first))} and {last}"

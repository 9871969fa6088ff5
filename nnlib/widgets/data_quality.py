"""What wrong labels, few examples and shifted images do to five ways of reading digits, over five seeds."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nnlib.datasets import DATASETS, Dataset
from nnlib.digits import (
    ADAM,
    Classifier,
    Scaling,
    mislabel,
    nearest_centroid,
    nearest_neighbours,
    shift,
    stop_early,
    train_by_epoch,
    with_shifted_copies,
)
from nnlib.network import Network
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS, EPOCHS, SHOWN, PATIENCE = 5, 15, 18, 3
FAULTS = {"labels": "wrong labels", "examples": "few examples", "shift": "shifted images"}
LEVELS = {
    "labels": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
    "examples": (1348, 674, 337, 160, 80, 40, 20),
    "shift": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
}
REMEDIES = {
    "labels": "network, stopped early",
    "examples": "network, with shifted copies",
    "shift": "network, with shifted copies",
}
METHODS = ("network", "remedy", "three nearest", "softmax regression", "nearest mean")


class DataQuality(Instrument):
    """Spoil the training labels, take training images away, or shift the test images, and see who suffers."""

    TITLE = "What bad data does"
    ALT = (
        "Curves of the accuracy of five methods against the share of wrong labels, the number of training images or "
        "the shift of the test images, each with the range over five seeds, beside eighteen of the images."
    )
    FIGURE_ID = "quality"
    CONTROLS = (choice("fault", "What is wrong", FAULTS),)
    COLUMNS = (
        Column("level", "Level", 2),
        *(Column(name.replace(" ", "_"), name[0].upper() + name[1:], 3) for name in METHODS),
    )
    ENCODINGS = {"images": Encoding("u1", lo=0, hi=1, levels=65)}  # noqa: RUF012 (a declaration, never changed)

    @staticmethod
    def record(*, fault: str) -> Iterator[Still | Frame]:
        """Yield one frame for each level of the fault, from none to much."""
        levels = LEVELS[fault]
        found = np.array([_accuracies(fault, seed) for seed in range(SEEDS)])  # (seeds, levels, methods)
        mean, low, high = found.mean(axis=0), found.min(axis=0), found.max(axis=0)
        names = [REMEDIES[fault] if name == "remedy" else name for name in METHODS]
        yield Still(
            levels=np.array(levels), mean=mean.T, low=low.T, high=high.T,
            meta={"methods": names, "fault": fault, "seeds": SEEDS},
        )  # fmt: skip
        for i, level in enumerate(levels):
            images, labels, wrong = _examples(fault, level)
            told = ", ".join(f"{name} {100 * value:.1f}%" for name, value in zip(names, mean[i], strict=True))
            yield Frame(
                f"{_words(fault, level)}: {told}. Means over {SEEDS} seeds.",
                level=level, images=images, labels=labels, wrong=wrong,
                **{name.replace(" ", "_"): value for name, value in zip(METHODS, mean[i], strict=True)},
            )  # fmt: skip

    @staticmethod
    def code(*, fault: str) -> str:
        """Return a snippet that does one level by hand and prints an accuracy that a sentence states."""
        spoil = {
            "labels": "    train, wrong = digits.mislabel(train, 0.2, rng=np.random.default_rng(seed))\n",
            "examples": "    few = 160 / len(train)\n"
            "    train, _ = train.split(few, rng=np.random.default_rng(seed), stratified=True)\n",
            "shift": "    test = replace(test, X=digits.shift(test.X, 1, 0))\n",
        }[fault]
        return (
            "from dataclasses import replace\n\nimport numpy as np\n\nimport nnlib\nfrom nnlib import digits\n\n"
            'data = nnlib.DATASETS["digits"](rng=np.random.default_rng(0))\nright = []\n'
            f"for seed in range({SEEDS}):\n"
            "    train, test = data.split(0.75, rng=np.random.default_rng(seed), stratified=True)\n"
            f"{spoil}"
            "    answers = digits.nearest_neighbours(train, test.X, k=3)\n"
            "    right.append(np.mean(answers == test.y))\n"
            "print(f'three nearest: {100 * np.mean(right):.1f}%')\n"
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the curves with their ranges, and the images of the frame."""
        from nnlib import figures

        frame = {name: array[step] for name, array in recording.frames.items()}
        still, meta = recording.static, recording.meta
        made, (plot, wall) = figures.figure(7.2, 3.0, columns=2, width_ratios=[1.6, 1])
        x = np.arange(len(still["levels"]))
        for k, name in enumerate(meta["methods"]):
            colour = (*figures.CLASSES, figures.INK)[k]
            mean, reach = still["mean"][k], [still["mean"][k] - still["low"][k], still["high"][k] - still["mean"][k]]
            plot.errorbar(x, mean, reach, color=colour, label=name, linewidth=1.4, elinewidth=0.8)
        plot.legend(fontsize=7, loc="lower left")
        plot.axvline(step, color=figures.MUTED, linewidth=0.8)
        plot.set(xticks=x, ylabel="accuracy", xlabel=AXES[meta["fault"]])
        plot.set_xticklabels([f"{level:g}" for level in still["levels"]])
        tiles = np.pad(frame["images"].reshape(3, 6, 8, 8), ((0, 0), (0, 0), (0, 3), (0, 1))).transpose(0, 2, 1, 3)
        wall.imshow(tiles.reshape(33, 54), cmap="Greys", vmin=0, vmax=1)
        for i, (label, wrong) in enumerate(zip(frame["labels"].astype(int), frame["wrong"], strict=True)):
            if label >= 0:
                colour = figures.POSITIVE if wrong else figures.INK
                place = (i % 6 * 9 + 3.5, i // 6 * 11 + 9.6)
                wall.text(*place, str(label), ha="center", va="center", fontsize=7, color=colour)
        wall.set(xticks=[], yticks=[])
        return made


AXES = {
    "labels": "share of wrong training labels",
    "examples": "training images",
    "shift": "shift of the test images, pixels",
}


def _words(fault: str, level: float) -> str:
    if fault == "labels":
        return f"{100 * level:.0f}% of the training labels are wrong"
    if fault == "examples":
        return f"{level:,} training images"
    if not level:
        return "Test images as they are"
    return f"Test images shifted by {level:g} {'pixel' if level == 1 else 'pixels'}"


def _split(seed: int) -> tuple[Dataset, Dataset]:
    data = DATASETS["digits"](rng=np.random.default_rng(seed))
    return data.split(0.75, rng=np.random.default_rng(seed), stratified=True)


def _fit(train: Dataset, seed: int, **settings) -> Classifier:
    return Classifier.fit(train, rng=np.random.default_rng(seed), **{"epochs": EPOCHS} | settings)


def _accuracies(fault: str, seed: int) -> list[list[float]]:
    """Return the accuracy on test images for each level and method."""
    whole, test = _split(seed)
    if fault == "shift":
        made = [_fit(whole, seed), _fit(with_shifted_copies(whole), seed, epochs=EPOCHS // 2)]
        regression = _fit(whole, seed, hidden=())
        rows = []
        for level in LEVELS[fault]:
            moved = replace(test, X=shift(test.X, level, 0))
            rows.append([made[0].accuracy(moved), made[1].accuracy(moved), *_baselines(whole, moved, regression)])
        return rows
    rows = []
    for level in LEVELS[fault]:
        if fault == "labels":
            train, _ = mislabel(whole, level, rng=np.random.default_rng(seed))
            remedy = _stopped(train, seed)
        else:
            train = whole
            if level < len(whole):
                train, _ = whole.split(level / len(whole), rng=np.random.default_rng(seed), stratified=True)
            remedy = _fit(with_shifted_copies(train, 0.5), seed, epochs=_passes(train) // 2)
        network = _fit(train, seed, epochs=_passes(train))
        regression = _fit(train, seed, hidden=(), epochs=_passes(train))
        rows.append([network.accuracy(test), remedy.accuracy(test), *_baselines(train, test, regression)])
    return rows


def _passes(train: Dataset) -> int:
    """Return more passes for fewer examples, so that a small set is learned as well as a large one."""
    return int(min(120, max(EPOCHS, EPOCHS * 337 / len(train))))


def _stopped(train: Dataset, seed: int) -> Classifier:
    """Hold a fifth of the training images back, wrong labels and all, and stop by their loss."""
    learnt, validation = train.split(0.8, rng=np.random.default_rng(seed), stratified=True)
    scaling = Scaling.of(learnt.X, each=False)
    learnt, validation = (replace(part, X=scaling(part.X)) for part in (learnt, validation))
    net = Network([64, 32, 10], "relu", rng=np.random.default_rng(seed), initialisation="he")
    epochs = train_by_epoch(net, learnt, validation, optimizer=ADAM, rng=np.random.default_rng(seed))
    best = min(stop_early(islice(epochs, EPOCHS + 1), PATIENCE), key=lambda epoch: epoch.validation_loss)
    net.parameters = best.parameters
    return Classifier(scaling, net)


def _baselines(train: Dataset, test: Dataset, regression: Classifier) -> list[float]:
    near, mean = nearest_neighbours(train, test.X, 3), nearest_centroid(train, test.X)
    return [float(np.mean(near == test.y)), regression.accuracy(test), float(np.mean(mean == test.y))]


def _examples(fault: str, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the first split gives to look at: images, their labels (-1: none), and which are wrong."""
    train, test = _split(0)
    wrong = np.zeros(SHOWN, bool)
    if fault == "labels":
        spoilt, all_wrong = mislabel(train, level, rng=np.random.default_rng(0))
        return train.X[:SHOWN], spoilt.y[:SHOWN], all_wrong[:SHOWN]
    if fault == "shift":
        return shift(test.X[:SHOWN], level, 0), test.y[:SHOWN], wrong
    shown = round(SHOWN * (np.log(level) - np.log(10)) / (np.log(len(train)) - np.log(10)))
    labels = np.where(np.arange(SHOWN) < shown, train.y[:SHOWN], -1)
    return np.where(labels[:, None] >= 0, train.X[:SHOWN], 0.0), labels, wrong

"""The complete process on real images as one walk: look, split, scale, start, train, choose, test."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import softmax
from nnlib.datasets import DATASETS, Dataset
from nnlib.digits import ADAM, Scaling, accuracy, confusion_matrix, mislabel, train_by_epoch
from nnlib.dropout import Dropout
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.penalties import PENALTIES
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice, seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("Look", "Split", "Scale", "Start", "Train", "Choose", "Test")
IMAGES, EPOCHS, HIDDEN, SHOWN, UNITS = 1797, 30, 32, 20, 20
DATA = {"clean": "1,078", "few": "100", "mislabelled": "1,078, a fifth with a wrong label"}
AGAINST = {"none": "nothing", "l2": "L2 penalty, λ = 0.003", "dropout": "dropout of 0.3"}


class DigitPipeline(Instrument):
    """Everything between 1,797 images and one honest number, a step at a time."""

    TITLE = "From images to one honest number"
    ALT = (
        "Twenty handwritten digits with the answer of a network below each, the curves of training and validation loss "
        "over the epochs, the weights of twenty hidden neurons as images, and the table of which digit is taken for "
        "which. A strip above names the stages: look, split, scale, start, train, choose, test; a bar below it shows "
        "the parts: 1,078 images to train on, 270 to choose by, 449 to test with."
    )
    FIGURE_ID = "pipeline"
    CONTROLS = (
        choice("data", "Training images", DATA),
        choice("against", "Against overfitting", AGAINST),
        seed(),
    )
    COLUMNS = (
        Column("epoch", "Epoch", 0),
        Column("train_loss", "Training loss", 4),
        Column("validation_loss", "Validation loss", 4),
        Column("train_accuracy", "Training accuracy", 3),
        Column("validation_accuracy", "Validation accuracy", 3),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration, never changed)
        "images": Encoding("u1", lo=0, hi=1, levels=17),
        "scaled": Encoding("u1", lo=-3, hi=3, levels=61),
        "labels": Encoding("u1", lo=0, hi=255),
        "weights": Encoding("u1", lo=-1, hi=1, levels=33, delta=True),
        "sure": Encoding("u1", lo=0, hi=1, levels=101, delta=True),
        "answers": Encoding("u1", lo=0, hi=255, delta=True),
        "confusion": Encoding("u1", lo=0, hi=255, delta=True),
    }

    @staticmethod
    def record(*, data: str, against: str, seed: int) -> Iterator[Still | Frame]:
        """Yield the stages before training, an epoch a frame, the choice of an epoch, and the test."""
        train, validation, test = parts(data, seed)
        scaling = Scaling.of(train.X, each=False)
        scaled = {part: replace(part, X=scaling(part.X)) for part in (train, validation, test)}
        net = Network([64, HIDDEN, 10], "relu", rng=np.random.default_rng(seed), initialisation="he")
        walk = train_by_epoch(net, scaled[train], scaled[validation], **settings(against, seed))
        epochs = list(islice(walk, EPOCHS + 1))
        best = min(epochs, key=lambda epoch: epoch.validation_loss)
        first = validation.X[:SHOWN]
        kept = (len(train), len(validation), len(test))
        yield Still(
            images=first, scaled=scaling(first), labels=validation.y[:SHOWN],
            curves=np.array([[epoch.train_loss, epoch.validation_loss] for epoch in epochs]).T,
            meta={"stages": STAGES, "best": best.number, "parts": (*kept, IMAGES - sum(kept))},
        )  # fmt: skip

        nothing = {
            "epoch": 0, "train_loss": np.nan, "validation_loss": np.nan, "train_accuracy": np.nan,
            "validation_accuracy": np.nan, "weights": np.zeros((UNITS, 64)), "answers": np.full(SHOWN, 10),
            "sure": np.zeros(SHOWN), "confusion": np.zeros((10, 10), int),
        }  # fmt: skip

        def frame(words: str, stage: str, epoch=None, part: Dataset = validation) -> Frame:
            arrays = dict(nothing)
            if epoch is not None:
                net.parameters = epoch.parameters
                output = net.forward(scaled[part].X).output
                p = softmax(net.forward(scaled[validation].X[:SHOWN]).output)
                W = net.layers[0].W[:, :UNITS].T.reshape(UNITS, 8, 8)[:, ::-1]
                arrays |= {
                    "epoch": epoch.number, "train_loss": epoch.train_loss, "validation_loss": epoch.validation_loss,
                    "train_accuracy": epoch.train_accuracy, "validation_accuracy": epoch.validation_accuracy,
                    "weights": (W / np.abs(W).max()).reshape(UNITS, 64),
                    "answers": p.argmax(axis=1), "sure": p.max(axis=1),
                    "confusion": confusion_matrix(part.y, output.argmax(axis=1), 10),
                }  # fmt: skip
            return Frame(f"{stage}. {words}", stage=STAGES.index(stage), **arrays)

        ink = train.X[train.X > 0]
        yield frame(
            f"{IMAGES:,} images of 8 by 8 pixels, from 0 (paper) to 1 (ink); {SHOWN} of them are shown, with their "
            f"labels. {100 * (1 - len(ink) / train.X.size):.0f}% of the pixels are paper.", "Look",
        )  # fmt: skip
        yield frame(
            f"Each class by itself: {len(train)} images to train on, {len(validation)} to choose by, {len(test)} to "
            "test with, once, at the end.", "Split",
        )  # fmt: skip
        yield frame(
            "The mean training image is subtracted, and what is left divided by one number, "
            f"{scaling.deviation[0]:.3f}: the deviation of the training pixels. "
            "Blue is less ink than usual, orange more.", "Scale",
        )  # fmt: skip
        for epoch in epochs:
            stage = "Train" if epoch.number else "Start"
            lead = f"Random weights; a network that knows nothing has loss {np.log(10):.3f}"
            if epoch.number:
                lead = f"Epoch {epoch.number} of {EPOCHS}"
            yield frame(
                f"{lead}: training loss {epoch.train_loss:.3f}, validation loss {epoch.validation_loss:.3f}; "
                f"right {100 * epoch.train_accuracy:.1f}% and {100 * epoch.validation_accuracy:.1f}%.", stage, epoch,
            )  # fmt: skip
        yield frame(
            f"The validation loss was lowest after epoch {best.number}, {best.validation_loss:.3f}. These weights are "
            f"taken back; {100 * best.validation_accuracy:.1f}% of the validation images are right.", "Choose", best,
        )  # fmt: skip
        net.parameters = best.parameters
        output = net.forward(scaled[test].X).output
        loss = LOSSES["cross_entropy"].value(output, test.y)
        wrong = int(np.sum(output.argmax(axis=1) != test.y))
        yield frame(
            f"{len(test)} images that nothing was chosen by: {wrong} wrong, "
            f"{100 * accuracy(output, test.y):.1f}% right, loss {loss:.3f}. Another split gives another number.",
            "Test", best, test,
        )  # fmt: skip

    @staticmethod
    def code(*, data: str, against: str, seed: int) -> str:
        """Return the whole process as a snippet that prints the numbers of the choice and of the test."""
        more = {
            "none": "",
            "l2": ",\n    penalty=nnlib.PENALTIES['l2'](0.003)",
            "dropout": f",\n    dropout=nnlib.Dropout(0.3, rng=np.random.default_rng({seed}))",
        }[against]
        spoilt = {
            "clean": "",
            "few": f"train, _ = train.split(100 / len(train), rng=np.random.default_rng({seed}), stratified=True)\n",
            "mislabelled": f"train, _ = mislabel(train, 0.2, rng=np.random.default_rng({seed}))\n",
        }[data]
        return (
            "from dataclasses import replace\nfrom itertools import islice\n\nimport numpy as np\n\nimport nnlib\n"
            "from nnlib.digits import Scaling, accuracy, mislabel, train_by_epoch\n\n"
            f'data = nnlib.DATASETS["digits"](rng=np.random.default_rng({seed}))\n'
            f"rest, test = data.split(0.75, rng=np.random.default_rng({seed}), stratified=True)\n"
            f"train, validation = rest.split(0.8, rng=np.random.default_rng({seed}), stratified=True)\n{spoilt}"
            "scaling = Scaling.of(train.X, each=False)\n"
            "train, validation, test = (replace(part, X=scaling(part.X)) for part in (train, validation, test))\n"
            f'net = nnlib.Network([64, {HIDDEN}, 10], "relu", initialisation="he", rng=np.random.default_rng({seed}))\n'
            "epochs = train_by_epoch(\n"
            '    net, train, validation, optimizer=nnlib.OPTIMIZERS["adam"](0.01),\n'
            f"    rng=np.random.default_rng({seed}){more},\n)\n"
            f"best = min(islice(epochs, {EPOCHS + 1}), key=lambda epoch: epoch.validation_loss)\n"
            "net.parameters = best.parameters\n"
            "right = 100 * accuracy(net.forward(test.X).output, test.y)\n"
            "print(f'epoch {best.number}, validation loss {best.validation_loss:.3f}')\n"
            "print(f'right on the test images: {right:.1f}')\n"
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the images with their answers, the curves and the hidden neurons' weights."""
        from nnlib import figures

        frame = {name: array[step] for name, array in recording.frames.items()}
        still = recording.static
        made, axes = figures.figure(8.0, 3.2, columns=3, width_ratios=[1.5, 1.3, 1.2])
        rows = still["images"].reshape(4, 5, 8, 8)
        tiles = np.pad(rows, ((0, 0), (0, 0), (0, 3), (0, 1))).transpose(0, 2, 1, 3).reshape(44, 45)
        axes[0].imshow(tiles, cmap="Greys", vmin=0, vmax=1)
        for i, answer in enumerate(frame["answers"].astype(int)):
            said = str(int(still["labels"][i])) if answer > 9 else str(answer)
            colour = figures.INK if answer > 9 else figures.THIRD if answer == still["labels"][i] else figures.POSITIVE
            axes[0].text(i % 5 * 9 + 3.5, i // 5 * 11 + 9.6, said, ha="center", va="center", fontsize=7, color=colour)
        axes[0].set_title("images and answers")
        for curve, label, colour in zip(still["curves"], ("training", "validation"), figures.CLASSES, strict=False):
            axes[1].semilogy(curve, color=colour)
            axes[1].annotate(label, (len(curve) - 1, curve[-1]), color=colour, ha="right", va="bottom")
        axes[1].set(xlabel="epoch", title="loss")
        weights = frame["weights"].reshape(4, 5, 8, 8)[:, :, ::-1]
        tiles = np.pad(weights, ((0, 0), (0, 0), (0, 1), (0, 1))).transpose(0, 2, 1, 3).reshape(36, 45)
        axes[2].imshow(tiles, cmap=figures.diverging(), vmin=-1, vmax=1)
        axes[2].set_title("weights of 20 hidden neurons")
        for plain in axes[[0, 2]]:
            plain.set(xticks=[], yticks=[])
        return made


def parts(data: str, seed: int) -> tuple[Dataset, Dataset, Dataset]:
    """Return training, validation and test images, three parts of a stratified split; only the first is spoilt."""
    whole = DATASETS["digits"](rng=np.random.default_rng(seed))
    rest, test = whole.split(0.75, rng=np.random.default_rng(seed), stratified=True)
    train, validation = rest.split(0.8, rng=np.random.default_rng(seed), stratified=True)
    if data == "few":
        train, _ = train.split(100 / len(train), rng=np.random.default_rng(seed), stratified=True)
    if data == "mislabelled":
        train, _ = mislabel(train, 0.2, rng=np.random.default_rng(seed))
    return train, validation, test


def settings(against: str, seed: int) -> dict:
    """Return how the network is trained."""
    made = {"optimizer": ADAM, "rng": np.random.default_rng(seed)}
    if against == "l2":
        made["penalty"] = PENALTIES["l2"](0.003)
    if against == "dropout":
        made["dropout"] = Dropout(0.3, rng=np.random.default_rng(seed))
    return made

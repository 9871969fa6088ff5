"""One prediction in the hand: drag it past its target and see three losses, and their slopes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.activations import ACTIVATIONS
from nnlib.losses import LOSSES, huber
from nnlib.widgets.stepper import Axis, Column, Frame, Instrument, Recording, Still, choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALUE = {"value": 1.0, "value_narrow": 0.5, "value_wide": 2.0}  # and Huber’s δ
CLASS = {"class_1": 1.0, "class_0": 0.0}
TARGET = 1.0  # of the value
OUTPUTS = np.linspace(-4, 6, 201)
LOGITS = np.linspace(-8, 8, 161)
# Where a slope may jump the curves are drawn on both sides of the jump.
JUMPS = np.array([-1, 1])[:, None] + [-1e-6, 0, 1e-6]
# What the plots show: outputs from and to, losses up to, slopes from and to.
LIMITS = {task: [-4, 6, 10, -7, 7] for task in VALUE} | {
    "class_1": [-8, 8, 5, -1.15, 0.15],
    "class_0": [-8, 8, 5, -0.15, 1.15],
}


class LossExplorer(Instrument):
    """Three losses of one prediction, and below them their slopes."""

    TITLE = "One prediction, three losses"
    ALT = (
        "Above, three losses as curves over the prediction, with a point on each at the prediction that is chosen; "
        "below, the slopes of the same three losses."
    )
    CONTROLS = (
        choice(
            "task",
            "The target is",
            {
                "value": "value 1, Huber δ = 1",
                "value_narrow": "value 1, Huber δ = 0.5",
                "value_wide": "value 1, Huber δ = 2",
                "class_1": "class 1",
                "class_0": "class 0",
            },
        ),
    )
    COLUMNS = (
        Column("output", "Output", 2),
        *(
            Column(f"{what}_{k}", f"{what.capitalize()}, {colour} curve", 5)
            for what in ("loss", "slope")
            for k, colour in enumerate(("blue", "orange", "green"))
        ),
    )

    @staticmethod
    def record(*, task: str) -> Iterator[Still | Frame]:
        """Yield one frame for each output, with the three losses and slopes there."""
        outputs = OUTPUTS if task in VALUE else LOGITS
        names, losses, slopes = curves(task, outputs)
        along = np.sort([*outputs, *JUMPS.ravel()])
        _, *drawn = curves(task, along)
        axis = "Output p" if task in VALUE else "Logit z"
        probability = ACTIVATIONS["sigmoid"].value(outputs)
        yield Still(
            axes=(Axis("output", axis, outputs),),
            meta={
                "names": names,
                "axis": axis,
                "target": TARGET if task in VALUE else None,
                "limits": LIMITS[task],
            },
            outputs=along,
            losses=drawn[0],
            slopes=drawn[1],
        )
        for k, output in enumerate(outputs):
            if task in VALUE:
                where = f"Output {output:.2f}, target 1"
            else:
                said = f"Logit {output:.1f}, which is probability {probability[k]:.4f} for class 1"
                where = f"{said}; the target is class {CLASS[task]:.0f}"
            said = "; ".join(
                f"{name} {losses[i, k]:.4f} with slope {slopes[i, k]:+.5f}" for i, name in enumerate(names)
            )
            yield Frame(
                f"{where}: {said}.".replace(" -", " −"),
                output=output,
                loss=losses[:, k],
                slope=slopes[:, k],
                **{f"loss_{i}": losses[i, k] for i in range(3)},
                **{f"slope_{i}": slopes[i, k] for i in range(3)},
            )

    @staticmethod
    def code(*, task: str) -> str:
        """Return a snippet that prints the losses and slopes at one output."""
        head = "import numpy as np\nimport nnlib\n\n"
        if task in VALUE:
            return head + (
                'losses = {"squared": nnlib.LOSSES["mse"], "absolute": nnlib.LOSSES["mae"], '
                f'"Huber": nnlib.losses.huber({VALUE[task]:g})}}\n'
                "output, target = np.array([[4.0]]), np.array([[1.0]])\n"
                "for name, loss in losses.items():\n"
                "    slope = loss.slope(output, target).item()\n"
                '    print(f"{name} {loss.value(output, target):.4f} with slope {slope:+.5f}")'
            )
        return head + (
            f"z, y = np.array([[-4.0]]), np.array([[{CLASS[task]}]])\n"
            'sigmoid = nnlib.ACTIVATIONS["sigmoid"]\n'
            "p = sigmoid.value(z)\n"
            'for name in ("binary_cross_entropy", "hinge"):\n'
            "    loss = nnlib.LOSSES[name]\n"
            '    print(f"{name} {loss.value(z, y):.4f} with slope {loss.slope(z, y).item():+.5f}")\n'
            'mse = nnlib.LOSSES["mse"]  # behind a sigmoid: the chain rule puts its slope in between\n'
            "slope = mse.slope(p, y) * sigmoid.slope(z, p)\n"
            'print(f"squared behind sigmoid {mse.value(p, y):.4f} with slope {slope.item():+.5f}")'
        )

    @staticmethod
    def poster(recording: Recording, step: int) -> "Figure":
        """Draw the curves of the losses and of their slopes."""
        from nnlib import figures

        meta, still = recording.meta, recording.static
        left, right, top, low, high = meta["limits"]
        made, axes = figures.figure(6.4, 4.2, rows=2, sharex=True)
        colours = (figures.NEGATIVE, figures.POSITIVE, figures.THIRD)
        output = recording.frames["output"][step]
        for plot, what, here in zip(axes, ("losses", "slopes"), ("loss", "slope"), strict=True):
            for k, (name, colour) in enumerate(zip(meta["names"], colours, strict=True)):
                plot.plot(still["outputs"], still[what][k], color=colour, label=name)
                plot.plot(output, recording.frames[here][step][k], "o", color=colour)
            plot.axvline(output, color=figures.MUTED, lw=0.6)
            if meta["target"] is not None:
                plot.axvline(meta["target"], color=figures.MUTED, lw=0.8, ls=":")
        axes[0].set(ylabel="loss", ylim=(0, top))
        axes[0].legend(fontsize=8, labelcolor="linecolor", handlelength=0)
        axes[1].set(ylabel="slope", xlabel=meta["axis"], xlim=(left, right), ylim=(low, high))
        return made


def curves(task: str, outputs: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the names (3), the losses (3, n) and their slopes (3, n) for a task, at outputs (n,)."""
    if task in VALUE:
        used = {"squared": LOSSES["mse"], "absolute": LOSSES["mae"], "Huber": huber(VALUE[task])}
        names, y = list(used), np.full_like(outputs, TARGET)
        each = [(loss.each(outputs, y), loss.each_slope(outputs, y)) for loss in used.values()]
    else:
        mse, entropy, hinge = (LOSSES[name] for name in ("mse", "binary_cross_entropy", "hinge"))
        sigmoid = ACTIVATIONS["sigmoid"]
        y, p = np.full_like(outputs, CLASS[task]), sigmoid.value(outputs)
        names, signs = ["cross-entropy", "squared behind sigmoid", "hinge"], 2 * y - 1
        each = [
            (entropy.each(outputs, y), entropy.each_slope(outputs, y)),
            (mse.each(p, y), mse.each_slope(p, y) * sigmoid.slope(outputs, p)),
            (hinge.each(outputs, signs), hinge.each_slope(outputs, signs)),
        ]
    losses, slopes = (np.stack(arrays) for arrays in zip(*each, strict=True))
    return names, losses, slopes

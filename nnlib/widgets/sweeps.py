"""What the figures of the experiments of 1986 and 1988 share: a long run, looked at now and then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnlib.gradient_descent import Step
from nnlib.widgets.recording import Recording
from nnlib.widgets.training_stepper import moments

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def looks(steps: Iterable[Step], updates: int) -> Iterator[tuple[str, Step]]:
    """Yield the steps at each of `moments`, after the words that say when; end with the one after `updates`."""
    due = set(moments(updates))
    for step in steps:
        if step.index in due:
            yield "Before training" if step.index == 0 else f"After {step.index:,} sweeps", step
        if step.index == updates:
            return


def draw_sweeps(axes: Axes, recording: Recording, values: np.ndarray, step: int, **labels: object) -> None:
    """Draw a number over the sweeps, faint as a whole and dark up to a frame; `labels` are those of ``Axes.set``."""
    from nnlib import figures

    sweeps = np.maximum(recording.frames["sweep"], 1)
    axes.plot(sweeps, values, color=figures.FAINT)
    axes.plot(sweeps[: step + 1], values[: step + 1], color=figures.INK)
    axes.set(xscale="log", xlabel="sweeps", **labels)

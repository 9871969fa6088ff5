"""What the figures of the chapter on losses draw is what nnlib computes, and what they call best is best."""

from itertools import product

import numpy as np
import pytest

from nnlib import ACTIVATIONS, LOSSES, PENALTIES, Network, loss_and_gradient
from nnlib.losses import huber
from nnlib.widgets import loss_explorer, loss_surface, outlier
from nnlib.widgets.loss_explorer import LossExplorer
from nnlib.widgets.loss_surface import LossSurface
from nnlib.widgets.outlier import Outlier

FITS = list(product(outlier.READINGS, outlier.MOVED, (0.5, 1.0, 2.0)))


@pytest.mark.parametrize(("model", "moved", "delta"), FITS)
def test_no_other_fit_has_a_smaller_loss(model: str, moved: str, delta: float) -> None:
    frames = Outlier.recorded(model=model, moved=moved, delta=delta).frames
    rng = np.random.default_rng(0)
    losses = (LOSSES["mse"], LOSSES["mae"], huber(delta))
    for step in range(0, len(outlier.HEIGHTS), 8):
        y = frames["y"][step]
        for loss, (w, b) in zip(losses, frames["fit"][step], strict=True):
            best = loss.value(w * outlier.X + b, y)
            for size in (1e-3, 1e-1, 1.0):
                for dw, db in rng.normal(scale=size, size=(20, 2)) * (model == "line", 1):
                    assert loss.value((w + dw) * outlier.X + b + db, y) >= best - 1e-9


@pytest.mark.parametrize("moved", outlier.MOVED)
def test_the_best_line_for_the_absolute_error_is_the_only_one(moved: str) -> None:
    readings = np.repeat(outlier.READINGS["line"][None], len(outlier.HEIGHTS), axis=0)
    readings[:, outlier.MOVED[moved]] = outlier.HEIGHTS
    design = np.stack([outlier.X, np.ones(9)], axis=1)
    lines = outlier.best_fit("mae", design, readings, 1.0)
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    for line, y in zip(lines, readings, strict=True):
        around = line + 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert (np.abs(around @ design.T - y).mean(axis=1) > np.abs(design @ line - y).mean() + 1e-6).all()


@pytest.mark.parametrize(("model", "moved", "delta"), FITS)
def test_the_pulls_on_a_smooth_fit_balance(model: str, moved: str, delta: float) -> None:
    pulls = Outlier.recorded(model=model, moved=moved, delta=delta).frames["pulls"].astype(float)  # (heights, 3, 9)
    for smooth in (0, 2):
        assert np.abs(pulls[:, smooth].sum(axis=1)).max() < 1e-4
        if model == "line":
            assert np.abs(pulls[:, smooth] @ outlier.X).max() < 1e-4
    assert np.abs(pulls[:, 1]).max() == 1
    assert np.abs(pulls[:, 2]).max() <= delta + 1e-6


@pytest.mark.parametrize("task", [*loss_explorer.VALUE, *loss_explorer.CLASS])
def test_the_explorer_states_nnlibs_losses_and_slopes(task: str) -> None:
    frames = LossExplorer.recorded(task=task).frames
    sigmoid = ACTIVATIONS["sigmoid"]
    for step in range(0, len(frames["output"]), 7):
        output = np.array([[frames["output"][step]]])
        if task in loss_explorer.VALUE:
            target = np.array([[loss_explorer.TARGET]])
            losses = (LOSSES["mse"], LOSSES["mae"], huber(loss_explorer.VALUE[task]))
            expected = [(loss.value(output, target), loss.slope(output, target).item()) for loss in losses]
        else:
            target, p = np.array([[loss_explorer.CLASS[task]]]), sigmoid.value(output)
            entropy, mse, hinge = (LOSSES[name] for name in ("binary_cross_entropy", "mse", "hinge"))
            expected = [
                (entropy.value(output, target), entropy.slope(output, target).item()),
                (mse.value(p, target), (mse.slope(p, target) * sigmoid.slope(output, p)).item()),
                (hinge.value(output, target), hinge.slope(output, target).item()),
            ]
        drawn = np.stack([frames["loss"][step], frames["slope"][step]], axis=1)
        np.testing.assert_allclose(drawn, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("penalty", ["none", *PENALTIES])
@pytest.mark.parametrize("loss", loss_surface.CASES)
def test_the_landscape_is_what_training_minimises(loss: str, penalty: str) -> None:
    name, behind, (x, y), _ = loss_surface.CASES[loss]
    rule = None if penalty == "none" else PENALTIES[penalty](loss_surface.STRENGTH)
    net = Network([1, 1], output_activation=behind, rng=np.random.default_rng(0))
    lowest = loss_surface.lowest_point(loss, penalty)
    best = loss_surface.surface(loss, penalty, lowest[:1], lowest[1:]).item()
    for w, b in np.random.default_rng(1).uniform(-8, 8, size=(25, 2)):
        net.parameters[:] = w, b
        value, _ = loss_and_gradient(net, name, x, y, penalty=rule)
        drawn = loss_surface.surface(loss, penalty, np.array([w]), np.array([b])).item()
        assert drawn == pytest.approx(value, rel=1e-12)
        assert value >= best - 1e-9
    net.parameters[:] = lowest
    assert loss_and_gradient(net, name, x, y, penalty=rule)[0] == pytest.approx(best, rel=1e-12)


def test_a_walk_that_leaves_the_world_stays_drawable() -> None:
    recording = LossSurface.recorded(loss="mse", learning_rate=1.0)
    assert np.isfinite(recording.frames["answer"]).all()
    assert recording.frames["loss"][-1] > 1e50

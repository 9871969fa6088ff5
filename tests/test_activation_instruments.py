"""The figures of the chapter on activations: what they draw is what the networks compute."""

import numpy as np
import pytest

from nnlib import ACTIVATIONS, INITIALISATIONS
from nnlib.widgets.activation_explorer import FLAT, GRID, ActivationExplorer, Z, written
from nnlib.widgets.depth_profile import EXAMPLES, LAYERS, WIDTH, DepthProfile, profile
from nnlib.widgets.depth_profile import written as written_size
from nnlib.widgets.plane_folder import ALONG, LINES, PlaneFolder, grid, trained


@pytest.mark.parametrize("formula", [text for f in ACTIVATIONS.values() for text in (f.formula, f.slope_formula)])
def test_the_headings_hold_no_latex(formula):
    assert not set(written(formula)) & set(r"\{}^_-")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_explorer_shows_the_catalogue(name):
    f, recording = ACTIVATIONS[name], ActivationExplorer.recorded(activation=name)
    np.testing.assert_allclose(recording.frames["value"], f.value(Z), rtol=1e-12)
    np.testing.assert_allclose(recording.frames["slope"], f.slope(Z), rtol=1e-12)
    np.testing.assert_allclose(recording.static["slopes"], f.slope(GRID), rtol=1e-12)
    shaded = np.zeros(GRID.size, bool)
    for left, right in recording.static["flat"]:
        shaded |= (left <= GRID) & (right >= GRID)
    assert (shaded == (np.abs(f.slope(GRID)) < FLAT)).all()


def test_the_explorer_says_what_passes_on():
    sentences = ActivationExplorer.recorded(activation="relu").meta["sentences"]
    assert sentences[0].endswith("nothing passes on.")
    assert sentences[-1].endswith("everything passes on.")
    assert "with its sign turned around" in ActivationExplorer.recorded(activation="gelu").meta["sentences"][40]


def test_the_grid_is_square_and_its_lines_are_straight():
    points = grid().reshape(2 * len(LINES), len(ALONG), 2)
    assert (points[: len(LINES), :, 0] == LINES[:, None]).all()
    assert (points[len(LINES) :, :, 1] == LINES[:, None]).all()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_plane_goes_through_the_layers_of_the_network(activation):
    settings = {"activation": activation, "dataset": "moons", "layers": 2, "seed": 4}
    recording = PlaneFolder.recorded(**settings)
    stages, decision = recording.static["stages"], recording.static["decision"]
    net, right, X, target = trained(**settings)
    np.testing.assert_array_equal(stages[0][: len(X)], X)
    for k, layer in enumerate(net.layers[:-1]):
        np.testing.assert_allclose(stages[2 * k + 1], stages[2 * k] @ layer.W + layer.b, atol=1e-12)
        np.testing.assert_allclose(stages[2 * k + 2], ACTIVATIONS[activation].value(stages[2 * k + 1]), atol=1e-12)
    guessed = stages[-1][: len(X)] @ decision[:2] + decision[2] > 0
    assert np.mean(guessed == target.ravel()) == right
    assert f"{right:.0%}" in recording.meta["sentences"][-1]
    assert (recording.static["corners"][:, 0] <= stages.min(axis=1)).all()
    assert (recording.static["corners"][:, 1] >= stages.max(axis=1)).all()


def test_without_a_bend_straight_lines_stay_straight():
    stages = PlaneFolder.recorded(activation="identity", seed=4).static["stages"]
    lines = stages[-1][-2 * len(LINES) * len(ALONG) :].reshape(-1, len(ALONG), 2)
    middles = (lines[:, 2:] + lines[:, :-2]) / 2
    np.testing.assert_allclose(lines[:, 1:-1], middles, atol=1e-9)


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_profile_is_that_of_plain_numpy(activation, initialisation):
    activations, spread, blame = profile(activation, initialisation, seed=3)
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(EXAMPLES, WIDTH))
    assert len(activations) == len(spread) == len(blame) == LAYERS
    np.testing.assert_allclose(spread, [np.sqrt(np.mean(a**2)) for a in activations])
    assert activations[0].shape == signal.shape
    if initialisation == "zero":
        assert not spread.any()
        assert not blame.any()
    else:
        assert blame[-1] == 1


def test_the_profiles_tell_the_chapters_story():
    assert profile("tanh", "naive", 0)[2][0] > 1e5
    assert 0.05 < profile("tanh", "xavier", 0)[2][0] < 1
    assert profile("sigmoid", "xavier", 0)[2][0] < 1e-10
    _, spread, blame = profile("relu", "xavier", 0)
    assert spread[-1] < 0.01
    assert blame[0] < 0.01
    _, spread, blame = profile("relu", "he", 0)
    assert 0.2 < spread[-1] < 5
    assert 0.2 < blame[0] < 5


def test_the_way_back_of_dead_networks_is_told_in_words():
    sentences = DepthProfile.recorded(initialisation="zero").meta["sentences"]
    assert len(sentences) == 2 * LAYERS
    assert sentences[-1] == "Backward, layer 1 of 20: no blame arrives here at all."


@pytest.mark.parametrize(
    ("size", "text"),
    [(0.0, "0"), (0.956, "0.96"), (5512.0, "5,500"), (1.3e7, "1.3 × 10⁷"), (2.04e-12, "2.0 × 10⁻¹²"), (0.001, "0.001")],
)
def test_sizes_are_written_for_the_eye(size, text):
    assert written_size(size) == text

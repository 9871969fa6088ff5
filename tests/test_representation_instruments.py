"""The figures of the chapter on learning representations show what the chapter says."""

import numpy as np
import pytest

from nnlib import loss_and_gradient
from nnlib.learning_representations import EXPERIMENTS, mirror_symmetry
from nnlib.widgets.family_trees import FamilyTrees, recipe
from nnlib.widgets.hidden_units import TASKS, HiddenUnits
from nnlib.widgets.mirror_symmetry import MirrorSymmetry, halves, size_of_pairs
from nnlib.widgets.two_spirals import NETWORKS, TwoSpirals


def test_the_symmetric_patterns_lie_on_the_diagonal():
    X, y = mirror_symmetry(6)
    left, right = halves(X)
    assert ((left == right) == (y[:, 0] == 1)).all()
    assert sorted(8 * left + right) == list(range(64))


def test_pairs_are_measured_against_the_largest():
    pairs, off = size_of_pairs(np.array([1.0, 2.0, -4.0, 4.0, -2.0, -0.6]))
    assert pairs.tolist() == [0.8, 2.0, 4.0]
    assert off == pytest.approx(0.05)


def test_mirror_symmetry_ends_with_the_papers_weights():
    frames = MirrorSymmetry.recorded().frames
    assert frames["sweep"][-1] == 2000
    assert frames["right"][-1] == 64
    for unit in (0, 1):
        pairs, off = size_of_pairs(frames["weights"][-1][:12].reshape(6, 2)[:, unit])
        np.testing.assert_allclose(pairs / pairs[0], [1, 2, 4], atol=0.1)
        assert off < 0.01


def test_mirror_symmetry_starts_where_the_study_does():
    frames = MirrorSymmetry.recorded(seed=3).frames
    np.testing.assert_allclose(frames["weights"][0], EXPERIMENTS["symmetry"].network(3).parameters, rtol=1e-6)


def test_the_recipes_of_the_family_trees_are_those_of_the_studies():
    for name, settings in (("family", (0.3, 0.01, 0.002)), ("family_strong", (1, 0.05, 0.001))):
        made, wanted = recipe(*settings), EXPERIMENTS[name]
        assert (made.spread, made.optimizer) == (wanted.spread, wanted.optimizer)
    assert FamilyTrees.settings_for()["updates"] == EXPERIMENTS["family_strong"].sweeps


def test_a_question_is_right_or_not():
    recording = FamilyTrees.recorded(updates=500)
    correct, held = recording.frames["correct"], recording.static["held_out_case"]
    assert correct.shape == (len(recording), 104)
    np.testing.assert_array_equal(correct[:, held].sum(axis=1), recording.frames["held_out"])
    np.testing.assert_array_equal(correct.sum(axis=1), recording.frames["held_out"] + recording.frames["trained"])


@pytest.mark.parametrize("experiment", TASKS)
def test_hidden_units_say_what_the_network_says(experiment):
    recording = HiddenUnits.recorded(experiment=experiment)
    sizes = recording.static["sizes"]
    assert recording.frames["said"].shape == (len(recording), len(recording.static["X"]), sizes[1] + sizes[2])
    chosen = EXPERIMENTS[TASKS[experiment][1]]
    net = chosen.network(0).with_parameters(recording.frames["weights"][-1])
    np.testing.assert_allclose(net.forward(recording.static["X"]).output, recording.frames["said"][-1][:, sizes[1] :])
    value = loss_and_gradient(net, chosen.loss, *chosen.data())[0]
    assert recording.frames["loss"][-1] == pytest.approx(value)


def test_a_start_that_gets_stuck_says_one_half_to_two_patterns():
    recording = HiddenUnits.recorded(experiment="xor", seed=5)
    outputs = np.sort(np.abs(recording.frames["said"][-1][:, 2] - 0.5))
    assert outputs[1] < 0.1 < 0.4 < outputs[2]
    assert recording.frames["loss"][-1] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("network", NETWORKS)
def test_two_spirals_count_their_parameters(network):
    recording = TwoSpirals.recorded(network=network, updates=1000)
    stated = int(NETWORKS[network].split()[-2])
    assert EXPERIMENTS[network].network(0).parameters.size == stated
    assert (recording.frames["sizes"][:, -1] == 1).all()
    assert recording.frames["right"][0] < 194

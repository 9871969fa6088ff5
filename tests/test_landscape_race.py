"""The landscape race: its learning rates were chosen fairly, and its frames are what the optimizers do."""

import numpy as np
import pytest

from nnlib.surfaces import SURFACES
from nnlib.widgets.landscape_race import CANDIDATES, FAR, RACERS, RATES, STARTS_U, STARTS_V, LandscapeRace, walk

STARTS = np.array([(u, v) for u in STARTS_U for v in STARTS_V])


@pytest.mark.parametrize("surface", SURFACES)
def test_each_racer_has_its_best_rate(surface):
    for racer, chosen in zip(RACERS, RATES[surface], strict=True):
        means = [SURFACES[surface].value(walk(racer, rate, surface, STARTS)[-1]).mean() for rate in CANDIDATES]
        assert CANDIDATES[int(np.argmin(means))] == chosen, racer


def test_frames_hold_the_walks():
    recording = LandscapeRace.recorded(surface="banana", start=[0.9, 1.2])
    for k, racer in enumerate(RACERS):
        path = walk(racer, RATES["banana"][k], "banana", np.array([0.9, 1.2]))
        np.testing.assert_array_equal(recording.frames["points"][:, k], path)
        np.testing.assert_array_equal(recording.frames[f"loss_{racer}"], SURFACES["banana"].value(path))


def test_a_walker_that_diverges_stops_far_outside_the_map():
    path = walk("sgd", 1.0, "valley", np.array([1.0, 1.0]))
    assert np.abs(path).max() < FAR
    np.testing.assert_array_equal(path[-1], path[-2])


@pytest.mark.parametrize("rates", [0.1, 1, 2])
@pytest.mark.parametrize("surface", SURFACES)
def test_every_recording_can_be_stored(surface, rates):
    assert LandscapeRace.packed(surface=surface, rates=rates, start=[-2.4, -1.6])[:4] == b"NNR1"

"""The step-size explorer: what it says of a rate is what the walk does."""

import numpy as np
import pytest

from nnlib.widgets.step_size import MINIMUM, STEEP, StepSize, multipliers


@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("curvature", [2, 0.2])
@pytest.mark.parametrize("learning_rate", [0.01, 0.05, 0.19, 0.21, 0.37, 0.39])
def test_the_walk_obeys_its_multipliers(learning_rate, momentum, curvature):
    recording = StepSize.recorded(learning_rate=learning_rate, momentum=momentum, curvature=curvature)
    for axis, (name, bend) in enumerate((("w", STEEP), ("b", curvature))):
        error = recording.frames[name] - MINIMUM[axis]
        first, second = multipliers(learning_rate, momentum, bend)
        assert np.isclose(first * second, momentum)
        predicted = (first + second).real * error[1:-1] - momentum * error[:-2]
        np.testing.assert_allclose(error[2:], predicted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_the_limit_parts_converging_from_diverging(momentum):
    limit = StepSize.recorded(momentum=momentum).meta["limit"]
    below, above = (np.abs(multipliers(limit * part, momentum, STEEP)).max() for part in (0.999, 1.001))
    assert below < 1 < above


def test_the_sentence_tells_the_fate():
    assert "flies away" in StepSize.recorded(learning_rate=0.21).meta["sentences"][0]
    assert "neither nears nor leaves" in StepSize.recorded(learning_rate=0.2).meta["sentences"][0]
    assert "flies away" not in StepSize.recorded(learning_rate=0.19).meta["sentences"][0]

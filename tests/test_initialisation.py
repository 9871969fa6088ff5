import numpy as np
import pytest

from nnlib.errors import SettingError
from nnlib.initialisation import INITIALISATIONS, Initialisation, as_initialisation

every = pytest.mark.parametrize("rule", INITIALISATIONS.values(), ids=INITIALISATIONS)


@every
def test_weights_have_the_declared_deviation_and_mean_zero(rule):
    W = rule.draw(400, 200, rng=np.random.default_rng(0))
    assert W.shape == (400, 200)
    assert W.std() == pytest.approx(rule.deviation(400, 200), rel=0.01)
    assert abs(W.mean()) <= 0.01 * rule.deviation(400, 200)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("zero", 0.0), ("naive", 1.0), ("lecun", 0.5), ("he", 0.5**0.5), ("xavier", 0.5)],
)
def test_the_deviation_of_a_small_layer(name, deviation):
    assert INITIALISATIONS[name].deviation(4, 4) == pytest.approx(deviation, rel=1e-15)


@every
def test_the_same_generator_gives_the_same_weights(rule):
    first, second = (rule.draw(3, 2, rng=np.random.default_rng(7)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_uniform_weights_stay_within_their_limit():
    W = INITIALISATIONS["xavier"].draw(300, 300, rng=np.random.default_rng(0))
    assert 0.099 < np.abs(W).max() <= 0.1


@every
def test_he_keeps_a_signal_alive_through_relu_and_only_suitable_rules_do(rule):
    rng, x = np.random.default_rng(0), np.random.default_rng(1).standard_normal((64, 100))
    for _ in range(20):
        x = np.maximum(x @ rule.draw(100, 100, rng=rng), 0)
    size = np.sqrt((x**2).mean())
    assert (0.1 < size < 10) == (rule.name == "he")


def test_as_initialisation():
    own = Initialisation("one", lambda inputs, outputs: 1.0, "1")
    assert as_initialisation(own) is own
    with pytest.raises(SettingError, match="no initialisation called 'glorot'"):
        as_initialisation("glorot")

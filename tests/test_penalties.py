import numpy as np
import pytest

from nnlib.errors import SettingError
from nnlib.network import Network
from nnlib.penalties import PENALTIES, as_penalty

every = pytest.mark.parametrize("name", PENALTIES)


@pytest.fixture
def net():
    return Network([2, 3, 1], rng=np.random.default_rng(0))


@pytest.mark.parametrize(("name", "value"), [("l2", 0.5 * (9 + 16) / 2), ("l1", 0.5 * 7)])
def test_small_weights_are_penalised_and_biases_are_not(name, value):
    net = Network([1, 1, 1], rng=np.random.default_rng(0))
    net.parameters = [3.0, 100.0, -4.0, 100.0]
    penalty = PENALTIES[name](0.5)
    assert penalty.value(net) == value
    assert penalty.slope(net)[[1, 3]].tolist() == [0, 0]


@every
def test_slope_is_the_slope_of_exactly_the_value(name, net):
    penalty, h = PENALTIES[name](0.3), 1e-30
    assert penalty.name == name
    slope = penalty.slope(net)
    for i in range(len(slope)):
        moved = net.parameters.astype(complex)
        moved[i] += 1j * h
        assert slope[i] == pytest.approx(penalty.value(net.with_parameters(moved)).imag / h, rel=1e-13)


@every
def test_float32_stays_float32(name):
    net = Network([2, 3, 1], rng=np.random.default_rng(0), dtype=np.float32)
    assert PENALTIES[name](0.1).slope(net).dtype == np.float32
    assert type(PENALTIES[name](0.1).value(net)) is float


@every
def test_strength_must_not_be_negative(name):
    with pytest.raises(SettingError, match="strength should be a number at least 0"):
        PENALTIES[name](-1)


def test_as_penalty_says_what_to_write():
    assert as_penalty(None) is None
    with pytest.raises(SettingError, match=r"PENALTIES\['l2'\]\(1e-3\)"):
        as_penalty("l2")

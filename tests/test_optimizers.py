from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.errors import SettingError
from nnlib.optimizers import OPTIMIZERS, Adam, Optimizer, as_optimizer
from nnlib.schedules import StepDecay

every = pytest.mark.parametrize("rule", OPTIMIZERS.values(), ids=OPTIMIZERS)


def walk(optimizer, theta, slope, steps):
    state = optimizer.start(theta)
    for _ in range(steps):
        theta, state = optimizer.update(theta, slope(theta), state)
    return theta, state


def test_registry_keys_are_the_names_and_all_subclasses_are_in_it():
    assert all(key == rule.name for key, rule in OPTIMIZERS.items())

    def below(kind):
        return {kind} | {deep for child in kind.__subclasses__() for deep in below(child)}

    mine = {kind for kind in below(Optimizer) if kind.__module__ == Optimizer.__module__}
    assert mine - {Optimizer} == set(OPTIMIZERS.values())


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [  # from θ = 1 with g = 2, then g = 1
        ("sgd", {"learning_rate": 0.1}, [0.8, 0.7]),
        ("momentum", {"learning_rate": 0.1, "beta": 0.5}, [0.8, 0.6]),
        ("nesterov", {"learning_rate": 0.1, "beta": 0.5}, [0.7, 0.5]),
        ("adagrad", {"learning_rate": 0.1, "epsilon": 1e-300}, [0.9, 0.9 - 0.1 / 5**0.5]),
        ("rmsprop", {"learning_rate": 0.1, "rho": 0.75, "epsilon": 1e-300}, [0.8, 0.7]),
        (
            "adam",  # m = 1, 1; v = 2, 1.5; corrected: 2, 4/3; 4, 2
            {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.5, "epsilon": 1e-300},
            [0.9, 0.9 - 0.1 * (4 / 3) / 2**0.5],
        ),
        (
            "adamw",
            {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.5, "epsilon": 1e-300, "weight_decay": 0.5},
            [0.85, 0.85 - 0.1 * (4 / 3) / 2**0.5 - 0.05 * 0.85],
        ),
    ],
)
def test_two_steps_by_hand(name, settings, wanted):
    optimizer, theta = OPTIMIZERS[name](**settings), np.array([1.0])
    state = optimizer.start(theta)
    for g, expected in zip((2.0, 1.0), wanted, strict=True):
        theta, state = optimizer.update(theta, np.array([g]), state)
        assert theta[0] == pytest.approx(expected, rel=1e-14)


@every
def test_every_rule_finds_the_bottom_of_a_bowl(rule):
    theta, _ = walk(rule(learning_rate=0.05), np.array([1.0, -2.0]), lambda t: t * [1.0, 4.0], 2000)
    assert np.abs(theta).max() < 0.1


@every
@given(st.integers(0, 2**32 - 1))
def test_update_changes_neither_argument_and_repeats_bit_for_bit(rule, seed):
    rng = np.random.default_rng(seed)
    optimizer, theta, g = rule(), rng.standard_normal(4), rng.standard_normal(4)
    _, state = walk(optimizer, theta, np.sin, 3)
    before = [theta.tobytes(), g.tobytes(), *(np.asarray(part).tobytes() for part in state.values())]
    first, second = optimizer.update(theta, g, state), optimizer.update(theta, g, state)
    assert before == [theta.tobytes(), g.tobytes(), *(np.asarray(part).tobytes() for part in state.values())]
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1]["t"] == state["t"] + 1 == 4


@every
def test_dtype_is_honoured(rule):
    theta, state = walk(rule(), np.ones(3, np.float32), lambda t: t, 3)
    assert theta.dtype == np.float32
    assert all(state[name].dtype == np.float32 for name in rule.memory)
    assert set(state) == {"t", *rule.memory}


@every
def test_schedules_set_the_rate(rule):
    schedule = StepDecay(0.1, every=2, factor=0.5)
    optimizer = rule(learning_rate=schedule)
    assert [optimizer.rate(t) for t in (0, 1, 2)] == [0.1, 0.1, 0.05]
    two, state = walk(optimizer, np.ones(2), np.sin, 2)
    halved, _ = optimizer.update(two, np.sin(two), state)
    constant, _ = rule(learning_rate=0.1).update(two, np.sin(two), state)
    np.testing.assert_allclose(halved - two, (constant - two) / 2, rtol=1e-12)


@given(st.floats(1e-6, 1e6))
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(g):
    theta, _ = walk(Adam(0.01), np.array([0.0]), lambda t: np.array([g]), 1)
    assert theta[0] == pytest.approx(-0.01, rel=0.011)


BAD = {"beta": 1.0, "beta1": -0.1, "beta2": 1.0, "rho": 1.5, "epsilon": 0.0, "weight_decay": -1.0, "learning_rate": 0}


@pytest.mark.parametrize(
    ("rule", "setting"), [(rule, setting) for rule in OPTIMIZERS.values() for setting in fields(rule)]
)
def test_every_setting_of_every_rule_is_checked(rule, setting):
    for value in (BAD[setting.name], "x"):
        with pytest.raises(SettingError, match=f"{setting.name} should be a number"):
            rule(**{setting.name: value})


def test_as_optimizer():
    own = Adam(0.1)
    assert as_optimizer(own) is own
    assert as_optimizer("adam") == Adam()
    with pytest.raises(SettingError, match="did you mean 'adam'"):
        as_optimizer("adm")
    with pytest.raises(SettingError, match=r"is a class; make one, as in OPTIMIZERS\['adam'\]\(learning_rate=0.1\)"):
        as_optimizer(Adam)

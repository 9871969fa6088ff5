import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.errors import SettingError
from nnlib.schedules import SCHEDULES, Constant, Cosine, StepDecay, WarmUp, as_schedule

EXAMPLES = {
    "constant": Constant(0.1),
    "step": StepDecay(0.1, every=10, factor=0.5),
    "cosine": Cosine(0.1, steps=50, final=0.01),
    "warm_up": WarmUp(5, then=Cosine(0.1, steps=50)),
}


def test_every_schedule_has_an_example_here():
    assert {name: type(schedule) for name, schedule in EXAMPLES.items()} == SCHEDULES


@pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)
@given(t=st.integers(0, 10_000))
def test_rates_are_floats_between_zero_and_the_highest(schedule, t):
    assert type(schedule(t)) is float
    assert 0 <= schedule(t) <= 0.1


def test_the_rates_are_those_of_the_formulas():
    np.testing.assert_allclose([EXAMPLES["step"](t) for t in (0, 9, 10, 25)], [0.1, 0.1, 0.05, 0.025])
    np.testing.assert_allclose([EXAMPLES["cosine"](t) for t in (0, 25, 50, 99)], [0.1, 0.055, 0.01, 0.01])
    np.testing.assert_allclose([EXAMPLES["warm_up"](t) for t in (0, 4, 5, 30, 55)], [0.02, 0.1, 0.1, 0.05, 0])


@given(st.integers(0, 200))
def test_cosine_never_rises(t):
    assert EXAMPLES["cosine"](t + 1) <= EXAMPLES["cosine"](t)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "rate should be a number above 0"),
        (lambda: StepDecay(0.1, every=0), "every should be a whole number"),
        (lambda: StepDecay(0.1, every=5, factor=2), "factor should be a number above 0 and at most 1"),
        (lambda: Cosine(0.1, steps=-1), "steps should be a whole number"),
        (lambda: Cosine(0.1, steps=9, final=-1), "final should be a number at least 0"),
        (lambda: WarmUp(0, then=0.1), "steps should be a whole number"),
        (lambda: WarmUp(5, then="fast"), "learning_rate should be a number above 0"),
        (lambda: as_schedule(-0.1), "learning_rate should be a number above 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()

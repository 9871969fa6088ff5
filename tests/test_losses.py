import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.errors import DTypeError, SettingError, ShapeError, TargetError
from nnlib.losses import LOSSES, as_loss, binary_cross_entropy, cross_entropy, huber

every = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
outputs = np.array([[2.0, -1.0, 0.3], [0.5, 1.4, -0.6], [-3.0, 4.0, 0.2], [0.1, 0.2, 0.7]])


def targets_for(loss):
    return np.array([0, 2, 1, 1]) if loss.by_row else np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("name", "output", "target", "value", "slope"),
    [
        ("mse", [[1.0], [3.0]], [[0.0], [0.0]], 5.0, [[1.0], [3.0]]),
        ("mse", [[1.0, 3.0]], [[0.0, 0.0]], 5.0, [[1.0, 3.0]]),
        ("mae", [[1.0], [-3.0]], [0.0, 0.0], 2.0, [[0.5], [-0.5]]),
        ("huber", [[0.5], [3.0]], [0.0, 0.0], (0.125 + 2.5) / 2, [[0.25], [0.5]]),
        ("binary_cross_entropy", [[0.0]], [1], math.log(2), [[-0.5]]),
        ("binary_cross_entropy", [[math.log(3)]], [0], math.log(4), [[0.75]]),
        ("binary_cross_entropy", [[0.0]], [0.25], math.log(2), [[0.25]]),
        ("cross_entropy", [[0.0, math.log(3)]], [0], math.log(4), [[-0.75, 0.75]]),
        ("cross_entropy", [[0.0, 0.0]], [[0.25, 0.75]], math.log(2), [[0.25, -0.25]]),
        ("hinge", [[0.5], [2.0]], [1, 1], 0.25, [[-0.5], [0.0]]),
        ("hinge", [[0.5], [-2.0]], [0, -1], 0.75, [[0.5], [0.0]]),
    ],
)
def test_value_and_slope_of_small_numbers(name, output, target, value, slope):
    assert LOSSES[name].value(output, target) == pytest.approx(value, rel=1e-15)
    np.testing.assert_allclose(LOSSES[name].slope(output, target), slope, rtol=1e-15)


def test_registry_keys_are_the_names():
    assert all(key == loss.name for key, loss in LOSSES.items())


@every
def test_slope_is_the_slope_of_exactly_the_value(loss):
    y, h = targets_for(loss), 1e-30
    slope = loss.slope(outputs, y)
    assert slope.shape == outputs.shape
    for place in np.ndindex(outputs.shape):
        moved = outputs.astype(complex)
        moved[place] += 1j * h
        assert slope[place] == pytest.approx(loss.value(moved, y).imag / h, rel=1e-13, abs=1e-300)


@every
def test_declared_kinks_are_where_the_slope_jumps(loss):
    if loss.by_row:
        assert loss.kinks == ()
        return
    p = np.linspace(-4, 4, 8001)[:, None]
    for label in (0.0, 1.0):
        y = np.full_like(p, label)
        jumps = np.abs(np.diff(loss.each_slope(p, loss.prepare(y, p.shape, p.dtype))[:, 0])) > 0.5
        argument = loss.argument(p, loss.prepare(y, p.shape, p.dtype))[:, 0]
        crossed = np.zeros_like(jumps)
        for kink in loss.kinks:
            side = np.sign(np.round(argument - kink, 9))
            crossed |= (side[1:] != side[:-1]) & jumps
        assert (jumps == crossed).all()
        assert jumps.any() == bool(loss.kinks)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_the_value_is_a_float(loss, dtype):
    p, y = outputs.astype(dtype), targets_for(loss)
    assert type(loss.value(p, y)) is float
    assert loss.slope(p, y).dtype == dtype
    assert loss.predict(p).dtype == dtype
    assert loss.value(p, y) == pytest.approx(loss.value(outputs, y), rel=1e-6)


@every
def test_prepare_takes_what_it_returned(loss):
    y = loss.prepare(targets_for(loss), outputs.shape, outputs.dtype)
    again = loss.prepare(y, outputs.shape, outputs.dtype)
    np.testing.assert_array_equal(again, y)


@every
def test_a_batch_is_the_mean_of_its_examples(loss):
    y = targets_for(loss)
    singles = [loss.value(outputs[[i]], y[[i]]) for i in range(len(y))]
    assert loss.value(outputs, y) == pytest.approx(np.mean(singles), rel=1e-14)


@every
@given(
    st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=5),
    st.integers(0, 1),
)
def test_any_logits_give_a_finite_loss_from_zero_up(loss, row, label):
    p = np.array([row])
    y = np.array([label]) if loss.by_row else np.full_like(p, label)
    assert 0 <= loss.value(p, y) < np.inf
    assert np.isfinite(loss.slope(p, y)).all()


@given(st.floats(-800, 800))
def test_binary_cross_entropy_is_cross_entropy_of_two_logits(z):
    for label in (0, 1):
        two = LOSSES["cross_entropy"].value([[0.0, z]], [label])
        assert LOSSES["binary_cross_entropy"].value([[z]], [label]) == pytest.approx(two, rel=1e-14)


@pytest.mark.parametrize("z", [-745.0, -710.0, -40.0, -1.0, 0.0, 1.0, 40.0, 710.0, 1e6])
def test_cross_entropies_against_fifty_digits(z):
    with mpmath.workdps(800):
        one = float(mpmath.log1p(mpmath.exp(-z)))
        slope = -float(1 / (1 + mpmath.exp(z)))
    assert LOSSES["binary_cross_entropy"].value([z], [1]) == pytest.approx(one, rel=1e-15)
    assert LOSSES["binary_cross_entropy"].slope([z], [1])[0] == pytest.approx(slope, rel=1e-15)
    assert LOSSES["cross_entropy"].value([[0.0, z]], [1]) == pytest.approx(one, rel=1e-15)
    np.testing.assert_allclose(LOSSES["cross_entropy"].slope([[0.0, z]], [1]), [[-slope, slope]], rtol=2e-15)


def test_naive_cross_entropy_overflows_at_710_and_ours_does_not():
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert np.log(1 + np.exp(np.float64(710))) == np.inf
    assert LOSSES["binary_cross_entropy"].value([710.0], [0]) == 710


def test_one_hot_rows_and_integer_classes_agree_and_columns_will_do():
    loss, y = LOSSES["cross_entropy"], np.array([0, 2, 1, 1])
    assert loss.value(outputs, y) == loss.value(outputs, np.eye(3)[y]) == loss.value(outputs, y[:, None])
    assert LOSSES["mse"].value([[1.0], [2.0]], [0.0, 0.0]) == LOSSES["mse"].value([[1.0], [2.0]], [[0.0], [0.0]])


def test_class_weights_weigh_examples():
    weighted = binary_cross_entropy((1.0, 3.0))
    plain = LOSSES["binary_cross_entropy"]
    p, y = np.array([[0.3], [-1.2]]), np.array([0, 1])
    each = [plain.value(p[[i]], y[[i]]) for i in (0, 1)]
    assert weighted.value(p, y) == pytest.approx((each[0] + 3 * each[1]) / 4, rel=1e-14)
    same = cross_entropy([2.0, 2.0, 2.0])
    assert same.value(outputs, [0, 2, 1, 1]) == pytest.approx(
        LOSSES["cross_entropy"].value(outputs, [0, 2, 1, 1]), rel=1e-14
    )


@pytest.mark.parametrize("loss", [binary_cross_entropy((1, 3)), cross_entropy([1, 2, 0.5])], ids=["two", "many"])
def test_slope_with_class_weights(loss):
    y, h = targets_for(loss), 1e-30
    for place in np.ndindex(outputs.shape):
        moved = outputs.astype(complex)
        moved[place] += 1j * h
        assert loss.slope(outputs, y)[place] == pytest.approx(loss.value(moved, y).imag / h, rel=1e-13)
    assert loss.slope(outputs.astype(np.float32), y).dtype == np.float32


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [[1.0, 2.0]]])
def test_bad_class_weights(weights):
    with pytest.raises(SettingError, match="class_weights should be 2 numbers"):
        binary_cross_entropy(weights)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES.values() if not loss.by_row], ids=lambda loss: loss.name)
def test_targets_are_never_repeated_to_fit(loss):
    with pytest.raises(ShapeError, match=r"y has shape \(3,\) but the network's output has shape \(3, 3\)"):
        loss.value(np.zeros((3, 3)), [0, 1, 1])
    with pytest.raises(ShapeError, match="nothing is repeated"):
        loss.value(np.zeros((3, 1)), [0, 1])


@pytest.mark.parametrize(
    ("name", "output", "target", "error", "message"),
    [
        (
            "binary_cross_entropy",
            [[0.0], [0.0]],
            [-1, 1],
            TargetError,
            r"between 0 and 1.*\(y \+ 1\) / 2",
        ),
        ("hinge", [[0.0]], [2], TargetError, "hinge needs y of -1 and 1"),
        ("cross_entropy", [[0.0]], [0], ShapeError, "for a single output use binary_cross_entropy"),
        ("cross_entropy", [[0.0, 1.0]], [0, 1], ShapeError, "takes integer classes"),
        ("cross_entropy", [[0.0, 1.0]], [0.0], DTypeError, r"y\.astype\(int\)"),
        ("cross_entropy", [[0.0, 1.0]], [2], TargetError, "2 outputs stand for the classes 0 to 1"),
        ("cross_entropy", [[0.0, 1.0]], [-1], TargetError, "holds the classes -1 to -1"),
        ("cross_entropy", [[0.0, 1.0]], [[1.0, 1.0]], TargetError, "should be a distribution"),
        ("cross_entropy", [[0.0, 1.0]], [[np.nan, 1.0]], TargetError, "should be a distribution"),
        ("mse", [["a"]], [0], DTypeError, "output should hold numbers"),
        ("mse", [[0.0]], ["a"], DTypeError, "y should hold numbers"),
    ],
)
def test_outputs_and_targets_that_do_not_fit_are_refused(name, output, target, error, message):
    with pytest.raises(error, match=message):
        LOSSES[name].value(output, target)
    with pytest.raises(error, match=message):
        LOSSES[name].slope(output, target)


def test_as_loss_and_huber_refuse_what_they_do_not_know():
    assert as_loss(LOSSES["mse"]) is as_loss("mse")
    with pytest.raises(SettingError, match="did you mean 'cross_entropy'"):
        as_loss("crossentropy")
    with pytest.raises(SettingError, match="delta should be a number above 0"):
        huber(0)

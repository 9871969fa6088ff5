import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.activations import (
    ACTIVATIONS,
    Activation,
    as_activation,
    elu,
    leaky_relu,
    log_softmax,
    normal_cdf,
    softmax,
)
from nnlib.errors import DTypeError, SettingError

every = pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=ACTIVATIONS)
finite = st.floats(allow_nan=False, allow_infinity=False)
logits = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6)


def away_from_kinks(f, z):
    return z[np.all([np.abs(z - kink) > 1e-3 for kink in f.kinks], axis=0)] if f.kinks else z


@pytest.mark.parametrize(
    ("name", "z", "value", "slope"),
    [
        ("identity", 3.0, 3.0, 1.0),
        ("step", 0.0, 1.0, 0.0),
        ("step", -0.1, 0.0, 0.0),
        ("sigmoid", 0.0, 0.5, 0.25),
        ("sigmoid", math.log(3), 0.75, 0.1875),
        ("tanh", 0.0, 0.0, 1.0),
        ("tanh", math.log(2), 0.6, 0.64),
        ("relu", 0.0, 0.0, 0.0),
        ("relu", 2.0, 2.0, 1.0),
        ("relu", -2.0, 0.0, 0.0),
        ("leaky_relu", -2.0, -0.02, 0.01),
        ("leaky_relu", 2.0, 2.0, 1.0),
        ("elu", -math.log(4), -0.75, 0.25),
        ("elu", 2.0, 2.0, 1.0),
        ("gelu", 0.0, 0.0, 0.5),
        ("gelu", 1.0, 0.8413447460685429, 1.0833154705876864),
        ("silu", 0.0, 0.0, 0.5),
        ("silu", math.log(3), 0.75 * math.log(3), 0.75 + math.log(3) * 0.1875),
        ("softplus", 0.0, math.log(2), 0.5),
        ("softplus", math.log(3), math.log(4), 0.75),
    ],
)
def test_value_and_slope_of_small_numbers(name, z, value, slope):
    f = ACTIVATIONS[name]
    assert f.value(z) == pytest.approx(value, rel=1e-15, abs=1e-17)
    assert f.slope(z) == pytest.approx(slope, rel=1e-15, abs=1e-17)


def test_registry_keys_are_the_names():
    assert all(key == f.name for key, f in ACTIVATIONS.items())


@every
def test_slope_is_the_derivative_by_central_differences(f):
    z = away_from_kinks(f, np.linspace(-6, 6.1, 97))
    h = 1e-5
    measured = (f.value(z + h) - f.value(z - h)) / (2 * h)
    np.testing.assert_allclose(f.slope(z), measured, rtol=1e-8, atol=1e-9)


@every
def test_slope_is_the_derivative_by_the_complex_step(f):
    z = np.linspace(-30, 30, 241)
    h = 1e-30
    np.testing.assert_allclose(f.slope(z), f.value(z + 1j * h).imag / h, rtol=1e-12, atol=1e-18)


@every
def test_a_kink_is_where_the_slope_or_the_value_jumps(f):
    for kink in f.kinks:
        left, right = np.array([kink - 1e-9, kink + 1e-9])
        assert abs(f.slope(right) - f.slope(left)) > 0.1 or abs(f.value(right) - f.value(left)) > 0.1
    z = away_from_kinks(f, np.linspace(-8, 8, 16001))
    steps = np.diff(f.slope(z))[np.diff(z) < 1.1e-3]
    assert np.abs(steps).max() < 2e-3


@every
def test_values_stay_in_the_declared_range(f):
    a = f.value(np.linspace(-50, 50, 20001))
    low, high = f.range
    assert a.min() >= low
    assert a.max() <= high
    reached = f.value(np.array([-1e6, 1e6, -1.2784645427610738, -0.7517915246935645]))
    assert reached.min() == pytest.approx(low, abs=1e-6) if math.isfinite(low) else reached.min() < -1e3
    assert reached.max() == pytest.approx(high, abs=1e-6) if math.isfinite(high) else reached.max() > 1e5


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_dtype_and_shape_are_kept(f, dtype):
    z = np.linspace(-3, 3, 12).astype(dtype).reshape(3, 4)
    a = f.value(z)
    assert a.dtype == f.slope(z, a).dtype == dtype
    assert a.shape == f.slope(z, a).shape == z.shape


@every
def test_values_do_not_share_memory_with_the_input(f):
    z = np.ones(3)
    assert not np.shares_memory(f.value(z), z)
    assert (z == 1).all()


@every
@given(z=finite)
def test_every_finite_number_gives_a_finite_value_and_slope(f, z):
    assert np.isfinite(f.value(z))
    assert np.isfinite(f.slope(z))


@every
def test_nan_stays_nan_except_where_the_function_is_constant(f):
    assert np.isnan(f.value(np.nan)) or f.name == "step"


@every
def test_words_are_refused(f):
    with pytest.raises(DTypeError, match="z should hold numbers"):
        f.value(["a"])
    with pytest.raises(DTypeError, match="z should hold numbers"):
        f.slope(["a"])


EXACT = {
    "sigmoid": (
        lambda z: 1 / (1 + mpmath.exp(-z)),
        lambda z: 1 / (2 + mpmath.exp(-z) + mpmath.exp(z)),
    ),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "elu": (lambda z: z if z > 0 else mpmath.expm1(z), lambda z: mpmath.mpf(1) if z > 0 else mpmath.exp(z)),
    "gelu": (lambda z: z * mpmath.ncdf(z), lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z)),
    "silu": (
        lambda z: z / (1 + mpmath.exp(-z)),
        lambda z: (1 + z / (1 + mpmath.exp(z))) / (1 + mpmath.exp(-z)),
    ),
    "softplus": (lambda z: mpmath.log1p(mpmath.exp(z)), lambda z: 1 / (1 + mpmath.exp(-z))),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_slopes_against_fifty_digits(name, dtype):
    z = np.concatenate([np.linspace(-36, 36, 150), np.geomspace(1e-30, 1, 30), -np.geomspace(1e-30, 1, 30)])
    z = np.concatenate([z, [-0.7518, -0.75179152469356446, -1.27846, -1.2784645427610737]])
    z = z.astype(dtype)
    f = ACTIVATIONS[name]
    with mpmath.workdps(50):
        for got, exact in zip((f.value(z), f.slope(z)), EXACT[name], strict=True):
            wanted = [exact(mpmath.mpf(float(number))) for number in z]
            wanted = np.array([float(number) for number in wanted])
            error = np.abs(got.astype(float) - wanted)
            spacing = np.spacing(np.abs(wanted).astype(dtype)).astype(float)
            assert (error <= 4 * spacing).all()


def test_normal_cdf_against_fifty_digits_far_into_the_tail():
    z = np.array([-37.0, -20.0, -5.0, -1.0, -0.1, 0.0, 0.1, 1.0, 5.0, 20.0])
    with mpmath.workdps(50):
        wanted = np.array([float(mpmath.ncdf(number)) for number in z.tolist()])
    assert (np.abs(normal_cdf(z) - wanted) <= 4 * np.spacing(wanted)).all()


def test_leaky_relu_and_elu_take_their_constant():
    assert leaky_relu(0.2).slope(-1.0) == 0.2
    assert elu(2.0).kinks == (0.0,)
    assert elu().kinks == ()
    for wrong in (0, -1, 1, "x"):
        with pytest.raises(SettingError, match="leak should be a number above 0 and below 1"):
            leaky_relu(wrong)
    with pytest.raises(SettingError, match="alpha should be a number above 0"):
        elu(0)


def test_as_activation_takes_names_and_activations():
    own = Activation("square", np.square, lambda z, a: 2 * z, "z^2", "2z", (0.0, math.inf))
    assert as_activation(own) is own
    assert as_activation("tanh") is ACTIVATIONS["tanh"]
    with pytest.raises(SettingError, match="no activation called 'Relu'; did you mean 'relu'"):
        as_activation("Relu")


@given(z=logits, temperature=st.floats(0.05, 20))
def test_softmax_is_a_distribution_and_ignores_a_common_shift(z, temperature):
    p = softmax(z, temperature)
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(softmax(np.array(z) + 5.0, temperature), p, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.exp(log_softmax(z, temperature)), p, rtol=1e-9, atol=1e-300)


def test_softmax_small_numbers():
    np.testing.assert_allclose(softmax([0.0, math.log(3)]), [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(softmax([0.0, math.log(9)], temperature=2), [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(softmax([[0.0, 0.0], [1e300, -1e300]]), [[0.5, 0.5], [1, 0]])
    assert softmax(np.zeros((2, 3), np.float32)).dtype == np.float32


def test_log_softmax_keeps_the_digits_of_a_confident_answer():
    assert log_softmax([40.0, 0.0])[0] == pytest.approx(-math.exp(-40), rel=1e-14)
    np.testing.assert_array_equal(log_softmax([[0.0, -1e308]]), [[0, -1e308]])


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_temperature_must_be_above_zero(function):
    with pytest.raises(SettingError, match="temperature should be a number above 0, got 0"):
        function([1.0, 2.0], temperature=0)

"""Whatever is put in: the right answer, or an error of nnlib's own that says what to do. Never a wrong number."""

from dataclasses import fields
from itertools import islice

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nnlib.activations import ACTIVATIONS
from nnlib.backpropagation import check_gradient, loss_and_gradient
from nnlib.datasets import DATASETS, from_csv
from nnlib.errors import NnlibError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.penalties import PENALTIES
from nnlib.schedules import SCHEDULES

fuzz = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

SHAPES = st.sampled_from([(), (0,), (2,), (4,), (4, 1), (4, 2), (4, 3), (0, 2), (2, 4), (4, 2, 1), (1, 2)])
DTYPES = st.sampled_from(
    ["?", "i1", "u8", "f2", "<f4", ">f4", "f8", ">f8", "g", "c8", "c16", "O", "U3", "S2", "M8[s]", "m8[s]", "f4,i4"]
)


def laid_out(array):
    """The same numbers in another layout."""
    if array.ndim < 1:
        return st.just(array)
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    frozen = array.copy()
    frozen.setflags(write=False)
    return st.sampled_from([array, np.asfortranarray(array), wide[..., ::2], array[::-1], frozen])


def numbers(dtype):
    kind = np.dtype(dtype).kind
    if kind == "O":
        return st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=2))
    if kind in "fc":
        limit = 1e4 if np.dtype(dtype).itemsize > 2 else 100
        good = st.floats(-limit, limit, width=16) if kind == "f" else st.complex_numbers(max_magnitude=10)
        rare = st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf])
        return good if kind == "c" else st.one_of(good, good, good, rare)
    return None


def an_array(shape, dtype):
    return arrays.arrays(dtype, shape, elements=numbers(dtype), fill=st.nothing()).flatmap(laid_out)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(-3, 300),
    st.floats(),
    st.just(10**400),
    st.just({"a": 1}),
    st.just({1, 2}),
    st.just(object()),
    st.just(range(4)),
    st.just([[1, 2], [3]]),
    st.just([["a", "b"]] * 4),
    st.just([[1.0, None]] * 4),
    st.lists(st.lists(st.floats(-5, 5), min_size=2, max_size=2), min_size=1, max_size=4),
    st.lists(st.integers(-1, 3), max_size=4),
    st.just(np.ma.masked_array([[1.0, 2.0]] * 4, mask=[[0, 1]] * 4)),
    st.just(np.zeros((4, 2)).view(np.matrix) if hasattr(np, "matrix") else None),
    st.just(lambda: 1),
)
ANY_ARRAY = st.one_of(ODD, st.tuples(SHAPES, DTYPES).flatmap(lambda pair: an_array(*pair)))
GOOD_X = st.just(np.array([[0.0, 1.0], [1.0, 0.5], [-1.0, 2.0], [0.3, 0.3]]))
GOOD_Y = st.sampled_from([[0, 1, 1, 0], np.array([1, 0, 0, 1])])


def assert_clear(error):
    assert len(str(error)) > 20


def a_network(outputs):
    return Network([2, 3, outputs], rng=np.random.default_rng(0))


@fuzz
@given(
    loss=st.sampled_from(sorted(LOSSES)),
    X=st.one_of(GOOD_X, ANY_ARRAY),
    y=st.one_of(GOOD_Y, ANY_ARRAY),
    outputs=st.sampled_from([1, 2]),
)
def test_any_data(loss, X, y, outputs):
    """Training refuses it, or does with it what it does with the same numbers in plain double arrays."""
    net, other = a_network(outputs), a_network(outputs)
    try:
        first, second = islice(descend(net, loss, X, y, optimizer="sgd"), 2)
    except NnlibError as error:
        assert_clear(error)
        return
    plain = np.array(X, dtype=float)
    target = np.array(y)
    target = target.astype(int) if LOSSES[loss].by_row and target.ndim < 2 else target.astype(float)
    value, gradient = loss_and_gradient(other, loss, plain, target)
    assert np.isfinite([first.loss, second.loss]).all()
    assert first.loss == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(first.gradient, gradient, rtol=1e-9, atol=1e-12 * np.abs(gradient).max())


@fuzz
@given(st.sampled_from(sorted(ACTIVATIONS)), ANY_ARRAY)
def test_any_argument_of_an_activation(name, z):
    try:
        with np.errstate(all="ignore"):
            a, slope = ACTIVATIONS[name].value(z), ACTIVATIONS[name].slope(z)
    except NnlibError as error:
        assert_clear(error)
        return
    assert a.shape == slope.shape == np.shape(z)
    assert a.dtype.kind in "fc"


@fuzz
@given(st.sampled_from(sorted(LOSSES)), ANY_ARRAY, ANY_ARRAY)
def test_any_argument_of_a_loss(name, output, target):
    try:
        with np.errstate(all="ignore"):
            value, slope = LOSSES[name].value(output, target), LOSSES[name].slope(output, target)
    except NnlibError as error:
        assert_clear(error)
        return
    assert isinstance(value, (float, complex))
    assert slope.shape == np.shape(output)


NUMBER = st.one_of(ODD, st.floats(), st.integers(-5, 5), st.just(np.float32(0.5)), st.just(np.array(2.0)))


def refused_or(make):
    try:
        return make()
    except NnlibError as error:
        assert_clear(error)
        return None


@settings(fuzz, max_examples=40)
@given(NUMBER, NUMBER, NUMBER, NUMBER)
def test_any_setting(one, two, three, four):
    rng = np.random.default_rng(0)
    net, X, y = a_network(1), [[0.0, 1.0]] * 4, [0, 1, 1, 0]
    for registry in (OPTIMIZERS, PENALTIES):
        for rule in registry.values():
            refused_or(lambda rule=rule: rule(one))
    for rule in SCHEDULES.values():
        refused_or(lambda rule=rule: rule(*(one, two)[: len(fields(rule))]))
    for name in DATASETS:
        if not (isinstance(one, int) and one > 5000):
            refused_or(lambda name=name: DATASETS[name](one, two, rng=rng))
    refused_or(lambda: DATASETS["moons"](n=8, rng=rng).split(one, rng=two))
    refused_or(lambda: DATASETS["moons"](n=8, rng=one))
    refused_or(lambda: Network([2, 1], one, rng=rng))
    refused_or(lambda: Network(one, rng=rng) if not (isinstance(one, range) and len(one) > 3) else None)
    refused_or(lambda: Network([2, 1], rng=one))
    refused_or(lambda: Network([2, 1], rng=rng, initialisation=one, dtype=two))
    refused_or(lambda: Network([2, 1], rng=rng, dtype=one, output_activation=two))
    refused_or(lambda: setattr(net, "parameters", one))
    net = a_network(1)
    refused_or(lambda: next(descend(net, one, X, y, optimizer="sgd")))
    refused_or(lambda: next(descend(net, "mse", X, y, optimizer=one)))
    refused_or(lambda: next(descend(net, "mse", X, y, optimizer="sgd", batch_size=one, rng=rng)))
    refused_or(lambda: next(descend(net, "mse", X, y, optimizer="sgd", batch_size=2, rng=one)))
    refused_or(lambda: next(descend(net, "mse", X, y, optimizer="sgd", penalty=one)))
    refused_or(lambda: next(descend(net, "mse", X, y, optimizer="sgd", start=one)))
    refused_or(lambda: check_gradient(net, "mse", X, y, step=one, tolerance=two, method=three))
    refused_or(lambda: check_gradient(net, "mse", X, y, gradient=four))


@fuzz
@given(st.one_of(ODD, st.text(), st.text("0123456789.,;-+eE\t\n \"'#abnaif")))
def test_any_table(text):
    """A table is read or refused, and what is read can be held out and trained on."""
    data = refused_or(lambda: from_csv(text))
    if data is None:
        return
    assert np.isfinite(data.X).all()
    assert np.abs(data.X).max() <= 1.8
    assert set(data.y.tolist()) == {0, 1}


def test_huge_batches():
    net = a_network(1)
    X = np.broadcast_to(np.array([[0.5, -0.5]]), (300_000, 2))
    value, gradient = loss_and_gradient(net, "mse", X, np.ones(len(X)))
    one, slope = loss_and_gradient(net, "mse", X[:1], [1.0])
    assert value == pytest.approx(one, rel=1e-10)
    np.testing.assert_allclose(gradient, slope, rtol=1e-10)
    step = next(descend(net, "mse", X, np.ones(len(X)), optimizer="sgd"))
    np.testing.assert_allclose(step.gradient, slope, rtol=1e-10)

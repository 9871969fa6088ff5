import dataclasses
from itertools import islice

import numpy as np
import pytest

import nnlib.plan
from nnlib.activations import ACTIVATIONS, leaky_relu
from nnlib.backpropagation import loss_and_gradient
from nnlib.errors import ShapeError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES, binary_cross_entropy, cross_entropy, huber
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS, SGD
from nnlib.plan import Examples, fast_update

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHAPES = [((3, 5, 2), 1), ((2, 4, 3, 3), 7), ((4, 6, 5, 4, 2), 64)]


def make(shape=(2, 4, 3, 3), activation="tanh", dtype=np.float64, **settings):
    net = Network(shape, activation, rng=np.random.default_rng(2), dtype=dtype, **settings)
    net.parameters[:] = 0.7 * np.random.default_rng(4).standard_normal(net.parameters.size)
    return net


def data(loss, shape, examples):
    rng = np.random.default_rng(3)
    X, classes = rng.standard_normal((examples, shape[0])), shape[-1]
    by_row = (LOSSES[loss] if isinstance(loss, str) else loss).by_row
    return X, rng.integers(0, classes, examples) if by_row else rng.integers(0, 2, (examples, classes))


def assert_plan_is_the_plain_form(net, loss, X, y):
    tolerance = 1e-14 if net.dtype == np.float64 else 1e-6
    value, gradient = loss_and_gradient(net, loss, X, y)
    plan = Examples(net, loss, X, y).plan()
    fast_value, fast_gradient, finite = plan.run()
    assert finite
    assert type(fast_value) is float
    assert fast_gradient.dtype == net.dtype
    assert fast_value == pytest.approx(value, rel=tolerance, abs=tolerance)
    scale = max(np.abs(gradient).max(), 1e-3)
    np.testing.assert_allclose(fast_gradient, gradient, rtol=0, atol=10 * tolerance * scale)
    return plan


@both_dtypes
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_plan_is_the_plain_form(activation, loss, dtype):
    for shape, examples in SHAPES:
        assert_plan_is_the_plain_form(make(shape, activation, dtype), loss, *data(loss, shape, examples))


@both_dtypes
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_plan_is_the_plain_form_with_an_output_activation(activation, dtype):
    net = make(dtype=dtype, output_activation=activation)
    assert_plan_is_the_plain_form(net, "mse", *data("mse", net.sizes, 7))


@both_dtypes
@pytest.mark.parametrize(
    "activation", [leaky_relu(0.3), dataclasses.replace(ACTIVATIONS["tanh"], derivative=lambda z, a: z)]
)
@pytest.mark.parametrize("loss", [huber(0.3), binary_cross_entropy([1, 3]), cross_entropy([1, 2, 0])])
def test_what_is_not_in_a_registry_is_taken_at_its_word(activation, loss, dtype):
    net = make(activation=activation, dtype=dtype)
    assert_plan_is_the_plain_form(net, loss, *data(loss, net.sizes, 7))


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
def test_targets_that_are_shares(loss):
    y = np.random.default_rng(0).dirichlet([1, 1, 1], 7)
    assert_plan_is_the_plain_form(make(), loss, data(loss, (2, 3), 7)[0], y)


@both_dtypes
@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_is_its_rows(loss, dtype):
    net = make(dtype=dtype)
    X, y = data(loss, net.sizes, 20)
    examples = Examples(net, loss, X, y)
    plan, rows = examples.plan(6), np.array([3, 19, 0, 7, 7, 12])
    for _ in range(2):
        value, gradient, _ = plan.run(rows)
        alone, gradient_alone, _ = Examples(net, loss, X[rows], y[rows]).plan().run()
        assert value == alone
        assert gradient.tobytes() == gradient_alone.tobytes()
        rows = rows[::-1].copy()


@both_dtypes
@pytest.mark.filterwarnings("ignore:(over|under)flow")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1e-6, 10.0, 30.0, 80.0, 1e4, 1e8])
def test_outputs_of_any_size(loss, size, dtype):
    """The network is z = x: its inputs are the outputs. Small and certain answers keep their digits."""
    net = Network([4, 4], rng=np.random.default_rng(0), dtype=dtype)
    net.layers[0].W[:] = np.eye(4)
    close, tiny = (1e-14 if dtype == np.float64 else 1e-6), float(np.finfo(dtype).tiny)
    X = size * np.array([[1, 0, -1, 0.5], [0.25, -0.5, 1, 0], [-1, -1, 1, 1], [0, 0, 0, 0]])
    for shift in range(4):
        y = (np.arange(4) + shift) % 4 if LOSSES[loss].by_row else np.roll(np.eye(4), shift, axis=1)
        for one in range(4):  # alone: sums of several would cancel
            value, gradient, _ = Examples(net, loss, X[[one]], y[[one]]).plan().run()
            wanted, slope = loss_and_gradient(net, loss, X[[one]], y[[one]])
            assert value == pytest.approx(wanted, rel=close, abs=tiny)
            np.testing.assert_allclose(gradient, slope, rtol=20 * np.finfo(dtype).eps, atol=4 * tiny)


@both_dtypes
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_alone_is_the_same(loss, dtype):
    net = make(dtype=dtype)
    X, y = data(loss, net.sizes, 7)
    plan = Examples(net, loss, X, y).plan()
    wanted = plan.run()[1].copy()
    _, gradient, finite = plan.run(value=False)
    assert finite
    assert gradient.tobytes() == wanted.tobytes()
    net.parameters[:] = np.finfo(dtype).max
    with np.errstate(all="ignore"):
        assert not plan.run(value=False)[2]


@both_dtypes
@pytest.mark.parametrize("piece", [50, 17])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fast_updates_are_the_updates(name, piece, dtype, monkeypatch):
    """The same operations in the same order, to the last bit; but Adam's corrections are folded together."""
    monkeypatch.setattr(nnlib.plan, "PIECE", piece)
    optimizer, rng = OPTIMIZERS[name](learning_rate=0.01), np.random.default_rng(0)
    theta = rng.standard_normal(50).astype(dtype)
    plain = theta, optimizer.start(theta)
    fast = theta.copy(), optimizer.start(theta)
    update = fast_update(optimizer, theta)
    for _ in range(20):
        g = rng.standard_normal(50).astype(dtype)
        kept = g.copy()
        plain = optimizer.update(plain[0], g, plain[1])
        update(fast[0], g, fast[1])()
        assert (g == kept).all()
        assert list(plain[1]) == list(fast[1])
        exact = name not in ("adam", "adamw", "adagrad", "rmsprop")
        for one, other in ((plain[0], fast[0]), *((plain[1][part], fast[1][part]) for part in plain[1])):
            if exact:
                assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
            else:
                np.testing.assert_allclose(one, other, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


@both_dtypes
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pieces_make_no_difference(name, dtype, monkeypatch):
    rng, results = np.random.default_rng(1), []
    theta, gradients = rng.standard_normal(50).astype(dtype), rng.standard_normal((5, 50)).astype(dtype)
    for piece in (50, 49, 16, 1):
        monkeypatch.setattr(nnlib.plan, "PIECE", piece)
        moved, optimizer = theta.copy(), OPTIMIZERS[name]()
        state, update = optimizer.start(theta), fast_update(optimizer, theta)
        for g in gradients:
            update(moved, g, state)()
        results.append([moved.tobytes(), *(np.asarray(value).tobytes() for value in state.values())])
    assert all(result == results[0] for result in results)


@both_dtypes
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if OPTIMIZERS[name].memory])
def test_a_memory_that_fades_never_leaves_the_normal_range(name, dtype):
    """Half of the parameters lose their gradient, as under a ReLU that has gone silent; θ is still the plain form's."""
    optimizer, rng, tiny = OPTIMIZERS[name](learning_rate=0.01), np.random.default_rng(0), np.finfo(dtype).tiny
    theta = rng.standard_normal(8).astype(dtype)
    plain = theta, optimizer.start(theta)
    moved, state, g = theta.copy(), optimizer.start(theta), np.empty_like(theta)
    update = fast_update(optimizer, theta)(moved, g, state)
    for t in range(8000 if dtype == np.float64 else 1000):
        g[:] = rng.standard_normal(8)
        if t > 10:
            g[:4] = 0
        plain = optimizer.update(plain[0], g, plain[1])
        update()
        for vector in optimizer.memory:
            assert ((state[vector] == 0) | (np.abs(state[vector]) >= tiny)).all()
    np.testing.assert_allclose(moved, plain[0], rtol=1e3 * np.finfo(dtype).eps)


def test_an_optimizer_of_ones_own_is_used_as_it_is():
    class Backwards(SGD):
        name = "backwards"

        def update(self, parameters, gradient, state):
            return parameters + self.rate(state["t"]) * gradient, {"t": state["t"] + 1}

    X, y = data("mse", (2, 3), 5)
    first, second = islice(descend(make(), "mse", X, y, optimizer=Backwards(0.1)), 2)
    assert (second.parameters == first.parameters + 0.1 * first.gradient).all()
    assert second.loss > first.loss


@pytest.mark.parametrize("size", [None, 10])
def test_a_plan_says_what_it_does(size):
    net = Network([2, 8, 8, 1], rng=np.random.default_rng(0))
    X, y = data("binary_cross_entropy", net.sizes, 200)
    plan = Examples(net, "binary_cross_entropy", X, y).plan(size)
    head, *lines = str(plan).splitlines()
    assert head == f"Loss and gradient of {size or 200} examples in {len(plan.calls)} calls"
    assert lines[-1].split() == [str(len(plan.calls)), "∇", "=", f"{1 / (size or 200):g}", "∇", "(105,)"]
    for call, line in zip(plan.calls, lines, strict=True):
        assert call.formula in line
        assert str(call.out.shape) in line
    assert sum("ᵀ" in line or "W" in line for line in lines) == 3 + 3 + 2


def test_examples_are_checked_and_kept():
    net = make()
    X, y = data("mse", net.sizes, 5)
    examples = Examples(net, "mse", X, y)
    before = examples.plan().run()[1]
    X[:] = np.nan
    assert examples.plan().run()[1].tobytes() == before.tobytes()
    with pytest.raises(ShapeError, match=r"y has shape \(4, 3\)"):
        Examples(net, "mse", X, y[:4])

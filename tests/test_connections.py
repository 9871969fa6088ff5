"""Shortcuts and masks: what a layer sees, and which weights exist, in trace, gradient, check and descent."""

import copy
from itertools import islice

import numpy as np
import pytest

from nnlib.activations import ACTIVATIONS
from nnlib.backpropagation import backward, check_gradient, loss_and_gradient
from nnlib.errors import DTypeError, NonFiniteError, SettingError, ShapeError
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES
from nnlib.network import Network, count_parameters
from nnlib.optimizers import OPTIMIZERS
from nnlib.penalties import PENALTIES
from nnlib.plan import Examples

SIZES = (3, 4, 2, 5, 2)
MASK = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 1]], dtype=bool)
SHAPES = {
    "shortcuts": {"shortcuts": True},
    "masks": {"masks": [MASK, None, None, None]},
    "both": {"shortcuts": True, "masks": [MASK, None, np.arange(45).reshape(9, 5) % 3 > 0, None]},
}
every_shape = pytest.mark.parametrize("shape", SHAPES)


def make(shape, activation="tanh", **settings):
    return Network(SIZES, activation, rng=np.random.default_rng(1), **SHAPES[shape], **settings)


def data(n=7):
    rng = np.random.default_rng(2)
    return rng.standard_normal((n, SIZES[0])), rng.integers(0, 2, (n, SIZES[-1])).astype(float)


def test_each_layer_sees_everything_before_it():
    net = make("shortcuts")
    assert [layer.W.shape for layer in net.layers] == [(3, 4), (7, 2), (9, 5), (14, 2)]
    assert net.parameters.size == count_parameters(SIZES, shortcuts=True) == 4 * 4 + 8 * 2 + 10 * 5 + 15 * 2
    X, _ = data()
    trace = net.forward(X)
    seen = X
    for layer, found in zip(net.layers, trace.layers, strict=True):
        np.testing.assert_array_equal(found.x, seen)
        np.testing.assert_array_equal(found.z, seen @ layer.W + layer.b)
        seen = np.hstack([seen, found.a])


def test_without_options_nothing_changes():
    plain, none = (Network(SIZES, rng=np.random.default_rng(1), **options) for options in ({}, {"masks": [None] * 4}))
    assert plain.is_chain
    assert none.is_chain
    assert plain.parameters.tobytes() == none.parameters.tobytes()
    assert not make("shortcuts").is_chain
    assert not make("masks").is_chain


@every_shape
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_that_of_the_complex_step(shape, activation, loss):
    net = make(shape, activation)
    X, y = data()
    y = y[:, 0].astype(int) if LOSSES[loss].by_row else y
    report = check_gradient(net, loss, X, y, penalty=PENALTIES["l2"](0.01), method="complex")
    assert report, str(report)


@every_shape
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_slope_along_the_inputs(shape, activation):
    net = make(shape, activation)
    X, y = data(3)
    loss = LOSSES["mse"]
    trace = net.forward(X)
    slope = backward(net, trace, loss.slope(trace.output, y)).x_slope
    if ACTIVATIONS[activation].kinks:
        assert slope.shape == X.shape
        return
    for place in np.ndindex(*X.shape):
        moved = X.astype(complex)
        moved[place] += 1e-30j
        measured = loss.value(net.forward(moved).output, y).imag / 1e-30
        assert slope[place] == pytest.approx(measured, rel=1e-10, abs=1e-13)


@every_shape
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_does_not_exist_stays_zero(shape, optimizer):
    net = make(shape)
    steps = descend(net, "mse", *data(), optimizer=OPTIMIZERS[optimizer](learning_rate=0.01))
    first, *_, last = islice(steps, 30)
    assert last.loss < first.loss
    for layer in net.layers:
        if layer.mask is not None:
            assert (layer.W[~layer.mask] == 0).all()
            assert (layer.W[layer.mask] != 0).all()


@every_shape
def test_a_walk_is_the_loop_written_out_and_can_be_resumed(shape):
    net, loop = make(shape), make(shape)
    X, y = data()
    steps = list(islice(descend(net, "mse", X, y, optimizer=OPTIMIZERS["sgd"](0.1)), 6))
    for step in steps:
        value, gradient = loss_and_gradient(loop, "mse", X, y)
        assert step.loss == value
        np.testing.assert_array_equal(step.parameters, loop.parameters)
        loop.parameters -= 0.1 * gradient
    again = next(descend(make(shape), "mse", X, y, optimizer=OPTIMIZERS["sgd"](0.1), start=steps[3]))
    assert again.parameters.tobytes() == steps[4].parameters.tobytes()
    batch = next(descend(make(shape), "mse", X, y, optimizer="sgd", batch_size=3, rng=np.random.default_rng(0)))
    assert batch.loss == loss_and_gradient(make(shape), "mse", X[batch.batch], y[batch.batch])[0]


@every_shape
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, Network.copy])
def test_a_copy_has_the_same_connections(shape, duplicate):
    net, X = make(shape), data()[0]
    other = duplicate(net)
    np.testing.assert_array_equal(other.forward(X).output, net.forward(X).output)
    other.parameters[:] = 1
    assert not (net.parameters == 1).all()
    assert net.is_chain == other.is_chain is False


@every_shape
def test_single_precision_stays_single(shape):
    net = make(shape, dtype=np.float32)
    X, y = data()
    assert net.forward(X).output.dtype == np.float32
    assert loss_and_gradient(net, "mse", X, y)[1].dtype == np.float32
    assert next(descend(net, "mse", X, y, optimizer="sgd")).gradient.dtype == np.float32


@every_shape
def test_a_run_that_diverges_is_named_as_any_other(shape):
    steps = descend(make(shape, "relu"), "mse", *data(), optimizer=OPTIMIZERS["sgd"](1e200))
    with pytest.raises(NonFiniteError, match="training stopped at step") as error:
        list(islice(steps, 50))
    assert error.value.step is not None


def test_a_plan_is_for_chains():
    with pytest.raises(SettingError, match="a plan is for a chain of layers"):
        Examples(make("shortcuts"), "mse", *data()).plan()


def test_its_text_names_the_shortcuts():
    assert repr(make("shortcuts")).startswith("<Network 3-4-2-5-2 with shortcuts (")


@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        ([MASK], SettingError, "one mask .* for each of the 4 layers"),
        (MASK, SettingError, "one mask .* for each of the 4 layers"),
        ([MASK.T, None, None, None], ShapeError, r"masks\[0\] should have the shape of the layer's W, \(3, 4\)"),
        ([np.full((3, 4), "x"), None, None, None], DTypeError, r"masks\[0\] should hold numbers"),
    ],
)
def test_errors_of_masks(masks, error, message):
    with pytest.raises(error, match=message):
        Network(SIZES, rng=np.random.default_rng(0), masks=masks)

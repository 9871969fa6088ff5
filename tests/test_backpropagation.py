import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.activations import ACTIVATIONS
from nnlib.backpropagation import backward, check_gradient, loss_and_gradient
from nnlib.errors import SettingError, ShapeError
from nnlib.losses import LOSSES
from nnlib.network import Network
from nnlib.penalties import PENALTIES


def batch(loss, examples=5, inputs=2, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((examples, inputs))
    shape = examples if LOSSES[loss].by_row else (examples, 3)
    return X, rng.integers(0, 3 if LOSSES[loss].by_row else 2, shape)


def make(activation="tanh", shape=(2, 4, 3, 3), **settings):
    net = Network(shape, activation, rng=np.random.default_rng(2), **settings)
    net.parameters[:] = np.random.default_rng(4).standard_normal(net.parameters.size)
    return net


def test_backward_by_hand():
    net = Network([1, 1, 1], "relu", rng=np.random.default_rng(0))
    net.parameters = [2.0, 1.0, 3.0, -1.0]  # a = max(0, 2x + 1), p = 3a - 1
    trace = net.forward([[1.0], [-2.0]])  # z = 3, -3; p = 8, -1
    back = backward(net, trace, np.array([[1.0], [10.0]]))
    assert back.deltas[1].tolist() == [[1], [10]]
    assert back.deltas[0].tolist() == [[3], [0]]
    assert back.gradient.tolist() == [3, 3, 3, 11]
    assert back.x_slope.tolist() == [[6], [0]]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_equal_the_complex_step_to_twelve_digits(activation, loss):
    report = check_gradient(make(activation), loss, *batch(loss), method="complex")
    assert report.worst <= 1e-12, report
    assert report.skipped == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_equal_central_differences(activation, loss, dtype):
    assert (report := check_gradient(make(activation, dtype=dtype), loss, *batch(loss))), report


@pytest.mark.parametrize("output", ACTIVATIONS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("method", ["central", "complex"])
def test_gradients_with_an_output_activation_and_a_penalty(output, penalty, method):
    net = make(output_activation=output)
    report = check_gradient(net, "mse", *batch("mse"), penalty=PENALTIES[penalty](0.3), method=method)
    assert report, report


@given(st.integers(0, 2**32 - 1))
def test_the_matrix_form_equals_the_loop_form(seed):
    rng = np.random.default_rng(seed)
    net = Network([2, 3, 2], "tanh", rng=rng)
    X, y = rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    wanted = np.zeros_like(net.parameters)
    for x, target in zip(X, y, strict=True):
        trace = net.forward(x[None])
        delta = 2 * (trace.output[0] - target) / y.size
        for layer, seen, block in zip(net.layers[::-1], trace.layers[::-1], net.blocks(wanted)[::-1], strict=True):
            slope = layer.activation.slope(seen.z[0], seen.a[0])
            delta = [delta[j] * slope[j] for j in range(layer.outputs)]
            for j in range(layer.outputs):
                for i in range(layer.inputs):
                    block[i, j] += seen.x[0, i] * delta[j]
                block[-1, j] += delta[j]
            delta = [sum(delta[j] * layer.W[i, j] for j in range(layer.outputs)) for i in range(layer.inputs)]
    np.testing.assert_allclose(loss_and_gradient(net, "mse", X, y)[1], wanted, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_of_a_batch_is_the_mean_over_its_examples(loss):
    net, (X, y) = make(), batch(loss)
    each = [loss_and_gradient(net, loss, X[[i]], y[[i]]) for i in range(len(X))]
    value, gradient = loss_and_gradient(net, loss, X, y)
    assert value == pytest.approx(np.mean([one for one, _ in each]), rel=1e-14)
    np.testing.assert_allclose(gradient, np.mean([one for _, one in each], axis=0), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_honoured(loss, dtype):
    net = make(dtype=dtype)
    penalty = PENALTIES["l2"](0.1)
    value, gradient = loss_and_gradient(net, loss, *batch(loss), penalty=penalty)
    assert type(value) is float
    assert gradient.dtype == dtype
    trace = net.forward(batch(loss)[0])
    back = backward(net, trace, LOSSES[loss].slope(trace.output, batch(loss)[1]))
    assert {part.dtype for part in (*back.deltas, back.x_slope, back.gradient)} == {np.dtype(dtype)}


def test_the_slope_along_the_inputs():
    net, (X, y) = make(), batch("mse")
    trace = net.forward(X)
    x_slope = backward(net, trace, LOSSES["mse"].slope(trace.output, y)).x_slope
    for place in np.ndindex(X.shape):
        moved = X.astype(complex)
        moved[place] += 1e-30j
        measured = LOSSES["mse"].value(net.forward(moved).output, y).imag / 1e-30
        assert x_slope[place] == pytest.approx(measured, rel=1e-12)


def test_backward_uses_its_own_trace():
    net, (X, y) = make(), batch("mse")
    trace = net.forward(X)
    slope = LOSSES["mse"].slope(trace.output, y)
    first = backward(net, trace, slope)
    net.forward(-X)
    assert backward(net, trace, slope).gradient.tobytes() == first.gradient.tobytes()


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("method", ["central", "complex"])
def test_a_broken_rule_is_found_in_its_layer(broken, method):
    wrong = dataclasses.replace(ACTIVATIONS["tanh"], derivative=lambda z, a: 1 + a * a)
    rules = ["tanh", "tanh"]
    rules[broken] = wrong
    report = check_gradient(make(rules), "mse", *batch("mse"), method=method)
    assert not report
    assert report.worst > 1e-3
    assert [error > report.tolerance for error in report.by_layer] == [True, broken == 1, False]
    assert report.layer <= broken
    assert str(report).startswith("The gradient is wrong: worst relative error")


def test_a_wrong_number_is_named_with_both_values():
    net, (X, y) = make(), batch("mse")
    right = loss_and_gradient(net, "mse", X, y)[1]
    wrong = right.copy()
    wrong[13] += 0.5
    report = check_gradient(net, "mse", X, y, gradient=wrong)
    assert (report.layer, report.parameter, report.index) == (1, "W[0, 1]", 13)
    assert report.claimed == wrong[13]
    assert report.measured == pytest.approx(right[13], rel=1e-7)
    assert f"layers[1].W[0, 1] (claimed {wrong[13]:.9g}, measured" in str(report)
    assert np.argmax(report.errors) == 13


def test_a_gradient_that_is_not_a_number_is_wrong():
    net, (X, y) = make(), batch("mse")
    wrong = loss_and_gradient(net, "mse", X, y)[1]
    wrong[4] = np.nan
    report = check_gradient(net, "mse", X, y, gradient=wrong)
    assert not report
    assert report.index == 4


def test_central_differences_step_around_kinks_and_skip_what_stands_on_one():
    net = Network([1, 1, 1], "relu", rng=np.random.default_rng(0))
    net.parameters = [1.0, -1.0 + 2e-6, 1.0, 0.0]  # z = 2e-6: closer to the kink than the step
    assert (report := check_gradient(net, "mse", [[1.0]], [1.0], tolerance=1e-4)), report
    assert report.skipped == 0
    net.parameters = [1.0, -1.0, 1.0, 0.0]  # z = 0: on the kink
    report = check_gradient(net, "mse", [[1.0]], [1.0])
    assert report
    assert report.skipped == 2
    assert np.isnan(report.errors[:2]).all()
    assert "2 on a kink were skipped" in str(report)


def test_the_check_leaves_the_network_as_it_was():
    net, before = make(), make().parameters.tobytes()
    check_gradient(net, "mse", *batch("mse"))
    assert net.parameters.tobytes() == before


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"method": "forward"}, SettingError, 'method should be "central" or "complex"'),
        ({"step": 0}, SettingError, "step should be a number above 0"),
        ({"tolerance": -1}, SettingError, "tolerance should be a number above 0"),
        ({"gradient": np.zeros(3)}, ShapeError, r"gradient should have shape \(39,\), got \(3,\)"),
        ({"penalty": 0.1}, SettingError, "penalty should come from PENALTIES"),
    ],
)
def test_errors_of_check_gradient(settings, error, message):
    with pytest.raises(error, match=message):
        check_gradient(make(), "mse", *batch("mse"), **settings)


def test_errors_of_backward_and_loss_and_gradient():
    net, (X, y) = make(), batch("mse")
    with pytest.raises(ShapeError, match=r"output_slope should have the shape of the output, \(5, 3\), got \(5,\)"):
        backward(net, net.forward(X), np.zeros(5))
    with pytest.raises(ShapeError, match=r"y has shape \(4, 3\)"):
        loss_and_gradient(net, "mse", X, y[:4])
    with pytest.raises(SettingError, match="no loss called 'msee'"):
        loss_and_gradient(net, "msee", X, y)

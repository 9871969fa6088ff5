import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.activations import ACTIVATIONS
from nnlib.errors import DTypeError, SettingError, ShapeError
from nnlib.initialisation import INITIALISATIONS
from nnlib.network import Network, count_parameters

sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def make(shape=(2, 3, 1), activation="tanh", **settings):
    return Network(shape, activation, rng=np.random.default_rng(0), **settings)


def test_forward_by_hand():
    net = make([2, 2, 1], "relu")
    net.parameters = [
        1,
        -1,
        2,
        1,
        0,
        0.5,
        3,
        -2,
        1,
    ]  # rows of W, then b
    trace = net.forward([[1, 1], [-1, 0]])
    assert trace.layers[0].z.tolist() == [[3, 0.5], [-1, 1.5]]
    assert trace.layers[0].a.tolist() == [[3, 0.5], [0, 1.5]]
    assert trace.layers[1].x is trace.layers[0].a
    assert trace.output.tolist() == [[9], [-2]]


@given(sizes)
def test_the_layers_are_views_that_cover_theta_once(shape):
    net = make(shape)
    assert net.parameters.shape == (count_parameters(shape),)
    net.parameters[:] = np.arange(net.parameters.size)
    numbers = np.concatenate([np.append(layer.W.ravel(), layer.b) for layer in net.layers])
    assert numbers.tolist() == list(range(net.parameters.size))
    for layer, inputs, outputs in zip(net.layers, shape, shape[1:], strict=False):
        assert layer.W.shape == (inputs, outputs) == (layer.inputs, layer.outputs)
        assert layer.b.shape == (outputs,)
        assert np.shares_memory(layer.block, net.parameters)
        layer.W[0, 0], layer.b[-1] = -1, -2
    assert (net.parameters == -1).sum() == (net.parameters == -2).sum() == len(net.layers)


@given(sizes)
def test_locate_names_every_parameter(shape):
    net = make(shape)
    net.parameters[:] = np.arange(net.parameters.size)
    for index in range(net.parameters.size):
        layer, name = net.locate(index)
        assert eval(name, {"W": net.layers[layer].W, "b": net.layers[layer].b}) == index
    with pytest.raises(SettingError, match="no such index"):
        net.locate(net.parameters.size)
    with pytest.raises(SettingError, match="no such index"):
        net.locate(-1)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_matrix_form_equals_the_loop_form(batch, seed):
    rng = np.random.default_rng(seed)
    net = Network([3, 4, 2], "tanh", rng=rng)
    net.parameters[:] = rng.standard_normal(net.parameters.size)
    X = rng.standard_normal((batch, 3))
    for row, wanted in zip(X, net.forward(X).output, strict=True):
        x = row
        for layer in net.layers:
            z = [sum(x[i] * layer.W[i, j] for i in range(layer.inputs)) + layer.b[j] for j in range(layer.outputs)]
            x = layer.activation.value(z)
        np.testing.assert_allclose(x, wanted, rtol=1e-12, atol=1e-14)


def test_two_forward_passes_do_not_disturb_each_other():
    net, X = make(), np.random.default_rng(1).standard_normal((5, 2))
    first = net.forward(X)
    kept = copy.deepcopy(first)
    net.forward(-X)
    for before, after in zip(kept.layers, first.layers, strict=True):
        assert before.z.tobytes() == after.z.tobytes()
        assert before.a.tobytes() == after.a.tobytes()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_honoured(activation, dtype):
    net = make([2, 3, 2], activation, dtype=dtype)
    assert net.dtype == net.parameters.dtype == dtype
    trace = net.forward(np.ones((2, 2)))
    assert all(part.dtype == dtype for seen in trace.layers for part in (seen.x, seen.z, seen.a))


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_both_dtypes_start_from_the_same_draw_and_biases_at_zero(initialisation):
    double, single = (make(initialisation=initialisation, dtype=dtype) for dtype in ("float64", "float32"))
    assert (double.parameters.astype(np.float32) == single.parameters).all()
    assert all((layer.b == 0).all() for layer in double.layers)


def test_activations_for_each_layer_and_for_the_output():
    net = make([2, 3, 4, 1], ["relu", "tanh"], output_activation="sigmoid")
    assert [layer.activation.name for layer in net.layers] == ["relu", "tanh", "sigmoid"]
    assert [layer.activation.name for layer in make([2, 1]).layers] == ["identity"]
    own = copy.copy(ACTIVATIONS["tanh"])
    assert make(activation=own).layers[0].activation is own


def test_assigning_parameters_copies_into_the_views():
    net, values = make(), np.arange(13.0)
    view = net.layers[0].W
    net.parameters = values
    values[:] = 0
    assert view.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ShapeError, match=r"has 13 parameters .* got an array of shape \(12,\)"):
        net.parameters = np.zeros(12)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, Network.copy])
def test_a_copy_is_independent_and_its_layers_are_views(duplicate):
    net = make()
    other = duplicate(net)
    assert other.parameters.tobytes() == net.parameters.tobytes()
    other.parameters[:] = 1
    assert (other.layers[0].W == 1).all()
    assert not (net.parameters == 1).any()


def test_with_parameters_follows_their_dtype():
    net = make()
    other = net.with_parameters(net.parameters.astype(complex))
    assert other.dtype == complex
    assert other.forward([[1.0, 2.0]]).output.dtype == complex
    np.testing.assert_allclose(other.forward([[1.0, 2.0]]).output, net.forward([[1.0, 2.0]]).output, rtol=1e-15)
    assert net.forward([[1j, 0]]).output.dtype == complex


def test_repr_names_sizes_activations_and_dtype():
    assert repr(make()) == "<Network 2-3-1 (tanh, identity), 13 parameters, float64>"


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (([2],), {}, SettingError, "sizes should list at least the inputs and the outputs"),
        ((3,), {}, SettingError, "sizes should list at least"),
        (([2, 0, 1],), {}, SettingError, r"sizes\[1\] should be a whole number, at least 1, got 0"),
        (([2, 2.5, 1],), {}, SettingError, r"sizes\[1\] should be a whole number"),
        (([2, 3, 1], "rleu"), {}, SettingError, "did you mean 'relu'"),
        (([2, 3, 1], ["relu", "relu"]), {}, SettingError, "one for each of the 1 hidden layers"),
        (([2, 3, 1], 7), {}, SettingError, "one for each of the 1 hidden layers"),
        (([2, 3, 1],), {"output_activation": "soft"}, SettingError, "no activation called 'soft'"),
        (([2, 3, 1],), {"initialisation": "hee"}, SettingError, "did you mean 'he'"),
        (([2, 3, 1],), {"dtype": np.int32}, DTypeError, "dtype should be np.float32 or np.float64"),
        (([2, 3, 1],), {"dtype": "words"}, DTypeError, "dtype should be np.float32 or np.float64"),
        (([2, 3, 1],), {"rng": 3}, SettingError, r"write rng=np\.random\.default_rng\(3\)"),
    ],
)
def test_errors_of_the_constructor(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        Network(*arguments, **({"rng": np.random.default_rng(0)} | settings))


@pytest.mark.parametrize(
    ("shape", "X", "error", "message"),
    [
        (
            [2, 8, 1],
            np.zeros((5, 3)),
            ShapeError,
            r"3 columns .* expects 2 \(its W is \(2, 8\)\); did the label",
        ),
        ([2, 8, 1], np.zeros((5, 7)), ShapeError, "X has 7 columns .* is it the right data set"),
        ([2, 8, 1], [0.0, 1.0], ShapeError, r"for one example write X\[None, :\]"),
        ([1, 8, 1], [0.0, 1.0, 2.0], ShapeError, r"for one feature write X\[:, None\]"),
        ([2, 8, 1], np.zeros((2, 2, 2)), ShapeError, r"X should have shape \(batch, 2\), got \(2, 2, 2\)"),
        ([2, 8, 1], np.zeros((0, 2)), ShapeError, "at least one example"),
        ([2, 8, 1], [["a", "b"]], DTypeError, "X should hold numbers"),
    ],
)
def test_errors_of_forward(shape, X, error, message):
    with pytest.raises(error, match=message):
        make(shape).forward(X)


def test_blocks_refuse_a_vector_of_another_length():
    with pytest.raises(ShapeError, match="13 parameters"):
        make().blocks(np.zeros(3))

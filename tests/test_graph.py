"""The scalar graph: exact small numbers, properties, oracles, and the place where the two engines meet."""

import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlib
from nnlib.errors import SettingError, ShapeError
from nnlib.graph import FUNCTIONS, Graph, Node

SMOOTH_POINTS = {"log": (0.3, 1.0, 2.5)}
POINTS = (-2.0, -0.7, 0.4, 1.3)


def test_a_fork_adds_what_arrives_over_both_edges():
    graph = Graph()
    x = graph.variable(3.0)
    y = x * x + 2 * x - 1
    assert y.value == 14
    assert graph.backward(y)[x] == 8


def test_every_operator_has_the_textbook_derivative():
    graph = Graph()
    a, b = graph.variable(6.0), graph.variable(-2.0)
    for result, da, db in [
        (a + b, 1, 1),
        (a - b, 1, -1),
        (a * b, -2, 6),
        (a / b, -0.5, -1.5),
        (-a, -1, 0),
        (a**3, 108, 0),
        (b**0, 0, 0),
        (2 + a, 1, 0),
        (2 - a, -1, 0),
        (2 * b, 0, 2),
        (2 / b, 0, -0.5),
        (graph.total([a, b, a]), 2, 1),
    ]:
        gradient = graph.backward(result)
        assert (gradient[a], gradient[b]) == (da, db), result


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_agrees_with_central_differences(name):
    for x in SMOOTH_POINTS.get(name, POINTS):
        rule, h = FUNCTIONS[name], 1e-6
        measured = (rule.value(x + h) - rule.value(x - h)) / (2 * h)
        assert rule.slope(x, rule.value(x)) == pytest.approx(measured, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_written_slope_of_every_function_is_the_slope(name):
    for x in SMOOTH_POINTS.get(name, POINTS):
        rule = FUNCTIONS[name]
        text = rule.written.replace("−", "-").replace("·", "*").replace("²", "**2")
        text = text.replace(" if x > 0, else ", " if x > 0 else ")
        y = rule.value(x)
        value = eval(text, {"x": x, "y": y, "sigmoid": FUNCTIONS["sigmoid"].value})
        assert value == pytest.approx(rule.slope(x, y), rel=1e-12)


@pytest.mark.parametrize("x", [-1e4, 1e4])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "softplus"])
def test_functions_do_not_overflow(name, x):
    y = FUNCTIONS[name].value(x)
    assert math.isfinite(y)
    assert math.isfinite(FUNCTIONS[name].slope(x, y))


def test_a_neuron_equals_the_same_sum_of_products_built_node_by_node():
    graph = Graph()
    w, x, b = graph.variables([0.5, -1.5, 2.0]), graph.variables([3.0, 0.25, -1.0]), graph.variable(0.75)
    fused = graph.neuron(w, x, b)
    single = sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)
    assert fused.value == single.value == -0.125
    fused_gradient, single_gradient = graph.backward(fused), graph.backward(single)
    for node in (*w, *x, b):
        assert fused_gradient[node] == single_gradient[node]
    assert [fused_gradient[node] for node in (*w, *x, b)] == [3.0, 0.25, -1.0, 0.5, -1.5, 2.0, 1.0]


def test_one_node_may_be_weight_and_input_of_the_same_neuron():
    graph = Graph()
    x, b = graph.variable(3.0), graph.variable(0.0)
    assert graph.backward(graph.neuron([x], [x], b))[x] == 6


def expression(graph: Graph, x: Node, y: Node) -> Node:
    u = (x * y + 0.5).apply("tanh")
    v = (u - x / (y * y + 2)).apply("softplus")
    return (u * v + v.apply("log")) ** 2 + (x - y).apply("sigmoid")


finite = st.floats(-3, 3, allow_nan=False)


@given(finite, finite)
@settings(max_examples=60, deadline=None)
def test_backward_agrees_with_central_differences(a, b):
    def value(a, b):
        graph = Graph()
        return expression(graph, graph.variable(a), graph.variable(b)).value

    graph, h = Graph(), 1e-5
    x, y = graph.variable(a), graph.variable(b)
    gradient = graph.backward(expression(graph, x, y))
    assert gradient[x] == pytest.approx((value(a + h, b) - value(a - h, b)) / (2 * h), rel=1e-6, abs=1e-7)
    assert gradient[y] == pytest.approx((value(a, b + h) - value(a, b - h)) / (2 * h), rel=1e-6, abs=1e-7)


@given(finite, finite)
@settings(max_examples=30, deadline=None)
def test_the_sweep_replays_backward_step_by_step(a, b):
    graph = Graph()
    output = expression(graph, graph.variable(a), graph.variable(b))
    gradient = [0.0] * len(graph)
    gradient[output] = 1.0
    for step in graph.sweep(output):
        assert graph.starts[step.target] <= step.edge < graph.starts[step.target + 1]
        assert graph.sources[step.edge] == step.source < step.target
        assert step.upstream == gradient[step.target]
        assert step.contribution == step.upstream * graph.slopes[step.edge] == step.upstream * step.slope
        gradient[step.source] += step.contribution
        assert step.gradient == gradient[step.source]
    assert gradient == graph.backward(output)


def test_a_second_backward_gives_the_same_and_leaves_the_first_alone():
    graph = Graph()
    x = graph.variable(2.0)
    y = x * x
    z = y * x
    first = graph.backward(z)
    kept = list(first)
    assert graph.backward(z) == first
    assert graph.backward(y)[x] == 4
    z + 1
    assert first == kept
    assert first[x] == 12


def test_what_the_output_does_not_depend_on_has_gradient_zero():
    graph = Graph()
    x, other = graph.variable(2.0), graph.variable(5.0)
    y = x * 3
    later = y * other
    gradient = graph.backward(y)
    assert gradient[other] == gradient[later] == 0
    assert len(gradient) == len(graph)


def test_a_chain_of_a_hundred_thousand_nodes():
    graph = Graph()
    x = node = graph.variable(1.0)
    one = graph.variable(1.0)
    for _ in range(100_000):
        node = node + one
    gradient = graph.backward(node)
    assert node.value == 100_001
    assert (gradient[x], gradient[one]) == (1, 100_000)
    assert sum(1 for _ in graph.sweep(node)) == 200_000


def test_a_graph_is_freed_without_the_cyclic_collector():
    gc.collect()
    gc.disable()
    try:
        graph = Graph()
        expression(graph, graph.variable(0.5), graph.variable(-0.25))
        del graph
        assert not any(type(thing) in (Graph, Node) for thing in gc.get_objects())
    finally:
        gc.enable()


def graph_of_network(net, X, y):
    """The mean binary cross-entropy of a network, number by number: (graph, [(W, b)] as nodes, loss)."""
    graph = Graph()
    layers = []
    for layer in net.layers:
        W = [graph.variables(row) for row in layer.W.tolist()]
        b = graph.variables(layer.b.tolist())
        layers.append((W, b))
    losses = []
    for row, target in zip(X.tolist(), y.tolist(), strict=True):
        a = graph.variables(row)
        for index, (W, b) in enumerate(layers):
            columns = list(zip(*W, strict=True))
            a = [graph.neuron(column, a, bias) for column, bias in zip(columns, b, strict=True)]
            if index < len(layers) - 1:
                a = [z.apply("tanh") for z in a]
        losses.append(a[0].apply("softplus") - a[0] * target)
    return graph, layers, graph.total(losses) / len(losses)


def test_the_two_engines_meet():
    """graph = network = central differences = complex step, for every parameter of a 2-5-4-1 network."""
    rng = np.random.default_rng(7)
    net = nnlib.Network([2, 5, 4, 1], activation="tanh", rng=rng)
    net.parameters[:] = rng.normal(size=net.parameters.size)
    X, y = rng.normal(size=(12, 2)), rng.integers(0, 2, size=12).astype(float)

    value, gradient = nnlib.loss_and_gradient(net, "binary_cross_entropy", X, y.reshape(-1, 1))

    graph, layers, loss = graph_of_network(net, X, y)
    swept = graph.backward(loss)
    shaped = nnlib.Network([2, 5, 4, 1], activation="tanh", rng=rng)
    for layer, (W, b) in zip(shaped.layers, layers, strict=True):
        layer.W[:] = [[swept[w] for w in row] for row in W]
        layer.b[:] = [swept[bias] for bias in b]
    assert loss.value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(shaped.parameters, gradient, rtol=1e-12, atol=1e-15)

    def formula(theta):
        a, start = X, 0
        for n, m in [(2, 5), (5, 4), (4, 1)]:
            W, b = theta[start : start + n * m].reshape(n, m), theta[start + n * m : start + n * m + m]
            z, start = a @ W + b, start + n * m + m
            a = np.tanh(z)
        return np.mean(np.log(1 + np.exp(z[:, 0])) - y * z[:, 0])

    theta, one = net.parameters.copy(), np.eye(net.parameters.size)
    complex_step = [formula(theta + 1e-30j * direction).imag / 1e-30 for direction in one]
    central = [(formula(theta + 1e-5 * d) - formula(theta - 1e-5 * d)) / 2e-5 for d in one]
    np.testing.assert_allclose(complex_step, gradient, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(central, gradient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("mistake", "error", "words"),
    [
        (lambda g, x: Graph().variable(1.0) + x, SettingError, "belongs to another graph"),
        (lambda g, x: Graph().backward(x), SettingError, "belongs to another graph"),
        (lambda g, x: x**x, SettingError, "only fixed numbers can be exponents"),
        (lambda g, x: (x - 2) ** 0.5, SettingError, "no finite value or slope"),
        (lambda g, x: x / (x - x), SettingError, "division by zero"),
        (lambda g, x: (x - 5).apply("log"), SettingError, "no finite value"),
        (lambda g, x: (x * 1e3).apply("exp"), SettingError, "no finite value"),
        (lambda g, x: x.apply("tan"), SettingError, "there is no function called 'tan'"),
        (lambda g, x: g.neuron([x], [x, x], x), ShapeError, "one weight for each input; got 1 and 2"),
    ],
)
def test_a_mistake_gets_a_message(mistake, error, words):
    graph = Graph()
    with pytest.raises(error, match=words):
        mistake(graph, graph.variable(2.0))

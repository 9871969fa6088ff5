"""What a reader must be able to rely on: gradients everywhere, a checker that finds faults, walks that repeat."""

import dataclasses
import inspect
import textwrap
import tracemalloc
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib import backpropagation
from nnlib.activations import ACTIVATIONS
from nnlib.backpropagation import check_gradient, loss_and_gradient
from nnlib.gradient_descent import descend
from nnlib.losses import LOSSES, Loss
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.plan import FORGET, Examples


def make(sizes, activation, seed=0, **settings):
    net = Network(sizes, activation, rng=np.random.default_rng(seed), **settings)
    net.parameters[:] = np.random.default_rng(seed + 1).standard_normal(net.parameters.size)
    return net


def data(loss, net, examples, seed=2):
    rng, outputs = np.random.default_rng(seed), net.sizes[-1]
    X = rng.standard_normal((examples, net.sizes[0]))
    return X, rng.integers(0, outputs, examples) if LOSSES[loss].by_row else rng.integers(0, 2, (examples, outputs))


@given(
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    loss=st.sampled_from(sorted(LOSSES)),
    outputs=st.sampled_from([1, 2, 5]),
    examples=st.sampled_from([1, 7, 64]),
    depth=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=60)
def test_every_gradient_is_exact(activation, loss, outputs, examples, depth, seed):
    """In the plain form and in the fast one, against the complex step, which has no rounding of its own."""
    outputs = max(outputs, 2) if LOSSES[loss].by_row else outputs
    net = make([2, *[3] * (depth - 1), outputs], activation, seed)
    X, y = data(loss, net, examples, seed)
    plain = check_gradient(net, loss, X, y, method="complex", tolerance=1e-12)
    assert plain, plain
    value, gradient, _ = Examples(net, loss, X, y).plan().run()
    fast = check_gradient(net, loss, X, y, method="complex", tolerance=1e-12, gradient=gradient)
    assert fast, fast
    assert value == pytest.approx(loss_and_gradient(net, loss, X, y)[0], rel=1e-13)


# Mutations: each breaks one line of `backward` in one layer.

RULES = {
    "missing slope": ("slope * layer.activation.derivative(seen.z, seen.a)", "slope * 1"),
    "slope of the wrong number": ("derivative(seen.z, seen.a)", "derivative(seen.a, seen.a)"),
    "transposed gradient": ("seen.x.T @ delta", "(seen.x.T @ delta).T"),
    "wrong sign": ("seen.x.T @ delta", "-seen.x.T @ delta"),
    "stale activation": ("seen.x.T @ delta", "np.roll(seen.x, 1, axis=0).T @ delta"),
    "activation for input": ("seen.x.T @ delta", "seen.a.T @ delta"),
    "mean for sum": ("delta.sum(axis=0)", "delta.mean(axis=0)"),
    "forgotten bias": ("delta.sum(axis=0)", "0"),
    "one example's bias": ("delta.sum(axis=0)", "delta[0]"),
    "transposed way down": ("delta @ layer.weights.T", "delta @ layer.W"),
    "wrong sign on the way down": ("delta @ layer.weights.T", "-delta @ layer.weights.T"),
    "undelivered slope": ("delta @ layer.weights.T", "slope @ layer.weights.T"),
}


def broken_backward(rule, layer):
    right, wrong = RULES[rule]
    source = textwrap.dedent(inspect.getsource(backpropagation.backward))
    assert source.count(right) == 1, f"backward no longer holds {right!r}"
    scope = vars(backpropagation) | {"BROKEN": layer}
    lines = source.splitlines()
    at = next(i for i, line in enumerate(lines) if right in line)
    target, formula = lines[at].split("#")[0].split(" = ", 1)
    lines[at] = f"{target} = ({formula.replace(right, wrong)}) if layer is net.layers[BROKEN] else ({formula})"
    exec("from __future__ import annotations\n" + "\n".join(lines), scope)
    return scope["backward"]


@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("rule", RULES)
def test_the_checker_names_the_layer_of_a_broken_rule(rule, layer, method, monkeypatch):
    net = make([3, 3, 3, 3], "tanh", output_activation="tanh")
    X, y = data("mse", net, 5)
    assert check_gradient(net, "mse", X, y, method=method).suspect is None
    monkeypatch.setattr(backpropagation, "backward", broken_backward(rule, layer))
    report = check_gradient(net, "mse", X, y, method=method)
    first_hurt = layer - 1 if "layer.weights.T" in RULES[rule][0] else layer  # the way down leads to the layer below
    assert bool(report) == (first_hurt < 0)
    assert report.suspect == (first_hurt if first_hurt >= 0 else None)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_checker_names_the_last_layer_when_the_loss_forgets_its_mean(loss, monkeypatch):
    net = make([3, 3, 3, 3], "tanh")
    X, y = data(loss, net, 5)
    monkeypatch.setattr(Loss, "mean_slope", lambda self, p, y: self.each_slope(p, y))
    assert check_gradient(net, loss, X, y, method="complex").suspect == 2


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name not in ("identity", "step")])
@pytest.mark.parametrize("layer", [0, 1])
def test_the_checker_names_the_layer_of_a_wrong_derivative(activation, layer):
    right = ACTIVATIONS[activation]
    wrong = dataclasses.replace(right, derivative=lambda z, a: right.derivative(z, a) + 0.01)
    net = make([3, 3, 3, 3], [wrong if number == layer else right for number in range(2)])
    assert check_gradient(net, "mse", *data("mse", net, 5), method="complex").suspect == layer


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy", "cross_entropy", "huber"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_no_call_of_a_plan_can_be_left_out(activation, loss):
    net = make([2, 4, 3, 3], activation)
    X, y = data(loss, net, 9)
    for dropped, call in enumerate(Examples(net, loss, X, y).plan(4).calls):
        if call.formula.startswith("t = max"):
            continue  # only against overflow, see test_outputs_of_any_size
        net.parameters[:] = np.random.default_rng(5).standard_normal(net.parameters.size)
        plan = Examples(net, loss, X, y).plan(4)
        plan.run(np.array([8, 7, 0, 2]))
        net.parameters[:] = np.random.default_rng(6).standard_normal(net.parameters.size)
        rows = np.array([1, 2, 3, 4])
        del plan._runs[True][dropped]
        with np.errstate(all="ignore"):
            value, gradient, _ = plan.run(rows)
        wanted, slope = loss_and_gradient(net, loss, X[rows], y[rows])
        assert value != pytest.approx(wanted, rel=1e-9) or not np.allclose(gradient, slope, rtol=1e-9), call.formula


# Repeating.


def walk(seed, optimizer="adam", batch_size=8, dtype=np.float64):
    net = Network([2, 6, 3], "relu", rng=np.random.default_rng(seed), dtype=dtype)
    X, y = data("cross_entropy", net, 30, seed)
    rng = np.random.default_rng(seed)
    return descend(net, "cross_entropy", X, y, optimizer=optimizer, batch_size=batch_size, rng=rng)


def as_bytes(step):
    return step.index, step.loss, step.parameters.tobytes(), step.gradient.tobytes(), step.epoch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(order=st.permutations([0] * 6 + [1] * 6 + [2] * 6))
@settings(deadline=None, max_examples=10)
def test_walks_give_the_same_bytes_in_any_order_of_calls(dtype, order):
    alone = [[as_bytes(step) for step in islice(walk(seed, dtype=dtype), 6)] for seed in range(3)]
    walks, mixed = [walk(seed, dtype=dtype) for seed in range(3)], [[], [], []]
    for which in order:
        mixed[which].append(as_bytes(next(walks[which])))
    assert mixed == alone


# Memory.


def traced(run) -> int:
    """Return the most bytes that a run held at once."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Memory:
    """A training run of which the bytes beyond its data and the activations of its batches are counted in vectors."""

    def __init__(self, name, every, rate=0.001):
        rng = np.random.default_rng(0)
        X, y = rng.standard_normal((100, 50)), rng.integers(0, 10, 100)
        self.net = Network([50, 500, 500, 10], "relu", rng=rng)  # its own θ is made before anything is counted
        self.vector = self.net.parameters.nbytes
        optimizer = OPTIMIZERS[name](learning_rate=rate)

        def batches():
            examples = Examples(self.net, "cross_entropy", X, y)
            return examples, examples.plan(8), examples.plan(100 % 8)

        self.rest = traced(batches) - self.vector  # the gradient is one of those that count
        self.train = lambda: descend(
            self.net, "cross_entropy", X, y, optimizer=optimizer, batch_size=8, rng=rng, every=every
        )

    def vectors(self, peak):
        return (peak - self.rest) / self.vector


SMALL = 0.5  # of a vector: the work array of the update, and what Python itself needs


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_between_two_steps_hold_the_gradient_and_the_optimizers_memory(name):
    peaks = []

    def rate(t):
        if t == 2:  # step 0 is gone
            tracemalloc.reset_peak()
        if t == FORGET + 8:  # what has faded was cleared
            peaks.append(tracemalloc.get_traced_memory()[1])
        return 0.001

    memory = Memory(name, FORGET + 10, rate)
    traced(lambda: next(islice(memory.train(), 1, None)))
    wanted = 1 + len(OPTIMIZERS[name].memory)
    assert wanted - SMALL < memory.vectors(peaks[0]) < wanted + SMALL


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_walk_holds_a_fixed_number_of_vectors_and_its_steps_theirs(name):
    """Beside the gradient: a step's θ, gradient and memory; and a copy of the memory, once the next update begins."""
    remembered = len(OPTIMIZERS[name].memory)
    memory = Memory(name, 20)
    peak = traced(lambda: next(islice(memory.train(), 3, None)))
    assert memory.vectors(peak) < 1 + max(2 + remembered, 2 * remembered) + SMALL
    memory, kept = Memory(name, 1), []
    peak = traced(lambda: kept.extend(islice(memory.train(), 6)))
    assert memory.vectors(peak) < 1 + len(kept) * (2 + remembered) + SMALL


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("every", [1, 4])
def test_a_loop_over_steps_holds_two_of_them(name, every):
    memory = Memory(name, every)

    def loop():
        for _ in islice(memory.train(), 10):
            pass

    assert memory.vectors(traced(loop)) < 1 + 2 * (2 + len(OPTIMIZERS[name].memory)) + SMALL

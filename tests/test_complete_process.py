"""The complete process: its frames tell the step that nnlib takes."""

from itertools import islice

import numpy as np
import pytest

import nnlib
from nnlib.widgets.complete_process import (
    BATCH,
    EXAMPLES,
    FRESH,
    HIDDEN,
    ONE_STEP,
    RUN,
    SIZES,
    STARTS,
    UPDATES,
    XOR,
    CompleteProcess,
)

X, Y = np.array([x for x, _ in XOR]), np.array([[float(y)] for _, y in XOR])


def network(name="2-3-1", activation="tanh"):
    net = nnlib.Network(SIZES[name], activation=activation, rng=np.random.default_rng(0))
    net.parameters[:] = STARTS[name]
    return net


def walk(net, X, y, learning_rate):
    optimizer = nnlib.OPTIMIZERS["sgd"](learning_rate=learning_rate)
    return nnlib.descend(net, "binary_cross_entropy", X, y, optimizer=optimizer)


def parameters_of(recording, frame):
    """The numbers of one frame in the order of θ."""
    slots, net = recording.meta["slots"], nnlib.Network(recording.meta["sizes"], rng=np.random.default_rng(0))
    for layer, (W, b) in enumerate(((part.W, part.b) for part in net.layers), start=1):
        for (i, j), _ in np.ndenumerate(W):
            W[i, j] = recording.frames["value"][frame][slots.index(f"W{layer}_{i + 1}_{j + 1}")]
        for j in range(len(b)):
            b[j] = recording.frames["value"][frame][slots.index(f"b{layer}_{j + 1}")]
    return net.parameters


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_one_step_ends_with_the_parameters_of_the_library(name, example):
    recording = CompleteProcess.recorded(view=ONE_STEP, network=name, example=example, learning_rate=0.3)
    x, y = EXAMPLES[example]
    one = next(islice(walk(network(name), np.array([x]), np.array([[y]]), 0.3), 1, None))
    np.testing.assert_allclose(parameters_of(recording, -1), one.parameters, rtol=1e-12)
    assert recording.frames["loss"][-1] == pytest.approx(one.loss)


def test_the_numbers_of_a_step_appear_one_after_another():
    state = CompleteProcess.recorded(view=ONE_STEP).frames["state"]
    known = (state != HIDDEN).sum(axis=1)
    assert (np.diff(known[:-1]) >= 0).all()
    assert not (state[0] == FRESH).any()
    assert (state[1:] == FRESH).any(axis=1).all()


def test_four_examples_make_one_update_along_their_mean():
    recording = CompleteProcess.recorded(view=BATCH, learning_rate=0.7)
    one = next(islice(walk(network(), X, Y, 0.7), 1, None))
    np.testing.assert_allclose(parameters_of(recording, -1), one.parameters, rtol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_a_run_is_the_librarys_run(activation):
    recording = CompleteProcess.recorded(view=RUN, activation=activation)
    losses = {s.index: s.loss for s in islice(walk(network(activation=activation), X, Y, 0.5), UPDATES[-1] + 1)}
    np.testing.assert_allclose(recording.frames["mean_loss"], [losses[n] for n in UPDATES], rtol=1e-12)


def test_every_gradient_has_its_nudge_beside_it():
    recording = CompleteProcess.recorded(view=ONE_STEP)
    slots, value = recording.meta["slots"], recording.frames["value"][-2]
    told = recording.meta["tellings"][0]
    gradients = [k for k, name in enumerate(slots) if name.startswith("d")]
    assert len(gradients) == network().parameters.size
    for k in gradients:
        formula, numbers, nudge = told[k]
        assert "δ" in formula
        assert numbers.endswith(f"= {value[k]:.3f}".replace("-0.000", "0.000").replace("-", "−"))
        assert nudge == pytest.approx(value[k], abs=1e-8)


@pytest.mark.parametrize(("learning_rate", "words"), [(0.5, "the loss fell from"), (50, "The step was too long.")])
def test_a_step_that_is_too_long_is_said_to_be_so(learning_rate, words):
    recording = CompleteProcess.recorded(view=ONE_STEP, learning_rate=learning_rate, example="(0, 1) → 1")
    loss = recording.frames["loss"]
    assert words in recording.meta["sentences"][-1]
    assert (loss[-1] < loss[-2]) == (learning_rate == 0.5)

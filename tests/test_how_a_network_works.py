import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlib
from nnlib.how_a_network_works import LOSS, PHASES, complete_step, parameter


@st.composite
def networks(draw):
    sizes = [draw(st.integers(1, 4)), *draw(st.lists(st.integers(1, 4), max_size=2)), 1]
    activation = draw(st.sampled_from(["tanh", "sigmoid", "softplus", "gelu"]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    network = nnlib.Network(sizes, activation=activation, rng=rng)
    network.parameters[:] = rng.normal(size=network.parameters.size)
    return network, rng.normal(size=sizes[0]), float(rng.integers(2))


@given(networks())
def test_every_number_is_the_one_of_the_vectorised_network(case):
    network, x, y = case
    loss, gradient = nnlib.loss_and_gradient(network, LOSS, x[None, :], np.array([[y]]))
    trace = network.forward(x[None, :])
    step = {q.name: q for q in complete_step(network, x, y, learning_rate=0.3)}
    assert step["L"].value == pytest.approx(loss, rel=1e-12)
    for number, seen in enumerate(trace.layers, start=1):
        np.testing.assert_allclose(
            [step[f"z{number}_{j + 1}"].value for j in range(seen.z.size)], seen.z[0], rtol=1e-12
        )
    as_network = nnlib.Network(network.sizes, rng=np.random.default_rng(0))
    updated = nnlib.Network(network.sizes, rng=np.random.default_rng(0))
    for name, q in step.items():
        if name.startswith("d"):
            parameter(as_network, name[1:])[...] = q.value
            assert q.check == pytest.approx(q.value, rel=1e-5, abs=1e-8)
        if name.startswith("new_"):
            parameter(updated, name.removeprefix("new_"))[...] = q.value
    np.testing.assert_allclose(as_network.parameters, gradient, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(updated.parameters, network.parameters - 0.3 * gradient, rtol=1e-10, atol=1e-14)


@given(networks())
def test_the_network_is_left_as_it_was_and_the_phases_come_in_order(case):
    network, x, y = case
    before = network.parameters.copy()
    phases = [q.phase for q in complete_step(network, x, y, learning_rate=0.3)]
    assert phases == sorted(phases, key=PHASES.index)
    assert network.parameters.tobytes() == before.tobytes()


def test_the_neuron_of_the_chapter_by_hand():
    neuron = nnlib.Network([2, 1], rng=np.random.default_rng(0))
    neuron.parameters[:] = [0.5, -0.3, 0.1]
    step = {q.name: q for q in complete_step(neuron, np.array([1.0, 2.0]), 1, learning_rate=0.5)}
    assert step["z1_1"].numbers == "1.000 × 0.500 + 2.000 × (−0.300) + 0.100 = 0.000"
    assert step["p"].value == 0.5
    assert [step[name].value for name in ("dW1_1_1", "dW1_2_1", "db1_1")] == [-0.5, -1.0, -0.5]
    assert [step[f"new_{name}"].value for name in ("W1_1_1", "W1_2_1", "b1_1")] == pytest.approx([0.75, 0.2, 0.35])


def test_refuses_several_outputs_and_a_batch():
    rng = np.random.default_rng(0)
    with pytest.raises(nnlib.ShapeError, match="one output"):
        complete_step(nnlib.Network([2, 3], rng=rng), np.zeros(2), 0, learning_rate=0.1)
    with pytest.raises(nnlib.ShapeError, match="pass one row"):
        complete_step(nnlib.Network([2, 1], rng=rng), np.zeros((4, 2)), 0, learning_rate=0.1)

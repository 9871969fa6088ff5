"""Replicas are the same networks, only side by side."""

from itertools import islice

import numpy as np
import pytest

from nnlib.backpropagation import loss_and_gradient
from nnlib.errors import SettingError
from nnlib.gradient_descent import descend
from nnlib.learning_representations import EXPERIMENTS, half_squares
from nnlib.network import Network
from nnlib.optimizers import OPTIMIZERS
from nnlib.replicas import Replicas

NAMES = ["symmetry", "xor_shortcut_0.5", "family", "spirals_shortcuts", "spirals"]
every_kind = pytest.mark.parametrize("name", NAMES)


def start(name, seeds=(3, 1, 4)):
    experiment = EXPERIMENTS[name]
    return experiment, [experiment.network(seed) for seed in seeds], *experiment.data()


@every_kind
def test_outputs_and_gradients_are_those_of_each_network(name):
    experiment, networks, X, y = start(name)
    replicas = Replicas(networks)
    gradient = replicas.gradient(experiment.loss, X, y)
    for index, net in enumerate(networks):
        np.testing.assert_allclose(replicas.forward(X)[index], net.forward(X).output, rtol=1e-12)
        wanted = loss_and_gradient(net, experiment.loss, X, y)[1]
        np.testing.assert_allclose(gradient[index], wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())


@every_kind
def test_a_walk_is_the_walk_of_each_network(name):
    experiment, networks, X, y = start(name)
    replicas = Replicas(networks)
    assert list(islice(replicas.descend(experiment.loss, X, y, optimizer=experiment.optimizer), 21))[-1] == 20
    for index, net in enumerate(networks):
        *_, step = islice(descend(net, experiment.loss, X, y, optimizer=experiment.optimizer), 21)
        np.testing.assert_allclose(replicas.parameters[index], step.parameters, rtol=1e-8, atol=1e-10)
        assert replicas[index].forward(X).output.shape == y.shape


def test_each_may_have_examples_of_its_own():
    experiment, networks, X, y = start("family")
    rows = np.array([experiment.cases(seed)[0] for seed in (3, 1, 4)])
    gradient = Replicas(networks).gradient(experiment.loss, X[rows], y[rows])
    for index, net in enumerate(networks):
        wanted = loss_and_gradient(net, experiment.loss, X[rows[index]], y[rows[index]])[1]
        np.testing.assert_allclose(gradient[index], wanted, rtol=1e-9, atol=1e-12)


def test_the_networks_stay_as_they_are():
    _, networks, X, y = start("symmetry")
    before = networks[0].parameters.copy()
    list(islice(Replicas(networks).descend(half_squares(), X, y, optimizer=OPTIMIZERS["sgd"](0.1)), 3))
    assert networks[0].parameters.tobytes() == before.tobytes()


@pytest.mark.parametrize("networks", [[], [[2, 3, 1], [2, 4, 1]]])
def test_only_networks_of_one_shape(networks):
    made = [Network(sizes, rng=np.random.default_rng(0)) for sizes in networks]
    with pytest.raises(SettingError, match="networks of one shape"):
        Replicas(made)

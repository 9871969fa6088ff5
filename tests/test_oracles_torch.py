"""nnlib against PyTorch in double precision: gradients, optimizers, and every engine of the book in one test."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: python -m pip install torch==2.13.0")

from itertools import islice  # noqa: E402

from nnlib.activations import ACTIVATIONS  # noqa: E402
from nnlib.backpropagation import check_gradient, loss_and_gradient  # noqa: E402
from nnlib.gradient_descent import descend  # noqa: E402
from nnlib.graph import Graph  # noqa: E402
from nnlib.losses import LOSSES  # noqa: E402
from nnlib.network import Network  # noqa: E402
from nnlib.optimizers import OPTIMIZERS  # noqa: E402
from nnlib.schedules import Cosine  # noqa: E402

F = torch.nn.functional

ACTIVATION = {
    "identity": lambda z: z,
    "step": lambda z: (z >= 0).to(z) + 0 * z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": lambda z: F.softplus(z, threshold=50),
}

LOSS = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "hinge": lambda p, y: torch.relu(1 - p * (2 * y - 1)).mean(),
}

# PyTorch has Nesterov's method in the same form. Its AdamW shrinks θ before it moves, nnlib (as algorithm 2 of the
# paper) in the same step: θ - ηλθ - η m̂/(√v̂ + ε) both.
OPTIMIZER = {
    "sgd": lambda theta, rate: torch.optim.SGD(theta, lr=rate),
    "momentum": lambda theta, rate: torch.optim.SGD(theta, lr=rate, momentum=0.9),
    "nesterov": lambda theta, rate: torch.optim.SGD(theta, lr=rate, momentum=0.9, nesterov=True),
    "adagrad": lambda theta, rate: torch.optim.Adagrad(theta, lr=rate, eps=1e-8),
    "rmsprop": lambda theta, rate: torch.optim.RMSprop(theta, lr=rate, alpha=0.9, eps=1e-8),
    "adam": lambda theta, rate: torch.optim.Adam(theta, lr=rate),
    "adamw": lambda theta, rate: torch.optim.AdamW(theta, lr=rate, weight_decay=0.01),
}


def make(activation, sizes=(2, 5, 4, 3), seed=0):
    net = Network(sizes, activation, rng=np.random.default_rng(seed))
    net.parameters[:] = np.random.default_rng(seed + 1).standard_normal(net.parameters.size)
    return net


def data(loss, net, examples=7, seed=2):
    rng, outputs = np.random.default_rng(seed), net.sizes[-1]
    X = rng.standard_normal((examples, net.sizes[0]))
    y = rng.integers(0, outputs, examples) if LOSSES[loss].by_row else rng.integers(0, 2, (examples, outputs)) * 1.0
    return X, y


def torch_loss(theta, net, loss, X, y):
    """The network written anew in PyTorch, from the flat vector θ."""
    a, start = torch.from_numpy(X), 0
    for layer in net.layers:
        stop = start + layer.block.size
        block = theta[start:stop].reshape(layer.block.shape)
        a, start = ACTIVATION[layer.activation.name](a @ block[:-1] + block[-1]), stop
    return LOSS[loss](a, torch.from_numpy(y))


def torch_gradient(net, loss, X, y):
    theta = torch.tensor(net.parameters, requires_grad=True)
    value = torch_loss(theta, net, loss, X, y)
    value.backward()
    return value.item(), theta.grad.numpy()


def test_everything_in_the_registries_has_an_oracle():
    assert (set(ACTIVATION), set(LOSS), set(OPTIMIZER)) == (set(ACTIVATIONS), set(LOSSES), set(OPTIMIZERS))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_loss_and_gradient_are_those_of_pytorch(activation, loss):
    net = make(activation)
    X, y = data(loss, net)
    value, gradient = loss_and_gradient(net, loss, X, y)
    wanted, slope = torch_gradient(net, loss, X, y)
    assert value == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12 * np.abs(slope).max())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("schedule", [False, True])
def test_a_hundred_steps_of_every_optimizer_are_those_of_pytorch(name, schedule):
    rate = start = min(0.01, OPTIMIZERS[name]().learning_rate)  # RMSProp is restless: at 0.01 it magnifies rounding
    if schedule:
        rate = Cosine(start, steps=80, final=start / 10)
    net = make("tanh")
    X, y = data("cross_entropy", net, 20)
    theta = torch.tensor(net.parameters, requires_grad=True)
    optimizer = OPTIMIZER[name]([theta], start)
    for step in islice(descend(net, "cross_entropy", X, y, optimizer=OPTIMIZERS[name](rate)), 101):
        np.testing.assert_allclose(step.parameters, theta.detach().numpy(), rtol=1e-12, atol=1e-12)
        optimizer.param_groups[0]["lr"] = rate(step.index) if schedule else rate
        optimizer.zero_grad()
        torch_loss(theta, net, "cross_entropy", X, y).backward()
        optimizer.step()


def test_five_engines_agree_on_one_gradient():
    """Graph, network, central differences, complex step and PyTorch: five ways to one gradient."""
    net = make("tanh", (2, 4, 3, 1))
    X, y = data("mse", net, 6)
    value, gradient = loss_and_gradient(net, "mse", X, y)

    graph = Graph()
    theta = graph.variables(net.parameters.tolist())
    places = net.blocks(np.arange(net.parameters.size, dtype=float))
    errors = []
    for x, target in zip(X.tolist(), y.tolist(), strict=True):
        a = graph.variables(x)
        for number, block in enumerate(places):
            columns = [[theta[int(place)] for place in column] for column in block.T]
            z = [graph.neuron(column[:-1], a, column[-1]) for column in columns]
            a = z if number == len(places) - 1 else [node.apply("tanh") for node in z]
        errors.append((a[0] - target[0]) ** 2)
    loss = graph.total(errors) / len(errors)
    swept = graph.backward(loss)

    assert loss.value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose([swept[node] for node in theta], gradient, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(torch_gradient(net, "mse", X, y)[1], gradient, rtol=1e-12, atol=1e-14)
    assert (report := check_gradient(net, "mse", X, y, method="complex", tolerance=1e-12)), report
    assert (report := check_gradient(net, "mse", X, y, method="central")), report
    walked = next(descend(net, "mse", X, y, optimizer="sgd"))
    np.testing.assert_allclose(walked.gradient, gradient, rtol=1e-12, atol=1e-14)

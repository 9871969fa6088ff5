"""The loads, and how each contender does them: functions that do a number of training steps when called."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise

import numpy as np

import nnlib
from benchmarks.scalar_engine import Value
from nnlib.plan import Examples

Run = Callable[[int], object]  # of the number of steps


@dataclass(frozen=True)
class Training:
    """One training problem, the same for all contenders, in float32."""

    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    X: np.ndarray
    y: np.ndarray
    batch: int | None
    rate: float = 0.001

    @property
    def loss(self) -> str:
        """Cross-entropy, of one logit or of several."""
        return "binary_cross_entropy" if self.sizes[-1] == 1 else "cross_entropy"

    def network(self) -> nnlib.Network:
        """Return the network at its start."""
        return nnlib.Network(self.sizes, self.activation, rng=np.random.default_rng(0), dtype=np.float32)

    def products(self) -> Run:
        """Return the matrix products of a step and nothing else, in nnlib's layout."""
        plan = Examples(self.network(), self.loss, self.X, self.y).plan(self.batch)
        plan.run(None if self.batch is None else np.arange(self.batch))  # so that there are numbers to multiply
        products = [call.run for call in plan.calls if call.run.func.__name__ == "dot" and call.out.ndim == 2]

        def run(steps):
            for _ in range(steps):
                for product in products:
                    product()

        return run

    def nnlib(self) -> Run:
        """Return training by `nnlib.descend`, as a reader writes it who only wants the network."""
        optimizer = nnlib.OPTIMIZERS[self.optimizer](learning_rate=self.rate)

        @cache
        def walk(steps):
            steps = nnlib.descend(
                self.network(),
                self.loss,
                self.X,
                self.y,
                optimizer=optimizer,
                batch_size=self.batch,
                rng=np.random.default_rng(0),
                every=steps,
            )
            next(steps)  # step 0, before any update
            return steps

        return lambda steps: next(walk(steps))

    def _rows(self):
        """Yield the rows of each batch, shuffled for each epoch."""
        rng, size = np.random.default_rng(0), self.batch or len(self.X)
        while True:
            order = rng.permutation(len(self.X))
            for start in range(0, len(order), size):
                yield order[start : start + size]

    def sklearn(self) -> Run:
        """Return scikit-learn's own training loop, from the data to the given number of updates."""
        from sklearn.neural_network import MLPClassifier

        solver = {"adam": "adam", "sgd": "sgd", "momentum": "sgd"}[self.optimizer]
        size = self.batch or len(self.X)
        in_epoch = math.ceil(len(self.X) / size)

        def run(steps):
            MLPClassifier(
                self.sizes[1:-1],
                activation=self.activation,
                solver=solver,
                alpha=0,
                batch_size=size,
                learning_rate_init=self.rate,
                momentum=0.9 if self.optimizer == "momentum" else 0,
                nesterovs_momentum=False,
                max_iter=max(1, round(steps / in_epoch)),
                tol=0,
                n_iter_no_change=10**9,
                random_state=0,
            ).fit(self.X, self.y)

        return run

    def torch(self, fused: bool = False) -> Run:
        """Return training in eager PyTorch, with its fused optimizer if asked for."""
        import torch

        layers, bend = [], {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[self.activation]
        for inputs, outputs in pairwise(self.sizes):
            layers += [torch.nn.Linear(inputs, outputs), bend()]
        model = torch.nn.Sequential(*layers[:-1])
        settings = {"lr": self.rate, "fused": fused}
        if self.optimizer == "adam":
            optimizer = torch.optim.Adam(model.parameters(), **settings)
        else:
            momentum = 0.9 if self.optimizer == "momentum" else 0
            optimizer = torch.optim.SGD(model.parameters(), momentum=momentum, **settings)
        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        if self.loss == "cross_entropy":
            loss = torch.nn.CrossEntropyLoss()
        else:
            loss, y = torch.nn.BCEWithLogitsLoss(), y.float()[:, None]
        batches = (torch.from_numpy(rows) for rows in self._rows())

        def run(steps):
            for rows in islice(batches, steps):
                inputs, wanted = (X, y) if self.batch is None else (X[rows], y[rows])
                optimizer.zero_grad()
                value = loss(model(inputs), wanted)
                value.backward()
                optimizer.step()

        return run

    def torch_fused(self) -> Run:
        """Return training in PyTorch with its fused optimizer."""
        return self.torch(fused=True)

    def jax(self) -> Run:
        """Return training in JAX, the whole step compiled; the odd last batch is left out."""
        import jax
        import jax.numpy as jnp

        X, y = jnp.asarray(self.X), jnp.asarray(self.y)
        start = [(jnp.asarray(layer.W), jnp.asarray(layer.b)) for layer in self.network().layers]
        bend, kind, rate = {"relu": jax.nn.relu, "tanh": jnp.tanh}[self.activation], self.loss, self.rate

        def loss(theta, inputs, wanted):
            a = inputs
            for W, b in theta[:-1]:
                a = bend(a @ W + b)
            z = a @ theta[-1][0] + theta[-1][1]
            if kind == "cross_entropy":
                return -jnp.take_along_axis(jax.nn.log_softmax(z), wanted[:, None], axis=1).mean()
            return jnp.logaddexp(0, (1 - 2 * wanted[:, None]) * z).mean()

        tree = jax.tree_util.tree_map

        def step(theta, state, t, rows):
            inputs, wanted = (X, y) if rows is None else (X[rows], y[rows])
            value, g = jax.value_and_grad(loss)(theta, inputs, wanted)
            if self.optimizer == "adam":
                m = tree(lambda m, g: 0.9 * m + 0.1 * g, state[0], g)
                v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, state[1], g)
                scale = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                return tree(lambda p, m, v: p - scale * m / (jnp.sqrt(v) + 1e-8), theta, m, v), (m, v), value
            beta = 0.9 if self.optimizer == "momentum" else 0.0
            v = tree(lambda v, g: beta * v + g, state[0], g)
            return tree(lambda p, v: p - rate * v, theta, v), (v, v), value

        step = jax.jit(step, donate_argnums=(0, 1))
        zeros = tree(jnp.zeros_like, start)
        now = [start, (zeros, tree(jnp.zeros_like, start)), 0]
        batches = (rows for rows in self._rows() if self.batch is None or len(rows) == self.batch)

        def run(steps):
            for rows in islice(batches, steps):
                now[2] += 1
                now[0], now[1], value = step(now[0], now[1], float(now[2]), None if self.batch is None else rows)
            jax.block_until_ready(now[0])
            return value

        return run


class ForwardBackward(Training):
    """The loss and its gradient on the same batch again and again, without an update."""

    def nnlib(self) -> Run:
        """Return the replay of a plan."""
        plan = Examples(self.network(), self.loss, self.X, self.y).plan()

        def run(steps):
            for _ in range(steps):
                plan.run()

        return run

    def plain(self) -> Run:
        """Return the plain form, as the chapter teaches it."""
        net = self.network()

        def run(steps):
            for _ in range(steps):
                nnlib.loss_and_gradient(net, self.loss, self.X, self.y)

        return run


class ScalarGraph:
    """A network of 2-16-16-1 on 100 points, number by number: the loss and its gradient."""

    def __init__(self):
        data = nnlib.DATASETS["moons"](n=100, rng=np.random.default_rng(0))
        self.X, self.y = data.X.tolist(), (2.0 * data.y - 1).tolist()
        self.net = nnlib.Network([2, 16, 16, 1], "tanh", rng=np.random.default_rng(0))

    def _columns(self, variables):
        places = self.net.blocks(np.arange(self.net.parameters.size, dtype=float))
        return [[[variables[int(place)] for place in column] for column in block.T] for block in places]

    def nnlib(self) -> Run:
        """Return the sweep through nnlib's tape."""

        def run(steps):
            for _ in range(steps):
                graph = nnlib.Graph()
                layers = self._columns(graph.variables(self.net.parameters.tolist()))
                errors = []
                for x, target in zip(self.X, self.y, strict=True):
                    a = graph.variables(x)
                    for layer in layers[:-1]:
                        a = [graph.neuron(column[:-1], a, column[-1]).apply("tanh") for column in layer]
                    errors.append((graph.neuron(layers[-1][0][:-1], a, layers[-1][0][-1]) - target) ** 2)
                loss = graph.total(errors) * (1 / len(errors))
                graph.backward(loss)
            return loss.value

        return run

    def micrograd_style(self) -> Run:
        """Return the same with one object and one closure for each product and each sum."""

        def run(steps):
            for _ in range(steps):
                layers = self._columns([Value(p) for p in self.net.parameters.tolist()])
                loss = Value(0.0)
                for x, target in zip(self.X, self.y, strict=True):
                    a = x
                    for layer in layers:
                        z = [sum((w * v for w, v in zip(column[:-1], a, strict=True)), column[-1]) for column in layer]
                        a = z if layer is layers[-1] else [node.tanh() for node in z]
                    error = a[0] - target
                    loss = loss + error * error
                (loss * (1 / len(self.y))).backward()
            return loss.data / len(self.y)

        return run


def _digits(**settings) -> Training:
    data = nnlib.DATASETS["digits"](rng=np.random.default_rng(0))
    return Training((64, 128, 64, 10), "relu", "adam", data.X.astype(np.float32), data.y, batch=64, **settings)


def _tiny(batch: int | None) -> Training:
    data = nnlib.DATASETS["moons"](n=200, rng=np.random.default_rng(0))
    return Training((2, 8, 8, 1), "tanh", "sgd", data.X.astype(np.float32), data.y, batch, rate=0.1)


def _noise(kind, sizes, examples, **settings):
    rng = np.random.default_rng(0)
    X = rng.random((examples, sizes[0]), np.float32)
    return kind(sizes, "relu", X=X, y=rng.integers(0, sizes[-1], examples), rate=0.01, **settings)


TRAINERS = ("products", "nnlib", "sklearn", "torch", "torch_fused", "jax")

# name: how to make it, its contenders, steps for one measurement, targets (nnlib at most so many times the products;
# the others at least so many times nnlib)
LOADS = {
    "digits 64-128-64-10, ReLU, Adam, batch 64": (
        _digits,
        TRAINERS,
        29,
        {"products": 2.3, "torch": 5, "sklearn": 3.5, "jax": 1},
    ),
    "2-8-8-1, tanh, 200 points, full batch": (
        lambda: _tiny(None),
        TRAINERS,
        100,
        {"products": 2.5, "torch": 20, "sklearn": 7, "jax": 2},
    ),
    "2-8-8-1, tanh, 200 points, batch 10": (
        lambda: _tiny(10),
        TRAINERS,
        100,
        {"products": 2.5, "torch": 20, "sklearn": 7, "jax": 2},
    ),
    "784-256-128-10, ReLU, momentum, batch 128, 60,000 rows": (
        lambda: _noise(Training, (784, 256, 128, 10), 60_000, optimizer="momentum", batch=128),
        TRAINERS,
        469,
        {"torch": 1.5, "sklearn": 1.3},
    ),
    "1024-1024-1024-10, ReLU, batch 256, forward and backward": (
        lambda: _noise(ForwardBackward, (1024, 1024, 1024, 10), 256, optimizer="sgd", batch=None),
        ("products", "nnlib", "plain"),
        3,
        {"products": 1.1},
    ),
    "scalar graph, 2-16-16-1, 100 points": (ScalarGraph, ("nnlib", "micrograd_style"), 1, {"micrograd_style": 20}),
}

COLD = {
    "nnlib": """
import numpy as np, nnlib
from itertools import islice
rng = np.random.default_rng(0)
data = nnlib.DATASETS["digits"](rng=rng)
net = nnlib.Network([64, 128, 64, 10], "relu", rng=rng, dtype=np.float32)
steps = nnlib.descend(net, data.loss, data.X, data.y, optimizer="adam", batch_size=64, rng=rng, every=580)
start, trained = islice(steps, 2)
""",
    "sklearn": """
import warnings; warnings.simplefilter("ignore")
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
X, y = load_digits(return_X_y=True)
MLPClassifier((128, 64), batch_size=64, max_iter=20, random_state=0).fit((X / 16).astype("float32"), y)
""",
    "torch": """
import torch
from nnlib import DATASETS
import numpy as np
data = DATASETS["digits"](rng=np.random.default_rng(0))
X, y = torch.tensor(data.X, dtype=torch.float32), torch.tensor(data.y)
model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 64), torch.nn.ReLU(),
                            torch.nn.Linear(64, 10))
optimizer, loss = torch.optim.Adam(model.parameters()), torch.nn.CrossEntropyLoss()
for epoch in range(20):
    for rows in torch.randperm(len(X)).split(64):
        optimizer.zero_grad()
        loss(model(X[rows]), y[rows]).backward()
        optimizer.step()
""",
}
COLD_TARGETS = {"sklearn": 5, "torch": 10}

"""One network says little: train the same network from many seeds, side by side.

The replicas are one more axis of every array, in front: weights (replicas, inputs + 1, outputs), so one product of
stacked matrices serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnlib.errors import SettingError
from nnlib.losses import Loss, as_loss
from nnlib.network import Network
from nnlib.optimizers import Optimizer, as_optimizer


class Replicas:
    """Networks of one shape, trained side by side.

    Parameters
    ----------
    networks : sequence of Network
        All of the same sizes, activations, shortcuts and masks; their parameters are copied.

    Attributes
    ----------
    parameters : ndarray (replicas, P)
        One θ a row.

    Raises
    ------
    SettingError
        If the networks differ in shape, or if there are none.

    Examples
    --------
    >>> networks = [Network([2, 3, 1], rng=np.random.default_rng(seed)) for seed in range(5)]
    >>> replicas = Replicas(networks)
    >>> replicas.parameters.shape, replicas.forward([[0.5, -1.0]]).shape
    ((5, 13), (5, 1, 1))
    """

    def __init__(self, networks: Sequence[Network]):
        shapes = {(net.sizes, net.activations, net.shortcuts, len(net.parameters)) for net in networks}
        if len(shapes) != 1:
            raise SettingError(f"replicas should be networks of one shape, got {len(shapes)} shapes")
        self.net = networks[0]
        self.parameters = np.stack([net.parameters for net in networks])
        self._exists = self.net.with_parameters(np.ones_like(self.net.parameters))
        for layer in self._exists.layers:
            layer.W[:] = layer.weights
        self.parameters *= self._exists.parameters

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, index: int) -> Network:
        """Return one of the networks, a copy."""
        return self.net.with_parameters(self.parameters[index])

    def blocks(self, array: np.ndarray) -> list[np.ndarray]:
        """Cut an array shaped like the parameters into a view (replicas, inputs + 1, outputs) for each layer."""
        views, start = [], 0
        for layer in self.net.layers:
            stop = start + layer.block.size
            views.append(array[:, start:stop].reshape(len(array), *layer.block.shape))
            start = stop
        return views

    def forward(self, X) -> np.ndarray:
        """Return the outputs (replicas, batch, outputs) for X (batch, inputs), or (replicas, batch, inputs)."""
        return self._trace(np.asarray(X, self.parameters.dtype))[-1][-1]

    def _trace(self, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        x = np.broadcast_to(x, (len(self), *x.shape[-2:]))
        traces = []
        for layer, block in zip(self.net.layers, self.blocks(self.parameters), strict=True):
            z = x @ block[:, :-1] + block[:, -1:]  # (replicas, batch, outputs)
            a = layer.activation.function(z)
            traces.append((x, z, a))
            x = np.concatenate([x, a], axis=2) if self.net.shortcuts else a
        return traces

    def gradient(self, loss: str | Loss, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the gradient (replicas, P) of each replica's own loss; `nnlib.backward` with one more axis.

        The target is taken as it is: in the shape of the output, for a loss that works element by element.
        """
        loss, net = as_loss(loss), self.net
        traces = self._trace(X)
        output = traces[-1][-1]
        slope = loss.each_slope(output, y)
        if not loss.total:
            slope = slope / output[0].size
        gradient, passed_by = np.empty_like(self.parameters), 0.0
        slopes, blocks = self.blocks(gradient), self.blocks(self.parameters)
        for number in range(len(traces) - 1, -1, -1):
            x, z, a = traces[number]
            delta = slope * net.layers[number].activation.derivative(z, a)
            slopes[number][:, :-1] = x.swapaxes(1, 2) @ delta
            slopes[number][:, -1] = delta.sum(axis=1)
            if number or net.shortcuts:
                slope = delta @ blocks[number][:, :-1].swapaxes(1, 2)
            if net.shortcuts:
                slope = slope + passed_by
                passed_by, slope = np.split(slope, [net.layers[number].inputs - net.sizes[number]], axis=2)
        return gradient * self._exists.parameters

    def descend(self, loss: str | Loss, X: np.ndarray, y: np.ndarray, *, optimizer: str | Optimizer) -> Iterator[int]:
        """Train all replicas on all examples at once, in place; yield the number of updates made: 0, 1, 2, ...

        The first axis of X and y may be the replicas, where each has examples of its own.
        """
        optimizer = as_optimizer(optimizer)
        X, y = np.asarray(X, self.parameters.dtype), np.asarray(y, self.parameters.dtype)
        state, updates = optimizer.start(self.parameters), 0
        while True:
            yield updates
            step, state = optimizer.update(self.parameters, self.gradient(loss, X, y), state)
            self.parameters, updates = step, updates + 1

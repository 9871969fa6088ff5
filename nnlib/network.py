"""A network is a chain of layers, and each layer is one matrix product, one bias and one activation.

All its weights and biases stand in one flat vector θ, so that a step of gradient descent is one subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from nnlib.activations import Activation, as_activation
from nnlib.errors import DTypeError, SettingError, ShapeError, as_numbers, check_count, check_rng
from nnlib.initialisation import Initialisation, as_initialisation


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: z = x W + b, a = f(z). `W` and `b` are views into the network's flat vector.

    Attributes
    ----------
    block : ndarray (inputs + 1, outputs)
        The weights with the bias as their last row: the product of [x 1] with it is z.
    W : ndarray (inputs, outputs)
    b : ndarray (outputs,)
    activation : Activation
    mask : ndarray of bool (inputs, outputs) or None
        Which weights exist; None for all.
    """

    block: np.ndarray
    W: np.ndarray
    b: np.ndarray
    activation: Activation
    mask: np.ndarray | None = None

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.W.shape[0]

    @property
    def outputs(self) -> int:
        """Number of outputs, which is the number of neurons."""
        return self.W.shape[1]

    @property
    def weights(self) -> np.ndarray:
        """W as it acts: zero where there is no connection."""
        return self.W if self.mask is None else self.W * self.mask


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one layer saw and said: x (batch, inputs), z and a (batch, outputs).

    Under dropout the layer above sees a times `mask`; otherwise the mask is None.
    """

    x: np.ndarray
    z: np.ndarray
    a: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything a forward pass computed, layer by layer.

    Attributes
    ----------
    layers : tuple of LayerTrace
    output : ndarray (batch, outputs)
        The activations of the last layer.
    """

    layers: tuple[LayerTrace, ...]

    @property
    def output(self) -> np.ndarray:
        """The activations of the last layer, (batch, outputs)."""
        return self.layers[-1].a


class Network:
    """A feed-forward network, fully connected from each layer to the next.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, of neurons in each hidden layer, of outputs: ``[2, 8, 8, 1]``.
    activation : str, Activation or a sequence of them
        For all hidden layers, or one for each.
    rng : numpy.random.Generator
        Draws the weights.
    initialisation : str or Initialisation
        How they are drawn; biases start at zero. Both dtypes start from the same draw.
    output_activation : str or Activation
        For the last layer. "identity" gives logits or plain values, which is what every loss expects.
    dtype : numpy.float64 or numpy.float32
        Of the parameters and of everything computed from them.
    shortcuts : bool
        Whether every layer sees the inputs and all earlier layers, side by side, and not only the layer before it.
    masks : sequence of (array_like of bool (inputs, outputs) or None), optional
        For each layer, which of its weights exist; None for all. A weight that does not exist keeps its place
        in θ and stays zero.

    Attributes
    ----------
    parameters : ndarray (P,)
        The flat vector θ, writable: layer after layer, the rows of W and then b.
    layers : tuple of Layer
        Their `W` and `b` are views into `parameters`.
    sizes : tuple of int

    Raises
    ------
    SettingError, ShapeError, DTypeError
        If an argument is not as described.

    Examples
    --------
    >>> net = Network([2, 3, 1], "tanh", rng=np.random.default_rng(0))
    >>> net.parameters.shape, net.layers[0].W.shape, net.layers[0].b.shape
    ((13,), (2, 3), (3,))
    >>> net.parameters[:] = 0
    >>> net.forward([[0.5, -1.0]]).output
    array([[0.]])
    >>> Network([2, 3, 1], rng=np.random.default_rng(0), shortcuts=True).layers[1].W.shape  # sees 2 + 3
    (5, 1)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Activation | Sequence[str | Activation] = "tanh",
        *,
        rng: np.random.Generator,
        initialisation: str | Initialisation = "xavier",
        output_activation: str | Activation = "identity",
        dtype: type | np.dtype | str = np.float64,
        shortcuts: bool = False,
        masks: Sequence[np.ndarray | None] | None = None,
    ):
        check_rng(rng)
        sizes = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
        if isinstance(sizes, str) or not isinstance(sizes, Sequence) or len(sizes) < 2:
            raise SettingError(f"sizes should list at least the inputs and the outputs, as in [2, 8, 1], got {sizes!r}")
        self.sizes = tuple(check_count(f"sizes[{i}]", size) for i, size in enumerate(sizes))
        self.activations = (*_hidden(activation, len(sizes) - 2), as_activation(output_activation))
        self.shortcuts = bool(shortcuts)
        self.masks = _masks(masks, _layer_shapes(self.sizes, self.shortcuts))
        self._bind(aligned(count_parameters(self.sizes, shortcuts=self.shortcuts), _float_dtype(dtype)))
        rule = as_initialisation(initialisation)
        for layer in self.layers:
            layer.W[:] = rule.draw(layer.inputs, layer.outputs, rng=rng)
            layer.W[:] = layer.weights
            layer.b[:] = 0

    def _bind(self, parameters: np.ndarray) -> None:
        self._parameters = parameters
        self.layers = tuple(
            Layer(block, block[:-1], block[-1], rule, mask)
            for block, rule, mask in zip(self.blocks(parameters), self.activations, self.masks, strict=True)
        )

    def __getstate__(self) -> dict:
        shape = {name: getattr(self, name) for name in ("sizes", "activations", "shortcuts", "masks")}
        return {**shape, "parameters": self._parameters}

    def __setstate__(self, state: dict) -> None:
        parameters = state.pop("parameters")
        self.__dict__.update(state)
        self._bind(aligned(parameters.shape, parameters.dtype, parameters))

    def __repr__(self) -> str:
        names = ", ".join(rule.name for rule in self.activations)
        shape = "-".join(map(str, self.sizes)) + " with shortcuts" * self.shortcuts
        return f"<Network {shape} ({names}), {self._parameters.size} parameters, {self.dtype}>"

    @property
    def is_chain(self) -> bool:
        """Whether each layer sees all of the layer before it and nothing else."""
        return not self.shortcuts and all(mask is None for mask in self.masks)

    @property
    def parameters(self) -> np.ndarray:
        """The flat vector θ (P,). Assigning to it copies the numbers in; the views stay views."""
        return self._parameters

    @parameters.setter
    def parameters(self, values) -> None:
        self._parameters[:] = self._checked(values).astype(self.dtype, casting="same_kind", copy=False)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters."""
        return self._parameters.dtype

    def _checked(self, vector) -> np.ndarray:
        vector = as_numbers("parameters", vector)
        count = count_parameters(self.sizes, shortcuts=self.shortcuts)
        if vector.shape != (count,):
            raise ShapeError(
                f"a network of sizes {list(self.sizes)} has {count} parameters in "
                f"one flat vector, got an array of shape {vector.shape}"
            )
        return vector

    def blocks(self, vector: np.ndarray) -> tuple[np.ndarray, ...]:
        """Cut a vector shaped like θ (a gradient, say) into a view (inputs + 1, outputs) for each layer.

        Each view holds what belongs to W in its rows and what belongs to b in its last row.

        Examples
        --------
        >>> net = Network([2, 1], rng=np.random.default_rng(0))
        >>> W, b = np.split(net.blocks(np.array([1.0, 2.0, 3.0]))[0], [-1])
        >>> W, b
        (array([[1.],
               [2.]]), array([[3.]]))
        """
        vector = self._checked(vector)
        views, start = [], 0
        for inputs, outputs in _layer_shapes(self.sizes, self.shortcuts):
            stop = start + (inputs + 1) * outputs
            views.append(vector[start:stop].reshape(inputs + 1, outputs))
            start = stop
        return tuple(views)

    def locate(self, index: int) -> tuple[int, str]:
        """Say where parameter `index` of θ lives: its layer and its name there.

        Examples
        --------
        >>> net = Network([2, 3, 1], rng=np.random.default_rng(0))
        >>> net.locate(4), net.locate(7), net.locate(12)
        ((0, 'W[1, 1]'), (0, 'b[1]'), (1, 'b[0]'))
        """
        for number, layer in enumerate(self.layers):
            if 0 <= index < layer.block.size:
                row, column = divmod(int(index), layer.outputs)
                return number, f"b[{column}]" if row == layer.inputs else f"W[{row}, {column}]"
            index -= layer.block.size
        raise SettingError(f"the network has {self._parameters.size} parameters; there is no such index")

    def with_parameters(self, parameters) -> Network:
        """Return a network of the same shape whose θ is a copy of `parameters`, in their dtype.

        The only way to a network with complex parameters, which complex-step derivatives need.
        """
        other = object.__new__(Network)
        other.__setstate__(self.__getstate__() | {"parameters": self._checked(parameters)})
        return other

    def copy(self) -> Network:
        """Return an independent network with the same parameters."""
        return self.with_parameters(self._parameters)

    def check_inputs(self, X) -> np.ndarray:
        """Return X as an array (batch, inputs) in the network's dtype, or raise an error."""
        X = as_numbers("X", X, self.dtype)
        inputs, outputs = self.sizes[:2]
        if X.ndim != 2:
            fix = "; for one example write X[None, :]" if X.shape == (inputs,) else ""
            fix = "; for one feature write X[:, None]" if X.ndim == 1 and inputs == 1 else fix
            raise ShapeError(f"X should have shape (batch, {inputs}), got {X.shape}{fix}")
        if X.shape[1] != inputs:
            hint = "did the label column stay in?" if X.shape[1] == inputs + 1 else "is it the right data set?"
            raise ShapeError(
                f"X has {X.shape[1]} columns but the first layer expects {inputs} "
                f"(its W is ({inputs}, {outputs})); {hint}"
            )
        if not len(X):
            raise ShapeError(f"X should hold at least one example, got shape {X.shape}")
        return X

    def _check_masks(self, masks, batch: int) -> Sequence[np.ndarray | None]:
        if masks is None:
            return [None] * len(self.layers)
        shapes, wanted = [np.shape(mask) for mask in masks], [(batch, m) for m in self.sizes[1:-1]]
        if shapes != wanted:
            raise ShapeError(f"masks should have a shape for each hidden layer, {wanted}, got {shapes}")
        return [*masks, None]

    def forward(self, X, *, masks: Sequence[np.ndarray] | None = None) -> Trace:
        r"""Carry a batch through the layers and return every number met on the way.

        .. math:: Z^{(l)} = X^{(l)} W^{(l)} + b^{(l)}, \qquad A^{(l)} = f(Z^{(l)}), \qquad X^{(l+1)} = A^{(l)}

        With shortcuts :math:`X^{(l+1)} = [X^{(l)}\ A^{(l)}]`: what a layer saw, and what it said, side by side.

        Parameters
        ----------
        X : array_like (batch, inputs)
        masks : sequence of ndarray (batch, outputs), optional
            For each hidden layer, what its activations are multiplied by: `Dropout.masks`.

        Returns
        -------
        Trace
            ``trace.output`` (batch, outputs); ``trace.layers[i].x``, ``.z``, ``.a``.

        Raises
        ------
        ShapeError, DTypeError
            If X is not a batch of rows of numbers that the first layer can take, or the masks do not fit.

        Source: Goodfellow, Bengio & Courville, *Deep Learning*, 2016, algorithm 6.3.
        """
        x = self.check_inputs(X)
        traces = []
        for layer, mask in zip(self.layers, self._check_masks(masks, len(x)), strict=True):
            z = x @ layer.weights + layer.b  # (batch, outputs)
            a = layer.activation.function(z)
            traces.append(LayerTrace(x, z, a, mask))
            heard = a if mask is None else a * mask
            x = np.concatenate([x, heard], axis=1) if self.shortcuts else heard
        return Trace(tuple(traces))


def count_parameters(sizes: Sequence[int], *, shortcuts: bool = False) -> int:
    """Return the number of weights and biases of a network of these sizes.

    >>> count_parameters([2, 8, 8, 1])  # (2 + 1) 8 + (8 + 1) 8 + (8 + 1) 1
    105
    >>> count_parameters([2, 5, 5, 5, 1], shortcuts=True)  # (2 + 1) 5 + (7 + 1) 5 + (12 + 1) 5 + (17 + 1) 1
    138
    """
    return sum((inputs + 1) * outputs for inputs, outputs in _layer_shapes(sizes, shortcuts))


def aligned(shape: int | tuple[int, ...], dtype: np.dtype, values=None) -> np.ndarray:
    """Return a new array that begins where a line of the cache does, empty or filled with `values`.

    numpy's own begin 16 bytes past one, so every wide vector instruction straddles two, and an update by Adam takes
    1.2 times as long.

    >>> aligned((2, 3), np.dtype(np.float32)).ctypes.data % 64
    0
    """
    memory = np.empty(int(np.prod(shape)) * dtype.itemsize + 64, np.uint8)
    first = -memory.ctypes.data % 64
    array = memory[first : first + memory.size - 64].view(dtype).reshape(shape)
    if values is not None:
        array[...] = values
    return array


def _layer_shapes(sizes: Sequence[int], shortcuts: bool) -> list[tuple[int, int]]:
    """Return the shape of each layer's W; with shortcuts a layer's inputs are all neurons before it."""
    return list(zip(accumulate(sizes), sizes[1:], strict=False) if shortcuts else pairwise(sizes))


def _masks(masks, shapes: list[tuple[int, int]]) -> tuple[np.ndarray | None, ...]:
    if masks is None:
        return (None,) * len(shapes)
    if not isinstance(masks, Sequence) or len(masks) != len(shapes):
        raise SettingError(f"masks should hold one mask (or None) for each of the {len(shapes)} layers, got {masks!r}")
    checked = []
    for number, (mask, shape) in enumerate(zip(masks, shapes, strict=True)):
        if mask is not None:
            mask = as_numbers(f"masks[{number}]", mask).astype(bool)
            if mask.shape != shape:
                raise ShapeError(f"masks[{number}] should have the shape of the layer's W, {shape}, got {mask.shape}")
            mask.setflags(write=False)
        checked.append(mask)
    return tuple(checked)


def _hidden(rules, count: int) -> list[Activation]:
    if isinstance(rules, (str, Activation)):
        return [as_activation(rules)] * count
    if not isinstance(rules, Sequence) or len(rules) != count:
        raise SettingError(
            f"activation should be one name, or one for each of the {count} hidden layers, got {rules!r}; "
            "the last layer's is output_activation"
        )
    return [as_activation(rule) for rule in rules]


def _float_dtype(dtype) -> np.dtype:
    try:
        result = np.dtype(dtype)
    except TypeError:
        result = np.dtype(object)
    if result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(f"dtype should be np.float32 or np.float64, got {dtype!r}")
    return result

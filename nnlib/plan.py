r"""A training step is the same few array operations every time, so it can be written down once and replayed.

The mathematics is that of `nnlib.backpropagation`; only the bookkeeping differs. Every array is made before
the first step. The bias is one more row of the weights, and its input is a row of ones. An example is a
column, so what an activation works on is one piece of memory. Arrays are overwritten as soon as they have
served. Print a plan to read its calls:

>>> net = Network([2, 8, 1], "tanh", rng=np.random.default_rng(0))
>>> print(Examples(net, "mse", np.zeros((200, 2)), np.zeros(200)).plan())
Loss and gradient of 200 examples in 12 calls
 1  z0 = [W0; b0]ᵀ [x0; 1]   (8, 200)
 2  a0 = tanh z0             (8, 200)
 3  z1 = [W1; b1]ᵀ [a0; 1]   (1, 200)
 4  δ1 = z1 − y              (1, 200)
 5  L = Σ δ1²                ()
 6  ∇1 = [a0; 1] δ1ᵀ         (9, 1)
 7  a'0 = W1 δ1              (8, 200)
 8  s0 = a0²                 (8, 200)
 9  s0 = 1 − s0              (8, 200)
10  δ0 = a'0 s0              (8, 200)
11  ∇0 = [x0; 1] δ0ᵀ         (3, 8)
12  ∇ = 0.01 ∇               (33,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import frexp, isfinite, nan, sqrt
from typing import NamedTuple

import numpy as np

from nnlib.activations import ACTIVATIONS, Activation
from nnlib.errors import SettingError
from nnlib.losses import LOSSES, Loss, as_loss
from nnlib.network import Network, aligned
from nnlib.optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSProp, State
from nnlib.schedules import as_schedule


class Call(NamedTuple):
    """One entry of a plan: a formula, the function with its arrays, ready to run, and where it writes.

    What only serves the value of the loss can be left out where nobody asks for it.
    """

    formula: str
    run: Callable[[], object]
    out: np.ndarray
    only_value: bool = False


class Examples:
    """Inputs and targets, checked once and laid out for plans.

    Parameters
    ----------
    net : Network
    loss : str or Loss
    X : array_like (examples, inputs)
    y : array_like
        The target, as the loss takes it.

    Attributes
    ----------
    with_ones : ndarray (examples, inputs + 1)
        The inputs, and a one for the bias.
    y : ndarray
        The target as `Loss.prepare` returns it.
    gradient : ndarray (P,)
        Where every plan leaves the gradient, until the next one runs.

    Raises
    ------
    ShapeError, TargetError, DTypeError, SettingError
        If an argument is not as described.
    """

    def __init__(self, net: Network, loss: str | Loss, X, y):
        self.net, self.loss = net, as_loss(loss)
        X = net.check_inputs(X)
        self.y = self.loss.prepare(y, (len(X), net.sizes[-1]), net.dtype)
        self.with_ones = aligned((len(X), net.sizes[0] + 1), net.dtype, 1)
        self.with_ones[:, :-1] = X
        self.gradient = aligned(net.parameters.size, net.dtype)

    def __len__(self) -> int:
        return len(self.with_ones)

    @property
    def X(self) -> np.ndarray:
        """The inputs (examples, inputs), a view."""
        return self.with_ones[:, :-1]

    def plan(self, size: int | None = None, *, dropout: bool = False) -> Plan:
        """Return the plan for batches of `size` examples, or for all at once; with `dropout` it takes masks."""
        return Plan(self, size, dropout=dropout)


class Plan:
    """The loss of a batch and its gradient as a list of calls; `Examples.plan` makes it.

    Attributes
    ----------
    calls : list of Call
        What `run` replays, in order.
    output : ndarray (outputs, batch)
        The network's output after a run, a column for each example.

    Raises
    ------
    SettingError
        If the network has shortcuts or masks.
    """

    def __init__(self, examples: Examples, size: int | None = None, *, dropout: bool = False):
        net, loss, self._gradient = examples.net, examples.loss, examples.gradient
        if not net.is_chain:
            raise SettingError("a plan is for a chain of layers; with shortcuts or masks use loss_and_gradient")
        self.size = len(examples) if size is None else size
        self.calls: list[Call] = []
        make_kernel, target = _loss_kernel(loss, examples.y, self.size)
        x, y = examples.with_ones, target
        if size is not None:
            x, y = (aligned((size, *data.shape[1:]), data.dtype) for data in (x, y))
        self._takes = () if size is None else ((examples.with_ones.take, x), (target.take, y))

        rows = [aligned((outputs + 1, self.size), net.dtype, 1) for outputs in net.sizes[1:]]
        zeros = aligned(max(net.sizes[1:]) * self.size, net.dtype, 0)
        kernels = [_activation_kernel(layer.activation)(zeros) for layer in net.layers]
        last = len(net.layers) - 1
        self._masks = [np.empty((m, self.size), net.dtype) for m in net.sizes[1:-1]] if dropout else []
        heard = [np.ones_like(row) for row in rows[:-1]] if dropout else rows  # what the layer above is told
        name, seen = "h" if dropout else "a", x.T
        for i, (layer, kernel, row) in enumerate(zip(net.layers, kernels, rows, strict=True)):
            z = kernel.sums(row[:-1])
            self._add(f"z{i} = [W{i}; b{i}]ᵀ [{f'{name}{i - 1}' if i else 'x0'}; 1]", layer.block.T.dot, seen, z)
            kernel.forward(self._add, i, z, row[:-1])
            if dropout and i < last:
                self._add(f"h{i} = m{i} a{i}", np.multiply, self._masks[i], row[:-1], heard[i][:-1])
            seen = heard[i] if i < last else row
        self.output = rows[-1][:-1]

        delta, self._total = aligned(self.output.shape, net.dtype), np.zeros((), net.dtype)
        self._value_factor, factor = make_kernel(self._add, last, self.output, delta, self._total, y)
        exact = frexp(factor)[0] == 0.5  # a power of two rounds nothing: it may stand where there is least to multiply
        if exact and factor != 1:
            self._scale(f"δ{last}", factor, delta)

        sums = net.blocks(self._gradient)
        for i in range(last, -1, -1):
            seen = heard[i - 1] if i else x.T
            kernels[i].backward(self._add, i, rows[i][:-1], delta)
            self._add(
                f"∇{i} = [{f'{name}{i - 1}' if i else 'x0'}; 1] δ{i}ᵀ", seen.dot, delta.T, sums[i]
            )
            if i:
                below = aligned(rows[i - 1][:-1].shape, net.dtype)
                self._add(f"{name}'{i - 1} = W{i} δ{i}", net.layers[i].W.dot, delta, below)
                if dropout:
                    self._add(f"a'{i - 1} = m{i - 1} h'{i - 1}", np.multiply, self._masks[i - 1], below, below)
                delta = below
        if not exact:
            self._scale("∇", factor, self._gradient)
        # The gradient of an infinite logit may be 0.
        self._watched = self.output.reshape(-1)
        self._runs = {
            value: [call.run for call in self.calls if value or not call.only_value] for value in (True, False)
        }

    def _add(self, formula: str, function: Callable, *arrays: np.ndarray, only_value: bool = False) -> None:
        """Append a call; the last of the arrays is the one that it writes into."""
        self.calls.append(Call(formula, partial(function, *arrays), arrays[-1], only_value))

    def _scale(self, name: str, factor: float, array: np.ndarray) -> None:
        """Append the call that multiplies an array by a number, in place."""
        self._add(f"{name} = {factor:g} {name}", np.multiply, np.array(factor, array.dtype), array, array)

    def __str__(self) -> str:
        width = max(len(call.formula) for call in self.calls)
        lines = [f"{n:2}  {call.formula:{width}}  {call.out.shape}" for n, call in enumerate(self.calls, 1)]
        return "\n".join([f"Loss and gradient of {self.size} examples in {len(lines)} calls", *lines])

    def mask(self, masks: Sequence[np.ndarray]) -> None:
        """Set the masks (batch, outputs) of the hidden layers for the next run, in a plan with dropout."""
        for mine, mask in zip(self._masks, masks, strict=True):
            mine[:] = mask.T

    def run(self, rows: np.ndarray | None = None, *, value: bool = True) -> tuple[float, np.ndarray, bool]:
        """Replay the calls for the network's present parameters.

        Parameters
        ----------
        rows : ndarray of int (batch,), optional
            Which examples, for a plan of batches.
        value : bool
            Whether to compute the loss as well, where that costs something.

        Returns
        -------
        value : float
            The mean loss; NaN if it was not asked for.
        gradient : ndarray (P,)
            ``examples.gradient``, so the next run overwrites it.
        finite : bool
            Whether nothing overflowed, nor came near it.
        """
        for take, batch in self._takes:
            take(rows, 0, batch, "clip")
        for run in self._runs[value]:
            run()
        gradient, watched = self._gradient, self._watched
        finite = isfinite(gradient.dot(gradient)) and isfinite(watched.dot(watched))
        if not value:
            return nan, gradient, finite
        mean = self._total.item() * self._value_factor
        return mean, gradient, finite and isfinite(mean)


# Activations. A kernel's `forward` turns z into a, its `backward` a' into δ; a may be used up by then.


class _Kernel:
    """The plain form of any activation: right for all, at the price of temporary arrays."""

    def __init__(self, rule: Activation, zeros: np.ndarray):
        self.rule = rule

    def sums(self, a: np.ndarray) -> np.ndarray:
        """Return the array for z: `a` itself, where z is not needed for the way back."""
        self.z = np.empty_like(a)
        return self.z

    def forward(self, add, i, z, a):
        def run(z, a):
            a[:] = self.rule.function(z)

        add(f"a{i} = {self.rule.name} z{i}", run, z, a)

    def backward(self, add, i, a, delta):
        def run(z, a, delta):
            delta *= self.rule.derivative(z, a)

        add(f"δ{i} = a'{i} {self.rule.name}' z{i}", run, self.z, a, delta)


class _InPlace(_Kernel):
    """Base of those whose slope follows from a alone."""

    def sums(self, a):
        return a


class _Identity(_InPlace):
    def forward(self, add, i, z, a):
        pass

    def backward(self, add, i, a, delta):
        pass


class _ReLU(_InPlace):
    def __init__(self, rule, zeros):
        self.zeros = zeros

    def forward(self, add, i, z, a):
        self.zeros = self.zeros[: a.size].reshape(a.shape)  # five times faster than the scalar 0
        add(f"a{i} = max(0, z{i})", lambda zeros, out: np.maximum(out, zeros, out=out), self.zeros, a)

    def backward(self, add, i, a, delta):
        add(f"s{i} = a{i} > 0", np.greater, a, self.zeros, a)
        add(f"δ{i} = a'{i} s{i}", np.multiply, delta, a, delta)


class _Tanh(_InPlace):
    def forward(self, add, i, z, a):
        add(f"a{i} = tanh z{i}", np.tanh, a, a)

    def backward(self, add, i, a, delta):
        one = np.ones((), a.dtype)
        add(f"s{i} = a{i}²", np.multiply, a, a, a)
        add(f"s{i} = 1 − s{i}", np.subtract, one, a, a)
        add(f"δ{i} = a'{i} s{i}", np.multiply, delta, a, delta)


class _Sigmoid(_InPlace):
    def forward(self, add, i, z, a):
        one = np.ones((), a.dtype)
        add(f"a{i} = −z{i}", np.negative, a, a)
        add(f"a{i} = exp a{i}", np.exp, a, a)
        add(f"a{i} = 1 + a{i}", np.add, one, a, a)
        add(f"a{i} = 1 / a{i}", np.divide, one, a, a)

    def backward(self, add, i, a, delta):
        one = np.ones((), a.dtype)
        add(f"δ{i} = a'{i} a{i}", np.multiply, delta, a, delta)
        add(f"s{i} = 1 − a{i}", np.subtract, one, a, a)
        add(f"δ{i} = δ{i} s{i}", np.multiply, delta, a, delta)


_KERNELS = {"identity": _Identity, "relu": _ReLU, "tanh": _Tanh, "sigmoid": _Sigmoid}


def _activation_kernel(rule: Activation) -> Callable[[np.ndarray], _Kernel]:
    """Return the kernel of an activation; one that is not the registry's own has the plain kernel."""
    return partial(_KERNELS.get(rule.name, _Kernel) if ACTIVATIONS.get(rule.name) == rule else _Kernel, rule)


# Losses. Each appends the calls that write its sum into L and its slope into δ, and returns the factors that
# make the mean of the one and of the other.


def _plain_loss(loss: Loss, add, i, z, delta, total, y):
    def run(z, total, delta):
        delta[:] = loss.mean_slope(z.T, y).T
        total[()] = loss.mean(z.T, y)

    add(f"L, δ{i} = {loss.name}(z{i}, y) and its slope", run, z, total, delta)
    return 1.0, 1.0


def _mse(add, i, z, delta, total, y):
    residual = delta.reshape(-1)
    add(f"δ{i} = z{i} − y", np.subtract, z, y.T, delta)
    add(f"L = Σ δ{i}²", residual.dot, residual, total)
    return 1 / z.size, 2 / z.size


def _binary_cross_entropy(add, i, z, delta, total, sign):
    """With the margin m = z for y = 1 and -z for y = 0: L = Σ ln(1 + exp(-m)), δ = ∓ 1 / (1 + exp m)."""
    m, ones = np.empty_like(z), np.ones(z.size, z.dtype)
    zero, minus_one = np.zeros((), z.dtype), np.full((), -1, z.dtype)
    add(f"m = ± z{i}", np.multiply, z, sign.T, m)
    add(f"δ{i} = −m", np.negative, m, delta, only_value=True)
    add(f"δ{i} = ln(1 + exp δ{i})", np.logaddexp, zero, delta, delta, only_value=True)
    add(f"L = Σ δ{i}", delta.reshape(-1).dot, ones, total, only_value=True)
    add("m = exp m", np.exp, m, m)
    add("m = −1 − m", np.subtract, minus_one, m, m)
    add(f"δ{i} = ± 1 / m", np.divide, sign.T, m, delta)
    return 1 / z.size, 1 / z.size


def _cross_entropy(add, i, z, delta, total, start):
    """Keep all digits of an almost certain answer: sum the other classes alone, and never take 1 - p."""
    size = z.shape[1]
    place, column = np.empty(size, np.intp), np.arange(size)
    top, gap, others, more = (np.empty(size, z.dtype) for _ in range(4))
    flat, zero, one, ones = delta.reshape(-1), np.zeros((), z.dtype), np.ones((), z.dtype), np.ones(size, z.dtype)
    add("k = where the true class stands", np.add, start, column, place)
    add(f"t = max z{i}", partial(np.maximum.reduce, z, 0, None), top)
    add(f"δ{i} = z{i} − t", np.subtract, z, top, delta)
    add(f"g = δ{i}[k]", lambda k, out: flat.take(k, None, out, "clip"), place, gap)
    add(f"δ{i} = exp δ{i}", np.exp, delta, delta)
    add(f"δ{i}[k] = 0", lambda k, delta: flat.put(k, zero, "clip"), place, delta)
    add(f"r = Σ δ{i} over the classes", partial(np.add.reduce, delta, 0, None), others)
    add("q = exp(g) − 1", np.expm1, gap, more)
    add("q = q + r", np.add, more, others, more)
    add("t = ln(1 + q)", np.log1p, more, top, only_value=True)
    add("t = t − g", np.subtract, top, gap, top, only_value=True)
    add("L = Σ t", top.dot, ones, total, only_value=True)
    add("q = 1 + q", np.add, one, more, more)
    add("r = −r", np.negative, others, others)
    add(f"δ{i}[k] = r", lambda k, r, delta: flat.put(k, r, "clip"), place, others, delta)
    add(f"δ{i} = δ{i} / q", np.divide, delta, more, delta)
    return 1 / size, 1 / size


def _loss_kernel(loss: Loss, y: np.ndarray, size: int) -> tuple[Callable, np.ndarray]:
    """Return the kernel for this loss, this kind of target and batches of this size, and the target as it wants it."""
    if LOSSES.get(loss.name) == loss:
        if loss.name == "mse":
            return _mse, y
        certain = ((y == 0) | (y == 1)).all()
        if loss.name == "binary_cross_entropy" and certain:
            return _binary_cross_entropy, 2 * y - 1
        if loss.name == "cross_entropy" and certain and (y.sum(axis=-1) == 1).all():
            return _cross_entropy, y.argmax(axis=-1) * size  # where the class's row begins in δ
    return partial(_plain_loss, loss), y


# Optimizers. Each function makes the constants of a rule and returns two functions: one sets those that depend on t,
# the other moves a piece of θ and of the memory, in place.

Update = Callable[[], None]

PIECE = 32_768  # so many parameters are moved at a time: enough to be fast, and the work array stays small

# What a parameter without a gradient leaves in the memory (a ReLU that has gone silent) fades by 1 - β a step, to
# numbers below the normal range, on which a processor is many times slower. They are cleared in time.
FORGET = 64  # every so many steps
FADED = 1e4  # so many times the smallest normal number: nothing beside a usual ε or a parameter


def _sgd(rule: SGD, constant):
    rate, schedule = constant(), as_schedule(rule.learning_rate)

    def set_time(t):
        rate[()] = schedule(t)

    def move(parameters, gradient, work):
        np.multiply(rate, gradient, work)
        np.subtract(parameters, work, parameters)

    return set_time, move


def _momentum(rule: Momentum, constant):
    (set_time, descend), beta = _sgd(rule, constant), constant(rule.beta)

    def move(parameters, gradient, work, v):
        np.multiply(beta, v, v)
        np.add(v, gradient, v)
        descend(parameters, v, work)

    return set_time, move


def _nesterov(rule: Nesterov, constant):
    (set_time, descend), beta = _sgd(rule, constant), constant(rule.beta)

    def move(parameters, gradient, work, v):
        np.multiply(beta, v, v)
        np.add(v, gradient, v)
        np.multiply(beta, v, work)
        np.add(gradient, work, work)
        descend(parameters, work, work)

    return set_time, move


def _adagrad(rule: AdaGrad, constant):
    (set_time, descend), epsilon = _sgd(rule, constant), constant(rule.epsilon)

    def move(parameters, gradient, work, s):
        np.multiply(gradient, gradient, work)
        np.add(s, work, s)
        np.sqrt(s, work)
        np.add(work, epsilon, work)
        np.divide(gradient, work, work)
        descend(parameters, work, work)

    return set_time, move


def _rmsprop(rule: RMSProp, constant):
    (set_time, descend), epsilon = _sgd(rule, constant), constant(rule.epsilon)
    rho, rest = constant(rule.rho), constant(1 - rule.rho)

    def move(parameters, gradient, work, s):
        np.multiply(rho, s, s)
        np.multiply(gradient, gradient, work)
        np.multiply(rest, work, work)
        np.add(s, work, s)
        np.sqrt(s, work)
        np.add(work, epsilon, work)
        np.divide(gradient, work, work)
        descend(parameters, work, work)

    return set_time, move


def _adam(rule: Adam, constant):
    """Both corrections are numbers, so they go into the rate and into ε and cost nothing."""
    rate, epsilon, schedule = constant(), constant(), as_schedule(rule.learning_rate)
    beta1, rest1, beta2, rest2 = map(constant, (rule.beta1, 1 - rule.beta1, rule.beta2, 1 - rule.beta2))

    def set_time(t):
        root = sqrt(1 - rule.beta2 ** (t + 1))
        rate[()] = schedule(t) * root / (1 - rule.beta1 ** (t + 1))
        epsilon[()] = rule.epsilon * root

    def move(parameters, gradient, work, m, v):
        np.multiply(beta1, m, m)
        np.multiply(rest1, gradient, work)
        np.add(m, work, m)
        np.multiply(beta2, v, v)
        np.multiply(gradient, gradient, work)
        np.multiply(rest2, work, work)
        np.add(v, work, v)
        np.sqrt(v, work)
        np.add(work, epsilon, work)
        np.divide(m, work, work)
        np.multiply(rate, work, work)
        np.subtract(parameters, work, parameters)

    return set_time, move


def _adamw(rule: AdamW, constant):
    (set_adam, adam), shrink, schedule = _adam(rule, constant), constant(), as_schedule(rule.learning_rate)

    def set_time(t):
        set_adam(t)
        shrink[()] = schedule(t) * rule.weight_decay

    def move(parameters, gradient, work, m, v):
        lost = shrink * parameters
        adam(parameters, gradient, work, m, v)
        np.subtract(parameters, lost, parameters)

    return set_time, move


_UPDATES = {
    SGD: _sgd,
    Momentum: _momentum,
    Nesterov: _nesterov,
    AdaGrad: _adagrad,
    RMSProp: _rmsprop,
    Adam: _adam,
    AdamW: _adamw,
}


def fast_update(optimizer: Optimizer, like: np.ndarray) -> Callable[[np.ndarray, np.ndarray, State], Update]:
    """Return ``optimizer.update`` for vectors like θ, in place.

    Give it the parameters, the gradient and the state: it returns a function without arguments that overwrites the
    parameters and the state by one update for the gradient as it then is. An optimizer that is not one of the
    registry's own computes with its plain ``update``.
    """
    make = _UPDATES.get(type(optimizer))
    if make is None:
        return lambda *vectors: partial(_plain_update, optimizer, *vectors)
    set_time, move = make(optimizer, lambda value=0.0: np.array(value, like.dtype))
    work, faded = aligned(min(like.size, PIECE), like.dtype), FADED * np.finfo(like.dtype).tiny

    def begin(parameters: np.ndarray, gradient: np.ndarray, state: State) -> Update:
        vectors = parameters, gradient, *(state[name] for name in optimizer.memory)
        pieces = []
        for start in range(0, like.size, PIECE):
            theta, g, *memory = (vector[start : start + PIECE] for vector in vectors)
            pieces.append((theta, g, work[: len(theta)], *memory))

        def update():
            t = state["t"]
            set_time(t)
            for piece in pieces:
                move(*piece)
            if not (t + 1) % FORGET:
                for _, _, magnitude, *memory in pieces:
                    for vector in memory:
                        vector[np.abs(vector, magnitude) < faded] = 0
            state["t"] = t + 1

        return update

    return begin


def _plain_update(optimizer: Optimizer, parameters, gradient, state) -> None:
    """Give the optimizer copies: it may well keep them."""
    parameters[:], after = optimizer.update(parameters.copy(), gradient.copy(), state)
    state.update(after)

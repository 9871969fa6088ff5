"""Gradient descent walks downhill: measure the slope of the loss, take a step against it, and measure again.

Here the walk is a generator of steps: take as many as you want, keep any of them, go on from any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context, copy_context
from typing import Any, NamedTuple

import numpy as np

from nnlib.autopsy import first_bad, non_finite
from nnlib.backpropagation import backward
from nnlib.dropout import Dropout, as_dropout
from nnlib.errors import NonFiniteError, SettingError, ShapeError, check_count, check_rng
from nnlib.losses import Loss
from nnlib.network import Network, aligned
from nnlib.optimizers import Optimizer, State, as_optimizer
from nnlib.penalties import Penalty, as_penalty
from nnlib.plan import Examples, Plan, fast_update


class Step(NamedTuple):
    """One point of the walk, with all that is needed to go on from it. Its arrays are read-only.

    Attributes
    ----------
    index : int
        Number of updates made so far; step 0 is the start.
    loss : float
        The loss at these parameters, on this step's batch, with the penalty: the number that is minimised.
    parameters : ndarray (P,)
        θ at this step.
    gradient : ndarray (P,)
        The gradient of `loss` there. The next step moves by it.
    batch : ndarray (batch_size,) or None
        The rows of X that `loss` and `gradient` were computed on; None for all.
    epoch : int
        How often all examples have been used before this batch.
    optimizer : str
        The name of the optimizer that `state` belongs to.
    state : dict
        What the optimizer remembered on arriving here: ``t`` and its vectors, such as ``velocity``.
    shuffle : object or None
        Where the walk stands in its shuffled examples, for `descend` to go on.
    """

    index: int
    loss: float
    parameters: np.ndarray
    gradient: np.ndarray
    batch: np.ndarray | None
    epoch: int
    optimizer: str
    state: State
    shuffle: _Shuffle | None

    def __repr__(self) -> str:
        return f"Step(index={self.index}, loss={self.loss}, epoch={self.epoch})"


class _Shuffle(NamedTuple):
    """Where a walk stands in its shuffled examples, and the random numbers that will shuffle them next."""

    order: np.ndarray
    stop: int
    size: int
    random: dict[str, Any]


def descend(
    net: Network,
    loss: str | Loss,
    X,
    y,
    *,
    optimizer: str | Optimizer,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    penalty: Penalty | None = None,
    dropout: Dropout | None = None,
    every: int = 1,
    start: Step | None = None,
) -> Iterator[Step]:
    r"""Train a network, one update at a time.

    .. math:: θ_{t+1} = θ_t - η\, \nabla L(θ_t) \quad \text{or what the optimizer makes of it}

    An endless generator; take what you want: ``itertools.islice(descend(...), 200)``. While it stands at a
    step, ``net.parameters`` equals that step's θ.

    Parameters
    ----------
    net : Network
        Trained in place.
    loss : str or Loss
    X : array_like (examples, inputs)
    y : array_like
        The target, as the loss takes it.
    optimizer : str or Optimizer
    batch_size : int, optional
        Examples for each update; by default all. The examples are shuffled for each epoch, and the last batch
        of an epoch may be smaller, so that every example is used once.
    rng : numpy.random.Generator, optional
        Shuffles the examples; needed with `batch_size`.
    penalty : Penalty, optional
        Added to the loss.
    dropout : Dropout, optional
        Silences a random part of the hidden neurons at each step; `loss` and `gradient` are then those of the
        network with its holes.
    every : int
        Yield every so many-th step only: 0, k, 2k and so on, each bit for bit what it is among all the steps.
        All updates between them are made in place, which saves time and memory.
    start : Step, optional
        Go on from this step instead of from the network's parameters: the first step that comes is the one
        `every` after it, bit for bit the one that the first walk gave or would have given. Change an argument to
        fork: another optimizer starts with fresh memory, and with another `batch_size` or with a new `rng`
        the examples are shuffled anew.

    Yields
    ------
    Step

    Raises
    ------
    NonFiniteError
        When the loss, the gradient or anything on the way is no longer finite, at whichever step it happens.
        All steps that came before stay valid.
    ShapeError, TargetError, DTypeError, SettingError
        At the call, if an argument is not as described.

    Notes
    -----
    Between two steps that are yielded the walk holds, beside the data and the activations of a batch, θ, the
    gradient and what the optimizer remembers, each once: 2 vectors of the size of θ with SGD, 3 with momentum,
    Nesterov's, AdaGrad and RMSProp, 4 with Adam and AdamW. A step that is yielded owns as many of its own, as long as
    you keep it. Penalties, networks with shortcuts or masks and optimizers of your own compute in their plain
    form, which makes new arrays at each update.

    Source: Cauchy 1847; Goodfellow et al. 2016, algorithm 8.1.

    Examples
    --------
    >>> from itertools import islice
    >>> from nnlib.optimizers import SGD
    >>> net = Network([1, 1], rng=np.random.default_rng(0))
    >>> net.parameters = [0.0, 0.0]
    >>> X, y = [[-1.0], [1.0]], [-1.0, 3.0]  # y = 2x + 1
    >>> for step in islice(descend(net, "mse", X, y, optimizer=SGD(0.25)), 4):
    ...     print(step.index, step.loss, step.parameters)
    0 5.0 [0. 0.]
    1 1.25 [1.  0.5]
    2 0.3125 [1.5  0.75]
    3 0.078125 [1.75  0.875]

    Who only wants to train asks for the last step alone:

    >>> net.parameters = [0.0, 0.0]
    >>> _, last = islice(descend(net, "mse", X, y, optimizer=SGD(0.25), every=20), 2)
    >>> last.index, last.parameters.round(5)
    (20, array([2., 1.]))
    """
    optimizer, penalty, dropout = as_optimizer(optimizer), as_penalty(penalty), as_dropout(dropout)
    if not (start is None or isinstance(start, Step)):
        raise SettingError(f"start should be a step that descend gave, got {start!r}")
    every = check_count("every", every)
    examples = Examples(net, loss, X, y)
    for name, values in (("X", examples.X), ("y", examples.y)):
        if not np.isfinite(values).all():
            where, _, value = first_bad(name, values)
            raise NonFiniteError(f"{where} is {value}; clean the data before training", where=where, value=value)
    shuffle = None
    if batch_size is not None:
        batch_size = check_count("batch_size", batch_size)
        if batch_size > len(examples):
            raise SettingError(f"batch_size is {batch_size}, but there are only {len(examples)} examples")
        if rng is not None:
            rng = check_rng(rng)
        elif start is not None and start.shuffle is not None:
            rng = _generator(start.shuffle.random)
            shuffle = start.shuffle if start.shuffle.size == batch_size else None
        else:
            raise SettingError("batches are drawn at random: give rng=np.random.default_rng(0) with batch_size")
    if start is not None and start.parameters.shape != net.parameters.shape:
        raise ShapeError(
            f"start comes from a network with {start.parameters.size} parameters, this one has {net.parameters.size}"
        )
    if shuffle is not None and len(shuffle.order) != len(examples):
        raise ShapeError(f"start comes from a walk over {len(shuffle.order)} examples, X holds {len(examples)}")
    epoch = 0 if start is None else start.epoch
    batches = None if batch_size is None else _Batches(len(examples), batch_size, rng, epoch, shuffle)
    return _Walk(net, examples, optimizer, batches, penalty, dropout, every, start).steps()


class _Batches:
    """Whose turn it is: all examples in each epoch, shuffled anew and cut into batches."""

    def __init__(self, examples: int, size: int, rng: np.random.Generator, epoch: int, shuffle: _Shuffle | None):
        self.examples, self.size, self.rng, self.epoch = examples, size, rng, epoch
        self.order, self.stop, self.random = None, examples, None
        if shuffle is not None:
            self.order, self.stop, self.random = shuffle.order, shuffle.stop, shuffle.random

    def draw(self) -> np.ndarray:
        """Return the rows of the next batch."""
        first = self.stop
        if first == self.examples:
            self.epoch += self.order is not None
            self.order, first = self.rng.permutation(self.examples), 0
            self.order.setflags(write=False)
            self.random = self.rng.bit_generator.state
        self.stop = min(first + self.size, self.examples)
        return self.order[first : self.stop]

    @property
    def shuffle(self) -> _Shuffle:
        """Where this stands, for a step to keep."""
        return _Shuffle(self.order, self.stop, self.size, self.random)


class _Walk:
    """Training under way: θ, its gradient and the optimizer's memory, all overwritten by each update."""

    def __init__(self, net, examples, optimizer, batches, penalty, dropout, every, start):
        self.net, self.examples, self.optimizer, self.batches = net, examples, optimizer, batches
        self.penalty, self.dropout, self.every, self.at = penalty, dropout, every, start
        self.updates = fast_update(optimizer, net.parameters)
        self.is_chain = net.is_chain  # any other network has no plan: it takes every step in the plain form
        self.plans: dict[int | None, Plan] = {}
        if start is not None:
            examples.gradient[:] = start.gradient

    def steps(self) -> Iterator[Step]:
        """Yield a step, make the updates up to the next one, and so on."""
        quietly = _context_without_warnings().run
        quietly(self.begin if self.at is None else self.go_on)
        while True:
            yield self.at
            quietly(self.go_on)

    def begin(self) -> None:
        """Make step 0."""
        self.arrive(0, self.optimizer.start(self.net.parameters), *self.look(0))

    def go_on(self) -> None:
        """Make the updates that lead to the next step."""
        step, self.at = self.at, None
        parameters, gradient, index = self.net.parameters, self.examples.gradient, step.index
        parameters[:] = step.parameters
        state = step.state if step.optimizer == self.optimizer.name else self.optimizer.start(parameters)
        before = (step.parameters, step.gradient) if self.every == 1 else None
        del step  # its arrays can go, unless someone else keeps it
        state = {
            name: aligned(value.shape, value.dtype, value) if isinstance(value, np.ndarray) else value
            for name, value in state.items()
        }
        update = self.updates(parameters, gradient, state)
        for left in range(self.every - 1, -1, -1):
            update()
            index += 1
            batch, value = self.look(index, before, value=not left)
        self.arrive(index, state, batch, value)

    def arrive(self, index: int, state: State, batch: np.ndarray | None, value: float) -> None:
        """Make the step to be yielded; what it owns is never written to again."""
        parameters, gradient = self.net.parameters.copy(), self.examples.gradient.copy()
        parameters.setflags(write=False)
        gradient.setflags(write=False)
        epoch, shuffle = (index, None) if self.batches is None else (self.batches.epoch, self.batches.shuffle)
        self.at = Step(index, value, parameters, gradient, batch, epoch, self.optimizer.name, state, shuffle)

    def look(self, index: int, before=None, *, value: bool = True) -> tuple[np.ndarray | None, float]:
        """Draw a batch and return it with the loss there, if that is asked for; the gradient is in its place."""
        batch, size, masks, finite = None, None, None, False
        if self.batches is not None:
            batch = self.batches.draw()
            size = len(batch)
        if self.dropout is not None:
            masks = self.dropout.masks(self.net, size or len(self.examples), index)
        if self.is_chain:
            plan = self.plans.get(size)
            if plan is None:
                plan = self.plans[size] = self.examples.plan(size, dropout=masks is not None)
            if masks is not None:
                plan.mask(masks)
            mean, gradient, finite = plan.run(batch, value=value)
            if finite and self.penalty is not None:
                more = _add_penalty(self.net, self.penalty, gradient)
                mean += more  # NaN stays NaN: a loss that was not asked for
                finite = np.isfinite(more) and not np.isinf(mean) and np.isfinite(gradient).all()
        if not finite:
            mean = self.in_plain_form(index, batch, masks, before)
        return batch, mean

    def in_plain_form(self, index: int, batch, masks, before) -> float:
        """Do a step again in its plain form, in which a number that is not finite can be named."""
        net, rows = self.net, slice(None) if batch is None else batch
        loss, target = self.examples.loss, self.examples.y[rows]
        trace = net.forward(self.examples.X[rows], masks=masks)
        value = loss.mean(trace.output, target)
        sweep = backward(net, trace, loss.mean_slope(trace.output, target))
        gradient = self.examples.gradient
        gradient[:] = sweep.gradient
        if self.penalty is not None:
            value += _add_penalty(net, self.penalty, gradient)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise non_finite(
                net,
                loss,
                target,
                trace,
                value,
                sweep,
                gradient=gradient,
                index=index,
                optimizer=self.optimizer,
                before=before,
            )
        return value


def _context_without_warnings() -> Context:
    """Return a context in which numpy overflows in silence: a walk looks for itself at what it computes."""
    context = copy_context()
    context.run(np.seterr, all="ignore")
    return context


def _add_penalty(net: Network, penalty: Penalty, gradient: np.ndarray) -> float:
    """Add a penalty's slope to the gradient, in place, and return its value."""
    gradient += penalty.slope(net)
    return penalty.value(net)


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)

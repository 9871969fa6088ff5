"""Gradient descent walks downhill: measure the slope of the loss, take a step against it, and measure again.

Here the walk is a generator of steps: take as many as you want, keep any of them, go on from any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnlib.autopsy import first_bad, non_finite
from nnlib.backpropagation import backward
from nnlib.dropout import Dropout, as_dropout
from nnlib.errors import NonFiniteError, SettingError, ShapeError, check_count, check_rng
from nnlib.losses import Loss
from nnlib.network import Network
from nnlib.optimizers import Optimizer, State, as_optimizer
from nnlib.penalties import Penalty, as_penalty
from nnlib.plan import Examples, Plan, Update, fast_update


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
    start : Step, optional
        Go on from this step instead of from the network's parameters: the first step that comes is the one
        after it, bit for bit the one that the first walk gave or would have given. Change an argument to
        fork: another optimizer starts with fresh memory, and with another `batch_size` or with a new `rng`
        the examples are shuffled anew.

    Yields
    ------
    Step

    Raises
    ------
    NonFiniteError
        When the loss, the gradient or anything on the way is no longer finite. All earlier steps stay valid.
    ShapeError, TargetError, DTypeError, SettingError
        At the call, if an argument is not as described.

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
    """
    optimizer, penalty, dropout = as_optimizer(optimizer), as_penalty(penalty), as_dropout(dropout)
    if not (start is None or isinstance(start, Step)):
        raise SettingError(f"start should be a step that descend gave, got {start!r}")
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
    return _walk(net, examples, optimizer, batch_size, rng, penalty, dropout, start, shuffle)


def _walk(net, examples, optimizer, batch_size, rng, penalty, dropout, start, shuffle) -> Iterator[Step]:
    quietly = _context_without_warnings().run
    update = partial(quietly, fast_update(optimizer, examples.sums))
    plans: dict[int | None, Plan] = {}
    is_chain = net.is_chain  # any other network has no plan: it takes every step in the plain form
    epoch = 0 if start is None else start.epoch
    if start is None:
        index, parameters, state = 0, net.parameters.copy(), optimizer.start(net.parameters)
    else:
        index, parameters, state = _next(start, optimizer, update)
    step = start
    while True:
        batch, size = None, None
        if batch_size is not None:
            first = len(examples) if shuffle is None else shuffle.stop
            if first == len(examples):
                epoch += index > 0 and shuffle is not None
                order, first = rng.permutation(len(examples)), 0
                order.setflags(write=False)
                random = rng.bit_generator.state
            else:
                order, random = shuffle.order, shuffle.random
            shuffle = _Shuffle(order, min(first + batch_size, len(examples)), batch_size, random)
            batch = order[first : shuffle.stop]
            size = len(batch)
        elif index:
            epoch = index
        net.parameters[:] = parameters
        masks = None
        if dropout is not None:
            masks = dropout.masks(net, len(examples) if size is None else size, index)
        finite = is_chain
        if is_chain:
            if size not in plans:
                plans[size] = examples.plan(size, dropout=dropout is not None)
            if masks is not None:
                plans[size].mask(masks)
            value, gradient, finite = quietly(plans[size].run, batch)
        if finite and penalty is not None:
            value, gradient = quietly(_add_penalty, net, penalty, value, gradient)
            finite = np.isfinite(value) and np.isfinite(gradient).all()
        if not finite:
            value, gradient = quietly(_in_plain_form, net, examples, batch, penalty, masks, index, optimizer, step)
        parameters.setflags(write=False)
        gradient.setflags(write=False)
        step = Step(index, value, parameters, gradient, batch, epoch, optimizer.name, state, shuffle)
        yield step
        index, parameters, state = _next(step, optimizer, update)


def _next(step: Step, optimizer: Optimizer, update: Update) -> tuple[int, np.ndarray, State]:
    state = step.state if step.optimizer == optimizer.name else optimizer.start(step.parameters)
    return step.index + 1, *update(step.parameters, step.gradient, state)


def _context_without_warnings() -> Context:
    """Return a context in which numpy overflows in silence: a walk looks for itself at what it computes."""
    context = copy_context()
    context.run(np.seterr, all="ignore")
    return context


def _add_penalty(net: Network, penalty: Penalty, value: float, gradient: np.ndarray) -> tuple[float, np.ndarray]:
    return value + penalty.value(net), gradient + penalty.slope(net)


def _in_plain_form(net, examples, batch, penalty, masks, index, optimizer, before) -> tuple[float, np.ndarray]:
    """Do a step again in its plain form, in which a number that is not finite can be named."""
    rows = slice(None) if batch is None else batch
    loss, target = examples.loss, examples.y[rows]
    trace = net.forward(examples.X[rows], masks=masks)
    value = loss.mean(trace.output, target)
    sweep = backward(net, trace, loss.mean_slope(trace.output, target))
    gradient = sweep.gradient
    if penalty is not None:
        value, gradient = _add_penalty(net, penalty, value, gradient)
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
            optimizer=optimizer,
            before=None if before is None else (before.parameters, before.gradient),
        )
    return value, gradient


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)

"""A computation graph of single numbers, kept on a tape.

Each number is a node, and an edge leads to it from every number it was computed from.
An edge stores one number, the local derivative; the chain rule is one sweep along the edges, last node first.

The tape is a handful of flat lists, with the nodes in the order in which they were computed.
So each node comes after everything it was computed from: walking the tape forwards is the forward pass,
walking it backwards is backpropagation, and nothing has to be sorted.
There is no recursion, so the length of a chain does not matter.
No reference leads from the graph to its nodes, so its memory is freed at once, without the cyclic collector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from operator import mul
from typing import NamedTuple

from nnlib.errors import SettingError, ShapeError, look_up


class Function(NamedTuple):
    """A function of one number, declared together with its slope."""

    value: Callable[[float], float]
    """x -> y"""
    slope: Callable[[float, float], float]
    """(x, y) -> dy/dx, given the input and the output, so that nothing is computed twice"""
    written: str
    """the slope as a formula in x and y, for figures"""


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


FUNCTIONS: dict[str, Function] = {
    "exp": Function(math.exp, lambda x, y: y, "y"),
    "log": Function(math.log, lambda x, y: 1 / x, "1 / x"),
    "tanh": Function(math.tanh, lambda x, y: 1 - y * y, "1 − y²"),
    "sigmoid": Function(_sigmoid, lambda x, y: y * (1 - y), "y · (1 − y)"),
    "relu": Function(lambda x: x if x > 0 else 0.0, lambda x, y: 1.0 if x > 0 else 0.0, "1 if x > 0, else 0"),
    "softplus": Function(
        lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), lambda x, y: _sigmoid(x), "sigmoid(x)"
    ),
}


class SweepStep(NamedTuple):
    """One edge of a backward sweep: `upstream * slope` is added to the gradient of `source`."""

    edge: int
    """index of the edge on the tape"""
    target: int
    """index of the node that the edge leads to; the sweep comes from here"""
    source: int
    """index of the node that the edge comes from; the sweep goes there"""
    upstream: float
    """dL/d(target), complete: every edge that leaves the target has been swept"""
    slope: float
    """d(target)/d(source), the local derivative stored on the edge"""
    contribution: float
    """upstream * slope"""
    gradient: float
    """dL/d(source) so far, this contribution included"""


class Node:
    """One number of a calculation. Arithmetic with nodes records new nodes on the tape of their graph.

    A node counts as its index, so `gradient[node]` reads a list that `Graph.backward` returned.

    Examples
    --------
    >>> graph = Graph()
    >>> x = graph.variable(3.0)
    >>> y = x * x + 2 * x
    >>> gradient = graph.backward(y)
    >>> y.value, gradient[x]                  # x² + 2x at 3, and 2x + 2 at 3
    (15.0, 8.0)
    """

    __slots__ = ("graph", "index", "value")

    def __init__(self, graph: Graph, index: int, value: float):
        self.graph = graph
        self.index = index
        self.value = value

    def named(self, name: str) -> Node:
        """Give the node a name for figures and printouts, and return it."""
        self.graph.names[self.index] = name
        return self

    def __index__(self) -> int:
        return self.index

    def __repr__(self) -> str:
        return f"Node({self.index}: {self.graph.operations[self.index]} = {self.value:.6g})"

    def __add__(self, other: Node | float) -> Node:
        a, b = self, self.graph.node(other)
        return self.graph.record("+", a.value + b.value, (a, b), (1.0, 1.0))

    def __sub__(self, other: Node | float) -> Node:
        a, b = self, self.graph.node(other)
        return self.graph.record("−", a.value - b.value, (a, b), (1.0, -1.0))

    def __mul__(self, other: Node | float) -> Node:
        a, b = self, self.graph.node(other)
        return self.graph.record("×", a.value * b.value, (a, b), (b.value, a.value))

    def __truediv__(self, other: Node | float) -> Node:
        a, b = self, self.graph.node(other)
        if b.value == 0:
            raise SettingError(f"division by zero: {b!r} is the divisor of {a!r}; keep it away from 0")
        return self.graph.record("÷", a.value / b.value, (a, b), (1 / b.value, -a.value / b.value**2))

    def __pow__(self, exponent: float) -> Node:
        if isinstance(exponent, Node):
            raise SettingError("the exponent is a node, but only fixed numbers can be exponents: write x**2")
        n, x = exponent, self.value
        try:
            slope = n * math.pow(x, n - 1) if n else 0.0
            return self.graph.record(f"^{n:g}", math.pow(x, n), (self,), (slope,))
        except (ValueError, OverflowError) as error:
            raise SettingError(
                f"{x:g} to the power {n:g} has no finite value or slope, at {self!r}"
            ) from error

    def __neg__(self) -> Node:
        return self * -1.0

    def __radd__(self, other: float) -> Node:
        return self.graph.node(other) + self

    def __rsub__(self, other: float) -> Node:
        return self.graph.node(other) - self

    def __rmul__(self, other: float) -> Node:
        return self.graph.node(other) * self

    def __rtruediv__(self, other: float) -> Node:
        return self.graph.node(other) / self

    def apply(self, function: str) -> Node:
        """Return `function(self)`, where `function` is a name in `FUNCTIONS`."""
        x, rule = self.value, look_up("function", function, FUNCTIONS)
        try:
            y = rule.value(x)
            return self.graph.record(function, y, (self,), (rule.slope(x, y),))
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise SettingError(f"{function}({x:g}) has no finite value, at {self!r}") from error


class Graph:
    """The tape: every number of a calculation and every local derivative, in the order of computation.

    Attributes
    ----------
    operations, values : list
        One entry a node: what computed it ("variable" for an input) and its value.
    names : dict of int to str
        Names of nodes, for those that were given one.
    starts : list of int
        The edges that lead to node i are numbers `starts[i]` to `starts[i + 1] - 1`.
    sources, slopes : list
        One entry an edge: the node it comes from, and the local derivative d(target)/d(source).

    Examples
    --------
    One neuron with a squared error, and its gradient:

    >>> graph = Graph()
    >>> w, x, b = graph.variable(0.5, "w"), graph.variable(2.0, "x"), graph.variable(-1.0, "b")
    >>> loss = (graph.neuron([w], [x], b) - 1) ** 2
    >>> gradient = graph.backward(loss)
    >>> loss.value, gradient[w], gradient[b]
    (1.0, -4.0, -2.0)
    """

    __slots__ = ("names", "operations", "slopes", "sources", "starts", "values")

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.values: list[float] = []
        self.names: dict[int, str] = {}
        self.starts: list[int] = [0]
        self.sources: list[int] = []
        self.slopes: list[float] = []

    def __len__(self) -> int:
        return len(self.values)

    def variable(self, value: float, name: str | None = None) -> Node:
        """Put an input on the tape: a node that no edge leads to."""
        node = self.record("variable", float(value), (), ())
        return node if name is None else node.named(name)

    def variables(self, values: Sequence[float]) -> list[Node]:
        """Put several inputs on the tape, in order."""
        return [self.variable(value) for value in values]

    def edges_to(self, node: Node | int) -> range:
        """Return the indices of the edges that lead to a node."""
        return range(self.starts[node], self.starts[node.__index__() + 1])

    def node(self, number: Node | float) -> Node:
        """Return `number` as a node of this graph; a plain number becomes an input."""
        if not isinstance(number, Node):
            return self.variable(number)
        if number.graph is not self:
            raise SettingError(
                f"{number!r} belongs to another graph; build both numbers with the same Graph()"
            )
        return number

    def neuron(self, weights: Sequence[Node], inputs: Sequence[Node], bias: Node) -> Node:
        """Return z = w₁x₁ + ... + wₙxₙ + b as one node with 2n + 1 edges.

        The same number could be built from n products and n sums: 2n nodes with 4n edges.
        One node is faster, and it is how the chapter draws a neuron.
        """
        if len(weights) != len(inputs):
            raise ShapeError(
                f"a neuron needs one weight for each input; got {len(weights)} and {len(inputs)}"
            )
        w = [node.value for node in weights]
        x = [node.value for node in inputs]
        z = sum(map(mul, w, x), bias.value)
        return self.record("neuron", z, (*weights, *inputs, bias), (*x, *w, 1.0))  # ∂z/∂w = x, ∂z/∂x = w

    def total(self, nodes: Sequence[Node]) -> Node:
        """Return the sum of `nodes` as one node."""
        return self.record("sum", math.fsum(node.value for node in nodes), nodes, [1.0] * len(nodes))

    def record(self, operation: str, value: float, sources: Sequence[Node], slopes: Sequence[float]) -> Node:
        """Append one node to the tape, with an edge from each of its `sources`.

        Parameters
        ----------
        operation : str
            What computed the node; a label for figures and printouts, never interpreted.
        value : float
            The value of the new node.
        sources : sequence of Node
            The nodes it was computed from.
        slopes : sequence of float
            The local derivatives d(new node)/d(source), in the same order.
        """
        self.operations.append(operation)
        self.values.append(value)
        self.sources += [node.index for node in sources]
        self.slopes += slopes
        self.starts.append(len(self.slopes))
        return Node(self, len(self.values) - 1, value)

    def backward(self, output: Node) -> list[float]:
        """Return d(output)/d(node) for every node of the tape, by one sweep from the last node to the first.

        Each node passes its gradient g on to its sources: a source receives g times the slope of the edge
        between them, and what arrives at one node over several edges is added up.

        The list is new at every call and the tape is only read.
        So a second call gives the same numbers as the first, from any output, in any order.
        (In libraries which keep the gradient inside the node, a second call adds to what the first one left.)

        Examples
        --------
        >>> graph = Graph()
        >>> x = graph.variable(2.0)
        >>> y = x * x
        >>> graph.backward(y)[x], graph.backward(y)[x]
        (4.0, 4.0)
        """
        gradient = [0.0] * len(self.values)
        gradient[self.node(output).index] = 1.0  # dL/dL
        starts, sources, slopes = self.starts, self.sources, self.slopes
        for target in range(output.index, -1, -1):
            g = gradient[target]
            if g:  # a node which the output does not depend on passes nothing on
                for edge in range(starts[target], starts[target + 1]):
                    gradient[sources[edge]] += g * slopes[edge]
        return gradient

    def sweep(self, output: Node) -> Iterator[SweepStep]:
        """Replay `backward` edge by edge, for figures and tests: the same numbers in the same order.

        Examples
        --------
        >>> graph = Graph()
        >>> x = graph.variable(3.0)
        >>> for step in graph.sweep(x * x):
        ...     print(f"{step.upstream:g} × {step.slope:g} = {step.contribution:g}, so far {step.gradient:g}")
        1 × 3 = 3, so far 3
        1 × 3 = 3, so far 6
        """
        gradient = [0.0] * len(self.values)
        gradient[self.node(output).index] = 1.0
        for target in range(output.index, -1, -1):
            g = gradient[target]
            if g:
                for edge in range(self.starts[target], self.starts[target + 1]):
                    source, slope = self.sources[edge], self.slopes[edge]
                    gradient[source] += g * slope
                    yield SweepStep(edge, target, source, g, slope, g * slope, gradient[source])

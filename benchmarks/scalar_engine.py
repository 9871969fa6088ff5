"""A scalar autograd engine in the style of micrograd (Karpathy 2020), written anew, to measure `nnlib.graph` with.

Each number holds its gradient and a closure that passes it on; the order of the sweep is found by sorting the graph.
"""

from __future__ import annotations

import math


class Value:
    """One number that knows what it was computed from."""

    def __init__(self, data: float, parents: tuple[Value, ...] = ()):
        self.data, self.grad, self.parents = data, 0.0, set(parents)
        self.pass_on = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def pass_on():
            self.grad += out.grad
            other.grad += out.grad

        out.pass_on = pass_on
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def pass_on():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.pass_on = pass_on
        return out

    def tanh(self):
        """Return the hyperbolic tangent."""
        out = Value(math.tanh(self.data), (self,))

        def pass_on():
            self.grad += (1 - out.data * out.data) * out.grad

        out.pass_on = pass_on
        return out

    def __sub__(self, other):
        return self + (other * -1)

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        """Fill in the gradients of everything that this number was computed from."""
        order, seen, todo = [], set(), [(self, False)]
        while todo:
            node, done = todo.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                todo.append((node, True))
                todo.extend((parent, False) for parent in node.parents)
        self.grad = 1.0
        for node in reversed(order):
            node.pass_on()

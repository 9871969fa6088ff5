"""The graph stepper: a calculation as a graph, its values forwards, its gradients backwards, edge by edge."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nnlib.graph import FUNCTIONS, Graph, Node
from nnlib.widgets.stepper import Column, Encoding, Frame, Instrument, Recording, Still, choice

NUDGE = 1e-5  # of the central difference that stands beside each gradient

# How an operation and its local derivatives are written, and the line of Python that records it.
# {0}, {1}, ... are the operands, {y} is the result.
WRITTEN: dict[str, tuple[str, tuple[str, ...], str]] = {
    "+": ("{0} + {1}", ("1", "1"), "{0} + {1}"),
    "−": ("{0} − {1}", ("1", "−1"), "{0} - {1}"),
    "×": ("{0} · {1}", ("{1}", "{0}"), "{0} * {1}"),
    "^2": ("{0}²", ("2 · {0}",), "{0}**2"),
} | {
    name: (
        f"{name}({{0}})",
        (rule.written.replace("y", "{y}").replace("(x)", "({0})").replace("x", "{0}"),),
        f'{{0}}.apply("{name}")',
    )
    for name, rule in FUNCTIONS.items()
}


def written(operation: str, count: int) -> tuple[str, tuple[str, ...], str]:
    """Return the templates of an operation with `count` operands: its formula, its slopes, its Python."""
    if operation != "neuron":
        return WRITTEN[operation]
    n = count // 2
    products = " + ".join(f"{{{k}}} · {{{n + k}}}" for k in range(n))
    lists = [", ".join(f"{{{k}}}" for k in part) for part in (range(n), range(n, 2 * n))]
    slopes = [f"{{{n + k}}}" for k in range(n)] + [f"{{{k}}}" for k in range(n)] + ["1"]
    return f"{products} + {{{2 * n}}}", tuple(slopes), f"graph.neuron([{lists[0]}], [{lists[1]}], {{{2 * n}}})"


def one_neuron(graph: Graph, start: dict[str, float]) -> Node:
    """L = (tanh(w x + b) − y)²."""
    x, w, b, y = (graph.variable(start[name], name) for name in "xwby")
    u = (w * x).named("u")
    z = (u + b).named("z")
    a = z.apply("tanh").named("a")
    e = (a - y).named("e")
    return (e**2).named("L")


def fork(graph: Graph, start: dict[str, float]) -> Node:
    """L = u v with u = x² and v = u + x: x reaches L in five ways."""
    x = graph.variable(start["x"], "x")
    u = (x * x).named("u")
    v = (u + x).named("v")
    return (u * v).named("L")


def chain(graph: Graph, start: dict[str, float]) -> Node:
    """Three sigmoid neurons in a row, without biases, and a squared error."""
    x, w1, w2, w3, y = (graph.variable(start[name], name) for name in ("x", "w1", "w2", "w3", "y"))
    z1 = (w1 * x).named("z1")
    a1 = z1.apply("sigmoid").named("a1")
    z2 = (w2 * a1).named("z2")
    a2 = z2.apply("sigmoid").named("a2")
    z3 = (w3 * a2).named("z3")
    a3 = z3.apply("sigmoid").named("a3")
    e = (a3 - y).named("e")
    return (e**2).named("L")


def network(graph: Graph, start: dict[str, float]) -> Node:
    """A 2-2-1 network of tanh neurons with the binary cross-entropy on its logit."""
    names = ("x1", "x2", "w11", "w21", "w12", "w22", "b1", "b2", "v1", "v2", "c", "y")
    x1, x2, w11, w21, w12, w22, b1, b2, v1, v2, c, y = (graph.variable(start[name], name) for name in names)
    z1 = graph.neuron([w11, w21], [x1, x2], b1).named("z1")
    z2 = graph.neuron([w12, w22], [x1, x2], b2).named("z2")
    h1 = z1.apply("tanh").named("h1")
    h2 = z2.apply("tanh").named("h2")
    z = graph.neuron([v1, v2], [h1, h2], c).named("z")
    s = z.apply("softplus").named("s")
    q = (y * z).named("q")
    return (s - q).named("L")


@dataclass(frozen=True)
class Calculation:
    """A graph to step through: how it is built, from which numbers, and where its nodes are drawn."""

    build: Callable[[Graph, dict[str, float]], Node]
    starts: dict[str, dict[str, float]]
    """name of a starting point -> name of an input -> its value"""
    places: dict[str, tuple[float, float]]
    """name of a node -> (depth, lane)"""


CALCULATIONS = {
    "neuron": Calculation(
        one_neuron,
        {
            "ordinary": {"x": 2.0, "w": 0.5, "b": -0.5, "y": 1.0},
            "large": {"x": 2.0, "w": 2.0, "b": -0.5, "y": -1.0},
            "zero": {"x": 2.0, "w": 0.0, "b": 0.0, "y": 1.0},
        },
        {
            "x": (0, 0), "w": (0, 1), "b": (1, 2), "y": (3, 2),
            "u": (1, 0.5), "z": (2, 1), "a": (3, 1), "e": (4, 1), "L": (5, 1),
        },
    ),
    "fork": Calculation(
        fork,
        {"ordinary": {"x": 2.0}, "large": {"x": 10.0}, "zero": {"x": 0.0}},
        {"x": (0, 1), "u": (1, 0), "v": (2, 1), "L": (3, 0)},
    ),
    "chain": Calculation(
        chain,
        {
            "ordinary": {"x": 1.0, "w1": 1.0, "w2": 1.0, "w3": 1.0, "y": 0.0},
            "large": {"x": 1.0, "w1": 6.0, "w2": 6.0, "w3": 6.0, "y": 0.0},
            "zero": {"x": 1.0, "w1": 0.0, "w2": 0.0, "w3": 0.0, "y": 0.0},
        },
        {
            "x": (0, 0), "w1": (0, 1), "z1": (1, 0.5), "a1": (2, 0.5), "w2": (2, 1.5), "z2": (3, 1), "a2": (4, 1),
            "w3": (4, 2), "z3": (5, 1.5), "a3": (6, 1.5), "y": (6, 0.5), "e": (7, 1), "L": (8, 1),
        },
    ),
    "network": Calculation(
        network,
        {
            "ordinary": {
                "x1": 1.0, "x2": -0.5, "w11": 0.6, "w21": -0.4, "w12": -0.7, "w22": 0.9, "b1": 0.1, "b2": -0.2,
                "v1": 1.2, "v2": -0.8, "c": 0.3, "y": 0.0,
            },
            "large": {
                "x1": 1.0, "x2": -0.5, "w11": 4.0, "w21": -4.0, "w12": -4.0, "w22": 4.0, "b1": 0.1, "b2": -0.2,
                "v1": 1.2, "v2": -0.8, "c": 0.3, "y": 0.0,
            },
            "zero": {
                "x1": 1.0, "x2": -0.5, "w11": 0.0, "w21": 0.0, "w12": 0.0, "w22": 0.0, "b1": 0.0, "b2": 0.0,
                "v1": 0.0, "v2": 0.0, "c": 0.0, "y": 0.0,
            },
        },
        {
            "w11": (0, 0), "w21": (0, 1), "x1": (0, 2), "x2": (0, 3), "w12": (0, 4), "w22": (0, 5),
            "b1": (1, 0), "z1": (1, 1.2), "z2": (1, 3.8), "b2": (1, 5), "v1": (2, 0), "h1": (2, 1.2),
            "h2": (2, 3.8), "v2": (2, 5), "c": (3, 1), "z": (3, 2.5), "y": (3, 4), "s": (4, 1.5), "q": (4, 3.5),
            "L": (5, 2.5),
        },
    ),
}  # fmt: skip


class _NudgedGraph(Graph):
    """A graph in which one number is a little off: what the rest of the calculation makes of it is measured."""

    __slots__ = ("nudge", "nudged")

    def __init__(self, nudged: int, nudge: float):
        super().__init__()
        self.nudged, self.nudge = nudged, nudge

    def record(self, operation, value, sources, slopes) -> Node:
        """Record the node, with the nudge added if it is the one."""
        return super().record(operation, value + self.nudge * (len(self) == self.nudged), sources, slopes)


def measured(calculation: Calculation, start: dict[str, float], count: int) -> np.ndarray:
    """Return dL/d(node) of each node (count,), measured by nudging the node up and down; no chain rule anywhere."""
    return np.array(
        [
            (
                calculation.build(_NudgedGraph(node, NUDGE), start).value
                - calculation.build(_NudgedGraph(node, -NUDGE), start).value
            )
            / (2 * NUDGE)
            for node in range(count)
        ]
    )


def shown(number: float, brackets: bool = False) -> str:
    """Write a number with four digits: −0.846. With `brackets`, a negative one stands in brackets."""
    text = f"{number + 0.0:.4g}".replace("-", "−")
    return f"({text})" if brackets and text.startswith("−") else text


def precise(number: float) -> str:
    """Write a gradient with six decimals, or as a power of ten where it is too small for that."""
    tiny = 1e-9 < abs(number) < 1e-3
    return f"{number:.4e}".replace("-", "−") if tiny else f"{round(number, 6) + 0.0:.6f}".replace("-", "−")


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class _Words:
    """The formulas of one graph, in symbols and with the numbers plugged in."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.names = [graph.names[i].translate(_SUBSCRIPTS) for i in range(len(graph))]
        self.numbers = [shown(value, brackets=True) for value in graph.values]

    def operands(self, node: int) -> list[int]:
        return self.graph.sources[self.graph.starts[node] : self.graph.starts[node + 1]]

    def fill(self, template: str, node: int, words: list[str]) -> str:
        text = template.format(*(words[source] for source in self.operands(node)), y=words[node])
        return re.sub(r"\(\(([^()]*)\)\)", r"(\1)", text)

    def node(self, node: int) -> dict:
        """Return the name of a node, its formula, and the formula with the numbers plugged in."""
        name, value = self.names[node], shown(self.graph.values[node])
        if self.graph.operations[node] == "variable":
            return {"name": name, "formula": f"{name} is given", "plugged": f"{name} = {value}"}
        formula = written(self.graph.operations[node], len(self.operands(node)))[0]
        return {
            "name": name,
            "formula": f"{name} = {self.fill(formula, node, self.names)}",
            "plugged": f"{name} = {self.fill(formula, node, self.numbers)} = {value}",
        }

    def edge(self, target: int, edge: int) -> dict:
        """Return the local derivative on an edge, in symbols and as a number."""
        templates = written(self.graph.operations[target], len(self.operands(target)))[1]
        template = templates[edge - self.graph.starts[target]]
        symbols = self.fill(template, target, self.names)
        plugged = self.fill(template, target, self.numbers)
        value = shown(self.graph.slopes[edge])
        parts = [f"∂{self.names[target]}/∂{self.names[self.graph.sources[edge]]}", symbols, plugged, value]
        if parts[2].strip("()") == value:
            del parts[2]
        if parts[1] == value:
            del parts[1]
        return {"formula": " = ".join(parts), "slope": value}

    def code(self, output: int) -> str:
        """Return Python that builds the same graph and prints the gradient of every input."""
        names, lines, inputs = self.graph.names, ["from nnlib.graph import Graph", "", "graph = Graph()"], []
        for node in range(output + 1):
            operation = self.graph.operations[node]
            if operation == "variable":
                inputs.append(names[node])
                lines.append(f'{names[node]} = graph.variable({self.graph.values[node]:g}, "{names[node]}")')
            else:
                words = [names[i] for i in range(node + 1)]
                template = written(operation, len(self.operands(node)))[2]
                lines.append(f"{names[node]} = {self.fill(template, node, words)}")
        return "\n".join(
            [
                *lines,
                "",
                f"gradient = graph.backward({names[output]})",
                f'print(f"{names[output]} = {{{names[output]}.value:.4g}}")',
                f"for node in [{', '.join(inputs)}]:",
                '    print(f"dL/d{graph.names[node.index]} = {gradient[node]:.4g}")',
            ]
        )


class GraphStepper(Instrument):
    """A small calculation as a graph: first its values, node by node, then its gradients, edge by edge."""

    TITLE = "Forwards the values, backwards the gradients"
    ALT = (
        "A calculation drawn as a graph. Every node shows its value and, below it, the gradient of the loss with "
        "respect to it; every edge carries its local derivative."
    )
    CONTROLS = (
        choice(
            "calculation",
            "Calculation",
            {
                "neuron": "one neuron",
                "fork": "a fork",
                "chain": "three sigmoids in a row",
                "network": "a 2-2-1 network",
            },
        ),
        choice("start", "Numbers", {"ordinary": "ordinary", "large": "large", "zero": "all weights zero"}),
    )
    COLUMNS = (
        Column("number", "The number this step computes", 6),
    )
    ENCODINGS = {  # noqa: RUF012 (a declaration)
        "values": Encoding("f8"),
        "gradients": Encoding("f8"),
    }

    @staticmethod
    def record(*, calculation: str, start: str) -> Iterator[Still | Frame]:
        """Yield the inputs, one frame for each computed node, one for dL/dL, one for each edge swept."""
        chosen = CALCULATIONS[calculation]
        numbers = chosen.starts[start]
        graph = Graph()
        output = chosen.build(graph, numbers)
        words, count = _Words(graph), len(graph)
        targets = np.repeat(np.arange(count), np.diff(graph.starts))
        swept = [step.source for step in graph.sweep(output)]
        forwards = 1 + count - graph.operations.count("variable")  # the frame of dL/dL
        # The frame from which on a node's gradient is complete.
        whole = [len(swept) - swept[::-1].index(k) if k in swept else len(swept) + 1 for k in range(count)]
        whole[output.index] = 0
        backward, nudged = graph.backward(output), measured(chosen, numbers, count)
        yield Still(
            places=np.array([chosen.places[graph.names[node]] for node in range(count)], float),
            sources=np.array(graph.sources),
            targets=targets,
            meta={
                "nodes": [
                    words.node(node)
                    | {
                        "kind": "input" if graph.operations[node] == "variable" else "computed",
                        "gradient": f"dL/d{words.names[node]} = {precise(backward[node])}",
                        "measured": precise(nudged[node]),
                        "complete": forwards + whole[node],
                    }
                    for node in range(count)
                ],
                "edges": [words.edge(int(target), edge) for edge, target in enumerate(targets)],
            },
        )

        values, gradients = np.full(count, np.nan), np.full(count, np.nan)
        contributions = np.full(len(targets), np.nan)
        inputs = [node for node in range(count) if graph.operations[node] == "variable"]
        values[inputs] = [graph.values[node] for node in inputs]

        def frame(sentence: str, node: int = -1, edge: int = -1, number: float = 0.0) -> Frame:
            return Frame(
                sentence, values=values, gradients=gradients, contributions=contributions, node=node, edge=edge,
                number=number,
            )  # fmt: skip

        yield frame(f"Given: {', '.join(words.node(node)['plugged'] for node in inputs)}.")
        for node in range(count):
            if node not in inputs:
                values[node] = graph.values[node]
                text = words.node(node)
                plugged = text["plugged"].removeprefix(f"{text['name']} = ")
                yield frame(f"Forwards: {text['formula']} = {plugged}.", node, number=graph.values[node])
        gradients[output.index] = 1.0
        start_back = "Now backwards. The loss changes as fast as itself: dL/dL = 1."
        yield frame(start_back, output.index, number=1.0)
        for step in graph.sweep(output):
            source, target = words.names[step.source], words.names[step.target]
            product = f"{shown(step.upstream, True)} · {shown(step.slope, True)} = {shown(step.contribution)}"
            sentence = f"Backwards from {target} to {source}: dL/d{target} · ∂{target}/∂{source} = {product}"
            if not np.isnan(gradients[step.source]):
                earlier, brought = shown(step.gradient - step.contribution), shown(step.contribution, True)
                sentence += f". Add it: dL/d{source} = {earlier} + {brought} = {shown(step.gradient)}"
            gradients[step.source], contributions[step.edge] = step.gradient, step.contribution
            yield frame(f"{sentence}.", step.source, step.edge, step.contribution)
        if deaf := [words.names[node] for node in np.flatnonzero(np.isnan(gradients))]:
            gradients[np.isnan(gradients)] = 0.0
            yield frame(f"From here on only zeros would be passed on. {', '.join(deaf)}: gradient 0.")

    @staticmethod
    def code(*, calculation: str, start: str) -> str:
        """Return the same calculation as a program."""
        graph = Graph()
        output = CALCULATIONS[calculation].build(graph, CALCULATIONS[calculation].starts[start])
        return _Words(graph).code(output.index)

    @staticmethod
    def poster(recording: Recording, step: int):
        """Draw the graph at one frame."""
        from nnlib import figures

        places, meta = recording.static["places"], recording.meta
        values, gradients = recording.frames["values"][step], recording.frames["gradients"][step]
        deepest, widest = places.max(axis=0)
        figure, axes = figures.figure(7.4, max(2.4, 0.72 * (widest + 1) + 0.6))
        for source, target, edge in zip(
            recording.static["sources"], recording.static["targets"], meta["edges"], strict=True
        ):
            (x0, y0), (x1, y1) = places[source], places[target]
            axes.plot([x0, x1], [y0, y1], color=figures.FAINT, zorder=0)
            if deepest < 7 and widest < 4:
                axes.text(
                    (x0 + x1) / 2, (y0 + y1) / 2, edge["slope"], fontsize=7, ha="center", color=figures.MUTED
                )
        for node, (x, y) in enumerate(places):
            axes.text(
                x, y, f"{meta['nodes'][node]['name']}\n{'' if np.isnan(values[node]) else shown(values[node])}",
                ha="center", va="bottom", fontsize=8, bbox={"fc": "white", "ec": figures.MUTED, "boxstyle": "round"},
            )  # fmt: skip
            if not np.isnan(gradients[node]):
                colour = figures.POSITIVE if gradients[node] > 0 else figures.NEGATIVE
                axes.text(
                    x, y, f"\n{shown(gradients[node])}", ha="center", va="top", fontsize=8, weight="bold",
                    color=colour if gradients[node] else figures.MUTED,
                )  # fmt: skip
        axes.set(xlim=(-0.5, deepest + 0.5), ylim=(widest + 0.6, -0.8))
        axes.set_axis_off()
        axes.set_title(meta["sentences"][step], fontsize=8)
        return figure

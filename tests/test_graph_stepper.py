"""The graph stepper: its formulas are right, and what it says by the chain rule is what it measures."""

import numpy as np
import pytest

from nnlib.graph import FUNCTIONS, Graph
from nnlib.widgets.graph_stepper import CALCULATIONS, WRITTEN, GraphStepper, shown

EVERY = [(calculation, start) for calculation, made in CALCULATIONS.items() for start in made.starts]


def whole(calculation: str, start: str):
    *_, recording = GraphStepper.recordings(calculation=calculation, start=start)
    return recording


def worth(text: str) -> float:
    """Return the value of a formula with numbers in it, as a reader would work it out."""
    text = text.replace("−", "-").replace("·", "*").replace("²", "**2")
    return eval(text, {name: rule.value for name, rule in FUNCTIONS.items()})


def close(text: str, value: float) -> bool:
    """Return whether a number of four digits is `value`, given that its ingredients have four digits too."""
    return float(text.replace("−", "-")) == pytest.approx(value, rel=5e-3, abs=2e-3)


@pytest.mark.parametrize(("calculation", "start"), EVERY)
def test_the_written_formulas_give_the_written_numbers(calculation, start):
    meta = whole(calculation, start).meta
    for node in meta["nodes"]:
        *formula, value = node["plugged"].split(" = ")[1:]
        assert all(close(value, worth(part)) for part in formula), node
    for edge in meta["edges"]:
        *symbols, value = edge["formula"].split(" = ")[1:]
        assert value == edge["slope"]
        if len(symbols) == 2:
            assert close(value, worth(symbols[1])), edge


@pytest.mark.parametrize(("calculation", "start"), EVERY)
def test_the_chain_rule_agrees_with_nudging(calculation, start):
    recording = whole(calculation, start)
    last = recording.frames["gradients"][-1]
    for node, gradient in zip(recording.meta["nodes"], last, strict=True):
        claimed, measured = (
            float(text.split(" = ")[-1].replace("−", "-")) for text in (node["gradient"], node["measured"])
        )
        assert claimed == pytest.approx(gradient, rel=1e-4, abs=1e-6)
        assert measured == pytest.approx(gradient, rel=1e-4, abs=2e-6)


@pytest.mark.parametrize(("calculation", "start"), EVERY)
def test_a_gradient_is_complete_with_the_last_edge_that_brings_something(calculation, start):
    recording = whole(calculation, start)
    frames, last = recording.frames, len(recording) - 1
    output = len(recording.meta["nodes"]) - 1
    for index, node in enumerate(recording.meta["nodes"]):
        brought = [step for step in range(last + 1) if frames["edge"][step] >= 0 and frames["node"][step] == index]
        complete = brought[-1] if brought else last
        if index == output:
            complete = int(np.flatnonzero(np.isfinite(frames["gradients"][:, output]))[0])
        assert node["complete"] == complete, node
        assert np.all(frames["gradients"][complete:, index] == frames["gradients"][-1, index])


def test_every_operation_of_the_figures_can_be_written():
    used = set()
    for made in CALCULATIONS.values():
        for start in made.starts.values():
            graph = Graph()
            made.build(graph, start)
            assert set(made.places) == set(graph.names.values())
            used |= set(graph.operations) - {"variable", "neuron"}
    assert used <= set(WRITTEN)
    assert set(FUNCTIONS) <= set(WRITTEN)


def test_a_number_used_three_times_adds_up_what_arrives():
    sentences = whole("fork", "ordinary").meta["sentences"]
    sums = [sentence for sentence in sentences if "Add it" in sentence]
    assert len(sums) == 3
    assert sums[-1].endswith("dL/dx = 24 + 20 = 44.")


@pytest.mark.parametrize(
    ("number", "text"), [(0.5, "0.5"), (-0.846033, "−0.846"), (-0.0, "0"), (1e-7, "1e−07"), (4300.0, "4300")]
)
def test_numbers_are_written_with_a_true_minus(number, text):
    assert shown(number) == text

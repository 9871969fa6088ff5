"""Neurons: the arithmetic by hand, the geometry, Novikoff's bound, the bumps, and what their figures say."""

import json
import re
import shutil
import subprocess
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nnlib
from nnlib.errors import DTypeError, SettingError, ShapeError
from nnlib.neurons import Neuron, build_bumps, mistake_bound, train_perceptron
from nnlib.widgets import load
from nnlib.widgets.bump_builder import CURVES
from nnlib.widgets.neuron_explorer import BIASES, FUNCTIONS, WEIGHTS, NeuronExplorer, step_at
from nnlib.widgets.perceptron_stepper import DATA, examples

CORNERS = np.array(list(product([0.0, 1.0], repeat=2)))
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0]}
BY_HAND = {"AND": ([1, 1], -1.5), "OR": ([1, 1], -0.5), "NAND": ([-1, -1], 1.5)}

numbers = st.floats(-5, 5, allow_subnormal=False)
planes = st.tuples(arrays(float, 2, elements=numbers), numbers, arrays(float, 2, elements=numbers)).filter(
    lambda drawn: np.linalg.norm(drawn[0]) > 0.1
)


# One neuron


@pytest.mark.parametrize("gate", GATES)
def test_gates_by_hand(gate):
    w, b = BY_HAND[gate]
    assert Neuron(w, b).answer(CORNERS).tolist() == GATES[gate]
    assert Neuron(w, b).margin(CORNERS, GATES[gate]) == pytest.approx(0.5 / np.sqrt(2))


def test_weighted_sum_of_one_example_and_of_a_batch():
    neuron = Neuron([2.0, -1.0, 0.5], 0.25)
    assert neuron.weighted_sum([1.0, 2.0, 4.0]) == 2.25
    assert neuron.weighted_sum([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]).tolist() == [2.25, 0.25]


def test_answers_are_those_of_the_step_activation():
    z = np.array([-1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0])
    assert Neuron([1.0], 0.0).answer(z[:, None]).tolist() == nnlib.ACTIVATIONS["step"].value(z).tolist()


def test_a_neuron_keeps_its_own_weights():
    w = np.array([1.0, 2.0])
    neuron = Neuron(w, 0.0)
    w[:] = 9
    assert neuron.w.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        neuron.w[0] = 3


@settings(deadline=None)
@given(planes)
def test_distance_leads_to_the_line(drawn):
    w, b, x = drawn
    neuron = Neuron(w, b)
    on_line = x - neuron.distance(x) * neuron.normal
    assert neuron.weighted_sum(on_line) == pytest.approx(0, abs=1e-12)
    assert neuron.weighted_sum(neuron.foot) == pytest.approx(0, abs=1e-12)
    # The foot is the nearest point of the line: the way from it to any other point of the line is square to it.
    assert neuron.foot @ (on_line - neuron.foot) == pytest.approx(0, abs=1e-9 * (1 + np.abs(neuron.foot).max() ** 2))


@settings(deadline=None)
@given(planes, st.integers(-8, 8))
def test_scaling_changes_no_answer_and_no_distance(drawn, power):
    w, b, x = drawn
    one, other = Neuron(w, b), Neuron(w * 2.0**power, b * 2.0**power)
    assert other.answer(x) == one.answer(x)
    assert other.distance(x) == pytest.approx(one.distance(x), abs=1e-12)


def test_no_weights_no_line():
    for ask in (lambda n: n.normal, lambda n: n.foot, lambda n: n.distance([1.0, 1.0])):
        with pytest.raises(SettingError, match="no decision line"):
            ask(Neuron([0.0, 0.0], 1.0))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: Neuron([[1.0, 2.0]], 0.0), ShapeError, r"w has shape \(1, 2\)"),
        (lambda: Neuron([], 0.0), ShapeError, "one row"),
        (lambda: Neuron([1.0, 2.0], 0.0).answer([1.0, 2.0, 3.0]), ShapeError, r"w is \(2,\)"),
        (lambda: Neuron([1.0], 0.0).answer(3.0), ShapeError, "one number for each weight"),
        (lambda: Neuron([1.0], 0.0).answer([["a"]]), DTypeError, "hold numbers"),
        (lambda: mistake_bound(CORNERS, [0, 1]), ShapeError, "one target for each example"),
        (lambda: mistake_bound(CORNERS[0], [0, 1]), ShapeError, r"X must be \(batch, inputs\)"),
        (lambda: mistake_bound(CORNERS, [-1, 1, 1, 1]), SettingError, "must be 0 or 1"),
        (lambda: mistake_bound(CORNERS * np.nan, GATES["OR"]), SettingError, r"X\[0, 0\] is nan"),
        (lambda: next(train_perceptron(CORNERS, [0, 1, 2, 3])), SettingError, "set one class against the rest"),
        (lambda: next(train_perceptron(CORNERS, GATES["AND"], start=Neuron([1.0], 0.0))), ShapeError, r"has w \(1,\)"),
        (lambda: next(train_perceptron(CORNERS, [0, 0, 0, 1], rng=0)), SettingError, "default_rng"),
        (lambda: build_bumps([0.0, 1.0], [1.0, 2.0]), ShapeError, r"n heights need n \+ 1 edges"),
        (lambda: build_bumps([0.0, 0.0, 1.0], [1.0, 2.0]), SettingError, "must increase"),
        (lambda: build_bumps([0.0, 1.0], [1.0], steepness=0.0), SettingError, "above 0"),
    ],
)
def test_errors_say_what_to_do(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


# The perceptron rule and Novikoff's bound


def test_the_rule_on_and_by_hand():
    steps = train_perceptron(CORNERS, [0, 0, 0, 1])
    seen = [(s.example, s.z, s.answer, s.target, *s.neuron.w, s.neuron.b) for s in steps]
    assert seen[:7] == [
        (None, 0, 0, 0, 0, 0, 0),
        (0, 0, 1, 0, 0, 0, -1),
        (1, -1, 0, 0, 0, 0, -1),
        (2, -1, 0, 0, 0, 0, -1),
        (3, -1, 0, 1, 1, 1, 0),
        (0, 0, 1, 0, 1, 1, -1),
        (1, 0, 1, 0, 1, 0, -2),
    ]
    assert len(seen) == 25
    assert seen[-1][4:] == (2, 1, -3)


def test_the_rule_ends_after_a_clean_round_only():
    *_, last = train_perceptron(CORNERS, [0, 0, 0, 1])
    right = Neuron([1.0, 1.0], -1.5)
    assert len(list(train_perceptron(CORNERS, [0, 0, 0, 1], start=right))) == 5
    assert last.neuron.answer(CORNERS).tolist() == [0, 0, 0, 1]
    steps = list(islice(train_perceptron(CORNERS, [0, 1, 1, 0]), 2001))
    assert len(steps) == 2001
    assert steps[-1].mistakes > 1900


def test_the_order_comes_from_the_generator_and_steps_stay_valid():
    X, y = examples("two_groups")
    runs = [list(train_perceptron(X, y, rng=np.random.default_rng(5))) for _ in range(2)]
    assert [s.example for s in runs[0]] == [s.example for s in runs[1]]
    for start in range(1, len(runs[0]), len(X)):
        assert sorted(s.example for s in runs[0][start : start + len(X)]) == list(range(len(X)))
    assert runs[0][0].neuron.w.tolist() == [0, 0]


@st.composite
def separable(draw):
    X = draw(arrays(float, st.tuples(st.integers(2, 12), st.integers(1, 4)), elements=st.integers(-4, 4).map(float)))
    w = draw(arrays(float, X.shape[1], elements=st.integers(-3, 3).map(float)))
    return X, (X @ w + 0.5 >= 0).astype(int)


@settings(deadline=None)
@given(separable(), st.integers(0, 3))
def test_novikoff_holds_at_every_mistake(data, seed):
    X, y = data
    bound = mistake_bound(X, y)
    assert bound.margin > 0
    best = np.append(bound.separator.w, bound.separator.b)
    assert np.linalg.norm(best) == pytest.approx(1)
    for step in train_perceptron(X, y, rng=np.random.default_rng(seed)):
        theta, k = np.append(step.neuron.w, step.neuron.b), step.mistakes
        walls = [k * bound.margin, best @ theta, np.linalg.norm(theta), np.sqrt(k) * bound.radius]
        assert (np.diff(walls) >= -1e-9 * (1 + walls[-1])).all()
    assert k <= bound.mistakes * (1 + 1e-9)


@settings(deadline=None)
@given(separable(), st.integers(0, 10**6))
def test_no_other_separator_has_a_larger_margin(data, seed):
    X, y = data
    V = np.where(y == 1, 1, -1)[:, None] * np.column_stack([X, np.ones(len(X))])
    bound = mistake_bound(X, y)
    best = np.append(bound.separator.w, bound.separator.b)
    assert (V @ best).min() == pytest.approx(bound.margin)
    others = best + np.random.default_rng(seed).normal(size=(200, best.size)) * np.logspace(-4, 1, 200)[:, None]
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (V @ others.T).min(axis=0).max() <= bound.margin * (1 + 1e-9)


@pytest.mark.parametrize(
    ("gate", "theta", "bound"), [("AND", (2, 2, -3), 51), ("OR", (2, 2, -1), 27), ("NAND", (-2, -2, 3), 51)]
)
def test_bounds_found_by_hand(gate, theta, bound):
    found = mistake_bound(CORNERS, GATES[gate])
    assert found.mistakes == pytest.approx(bound)
    assert np.append(found.separator.w, found.separator.b) == pytest.approx(np.array(theta) / np.linalg.norm(theta))


@pytest.mark.parametrize(("inputs", "largest", "count"), [(2, 1, 14), (3, 2, 104)])
def test_separable_functions_are_those_that_some_neuron_computes(inputs, largest, count):
    points = np.array(list(product([0, 1], repeat=inputs)))
    computed = {
        tuple((points @ w + b >= 0).astype(int))
        for w in product(range(-largest, largest + 1), repeat=inputs)
        for b in np.arange(-inputs * largest - 0.5, inputs * largest + 1)
    }
    found = {y for y in product([0, 1], repeat=len(points)) if mistake_bound(points, y).margin > 0}
    assert found == computed
    assert len(found) == count


def test_where_no_line_separates_nothing_is_promised():
    X, y = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]]), [0, 1, 1]
    for data in ((CORNERS, [0, 1, 1, 0]), (X, y)):
        bound = mistake_bound(*data)
        assert (bound.margin, bound.mistakes, bound.separator) == (0, np.inf, None)


# Networks by hand


def test_xor_from_three_neurons():
    net = nnlib.Network([2, 2, 1], activation="step", rng=np.random.default_rng(0))
    hidden, output = net.layers
    hidden.W[...], hidden.b[...] = [[1, -1], [1, -1]], [-0.5, 1.5]
    output.W[...], output.b[...] = 1, -1.5
    assert net.forward(CORNERS).output.ravel().tolist() == [-0.5, 0.5, 0.5, -0.5]


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 99))
def test_bumps_are_the_staircase(n, seed):
    rng = np.random.default_rng(seed)
    edges, heights = np.sort(rng.normal(size=n + 1)), rng.normal(size=n)
    x = np.concatenate([edges, rng.uniform(edges[0] - 1, edges[-1] + 1, 50)])
    place = np.searchsorted(edges, x, side="right")
    wanted = np.concatenate([[0], heights, [0]])[place]
    assert build_bumps(edges, heights).forward(x[:, None]).output.ravel() == pytest.approx(wanted, abs=1e-12)


def test_soft_bumps_become_sharp():
    edges, heights = np.linspace(0, 1, 5), np.array([1.0, -2.0, 0.5, 3.0])
    x = np.linspace(0.05, 0.95, 19)[:, None] + 0.01  # away from the edges
    sharp = build_bumps(edges, heights).forward(x).output
    errors = [np.abs(build_bumps(edges, heights, steepness=k).forward(x).output - sharp).max() for k in (50, 200, 5000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-12


@pytest.mark.parametrize("curve", CURVES)
def test_the_staircase_keeps_its_promise(curve):
    still = load("bump_builder").recorded(curve=curve).static
    assert (still["errors"] <= still["promises"]).all()


# The figures


def test_the_view_adds_up_as_nnlib_does():
    """The view of the neuron evaluates free points itself: its two functions, run under node, against ``Neuron``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    source = Path(nnlib.__file__).with_name("widgets").joinpath("neuron_explorer.js").read_text("utf-8")
    functions = source[: source.index("export default")]
    assert re.findall(r"^function (\w+)", functions, re.M) == ["weightedSum", "distanceFromLine"]
    asked = [
        (w1, w2, b, x1, x2)
        for w1, w2, b in product(WEIGHTS[::2], WEIGHTS[1::3], BIASES[::3])
        for x1, x2 in product(np.arange(-1.1, 2.11, 0.37).round(2), np.arange(-1.1, 2.11, 0.29).round(2))
        if w1 or w2
    ]
    program = (
        f"{functions}\nconst asked = JSON.parse(require('fs').readFileSync(0));\n"
        "console.log(JSON.stringify(asked.map((a) => [weightedSum(...a), distanceFromLine(...a)])));"
    )
    answered = subprocess.check_output([node, "-e", program], input=json.dumps(asked), text=True)
    sums, distances = np.array(json.loads(answered), dtype=float).T
    neurons = [(Neuron([w1, w2], b), [x1, x2]) for w1, w2, b, x1, x2 in asked]
    here = np.array([neuron.weighted_sum(x) for neuron, x in neurons])
    assert np.abs(sums - here).max() <= 4 * np.finfo(float).eps  # the order of two additions may differ
    assert ((sums >= 0) == (here >= 0))[np.abs(here) > 1e-12].all()
    assert distances == pytest.approx(np.array([neuron.distance(x) for neuron, x in neurons]), rel=1e-12, abs=1e-14)
    assert len(asked) > 5000


def test_the_explorer_shows_the_neuron_of_its_axes():
    recording = NeuronExplorer.recorded(task="and")
    axes = [axis["values"] for axis in recording.meta["axes"]]
    for step, (w1, w2, b) in enumerate(product(*axes)):
        assert step_at(w1, w2, b) == step
        neuron = Neuron([w1, w2], b)
        assert recording.frames["z"][step].tolist() == neuron.weighted_sum(CORNERS).tolist()
        assert recording.frames["answer"][step].tolist() == neuron.answer(CORNERS).tolist()
    made = {f"{number:04b}" for number in recording.frames["made"]}
    assert set(FUNCTIONS) - made == {"0110", "1001"}  # XOR and its negation, and no others


@pytest.mark.parametrize("data", DATA)
def test_the_stepper_shows_the_rule(data):
    recording = load("perceptron_stepper").recorded(data=data)
    X, y = examples(data)
    for step, frame in zip(islice(train_perceptron(X, y), len(recording)), range(len(recording)), strict=True):
        assert recording.frames["theta"][frame].tolist() == pytest.approx([*step.neuron.w, step.neuron.b], abs=1e-5)
        assert recording.frames["mistakes"][frame] == step.mistakes
        assert f"Mistakes {step.mistakes};" in recording.meta["sentences"][frame] or frame == 0
    bound = mistake_bound(X, y)
    assert (recording.meta["bound"] is None) == (bound.margin == 0)
    assert ("at most" in recording.meta["sentences"][-1]) == (bound.margin > 0)


@pytest.mark.parametrize("data", DATA)
def test_the_drawn_line_is_the_neurons_line(data):
    recording = load("perceptron_stepper").recorded(data=data)
    for theta, firing in zip(recording.frames["theta"], recording.frames["firing"], strict=True):
        if not theta[:2].any():
            assert np.isnan(firing).all()
            continue
        z = Neuron(theta[:2], theta[2]).weighted_sum(firing.reshape(4, 2))
        scale = np.abs(z).max()
        assert np.abs(z[:2]).max() < 1e-5 * scale
        assert (z[2:] > 0.1 * scale).all()

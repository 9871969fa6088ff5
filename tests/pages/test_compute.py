"""Python in the page: it starts, streams, cancels, gives the notebook's numbers, and fails without harm."""

import base64
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from nnlib import widgets

from . import book, browsers
from .conftest import PATIENCE, WIDE, listen
from .hands import Hands

# All in one process: they share one start of Python.
pytestmark = pytest.mark.xdist_group("compute")

UPDATES = 500  # the steps over which the numbers must stay the same
TOLERANCE = 1e-12

# Runs in the page: the largest difference of each array, relative to the largest number of its frame; what else the
# recording says, as a digest.
COMPARE = """
import base64, hashlib, json, re
import numpy as np
from nnlib.widgets import load

{functions}
recording = load({stem!r}).recorded(**{settings!r})
theirs = {{
    name: np.frombuffer(base64.b64decode(text)).reshape(shape) for name, (shape, text) in json.loads({arrays!r}).items()
}}
worst = difference(theirs, recording.frames | recording.static, recording.frames)
print(json.dumps([worst, words(recording.meta)]))
"""


def difference(one: dict, other: dict, per_frame: dict) -> dict[str, float]:
    """Return for each array the largest difference relative to the largest number of its frame, or of its curve."""
    assert one.keys() == other.keys()
    worst = {}
    for name, a in one.items():
        a, b = np.asarray(a, float), np.asarray(other[name], float)
        finite = np.isfinite(a)
        assert a.shape == b.shape, name
        assert np.array_equal(a[~finite], b[~finite], equal_nan=True), name
        a, b = np.where(finite, a, 0), np.where(finite, b, 0)
        rows = [len(a), -1] if name in per_frame and a.ndim > 1 and a.size else [1, -1]
        scale = np.abs(a.reshape(rows)).max(axis=1, initial=0)
        error = np.abs(a - b).reshape(rows).max(axis=1, initial=0)
        worst[name] = float((error / np.where(scale > 0, scale, 1)).max(initial=0))
    return worst


def words(meta: dict) -> str:
    """Return a digest of what a recording says besides its numbers."""
    return hashlib.sha256(re.sub(r"[-+−]?[\d.]+(e[-+]?\d+)?", "#", json.dumps(meta, sort_keys=True)).encode()).hexdigest()


def shaken(function: Callable) -> Callable:
    """Return the function with each result one unit in the last place too large."""

    def call(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        return np.nextafter(result, np.inf, out=options.get("out"))

    return call


class ShakenGenerator(np.random.Generator):
    """Draws numbers one unit in the last place away from those of its seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))

    normal = shaken(np.random.Generator.normal)
    standard_normal = shaken(np.random.Generator.standard_normal)
    uniform = shaken(np.random.Generator.uniform)


def trainings() -> list[book.Figure]:
    """Return the training steppers of the book."""
    return [figure for page in book.pages() for figure in book.figures(page) if figure.instrument == "training_stepper"]


class Lab:
    """A page with a training stepper, in which Python starts once for many tests."""

    def __init__(self, page: Page, figure: book.Figure) -> None:
        self.page, self.figure = page, figure
        self.hands = Hands(page, figure.figure_id)

    def run(self, code: str) -> dict[str, Any]:
        """Run code as a cell of the page; what it printed is in `printed`."""
        result = self.page.evaluate(
            """async code => {
              let printed = "";
              const result = await livepage.python.run({name: "test", code}, {onOutput: text => { printed += text; }});
              return {...result, printed};
            }""",
            code,
        )
        assert "error" not in result, result["error"]
        return result


@pytest.fixture(scope="module")
def stepper() -> book.Figure:
    """Give the first training stepper of the book; there must be Python in the pages."""
    if not (book.BUILT / "_static" / "runtime" / "manifest.js").exists():
        if browsers.required():
            pytest.fail("the book was built without Python in its pages", pytrace=False)
        pytest.skip("the book was built without Python in its pages: `make book` with a network brings it")
    return trainings()[0]


@pytest.fixture
def visit(chromium: Browser, served: str, stepper: book.Figure) -> Iterator[Callable[..., Lab]]:
    """Open the page anew; at the end no fault may have been met but the ones that are expected."""
    contexts, faults = [], []
    expected: list[str] = []

    def open_page(prepare: Callable[[Page], None] = lambda page: None, *, query: str = "", expect: str = "", address: str = served) -> Lab:
        context = chromium.new_context(viewport=WIDE, reduced_motion="reduce")
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        listen(context, (served, address), faults)
        if expect:
            expected.append(expect)
        page = context.new_page()
        prepare(page)
        page.goto(f"{address}{stepper.page}{query}")
        lab = Lab(page, stepper)
        lab.hands.ready()
        return lab

    yield open_page
    for context in contexts:
        context.close()
    assert not [fault for fault in faults if not any(text in fault for text in expected)], "\n".join(faults)


@pytest.fixture(scope="module")
def lab(chromium: Browser, served: str, stepper: book.Figure) -> Iterator[Lab]:
    """Keep one page open for all tests that do no harm to it."""
    context = chromium.new_context(viewport=WIDE, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []
    listen(context, (served,), faults)
    page = context.new_page()
    page.goto(served + stepper.page)
    lab = Lab(page, stepper)
    lab.hands.ready()
    yield lab
    context.close()
    assert not faults, "\n".join(faults)


def settings_of(stem: str) -> dict[str, Any]:
    """Return settings under which an instrument makes as many updates as it may, up to those that count."""
    made = widgets.load(stem)
    found = {}
    for control in made.CONTROLS:
        if control.name == "updates":
            values = [value for value, _ in control.options] or [UPDATES]
            found["updates"] = min((value for value in values if value >= UPDATES), default=max(values))
    return made.settings_for(**found)


@pytest.mark.parametrize("stem", widgets.STEMS)
def test_the_numbers_of_the_page_are_those_of_the_notebook(stem: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(stem)
    recording = widgets.load(stem).recorded(**settings)
    ours = recording.frames | recording.static
    # Where a last digit of exp or tanh moves a number further than the tolerance (difference quotients, gradients of
    # saturated layers), no other machine gives it closer.
    with monkeypatch.context() as patch:
        for name in ("exp", "expm1", "log", "log1p", "logaddexp", "tanh"):
            patch.setattr(np, name, shaken(getattr(np, name)))
        patch.setattr(np.random, "default_rng", ShakenGenerator)
        moved = widgets.load(stem).recorded(**settings)
    shakes = difference(ours, moved.frames | moved.static, recording.frames)
    arrays = {
        name: (array.shape, base64.b64encode(np.ascontiguousarray(array, float).tobytes()).decode())
        for name, array in ours.items()
    }
    code = COMPARE.format(
        stem=stem, settings=settings, arrays=json.dumps(arrays),
        functions=inspect.getsource(difference) + inspect.getsource(words),
    )
    worst, said = json.loads(lab.run(code)["printed"])
    assert said == words(recording.meta)
    assert {name: error for name, error in worst.items() if error > max(TOLERANCE, 4 * shakes[name])} == {}

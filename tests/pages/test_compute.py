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

from . import book
from .conftest import missing, watched, without_formulas
from .hands import Hands

WORKER = book.ROOT / "livepage" / "assets" / "livepage-worker.js"
START = 180_000  # milliseconds for Python to start, on a busy machine
UPDATES = 500  # the steps over which the numbers must stay the same
TOLERANCE = 1e-12
# Arrays in which what is computed multiplies any rounding error beyond that, so that two correct machines, whose exp
# and tanh differ in the last digit, cannot agree more closely. Each may differ as far as a last digit moves it.
SENSITIVE = {
    "break_the_gradient": {"measured", "measured_now"},  # difference quotients: the error is divided by a small step
    "depth_profile": {"spread", "spread_here", "blame", "blame_here"},  # 20 layers of large weights, each multiplies it
    "plane_folder": {"stages", "decision", "corners"},  # the end of 800 updates of Adam
    "family_trees": {"loss", "people"},  # long runs of full speed multiply it in each sweep; not yet in the first ones
    "two_spirals": {"loss", "sizes", "surface"},
}
STEADY = 200  # sweeps up to which those runs, too, keep to the tolerance

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
ours = recording.frames | recording.static
worst = difference(theirs, ours, recording.frames)
steady = {{name: slice(int((ours["sweep"] <= {steady}).sum())) for name in recording.frames if "sweep" in ours}}
begun = [{{name: arrays[name][part] for name, part in steady.items()}} for arrays in (theirs, ours)]
first = difference(*begun, recording.frames)
print(json.dumps([worst, first, words(recording.meta)]))
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
    text = re.sub(r"[-+−]?[\d.]+(e[-+]?\d+)?", "#", json.dumps(meta, sort_keys=True))
    return hashlib.sha256(text.encode()).hexdigest()


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


def need_python() -> None:
    """Skip, or in continuous integration fail, where the book has no Python in its pages."""
    if not (book.BUILT / "_static" / "runtime" / "manifest.js").exists():
        missing("the book was built without Python in its pages: `make book` with a network brings it")


@pytest.fixture(scope="module")
def stepper() -> book.Figure:
    """Give the first training stepper of the book."""
    need_python()
    return book.steppers()[0]


@pytest.fixture
def visit(chromium: Browser, served: str, stepper: book.Figure) -> Iterator[Callable[..., Lab]]:
    """Open the page anew; at the end no fault may have been met but the ones that are expected."""
    contexts, faults = [], []
    expected: list[str] = []

    def open_page(prepare: Callable[[Page], Any] = bool, *, expect: str = "", address: str = served) -> Lab:
        context = watched(chromium, (served, address), faults, reduced_motion="reduce")
        contexts.append(context)
        without_formulas(context)
        if expect:
            expected.append(expect)
        page = context.new_page()
        prepare(page)
        page.goto(f"{address}{stepper.page}")
        page.evaluate("window.MathJax?.startup?.promise")
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
    faults: list[str] = []
    context = watched(chromium, (served,), faults, reduced_motion="reduce")
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
def test_the_page_gives_the_numbers_of_the_notebook(stem: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(stem)
    recording = widgets.load(stem).recorded(**settings)
    ours = recording.frames | recording.static
    arrays = {
        name: (array.shape, base64.b64encode(np.ascontiguousarray(array, float).tobytes()).decode())
        for name, array in ours.items()
    }
    code = COMPARE.format(
        stem=stem, settings=settings, arrays=json.dumps(arrays), steady=STEADY,
        functions=inspect.getsource(difference) + inspect.getsource(words),
    )
    worst, first, said = json.loads(lab.run(code)["printed"])
    assert said == words(recording.meta)
    assert {name: error for name, error in first.items() if error > TOLERANCE} == {}
    sensitive = SENSITIVE.get(stem, set())
    assert {name: error for name, error in worst.items() if error > TOLERANCE and name not in sensitive} == {}
    if sensitive:
        with monkeypatch.context() as patch:
            for name in ("exp", "expm1", "log", "log1p", "logaddexp", "tanh"):
                patch.setattr(np, name, shaken(getattr(np, name)))
            patch.setattr(np.random, "default_rng", ShakenGenerator)
            moved = widgets.load(stem).recorded(**settings)
        shakes = difference(ours, moved.frames | moved.static, recording.frames)
        assert {name for name in sensitive if shakes[name] <= TOLERANCE} == set(), "these need no exception"
        assert {name: worst[name] for name in sensitive if worst[name] > 4 * shakes[name]} == {}


def ask(lab: Lab, query: str) -> None:
    """Follow a link to other settings, as the prose has them."""
    lab.page.evaluate(
        """query => {
          const link = Object.assign(document.createElement("a"), {href: `${location.pathname}?${query}`});
          document.body.append(link);
          link.click();
          link.remove();
        }""",
        "&".join(f"{lab.figure.figure_id}.{pair}" for pair in query.split("&")),
    )


def expect_computed(lab: Lab) -> None:
    """Wait until the figure shows the whole of what was computed in the page."""
    expect(lab.hands.root).not_to_have_attribute("aria-busy", "true", timeout=START)
    expect(lab.hands.root).to_have_attribute("data-source", "worker")
    assert lab.hands.warned == ""


def test_start_keeps_the_figure_as_it_is_and_says_how_far_it_is(visit: Callable[..., Lab]) -> None:
    lab = visit()
    lab.hands.slider.press("End")
    before = lab.hands.seen()
    last = lab.hands.step
    height = lab.hands.root.evaluate("root => root.getBoundingClientRect().height")
    lab.page.evaluate("""root => {
      window.told = [];
      const box = root.querySelector(".nn-waiting");
      new MutationObserver(() => told.push([box.hidden, box.textContent, root.dataset.source, root.dataset.step,
        root.getBoundingClientRect().height])).observe(box, {subtree: true, childList: true, attributes: true});
    }""", lab.hands.root.element_handle())  # fmt: skip
    ask(lab, f"seed=7919&step={last}")
    expect_computed(lab)
    lab.hands.at(last)
    assert lab.hands.seen() != before
    told = lab.page.evaluate("told")
    waiting = [row for row in told if not row[0]]
    assert any(re.search(r"Fetching Python: \d+\.\d of \d+\.\d MB", text) for _, text, *_ in waiting)
    assert any("Loading numpy" in text for _, text, *_ in waiting)
    assert {tuple(row[2:]) for row in waiting if "Python" in row[1]} == {("bank", str(last), height)}
    assert told[-1][0], "the sign of the start stays on"
    # The second page finds everything in the browser's cache.
    again = lab.page.context.new_page()
    asked = []
    again.on("request", lambda request: asked.append(request.url))
    again.goto(lab.page.url.split("?")[0])
    lab = Lab(again, lab.figure)
    lab.hands.ready()
    ask(lab, "seed=7920")
    expect_computed(lab)
    assert not [url for url in asked if url.endswith(".bin")]


# Resolves to the size of each part that came of a recording, that of the whole, and how a cancelled run ended.
STREAMS = """(async () => {
  const parts = [];
  const options = {signal: new AbortController().signal, onFrames: bytes => parts.push(bytes.length)};
  const whole = await livepage.python.compute("training_stepper", SETTINGS, options);
  const cancelled = new AbortController();
  const events = [];
  const first = livepage.python.compute("training_stepper", {...SETTINGS, seed: 1},
    {signal: cancelled.signal, onFrames: () => cancelled.abort()}).catch(error => events.push(error.name));
  await first;
  await livepage.python.compute("step_size", {}, {signal: new AbortController().signal});
  return [parts, whole.length, events];
})()"""


def expect_streams(evaluate: Callable[[str], Any]) -> None:
    """See that a recording comes in parts, the first one early, and that a run which is cancelled ends."""
    counts = evaluate(STREAMS.replace("SETTINGS", json.dumps(settings_of("training_stepper"))))
    parts, whole, events = counts
    assert parts
    assert parts == sorted(parts)
    assert parts[0] < whole / 4
    assert events == ["AbortError"]


def test_recordings_stream_and_a_new_setting_takes_the_place_of_the_old(lab: Lab) -> None:
    expect_streams(lab.page.evaluate)


def test_settings_that_no_bank_holds_come_one_after_another_and_the_step_stays(lab: Lab) -> None:
    ask(lab, "seed=31&step=5")
    expect_computed(lab)
    lab.hands.at(5)
    for _ in range(4):  # each takes the place of the one before
        lab.hands.root.get_by_role("button", name="Next seed").click()
    expect_computed(lab)
    assert lab.hands.chosen("Seed") == "35"
    lab.hands.at(5)
    assert "needs a live kernel" not in lab.hands.root.inner_text()


def test_settings_that_python_refuses_are_told_in_its_words(lab: Lab) -> None:
    control = lab.hands.setting("Hidden layers")
    before = lab.hands.seen()
    control.fill("eight")
    control.press("Enter")
    expect(lab.hands.root.get_by_role("alert")).to_contain_text("hidden must be")
    assert lab.hands.seen() == before
    lab.hands.button("Back to what is shown").click()
    expect(lab.hands.root.get_by_role("alert")).to_have_count(0)


def damaged(content: bytes) -> bytes:
    """Return bytes that are not the file."""
    body = bytearray(content)
    body[len(body) // 2] ^= 1
    return bytes(body)


def broken(route: Route) -> None:
    """Answer with a damaged file."""
    answer = route.fetch()
    route.fulfill(response=answer, body=damaged(answer.body()))


def answer(pattern: str, **options: Any) -> Callable[[Page], Any]:
    """Prepare a page so that the files of a pattern are answered in another way; by default not at all."""
    return lambda page: page.route(pattern, lambda route: route.fulfill(**options) if options else route.abort())


def script(program: str) -> Callable[[Page], Any]:
    """Prepare a page so that a program runs before its own."""
    return lambda page: page.add_init_script(program)


NO_MEMORY = "WebAssembly.Memory = function () { throw new RangeError('out of memory'); };"
REFUSING = "window.Worker = function () { throw new DOMException('no', 'SecurityError'); };"

# What is done to the page, what its figure says then, and the fault that the browser tells.
FAILURES = {
    "no-file": (answer("**/runtime/numpy*.bin", status=404), "missing", "numpy.zip"),
    "no-network": (answer("**/runtime/*.bin"), "does not answer", "failed:"),
    "wrong-hash": (lambda page: page.route("**/runtime/numpy*.bin", broken), "is not the file", None),
    "old-browser": (script("delete window.Worker"), "too old", None),
    "worker-refused": (script(REFUSING), "did not let the page start", None),
    "worker-not-loaded": (answer("**/livepage-worker.js*"), "did not let the page start", "failed:"),
    "no-memory": (
        answer("**/livepage-worker.js*", content_type="text/javascript", body=NO_MEMORY + WORKER.read_text("utf-8")),
        "not enough memory",
        None,
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_start_that_fails_leaves_the_page_as_it_was(failure: str, visit: Callable[..., Lab]) -> None:
    prepare, sentence, fault = FAILURES[failure]
    lab = visit(prepare, expect=fault or "")
    before = lab.hands.seen()
    ask(lab, f"seed=7919&step={lab.hands.step}")
    expect(lab.hands.root.get_by_role("alert")).to_contain_text(sentence, timeout=START)
    assert lab.hands.seen() == before
    expect(lab.hands.root).to_have_attribute("data-source", "bank")
    expect(lab.hands.root.locator(".nn-waiting")).to_be_hidden()
    lab.hands.button("Back to what is shown").click()
    expect(lab.hands.root.get_by_role("alert")).to_have_count(0)
    lab.hands.button("Step forward" if lab.hands.step < lab.hands.last else "Step back").click()


def test_a_worker_that_is_killed_is_missed_and_started_again(visit: Callable[..., Lab]) -> None:
    lab = visit(lambda page: page.add_init_script("""
      const Whole = window.Worker;
      window.Worker = class extends Whole { constructor(...all) { super(...all); window.worker = this; } };
    """))  # fmt: skip
    ask(lab, "seed=7919")
    expect_computed(lab)
    before = lab.hands.seen()
    lab.page.evaluate("worker.terminate()")
    ask(lab, f"seed=7920&step={lab.hands.step}")
    expect(lab.hands.root.get_by_role("alert")).to_contain_text("does not answer")
    assert lab.hands.seen() == before
    ask(lab, "seed=7921")
    expect_computed(lab)


def test_python_starts_in_a_page_from_the_disk(visit: Callable[..., Lab], on_disk: str) -> None:
    lab = visit(address=on_disk)
    ask(lab, "seed=7919&step=3")
    expect_computed(lab)
    lab.hands.at(3)

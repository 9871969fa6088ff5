"""Firefox and WebKit: each figure of every page, forward and back by mouse and keyboard; and Python in the page."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nnlib.widgets import TrainingStepper

from . import book, browsers
from .conftest import need, serving
from .drivers import Driver, Firefox, WebKit, wait_for
from .hands import PICTURE
from .test_compute import START, damaged, expect_streams, need_python
from .test_live_cells import live
from .test_own_data import TABLE, figure_of

# Not every remote control tells what the console says.
LISTENER = b"""<script>
window.faults = [];
window.Worker = class extends Worker { constructor(...all) { super(...all); window.worker = this; } };
window.addEventListener("error", event => faults.push(event.message
  || `failed: ${event.target.src || event.target.href || event.target.tagName}`), true);
window.addEventListener("unhandledrejection", event => faults.push(`unhandled: ${event.reason}`));
for (const level of ["error", "warn"]) {
  const say = console[level];
  console[level] = (...words) => { faults.push(`console.${level}: ${words.join(" ")}`); say.apply(console, words); };
}
</script>"""

# Resolves when each figure has drawn; rejects with the names of those that have not.
READY = """new Promise((resolve, reject) => {
  const open = () => [...document.querySelectorAll(".livepage-figure")]
    .filter(place => !place.querySelector("[data-instrument][data-ready=true]"));
  const end = performance.now() + 60000;
  const look = () => {
    if (!open().length) resolve(document.querySelectorAll("[data-instrument]").length);
    else if (performance.now() > end) reject(new Error(`${open().length} figures are not ready; ${faults.join("; ")}`));
    else setTimeout(look, 20);
  };
  look();
})"""

# What a figure shows: step, sentence and drawing. Two frames later, so that it is what is on the screen.
SHOWN = f"""id => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => {{
  const root = document.getElementById(id);
  resolve([Number(root.dataset.step), root.querySelector("[role=status]").textContent, ({PICTURE})(root)]);
}})))"""

# Where to click on one of its buttons.
PLACE = """(id, name) => {
  const button = [...document.getElementById(id).querySelectorAll("button")]
    .find(button => (button.getAttribute("aria-label") ?? button.textContent).trim() === name);
  button.scrollIntoView({block: "center", behavior: "instant"});
  const box = button.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}"""

LAST = "id => Number(document.getElementById(id).dataset.steps)"

ELSEWHERE = """performance.getEntriesByType("resource").map(entry => entry.name)
  .filter(name => !name.startsWith(location.origin) && !/^(blob|data):/.test(name))"""


@pytest.fixture(scope="session")
def listening() -> Iterator[str]:
    """Serve the book with the listener in each page."""

    with serving(with_listener) as address:
        yield address


def with_listener(file: Path, content: bytes) -> bytes:
    """Put the listener in front of everything else in a page."""
    if file.suffix != ".html":
        return content
    assert b"<head>" in content
    return content.replace(b"<head>", b"<head>" + LISTENER, 1)


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Driver]]:
    """Keep the browsers that were started; end them after the last test."""
    drivers: dict[str, Driver] = {}
    yield drivers
    for driver in drivers.values():
        driver.close()


@pytest.fixture(params=["firefox", "webkit"])
def driver(request: pytest.FixtureRequest, running: dict[str, Driver]) -> Driver:
    """Give Firefox, then WebKit."""
    if request.param not in running:
        found = need(getattr(browsers, request.param)())
        running[request.param] = {"firefox": Firefox, "webkit": WebKit}[request.param](*found.where)
    return running[request.param]


def test_figures_step_forward_and_back(driver: Driver, page_name: str, listening: str) -> None:
    driver.open(listening + page_name)
    figures = book.figures(page_name)
    assert driver.run(READY) == len(figures)
    for figure in figures:
        step_forward_and_back(driver, figure.figure_id)
    assert driver.run("faults") == []
    assert driver.run(ELSEWHERE) == []


def ask(driver: Driver, function: str, *arguments: str) -> Any:
    """Return what a function of the page answers."""
    return driver.run(f"({function})({', '.join(map(json.dumps, arguments))})")


def step_forward_and_back(driver: Driver, figure_id: str) -> None:
    """Step one figure by mouse, then by keyboard."""
    for _ in range(20):  # formulas that are typeset late move a figure away from the mouse
        driver.click(*ask(driver, PLACE, figure_id, "Reset"))
        first = ask(driver, SHOWN, figure_id)
        if first[0] == 0:
            break
    assert first[0] == 0
    driver.click(*ask(driver, PLACE, figure_id, "Step forward"))
    second = ask(driver, SHOWN, figure_id)
    assert second[0] == 1
    assert second[1] != first[1], "the sentence stays the same"
    assert second[2] != first[2], "the drawing stays the same"
    driver.click(*ask(driver, PLACE, figure_id, "Step back"))
    assert ask(driver, SHOWN, figure_id) == first
    driver.press("ArrowRight")
    assert ask(driver, SHOWN, figure_id) == second
    driver.press("Home")
    assert ask(driver, SHOWN, figure_id) == first
    driver.press("End")
    assert ask(driver, SHOWN, figure_id)[0] == ask(driver, LAST, figure_id)


# Python in the page. `part` finds an element of a figure or a cell; `act` uses one without a mouse.

PART = """(id, selector, name) => [...document.getElementById(id).querySelectorAll(selector)]
  .find(part => !name || (part.getAttribute("aria-label") ?? part.textContent).trim() === name)"""
TEXT = f"(...where) => ({PART})(...where)?.textContent ?? ''"
CLICK = f"(...where) => ({PART})(...where).click()"
WRITE = f"""(id, selector, text) => {{
  const box = ({PART})(id, selector);
  box.value = text;
  box.dispatchEvent(new Event("input", {{bubbles: true}}));
}}"""
# Where what a figure shows comes from, and what it says is wrong; nothing while it waits.
ANSWER = """id => {
  const root = document.getElementById(id);
  const said = [...root.querySelectorAll("[role=alert]")].map(alert => alert.textContent).join(" ");
  return root.hasAttribute("aria-busy") && !said ? null : [root.dataset.source, said];
}"""
# Follow a link to another seed, as the prose has them.
SEED = """(id, seed) => {
  const link = Object.assign(document.createElement("a"), {href: `${location.pathname}?${id}.seed=${seed}`});
  document.body.append(link);
  link.click();
}"""


@pytest.fixture(scope="module")
def stepper() -> book.Figure:
    """Give the first training stepper of the book."""
    need_python()
    return book.steppers()[0]


def answer(driver: Driver, figure: book.Figure) -> list[str]:
    """Wait for the figure's answer: its source, and what is wrong."""
    return wait_for(lambda: ask(driver, ANSWER, figure.figure_id), START / 1000)


def expect_words(driver: Driver, words: str, *where: str) -> None:
    """Wait until a part of the page says this."""
    wait_for(lambda: words in ask(driver, TEXT, *where), START / 1000)


def test_python_computes_what_the_bank_does_not_hold(driver: Driver, stepper: book.Figure, listening: str) -> None:
    name = stepper.figure_id
    driver.open(f"{listening}{stepper.page}?{name}.seed=7919&{name}.step=3")
    driver.run(READY)
    assert answer(driver, stepper) == ["worker", ""]
    step, sentence, _ = ask(driver, SHOWN, name)
    assert step == 3
    assert sentence == TrainingStepper.recorded(**stepper.settings | {"seed": 7919}).meta["sentences"][3]
    expect_streams(driver.run)
    driver.run("worker.terminate()")
    ask(driver, SEED, name, "7920")
    assert "does not answer" in answer(driver, stepper)[1]
    assert ask(driver, SHOWN, name)[1] == sentence
    ask(driver, SEED, name, "7921")
    wait_for(lambda: answer(driver, stepper) == ["worker", ""])
    assert driver.run("faults") == []
    assert driver.run(ELSEWHERE) == []


def without_numpy(file: Path, content: bytes) -> bytes | None:
    """Let a file of the runtime be missing."""
    return None if file.name.startswith("numpy") else with_listener(file, content)


def with_wrong_numpy(file: Path, content: bytes) -> bytes:
    """Damage a file of the runtime."""
    return damaged(content) if file.name.startswith("numpy") else with_listener(file, content)


@pytest.mark.parametrize(("change", "reason"), [(without_numpy, "missing"), (with_wrong_numpy, "is not the file")])
def test_a_start_that_fails_leaves_the_page_as_it_was(
    change: Callable, reason: str, driver: Driver, stepper: book.Figure
) -> None:
    name = stepper.figure_id
    with serving(change) as address:
        driver.open(address + stepper.page)
        driver.run(READY)
        before = ask(driver, SHOWN, name)
        ask(driver, SEED, name, "7919")
        source, said = answer(driver, stepper)
        assert reason in said
        assert source == "bank"
        assert ask(driver, SHOWN, name) == before
        ask(driver, CLICK, name, "button", "Back to what is shown")
        assert ask(driver, ANSWER, name) == ["bank", ""]
        step_forward_and_back(driver, name)
        assert [fault for fault in driver.run("faults") if "numpy" not in fault] == []


def test_tables_are_refused_with_their_line(driver: Driver, listening: str) -> None:
    need_python()
    figure = figure_of("points")
    name = figure.figure_id
    driver.open(listening + figure.page)
    driver.run(READY)
    before = ask(driver, SHOWN, name)
    ask(driver, CLICK, name, "button", "Edit the points")
    for text, reason in (
        (TABLE + "175,4o,cat", "line 26: the second feature should be a number, got '4o'"),
        ("height,weight\n150,40\n", "line 1: there should be three columns"),
    ):
        ask(driver, WRITE, name, "textarea", text)
        ask(driver, CLICK, name, "button", "Use this table")
        wait_for(lambda reason=reason: reason in answer(driver, figure)[1])
        assert ask(driver, SHOWN, name)[1] == before[1]
    ask(driver, WRITE, name, "textarea", TABLE)
    ask(driver, CLICK, name, "button", "Use this table")
    wait_for(lambda: answer(driver, figure) == ["worker", ""])
    expect_words(driver, "24 points: 16 of class 0, 8 of class 1.", name, ".points-said")
    assert driver.run("faults") == []


def test_live_cells_run_are_changed_interrupted_and_checked(driver: Driver, listening: str) -> None:
    need_python()
    driver.open(listening + next(page for page in book.pages() if any(cell.check for cell in live(page))))
    driver.run(READY)
    cell = driver.run("""(() => {
      const scripts = [...document.querySelectorAll(".cell script")];
      return scripts.find(script => script.textContent.includes("return ...")).closest(".cell").id ||= "checked-cell";
    })()""")

    def press(name: str) -> None:
        wait_for(lambda: driver.run(f"!({PART})({json.dumps(cell)}, '.livecell-bar button', '{name}').disabled"))
        ask(driver, CLICK, cell, ".livecell-bar button", name)

    press("Run")
    expect_words(driver, "returns nothing so far", cell, ".livecell-verdict")
    press("Edit")
    for code, words, where in (
        ("import numpy as np\nprint(np.arange(3).sum() * 14)", "42", ".livecell-text"),
        ("1\n1 / 0", "line 2", ".livecell-error"),
        ("print('round and round')\nwhile True:\n    pass", "round and round", ".livecell-text"),
    ):
        ask(driver, WRITE, cell, "textarea", code)
        press("Run")
        expect_words(driver, words, cell, where)
    press("Interrupt")
    expect_words(driver, "Interrupted", cell, "[role=status]")
    ask(driver, WRITE, cell, "textarea", "print(6 * 7)")
    press("Run")
    expect_words(driver, "42", cell, ".livecell-text")
    assert driver.run("faults") == []

"""Every page in Firefox and in WebKit: each figure ready, forward and back by mouse and keyboard, and no error."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nnlib.widgets import TrainingStepper

from . import book, browsers
from .conftest import need, serving
from .drivers import Driver, Firefox, WebKit, wait_for
from .hands import PICTURE
from .test_compute import START, need_python

# Put in front of everything else in each page, because not every remote control tells what the console says.
LISTENER = b"""<script>
window.faults = [];
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

    def add(page: bytes) -> bytes:
        assert b"<head>" in page
        return page.replace(b"<head>", b"<head>" + LISTENER, 1)

    with serving(add) as address:
        yield address


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


def step_forward_and_back(driver: Driver, figure_id: str) -> None:
    """Step one figure by mouse, then by keyboard."""

    def ask(function: str, *arguments: str) -> Any:
        return driver.run(f"({function})({', '.join(map(json.dumps, (figure_id, *arguments)))})")

    for _ in range(20):  # formulas that are typeset late move a figure away from the mouse
        driver.click(*ask(PLACE, "Reset"))
        first = ask(SHOWN)
        if first[0] == 0:
            break
    assert first[0] == 0
    driver.click(*ask(PLACE, "Step forward"))
    second = ask(SHOWN)
    assert second[0] == 1
    assert second[1] != first[1], "the sentence stays the same"
    assert second[2] != first[2], "the drawing stays the same"
    driver.click(*ask(PLACE, "Step back"))
    assert ask(SHOWN) == first
    driver.press("ArrowRight")
    assert ask(SHOWN) == second
    driver.press("Home")
    assert ask(SHOWN) == first
    driver.press("End")
    assert ask(SHOWN)[0] == ask(LAST)


def test_python_computes_what_the_bank_does_not_hold(driver: Driver, listening: str) -> None:
    need_python()
    figure = book.steppers()[0]
    driver.open(f"{listening}{figure.page}?{figure.figure_id}.seed=7919&{figure.figure_id}.step=3")
    driver.run(READY)
    answer = f"""(root => root.hasAttribute("aria-busy") ? "" : root.dataset.source
      + root.querySelector("[role=alert]").textContent)(document.getElementById("{figure.figure_id}"))"""
    assert wait_for(lambda: driver.run(answer), START / 1000) == "worker"
    step, sentence, _ = driver.run(f"({SHOWN})({json.dumps(figure.figure_id)})")
    settings = figure.settings | {"seed": 7919}
    assert step == 3
    assert sentence == TrainingStepper.recorded(**settings).meta["sentences"][3]
    assert driver.run("faults") == []
    assert driver.run(ELSEWHERE) == []

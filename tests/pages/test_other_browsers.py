"""Every page in Firefox and in WebKit: each figure ready, forward and back by mouse and keyboard, and no error."""

import json
from collections.abc import Iterator

import pytest

from . import book, browsers
from .conftest import need, serving
from .drivers import Driver, Firefox, WebKit

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
  const end = performance.now() + 20000;
  const look = () => {
    if (!open().length) resolve(document.querySelectorAll("[data-instrument]").length);
    else if (performance.now() > end) reject(new Error(`${open().length} figures are not ready; ${faults.join("; ")}`));
    else setTimeout(look, 20);
  };
  look();
})"""

# What a figure shows: step, sentence, and its drawings as text. Two frames later, so that it is what is on the screen.
SHOWN = """new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => {
  const root = document.getElementById(ID);
  const drawings = [...root.querySelectorAll("canvas, svg")].filter(element => !element.closest("button"));
  resolve([Number(root.dataset.step), root.querySelector("[role=status]").textContent, drawings.map(element =>
    element.tagName === "CANVAS" ? element.toDataURL() : new XMLSerializer().serializeToString(element)).join("\\n")]);
})))"""

PLACE = """(() => {
  const button = [...document.getElementById(ID).querySelectorAll("button")]
    .find(button => (button.getAttribute("aria-label") ?? button.textContent).trim() === NAME);
  button.scrollIntoView({block: "center", behavior: "instant"});
  const box = button.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""

ELSEWHERE = """performance.getEntriesByType("resource").map(entry => entry.name)
  .filter(name => !name.startsWith(location.origin) && !/^(blob|data):/.test(name))"""


@pytest.fixture(scope="module")
def listening() -> Iterator[str]:
    """Serve the book with the listener in each page."""

    def add(page: bytes) -> bytes:
        assert b"<head>" in page
        return page.replace(b"<head>", b"<head>" + LISTENER, 1)

    with serving(add) as address:
        yield address


@pytest.fixture(scope="module", params=["firefox", "webkit"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Start Firefox, then WebKit."""
    kind = {"firefox": Firefox, "webkit": WebKit}[request.param]
    running = kind(*need(getattr(browsers, request.param)()).where)
    yield running
    running.close()


def test_figures_step_forward_and_back(driver: Driver, page_name: str, listening: str) -> None:
    driver.open(listening + page_name)
    figures = book.figures(page_name)
    assert driver.run(READY) == len(figures)
    for figure in figures:

        def about(script: str, name: str = "", figure_id: str = figure.figure_id) -> object:
            return driver.run(script.replace("ID", json.dumps(figure_id)).replace("NAME", json.dumps(name)))

        def click(name: str, about=about) -> None:
            driver.click(*about(PLACE, name))

        click("Reset")
        first = about(SHOWN)
        assert first[0] == 0
        click("Step forward")
        second = about(SHOWN)
        assert second[0] == 1
        assert second[1] != first[1]
        assert second[2] != first[2]
        click("Step back")
        assert about(SHOWN) == first
        driver.press("ArrowRight")
        assert about(SHOWN) == second
        driver.press("Home")
        assert about(SHOWN) == first
        driver.press("End")
        assert about(SHOWN)[0] == int(about("document.getElementById(ID).dataset.steps"))
    assert driver.run("faults") == []
    assert driver.run(ELSEWHERE) == []

"""Measure Python in the pages: ``make speed`` prints how long it takes to start, and to answer a changed setting.

Chromium opens the first training stepper of the built book over loopback. A cold start fetches everything; a warm one
is that of the reader's next page. Each number is a median, in milliseconds.
"""

import argparse
from statistics import median

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from . import book, browsers
from .conftest import FLAGS, WIDE, serving, without_formulas

STAGES = {
    "Starting Python": "all files are there",
    "Loading numpy": "Python runs",
    "Loading the book's own code": "numpy is loaded",
    "ready": "nnlib is loaded",
    "frame": "a new frame is drawn",
}

# `told`: when the worker said what first. `changed`: set the seed as a reader does; how long until its frame is drawn.
LISTENER = """
window.told = {};
const Whole = window.Worker;
window.Worker = class extends Whole {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({data}) => { told[data.stage ?? data.type] ??= performance.now(); });
  }
};
window.changed = ([id, seed]) => new Promise(resolve => {
  const root = document.getElementById(id);
  const input = document.getElementById(`${id}-seed`);
  const begin = performance.now();
  root.addEventListener("nnlib:frame", function drawn() {
    if (!root.querySelector(".nn-code").textContent.includes(`default_rng(${seed})`)) return;
    root.removeEventListener("nnlib:frame", drawn);
    told.frame ??= performance.now();
    const times = Object.entries(told).map(([what, at]) => [what, at - begin]);
    const after = performance.now() - begin;
    const settle = () => {
      if (root.hasAttribute("aria-busy")) setTimeout(settle, 20);
      else resolve([after, Object.fromEntries(times)]);
    };
    settle();
  });
  input.value = seed;
  input.dispatchEvent(new Event("change", {bubbles: true}));
});
"""


def visit(context: BrowserContext, address: str, figure: book.Figure) -> Page:
    """Open the page and wait until its figure stands."""
    page = context.new_page()
    page.goto(address + figure.page)
    page.locator(f"#{figure.figure_id}[data-ready=true]").wait_for()
    page.wait_for_load_state("networkidle")
    return page


def measure(browser: Browser, address: str, turns: int) -> tuple[dict[str, list[dict[str, float]]], list[float]]:
    """Return the times of each start's stages, cold and warm, and the times of changed settings."""
    figures = [figure for page in book.pages() for figure in book.figures(page)]
    figure = next(figure for figure in figures if figure.instrument == "training_stepper")
    starts: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    changes = []
    for turn in range(turns):
        context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
        context.set_default_timeout(180_000)
        context.add_init_script(LISTENER)
        without_formulas(context)
        for kind, times in starts.items():
            page = visit(context, address, figure)
            times.append(page.evaluate("changed", [figure.figure_id, 1000 + turn])[1])
            if kind == "warm":
                changes += [page.evaluate("changed", [figure.figure_id, 2000 + seed])[0] for seed in range(11)][1:]
            page.close()
        context.close()
    return starts, changes


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="starts of each kind (5)")
    parser.add_argument("--disk", action="store_true", help="open the page from the disk")
    options = parser.parse_args()
    with serving() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browsers.chromium().where[0], args=FLAGS)
        address = f"{book.BUILT.as_uri()}/" if options.disk else served
        starts, changes = measure(browser, address, options.turns)
        browser.close()
    print(f"{'ms after the setting was changed':34}{'cold':>7}{'warm':>7}")
    for stage, words in STAGES.items():
        print(f"{words:34}" + "".join(f"{median(time[stage] for time in times):7.0f}" for times in starts.values()))
    changes.sort()
    print(f"{'then another setting: new frame':34}{median(changes):14.1f}  (all {changes[0]:.1f} to {changes[-1]:.1f})")


if __name__ == "__main__":
    main()

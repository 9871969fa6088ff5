"""Every page of the built book: quiet, self-contained, accessible; whole on a phone, on paper, without JavaScript."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, TimeoutError, expect

from . import book
from .conftest import NARROW, WIDE, Desk
from .hands import DRAWING, Hands

Reader = Callable[..., Page]

# What sticks out to the right of the window, outside boxes that scroll by themselves.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  const end = element => Math.round(element.getBoundingClientRect().right);
  return [...document.body.querySelectorAll("*")].filter(element => end(element) > width)
    .map(element => `${element.tagName}.${element.className} ends at ${end(element)}`).slice(-8);
}"""

TYPESET = """async () => {
  await (window.MathJax?.startup?.promise);
  return [...document.querySelectorAll(".math")].filter(element => !element.querySelector("mjx-container"))
    .map(element => element.textContent.slice(0, 60));
}"""


@pytest.mark.parametrize("disk", [False, True], ids=["http", "file"])
def test_the_front_door_leads_into_the_book(disk: bool, reader: Reader) -> None:
    page = reader("index.html", disk=disk)
    page.wait_for_url("**/chapters/*.html")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.parametrize("disk", [False, True], ids=["http", "file"])
def test_page_loads_without_a_sound(page_name: str, disk: bool, reader: Reader) -> None:
    page = reader(page_name, disk=disk)
    figures = book.figures(page_name)
    expect(page.locator("[data-instrument][data-ready=true]")).to_have_count(len(figures))
    for figure in figures:
        root = Hands(page, figure.figure_id).root
        expect(root).to_have_attribute("data-instrument", figure.instrument)
        expect(root).to_have_attribute("data-source", "bank")
    expect(page.locator(".livepage-poster")).to_have_count(0)
    assert page.evaluate(TYPESET) == [], "formulas that were not typeset"


def expect_nothing_to_stick_out(page: Page) -> None:
    """Wait until the page fits its window: side bars glide, and figures answer to a new width a frame later."""
    try:
        page.wait_for_function(f"({STICKING_OUT})().length === 0", timeout=30_000)
    except TimeoutError:
        assert page.evaluate(STICKING_OUT) == [], f"{page.viewport_size['width']} px"


def test_phone_does_not_scroll_sideways(page_name: str, desk: Desk) -> None:
    page = desk.open(page_name)
    for width in (NARROW["width"], 360, 768):
        page.set_viewport_size({"width": width, "height": 800})
        expect_nothing_to_stick_out(page)


# Both widths and both themes, in two looks.
LOOKS = [("wide", "light"), ("narrow", "dark")]


# Most elements of a page are the insides of formulas, which take their colour from the text around them, and words in
# code. For the time of a look a formula is an empty box of its size, and of the words that are coloured alike one is
# enough. A few frames later the page has answered to a new width.
SPARE = """() => {
  window.spared = [];
  const known = new Set();
  for (const word of document.querySelectorAll(".highlight span[class]")) {
    if (known.has(word.className) && !word.children.length) {
      const text = document.createTextNode(word.textContent);
      word.replaceWith(text);
      spared.push(() => text.replaceWith(word));
    }
    known.add(word.className);
  }
  for (const formula of document.querySelectorAll("mjx-container")) {
    const box = formula.querySelector("mjx-math");
    const {width, height} = box.getBoundingClientRect();
    const {cssText} = box.style;
    const [parts, spoken] = [[...box.childNodes], formula.querySelector("mjx-assistive-mml")];
    box.style.cssText += `; display: inline-block; width: ${width}px; height: ${height}px`;
    box.replaceChildren();
    spoken.remove();
    spared.push(() => {
      box.replaceChildren(...parts);
      box.style.cssText = cssText;
      formula.append(spoken);
    });
  }
  return new Promise(resolve => {
    const look = left => left ? requestAnimationFrame(() => look(left - 1)) : resolve();
    look(6);
  });
}"""
PUT_BACK = "spared.forEach(putBack => putBack())"
EMPTY = ("empty-table-header", "summary-name")


@pytest.mark.parametrize(("width", "scheme"), LOOKS, ids=["-".join(look) for look in LOOKS])
def test_axe_finds_no_violation(page_name: str, width: str, scheme: str, desk: Desk) -> None:
    page = desk.open(page_name)
    page.set_viewport_size({"wide": WIDE, "narrow": NARROW}[width])
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    # Without preloading axe asks for nothing: it would look for the style sheets' own style sheets in the wrong folder.
    options = {"resultTypes": ["violations"], "preload": False}
    page.evaluate(SPARE)
    found = Axe().run(page, options=options)
    page.evaluate(PUT_BACK)
    lines = [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
        # axe reads no MathML: to it what holds a formula alone is empty.
        if not (violation["id"] in EMPTY and page.locator(node["target"][0]).locator("mjx-container").count())
    ]
    assert not lines, "\n".join(lines)


def test_without_javascript_the_posters_stand(page_name: str, reader: Reader) -> None:
    page = reader(page_name, java_script_enabled=False)
    posters = page.locator("img.livepage-poster")
    figures = book.figures(page_name)
    expect(posters).to_have_count(len(figures))
    for poster, figure in zip(posters.all(), figures, strict=True):
        expect(poster).to_be_visible()
        expect(poster).to_have_attribute("alt", figure.alt)
        assert figure.alt.strip()
        assert poster.evaluate("image => image.naturalWidth") > 200


def test_page_prints(page_name: str, desk: Desk) -> None:
    page = desk.open(page_name)
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less the margins
    page.emulate_media(media="print", color_scheme="dark")
    expect_nothing_to_stick_out(page)
    for figure in book.figures(page_name):
        hands = Hands(page, figure.figure_id)
        box = hands.root.evaluate(DRAWING)
        assert box["width"] > 200
        assert box["height"] > 50
        expect(hands.root.get_by_role("status")).to_be_visible()
        expect(hands.button("Step forward")).to_have_count(0)
    assert page.pdf(format="A4").startswith(b"%PDF")

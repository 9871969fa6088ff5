"""A reader's hands and eyes on one figure in Chromium, by its promises and accessible names, never by its innards."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

# The drawing, not the icons on the buttons: every canvas and SVG picture, as one rectangle in the window; in a figure
# that draws with neither, the place which it fills.
DRAWING = """root => {
  const seen = element => element.getClientRects().length > 0;
  const drawings = [...root.querySelectorAll("canvas, svg")].filter(part => !part.closest("button") && seen(part));
  const boxes = (drawings.length ? drawings : [root.querySelector(".nn-stage")])
    .map(element => element.getBoundingClientRect());
  const [x, y] = [Math.min(...boxes.map(box => box.left)), Math.min(...boxes.map(box => box.top))];
  const [right, bottom] = [Math.max(...boxes.map(box => box.right)), Math.max(...boxes.map(box => box.bottom))];
  return {x, y, width: right - x, height: bottom - y};
}"""

# The drawing as text, the same for the same picture wherever it stands: each canvas with its pixels, and the visible
# parts of everything else one by one. Names that only tie parts together may differ from one loading to the next.
PICTURE = """root => {
  const visible = part => {
    const {width, height} = part.getBoundingClientRect();
    return (width || height) && part.checkVisibility({visibilityProperty: true, opacityProperty: true});
  };
  const text = part => {
    if (part.tagName === "CANVAS") return part.toDataURL();
    const alone = part.cloneNode(false);
    for (const name of ["class", "id", "name", "for", "clip-path"]) alone.removeAttribute(name);
    if (!alone.getAttribute("style")) alone.removeAttribute("style"); // left empty by a screenshot
    return [...part.classList].sort().join(" ") + alone.outerHTML + (part.children.length ? "" : part.textContent);
  };
  return [...root.querySelectorAll(".nn-stage *")].filter(part => !part.closest("button") && visible(part)).map(text);
}"""

# After a change of size a figure draws once more, in the next frame.
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

# Notes the next drawn frame.
LISTEN = """root => {
  window.frameDrawn = false;
  root.addEventListener("nnlib:frame", () => { window.frameDrawn = true; }, {once: true});
}"""


class Hands:
    """One figure of a page."""

    def __init__(self, page: Page, figure_id: str) -> None:
        self.page = page
        self.root = page.locator(f'[id="{figure_id}"][data-instrument]')

    def ready(self) -> "Hands":
        """Wait until the figure has drawn."""
        expect(self.root).to_have_attribute("data-ready", "true")
        return self

    def button(self, name: str) -> Locator:
        """Return a button by its accessible name."""
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def slider(self) -> Locator:
        """Return the slider over the steps."""
        return self.root.get_by_role("slider", name="Step", exact=True)

    @property
    def said(self) -> str:
        """Return the text twin."""
        return self.root.get_by_role("status").inner_text()

    @property
    def warned(self) -> str:
        """Return what the figure says in warning; empty if nothing."""
        alert = self.root.get_by_role("alert")
        return alert.inner_text() if alert.count() else ""

    @property
    def step(self) -> int:
        """Return the step shown."""
        return int(self.root.get_attribute("data-step"))

    @property
    def last(self) -> int:
        """Return the index of the last step."""
        return int(self.root.get_attribute("data-steps"))

    def at(self, step: int) -> None:
        """Wait until this step is shown."""
        expect(self.root).to_have_attribute("data-step", str(step))

    def picture(self) -> str:
        """Return the drawing as a digest, the same for the same picture."""
        self.page.mouse.move(0, 0)  # a figure answers to what is pointed at, and it may have moved under the mouse
        self.page.evaluate(TWO_FRAMES)
        return hashlib.sha256("\n".join(self.root.evaluate(PICTURE)).encode()).hexdigest()

    def pixels(self) -> str:
        """Return the pixels of the drawing on the screen, as a digest."""
        self.root.scroll_into_view_if_needed()
        pixels = self.page.screenshot(clip=self.root.evaluate(DRAWING), full_page=False, animations="disabled")
        return hashlib.sha256(pixels).hexdigest()

    def seen(self) -> tuple[str, str]:
        """Return picture and sentence together."""
        return self.picture(), self.said

    @contextmanager
    def redrawn(self) -> Iterator[None]:
        """Wait, at the end of the block, for a frame that was drawn since its start, and for the answer to be there."""
        self.root.evaluate(LISTEN)
        yield
        self.page.wait_for_function("window.frameDrawn")
        expect(self.root).not_to_have_attribute("aria-busy", "true")

    def reset(self) -> None:
        """Go back to the first step, unless it is shown already."""
        if self.step:
            self.button("Reset").click()
            self.at(0)

    def setting(self, label: str) -> Locator:
        """Return a setting's control by its label."""
        return self.root.get_by_label(label, exact=True)

    def choose(self, label: str, value: str, words: str) -> None:
        """Give a setting a value, as a reader does: from its menu by its words, or typed into its box."""
        box = self.setting(label)
        if box.evaluate("box => box.tagName") == "SELECT":
            box.select_option(label=words)
        else:
            box.fill(value)
            box.press("Enter")

    def chosen(self, label: str) -> str:
        """Return what a setting's control shows: the words in its menu, or the value in its box."""
        return self.setting(label).evaluate("box => box.selectedOptions ? box.selectedOptions[0].label : box.value")

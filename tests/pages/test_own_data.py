"""The training stepper with a live source: own points, both futures of a fork, many seeds; and where numbers end.

The page asks for what its bank does not hold, and this process answers with the recordings that a worker or a kernel
would make, part after part.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, parse_qsl, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from nnlib.datasets import Dataset
from nnlib.errors import NnlibError
from nnlib.widgets import TrainingStepper, own_points
from nnlib.widgets.recording import pack

from . import book
from .book import Figure
from .conftest import PATIENCE, WIDE, listen, without_formulas
from .hands import Hands
from .test_pages import expect_nothing_to_stick_out

# The page's seam for a live source (livepage.js), and what the tests put there.
SEAM = re.compile(r"const page = \{ compute: [^}]*\}")
COMPUTE = """window.computeByTest = async (instrument, settings, { signal, onFrames }) => {
  const bytes = text => new DataView(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer);
  const run = await window.startRun(JSON.stringify(settings));
  for (;;) {
    const { part, done, problem } = JSON.parse(await window.goOn(run));
    signal.throwIfAborted();
    if (problem) throw new Error(problem);
    if (done) return bytes(part);
    await onFrames(bytes(part));
  }
};"""
TABLE = "height,weight,species\n" + "".join(
    f"{150 + i},{40 + i * i % 17},{'cat' if i % 3 else 'dog'}\n" for i in range(24)
)

Open = Callable[..., Hands]


def shows(figure: Figure, name: str) -> bool:
    """Return whether the author of a figure lets readers change this setting."""
    return any(control["name"] == name and not control.get("hidden") for control in figure.controls)


def figure_of(setting: str) -> Figure:
    """Return the stepper with the richest bank among those that show this setting."""
    return max((figure for figure in book.steppers() if shows(figure, setting)), key=lambda figure: len(figure.bank))


class Answers:
    """Records what the page asks for."""

    def __init__(self, page: Page) -> None:
        self.asked: list[dict] = []
        self.runs: dict[str, Iterator] = {}
        self.parts: dict[str, str] = {}
        page.expose_function("startRun", self.start)
        page.expose_function("goOn", self.go_on)
        page.add_init_script(COMPUTE)

    def start(self, settings: str) -> str:
        self.asked.append(json.loads(settings))
        run = str(len(self.asked))
        self.runs[run] = TrainingStepper.recordings(**self.asked[-1])
        return run

    def go_on(self, run: str) -> str:
        try:
            recording = next(self.runs[run])
        except StopIteration:
            return json.dumps({"part": self.parts[run], "done": True})
        except NnlibError as error:
            return json.dumps({"problem": str(error)})
        self.parts[run] = base64.b64encode(pack(recording, TrainingStepper.ENCODINGS)).decode("ascii")
        return json.dumps({"part": self.parts[run]})


@pytest.fixture
def live(chromium: Browser, served: str) -> Iterator[Open]:
    """Open a stepper in a page with a live source (``source=False``: without). No fault may be met."""
    contexts, faults = [], []

    def open_figure(figure: Figure, *, query: str = "", source: bool = True, **options: object) -> Hands:
        context = chromium.new_context(viewport=WIDE, reduced_motion="reduce", color_scheme="light", **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        listen(context, (served,), faults)
        without_formulas(context)
        page = context.new_page()

        def change(route: Route) -> None:
            answer = route.fetch()
            text, count = SEAM.subn("const page = { compute: window.computeByTest }", answer.text())
            assert count == 1
            route.fulfill(response=answer, body=text)

        page.route(re.compile(r"/livepage\.js"), change)
        if source:
            page.answers = Answers(page)
        page.goto(served + figure.page + query)
        return Hands(page, figure.figure_id).ready()

    yield open_figure
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


def settled(hands: Hands) -> str:
    """Wait until what was asked for is there, and return the text twin."""
    expect(hands.root).not_to_have_attribute("aria-busy", "true")
    return hands.said


def said_of_points(hands: Hands) -> Locator:
    """Return the editor's own words."""
    return hands.root.locator(".points-said")


def place_of(hands: Hands, figure: Figure, x: float, y: float) -> tuple[float, float]:
    """Return where in the window a point of the plane is."""
    settled(hands)
    shown = hands.page.answers.asked[-1:] or [figure.settings]
    limit = TrainingStepper.recorded(**shown[0] | {"updates": 100}).static["limit"].item()
    area = hands.root.locator(".points-area")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    return box["x"] + box["width"] * (x + limit) / (2 * limit), box["y"] + box["height"] * (limit - y) / (2 * limit)


def points_of(hands: Hands) -> list[tuple[float, float, int]]:
    """Return the points that the page asked for last."""
    settled(hands)
    data = own_points.read(hands.page.answers.asked[-1]["points"])
    return [(x, y, label) for (x, y), label in zip(data.X.tolist(), data.y.tolist(), strict=True)]


def asks_for(hands: Hands, points: list[tuple[float, float, int]]) -> None:
    """Wait until exactly these points are shown: the address tells them."""
    X, y = np.array([point[:2] for point in points]), np.array([label for *_, label in points])
    code = own_points.write(Dataset(X, y, "binary", 2, "own"))
    hands.page.wait_for_url(lambda url: f".points={code}&" in url)


def near(points: list[tuple[float, float, int]]) -> list[object]:
    """Return what a hand can hit: a pixel is more than a hundredth of the plane."""
    return [pytest.approx(point, abs=0.02) for point in points]


def told(hands: Hands) -> dict[str, str]:
    """Return what the address says about the figure."""
    query = parse_qs(urlsplit(hands.page.url).query, keep_blank_values=True)
    prefix = f"{hands.root.get_attribute('id')}."
    return {name.removeprefix(prefix): values[0] for name, values in query.items() if name.startswith(prefix)}


def choose(hands: Hands, label: str, option: str) -> None:
    """Choose from a menu, and wait for the answer."""
    with hands.redrawn():
        hands.setting(label).select_option(label=option)


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "touch"])
def test_points_are_drawn_moved_and_deleted_by_hand(touch: bool, live: Open) -> None:
    figure = figure_of("points")
    hands = live(figure, has_touch=touch)
    act = hands.page.touchscreen.tap if touch else hands.page.mouse.click
    said = said_of_points(hands)
    hands.button("Edit the points").click()
    hands.button("Clear").click()
    for label, x in ((1, -0.5), (0, 0.5)):
        hands.button(f"Class {label}").click()
        for y in (-0.6, 0.2):
            act(*place_of(hands, figure, x, y))
    expect(said).to_contain_text("Point 4 added: class 0")
    drawn = [(-0.5, -0.6, 1), (-0.5, 0.2, 1), (0.5, -0.6, 0), (0.5, 0.2, 0)]
    assert points_of(hands) == near(drawn)
    assert len(hands.page.answers.asked) == 1, "too few points are nothing to ask for"
    expect(hands.root).to_have_attribute("data-source", "worker")

    act(*place_of(hands, figure, 0.5, 0.2))
    expect(said).to_contain_text("Point 4 of 4, class 0")
    hands.button("Class 1").click()
    expect(said).to_contain_text("Point 4 is of class 1 now. Training needs 2 points of each class: 1 of class 0")
    hands.button("Undo").click()
    expect(said).to_have_text("Undone.")
    if touch:
        return
    mouse = hands.page.mouse
    mouse.move(*place_of(hands, figure, 0.5, -0.6))
    mouse.down()
    mouse.move(*place_of(hands, figure, 0.1, -0.9), steps=4)
    mouse.up()
    drawn[2] = (0.1, -0.9, 0)
    assert points_of(hands) == near(drawn)
    act(*place_of(hands, figure, 0.9, 0.9))
    assert points_of(hands) == near([*drawn, (0.9, 0.9, 1)])
    act(*place_of(hands, figure, -0.5, 0.2))
    hands.button("Delete").click()
    expect(said).to_contain_text("deleted. 4 left.")
    assert points_of(hands) == near([drawn[0], *drawn[2:], (0.9, 0.9, 1)])


def test_points_by_keyboard_alone(live: Open) -> None:
    hands = live(figure_of("points"))
    press = hands.page.keyboard.press
    before, said = hands.step, said_of_points(hands)
    for name in ("Edit the points", "Clear"):
        hands.button(name).focus()
        press("Enter")
    hands.root.get_by_role("application").focus()
    for label, turn in (("1", "ArrowLeft"), ("0", "Shift+ArrowRight"), ("1", "ArrowUp"), ("0", "ArrowUp")):
        for key in (label, turn, turn, "Enter"):
            press(key)
        expect(said).to_contain_text(f"added: class {label}")
    asks_for(hands, [(-0.1, 0, 1), (0.4, 0, 0), (0.4, 0.1, 1), (0.4, 0.2, 0)])
    press("PageDown")
    expect(said).to_have_text("Point 1 of 4, class 1, at (−0.1, 0).")
    for key in ("Shift+ArrowDown", "ArrowLeft", "Enter"):
        press(key)
    expect(said).to_have_text("Point 1 is put down.")
    moved = [(-0.15, -0.25, 1), (0.4, 0, 0), (0.4, 0.1, 1), (0.4, 0.2, 0)]
    asks_for(hands, moved)
    press("PageUp")
    expect(said).to_contain_text("Point 4 of 4")
    press("1")
    expect(said).to_have_text("Point 4 is of class 1 now. Training needs 2 points of each class: 1 of class 0 so far.")
    press("Delete")
    expect(said).to_contain_text("deleted. 3 left. Training needs 2 points of each class: 1 of class 0 so far.")
    for _ in range(2):
        hands.button("Undo").click()
    asks_for(hands, moved)
    assert hands.step == before, "the keys of the plane are not the figure's"


def test_the_points_of_a_data_set_are_a_start_and_it_comes_back(live: Open) -> None:
    figure = figure_of("points")
    hands = live(figure)
    menu = hands.setting("Data set")
    name = menu.locator("option:checked").inner_text()
    before = hands.seen()
    choose(hands, "Data set", "your own points")
    points = points_of(hands)
    assert len(points) == 200
    first = TrainingStepper.recorded(**figure.settings)
    held_out = [point[:2] for point in points[3::4]]
    assert held_out == [pytest.approx(point, abs=0.0051) for point in first.static["held_out"].tolist()]
    hands.button("Edit the points").click()
    expect(hands.root.locator(".points-layer .training-point-out")).to_have_count(50)
    hands.button("Done with the points").click()
    choose(hands, "Data set", name)
    expect(hands.root).to_have_attribute("data-source", "bank")
    assert hands.seen() == before
    choose(hands, "Data set", "your own points")
    assert len(hands.page.answers.asked) == 1, "what was seen before is not computed again"


def test_a_curve_has_no_points_of_the_plane_so_there_are_some_to_begin_with(live: Open) -> None:
    hands = live(figure_of("points"))
    for label, option in (
        ("Loss", "mean squared error"),
        ("Data set", "a sine curve (regression)"),
        ("Data set", "your own points"),
    ):
        choose(hands, label, option)
    assert len(points_of(hands)) == 8
    assert hands.warned == ""


def test_a_table_is_pasted_or_refused_with_its_line(live: Open) -> None:
    hands = live(figure_of("points"))
    before = hands.seen()
    hands.button("Edit the points").click()
    hands.root.get_by_text("Points as a table (CSV)", exact=True).click()
    box = hands.root.get_by_label("Two features and the class, a point a line")
    assert len(box.input_value().splitlines()) == 201, "the points shown, as a table"
    for text, reason in (
        ("height,weight\n150,40\n", "line 1: there should be three columns"),
        (TABLE + "175,4o,cat", "line 26: the second feature should be a number, got '4o'"),
        (TABLE + "175,40,cow", "line 26: 'cow' is a third class, after 'dog' and 'cat'; keep two"),
    ):
        box.fill(text)
        hands.button("Use this table").click()
        expect(hands.root.get_by_role("alert")).to_contain_text(reason)
        expect(hands.root).to_have_attribute("data-source", "bank")
        assert hands.said == before[1], "what was shown stays on the screen"
    box.fill(TABLE)
    with hands.redrawn():
        hands.button("Use this table").click()
    assert hands.warned == ""
    expect(said_of_points(hands)).to_have_text("24 points: 16 of class 0, 8 of class 1.")
    assert box.input_value().splitlines()[:2] == ["x1,x2,class", "-1,-1,1"]
    hands.button("Undo").click()
    expect(said_of_points(hands)).to_have_text("Undone.")
    expect(hands.root.locator(".points-layer .training-point-out")).to_have_count(50)
    settled(hands)
    file = {"name": "points.csv", "mimeType": "text/csv", "buffer": b"0.5;0,25;a\n0;1;b\n0;0;a\n1;1;b\n1;0;b\n"}
    with hands.redrawn():
        hands.root.get_by_label("or from a file").set_input_files(file)
    expect(said_of_points(hands)).to_have_text("5 points: 2 of class 0, 3 of class 1.")
    expect(hands.root.locator(".points-layer circle")).to_have_count(5)


def test_a_link_carries_the_points(live: Open) -> None:
    figure = figure_of("points")
    hands = live(figure, permissions=["clipboard-read", "clipboard-write"])
    hands.button("Edit the points").click()
    hands.root.get_by_text("Points as a table (CSV)", exact=True).click()
    hands.root.get_by_label("Two features and the class, a point a line").fill(TABLE)
    with hands.redrawn():
        hands.button("Use this table").click()
    hands.slider.press("End")
    end = hands.last
    hands.page.wait_for_url(lambda url: f"{figure.figure_id}.step={end}" in url)
    state = told(hands)
    assert state["dataset"] == "own"
    assert own_points.read(state["points"]).y.sum() == 8
    assert "%" not in urlsplit(hands.page.url).query
    hands.button("Copy link").click()
    expect(said_of_points(hands)).to_contain_text("The link is copied")
    link = hands.page.evaluate("navigator.clipboard.readText()")
    assert link == hands.page.url
    sentence = hands.said
    other = live(figure, query=f"?{urlsplit(link).query}")
    expect(other.root).to_have_attribute("data-source", "worker")
    assert settled(other) == sentence
    assert other.page.answers.asked[0]["points"] == state["points"]


def test_without_a_live_source_the_editor_says_what_it_needs(live: Open) -> None:
    hands = live(figure_of("points"), source=False)
    sentence = hands.said
    hands.button("Edit the points").click()
    expect(hands.root.locator(".points-needs")).to_have_text(
        "Training on your own points needs a live kernel: open this chapter in Jupyter or Binder."
    )
    hands.button("Clear").click()
    expect(hands.root.locator(".points-layer circle")).to_have_count(0)
    hands.root.get_by_role("application").press("Enter")
    expect(hands.root.locator(".points-layer circle")).to_have_count(1)
    assert hands.said == sentence
    expect(hands.root).to_have_attribute("data-source", "bank")


def test_an_author_who_hides_the_points_hides_the_editor(live: Open) -> None:
    for figure in [figure for figure in book.steppers() if not shows(figure, "points")][:1]:
        hands = live(figure)
        expect(hands.button("Edit the points")).to_have_count(0)
        choose(hands, "Data set", "your own points")
        expect(hands.button("Edit the points")).to_be_visible()


def test_a_fork_shows_both_futures_side_by_side(live: Open) -> None:
    hands = live(figure_of("fork_at"))
    planes = hands.root.locator(".training-plane:visible")
    expect(planes).to_have_count(1)
    expect(hands.setting("η after the fork")).to_be_hidden()
    hands.slider.fill("30")
    hands.at(30)
    with hands.redrawn():
        hands.button("Fork here: go on with other settings").click()
    expect(planes).to_have_count(2)
    one, other = (planes.nth(index).bounding_box() for index in (0, 1))
    assert one["y"] == pytest.approx(other["y"], abs=1)
    assert one["x"] + one["width"] <= other["x"] + 1
    choose(hands, "η after the fork", "10")
    choose(hands, "Optimizer after the fork", "adam")
    fork = hands.page.answers.asked[-1]
    assert (fork["fork_learning_rate"], fork["fork_optimizer"]) == (10, "adam")
    picture = "plane => plane.querySelector('canvas').toDataURL()"
    hands.slider.fill("30")
    hands.at(30)
    assert planes.nth(0).evaluate(picture) == planes.nth(1).evaluate(picture)
    expect(planes.nth(1).locator(".nn-heading")).to_have_text(f"Same until update {fork['fork_at']}")
    hands.slider.press("End")
    hands.at(hands.last)
    assert planes.nth(0).evaluate(picture) != planes.nth(1).evaluate(picture)
    expect(planes.nth(0).locator(".nn-heading")).to_have_text("Fork: η 10, adam")
    expect(planes.nth(1).locator(".nn-heading")).to_have_text(f"No fork: η {fork['learning_rate']}, sgd")
    assert re.search(r"\(without the fork, training loss \d\.\d{4}, \d+% right\)", hands.said)
    with hands.redrawn():
        hands.button("Undo the fork").click()
    expect(planes).to_have_count(1)


def test_many_seeds_stream_in_as_small_multiples(live: Open) -> None:
    figure = figure_of("seeds")
    hands = live(figure)
    # How many there are after each part that comes.
    hands.root.evaluate("""root => {
      window.counts = [];
      root.addEventListener("nnlib:frame", () => counts.push(root.querySelectorAll("button.training-seed").length));
    }""")
    choose(hands, "Updates", "100")
    hands.page.evaluate("counts.length = 0")
    choose(hands, "Seeds to compare", "8, from this one")
    assert hands.page.evaluate("counts") == [1, 2, 4, 8, 8]
    seeds = hands.root.locator("button.training-seed")
    expect(seeds).to_have_count(8)
    hands.at(7)
    rate = r"\d of 8 seeds reach an accuracy of at least 90% on held-out points\. Shown large: seed 7, after 100 "
    assert re.match(rate, hands.said)
    successes = sum("a success" in name for name in seeds.evaluate_all("all => all.map(seed => seed.ariaLabel)"))
    assert hands.said.startswith(f"{successes} of 8 ")
    end = hands.said
    seeds.nth(2).click()
    hands.at(2)
    assert re.match(r"\d of 3 seeds reach .*: seed 2, after 100 updates", hands.said)
    expect(seeds.nth(2)).to_have_attribute("aria-pressed", "true")
    seeds.nth(2).press("ArrowRight")
    hands.at(3)
    expect(seeds.nth(3)).to_be_focused()
    seeds.nth(3).press("End")
    hands.at(7)
    assert hands.said == end
    hands.page.wait_for_url(lambda url: f"{figure.figure_id}.seeds=8" in url)
    loss = re.search("training loss [0-9.]+", hands.said)[0]
    with hands.redrawn():
        hands.button("Step through seed 7").click()
    expect(seeds.locator("visible=true")).to_have_count(0)
    hands.slider.press("End")
    hands.at(hands.last)
    assert loss in hands.said, "the same run, update by update"


def stopping(figure: Figure) -> str:
    """Return the query for the settings in the figure's bank under which a run ends early."""
    for key in figure.bank:
        settings = dict(parse_qsl(key, keep_blank_values=True))
        if "stopped" in TrainingStepper.recorded(**settings).meta:
            changed = {name: value for name, value in settings.items() if figure.key().find(f"{name}={value}") < 0}
            return "?" + "&".join(f"{figure.figure_id}.{name}={value}" for name, value in changed.items())
    raise AssertionError(f"no run in the bank of {figure} ends early")


def test_a_run_that_ends_early_shows_where_and_why_and_keeps_its_last_frame(live: Open) -> None:
    figure = figure_of("loss")
    query = stopping(figure)
    hands = live(figure, query=f"{query}&{figure.figure_id}.step=999", source=False)
    settled(hands)
    expect(hands.root).to_have_attribute("data-source", "bank")
    hands.at(hands.last)
    changes = {name.split(".")[1]: value for name, value in parse_qsl(query[1:])}
    stopped = TrainingStepper.recorded(**figure.settings | changes).meta["stopped"]
    box = hands.root.locator(".training-autopsy")
    for words in (str(stopped["step"]), f"after update {stopped['kept']}", stopped["formula"], "∞", " → not finite"):
        expect(box).to_contain_text(words)
    assert f"after {stopped['kept']} updates" in hands.said
    assert f"step {stopped['step']}" in hands.warned
    colours = """root => new Set([...root.querySelectorAll(".training-plane canvas, .training-node canvas")]
      .map(canvas => canvas.toDataURL())).size"""
    assert hands.root.evaluate(colours) > 2, "the last finite frame, not a blank"
    hands.button("Step back").click()
    hands.at(hands.last - 1)
    expect(box).to_be_visible()


OPENED = {
    "editor": lambda hands: (
        hands.button("Edit the points").click(),
        hands.root.get_by_text("Points as a table (CSV)", exact=True).click(),
    ),
    "seeds": lambda hands: (
        choose(hands, "Updates", "100"),
        choose(hands, "Seeds to compare", "24, from this one"),
    ),
    "fork": lambda hands: (
        hands.slider.fill("20"),
        hands.button("Fork here: go on with other settings").click(),
        settled(hands),
    ),
    "ending": lambda hands: (
        choose(hands, "Loss", "mean squared error"),
        choose(hands, "Learning rate η", "30"),
    ),
}


@pytest.mark.parametrize("state", OPENED)
def test_every_state_is_accessible_fits_a_phone_and_has_two_themes(state: str, live: Open) -> None:
    figure = figure_of("points")
    hands = live(figure)
    OPENED[state](hands)
    settled(hands)
    for scheme in ("light", "dark"):
        hands.page.emulate_media(color_scheme=scheme)
        expect(hands.page.locator("html")).to_have_attribute("data-theme", scheme)
        for width in (1280, 360):
            hands.page.set_viewport_size({"width": width, "height": 900})
            expect_nothing_to_stick_out(hands.page)
            options = {"resultTypes": ["violations"], "preload": False}
            found = Axe().run(hands.page, context={"include": [[f"#{figure.figure_id}"]]}, options=options)
            lines = [
                f"{violation['id']}: {node['target']} {node['failureSummary']}"
                for violation in found.response["violations"]
                for node in violation["nodes"]
            ]
            assert not lines, "\n".join(lines)

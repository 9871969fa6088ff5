"""Every interactive figure of the built book does what it promises: steps, plays, switches, remembers, obeys keys."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from livepage.state import same
from nnlib.widgets.recorder import format_value

from . import book
from .book import Figure, Link
from .conftest import Desk
from .hands import Hands

Reader = Callable[..., Page]

# Opens whatever an element is folded away in.
UNFOLD = """element => {
  for (let box = element.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
}"""

# Half a second on a screen: long enough for a figure to start to play.
THIRTY_FRAMES = """() => new Promise(resolve => {
  let left = 30;
  const tick = () => (left-- ? requestAnimationFrame(tick) : resolve());
  tick();
})"""


def at_start(desk: Desk, figure: Figure) -> Hands:
    """Take up the figure at its first step."""
    hands = Hands(desk.open(figure.page), figure.figure_id)
    hands.reset()
    return hands


def label_of(control: dict, value: str) -> str:
    """Return the words that stand for a setting's value in its menu."""
    return next(
        (option["label"] for option in control.get("options", ()) if format_value(option["value"]) == value), value
    )


def test_steps_forward_and_back_to_the_same_picture(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    assert hands.last > 0
    seen = [(*hands.seen(), hands.pixels())]
    for step in range(1, min(hands.last, 3) + 1):
        hands.button("Step forward").click()
        hands.at(step)
        seen.append((*hands.seen(), hands.pixels()))
        for before, after, what in zip(*seen[-2:], ("drawing", "sentence", "pixels"), strict=True):
            assert before != after, f"the {what} of step {step} is that of the step before"
    for step in reversed(range(len(seen) - 1)):
        hands.button("Step back").click()
        hands.at(step)
        assert hands.seen() == seen[step][:2], f"going back to step {step} does not bring it back"
    expect(hands.button("Step back")).to_be_disabled()


def test_the_slider_goes_anywhere_and_reset_to_the_start(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    first = hands.seen()
    expect(hands.slider).to_have_attribute("max", str(hands.last))
    for step in {hands.last // 2 or 1, hands.last}:
        hands.slider.fill(str(step))
        hands.at(step)
        assert hands.said != first[1]
    hands.button("Reset").click()
    hands.at(0)
    assert hands.seen() == first
    hands.slider.press("ArrowRight")
    hands.at(1)


def test_keys_step_jump_and_play(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    last = hands.last
    hands.root.focus()
    for key, step in (
        ("ArrowRight", 1),
        ("ArrowLeft", 0),
        ("End", last),
        ("ArrowRight", last),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        hands.page.keyboard.press(key)
        hands.at(step)
    with hands.redrawn():
        hands.page.keyboard.press(" ")
    assert hands.step > 0
    if hands.button("Pause").count():
        hands.page.keyboard.press(" ")
    expect(hands.button("Play")).to_be_visible()


def test_plays_and_pauses(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    hands.button("Play").click()
    expect(hands.root).not_to_have_attribute("data-step", "0")
    if hands.last / figure.pace > 5:  # seconds: long enough to pause it
        hands.button("Pause").click()
        assert 0 < hands.step < hands.last
    expect(hands.button("Play")).to_be_visible()


def test_settings_in_the_bank_switch_at_once(figure_storing: Figure, desk: Desk) -> None:
    figure = figure_storing
    hands = at_start(desk, figure)
    hands.slider.press("End")
    hands.at(hands.last)
    ends, before = hands.last, hands.seen()
    for control, value in figure.stored():
        start = format_value(figure.settings[control["name"]])
        with hands.redrawn():
            hands.choose(control["label"], value, label_of(control, value))
        assert hands.warned == "" or "needs a live kernel" not in hands.warned
        expect(hands.root).to_have_attribute("data-source", "bank")
        hands.slider.press("End")
        hands.at(hands.last)
        assert hands.seen() != before, f"{control['label']} {value} changes nothing"
        with hands.redrawn():
            hands.choose(control["label"], start, label_of(control, start))
        hands.slider.press("End")
        hands.at(ends)
        assert hands.seen() == before, f"{control['label']} back to {start} does not bring back the picture"


def test_setting_without_a_live_source_keeps_the_frames_and_says_so(figure_wanting: Figure, bare_desk: Desk) -> None:
    figure = figure_wanting
    control, value = figure.wanting()
    hands = at_start(bare_desk, figure)
    before = hands.seen()
    if control["kind"] == "choice":
        box = hands.setting(control["label"])
        away = box.locator('optgroup[label="needs a live kernel"]').get_by_text(label_of(control, value), exact=True)
        expect(away).to_have_count(1)
        box.select_option(label=label_of(control, value))
    else:
        address = urlsplit(hands.page.url)._replace(query=f"{figure.figure_id}.{control['name']}={value}")
        hands.page.goto(address.geturl())
        hands.ready().reset()
    expect(hands.root.get_by_role("alert")).to_contain_text("needs a live kernel")
    assert hands.seen() == before
    expect(hands.root).to_have_attribute("data-source", "bank")
    hands.button("Back to what is shown").click()
    expect(hands.root.get_by_role("alert")).to_have_count(0)
    assert hands.seen() == before


def test_the_address_restores_settings_and_step(figure: Figure, reader: Reader) -> None:
    expect_restored(figure, Hands(reader(figure.page, formulas=False, reduced_motion="reduce"), figure.figure_id))


def test_the_address_restores_settings_and_step_from_the_disk(page_name: str, reader: Reader) -> None:
    for figure in book.figures(page_name)[:1]:
        page = reader(page_name, disk=True, formulas=False, reduced_motion="reduce")
        expect_restored(figure, Hands(page, figure.figure_id))


def expect_restored(figure: Figure, hands: Hands) -> None:
    """Change what a figure shows, open the page anew at its address, and expect to see the same."""
    hands.ready()
    chosen = figure.stored()[:1]
    for control, value in chosen:
        with hands.redrawn():
            hands.choose(control["label"], value, label_of(control, value))
    step = min(2, hands.last)
    hands.slider.fill(str(step))
    hands.at(step)
    before = hands.seen()
    wanted = {f"{figure.figure_id}.step": [str(step)]}
    wanted |= {f"{figure.figure_id}.{control['name']}": [value] for control, value in chosen}
    hands.page.wait_for_url(lambda url: wanted.items() <= parse_qs(urlsplit(url).query).items())
    hands.page.reload()
    hands.ready()
    hands.at(step)
    for control, value in chosen:
        shown = hands.chosen(control["label"])
        assert shown == label_of(control, value) or same(shown, value)
    assert hands.seen() == before


def test_link_in_the_prose_sets_the_figure(link: Link, desk: Desk) -> None:
    page = desk.open(link.page)
    figure_id = link.asks[0][0]
    figure = next(figure for figure in book.figures(link.page) if figure.figure_id == figure_id)
    hands = Hands(page, figure_id)
    if hands.step != hands.last:
        hands.slider.press("End")
    page.evaluate("window.same = true")
    anchor = page.locator(f'a[href="{link.href}"]').first
    anchor.evaluate(UNFOLD)
    with hands.redrawn():
        anchor.click()
    assert page.evaluate("window.same"), "the link loaded the page anew"
    assert hands.warned == "" or "needs a live kernel" not in hands.warned
    asked = {setting: value for _, setting, value in link.asks}
    step = min(int(asked.pop("step", 0)), hands.last)
    hands.at(step)
    expect(hands.root).to_be_in_viewport()

    def tells(address: str) -> bool:
        # What is not in the address is as the author chose it.
        told = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        start = {name: format_value(value) for name, value in figure.settings.items()}
        shown = {setting: told.get(f"{figure_id}.{setting}", start[setting]) for setting in asked}
        return told.get(f"{figure_id}.step") == str(step) and all(same(shown[name], asked[name]) for name in asked)

    page.wait_for_url(tells)


def test_dark_and_light_both_draw(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    before, light = hands.seen(), hands.pixels()
    with hands.redrawn():
        hands.page.emulate_media(color_scheme="dark")
    dark = hands.pixels()
    assert dark != light
    assert hands.said == before[1]
    hands.button("Step forward").click()
    hands.at(1)
    assert hands.pixels() != dark
    hands.button("Step back").click()
    hands.at(0)
    with hands.redrawn():
        hands.page.emulate_media(color_scheme="light")
    assert hands.seen() == before


def test_autoplay_stands_still_for_readers_who_asked_for_it(figure_autoplaying: Figure, reader: Reader) -> None:
    moving = Hands(reader(figure_autoplaying.page, formulas=False), figure_autoplaying.figure_id).ready()
    moving.root.scroll_into_view_if_needed()
    expect(moving.root).not_to_have_attribute("data-step", str(figure_autoplaying.step))
    page = reader(figure_autoplaying.page, formulas=False, reduced_motion="reduce")
    still = Hands(page, figure_autoplaying.figure_id).ready()
    still.root.scroll_into_view_if_needed()
    still.page.evaluate(THIRTY_FRAMES)
    still.at(figure_autoplaying.step)
    expect(still.button("Play")).to_be_visible()


def test_table_and_code_on_demand(figure: Figure, desk: Desk) -> None:
    hands = at_start(desk, figure)
    hands.root.get_by_text("Numbers as a table", exact=True).click()
    rows = hands.root.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(hands.last + 1)
    hands.root.get_by_text("Show as code", exact=True).click()
    code = hands.root.locator("pre code").inner_text()
    compile(code, "snippet", "exec")
    assert "nnlib" in code

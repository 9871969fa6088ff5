"""Cells that a reader changes and runs: colours, output, tracebacks, checks, and a way out of endless loops."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from livepage import cells
from livepage.livecells import Session

from . import book
from .conftest import PATIENCE, WIDE, listen
from .test_compute import START, need_python

CHAPTERS = book.ROOT / "chapters"


def live(page_name: str) -> list[cells.Cell]:
    """Return the live cells of a page."""
    path = (book.ROOT / page_name).with_suffix(".ipynb")
    return list(cells.live_cells(path).values()) if path.exists() else []


class Bench:
    """A page with a checked cell, in which Python starts once for many tests."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def cell(self) -> Locator:
        """Return the checked cell, which has a function of three lines or fewer."""
        return self.page.locator(".cell", has=self.page.locator(f'script[type="{cells.CELL}"]')).filter(
            has_text="return ..."
        )

    def button(self, name: str) -> Locator:
        """Return one of the cell's buttons."""
        return self.cell.locator(".livecell-bar").get_by_role("button", name=name, exact=True)

    def write(self, code: str) -> None:
        """Write code into the cell's editor."""
        if self.button("Edit").is_visible():
            self.button("Edit").click()
        self.cell.get_by_role("textbox").fill(code)

    def run(self, code: str) -> None:
        """Write code and run it by the keyboard."""
        self.write(code)
        self.cell.get_by_role("textbox").press("Shift+Enter")
        expect(self.button("Run")).to_be_enabled(timeout=START)


@pytest.fixture(scope="module")
def bench(chromium: Browser, served: str) -> Iterator[Bench]:
    """Open the first page with a checked cell."""
    need_python()
    name = next(page for page in book.pages() if any(cell.check for cell in live(page)))
    context = chromium.new_context(viewport=WIDE, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []
    listen(context, (served,), faults)
    page = context.new_page()
    page.goto(served + name)
    page.evaluate("window.MathJax?.startup?.promise")
    yield Bench(page)
    context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture(autouse=True)
def tidy(bench: Bench) -> Iterator[None]:
    """Leave the cell as it was."""
    yield
    if bench.button("Reset").is_visible():
        bench.button("Reset").click()


def test_every_live_cell_of_every_page_runs_in_the_page(bench: Bench) -> None:
    found = [cell for page in book.pages() for cell in live(page)]
    assert found
    for cell in found:
        wanted: list[str] = []
        expected = Session().run(cell.for_page(), wanted.append)
        bench.page.evaluate(
            "livepage.python.run({name: 'clear', code: 'import livecells; livecells.session.clear()'})"
        )
        result = bench.page.evaluate(
            """async cell => {
              let printed = "";
              const result = await livepage.python.run(cell, {onOutput: text => { printed += text; }});
              return {...result, printed};
            }""",
            cell.for_page(),
        )
        assert "error" not in result, f"{cell.code}\n{result['error']}"
        # The last digits of a number may differ between machines.
        digits = re.compile(r"[-+]?\d[\d,.]*(e[-+]?\d+)?")
        assert digits.sub("#", result["printed"]) == digits.sub("#", "".join(wanted))
        for got, number in zip(digits.finditer(result["printed"]), digits.finditer("".join(wanted)), strict=True):
            assert got[0] == number[0] or abs(float(got[0]) - float(number[0])) <= 1e-6 * (1 + abs(float(number[0])))
        assert result.get("value") == expected.get("value")


def test_a_cell_runs_as_it_is_printed_and_says_what_to_do(bench: Bench) -> None:
    bench.button("Run").click()
    expect(bench.cell.locator(".livecell-verdict")).to_contain_text("returns nothing so far", timeout=START)
    expect(bench.button("Reset")).to_be_visible()
    bench.button("Reset").click()
    expect(bench.cell.locator(".livecell-verdict")).to_have_count(0)
    expect(bench.cell.locator(".cell_input pre").first).to_be_visible()


def test_the_editor_colours_what_it_holds_and_indents(bench: Bench) -> None:
    bench.write("")
    box = bench.cell.get_by_role("textbox")
    box.press_sequentially("def f(x):  # y\nreturn 'a' + 2.5e-3")
    assert box.input_value() == "def f(x):  # y\n    return 'a' + 2.5e-3"
    words = bench.cell.locator(".livecell-editor pre span")
    classes = words.evaluate_all("all => all.map(word => [word.className, word.textContent])")
    assert ["k", "def"] in classes
    assert ["c1", "# y"] in classes
    assert ["s2", "'a'"] in classes
    assert ["mf", "2.5e-3"] in classes
    box.press("Tab")
    assert box.input_value().endswith("    ")
    box.press("Escape")
    box.press("Tab")
    expect(box).not_to_be_focused()


def test_output_values_tables_and_figures_are_shown(bench: Bench) -> None:
    output = bench.cell.locator(".livecell-output")
    code = bench.cell.locator(f'script[type="{cells.CELL}"]').text_content()
    name = re.search(r"def (\w+)", json.loads(code)["code"])[1]
    bench.run(f"{name} = lambda *given: None\nprint('hello')\n[1, 2]")
    expect(output).to_contain_text("hello")
    expect(output).to_contain_text("[1, 2]")
    table = "class Table:\n    def _repr_html_(self):\n        return '<table><tr><td>7</td></tr></table>'\nTable()"
    bench.run(f"{name} = lambda *given: None\n{table}")
    expect(output.locator("table td")).to_have_text("7")
    bench.run(f"{name} = lambda *given: None\nfrom nnlib.widgets import StepSize\nStepSize(learning_rate=0.123)")
    figure = output.locator("[data-instrument=step_size]")
    expect(figure).to_have_attribute("data-ready", "true", timeout=START)
    figure.get_by_role("button", name="Step forward", exact=True).click()
    expect(figure).to_have_attribute("data-step", "1")


def test_tracebacks_are_the_readers_own_lines(bench: Bench) -> None:
    bench.run("import numpy as np\nnp.stack([])")
    error = bench.cell.locator(".livecell-error")
    expect(error).to_contain_text("line 2")
    expect(error).to_contain_text("ValueError: need at least one array to stack")
    expect(error).not_to_contain_text("site-packages")


def test_an_endless_loop_is_interrupted_and_python_starts_anew(bench: Bench) -> None:
    bench.write("print('round and round')\nwhile True:\n    pass")
    bench.cell.get_by_role("textbox").press("Shift+Enter")
    expect(bench.cell.locator(".livecell-text")).to_contain_text("round and round", timeout=START)
    bench.button("Interrupt").click()
    expect(bench.cell.get_by_role("status").first).to_contain_text("Interrupted")
    bench.run("print(6 * 7)")
    expect(bench.cell.locator(".livecell-text").first).to_contain_text("42")


def test_a_check_grades_its_hints_and_takes_the_right_answer(bench: Bench) -> None:
    script = json.loads(bench.cell.locator(f'script[type="{cells.CELL}"]').text_content())
    name = re.search(r"def (\w+)", script["code"])[1]
    declared = script["check"].rpartition(".check(")[0]
    start = declared.index("Exercise(\n")
    prepared = f"{declared[:start]}exercise = {declared[start:]}"
    for ending, text in (
        ("exercise.mistakes[0].function", "hints[0]"),
        ("exercise.mistakes[0].function", "hints[1]"),
    ):
        bench.run(f"{prepared}\nprint(exercise.mistakes[0].{text})\n{name} = {ending}")
        hint = bench.cell.locator(".livecell-text").inner_text().strip()
        expect(bench.cell.locator(".livecell-verdict")).to_have_text(f"Not yet. {hint}")
    bench.run(f"{prepared}\n{name} = exercise.solution")
    expect(bench.cell.locator(".livecell-verdict.livecell-right")).to_contain_text("Right")

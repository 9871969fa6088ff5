"""The cells that a page runs: they show in a page's Session what the notebook stores, and the checks judge rightly."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pytest

from livepage import cells
from livepage.livecells import Session
from nnlib.errors import SettingError
from nnlib.exercises import Exercise

CHAPTERS = Path(__file__).parents[1] / "chapters"
LIVE = [
    pytest.param(path, cell, index, id=f"{path.stem}-{cell.name.replace(' ', '-')}")
    for path in sorted(CHAPTERS.glob("*.ipynb"))
    for index, cell in cells.live_cells(path).items()
]
CHECKED = [param for param in LIVE if param.values[1].check]


def run(cell: cells.Cell, code: str | None = None) -> tuple[dict, str]:
    """Run a cell in a session of its own; return its result and what it printed."""
    request = cell.for_page() | ({} if code is None else {"code": code})
    printed: list[str] = []
    return Session().run(request, printed.append), "".join(printed)


def exercise_of(cell: cells.Cell) -> Exercise:
    """Return the exercise which a check declares."""
    session = Session()
    assert "error" not in session.run(cell.for_page() | {"check": ""}, str)
    tree = ast.parse(cell.check)
    call = tree.body.pop().value
    assert call.func.attr == "check"
    tree.body.append(ast.Assign([ast.Name("exercise", ast.Store())], call.func.value))
    assert "error" not in session.run({"name": "check", "code": ast.unparse(ast.fix_missing_locations(tree))}, str)
    return session.names["exercise"]


def test_every_chapter_has_live_cells() -> None:
    count = {path.stem: len(cells.live_cells(path)) for path in CHAPTERS.glob("*.ipynb")}
    assert min(count.values()) >= 3, count
    assert {param.values[0].stem for param in CHECKED} >= {"losses", "backpropagation", "gradient_descent"}


@pytest.mark.parametrize(("path", "cell", "index"), LIVE)
def test_a_live_cell_shows_what_its_notebook_stores(path: Path, cell: cells.Cell, index: int) -> None:
    result, printed = run(cell)
    assert "error" not in result, result["error"]
    outputs = nbformat.read(path, as_version=4).cells[index].outputs
    assert printed == "".join(output.text for output in outputs if output.output_type == "stream")
    shown = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
    assert shown == ([result["value"]] if "value" in result else [])


@pytest.mark.parametrize(("path", "cell", "index"), CHECKED)
def test_a_check_takes_the_solution_and_knows_each_mistake(path: Path, cell: cells.Cell, index: int) -> None:
    result, _ = run(cell)
    assert not result["verdict"]["solved"]
    assert "returns nothing so far" in result["verdict"]["text"]
    exercise = exercise_of(cell)
    assert exercise.check(exercise.solution).solved
    assert len(exercise.mistakes) >= 3
    for mistake in exercise.mistakes:
        told = []
        for hint in mistake.hints:
            verdict = exercise.check(mistake.function)
            assert not verdict.solved
            assert verdict.mistake == mistake.name
            assert hint in verdict.text
            told.append(verdict.text)
        assert len(set(told)) == len(told)


def exercise(**changes: object) -> Exercise:
    """Return an exercise on the mean of an array."""
    parts = {
        "name": "mean", "solution": np.mean, "arguments": lambda rng: (rng.normal(size=4),), "praise": "Right.",
        "mistakes": [("sum", np.sum, ["Divide."])],
    }  # fmt: skip
    return Exercise(**(parts | changes))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x[0] / "2", "raises TypeError"),
        (lambda x: None, "returns nothing so far"),
        (lambda x: x.sort() or x[0], "changes its arguments"),
        (lambda x: x, "returns the shape (4,); it should be ()"),
        (np.median, "the numbers are not"),
        (np.sum, "Divide."),
        (lambda x: "four", "returns str, and should return numbers"),
    ],
)
def test_an_answer_that_is_wrong_gets_the_hint_that_fits(answer, words: str) -> None:
    verdict = exercise().check(answer)
    assert not verdict.solved
    assert words in verdict.text


def test_a_mistake_without_a_hint_is_refused() -> None:
    with pytest.raises(SettingError, match="has no hint"):
        exercise(mistakes=[("sum", np.sum, [])])


def test_a_cell_runs_after_those_which_make_or_change_what_it_uses_and_no_others() -> None:
    earlier = {0: "a = 1", 1: "b = [a]", 2: "unused = b", 3: "b[0] += 1", 4: "a = 5", 5: "def f(): return b"}
    assert cells.needed(earlier, "f()") == [0, 1, 3, 5]
    assert cells.needed(earlier, "a") == [4]
    assert cells.needed(earlier, "1 + 1") == []


def test_arguments_local_names_and_what_the_cell_makes_itself_ask_for_no_earlier_cell() -> None:
    earlier = {0: "a = 1", 1: "b = 2", 2: "c = 3"}
    assert cells.needed(earlier, "def f(a, *, b=4):\n    c = a + b\n    return [c for c in (a,)]") == []
    assert cells.needed(earlier, "a = 5\nfor b in range(a):\n    print(b)\ntotal = sum(c for c in (a,))") == []
    assert cells.needed(earlier, "def f(n):\n    return lambda: n + b") == [1]
    assert cells.needed(earlier, "a = a + 1") == [0]


def test_a_session_shares_names_and_runs_what_is_needed_once() -> None:
    session, printed = Session(), []
    before = [{"name": "cell 1", "code": "print('once'); log = []"}]
    for expected in ("[1]", "[1, 1]"):
        request = {"name": "cell 2", "code": "log.append(1)\nlog", "before": before}
        assert session.run(request, printed.append) == {"value": expected}
    assert printed == []
    session.clear()
    assert "NameError" in session.run({"name": "cell 3", "code": "log"}, printed.append)["error"]


def test_a_traceback_holds_the_readers_lines_alone() -> None:
    code = "import numpy as np\n\ndef f(x):\n    return np.linalg.inv(x)\n\nf(np.zeros((2, 2)))"
    error = Session().run({"name": "cell 7", "code": code}, str)["error"]
    assert "linalg.py" not in error
    assert "livecells" not in error
    assert '"<cell 7>", line 6' in error
    assert "return np.linalg.inv(x)" in error
    assert error.strip().endswith("LinAlgError: Singular matrix")
    wrong = Session().run({"name": "cell 7", "code": "x = (1,"}, str)["error"]
    assert "SyntaxError: '(' was never closed" in wrong
    absent = Session().run({"name": "cell 7", "code": "import absent_module"}, str)["error"]
    assert "absent_module is not in this page" in absent


def test_endless_printing_is_cut() -> None:
    printed: list[str] = []
    Session().run({"name": "cell 1", "code": "for i in range(100_000): print(i)"}, printed.append)
    assert len("".join(printed)) < 21_000
    assert "the rest is not shown" in printed[-1]

"""The chapters as they are stored: executed, with their outputs, and nothing that changes from run to run.

Whether the stored outputs are the true ones, `pytest --nbval` tells for every chapter.
"""

import ast
from pathlib import Path

import nbformat
import pytest
import yaml

from livepage.notebooks import METADATA, VIEW

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    """Return each chapter's notebook."""
    return nbformat.read(request.param, as_version=4)


def shows(source: str) -> bool:
    """Return whether a cell certainly shows something: it prints or ends in an expression, not a call."""
    tree = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith(("%", "!"))))
    if not tree.body:
        return False
    last = tree.body[-1]
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call | ast.Await):
        return not (isinstance(last.value, ast.Constant) and last.value.value is None)
    calls = [node for statement in tree.body if isinstance(statement, ast.Expr) for node in ast.walk(statement)]
    return any(isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "display") for node in calls)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1", False),
        ("x", True),
        ("x = 1\nx + 1", True),
        ("print(x)", True),
        ("def f():\n    print(1)", False),
        ("axes.plot(x)", False),
        ("None", False),
        ("# nothing", False),
        ("%matplotlib inline\nx", True),
    ],
)
def test_cells_that_show_something_are_recognised(source: str, expected: bool) -> None:
    assert shows(source) is expected


def test_stored_outputs_are_there_to_compare_with(chapter: nbformat.NotebookNode) -> None:
    cells = [cell for cell in chapter.cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in cells), "nothing to compare with: run `make notebooks`"
    unexecuted = [cell.id for cell in cells if cell.source.strip() and cell.execution_count is None]
    assert unexecuted == [], "run `make notebooks`"
    silent = [
        cell.source
        for cell in cells
        if shows(cell.source) and not cell.outputs and "nbval-skip" not in cell.metadata.get("tags", ())
    ]
    assert silent == [], "these cells show something, but no output is stored: run `make notebooks`"


def test_cells_were_executed_from_top_to_bottom(chapter: nbformat.NotebookNode) -> None:
    counts = [cell.execution_count for cell in chapter.cells if cell.cell_type == "code" and cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebooks`"


def test_nothing_is_stored_that_changes_from_run_to_run(chapter: nbformat.NotebookNode) -> None:
    assert {name: chapter.metadata.get(name) for name in METADATA} == METADATA
    assert "widgets" not in chapter.metadata
    for cell in chapter.cells:
        assert "execution" not in cell.metadata
        for output in cell.get("outputs", ()):
            assert VIEW not in output.get("data", {})
            assert " at 0x" not in output.get("data", {}).get("text/plain", "")


def test_no_cell_fails_or_warns(chapter: nbformat.NotebookNode) -> None:
    for cell in chapter.cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", output.text
            if output.output_type == "error":
                assert "raises-exception" in cell.metadata.get("tags", ()), cell.source


def test_every_chapter_is_in_the_table_of_contents() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [contents["root"], *(entry["file"] for entry in contents["chapters"])]
    there = {f"chapters/{path.stem}" for path in (ROOT / "chapters").iterdir() if path.suffix in (".ipynb", ".md")}
    assert len(listed) == len(set(listed))
    assert set(listed) == there

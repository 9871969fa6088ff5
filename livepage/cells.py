"""Cells that a reader may change and run in the page: those with the tag ``live``.

A live cell needs what earlier cells define. The build finds out which, and the page's Python runs just those before it.
A hidden cell with the tag ``check`` right after a live one says whether a reader's answer is right: its last value has
``solved`` and ``text``.
"""

import ast
import dis
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import nbformat
from docutils import nodes

LIVE, CHECK = "live", "check"
CELL = "application/vnd.livepage-cell+json"


@dataclass(frozen=True)
class Cell:
    """What the page needs to run a live cell.

    Attributes
    ----------
    name
        How tracebacks call it.
    code
        What the cell holds.
    before
        Name and code of the earlier cells which define what it uses, in their order.
    check
        The code which judges the reader's answer; empty where there is none.
    """

    name: str
    code: str
    before: tuple[tuple[str, str], ...]
    check: str

    def for_page(self) -> dict[str, Any]:
        """Return the cell as JSON."""
        before = [{"name": name, "code": code} for name, code in self.before]
        return {"name": self.name, "code": self.code, "before": before, "check": self.check}


class _Names:
    """The names at the top level of a cell which it makes, which it changes, and which it needs from elsewhere."""

    def __init__(self, code: str) -> None:
        tree = ast.parse(code)
        self.made: set[str] = set()
        self.changed = {name for node in ast.walk(tree) for name in _changed(node)}
        self.used: set[str] = set()
        self._follow(compile(tree, "cell", "exec"))

    def _follow(self, code: CodeType, *, top: bool = True) -> None:
        # In the order of the instructions; arguments and local names have instructions of their own.
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if isinstance(name, CodeType):
                self._follow(name, top=False)
            elif top and instruction.opname == "STORE_NAME":
                self.made.add(name)
            elif instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL") and name not in self.made:
                self.used.add(name)


def _changed(node: ast.AST) -> Iterator[str]:
    """Yield the names of what an assignment to a part, or one with an operator, changes."""
    if isinstance(node, ast.AugAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = [target for target in node.targets if isinstance(target, ast.Attribute | ast.Subscript)]
    else:
        return
    for target in targets:
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id


def live_cells(path: Path) -> dict[int, Cell]:
    """Return the live cells of a notebook by their index."""
    notebook = nbformat.read(path, as_version=4)
    code = {index: cell for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    tags = {index: set(cell.metadata.get("tags", ())) for index, cell in code.items()}
    found = {}
    for index in code:
        if LIVE not in tags[index]:
            continue
        check = code[index + 1].source if CHECK in tags.get(index + 1, ()) else ""
        earlier = {i: code[i].source for i in code if i < index and CHECK not in tags[i]}
        uses = f"{code[index].source}\n{check}"
        before = tuple((f"cell {i + 1}", earlier[i]) for i in needed(earlier, uses))
        found[index] = Cell(f"cell {index + 1}", code[index].source, before, check)
    return found


def needed(earlier: dict[int, str], code: str) -> list[int]:
    """Return which earlier cells make or change what a cell uses, and what those use in turn."""
    wanted = _Names(code).used
    found = []
    for index, source in sorted(earlier.items(), reverse=True):
        names = _Names(source)
        if wanted & (names.made | names.changed):
            found.append(index)
            wanted = (wanted - (names.made - names.changed)) | names.used
    return found[::-1]


def embed(doctree: nodes.document, path: Path) -> bool:
    """Put beside each live cell what the page needs to run it; return whether there are any."""
    if path.suffix != ".ipynb":
        return False
    cells = live_cells(path)
    for container in list(doctree.findall(nodes.container)):
        cell = cells.get(container.get("cell_index"))
        if container.get("nb_element") == "cell_code" and cell is not None:
            text = json.dumps(cell.for_page(), separators=(",", ":")).replace("</", "<\\/")
            container += nodes.raw("", f'<script type="{CELL}">{text}</script>', format="html")
    return bool(cells)

"""Run the cells of a page: one namespace, what they print, their last value, tracebacks cut to the reader's lines.

The page's worker loads this file by itself, so it needs the standard library alone.
"""

import ast
import builtins
import io
import json
import linecache
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

MOST = 20_000  # characters that a cell may print before the rest is dropped


class _Pipe(io.TextIOBase):
    """Hands on what is printed while a cell still runs."""

    def __init__(self, hand_on: Callable[[str], Any]) -> None:
        self._hand_on = hand_on
        self._left = MOST

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._left > 0 and text:
            self._hand_on(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._hand_on("\n... the rest is not shown\n")
        return len(text)


class Session:
    """What the cells of one page share, as a notebook's cells share their kernel.

    Examples
    --------
    >>> session, printed = Session(), []
    >>> before = [{"name": "cell 1", "code": "x = 20"}]
    >>> session.run({"name": "cell 2", "code": "print('now'); x + 1", "before": before}, printed.append)
    {'value': '21'}
    >>> "".join(printed).strip()
    'now'
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._ran: set[str] = set()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.names = {"__name__": "__main__", "__builtins__": builtins}
        self._ran.clear()

    def run_json(self, request: str, hand_on: Callable[[str], Any]) -> str:
        """Do what `run` does, in JSON."""
        return json.dumps(self.run(json.loads(request), hand_on))

    def run(self, request: dict[str, Any], hand_on: Callable[[str], Any]) -> dict[str, Any]:
        """Run a cell, before it those which it needs and which have not run, and after it its check.

        Parameters
        ----------
        request : dict
            ``name`` and ``code`` of the cell, ``before``: the same of the cells it needs; ``check``: the code of its
            check, if it has one.
        hand_on : callable
            Gets what is printed, piece by piece.

        Returns
        -------
        dict
            ``value``: the last expression's representation; ``html``: its HTML, where it has one; ``figure``: what the
            page needs to show it, where it is a figure; ``error``: the traceback's lines of the reader; ``verdict``:
            what the check found.
        """
        pipe = _Pipe(hand_on)
        silent = io.StringIO()
        try:
            for cell in request.get("before", ()):
                if cell["name"] not in self._ran:
                    with redirect_stdout(silent), redirect_stderr(silent):
                        self._execute(cell["code"], cell["name"])
                    self._ran.add(cell["name"])
            self._ran.add(request["name"])
            with redirect_stdout(pipe), redirect_stderr(pipe):
                result = self._described(self._execute(request["code"], request["name"]))
            if request.get("check"):
                with redirect_stdout(silent), redirect_stderr(silent):
                    verdict = self._execute(request["check"], "the check")
                result["verdict"] = {"solved": verdict.solved, "text": verdict.text}
        except BaseException as error:  # whatever the reader's code raises is the reader's to see
            return {"error": self._trimmed(error)}
        return result

    def _execute(self, code: str, name: str) -> Any:
        filename = f"<{name}>"
        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        body = ast.parse(code, filename).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), filename, "exec"), self.names)
        return None if last is None else eval(compile(ast.Expression(last.value), filename, "eval"), self.names)

    @staticmethod
    def _described(value: Any) -> dict[str, Any]:
        if value is None:
            return {}
        if hasattr(value, "page_figure"):
            return {"figure": value.page_figure()}
        shown = {"value": repr(value)[:MOST]}
        html = getattr(value, "_repr_html_", None)
        return shown | ({"html": html()} if callable(html) else {})

    @staticmethod
    def _trimmed(error: BaseException) -> str:
        """Return the traceback with the reader's own lines alone."""
        if isinstance(error, ModuleNotFoundError):
            error.msg = (
                f"{error.name} is not in this page, which has Python's standard library, numpy and nnlib. Open the "
                "notebook in Jupyter to use it."
            )
        told = traceback.TracebackException(type(error), error, error.__traceback__, limit=None)
        told.stack = traceback.StackSummary.from_list(
            [frame for frame in told.stack if frame.filename.startswith("<") and frame.filename.endswith(">")
             and frame.filename in linecache.cache]
        )  # fmt: skip
        told.__cause__ = told.__context__ = None
        return "".join(told.format())


session = Session()

if sys.platform == "emscripten":

    def _no_input(prompt: object = "") -> str:
        raise RuntimeError("input() does not work in this page: write the value into the code.")

    builtins.input = _no_input

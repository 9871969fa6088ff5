r"""What all instruments share in Python: the widget around a recording.

Writing an instrument
---------------------
An instrument is two files with one stem in this folder: ``step_size.py`` declares and records,
``step_size.js`` draws.  No list has to be changed: ``nnlib.widgets`` and ``tests/test_widgets.py`` walk the
folder.

**Python** (numpy alone; matplotlib only inside ``poster``, through ``nnlib.figures``)::

    class StepSize(Instrument):
        \"\"\"Gradient descent on y = x², step by step.\"\"\"

        TITLE = "How long a step?"
        ALT = "A parabola with the points that gradient descent visits."
        CONTROLS = (choice("learning_rate", "Learning rate η", [0.1, 0.4, 1.1]),)
        COLUMNS = (Column("x", "x", 4), Column("loss", "Loss", 4))

        @staticmethod
        def record(*, learning_rate):
            grid = np.linspace(-2, 2, 81)
            yield Still(grid=grid, curve=grid**2)  # once, first: what does not change
            x = 1.5
            for _ in range(13):
                yield Frame(f"Step {{step}} of {{steps}}: x = {x:.3f}, loss {x * x:.4f}.", x=x, loss=x * x)
                x -= learning_rate * 2 * x

        @staticmethod
        def code(*, learning_rate):  # must run; prints numbers that a sentence states
            return f"x = 1.5\nfor _ in range(12):\n    x -= {learning_rate} * 2 * x\nprint(f'x = {{x:.3f}}')"

        @staticmethod
        def poster(recording, step):  # frame `step` as a matplotlib figure
            figure, axes = figures.figure(6.4, 3.0)
            axes.plot(recording.static["grid"], recording.static["curve"])
            return figure

- Sentences: ``{step}`` and ``{steps}`` (doubled braces in an f-string) are filled in when all frames are
  known.
- Controls: ``choice``, ``number`` (a box, or ``slider=True``), ``seed``, ``text``, ``position`` for what
  the reader drags, and ``drawn`` for what else the view lets the reader make.  Values are checked against the
  control.  Whatever else is wrong with the settings: raise an ``NnlibError`` in ``record``; the figure keeps
  its frames and shows the words (trait ``problem``).
- A run that fails half-way yields ``Stopped("Stopped at step 7: ...", step=7, layer=2, value="inf")`` last.
- Storage: whole numbers are i4, one number a frame f8, other numbers f4.  Heat-maps belong in
  ``ENCODINGS = {"surface": Encoding("u1", lo=-1, hi=1, delta=True)}``: a twentieth of the bytes.
- Something to explore instead of play (a handle on a curve, two sliders over a surface): tabulate it.
  ``Still(axes=(Axis("x", "Input x", xs), Axis("w", "Weight w", ws)), ...)``, then one Frame for each grid
  point, the last axis fastest.  The figure gets a slider an axis; ``figure.goto({x, w})`` shows the nearest
  frame.
- In a chapter: ``StepSize(learning_rate=0.4, step=3, bank={"learning_rate": [0.1, 1.1]})``.  ``bank`` is a
  grid of settings (or a list of grids), recorded when the cell runs, so that the built page needs no kernel;
  ``show=["learning_rate"]`` hides other controls; ``autoplay=True`` is for a chapter's first figure;
  ``figure_id="again"`` is needed when a page holds the same instrument twice.

**JavaScript** draws; it never computes mathematics.  See the head of ``stepper.js``.

**Check**: ``pytest tests/test_widgets.py -k StepSize``, then look at it.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlib.errors import NnlibError, SettingError
from nnlib.widgets.recorder import (
    Axis,
    Column,
    Control,
    Frame,
    Recorder,
    Still,
    Stopped,
    Value,
    choice,
    drawn,
    number,
    position,
    seed,
    text,
)
from nnlib.widgets.recording import Encoding, Recording, unpack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Axis", "Column", "Control", "Encoding", "Frame", "Instrument", "Recording", "Still", "Stopped",
    "choice", "drawn", "number", "position", "seed", "text",
]  # fmt: skip

_FOLDER = Path(__file__).parent
_REMEMBERED = 32  # recordings a live widget keeps, besides its bank


def _source(*names: str) -> str:
    return "\n".join((_FOLDER / name).read_text("utf-8") for name in names if (_FOLDER / name).exists())


try:
    import anywidget
    from traitlets import Bool, Bytes, Dict, Float, Int, List, Unicode, observe
except (
    ModuleNotFoundError
):  # inside the page there is numpy and no Jupyter: what records, and what the page's own host shows

    class Instrument(Recorder):
        """An interactive figure in a cell of the page: see the class below, which has the same parameters."""

        def __init__(self, **options: Any) -> None:
            shown = {name: options.pop(name) for name in ("step", "show", "autoplay", "pace") if name in options}
            self._names = {name: options.pop(name, None) for name in ("figure_id", "title", "alt")}
            options.pop("bank", None)  # the page computes whatever is asked for
            self._settings, self._shown = self.settings_for(**options), shown

        def page_figure(self) -> dict:
            """Return what the page needs to show the figure: the traits below, and its recording in base64."""
            recording = self.packed(**self._settings)
            last = len(unpack(recording)) - 1
            step = self._shown.get("step", 0)
            visible = self._shown.get("show", [control.name for control in self.CONTROLS])
            stem = self.stem()
            state = {
                "instrument": stem,
                # The page may hold the same figure already.
                "figure_id": f"{self._names['figure_id'] or stem}-live-{id(self):x}",
                "title": self._names["title"] or self.TITLE,
                "alt": self._names["alt"] or self.ALT,
                "controls": [
                    control.for_page() | ({} if control.name in visible else {"hidden": True})
                    for control in self.CONTROLS
                ],
                "settings": self._settings,
                "step": min(step if step >= 0 else last + 1 + step, last),
                "bank": {},
                "autoplay": bool(self._shown.get("autoplay", False)),
                "pace": float(self._shown.get("pace", 8.0)),
                "_esm": _source("drawing.js", "stepper.js", *self.PARTS, f"{stem}.js"),
                "_css": _source("stepper.css", f"{stem}.css"),
            }
            data = base64.b64encode(recording).decode("ascii")
            return {"state": state, "recordings": [{"path": ["recording"], "data": data}]}

        def __repr__(self) -> str:
            return f"{type(self).__name__} {self.key(self._settings).replace('&', ' ')}"

else:

    class Instrument(Recorder, anywidget.AnyWidget):
        """An interactive figure: settings, the recording made for them, and a bank of further recordings.

        Parameters
        ----------
        step : int, optional
            The frame to show first; by default the first.  A negative number counts from the end.
        bank : dict of str to list, or list of such dicts, optional
            Grids of settings to record now, so that a built page can show them without a kernel.
        show : iterable of str, optional
            The controls to show; by default all.
        autoplay : bool
            Play once the figure scrolls into view (never if the reader asked for reduced motion).
        pace : float
            Frames a second.
        figure_id, title, alt : str, optional
            The figure's id in its page, its heading and its poster's text; by default the instrument's own.
        **settings
            The value of any control.
        """

        FIGURE_ID = ""

        instrument = Unicode().tag(sync=True)
        figure_id = Unicode().tag(sync=True)
        title = Unicode().tag(sync=True)
        alt = Unicode().tag(sync=True)
        controls = List(Dict()).tag(sync=True)
        settings = Dict().tag(sync=True)
        step = Int(0).tag(sync=True)
        recording = Bytes().tag(sync=True)
        bank = Dict(value_trait=Bytes()).tag(sync=True)
        problem = Unicode().tag(sync=True)
        autoplay = Bool(False).tag(sync=True)
        pace = Float(8.0).tag(sync=True)

        def __init_subclass__(cls, **arguments: Any) -> None:
            if "_esm" not in cls.__dict__:  # anywidget derives a class of its own, with _esm as a trait
                cls._esm = _source("drawing.js", "stepper.js", *cls.PARTS, f"{cls.stem()}.js")
                cls._css = _source("stepper.css", f"{cls.stem()}.css")
            super().__init_subclass__(**arguments)

        def __init__(
            self,
            *,
            step: int | None = None,
            bank: dict[str, list] | list[dict[str, list]] | None = None,
            show: Iterable[str] | None = None,
            autoplay: bool = False,
            pace: float = 8.0,
            figure_id: str | None = None,
            title: str | None = None,
            alt: str | None = None,
            **settings: Value,
        ) -> None:
            settings = self.settings_for(**settings)
            recording = self.packed(**settings)
            self._seen = {self.key(settings): recording}
            last = len(unpack(recording)) - 1
            shown = set(show) if show is not None else {control.name for control in self.CONTROLS}
            if unknown := shown - {control.name for control in self.CONTROLS}:
                raise SettingError(f"show names {min(unknown)!r}, which {type(self).__name__} does not have")
            # Whoever sees a poster only gets the frame that tells most: the one asked for, or else the last.
            self._poster_step = last if step is None else min(step if step >= 0 else last + 1 + step, last)
            super().__init__(
                instrument=self.stem(),
                figure_id=figure_id or self.FIGURE_ID or re.sub("_(stepper|explorer)$", "", self.stem()),
                title=title or self.TITLE,
                alt=alt or self.ALT,
                controls=[
                    control.for_page() | ({} if control.name in shown else {"hidden": True})
                    for control in self.CONTROLS
                ],
                settings=settings,
                step=0 if step is None else self._poster_step,
                recording=recording,
                bank={self.key(banked): self._pack(banked) for banked in self._grid(settings, bank)},
                autoplay=autoplay,
                pace=pace,
            )

        @classmethod
        def _grid(cls, settings: dict, bank: dict | list | None) -> Iterator[dict]:
            for grid in [bank] if isinstance(bank, dict) else bank or []:
                for values in product(*grid.values()):
                    banked = cls.settings_for(**settings | dict(zip(grid, values, strict=True)))
                    if banked != settings:
                        yield banked

        def _pack(self, settings: dict) -> bytes:
            key = self.key(settings)
            if key not in self._seen:
                while len(self._seen) >= _REMEMBERED:
                    del self._seen[next(iter(self._seen))]
                self._seen[key] = self.packed(**settings)
            return self._seen[key]

        @observe("settings")
        def _record_settings(self, change: dict) -> None:
            try:
                settings = self.settings_for(**change.new)
                recording = self.bank.get(self.key(settings)) or self._pack(settings)
            except NnlibError as error:
                self.problem = str(error)
                return
            with self.hold_sync():
                self.settings, self.recording, self.problem = settings, recording, ""

        @staticmethod
        def poster(recording: Recording, step: int) -> "Figure":
            """Return a matplotlib figure (see ``nnlib.figures``) of one frame, for print and previews."""
            raise NotImplementedError

        def poster_png(self) -> bytes:
            """Return the poster as PNG; the same settings give the same bytes."""
            from nnlib import figures

            recording = unpack(self.recording)
            return figures.png(self.poster(recording, min(self._poster_step, len(recording) - 1)))

        def __repr__(self) -> str:
            meta = unpack(self.recording).meta
            ending = meta["stopped"]["sentence"] if "stopped" in meta else meta["sentences"][-1]
            return f"{type(self).__name__} {self.key(meta['settings']).replace('&', ' ')}\n{ending}"

        def _repr_mimebundle_(self, **arguments: Any) -> tuple[dict, dict]:
            data, metadata = super()._repr_mimebundle_(**arguments)
            data["image/png"] = base64.b64encode(self.poster_png()).decode("ascii")
            metadata["image/png"] = {"alt": self.alt}
            return data, metadata

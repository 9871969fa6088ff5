"""What stands in the built book: its pages, and the figures and links of each, read from the pages themselves."""

import json
import os
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nnlib.widgets.recorder import format_value

ROOT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("BOOK_HTML") or ROOT / "_build" / "html").resolve()
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Figure:
    """One interactive figure of a page, as the notebook left it: an instrument with its traits and its bank."""

    page: str
    instrument: str
    figure_id: str
    alt: str
    controls: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    bank: tuple[str, ...]
    autoplay: bool
    pace: float
    step: int

    def key(self, **changes: Any) -> str:
        """Return the canonical text of the figure's settings with some of them changed."""
        settings = self.settings | changes
        return "&".join(f"{control['name']}={format_value(settings[control['name']])}" for control in self.controls)

    def stored(self) -> list[tuple[dict[str, Any], str]]:
        """Return each visible control with each value, as text, that the bank holds while the others stay."""
        start = dict(parse_qsl(self.key(), keep_blank_values=True))
        found = []
        for key in self.bank:
            changed = [item for item in parse_qsl(key, keep_blank_values=True) if start[item[0]] != item[1]]
            control = next((one for one in self.controls if len(changed) == 1 and one["name"] == changed[0][0]), None)
            if control and control["kind"] != "position" and not control.get("hidden"):
                found.append((control, changed[0][1]))
        return found

    def wanting(self) -> tuple[dict[str, Any], str] | None:
        """Return a visible control with a valid value, as text, that the bank does not hold; None if it holds all."""
        known = {self.key(), *self.bank}
        for control in self.controls:
            if control.get("hidden"):
                continue
            name, now = control["name"], self.settings[control["name"]]
            if control["kind"] == "choice":
                values = [option["value"] for option in control["options"]]
            elif control["kind"] == "seed":
                values = [now + 7919]
            elif control["kind"] in ("number", "range"):
                whole = isinstance(now, int)
                lo, hi = control["min"], control["max"]
                values = range(int(lo), int(hi) + 1) if whole else [now + (hi - now) / 7, now - (now - lo) / 7]
            else:
                continue
            for value in values:
                if self.key(**{name: value}) not in known:
                    return control, format_value(value)
        return None

    def __str__(self) -> str:
        return f"{self.page}#{self.figure_id}"


@dataclass(frozen=True)
class Link:
    """A link in the prose that sets a figure of the same page."""

    page: str
    href: str

    @property
    def asks(self) -> list[tuple[str, str, str]]:
        """Return what the link asks for, as (figure, setting, value)."""
        return [
            (*name.split(".", 1), value)
            for name, value in parse_qsl(urlsplit(self.href).query, keep_blank_values=True)
            if "." in name
        ]

    def __str__(self) -> str:
        return f"{self.page} {self.href}"


class _Reader(HTMLParser):
    """Collects the scripts with widgets and the links to figures of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.script = ""
        self.texts: dict[str, list[str]] = {STATE: [], VIEW: []}
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "script":
            self.script = attributes.get("type") or ""
        href = attributes.get("href") or ""
        if tag == "a" and "?" in href and not urlsplit(href).netloc and "." in urlsplit(href).query.split("=")[0]:
            self.hrefs.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.script = ""

    def handle_data(self, data: str) -> None:
        if self.script in self.texts:
            self.texts[self.script].append(data)


@cache
def pages() -> tuple[str, ...]:
    """Return every page of the built book, as paths in it; the front door, which only leads on, is none."""
    found = (path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html"))
    return tuple(
        name
        for name in sorted(found)
        if not any(part.startswith(("_", ".")) for part in name.split("/"))
        and 'http-equiv="refresh"' not in (BUILT / name).read_text(encoding="utf-8").lower()
    )


@cache
def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed((BUILT / page).read_text(encoding="utf-8"))
    return reader


def figures(page: str) -> list[Figure]:
    """Return the figures of a page in their order, one for each place where a view belongs."""
    reader = _read(page)
    models = {}
    for text in reader.texts[STATE]:
        models |= json.loads(text)["state"]
    found = []
    for text in reader.texts[VIEW]:
        model = models[json.loads(text)["model_id"]]
        state = model["state"]
        if "instrument" not in state:
            continue
        stored = model["pack"]["paths"]
        assert ["recording"] in stored
        bank = (path[1] for path in stored if path[0] == "bank")
        found.append(
            Figure(
                page,
                state["instrument"],
                state["figure_id"],
                state["alt"],
                tuple(state["controls"]),
                state["settings"],
                tuple(bank),
                state["autoplay"],
                state["pace"],
                state["step"],
            )
        )
    return found


def steppers() -> list[Figure]:
    """Return the training steppers of the book."""
    return [figure for page in pages() for figure in figures(page) if figure.instrument == "training_stepper"]


def links(page: str) -> list[Link]:
    """Return the links of a page that set one of its figures."""
    here = {"", Path(page).name}
    return [Link(page, href) for href in dict.fromkeys(_read(page).hrefs) if urlsplit(href).path in here]

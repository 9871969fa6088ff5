"""What an instrument is before anybody looks at it: its controls, and what turns settings into frames.

This module needs numpy alone: the same recordings are made in a notebook's kernel, in a test and inside the
page.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlib.errors import SettingError
from nnlib.widgets.recording import Encoding, Recording, pack

Value = str | int | float | bool | list


def format_value(value: Value) -> str:
    """Write a setting's value as it stands in the page's URL: the way JavaScript writes it.

    Examples
    --------
    >>> [format_value(value) for value in (0.5, 3.0, 1e-5, True, "8,8", [0.5, -1])]
    ['0.5', '3', '0.00001', 'true', '8,8', '0.5,-1']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(format_value(item) for item in value)
    if not isinstance(value, int | float | np.number):
        return str(value)
    value = float(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 1e-6:
        return np.format_float_positional(value, trim="-")
    return re.sub(r"e([-+])0*", r"e\1", repr(value))


@dataclass(frozen=True)
class Control:
    """One setting: name in code, label in words, and its values.  Made by `choice` and its siblings."""

    name: str
    label: str
    kind: str
    default: Value
    options: tuple[tuple[Value, str], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    whole: bool = False
    pattern: str = ""
    hint: str = ""
    read: Callable[[str], str] | None = None
    needs: str = ""

    def check(self, value: Any) -> Value:
        """Return `value` as this setting's type, or raise SettingError saying what is allowed."""
        if self.kind == "choice":
            for option, _ in self.options:
                if format_value(option) == format_value(value):
                    return option
            allowed = ", ".join(format_value(option) for option, _ in self.options)
            raise SettingError(f"{self.name} must be one of {allowed}; got {value!r}")
        if self.kind == "text":
            text = re.sub(r"\s+", "", str(value))
            if not re.fullmatch(self.pattern, text):
                raise SettingError(f"{self.name} must be {self.hint}; got {value!r}")
            return text
        if self.kind == "drawn":
            return self.read(str(value))
        if self.kind == "position":
            values = value.split(",") if isinstance(value, str) else list(value)
            if len(values) != len(self.default):
                raise SettingError(f"{self.name} must be {len(self.default)} numbers; got {value!r}")
            return [self._number(item) for item in values]
        return self._number(value)

    def _number(self, value: Any) -> int | float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise SettingError(f"{self.name} must be a number; got {value!r}") from None
        lo = -np.inf if self.minimum is None else self.minimum
        hi = np.inf if self.maximum is None else self.maximum
        if not np.isfinite(number) or not lo <= number <= hi or (self.whole and number != int(number)):
            kind = "a whole number" if self.whole else "a number"
            raise SettingError(
                f"{self.name} must be {kind} from {format_value(lo)} to {format_value(hi)}; got {value!r}"
            )
        return int(number) if self.whole else number

    def for_page(self) -> dict:
        """Return the control as JSON, for the view."""
        described = {"name": self.name, "label": self.label, "kind": self.kind}
        if self.options:
            described["options"] = [{"value": value, "label": label} for value, label in self.options]
        limits = {"min": self.minimum, "max": self.maximum, "step": self.step}
        described |= {key: value for key, value in limits.items() if value is not None}
        described |= {key: value for key, value in (("hint", self.hint), ("needs", self.needs)) if value}
        return described


def choice(
    name: str, label: str, options: list | tuple | dict, *, default: Value | None = None, needs: str = ""
) -> Control:
    """Declare a menu.  `options` are values, or a dict of value to label in words; the first is the default.

    With `needs` it is shown only while the setting of that name is neither 0 nor empty.

    Examples
    --------
    >>> choice("loss", "Loss", ["mse", "mae"]).check("mae")
    'mae'
    """
    labels = options if isinstance(options, dict) else {option: format_value(option) for option in options}
    pairs = tuple((value, label) for value, label in labels.items())
    return Control(name, label, "choice", pairs[0][0] if default is None else default, options=pairs, needs=needs)


def number(
    name: str,
    label: str,
    minimum: float,
    maximum: float,
    *,
    default: float,
    step: float | None = None,
    slider: bool = False,
) -> Control:
    """Declare a number from `minimum` to `maximum`, in a box or (with `slider`) on a slider."""
    whole = isinstance(default, int)
    return Control(
        name,
        label,
        "range" if slider else "number",
        default,
        minimum=minimum,
        maximum=maximum,
        step=step if step is not None else 1 if whole else None,
        whole=whole,
    )


def seed(name: str = "seed", label: str = "Seed", *, default: int = 0) -> Control:
    """Declare the seed of the random numbers."""
    return Control(name, label, "seed", default, minimum=0, maximum=2**32 - 1, step=1, whole=True)


def text(name: str, label: str, pattern: str, hint: str, *, default: str) -> Control:
    """Declare a line of text that must match the regular expression `pattern`, which `hint` puts in words."""
    return Control(name, label, "text", default, pattern=pattern, hint=hint)


def drawn(name: str, label: str, read: Callable[[str], str]) -> Control:
    """Declare what the reader draws in the figure, as text, empty at first: `read` checks it and returns it tidied."""
    return Control(name, label, "drawn", "", read=read)


def position(name: str, label: str, minimum: float, maximum: float, *, default: list[float]) -> Control:
    """Declare numbers that the reader sets by dragging something in the figure."""
    return Control(name, label, "position", default, minimum=minimum, maximum=maximum)


@dataclass(frozen=True)
class Column:
    """One column of the table on demand: a per-frame array, its heading, and the digits after the point."""

    array: str
    label: str
    digits: int = 4


@dataclass(frozen=True)
class Axis:
    """One direction in which an explorer's frames are laid out: its name, label and values."""

    name: str
    label: str
    values: Any


class Still:
    """What stays the same in all frames: yield it once, first.

    ``axes`` lays the frames out on a grid (row by row, the last axis fastest) for figures that are explored
    instead of played; ``meta`` is JSON for the view, with ``newest=True`` if the page should show the newest frame.
    """

    def __init__(
        self, *, axes: tuple[Axis, ...] = (), meta: dict | None = None, **arrays: np.ndarray
    ) -> None:
        self.axes, self.meta, self.arrays = axes, meta or {}, arrays


class Frame:
    """One moment: the sentence that states it in words and numbers, and its arrays.

    In the sentence ``{step}`` stands for the frame's index and ``{steps}`` for the index of the last frame.
    """

    def __init__(self, sentence: str, /, **arrays: Any) -> None:
        self.sentence, self.arrays = sentence, arrays


class Stopped:
    """Why the run ends early: yield it last.  The sentence names step, layer, value, cure; facts are JSON."""

    def __init__(self, sentence: str, /, **facts: Any) -> None:
        self.sentence, self.facts = sentence, facts


@dataclass
class Roll:
    """Frames as they come in, ready to become a recording at any time."""

    recorder: type["Recorder"]
    settings: dict[str, Value]
    still: Still = field(default_factory=Still)
    frames: list[Frame] = field(default_factory=list)
    stopped: Stopped | None = None

    def add(self, item: Still | Frame | Stopped) -> None:
        """Take in what a recorder yields."""
        if isinstance(item, Still):
            self.still = item
        elif isinstance(item, Frame):
            # A generator may reuse its work arrays, so the frame keeps its own copy.
            item.arrays = {name: np.array(value) for name, value in item.arrays.items()}
            self.frames.append(item)
        else:
            self.stopped = item

    def develop(self, count: int | None = None) -> Recording:
        """Return the recording of the frames so far, or of the first `count` of them."""
        taken = self.frames[:count]
        last = len(taken) - 1
        meta: dict = {
            **self.still.meta,
            "settings": self.settings,
            "sentences": [
                frame.sentence.replace("{step}", str(step)).replace("{steps}", str(last))
                for step, frame in enumerate(taken)
            ],
            "code": self.recorder.code(**self.settings),
            "columns": [{"array": c.array, "label": c.label, "digits": c.digits} for c in self.recorder.COLUMNS],
        }
        if self.still.axes:
            meta["axes"] = [
                {
                    "name": axis.name,
                    "label": axis.label,
                    "values": np.asarray(axis.values, float).round(12).tolist(),
                }
                for axis in self.still.axes
            ]
        if self.stopped:
            meta["stopped"] = {"sentence": self.stopped.sentence, **self.stopped.facts}
        names = taken[0].arrays if taken else ()
        frames = {name: np.stack([frame.arrays[name] for frame in taken]) for name in names}
        return Recording(frames, {name: np.asarray(array) for name, array in self.still.arrays.items()}, meta)


class Recorder:
    """The declaration of an instrument; ``stepper.Instrument`` adds the widget.  See the guide there."""

    TITLE = ""
    ALT = ""
    CONTROLS: tuple[Control, ...] = ()
    COLUMNS: tuple[Column, ...] = ()
    ENCODINGS: dict[str, Encoding] = {}  # noqa: RUF012 (a declaration, never changed)
    PARTS: tuple[str, ...] = ()  # further JavaScript files that the view is made of

    @staticmethod
    def record(**settings: Value) -> Iterator[Still | Frame | Stopped]:
        """Yield a Still, the Frames, and possibly a Stopped; deterministic, numpy only."""
        raise NotImplementedError

    @staticmethod
    def code(**settings: Value) -> str:
        """Return a runnable snippet for the settings, which prints numbers that a frame's sentence states."""
        raise NotImplementedError

    @classmethod
    def stem(cls) -> str:
        """Return the instrument's name in snake_case: the stem of its two files."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def settings_for(cls, **given: Any) -> dict[str, Value]:
        """Return all settings: those given, checked, and the defaults."""
        controls = {control.name: control for control in cls.CONTROLS}
        unknown = [name for name in given if name not in controls]
        if unknown:
            raise SettingError(f"{cls.__name__} has no setting {unknown[0]!r}; it has {', '.join(controls)}")
        return {name: control.check(given.get(name, control.default)) for name, control in controls.items()}

    @classmethod
    def key(cls, settings: dict[str, Value]) -> str:
        """Return the settings as ``name=value&name=value``: the recording's name in the bank."""
        return "&".join(f"{control.name}={format_value(settings[control.name])}" for control in cls.CONTROLS)

    @classmethod
    def rolls(cls, **given: Any) -> Iterator["Roll"]:
        """Yield one roll again and again while frames are added to it: once after every item of the run."""
        settings = cls.settings_for(**given)
        roll = Roll(cls, settings)
        for item in cls.record(**settings):
            roll.add(item)
            yield roll

    @classmethod
    def recordings(cls, **given: Any) -> Iterator[Recording]:
        """Yield the recording as it grows: after 1, 2, 4, 8... frames and at the end.  Close it to cancel."""
        shown = 0
        for roll in cls.rolls(**given):
            count = len(roll.frames)
            if count > max(shown, 1) and (count - 1) & (count - 2) == 0:
                yield roll.develop(count - 1)
                shown = count
        yield roll.develop()

    @classmethod
    def recorded(cls, **given: Any) -> Recording:
        """Return the whole recording for these settings (the defaults for those not given)."""
        *_, whole = cls.recordings(**given)
        return whole

    @classmethod
    def packed(cls, **given: Any) -> bytes:
        """Return the whole recording as bytes."""
        return pack(cls.recorded(**given), cls.ENCODINGS)

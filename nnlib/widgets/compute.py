"""Recording in small portions, so that whoever asks can look in between: what the page's worker runs.

This module needs numpy alone.
"""

import json
import time

from nnlib.errors import NnlibError
from nnlib.widgets import load
from nnlib.widgets.recorder import Roll
from nnlib.widgets.recording import pack

_PAUSE = 0.06  # seconds between two parts that are shown, besides the first


class Run:
    """One run of an instrument, to be gone on with until it is done; to cancel it, drop it.

    Parameters
    ----------
    instrument : str
        The instrument's stem.
    settings : str
        Its settings as JSON.

    Attributes
    ----------
    done : bool
        Whether the last part was the whole recording, or there is a problem.
    problem : str
        Why the settings were refused; empty if they were not.

    Examples
    --------
    >>> run = Run("step_size", '{"learning_rate": 0.1}')
    >>> while not run.done:
    ...     part = run.advance(seconds=1.0)
    >>> len(part) > 1000, run.problem
    (True, '')
    """

    def __init__(self, instrument: str, settings: str) -> None:
        self._recorder = load(instrument)
        self._rolls = self._recorder.rolls(**json.loads(settings))
        self._roll: Roll | None = None
        self._shown_at = 0.0
        self.done = False
        self.problem = ""

    def advance(self, seconds: float) -> bytes | None:
        """Go on for about this long; return the frames so far, packed, where there is something new to show."""
        end = time.perf_counter() + seconds
        try:
            for roll in self._rolls:
                self._roll = roll
                now = time.perf_counter()
                if roll.frames and now - self._shown_at > _PAUSE:
                    part = self._packed()
                    self._shown_at = time.perf_counter()
                    return part
                if now > end:
                    return None
        except NnlibError as error:
            self.done, self.problem = True, str(error)
            return None
        self.done = True
        return self._packed()

    def _packed(self) -> bytes:
        return pack(self._roll.develop(), self._recorder.ENCODINGS, deflate=False)

"""Firefox and WebKit by the W3C's remote controls: WebDriver BiDi for the one, classic WebDriver for the other.

Both speak a protocol that their makers ship with them, so no further program is needed: Firefox listens on a WebSocket
itself, WebKitGTK comes with a driver. Each class knows the four things that the tests need of a browser.
"""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.request import Request, urlopen

import websocket

T = TypeVar("T")

PATIENCE = 90  # seconds for any one answer
SIZE = (1280, 900)

KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Home": "\ue011", "End": "\ue010"}


class Driver(Protocol):
    """A browser with one window."""

    def open(self, address: str) -> None:
        """Load a page and wait until it is loaded."""

    def run(self, expression: str) -> Any:
        """Return the JSON value of an expression in the page; a promise is awaited."""

    def press(self, key: str) -> None:
        """Press a key on the keyboard."""

    def click(self, x: float, y: float) -> None:
        """Click with the mouse at a place in the window."""

    def close(self) -> None:
        """End the browser."""


def _press(key: str) -> list[dict]:
    value = KEYS.get(key, key)
    return [
        {"type": "key", "id": "keyboard", "actions": [{"type": kind, "value": value} for kind in ("keyDown", "keyUp")]}
    ]


def _click(x: float, y: float) -> list[dict]:
    move = {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}
    press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
    return [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move, *press]}]


def _first_line(stream: Any, pattern: str) -> str:
    """Return what `pattern` finds first in a program's output."""
    for line in stream:
        if found := re.search(pattern, line):
            return found[0]
    raise RuntimeError("the browser ended before it was ready")


class Firefox:
    """Firefox, without a window."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="book-firefox-", ignore_cleanup_errors=True)
        # Updates, telemetry and first-run pages would ask other hosts.
        preferences = {
            "app.normandy.enabled": False, "app.update.disabledForTesting": True, "browser.aboutwelcome.enabled": False,
            "browser.newtabpage.enabled": False, "browser.shell.checkDefaultBrowser": False,
            "browser.startup.homepage_override.mstone": "ignore", "browser.startup.page": 0,
            "datareporting.policy.dataSubmissionEnabled": False, "extensions.update.enabled": False,
            "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
            "remote.prefs.recommended": True, "services.settings.server": "data:,",
            "toolkit.telemetry.server": "data:,", "ui.prefersReducedMotion": 1,
        }  # fmt: skip
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
        Path(self._profile.name, "user.js").write_text("".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--profile", self._profile.name, "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        address = _first_line(self._process.stderr, r"ws://\S+")
        self._socket = websocket.create_connection(f"{address}/session", timeout=PATIENCE, suppress_origin=True)
        self._sent = 0
        self._send("session.new", capabilities={})
        self._window = self._send("browsingContext.getTree")["contexts"][0]["context"]
        width, height = SIZE
        self._send("browsingContext.setViewport", context=self._window, viewport={"width": width, "height": height})

    def _send(self, method: str, **parameters: Any) -> dict:
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != self._sent:
            pass  # an event
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def open(self, address: str) -> None:
        self._send("browsingContext.navigate", context=self._window, url=address, wait="complete")

    def run(self, expression: str) -> Any:
        answer = self._send(
            "script.evaluate", target={"context": self._window}, awaitPromise=True,
            expression=f"(async () => JSON.stringify(await ({expression})) ?? 'null')()",
        )  # fmt: skip
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def _act(self, actions: list[dict]) -> None:
        self._send("input.performActions", context=self._window, actions=actions)

    def press(self, key: str) -> None:
        self._act(_press(key))

    def click(self, x: float, y: float) -> None:
        self._act(_click(x, y))

    def close(self) -> None:
        self._socket.close()
        end(self._process)
        self._profile.cleanup()


class WebKit:
    """WebKitGTK's small browser, on an X server without a screen."""

    def __init__(self, driver: str, browser: str, server: str) -> None:
        readable, writable = os.pipe()
        width, height = SIZE
        self._display = subprocess.Popen(
            [server, "-displayfd", str(writable), "-screen", "0", f"{width}x{height + 200}x24", "-nolisten", "tcp"],
            pass_fds=[writable], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(writable)
        with os.fdopen(readable) as numbers:
            number = _first_line(numbers, r"\d+")
        display = {
            "DISPLAY": f":{number}",
            "NO_AT_BRIDGE": "1",
            "GTK_A11Y": "none",
            "GDK_BACKEND": "x11",
        }
        port = _free_port()
        self._process = subprocess.Popen(
            [driver, f"--port={port}"], env=os.environ | display, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._address = f"http://127.0.0.1:{port}/session"
        wait_for(lambda: _answers(port))
        options = {"binary": browser, "args": ["--automation"]}
        session = self._send("POST", "", {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}})
        self._address += f"/{session['sessionId']}"
        self._send("POST", "/window/rect", {"width": width, "height": height})

    def _send(self, method: str, path: str, body: dict | None = None) -> Any:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = Request(self._address + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]

    def open(self, address: str) -> None:
        self._send("POST", "/url", {"url": address})

    def run(self, expression: str) -> Any:
        script = f"""const done = arguments[0];
            (async () => ({expression}))().then(value => done({{value}}), error => done({{error: String(error)}}));"""
        answer = self._send("POST", "/execute/async", {"script": script, "args": []})
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def press(self, key: str) -> None:
        self._send("POST", "/actions", {"actions": _press(key)})

    def click(self, x: float, y: float) -> None:
        self._send("POST", "/actions", {"actions": _click(x, y)})

    def close(self) -> None:
        self._send("DELETE", "")
        end(self._process)
        end(self._display)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """Return what `look` finds, as soon as it finds something: for programs that cannot tell when they are ready."""
    limit = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > limit:
            raise RuntimeError("nothing came")
        time.sleep(0.02)
    return found


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def end(process: subprocess.Popen) -> None:
    """End a program and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr:
        process.stderr.close()

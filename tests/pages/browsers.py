"""Find the browsers that the page tests drive, and install Debian's where that is possible.

``python tests/pages/browsers.py`` says what there is; with ``--install`` it first asks apt for what is missing (on
Debian and its like, as root; elsewhere it leaves things as they are); with ``--require`` a missing browser is an error.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Browser:
    """A kind of browser: where it was found, and what to install where it is missing.

    Attributes
    ----------
    name
        Its engine's name in words.
    where
        The programs it takes, as paths; empty where one of them is missing.
    packages
        Debian's packages that bring them.
    """

    name: str
    where: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def missing(self) -> str:
        """Say why the tests that need it cannot run; empty if it is there."""
        if self.where:
            return ""
        return f"no {self.name} on this machine (Debian: apt-get install {' '.join(self.packages)})"


def _first(*candidates: str | Path) -> str | None:
    return next((found for name in candidates if (found := shutil.which(str(name)))), None)


@cache
def chromium() -> Browser:
    """Return the system's Chromium or Chrome, or else the one that Playwright downloaded."""
    found = _first(
        os.environ.get("BOOK_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
        "chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ) or _playwrights_own()  # fmt: skip
    return Browser("Chromium", (found,) if found else (), ("chromium",))


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return _first(playwright.chromium.executable_path)


@cache
def firefox() -> Browser:
    """Return the system's Firefox."""
    found = _first(
        os.environ.get("BOOK_FIREFOX", ""), "firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"
    )
    return Browser("Firefox", (found,) if found else (), ("firefox-esr",))


@cache
def webkit() -> Browser:
    """Return WebKitGTK's driver, its small browser, and the X server without a screen which that needs."""
    small_browsers = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"), reverse=True)
    found = (_first("WebKitWebDriver"), _first(*small_browsers), _first("Xvfb"))
    return Browser("WebKit", found if all(found) else (), ("webkit2gtk-driver", "xvfb"))


ALL: tuple[Callable[[], Browser], ...] = (chromium, firefox, webkit)


def required() -> bool:
    """Return whether a missing browser is a failure, as in continuous integration, and not a reason to skip."""
    return any(os.environ.get(name, "").lower() in ("1", "true") for name in ("CI", "BOOK_REQUIRE_BROWSER"))


def report() -> str:
    """Return one line on which browsers the page tests use."""
    return "browsers: " + "; ".join(
        found.where[0] if found.where else found.missing for found in (find() for find in ALL)
    )


def install() -> None:
    """Install the missing ones from Debian, where this user may."""
    packages = [package for find in ALL for package in (find().packages if find().missing else ())]
    if not packages or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "check": False}
    ask = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    if subprocess.run(ask, **quiet).returncode:  # the list of packages may be empty or old
        subprocess.run(["apt-get", "update", "--quiet"], **quiet)
        subprocess.run(ask, **quiet)
    for find in ALL:
        find.cache_clear()


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="ask apt for what is missing")
    parser.add_argument("--require", action="store_true", help="fail if one is missing all the same")
    arguments = parser.parse_args()
    if arguments.install:
        install()
    print(report())
    if arguments.require and any(find().missing for find in ALL):
        sys.exit(1)


if __name__ == "__main__":
    main()

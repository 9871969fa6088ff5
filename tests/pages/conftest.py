"""The book over http and from the disk, in a Chromium that reaches no other host and tells every fault it meets."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, expect, sync_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from . import book, browsers
from .hands import Hands

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
    "--disable-partial-raster", "--disable-lcd-text", "--force-color-profile=srgb",
]  # fmt: skip
WIDE = {"width": 1280, "height": 1600}
NARROW = {"width": 390, "height": 844}
PATIENCE = 45_000  # milliseconds for any one condition, on a busy machine
expect.set_options(timeout=PATIENCE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Walk the built book: tests run for each `page_name` and `link` there is, and for a `figure` of each instrument.

    Where a book shows an instrument more than once, the first figure stands for it; that all figures of a page come
    alive is a test of the page.
    """
    pages = book.pages()
    first = {figure.instrument: figure for page in reversed(pages) for figure in reversed(book.figures(page))}
    figures = sorted(first.values(), key=lambda figure: (pages.index(figure.page), figure.figure_id))
    walks = {
        "page_name": pages,
        "figure": figures,
        "figure_autoplaying": [figure for figure in figures if figure.autoplay],
        "figure_wanting": [figure for figure in figures if figure.wanting()],
        "figure_storing": [figure for figure in figures if figure.stored()],
        "link": [link for page in pages for link in book.links(page)],
    }
    for name in walks.keys() & set(metafunc.fixturenames):
        if pages:
            metafunc.parametrize(name, walks[name], ids=str)
        else:
            metafunc.parametrize(name, [None], ids=["no-book"])


def page_in(test: str) -> str:
    """Return the page that a test's id names; empty if it names none."""
    return max((page for page in book.pages() if page in test), key=len, default="")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Test page by page, so that a page is opened once; tests of no page come last."""
    mine = [index for index, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    by_page = sorted((items[index] for index in mine), key=lambda item: page_in(item.nodeid) or "~")
    for index, item in zip(mine, by_page, strict=True):
        items[index] = item


class PageByPage(LoadScopeScheduling):
    """Gives all tests of a page to one worker, so that one alone opens it; and so those of a module that name none.

    The marks of ``--dist loadgroup`` do nothing here: xdist writes them into a test's id, and pytest 9.2 has fixed ids.
    """

    def _split_scope(self, nodeid: str) -> str:
        return page_in(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PageByPage:
    """Divide the tests between the workers of ``pytest -n``."""
    return PageByPage(config, log)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Skip, or in continuous integration fail, where the book is not built."""
    if not book.pages():
        missing("the book is not built: run `make book`")


def missing(reason: str) -> None:
    """Skip, or in continuous integration fail."""
    if browsers.required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need(found: browsers.Browser) -> browsers.Browser:
    """Return the browser, or skip (in continuous integration: fail) with the reason why it is not there."""
    if found.missing:
        missing(found.missing)
    return found


Change = Callable[[Path, bytes], bytes | None]


class _Handler(SimpleHTTPRequestHandler):
    change: Change | None = None

    def log_message(self, *arguments: object) -> None:
        """Stay silent: the tests look at the answers."""

    def do_GET(self) -> None:
        """Send a file, or what the test makes of it."""
        file = Path(self.translate_path(self.path))
        if not self.change or not file.is_file():
            super().do_GET()
            return
        content = self.change(file, file.read_bytes())
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(change: Change | None = None) -> Iterator[str]:
    """Serve the built book on a free port of the loopback interface.

    With `change` a file is sent as ``change(file, content)`` returns it; one for which that is None is missing.
    """
    handler = type("Handler", (_Handler,), {"change": staticmethod(change) if change else None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(book.BUILT))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """Serve the built book; give its address."""
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def on_disk() -> str:
    """Give the built book's address on the disk."""
    return f"{book.BUILT.as_uri()}/"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium once."""
    found = need(browsers.chromium())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.where[0], args=FLAGS)
        yield browser
        browser.close()


def listen(
    context: BrowserContext, ours: tuple[str, ...], faults: list[str], levels: tuple[str, ...] = ("error", "warning")
) -> None:
    """Block whatever is not `ours`; write down foreign requests, failed ones, and what the console says at `levels`."""
    inside = "|".join(re.escape(start) for start in (*ours, "data:", "blob:", "about:"))

    def block(route: Route) -> None:
        faults.append(f"asked another host: {route.request.url}")
        route.abort()

    def failed(request: Request) -> None:
        # Where JavaScript is off, Chromium gives up the scripts which it had begun to fetch, and calls that "csp". And
        # when a page closes or its address changes, it gives up the page's icon.
        given_up = request.url.endswith("/icon.svg") and request.failure == "net::ERR_ABORTED"
        if request.failure != "csp" and not given_up:
            faults.append(f"failed: {request.url} ({request.failure})")

    context.route(re.compile(f"^(?!{inside})"), block)
    context.on("response", lambda answer: answer.status >= 400 and faults.append(f"{answer.status}: {answer.url}"))
    context.on("requestfailed", failed)
    context.on("weberror", lambda error: faults.append(f"uncaught: {error.error}"))

    def heard(message: ConsoleMessage) -> None:
        if message.type in levels:
            faults.append(f"console {message.type}: {message.text} ({message.location['url']})")

    context.on("console", heard)


def watched(browser: Browser, ours: tuple[str, ...], faults: list[str], **options: object) -> BrowserContext:
    """Return a context whose pages are wide, waited for with patience and listened to."""
    context = browser.new_context(**{"viewport": WIDE} | options)
    context.set_default_timeout(PATIENCE)
    listen(context, ours, faults)
    return context


@pytest.fixture
def reader(chromium: Browser, served: str, on_disk: str) -> Iterator[Callable[..., Page]]:
    """Open pages as a reader would: ``reader(page, **context options)``. At the end no fault may have been met.

    Setting the formulas takes most of the time of loading: a test of figures does without.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def read(page_name: str, *, disk: bool = False, formulas: bool = True, **options: object) -> Page:
        context = watched(chromium, (served, on_disk), faults, **{"color_scheme": "light"} | options)
        contexts.append(context)
        if not formulas:
            without_formulas(context)
        page = context.new_page()
        page.goto((on_disk if disk else served) + page_name)
        return page

    yield read
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


def without_formulas(context: BrowserContext) -> None:
    """Leave the formulas as they are written."""
    context.route("**/mathjax/**", lambda route: route.fulfill(content_type="text/javascript", body=""))


def without_python(context: BrowserContext) -> None:
    """Give the pages as a book has them that was built where its runtime could not be fetched."""
    context.route("**/runtime/manifest.js*", lambda route: route.fulfill(content_type="text/javascript", body=""))


@dataclass
class Desk:
    """Keeps one page of the book open for all tests of it, because loading is what takes the time."""

    chromium: Browser
    served: str
    bare: bool = False  # whether the pages are to have no Python
    faults: list[str] = field(default_factory=list)
    lying: dict[str, Page] = field(default_factory=dict)

    def open(self, page_name: str) -> Page:
        """Return the page as a reader finds it who asked for reduced motion: wide, light, each figure drawn."""
        if page_name not in self.lying:
            self.clear()
            context = watched(
                self.chromium, (self.served,), self.faults, color_scheme="light", reduced_motion="reduce"
            )
            if self.bare:
                without_python(context)
                without_formulas(context)
            page = self.lying[page_name] = context.new_page()
            page.goto(self.served + page_name)
            page.evaluate("window.MathJax?.startup?.promise")
        page = self.lying[page_name]
        page.mouse.move(0, 0)  # where it points at nothing
        page.set_viewport_size(WIDE)
        page.emulate_media(media="screen", color_scheme="light")
        for figure in book.figures(page_name):
            Hands(page, figure.figure_id).ready()
        return page

    def clear(self) -> None:
        """Close what is open."""
        for page in self.lying.values():
            page.context.close()
        self.lying.clear()


@pytest.fixture(scope="session")
def kept_desk(chromium: Browser, served: str) -> Iterator[Desk]:
    """Give the one desk of the run."""
    desk = Desk(chromium, served)
    yield desk
    desk.clear()


@pytest.fixture(scope="session")
def kept_bare_desk(chromium: Browser, served: str) -> Iterator[Desk]:
    """Give the one desk of the run whose pages have no Python."""
    desk = Desk(chromium, served, bare=True)
    yield desk
    desk.clear()


@contextmanager
def tidied(desk: Desk, session: pytest.Session) -> Iterator[Desk]:
    """Clear a desk after a test if the test failed; no fault may have been met."""
    desk.faults.clear()
    failed = session.testsfailed
    yield desk
    faults = list(desk.faults)
    if faults or session.testsfailed > failed:
        desk.clear()
    assert not faults, "\n".join(faults)


@pytest.fixture
def desk(kept_desk: Desk, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Give the desk."""
    with tidied(kept_desk, request.session) as desk:
        yield desk


@pytest.fixture
def bare_desk(kept_bare_desk: Desk, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Give the desk whose pages have no Python."""
    with tidied(kept_bare_desk, request.session) as desk:
        yield desk

"""The promises of a page, checked while it is built. Each message says where, and what to do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import parse_qsl, unquote, urlsplit

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from livepage.state import Figure

logger = logging.getLogger(__name__)

VIEW = "application/vnd.jupyter.widget-view+json"


def bundles(doctree: nodes.document) -> list[tuple[nodes.container, dict[str, nodes.container]]]:
    """Return each notebook output of a page with its parts by media type."""
    return [
        (bundle, {part["mime_type"]: part for part in bundle.children})
        for bundle in list(doctree.findall(nodes.container))
        if bundle.get("nb_element") == "mime_bundle"
    ]


def model_of(part: nodes.container) -> str:
    """Return the id of the model which a widget view shows."""
    found = re.search(r'"model_id":\s*"([^"]+)"', part.children[0].astext())
    return found.group(1) if found else ""


def warn(message: str, location: nodes.Node | str) -> None:
    """Report one broken promise; the build fails for it."""
    node = location
    while isinstance(node, nodes.Element):
        if "cell_index" in node:  # an output carries no line
            location = f"{node.document['source']}:cell {node['cell_index'] + 1}"
        node = node.parent
    logger.warning(message, type="livepage", location=location)


def executed(env: BuildEnvironment, docname: str) -> bool:
    """Return whether no cell of a page failed; after a failure, what the page lacks is no news."""
    return not (NbMetadataCollector.get_exec_data(env, docname) or {}).get("traceback")


def check_page(doctree: nodes.document, figures: dict[str, Figure]) -> None:
    """Check the widgets and pictures of one page as it was read."""
    shown: dict[str, str] = {}
    posters: set[int] = set()
    for bundle, media in bundles(doctree):
        if VIEW not in media:
            continue
        model_id = model_of(media[VIEW])
        figure = figures.get(model_id)
        posters.update(id(image) for part in media.values() for image in part.findall(nodes.image))
        if figure is None:
            warn(
                "this widget's state is missing, so the page cannot show it. Build with "
                "`execute_notebooks: cache` (or `force`) in _config.yml",
                bundle,
            )
        elif not figure.hosted:
            warn(
                f"{figure.kind} is an ipywidget that needs a kernel and would be dead in the built book. "
                "Make the control part of an instrument (nnlib/widgets), or do not display it",
                bundle,
            )
        else:
            if "image/png" not in media:
                warn(
                    f"the figure {figure.figure_id or figure.kind!r} has no poster for readers without "
                    "JavaScript. Let its _repr_mimebundle_ add an image/png",
                    bundle,
                )
            if not figure.alt:
                warn(
                    f"the figure {figure.figure_id or figure.kind!r} has no alternative text. Set its `alt` "
                    "trait to a sentence that says what the picture shows",
                    bundle,
                )
            if figure.figure_id and shown.setdefault(figure.figure_id, model_id) != model_id:
                warn(
                    f"two figures of this page are called {figure.figure_id!r}, so a link cannot tell them "
                    "apart. Give one of them another figure_id",
                    bundle,
                )
    for image in doctree.findall(nodes.image):
        if id(image) not in posters and not image.get("alt", "").strip():
            warn(
                "this picture has no alternative text. Say what it shows: `:alt:` in a figure or image "
                "directive, the text in ![...](...), or for the output of a cell the cell's metadata "
                '{"mystnb": {"image": {"alt": "..."}}}',
                image,
            )
    for raw in doctree.findall(nodes.raw):
        for tag in re.findall(r"<img\b[^>]*>", raw.astext() if "html" in raw.get("format", "") else ""):
            if not re.search(r"\balt\s*=\s*[\"'][^\"']*\S", tag):
                warn(f"this picture has no alternative text: {tag[:120]}. Add alt='...'", raw)


def keep_figure_links(doctree: nodes.document) -> None:
    """Let Markdown links carry a figure's settings: ``[see it diverge](?training.learning_rate=3#training)``.

    MyST takes such a target for the name of a file.
    """
    for link in list(doctree.findall(addnodes.pending_xref)):
        page, question, rest = link.get("reftarget", "").partition("?")
        if not question:
            continue
        fragment = f"#{link['reftargetid']}" if link.get("reftargetid") else ""
        target = re.sub(r"\.(ipynb|md)$", ".html", page)
        address = f"{target}?{rest}{fragment}"
        link.replace_self(nodes.reference("", "", *link.children, refuri=address, internal=True))


@dataclass
class _Page(HTMLParser):
    """The ids and the addresses of one HTML page."""

    ids: set[str] = field(default_factory=set)
    addresses: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.addresses.append((tag, value))


def check_links(app: Sphinx) -> None:
    """Check the links between the finished pages, and that no page needs another host."""
    output = Path(app.outdir)
    pages: dict[str, _Page] = {}
    for docname in sorted(app.env.found_docs):
        page = _Page()
        page.feed((output / app.builder.get_target_uri(docname)).read_text(encoding="utf-8"))
        pages[app.builder.get_target_uri(docname)] = page
    figures = {
        app.builder.get_target_uri(docname): {
            figure.figure_id: figure
            for figure in NbMetadataCollector.get_doc_data(app.env)[docname].get("livepage", {}).values()
            if figure.figure_id
        }
        for docname in app.env.found_docs
        if executed(app.env, docname)
    }
    for docname in sorted(app.env.found_docs):
        name = app.builder.get_target_uri(docname)
        for tag, address in pages[name].addresses:
            for problem in problems_of(name, tag, address, pages, figures, output):
                warn(problem, docname)


def problems_of(
    name: str,
    tag: str,
    address: str,
    pages: dict[str, _Page],
    figures: dict[str, dict[str, Figure]],
    output: Path,
) -> Iterator[str]:
    """Say what is wrong with one address in the page ``name``."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        if tag in ("script", "img", "iframe", "source", "video", "audio") and parts.scheme != "data":
            yield f"<{tag}> loads {address} from another host. Keep a copy in the book"
        return
    target = normpath(join(dirname(name), unquote(parts.path))) if parts.path else name
    if target not in pages:
        if not (output / target).exists():
            yield (f"the link {address!r} leads to no page of the book. Mend its address, or add the page to _toc.yml")
        return
    if target not in figures:
        return
    if parts.fragment and unquote(parts.fragment) not in pages[target].ids:
        yield f"the link {address!r} leads to {target}, which has no element with the id {parts.fragment!r}"
    wanted: dict[str, dict[str, str]] = {}
    unknown: set[str] = set()
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        figure_id, dot, setting = key.partition(".")
        if not dot:
            continue
        if figure_id not in figures[target]:
            if figure_id not in unknown:
                known = ", ".join(sorted(figures[target])) or "none"
                yield f"the link {address!r} sets the figure {figure_id!r}; the figures of {target}: {known}"
            unknown.add(figure_id)
            continue
        if setting == "step":
            if not value.isdecimal():
                yield f"the link {address!r} asks for step {value!r}; a step is a whole number, 0 or more"
            continue
        controls = figures[target][figure_id].controls
        if setting not in controls:
            yield (
                f"the link {address!r} sets {setting!r}, which {figure_id!r} does not have; "
                f"its settings: {', '.join(controls)}"
            )
            continue
        wanted.setdefault(figure_id, {})[setting] = value
    for figure_id, settings in wanted.items():
        if not figures[target][figure_id].holds(settings):
            asked = ", ".join(f"{setting} = {value}" for setting, value in settings.items())
            yield (
                f"the link {address!r} asks {figure_id!r} for {asked}, which the page could not show: its "
                "bank holds no such recording. Add these settings to the figure's bank, or link to others"
            )

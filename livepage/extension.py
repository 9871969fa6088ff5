"""What happens when in a build: the hooks into Sphinx."""

import hashlib
import os
import re
import shutil
import subprocess
import textwrap
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from PIL import Image
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from livepage import cells, checks, runtime, state
from livepage.posters import ShowPosters

ASSETS = Path(__file__).parent / "assets"
TEMPLATES = Path(__file__).parent / "templates"

# What the pages use of MathJax's 24 MB. The loader fetches one of `input/tex/extensions` when a formula uses
# one of its macros.
MATHJAX = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions",
    "output/chtml.js",
    "output/chtml/fonts",
    "a11y/assistive-mml.js",
)


# The theme's style sheet names some 1,900 icons of the fonts that are gone, and where these fonts would be.
ICON_RULES = re.compile(r'(?:\.fa-[\w-]+:before,?)+\{content:"[^"]*"\}|@font-face\{[^}]*/fontawesome/[^}]*\}')


def configure(app: Sphinx, config: Config) -> None:
    """Settle what depends on this checkout: the kernel's path, the cache, the repository's address."""
    root = Path(app.srcdir)
    path = os.environ.get("PYTHONPATH")
    if str(root) not in (path or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = f"{root}{os.pathsep}{path}" if path else str(root)

    caches = Path(app.outdir).parent / ".jupyter_cache"
    cache = caches / sources_digest(root)
    for stale in caches.glob("*"):
        if stale != cache:
            shutil.rmtree(stale)
    config.nb_execution_cache_path = str(cache)
    # The host below takes the place of require.js and Jupyter's widget manager, which would come from a CDN.
    config.nb_ipywidgets_js = {}
    config.html_static_path.append(str(ASSETS))
    config.templates_path.append(str(TEMPLATES))
    config.html_theme_options.update(repository_options(root))
    # Pages with and without Python differ, so a change writes them anew.
    config.livepage_python = (runtime.cache_of(root) / "manifest.json").exists()


def provide_python(app: Sphinx) -> None:
    """Put Python for the pages into the book, where it was fetched."""
    if app.builder.format != "html":
        return
    destination = Path(app.outdir) / "_static" / "runtime"
    if runtime.publish(Path(app.srcdir), ASSETS / "livepage-worker.js", destination):
        app.add_js_file("runtime/manifest.js", loading_method="defer", priority=400)


def sources_digest(root: Path) -> str:
    """Return a name for the state of the packages beside the book; a change makes stored outputs stale."""
    digest = hashlib.sha256()
    packages = [found.parent for found in root.glob("*/__init__.py") if found.parent.name != __package__]
    for package in sorted(packages):
        for path in sorted(found for found in package.rglob("*") if found.is_file()):
            if "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def repository_options(root: Path) -> dict[str, Any]:
    """Return the theme's options that link to the checkout's own GitHub remote, if it has one."""

    def git(*arguments: str) -> str:
        if not (root / ".git").exists():
            return ""
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    remote = re.fullmatch(
        r"(?:https://(?:[^@/]+@)?|git@|ssh://git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?",
        git("remote", "get-url", "origin"),
    )
    if not remote:
        return {}
    return {
        "repository_url": "https://github.com/{}/{}".format(*remote.groups()),
        "repository_branch": git("symbolic-ref", "--short", "HEAD") or "HEAD",
        "use_repository_button": True,
        "launch_buttons": {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"},
    }


def read_page(app: Sphinx, doctree: nodes.document) -> None:
    """Reduce the page's widget state to what the host needs, and check what the page shows."""
    scripts = NbMetadataCollector.get_js_files(app.env, app.env.docname)
    figures: dict[str, state.Figure] = {}
    if "ipywidgets_state" in scripts:
        uri, attributes = scripts["ipywidgets_state"]
        reduced, figures = state.reduce(attributes["body"])
        scripts["ipywidgets_state"] = (uri, {**attributes, "body": reduced})
    NbMetadataCollector.set_doc_data(app.env, app.env.docname, "livepage", figures)
    if checks.executed(app.env, app.env.docname):
        checks.check_page(doctree, figures)
    checks.keep_figure_links(doctree)
    cells.embed(doctree, Path(app.env.doc2path(app.env.docname)))


def mend_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Describe the page by its first sentences; mend what theme and docutils leave amiss."""
    if doctree is None:
        return
    # Binder would open a page that is no notebook as plain text.
    if context.get("page_source_suffix") != ".ipynb":
        buttons = context.get("header_buttons", [])
        context["header_buttons"] = [button for button in buttons if button.get("label") != "launch-buttons"]
    # The role was removed from ARIA; screen readers know a list's items.
    context["body"] = context["body"].replace(' role="doc-biblioentry"', ' role="listitem"')
    # A heading without words, in a table's corner, is a cell like others.
    context["body"] = re.sub(r"<th([^>]*)>(?:<p></p>)?</th>", r"<td\1></td>", context["body"])
    paragraph = next((found for found in doctree.findall(nodes.paragraph) if found.astext().strip()), None)
    if paragraph is not None:
        description = escape(textwrap.shorten(paragraph.astext(), 160, placeholder=" ..."), quote=True)
        context["metatags"] += f'<meta name="description" content="{description}" />\n'


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Add MathJax and the icons, drop what no page asks for, check every link of the finished pages."""
    if exception is None and app.builder.format == "html":
        static = Path(app.outdir) / "_static"
        copy_mathjax(static / "mathjax")
        icons, sheet = static / "scripts" / "fontawesome.js", static / "styles" / "pydata-sphinx-theme.css"
        if icons.exists():  # 543 kB compressed; icons.css draws the handful of icons that is used
            icons.write_text("// See icons.css.\n", encoding="utf-8")
            sheet.write_text(ICON_RULES.sub("", sheet.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
        for source_map in static.rglob("*.map"):
            source_map.unlink()
        for picture in (Path(app.outdir) / "_images").glob("*.png"):
            lighten(picture)
        if app.config.livepage_whole_book:
            checks.check_links(app)
    if exception is not None or app._warncount:
        # Sphinx would remember the page as read and stay silent about it in the next build.
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
    if app._warncount:
        app.statuscode = 1


def lighten(picture: Path) -> None:
    """Store a plot with a palette of 256 colours, in a third of the bytes; leave what has one or is see-through."""
    with Image.open(picture) as image:
        if image.mode not in ("RGB", "RGBA") or image.convert("RGBA").getextrema()[3][0] < 255:
            return
        reduced = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    reduced.save(picture, optimize=True)


def copy_mathjax(destination: Path) -> None:
    """Copy the used part of the offline MathJax, once."""
    found = find_spec("sphinx-mathjax-offline")
    if found is None or found.origin is None:
        raise ExtensionError("MathJax is missing: pip install sphinx-mathjax-offline (see requirements.txt)")
    source = Path(found.origin).parent / "static" / "mathjax"
    for name in MATHJAX:
        if (destination / name).exists():
            continue
        if (source / name).is_dir():
            shutil.copytree(source / name, destination / name)
        else:
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, destination / name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_config_value("livepage_whole_book", True, "")
    app.add_config_value("livepage_python", False, "html")
    # Before myst-nb (500), which fixes its settings when the builder starts.
    app.connect("config-inited", configure, priority=400)
    app.connect("builder-inited", provide_python)
    app.connect("doctree-read", read_page)
    app.connect("html-page-context", mend_page, priority=600)
    app.connect("build-finished", finish, priority=900)
    app.add_post_transform(ShowPosters)
    app.add_css_file("livepage.css", priority=700)
    app.add_css_file("icons.css", priority=700)
    app.add_js_file("livepage.js", loading_method="defer")
    app.add_js_file("livecells.js", loading_method="defer", priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

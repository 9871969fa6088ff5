"""The Sphinx extension on tiny books: what it writes and what it refuses; its host in a browser."""

import base64
import io
import json
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from pages import browsers
from playwright.sync_api import Page, expect, sync_playwright
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from livepage import chapter, extension, notebooks, serve, state
from nnlib.widgets import recording as recordings

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

# A view that shows what the host gave it, and adds to its model's `count` when clicked.
COUNTER = """
export default {
  initialize({ model }) {
    model.set("initialised", (model.get("initialised") ?? 0) + 1);
  },
  render({ model, el, page }) {
    if (model.get("broken")) throw new Error("cannot draw");
    const button = document.createElement("button");
    const show = () => {
      const bytes = [...new Uint8Array(model.get("bank")["rate=0.1"].buffer)].join(" ");
      button.textContent =
        `${model.get("name")}: ${model.get("count")}, initialised ${model.get("initialised")}, ` +
        `bytes ${bytes}, page ${page !== undefined && "compute" in page}`;
    };
    button.addEventListener("click", () => {
      model.set("count", model.get("count") + 1);
      model.save_changes();
    });
    model.on("change:count", show);
    show();
    el.append(button);
  },
};
"""


def model(name: str = "a", **values: Any) -> dict[str, Any]:
    """Return the stored state of an instrument with one setting and a bank of two recordings."""
    return {
        "model_name": "AnyModel",
        "model_module": "anywidget",
        "model_module_version": "~0.11.*",
        "state": {
            "_model_name": "AnyModel",
            "_esm": COUNTER,
            "_css": "button { color: green }",
            "name": name,
            "figure_id": name,
            "alt": f"The counter {name}",
            "controls": [{"name": "rate", "label": "Rate", "kind": "number"}],
            "settings": {"rate": 0.1},
            "count": 1,
            "bank": {},
            "layout": "IPY_MODEL_layout",
            **values,
        },
        "buffers": [
            {"path": ["bank", f"rate={rate}"], "encoding": "base64", "data": base64.b64encode(data).decode()}
            for rate, data in (("0.1", b"\x01\x02"), ("0.5", b"\x03"))
        ],
    }


LAYOUT = {"model_name": "LayoutModel", "model_module": "@jupyter-widgets/base", "state": {}}
SLIDER = {"model_name": "IntSliderModel", "model_module": "@jupyter-widgets/controls", "state": {}}


def shown(model_id: str, poster: bool = True, **metadata: Any) -> nbformat.NotebookNode:
    """Return an executed cell that shows a widget."""
    data = {"text/plain": "a widget", VIEW: {"version_major": 2, "version_minor": 0, "model_id": model_id}}
    if poster:
        data["image/png"] = PNG
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    return nbformat.v4.new_code_cell(model_id, outputs=[output], execution_count=1, metadata=metadata)


def plotted(**metadata: Any) -> nbformat.NotebookNode:
    """Return an executed cell that shows a picture."""
    output = nbformat.v4.new_output("display_data", data={"image/png": PNG})
    return nbformat.v4.new_code_cell("plot()", outputs=[output], execution_count=1, metadata=metadata)


def notebook(*cells: str | nbformat.NotebookNode, **models: dict[str, Any]) -> str:
    """Return a notebook as text; a string is a Markdown cell."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "widgets": {STATE: {"version_major": 2, "version_minor": 0, "state": {**models, "layout": LAYOUT}}},
        },
    )
    return nbformat.writes(made)


@dataclass
class Built:
    """A finished build."""

    output: Path
    warnings: str
    status: int

    def page(self, name: str = "index") -> str:
        """Return the HTML of a page."""
        return (self.output / f"{name}.html").read_text(encoding="utf-8")


Build = Callable[..., Built]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that builds a book of the given pages (file name to text) and executes nothing."""

    def run(**pages: str) -> Built:
        for name, text in pages.items():
            suffix = ".ipynb" if text.startswith("{") else ".md"
            (tmp_path / name).with_suffix(suffix).write_text(text, encoding="utf-8")
        warnings = io.StringIO()
        with patch_docutils(str(tmp_path)), docutils_namespace():
            app = Sphinx(
                str(tmp_path),
                None,
                str(tmp_path / "_build" / "html"),
                str(tmp_path / "_build" / "doctrees"),
                "html",
                confoverrides={
                    "extensions": ["myst_nb", "sphinx_design", "sphinx.ext.mathjax", "livepage"],
                    "myst_enable_extensions": ["dollarmath"],
                    "mathjax_path": "mathjax/startup.js",
                    "nb_execution_mode": "off",
                    "html_theme": "basic",
                    "exclude_patterns": ["_build"],
                },
                status=None,
                warning=warnings,
            )
            app.build()
        plain = re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())
        return Built(Path(app.outdir), plain, app.statuscode)

    return run


# ---- what is written ----


def test_figure_has_view_and_poster_side_by_side(build: Build) -> None:
    built = build(index=notebook("# Title", shown("one"), one=model()))
    assert (built.warnings, built.status) == ("", 0)
    figure = re.search(r'<div class="livepage-figure[^"]*" id="a">(.*?)</div>', built.page(), re.S)
    assert figure
    assert '"model_id": "one"' in figure[1]
    assert re.search(r'<img alt="The counter a" class="livepage-poster" src="_images/\w+\.png" />', figure[1])


def test_second_view_of_a_figure_has_no_second_id(build: Build) -> None:
    page = build(index=notebook("# Title", shown("one"), shown("one"), one=model())).page()
    assert page.count("livepage-figure") == 2
    assert page.count('id="a"') == 1


def test_state_holds_each_program_once_and_no_core_models(build: Build) -> None:
    other = model("c", _esm=COUNTER.replace("page ${page", "book ${page"))
    cells = [shown(name) for name in ("one", "two", "three")]
    page = build(index=notebook("# Title", *cells, one=model(), two=model("b"), three=other)).page()
    scripts = re.findall(rf'<script type="{re.escape(STATE)}">(.*?)</script>', page, re.S)
    assert len(scripts) == 1
    stored = json.loads(scripts[0])
    assert set(stored["state"]) == {"one", "two", "three"}
    indices = [stored["state"][name]["state"]["_esm"] for name in ("one", "two", "three")]
    programs = [[stored["texts"][part] for part in parts] for parts in indices]
    assert ["".join(parts) for parts in programs] == [COUNTER, COUNTER, other["state"]["_esm"]]
    assert programs[0][0] == programs[2][0] != ""
    assert sum(map(len, stored["texts"])) < 1.5 * len(COUNTER)
    assert stored["texts"][-2:] == ["button { color: green }", ""]
    assert stored["state"]["one"]["buffers"][1]["path"] == ["bank", "rate=0.5"]


def test_closing_tags_in_a_program_do_not_end_the_state() -> None:
    body = json.dumps({"state": {"one": model(name="</script><b>")}})
    reduced, _ = state.reduce(body)
    assert "</" not in reduced
    assert json.loads(reduced)["state"]["one"]["state"]["name"] == "</script><b>"


def test_page_asks_no_other_host_for_anything(build: Build) -> None:
    built = build(index=notebook("# Title\n\n$x$", shown("one"), one=model()))
    sources = re.findall(r'<(?:script|link|img)[^>]*\s(?:src|href)="([^"]+)"', built.page())
    assert any(source.startswith("_static/mathjax/startup.js") for source in sources)
    assert [source for source in sources if "//" in source] == []
    for name in (
        "startup.js",
        "core.js",
        "input/tex.js",
        "output/chtml/fonts/tex.js",
        "a11y/assistive-mml.js",
    ):
        assert (built.output / "_static" / "mathjax" / name).is_file()
    assert not list((built.output / "_static" / "mathjax").glob("tex-*.js"))


def test_page_is_described_by_its_first_sentences(build: Build) -> None:
    page = build(index='# T\n\nA "neuron" & its weights.\n\nMore.\n').page()
    assert '<meta name="description" content="A “neuron” &amp; its weights." />' in page


def test_markdown_link_sets_a_figure(build: Build) -> None:
    built = build(
        index=notebook("# Title\n\n[here](?a.rate=0.5&a.step=3#a) [there](other.md)", shown("one"), one=model()),
        other="---\norphan: true\n---\n# Other\n\n[its figure](index.ipynb?a.rate=0.5#a)\n",
    )
    assert (built.warnings, built.status) == ("", 0)
    assert 'href="?a.rate=0.5&amp;a.step=3#a"' in built.page()
    assert 'href="index.html?a.rate=0.5#a"' in built.page("other")


# ---- what fails the build ----

FAULTS = {
    "core widget": (
        notebook("# T", shown("slider"), slider=SLIDER),
        r"index\.ipynb.*IntSlider is an ipywidget that needs a kernel",
    ),
    "no state": (notebook("# T", shown("lost")), "state is missing.*execute_notebooks: cache"),
    "no poster": (notebook("# T", shown("one", poster=False), one=model()), "figure 'a' has no poster"),
    "poster without alt": (
        notebook("# T", shown("one"), one=model(alt=" ")),
        r"figure 'a' has no alternative text. Set its `alt`",
    ),
    "same figure_id twice": (
        notebook("# T", shown("one"), shown("two"), one=model(), two=model()),
        "two figures of this page are called 'a'",
    ),
    "plot without alt": (notebook("# T", plotted()), r"index\.ipynb:cell 2: WARNING.*mystnb.*alt"),
    "image without alt": ("# T\n\n![](https://example.org/a.png)\n", "this picture has no alternative text"),
    "raw image without alt": ('# T\n\n<img src="data:,x">\n', r"no alternative text: <img src"),
    "page that is not there": ("# T\n\n[gone](gone.md)\n", "gone.md"),
    "raw link to no page": (
        '# T\n\n<a href="gone.html">x</a>\n',
        r"'gone\.html' leads to no page.*_toc\.yml",
    ),
    "id that is not there": ('# T\n\n<a href="#nowhere">x</a>\n', "no element with the id 'nowhere'"),
    "script of another host": (
        '# T\n\n<script src="https://example.org/a.js"></script>\n',
        "loads https://example.org/a.js from another host",
    ),
    "unknown figure": (
        notebook("# T\n\n[x](?b.rate=0.5#a)", shown("one"), one=model()),
        "sets the figure 'b'; the figures of index.html: a",
    ),
    "unknown setting": (
        notebook("# T\n\n[x](?a.speed=0.5#a)", shown("one"), one=model()),
        "sets 'speed', which 'a' does not have; its settings: rate",
    ),
    "setting that the bank lacks": (
        notebook("# T\n\n[x](?a.rate=7#a)", shown("one"), one=model()),
        "asks 'a' for rate = 7, which the page could not show",
    ),
    "step that is none": (
        notebook("# T\n\n[x](?a.step=last#a)", shown("one"), one=model()),
        "asks for step 'last'; a step is a whole number",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_fails_the_build_and_says_what_to_do(fault: str, build: Build) -> None:
    page, message = FAULTS[fault]
    built = build(index=page)
    assert built.status == 1
    assert re.search(message, built.warnings), built.warnings
    assert "index" in built.warnings


def test_alternative_texts_are_accepted(build: Build) -> None:
    alt = {"mystnb": {"image": {"alt": "A falling curve"}}}
    built = build(index=notebook("# T\n\n<img src='data:,x' alt='A dot'>", plotted(**alt)))
    assert (built.warnings, built.status) == ("", 0)
    assert 'alt="A falling curve"' in built.page()


def test_failed_build_fails_again(build: Build) -> None:
    page, message = FAULTS["plot without alt"]
    for _ in range(2):
        built = build(index=page)
        assert built.status == 1
        assert re.search(message, built.warnings)


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ({"rate": "0.5"}, True),
        ({"rate": "5e-1"}, True),
        ({"rate": "0.10"}, True),
        ({"rate": "0.2"}, False),
        ({"kind": "tanh"}, True),
        ({"kind": "relu"}, False),
        ({"rate": "0.5", "kind": "relu", "bias": "false"}, True),
        ({"start": "-6,4.0"}, True),
        ({"start": "-6,5"}, False),
        ({"bias": "true"}, True),
    ],
)
def test_bank_holds_settings_by_value(wanted: dict[str, str], held: bool) -> None:
    figure = state.Figure(
        kind="Any",
        hosted=True,
        settings={"rate": 0.1, "kind": "tanh", "bias": True, "start": [1.0, 0.5]},
        bank=(
            {"rate": "0.5", "kind": "tanh", "bias": "true", "start": "1,0.5"},
            {"rate": "0.5", "kind": "relu", "bias": "false", "start": "1,0.5"},
            {"rate": "0.1", "kind": "tanh", "bias": "true", "start": "-6,4"},
        ),
    )
    assert figure.holds(wanted) is held


# ---- the checkout ----


def test_cache_of_outputs_follows_the_sources(tmp_path: Path) -> None:
    package = tmp_path / "nnlib"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("A = 1\n")
    before = extension.sources_digest(tmp_path)
    (package / "__pycache__" / "x.pyc").write_text("compiled")
    assert extension.sources_digest(tmp_path) == before
    (package / "view.js").write_text("draw()")
    after = extension.sources_digest(tmp_path)
    assert after != before
    (package / "__init__.py").write_text("A = 2\n")
    assert extension.sources_digest(tmp_path) not in (before, after)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/book.git", "https://github.com/someone/book"),
        ("git@github.com:someone/my.book.git", "https://github.com/someone/my.book"),
        ("ssh://git@github.com/someone/book", "https://github.com/someone/book"),
        ("https://token@github.com/someone/book", "https://github.com/someone/book"),
        ("https://example.org/someone/book.git", ""),
        (None, ""),
    ],
)
def test_links_lead_to_the_checkouts_own_remote(tmp_path: Path, remote: str | None, address: str) -> None:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=trunk", tmp_path], check=True)
    if remote:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    options = extension.repository_options(tmp_path)
    if not address:
        assert options == {}
        return
    assert options["repository_url"] == address
    assert options["repository_branch"] == "trunk"
    assert options["use_repository_button"] is True
    assert options["launch_buttons"]["binderhub_url"] == "https://mybinder.org"


def test_folder_without_git_has_no_links(tmp_path: Path) -> None:
    assert extension.repository_options(tmp_path) == {}


def test_unknown_chapter_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "losses.ipynb").write_text("{}")
    with pytest.raises(SystemExit, match=r"no chapter 'loses'.*There are: losses"):
        chapter.build_chapter(tmp_path, "loses")


def test_server_is_for_this_machine_alone(tmp_path: Path) -> None:
    with serve.server(str(tmp_path)) as book:
        assert book.server_address[0] == "127.0.0.1"


# ---- notebooks ----


def test_outputs_are_stored_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    code = (
        "import ipywidgets\nimport numpy as np\nprint('one')\nprint('two')\n"
        "display(ipywidgets.IntSlider(3))\nnp.random.default_rng(0).random(3).round(4)"
    )
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["kept"]})
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    monkeypatch.setattr("sys.argv", ["notebooks", str(path)])
    notebooks.main()
    first = path.read_bytes()
    notebooks.main()
    assert path.read_bytes() == first
    stored = nbformat.reads(first.decode(), as_version=4)
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    assert stored.cells[0].id == cell.id
    assert stored.cells[0].metadata == {"tags": ["kept"]}
    stream, slider, result = stored.cells[0].outputs
    assert stream.text == "one\ntwo\n"
    assert set(slider.data) == {"text/plain"}
    assert result.data["text/plain"] == "array([0.637 , 0.2698, 0.041 ])"


def test_failing_notebook_is_named_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bad.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    monkeypatch.setattr("sys.argv", ["notebooks", str(path)])
    with pytest.raises(SystemExit, match=r"(?s)bad\.ipynb.*ZeroDivisionError"):
        notebooks.main()
    assert path.read_bytes() == before


# ---- the host, in a browser ----


@pytest.fixture
def page() -> Iterator[Page]:
    """Return a page of the system's Chromium that reaches no host."""
    chromium = browsers.chromium()
    if chromium.missing:
        (pytest.fail if browsers.required() else pytest.skip)(chromium.missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.where[0], args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()


def test_views_of_one_model_share_its_state(build: Build, page: Page) -> None:
    built = build(index=notebook("# T", shown("one"), shown("one"), shown("two"), one=model(), two=model("b")))
    page.goto((built.output / "index.html").as_uri())
    views = page.locator(".livepage-view button")
    expect(views).to_have_count(3)
    views.nth(0).click()
    for view in (views.nth(0), views.nth(1)):
        expect(view).to_have_text("a: 2, initialised 1, bytes 1 2, page true")
    expect(views.nth(2)).to_have_text("b: 1, initialised 1, bytes 1 2, page true")
    expect(page.locator(".livepage-poster")).to_have_count(0)
    expect(views.nth(0)).to_have_css("color", "rgb(0, 128, 0)")


def test_linked_traits_follow_each_other(build: Build, page: Page) -> None:
    link = {
        "model_name": "LinkModel",
        "model_module": "@jupyter-widgets/controls",
        "state": {
            "_model_name": "LinkModel",
            "source": ["IPY_MODEL_one", "count"],
            "target": ["IPY_MODEL_two", "count"],
        },
    }
    built = build(index=notebook("# T", shown("one"), shown("two"), one=model(), two=model("b"), link=link))
    page.goto((built.output / "index.html").as_uri())
    views = page.locator(".livepage-view button")
    views.nth(1).click()
    views.nth(0).click()
    expect(views.nth(0)).to_contain_text("a: 3")
    expect(views.nth(1)).to_contain_text("b: 3")


def test_view_that_fails_leaves_its_poster(build: Build, page: Page) -> None:
    built = build(index=notebook("# T", shown("one"), shown("two"), one=model(broken=True), two=model("b")))
    page.goto((built.output / "index.html").as_uri())
    expect(page.locator(".livepage-view button")).to_have_count(1)
    expect(page.locator("#a > .livepage-poster")).to_be_visible()
    expect(page.locator(".livepage-poster")).to_have_count(1)


PREDICTION = """# T

````{admonition} Predict
:class: predict
Which?

```{dropdown} Left
No.
```
```{dropdown} Right
Yes.
```
````
"""


def test_first_answer_opened_is_the_readers(build: Build, page: Page) -> None:
    page.goto((build(index=PREDICTION).output / "index.html").as_uri())
    box = page.locator(".admonition.predict")
    expect(box.get_by_role("status")).to_contain_text("first answer you open is yours")
    box.locator("summary").nth(1).focus()
    page.keyboard.press("Enter")
    expect(box.get_by_role("status")).to_contain_text("Your answer: Right.")
    expect(box.locator("details[open]")).to_have_count(2)
    expect(box.locator(".predict-chosen")).to_have_count(1)
    box.locator("summary").nth(0).click()
    expect(box.locator(".predict-chosen summary")).to_contain_text("Right")


def test_prediction_is_plain_without_javascript(build: Build) -> None:
    page = build(index=PREDICTION).page()
    assert page.count("<details") == 2
    assert "predict-status" not in page


# A view that shows its recordings as they reach it, in base64.
READER = """
export default {
  render({ model, el }) {
    const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
    el.append(...["a", "b", "c"].map((name) => {
      const line = document.createElement("p");
      line.textContent = text(model.get("bank")[name]);
      return line;
    }));
  },
};
"""


def test_recordings_are_packed_together_and_read_again_byte_by_byte(build: Build, page: Page) -> None:
    rng = np.random.default_rng(3)

    def recording(frames: int, **more: np.ndarray) -> bytes:
        made = {
            "loss": rng.normal(size=frames).cumsum(),
            "weights": rng.normal(size=(frames, 3)).cumsum(axis=0).astype(np.float32),
            "map": rng.normal(size=(frames, 5)),
            "update": np.arange(frames),
            **more,
        }
        recording = recordings.Recording(made, {"x": np.linspace(0, 1, 9)})
        return recordings.pack(recording, {"map": recordings.Encoding("u2", lo=-4, hi=4)})

    # The last one has no such array where the others have one, and another type in its place.
    made = {"a": recording(40), "b": recording(7, odd=np.ones(7)), "c": recording(12, odd=np.ones(12, int))}
    buffers = [
        {"path": ["bank", name], "encoding": "base64", "data": base64.b64encode(data).decode()}
        for name, data in made.items()
    ]
    model_of = model(_esm=READER) | {"buffers": buffers}
    built = build(index=notebook("# One\n\nText.", shown("m"), m=model_of))
    page.goto((built.output / "index.html").as_uri())
    expect(page.locator(".livepage-view p")).to_have_count(3)
    for line, data in zip(page.locator(".livepage-view p").all_inner_texts(), made.values(), strict=True):
        assert base64.b64decode(line) == b"NNR0" + zlib.decompress(data[4:])
    stored = re.search(f'<script type="{re.escape(STATE)}">(.*?)</script>', built.page())
    pack = json.loads(stored[1])["state"]["m"]["pack"]
    assert {size for size, _ in pack["columns"]} >= {1, 4, 8}
    assert any(differences for _, differences in pack["columns"])
    assert len(base64.b64decode(pack["data"])) < sum(map(len, made.values()))


def test_a_model_without_recordings_is_left_alone():
    model = {"buffers": [{"path": ["picture"], "encoding": "base64", "data": "AAAA"}]}
    state.pack_recordings(model)
    assert model == {"buffers": [{"path": ["picture"], "encoding": "base64", "data": "AAAA"}]}

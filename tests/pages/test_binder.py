"""A rehearsal of Binder: JupyterLab with only what `binder/` lists, and figures that answer from its kernel."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from . import book
from .conftest import listen
from .drivers import end, wait_for
from .hands import Hands

CHAPTER = "gradient_descent"

# What Binder does after the packages are installed is in binder/postBuild; these two say the rest.
LISTED = (book.ROOT / "binder" / "requirements.txt", book.ROOT / "constraints.txt")
NOT_CLONED = shutil.ignore_patterns(".*", "_build", "build", "dist", "node_modules", "*.egg-info", "__pycache__")

LINKED = """
import ipywidgets
from nnlib.widgets import TrainingStepper

one = TrainingStepper(figure_id="one")
two = TrainingStepper(figure_id="two", title="The same, more slowly", learning_rate=0.03)
ipywidgets.jslink((one, "step"), (two, "step"))
ipywidgets.HBox([one, two])
"""

# JupyterLab asks about news in a dialog, and its server about newer versions.
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}

EXECUTED = """() => {
  const prompts = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")];
  return prompts.length > 0 && prompts.every(prompt => /[0-9]/.test(prompt.textContent));
}"""


# How many pixels of a figure's heat-maps are black, a colour that no theme has in them.
BLACK = """root => [...root.querySelectorAll("canvas")].reduce((count, canvas) => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] === 255 && !data[i] && !data[i + 1] && !data[i + 2]) count += 1;
  }
  return count;
}, 0)"""


def environment() -> Path:
    """Make the environment that `binder/` describes, or take the one that was made from the same files before."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in LISTED) + sys.version.encode()).hexdigest()[:16]
    folder = book.ROOT / ".cache" / f"binder-{digest}"
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        ask = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*ask, "--requirement", LISTED[0]], check=True)
        done.touch()
    return folder


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run JupyterLab on a copy of the repository; give the address of its file tree."""
    home = tmp_path_factory.mktemp("binder")
    clone = home / "book"
    shutil.copytree(book.ROOT, clone, ignore=NOT_CLONED)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LINKED.strip())])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, clone / "linked.ipynb")

    folder = environment()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER", "VIRTUAL_ENV"))
    }
    clean = kept | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([clone / "binder" / "postBuild"], cwd=clone, env=clean, check=True, stdout=subprocess.DEVNULL)
    overrides = folder / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(QUIET), encoding="utf-8")

    with (home / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [
                folder / "bin" / "python", "-m", "jupyterlab", "--no-browser", "--allow-root",
                "--ip=127.0.0.1", "--port=0",
                "--IdentityProvider.token=", "--LabApp.extension_manager=readonly", f"--ServerApp.root_dir={clone}",
            ],
            env=clean, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        described = wait_for(lambda: next((home / "runtime").glob("jpserver-*.json"), None))
        yield wait_for(lambda: json.loads(described.read_text(encoding="utf-8") or "{}").get("url")) + "lab/tree/"
    finally:
        end(process)


@pytest.fixture
def lab(chromium: Browser, jupyterlab: str) -> Iterator[Page]:
    """Give a window for JupyterLab. At the end no fault may have been met."""
    faults: list[str] = []
    context = chromium.new_context(viewport={"width": 1600, "height": 1200}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    # JupyterLab warns where a machine is slow; its errors would be ours.
    listen(context, (jupyterlab.removesuffix("lab/tree/"),), faults, levels=("error",))
    yield context.new_page()
    context.close()
    # jupyterlab-myst looks for a term in the open notebook alone; the book's terms are in its glossary.
    faults = [fault for fault in faults if "Cross reference target was not found: term-" not in fault]
    assert not faults, "\n".join(faults)


def run_all(page: Page, address: str) -> None:
    """Open a notebook and run all its cells."""
    page.goto(f"{address}?reset")
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(EXECUTED, timeout=120_000)


def test_the_kernel_answers_in_the_chapter(lab: Page, jupyterlab: str) -> None:
    run_all(lab, f"{jupyterlab}chapters/{CHAPTER}.ipynb")
    assert lab.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    figure_id = lab.locator("[data-instrument=training_stepper]").first.get_attribute("id")
    hands = Hands(lab, figure_id).ready()
    hands.root.scroll_into_view_if_needed()
    # A figure below the window is not laid out, and takes its colours from the theme once it is.
    lab.wait_for_function(f"root => ({BLACK})(root) === 0", arg=hands.root.element_handle())
    hands.reset()
    hands.root.focus()
    for key, step in (("ArrowRight", 1), ("ArrowLeft", 0), ("End", hands.last)):  # JupyterLab wants these keys too
        lab.keyboard.press(key)
        hands.at(step)
    before = hands.seen()
    seed = hands.setting("Seed")
    with hands.redrawn():
        seed.fill("4242")
        seed.press("Enter")
    expect(hands.root).to_have_attribute("data-source", "kernel")
    hands.slider.press("End")
    after = hands.seen()
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert hands.warned == ""


def test_linked_figures_move_together(lab: Page, jupyterlab: str) -> None:
    run_all(lab, f"{jupyterlab}linked.ipynb")
    one, two = Hands(lab, "one").ready(), Hands(lab, "two").ready()
    boxes = [hands.root.bounding_box() for hands in (one, two)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"], "they do not stand side by side"
    said = two.said
    one.button("Step forward").click()
    one.at(1)
    two.at(1)
    assert two.said != said
    two.slider.press("End")
    two.at(two.last)
    one.at(min(two.last, one.last))

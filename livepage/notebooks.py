"""Execute the chapters and store their outputs: ``python -m livepage.notebooks [chapters/losses.ipynb ...]``.

What is stored is byte-identical as long as code and results are: no times, no widget state, no names of one
run. The cells keep their ids. So a change of one number is one changed line, and ``pytest --nbval`` compares
real outputs.
"""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
AT_ONCE = 2


async def execute(path: Path) -> bool:
    """Execute one notebook in its own folder and store its outputs; return whether the file changed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name=METADATA["kernelspec"]["name"],
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    await client.async_execute()
    clean(notebook)
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    # Written beside it and then renamed, so that a break leaves the old notebook whole.
    draft = path.with_suffix(".ipynb.new")
    draft.write_text(after, encoding="utf-8")
    draft.replace(path)
    return True


def clean(notebook: nbformat.NotebookNode) -> None:
    """Drop what a second run would write differently, and what a live view needs but a file does not."""
    kept = {name: value for name, value in notebook.metadata.items() if name not in ("widgets", *METADATA)}
    notebook.metadata = nbformat.from_dict({**kept, **METADATA})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "data" in output:
                output.data.pop(VIEW, None)


async def execute_all(paths: list[Path]) -> list[str]:
    """Execute the notebooks, two at a time, and say how it goes; return what went wrong."""
    turn = asyncio.Semaphore(AT_ONCE)
    problems: list[str] = []

    async def one(path: Path) -> None:
        async with turn:
            start = time.perf_counter()
            try:
                changed = await execute(path)
            except CellExecutionError as error:
                problems.append(f"{path}: {error}")
                print(f"  {path}: failed", flush=True)
            else:
                seconds = time.perf_counter() - start
                print(f"  {path}: {'changed' if changed else 'as before'} ({seconds:.1f} s)", flush=True)

    await asyncio.gather(*map(one, paths))
    return problems


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="the notebooks (default: chapters/*.ipynb)")
    paths = parser.parse_args().notebooks or sorted(Path("chapters").glob("*.ipynb"))
    root = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    print(f"Executing {len(paths)} notebooks:", flush=True)
    problems = asyncio.run(execute_all(paths))
    if problems:
        sys.exit("\n\n".join(problems))


if __name__ == "__main__":
    main()

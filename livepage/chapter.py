"""Build one chapter alone, quickly, for its writer: ``python -m livepage.chapter losses``."""

import argparse
from pathlib import Path

import yaml
from jupyter_book.sphinx import build_sphinx

# The pages which a chapter leans on: its terms and its references.
COMPANIONS = ("notation", "glossary", "references")


def build_chapter(root: Path, name: str) -> Path:
    """Build ``chapters/<name>`` and the pages it leans on into a folder of its own.

    Parameters
    ----------
    root
        The checkout's folder.
    name
        The chapter's file name without suffix.

    Returns
    -------
    Path
        The built page. Links to chapters that were not built stay dead in it.
    """
    sources = {path.stem for pattern in ("*.ipynb", "*.md") for path in (root / "chapters").glob(pattern)}
    if name not in sources:
        known = ", ".join(sorted(sources))
        raise SystemExit(f"There is no chapter {name!r} in chapters/. There are: {known}.")
    folder = root / "_build" / f"chapter-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "format": "jb-book",
        "root": f"chapters/{name}",
        "chapters": [{"file": f"chapters/{other}"} for other in COMPANIONS if other in sources - {name}],
    }
    toc = folder / "_toc.yml"
    toc.write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
    status = build_sphinx(
        str(root),
        str(folder / "html"),
        path_config=str(root / "_config.yml"),
        noconfig=True,
        doctreedir=str(folder / "doctrees"),
        confoverrides={
            "external_toc_path": str(toc),
            "external_toc_exclude_missing": True,
            "latex_individualpages": False,
            "livepage_whole_book": False,
            "suppress_warnings": [
                "myst.domains",
                "myst.xref_missing",
                "ref.doc",
                "ref.numref",
                "ref.ref",
                "ref.term",
            ],
        },
    )
    if status:
        raise SystemExit(f"chapters/{name} has problems: see the messages above.")
    return folder / "html" / "chapters" / f"{name}.html"


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the chapter's file name without suffix, as in chapters/<name>.ipynb")
    print(build_chapter(Path.cwd(), parser.parse_args().name))


if __name__ == "__main__":
    main()

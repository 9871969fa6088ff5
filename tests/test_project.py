"""What the project says about itself: pins, links, and the example in the README."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)(?:\s*;.*)?")
PAGES = sorted(path.name for path in ROOT.glob("*.md"))


def lines(name: str) -> list[str]:
    """Return the requirements in a file, without comments and options."""
    text = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in text if line.strip() and not line.startswith(("#", "-"))]


def pins(name: str) -> set[tuple[str, str]]:
    """Return the (name, version) pairs of a file in which every line is pinned exactly."""
    found = [PINNED.fullmatch(line) for line in lines(name)]
    assert all(found), (
        f"{name}: not pinned exactly: {[line for line, m in zip(lines(name), found, strict=True) if not m]}"
    )
    return {(match[1].lower(), match[2]) for match in found}


def test_constraints_hold_every_direct_requirement() -> None:
    missing = pins("requirements.txt") - pins("constraints.txt")
    assert not missing, f"run `make constraints`: {missing}"


def test_binder_installs_what_the_book_pins() -> None:
    assert "-c ../constraints.txt" in (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line.lower() for line in lines("binder/requirements.txt")} <= {name for name, _ in pins("requirements.txt")}


def test_pins_name_no_host() -> None:
    for name in ("requirements.txt", "constraints.txt", "binder/requirements.txt", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name


def test_library_needs_numpy_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [re.split(r"[<>=~! ]", dependency)[0] for dependency in project["dependencies"]] == ["numpy"]


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_projects_pages_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target.split("#")[0]).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_named_targets_are_in_the_makefile(page: str) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


def test_example_in_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example
    exec(compile(example[1], "README.md", "exec"), {})
    losses = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)

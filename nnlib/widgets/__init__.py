"""The book's interactive figures, one ``<instrument>.py`` + ``<instrument>.js`` pair each.

>>> from nnlib.widgets import TrainingStepper

Nothing is listed by hand: a pair of files in this folder is an instrument, and its class has the same name in
CamelCase.
"""

from importlib import import_module
from pathlib import Path

_FOLDER = Path(__file__).parent

STEMS = tuple(
    sorted(
        path.stem
        for path in _FOLDER.glob("*.js")
        if path.with_suffix(".py").exists() and path.stem != "stepper"
    )
)
__all__ = [stem.title().replace("_", "") for stem in STEMS]


def __getattr__(name: str) -> type:
    if name not in __all__:
        raise AttributeError(f"nnlib.widgets has no instrument {name!r}; it has {', '.join(__all__)}")
    return load(STEMS[__all__.index(name)])


def __dir__() -> list[str]:
    return [*__all__, "STEMS", "load"]


def load(stem: str) -> type:
    """Return the class of the instrument whose files are called `stem`: ``load("training_stepper")``."""
    return getattr(import_module(f".{stem}", __name__), stem.title().replace("_", ""))

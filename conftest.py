"""Keep the cells of a notebook on one worker: they share one kernel."""

import pytest
from nbval.plugin import IPyNbCell


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all cells of a notebook one group for ``pytest -n 2 --dist loadgroup``."""
    for item in items:
        if isinstance(item, IPyNbCell):
            item.add_marker(pytest.mark.xdist_group(item.path.name))

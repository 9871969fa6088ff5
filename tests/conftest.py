"""What all tests share: the first lines of a run say which browsers the page tests will use."""

import pytest
from pages import browsers


def pytest_report_header() -> str:
    """Name the browsers, or what to install."""
    return browsers.report()


# Faults of the pages that are known and not yet mended; each is told in the report of a run.
KNOWN_FAULTS = {
    "test_phone_does_not_scroll_sideways[chapters/backpropagation.html]": "at 768 px the page scrolls sideways",
    "test_dark_and_light_both_draw[chapters/backpropagation.html#break_the_gradient]": (
        "after dark and light the drawing differs by what the mouse was over"
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the known faults."""
    for item in items:
        if item.name in KNOWN_FAULTS:
            item.add_marker(pytest.mark.xfail(reason=KNOWN_FAULTS[item.name], strict=False))

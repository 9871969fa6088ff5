"""What all tests share: the first lines of a run say which browsers the page tests will use."""

from hypothesis import settings
from pages import browsers

# A slow machine is no fault of the code.
settings.register_profile("book", deadline=None)
settings.load_profile("book")


def pytest_report_header() -> str:
    """Name the browsers, or what to install."""
    return browsers.report()

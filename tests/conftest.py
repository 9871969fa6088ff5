"""What all tests share: the first lines of a run say which browsers the page tests will use."""

from pages import browsers


def pytest_report_header() -> str:
    """Name the browsers, or what to install."""
    return browsers.report()

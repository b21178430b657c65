"""What tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser import Browser, browser


@pytest.fixture(scope="session", name="browser")
def browser_() -> Iterator[Browser]:
    """Chromium, or the test is skipped."""
    with browser() as started:
        yield started

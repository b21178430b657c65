"""The page as a file: it opens, loads nothing, and runs nothing but its own scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser import Browser
from relutopo.explorer.page import Page
from relutopo.explorer.scene import Frame, Scene


@pytest.mark.slow
def test_an_empty_page_opens(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    Page(Scene("complex", "nothing yet", (Frame("", {}),))).save(path)
    with browser.opened(path) as opened:
        assert opened.page.title() == "nothing yet"
        assert opened.complaints == []
        assert opened.requests == []

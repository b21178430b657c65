"""A browser for tests of pages: the system's Chromium, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
    # Only what asks for a card is drawn by one in software, which takes longer.
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
)


def executable() -> str:
    """Return the browser, or skip the test."""
    given = os.environ.get("RELUTOPO_BROWSER")
    found = given or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no browser: install chromium, or name one by RELUTOPO_BROWSER")
    return found


@dataclass
class Opened:
    """A page in the browser.

    Attributes
    ----------
    page : playwright.sync_api.Page
    complaints : list of str
        Errors and warnings of the console, and errors that nobody caught.
    requests : list of str
        What the page asked for, but itself.
    """

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def js(self, script: str, argument: Any = None) -> Any:
        """Return the value of an expression in the page; ``rt`` is the page's own object."""
        return self.page.evaluate(
            f"(argument) => {{ const rt = relutopo; return ({script}); }}", argument
        )

    def until(self, script: str, seconds: float = 10.0) -> None:
        """Wait until an expression in the page is true; its policy lets nobody wait inside."""
        for _ in range(int(seconds / 0.05)):
            if self.js(script):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{script} was not true within {seconds} s")


class Browser:
    """Opens pages, and notes what they complain of and ask for."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextmanager
    def opened(
        self,
        path: Path,
        address: str = "",
        *,
        width: int = 1280,
        height: int = 900,
        script: str = "",
        is_page: bool = True,
        **options: Any,
    ) -> Iterator[Opened]:
        """Open a file, and close it in the end; a script runs first.

        A page of relutopo's is waited for; another file may have one in a frame.
        """
        size = {"width": width, "height": height}
        context = self._chromium.new_context(viewport=size, accept_downloads=True, **options)
        try:
            opened = Opened(context.new_page())
            page, url = opened.page, path.resolve().as_uri()
            page.on("console", lambda m: self._note(opened, m))
            page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            page.on(
                "request",
                lambda r: (
                    None
                    if r.url.startswith((url, "data:", "blob:"))
                    else opened.requests.append(r.url)
                ),
            )
            if script:
                page.add_init_script(script)
            page.goto(url + address)
            if is_page:
                # Promises that the browser's tools wait for may be collected as garbage.
                opened.until("document.documentElement.dataset.state === 'ready'", 60)
                script = "!rt.data.scene.charts || document.documentElement.dataset.charts"
                opened.until(f"{script} === 'ready'", 60)
            yield opened
        finally:
            context.close()

    @staticmethod
    def _note(opened: Opened, message: Any) -> None:
        # Software drawing tells of its own slowness.
        if message.type in ("error", "warning") and "GPU stall" not in message.text:
            opened.complaints.append(message.text)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield Browser(chromium)
        finally:
            chromium.close()

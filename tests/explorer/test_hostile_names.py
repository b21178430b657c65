"""Names are words, whatever they look like: a page runs nothing but its own scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import relutopo as rt
from browser import Browser
from relutopo.explorer.page import embedded

NAMES = [
    "<script>globalThis.hit = 1</script>",
    "</script><script>globalThis.hit = 1</script>",
    "<!--<script>",
    '<img src=x onerror="globalThis.hit = 1">',
    "\"'`{{style}}${globalThis.hit = 1}",
    "javascript:globalThis.hit=1",
    '=HYPERLINK("x")',
    "größe ∂∂ = 0 \u2028\u2029 עברית 漢字 \U0001f6a9",
    "\x00\x1b[2J\ud800",
    "__proto__",
]


def complex_() -> rt.CellComplex:
    network = ([[[1.0, 0.5], [0.25, -1.0], [1.0, 1.0]], [[1.0, 1.0, -1.0]]], [[0, 0.1, -0.3], [0]])
    return rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")


def test_data_leave_no_mark_that_html_knows() -> None:
    for name in NAMES:
        assert not set("<>&\u2028\u2029") & set(embedded({name: [name]}))


@pytest.mark.slow
def test_a_page_of_hostile_names_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    cells = complex_()
    rng = np.random.default_rng(0)
    n = len(NAMES)
    points = pd.DataFrame(rng.uniform(-1, 1, (10 * n, 2)), columns=NAMES[:2])
    labels = np.repeat(NAMES, 10)
    columns = {name: np.arange(cells.n_regions, dtype=float) for name in NAMES}
    columns["words"] = np.array(NAMES)[np.arange(cells.n_regions) % n]
    path = tmp_path / "page.html"
    page = rt.explore(
        cells, path, points=points, labels=labels, columns=columns, title=" ".join(NAMES)
    )
    inline = tmp_path / "inline.html"
    inline.write_text(f"<!doctype html><body>{page._repr_html_()}", "utf-8")
    with browser.opened(path, "#colour=words&region=0") as opened:
        for button in ("show-glossary", "show-keys"):
            opened.page.locator(f"#{button}").click()
            opened.page.keyboard.press("Escape")
        for name in opened.js("[...rt.current.quantities.keys()]"):
            opened.js("rt.store.set({colour: argument, region: rt.store.get('region') + 1})", name)
        box = opened.page.locator("#regions").bounding_box()
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        opened.page.wait_for_timeout(100)
        assert opened.page.evaluate("globalThis.hit") is None
        assert opened.page.locator("img, script[src], iframe").count() == 0
        shown = opened.page.locator("#colour").inner_text()
        assert all(name in shown for name in NAMES[:4])
        assert NAMES[0] in opened.page.title()
        saved = opened.js("rt.table()")
        assert '"\'=HYPERLINK(""x"")"' in saved
        drawing = opened.js("rt.drawing(80)")
        assert "<script" not in drawing
        assert opened.complaints == []
        assert opened.requests == []


@pytest.mark.slow
def test_long_names_and_words_leave_the_page_its_width(browser: Browser, tmp_path: Path) -> None:
    cells = complex_()
    name, word = "x" * 3000, "W" * 2000
    columns: dict[str, Any] = {name: np.arange(cells.n_regions), "words": [word] * cells.n_regions}
    path = tmp_path / "page.html"
    rt.explore(cells, path, columns=columns)
    with browser.opened(path, "#region=0") as opened:
        for colour in (name, "words"):
            opened.js("rt.store.set({colour: argument})", colour)
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280
        panel = opened.page.locator("#region-panel").bounding_box()
        for entry in opened.page.locator(".numbers dt, .numbers dd").all():
            box = entry.bounding_box()
            assert panel["x"] <= box["x"]
            assert box["x"] + box["width"] <= panel["x"] + panel["width"]
        assert opened.complaints == []

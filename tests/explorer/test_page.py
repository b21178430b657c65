"""The page as a file: it opens, loads nothing, and runs nothing but its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import relutopo as rt
from browser import Browser
from relutopo.errors import InputError
from relutopo.explorer.page import SCRIPTS, Page
from relutopo.explorer.scene import Frame, Scene


@pytest.mark.slow
def test_an_empty_page_opens(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    Page(Scene("complex", "nothing yet", (Frame("", {}),))).save(path)
    with browser.opened(path) as opened:
        assert opened.page.title() == "nothing yet"
        assert opened.complaints == []
        assert opened.requests == []


@pytest.mark.slow
def test_a_notebook_shows_the_page_in_a_frame(browser: Browser, tmp_path: Path) -> None:
    network = ([[[1.0, 0.5], [0.25, -1.0]], [[1.0, 1.0]]], [[0.0, 0.1], [0.0]])
    page = rt.explore(rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact"))
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset='utf-8'><body>{page._repr_html_()}", "utf-8")
    with browser.opened(path, is_page=False) as opened:
        frame = opened.page.frames[1]
        frame.wait_for_selector("html[data-state=ready]")
        assert frame.evaluate("relutopo.current.nRegions") == 4
        frame.evaluate("relutopo.store.set({region: 2})")
        frame.wait_for_timeout(500)
        assert frame.locator("#region-panel h2").inner_text() == "Region 2"
        assert opened.complaints == []
        assert opened.requests == []


def test_only_the_scripts_of_the_page_may_run() -> None:
    html = Page(Scene("complex", "t", (Frame("", {}),)), ["globalThis.library = 1"]).html
    (policy,) = re.findall(r'content="(default-src[^"]*)"', html)
    assert "unsafe-eval" not in policy
    assert "default-src &#x27;none&#x27;" in policy
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == len(SCRIPTS) + 1
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    assert re.findall(r"sha256-([^&]*)&", policy) == hashes


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    page = Page(Scene("complex", "t", (Frame("", {}),)))
    page.save(path)
    assert path.read_text("utf-8") == page.html
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]


def test_a_path_that_cannot_be_written_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("mine", "utf-8")
    for path, words in (
        (tmp_path / "folder.html", r"folder\.html', a folder; choose another name"),
        (tmp_path / "file" / "new" / "page.html", "file' is a file; choose another folder"),
        ("a\0.html", "a name with a null character"),
    ):
        with pytest.raises(InputError, match=words):
            rt.explore(5, path)  # the path is looked at first
    with pytest.raises(OSError, match="too long"):
        Page(Scene("complex", "t", (Frame("", {}),))).save(tmp_path / f"{'n' * 300}.html")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": 5}, "`x` must be a complex, a partition, a diagram"),
        ({"labels": [0, 1]}, "`points` must be given with `labels`"),
        ({"points": [[0.0]]}, r"`points` must have shape \(n, 2\)"),
        ({"columns": {"a": [1.0]}}, "one entry for each of the 4 regions"),
        ({"columns": [1.0]}, "`columns` must be a mapping"),
        ({"path": ""}, "`path` must be a path, got ''"),
        ({"path": "page.pdf"}, r"`path` must end in \.html, .* pass for example 'page\.html'"),
        ({"path": "out/"}, r"`path` must end in \.html"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], words: str) -> None:
    network = ([[[1.0, 0.5], [0.25, -1.0]], [[1.0, 1.0]]], [[0.0, 0.1], [0.0]])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    with pytest.raises(InputError, match=words):
        rt.explore(**{"x": complex_, **arguments})


@pytest.mark.slow
def test_pages_of_the_documentation_are_made(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "docs" / "examples" / "pages.py"
    pages = runpy.run_path(str(source))
    assert len(pages["SITUATIONS"]) == 8
    for name, situation in pages["SITUATIONS"].items():
        assert len(situation.make(tmp_path / name).html) > 10**6
        assert (source.parents[1] / "figures" / f"explore_{name}.png").exists()

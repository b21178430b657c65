"""One page: markup, style, scripts and data in one file that needs nothing else.

Invariants: the only scripts are those of `SCRIPTS` and of installed libraries, each allowed by its
hash, so that nothing else runs, whatever names occur in the data; the page loads nothing. Data are
in script elements that browsers do not run, with ``<``, ``>`` and ``&`` escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache, cached_property
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from relutopo.checks import check_path
from relutopo.errors import InputError
from relutopo.explorer.scene import Scene
from relutopo.reports.shown import Shown
from relutopo.system.files import atomic_write

__all__ = ["HEIGHT", "SCRIPTS", "Page"]

SCRIPTS = (
    "store.js",
    "data.js",
    "format.js",
    "state.js",
    "colours.js",
    "order.js",
    "locate.js",
    "frame.js",
    "section.js",
    "surfaces.js",
    "camera.js",
    "gl.js",
    "regions.js",
    "lines.js",
    "dots.js",
    "map.js",
    "axes.js",
    "spin.js",
    "cutting.js",
    "space.js",
    "tip.js",
    "pointer.js",
    "region.js",
    "legend.js",
    "controls.js",
    "keys.js",
    "save.js",
    "charts.js",
    "time.js",
    "diagram.js",
    "spectrum.js",
    "parts.js",
    "histogram.js",
    "main.js",
)
"""The page's own scripts in ``static``, in the order in which they run."""
STYLES = ("page.css", "charts.css")
HEIGHT = 760
"""Pixels of a page in a notebook."""
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


class Page(Shown):
    """A page in one file, which shows itself in notebooks too; `relutopo.explore` gives it.

    Parameters
    ----------
    scene : Scene
        What it shows.
    libraries : sequence of str
        Scripts of other packages, which run before those of the page.

    Attributes
    ----------
    scene : Scene
        What it shows.

    Examples
    --------
    >>> from relutopo.explorer.scene import Frame
    >>> page = Page(Scene("complex", "nothing yet", (Frame("", {}),)))
    >>> page.html.startswith("<!doctype html>"), "https:" in page.html
    (True, False)
    """

    def __init__(self, scene: Scene, libraries: Sequence[str] = ()) -> None:
        self.scene = scene
        self._libraries = tuple(libraries)

    def __repr__(self) -> str:
        return f"Page({self.scene.title!r}, {len(self.html) / 2**20:.1f} MB)"

    @cached_property
    def html(self) -> str:
        """The page as one text."""
        scripts = [*self._libraries, *map(static, SCRIPTS)]
        hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
        policy = (
            f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
            "img-src data: blob:; base-uri 'none'; form-action 'none'"
        )
        data = [_data("scene", self.scene.described())]
        frames = enumerate(self.scene.frames)
        data += [_data(f"frame-{i}", frame.packed()) for i, frame in frames if frame.is_made]
        parts = {
            "policy": escape(policy),
            "title": escape(self.scene.title),
            "style": "".join(map(static, STYLES)),
            "data": "\n".join(data),
            "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
        }
        # What is put in is not searched for further places.
        before, *rest = static("page.html").split("{{")
        filled = [before]
        for piece in rest:
            name, _, behind = piece.partition("}}")
            filled += [parts[name], behind]
        return "".join(filled)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, atomically.

        Parameters
        ----------
        path : path-like
            Ends in ``.html``, so that a double click opens it.

        Raises
        ------
        InputError
            If it is no such path.
        """
        with atomic_write(check_page_path(path)) as file:
            file.write(self.html.encode())

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts allow-downloads" '
            f'title="{escape(self.scene.title)}" width="100%" height="{HEIGHT}" '
            'style="border: 0"></iframe>'
        )


def check_page_path(path: Any, name: str = "path") -> Path:
    """Return the path of a page that comes in from outside.

    Parameters
    ----------
    path : path-like
        Ends in ``.html`` or ``.htm``.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If it is no path, a file of another kind, a folder, or below a file.

    Examples
    --------
    >>> check_page_path("page.pdf")
    Traceback (most recent call last):
    relutopo.errors.InputError: `path` must end in .html, as a page is HTML, got 'page.pdf'; ...
    """
    checked = Path(check_path(path, "page.html", name))
    if checked.suffix.lower() not in (".html", ".htm"):
        example = str(checked.parent / f"{checked.stem.lstrip('.') or 'page'}.html")
        raise InputError(
            f"`{name}` must end in .html, as a page is HTML, got {str(checked)!r}; pass for "
            f"example {example!r}"
        )
    if "\0" in str(checked) or checked.is_dir():
        what = "a folder" if checked.is_dir() else "a name with a null character"
        raise InputError(
            f"`{name}` must be a file that can be written, got {str(checked)!r}, {what}; choose "
            "another name"
        )
    above = next((folder for folder in checked.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise InputError(
            f"`{name}` must lie in a folder, got {str(checked)!r}, but {str(above)!r} is a file; "
            "choose another folder"
        )
    return checked


@cache
def static(name: str) -> str:
    """Return a file of the page.

    Examples
    --------
    >>> "createStore" in static("store.js")
    True
    """
    return (resources.files("relutopo.explorer") / "static" / name).read_text(encoding="utf-8")


def _data(name: str, content: Any) -> str:
    return f'<script type="application/json" id="{name}">{embedded(content)}</script>'


def embedded(content: Any) -> str:
    r"""Return JSON that can stand in a script of a page, whatever its words are.

    Examples
    --------
    >>> embedded("</script>")
    '"\\u003c/script\\u003e"'
    """
    return json.dumps(content, allow_nan=False, ensure_ascii=False).translate(_ESCAPES)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

"""A family of complexes that are made when somebody looks at them: in a notebook with a kernel.

The page holds the first complex. It asks the notebook around it for the others, each when the
slider comes to rest on it, and what answers is a widget of anywidget, whose messages reach the
kernel in Jupyter, JupyterLab, VS Code and whatever else shows widgets. Saved to a file, and where
anywidget is not installed, it is the page of the whole family, all of it made before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from relutopo.errors import InputError
from relutopo.explorer.charts import alike, with_charts
from relutopo.explorer.families import member, scene_of_family
from relutopo.explorer.page import HEIGHT, Page, static
from relutopo.explorer.scene import Frame, Scene
from relutopo.explorer.scenes import scene_of
from relutopo.optional import require
from relutopo.system.untrusted import printable

__all__ = ["LivePage", "named_entries"]


def named_entries(family: Any) -> dict[str, Any]:
    """Return the entries of a family with their names.

    Parameters
    ----------
    family : mapping of str to anything, or iterable
        Entries of an iterable are named by what they are.

    Raises
    ------
    InputError
        If it is none, or empty.

    Examples
    --------
    >>> named_entries([-0.5, 0.1 + 0.2]), named_entries({"first": 1})
    ({'-0.5': -0.5, '0.3': 0.30000000000000004}, {'first': 1})
    """
    if isinstance(family, str) or not isinstance(family, Iterable):
        raise InputError(
            f"`family` must be what `x` is called with, one after another, got {family!r}; pass "
            "for example numpy.linspace(-1, 1, 21)"
        )
    if isinstance(family, Mapping):
        named = {str(name): entry for name, entry in family.items()}
    else:
        entries = list(family)
        names = [f"{e:.6g}" if isinstance(e, float) else str(e) for e in entries]
        if len(set(names)) < len(names):
            names = [f"{name}, number {i + 1}" for i, name in enumerate(names)]
        named = dict(zip(names, entries, strict=True))
    if not named:
        raise InputError("`family` must have an entry at least, got none; pass one or more")
    return named


class LivePage(Page):
    """The page of a family whose complexes are made when they are looked at.

    Parameters
    ----------
    function : callable
        Returns the complex, partition or diagram of an entry.
    family : mapping of str to anything
        Entries by name.
    libraries : sequence of str
        See `relutopo.Page`.
    points, labels, title
        See `relutopo.explore`.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        family: Mapping[str, Any],
        libraries: Sequence[str] = (),
        *,
        title: str | None = None,
        **data: Any,
    ) -> None:
        self._function, self._family = function, dict(family)
        self._names, self._libraries = tuple(family), tuple(libraries)
        self._title, self._data = title, data
        self._made: dict[str, Any] = {}
        self._scenes: dict[int, Scene] = {}
        self._scene_at(0)  # what is wrong shall be said at once

    def __repr__(self) -> str:
        return f"LivePage({len(self._made)} of {len(self._names)} complexes made)"

    @cached_property
    def scene(self) -> Scene:  # type: ignore[override]
        """All of the family, each complex made."""
        named = {name: self._object(name) for name in self._names}
        return with_charts(scene_of_family(named, **self._data, title=self._title))

    def packed(self, index: int) -> str:
        """Return the frame of a complex, which is made now if it was not before."""
        return alike((self._frame(0), self._frame(index)))[1].packed()

    @cached_property
    def beginning(self) -> Page:
        """The page with the first complex, which must ask for the others."""
        first = self._scene_at(0)
        others = [Frame(printable(name), {}, is_made=False) for name in self._names[1:]]
        frames = (self._frame(0), *others)
        scene = replace(
            first,
            kind="family",
            frames=frames,
            title=first.title if self._title is None else printable(str(self._title)),
            summary=frames[0].facts["summary"],
            notes=(),
            facts={**first.facts, "time": {"noun": "complex"}},
        )
        return Page(with_charts(scene), self._libraries)

    @cached_property
    def widget(self) -> Any:
        """The widget that shows the page, and makes what the page asks for.

        Raises
        ------
        MissingExtraError
            If anywidget is not installed.
        """
        anywidget: Any = require("anywidget", "a page that makes complexes as one looks at them")
        import traitlets

        traits: dict[str, Any] = {
            "_esm": static("widget.js"),
            "html": traitlets.Unicode(self.beginning.html).tag(sync=True),
            "title": traitlets.Unicode(self.beginning.scene.title).tag(sync=True),
            "height": traitlets.Int(HEIGHT).tag(sync=True),
        }
        widget = type("LivePageWidget", (anywidget.AnyWidget,), traits)()
        widget.on_msg(self._answer)
        return widget

    def _answer(self, widget: Any, content: Any, _: Any) -> None:
        index = content.get("wanted") if isinstance(content, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(self._names):
            return
        try:
            answer = {"frame": self.packed(index)}
        except Exception as error:  # of the function of others; the page says it
            answer = {"error": f"{type(error).__name__}: {error}"}
        widget.send({"wanted": index, **answer})

    def _object(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._function(self._family[name])
        return self._made[name]

    def _scene_at(self, index: int) -> Scene:
        if index not in self._scenes:
            self._scenes[index] = scene_of(self._object(self._names[index]), **self._data)
        return self._scenes[index]

    def _frame(self, index: int) -> Frame:
        scene = self._scene_at(index)
        count = {"complexes": f"{len(self._names)}"}
        frame = member(self._names[index], scene, count, self._title, like=self._scene_at(0))
        notes = [{"kind": note.kind, "text": note.text} for note in scene.notes]
        return replace(frame, facts={**frame.facts, "notes": notes})

    def _ipython_display_(self) -> None:
        display: Any = require("IPython", "showing a page in a notebook").display.display
        if find_spec("anywidget") is not None:
            display(self.widget)
        else:
            display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)

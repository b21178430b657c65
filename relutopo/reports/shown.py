"""What an object says of itself where it is the last line of a notebook's cell: a small table."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["Shown", "html_table"]

_MOST = 200
"""Characters of a value that are shown."""


def html_table(title: str, facts: Mapping[str, object]) -> str:
    """Return a table of two columns as HTML.

    Parameters
    ----------
    title : str
    facts : mapping
        Values of any kind, by what they are. Floats are shortened, sequences are joined.

    Examples
    --------
    >>> html_table("Box", {"volume": 4.0})
    '<table><caption>Box</caption><tr><th>volume</th><td>4</td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def _text(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, (tuple, list)):
        text = ", ".join(map(_text, value))
    else:
        text = str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


class Shown:
    """An object that notebooks show as a table of what one wants to know of it.

    Examples
    --------
    >>> class Point(Shown):
    ...     def _facts(self):
    ...         return {"x": 0.5}
    >>> Point()._repr_html_()
    '<table><caption>Point</caption><tr><th>x</th><td>0.5</td></tr></table>'
    """

    def _facts(self) -> Mapping[str, object]:
        """Return what the table says; by default what `repr` does."""
        return {"": repr(self)}

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._facts())

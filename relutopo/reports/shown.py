"""The small table that shows an object in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["Shown"]

_MOST = 200
"""Characters of a value that are shown."""


def _text(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, (tuple, list)):
        text = ", ".join(map(_text, value))
    else:
        text = str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


class Shown:
    """An object that notebooks show as a table of its main facts.

    Floats are shortened, sequences joined.

    Examples
    --------
    >>> class Point(Shown):
    ...     def _facts(self):
    ...         return {"x": 0.5}
    >>> Point()._repr_html_()
    '<table><caption>Point</caption><tr><th>x</th><td>0.5</td></tr></table>'
    """

    def _facts(self) -> Mapping[str, object]:
        """Return the rows of the table; by default its `repr`."""
        return {"": repr(self)}

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(_text(value))}</td></tr>"
            for name, value in self._facts().items()
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"

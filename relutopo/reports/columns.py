"""Declarations of the columns of tables, and rows and tables made from them.

Invariant: every column of a row is declared as a `Column`, with its unit and its meaning. A column
without a value on a network has its `missing` value there, and rows of equal settings have the same
columns in the same order.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from relutopo.errors import BackendError
from relutopo.system.files import atomic_write

__all__ = ["Column", "column_names", "column_of", "markdown_table", "row_of", "save_columns"]

_TEXT = "text"
_NUMBERS = (bool, int, float)
"""Types of numbers that a row keeps as they are."""


@dataclass(frozen=True)
class Column:
    """One column of a table of rows, or one for each dimension.

    Attributes
    ----------
    name : str
        If it contains ``{k}``, there is a column for each dimension k = 0, 1, ..., `last`. Other
        single letters in braces stand for numbers, longer words in braces for words.
    unit : str
        What its numbers count or measure, ``"1"`` for plain numbers, ``"text"`` for words.
    meaning : str
    last : {"d", "d - 1"}
        The last dimension, where d is the dimension of the complex.

    Examples
    --------
    >>> Column("n_cells_{k}", "cells", "cells of dimension k").names(2)
    ('n_cells_0', 'n_cells_1', 'n_cells_2')
    """

    name: str
    unit: str
    meaning: str
    last: Literal["d", "d - 1"] = "d"

    def names(self, dim: int) -> tuple[str, ...]:
        """Return the names for a complex of `dim` dimensions."""
        if not self.is_by_dimension:
            return (self.name,)
        n = dim + 1 if self.last == "d" else dim
        return tuple(self.name.format(k=k) for k in range(n))

    def is_named(self, name: str) -> bool:
        """Whether a name is that of this column, or of one of these columns.

        Examples
        --------
        >>> Column("n_cells_{k}", "cells", "cells of dimension k").is_named("n_cells_2")
        True
        """
        pattern = re.escape(self.name)
        for placeholder in re.findall(r"\\\{\w+\\\}", pattern):
            matching = r"\d+" if len(placeholder) == len(r"\{k\}") else ".+"
            pattern = pattern.replace(placeholder, matching)
        return re.fullmatch(pattern, name) is not None

    @property
    def is_by_dimension(self) -> bool:
        """Whether there is a column for each dimension."""
        return "{k}" in self.name

    @property
    def explained(self) -> str:
        """The meaning, with the dimensions for which there is a column."""
        return self.meaning + (f" (k = 0, ..., {self.last})" if self.is_by_dimension else "")

    @property
    def missing(self) -> float | None:
        """The entry where there is no value: NaN, or None for text."""
        return None if self.unit == _TEXT else float("nan")


def column_of(columns: Iterable[Column], name: str) -> Column:
    """Return the column with a name."""
    return next(column for column in columns if column.name == name)


def column_names(columns: Iterable[Column], dim: int) -> dict[str, float | None]:
    """Return the names that columns have for a complex, in order, each with its missing value.

    Neighbouring columns that depend on k are grouped by dimension: all of dimension 0 first.

    Parameters
    ----------
    columns : iterable of Column
    dim : int
        Dimensions of the complex.

    Examples
    --------
    >>> pair = [Column("low_{k}", "1", "a", "d - 1"), Column("high_{k}", "1", "b", "d - 1")]
    >>> list(column_names([*pair, Column("method", "text", "c")], 2))
    ['low_0', 'high_0', 'low_1', 'high_1', 'method']
    """
    return dict(_names(_Same(tuple(columns)), dim))


class _Same:
    """A tuple of columns as a key that equals that of the same object: hashing columns is slow."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.columns is self.columns

    def __hash__(self) -> int:
        return id(self.columns)


@lru_cache
def _names(same: _Same, dim: int) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    together: list[Column] = []

    def take() -> None:
        lists = [column.names(dim) for column in together]
        for names in zip(*lists, strict=True):
            for column, name in zip(together, names, strict=True):
                found[name] = column.missing
        together.clear()

    for column in same.columns:
        before = together[-1] if together else column
        if not (column.is_by_dimension and before.is_by_dimension and column.last == before.last):
            take()
        together.append(column)
    take()
    return found


def row_of(
    owner: object, columns: Iterable[Column], values: Mapping[str, Any], dim: int
) -> dict[str, Any]:
    """Return a row: a value for each column, in order, as plain numbers and words.

    Parameters
    ----------
    owner : object
        The object that declared the columns and computed the values.
    columns : iterable of Column
    values : mapping of str to number, bool, str or None
        Columns without a value get their missing value.
    dim : int
        Dimensions of the complex.

    Raises
    ------
    BackendError
        If a value belongs to no column, or is a word where a number belongs, or the reverse.
    """
    row: dict[str, Any] = column_names(columns, dim)
    kind = type(owner).__name__
    for name, value in values.items():
        if type(value) in _NUMBERS and row.get(name) is not None:
            row[name] = value
            continue
        if name not in row:
            raise BackendError(
                f"{kind} must give values of its columns only, {', '.join(row)}, got one for "
                f"{name!r}; declare that column"
            )
        row[name] = _plain(kind, name, value, is_text=row[name] is None)
    return row


def _plain(kind: str, name: str, value: Any, *, is_text: bool) -> Any:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if is_text and (value is None or isinstance(value, str)):
        return value
    if not is_text and value is None:
        return float("nan")
    if not is_text and isinstance(value, (bool, int, float)):
        return value
    if not is_text and isinstance(value, numbers.Real):
        return float(value)
    raise BackendError(
        f"{kind} must give a {'word' if is_text else 'number'} for its column {name!r}, got "
        f"{type(value).__name__}; give one such value, or declare the column with "
        f"{'its unit' if is_text else 'the unit text'}"
    )


def markdown_table(columns: Iterable[Column]) -> str:
    """Return a table of columns, their units and meanings, in Markdown.

    Examples
    --------
    >>> print(markdown_table([Column("value", "1", "the Fiedler value")]), end="")
    | column | unit | meaning |
    | --- | --- | --- |
    | `value` | 1 | the Fiedler value |
    """
    lines = ["| column | unit | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{entry.name}` | {entry.unit} | {entry.explained} |" for entry in columns]
    return "\n".join(lines) + "\n"


def save_columns(columns: Iterable[Column], folder: Path) -> None:
    """Write ``columns.md``, which says what the columns of the folder's ``results`` are."""
    page = f"# Columns of `results`\n\n{markdown_table(columns)}"
    with atomic_write(folder / "columns.md") as file:
        file.write(page.encode())

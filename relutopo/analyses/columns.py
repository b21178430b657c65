"""The dictionary of columns: ``python -m relutopo.analyses.columns > docs/columns.md``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from textwrap import indent, wrap
from typing import Any

from relutopo import registry
from relutopo.analyses.association import COLUMNS_OF_ASSOCIATIONS
from relutopo.analyses.base import Analysis, analysis_class
from relutopo.checks import kind_of
from relutopo.errors import InputError
from relutopo.geometry.tables import COLUMNS_OF_NEURONS, COLUMNS_OF_REGIONS
from relutopo.homology.cycles import COLUMNS_OF_CYCLES
from relutopo.paths.path_signatures import COLUMNS_OF_PATHS
from relutopo.paths.tables import COLUMNS_OF_SEGMENTS
from relutopo.reports.columns import Column, markdown_table
from relutopo.signatures.base import Signature
from relutopo.signatures.local_complexity import COLUMNS_OF_LOCAL_COMPLEXITY
from relutopo.spectral.search_tables import COLUMNS_OF_SEARCH, COLUMNS_OF_SEARCH_POINTS
from relutopo.spectral.table import COLUMNS_OF_PARTS, COLUMNS_OF_SIDES

__all__ = ["Columns", "columns", "dictionary"]

_INTRODUCTION = """\
# Columns

What the tables hold, from the declarations in the code; this page is made by
`python -m relutopo.analyses.columns`. In Python ``rt.columns(table)`` explains the columns of a
table, ``rt.columns("partition")`` those that a kind of table has. Every folder of results has the
page of its table, ``columns.md``. A name with `{k}` stands for a column for each dimension k; d is
that of the complex. ``{i}`` stands for an axis, ``{j}`` for an output (from 0), ``{label}`` for a
label. Where there is no value, numbers are NaN and text is empty.

Signatures look at a network and its training data alone. Any of them can be added to every row of
an analysis of checkpoints: `signatures=["betti_peaks", ...]` in Python, also of a `Tracker`, and
`relutopo 'signature=[betti_peaks,...]'`. What looks at held-out data is a measure.
"""
_TABLES = {
    "regions_table": ("Table of `CellComplex.regions_table`", COLUMNS_OF_REGIONS),
    "neurons_table": ("Table of `CellComplex.neurons_table`", COLUMNS_OF_NEURONS),
    "partition_table": ("Table of `FiedlerPartition.table`", COLUMNS_OF_SIDES),
    "parts_table": ("Table of `SpectralPartition.table`", COLUMNS_OF_PARTS),
    "search_table": ("Table of `RegionSearch.table`", COLUMNS_OF_SEARCH),
    "search_points_table": ("Table of `RegionSearch.points_table`", COLUMNS_OF_SEARCH_POINTS),
    "local_complexity_table": ("Table of `LocalCounts.table`", COLUMNS_OF_LOCAL_COMPLEXITY),
    "associations": ("Table of associations of an analysis of homology", COLUMNS_OF_ASSOCIATIONS),
    "cycles_table": ("Table of `Cycles.table`", COLUMNS_OF_CYCLES),
    "segments_table": ("Table of `Segments.table`", COLUMNS_OF_SEGMENTS),
    "path_signatures": ("Numbers of `path_signatures`", COLUMNS_OF_PATHS),
}
_WIDTH = 88


@dataclass(frozen=True, repr=False)
class Columns:
    """Columns of tables with what they mean; `columns` gives them.

    Attributes
    ----------
    title : str
    of_names : mapping of str to Column
        By their names.

    Examples
    --------
    >>> print(Columns("few", {"volume": Column("volume", "1", "how large it is")}))
    few
      volume [1]
          how large it is
    """

    title: str
    of_names: Mapping[str, Column]

    def __repr__(self) -> str:
        lines = [self.title]
        for name, column in self.of_names.items():
            lines.append(f"  {name} [{column.unit}]")
            lines.append(indent("\n".join(wrap(column.explained, _WIDTH - 6)), " " * 6))
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.of_names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.of_names)

    def __getitem__(self, name: str) -> Column:
        return self.of_names[name]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(column.unit)}</td>"
            f"<td>{escape(column.explained)}</td></tr>"
            for name, column in self.of_names.items()
        )
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<tr><th>column</th><th>unit</th><th>meaning</th></tr>{rows}</table>"
        )


def columns(table: Any = None) -> Columns:
    """Return what the columns of a table mean.

    Parameters
    ----------
    table : DataFrame or str, optional
        A table of relutopo's: its columns. A name, such as ``"regions_table"``, or that of an
        analysis or a signature: all columns that such a table may have. By default those of all
        tables, named by the table and a point in front.

    Returns
    -------
    Columns
        Shows itself as text, and as a table in notebooks; ``columns(...)[name].meaning`` is one.

    Raises
    ------
    InputError
        If there is no such table, or the table has no column of relutopo's.

    Examples
    --------
    >>> columns("neurons_table")["facet_measure"].meaning
    'measure of these facets: their length in the plane'
    >>> import relutopo as rt
    >>> step = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    >>> print(columns(step.regions_table()[["volume", "offset_0"]]))
    2 of 2 columns
      volume [volume]
          its d-dimensional volume: length for d = 1, area for d = 2
      offset_0 [output]
          the entry of c, likewise
    """
    every = _every_table()
    if table is None:
        return Columns(
            "columns of all tables",
            {f"{name}.{c.name}": c for name, (_, listed) in every.items() for c in listed},
        )
    if isinstance(table, str):
        if table not in every:
            raise _no_table(table, every)
        title, listed = every[table]
        return Columns(title.replace("`", ""), {column.name: column for column in listed})
    given = getattr(table, "columns", None)
    if isinstance(table, (Analysis, Signature)) or given is None:
        raise InputError(
            f"`table` must be a DataFrame or one of {', '.join(every)}, got "
            f"{kind_of(table)}; pass the table itself or the name of its kind"
        )
    names = [str(name) for name in given]
    # The kind of table that knows most of the columns explains them first.
    kinds = sorted(
        (listed for _, listed in every.values()),
        key=lambda listed: -sum(_among(listed, name) is not None for name in names),
    )
    found: dict[str, Column] = {}
    for name in names:
        column = next((c for c in (_among(kind, name) for kind in kinds) if c is not None), None)
        if column is not None:
            found[name] = column
    if not found:
        raise InputError(
            f"`table` must have columns that relutopo writes, got {', '.join(names[:5]) or 'none'};"
            f" pass a table of its own, or one of {', '.join(every)}"
        )
    return Columns(f"{len(found)} of {len(names)} columns", found)


def _no_table(name: str, every: Mapping[str, tuple[str, tuple[Column, ...]]]) -> InputError:
    holders = [kind for kind, (_, listed) in every.items() if _among(listed, name) is not None]
    if holders:
        remedy = f"it is a column: relutopo.columns({holders[0]!r})[{name!r}] is what it means"
    else:
        close = get_close_matches(name, every, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        remedy = f"{meant}relutopo.columns() lists the columns of all"
    return InputError(
        f"`table` must be a DataFrame or one of {', '.join(every)}, got {name!r}; {remedy}"
    )


def _among(listed: Iterable[Column], name: str) -> Column | None:
    """Return the column that a name is one of."""
    return next((column for column in listed if column.is_named(name)), None)


def _every_table() -> dict[str, tuple[str, tuple[Column, ...]]]:
    """Return the columns of every kind of table, by its name, with a title."""
    every = dict(_TABLES)
    for name in registry.built_in("analysis"):
        every[name] = (f"Analysis `{name}`", analysis_class(name).columns_of_rows())
    for name in registry.built_in("signature"):
        signature: Any = registry.constructor("signature", name)
        every[name] = (f"Signature `{name}`", tuple(signature.columns))
    return every


def dictionary() -> str:
    """Return a page with the columns of all tables, built-in analyses and signatures.

    Examples
    --------
    >>> print(dictionary().splitlines()[0])
    # Columns
    """
    parts = [f"## {title}\n\n{markdown_table(listed)}" for title, listed in _every_table().values()]
    return "\n".join([_INTRODUCTION, *parts])


if __name__ == "__main__":
    print(dictionary(), end="")

"""Tables of reports: at the terminal, the text of their cells, and on disk.

All tables at the terminal are made by `new_table`, so that they look the same. Rich and pandas are
imported when they are used.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.system.files import atomic_write
from relutopo.system.untrusted import open_regular

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = [
    "known_part",
    "load_table",
    "mean_and_range",
    "mean_and_worst",
    "new_table",
    "range_of_steps",
    "save_table",
    "spread",
]

_MOST_ENTRIES_PER_BYTE, _FEW_ENTRIES = 100, 10_000_000
"""A table with more entries than both limits allow is refused: equal entries take few bytes."""
_MOST_TEXT = 2**28


def new_table(
    names: Iterable[str], numbers: Iterable[str], *, title: str = "", wrap_numbers: bool = False
) -> Table:
    """Return an empty table for the terminal.

    Parameters
    ----------
    names : iterable of str
        Headings of the first columns, whose cells are words.
    numbers : iterable of str
        Headings of the columns that follow, whose cells are aligned on the right.
    title : str, optional
    wrap_numbers : bool, default False
        Whether a narrow terminal may break the headings and cells of the columns of numbers.

    Returns
    -------
    rich.table.Table

    Examples
    --------
    >>> table = new_table(["step"], ["regions", "edges"])
    >>> table.add_row("graph", "12", "14")
    >>> [column.justify for column in table.columns]
    ['left', 'right', 'right']
    """
    require("rich", "the summary")
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=not wrap_numbers)
    return table


def known_part(
    title: str, headings: Collection[str], rows: Mapping[str, Sequence[str]]
) -> tuple[Table, list[str]]:
    """Return a table without its unknown rows and columns, and the names of these.

    Parameters
    ----------
    title : str
        Left out if no row is left.
    headings : collection of str
        Of the columns.
    rows : mapping of str to sequence of str
        The cells of each row by its name; an unknown cell is ``"-"``.

    Returns
    -------
    rich.table.Table
    list of str

    Examples
    --------
    >>> table, unknown = known_part("", ["mean", "p"], {"a": ["1", "-"], "b": ["-", "-"]})
    >>> table.row_count, unknown
    (1, ['b', 'p'])
    """
    known = {name: cells for name, cells in rows.items() if any(cell != "-" for cell in cells)}
    is_known = [
        any(column != "-" for column in columns) for columns in zip(*known.values(), strict=True)
    ]
    shown = list(compress(headings, is_known))
    table = new_table([""], shown, title=title if known else "")
    for name, cells in known.items():
        table.add_row(name, *compress(cells, is_known))
    unknown = [name for name in rows if name not in known]
    return table, unknown + [name for name in headings if known and name not in shown]


def spread(values: pd.Series[Any]) -> dict[str, str]:
    """Return count, mean, standard deviation, minimum and maximum, as cells of a table.

    Parameters
    ----------
    values : pandas.Series
        Numbers, NaN for unknown ones.

    Returns
    -------
    dict of str to str
        ``jobs``, ``mean``, ``sd``, ``least`` and ``greatest``; ``"-"`` for unknown ones.

    Examples
    --------
    >>> import pandas
    >>> spread(pandas.Series([1.0, 2.0, float("nan")]))
    {'jobs': '2 of 3', 'mean': '1.5', 'sd': '0.7071', 'least': '1', 'greatest': '2'}
    """
    n, n_known = len(values), values.count()
    numbers = {
        "mean": values.mean(),
        "sd": values.std(),
        "least": values.min(),
        "greatest": values.max(),
    }
    return {
        "jobs": str(n) if n == n_known else f"{n_known} of {n}",
        **{column: f"{x:.4g}" if x == x else "-" for column, x in numbers.items()},
    }


def mean_and_range(values: pd.Series[Any], form: str) -> str:
    """Return mean, minimum and maximum of the known values, as text of one cell.

    Parameters
    ----------
    values : pandas.Series
    form : str
        Format of a number. For whole numbers, ``".0f"``, the mean has one more digit.

    Examples
    --------
    >>> import pandas
    >>> mean_and_range(pandas.Series([0.25, 0.75]), "+.2f").replace(chr(92), "")
    '+0.50 [0.25, 0.75]'
    """
    if not values.notna().any():
        return "-"
    mean_form = ".1f" if form == ".0f" else form
    form = form.lstrip("+")  # so that a table of three columns fits 80 characters
    return f"{values.mean():{mean_form}} \\[{values.min():{form}}, {values.max():{form}}]"


def mean_and_worst(values: pd.Series[Any], *, with_worst: bool) -> str:
    """Return mean and minimum of numbers of at most 1, as text of one cell.

    Parameters
    ----------
    values : pandas.Series
    with_worst : bool
        Whether to show the minimum.

    Examples
    --------
    >>> import pandas
    >>> mean_and_worst(pandas.Series([0.5, 1.0, None]), with_worst=True).replace(chr(92), "")
    '.750 [.500] (1 unknown)'
    """
    if values.isna().all():
        return "-"
    worst = f" \\[{_share(values.min())}]" if with_worst else ""
    n_unknown = int(values.isna().sum())
    return _share(values.mean()) + worst + (f" ({n_unknown} unknown)" if n_unknown else "")


def _share(value: float) -> str:
    """Return a number of at most 1 as short text, so that four columns fit 80 characters."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def range_of_steps(steps: pd.Series[Any]) -> str:
    """Return the range of some steps as text of one cell; NaN means never reached.

    Examples
    --------
    >>> import pandas
    >>> range_of_steps(pandas.Series([200.0, 50.0, None])), range_of_steps(pandas.Series([7.0]))
    ('50-200 (1 never)', '7')
    """
    known = steps.dropna()
    if not len(known):
        return "never"
    first, last = f"{known.min():.0f}", f"{known.max():.0f}"
    text = first if known.min() == known.max() else f"{first}-{last}"
    return text + (f" ({len(steps) - len(known)} never)" if len(known) < len(steps) else "")


def load_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a ``.parquet`` table that `save_table` wrote.

    Raises
    ------
    InputError
        If it is missing or damaged, contains anything but numbers, words and truth values, or
        declares far more entries than its file can hold.
    """
    parquet = require("pyarrow.parquet", "a Parquet table")
    arrow = require("pyarrow", "a Parquet table")
    path = Path(path)
    reason: object = "it is missing"
    if path.exists() or path.is_symlink():
        try:
            with open_regular(path) as file:
                return _table_in(arrow, parquet, file)
        except (OSError, ValueError, KeyError, TypeError, MemoryError) as error:
            reason = error  # pyarrow raises errors of these kinds
    raise InputError(f"{str(path)!r} must be a table of a job, but it cannot be read ({reason})")


def _table_in(arrow: Any, parquet: Any, file: BinaryIO) -> pd.DataFrame:
    """Return the table in an open file, after checking the size that it declares."""
    schema = parquet.read_schema(file)
    types = arrow.types
    words = [f.name for f in schema if types.is_string(f.type) or types.is_large_string(f.type)]
    for entry in schema:
        is_number = types.is_integer(entry.type) or types.is_floating(entry.type)
        is_plain = is_number or types.is_boolean(entry.type) or types.is_null(entry.type)
        if not is_plain and entry.name not in words:
            raise ValueError(f"column {entry.name[:60]!r} is of type {str(entry.type)[:60]}")
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("it has a column twice")
    file.seek(0)
    # Equal words of a column are stored only once.
    opened = parquet.ParquetFile(file, read_dictionary=words)
    size = file.seek(0, os.SEEK_END)
    n_entries = opened.metadata.num_rows * len(schema)
    if n_entries > _MOST_ENTRIES_PER_BYTE * size + _FEW_ENTRIES:
        raise ValueError(f"it declares {n_entries} entries in {size} bytes")
    table = opened.read(use_pandas_metadata=False).replace_schema_metadata(None)
    n_bytes = sum(
        len(chunk) * max((len(word.as_py() or "") for word in chunk.dictionary), default=0)
        for name in words
        for chunk in table.column(name).chunks
        if types.is_dictionary(chunk.type)
    )
    if n_bytes > _MOST_TEXT:
        raise ValueError(f"it declares {n_bytes} bytes of text")
    frame: pd.DataFrame = table.cast(schema.remove_metadata()).to_pandas()
    return frame


def save_table(table: pd.DataFrame, stem: str | os.PathLike[str]) -> None:
    """Write a table as ``<stem>.parquet`` and ``<stem>.csv``, atomically."""
    require("pyarrow", "a Parquet table")
    path = Path(stem)
    with atomic_write(path.with_suffix(".parquet")) as file:
        table.to_parquet(file, index=False)
    with atomic_write(path.with_suffix(".csv")) as file:
        table.to_csv(file, index=False)

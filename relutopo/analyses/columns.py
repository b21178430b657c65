"""The dictionary of columns: ``python -m relutopo.analyses.columns > docs/columns.md``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relutopo import registry
from relutopo.analyses.base import analysis_class
from relutopo.analyses.checkpoints import ALONG_A_RUN, CheckpointAnalysis
from relutopo.reports.columns import Column

__all__ = ["dictionary"]

_INTRODUCTION = """\
# Columns

What the tables of an analysis hold, from the declarations in the code; this page is made by
`python -m relutopo.analyses.columns`. A name with `{k}` stands for a column for each dimension k;
d is that of the complex. Where there is no value, numbers are NaN and text is empty.

Signatures look at a network and its training data alone. Any of them can be added to every row of
an analysis of checkpoints: `signatures=["betti_peaks", ...]` in Python, also of a `Tracker`, and
`relutopo 'signature=[betti_peaks,...]'`. What looks at held-out data is a measure.
"""


def dictionary() -> str:
    """Return a page with the columns of all built-in analyses and signatures.

    Examples
    --------
    >>> print(dictionary().splitlines()[0])
    # Columns
    """
    parts = [_INTRODUCTION]
    for name in registry.built_in("analysis"):
        kind = analysis_class(name)
        columns = [*kind.columns]
        if issubclass(kind, CheckpointAnalysis):
            along = ("step", *kind.of_history)
            columns = [*(entry for entry in ALONG_A_RUN if entry.name in along), *columns]
        parts.append(f"## Analysis `{name}`\n\n{_table(columns)}")
    for name in registry.built_in("signature"):
        signature: Any = registry.constructor("signature", name)
        parts += [f"## Signature `{name}`\n\n{_table(signature.columns)}"]
    return "\n".join(parts)


def _table(columns: Iterable[Column]) -> str:
    lines = ["| column | unit | meaning |", "| --- | --- | --- |"]
    for column in columns:
        k = f" (k = 0, ..., {column.last})" if column.is_by_dimension else ""
        lines.append(f"| `{column.name}` | {column.unit} | {column.meaning}{k} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(dictionary(), end="")

"""What every job of the `relutopo` command leaves: tables, settings, progress, a summary."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relutopo.interfaces import Progress
from relutopo.optional import require
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = [
    "Conclusion",
    "environment",
    "fraction",
    "in_order",
    "progress_bar",
    "save_json",
    "save_summary",
    "save_table",
    "short",
    "show",
    "sort_key",
    "three_steps",
    "versions",
]

SECONDS_BETWEEN_LINES = 10.0
"""How often a log file hears of work that goes on."""
_PIECE = re.compile(r"((?:(?<!\w)-)?\d+\.?\d*(?:e[-+]?\d+)?)|.", re.DOTALL)
"""A number within text, or one character."""
_progress_log = logging.getLogger("relutopo.progress")
_PACKAGES = (
    "relutopo",
    "numpy",
    "scipy",
    "numba",
    "pyamg",
    "phat",
    "torch",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "hydra-core",
)


@dataclass(frozen=True)
class Conclusion:
    """What came of a job.

    Attributes
    ----------
    summary : sequence of rich renderables
        For the person at the terminal.
    measures : mapping of str to float
        The numbers by which jobs of a sweep are compared; the most important first. NaN where
        there is none.
    """

    summary: Sequence[RenderableType]
    measures: Mapping[str, float]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, or ``"not installed"``.

    Examples
    --------
    >>> versions(["no such package"])
    {'no such package': 'not installed'}
    """
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def environment(seed: int) -> dict[str, Any]:
    """Return the seed, and the versions of everything that a result may depend on.

    Examples
    --------
    >>> sorted(environment(0))
    ['machine', 'packages', 'platform', 'python', 'seed']
    """
    return {
        "seed": seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(_PACKAGES),
    }


def save_table(table: pd.DataFrame, stem: str | os.PathLike[str]) -> None:
    """Write a table as ``<stem>.parquet`` and ``<stem>.csv``, atomically."""
    require("pyarrow", "a Parquet table")
    path = Path(stem)
    with atomic_write(path.with_suffix(".parquet")) as file:
        table.to_parquet(file, index=False)
    with atomic_write(path.with_suffix(".csv")) as file:
        table.to_csv(file, index=False)


def three_steps(steps: Sequence[int]) -> list[int]:
    """Return the first, the middle and the last of some steps, the middle on a log axis.

    Parameters
    ----------
    steps : sequence of int
        Ascending, at least one.

    Examples
    --------
    >>> three_steps([0, 1, 8, 10, 70, 100])
    [0, 10, 100]
    """
    middle = min(steps, key=lambda step: abs(np.log1p(step) - np.log1p(steps[-1]) / 2))
    return sorted({steps[0], middle, steps[-1]})


def fraction(value: float, digits: int = 3) -> str:
    """Write a fraction, but never as 1 what is less than 1.

    Examples
    --------
    >>> fraction(0.9996), fraction(1.0), fraction(0.998, digits=2), fraction(float("nan"))
    ('0.999', '1.000', '0.99', '-')
    """
    if np.isnan(value):
        return "-"
    most = 1 - 10.0**-digits
    return f"{min(value, most) if value < 1 else value:.{digits}f}"


def short(value: object) -> str:
    """Return a value as a table shows it.

    Examples
    --------
    >>> short(0.26444745987645224), short("arpack")
    ('0.2644', 'arpack')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Sort values of a swept key, or tuples of values of several keys; see `sort_key`.

    Examples
    --------
    >>> in_order(["[128,128]", "[8,8]", "[16]", "[16,4]", "[8]"]), in_order([10, 2.5])
    (['[8]', '[8,8]', '[16]', '[16,4]', '[128,128]'], [2.5, 10])
    >>> in_order([("b", 10), ("b", 9), ("a", 11)])
    [('a', 11), ('b', 9), ('b', 10)]
    """
    return sorted(values, key=sort_key)


def sort_key(value: Any) -> list[Any]:
    """Return what a value of a setting is sorted by.

    Numbers are sorted by size, also those within text, and before what is no number; lists, which
    tables hold as text, element by element; tuples by their first values, then by their second.
    """
    if isinstance(value, tuple):
        return [sort_key(one) for one in value]
    if isinstance(value, (int, float)):
        return [(1, value)]
    pieces = ((piece[1], piece[0]) for piece in _PIECE.finditer(str(value)))
    # A list that ends stands before one that goes on.
    return [(1, float(n)) if n else (0 if text == "]" else 2, text) for n, text in pieces]


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """Show a progress bar on a terminal, and write plain lines to the log file.

    Workers that share the terminal with others draw no bar: bars would overwrite each other.

    Parameters
    ----------
    description : str
        What goes on.

    Yields
    ------
    Progress
        To be called with (done, total, message).
    """
    require("rich", "a progress bar")
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("elapsed,"),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("left;"),
        rich_progress.TextColumn("{task.fields[message]}"),
    )
    is_alone = Console().is_terminal and multiprocessing.parent_process() is None
    begin = logged = time.monotonic()
    with rich_progress.Progress(*columns, disable=not is_alone) as bar:
        task = bar.add_task(description, total=None, message="")

        def update(done: int, total: int, /, message: str = "") -> None:
            nonlocal logged
            bar.update(task, completed=done, total=total, message=message)
            now = time.monotonic()
            if done >= total or now - logged >= SECONDS_BETWEEN_LINES:
                logged = now
                text = f"{description} {done}/{total}, {now - begin:.0f} s; {message}"
                _progress_log.info("%s", text)

        yield update


def save_summary(parts: Sequence[RenderableType], directory: str | os.PathLike[str]) -> None:
    """Write a summary as plain text to ``summary.txt``.

    Parameters
    ----------
    parts : sequence of rich renderables
    directory : path-like
        Where the run's files are.
    """
    require("rich", "the summary")
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=100, color_system=None).print(*parts, sep="\n")
    with atomic_write(Path(directory) / "summary.txt") as file:
        file.write(text.getvalue().encode())


def show(parts: Sequence[RenderableType], directory: str | os.PathLike[str]) -> None:
    """Print a summary, and where the files are.

    Parameters
    ----------
    parts : sequence of rich renderables
    directory : path-like
        Where the run's files are.
    """
    require("rich", "the summary")
    from rich.console import Console

    console = Console()
    console.print(*parts, sep="\n")
    console.print(f"files: {os.fspath(directory)}", soft_wrap=True)  # a path must not be broken


def save_json(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain values as JSON, atomically."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=2).encode())

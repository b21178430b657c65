"""Progress of a job: a bar on the terminal, lines in the log file."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

from relutopo.interfaces import Progress
from relutopo.optional import require

__all__ = ["progress_bar"]

SECONDS_BETWEEN_LINES = 10.0
"""Seconds between two lines of progress in the log file."""
_progress_log = logging.getLogger(__name__)


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """Show a progress bar on a terminal, and write plain lines to the log file.

    Workers that share the terminal with others draw no bar: bars would overwrite each other.

    Parameters
    ----------
    description : str
        Name of the work.

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

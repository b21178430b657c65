"""The process beside training: it gives way first, and then loads what analyses."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from relutopo.system.files import locked
from relutopo.system.processes import give_way
from relutopo.tracking.pace import Pace

__all__ = ["main"]


def main(directory: Path, tracker: int) -> None:
    """Analyse what the tracker in a process records in a folder, until it closes or is gone."""

    def is_closing() -> bool:
        return (directory / "closing").exists() or os.getppid() != tracker

    give_way()
    with Pace(tracker, is_closing), locked(directory / "lock"):
        from relutopo.tracking.worker import work  # a second of work, which shall have its rests

        work(directory, is_closing)


if __name__ == "__main__":
    # The tracker tells its number: its process may be gone before this one could ask.
    main(Path(sys.argv[1]), int(sys.argv[2]))

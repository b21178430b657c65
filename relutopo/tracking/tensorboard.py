"""Rows of a tracker as scalars of TensorBoard."""

from __future__ import annotations

import time
from typing import Any

from relutopo.analyses.base import Row
from relutopo.tracking.scalars import scalars

__all__ = ["SUFFIX", "Board"]

SUFFIX = ".relutopo"
"""What files of trackers end with, beside which others may lie."""


class Board:
    """Writes rows to a folder of TensorBoard.

    Parameters
    ----------
    directory : str or None
        None writes nothing.
    """

    def __init__(self, directory: str | None) -> None:
        self._writer: Any = None
        if directory is not None:
            # TensorBoard's own writer: that of torch would load torch, which takes seconds.
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            self._writer = EventFileWriter(directory, filename_suffix=SUFFIX)

    def add(self, row: Row) -> None:
        """Write every number of a row, as ``relutopo-<group>/<column>``."""
        if self._writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=value) for name, value in scalars(row).items()
        ]
        event = Event(wall_time=time.time(), step=row["step"], summary=Summary(value=values))
        self._writer.add_event(event)
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()

"""Rows of a tracker as scalars of TensorBoard."""

from __future__ import annotations

import math
from typing import Any

from relutopo.learning.analysis import Row

__all__ = ["Board"]


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
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(directory)

    def add(self, row: Row) -> None:
        """Write every number of a row, as ``relutopo/<column>``."""
        if self._writer is None:
            return
        for name, value in row.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if is_number and name != "step" and math.isfinite(value):
                self._writer.add_scalar(f"relutopo/{name}", value, row["step"])
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()

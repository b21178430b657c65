"""Where kernels take numba's decorator from, so that compiling never looks like hanging.

Compiled kernels are kept beside their modules, or in the user's cache folder where that cannot be
written, and loaded from there by later runs. numba tells of every compilation that is not answered
from there by an event, and the first one of a process is announced.
"""

from __future__ import annotations

import logging

from numba import njit
from numba.core import event

__all__ = ["njit"]

log = logging.getLogger("relutopo")


class _Announcement(event.Listener):  # type: ignore[misc]  # numba has no types
    """Says once that kernels are being compiled."""

    def __init__(self) -> None:
        self.is_made = False

    def on_start(self, event: event.Event) -> None:
        ours = str(event.data["dispatcher"].py_func.__module__).startswith("relutopo.")
        if ours and not self.is_made:
            self.is_made = True
            # Where no logging is set up only warnings are seen, and silence would be worse.
            log.warning(
                "compiling kernels for this machine, up to a minute; they are kept for later runs"
            )

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Announcement())

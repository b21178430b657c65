"""An interrupt from the keyboard reaches the program, wherever it happens to strike.

Python raises `KeyboardInterrupt` between any two instructions. If that is inside a finalizer or
the callback of a weak reference, there is nobody to catch it: Python reports it as ignored, and
the program goes on as if the key had not been pressed.
"""

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupts_that_insist"]

_SECONDS_TO_LEAVE = 0.01


@contextmanager
def interrupts_that_insist() -> Iterator[None]:
    """Raise an interrupt again that struck where nobody could catch it.

    Examples
    --------
    >>> with interrupts_that_insist():
    ...     total = sum(range(10))
    >>> total
    45
    """
    hook = sys.unraisablehook

    def insist(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_again, ())
        else:
            hook(unraisable)

    sys.unraisablehook = insist
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _interrupt_again() -> None:
    time.sleep(_SECONDS_TO_LEAVE)  # at once, it would strike in the same place
    _thread.interrupt_main()

"""Child processes: separate from this process's signals, and of lower priority.

Features that a system does not offer are skipped without an error.
"""

from __future__ import annotations

import math
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["apart", "give_way", "processor_seconds"]


def apart() -> dict[str, Any]:
    """Return the options of `subprocess.Popen` for a process that the terminal does not interrupt.

    Examples
    --------
    >>> import sys
    >>> subprocess.run([sys.executable, "-c", "pass"], **apart()).returncode
    0
    """
    if hasattr(os, "setpgid"):
        # Not a new session: if Linux groups processes by session, priorities only count within one.
        return {"process_group": 0}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def give_way() -> None:
    """Give this process the lowest priority for good, as far as the system allows."""
    if hasattr(os, "nice"):
        os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # some containers forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def processor_seconds(process: int) -> float:
    """Return the processor time that the threads of a process have used.

    Parameters
    ----------
    process : int
        Its number.

    Returns
    -------
    float
        NaN if the process has ended, or the system has no ``/proc/<number>/stat``.

    Examples
    --------
    >>> math.isnan(processor_seconds(2**30))
    True
    """
    if not hasattr(os, "sysconf"):
        return math.nan
    try:
        # The second field is the name in parentheses, which may hold anything.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

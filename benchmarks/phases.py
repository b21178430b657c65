"""Where the time on a device goes: a profile by function, with the device waited for."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from relutopo.devices.device import Device

Result = TypeVar("Result")


def phases(device: Device, folder: str, function: Callable[[], Result]) -> dict[str, float]:
    """Return the seconds in each function of the files in a folder, most first.

    Whenever such a function begins or ends, the device finishes what it was asked for, so that
    every kernel counts for the innermost of them that asked for it. Waiting makes the whole
    slower: shares matter, not sums.

    Parameters
    ----------
    device : Device
    folder : str
        A part of the files' path of two folders, for example "backends/eigensolvers"; folders
        inside count as well.
    function : callable
        What is profiled.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    stack = ["(rest)"]
    first, second = folder.split("/")
    parts = first, second
    of_interest: dict[str, bool] = {}
    last = time.perf_counter()

    def spend() -> None:
        nonlocal last
        device.synchronize()
        now = time.perf_counter()
        seconds[stack[-1]] += now - last
        last = now

    def watch(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if name not in of_interest:
            of_interest[name] = parts in pairwise(Path(name).parts)
        if not of_interest[name] or event not in ("call", "return"):
            return
        spend()
        if event == "call":
            stack.append(f"{Path(name).stem.strip('_')}.{frame.f_code.co_qualname}")
        else:
            stack.pop()

    sys.setprofile(watch)
    try:
        function()
    finally:
        sys.setprofile(None)
    spend()
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))

"""Large arrays from a card to the computer's memory, at the speed of the bus.

CUDA copies at full speed only into pinned memory, which takes longer to make than a copy takes.
So a few small pinned buffers are kept, and threads carry on from there: new memory of the host is
touched by all of them at once, which one thread would do more slowly than the bus delivers.
"""

from __future__ import annotations

import os
from functools import lru_cache
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.threads import threads

__all__ = ["LARGE", "Staging", "staging"]

LARGE = 2**24
"""From how many bytes on arrays come back through here."""
_STAGE = 2**22
_MOST_STAGES = 8


class Staging:
    """Pinned buffers for one card, each with a stream of its own.

    Parameters
    ----------
    cupy : module
    index : int
        Number of the card.
    n_stages : int
        How many buffers, and threads.
    """

    def __init__(self, cupy: ModuleType, index: int, n_stages: int) -> None:
        self._cupy, self._index, self._n_stages = cupy, index, n_stages
        self._stages: SimpleQueue[tuple[Any, NDArray[np.uint8]]] = SimpleQueue()
        with cupy.cuda.Device(index):
            for _ in range(n_stages):
                pinned = np.frombuffer(cupy.cuda.alloc_pinned_memory(_STAGE), np.uint8, _STAGE)
                self._stages.put((cupy.cuda.Stream(non_blocking=True), pinned))

    def copy(self, array: Any, out: NDArray[Any]) -> None:
        """Copy an array of the card, once it is computed.

        Parameters
        ----------
        array : cupy.ndarray
            Contiguous.
        out : ndarray
            Contiguous, of the same size and type.
        """
        source, target = array.reshape(-1).view(np.uint8), out.reshape(-1).view(np.uint8)
        self._cupy.cuda.get_current_stream().synchronize()

        def move(first: int) -> None:
            with self._cupy.cuda.Device(self._index):
                part = source[first : first + _STAGE]
                stream, stage = self._stages.get()
                try:
                    part.get(stream=stream, out=stage[: part.size])
                    target[first : first + _STAGE] = stage[: part.size]
                finally:
                    self._stages.put((stream, stage))

        with threads(self._n_stages) as run:
            list(run(move, range(0, source.size, _STAGE)))


@lru_cache
def staging(cupy: ModuleType, index: int) -> Staging:
    """Return the buffers of a card, which are made once."""
    return Staging(cupy, index, min(_MOST_STAGES, os.cpu_count() or 1))

"""Large arrays between a card and the computer's memory, at the speed of the bus.

CUDA copies at full speed only from and to pinned memory, which takes longer to make than a copy
takes. So a few small pinned buffers are kept, and threads carry on from there: new memory of the
host is touched by all of them at once, which one thread would do more slowly than the bus delivers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.threads import threads

__all__ = ["LARGE", "Staging", "staging"]

LARGE = 2**20
"""From how many bytes on arrays go through here."""
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

    def to_host(self, array: Any, out: NDArray[Any]) -> None:
        """Copy an array of the card, once it is computed.

        Parameters
        ----------
        array : cupy.ndarray
            Contiguous.
        out : ndarray
            Contiguous, of the same size and type.
        """

        def move(part: Any, host: NDArray[np.uint8], stage: NDArray[np.uint8], stream: Any) -> None:
            part.get(stream=stream, out=stage)
            host[:] = stage

        self._in_pieces(array, out, move)

    def to_card(self, array: NDArray[Any], out: Any) -> None:
        """Copy an array to the card.

        Parameters
        ----------
        array : ndarray
            Contiguous.
        out : cupy.ndarray
            Contiguous, of the same size and type.
        """

        def move(part: Any, host: NDArray[np.uint8], stage: NDArray[np.uint8], stream: Any) -> None:
            stage[:] = host
            part.set(stage, stream=stream)
            stream.synchronize()

        self._in_pieces(out, array, move)

    def _in_pieces(self, array: Any, host: NDArray[Any], move: Callable[..., None]) -> None:
        pieces, bytes_of_host = array.reshape(-1).view(np.uint8), host.reshape(-1).view(np.uint8)
        # The other streams know nothing of what this one has yet to do with the memory.
        self._cupy.cuda.get_current_stream().synchronize()

        def piece(first: int) -> None:
            with self._cupy.cuda.Device(self._index):
                part = pieces[first : first + _STAGE]
                stream, stage = self._stages.get()
                try:
                    move(part, bytes_of_host[first : first + _STAGE], stage[: part.size], stream)
                finally:
                    self._stages.put((stream, stage))

        with threads(self._n_stages) as run:
            list(run(piece, range(0, pieces.size, _STAGE)))


@lru_cache
def staging(cupy: ModuleType, index: int) -> Staging:
    """Return the buffers of a card, which are made once."""
    return Staging(cupy, index, min(_MOST_STAGES, os.cpu_count() or 1))

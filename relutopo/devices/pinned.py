"""Large arrays between a card and the computer's memory, at the speed of the bus.

CUDA copies at full speed only from and to pinned memory, which takes longer to make than a copy
takes. So a few small pinned buffers are kept, and threads carry on from there: new memory of the
host is touched by all of them at once, which one thread would do more slowly than the bus delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.system.threads import available_cores, threads

__all__ = ["LARGE", "Staging", "staging"]

LARGE = 2**20
"""From how many bytes on arrays go through here."""
_STAGE = 2**22
_MOST_STAGES = 16


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

    def to_host(self, arrays: Sequence[Any], outs: Sequence[NDArray[Any]]) -> None:
        """Copy arrays of the card, once they are computed.

        Parameters
        ----------
        arrays : sequence of cupy.ndarray
            Contiguous.
        outs : sequence of ndarrays
            Contiguous, of the same sizes and types.
        """

        def move(part: Any, host: NDArray[np.uint8], stage: NDArray[np.uint8], stream: Any) -> None:
            part.get(stream=stream, out=stage)
            host[:] = stage

        self._in_pieces(arrays, outs, move)

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
            try:
                part.set(stage, stream=stream)
            finally:  # an interrupt must not give the stage to others while it is read
                stream.synchronize()

        self._in_pieces([out], [array], move)

    def _in_pieces(
        self, arrays: Sequence[Any], hosts: Sequence[NDArray[Any]], move: Callable[..., None]
    ) -> None:
        # The other streams know nothing of what this one has yet to do with the memory.
        self._cupy.cuda.get_current_stream().synchronize()

        def move_piece(piece: tuple[Any, NDArray[np.uint8]]) -> None:
            with self._cupy.cuda.Device(self._index):
                part, host = piece
                stream, stage = self._stages.get()
                try:
                    move(part, host, stage[: part.size], stream)
                finally:
                    self._stages.put((stream, stage))

        with threads(self._n_stages) as run:
            list(run(move_piece, _pieces(arrays, hosts)))


def _pieces(
    arrays: Sequence[Any], hosts: Sequence[NDArray[Any]]
) -> Iterator[tuple[Any, NDArray[np.uint8]]]:
    """Yield the bytes of arrays and of their counterparts, as many as a stage takes."""
    for array, host in zip(arrays, hosts, strict=True):
        ours, theirs = array.reshape(-1).view(np.uint8), host.reshape(-1).view(np.uint8)
        for first in range(0, ours.size, _STAGE):
            yield ours[first : first + _STAGE], theirs[first : first + _STAGE]


@lru_cache
def staging(cupy: ModuleType, index: int) -> Staging:
    """Return the buffers of a card, which are made once."""
    return Staging(cupy, index, min(_MOST_STAGES, available_cores()))

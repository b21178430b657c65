"""The walls of many regions, found in this process or in several.

Processes and not threads: a region is some hundred calls of NumPy on small arrays, between which
Python holds its lock. They are started as modules of their own and fed through pipes, so that a
script needs no guard, and nothing of this process is copied.

Invariant: what is found of a region does not depend on how many processes there are, but for the
rounding of its centre and of points near its walls.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import RelutopoError
from relutopo.geometry.domain import Domain
from relutopo.geometry.region import RegionGeometry, Sides
from relutopo.networks.network import Network
from relutopo.system.blas import one_blas_thread
from relutopo.system.processes import apart

__all__ = ["Find", "RegionWalls", "crew", "serve"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class RegionWalls:
    """What is known of one region after the search for its walls.

    Attributes
    ----------
    neighbours : (n_walls, n_neurons) ndarray of bool
        Pattern of the region behind each wall.
    points : (n_walls, d) ndarray
        A point near each wall, rounded.
    centre : (d,) ndarray
        Of a largest ball, rounded; NaN if it was not found.
    inradius, most_inradius : float
        Bounds of its radius, from below and from above.
    n_open : int
        Neurons that were neither proved nor disproved to make a wall.
    n_linear_programs : int
        Linear programmes that were left to HiGHS.
    """

    neighbours: NDArray[np.bool_]
    points: NDArray[np.float64]
    centre: NDArray[np.float64]
    inradius: float
    most_inradius: float
    n_open: int
    n_linear_programs: int


class Find(Protocol):
    """Finds the walls of regions."""

    def __call__(self, patterns: NDArray[np.bool_], /) -> Iterator[RegionWalls]:
        """Yield what is found of each pattern, (n, n_neurons), in their order."""


def _walls_of(
    network: Network, domain: Domain, sides: Sides, patterns: NDArray[np.bool_]
) -> Iterator[RegionWalls]:
    """Yield the walls of regions, one after another.

    Parameters
    ----------
    network, domain
    sides : Sides
        Of the domain.
    patterns : (n, n_neurons) ndarray of bool
        Of regions with interior points in the domain.
    """
    for region in RegionGeometry.of_patterns(network, sides, domain, patterns):
        walls = region.walls()
        n_walls = len(walls.points)
        yield RegionWalls(
            np.array(walls.neighbours, dtype=bool).reshape(n_walls, network.n_neurons),
            np.array(walls.points).reshape(n_walls, domain.dim),
            region.interior_point,
            region.inradius * region.scale,
            region.most_inradius * region.scale,
            walls.n_open,
            region.n_linear_programs,
        )


@contextmanager
def crew(network: Network, domain: Domain, n_processes: int) -> Iterator[Find]:
    """Provide a `Find` that works in several processes; they end with the block.

    Parameters
    ----------
    network, domain
    n_processes : int
        With 1 the work is done in this process.
    """
    if n_processes == 1:
        with one_blas_thread():  # the matrices are small
            yield partial(_walls_of, network, domain, Sides(domain))
        return
    environment = os.environ | dict.fromkeys(_THREADS, "1")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "relutopo.geometry.crew_member"]
    members: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(n_processes):
            pipe = subprocess.PIPE
            members.append(
                subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, **apart())
            )
        for member in members:
            _send(member, (network, domain))
        yield partial(_shared, members)
    finally:
        for member in members:
            member.kill()
        for member in members:
            member.wait()
            for end in filter(None, (member.stdin, member.stdout)):
                with suppress(BrokenPipeError):  # what it did not read any more
                    end.close()


def _shared(
    members: list[subprocess.Popen[bytes]], patterns: NDArray[np.bool_]
) -> Iterator[RegionWalls]:
    """Give each process a part of the patterns, and return what they find in order."""
    parts = np.array_split(patterns, len(members))
    for member, part in zip(members, parts, strict=True):
        _send(member, part)
    return iter([walls for member in members for walls in _received(member)])


def _send(member: subprocess.Popen[bytes], message: object) -> None:
    assert member.stdin is not None
    try:
        _write(member.stdin, message)
    except BrokenPipeError as error:
        raise _lost(member) from error


def _received(member: subprocess.Popen[bytes]) -> list[RegionWalls]:
    assert member.stdout is not None
    try:
        answer: list[RegionWalls] | BaseException = pickle.load(member.stdout)
    except EOFError as error:
        raise _lost(member) from error
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _lost(member: subprocess.Popen[bytes]) -> RelutopoError:
    return RelutopoError(
        f"a process that looked for walls ended with status {member.wait()}; pass n_processes=1"
    )


def _write(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """Read patterns and write the walls of their regions, until the input ends.

    Parameters
    ----------
    source, target : binary file
        First come a network and a domain, then arrays of patterns.
    """
    network, domain = pickle.load(source)
    sides = Sides(domain)
    while True:
        try:
            patterns = pickle.load(source)
        except EOFError:
            return
        answer: Any
        try:
            answer = list(_walls_of(network, domain, sides, patterns))
        except Exception as error:
            answer = error
        _write(target, answer)

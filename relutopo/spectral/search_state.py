"""What a search for regions has found so far, in memory and in a file.

A region is *met* behind a wall or as the region of a seed, and *entered* when its walls are found.

Invariants: `met` lists distinct patterns in the order in which they were met; `entered` lists each
region whose walls were found once, in the order in which that was done. A file holds plain arrays,
nothing pickled, and replaces the previous file atomically.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError
from relutopo.geometry.crew import RegionWalls
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import pack_patterns, unpack_patterns
from relutopo.networks.network import Network
from relutopo.networks.storage import network_arrays
from relutopo.system.archives import read_arrays
from relutopo.system.files import atomic_write

__all__ = ["Entered", "SearchState", "identity", "load_state"]

_FORMAT = 1


def identity(network: Network, domain: Domain, order: str, seed: int) -> str:
    """Return a hash of everything that must be unchanged for a search to continue.

    Parameters
    ----------
    network, domain
    order : str
    seed : int
    """
    state = hashlib.sha256(f"{order} {seed}".encode())
    normals, offsets = domain.halfspaces()
    arrays = network_arrays("network", network) | {"normals": normals, "offsets": offsets}
    for name, value in sorted(arrays.items()):
        array = np.asarray(value)
        state.update(f"{name} {array.dtype} {array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


@dataclass(frozen=True)
class Entered:
    """A region whose walls were found.

    Attributes
    ----------
    region : int
        Its number among those met.
    behind : list of int
        The regions behind its walls, in the order of the neurons.
    centre, inradius, most_inradius, n_open, n_linear_programs
        See `relutopo.geometry.crew.RegionWalls`.
    """

    region: int
    behind: list[int]
    centre: NDArray[np.float64]
    inradius: float
    most_inradius: float
    n_open: int
    n_linear_programs: int


class SearchState:
    """What has been found; it can be saved at any time, also after an interrupt.

    Parameters
    ----------
    n_neurons, dim : int

    Attributes
    ----------
    met : list of (n_neurons,) ndarrays of bool
    distances : list of float
        How far from the nearest seed each region was met, where the order asks for it.
    entered : list of Entered
    index : list of int
        Position of each met region among those entered, or -1.
    walkers : list of int
        The met regions in which the walkers of a random walk are.
    n_rounds : int
        How many steps the walkers have made.
    visits : dict of int to int
        How many times a walker was in a region.
    seconds : float
    """

    def __init__(self, n_neurons: int, dim: int) -> None:
        self.n_neurons, self.dim = n_neurons, dim
        self.met: list[NDArray[np.bool_]] = []
        self.distances: list[float] = []
        self.entered: list[Entered] = []
        self.index: list[int] = []
        self.n_walls = 0
        self.walkers: list[int] = []
        self.n_rounds = 0
        self.visits: dict[int, int] = {}
        self.seconds = 0.0
        self._number: dict[bytes, int] = {}

    @property
    def n_frontier(self) -> int:
        """Number of regions that were met and not entered."""
        return len(self.met) - len(self.entered)

    def behind(self, region: int) -> list[int]:
        """Return the regions behind the walls of a region that was entered."""
        return self.entered[self.index[region]].behind

    def meet(self, pattern: NDArray[np.bool_], distance: float) -> int:
        """Return the number of a region, added if it is new, and keep its least distance."""
        key = np.packbits(pattern).tobytes()
        number = self._number.setdefault(key, len(self.met))
        if number == len(self.met):
            self.met.append(pattern)
            self.distances.append(distance)
            self.index.append(-1)
        else:
            self.distances[number] = min(self.distances[number], distance)
        return number

    def enter(self, region: int, walls: RegionWalls, distances: NDArray[np.float64]) -> list[int]:
        """Keep the walls of a region, and return the numbers of those behind them.

        Parameters
        ----------
        region : int
        walls : RegionWalls
        distances : (n_walls,) ndarray
            Distances of the walls from the nearest seed.
        """
        behind = [
            self.meet(pattern, distance)
            for pattern, distance in zip(walls.neighbours, distances.tolist(), strict=True)
        ]
        self._keep(
            Entered(
                region,
                behind,
                walls.centre,
                walls.inradius,
                walls.most_inradius,
                walls.n_open,
                walls.n_linear_programs,
            )
        )
        return behind

    def _keep(self, entered: Entered) -> None:
        self.index[entered.region] = len(self.entered)
        self.n_walls += len(entered.behind)
        self.entered.append(entered)

    def save(self, path: str | os.PathLike[str], key: str) -> None:
        """Write the state, atomically.

        Parameters
        ----------
        path : path-like
        key : str
            Of `identity`.
        """
        entered = list(self.entered)
        arrays: dict[str, Any] = {
            "format": _FORMAT,
            "identity": key,
            "met": pack_patterns(np.array(self.met).reshape(-1, self.n_neurons)),
            "distances": np.array(self.distances),
            "entered": np.array([one.region for one in entered], dtype=np.int64),
            "n_behind": np.array([len(one.behind) for one in entered], dtype=np.int64),
            "behind": np.array([n for one in entered for n in one.behind], dtype=np.int64),
            "centres": np.array([one.centre for one in entered]).reshape(-1, self.dim),
            "radii": np.array([(one.inradius, one.most_inradius) for one in entered]),
            "counts": np.array([(one.n_open, one.n_linear_programs) for one in entered]),
            "walkers": np.array(self.walkers, dtype=np.int64),
            "visits": np.array(sorted(self.visits.items()), dtype=np.int64).reshape(-1, 2),
            "n_rounds": self.n_rounds,
            "seconds": self.seconds,
        }
        with atomic_write(path) as file:
            np.savez_compressed(file, **arrays)


def load_state(
    path: str | os.PathLike[str], key: str, n_neurons: int, dim: int
) -> SearchState | None:
    """Return what a file holds, or None where there is no file.

    Parameters
    ----------
    path : path-like
    key : str
        What `identity` gives for the search that is to go on.
    n_neurons, dim : int

    Raises
    ------
    InputError
        If the file is damaged, or belongs to another search.
    """
    if not Path(path).exists():
        return None
    state = SearchState(n_neurons, dim)
    try:
        arrays = read_arrays(path)
        is_same = int(arrays["format"]) == _FORMAT and str(arrays["identity"]) == key
        if is_same:
            _fill(state, arrays)
    except Exception as error:
        # Damage shows as errors of many kinds.
        raise InputError(
            f"`file` {os.fspath(path)!r} cannot be read as a search ({type(error).__name__}: "
            f"{error}); move it away, or name another file"
        ) from error
    if not is_same:
        raise InputError(
            f"`file` {os.fspath(path)!r} must hold a search of the same network, domain, order and "
            "seed, got another one; move it away, or name another file"
        )
    return state


def _fill(state: SearchState, arrays: dict[str, Any]) -> None:
    patterns = unpack_patterns(arrays["met"], state.n_neurons)
    for pattern, distance in zip(patterns, arrays["distances"].tolist(), strict=True):
        state.meet(pattern, distance)
    ends = np.cumsum(arrays["n_behind"])
    behind = np.split(arrays["behind"], ends)[:-1] if len(ends) else []
    for region, others, centre, radii, counts in zip(
        arrays["entered"].tolist(),
        behind,
        arrays["centres"],
        arrays["radii"].tolist(),
        arrays["counts"].tolist(),
        strict=True,
    ):
        state._keep(Entered(region, others.tolist(), centre, *radii, *counts))
    state.walkers = arrays["walkers"].tolist()
    state.visits = dict(arrays["visits"].tolist())
    state.n_rounds, state.seconds = int(arrays["n_rounds"]), float(arrays["seconds"])
    numbers = np.concatenate([arrays["entered"], arrays["behind"], arrays["walkers"]])
    is_sound = (
        len(state.met) == len(patterns)
        and len(set(arrays["entered"].tolist())) == len(state.entered)
        and np.all((numbers >= 0) & (numbers < len(patterns)))
        and (not len(ends) or ends[-1] == len(arrays["behind"]))
        and arrays["centres"].shape == (len(state.entered), state.dim)
    )
    if not is_sound:
        raise ValueError("its arrays do not fit together")

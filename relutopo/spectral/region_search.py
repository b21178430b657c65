"""Regions without faces: a search that crosses walls, for any input dimension.

Beyond a few dimensions the full face lattice is out of reach, but regions and the facets between
them are not: the walls of a region follow from its own inequalities (`relutopo.geometry.region`),
and crossing them leads to the next regions, in one of several orders
(`relutopo.spectral.search_orders`).

This is not an enumerator: an enumerator returns a `CellComplex` with the faces of every dimension,
and all enumerators agree cell by cell; a search returns a graph, on request of only some regions.

Invariant: the walls of every node were searched, so the graph is the subgraph that its nodes induce
in the dual graph of the whole domain; it has an edge only where the facet was proved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.checks import check_choice, check_integer, check_number, check_path, check_seed
from relutopo.errors import InputError
from relutopo.geometry.crew import crew
from relutopo.geometry.domain import Domain, as_domain
from relutopo.geometry.location import KnownRegions
from relutopo.geometry.patterns import pack_patterns
from relutopo.geometry.slices import network_on
from relutopo.interfaces import Progress, check_progress
from relutopo.networks.network import Network
from relutopo.reports.shown import Shown
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.search_orders import BreadthFirst, Nearest, Order, RandomWalk, Trail
from relutopo.spectral.search_starts import Starts
from relutopo.spectral.search_state import SearchState, identity, load_state
from relutopo.spectral.search_tables import search_points_table, search_table
from relutopo.system.memory import Room, in_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RegionSearch", "SearchOrder", "search_regions"]

SearchOrder: TypeAlias = Literal["breadth_first", "nearest", "path", "random_walk"]
_Status: TypeAlias = Literal["complete", "open", "max_regions", "max_seconds", "path"]

_BYTES_A_REGION, _BYTES_A_WALL = 1000, 150
"""Memory of Python objects for each region, besides patterns and points; and for each wall."""
_AT_ONCE = 32
"""Regions entered before the order is asked again, for any number of processes."""
_SECONDS_BETWEEN_FILES = 30.0


@dataclass(frozen=True, eq=False)
class RegionSearch(Shown):
    """What a search found.

    Attributes
    ----------
    graph : DualGraph
        The regions found, in the order of the search, and all facets between them. Points are
        located in it by their patterns.
    patterns : (n_regions, n_neurons) ndarray of bool
        Activation patterns, distinct.
    interior_points : (n_regions, d) ndarray of float64
        Centre of a largest ball in each region, rounded; NaN where the solver failed.
    inradii : (n_regions,) ndarray of float64
        Radius of that ball, rounded down: the ball certainly lies in the region.
    most_inradii : (n_regions,) ndarray of float64
        Certain upper bound of the radius of any ball in the region; usually equal to `inradii` in
        ten digits.
    n_walls : (n_regions,) ndarray of int64
        Walls of each region inside the domain, including those to regions that were not entered.
    visits : (n_regions,) ndarray of int64
        How many times walkers of a random walk visited the region; 0 in other orders.
    order : {"breadth_first", "nearest", "path", "random_walk"}
        The order in which the regions were entered and are listed here.
    status : {"complete", "open", "max_regions", "max_seconds", "path"}
        "complete" if the regions are all that can be reached through facets (in a convex domain:
        all there are); "open" if the search ended by itself, but some neuron was neither proved nor
        disproved to make a wall; "max_regions" or "max_seconds" if the limit stopped the search;
        "path" if all regions along the path were found, and others were met besides.
    n_frontier : int
        Regions that were met, behind a wall or as the region of a seed, but not entered.
    n_open : int
        Pairs of a region and a neuron that were neither proved nor disproved to make a wall.
    n_linear_programs : int
        Linear programmes passed to HiGHS, after quicker tests had decided most of them.
    seconds : float
        Wall-clock time, over all calls if the search was continued from a file.
    """

    graph: DualGraph
    patterns: NDArray[np.bool_]
    interior_points: NDArray[np.float64]
    inradii: NDArray[np.float64]
    most_inradii: NDArray[np.float64]
    n_walls: NDArray[np.int64]
    visits: NDArray[np.int64]
    order: SearchOrder
    status: _Status
    n_frontier: int
    n_open: int
    n_linear_programs: int
    seconds: float

    def __repr__(self) -> str:
        part = "" if self.complete else f", {self.n_frontier} more seen"
        return f"RegionSearch({self.n_regions} regions, {self.status}{part})"

    def _facts(self) -> Mapping[str, object]:
        known = self.inradii[np.isfinite(self.inradii)]
        return {
            "regions": self.n_regions,
            "status": self.status,
            "seen and not entered": self.n_frontier,
            "walls, mean": float(self.n_walls.mean()),
            "inradii": [float(np.min(known, initial=np.inf)), float(np.max(known, initial=0.0))],
            "order": self.order,
            "left open": self.n_open,
            "seconds": self.seconds,
        }

    @property
    def n_regions(self) -> int:
        """Number of regions found."""
        return len(self.patterns)

    @property
    def complete(self) -> bool:
        """Whether these are certainly all regions and all facets."""
        return self.status == "complete"

    def table(self, points: ArrayLike | None = None) -> pd.DataFrame:
        """Return a table with a row for each region; ``rt.columns`` explains the columns.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points to count in each region, with their least distance from a wall.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> from relutopo import Box
        >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> search = search_regions(lines, Box(-1, 1, dim=2), seeds=[[0.5, 0.5]])
        >>> search.table([[0.5, 0.25]])[["region", "n_walls", "n_points", "least_margin"]][:2]
           region  n_walls  n_points  least_margin
        0       0        2         1          0.25
        1       1        2         0           NaN
        """
        known = {
            "n_active": self.patterns.sum(axis=1),
            "inradius": self.inradii,
            "most_inradius": self.most_inradii,
            "n_walls": self.n_walls,
        }
        if self.order == "random_walk":
            known["visits"] = self.visits
        return search_table(self.graph, known, points)

    def points_table(self, points: ArrayLike) -> pd.DataFrame:
        """Return a table of points: the region of each, and its distance from the nearest wall.

        Parameters
        ----------
        points : (n, d) array_like

        Raises
        ------
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> from relutopo import Box
        >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> search = search_regions(lines, Box(-1, 1, dim=2), seeds=[[0.5, 0.5]])
        >>> search.points_table([[0.5, 0.25]])[["region", "margin", "unit", "n_walls"]]
           region  margin  unit  n_walls
        0       0    0.25     1        2
        """
        return search_points_table(self.graph, self.inradii, self.n_walls, points)


@in_words("pass `max_regions`")
def search_regions(
    model: Any,
    domain: Domain | ArrayLike,
    seeds: ArrayLike | None = None,
    *,
    order: SearchOrder = "breadth_first",
    max_regions: int | None = None,
    max_seconds: float | None = None,
    max_bytes: int | None = None,
    seed: int = 0,
    n_processes: int = 1,
    file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RegionSearch:
    """Find regions and the facets between them by crossing walls.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain, or (n, d) array_like
        Of any dimension; its faces are not enumerated. Points mean ``Box.around(points)``.
    seeds : (n, d) array_like, optional
        The search starts in the regions of these points, for example the training data; points
        outside the domain are left out. By default the centre of the domain.
    order : {"breadth_first", "nearest", "path", "random_walk"}
        "breadth_first": by the number of walls from the nearest seed. "nearest": by the distance
        from the nearest seed of the wall through which a region was met, 32 regions at a time.
        "path": the regions that the broken line through all seeds meets, from the first seed to
        the last, and no others (it may miss regions met for less than 10⁻¹² of a leg).
        "random_walk": the regions that walkers meet, one from each seed; each step crosses one of
        the region's walls at random.
    max_regions : int, optional
        Stop after this many regions; the result then says that it is partial.
    max_seconds : float, optional
        Stop after this time, once the current region is done (with several processes, the current
        32 regions); at least one region is entered. A random walk needs this limit or
        `max_regions`.
    max_bytes : int, optional
        Stop with an error before the result takes more memory than this; by default nine tenths of
        what the process can have.
    seed : int, default 0
        Of the random walk.
    n_processes : int, default 1
        Number of processes that search for walls; the result does not depend on it.
    file : path-like, optional
        The search is saved here every half minute and at the end, also after an interrupt. If the
        file exists, the search continues from it: further seeds are added, `max_regions` includes
        the regions in the file, `max_seconds` starts anew.
    progress : Progress, optional
        Called after each region with (regions entered, regions met, message); the message gives
        the time a region takes, and the time left to `max_regions`.

    Returns
    -------
    RegionSearch

    Raises
    ------
    InputError
        If the dimensions differ, no seed lies in the domain, a limit is not positive, a random walk
        has no limit, a path has fewer than two points or leaves the domain, or the file belongs to
        another search.
    LimitReachedError
        If `max_bytes` is reached.

    Examples
    --------
    >>> from relutopo import Box
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> search_regions(lines, Box(-1, 1, dim=2), seeds=[[0.5, 0.5]])
    RegionSearch(4 regions, complete)
    >>> search_regions(lines, Box(-1, 1, dim=2), seeds=[[0.5, 0.5]], max_regions=3)
    RegionSearch(3 regions, max_regions, 1 more seen)
    >>> path = [[0.5, 0.5], [-0.25, 0.5], [-0.25, -0.5]]
    >>> search_regions(lines, Box(-1, 1, dim=2), path, order="path")
    RegionSearch(3 regions, path, 1 more seen)
    """
    begin = time.perf_counter()
    place: Domain = as_domain(domain, is_cut=False)
    network = network_on(model, place)
    check_choice("order", order, get_args(SearchOrder), remedy="'breadth_first' is usual")
    if max_regions is not None:
        max_regions = check_integer("max_regions", max_regions, 1, remedy="leave it out")
    if max_seconds is not None:
        max_seconds = check_number("max_seconds", max_seconds, above=0, remedy="leave it out")
    if max_bytes is not None:
        max_bytes = check_integer("max_bytes", max_bytes, 1, remedy="leave it out")
    n_processes = check_integer("n_processes", n_processes, 1, remedy="leave it out")
    seed = check_seed(seed)
    check_progress(progress)
    if order == "random_walk" and max_regions is None and max_seconds is None:
        raise InputError(
            "a random walk never ends by itself; pass max_regions=1000 or max_seconds=60"
        )
    room, each = Room(max_bytes), _BYTES_A_REGION + 3 * network.n_neurons + 8 * place.dim
    starts = Starts(network, place, seeds, is_path=order == "path")
    state, key = SearchState(network.n_neurons, place.dim), ""
    if file is not None:
        key = identity(network, place, order, seed)
        check_path(file, "search.npz", "file")
        state = load_state(file, key, network.n_neurons, place.dim) or state
    chosen = _order(order, state, [state.meet(p, 0.0) for p in starts.patterns()], seed)
    before, n_before, stopped = state.seconds, len(state.entered), ""

    def spent() -> float:
        state.seconds = before + time.perf_counter() - begin
        return state.seconds - before

    def is_late() -> bool:
        has_begun = len(state.entered) > n_before
        return max_seconds is not None and has_begun and spent() >= max_seconds

    def report() -> None:
        needed = each * len(state.met) + _BYTES_A_WALL * state.n_walls
        room.check(needed, f"a search that has met {len(state.met)} regions", "pass `max_regions`")
        if progress is not None:
            pace = spent() / (len(state.entered) - n_before)
            message = f"{state.n_frontier} to enter, {1e3 * pace:.3g} ms a region"
            if max_regions is not None:
                message += f", {pace * (max_regions - len(state.entered)):.0f} s to max_regions"
            progress(len(state.entered), len(state.met), message)

    with (
        crew(network, place, n_processes) as find,
        _kept(state, file, key) as keep,
    ):
        while not stopped:
            most = _AT_ONCE
            if max_regions is not None:
                most = min(most, max_regions - len(state.entered))
            if most <= 0 or is_late():
                stopped = "max_regions" if most <= 0 else "max_seconds"
                break
            regions = chosen.next(most)
            if not regions:
                if chosen.is_done:
                    break
                continue
            found = find(np.array([state.met[region] for region in regions]))
            for done, region in enumerate(regions):
                if done and n_processes == 1 and is_late():
                    chosen.put_back(regions[done:])
                    stopped = "max_seconds"
                    break
                walls = next(found)
                far = np.zeros(len(walls.points))
                if order == "nearest":
                    far = starts.distances(walls.points)
                chosen.found(state.enter(region, walls, far))
                report()
            keep(spent())
        spent()
    return _result(network, place, state, order, stopped or "path")


def _result(
    network: Network, place: Domain, state: SearchState, order: SearchOrder, stopped: str
) -> RegionSearch:
    entered, index = state.entered, np.array(state.index, dtype=np.int64)
    pairs = np.array(
        [(one.region, other) for one in entered for other in one.behind], dtype=np.int64
    ).reshape(-1, 2)
    inner = index[pairs]
    inner = np.unique(np.sort(inner[(inner >= 0).all(axis=1)], axis=1), axis=0)
    bits = np.array([state.met[one.region] for one in entered])
    n_open = sum(one.n_open for one in entered)
    status = stopped if state.n_frontier else "open" if n_open else "complete"
    return RegionSearch(
        graph=DualGraph(
            len(entered),
            inner,
            np.full(len(inner), -1, dtype=np.int64),
            "facet",
            regions=KnownRegions(network, place, pack_patterns(bits)),
        ),
        patterns=bits,
        interior_points=np.array([one.centre for one in entered]),
        inradii=np.array([one.inradius for one in entered]),
        most_inradii=np.array([one.most_inradius for one in entered]),
        n_walls=np.array([len(one.behind) for one in entered]),
        visits=np.array([state.visits.get(one.region, 0) for one in entered]),
        order=order,
        status=status,  # type: ignore[arg-type]
        n_frontier=state.n_frontier,
        n_open=n_open,
        n_linear_programs=sum(one.n_linear_programs for one in entered),
        seconds=state.seconds,
    )


def _order(order: SearchOrder, state: SearchState, starts: list[int], seed: int) -> Order:
    if order == "random_walk":
        return RandomWalk(state, starts, seed)
    if order == "path":
        return Trail(state, starts)
    return Nearest(state, starts) if order == "nearest" else BreadthFirst(state, starts)


@contextmanager
def _kept(
    state: SearchState, file: str | os.PathLike[str] | None, key: str
) -> Iterator[Callable[[float], None]]:
    """Save a state to a file at intervals, and at the end, whatever ends the search."""
    last, pause = 0.0, _SECONDS_BETWEEN_FILES

    def keep(now: float) -> None:
        nonlocal last, pause
        if file is not None and now - last >= pause:
            begin = time.perf_counter()
            state.save(file, key)
            last, pause = now, max(_SECONDS_BETWEEN_FILES, 20 * (time.perf_counter() - begin))

    try:
        yield keep
    finally:
        if file is not None:
            state.save(file, key)

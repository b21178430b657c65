"""Regions without faces: a search that crosses walls, for any input dimension.

The full face lattice is out of reach beyond a few dimensions. Regions and the facets between them
are not: the walls of one region come from its own inequalities (`relutopo.geometry.region`), and
crossing them leads on, breadth first.

This is a function of its own and not an enumerator: an enumerator returns a `CellComplex` with the
faces of every dimension, and all of them agree cell by cell; this one returns a graph, of a part of
the regions if so asked.

Invariant: every node's walls were searched, so that the graph is the subgraph that its nodes induce
in the dual graph of the whole domain; an edge is there only if proved.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers, homogeneous_points, to_float
from relutopo.arrays import as_points
from relutopo.checks import check_integer
from relutopo.errors import InputError, InvariantError
from relutopo.geometry.domain import Domain, as_domain
from relutopo.geometry.location import KnownRegions
from relutopo.geometry.patterns import pack_patterns
from relutopo.geometry.region import RegionGeometry, pattern_beyond
from relutopo.geometry.slices import network_on
from relutopo.interfaces import Progress
from relutopo.networks.network import Network
from relutopo.spectral.dual_graph import DualGraph
from relutopo.system.memory import Room, in_words

__all__ = ["RegionSearch", "search_regions"]

_BYTES_A_REGION, _BYTES_A_WALL = 1000, 150
"""What Python keeps of each, beside patterns and points."""
_MOST_DIRECTIONS = 100
"""From a point, of which the first nearly always leads into a region and not along a facet."""


@dataclass(frozen=True, eq=False)
class RegionSearch:
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
        Radius of that ball.
    status : {"complete", "max_regions", "open"}
        "complete" if the regions are all that can be reached through facets (in a convex domain:
        all there are); "max_regions" if the limit stopped the search; "open" if the search ended by
        itself, but some neuron was neither proved nor disproved to make a wall.
    n_frontier : int
        Regions that were seen behind a wall and not entered.
    n_open : int
        Pairs of a region and a neuron that were neither proved nor disproved to make a wall.
    n_linear_programs : int
        Linear programmes solved.
    seconds : float
        Wall-clock time.
    """

    graph: DualGraph
    patterns: NDArray[np.bool_]
    interior_points: NDArray[np.float64]
    inradii: NDArray[np.float64]
    status: Literal["complete", "max_regions", "open"]
    n_frontier: int
    n_open: int
    n_linear_programs: int
    seconds: float

    def __repr__(self) -> str:
        part = "" if self.complete else f", {self.n_frontier} more seen"
        return f"RegionSearch({self.n_regions} regions, {self.status}{part})"

    @property
    def n_regions(self) -> int:
        """Number of regions found."""
        return len(self.patterns)

    @property
    def complete(self) -> bool:
        """Whether these are all regions and all facets, for certain."""
        return self.status == "complete"


@in_words("pass `max_regions`")
def search_regions(
    model: Any,
    domain: Domain | ArrayLike,
    seeds: ArrayLike | None = None,
    *,
    max_regions: int | None = None,
    max_bytes: int | None = None,
    progress: Progress | None = None,
) -> RegionSearch:
    """Find regions and the facets between them by crossing walls, breadth first.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain, or (n, d) array_like
        Of any dimension; its faces are not enumerated. Points stand for ``Box.around(points)``.
    seeds : (n, d) array_like, optional
        Points in whose regions the search starts, for example the training data; those outside
        the domain are left out. By default the centre of the domain.
    max_regions : int, optional
        Stop after this many regions; the result then says that it is partial.
    max_bytes : int, optional
        Stop with an error before what is found takes more memory than this; by default nine tenths
        of what the process can have.
    progress : Progress, optional
        Called after each region with (regions done, regions seen, message).

    Returns
    -------
    RegionSearch

    Raises
    ------
    InputError
        If the dimensions differ, no seed lies in the domain, or `max_regions` or `max_bytes` is not
        positive.
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
    """
    begin = time.perf_counter()
    place: Domain = as_domain(domain, is_cut=False)
    network = network_on(model, place)
    if max_regions is not None:
        max_regions = check_integer("max_regions", max_regions, 1, remedy="leave it out")
    if max_bytes is not None:
        max_bytes = check_integer("max_bytes", max_bytes, 1, remedy="leave it out")
    room, each = Room(max_bytes), _BYTES_A_REGION + 3 * network.n_neurons + 8 * place.dim
    queue: deque[NDArray[np.bool_]] = deque()
    number: dict[bytes, int] = {}

    def meet(pattern: NDArray[np.bool_]) -> int:
        key = pattern.tobytes()
        if key not in number:
            number[key] = len(number)
            queue.append(pattern)
        return number[key]

    for pattern in _patterns_of_seeds(network, place, seeds):
        meet(pattern)
    patterns: list[NDArray[np.bool_]] = []
    points, radii, pairs = [], [], []
    n_open, n_programs = 0, 0
    while queue and (max_regions is None or len(patterns) < max_regions):
        pattern = queue.popleft()
        region = RegionGeometry(network, place, pattern)
        walls = region.walls()
        pairs += [(len(patterns), meet(neighbour)) for neighbour in walls.neighbours]
        patterns.append(pattern)
        points.append(region.interior_point)
        radii.append(region.inradius * region.scale)
        needed = each * len(number) + _BYTES_A_WALL * len(pairs)
        room.check(needed, f"a search that has met {len(number)} regions", "pass `max_regions`")
        n_open += walls.n_open
        n_programs += region.n_linear_programs
        if progress is not None:
            progress(len(patterns), len(number), f"{len(queue)} to enter")
    # Regions are numbered as they are met and entered in that order.
    inner = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    inner = np.unique(np.sort(inner[(inner < len(patterns)).all(axis=1)], axis=1), axis=0)
    bits = np.array(patterns)
    return RegionSearch(
        graph=DualGraph(
            len(patterns),
            inner,
            np.full(len(inner), -1, dtype=np.int64),
            "facet",
            regions=KnownRegions(network, place, pack_patterns(bits)),
        ),
        patterns=bits,
        interior_points=np.array(points),
        inradii=np.array(radii),
        status="max_regions" if queue else "open" if n_open else "complete",
        n_frontier=len(queue),
        n_open=n_open,
        n_linear_programs=n_programs,
        seconds=time.perf_counter() - begin,
    )


def _patterns_of_seeds(
    network: Network, domain: Domain, seeds: ArrayLike | None
) -> list[NDArray[np.bool_]]:
    """Return the pattern of a region at each seed in the domain."""
    if seeds is None:
        centre = domain.inner_point()
        x = to_float(centre)[None]
    else:
        x = as_points(seeds, domain.dim, "seeds")
    inside = domain.contains(x)
    if not inside.any():
        if seeds is None:  # the domain is too narrow to hold its centre when rounded
            return _patterns_at(network, domain, centre[None])
        raise InputError(
            f"`seeds` must have a point in the domain, got {len(x)} outside {domain!r}; widen the "
            "domain, for example Box.around(seeds)"
        )
    x = x[inside]
    signs = network.signs(x)
    patterns = list(signs > 0)
    zero = np.flatnonzero((signs == 0).any(axis=1))
    if zero.size:
        exact = _patterns_at(network, domain, homogeneous_points(x[zero]))
        for i, pattern in zip(zero.tolist(), exact, strict=True):
            patterns[i] = pattern
    return patterns


def _patterns_at(network: Network, domain: Domain, points: Integers) -> list[NDArray[np.bool_]]:
    """Return the pattern of the region in a random direction from each point, into the domain."""
    rng = np.random.default_rng(0)
    centre, sides = domain.inner_point(), domain.side_planes()
    return [_pattern_at(network, point, centre, sides, rng) for point in points]


def _pattern_at(
    network: Network, point: Integers, centre: Integers, sides: Integers, rng: np.random.Generator
) -> NDArray[np.bool_]:
    room = -sides @ centre  # positive
    for _ in range(_MOST_DIRECTIONS):
        (step,), _ = dyadic_integers(rng.standard_normal(len(point) - 1))
        # The line from the centre along the step leaves the domain at centre + step / t, where t
        # is the largest slope / room; go a random part of the way, all in exact arithmetic.
        slopes = sides[:, :-1] @ step * centre[-1]
        farthest = 1 / max(Fraction(a, b) for a, b in zip(slopes, room, strict=True))
        way = Fraction(rng.random()) * farthest
        shift = step * way.numerator * centre[-1]
        end = np.append(centre[:-1] * way.denominator + shift, centre[-1] * way.denominator)
        beyond = pattern_beyond(network, point, end[:-1] * point[-1] - point[:-1] * end[-1])
        if beyond is not None:
            return beyond
    raise InvariantError(
        f"no region lies in {_MOST_DIRECTIONS} random directions from a seed; please report this "
        "network as a bug"
    )

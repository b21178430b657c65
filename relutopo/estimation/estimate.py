"""Estimates of regions, bytes and seconds from a sample of tiles.

A box is cut into equal tiles; some are drawn at random, and each of these is decomposed by itself.
The number of regions of the whole is the sum over all tiles of

    Σ_S (-1)^|S| (cells of dimension d - |S| on all walls in S),

where S runs over the sets of a tile's lower walls that lie inside the box. A region that the walls
cut into pieces counts once in this sum, because the pieces and the parts of walls between them have
the Euler characteristic 1. A tile is drawn more often the more neurons change sign between its
corners, and its contribution is divided by its probability (M. H. Hansen, W. N. Hurwitz, "On the
theory of sampling from finite populations", Ann. Math. Statist. 14 (1943) 333-362): the mean is
unbiased for any network. If all tiles are decomposed, it is the number itself.

In more than three dimensions there would be too many tiles. A box with few cells is decomposed as
a whole; otherwise regions are estimated by random descents (`relutopo.estimation.descents`), on the
box and on some of its faces, because most cells lie in faces if few neurons cut the box. A face of
k dimensions that meets R regions has about as many cells as hyperplanes in general position that
cut it into R parts. Bytes and seconds follow from the number of cells.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from relutopo import registry
from relutopo.checks import check_integer, check_number, check_seed
from relutopo.complex import CellComplex
from relutopo.errors import InputError, LimitReachedError
from relutopo.estimation.descents import descents
from relutopo.geometry.domain import (
    MOST_DIMENSIONS_OF_FACES,
    Box,
    Domain,
    as_domain,
    check_dimensions,
)
from relutopo.geometry.slices import AffineSlice, network_on
from relutopo.interfaces import Enumerator, checked_cells
from relutopo.networks.network import Network
from relutopo.reports.shown import Shown
from relutopo.reports.text import counted, in_time

__all__ = ["Estimate", "costs_if_many", "estimate", "warn_of_costs"]

log = logging.getLogger("relutopo")

_MOST_CELLS, _FEW_CELLS = 20_000, 2_000
"""Most cells of a tile, for an estimate and for a warning; larger tiles are divided."""
_MOST_DIVISIONS = 24
_MOST_PLACES = 4096
_CONFIDENCE = 0.95
_MOST_DIM_OF_TILES = 3
_SECONDS_A_CELL = 1e-6
"""In more than three dimensions, on one core of a usual machine."""
_MANY_BYTES, _MANY_SECONDS = 2.0**30, 60.0
"""Costs above these are worth a warning."""
_OFFSET = 0.3819660112501051
"""Position of the first wall, as a fraction of a tile: kinks often lie at halves, but not here."""


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """The estimated cost of a decomposition.

    Attributes
    ----------
    n_regions : float
        Estimated number of regions; the number itself if `is_exact`.
    low, high : float
        Ends of an interval with a confidence of 95 percent, as far as the drawn tiles resemble the
        others; `low` is at least the number of regions seen in tiles.
    n_cells : float
        Cells of all dimensions, for kinks in general position: 2^d for each region in up to three
        dimensions; from the fourth on, cells in the faces of the box are counted too.
    n_bytes : float
        Memory of the complex, twice what its arrays will take.
    seconds : float
        On this machine, with kernels compiled; on a usual machine if descents were made.
    n_tiles, n_drawn : int
        Into how many tiles the domain was cut, and how many different ones were decomposed. In more
        than three dimensions 1 and 1 if the whole box was decomposed, otherwise 0 and the number of
        descents.
    """

    n_regions: float
    low: float
    high: float
    n_cells: float
    n_bytes: float
    seconds: float
    n_tiles: int
    n_drawn: int

    @property
    def is_exact(self) -> bool:
        """Whether all tiles were decomposed."""
        return self.n_drawn == self.n_tiles

    def __str__(self) -> str:
        return (
            f"{self._regions}, {_short(self.n_bytes, 'B')}, {in_time(self.seconds)}; {self._source}"
        )

    def __repr__(self) -> str:
        return f"Estimate({self})"

    @property
    def _regions(self) -> str:
        between = "" if self.is_exact else f" ({_short(self.low)} to {_short(self.high)})"
        return f"{'' if self.is_exact else 'about '}{_short(self.n_regions)} regions{between}"

    @property
    def _source(self) -> str:
        if not self.n_tiles:
            return f"from {counted(self.n_drawn, 'descent')}"
        return f"from {self.n_drawn} of {counted(self.n_tiles, 'tile')}"

    def _facts(self) -> Mapping[str, object]:
        return {
            "regions": self._regions,
            "cells": _short(self.n_cells),
            "memory": _short(self.n_bytes, "B"),
            "time": in_time(self.seconds),
            "how": self._source,
        }


def estimate(
    model: Any,
    domain: Domain | ArrayLike,
    *,
    n_tiles: int = 24,
    seconds: float = 5.0,
    seed: int = 0,
) -> Estimate:
    """Estimate what `relutopo.decompose` will cost, from a sample of tiles.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Box, AffineSlice, or (n, d) array_like
        A slice must have a box. Points mean ``Box.around(points)``.
    n_tiles : int, default 24
        Number of tiles to draw, or all if there are fewer. In more than three dimensions, the
        largest number of descents.
    seconds : float, default 5
        No further tile or descent is begun after this time, once there are two.
    seed : int, default 0
        Of the draw.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        If the domain is not a box or a slice with one, has more than 12 dimensions, or the model
        cannot be used.

    Examples
    --------
    >>> from relutopo import Box
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> found = estimate(lines, Box(-1, 1, dim=2))
    >>> found.n_regions, found.is_exact
    (4.0, True)
    """
    n_tiles = check_integer("n_tiles", n_tiles, 2, remedy="leave it out")
    seconds = check_number("seconds", seconds, above=0, remedy="leave it out")
    rng = np.random.default_rng(check_seed(seed))
    place: Domain = as_domain(domain)
    network, box = network_on(model, place), _box_of(place)
    return _estimated(network, box, n_tiles, seconds, _MOST_CELLS, rng)


def warn_of_costs(network: Network, domain: Domain) -> None:
    """Log a warning with numbers if a decomposition is expected to take minutes or gigabytes.

    A first test by the number of neurons takes microseconds; only if it fails are the costs
    estimated, in about two seconds.

    Parameters
    ----------
    network : Network
    domain : Domain
        There is no estimate, and no warning, unless this is a box or a slice with one.
    """
    found = costs_if_many(network, domain)
    if found is not None:
        log.warning(
            "a decomposition in %s is expected to give %s; to bound it, set `max_cells` or "
            "`max_bytes`%s",
            counted(domain.dim, "dimension"),
            found,
            ", or take a plane, which has far fewer regions: an AffineSlice"
            if domain.dim > 2
            else "",
        )


def costs_if_many(network: Network, domain: Domain) -> Estimate | None:
    """Return an estimate if a decomposition is expected to take minutes or gigabytes, else None.

    A first test by the number of neurons takes microseconds; only if it fails are the costs
    estimated, in about two seconds.

    Parameters
    ----------
    network : Network
    domain : Domain
        None is returned unless this is a box or a slice with one.
    """
    box = domain.box if isinstance(domain, AffineSlice) else domain
    if (
        not isinstance(box, Box)
        or box.dim > MOST_DIMENSIONS_OF_FACES
        or not _may_be_costly(network.n_neurons, box.dim)
    ):
        return None
    found = _estimated(network, box, 6, 1.0, _FEW_CELLS, np.random.default_rng(0))
    is_many = found.n_bytes > _MANY_BYTES or found.seconds > _MANY_SECONDS
    return found if is_many else None


@lru_cache(maxsize=64)  # checkpoints of a network ask the same
def _may_be_costly(n: int, dim: int) -> bool:
    """Tell whether the cells of n planes in general position would be worth a warning."""
    of_faces = [_regions_of(n, k) for k in range(dim + 1)]
    cells = _cells_in_box([_cells_of(n, k) for k in range(dim + 1)])
    n_bytes = _bytes_of(dim, cells, of_faces[dim], n)
    return n_bytes > _MANY_BYTES or cells * _SECONDS_A_CELL > _MANY_SECONDS


def _regions_of(n: int, k: int) -> float:
    """Return the number of regions of n planes in general position in k dimensions."""
    return float(sum(math.comb(n, j) for j in range(min(k, n) + 1)))


def _cells_of(n: int, k: int) -> float:
    """Return the number of cells of all dimensions of n planes in general position.

    A cell in the intersection of s planes is a region of the other planes there.
    """
    return float(sum(math.comb(n, s) * _regions_of(n - s, k - s) for s in range(min(k, n) + 1)))


def _cells_in_box(within: Sequence[float]) -> float:
    """Return the number of cells in a box, from the numbers within one face of each dimension."""
    dim = len(within) - 1
    return sum(math.comb(dim, k) * 2.0 ** (dim - k) * number for k, number in enumerate(within))


def _bytes_of(dim: int, n_cells: float, n_regions: float, n_neurons: int) -> float:
    """Return the bytes of a complex: for cells with d facets, and in addition for regions."""
    return n_cells * (4 * dim + 8) + n_regions * (8 * (dim + 1) + n_neurons / 8)


def _estimated(
    network: Network,
    box: Box,
    n_tiles: int,
    seconds: float,
    most_cells: int,
    rng: np.random.Generator,
) -> Estimate:
    begin = time.perf_counter()
    if box.dim > _MOST_DIM_OF_TILES:
        try:
            return _of_one_tile(network, box, most_cells)
        except LimitReachedError:
            return _by_descents(network, box, n_tiles, seconds, rng)
    cuts = _divisions(network, box, most_cells, rng)
    n_along = len(cuts[0]) - 1
    total = n_along**box.dim
    places = _places(n_along, box.dim, rng)
    weights = _weights(network, cuts, places)
    if total <= n_tiles:
        order, shares = np.arange(total), np.ones(total)
    else:
        probabilities = weights / weights.sum()
        order = rng.choice(len(places), n_tiles, p=probabilities)
        # If there are too many tiles, the places are themselves a uniform sample of them.
        shares = total / len(places) / probabilities
    found: dict[int, float] = {}
    sizes: list[tuple[int, float, int]] = []
    drawn: list[float] = []
    for number in order.tolist():
        if total > n_tiles and len(drawn) >= 2 and time.perf_counter() - begin > seconds:
            break
        if number not in found:
            before = time.perf_counter()
            tile = _complex(network, _tile(cuts, places[number]))
            sizes.append((tile.n_regions, time.perf_counter() - before, _bytes(tile)))
            found[number] = _own_regions(tile, places[number] > 0)
        drawn.append(found[number] * shares[number])
    return _estimate(box.dim, total, drawn, float(sum(found.values())), sizes)


def _of_one_tile(network: Network, box: Box, most_cells: int) -> Estimate:
    """Decompose the whole box, and return the true numbers; raise an error if they are large."""
    if 3**box.dim > most_cells:
        raise LimitReachedError("its faces alone are too many")
    begin = time.perf_counter()
    tile = _complex(network, box, max_cells=most_cells)
    spent = time.perf_counter() - begin
    number = float(tile.n_regions)
    return _estimate(box.dim, 1, [number], number, [(tile.n_regions, spent, _bytes(tile))])


def _by_descents(
    network: Network, box: Box, most: int, seconds: float, rng: np.random.Generator
) -> Estimate:
    begin = time.perf_counter()
    found = descents(network, box, most, seconds, rng)
    regions, half = _mean(found)
    # Products of many factors have a skewed distribution: the mean may miss the few large ones.
    low, high = _interval_of_products(found)
    left = max(0.0, begin + seconds - time.perf_counter())
    on_faces = _regions_on_faces(network, box, regions, most, left, rng)
    cells = _cells_in_box([_cells_with(number, k) for k, number in enumerate(on_faces)])
    return Estimate(
        n_regions=regions,
        low=max(1.0, min(low, regions - half)),
        high=max(high, regions + half),
        n_cells=cells,
        n_bytes=2.0 * _bytes_of(box.dim, cells, regions, network.n_neurons),
        seconds=cells * _SECONDS_A_CELL,
        n_tiles=0,
        n_drawn=len(found),
    )


def _regions_on_faces(
    network: Network, box: Box, whole: float, most: int, seconds: float, rng: np.random.Generator
) -> list[float]:
    """Return about how many regions a face of each dimension meets, from a vertex to the box.

    Faces of two intermediate dimensions are sampled; for the others the logarithm is interpolated.
    """
    known = {0: 0.0, box.dim: math.log(max(1.0, whole))}
    chosen = (box.dim // 3, 2 * box.dim // 3)
    for k in chosen:
        end, numbers = time.perf_counter() + seconds / len(chosen), list[float]()
        while len(numbers) < 2 or (len(numbers) < most and time.perf_counter() < end):
            numbers += descents(*_face(network, box, k, rng), 2, 0.0, rng)
        known[k] = math.log(max(1.0, float(np.mean(numbers))))
    logs = np.interp(range(box.dim + 1), sorted(known), [known[k] for k in sorted(known)])
    return [math.exp(number) for number in logs.tolist()]


def _face(network: Network, box: Box, k: int, rng: np.random.Generator) -> tuple[Network, Box]:
    """Return the network on a random face of k dimensions, and that face as a box."""
    low, high = np.array(box.low), np.array(box.high)
    free = np.sort(rng.choice(box.dim, k, replace=False))
    origin = np.where(rng.integers(0, 2, box.dim) == 1, high, low)
    origin[free] = 0.0
    face = Box(low[free].tolist(), high[free].tolist())
    return network.restricted(origin, np.eye(box.dim)[:, free]), face


def _cells_with(regions: float, k: int) -> float:
    """Return about how many cells lie within a face of k dimensions with that many regions."""
    if not k:
        return 1.0
    low, high = 0, 1
    while _regions_of(high, k) < regions:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _regions_of(middle, k) < regions else (low, middle)
    ends = [_regions_of(n, k) for n in (low, high)]
    return float(np.interp(regions, ends, [_cells_of(n, k) for n in (low, high)]))


def _mean(drawn: list[float]) -> tuple[float, float]:
    """Return the mean of independent estimates, and half the width of its confidence interval."""
    error = float(np.std(drawn, ddof=1)) / math.sqrt(len(drawn))
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(drawn) - 1))
    return float(np.mean(drawn)), quantile * error


def _interval_of_products(drawn: list[float]) -> tuple[float, float]:
    """Return a confidence interval of the mean of lognormal numbers, by D. R. Cox's method.

    C. E. Land, "An evaluation of approximate confidence interval estimation methods for lognormal
    means", Technometrics 14 (1972) 145-158, section 2.
    """
    n, logs = len(drawn), np.log(drawn)
    variance = float(logs.var(ddof=1))
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1))
    half = quantile * math.sqrt(variance / n + variance**2 / (2 * (n - 1)))
    centre = float(logs.mean()) + variance / 2
    return math.exp(centre - half), math.exp(centre + half)


def _places(n_along: int, dim: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return all tiles, or a large uniform sample of them, one in each row."""
    if n_along**dim <= _MOST_PLACES:
        numbers = np.arange(n_along**dim)
        return np.stack(np.unravel_index(numbers, (n_along,) * dim), axis=1)
    return rng.integers(0, n_along, (_MOST_PLACES, dim))


def _weights(
    network: Network, cuts: list[NDArray[np.float64]], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return rough numbers of regions in tiles, from the signs that change between corners."""
    dim = places.shape[1]
    axes = np.arange(dim)
    ends = np.array(cuts)
    low, high = ends[axes, places], ends[axes, places + 1]
    corners = [np.where(side, high, low) for side in itertools.product((0, 1), repeat=dim)]
    above = [network.preactivations(points) > 0 for points in (*corners, (low + high) / 2)]
    changes = np.any([signs != above[0] for signs in above[1:]], axis=0).sum(axis=1)
    weights: NDArray[np.float64] = (1.0 + changes) ** min(dim, 2)
    return weights


def _box_of(domain: Domain) -> Box:
    box = domain.box if isinstance(domain, AffineSlice) else domain
    if not isinstance(box, Box):
        raise InputError(
            f"`domain` must be a Box, or an AffineSlice with one, got {type(box).__name__}; pass "
            "the smallest Box that holds it"
        )
    check_dimensions(box.dim, "a box")
    return box


def _complex(network: Network, box: Box, max_cells: int | None = None) -> CellComplex:
    backend: Enumerator = registry.create("enumerator", "cpu")
    found = backend.enumerate(network, box, max_cells=max_cells)
    return CellComplex.of(checked_cells(found, backend, network, box))


def _divisions(
    network: Network, box: Box, most_cells: int, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Return cuts of each axis such that the tile that seems to have most cells is small enough."""
    for power in range(_MOST_DIVISIONS):
        cuts = _cuts(box, 2**power)
        places = _places(len(cuts[0]) - 1, box.dim, rng)
        fullest = places[np.argmax(_weights(network, cuts, places))]
        try:
            _complex(network, _tile(cuts, fullest), max_cells=most_cells)
            return cuts
        except LimitReachedError:
            continue
    raise InputError(
        f"`domain` must have parts with at most {most_cells} cells, got none in {box.dim} "
        "dimensions; cut out an AffineSlice"
    )


def _cuts(box: Box, n: int) -> list[NDArray[np.float64]]:
    """Return the ends of the tiles along each axis: n + 1 tiles, or 1 if n is 1."""
    if n == 1:
        return [np.array(ends) for ends in zip(box.low, box.high, strict=True)]
    inner = (np.arange(n) + _OFFSET) / n
    return [
        np.concatenate([[low], low + inner * (high - low), [high]])
        for low, high in zip(box.low, box.high, strict=True)
    ]


def _tile(cuts: list[NDArray[np.float64]], place: NDArray[np.int64]) -> Box:
    low, high = (
        [float(ends[i + step]) for ends, i in zip(cuts, place.tolist(), strict=True)]
        for step in (0, 1)
    )
    return Box(low, high)


def _own_regions(tile: CellComplex, is_inner: NDArray[np.bool_]) -> float:
    """Return what a tile adds to the number of regions; `is_inner`: its lower walls in the box."""
    axes = np.flatnonzero(is_inner).tolist()
    on_wall = {axis: _cells_on(tile, axis) for axis in axes}
    total = float(tile.n_regions)
    for size in range(1, len(axes) + 1):
        for walls in itertools.combinations(axes, size):
            cells = np.logical_and.reduce([on_wall[axis][tile.dim - size] for axis in walls])
            total += (-1) ** size * int(cells.sum())
    return total


def _cells_on(tile: CellComplex, axis: int) -> dict[int, NDArray[np.bool_]]:
    """Return for each dimension which cells lie on the lower wall of an axis."""
    found = {tile.dim - 1: tile.facet_labels == -1 - 2 * axis}
    for dim in range(tile.dim - 1, 0, -1):
        indptr, indices = tile.facets[dim - 1]
        below = np.zeros(tile.n_cells[dim - 1], dtype=bool)
        below[indices[np.repeat(found[dim], np.diff(indptr))]] = True
        found[dim - 1] = below
    return found


def _bytes(tile: CellComplex) -> int:
    arrays: list[NDArray[Any]] = [array for pair in tile.facets for array in pair]
    arrays += [tile.vertices, tile.vertex_errors, tile.packed_patterns, tile.facet_labels]
    return sum(array.nbytes for array in arrays)


def _estimate(
    dim: int, total: int, drawn: list[float], seen: float, sizes: list[tuple[int, float, int]]
) -> Estimate:
    is_exact = len(sizes) == total
    regions, half = seen, 0.0
    if not is_exact:
        regions, half = _mean(drawn)
    n_seen = sum(n for n, _, _ in sizes)
    spent = sum(seconds for _, seconds, _ in sizes)
    n_bytes = sum(n for _, _, n in sizes)
    largest = max(sizes)
    return Estimate(
        n_regions=regions,
        low=max(seen, regions - half),
        high=regions + half,
        n_cells=2.0**dim * regions,
        n_bytes=2.0 * regions * n_bytes / n_seen,
        seconds=spent if total == 1 else regions * largest[1] / largest[0],
        n_tiles=total,
        n_drawn=len(sizes),
    )


def _short(number: float, unit: str = "") -> str:
    """Return a number with three significant digits and a prefix for powers of a thousand.

    Examples
    --------
    >>> _short(1234567.0), _short(4e4, "B"), _short(900.0, "B"), _short(12.0)
    ('1.23 M', '40 kB', '900 B', '12')
    """
    if number < 1000:
        return f"{number:.0f} {unit}".rstrip()
    size = min(int(math.log10(number)) // 3, 4)
    return f"{number / 1000**size:.3g} {' kMGT'[size]}{unit}"

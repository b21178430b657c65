"""Where the neurons of a stage are positive, negative and zero on the cells that they will cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import popcount
from relutopo.geometry.patterns import unpack_patterns
from relutopo.system.compilation import njit
from relutopo.system.threads import Run, Spares

from .._certified.values import OPEN
from .._shared.task import Stage
from . import transfer
from .block import LatticeCells, LatticeTask
from .records import MINUS, PLUS, ZERO
from .tuning import Tuning

__all__ = ["Rows", "Survey", "row_of", "survey"]

_FEWEST = 64
"""Fewest regions that are worth a task of their own."""


class Rows(NamedTuple):
    """The neurons that cut each region.

    Attributes
    ----------
    numbers : (n, d + 2) ndarray
        For each region the neurons that cut it, in order: A, c and a bound of the error.
    begin : (n_regions + 1,) ndarray of int64
        Where each region's rows begin.
    crossing : (n_regions,) ndarray of uint64
        The neurons that cut each region; the first neuron of the stage has the highest bit.
    old : (n_old, d + 2) ndarray
        The planes of the complex.
    limit, target : float
        Vertex errors above `limit` leave all signs open; vertices with errors above `target` are
        refined.
    """

    numbers: NDArray[np.float64]
    begin: NDArray[np.int64]
    crossing: NDArray[np.uint64]
    old: NDArray[np.float64]
    limit: float
    target: float


@dataclass(frozen=True)
class Survey:
    """The signs of a stage's neurons on a complex.

    Attributes
    ----------
    masks : list of d + 1 ndarrays of uint64, (n_k, 3)
        The neurons that are positive, negative and zero at some vertex of each k-cell.
    region_of : list of d + 1 ndarrays of int32, (n_k,)
        The first region that contains each k-cell.
    rows : Rows
    units : ndarray of int32
        The unit of each row, counted within its layer.
    n_uncertain : int
        How many signs were decided exactly.
    """

    masks: list[NDArray[np.uint64]]
    region_of: list[NDArray[np.int32]]
    rows: Rows
    units: NDArray[np.int32]
    n_uncertain: int


def survey(
    task: LatticeTask, stage: Stage, complex_: LatticeCells, run: Run, tuning: Tuning
) -> Survey:
    """Evaluate the neurons of a stage at the vertices of a complex."""
    d, n = complex_.x.shape[1], complex_.n
    masks = [np.empty((size, 3), dtype=np.uint64) for size in n]
    scratch = Spares(lambda: [np.full(size, -1, dtype=np.int32) for size in n[:-1]])

    def one(bounds: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.int32], int]:
        with scratch.one() as number:
            return _survey_regions(task, stage, complex_, bounds, number, masks)

    most = tuning.map_numbers // ((d + 2) * task.network.layer_sizes[stage.layer])
    most = max(1, min(most, max(_FEWEST, n[-1] // 8)))
    jobs: list[Callable[[], Any]] = [partial(_first_regions, complex_)]
    firsts = range(0, n[-1], most)
    jobs += [partial(one, (first, min(first + most, n[-1]))) for first in firsts]
    region_of, *found = run(_call, jobs)
    crossing = masks[d][:, PLUS] & masks[d][:, MINUS]
    counts = np.bitwise_count(crossing)
    rows = Rows(
        numbers=np.concatenate([numbers for numbers, *_ in found]),
        begin=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        crossing=crossing,
        old=complex_.table.numbers,
        limit=task.limit,
        target=task.target,
    )
    units = np.concatenate([units for _, units, _ in found])
    return Survey(masks, region_of, rows, units, sum(n_open for *_, n_open in found))


def _call(job: Callable[[], Any]) -> Any:
    return job()


def _first_regions(complex_: LatticeCells) -> list[NDArray[np.int32]]:
    """Return the first region that contains each cell."""
    n = complex_.n
    region_of = [np.arange(n[-1], dtype=np.int32)]
    for k in range(len(n) - 1, 0, -1):
        region_of.append(np.empty(n[k - 1], dtype=np.int32))
        _pass_on(*complex_.facets[k - 1], region_of[-2], region_of[-1])
    return region_of[::-1]


def _survey_regions(
    task: LatticeTask,
    stage: Stage,
    complex_: LatticeCells,
    bounds: tuple[int, int],
    number: list[NDArray[np.int32]],
    masks: list[NDArray[np.uint64]],
) -> tuple[NDArray[np.float64], NDArray[np.int32], int]:
    """Fill the masks of some regions and of their faces; return their rows, units, open signs.

    Faces that other regions share are evaluated again for these, with the same result.
    """
    d = complex_.x.shape[1]
    regions = np.arange(*bounds, dtype=np.int32)
    cells, region_of = [regions], np.arange(len(regions), dtype=np.int32)
    lists = []
    for k in range(d, 0, -1):
        entries, below, region_of = transfer.gather(
            cells[-1], region_of, *complex_.facets[k - 1], number[k - 1], 0
        )
        lists.append(entries)
        cells.append(below)
    vertices = cells[-1]
    packed = unpack_patterns(complex_.packed[regions], task.network.n_neurons)
    maps = task.network.affine_maps(stage.layer, packed, task.magnitude)
    signs = np.empty((len(vertices), stage.last - stage.first), dtype=np.int8)
    n_open = transfer.evaluate(
        maps.planes, maps.errors, stage.first, stage.last, region_of, complex_.x[vertices],
        complex_.deviation[vertices], task.limit, signs,
    )  # fmt: skip
    n_uncertain = 0
    if n_open:
        first_neuron = task.network.layer_offsets[stage.layer] + stage.first
        for i in np.flatnonzero((signs == OPEN).any(axis=1)).tolist():
            is_open = np.flatnonzero(signs[i] == OPEN)
            region = complex_.packed[regions[region_of[i]]]
            wanted = [(first_neuron + unit, region) for unit in is_open.tolist()]
            signs[i, is_open], n_left = _signs_at(task, complex_, int(vertices[i]), wanted)
            n_uncertain += n_left
    local = _masks_of(signs, vertices, masks[0])
    for k in range(1, d + 1):
        local = _union(cells[d - k], complex_.facets[k - 1][0], lists[d - k], local, masks[k])
    n_rows = int(np.bitwise_count(local[:, PLUS] & local[:, MINUS]).sum())
    numbers, units = np.empty((n_rows, d + 2)), np.empty(n_rows, dtype=np.int32)
    _pick(maps.planes, maps.errors, stage.first, local, numbers, units)
    return numbers, units, n_uncertain


def _signs_at(
    task: LatticeTask, complex_: LatticeCells, v: int, wanted: list[tuple[int, NDArray[np.uint8]]]
) -> tuple[list[int], int]:
    """Return the exact signs of neurons at a vertex of the complex, and how many took numbers."""
    table, known = complex_.table, task.decisions.known
    meeting = [(int(table.labels[p]), table.regions[p]) for p in complex_.planes[0][v].tolist()]
    signs, point, n_open = task.decisions.signs(meeting, wanted, known.get(v))
    if point is not None:
        known[v] = point
    return signs, n_open


@njit(cache=True, inline="always")
def row_of(begin, crossing, region, position):
    """Return the row of a neuron, by the position of its bit, on a region that it cuts."""
    before = crossing[region] >> np.uint64(position) >> np.uint64(1)
    return begin[region] + np.int64(popcount(before))


@njit(cache=True, nogil=True)
def _pass_on(indptr, indices, regions, below):
    """Give every facet the first region of the cells that have it."""
    for f in range(len(below)):
        below[f] = 2**31 - 1
    for c in range(len(indptr) - 1):
        for i in range(indptr[c], indptr[c + 1]):
            below[indices[i]] = min(below[indices[i]], regions[c])


@njit(cache=True, nogil=True)
def _masks_of(signs, vertices, masks):
    """Return the masks of vertices, and write them into those of all vertices."""
    local = np.empty((len(signs), 3), np.uint64)
    for v in range(len(signs)):
        plus = minus = zero = np.uint64(0)
        for j in range(signs.shape[1]):
            s, bit = signs[v, j], np.uint64(1) << np.uint64(63 - j)
            if s > 0:
                plus |= bit
            elif s < 0:
                minus |= bit
            else:
                zero |= bit
        local[v, PLUS], local[v, MINUS], local[v, ZERO] = plus, minus, zero
        for w in range(3):
            masks[vertices[v], w] = local[v, w]
    return local


@njit(cache=True, nogil=True)
def _union(cells, indptr, entries, below, masks):
    """Return the masks of cells, unions of those of their facets; write them into those of all."""
    local = np.empty((len(cells), 3), np.uint64)
    k = 0
    for i in range(len(cells)):
        c = cells[i]
        for w in range(3):
            local[i, w] = 0
        for _ in range(indptr[c], indptr[c + 1]):
            for w in range(3):
                local[i, w] |= below[entries[k], w]
            k += 1
        for w in range(3):
            masks[c, w] = local[i, w]
    return local


@njit(cache=True, nogil=True)
def _pick(planes, errors, first, masks, numbers, units):
    """Copy the maps of the neurons that cut each region to rows (A, c, error)."""
    d = planes.shape[1] - 1
    k = 0
    for r in range(len(masks)):
        bits = masks[r, PLUS] & masks[r, MINUS]
        for j in range(64):
            if not bits & (np.uint64(1) << np.uint64(63 - j)):
                continue
            for i in range(d + 1):
                numbers[k, i] = planes[r, i, first + j]
            numbers[k, d + 1] = errors[r, first + j]
            units[k] = first + j
            k += 1

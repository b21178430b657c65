"""A stage whose neurons are in general position cuts all cells at once; see `flats`.

Cells are cut in the order of their dimension, those of one dimension in parts, which threads take
as they come: a cell needs what its facets have been cut into, and nothing else. New cells are
numbered by the dimension of the cell that they come from, then by its number. So no part depends on
another of the same dimension, and the result does not depend on the parts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, to_float
from relutopo.geometry.domain import FacetLists
from relutopo.system.compilation import njit
from relutopo.system.threads import Run, Spares

from .._certified.decisions import Plane
from .._shared.bits import lowest_bit
from .._shared.growing import doubled
from .._shared.pages import kept
from .._shared.planes import PlaneTable
from .._shared.task import Stage
from . import flats
from .block import LatticeCells, LatticeTask
from .flats import Below, Carriers, Made, Scratch
from .records import MINUS, PLUS, ZERO
from .survey import Survey, row_of, survey
from .tuning import Tuning

__all__ = ["cut_at_once"]

_FEWEST = 2048
"""Fewest cells that are worth a task of their own."""
_PARTS = 64
"""Most tasks for the cells of one dimension."""


@dataclass
class _Part:
    """The new cells inside the carriers `first` to `last` - 1, all of one dimension k.

    `n_cells` and `n_entries` count them, and the entries of their lists, by dimension; `planes` has
    an entry for each dimension whose planes are wanted. The rest is as in `Made`.
    """

    first: int
    last: int
    begin: NDArray[np.int32]
    where: NDArray[np.int32]
    mask: NDArray[np.uint64]
    n_facets: NDArray[np.int32]
    entries: NDArray[np.int32]
    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    planes: dict[int, NDArray[np.int32]]
    packed: NDArray[np.uint8]
    points: dict[int, Integers]
    n_uncertain: int
    n_cells: NDArray[np.int64] = field(init=False)
    n_entries: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.n_cells = np.diff(self.begin, axis=1).sum(axis=0, dtype=np.int64)
        self.n_entries = np.diff(self.where, axis=1).sum(axis=0, dtype=np.int64)


def cut_at_once(
    task: LatticeTask, stage: Stage, complex_: LatticeCells, run: Run, tuning: Tuning
) -> tuple[LatticeCells, int] | None:
    """Return the complex after a stage and how many signs were open.

    None if the neurons are not in general position. The old complex is freed otherwise: only its
    vertices are kept.
    """
    signs = survey(task, stage, complex_, run, tuning)
    if (signs.masks[-1][:, PLUS] & signs.masks[-1][:, MINUS] & signs.masks[-1][:, ZERO]).any():
        return None
    cutter = _Cutter(task, stage, complex_, run, signs)
    if not all(cutter.cut(k) for k in range(1, len(complex_.n))):
        return None
    return cutter.join(), signs.n_uncertain + cutter.n_uncertain


class _Cutter:
    """Cuts the cells of one dimension after those of the one below."""

    def __init__(
        self, task: LatticeTask, stage: Stage, complex_: LatticeCells, run: Run, signs: Survey
    ) -> None:
        self.task, self.stage, self.complex, self.run, self.signs = (
            task, stage, complex_, run, signs
        )  # fmt: skip
        self.dim = d = complex_.x.shape[1]
        self.first_neuron = task.network.layer_offsets[stage.layer] + stage.first
        self.is_last = task.is_last(stage)
        # At the end only the labels of (d-1)-cells are needed.
        self.levels = [d - 1] if self.is_last else list(range(d))
        self.parts: list[list[_Part]] = [[]]
        n = complex_.n[0]
        self.totals = np.array([n, *d * [0]], dtype=np.int64)
        """How many cells there are so far, by dimension."""
        vertices = np.arange(n + 1, dtype=np.int32)
        self.below = Below(
            np.ascontiguousarray(signs.masks[0][:, :2]),
            np.stack([vertices[:-1], vertices[1:]], axis=1),
            vertices[:-1, None].copy(),
        )
        self.numbers = [self.below.number]
        """The numbers of the first new cells, by dimension, inside each cell."""
        self.n_uncertain = 0

    def cut(self, k: int) -> bool:
        """Cut the k-cells; return whether the neurons are in general position on them."""
        d, n = self.dim, self.complex.n[k]
        no_planes = np.empty((n, 0), dtype=np.int32)
        carriers = Carriers(
            *self.complex.facets[k - 1],
            self.signs.masks[k],
            self.signs.region_of[k],
            self.complex.planes[k] if k < d else no_planes,
        )
        workers = Spares(lambda: _Worker(self, d))

        def one(bounds: tuple[int, int]) -> _Part | None:
            with workers.one() as worker:
                return worker.cut(carriers, k, *bounds)

        size = max(_FEWEST, -(-n // _PARTS))
        parts: list[_Part] = []
        total = int(self.totals.sum())
        for part in self.run(one, [(i, min(i + size, n)) for i in range(0, n, size)]):
            if part is None:
                return False
            parts.append(part)
            total += int(part.n_cells.sum())
            self.task.check_limit(total, self.stage.layer)
        self.parts.append(parts)
        self.n_uncertain += sum(part.n_uncertain for part in parts)
        self._number(k, parts)
        return True

    def _number(self, k: int, parts: list[_Part]) -> None:
        """Give numbers to the new cells inside the k-cells."""
        n, is_top = self.complex.n[k], k == self.dim
        rows = np.cumsum([0, *(int(part.n_cells.sum()) for part in parts)])
        self.below = Below(
            np.empty((0 if is_top else rows[-1], 2), dtype=np.uint64),
            np.empty((0 if is_top else n, k + 2), dtype=np.int32),
            np.empty((n, k + 1), dtype=np.int32),
        )
        self.numbers.append(self.below.number)
        starts = self.totals[: k + 1] + np.cumsum(
            [np.zeros(k + 1, dtype=np.int64), *(part.n_cells for part in parts)], axis=0
        )

        def number(i: int) -> None:
            part = parts[i]
            _number(part.begin, starts[i], part.first, self.below.number)
            if not is_top:
                self.below.mask[rows[i] : rows[i + 1]] = part.mask
                self.below.begin[part.first : part.last] = part.begin + rows[i]
            part.mask = part.mask[:0].copy()

        deque(self.run(number, range(len(parts))), maxlen=0)
        for part, start in zip(parts, starts, strict=False):
            for row, point in part.points.items():
                self.task.decisions.known[int(start[0]) + row] = point
        self.totals[: k + 1] = starts[-1]

    def join(self) -> LatticeCells:
        """Return the new complex."""
        d, old = self.dim, self.complex
        n_entries = np.zeros(d + 1, dtype=np.int64)
        # Memory is the limit: arrays that are no longer needed are freed first, and what has been
        # written into those of the result is freed part by part.
        old_planes, n_vertices = old.planes[0], old.n[0]
        del self.below
        old.facets.clear()
        old.planes.clear()
        jobs = []
        for k in range(1, d + 1):
            for i, part in enumerate(self.parts[k]):
                jobs.append((k, i, n_entries.copy()))
                n_entries[: k + 1] += part.n_entries
        n = self.totals
        x, deviation = np.empty((n[0], d)), np.empty(n[0])
        x[:n_vertices], deviation[:n_vertices] = old.x, old.deviation
        facets: list[FacetLists] = [
            (np.empty(n[k] + 1, dtype=np.int64), np.empty(n_entries[k], dtype=np.int32))
            for k in range(1, d + 1)
        ]
        for indptr, _ in facets:
            indptr[0] = 0
        planes = [
            np.empty((n[k] if k in self.levels else 0, d - k), dtype=np.int32) for k in range(d)
        ]
        if 0 in self.levels:
            planes[0][:n_vertices] = old_planes
        packed = np.empty((n[d], old.packed.shape[1]), dtype=np.uint8)

        def put(job: tuple[int, int, NDArray[np.int64]]) -> None:
            k, i, ends = job
            part, self.parts[k][i] = self.parts[k][i], None  # type: ignore[call-overload]
            numbers = self.numbers[k][part.first : part.last]
            firsts = numbers[0]
            x[firsts[0] :][: len(part.x)] = part.x
            deviation[firsts[0] :][: len(part.x)] = part.deviation
            for level in range(1, k + 1):
                _put_lists(
                    part.begin, part.where, part.n_facets, part.entries, numbers, level,
                    ends[level], *facets[level - 1],
                )  # fmt: skip
            for level, rows in part.planes.items():
                planes[level][firsts[level] :][: len(rows)] = rows
            if k == d:
                packed[firsts[d] :][: len(part.packed)] = part.packed

        deque(self.run(put, jobs), maxlen=0)
        return LatticeCells(x, deviation, facets, planes, packed, self._table())

    def _table(self) -> PlaneTable:
        """Return the table of planes, or only its labels."""
        old, signs = self.complex, self.signs
        first_of_layer = self.task.network.layer_offsets[self.stage.layer]
        labels = np.concatenate([old.table.labels, first_of_layer + signs.units], dtype=np.int32)
        if self.is_last:
            return PlaneTable(labels, old.table.regions[:0], old.table.numbers[:0])
        regions = np.repeat(np.arange(len(old.packed)), np.diff(signs.rows.begin))
        return PlaneTable(
            labels,
            regions=np.concatenate([old.table.regions, old.packed[regions]]),
            numbers=np.concatenate([old.table.numbers, signs.rows.numbers]),
        )


class _Worker:
    """Room to cut in, which a thread uses for one part after another."""

    def __init__(self, cutter: _Cutter, dim: int) -> None:
        self.cutter = cutter
        self.scratch = _scratch(2**10, dim)
        self.made = Made(
            cursor=np.zeros(flats.N_CURSOR, dtype=np.int64),
            mask=np.empty((2**12, 2), dtype=np.uint64),
            n_facets=np.empty(2**12, dtype=np.int32),
            entries=np.empty(2**14, dtype=np.int32),
            begin=np.empty((0, 0), dtype=np.int32),
            where=np.empty((0, 0), dtype=np.int32),
            x=np.empty((2**10, dim)),
            deviation=np.empty(2**10),
        )
        self.points: dict[int, Integers] = {}
        self.n_uncertain = 0

    def cut(self, carriers: Carriers, k: int, first: int, last: int) -> _Part | None:
        """Cut some carriers; return None if the neurons are not in general position."""
        cutter, cursor = self.cutter, self.made.cursor
        stamp = cursor[flats.STAMP]
        cursor[:] = 0
        cursor[flats.STAMP], cursor[flats.CARRIER] = stamp, first
        begin, where = np.empty((2, last - first, k + 2), dtype=np.int32)
        self.made = self.made._replace(begin=begin, where=where)
        self.points, self.n_uncertain = {}, 0
        limits = cutter.task.limits
        while True:
            wish = flats.cut(
                carriers, cutter.below, self.made, self.scratch, cutter.signs.rows, first, last,
                limits.most_cells,
            )  # fmt: skip
            if wish == flats.DONE:
                break
            if wish == flats.SPECIAL:
                return None
            if wish == flats.REFINE:
                self._refine(carriers)
            elif wish == flats.SETTLE:
                if not self._settle(carriers):
                    return None
            elif wish == flats.LIMIT:
                cutter.task.check_limit(int(cursor[flats.N_CELLS]), cutter.stage.layer)
            else:
                self._make_room(wish)
        return self._part(carriers, k, first, last)

    def _make_room(self, wish: int) -> None:
        """Double the arrays that the kernel needs longer."""
        made = self.made
        if wish == flats.MORE_SCRATCH:
            self.scratch = _scratch(2 * len(self.scratch.order), made.x.shape[1])
        elif wish == flats.MORE_CELLS:
            self.made = made._replace(mask=doubled(made.mask), n_facets=doubled(made.n_facets))
        elif wish == flats.MORE_ENTRIES:
            self.made = made._replace(entries=doubled(made.entries))
        else:
            self.made = made._replace(x=doubled(made.x), deviation=doubled(made.deviation))

    def _refine(self, carriers: Carriers) -> None:
        """Compute those of the new vertices on a line exactly whose error bound is too large."""
        cursor, task, (x, deviation) = self.made.cursor, self.cutter.task, self.made[-2:]
        for cell in range(int(cursor[flats.FIRST_NEW]), int(cursor[flats.N_CELLS])):
            v = self._row(cell)
            if not deviation[v] <= task.target:
                if v not in self.points:
                    self.points[v] = task.decisions.point(self._meeting(carriers, cell))
                x[v] = to_float(self.points[v])
                deviation[v] = task.rounding

    def _settle(self, carriers: Carriers) -> bool:
        """Decide the open sign of a new vertex; return whether it is not zero."""
        cursor, mask = self.made.cursor, self.made.mask
        cell, bit = int(cursor[flats.OPEN_VERTEX]), int(cursor[flats.OPEN_BIT])
        self.n_uncertain += 1
        wanted = [(self.cutter.first_neuron + 63 - bit, self._region(carriers))]
        v = self._row(cell)
        (sign,), point = self.cutter.task.decisions.signs(
            self._meeting(carriers, cell), wanted, self.points.get(v)
        )
        if point is not None:
            self.points[v] = point
        if sign:
            mask[cell, MINUS if sign > 0 else PLUS] &= ~np.uint64(1 << bit)
        return sign != 0

    def _row(self, cell: int) -> int:
        """Return the row of a new vertex on the line that is being cut."""
        cursor = self.made.cursor
        return cell + int(cursor[flats.N_VERTICES] - cursor[flats.N_CELLS])

    def _region(self, carriers: Carriers) -> NDArray[np.uint8]:
        """Return the pattern of a region that contains the carrier being cut."""
        packed: NDArray[np.uint8] = self.cutter.complex.packed[
            carriers.region_of[self.made.cursor[flats.CARRIER]]
        ]
        return packed

    def _meeting(self, carriers: Carriers, cell: int) -> list[Plane]:
        """Return the planes that meet in a new vertex."""
        cutter, c = self.cutter, self.made.cursor[flats.CARRIER]
        table, region = cutter.complex.table, self._region(carriers)
        crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
        zeros = ~(self.made.mask[cell, PLUS] | self.made.mask[cell, MINUS]) & crossing
        return [
            *((int(table.labels[p]), table.regions[p]) for p in carriers.planes[c].tolist()),
            *((cutter.first_neuron + unit, region) for unit in _units(zeros)),
        ]

    def _part(self, carriers: Carriers, k: int, first: int, last: int) -> _Part:
        """Return what has been made."""
        cutter, made, rows = self.cutter, self.made, self.cutter.signs.rows
        d, cursor = cutter.dim, made.cursor
        n, n_vertices = cursor[flats.N_CELLS], cursor[flats.N_VERTICES]
        planes = {
            level: kept(
                _planes(
                    carriers, made.mask, made.begin, first, level, d - level, rows.begin,
                    rows.crossing, len(cutter.complex.table.labels),
                )
            )
            for level in cutter.levels
            if level <= k
        }  # fmt: skip
        packed = np.empty((0, cutter.complex.packed.shape[1]), dtype=np.uint8)
        if k == d:
            regions = np.repeat(np.arange(first, last), np.diff(made.begin[:, d:]).ravel())
            packed = cutter.complex.packed[regions]
            _add_patterns(made.mask, made.begin, d, cutter.first_neuron, packed)
        return _Part(
            first, last, made.begin, made.where, kept(made.mask[: n if k < d else 0]),
            kept(made.n_facets[:n]), kept(made.entries[: cursor[flats.N_ENTRIES]]),
            kept(made.x[:n_vertices]), kept(made.deviation[:n_vertices]), planes, packed,
            self.points, self.n_uncertain,
        )  # fmt: skip


def _units(word: np.uint64) -> list[int]:
    """Return the units of a stage in a mask."""
    bits = np.unpackbits(np.array([word], ">u8").view(np.uint8))
    units: list[int] = np.flatnonzero(bits).tolist()
    return units


def _scratch(size: int, dim: int) -> Scratch:
    """Return room for a carrier."""
    return Scratch(
        lines=np.empty((size, 5), dtype=np.int32),
        chain=np.empty(size, dtype=np.int32),
        keys=np.empty((2 * size, 2), dtype=np.uint64),
        slots=np.zeros((2 * size, 2), dtype=np.int32),
        owner=np.empty(4 * size, dtype=np.int32),
        member=np.empty(4 * size, dtype=np.int32),
        signs=np.empty((4 * size, 2), dtype=np.uint64),
        order=np.empty(size, dtype=np.int32),
        rank=np.empty(size, dtype=np.int32),
        a=np.empty((dim, dim)),
        offset=np.empty(dim),
        slack=np.empty(dim),
        inverse=np.empty((dim, 2 * dim)),
    )


@njit(cache=True, nogil=True)
def _number(begin, starts, first, number):
    """Give numbers to cells inside some carriers, those of each dimension from a start on."""
    following = starts.copy()
    for i in range(len(begin)):
        for level in range(len(following)):
            number[first + i, level] = following[level]
            following[level] += begin[i, level + 1] - begin[i, level]


@njit(cache=True, nogil=True)
def _put_lists(begin, where, n_facets, entries, numbers, level, end, indptr, indices):
    """Write the lists of the l-cells inside some carriers, from `end` on."""
    for i in range(len(begin)):
        cell, at = numbers[i, level], where[i, level]
        first = numbers[i, level - 1]
        for c in range(begin[i, level], begin[i, level + 1]):
            for _ in range(n_facets[c]):
                entry = entries[at]
                indices[end] = entry if entry >= 0 else first + ~entry
                at += 1
                end += 1
            cell += 1
            indptr[cell] = end


@njit(cache=True, nogil=True)
def _planes(carriers, mask, begin, first, level, width, row_begin, crossing, offset):
    """Return the planes of the l-cells inside some carriers; new ones begin at `offset`."""
    n = 0
    for i in range(len(begin)):
        n += begin[i, level + 1] - begin[i, level]
    planes = np.empty((n, width), np.int32)
    n = 0
    for i in range(len(begin)):
        c = first + i
        others = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
        for cell in range(begin[i, level], begin[i, level + 1]):
            n_old = carriers.planes.shape[1]
            for q in range(n_old):
                planes[n, q] = carriers.planes[c, q]
            zeros = ~(mask[cell, PLUS] | mask[cell, MINUS]) & others
            q = width
            while zeros:
                position = lowest_bit(zeros)
                zeros &= zeros - np.uint64(1)
                q -= 1
                row = row_of(row_begin, crossing, carriers.region_of[c], position)
                planes[n, q] = offset + row
            n += 1
    return planes


@njit(cache=True, nogil=True)
def _add_patterns(mask, begin, dim, first_neuron, packed):
    """Set the bits of a stage's neurons in the patterns of new regions."""
    r = 0
    for i in range(len(begin)):
        for cell in range(begin[i, dim], begin[i, dim + 1]):
            bits = mask[cell, PLUS]
            while bits:
                neuron = first_neuron + 63 - np.int64(lowest_bit(bits))
                bits &= bits - np.uint64(1)
                packed[r, neuron >> 3] |= np.uint8(1 << (neuron & 7))
            r += 1

"""A stage whose neurons are in general position cuts all cells at once; see `flats`.

Cells are cut in the order of their dimension, those of one dimension in parts, which threads take
as they come: a cell needs what its facets have been cut into, and nothing else. New cells are
numbered by the dimension of the cell that they come from, then by its number. So no part depends on
another of the same dimension, and the result does not depend on the parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, to_float
from relutopo.geometry.domain import FacetLists
from relutopo.system.threads import Run, Spares

from .._certified.decisions import Plane
from .._shared.growing import doubled
from .._shared.pages import Pages
from .._shared.planes import PlaneTable
from .._shared.task import Stage
from . import flats
from .block import LatticeCells, LatticeTask
from .flats import Below, Carriers, Made, Scratch
from .parts import Joined, Kept, give_numbers, put, take_out
from .records import MINUS, PLUS, ZERO
from .survey import Survey, survey
from .tuning import Tuning

__all__ = ["cut_at_once"]

_LARGEST, _SMALLEST = 2**14, 2**12
"""Work of a task at most and at least, in new cells, roughly."""
_SHARE = 4
"""Part of what is left that a task takes, so that the last ones are short."""
_BYTES_A_CELL = 128
"""Bytes of what a cell of the old complex is cut into, at least and roughly."""


@dataclass
class _Part:
    """The new cells inside the carriers `first` to `last` - 1, all of one dimension k.

    `counts`, (2, k + 1), says by dimension how many they are and how many entries their lists have,
    and `starts` how many come before them.
    """

    first: int
    last: int
    kept: Kept
    counts: NDArray[np.int64]
    points: dict[int, Integers]
    n_uncertain: int
    starts: NDArray[np.int64] = field(init=False)


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
        self.lowest = d - 1 if self.is_last else 0
        """The lowest dimension whose planes are wanted: labels of (d-1)-cells at the end."""
        self.parts: list[list[_Part]] = []
        n = complex_.n[0]
        self.totals = np.zeros((2, d + 1), dtype=np.int64)
        """How many cells there are so far, and entries of their lists, by dimension."""
        self.totals[0, 0] = n
        vertices = np.arange(n + 1, dtype=np.int32)
        self.below = Below(
            np.ascontiguousarray(signs.masks[0][:, :2]),
            np.stack([vertices[:-1], vertices[1:]], axis=1),
            vertices[:-1, None].copy(),
        )
        self.workers = Spares(lambda: _Worker(self, d))
        self.no_mask, self.no_region = np.empty((0, 3), np.uint64), np.empty(0, np.int32)
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

        def one(bounds: tuple[int, int]) -> _Part | None:
            with self.workers.one() as worker:
                return worker.cut(carriers, k, *bounds)

        parts: list[_Part] = []
        total = int(self.totals[0].sum())
        # Every cell is one at least, and more the more cells there are inside its facets.
        for part in self.run(one, _ranges(n, 4 * n + len(self.below.mask))):
            if part is None:
                return False
            parts.append(part)
            total += len(part.kept.n_facets)
            self.task.check_limit(total, self.stage.layer)
        self.signs.masks[k], self.signs.region_of[k] = self.no_mask, self.no_region
        self.parts.append(parts)
        self.n_uncertain += sum(part.n_uncertain for part in parts)
        self._number(k, parts)
        return True

    def _number(self, k: int, parts: list[_Part]) -> None:
        """Give numbers to the new cells inside the k-cells."""
        totals = self.totals[:, : k + 1]
        for part in parts:
            part.starts = totals.copy()
            totals += part.counts
        if k == self.dim:
            return
        n, rows = self.complex.n[k], np.cumsum([0, *(len(part.kept.n_facets) for part in parts)])
        self.below = Below(
            np.empty((rows[-1], 2), dtype=np.uint64),
            np.empty((n, k + 2), dtype=np.int32),
            np.empty((n, k + 1), dtype=np.int32),
        )

        def number(i: int) -> None:
            part = parts[i]
            give_numbers(part.kept, part.starts[0], part.first, rows[i], self.below)
            part.kept = part.kept._replace(mask=self.no_mask)

        deque(self.run(number, range(len(parts))), maxlen=0)

    def join(self) -> LatticeCells:
        """Return the new complex."""
        # Not before: vertices get other numbers if neurons turn out not to be in general position
        # on cells of a higher dimension.
        for part in chain.from_iterable(self.parts):
            first = int(part.starts[0, 0])
            known = {first + i: point for i, point in part.points.items()}
            self.task.decisions.known.update(known)
        d, old, (n, n_entries) = self.dim, self.complex, self.totals
        # Memory is the limit: arrays that are no longer needed are freed first, and what has been
        # written into those of the result is freed part by part.
        old_planes, n_vertices = old.planes[0], old.n[0]
        del self.below, self.workers
        for arrays in (old.facets, old.planes, self.signs.masks, self.signs.region_of):
            arrays.clear()
        widths = np.array([d - k if k >= self.lowest else 0 for k in range(d + 1)])
        ends_of_indptr = np.cumsum(np.append(0, n[1:] + 1))
        ends_of_indices, ends_of_planes = np.cumsum(n_entries), np.cumsum(n * widths)
        joined = Joined(
            np.empty((n[0], d)),
            np.empty(n[0]),
            np.empty((n[d], old.packed.shape[1]), dtype=np.uint8),
            np.empty(ends_of_indptr[-1], dtype=np.int64),
            np.empty(ends_of_indices[-1], dtype=np.int32),
            np.empty(ends_of_planes[-1], dtype=np.int32),
            np.append(0, ends_of_indptr[:-1]),
            np.append(0, ends_of_indices[:-1]),
            np.append(0, ends_of_planes[:-1]),
        )
        joined.x[:n_vertices], joined.deviation[:n_vertices] = old.x, old.deviation
        joined.indptr[joined.first_indptr[1:]] = 0
        if self.lowest == 0:
            joined.planes[: old_planes.size] = old_planes.ravel()

        def put_back(part: _Part) -> None:
            kept = part.kept
            del part.kept
            put(kept, part.first, *part.starts, self.lowest, old.packed, self.first_neuron, joined)

        deque(self.run(put_back, chain.from_iterable(self.parts)), maxlen=0)
        facets: list[FacetLists] = [
            (
                joined.indptr[joined.first_indptr[k] :][: n[k] + 1],
                joined.indices[joined.first_index[k] :][: n_entries[k]],
            )
            for k in range(1, d + 1)
        ]
        planes = [
            joined.planes[joined.first_plane[k] : ends_of_planes[k]].reshape(-1, d - k)
            for k in range(d)
        ]
        return LatticeCells(
            joined.x, joined.deviation, facets, planes, joined.packed, self._table()
        )

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
        self.expected = _BYTES_A_CELL * sum(cutter.complex.n)
        self.pages = self.pages_of_masks = Pages(self.expected)
        self.level = -1
        self.scratch = _scratch(2**10, dim)
        self.made = Made(
            cursor=np.zeros(flats.N_CURSOR, dtype=np.int64),
            mask=np.empty((0, 2), dtype=np.uint64),
            n_facets=np.empty(2**12, dtype=np.int32),
            entries=np.empty(2**14, dtype=np.int32),
            begin=np.empty((0, 0), dtype=np.int32),
            counts=np.empty((0, 0), dtype=np.int64),
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
        if k != self.level:  # masks are freed long before everything else
            self.level, self.pages_of_masks = k, Pages(self.expected, at_once=2**23)
            self._make_room_for_masks()
        self.made = self.made._replace(
            begin=np.empty((last - first, k + 2), dtype=np.int32),
            counts=np.zeros((2, k + 1), dtype=np.int64),
        )
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

    def _make_room_for_masks(self) -> None:
        mask = self.pages_of_masks.empty((len(self.made.n_facets), 2), np.uint64)
        self.made = self.made._replace(mask=mask)

    def _make_room(self, wish: int) -> None:
        """Double the arrays that the kernel needs longer."""
        made = self.made
        if wish == flats.MORE_SCRATCH:
            self.scratch = _scratch(2 * len(self.scratch.order), made.x.shape[1])
        elif wish == flats.MORE_CELLS:
            mask = self.pages_of_masks.longer(made.mask, 2 * len(made.mask))
            self.made = made._replace(mask=mask, n_facets=doubled(made.n_facets))
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
        wanted = [(self.cutter.first_neuron + 63 - bit, self._region(carriers))]
        v = self._row(cell)
        (sign,), point, n_open = self.cutter.task.decisions.signs(
            self._meeting(carriers, cell), wanted, self.points.get(v)
        )
        self.n_uncertain += n_open
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
        cutter, made = self.cutter, self.made
        d, lowest = cutter.dim, cutter.lowest
        n = int(made.cursor[flats.N_CELLS])
        n_vertices, n_entries = (
            int(made.cursor[count]) for count in (flats.N_VERTICES, flats.N_ENTRIES)
        )
        by_level = made.counts[0].tolist()
        n_planes = sum(by_level[level] * (d - level) for level in range(lowest, min(k + 1, d)))
        empty = self.pages.empty
        kept = Kept(
            made.begin,
            empty((n,), np.int32),
            empty((n_entries,), np.int32),
            empty((n_vertices, d), np.float64),
            empty((n_vertices,), np.float64),
            empty((n_planes,), np.int32),
            empty((by_level[d], 1), np.uint64) if k == d else made.mask,
        )
        offset = len(cutter.complex.table.labels)
        take_out(carriers, made, cutter.signs.rows, first, lowest, offset, kept)
        if k < d:  # the next cells need all masks, as they are
            kept = kept._replace(mask=self.pages_of_masks.shorter(made.mask, n))
            self._make_room_for_masks()
        return _Part(first, last, kept, made.counts, self.points, self.n_uncertain)


def _ranges(n: int, work: int) -> Iterator[tuple[int, int]]:
    """Split n cells into the ranges of tasks."""
    largest, smallest = (max(1, n * size // work) for size in (_LARGEST, _SMALLEST))
    first = 0
    while first < n:
        last = min(first + min(max((n - first) // _SHARE, smallest), largest), n)
        yield first, last
        first = last


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

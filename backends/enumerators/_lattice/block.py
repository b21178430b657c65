"""One block of a complex, cut by some neurons of a layer; see `enumeration`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, to_float
from relutopo.geometry.domain import Domain, FacetLists
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.network import Network

from .._certified.decisions import Decisions, Plane
from .._certified.values import OPEN
from .._shared.growing import doubled
from .._shared.planes import PlaneTable
from .._shared.task import Limits, Stage, Task
from . import cutting
from . import transfer as kernels

__all__ = ["Block", "HandedBack", "LatticeCells", "LatticeTask", "Sharing", "Workspace"]


@dataclass(frozen=True)
class LatticeCells:
    """A complex; lists that are indexed by a dimension k have no entry for regions' planes.

    Attributes
    ----------
    x, deviation : (n_0, d), (n_0,) ndarrays
        Vertices, and bounds of their errors.
    facets : list of d pairs (indptr, indices)
        Entry k - 1 lists the facets of the k-cells.
    planes : list of d ndarrays of int32, (n_k, d - k)
        Rows of `table`: the planes in which a k-cell lies.
    packed : (n_d, n_bytes) ndarray of uint8
        Patterns, for the neurons so far.
    table : PlaneTable
    """

    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    facets: list[FacetLists]
    planes: list[NDArray[np.int32]]
    packed: NDArray[np.uint8]
    table: PlaneTable

    @property
    def n(self) -> tuple[int, ...]:
        """Number of cells of each dimension."""
        return (len(self.x), *(len(indptr) - 1 for indptr, _ in self.facets))


class LatticeTask(Task):
    """What is being decomposed, and what all layers need of it.

    Parameters
    ----------
    network, domain, limits
        As for `Task`.
    """

    def __init__(self, network: Network, domain: Domain, limits: Limits) -> None:
        super().__init__(network, domain, limits)
        self.decisions = Decisions(self.network, domain, self.magnitude)


@dataclass(frozen=True)
class Sharing:
    """Which cells several blocks have.

    ``number[k]`` numbers the shared k-cells, 0 < k < d, with -1 for others; ``owner`` has a block
    for each of these numbers.
    """

    number: list[NDArray[np.int32]]
    owner: NDArray[np.int32]


class Workspace:
    """Arrays that blocks use one after another; every thread has its own."""

    def __init__(self, n: Sequence[int]) -> None:
        self.number = [np.full(size, -1, dtype=np.int32) for size in n[:-1]]
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an array with at least as many rows, of undefined content."""
        array = self._arrays.get(name)
        if array is None or len(array) < shape[0] or array.shape[1:] != shape[1:]:
            self._arrays[name] = array = np.empty(shape, dtype=dtype)
        return array

    def double(self, name: str) -> NDArray[Any]:
        """Return an array with twice the rows, and the old content."""
        self._arrays[name] = longer = doubled(self._arrays[name])
        return longer


@dataclass
class HandedBack:
    """What a block hands back: the cells that it owns, by dimension, and how it names the others.

    A cell's *position* counts the cells that the block owns, then those that others own, then the
    vertices that were there before.
    """

    n_owned: NDArray[np.int64]
    initial_vertices: NDArray[np.int32]
    shared: NDArray[np.int32]
    owned: NDArray[np.bool_]
    counts: NDArray[np.int32]
    first: NDArray[np.int32]
    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    lists: list[tuple[NDArray[np.int32], NDArray[np.int32]]]
    planes: list[NDArray[np.int32]]
    packed: NDArray[np.uint8]
    table: PlaneTable
    points: dict[int, Integers]
    n_uncertain: int


class Block:
    """The closure of some regions.

    Cells are numbered as in `kernels`; `cells[k]` are the numbers in the complex of the
    k-cells that were taken, in that order, and `first[k]` is the block's number of the first.
    """

    def __init__(
        self,
        task: LatticeTask,
        stage: Stage,
        complex_: LatticeCells,
        regions: NDArray[np.int32],
        work: Workspace,
    ) -> None:
        self.task, self.stage, self.complex, self.work = task, stage, complex_, work
        self.first_neuron = task.network.layer_offsets[stage.layer] + stage.first
        self.dim = d = complex_.x.shape[1]
        self.n_uncertain = 0
        self.points: dict[int, Integers] = {}
        # Take the cells.
        self.cells = [regions]
        lists = []
        region_of = [np.arange(len(regions), dtype=np.int32)]
        first = [0]
        for k in range(d, 0, -1):
            first.append(first[-1] + len(self.cells[-1]))
            entries, below, owners = kernels.gather(
                self.cells[-1], region_of[-1], *complex_.facets[k - 1], work.number[k - 1],
                first[-1],
            )  # fmt: skip
            lists.append(entries)
            self.cells.append(below)
            region_of.append(owners)
        self.n_vertices = len(self.cells[-1])
        self.n_carriers = first[-1] + self.n_vertices
        self.cells.reverse()
        self.first = first[::-1]
        self.region_of = np.concatenate(region_of)
        # Lay them out.
        self.cursor = np.zeros(cutting.N_CURSOR, dtype=np.int64)
        n = self.n_carriers
        self.info = work.array("info", (4 * n, 4), np.int32)
        self.kind = work.array("kind", (4 * n, 2), np.int32)
        self.planes_of = work.array("planes_of", (4 * n, d), np.int32)
        self.pool = work.array("pool", (3 * sum(map(len, lists)) + 4 * n,), np.int32)
        for k in range(d, 0, -1):
            kernels.lay_out(
                self.first[k], k, self.cells[k], complex_.facets[k - 1][0], lists[d - k],
                self.info, self.kind, self.pool, self.cursor,
            )  # fmt: skip
        vertices = slice(self.first[0], n)
        self.info[vertices] = 0
        self.info[vertices, cutting.START] = np.arange(self.n_vertices)
        self.info[vertices, cutting.PLUS_HALF] = -1
        self.kind[vertices, cutting.CARRIER] = np.arange(self.first[0], n)
        self.kind[vertices, cutting.LEVEL] = 0
        for k in range(1, d):
            rows = slice(self.first[k], self.first[k - 1])
            self.planes_of[rows, : d - k] = ~complex_.planes[k][self.cells[k]]
        self.x = work.array("x", (4 * self.n_vertices, d), np.float64)
        self.deviation = work.array("deviation", (4 * self.n_vertices,), np.float64)
        self.x[: self.n_vertices] = complex_.x[self.cells[0]]
        self.deviation[: self.n_vertices] = complex_.deviation[self.cells[0]]
        self.cursor[cutting.N_CELLS] = self.cursor[cutting.FIRST_OF_UNIT] = n
        self.cursor[cutting.N_VERTICES] = self.n_vertices
        self.cursor[cutting.FREE_LINK] = -1
        self.cursor[cutting.DIMENSION] = 1
        self._prepare()

    def _prepare(self) -> None:
        """Evaluate the neurons at the vertices, and find the cells that they cut."""
        task, stage, work, d = self.task, self.stage, self.work, self.dim
        packed = self.complex.packed[self.cells[-1]]
        patterns = unpack_patterns(packed, task.network.n_neurons)
        maps = task.network.affine_maps(stage.layer, patterns, task.magnitude)
        signs = np.empty((self.n_vertices, stage.last - stage.first), dtype=np.int8)
        n_open = kernels.evaluate(
            maps.planes, maps.errors, stage.first, stage.last, self.region_of[self.first[0] :],
            self.x[: self.n_vertices], self.deviation, self.task.limit, signs,
        )  # fmt: skip
        self.n_uncertain += n_open
        for v in np.flatnonzero((signs == OPEN).any(axis=1)).tolist() if n_open else ():
            c, units = self.first[0] + v, np.flatnonzero(signs[v] == OPEN)
            signs[v, units] = self._decide(v, c, self.region_of[c], units)
        # Neurons that are positive everywhere, or nowhere, need no masks.
        always = (signs > 0).all(axis=0)
        self.units = np.flatnonzero(~always & (signs > 0).any(axis=0))
        self.always = self.first_neuron + np.flatnonzero(always)
        n_units = len(self.units)
        n_words = max(1, -(-n_units // 64))
        self.rows = work.array("rows", (len(packed) * n_units, d + 2), np.float64)
        kernels.pick_rows(maps.planes, maps.errors, stage.first + self.units, self.rows)
        self.mask = work.array("mask", (len(self.info), 3 * n_words), np.uint64)
        self.n_cuts = kernels.prepare(
            self.cursor, self.n_vertices, signs, self.units, self.mask, self.info, self.pool
        )

    @property
    def n_regions(self) -> int:
        """How many regions there are by now."""
        levels = self.kind[: self.cursor[cutting.N_CELLS], cutting.LEVEL]
        return int(np.count_nonzero(levels == self.dim))

    def cut(self) -> None:
        """Cut by all neurons."""
        task, work = self.task, self.work
        chains = np.zeros((self.dim + 1, len(self.units), 3), dtype=np.int32)
        self.links = work.array("links", (2 * self.n_cuts + 4 * len(self.units) + 64, 2), np.int32)
        self.scratch = [work.array(name, (1024,), np.int32) for name in ("cuts", "side")]
        kernels.fill_chains(self.cursor, self.n_vertices, chains, self.links, self.mask, self.kind)
        while True:
            wish = cutting.cut(
                self.cursor, chains, self.links, self.mask, self.info, self.kind, self.planes_of,
                self.pool, *self.scratch, self.x, self.deviation, self.rows,
                self.complex.table.numbers, self.region_of, self.task.limit, task.target,
                task.limits.most_cells,
            )  # fmt: skip
            if wish == cutting.DONE:
                return
            if wish == cutting.REFINE:
                self._refine()
            elif wish == cutting.SETTLE:
                self._settle()
            elif wish == cutting.LIMIT:
                unit = self.stage.first + int(self.units[self.cursor[cutting.UNIT] - 1])
                n_cells = int(self.cursor[cutting.N_CELLS])
                task.check_limit(n_cells, self.stage.layer, unit)
            elif wish == cutting.MORE_CELLS:
                for name in ("mask", "info", "kind", "planes_of", "x", "deviation"):
                    setattr(self, name, work.double(name))
            elif wish == cutting.MORE_SCRATCH:
                self.scratch = [work.double(name) for name in ("cuts", "side")]
            else:
                name = {cutting.MORE_POOL: "pool", cutting.MORE_LINKS: "links"}[wish]
                setattr(self, name, work.double(name))

    def _new_vertices(self) -> NDArray[np.int64]:
        """Return the vertices of the cuts being made."""
        first, n = self.cursor[cutting.FIRST_NEW], self.cursor[cutting.N_CUT]
        numbers: NDArray[np.int64] = first + 1 + 2 * np.arange(n)
        return numbers

    def _refine(self) -> None:
        """Compute those of the new vertices exactly whose error bound is too large."""
        vertices = self._new_vertices()
        rows = self.info[vertices, cutting.START]
        far = ~(self.deviation[rows] <= self.task.target)
        for c, v in zip(vertices[far].tolist(), rows[far].tolist(), strict=True):
            self.x[v] = to_float(self._exact_point(v, c))
            self.deviation[v] = self.task.rounding

    def _settle(self) -> None:
        """Decide the open signs of the new vertices."""
        vertices = self._new_vertices()
        masks = self.mask[vertices]
        both = masks[:, cutting.PLUS :: 3] & masks[:, cutting.MINUS :: 3]
        for c, words in zip(
            vertices[both.any(axis=1)].tolist(), both[both.any(axis=1)], strict=True
        ):
            open_here = np.flatnonzero(np.unpackbits(words.astype(">u8").view(np.uint8)))
            self.n_uncertain += len(open_here)
            v, r = int(self.info[c, cutting.START]), self.region_of[self.kind[c, cutting.CARRIER]]
            signs = self._decide(v, c, r, self.units[open_here])
            for j, s in zip(open_here.tolist(), signs, strict=True):
                w, bit = j >> 6, np.uint64(1 << (63 - (j & 63)))
                self.mask[c, 3 * w : 3 * w + 3] &= ~bit
                third = cutting.PLUS if s > 0 else cutting.MINUS if s < 0 else cutting.ZERO
                self.mask[c, 3 * w + third] |= bit

    def _decide(self, v: int, c: int, region: int, units: NDArray[np.integer]) -> list[int]:
        """Return the signs of units at vertex c, in row v of `x`, by their planes on a region."""
        packed = self.complex.packed[self.cells[-1][region]]
        wanted = [(self.first_neuron + unit, packed) for unit in units.tolist()]
        known, number = self._known(v)
        signs, point = self.task.decisions.signs(self._meeting(v, c), wanted, known.get(number))
        if point is not None:
            known[number] = point
        return signs

    def _exact_point(self, v: int, c: int) -> Integers:
        """Return vertex c, in row v of `x`, exactly."""
        known, number = self._known(v)
        if number not in known:
            known[number] = self.task.decisions.point(self._meeting(v, c))
        return known[number]

    def _known(self, v: int) -> tuple[dict[int, Integers], int]:
        """Return where exact points are kept, and as what number that of row v of `x` is."""
        if v < self.n_vertices:
            return self.task.decisions.known, int(self.cells[0][v])
        return self.points, v

    def _meeting(self, v: int, c: int) -> list[Plane]:
        """Return the planes that meet in vertex c, in row v of `x`."""
        table = self.complex.table
        if v < self.n_vertices:
            rows = self.complex.planes[0][self.cells[0][v]].tolist()
            return [(int(table.labels[p]), table.regions[p]) for p in rows]
        planes = []
        for p in self.planes_of[c].tolist():
            if p < 0:
                planes.append((int(table.labels[~p]), table.regions[~p]))
            else:
                r, j = divmod(p, len(self.units))
                neuron = self.first_neuron + int(self.units[j])
                planes.append((neuron, self.complex.packed[self.cells[-1][r]]))
        return planes

    def hand_back(self, index: int, sharing: Sharing | None) -> HandedBack:
        """Return the cells that block number `index` owns, in the order of the new complex."""
        d = self.dim
        n = int(self.cursor[cutting.N_CELLS])
        kind = self.kind[:n]
        slot = np.full(self.n_carriers, -1, dtype=np.int32)
        shared, owned = np.empty(0, dtype=np.int32), np.empty(0, dtype=bool)
        if sharing is not None:
            lower = slice(self.first[d - 1], self.first[0])
            taken = range(d - 1, 0, -1)
            numbers = np.concatenate(
                [np.empty(0, np.int32), *(sharing.number[k][self.cells[k]] for k in taken)]
            )
            here = numbers >= 0
            shared = numbers[here]
            owned = sharing.owner[shared] == index
            slot[lower][here] = np.arange(len(shared), dtype=np.int32)
        position, order, counts, first, n_owned, n_all = kernels.number_cells(
            n, self.n_carriers, kind, slot, owned, d
        )
        begins = np.cumsum(n_all) - n_all
        orders = [order[b : b + m] for b, m in zip(begins, n_owned, strict=True)]
        # Regions ascend by pattern, the first neuron before the second.
        regions = orders[d]
        keys = self.mask[regions, cutting.PLUS :: 3].T[::-1]
        regions = regions[np.lexsort((*keys, kind[regions, cutting.CARRIER]))]
        neurons = self.first_neuron + self.units
        packed = self.complex.packed[self.cells[-1]]
        for neuron in self.always.tolist():
            packed[:, neuron >> 3] |= np.uint8(1 << (neuron & 7))
        vertices = orders[0]
        rows = self.info[vertices, cutting.START]
        planes, table = self._planes(orders)
        return HandedBack(
            n_owned=n_owned,
            initial_vertices=self.cells[0],
            shared=shared,
            owned=owned,
            counts=counts,
            first=first,
            x=self.x[rows],
            deviation=self.deviation[rows],
            lists=[
                kernels.lists_of(regions if k == d else orders[k], self.info, self.pool, position)
                for k in range(1, d + 1)
            ],
            planes=planes,
            packed=kernels.patterns_of(regions, kind, self.mask, neurons, packed),
            table=table,
            points={
                int(position[c]): self.points[v]
                for c, v in zip(vertices.tolist(), rows.tolist(), strict=True)
                if v in self.points
            }
            if self.points
            else {},
            n_uncertain=self.n_uncertain,
        )

    def _planes(
        self, orders: list[NDArray[np.int32]]
    ) -> tuple[list[NDArray[np.int32]], PlaneTable]:
        """Return the planes of cells: ``~row`` of the complex' table, or the row of a new one."""
        d, n_units = self.dim, len(self.units)
        is_last = self.task.is_last(self.stage)
        # In the end nothing but the labels of (d-1)-cells is wanted.
        levels = [d - 1] if is_last else range(d)
        used = np.zeros(len(self.cells[-1]) * n_units, dtype=bool)
        planes = {k: kernels.mark_planes(orders[k], self.planes_of, d - k, used) for k in levels}
        rows = np.flatnonzero(used)
        rank = np.cumsum(used, dtype=np.int32) - np.int32(1)
        for ids in planes.values():
            kernels.rename_planes(ids, rank)
        regions, units = np.divmod(rows, max(1, n_units))
        table = PlaneTable(
            labels=(self.first_neuron + self.units[units]).astype(np.int32),
            numbers=self.rows[[] if is_last else rows],
            regions=self.complex.packed[self.cells[-1][[] if is_last else regions]],
        )
        empty = np.empty((0, 0), dtype=np.int32)
        return [planes.get(k, empty) for k in range(d)], table

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
from .._shared.pages import kept
from .._shared.planes import PlaneTable
from .._shared.task import Limits, Stage, Task
from . import cutting
from . import transfer as kernels
from .records import (
    CARRIER,
    LEVEL,
    MINUS,
    PLUS,
    PLUS_HALF,
    START,
    WORD,
    ZERO,
    BlockCells,
    Chains,
    Planes,
    Pool,
)

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
    """The network and domain to decompose, and the data that all layers need.

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
    """The cells that several blocks share.

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

    def keep(self, arrays: BlockCells | Chains | Pool) -> None:
        """Replace the arrays of the same names by longer ones."""
        self._arrays.update(arrays._asdict())


@dataclass
class HandedBack:
    """The result of a block: the cells that it owns, by dimension, and its names for the others.

    A cell's *position* among those of its dimension counts first the cells that the block owns,
    then those that others own, then the vertices that existed before. Positions, dimensions
    (`levels`) and lists of facets are indexed by the block's own numbers of cells.
    """

    n_owned: NDArray[np.int64]
    initial_vertices: NDArray[np.int32]
    shared: NDArray[np.int32]
    owned: NDArray[np.bool_]
    counts: NDArray[np.int32]
    first: NDArray[np.int32]
    position: NDArray[np.int32]
    levels: NDArray[np.int8]
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

    Cells are numbered as in `records`; `cells[k]` has the complex' numbers of the k-cells that were
    taken, in that order, and `first[k]` is the block's number of the first of them.
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
        n = self.n_carriers
        self.chains = Chains(
            cursor=np.zeros(cutting.N_CURSOR, dtype=np.int64),
            ends=np.empty((0, 0, 3), dtype=np.int32),
            links=work.array("links", (64, 2), np.int32),
        )
        self.lattice = BlockCells(
            mask=work.array("mask", (4 * n, 3), np.uint64),
            info=work.array("info", (4 * n, 4), np.int32),
            kind=work.array("kind", (4 * n, 2), np.int32),
            planes_of=work.array("planes_of", (4 * n, d), np.int32),
            x=work.array("x", (4 * self.n_vertices, d), np.float64),
            deviation=work.array("deviation", (4 * self.n_vertices,), np.float64),
        )
        self.pool = Pool(
            facets=work.array("facets", (3 * sum(map(len, lists)) + 4 * n,), np.int32),
            cuts=work.array("cuts", (1024,), np.int32),
            side=work.array("side", (1024,), np.int32),
        )
        cursor, (_, info, kind, planes_of, x, deviation) = self.chains.cursor, self.lattice
        for k in range(d, 0, -1):
            kernels.lay_out(
                self.first[k], k, self.cells[k], complex_.facets[k - 1][0], lists[d - k],
                self.lattice, self.pool.facets, cursor,
            )  # fmt: skip
        vertices = slice(self.first[0], n)
        info[vertices] = 0
        info[vertices, START] = np.arange(self.n_vertices)
        info[vertices, PLUS_HALF] = -1
        kind[vertices, CARRIER] = np.arange(self.first[0], n)
        kind[vertices, LEVEL] = 0
        for k in range(1, d):
            rows = slice(self.first[k], self.first[k - 1])
            planes_of[rows, : d - k] = ~complex_.planes[k][self.cells[k]]
        x[: self.n_vertices] = complex_.x[self.cells[0]]
        deviation[: self.n_vertices] = complex_.deviation[self.cells[0]]
        cursor[cutting.N_CELLS] = cursor[cutting.FIRST_OF_UNIT] = n
        cursor[cutting.N_VERTICES] = self.n_vertices
        packed = unpack_patterns(complex_.packed[regions], task.network.n_neurons)
        self.maps = task.network.affine_maps(stage.layer, packed, task.magnitude)
        self.signs = self._evaluate()
        # Neurons that are positive everywhere or nowhere cut nothing.
        always = (self.signs > 0).all(axis=0)
        self.units = np.flatnonzero(~always & (self.signs > 0).any(axis=0))
        self.always = self.first_neuron + np.flatnonzero(always)
        rows_ = work.array("rows", (len(regions) * len(self.units), d + 2), np.float64)
        kernels.pick_rows(self.maps.planes, self.maps.errors, stage.first + self.units, rows_)
        self.planes = Planes(
            rows_, complex_.table.numbers, self.region_of, len(self.units), task.limit, task.target,
        )  # fmt: skip

    def _evaluate(self) -> NDArray[np.int8]:
        """Return the signs of the neurons at the vertices."""
        stage, n = self.stage, self.n_vertices
        regions = self.region_of[self.first[0] :]
        signs = np.empty((n, stage.last - stage.first), dtype=np.int8)
        n_open = kernels.evaluate(
            self.maps.planes, self.maps.errors, stage.first, stage.last, regions,
            self.lattice.x[:n], self.lattice.deviation[:n], self.task.limit, signs,
        )  # fmt: skip
        for v in np.flatnonzero((signs == OPEN).any(axis=1)).tolist() if n_open else ():
            units = np.flatnonzero(signs[v] == OPEN)
            signs[v, units] = self._decide(v, self.first[0] + v, regions[v], units)
        return signs

    @property
    def n_cells(self) -> int:
        """How many cells there are by now."""
        return int(self.chains.cursor[cutting.N_CELLS])

    def cut(self) -> None:
        """Cut by all neurons."""
        work, d, cursor, units = self.work, self.dim, self.chains.cursor, self.units
        n_cuts = kernels.fill_masks(self.lattice, self.pool.facets, cursor, self.signs, units, d)
        ends = np.zeros((d + 1, len(units), 3), dtype=np.int32)
        links = work.array("links", (2 * n_cuts + 4 * len(units) + 64, 2), np.int32)
        self.chains = Chains(cursor, ends, links)
        cursor[cutting.DIMENSION], cursor[cutting.FREE_LINK] = 1, -1
        kernels.fill_chains(self.lattice, self.chains)
        most_cells = self.task.limits.most_cells
        while True:
            wish = cutting.cut(self.lattice, self.chains, self.pool, self.planes, most_cells)
            if wish == cutting.DONE:
                return
            if wish == cutting.REFINE:
                self._refine()
            elif wish == cutting.SETTLE:
                self._settle()
            elif wish == cutting.LIMIT:
                unit = self.stage.first + int(units[cursor[cutting.UNIT] - 1])
                self.task.check_limit(self.n_cells, self.stage.layer, unit)
            else:
                self._make_room(wish)

    def _make_room(self, wish: int) -> None:
        """Double the arrays that the kernel needs longer."""
        if wish == cutting.MORE_CELLS:
            self.lattice = self.lattice.doubled()
            self.work.keep(self.lattice)
        elif wish == cutting.MORE_LINKS:
            self.chains = self.chains._replace(links=doubled(self.chains.links))
            self.work.keep(self.chains)
        else:
            facets, cuts, side = self.pool
            if wish == cutting.MORE_POOL:
                facets = doubled(facets)
            else:
                cuts, side = doubled(cuts), doubled(side)
            self.pool = Pool(facets, cuts, side)
            self.work.keep(self.pool)

    def _new_vertices(self) -> NDArray[np.int64]:
        """Return the vertices of the cuts being made."""
        cursor = self.chains.cursor
        first, n = cursor[cutting.FIRST_NEW], cursor[cutting.N_CUT]
        numbers: NDArray[np.int64] = first + 1 + 2 * np.arange(n)
        return numbers

    def _refine(self) -> None:
        """Compute those of the new vertices exactly whose error bound is too large."""
        vertices, x, deviation = self._new_vertices(), self.lattice.x, self.lattice.deviation
        rows = self.lattice.info[vertices, START]
        far = ~(deviation[rows] <= self.task.target)
        for c, v in zip(vertices[far].tolist(), rows[far].tolist(), strict=True):
            x[v] = to_float(self._exact_point(v, c))
            deviation[v] = self.task.rounding

    def _settle(self) -> None:
        """Decide the open signs of the new vertices."""
        vertices, (mask, info, kind, *_) = self._new_vertices(), self.lattice
        both = mask[vertices, PLUS] & mask[vertices, MINUS]
        for c, word in zip(vertices[both != 0].tolist(), both[both != 0], strict=True):
            open_here = np.flatnonzero(np.unpackbits(np.array([word], ">u8").view(np.uint8)))
            units = self.units[open_here]
            region = self.region_of[kind[c, CARRIER]]
            signs = self._decide(int(info[c, START]), c, region, units)
            for j, s in zip(open_here.tolist(), signs, strict=True):
                bit = np.uint64(1 << (WORD - 1 - j))
                mask[c] &= ~bit
                mask[c, PLUS if s > 0 else MINUS if s < 0 else ZERO] |= bit

    def _decide(self, v: int, c: int, region: int, units: NDArray[np.integer]) -> list[int]:
        """Return the signs of units at vertex c, in row v of `x`, by their planes on a region."""
        packed = self.complex.packed[self.cells[-1][region]]
        wanted = [(self.first_neuron + unit, packed) for unit in units.tolist()]
        known, number = self._known(v)
        signs, point, n_open = self.task.decisions.signs(
            self._meeting(v, c), wanted, known.get(number)
        )
        self.n_uncertain += n_open
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
        """Return the dictionary of exact points that holds row v of `x`, and its key there."""
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
        for p in self.lattice.planes_of[c].tolist():
            if p < 0:
                planes.append((int(table.labels[~p]), table.regions[~p]))
            else:
                r, j = divmod(p, len(self.units))
                neuron = self.first_neuron + int(self.units[j])
                planes.append((neuron, self.complex.packed[self.cells[-1][r]]))
        return planes

    def hand_back(self, index: int, sharing: Sharing | None) -> HandedBack:
        """Return the cells that block number `index` owns, in the order of the new complex."""
        d, n = self.dim, self.n_cells
        (_, info, kind, _, x, deviation), facets = self.lattice, self.pool.facets
        kind = kind[:n]
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
        positive = self.lattice.mask[regions, PLUS]
        ascending = np.lexsort((positive, kind[regions, CARRIER]))
        regions, positive = regions[ascending], positive[ascending]
        packed = self.complex.packed[self.cells[-1][kind[regions, CARRIER]]]
        for neuron in self.always.tolist():
            packed[:, neuron >> 3] |= np.uint8(1 << (neuron & 7))
        kernels.add_patterns(positive, self.first_neuron + self.units, packed)
        vertices = orders[0]
        rows = info[vertices, START]
        planes, table = self._planes(orders)
        return HandedBack(
            n_owned=n_owned,
            initial_vertices=self.cells[0],
            shared=shared,
            owned=owned,
            counts=counts,
            first=first,
            position=kept(position),
            levels=kept(kind[:, LEVEL].astype(np.int8)),
            x=kept(x[rows]),
            deviation=kept(deviation[rows]),
            lists=[
                _kept_lists(*kernels.lists_of(regions if k == d else orders[k], info, facets))
                for k in range(1, d + 1)
            ],
            planes=[kept(rows) for rows in planes],
            packed=kept(packed),
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
        # In the end only the labels of (d-1)-cells are needed.
        levels = [d - 1] if is_last else range(d)
        used = np.zeros(len(self.cells[-1]) * n_units, dtype=bool)
        planes = {
            k: kernels.mark_planes(orders[k], self.lattice.planes_of, d - k, used) for k in levels
        }
        rows = np.flatnonzero(used)
        rank = np.cumsum(used, dtype=np.int32) - np.int32(1)
        for ids in planes.values():
            kernels.rename_planes(ids, rank)
        regions, units = np.divmod(rows, max(1, n_units))
        table = PlaneTable(
            labels=(self.first_neuron + self.units[units]).astype(np.int32),
            numbers=self.planes.rows[[] if is_last else rows],
            regions=self.complex.packed[self.cells[-1][[] if is_last else regions]],
        )
        empty = np.empty((0, 0), dtype=np.int32)
        return [planes.get(k, empty) for k in range(d)], table


def _kept_lists(
    counts: NDArray[np.int32], entries: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return kept(counts), kept(entries)

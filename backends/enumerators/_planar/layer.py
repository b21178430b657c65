"""The common part of cutting lines and planes: signs at vertices, cuts of edges.

Only signs and orders involve numbers. Each is taken from floats where an a-priori error bound
allows, and decided in integers otherwise. The bounds are derived in `relutopo.networks.network` and
`maps` (maps) and in `_certified` (values, parameters, positions). Bounds of positions are worst
cases and grow with depth far above the errors themselves, so deep networks take them from the lines
that meet (`cuts.lines`). A vertex whose bound exceeds `Task.target` lies on nearly parallel lines
and is recomputed with more digits or exactly, and rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import to_float
from relutopo.geometry.domain import Domain
from relutopo.networks.network import Network

from .._certified.decisions import Decisions
from .._shared.planes import sides_as_planes
from .._shared.task import Limits, Stage, Task
from .blocks.block import Block
from .cuts.cut import CutLimits, cross_edges
from .cuts.lines import lines_after
from .exact_decisions import Plane, Point, Settler, settle_orders, settle_signs
from .integers.placing import refine_inside, refine_on_edges
from .integers.planes import FirstPlanes, ShortPlanes
from .integers.planes import lines_after as integer_lines_after
from .integers.settling import settle_along_chords, settle_along_edges
from .integers.settling import settle_signs as settle_signs_by_integers
from .maps.chain import MapChain
from .maps.graph_maps import Evaluated
from .maps.vertex_values import add_vertices, fit_maps
from .records import (
    Chords,
    Crossed,
    Crossings,
    Cut,
    IntegerPlanes,
    Maps,
    Placed,
    PlanarCells,
    Values,
    VertexSigns,
)
from .tuning import Tuning

_SHALLOW = 6
"""Up to this number of layers, bounds of vertices stay small enough to do without lines."""
_MANY = 64
"""From this number of open signs or orders on, integers of the first layer are made digits."""
_SHARP = 2.0**-14
"""Bounds of vertices above this share of `Task.target` are taken from lines instead."""

_NOT_CROSSED = (
    Crossings(
        np.zeros(1, np.int64),
        np.empty(0, np.int32),
        np.empty(0),
        np.empty(0),
        np.empty(0, np.bool_),
    ),
    np.empty((0, 0), np.uint64),
    np.empty(0, np.int32),
)
"""The last fields of `Crossed` before it is known what crosses edges."""

__all__ = ["LayerCut", "Lines", "PlanarTask", "settle_crossings"]

Lines = Callable[[int], tuple[int, list[int]]]
"""Vertex → a region and the labels of d of its lines that meet in the vertex."""


def settle_crossings(
    settler: Settler,
    crossings: Crossings,
    ends: Callable[[int], tuple[Point, Point]],
    line: Callable[[int], int],
    plane: Callable[[int, int], Plane],
) -> int:
    """Decide open orders, in place; return how many took numbers."""
    columns = (crossings.item, crossings.t, crossings.t_error)
    return settle_orders(settler, crossings.ptr, crossings.same, columns, ends, line, plane)


class PlanarTask(Task):
    """The network and domain to decompose, and the data that all layers need.

    Parameters
    ----------
    network, domain, limits
        As for `Task`; a domain of dimension 1 or 2.
    tuning : Tuning
    """

    def __init__(self, network: Network, domain: Domain, limits: Limits, tuning: Tuning) -> None:
        super().__init__(network, domain, limits)
        self.tuning = tuning
        self.decisions = Decisions(self.network, domain, self.magnitude)
        self.short = ShortPlanes.of(self.network, domain)
        is_deep = len(self.network.layer_sizes) > _SHALLOW and domain.dim == 2
        self.is_deep = is_deep and self.short is None
        self.maps = MapChain(self.network, self.magnitude, tuning, self.decisions)
        sharp = _SHARP * self.target
        self.cut_limits = CutLimits(self.magnitude, self.target, sharp, limits.most_cells)

    def prepared(self, stage: Stage, block: Block) -> Block:
        """Return a block with what a stage that cuts it next needs of the layer before."""
        earlier, is_chain = block.earlier, self.maps.is_chain and self.short is None
        if not is_chain or stage.first > 0 or not isinstance(earlier, Maps | Values):
            return block
        earlier = self.maps.earlier(stage.layer, block.cells, block.beside, earlier)
        return replace(block, earlier=earlier)

    def lines_of(self, block: Block) -> NDArray[np.float64]:
        """Return the lines of a block's edges, for a deep network; otherwise none."""
        if not self.is_deep or len(block.lines):
            return block.lines
        lines: NDArray[np.float64] = sides_as_planes(self.domain)[1][-1 - block.cells.labels]
        return lines

    @cached_property
    def first_planes(self) -> FirstPlanes | None:
        """The planes of the first layer in digits, if they are not too long."""
        return FirstPlanes.of(self.network, self.domain, self.decisions)


class LayerCut:
    """One layer, or some units of the first one, cut the edges of a block.

    Parameters
    ----------
    task : PlanarTask
    stage : Stage
        The units that cut.
    block : Block
        The block that they cut, prepared by the task. For d = 1 regions are edges, with their two
        directions as half-edges, and `labels` belong to vertices.

    Attributes
    ----------
    before : Crossed
        The complex and what cuts it, before it is known what crosses edges.
    """

    def __init__(self, task: PlanarTask, stage: Stage, block: Block) -> None:
        layer = stage.layer
        if layer > 0 and task.maps.is_local and block.shared is None:
            block = block.shortened(task.network.layer_offsets[layer])
        self.block, self.layer, self._task = block, layer, task
        self.cells = block.cells
        of_layer: Maps | Values | Evaluated | None = block.earlier
        self.integers: IntegerPlanes | None = None
        if task.short is not None:
            of_layer, self.integers = task.short.begin(stage, block, task.magnitude)
        elif of_layer is None:
            of_layer = task.maps.first(layer, self.cells)
        maps: Maps | Values
        is_made = self.integers is not None or block.earlier is None or stage.first > 0
        if isinstance(of_layer, Evaluated):
            local = task.maps.local(layer, self.cells, lambda: block.beside, of_layer)
            self.beside, self.units, maps, signs, of_layer = local
        elif isinstance(of_layer, Maps) and is_made:
            self.beside = block.beside
            self.units, maps, signs = task.maps.some(stage, of_layer, self.cells, self.beside)
        else:
            self.beside = block.beside
            found = task.maps.next(layer, self.cells, self.beside, of_layer)
            self.units, maps, signs, of_layer = found
        self.limits, self.rounding = task.cut_limits, task.rounding
        self.lines = task.lines_of(block)
        self.n_old = len(self.cells.x)
        choices = of_layer.choices if isinstance(of_layer, Evaluated) else None
        self.settler = Settler(task.decisions, block, choices)
        self.n_uncertain = block.n_uncertain
        self._first = task.network.layer_offsets[layer]
        self.places = self.units.neurons - np.int32(self._first)
        self._of_layer = of_layer
        self._settle_signs(signs)
        fitted: Maps
        fitted = maps if isinstance(maps, Maps) else fit_maps(maps, self.cells, self.beside, signs)
        self._crossed: Crossed | None = None
        self.before = Crossed(self.cells, self.beside, self.units, fitted, signs, *_NOT_CROSSED)

    @property
    def takes_one_call(self) -> bool:
        """Whether nothing but the cut itself needs the crossings of edges, unless some are open."""
        return self.integers is None

    @property
    def crossed(self) -> Crossed:
        """The complex and what crosses its edges, all of it decided."""
        if self._crossed is None:  # a `cached_property` would let only one thread find it
            maps, signs = self.before.maps, self.before.signs
            crossings, above, regions = self._cross_edges(maps, signs)
            self._crossed = self.before._replace(crossings=crossings, above=above, regions=regions)
        return self._crossed

    def _integers_for(self, n_open: int) -> tuple[NDArray[np.int32], IntegerPlanes] | None:
        """Return the plane of each region and the planes, if digits are to decide what is open."""
        if self.integers is not None and isinstance(self._of_layer, Maps):
            return self._of_layer.plane_of, self.integers
        if n_open < _MANY or self.layer > 0 or self._task.domain.dim != 2:
            return None
        planes = self._task.first_planes
        if planes is None:
            return None
        return np.zeros(len(self.cells.packed), np.int32), planes.on(self.cells.labels)

    def _settle_signs(self, signs: VertexSigns) -> None:
        if (by := self._integers_for(len(signs.unknown))) is not None:
            plane_of, integers = by
            self.n_uncertain += len(signs.unknown)
            settle_signs_by_integers(
                signs, self.cells, self.beside, plane_of, self.places, integers
            )
            return
        neurons, owner = self.units.neurons, self.beside.vertex_owner
        unknown = self.settler.left(signs.unknown, neurons, self.beside)
        found, n_open = settle_signs(self.settler, unknown, neurons, owner)
        self.n_uncertain += n_open
        for vertex, unit, sign in found:
            if sign:
                chosen = signs.positive if sign > 0 else signs.negative
                chosen[vertex, unit >> 6] |= np.uint64(1 << (unit & 63))

    def _cross_edges(
        self, maps: Maps, signs: VertexSigns
    ) -> tuple[Crossings, NDArray[np.uint64], NDArray[np.int32]]:
        """Sort the units that cross each edge; return what `Crossed` ends with."""
        owner = self.beside.edge_owner
        crossings, n_open, above, regions = cross_edges(self.cells, self.beside, maps, signs)

        def ends(edge: int) -> tuple[Point, Point]:
            a, b = self.cells.edge_vertices[edge].tolist()
            region = int(owner[edge])
            return (region, self.settler.lines(region, a)), (region, self.settler.lines(region, b))

        def line(edge: int) -> int:
            return int(self.cells.labels[edge])

        def plane(edge: int, i: int) -> Plane:
            return int(owner[edge]), int(self.units.neurons[crossings.item[i]])

        if n_open and (by := self._integers_for(n_open)) is not None:
            plane_of, integers = by
            self.n_uncertain += n_open
            settle_along_edges(crossings, self.cells, owner, signs, plane_of, self.places, integers)
        elif n_open:
            self.n_uncertain += settle_crossings(self.settler, crossings, ends, line, plane)
        return crossings, above, regions

    def settle_along_chords(
        self,
        chords: Chords,
        n_open: int,
        ends: Callable[[int], tuple[Point, Point]],
        line: Callable[[int], int],
        plane: Callable[[int, int], Plane],
    ) -> None:
        """Order the crossings of chords where their order is open."""
        if n_open and (by := self._integers_for(n_open)) is not None:
            self.n_uncertain += n_open
            settle_along_chords(chords, by[0], self.places, by[1])
        elif n_open:
            self.n_uncertain += settle_crossings(self.settler, chords.crossings, ends, line, plane)

    def integers_after(self, placed: Placed, result: Cut) -> IntegerPlanes | None:
        """Return the integer planes of the complex after the cut, if they are kept."""
        if self.integers is None:
            return None
        plane_of = self.before.maps.plane_of
        pieces = placed.first_piece
        lines = integer_lines_after(self.integers, plane_of, self._first, pieces, result)
        return self.integers._replace(lines=lines)

    def lines_after(self, placed: Placed, result: Cut) -> NDArray[np.float64]:
        """Return the lines of the edges after the cut, for a deep network."""
        if not len(self.lines):
            return self.lines
        lines: NDArray[np.float64]
        lines = lines_after(self.lines, self.before, placed.first_piece, result)
        return lines

    def pass_on(self, placed: Placed, result: Cut) -> Maps | Values | Evaluated:
        """Return the input of the next stage's maps or values, on the complex after the cut."""
        if isinstance(self._of_layer, Maps):
            return self._of_layer.of(result.parent)
        if isinstance(self._of_layer, Evaluated):
            return self._of_layer
        values: Values = add_vertices(
            self._of_layer, self.cells, placed, result.inner_ends, result.cells.x
        )
        return values

    def with_whole_patterns(self, cells: PlanarCells) -> PlanarCells:
        """Return the complex after the cut, with whole patterns if they are kept short."""
        shared = self._of_layer.shared if isinstance(self._of_layer, Evaluated) else None
        return cells if shared is None else cells._replace(packed=shared.whole(cells.packed))

    def lines_on_edges(self, placed: Placed) -> Lines:
        """Return a function that gives the lines through a new vertex on an edge."""
        crossings = self.crossed.crossings

        def lines(vertex: int) -> tuple[int, list[int]]:
            i = int(placed.source[vertex - self.n_old])
            edge = int(np.searchsorted(crossings.ptr, i, side="right")) - 1
            labels = [int(self.units.neurons[crossings.item[i]])]
            if self.cells.x.shape[1] == 2:
                labels.append(int(self.cells.labels[edge]))
            return int(self.beside.edge_owner[edge]), labels

        return lines

    def refine_edges(self, placed: Placed) -> None:
        """Recompute the new vertices on edges whose error bound is too large."""
        if self.integers is not None:
            refine_on_edges(
                placed,
                self.crossed.crossings,
                self.beside.edge_owner,
                self.before.maps.plane_of,
                self.places,
                self.integers,
                self.limits.target,
                self.rounding,
            )
            return
        lines = self.lines_on_edges(placed)
        self.refine(placed.x, placed.deviation, self.n_old, len(placed.x), lines)

    def refine_inside(self, placed: Placed, result: Cut) -> None:
        """Recompute the new vertices inside regions whose error bound is too large."""
        new, base = result.cells, len(placed.x)
        if self.integers is not None:
            plane_of, own = self.before.maps.plane_of, (self.places, self.integers)
            refine_inside(result, plane_of, *own, self.limits.target, self.rounding)
            return

        def lines(vertex: int) -> tuple[int, list[int]]:
            region, *units = result.inner_source[vertex - base].tolist()
            return region, [int(self.units.neurons[unit]) for unit in units]

        self.refine(new.x, new.deviation, base, len(new.x), lines)

    def refine(
        self,
        x: NDArray[np.float64],
        deviation: NDArray[np.float64],
        first: int,
        last: int,
        lines: Lines,
    ) -> None:
        """Recompute those of the vertices first..last-1 whose error bound is too large."""
        target = self.limits.target
        for vertex in (first + np.flatnonzero(~(deviation[first:last] <= target))).tolist():
            region, labels = lines(vertex)
            planes, decisions = self.settler.planes(region, labels), self.settler.decisions
            point, error = decisions.near_point(planes)
            if not error <= target:
                point, error = decisions.point(planes), 0.0
            x[vertex], deviation[vertex] = to_float(point), error + self.rounding

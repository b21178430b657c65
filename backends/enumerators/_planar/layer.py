"""What a stage's cut of lines and of planes has in common: signs at vertices, cuts of edges.

Only signs and orders involve numbers. Each is taken from floats where an a-priori error bound
allows and decided in integers where it does not. The bounds are derived in
`relutopo.networks.network` and `maps` (maps) and in `values` (values, parameters, positions).
Those of positions are for the worst case and grow with depth, far above the errors themselves; a
vertex whose bound exceeds `Task.target` lies on nearly parallel lines
and is computed again, with more digits or exactly, and rounded.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import to_float
from relutopo.geometry.domain import Domain
from relutopo.networks.network import Network

from .._certified.decisions import Decisions
from .._shared.task import Limits, Stage, Task
from .blocks.block import Block
from .cuts.cut import cross_edges
from .exact_decisions import Plane, Point, Settler, settle_orders, settle_signs
from .maps.chain import MapChain
from .maps.graph_maps import Evaluated
from .maps.vertex_values import add_vertices, fit_maps
from .records import Crossed, Crossings, Cut, Maps, Placed, Values, VertexSigns
from .tuning import Tuning

__all__ = ["LayerCut", "Lines", "PlanarTask", "settle_crossings"]

Lines = Callable[[int], tuple[int, list[int]]]
"""Vertex → a region and the labels of d of its lines that meet in the vertex."""


def settle_crossings(
    settler: Settler,
    crossings: Crossings,
    ends: Callable[[int], tuple[Point, Point]],
    plane: Callable[[int, int], Plane],
) -> int:
    """Decide open orders exactly, in place; return how many there were."""
    columns = (crossings.item, crossings.t, crossings.t_error)
    return settle_orders(settler, crossings.ptr, crossings.same, columns, ends, plane)


class PlanarTask(Task):
    """What is being decomposed, and what all layers need of it.

    Parameters
    ----------
    network, domain, limits
        As for `Task`; a domain of dimension 1 or 2.
    tuning : Tuning
    """

    def __init__(self, network: Network, domain: Domain, limits: Limits, tuning: Tuning) -> None:
        super().__init__(network, domain, limits)
        self.tuning = tuning
        self.maps = MapChain(self.network, self.magnitude, tuning)
        self.decisions = Decisions(self.network, domain, self.magnitude)


class LayerCut:
    """One layer, or some units of the first one, cut the edges of a block.

    Parameters
    ----------
    task : PlanarTask
    stage : Stage
        What cuts.
    block : Block
        What it cuts. For d = 1 regions are edges, with their two directions as half-edges, and
        `labels` belong to vertices.
    """

    def __init__(self, task: PlanarTask, stage: Stage, block: Block) -> None:
        layer = stage.layer
        self.block, self.layer = block, layer
        self.cells, self.beside = block.cells, block.beside
        of_layer = block.earlier
        if of_layer is None:
            of_layer = task.maps.first(layer, self.cells)
        maps: Maps | Values
        if isinstance(of_layer, Maps) and (block.earlier is None or stage.first > 0):
            self.units, maps, signs = task.maps.some(stage, of_layer, self.cells, self.beside)
        else:
            found = task.maps.next(layer, self.cells, self.beside, of_layer)
            self.units, maps, signs, of_layer = found
        self.magnitude = task.magnitude
        self.target, self.rounding = task.target, task.rounding
        self.n_old = len(self.cells.x)
        self.settler = Settler(task.decisions, block)
        self.n_uncertain = block.n_uncertain + len(signs.unknown)
        self._settle_signs(signs)
        self._of_layer = of_layer
        fitted: Maps
        fitted = maps if isinstance(maps, Maps) else fit_maps(maps, self.cells, self.beside, signs)
        crossings = self._cross_edges(fitted, signs)
        self.crossed = Crossed(self.cells, self.beside, self.units, fitted, signs, crossings)

    def _settle_signs(self, signs: VertexSigns) -> None:
        neurons, owner = self.units.neurons, self.beside.vertex_owner
        for vertex, unit, sign in settle_signs(self.settler, signs.unknown, neurons, owner):
            if sign:
                chosen = signs.positive if sign > 0 else signs.negative
                chosen[vertex, unit >> 6] |= np.uint64(1 << (unit & 63))

    def _cross_edges(self, maps: Maps, signs: VertexSigns) -> Crossings:
        """Sort the units that cross each edge."""
        owner = self.beside.edge_owner
        crossings, n_open = cross_edges(self.cells, owner, maps, signs)

        def ends(edge: int) -> tuple[Point, Point]:
            a, b = self.cells.edge_vertices[edge].tolist()
            region = int(owner[edge])
            return (region, self.settler.lines(region, a)), (region, self.settler.lines(region, b))

        def plane(edge: int, i: int) -> Plane:
            return int(owner[edge]), int(self.units.neurons[crossings.item[i]])

        if n_open:
            self.n_uncertain += settle_crossings(self.settler, crossings, ends, plane)
        result: Crossings = crossings
        return result

    def pass_on(self, placed: Placed, result: Cut) -> Maps | Values | Evaluated:
        """Return what the next stage's maps or values come from, on the complex after the cut."""
        if isinstance(self._of_layer, Maps):
            return self._of_layer.of(result.parent)
        if isinstance(self._of_layer, Evaluated):
            return self._of_layer
        values: Values = add_vertices(
            self._of_layer, self.cells, placed, result.inner_ends, result.cells.x
        )
        return values

    def lines_on_edges(self, placed: Placed) -> Lines:
        """Return what gives the lines through a new vertex on an edge."""
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
        """Compute those new vertices on edges anew whose error bound is too large."""
        lines = self.lines_on_edges(placed)
        self.refine(placed.x, placed.deviation, self.n_old, len(placed.x), lines)

    def refine(
        self,
        x: NDArray[np.float64],
        deviation: NDArray[np.float64],
        first: int,
        last: int,
        lines: Lines,
    ) -> None:
        """Compute those of the vertices first..last-1 anew whose error bound is too large."""
        for vertex in (first + np.flatnonzero(~(deviation[first:last] <= self.target))).tolist():
            region, labels = lines(vertex)
            planes, decisions = self.settler.planes(region, labels), self.settler.decisions
            point, error = decisions.near_point(planes)
            if not error <= self.target:
                point, error = decisions.point(planes), 0.0
            x[vertex], deviation[vertex] = to_float(point), error + self.rounding

"""What one layer's cut of lines and of planes has in common: signs at vertices, cuts of edges.

Only signs and orders involve numbers. Each is taken from floats where an a-priori error bound
allows and decided in integers where it does not. The bounds are derived in
`relutopo.geometry.network` and `_maps` (maps) and in `_values` (values, parameters, positions).
Those of positions are for the worst case and grow with depth, far above the errors themselves; a
vertex whose bound exceeds `POSITION_TARGET` relative to the domain lies on nearly parallel lines
and is computed again, with more digits or exactly, and rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.domain import Domain
from relutopo.geometry.exact import Integers, to_float
from relutopo.geometry.network import Network, ReluNetwork

from . import _values as kernels
from ._block import Block
from ._limits import POSITION_TARGET
from ._maps import MapChain
from ._precise import PreciseMaps
from ._settle import Settler, settle_orders, settle_signs

__all__ = ["Crossings", "LayerCut", "Lines", "Task"]

Lines = Callable[[int], tuple[int, list[int]]]
"""Vertex → a region and the labels of d of its lines that meet in the vertex."""


@dataclass(frozen=True)
class Crossings:
    """Where units or chords cross segments: entries ptr[s]:ptr[s + 1] belong to segment s.

    `item` is what crosses, `t` the parameter in (0, 1) with its error bound, `same` tells that a
    crossing is at the same point as the one before it; while orders are open, that its order and
    that of the one before are.
    """

    ptr: NDArray[np.int64]
    item: NDArray[np.int32]
    t: NDArray[np.float64]
    t_error: NDArray[np.float64]
    same: NDArray[np.bool_]

    @classmethod
    def empty(cls, ptr: NDArray[np.int64]) -> Crossings:
        """Return room for crossings."""
        n = int(ptr[-1])
        return cls(ptr, np.empty(n, np.int32), np.empty(n), np.empty(n), np.zeros(n, bool))

    def settle(
        self,
        ends: Callable[[int], tuple[Integers, Integers]],
        plane: Callable[[int, int], Integers],
    ) -> int:
        """Decide open orders exactly; return how many there were."""
        columns = (self.item, self.t, self.t_error)
        return settle_orders(self.ptr, self.same, columns, ends, plane)


class Task:
    """What is being decomposed, and what all layers need of it.

    Parameters
    ----------
    network, domain
        The network, and a domain of dimension 1 or 2.
    """

    def __init__(self, network: Network, domain: Domain) -> None:
        self.network, self.domain = network, domain
        # Computed coordinates may leave the domain by rounding.
        self.magnitude = domain.magnitude * (1 + 2.0**-30)
        self.maps = MapChain(network, self.magnitude)
        self.precise = None
        if domain.dim == 2 and isinstance(network, ReluNetwork) and network.products_are_normal:
            self.precise = PreciseMaps(network, self.magnitude)


class LayerCut:
    """One layer cuts the edges of a block.

    Parameters
    ----------
    task : Task
    layer : int
        The layer that cuts.
    block : Block
        What it cuts. For d = 1 regions are edges, with their two directions as half-edges, and
        `labels` belong to vertices.
    """

    def __init__(self, task: Task, layer: int, block: Block) -> None:
        self.block, self.layer = block, layer
        if block.earlier is None:
            self.maps, signs = task.maps.first(block.packed, layer, block.corners)
        else:
            self.maps, signs = task.maps.next(
                block.packed, layer, block.corners, block.earlier, block.neighbours
            )
        self.magnitude = task.magnitude
        self.limit = self.maps.limit
        self.target = POSITION_TARGET * float(self.magnitude.max())
        self.offset = task.network.layer_offsets[layer]
        self.size = task.network.layer_sizes[layer]
        self.n_old = len(block.x)
        self.edge_owner, self.vertex_owner = block.owners
        self.settler = Settler(task.network, task.domain, layer, block, task.precise)
        self.n_uncertain = block.n_uncertain + len(signs.unknown)
        self.positive, self.negative = signs.positive, signs.negative
        self._settle_signs(signs.unknown)
        self.crossings = self._cross_edges()
        self.group_ptr: NDArray[np.int64] = kernels.count_groups(
            self.crossings.ptr, self.crossings.same
        )

    @property
    def map_arrays(self) -> tuple[NDArray[np.int32] | NDArray[np.float64], ...]:
        """The maps as kernels take them."""
        return self.maps.plane_of, self.maps.planes, self.maps.error_of, self.maps.errors

    def _settle_signs(self, unknown: NDArray[np.int32]) -> None:
        for vertex, unit, sign in settle_signs(self.settler, unknown, self.vertex_owner):
            if sign:
                signs = self.positive if sign > 0 else self.negative
                signs[vertex, unit >> 6] |= np.uint64(1 << (unit & 63))

    def _cross_edges(self) -> Crossings:
        """Sort the units that cross each edge."""
        block, edges = self.block, self.block.edge_vertices
        crossings = Crossings.empty(kernels.count_crossings(edges, self.positive, self.negative))
        n_open = kernels.edge_crossings(
            *self.map_arrays,
            edges,
            self.edge_owner,
            block.x,
            block.x_error,
            self.limit,
            self.positive,
            self.negative,
            crossings.ptr,
            crossings.item,
            crossings.t,
            crossings.t_error,
            crossings.same,
        )

        def ends(edge: int) -> tuple[Integers, Integers]:
            a, b = edges[edge]
            region = int(self.edge_owner[edge])
            return self.settler.corner(region, int(a)), self.settler.corner(region, int(b))

        def plane(edge: int, i: int) -> Integers:
            return self.settler.neuron_plane(int(self.edge_owner[edge]), int(crossings.item[i]))

        if n_open:
            self.n_uncertain += crossings.settle(ends, plane)
        return crossings

    def place_on_edges(self, x: NDArray[np.float64], x_error: NDArray[np.float64]) -> Lines:
        """Place the new vertices on edges; return what gives the lines through such a vertex."""
        crossings = self.crossings
        source: NDArray[np.int64] = kernels.place_on_edges(
            self.block.edge_vertices,
            crossings.ptr,
            crossings.same,
            self.group_ptr,
            crossings.t,
            crossings.t_error,
            self.magnitude,
            self.n_old,
            x,
            x_error,
        )

        def lines(vertex: int) -> tuple[int, list[int]]:
            i = int(source[vertex - self.n_old])
            edge = int(np.searchsorted(crossings.ptr, i, side="right")) - 1
            labels = [self.offset + int(crossings.item[i])]
            if self.block.x.shape[1] == 2:
                labels.append(int(self.block.labels[edge]))
            return int(self.edge_owner[edge]), labels

        self.refine(x, x_error, self.n_old, self.n_old + len(source), lines)
        return lines

    def refine(
        self,
        x: NDArray[np.float64],
        x_error: NDArray[np.float64],
        first: int,
        last: int,
        lines: Lines,
    ) -> None:
        """Compute those of the vertices first..last-1 anew whose error bound is too large."""
        rounding = 2.0**-52 * float(self.magnitude.max())
        for vertex in (first + np.flatnonzero(x_error[first:last] > self.target)).tolist():
            region, labels = lines(vertex)
            point, error = self.settler.precise_point(region, labels)
            if error > self.target:
                point, error = self.settler.point(region, labels), 0.0
            x[vertex], x_error[vertex] = to_float(point), error + rounding

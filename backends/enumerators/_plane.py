"""The enumerator `cpu` on planes (d = 2).

A whole layer cuts at once. On a region of the complex so far the layer's pre-activations are
affine, so within it their zeros are chords:

1. every pre-activation gets its sign in {-1, 0, +1} at every vertex;
2. along every edge the neurons that change sign are sorted, which gives the new vertices on
   it, shared by the regions on both sides;
3. in every region each crossing neuron now has its two points on the rim, so that which chords
   cross is combinatorial; along each chord the crossings are sorted;
4. the order of ends on the rim turns into the order of edges around every vertex, the faces are
   traced, and patterns spread from face to face by flipping the neurons of the edge between.

Numbers enter through signs (1) and orders (2, 3) alone; see `_layer`. When the complex has grown,
it is split into blocks that the remaining layers cut one by one, several at a time; see `_block`.
How it is split does not depend on the number of threads, and nor does the result.

Work is proportional to the result, plus one map of the layer for every region, which mostly costs
an update of rank one (`_maps`), and one evaluation of the layer at every vertex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from relutopo.errors import InvariantError
from relutopo.geometry.domain import Domain
from relutopo.geometry.exact import Integers
from relutopo.geometry.network import Network
from relutopo.interfaces import Progress

from . import _chords, _faces
from ._block import Block, Part, glue, split
from ._layer import Crossings, LayerCut, Task
from ._limits import check_limit

__all__ = ["PlaneCutter"]

_NUMBERS_AT_ONCE = 2**21
"""From how many numbers in the maps of its regions on a block is split."""

_ROOM_TO_GROW = 8
"""How many times smaller than that blocks begin, for they grow with every layer."""

_PROGRESS_STEPS = 1000


class PlaneCutter:
    """All layers of a network cut a domain of the plane.

    Parameters
    ----------
    network, domain
        What is being decomposed.
    max_cells : int or None
        Limit of the number of cells.
    n_threads : int
        How many blocks are worked on at a time.
    """

    def __init__(
        self, network: Network, domain: Domain, max_cells: int | None, n_threads: int
    ) -> None:
        self._network = network
        self._max_cells, self._n_threads = max_cells, n_threads
        self._n_layers = len(network.layer_sizes)
        self._task = Task(network, domain)

    def cut(self, block: Block, progress: Progress | None) -> Block:
        """Cut the whole domain."""

        def report(layers: float, n_regions: int, where: str = "") -> None:
            if progress is not None:
                done = int(_PROGRESS_STEPS * layers / self._n_layers)
                progress(done, _PROGRESS_STEPS, f"{n_regions} regions{where}")

        layer = 0
        while layer < self._n_layers and not self._is_large(block, layer):
            block = self._cut_once(block, layer)
            layer += 1
            report(layer, block.n_regions)
        if layer == self._n_layers:
            return block
        n_regions = 0
        pool = ThreadPoolExecutor(self._n_threads)
        try:
            parts: list[Part] = []
            begun = self._split(block, layer)
            n_cells = block.n_cells
            for before, after in zip(
                begun, pool.map(lambda part: self._finish(part, layer), begun), strict=True
            ):
                parts.append(after)
                n_regions += after.block.n_regions
                # Pieces of edges may be counted from the other side too.
                n_pieces = int(after.block.piece_ptr[-1]) - len(after.edges)
                n_cells += after.block.n_cells - before.block.n_cells - 2 * n_pieces
                check_limit(self._max_cells, n_cells, self._network, self._n_layers - 1)
                share = len(parts) / len(begun)
                report(
                    layer + (self._n_layers - layer) * share,
                    n_regions,
                    f" in {len(parts)} of {len(begun)} blocks",
                )
            return self._glue(block, parts, pool.map)
        finally:
            pool.shutdown(cancel_futures=True)

    def _block_size(self, layer: int) -> int:
        return max(64, _NUMBERS_AT_ONCE // (3 * self._network.layer_sizes[layer]))

    def _is_large(self, block: Block, layer: int) -> bool:
        return layer > 0 and block.n_regions > self._block_size(layer)

    def _split(self, block: Block, layer: int) -> list[Part]:
        size = self._block_size(layer)
        is_last = layer + 1 == self._n_layers
        return split(block, size if is_last else -(-size // _ROOM_TO_GROW))

    def _finish(self, part: Part, layer: int) -> Part:
        """Cut a part by the layers from `layer` on."""
        block = part.block
        while layer < self._n_layers:
            if self._is_large(block, layer):
                parts = [self._finish(small, layer) for small in self._split(block, layer)]
                block = self._glue(block, parts, map)
                break
            block = self._cut_once(block, layer)
            layer += 1
        return replace(part, block=replace(block, earlier=None))

    def _glue(
        self,
        block: Block,
        parts: list[Part],
        each: Callable[[Callable[[int], None], range], Iterable[None]],
    ) -> Block:
        block = glue(block, parts, each)
        check_limit(self._max_cells, block.n_cells, self._network, self._n_layers - 1)
        return block

    def _cut_once(self, block: Block, layer: int) -> Block:
        """Cut a block by one layer."""
        cut = LayerCut(self._task, layer, block)
        groups = cut.group_ptr
        inner_base = cut.n_old + int(groups[-1])
        pieces, first_piece = _faces.split_edges(block.edge_vertices, groups, cut.n_old)
        x = np.concatenate([block.x, np.empty((inner_base - cut.n_old, 2))])
        x_error = np.concatenate([block.x_error, np.empty(inner_base - cut.n_old)])
        edge_lines = cut.place_on_edges(x, x_error)

        broken, n_open, chord_ptr, region, *chords, cross_ptr, cross, t, t_error, same = (
            _chords.find_chords(
                block.region_ptr,
                block.half_edges,
                block.origins,
                block.edge_vertices,
                cut.positive,
                cut.negative,
                cut.crossings.ptr,
                cut.crossings.item,
                cut.crossings.same,
                groups,
                cut.n_old,
                *cut.map_arrays,
                x,
                x_error,
                cut.limit,
            )
        )
        if broken >= 0:
            raise InvariantError(
                f"the signs at the corners of region {broken} contradict its convexity in layer "
                f"{layer + 1}; please report this network as a bug"
            )
        _, end_vertices, unit_ptr, units, _ = chords
        inside = Crossings(cross_ptr, cross, t, t_error, same)

        def end(region: int, vertex: int) -> Integers:
            if vertex < cut.n_old:
                return cut.settler.corner(region, vertex)
            return cut.settler.point(*edge_lines(vertex))

        def ends(chord: int) -> tuple[Integers, Integers]:
            a, b = end_vertices[chord].tolist()
            return end(int(region[chord]), a), end(int(region[chord]), b)

        def plane(chord: int, i: int) -> Integers:
            other = int(chord_ptr[region[chord]]) + int(cross[i])
            return cut.settler.neuron_plane(int(region[chord]), int(units[unit_ptr[other]]))

        if n_open:
            cut.n_uncertain += inside.settle(ends, plane)

        n_inner, n_chord_edges, n_regions, n_sides = _faces.count_cells(
            block.region_ptr, block.half_edges, groups, chord_ptr, cross_ptr, cross, same
        )
        n_edges = len(pieces) + n_chord_edges
        check_limit(
            self._max_cells, inner_base + n_inner + n_edges + n_regions, self._network, layer
        )
        x = np.concatenate([x, np.empty((n_inner, 2))])
        x_error = np.concatenate([x_error, np.empty(n_inner)])
        edge_vertices = np.concatenate([pieces, np.empty((n_chord_edges, 2), np.int32)])
        labels = np.empty(n_edges, np.int32)
        labels[: len(pieces)] = np.repeat(block.labels, np.diff(first_piece))
        inner_source = np.empty((n_inner, 3), np.int32)
        region_ptr = np.empty(n_regions + 1, np.int64)
        half_edges = np.empty(n_sides, np.int32)
        packed = np.empty((n_regions, block.packed.shape[1]), np.uint8)
        parent = np.empty(n_regions, np.int32)
        _faces.build_faces(
            block.region_ptr,
            block.half_edges,
            block.origins,
            cut.positive,
            block.packed,
            cut.offset,
            cut.size,
            groups,
            first_piece,
            chord_ptr,
            *chords,
            cross_ptr,
            cross,
            same,
            t,
            t_error,
            inner_base,
            cut.magnitude,
            x,
            x_error,
            edge_vertices,
            labels,
            inner_source,
            region_ptr,
            half_edges,
            packed,
            parent,
        )

        def inner_lines(vertex: int) -> tuple[int, list[int]]:
            region, *units = inner_source[vertex - inner_base].tolist()
            return region, [cut.offset + unit for unit in units]

        cut.refine(x, x_error, inner_base, len(x), inner_lines)
        return Block(
            x=x,
            x_error=x_error,
            edge_vertices=edge_vertices,
            labels=labels,
            region_ptr=region_ptr,
            half_edges=half_edges,
            packed=packed,
            earlier=cut.maps.of(parent) if layer + 1 < self._n_layers else None,
            piece_ptr=first_piece[block.piece_ptr],
            n_uncertain=cut.n_uncertain,
        )

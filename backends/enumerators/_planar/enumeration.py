"""The enumerator `cpu` on lines and planes (d = 1 and 2): from the domain to the complex."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import freeze
from relutopo.complex import CellComplex
from relutopo.geometry.cells import EnumerationRecord
from relutopo.geometry.domain import Domain
from relutopo.interfaces import Progress
from relutopo.networks.network import Network
from relutopo.system.blas import one_blas_thread

from .._shared.task import Limits
from .blocks.block import Block
from .layer import PlanarTask
from .line import cut_line
from .plane import PlaneCutter
from .records import PlanarCells
from .tuning import DEFAULT, Tuning

__all__ = ["enumerate_planar"]


def enumerate_planar(
    network: Network,
    domain: Domain,
    max_cells: int | None,
    progress: Progress | None,
    n_threads: int,
    tuning: Tuning = DEFAULT,
    max_bytes: int | None = None,
) -> CellComplex:
    """Return the complex of a network on a domain of dimension 1 or 2; see `Enumerator`."""
    begin = time.perf_counter()
    limits = Limits(max_cells, max_bytes, _bytes_a_cell(network, domain.dim))
    block, task = _start(domain), PlanarTask(network, domain, limits, tuning)
    if domain.dim == 1:
        block = cut_line(task, block, progress)
    else:
        # Maps of graphs need many products of small matrices, which more threads only slow down.
        with nullcontext() if task.maps.is_chain else one_blas_thread():
            block = PlaneCutter(task, n_threads).cut(block, progress)
    cells = block.cells
    edges = (
        freeze(np.arange(0, 2 * len(cells.edge_vertices) + 1, 2, dtype=np.int64)),
        freeze(cells.edge_vertices.ravel()),
    )
    facets_of_regions = freeze(np.right_shift(cells.half_edges, 1, out=cells.half_edges))
    regions = freeze(cells.region_ptr), facets_of_regions
    return CellComplex(
        network=network,
        domain=domain,
        vertices=freeze(cells.x),
        vertex_errors=freeze(cells.deviation),
        facets=(edges,) if domain.dim == 1 else (edges, regions),
        packed_patterns=freeze(cells.packed),
        facet_labels=freeze(cells.labels),
        record=EnumerationRecord(
            "cpu", "certified", block.n_uncertain, time.perf_counter() - begin
        ),
    )


def _bytes_a_cell(network: Network, dim: int) -> float:
    """Return the bytes of a cell, temporary arrays included.

    In the plane blocks are cut one by one, and one cell in four is a region, with a pattern; on the
    line the values of a layer at all vertices are there at once.
    """
    if dim == 1:
        return 50.0 + 30 * max(network.layer_sizes, default=0)
    return 50.0 + network.n_neurons / 16


def _start(domain: Domain) -> Block:
    """Return the domain as a block of one region; see `LayerCut` for d = 1."""
    # Copies, because the complex of a network without neurons takes ownership of them.
    arrays: Iterable[NDArray[Any]] = _polygon(domain)
    cells = PlanarCells(*(array.copy() for array in arrays))
    return Block(
        cells,
        earlier=None,
        piece_ptr=np.arange(len(cells.labels) + 1),
        pieces=np.arange(len(cells.labels), dtype=np.int32),
        n_uncertain=0,
    )


@lru_cache(maxsize=8)  # checkpoints share a domain, and small ones take no longer than this
def _polygon(domain: Domain) -> PlanarCells:
    """Return the domain as a complex of one region."""
    lattice = domain.face_lattice()
    corners, labels = lattice.vertices, -1 - lattice.sides
    edges = lattice.facets[0][1].reshape(-1, 2)
    half_edges = np.arange(2, dtype=np.int32)
    if domain.dim == 2:
        order, edges = _counterclockwise(edges, lattice.exact_vertices.tolist())
        labels = labels[order]
        half_edges = np.arange(0, 2 * len(edges), 2, dtype=np.int32)
    return PlanarCells(
        x=corners,
        deviation=lattice.rounding,
        edge_vertices=np.ascontiguousarray(edges, dtype=np.int32),
        labels=labels.astype(np.int32),
        region_ptr=np.array([0, len(half_edges)], dtype=np.int64),
        half_edges=half_edges,
        packed=np.zeros((1, 0), dtype=np.uint8),
    )


def _counterclockwise(
    sides: NDArray[np.int32], corners: list[list[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the order of the sides around a polygon, and each from its first corner on.

    Corners may be closer than floats can tell, so nothing is computed with floats here.
    """
    sides_at: dict[int, list[int]] = {}
    for side, ends in enumerate(sides.tolist()):
        for corner in ends:
            sides_at.setdefault(corner, []).append(side)
    order, starts, side, corner = [], [], 0, int(sides[0, 0])
    for _ in sides:
        order.append(side)
        starts.append(corner)
        corner = int(sides[side].sum()) - corner
        (side,) = set(sides_at[corner]) - {side}
    (a, b, c), (d, e, f), (g, h, i) = (corners[start] for start in starts[:3])
    if (b * f - c * e) * g + (c * d - a * f) * h + (a * e - b * d) * i < 0:
        order, starts = order[::-1], [starts[0], *starts[:0:-1]]
    return np.array(order), np.stack([starts, np.roll(starts, -1)], axis=1).astype(np.int32)

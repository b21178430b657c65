"""The enumerator `cpu` on lines and planes (d = 1 and 2): from the domain to the complex."""

from __future__ import annotations

import time

import numpy as np

from relutopo.geometry.balancing import balanced
from relutopo.geometry.complex import CellComplex, EnumerationRecord
from relutopo.geometry.domain import Domain
from relutopo.geometry.network import Network
from relutopo.interfaces import Progress

from .block import Block
from .line import cut_line
from .plane import PlaneCutter
from .records import Cells

__all__ = ["enumerate_planar"]


def enumerate_planar(
    network: Network,
    domain: Domain,
    max_cells: int | None,
    progress: Progress | None,
    n_threads: int,
) -> CellComplex:
    """Return the complex of a network on a domain of dimension 1 or 2; see `Enumerator`."""
    begin = time.perf_counter()
    block, same = _start(network, domain), balanced(network, domain.magnitude)
    if domain.dim == 1:
        block = cut_line(same, domain, block, max_cells, progress)
    else:
        block = PlaneCutter(same, domain, max_cells, n_threads).cut(block, progress)
    cells = block.cells
    edges = (
        np.arange(0, 2 * len(cells.edge_vertices) + 1, 2, dtype=np.int64),
        cells.edge_vertices.ravel(),
    )
    facets_of_regions = np.right_shift(cells.half_edges, 1, out=cells.half_edges)
    return CellComplex(
        network=network,
        domain=domain,
        vertices=cells.x,
        vertex_errors=cells.x_error,
        facets=(edges,) if domain.dim == 1 else (edges, (cells.region_ptr, facets_of_regions)),
        packed_patterns=cells.packed,
        facet_labels=cells.labels,
        record=EnumerationRecord(
            "cpu", "certified", block.n_uncertain, time.perf_counter() - begin
        ),
    )


def _start(network: Network, domain: Domain) -> Block:
    """Return the domain as a block of one region; see `LayerCut` for d = 1."""
    lattice = domain.face_lattice()
    corners, labels = lattice.vertices, -1 - lattice.sides
    edges = lattice.facets[0][1].reshape(-1, 2)
    half_edges = np.arange(2, dtype=np.int32)
    if domain.dim == 2:
        # Order the sides counterclockwise by their midpoints, each from its first corner on.
        spokes = corners[edges].mean(axis=1) - corners.mean(axis=0)
        order = np.argsort(np.arctan2(spokes[:, 1], spokes[:, 0]))
        edges, labels = edges[order], labels[order]
        arms = corners[edges] - corners.mean(axis=0)
        turns = arms[:, 0, 0] * arms[:, 1, 1] - arms[:, 0, 1] * arms[:, 1, 0]
        edges = np.where((turns > 0)[:, None], edges, edges[:, ::-1])
        half_edges = np.arange(0, 2 * len(edges), 2, dtype=np.int32)
    cells = Cells(
        x=corners.copy(),
        x_error=lattice.rounding,
        edge_vertices=np.ascontiguousarray(edges, dtype=np.int32),
        labels=labels.astype(np.int32),
        region_ptr=np.array([0, len(half_edges)], dtype=np.int64),
        half_edges=half_edges,
        packed=np.zeros((1, 0), dtype=np.uint8),
    )
    return Block(
        cells,
        earlier=None,
        piece_ptr=np.arange(len(edges) + 1),
        pieces=np.arange(len(edges), dtype=np.int32),
        n_uncertain=0,
    )

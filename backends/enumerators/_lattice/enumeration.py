"""The enumerator `cpu` in any dimension d ≥ 1: the face lattice is cut neuron by neuron.

Every vertex gets the sign of the neuron in {-1, 0, +1}; a k-cell is cut when its vertices carry
both signs. Going up k = 1..d, a cut cell c becomes c⁺, c⁻ and its section c⁰; the facets of c⁰ are
the sections of the cut facets of c and the (k-2)-faces of c that lie wholly in the zero set. With
the third sign this is right for every arrangement.

A layer works block by block. A block is the closure of some regions, a copy small enough for the
processor's cache; all neurons of the layer cut it (`cutting`), and then it hands back
what it owns. Cells that several blocks share are cut in each of them and named alike by all
(`kernels`), so blocks need not wait for each other, and threads take them as they come.
The blocks do not depend on the threads, nor does anything in the result.

Signs are exact: they come from floats where bounds allow, and otherwise from the network's exact
pre-activations at the exact vertex. Every vertex is computed from the d planes that meet in it, so
errors do not add up along chains of cuts; `_exact_points` has their exact equations.

Regions ascend by activation pattern, the first neuron before the second.
"""

from __future__ import annotations

import time
from math import comb
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from relutopo.complex import CellComplex
from relutopo.errors import InvariantError
from relutopo.geometry.cells import EnumerationRecord
from relutopo.geometry.domain import Domain, FacetLists
from relutopo.interfaces import Progress
from relutopo.networks.balancing import balanced
from relutopo.networks.network import Network
from relutopo.system.threads import Run, threads

from .._certified.exact_points import ExactPoints
from .._shared.domain_planes import planes_of_faces
from .._shared.limits import POSITION_TARGET, check_limit
from . import transfer as kernels
from .block import Block, Cells, HandedBack, Sharing, Step, Workspace
from .planes import PlaneTable

__all__ = ["enumerate_lattice"]

_BLOCK_REGIONS = 4096
"""About how many regions a block should end with."""
_FEW_REGIONS = 32
"""Below this number of regions some neurons cut all of them first, so that there are more."""
_SAMPLE = 32
"""At most how many regions are cut first to see how many there will be."""
_MAP_NUMBERS = 2**17
"""At most how many numbers the affine maps of a block should have."""


def enumerate_lattice(
    network: Network,
    domain: Domain,
    max_cells: int | None,
    progress: Progress | None,
    n_threads: int = 1,
) -> CellComplex:
    """Return the complex of a network on a domain; see `Enumerator`."""
    begin = time.perf_counter()
    n_layers, same = len(network.layer_sizes), balanced(network, domain.magnitude)
    faces = domain.face_lattice()
    exact = ExactPoints(same, domain, faces.exact_vertices)
    n_bytes = -(-network.n_neurons // 8)
    complex_ = Cells(
        x=faces.vertices,
        x_error=faces.rounding,
        facets=list(faces.facets),
        planes=planes_of_faces(faces, domain.side_planes()),
        packed=np.zeros((1, n_bytes), dtype=np.uint8),
        table=PlaneTable.of_sides(domain, n_bytes),
    )
    # Computed coordinates may leave the domain by rounding.
    magnitude = domain.magnitude * (1 + 2.0**-30)
    target = POSITION_TARGET * float(magnitude.max())
    n_uncertain = 0
    with threads(n_threads) as run:
        for layer, size in enumerate(network.layer_sizes):
            first = 0
            while first < size:
                last = _last_of_step(complex_, first, size)
                step = Step(
                    network=same,
                    layer=layer,
                    begin=first,
                    end=last,
                    last=layer == n_layers - 1 and last == size,
                    magnitude=magnitude,
                    target=target,
                    max_cells=max_cells,
                    exact=exact,
                )
                complex_, n_open = _cut(step, complex_, run)
                n_uncertain += n_open
                first = last
            if progress is not None:
                progress(layer + 1, n_layers, f"{complex_.n[-1]} regions")
    return CellComplex(
        network=network,
        domain=domain,
        vertices=complex_.x,
        vertex_errors=complex_.x_error,
        facets=tuple(complex_.facets),
        packed_patterns=complex_.packed,
        facet_labels=complex_.table.neurons[complex_.planes[-1][:, 0]],
        record=EnumerationRecord("cpu", "certified", n_uncertain, time.perf_counter() - begin),
    )


def _last_of_step(complex_: Cells, first: int, size: int) -> int:
    """Return up to which neuron of a layer to cut at once."""
    n_regions, d = complex_.n[-1], complex_.x.shape[1]
    if n_regions >= _FEW_REGIONS:
        return size
    last = first + 1
    while last < size and (
        n_regions * sum(comb(last + 1 - first, i) for i in range(d + 1)) <= _BLOCK_REGIONS
    ):
        last += 1
    return last


def _cut(step: Step, complex_: Cells, run: Run) -> tuple[Cells, int]:
    """Return the complex after a step, and how many signs were open.

    The complex from before is given up: of its cells only the vertices stay.
    """
    bounds = _block_bounds(step, complex_)
    sharing = _sharing(complex_, bounds) if len(bounds) > 2 else None
    blocks = _run_blocks(step, complex_, bounds, sharing, run)
    n_uncertain = sum(block.n_uncertain for block in blocks)
    return _join(step, complex_, blocks, sharing), n_uncertain


def _run_blocks(
    step: Step,
    complex_: Cells,
    bounds: NDArray[np.int64],
    sharing: Sharing | None,
    run: Run,
) -> list[HandedBack]:
    """Cut all blocks."""
    works: SimpleQueue[Workspace] = SimpleQueue()

    def one(index: int) -> HandedBack:
        try:
            work = works.get_nowait()
        except Empty:
            work = Workspace(complex_.n)
        try:
            regions = np.arange(bounds[index], bounds[index + 1], dtype=np.int32)
            block = Block(step, complex_, regions, work)
            block.cut()
            return block.hand_back(index, sharing)
        finally:
            works.put(work)

    blocks = []
    n_cells = complex_.n[0]
    for handed in run(one, range(len(bounds) - 1)):
        blocks.append(handed)
        n_cells += int(handed.n_owned.sum())
        check_limit(step.max_cells, n_cells, step.network, step.layer)
    return blocks


def _block_bounds(step: Step, complex_: Cells) -> NDArray[np.int64]:
    """Return the first region of each block, and their number."""
    d, n_regions = complex_.x.shape[1], complex_.n[-1]
    if n_regions < _FEW_REGIONS:
        return np.array([0, n_regions])
    # Some regions tell how many there will be.
    size = min(_SAMPLE, -(-n_regions // _SAMPLE))
    sample = np.linspace(0, n_regions - 1, size).astype(np.int32)
    block = Block(step, complex_, sample, Workspace(complex_.n))
    block.cut()
    growth = block.n_regions / size
    most = _MAP_NUMBERS / ((d + 2) * step.network.layer_sizes[step.layer])
    n_blocks = np.ceil(n_regions / max(1.0, min(_BLOCK_REGIONS / growth, most)))
    return np.linspace(0, n_regions, int(n_blocks) + 1).astype(np.int64)


def _sharing(complex_: Cells, bounds: NDArray[np.int64]) -> Sharing:
    """Find the cells that several blocks have."""
    n = complex_.n
    first = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    last = first
    numbers, owners = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    levels = []
    for k in range(len(n) - 1, 1, -1):
        below = np.empty(n[k - 1], np.int32), np.empty(n[k - 1], np.int32)
        kernels.spread(*complex_.facets[k - 1], first, last, *below)
        first, last = below
        levels.append(below)
    n_shared = 0
    for first, last in reversed(levels):
        shared = np.flatnonzero(first < last)
        number = np.full(len(first), -1, dtype=np.int32)
        number[shared] = np.arange(n_shared, n_shared + len(shared))
        n_shared += len(shared)
        numbers.append(number)
        owners.append(first[shared])
    return Sharing(numbers, np.concatenate(owners))


def _join(step: Step, complex_: Cells, blocks: list[HandedBack], sharing: Sharing | None) -> Cells:
    """Put together what the blocks have handed back."""
    d, n_old = complex_.x.shape[1], complex_.n[0]
    starts = np.cumsum([np.zeros(d + 1, dtype=np.int64), *(b.n_owned for b in blocks)], axis=0)
    starts[:, 0] += n_old
    totals = starts[-1]
    # Where the cells of each shared carrier begin, as their owner has numbered them.
    n_shared = len(sharing.owner) if sharing else 0
    base = np.zeros((n_shared, d + 1), dtype=np.int64)
    counts = np.zeros((n_shared, d + 1), dtype=np.int32)
    for block, start in zip(blocks, starts, strict=False):
        base[block.shared[block.owned]] = start + block.first[block.owned]
        counts[block.shared[block.owned]] = block.counts[block.owned]
    for block in blocks:
        if not np.array_equal(counts[block.shared], block.counts):
            raise InvariantError("two blocks have cut a cell that they share in different ways")

    # Memory is the limit: what is no longer needed goes first.
    old_planes, old_table = complex_.planes[0], complex_.table
    complex_.facets.clear()
    complex_.planes.clear()
    facets: list[FacetLists] = []
    for k in range(1, d + 1):
        indptr = np.zeros(totals[k] + 1, dtype=np.int64)
        indices = np.empty(sum(len(b.lists[k - 1][1]) for b in blocks), dtype=np.int32)
        for block, start in zip(blocks, starts, strict=False):
            initial = block.initial_vertices if k == 1 else block.initial_vertices[:0]
            table = kernels.names(
                start[k - 1], block.n_owned[k - 1], block.owned, block.shared,
                block.counts[:, k - 1], base[:, k - 1], initial,
            )  # fmt: skip
            kernels.put_back(*block.lists[k - 1], table, indptr, start[k], indices)
        for block in blocks:
            block.lists[k - 1] = (np.empty(0, np.int32), np.empty(0, np.int32))
        facets.append((indptr, indices))
    planes = []
    for k in range(d):
        # At the end the blocks hand back nothing but the planes of (d-1)-cells.
        wanted = not step.last or k == d - 1
        ids = np.empty((totals[k] if wanted else 0, d - k), dtype=np.int32)
        if wanted and k == 0:
            ids[:n_old] = old_planes
        offset = len(old_table.neurons)
        for block, start in zip(blocks, starts, strict=False):
            if wanted:
                kernels.put_planes(block.planes[k], offset, ids[start[k] :])
                block.planes[k] = block.planes[k][:0].copy()
            offset += len(block.table.neurons)
        planes.append(ids)
    for block, start in zip(blocks, starts, strict=False):
        for position, point in block.points.items():
            step.exact.known[int(start[0]) + position] = point
    return Cells(
        x=np.concatenate([complex_.x, *(b.x for b in blocks)]),
        x_error=np.concatenate([complex_.x_error, *(b.x_error for b in blocks)]),
        facets=facets,
        planes=planes,
        packed=np.concatenate([b.packed for b in blocks]),
        table=old_table.extended([b.table for b in blocks], names_only=step.last),
    )

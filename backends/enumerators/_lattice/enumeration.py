"""The enumerator `cpu` in any dimension d ≥ 1: the cells of all dimensions are cut.

Neurons cut in stages, each of up to 64 neurons of a layer. Where those of a stage are in general
position, they cut all cells at once (`at_once`, `flats`): every new cell is made once, in the cell
that contains it. Other stages take neuron after neuron, as follows.

Every vertex gets the sign of the neuron in {-1, 0, +1}; a k-cell is cut when its vertices carry
both signs. Going up k = 1..d, a cut cell c becomes c⁺, c⁻ and its section c⁰; the facets of c⁰ are
the sections of the cut facets of c and the (k-2)-faces of c that lie wholly in the zero set. With
the third sign this is right for every arrangement.

Such a stage works block by block. A block is the closure of some regions, copied, and small enough
for the processor's cache; all neurons of the stage cut it (`cutting`), and then it hands back the
cells that it owns. Cells that several blocks share are cut in each of them and named in the same
way by all (`transfer`), so blocks need not wait for each other, and threads take them as they come.
The blocks do not depend on the threads, nor does the result.

Signs are exact: they come from floats where bounds allow, and otherwise from
`_certified.decisions`, which has the exact equations of the d planes that meet in a vertex. Every
vertex is computed from these planes, so errors do not add up along chains of cuts.

Regions ascend by activation pattern, the first neuron before the second.
"""

from __future__ import annotations

import time
from collections import deque
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import freeze
from relutopo.complex import CellComplex
from relutopo.errors import InvariantError
from relutopo.geometry.cells import EnumerationRecord
from relutopo.geometry.domain import Domain, FacetLists
from relutopo.interfaces import Progress
from relutopo.networks.network import Network
from relutopo.system.blas import one_blas_thread
from relutopo.system.threads import Run, Spares, threads

from .._shared.domain_planes import planes_of_faces
from .._shared.planes import PlaneTable, sides_as_planes
from .._shared.task import Limits, Stage
from . import transfer as kernels
from .at_once import cut_at_once
from .block import Block, HandedBack, LatticeCells, LatticeTask, Sharing, Workspace
from .records import WORD
from .tuning import DEFAULT, Tuning

__all__ = ["enumerate_lattice"]


def enumerate_lattice(
    network: Network,
    domain: Domain,
    max_cells: int | None,
    progress: Progress | None,
    n_threads: int = 1,
    tuning: Tuning = DEFAULT,
    max_bytes: int | None = None,
) -> CellComplex:
    """Return the complex of a network on a domain; see `Enumerator`."""
    begin = time.perf_counter()
    limits = Limits(max_cells, max_bytes, _bytes_a_cell(network, domain.dim))
    n_layers, task = len(network.layer_sizes), LatticeTask(network, domain, limits)
    faces, (labels, numbers) = domain.face_lattice(), sides_as_planes(domain)
    n_bytes = -(-network.n_neurons // 8)
    complex_ = LatticeCells(
        x=faces.vertices.copy(),
        deviation=faces.rounding.copy(),
        facets=[(ptr.astype(np.int64), items.astype(np.int32)) for ptr, items in faces.facets],
        planes=planes_of_faces(faces, domain.side_planes()),
        packed=np.zeros((1, n_bytes), dtype=np.uint8),
        table=PlaneTable(labels, np.zeros((len(labels), n_bytes), dtype=np.uint8), numbers),
    )
    n_uncertain = 0
    with one_blas_thread(), threads(n_threads) as run:
        for layer, size in enumerate(network.layer_sizes):
            first = 0
            while first < size:
                stage = Stage(layer, first, _last_of_stage(complex_, first, size, tuning))
                complex_, n_open = _cut(task, stage, complex_, run, tuning)
                n_uncertain += n_open
                first = stage.last
            if progress is not None:
                progress(layer + 1, n_layers, f"{complex_.n[-1]} regions")
    return CellComplex(
        network=network,
        domain=domain,
        vertices=freeze(complex_.x),
        vertex_errors=freeze(complex_.deviation),
        facets=tuple((freeze(ptr), freeze(items)) for ptr, items in complex_.facets),
        packed_patterns=freeze(complex_.packed),
        facet_labels=freeze(complex_.table.labels[complex_.planes[-1][:, 0]]),
        record=EnumerationRecord("cpu", "certified", n_uncertain, time.perf_counter() - begin),
    )


def _bytes_a_cell(network: Network, dim: int) -> float:
    """Return the bytes of a cell, including the lists of blocks and the lists joined from them.

    A k-cell of a general arrangement has 2k facets on average, one cell in 2^d is a region, and
    its pattern is kept with the planes that bound it.
    """
    return float(64.0 + 32 * dim + 3 * network.n_neurons / 2 ** (dim + 3))


def _last_of_stage(complex_: LatticeCells, first: int, size: int, tuning: Tuning) -> int:
    """Return the end of the range of neurons of a layer that cut at once."""
    n_regions, d = complex_.n[-1], complex_.x.shape[1]
    most = min(first + WORD, size)
    if n_regions >= tuning.few_regions:
        return most
    last = first + 1
    while last < most:
        # One cell in 2^d of a large arrangement is a region.
        n_new = n_regions * sum(comb(last + 1 - first, i) for i in range(d + 1))
        if n_new * 2**d > tuning.first_cells:
            break
        last += 1
    return last


def _cut(
    task: LatticeTask, stage: Stage, complex_: LatticeCells, run: Run, tuning: Tuning
) -> tuple[LatticeCells, int]:
    """Return the complex after a stage, and how many signs were open.

    The old complex is freed: only its vertices are kept.
    """
    if complex_.x.shape[1] > 1:
        found = cut_at_once(task, stage, complex_, run, tuning)
        if found is not None:
            return found
    bounds = _block_bounds(task, stage, complex_, tuning)
    sharing = _sharing(complex_, bounds) if len(bounds) > 2 else None
    blocks = _run_blocks(task, stage, complex_, bounds, sharing, run)
    n_uncertain = sum(block.n_uncertain for block in blocks)
    return _join(task, stage, complex_, blocks, sharing, run), n_uncertain


def _run_blocks(
    task: LatticeTask,
    stage: Stage,
    complex_: LatticeCells,
    bounds: NDArray[np.int64],
    sharing: Sharing | None,
    run: Run,
) -> list[HandedBack]:
    """Cut all blocks."""
    works = Spares(lambda: Workspace(complex_.n))

    def one(index: int) -> HandedBack:
        with works.one() as work:
            regions = np.arange(bounds[index], bounds[index + 1], dtype=np.int32)
            block = Block(task, stage, complex_, regions, work)
            block.cut()
            return block.hand_back(index, sharing)

    blocks = []
    n_cells = complex_.n[0]
    for handed in run(one, range(len(bounds) - 1)):
        blocks.append(handed)
        n_cells += int(handed.n_owned.sum())
        task.check_limit(n_cells, stage.layer)
    return blocks


def _block_bounds(
    task: LatticeTask, stage: Stage, complex_: LatticeCells, tuning: Tuning
) -> NDArray[np.int64]:
    """Return the first region of each block, and their number."""
    d, n_regions = complex_.x.shape[1], complex_.n[-1]
    if n_regions < tuning.few_regions:
        return np.array([0, n_regions])
    # A sample of regions predicts the number of cells.
    size = min(tuning.sample, -(-n_regions // tuning.sample))
    sample = np.linspace(0, n_regions - 1, size).astype(np.int32)
    block = Block(task, stage, complex_, sample, Workspace(complex_.n))
    block.cut()
    most = tuning.map_numbers / ((d + 2) * task.network.layer_sizes[stage.layer])
    most = min(most, tuning.block_cells * size / block.n_cells)
    n_blocks = np.ceil(n_regions / max(1.0, most))
    return np.linspace(0, n_regions, int(n_blocks) + 1).astype(np.int64)


def _sharing(complex_: LatticeCells, bounds: NDArray[np.int64]) -> Sharing:
    """Find the cells that several blocks share."""
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


def _join(
    task: LatticeTask,
    stage: Stage,
    complex_: LatticeCells,
    blocks: list[HandedBack],
    sharing: Sharing | None,
    run: Run,
) -> LatticeCells:
    """Join the results of the blocks."""
    d, n_old = complex_.x.shape[1], complex_.n[0]
    is_last = task.is_last(stage)
    starts = np.cumsum([np.zeros(d + 1, dtype=np.int64), *(b.n_owned for b in blocks)], axis=0)
    starts[:, 0] += n_old
    totals = starts[-1]
    # Where the cells of each shared carrier begin, in the numbering of their owner.
    n_shared = len(sharing.owner) if sharing else 0
    base = np.zeros((n_shared, d + 1), dtype=np.int64)
    counts = np.zeros((n_shared, d + 1), dtype=np.int32)
    for block, start in zip(blocks, starts, strict=False):
        base[block.shared[block.owned]] = start + block.first[block.owned]
        counts[block.shared[block.owned]] = block.counts[block.owned]
    for block in blocks:
        if not np.array_equal(counts[block.shared], block.counts):
            raise InvariantError("two blocks have cut a cell that they share in different ways")

    for block, start in zip(blocks, starts, strict=False):
        kernels.give_names(
            block.position, block.levels, start, block.n_owned, block.owned, block.shared,
            block.counts, base, block.initial_vertices,
        )  # fmt: skip
        block.levels = block.levels[:0].copy()
    names = [block.position for block in blocks]
    # Memory is the limit: arrays that are no longer needed are freed first.
    old_planes, old_table = complex_.planes[0], complex_.table
    complex_.facets.clear()
    complex_.planes.clear()
    facets: list[FacetLists] = []
    for k in range(1, d + 1):
        indptr = np.zeros(totals[k] + 1, dtype=np.int64)
        ends = np.cumsum([0, *(len(b.lists[k - 1][1]) for b in blocks)])
        indices = np.empty(ends[-1], dtype=np.int32)

        def put_back(
            i: int, k: int = k, ends: Any = ends, indptr: Any = indptr, indices: Any = indices
        ) -> None:
            counts, entries = blocks[i].lists[k - 1]
            blocks[i].lists[k - 1] = (counts[:0].copy(), entries[:0].copy())
            kernels.put_back(
                counts, entries, names[i], ends[i], indptr[starts[i, k] + 1 :], indices
            )

        deque(run(put_back, range(len(blocks))), maxlen=0)
        facets.append((indptr, indices))
    planes = []
    for k in range(d):
        # At the end the blocks hand back only the planes of (d-1)-cells.
        wanted = not is_last or k == d - 1
        ids = np.empty((totals[k] if wanted else 0, d - k), dtype=np.int32)
        if wanted and k == 0:
            ids[:n_old] = old_planes
        offset = len(old_table.labels)
        for block, start in zip(blocks, starts, strict=False):
            if wanted:
                kernels.put_planes(block.planes[k], offset, ids[start[k] :])
                block.planes[k] = block.planes[k][:0].copy()
            offset += len(block.table.labels)
        planes.append(ids)
    for block, start in zip(blocks, starts, strict=False):
        for position, point in block.points.items():
            task.decisions.known[int(start[0]) + position] = point
    return LatticeCells(
        x=np.concatenate([complex_.x, *(b.x for b in blocks)]),
        deviation=np.concatenate([complex_.deviation, *(b.deviation for b in blocks)]),
        facets=facets,
        planes=planes,
        packed=np.concatenate([b.packed for b in blocks]),
        table=_extended(old_table, [b.table for b in blocks], is_last),
    )


def _extended(first: PlaneTable, others: list[PlaneTable], labels_only: bool) -> PlaneTable:
    """Return the rows of all tables one after another, or only their labels."""
    tables = [first, *others]
    labels = np.concatenate([t.labels for t in tables])
    if labels_only:
        return PlaneTable(labels, first.regions[:0], first.numbers[:0])
    return PlaneTable(
        labels,
        regions=np.concatenate([t.regions for t in tables]),
        numbers=np.concatenate([t.numbers for t in tables]),
    )

"""The enumerator `cpu` on planes (d = 2).

A whole layer cuts at once, a wide first one in two stages. On a region of the complex so far the
layer's pre-activations are affine, so within it their zeros are chords:

1. every pre-activation gets its sign in {-1, 0, +1} at every vertex;
2. along every edge the neurons that change sign are sorted, which gives the new vertices on
   it, shared by the regions on both sides;
3. in every region each crossing neuron now has its two points on the rim, so that which chords
   cross is combinatorial; along each chord the crossings are sorted;
4. the order of ends on the rim turns into the order of edges around every vertex, the faces are
   traced, and patterns spread from face to face by flipping the neurons of the edge between.

Numbers enter through signs (1) and orders (2, 3) alone; see `layer`. When the complex has grown,
it is split into blocks that the remaining stages cut one by one, several at a time; see `block`.
How it is split does not depend on the number of threads, and nor does the result.

Work is proportional to the result, plus one map of the layer for every region, which mostly costs
an update of rank one (`maps`), and one evaluation of the layer at every vertex. Of a wide last
layer only those units count that may cut the block (`free`). Where regions have few siblings, the
values at vertices are carried from layer to layer instead (`vertices`), and a cut takes one call
while nothing is open (`by_values`).
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import numpy as np

from relutopo.errors import InvariantError
from relutopo.interfaces import Progress
from relutopo.networks.network import Network
from relutopo.system.threads import threads

from .._shared.task import Stage
from .blocks.block import NO_LINES, Block, Part
from .blocks.gluing import Gluing
from .blocks.splitting import Parts
from .by_values import cut_by_values
from .cuts.chords import find_chords
from .cuts.cut import BEGUN, BUILT, PLACED, build, finish
from .exact_decisions import Plane, Point
from .layer import LayerCut, PlanarTask
from .records import Cut, Placed, Values
from .tuning import Tuning

__all__ = ["PlaneCutter"]

_PROGRESS_STEPS = 1000
_LEAST_CELLS = 3
"""There are more than so many times as many cells as regions."""


def _stages(network: Network, tuning: Tuning) -> list[Stage]:
    """Return what cuts one after the other.

    Some units of a wide first layer cut first, so that the others already cut blocks.
    """
    stages = [Stage(layer, 0, size) for layer, size in enumerate(network.layer_sizes)]
    if stages and stages[0].last >= tuning.wide_first:
        few = max(1, stages[0].last // tuning.share)
        stages[:1] = [Stage(0, 0, few), Stage(0, few, stages[0].last)]
    return stages


class PlaneCutter:
    """All layers of a network cut a domain of the plane.

    Parameters
    ----------
    task : PlanarTask
        What is being decomposed.
    n_threads : int
        How many blocks are worked on at a time.
    """

    def __init__(self, task: PlanarTask, n_threads: int) -> None:
        self._task, self._n_threads = task, n_threads
        self._tuning = task.tuning
        self._n_regions, self._lock = 1, Lock()
        self._stages = _stages(task.network, task.tuning)

    def cut(self, block: Block, progress: Progress | None) -> Block:
        """Cut the whole domain."""
        n_stages = len(self._stages)

        def report(stages: float, n_regions: int, where: str = "") -> None:
            if progress is not None:
                done = int(_PROGRESS_STEPS * stages / n_stages)
                progress(done, _PROGRESS_STEPS, f"{n_regions} regions{where}")

        i = 0
        while i < n_stages and not self._is_large(block, i):
            block = self._cut_once(block, self._stages[i])
            i += 1
            report(i, block.n_regions)
        if i == n_stages:
            return block
        parts = Parts(block, self._first_size(i))
        whole = Gluing(block, len(parts), self._task.limits)
        with threads(self._n_threads) as run:
            finished = run(lambda k: self._finish(parts.take(k), i), range(len(parts)))
            is_counted = False
            for n_done, part in enumerate(finished, 1):
                whole.add(part)
                self._task.check_limit(whole.n_cells, self._stages[-1].layer)
                expected = _LEAST_CELLS * whole.n_regions * len(parts) // n_done
                if not is_counted and expected > self._task.limits.most_cells:
                    self._count_ahead(parts, n_done, i, whole.n_regions)
                    is_counted = True
                report(
                    i + (n_stages - i) * n_done / len(parts),
                    whole.n_regions,
                    f" in {n_done} of {len(parts)} blocks",
                )
        return whole.finish()

    def _count(self, n_more: int, stage: Stage) -> None:
        """Stop as soon as all blocks together have more regions than there may be cells for.

        Every region has three sides at least, and a side two regions at most, so that there are
        more than three times as many cells as regions.
        """
        with self._lock:
            self._n_regions += n_more
            n_cells = _LEAST_CELLS * self._n_regions
        self._task.check_limit(n_cells, stage.layer)

    def _count_ahead(self, parts: Parts, first: int, i: int, n_regions: int) -> None:
        """Stop if the parts from `first` on have too many regions after stage i alone.

        What the parts so far let expect is no reason to stop, as others may be unlike them. But it
        is one to look at the next stage of all of them first, for the others may take far longer.
        """
        stage = self._stages[i]
        for k in range(first, len(parts)):
            n_regions += len(self._cut_once(parts.take(k).block, stage, counts=False).cells.packed)
            least = n_regions + len(parts) - k - 1
            self._task.check_limit(_LEAST_CELLS * least, stage.layer)

    def _block_size(self, i: int) -> int:
        """Return how many regions stage i may cut at once."""
        is_last, tuning = i + 1 == len(self._stages), self._tuning
        if self._stages[i].first > 0:
            # The number of regions grows like the square of that of units. What grows more than
            # others need not be split again at once.
            end = tuning.regions_of_one_layer if is_last else 3 * self._first_size(i + 1) // 4
            return max(1, end // tuning.share**2)
        if not self._task.maps.is_chain:
            return tuning.of_graph
        fewest = 2 * tuning.fewest_at_last if is_last else tuning.fewest
        return max(fewest, self._at_once(i))

    def _first_size(self, i: int) -> int:
        """Return how many regions blocks have that are made before stage i; not more."""
        size = self._block_size(i)
        if self._stages[i].first > 0:
            return size
        if not self._task.maps.is_chain:
            return -(-size // 2)
        if i + 1 == len(self._stages):
            return min(size, max(self._tuning.fewest_at_last, self._at_once(i)))
        return -(-size // self._tuning.room_to_grow)

    def _at_once(self, i: int) -> int:
        return self._tuning.numbers_at_once // (3 * self._stages[i].last)

    def _is_large(self, block: Block, i: int) -> bool:
        return i > 0 and block.n_regions > self._block_size(i)

    def _finish(self, part: Part, i: int) -> Part:
        """Cut a part by the stages from number i on."""
        block = part.block
        while i < len(self._stages):
            if self._is_large(block, i):
                parts = Parts(block, self._first_size(i))
                whole = Gluing(block, len(parts), self._task.limits)
                for k in range(len(parts)):
                    whole.add(self._finish(parts.take(k), i))
                    self._task.check_limit(whole.n_cells, self._stages[-1].layer)
                block = whole.finish()
                break
            block = self._cut_once(block, self._stages[i])
            i += 1
        # What has been cut needs nothing more than its cells.
        bare = replace(block, earlier=None, integers=None, lines=NO_LINES, known_beside=None)
        return replace(part, block=bare)

    def _cut_once(self, block: Block, stage: Stage, *, counts: bool = True) -> Block:
        """Cut a block by one stage; it counts unless it is only tried."""
        block = self._task.prepared(stage, block)
        after = self._cut_by_values(block, stage) or self._cut_in_steps(block, stage)
        if counts:
            self._count(after.n_regions - block.n_regions, stage)
        return after

    def _cut_by_values(self, block: Block, stage: Stage) -> Block | None:
        """Cut a block in one call, if values are known at its vertices and nothing is open."""
        if not isinstance(block.earlier, Values):
            return None
        maps, is_last = self._task.maps, stage == self._stages[-1]
        done = cut_by_values(
            maps.for_values(stage.layer),
            maps.units(stage.layer),
            block.cells,
            block.beside,
            block.earlier,
            self._task.lines_of(block),
            self._task.cut_limits,
            is_last,
        )
        if not done.is_done:
            return None
        return Block(
            cells=done.cells,
            earlier=None if is_last else done.values,
            piece_ptr=done.first_piece[block.piece_ptr],
            pieces=np.arange(done.first_piece[block.piece_ptr[-1]], dtype=np.int32),
            n_uncertain=block.n_uncertain,
            lines=NO_LINES if is_last else done.lines,
            known_beside=None if is_last else done.beside,
        )

    def _cut_in_steps(self, block: Block, stage: Stage) -> Block:
        cut = LayerCut(self._task, stage, block)
        done = finish(cut.before, False, cut.lines, cut.limits) if cut.takes_one_call else None
        if done is None or done.reached == BEGUN:
            done = finish(cut.crossed, True, cut.lines, cut.limits)
        placed, n_cells, result = done.placed, done.n_cells, done.cut
        if done.reached != BUILT:
            if done.reached == PLACED:
                cut.refine_edges(placed)
            n_cells, result = self._build(cut, placed)
        self._task.check_limit(n_cells, stage.layer)
        cut.refine_inside(placed, result)
        is_last = stage == self._stages[-1]
        piece_ptr = placed.first_piece[block.piece_ptr]
        return Block(
            cells=cut.with_whole_patterns(result.cells) if is_last else result.cells,
            earlier=None if is_last else cut.pass_on(placed, result),
            piece_ptr=piece_ptr,
            pieces=np.arange(piece_ptr[-1], dtype=np.int32),
            n_uncertain=cut.n_uncertain,
            integers=None if is_last else cut.integers_after(placed, result),
            lines=NO_LINES if is_last else cut.lines_after(placed, result),
        )

    def _build(self, cut: LayerCut, placed: Placed) -> tuple[int, Cut]:
        """Do what `finish` leaves to be done, with exact decisions."""
        chords, broken, n_open = find_chords(cut.crossed, placed)
        if broken >= 0:
            raise InvariantError(
                f"the signs at the corners of region {broken} contradict its convexity in layer "
                f"{cut.layer + 1}; please report this network as a bug"
            )
        edge_lines, neurons = cut.lines_on_edges(placed), cut.units.neurons

        def end(region: int, vertex: int) -> Point:
            if vertex < cut.n_old:
                return region, cut.settler.lines(region, vertex)
            return edge_lines(vertex)

        def ends(chord: int) -> tuple[Point, Point]:
            region = int(chords.region[chord])
            a, b = chords.end_vertices[chord].tolist()
            return end(region, a), end(region, b)

        def line(chord: int) -> int:
            return int(neurons[chords.units[chords.unit_ptr[chord]]])

        def plane(chord: int, i: int) -> Plane:
            region = int(chords.region[chord])
            other = int(chords.chord_ptr[region]) + int(chords.crossings.item[i])
            unit = int(chords.units[chords.unit_ptr[other]])
            return region, int(neurons[unit])

        cut.settle_along_chords(chords, n_open, ends, line, plane)
        built: tuple[int, Cut] = build(cut.crossed, placed, chords, cut.lines, cut.limits)
        return built

"""How segments are followed: by compiled kernels, then narrower bounds, then integers.

Knots come from floats where error bounds allow it: for many segments first from compiled kernels
(`relutopo.paths.perceptron_knots`, `relutopo.paths.graph_knots`), then from `relutopo.paths.knots`.
The other segments are computed one by one in integers (`relutopo.paths.exact_knots`).

Invariant: a segment that one method leaves open is passed to the next, or counted as open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import freeze
from relutopo.errors import InputError
from relutopo.geometry.patterns import pack_patterns
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork, relu_nodes
from relutopo.paths.classes import class_intervals
from relutopo.paths.exact_knots import exact_knots
from relutopo.paths.graph_knots import GraphKnots
from relutopo.paths.knots import KnotFinder, Knots
from relutopo.paths.perceptron_knots import PerceptronKnots
from relutopo.system.threads import available_cores, threads

__all__ = ["Part", "Work", "as_graph", "indptr_of"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_NUMBERS_AT_ONCE = 2**19
_FIRST_SEGMENTS = 8
_WORTH_COMPILING = 2**25
"""From this number of segments times squared neurons on, loading or compiling kernels pays."""
_BLOCK = 64
"""Segments that the kernel follows in one call."""


@dataclass(frozen=True)
class Part:
    """The results of some segments, without the points 0 and 1, which every segment has.

    Attributes
    ----------
    counts : (n,) ndarray of int64
        How many knots each segment has.
    t : (n_knots,) ndarray
    neuron_counts : (n_knots,) ndarray of int64
        How many neurons switch at each knot.
    neurons : ndarray of int64
    meets : (n_knots,) ndarray of bool
        Whether different planes meet at the knot.
    first : (n, ceil(n_neurons / 8)) ndarray of uint8
        Packed pattern on the first piece.
    outputs : (n_knots + 2 n, n_outputs) ndarray
        At all points, the ends included.
    class_counts : (n,) ndarray of int64
        How many class intervals each segment has.
    class_starts, classes : (n_intervals,) ndarrays
    """

    counts: _Ints
    t: _Floats
    neuron_counts: _Ints
    neurons: _Ints
    meets: NDArray[np.bool_]
    first: NDArray[np.uint8]
    outputs: _Floats
    class_counts: _Ints
    class_starts: _Floats
    classes: _Ints


class Work:
    """Segments to follow, and how much was open on them.

    Parameters
    ----------
    network : Network
    starts, ends : (n, d) ndarrays
    exact : bool
        Whether segments that bounds leave open are computed in integers.
    n_threads : int, optional
        By default the number of cores.

    Attributes
    ----------
    n_uncertain, n_exact, n_open : int
        As in `relutopo.paths.segments.SegmentRecord`, once all segments are done.
    """

    def __init__(
        self,
        network: Network,
        starts: _Floats,
        ends: _Floats,
        exact: bool,
        n_threads: int | None = None,
    ) -> None:
        self.network, self.starts, self.ends, self.exact = network, starts, ends, exact
        self.n_threads = available_cores() if n_threads is None else n_threads
        self.graph = as_graph(network)
        self.equal_outputs = network.equal_outputs()
        self.n_uncertain = self.n_exact = self.n_open = 0

    def joined(self) -> Part:
        """Return all segments, in order."""
        return _joined([_nothing(self.network), *self._parts()])

    def _parts(self) -> Iterator[Part]:
        """Yield all segments, in order."""
        numbers = np.arange(len(self.starts))
        n_neurons = self.network.n_neurons
        few = len(numbers) * n_neurons**2 < _WORTH_COMPILING or not len(numbers)
        quick = None if few else self._quick()
        if quick is None:
            yield from self._slowly(numbers)
            return
        size = min(_BLOCK, quick.most_segments)
        blocks = np.split(numbers, np.arange(size, len(numbers), size))

        def work(block: _Ints) -> tuple[_Ints, Part, _Ints]:
            knots = quick.find(self.starts[block], self.ends[block])
            return block, *self._found(knots, compiled=True)

        # The first block compiles the kernels, before threads start.
        yield from self._completed(*work(blocks[0]))
        with threads(self.n_threads) as run:
            for done in run(work, blocks[1:]):
                yield from self._completed(*done)

    def _quick(self) -> PerceptronKnots | GraphKnots | None:
        """Return the finder that uses compiled kernels, if one suits the network."""
        if PerceptronKnots.suits(self.network):
            return PerceptronKnots(self.network)
        return GraphKnots(self.graph) if GraphKnots.suits(self.graph) else None

    def _found(self, knots: Knots, *, compiled: bool) -> tuple[Part, _Ints]:
        """Return the results of segments, and the number of open decisions on each."""
        found = class_intervals(knots, self.equal_outputs, compiled=compiled)
        part = _part_of(knots, found.segments, found.starts, found.classes)
        return part, knots.n_open + found.n_open

    def _completed(self, block: _Ints, part: Part, n_open: _Ints) -> Iterator[Part]:
        """Yield a part, with segments that the kernel left open redone by narrower bounds."""
        open_ones = np.flatnonzero(n_open)
        if not open_ones.size:
            yield part
            return
        others = _joined(list(self._slowly(block[open_ones])))
        done = 0
        for k, i in enumerate(open_ones.tolist()):
            yield _slice(part, done, i)
            yield _slice(others, k, k + 1)
            done = i + 1
        yield _slice(part, done, len(block))

    def _slowly(self, numbers: _Ints) -> Iterator[Part]:
        """Yield segments done by narrower bounds, as many at once as a memory limit allows."""
        finder = KnotFinder(self.graph)
        widest = max(self.graph.input_dim, self.graph.n_outputs, *self.graph.layer_sizes, 1)
        first, size, most = 0, _FIRST_SEGMENTS, 2.0
        while first < len(numbers):
            batch = numbers[first : first + size]
            knots = finder.find(self.starts[batch], self.ends[batch])
            part, n_open = self._found(knots, compiled=False)
            self.n_uncertain += int(n_open.sum())
            open_ones = np.flatnonzero(n_open)
            if self.exact:
                yield from self._mended(part, batch, open_ones, knots.n_open == 0)
            else:
                self.n_open += len(open_ones)
                yield part
            first += len(batch)
            most = max(most, float(np.diff(knots.indptr).max(initial=0)))
            size = max(1, min(4 * size, int(_NUMBERS_AT_ONCE / (most * widest))))

    def _mended(
        self, part: Part, batch: _Ints, open_ones: _Ints, has_knots: NDArray[np.bool_]
    ) -> Iterator[Part]:
        """Yield a part in which open segments are redone in integers.

        If only classes are open on a segment, the rest of it is kept.
        """
        done = 0
        for i in open_ones.tolist():
            yield _slice(part, done, i)
            exact = self._exactly(int(batch[i]))
            if has_knots[i]:
                exact = replace(
                    _slice(part, i, i + 1),
                    class_counts=exact.class_counts,
                    class_starts=exact.class_starts,
                    classes=exact.classes,
                )
            yield exact
            done = i + 1
        self.n_exact += len(open_ones)
        yield _slice(part, done, len(part.counts)) if done else part

    def _exactly(self, segment: int) -> Part:
        """Return the results of a segment, computed in integers."""
        a, b = self.starts[segment], self.ends[segment]
        found = exact_knots(self.graph, a, b)
        knots, neurons = np.nonzero(found.patterns[1:] != found.patterns[:-1])
        t = np.array([float(place) for place in found.t])
        return Part(
            counts=np.array([len(t)]),
            t=t,
            neuron_counts=np.bincount(knots, minlength=len(t)),
            neurons=neurons,
            meets=np.array(found.meets, dtype=bool),
            first=pack_patterns(found.patterns[:1]),
            outputs=found.outputs,
            class_counts=np.array([len(found.classes)]),
            class_starts=np.array([float(place) for place in found.class_starts]),
            classes=np.array(found.classes, dtype=np.int64),
        )


def as_graph(network: Network) -> GraphNetwork:
    """Return the network as a graph; raise an `InputError` for other kinds of networks."""
    if isinstance(network, GraphNetwork):
        return network
    if isinstance(network, ReluNetwork):
        return GraphNetwork(network.input_dim, relu_nodes(network))
    raise InputError(
        f"`model` must be a ReluNetwork, a GraphNetwork or what is read as one, got "
        f"{type(network).__name__}; pass the module or its weights"
    )


def _nothing(network: Network) -> Part:
    none, floats = np.empty(0, dtype=np.int64), np.empty(0)
    first = np.empty((0, (network.n_neurons + 7) // 8), dtype=np.uint8)
    outputs = np.empty((0, network.n_outputs))
    return Part(
        *(none, floats, none, none, np.empty(0, dtype=bool)), first, outputs, none, floats, none
    )


def _joined(parts: list[Part]) -> Part:
    """Join one or more parts in order."""
    return Part(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Part.__dataclass_fields__
        }
    )


def indptr_of(counts: _Ints) -> _Ints:
    """Return the index pointer of lists with the given lengths."""
    return freeze(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def _part_of(knots: Knots, segments: _Ints, starts: _Floats, classes: _Ints) -> Part:
    """Return the part of some segments: without their end points, except in the outputs."""
    n = len(knots.indptr) - 1
    is_knot = np.ones(len(knots.t), dtype=bool)
    is_knot[knots.indptr[:-1]] = is_knot[knots.indptr[1:] - 1] = False
    counts = np.bincount(knots.points, minlength=len(knots.t))[is_knot]
    return Part(
        counts=np.diff(knots.indptr) - 2,
        t=knots.t[is_knot],
        neuron_counts=counts,
        neurons=knots.neurons,
        meets=np.zeros(len(counts), dtype=bool),
        first=pack_patterns(knots.first),
        outputs=knots.outputs,
        class_counts=np.bincount(segments, minlength=n),
        class_starts=starts,
        classes=classes,
    )


def _slice(part: Part, low: int, high: int) -> Part:
    """Return segments low to high of a part."""
    knots = indptr_of(part.counts)
    i, j = int(knots[low]), int(knots[high])
    neurons = indptr_of(part.neuron_counts)
    intervals = indptr_of(part.class_counts)
    k, m = int(intervals[low]), int(intervals[high])
    return Part(
        counts=part.counts[low:high],
        t=part.t[i:j],
        neuron_counts=part.neuron_counts[i:j],
        neurons=part.neurons[neurons[i] : neurons[j]],
        meets=part.meets[i:j],
        first=part.first[low:high],
        outputs=part.outputs[i + 2 * low : j + 2 * high],
        class_counts=part.class_counts[low:high],
        class_starts=part.class_starts[k:m],
        classes=part.classes[k:m],
    )

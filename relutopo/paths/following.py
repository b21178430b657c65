"""How segments are followed: by compiled kernels, then narrower bounds, then integers.

Knots come from floats where error bounds allow it: for many segments first from compiled kernels
(`relutopo.paths.perceptron_knots`, `relutopo.paths.graph_knots`), then from `relutopo.paths.knots`.
The other segments are computed one by one in integers (`relutopo.paths.exact_knots`). On a card
`relutopo.paths.knots` follows all of them.

Invariants: a segment that one method leaves open is passed to the next, or counted as open. The
memory of all threads together is bounded. The size of the whole result is predicted from the
segments that are done, and a result that cannot fit is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import freeze
from relutopo.devices.device import Device, numpy_device
from relutopo.errors import FloatRangeError, InputError
from relutopo.geometry.patterns import pack_patterns
from relutopo.interfaces import Progress
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork, relu_nodes
from relutopo.paths.classes import class_intervals
from relutopo.paths.exact_knots import exact_knots
from relutopo.paths.graph_knots import GraphKnots
from relutopo.paths.knots import KnotFinder, Knots
from relutopo.paths.perceptron_knots import PerceptronKnots
from relutopo.system.blas import one_blas_thread
from relutopo.system.memory import Room
from relutopo.system.threads import available_cores, threads

__all__ = ["Part", "Resources", "Work", "as_graph", "indptr_of", "require_room"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_NUMBERS_AT_ONCE = 2**19
"""Of the widest value at all points: what caches hold."""
_NUMBERS_ON_CARD = 2**24
_FIRST_SEGMENTS = 8
_SHARE_OF_KNOTS = 4
"""Of how many neurons one is taken to switch on a segment, until some segments are known."""
_PARTS_OF_ROOM = 4
"""What works at once may take one of so many parts."""
_FEWER = "take fewer segments at a time"
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

    @property
    def n_bytes(self) -> int:
        """What the arrays take."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Resources:
    """The means by which segments are followed.

    Attributes
    ----------
    n_threads : int or None
        None for the number of cores.
    device : Device or None
        A card, or what stands for one in tests; None for the processor.
    room : Room
        Memory of the computer that the whole work may take.
    progress : Progress or None
        Called with (segments done, segments, message).
    """

    n_threads: int | None = None
    device: Device | None = None
    room: Room = field(default_factory=Room)
    progress: Progress | None = None


def require_room(network: Network, n_segments: int, room: Room) -> None:
    """Raise a `LimitReachedError` if segments cannot fit, however few knots they have.

    Examples
    --------
    >>> require_room(ReluNetwork([[[1.0]]], [[0.0]]), 10, Room(10**6))
    """
    ends = 16 * network.input_dim
    least = 16 * network.n_outputs + (network.n_neurons + 7) // 8
    room.check(n_segments * (ends + 2 * least), f"the ends of {n_segments} segments", _FEWER)


class Work:
    """Segments to follow, and how much was open on them.

    Parameters
    ----------
    network : Network
    starts, ends : (n, d) ndarrays
    exact : bool
        Whether segments that bounds leave open are computed in integers.
    resources : Resources

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
        resources: Resources,
    ) -> None:
        self.network, self.starts, self.ends, self.exact = network, starts, ends, exact
        self.resources = resources
        self.graph = as_graph(network)
        self.equal_outputs = network.equal_outputs()
        self.n_uncertain = self.n_exact = self.n_open = 0

    def joined(self) -> Part:
        """Return all segments, in order; `FloatRangeError` if floats cannot hold their outputs."""
        joined = _joined([_nothing(self.network), *self._watched()])
        if not np.isfinite(joined.outputs).all():
            raise FloatRangeError(
                "`model` must have outputs below 1.8e308 along segments, got larger ones; scale "
                "its layers down"
            )
        return joined

    def _watched(self) -> Iterator[Part]:
        """Yield all segments, as long as they fit into memory, and say how many are done."""
        n, room, progress = len(self.starts), self.resources.room, self.resources.progress
        done, n_knots, n_bytes = 0, 0, 0
        for part in self._parts():
            yield part
            if not len(part.counts):
                continue
            done, n_knots = done + len(part.counts), n_knots + len(part.t)
            n_bytes += part.n_bytes
            # They are there twice while they are joined.
            needed = self.starts.nbytes + self.ends.nbytes + 2 * n_bytes * (n / done)
            of = f"following {n} segments, with {n_knots / done:.0f} knots each,"
            room.check(needed, of, _FEWER)
            if progress is not None:
                progress(done, n, f"{n_knots} knots")

    def _parts(self) -> Iterator[Part]:
        """Yield all segments, in order."""
        numbers = np.arange(len(self.starts))
        n_neurons = self.network.n_neurons
        few = len(numbers) * n_neurons**2 < _WORTH_COMPILING or not len(numbers)
        quick = None if few or self.resources.device is not None else self._quick()
        if quick is None:
            yield from self._slowly(numbers)
            return
        size = min(_BLOCK, quick.most_segments)
        blocks = np.split(numbers, np.arange(size, len(numbers), size))

        def work(block: _Ints) -> tuple[_Ints, Part, _Ints]:
            knots = quick.find(self.starts[block], self.ends[block])
            return block, *self._found(knots, compiled=True)

        # Threads of BLAS would wait for these threads, and take their cores while they wait.
        with one_blas_thread():
            # The first block compiles the kernels and shows their memory, before threads start.
            yield from self._completed(*work(blocks[0]))
            together = int(self.resources.room.n_bytes / (_PARTS_OF_ROOM * quick.n_bytes_at_once))
            n_threads = self.resources.n_threads or available_cores()
            with threads(max(1, min(n_threads, together))) as run:
                for done in run(work, blocks[1:]):
                    yield from self._completed(*done)

    def _quick(self) -> PerceptronKnots | GraphKnots | None:
        """Return the finder that uses compiled kernels, if one suits the network."""
        if PerceptronKnots.suits(self.network):
            return PerceptronKnots(self.network)
        return GraphKnots(self.graph) if GraphKnots.suits(self.graph) else None

    def _found(self, knots: Knots, *, compiled: bool) -> tuple[Part, _Ints]:
        """Return the results of segments, and the number of open decisions on each."""
        with np.errstate(all="ignore"):  # values that overflow are open
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
        device = self.resources.device or numpy_device()
        with device.session():
            finder = KnotFinder(self.graph, device)
        widest = max(self.graph.input_dim, self.graph.n_outputs, *self.graph.layer_sizes, 1)
        if self.resources.device is not None:
            n_points = _NUMBERS_ON_CARD // widest
        else:
            allowed = self.resources.room.n_bytes // (_PARTS_OF_ROOM * finder.n_bytes_a_point)
            n_points = min(_NUMBERS_AT_ONCE // widest, allowed)
        first, n_first, most = 0, _FIRST_SEGMENTS, 0.0
        guess = 2 + self.graph.n_neurons / _SHARE_OF_KNOTS
        while first < len(numbers):
            size = int(n_points / (most or guess))
            batch = numbers[first : first + max(1, min(n_first, size))]
            with device.session():
                knots = finder.find(self.starts[batch], self.ends[batch], self._require)
            part, n_open = self._found(knots, compiled=False)
            self.n_uncertain += int(n_open.sum())
            open_ones = np.flatnonzero(n_open)
            if self.exact:
                yield from self._mended(part, batch, open_ones, knots.n_open == 0)
            else:
                self.n_open += len(open_ones)
                yield part
            first, n_first = first + len(batch), 4 * len(batch)
            most = max(most, 2.0, float(np.diff(knots.indptr).max(initial=0)))

    def _require(self, n_bytes: int, n_points: int) -> None:
        """Refuse work on points of segments that cannot fit."""
        what = f"following segments through {n_points} points at once"
        if self.resources.device is not None:
            self.resources.device.require_memory(n_bytes, what)
        else:
            self.resources.room.check(n_bytes, what, "take shorter segments")

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
        meets=knots.meets[is_knot],
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

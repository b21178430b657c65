"""Segments of the input space, and the behaviour of a network along them.

`relutopo.paths.following` says how they are computed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, as_labels, as_numbers, as_points, freeze
from relutopo.checks import check_flag, check_integer
from relutopo.devices.cuda import cuda_device
from relutopo.devices.device import Device
from relutopo.errors import InputError
from relutopo.geometry.patterns import unpack_patterns
from relutopo.interfaces import Progress, check_progress
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.reading import network_for
from relutopo.optional import require
from relutopo.paths.following import Resources, Work, indptr_of, require_room
from relutopo.paths.measures import departures, hamming_distances
from relutopo.reports.shown import Shown
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import Room, in_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SegmentRecord", "Segments", "card_of", "follow", "is_exact", "points_of", "segments"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_LEAST = 2.0**-300
"""Non-zero coordinates must not be smaller, like weights."""


@dataclass(frozen=True)
class SegmentRecord:
    """How the knots of segments were computed.

    Attributes
    ----------
    status : {"certified", "uncertified"}
        Whether all knots, their order, the neurons there and the classes between them are certain.
    n_uncertain : int
        Signs, orders of knots and comparisons of outputs that error bounds left open.
    n_exact : int
        Segments that were therefore recomputed in integers.
    n_open : int
        Segments on which something is open: 0 if certified.
    seconds : float
        Wall-clock time.
    """

    status: Literal["certified", "uncertified"]
    n_uncertain: int
    n_exact: int
    n_open: int
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Segments(Frozen, Shown):
    """The behaviour of a network along segments x(t) = (1-t) a + t b.

    A *knot* is a t, 0 < t < 1, at which neurons switch; between knots lie *pieces*. The knots of
    segment i are at ``indptr[i]:indptr[i + 1]``; its *points*, which are the knots and both ends,
    begin at ``indptr[i] + 2 * i``.

    Attributes
    ----------
    network : Network
    starts, ends : (n, d) ndarrays of float64
        a and b, taken as exact.
    pairs : (n, 2) ndarray of int64 or None
        The numbers of their ends among the given points.
    n_points : int or None
        How many points were given.
    indptr : (n + 1,) ndarray of int64
    t : (n_knots,) ndarray of float64
        Ascending on each segment; equal where floats cannot tell knots apart.
    neuron_indptr : (n_knots + 1,) ndarray of int64
        ``neurons[neuron_indptr[k]:neuron_indptr[k + 1]]`` are the neurons that switch at knot k.
    neurons : ndarray of int64
        Ascending at each knot; see `Network.names_of` for layers and units.
    meets : (n_knots,) ndarray of bool
        Where different planes meet: there the segment goes through a face of lower dimension, not
        through the interior of a facet.
    first_patterns : (n, ceil(n_neurons / 8)) ndarray of uint8
        Packed pattern on the first piece of each segment.
    outputs : (n_knots + 2 n, n_outputs) ndarray of float64
        At all points.
    class_indptr : (n + 1,) ndarray of int64
        Where the class intervals of each segment begin.
    class_starts : ndarray of float64
        Where each interval begins on its segment, 0 for the first one.
    classes : ndarray of int64
        The greatest output on each interval, the first of equal ones. For a network with one
        output f, 1 where f > 0, otherwise 0.
    record : SegmentRecord

    Examples
    --------
    >>> network = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [-1.0]]
    >>> found = segments(network, [[-1.0, -2.0]], [[3.0, 2.0]])
    >>> found.t.tolist(), found.neurons.tolist(), found.patterns(0).astype(int).tolist()
    ([0.25, 0.5], [0, 1], [[0, 0], [1, 0], [1, 1]])
    >>> found.outputs_of(0).ravel().tolist(), found.class_starts.tolist()
    ([-1.0, -1.0, 0.0, 4.0], [0.0, 0.5])
    """

    network: Network
    starts: _Floats
    ends: _Floats
    pairs: _Ints | None
    n_points: int | None
    indptr: _Ints
    t: _Floats
    neuron_indptr: _Ints
    neurons: _Ints
    meets: NDArray[np.bool_]
    first_patterns: NDArray[np.uint8]
    outputs: _Floats
    class_indptr: _Ints
    class_starts: _Floats
    classes: _Ints
    record: SegmentRecord

    def __repr__(self) -> str:
        return f"Segments({len(self)} segments, {len(self.t)} knots, {self.record.status})"

    def __len__(self) -> int:
        return len(self.starts)

    def _facts(self) -> Mapping[str, object]:
        meets = int(self.meets.sum())
        return {
            "network": self.network,
            "segments": len(self),
            "knots": len(self.t),
            "knots a segment": len(self.t) / max(1, len(self)),
            **({"meetings of planes": meets} if meets else {}),
            "status": self.record.status,
        }

    @cached_property
    def lengths(self) -> _Floats:
        """Euclidean length of each segment."""
        return freeze(np.linalg.norm(self.ends - self.starts, axis=1))

    @property
    def n_crossings(self) -> _Ints:
        """How many knots each segment has."""
        return np.diff(self.indptr)

    @property
    def n_class_changes(self) -> _Ints:
        """How many times the class changes along each segment."""
        return np.diff(self.class_indptr) - 1

    @cached_property
    def first_class_changes(self) -> _Floats:
        """Where the class first changes along each segment; NaN if it does not."""
        changes = self.n_class_changes > 0
        first = np.full(len(self), np.nan)
        first[changes] = self.class_starts[self.class_indptr[:-1][changes] + 1]
        return freeze(first)

    @cached_property
    def hamming_distances(self) -> _Ints:
        """In how many neurons the patterns on the first and the last piece of each differ."""
        segment_of_knot = np.repeat(np.arange(len(self)), self.n_crossings)
        owners = np.repeat(segment_of_knot, np.diff(self.neuron_indptr))
        n_neurons = self.network.n_neurons
        return freeze(hamming_distances(owners, self.neurons, len(self), n_neurons))

    @property
    def _point_indptr(self) -> _Ints:
        return self.indptr + 2 * np.arange(len(self.indptr))

    @cached_property
    def displacements(self) -> _Floats:
        """Distance of the outputs at both ends of each segment."""
        indptr = self._point_indptr
        ends = self.outputs[indptr[1:] - 1] - self.outputs[indptr[:-1]]
        return freeze(np.linalg.norm(ends, axis=1))

    @property
    def variations(self) -> _Floats:
        """Length of the path of the outputs along each segment, exact from the knots."""
        return self._means_and_ways[1]

    @property
    def departures(self) -> _Floats:
        """Mean distance of the outputs from the chord along each segment, in closed form."""
        return self._means_and_ways[0]

    @cached_property
    def _means_and_ways(self) -> tuple[_Floats, _Floats]:
        indptr = self._point_indptr
        t = np.empty(indptr[-1])
        is_knot = np.ones(len(t), dtype=bool)
        is_knot[indptr[:-1]] = is_knot[indptr[1:] - 1] = False
        t[is_knot], t[indptr[:-1]], t[indptr[1:] - 1] = self.t, 0.0, 1.0
        means, ways = departures(t, self.outputs, indptr)
        return freeze(means), freeze(ways)

    def table(self, labels: ArrayLike | None = None) -> pd.DataFrame:
        """Return a table with a row for each segment; ``rt.columns`` explains the columns.

        Parameters
        ----------
        labels : (n_points,) array_like, optional
            Labels of the points whose pairs the segments join.

        Raises
        ------
        InputError
            If labels are given but the segments are not from pairs, or there are not as many labels
            as points.
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> hat = [[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -1.0], [0.0]]
        >>> found = segments(hat, [[-1.0], [1.5], [3.0]], pairs=[(0, 2), (1, 2)])
        >>> found.table([0, 1, 1])[["same_label", "n_crossings", "variation", "departure"]]
           same_label  n_crossings  variation  departure
        0       False            2        3.0      0.625
        1        True            0        1.5      0.000
        """
        pandas = require("pandas", "Segments.table")
        values: dict[str, Any] = {"segment": np.arange(len(self))}
        if self.pairs is not None:
            values |= {"start": self.pairs[:, 0], "end": self.pairs[:, 1]}
        if labels is not None:
            values["same_label"] = self.same_label(labels)
        meets = np.concatenate([[0], np.cumsum(self.meets)])
        values |= {
            "length": self.lengths,
            "n_crossings": self.n_crossings,
            "n_meetings": meets[self.indptr[1:]] - meets[self.indptr[:-1]],
            "hamming": self.hamming_distances,
            "n_class_changes": self.n_class_changes,
            "first_class_change": self.first_class_changes,
            "displacement": self.displacements,
            "variation": self.variations,
            "departure": self.departures,
        }
        table: pd.DataFrame = pandas.DataFrame(values)
        return table

    def same_label(self, labels: ArrayLike) -> NDArray[np.bool_]:
        """Whether each segment joins points with equal labels.

        Parameters
        ----------
        labels : (n_points,) array_like
            Labels of the points whose pairs the segments join.

        Raises
        ------
        InputError
            If the segments are not from pairs, or there are not as many labels as points.
        """
        codes = as_labels(labels).codes
        if self.pairs is None or self.n_points is None or len(codes) != self.n_points:
            of = "segments without pairs" if self.pairs is None else f"{self.n_points} points"
            raise InputError(
                "`labels` must be those of the points whose pairs the segments join, got "
                f"{len(codes)} labels of {of}; pass `pairs` to `segments`, and a label for each "
                "point"
            )
        same: NDArray[np.bool_] = codes[self.pairs[:, 0]] == codes[self.pairs[:, 1]]
        return same

    def _number(self, segment: int) -> int:
        remedy = "segments are numbered from 0"
        return check_integer("segment", segment, 0, len(self) - 1, remedy=remedy)

    def t_of(self, segment: int) -> _Floats:
        """Return t at the points of a segment: 0, its knots, and 1."""
        segment = self._number(segment)
        knots = self.t[self.indptr[segment] : self.indptr[segment + 1]]
        return np.concatenate([[0.0], knots, [1.0]])

    def outputs_of(self, segment: int) -> _Floats:
        """Return the outputs at the points of a segment, (knots + 2, n_outputs)."""
        segment = self._number(segment)
        first, last = self.indptr[segment], self.indptr[segment + 1]
        return self.outputs[first + 2 * segment : last + 2 * segment + 2]

    def patterns(self, segment: int) -> NDArray[np.bool_]:
        """Return the activation pattern on each piece of a segment, (knots + 1, n_neurons)."""
        segment = self._number(segment)
        first, last = self.indptr[segment], self.indptr[segment + 1]
        knots = np.arange(first, last)
        switches = np.zeros((len(knots) + 1, self.network.n_neurons), dtype=bool)
        counts = np.diff(self.neuron_indptr[first : last + 1])
        neurons = self.neurons[self.neuron_indptr[first] : self.neuron_indptr[last]]
        switches[np.repeat(knots - first + 1, counts), neurons] = True
        packed = self.first_patterns[segment][None]
        switches[0] = unpack_patterns(packed, self.network.n_neurons)[0]
        return np.logical_xor.accumulate(switches, axis=0)


@deliver_interrupts
@in_words("take fewer segments")
def segments(
    model: Any,
    points: ArrayLike,
    ends: ArrayLike | None = None,
    *,
    pairs: ArrayLike | None = None,
    exact: bool | None = None,
    device: int | None = None,
    max_bytes: int | None = None,
    progress: Progress | None = None,
) -> Segments:
    """Follow a network along segments between points, for any number of inputs.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    points : (n, ...) array_like
        Where segments begin; inputs of a module in its shape or flat. Coordinates must be zero or
        at least 2^-300 in absolute value.
    ends : (n, ...) array_like, optional
        Where they end.
    pairs : (m, 2) array_like of int, optional
        Instead of `ends`: segments from ``points[i]`` to ``points[j]`` for each (i, j), see
        `relutopo.segment_pairs`.
    exact : bool, optional
        Whether segments on which error bounds leave something open are recomputed in integers. By
        default this is done for perceptrons only: a single segment of a convolutional network can
        take minutes, and images with many equal pixels leave something open on most segments. The
        record counts the segments that stay open.
    device : int, optional
        Number of an NVIDIA card, from 0, that finds the knots, see ``docs/gpu.md``; by default the
        processor does. What bounds leave open is decided there, too. Floats may differ in last
        bits.
    max_bytes : int, optional
        Stop with an error before the work takes more memory than this, as far as can be predicted.
        By default nine tenths of what the process can have when it begins.
    progress : Progress, optional
        Called as segments are done with (segments done, segments, message).

    Returns
    -------
    Segments

    Raises
    ------
    InputError
        If dimensions differ, neither or both of `ends` and `pairs` are given, or coordinates are
        too small.
    FloatRangeError
        If outputs are larger than floats can be.
    LimitReachedError
        If `max_bytes` is reached; an `OutOfMemoryError`, which is one as well, if the system gives
        less memory than predicted.
    MissingExtraError, DeviceError
        If a card is asked for, and CuPy is not installed, or there is none, or it is too small.

    Examples
    --------
    >>> hat = [[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -1.0], [0.0]]
    >>> found = segments(hat, [[-1.0], [1.5], [3.0]], pairs=[(0, 2), (1, 2)])
    >>> found.n_crossings.tolist(), found.t.tolist(), found.record.status
    ([2, 0], [0.25, 0.5], 'certified')
    """
    begin = time.perf_counter()
    given = as_numbers(points, "points")
    network, starts = points_of(model, given)
    if (ends is None) == (pairs is None):
        raise InputError(
            "`ends` or `pairs` must be given, and not both, got "
            f"{'neither' if ends is None else 'both'}; pass where each segment ends, or pairs of "
            "numbers of points"
        )
    if max_bytes is not None:
        max_bytes = check_integer("max_bytes", max_bytes, 1, remedy="None asks the system")
    check_progress(progress)
    resources = Resources(device=card_of(device), room=Room(max_bytes), progress=progress)
    if ends is None:
        return follow(network, starts, _as_pairs(pairs, len(starts)), exact, resources)
    x = as_numbers(ends, "ends")
    if x.ndim > 2 and given.ndim > 2 and x.shape[1:] != given.shape[1:]:
        raise InputError(
            f"`ends` must have the shape of `points`, got {x.shape} and {given.shape}; give both "
            "their axes in the same order"
        )
    rows = x.reshape(len(x), -1) if x.ndim > 2 else x
    stops = _checked(as_points(rows, network.input_dim, "ends"), "ends")
    if len(stops) != len(starts):
        raise InputError(
            f"`ends` must be as many as `points`, got {len(stops)} and {len(starts)}; pass "
            "one for each, or `pairs`"
        )
    require_room(network, len(starts), resources.room)
    work = Work(network, starts.copy(), stops.copy(), is_exact(exact, network), resources)
    return _result(work, None, None, begin)


def is_exact(wanted: bool | None, network: Network) -> bool:
    """Return whether segments that bounds leave open are recomputed in integers."""
    if wanted is None:
        return isinstance(network, ReluNetwork)
    return check_flag("exact", wanted, remedy="leave it out for integers with perceptrons only")


def card_of(device: int | None) -> Device | None:
    """Return the card that is asked for, if one is."""
    if device is None:
        return None
    return cuda_device(device, "following segments on a card", "leave out `device`")


def points_of(model: Any, points: ArrayLike) -> tuple[Network, _Floats]:
    """Return the network of a model, and points as rows of its inputs."""
    network, rows = network_for(model, points)
    return network, _checked(rows, "points")


def follow(
    network: Network,
    points: _Floats,
    pairs: _Ints,
    exact: bool | None,
    resources: Resources,
) -> Segments:
    """Return the segments between pairs of points; see `segments`."""
    begin = time.perf_counter()
    require_room(network, len(pairs), resources.room)
    starts, ends = points[pairs[:, 0]], points[pairs[:, 1]]
    work = Work(network, starts, ends, is_exact(exact, network), resources)
    return _result(work, pairs, len(points), begin)


def _result(work: Work, pairs: _Ints | None, n_points: int | None, begin: float) -> Segments:
    """Run the work, and return the segments."""
    joined = work.joined()
    return Segments(
        network=work.network,
        starts=freeze(work.starts),
        ends=freeze(work.ends),
        pairs=None if pairs is None else freeze(pairs),
        n_points=n_points,
        indptr=indptr_of(joined.counts),
        t=freeze(joined.t),
        neuron_indptr=indptr_of(joined.neuron_counts),
        neurons=freeze(joined.neurons),
        meets=freeze(joined.meets),
        first_patterns=freeze(joined.first),
        outputs=freeze(joined.outputs),
        class_indptr=indptr_of(joined.class_counts),
        class_starts=freeze(joined.class_starts),
        classes=freeze(joined.classes),
        record=SegmentRecord(
            status="uncertified" if work.n_open else "certified",
            n_uncertain=work.n_uncertain,
            n_exact=work.n_exact,
            n_open=work.n_open,
            seconds=time.perf_counter() - begin,
        ),
    )


def _checked(rows: _Floats, name: str) -> _Floats:
    sizes = np.abs(rows)
    if ((sizes > 0) & (sizes < _LEAST)).any():
        raise InputError(
            f"`{name}` must have coordinates that are zero or at least 2^-300 in absolute value, "
            f"got {sizes[sizes > 0].min():.3g}; set such coordinates to zero"
        )
    return rows


def _as_pairs(pairs: ArrayLike | None, n_points: int) -> _Ints:
    given = as_numbers(pairs, "pairs")
    with np.errstate(invalid="ignore"):
        numbers = given.astype(np.int64)
    wrong = given.ndim != 2 or given.shape[1] != 2 or (numbers != given).any()
    if wrong or ((numbers < 0) | (numbers >= n_points)).any():
        raise InputError(
            f"`pairs` must be an array of shape (m, 2) of numbers 0..{n_points - 1} of points, got "
            f"shape {given.shape}{'' if wrong else ' with others'}; pass for example [(0, 1)]"
        )
    return numbers

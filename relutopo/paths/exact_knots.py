"""The knots of one segment in exact rational arithmetic: slow, simple, nothing left open.

The network is restricted to the plane of a and b by (s, t) → s a + t b, where the floats of a and b
are taken as exact; the segment is s = 1 - t. Pieces are cut layer by layer. On a piece all values
are affine in t with integer coefficients, so zeros are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers
from relutopo.networks.graph import GraphNetwork

__all__ = ["ExactKnots", "exact_knots"]


@dataclass(frozen=True)
class ExactKnots:
    """A segment with its knots.

    Attributes
    ----------
    t : list of Fraction
        Knots, strictly ascending, without 0 and 1.
    patterns : (n_pieces, n_neurons) ndarray of bool
        Patterns on the pieces between them.
    meets : list of bool
        Whether neurons whose planes differ in the input space vanish together at a knot.
    outputs : (n_pieces + 1, n_outputs) ndarray of float64
        At 0, the knots and 1, rounded once; infinite beyond the range of floats.
    class_starts : list of Fraction
        Where each class interval begins, the first at 0.
    classes : list of int
    """

    t: list[Fraction]
    patterns: NDArray[np.bool_]
    meets: list[bool]
    outputs: NDArray[np.float64]
    class_starts: list[Fraction]
    classes: list[int]


@dataclass(frozen=True)
class _Piece:
    """A part of a segment on which the neurons of the layers so far keep their signs.

    ``maps[l]`` are the planes of layer l in s and t, (n_l, 3).
    """

    low: Fraction
    high: Fraction
    bits: NDArray[np.bool_]
    maps: tuple[Integers, ...]


def exact_knots(
    graph: GraphNetwork, start: NDArray[np.float64], end: NDArray[np.float64]
) -> ExactKnots:
    """Return the knots of a segment.

    Parameters
    ----------
    graph : GraphNetwork
    start, end : (d,) ndarrays
        Taken as exact.

    Examples
    --------
    >>> from relutopo.networks.graph import Kink
    >>> absolute = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> found = exact_knots(absolute, np.array([-1.0]), np.array([2.0]))
    >>> found.t, found.patterns.ravel().tolist()
    ([Fraction(1, 3)], [False, True])
    """
    line = graph.restricted(np.zeros(graph.input_dim), np.stack([start, end], axis=1))
    pieces = [_Piece(Fraction(0), Fraction(1), np.empty(0, dtype=bool), ())]
    for _ in graph.layer_sizes:
        pieces = [part for piece in pieces for part in _cut(line, piece)]
    meets = [_meet(graph, start, end, *both) for both in pairwise(pieces)]
    planes = [line.exact_planes(piece.bits, piece.maps) for piece in pieces]
    starts, classes = _classes(pieces, planes)
    return ExactKnots(
        t=[piece.high for piece in pieces[:-1]],
        patterns=np.array([piece.bits for piece in pieces], dtype=bool),
        meets=meets,
        outputs=_outputs(pieces, planes, line.output_exponent),
        class_starts=starts,
        classes=classes,
    )


def _at(planes: Integers, t: Fraction) -> Integers:
    """Return the values of planes at t, times a positive factor."""
    p, q = t.numerator, t.denominator
    values: Integers = (planes[:, 0]) * (q - p) + planes[:, 1] * p + planes[:, 2] * q
    return values


def _zero(plane: Integers) -> Fraction:
    """Return where a plane vanishes on the line s = 1 - t."""
    at_start, at_end = plane[0] + plane[2], plane[1] + plane[2]
    return Fraction(at_start, at_start - at_end)


def _cut(line: GraphNetwork, piece: _Piece) -> Iterator[_Piece]:
    """Yield the parts of a piece on which the next layer's neurons keep their signs."""
    planes = line.exact_planes(piece.bits, piece.maps)
    low, high = _at(planes, piece.low), _at(planes, piece.high)
    crossing = [i for i in range(len(planes)) if (low[i] < 0 < high[i]) or (high[i] < 0 < low[i])]
    cuts = sorted({_zero(planes[i]) for i in crossing})
    for left, right in pairwise([piece.low, *cuts, piece.high]):
        bits = (_at(planes, (left + right) / 2) > 0).astype(bool)
        yield _Piece(left, right, np.append(piece.bits, bits), (*piece.maps, planes))


def _meet(
    graph: GraphNetwork,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    left: _Piece,
    right: _Piece,
) -> bool:
    """Whether the neurons that vanish between two pieces have more than one plane.

    Neurons that vanish on a whole piece, such as those behind dead ones, have no plane there.
    """
    vanish = []
    for layer, planes in enumerate(left.maps):
        here = _at(planes, left.high) == 0
        flat = [_is_flat(side.maps[layer]) for side in (left, right)]
        vanish.append(np.flatnonzero(here & ~(flat[0] & flat[1])))
    if sum(map(len, vanish)) < 2:
        return False
    for side in (left, right):
        maps = graph.exact_maps(side.bits, len(graph.layer_sizes))
        rows = [
            plane for units, planes in zip(vanish, maps, strict=True) for plane in planes[units]
        ]
        rows = [row for row in rows if row.any()]
        if any(not _are_parallel(rows[0], row) for row in rows[1:]):
            return True
    return False


def _is_flat(planes: Integers) -> NDArray[np.bool_]:
    """Which planes vanish on the whole line s = 1 - t."""
    flat: NDArray[np.bool_] = (planes[:, 0] + planes[:, 2] == 0) & (
        planes[:, 1] + planes[:, 2] == 0
    )
    return flat


def _are_parallel(one: Integers, other: Integers) -> bool:
    pivot = int(np.flatnonzero(one)[0])
    return bool(np.all(one * other[pivot] == other * one[pivot]))


def _outputs(pieces: list[_Piece], planes: list[Integers], exponent: int) -> NDArray[np.float64]:
    """Return the outputs where pieces begin, and where the last one ends."""
    places = [*((plane, piece.low) for plane, piece in zip(planes, pieces, strict=True)),
              (planes[-1], pieces[-1].high)]  # fmt: skip
    return np.array(
        [
            [_rounded(Fraction(v, t.denominator << exponent)) for v in _at(plane, t).tolist()]
            for plane, t in places
        ]
    )


def _rounded(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _classes(
    pieces: list[_Piece], planes_of_pieces: list[Integers]
) -> tuple[list[Fraction], list[int]]:
    """Return where class intervals begin, and their greatest outputs (the first of equal ones).

    A single output is compared with 0, which counts as the first.
    """
    starts: list[Fraction] = []
    classes: list[int] = []
    for piece, planes in zip(pieces, planes_of_pieces, strict=True):
        if len(planes) == 1:
            planes = np.concatenate([np.zeros_like(planes), planes])
        left = piece.low
        while left < piece.high:
            best, right = _greatest(planes, left, piece.high)
            if not classes or classes[-1] != best:
                starts.append(left)
                classes.append(best)
            left = right
    return starts, classes


def _greatest(planes: Integers, left: Fraction, high: Fraction) -> tuple[int, Fraction]:
    """Return the first of the outputs greatest just after a place, and where it ceases to be so."""
    values, slopes = _at(planes, left).tolist(), (planes[:, 1] - planes[:, 0]).tolist()
    best = max(range(len(planes)), key=lambda i: (values[i], slopes[i], -i))
    right = high
    for i, plane in enumerate(planes):
        if slopes[i] > slopes[best]:
            zero = _zero(plane - planes[best])
            right = min(right, zero) if zero > left else right
    return best, right

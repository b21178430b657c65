"""Intervals of segments by their greatest output.

On a piece the outputs are affine, so their maximum is convex: an output that is the greatest at
both ends of a piece is the greatest on all of it. Otherwise the changes are zeros of differences of
outputs, found one after another from the left. Of outputs that are the greatest at one place, the
one is taken that is so just after it, and of those that remain equal the first, as with integers
(`exact_knots`). Comparisons that the error bounds leave open are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.paths.knots import Knots

__all__ = ["ClassIntervals", "class_intervals"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ClassIntervals:
    """Intervals of segments on which one output is the greatest.

    Attributes
    ----------
    segments : (n_intervals,) ndarray of int64
        Ascending.
    starts : (n_intervals,) ndarray of float64
        Where each begins on its segment; the first at 0.
    classes : (n_intervals,) ndarray of int64
    n_open : (n,) ndarray of int64
        Comparisons that the bounds leave open, for each segment.
    """

    segments: _Ints
    starts: _Floats
    classes: _Ints
    n_open: _Ints


def class_intervals(
    knots: Knots, equal_outputs: _Ints, *, compiled: bool = False
) -> ClassIntervals:
    """Return the class intervals of segments.

    Parameters
    ----------
    knots : Knots
    equal_outputs : (n_outputs,) ndarray of int64
        For each output the first output with the same weights, with which it is never compared.
    compiled : bool
        Whether to use the compiled kernel, which must be loaded first: for many segments.
    """
    values, errors = knots.outputs, knots.output_errors
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], axis=1)
        errors = np.concatenate([np.zeros_like(errors), errors], axis=1)
        equal_outputs = np.arange(2)
    labels = np.unique(equal_outputs)
    if len(labels) < values.shape[1]:
        values, errors = values[:, labels], errors[:, labels]
    n = len(knots.indptr) - 1
    if compiled:
        from relutopo.paths.kernels import classify

        counts, begins, numbers, still_open = classify(knots.indptr, knots.t, values, errors)
        return ClassIntervals(np.repeat(np.arange(n), counts), begins, labels[numbers], still_open)
    segment = np.repeat(np.arange(n), np.diff(knots.indptr))
    n_open = np.zeros(n, dtype=np.int64)
    best = values.argmax(axis=1)
    rows = np.arange(len(values))
    gaps = values[rows, best][:, None] - values
    is_open = ~(gaps > 2 * (errors[rows, best][:, None] + errors))
    is_open[rows, best] = False
    np.add.at(n_open, segment, is_open.sum(axis=1))
    pieces = np.flatnonzero(segment[:-1] == segment[1:])
    after = np.where(gaps[pieces] == 0, values[pieces + 1], -np.inf).argmax(axis=1)
    found = [(pieces, knots.t[pieces], after)]
    going = after != best[pieces + 1]
    pieces, now, places = pieces[going], after[going], np.zeros(np.count_nonzero(going))
    while pieces.size:
        low, high = values[pieces], values[pieces + 1]
        numbers = np.arange(len(pieces))
        # Differences from the current greatest output, at both ends.
        below = low[numbers, now][:, None] - low
        above = high - high[numbers, now][:, None]
        with np.errstate(all="ignore"):
            zeros = np.where((above > 0) & (above + below > 0), below / (above + below), np.inf)
        zeros = np.maximum(zeros, places[:, None])
        place = zeros.min(axis=1)
        after = np.where(zeros == place[:, None], above + below, -np.inf).argmax(axis=1)
        is_any = np.isfinite(place)
        close = _is_close(knots, values, errors, pieces, now, zeros)
        np.add.at(n_open, segment[pieces], close & is_any)
        pieces, now, places = pieces[is_any], after[is_any], place[is_any]
        low, high = knots.t[pieces], knots.t[pieces + 1]
        found.append((pieces, np.minimum(low + places * (high - low), high), now))
        going = now != best[pieces + 1]
        pieces, now, places = pieces[going], now[going], places[going]
    of_piece, starts, classes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(of_piece, kind="stable")
    owners, starts, classes = segment[of_piece[order]], starts[order], classes[order]
    # What lasts for no time is left out, and then what is no change.
    lasts = np.append((owners[1:] != owners[:-1]) | (starts[1:] > starts[:-1]), True)
    owners, starts, classes = owners[lasts], starts[lasts], classes[lasts]
    differs = np.append(True, (owners[1:] != owners[:-1]) | (classes[1:] != classes[:-1]))
    return ClassIntervals(owners[differs], starts[differs], labels[classes[differs]], n_open)


def _is_close(
    knots: Knots, values: _Floats, errors: _Floats, pieces: _Ints, now: _Ints, zeros: _Floats
) -> NDArray[np.bool_]:
    """Whether the order of the next two changes on a piece is open.

    The zero of a difference is off by at most the greatest error over its change, plus rounding.
    """
    if zeros.shape[1] == 2:
        return np.zeros(len(pieces), dtype=bool)
    numbers = np.arange(len(pieces))
    span = values[pieces + 1] - values[pieces]
    change = span - span[numbers, now][:, None]
    error = np.maximum(errors[pieces], errors[pieces + 1])
    error = error + error[numbers, now][:, None]
    with np.errstate(all="ignore"):
        off = 4 * error / np.abs(change) + 8 * UNIT_ROUNDOFF
    off = np.where(np.isfinite(zeros), off, 0.0)
    order = np.argsort(zeros, axis=1)[:, :2]
    first, second = (zeros[numbers, order[:, i]] for i in range(2))
    near = off[numbers, order[:, 0]] + off[numbers, order[:, 1]]
    close: NDArray[np.bool_] = np.isfinite(second) & ~(first + near < second)
    return close

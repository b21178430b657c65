"""The points of a layer: where neurons cross the lines that other neurons make; see `enumerator`.

The neurons that cross a line are sorted along it. So at a crossing the signs of all neurons are
known, except those whose order the error bounds leave open; only these are evaluated there. The
work is proportional to the number of crossings, not to crossings times neurons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel

from ..layer import LayerCut
from ..records import Flats, Level
from ..sets.equal_rows import Unions, differ, match
from ..sets.lists import Array, Lists, distinct, gathered, prefix_sums, spread

__all__ = ["cut_lines"]

_KEYS = Kernel(
    "relutopo_keys_along_lines",
    "raw int32 line, raw float64 t, int32 n_bits, float64 scale",
    "raw int64 keys",
    "keys[i] = (long long)(t[i] * scale) + ((long long)line[i] << (n_bits + 1));",
)
_RUNS = Kernel(
    "relutopo_runs_of_open_order",
    "raw int32 line, raw int64 order, raw float64 t, raw float64 widest",
    "raw bool begins",
    """
    begins[i] = i == 0 || line[i] != line[i - 1]
        || t[order[i]] - t[order[i - 1]] > 2.02 * widest[line[i]];
    """,
)
_WIDEST = Kernel(
    "relutopo_widest_errors",
    "raw int64 line_ptr, raw float64 errors",
    "raw float64 widest",
    """
    double most = 0.0;
    for (long long p = line_ptr[i]; p < line_ptr[i + 1]; ++p)
        if (errors[p] > most || errors[p] != errors[p]) most = errors[p];
    widest[i] = most;
    """,
)
# One thread follows a line with one word of the signs.
_WALK = Kernel(
    "relutopo_signs_along_lines",
    "raw uint64 line_positive, raw uint64 line_negative, raw uint64 positive_at, raw int32 ends, "
    "raw int64 line_ptr, raw int64 order, raw int32 unit, raw bool begins, raw int32 slot, "
    "int64 n_words",
    "raw uint64 positive, raw uint64 negative, raw uint64 close, raw bool is_close",
    """
    long long line = i / n_words, w = i % n_words, stop = line_ptr[line + 1];
    unsigned long long crossing = line_positive[i] & line_negative[i];
    unsigned long long above = positive_at[ends[2 * line] * n_words + w] & crossing;
    for (long long p = line_ptr[line], q = p; p < stop;) {
        unsigned long long near = 0;
        do {
            if (unit[q] >> 6 == w) near |= 1ULL << (unit[q] & 63);
            ++q;
        } while (q < stop && !begins[q]);
        for (; p < q; ++p) {
            long long target = slot[order[p]];
            if (target < 0) continue;
            unsigned long long own = unit[p] >> 6 == w ? 1ULL << (unit[p] & 63) : 0;
            unsigned long long others = near & ~own;
            if (others) is_close[target] = true;
            target = target * n_words + w;
            positive[target] = (line_positive[i] & ~crossing) | (above & ~near);
            negative[target] = (line_negative[i] & ~crossing) | (crossing & ~above & ~near);
            close[target] = others;
        }
        above ^= near;
    }
    """,
)

_BITS_OF_T = 52
"""How many bits of a parameter are used for sorting, if there is room for them."""


def cut_lines(cut: LayerCut, vertices: Level, lines: Flats) -> Flats:
    """Cut the lines in some cells by all neurons that cross them.

    A point lies on several lines. First, lines and neurons are matched as if only the necessary
    neurons vanished there; points are matched again when all signs are known.
    """
    xp, units, n_cells = cut.xp, cut.units, len(lines.regions)
    crossings, line = units.members(lines.crossing)
    unit = crossings.items
    cut.require(len(line) * (16 * units.n_words + 160))
    carrier = lines.carrier[line]
    names = Unions(lines.positive, line, lines.negative, line, but=unit)
    first, number = match(xp, carrier, n_cells, names)
    in_order = _sort(cut, lines, crossings, line, carrier)
    positive, negative, close = _signs(cut, vertices, lines, line, in_order, first)
    carrier = carrier[first]
    region = lines.regions[carrier]
    by = cut.plane_of(region, unit[first])
    planes = xp.concatenate([lines.planes[line[first]], by[:, None]], axis=1)
    x, deviation, points = cut.place(planes)
    cut.add_signs((positive, negative), region, close, planes, (x, deviation), points)
    del close, in_order
    every, ptr = xp.arange(len(first)), crossings.ptr
    rows = every.astype(np.int32)
    found = Unions(positive, rows, negative, rows)
    if differ(xp, names, first, found, every):
        first, renamed = match(xp, carrier, n_cells, found)
        carrier, planes, x, deviation = carrier[first], planes[first], x[:, first], deviation[first]
        positive, negative = positive[first], negative[first]
        new_names = cut.device.to_host(renamed)
        points = {int(new_names[v]): point for v, point in points.items()}
        # Several neurons may cross a line at one point.
        n = max(1, len(first))
        pairs = distinct(xp, line.astype(np.int64) * n + renamed[number])
        number, ptr = (pairs % n).astype(np.int32), gathered(xp, pairs // n, len(lines))
    flats = Flats(
        regions=lines.regions,
        first=len(vertices),
        carrier=carrier,
        positive=positive,
        negative=negative,
        planes=planes,
        facets=Lists(xp.zeros(len(first) + 1, np.int64), xp.zeros(0, np.int32)),
    )
    lines.subflats = Lists(ptr, number + np.int32(flats.first))
    cut.add_vertices(x, deviation, points)
    return flats


@dataclass(frozen=True)
class _InOrder:
    """Crossings in their order along each line, as far as it is known.

    Attributes
    ----------
    line_ptr : (n_lines + 1,) ndarray of int64
        Places ``line_ptr[i]:line_ptr[i + 1]`` are on line i.
    order : (n,) ndarray of int64
        The crossing at each place.
    unit : (n,) ndarray of int32
        The unit that crosses there.
    begins : (n,) ndarray of bool
        Where a run of crossings begins whose order is open.
    """

    line_ptr: Array
    order: Array
    unit: Array
    begins: Array


def _sort(cut: LayerCut, lines: Flats, crossings: Lists, line: Array, carrier: Array) -> _InOrder:
    """Sort crossings along lines.

    Parameters
    ----------
    cut : LayerCut
    lines : Flats
    crossings : Lists
        The units that cross each line.
    line, carrier : (n,) ndarrays of int32
        The line of each crossing, and the cell that contains it.
    """
    xp, n = cut.xp, len(line)
    if not n:
        none = xp.zeros(0, dtype=np.int64)
        return _InOrder(crossings.ptr, none, crossings.items, none.astype(bool))
    t, errors = cut.along(lines.regions[carrier], crossings.items, line, _ends(lines))
    # One key holds the line and the leading bits of t; the other bits count as an error.
    n_bits = min(_BITS_OF_T, 62 - len(lines).bit_length())
    errors += 2.0**-n_bits
    widest = _widest(xp, crossings.ptr, errors)
    order = xp.argsort(_keys_along_lines(xp, line, t, n_bits), kind="stable")
    begins = _runs(xp, line, order, t, widest)
    return _InOrder(crossings.ptr, order, crossings.items[order], begins)


def _ends(lines: Flats) -> Array:
    """Return the vertices at the ends of lines, (n_lines, 2)."""
    return lines.facets.items.reshape(len(lines), 2)


def _signs(
    cut: LayerCut, vertices: Level, lines: Flats, line: Array, in_order: _InOrder, wanted: Array
) -> tuple[Array, Array, tuple[Array, Array]]:
    """Return the signs at some crossings of lines, as far as the order along the line decides.

    Parameters
    ----------
    cut : LayerCut
    vertices : Level
        The ends of lines are among them.
    lines : Flats
    line : (n,) ndarray of int32
        The line of each crossing; ascending, so it is also that of each place in order.
    in_order : _InOrder
    wanted : (n_wanted,) ndarray of int64
        The crossings whose signs are wanted.

    Returns
    -------
    positive, negative : (n_wanted, n_words) ndarrays of uint64
        Sets of units, without the crossing's own.
    close : (n_rows,) ndarray of int64, (n_wanted, n_words) ndarray of uint64
        The crossings with units whose order is open, and these units.
    """
    xp, units, n, n_wanted = cut.xp, cut.units, len(line), len(wanted)
    kernel = _WALK.on(xp)
    if kernel is None:
        positive, negative, close = _signs_by_arrays(cut, vertices, lines, line, in_order, wanted)
        return positive, negative, (xp.flatnonzero((close != 0).any(axis=1)), close)
    sets = units.none(n_wanted), units.none(n_wanted), units.none(n_wanted)
    is_close = xp.zeros(n_wanted, dtype=bool)
    slot = xp.full(n, -1, dtype=np.int32)
    slot[wanted] = xp.arange(n_wanted, dtype=np.int32)
    signs = lines.positive, lines.negative, vertices.positive
    along = in_order.line_ptr, in_order.order, in_order.unit, in_order.begins
    size = len(lines) * units.n_words
    kernel(*signs, _ends(lines), *along, slot, units.n_words, *sets, is_close, size=size)
    return sets[0], sets[1], (xp.flatnonzero(is_close), sets[2])


def _signs_by_arrays(
    cut: LayerCut, vertices: Level, lines: Flats, line: Array, in_order: _InOrder, wanted: Array
) -> tuple[Array, Array, Array]:
    """Do the same as the kernel of `_signs`, by operations on arrays.

    Sets of different units are added as numbers; along the line every unit changes once.
    """
    xp, units, n, ends = cut.xp, cut.units, len(line), _ends(lines)
    place = xp.empty(n, dtype=np.int64)
    place[in_order.order] = xp.arange(n)
    place = place[wanted]
    on, by = line[place], in_order.unit[place]
    run_ptr = xp.append(xp.flatnonzero(in_order.begins), n)
    run = spread(xp, run_ptr)[place]
    run_first, run_last, line_first = run_ptr[run], run_ptr[run + 1], in_order.line_ptr[on]
    at_start, at_stop = vertices.positive[ends[:, 0]], vertices.positive[ends[:, 1]]
    positive, negative = lines.positive[on], lines.negative[on]
    close = units.none(len(wanted))
    crossing = positive & negative
    positive ^= crossing
    negative ^= crossing
    for w in range(units.n_words):
        bit = units.single[in_order.unit, w]
        rising = bit & at_stop[line, w]
        passed = prefix_sums(xp, bit, np.uint64)
        changed = prefix_sums(xp, 2 * rising - bit, np.uint64)
        near = passed[run_last] - passed[run_first]
        above = at_start[on, w] & crossing[:, w]
        above = (above + changed[run_first] - changed[line_first]) & ~near
        positive[:, w] |= above
        negative[:, w] |= crossing[:, w] & ~above & ~near
        close[:, w] = near & ~units.single[by, w]
    return positive, negative, close


def _keys_along_lines(xp: Any, line: Array, t: Array, n_bits: int) -> Array:
    """Return numbers that order crossings by the line, and then by the leading bits of t."""
    kernel, scale = _KEYS.on(xp), 2.0**n_bits
    if kernel is None:
        return (t * scale).astype(np.int64) + (line.astype(np.int64) << np.int64(n_bits + 1))
    keys = xp.empty(len(line), dtype=np.int64)
    kernel(line, t, n_bits, scale, keys, size=len(line))
    return keys


def _widest(xp: Any, line_ptr: Array, errors: Array) -> Array:
    """Return the largest error along each line.

    A kernel rather than CuPy's ``maximum.at``, which rounds to single precision.
    """
    kernel, n_lines = _WIDEST.on(xp), len(line_ptr) - 1
    widest = xp.zeros(n_lines)
    if kernel is None:
        xp.maximum.at(widest, spread(xp, line_ptr), errors)
    else:
        kernel(line_ptr, errors, widest, size=n_lines)
    return widest


def _runs(xp: Any, line: Array, order: Array, t: Array, widest: Array) -> Array:
    """Tell where runs of crossings with open order begin: the gap before exceeds two errors.

    Sorting keeps the order of the lines.
    """
    kernel, begins = _RUNS.on(xp), xp.ones(len(order), dtype=bool)
    if kernel is not None:
        kernel(line, order, t, widest, begins, size=len(order))
        return begins
    t = t[order]
    begins[1:] = (line[1:] != line[:-1]) | (t[1:] - t[:-1] > 2.02 * widest[line[1:]])
    return begins

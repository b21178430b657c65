"""The points of a layer: where neurons cross the lines that other neurons make; see `enumerator`.

The neurons that cross a line are sorted along it. So at a crossing the signs of all of them are
known, but for those whose order the error bounds leave open; only these are evaluated there. The
work follows the crossings, not crossings times neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.device_kernels import Kernel

from .arrays import Array, Lists, distinct, gathered, prefix_sums, spread
from .groups import Unions, differ, match
from .layer import LayerStep
from .levels import Block, Level

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
# One thread goes along a line with one word of the signs there.
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
"""How many bits of a parameter are sorted by, if there is room for them."""


def cut_lines(step: LayerStep, vertices: Level, lines: Block) -> Block:
    """Cut the lines in some cells by all neurons that cross them.

    A point lies on several lines. Lines and neurons are matched first as if no more neurons than
    needed vanished there, and points are matched again when all signs are known.
    """
    xp, units, n_cells = step.xp, step.units, len(lines.regions)
    crossings, line = units.members(lines.crossing)
    unit = crossings.items
    step.require(len(line) * (16 * units.n_words + 160))
    carrier = lines.carrier[line]
    names = Unions(lines.positive, line, lines.negative, line, but=unit)
    first, number = match(xp, carrier, n_cells, names)
    signs, close = _signs_along_lines(step, vertices, lines, crossings, line, carrier, first)
    carrier = carrier[first]
    region = lines.regions[carrier]
    by = step.plane_of(region, unit[first])
    planes = xp.concatenate([lines.planes[line[first]], by[:, None]], axis=1)
    x, deviation, points = step.place(planes)
    step.add_signs(signs, region, close, planes, (x, deviation), points)
    positive, negative = signs
    del close
    every = xp.arange(len(first))
    rows = every.astype(np.int32)
    found = Unions(positive, rows, negative, rows)
    items_ptr = crossings.ptr
    if differ(xp, names, first, found, every):
        first, renamed = match(xp, carrier, n_cells, found)
        carrier, planes, x, deviation = carrier[first], planes[first], x[:, first], deviation[first]
        positive, negative = positive[first], negative[first]
        new_names = step.device.to_host(renamed)
        points = {int(new_names[v]): point for v, point in points.items()}
        # Several neurons may cross a line at one point.
        n = max(1, len(first))
        pairs = distinct(xp, line.astype(np.int64) * n + renamed[number])
        number, items_ptr = (pairs % n).astype(np.int32), gathered(xp, pairs // n, len(lines))
    block = Block(
        regions=lines.regions,
        first=len(vertices),
        carrier=carrier,
        positive=positive,
        negative=negative,
        planes=planes,
        facets=Lists(xp.zeros(len(first) + 1, np.int64), xp.zeros(0, np.int32)),
    )
    lines.subflats = Lists(items_ptr, number + np.int32(block.first))
    step.add_vertices(x, deviation, points)
    return block


def _signs_along_lines(
    step: LayerStep,
    vertices: Level,
    lines: Block,
    crossings: Lists,
    line: Array,
    carrier: Array,
    wanted: Array,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return the signs at some crossings of lines, as far as the order along the line tells.

    Parameters
    ----------
    step : LayerStep
    vertices : Level
        The ends of lines are among them.
    lines : Block
    crossings : Lists
        The units that cross each line.
    line, carrier : (n,) ndarrays of int32
        The line of each crossing, and the cell that it is in.
    wanted : (n_wanted,) ndarray of int64
        The crossings whose signs are wanted.

    Returns
    -------
    signs : two (n_wanted, n_words) ndarrays of uint64
        The units that are positive and those that are negative; without the crossing's own.
    close : (n_rows,) ndarray of int64, (n_wanted, n_words) ndarray of uint64
        Where there are units whose order is open, and which.
    """
    xp, units, n, n_wanted = step.xp, step.units, len(line), len(wanted)
    if not n:
        return (units.none(0), units.none(0)), (wanted, units.none(0))
    ends = lines.facets.items.reshape(len(lines), 2)
    t, errors = step.along(lines.regions[carrier], crossings.items, line, ends)
    # One key holds the line and the leading bits of t; the others count as an error.
    n_bits = min(_BITS_OF_T, 62 - len(lines).bit_length())
    errors += 2.0**-n_bits
    key = _keys_along_lines(xp, line, t, n_bits)
    order = xp.argsort(key, kind="stable")
    widest = xp.zeros(len(lines))
    xp.maximum.at(widest, line, errors)
    begins = _runs(xp, line, order, t, widest)
    unit = crossings.items[order]
    kernel = _WALK.on(xp)
    if kernel is not None:
        sets = units.none(n_wanted), units.none(n_wanted), units.none(n_wanted)
        is_close = xp.zeros(n_wanted, dtype=bool)
        slot = xp.full(n, -1, dtype=np.int32)
        slot[wanted] = xp.arange(n_wanted, dtype=np.int32)
        along = crossings.ptr, order, unit, begins, slot
        size = len(lines) * units.n_words
        signs = lines.positive, lines.negative, vertices.positive
        kernel(*signs, ends, *along, units.n_words, *sets, is_close, size=size)
        return sets[:2], (xp.flatnonzero(is_close), sets[2])
    place = xp.empty(n, dtype=np.int64)
    place[order] = xp.arange(n)
    place = place[wanted]
    run_ptr = xp.append(xp.flatnonzero(begins), n)
    run = spread(xp, run_ptr)[place]
    on, by = line[place], unit[place]
    run_first, run_last = run_ptr[run], run_ptr[run + 1]
    line_first = crossings.ptr[on]
    at_start, at_stop = vertices.positive[ends[:, 0]], vertices.positive[ends[:, 1]]
    positive, negative = lines.positive[on], lines.negative[on]
    close = units.none(n_wanted)
    crossing = positive & negative
    positive ^= crossing
    negative ^= crossing
    for w in range(units.n_words):
        # Sets of different units are added as numbers; along the line every unit changes once.
        bit = units.single[unit, w]
        rising = bit & at_stop[line, w]
        passed = prefix_sums(xp, bit, np.uint64)
        changed = prefix_sums(xp, 2 * rising - bit, np.uint64)
        near = passed[run_last] - passed[run_first]
        above = at_start[on, w] & crossing[:, w]
        above = (above + changed[run_first] - changed[line_first]) & ~near
        positive[:, w] |= above
        negative[:, w] |= crossing[:, w] & ~above & ~near
        close[:, w] = near & ~units.single[by, w]
    return (positive, negative), (xp.flatnonzero((close != 0).any(axis=1)), close)


def _keys_along_lines(xp: Any, line: Array, t: Array, n_bits: int) -> Array:
    """Return numbers that order crossings by the line, and then by the leading bits of t."""
    kernel, scale = _KEYS.on(xp), 2.0**n_bits
    if kernel is None:
        return (t * scale).astype(np.int64) + (line.astype(np.int64) << np.int64(n_bits + 1))
    keys = xp.empty(len(line), dtype=np.int64)
    kernel(line, t, n_bits, scale, keys, size=len(line))
    return keys


def _runs(xp: Any, line: Array, order: Array, t: Array, widest: Array) -> Array:
    """Tell where runs of crossings begin whose order is open: the gap before exceeds two errors.

    Sorting leaves the lines where they are.
    """
    kernel, begins = _RUNS.on(xp), xp.ones(len(order), dtype=bool)
    if kernel is not None:
        kernel(line, order, t, widest, begins, size=len(order))
        return begins
    t = t[order]
    begins[1:] = (line[1:] != line[:-1]) | (t[1:] - t[:-1] > 2.02 * widest[line[1:]])
    return begins

"""The points of a layer: where neurons cross the lines that other neurons make; see `_bulk`.

The neurons that cross a line are sorted along it. So at a crossing the signs of all of them are
known, but for those whose order the error bounds leave open; only these are evaluated there. The
work follows the crossings, not crossings times neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.device_kernels import Kernel

from ._bulk_arrays import Array, Lists, distinct, gathered, match, prefix_sums, spread
from ._bulk_incidence import nonzero_but
from ._bulk_layer import LayerStep
from ._bulk_levels import Block, Level

__all__ = ["cut_lines"]

# One thread goes along a line with one word of the signs there.
_WALK = Kernel(
    "relutopo_signs_along_lines",
    "raw uint64 line_positive, raw uint64 line_negative, raw uint64 at_start, raw int64 line_ptr, "
    "raw int64 unit, raw bool begins, raw int64 slot, int64 n_words",
    "raw uint64 positive, raw uint64 negative, raw uint64 close",
    """
    long long line = i / n_words, w = i % n_words, stop = line_ptr[line + 1];
    unsigned long long crossing = line_positive[i] & line_negative[i];
    unsigned long long above = at_start[i] & crossing;
    for (long long p = line_ptr[line], q = p; p < stop;) {
        unsigned long long near = 0;
        do {
            if (unit[q] >> 6 == w) near |= 1ULL << (unit[q] & 63);
            ++q;
        } while (q < stop && !begins[q]);
        for (; p < q; ++p) {
            if (slot[p] < 0) continue;
            long long target = slot[p] * n_words + w;
            unsigned long long own = unit[p] >> 6 == w ? 1ULL << (unit[p] & 63) : 0;
            positive[target] = (line_positive[i] & ~crossing) | (above & ~near);
            negative[target] = (line_negative[i] & ~crossing) | (crossing & ~above & ~near);
            close[target] = near & ~own;
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
    xp, units = step.xp, step.units
    line, unit = units.members(lines.crossing)
    step.require(len(line) * (16 * units.n_words + 160))
    carrier = lines.carrier[line]

    def others(some: Any) -> Array:
        return nonzero_but(xp, units, lines, line[some], unit[some])

    first, number = match(xp, carrier, len(lines.regions), others)
    nonzero, carrier = others(first), carrier[first]
    region = lines.regions[carrier]
    by = step.plane_of(region, unit[first])
    planes = xp.concatenate([lines.planes[line[first]], by[:, None]], 1)
    x, deviation, points = step.place(planes)
    positive, negative, close = _signs_along_lines(step, vertices, lines, line, unit, first)
    above, below = step.sign_points(region, close, planes, x, deviation, points)
    positive |= above
    negative |= below
    del close, above, below
    found = positive | negative
    if bool((found != nonzero).any()):
        first, renamed = match(xp, carrier, len(lines.regions), found.__getitem__)
        number = renamed[number]
        carrier, planes, x, deviation = carrier[first], planes[first], x[:, first], deviation[first]
        positive, negative = positive[first], negative[first]
        names = step.device.to_host(renamed)
        points = {int(names[v]): point for v, point in points.items()}
    del found, nonzero
    n = max(1, len(first))
    pairs = distinct(xp, line * n + number)
    block = Block(
        regions=lines.regions,
        first=len(vertices),
        carrier=carrier,
        positive=positive,
        negative=negative,
        planes=planes,
        facets=Lists(xp.zeros(len(first) + 1, np.int64), xp.zeros(0, np.int32)),
    )
    items = (pairs % n).astype(np.int32) + np.int32(block.first)
    lines.subflats = Lists(gathered(xp, pairs // n, len(lines)), items)
    step.add_vertices(x, deviation, points)
    return block


def _signs_along_lines(
    step: LayerStep, vertices: Level, lines: Block, line: Array, unit: Array, wanted: Array
) -> tuple[Array, Array, Array]:
    """Return the signs at some crossings of lines, as far as the order along the line tells.

    Parameters
    ----------
    step : LayerStep
    vertices : Level
        The ends of lines are among them.
    lines : Block
    line, unit : (n,) ndarrays of int
        Crossings, both ascending.
    wanted : (n_wanted,) ndarray of int
        The crossings whose signs are wanted.

    Returns
    -------
    positive, negative, close : (n_wanted, n_words) ndarrays of uint64
        Sets of units; `close` are those whose order is open. The crossing's own unit is in none.
    """
    xp, units = step.xp, step.units
    if not len(line):
        return units.none(0), units.none(0), units.none(0)
    starts, stops = lines.facets.items.reshape(len(lines), 2).T
    region = lines.regions[lines.carrier[line]]
    t, error = step.along(region, starts[line], stops[line], unit)
    # One key holds the line and the leading bits of t; the others count as an error.
    n_bits = min(_BITS_OF_T, 62 - len(lines).bit_length())
    widest = xp.zeros(len(lines))
    xp.maximum.at(widest, line, error + 2.0**-n_bits)
    key = (t * 2.0**n_bits).astype(np.int64) + (line << np.int64(n_bits + 1))
    order = xp.argsort(key, kind="stable")
    line, unit, t = line[order], unit[order], t[order]
    # Runs of crossings of one line whose order is open. The gap before a run exceeds two errors.
    begins = xp.ones(len(order), dtype=bool)
    begins[1:] = (line[1:] != line[:-1]) | (t[1:] - t[:-1] > 2.02 * widest[line[1:]])
    place = xp.empty(len(order), dtype=np.int64)
    place[order] = xp.arange(len(order))
    place = place[wanted]
    at_start, at_stop = vertices.positive[starts], vertices.positive[stops]
    line_ptr = gathered(xp, line, len(lines))
    kernel = _WALK.on(xp)
    if kernel is not None:
        sets = units.none(len(place)), units.none(len(place)), units.none(len(place))
        slot = xp.full(len(order), -1, dtype=np.int64)
        slot[place] = xp.arange(len(place))
        ends = lines.positive, lines.negative, at_start
        size = len(lines) * units.n_words
        kernel(*ends, line_ptr, unit, begins, slot, units.n_words, *sets, size=size)
        return sets
    run_ptr = xp.append(xp.flatnonzero(begins), len(order))
    run = spread(xp, run_ptr)[place]
    on, by = line[place], unit[place]
    run_first, run_last = run_ptr[run], run_ptr[run + 1]
    line_first = line_ptr[on]
    positive, negative = lines.positive[on], lines.negative[on]
    close = units.none(len(place))
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
    return positive, negative, close

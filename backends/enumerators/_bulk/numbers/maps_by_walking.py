"""The affine maps of a layer, from region to region: kernels that never store them.

Regions with the same parent have the same maps before the layer, and differ by which of its units
are active. Numbered along a curve that fills the space (`curve`), two consecutive ones differ
by two or three units, whatever the layer's width. So one thread for each unit of the next layer
walks through up to `_LONGEST` siblings, and adds or subtracts one earlier unit's map for each
difference; the first sibling is compared with a region where all units are inactive, whose map is
the bias. This takes about five products for each entry of a map, instead of one for each active
unit, and the map stays in registers, where it is evaluated at once.

Bounds
------
Let ``m ← m ± w a`` be a step, with computed maps a, its error ε, and reach X of the domain, in the
terms of `relutopo.networks.network`. With or without fused multiply-add, the step's rounding is at
most u (|w| |a| + |m|), m after the step, so that the error of m grows by no more than

    |w| (ε + u |a| X) + u |m| X.

Adding and subtracting the same computed term would cancel its error ε; the bound counts it twice.
If no active unit has a non-zero product, the map is exactly the bias, and its bound is zero. So a
neuron that vanishes on a whole region is known to vanish, as with products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.devices.kernels import Kernel

from ..._certified.values import SIGN_IN_C
from ..sets.bitsets import Units
from ..sets.lists import Array, Lists

__all__ = ["Walk", "planes_on_walk", "signs_on_walk"]

_LONGEST = 256
"""How many regions one thread walks through. The first one takes as many steps as there are active
units, which is little against this many further regions."""
# Room for the rounding of the bounds themselves.
_ROUNDING = 1.01 * UNIT_ROUNDOFF
_TINY = float(np.finfo(np.float64).tiny)

_INPUTS = (
    "raw int64 walk_ptr, raw int64 flip_ptr, raw int32 flips, raw int32 parent, "
    "raw float64 below, raw float64 losses, raw float64 columns, raw float64 bias, "
    "raw float64 reach, int64 n_below, int64 n_units, int64 width, float64 roundoff, "
    "float64 underflow"
)
# HERE is replaced by the work on region r, with its map in m and the error.
_BODY = """
    long long run = i / width, j = i % width, last = walk_ptr[run + 1];
    bool is_real = j < n_units;
    double m[DIM + 1], limits[DIM + 1], error = 0.0, start = is_real ? bias[j] : 0.0;
    for (int k = 0; k <= DIM; ++k) {
        m[k] = k == DIM ? start : 0.0;
        limits[k] = reach[k];
    }
    int n_terms = 0;
    long long source = parent[walk_ptr[run]] * n_below;
    const double *weights = &columns[is_real ? j : 0], *terms = &below[source * (DIM + 1)];
    const double *loss_of = &losses[source];
    // The next weight is on its way while a step is made.
    long long r = walk_ptr[run], f = flip_ptr[r], end = flip_ptr[last];
    int next = f < end ? flips[f] : 0;
    double next_weight = f < end ? weights[(next < 0 ? ~next : next) * n_units] : 0.0;
    for (; r < last; ++r) {
        for (long long stop = flip_ptr[r + 1]; f < stop; ++f) {
            int flip = next, unit = flip < 0 ? ~flip : flip;
            double weight = next_weight, loss = loss_of[unit];
            if (f + 1 < end) {
                next = flips[f + 1];
                next_weight = weights[(next < 0 ? ~next : next) * n_units];
            }
            if (weight != 0.0 && loss != 0.0) {
                n_terms += flip < 0 ? -1 : 1;
                error += fabs(weight) * loss;
                weight = flip < 0 ? -weight : weight;
                double height = 0.0;
                for (int k = 0; k <= DIM; ++k) {
                    m[k] += weight * terms[k * n_below + unit];
                    height += limits[k] * fabs(m[k]);
                }
                error += roundoff * height + underflow;
                if (n_terms == 0) {
                    for (int k = 0; k <= DIM; ++k) m[k] = k == DIM ? start : 0.0;
                    error = 0.0;
                }
            }
        }
        HERE
    }
"""

_SIGNS = Kernel(
    "relutopo_signs_on_walk",
    f"{_INPUTS}, raw int64 vertex_ptr, raw int64 vertices, raw float64 x, raw float64 deviation, "
    "int64 n_points, float64 limit",
    "raw uint32 above, raw uint32 below_zero, raw uint32 open",
    _BODY.replace(
        "HERE",
        f"""
        for (long long q = vertex_ptr[r]; q < vertex_ptr[r + 1]; ++q) {{
            long long v = vertices[q];
            bool is_above = false, is_below = false, is_open = false;
            if (is_real) {{ {SIGN_IN_C} }}
            SET_BIT(above, v * (width >> 5), j, is_above);
            SET_BIT(below_zero, v * (width >> 5), j, is_below);
            SET_BIT(open, v * (width >> 5), j, is_open);
        }}
        """,
    ),
)

_PLANES = Kernel(
    "relutopo_planes_on_walk",
    f"{_INPUTS}, raw uint64 crossing, raw int64 row_ptr, int64 n_rows",
    "raw float64 numbers",
    _BODY.replace(
        "HERE",
        """
        long long first = r * (width >> 6), w = j >> 6;
        unsigned long long word = crossing[first + w], bit = 1ULL << (j & 63);
        if (word & bit) {
            long long row = row_ptr[r] + N_BITS(word & (bit - 1));
            for (long long earlier = 0; earlier < w; ++earlier)
                row += N_BITS(crossing[first + earlier]);
            for (int k = 0; k <= DIM; ++k) numbers[k * n_rows + row] = m[k];
            numbers[(DIM + 1) * n_rows + row] = error;
        }
        """,
    ),
)


_CHANGES = Kernel(
    "relutopo_changes",
    "raw uint64 sets, raw bool begins, int64 n_words",
    "raw uint64 changes",
    "changes[i] = begins[i / n_words] ? sets[i] : sets[i] ^ sets[i - n_words];",
)
_FLIPS = Kernel(
    "relutopo_flips",
    "raw uint64 sets, raw int32 region, raw int32 unit, int64 n_words",
    "raw int32 flips",
    """
    bool active = sets[region[i] * n_words + (unit[i] >> 6)] >> (unit[i] & 63) & 1;
    flips[i] = active ? unit[i] : ~unit[i];
    """,
)
_LOSSES = Kernel(
    "relutopo_losses",
    "raw float64 maps, raw float64 errors, raw float64 reach, int64 n_rows, int64 n_units, "
    "float64 rounding, float64 tiny",
    "raw float64 losses",
    """
    const long long source = i / n_units * n_rows * n_units + i % n_units;
    double height = 0.0;
    for (long long k = 0; k < n_rows; ++k) height += reach[k] * fabs(maps[source + k * n_units]);
    bool is_zero = height == 0.0 && errors[i] == 0.0;
    losses[i] = is_zero ? 0.0 : 1.01 * errors[i] + rounding * height + tiny;
    """,
)


@dataclass(frozen=True)
class Walk:
    """Consecutive regions, in runs of siblings.

    Attributes
    ----------
    ptr : (n_runs + 1,) ndarray of int64
        Run i has regions ``ptr[i]:ptr[i + 1]``, counted from the first of all runs, and one parent.
    flips : Lists
        For each region, the earlier units in which it differs from the region before it in its
        run, or from where all are inactive: unit u if it becomes active, and ~u if inactive.
    parent : (n,) ndarray of int32
        For each region, its parent, counted from the first one's.
    below, losses : (n_parents, d + 1, n_below) and (n_parents, n_below) ndarrays
        The earlier layer's maps on the parents, and ε + u |a| X; zero only where a map is.
    columns, bias : (n_below, n_units) and (n_units,) ndarrays
        Weights of the layer, transposed, and its biases.
    reach : (d + 1,) ndarray
        Bounds of the coordinates, and 1.
    underflow : float
        Bound of what a step may lose to underflow.
    """

    ptr: Array
    flips: Lists
    parent: Array
    below: Array
    losses: Array
    columns: Array
    bias: Array
    reach: Array
    underflow: float

    @classmethod
    def of(
        cls,
        xp: Any,
        earlier: Units,
        sets: Array,
        parent: Array,
        maps: tuple[Array, Array],
        weights: tuple[Array, Array],
        reach: Array,
        underflow: float,
        longest: int = _LONGEST,
    ) -> Walk:
        """Prepare a walk.

        Parameters
        ----------
        xp : module
            One that compiles kernels.
        earlier : Units
            Of the earlier layer.
        sets : (n, n_words) ndarray of uint64
            The units of it that are active on each region.
        parent : (n,) ndarray of int32
            Ascending, from 0.
        maps : pair of (n_parents, d + 1, n_below) and (n_parents, n_below) ndarrays
            The earlier layer's maps on the parents, and the bounds of their errors.
        weights : pair of ndarrays
            `columns` and `bias`.
        reach : (d + 1,) ndarray
        underflow : float
        longest : int
            How many regions one thread walks through.
        """
        n, (below, errors) = len(parent), maps
        place = xp.arange(n)
        place -= xp.searchsorted(parent, parent, side="left")
        begins = place % longest == 0
        changes = xp.empty(sets.shape, dtype=np.uint64)
        _CHANGES.on(xp)(sets, begins, earlier.n_words, changes, size=sets.size)
        flips, region = earlier.members(changes)
        signed = xp.empty(len(region), dtype=np.int32)
        _FLIPS.on(xp)(sets, region, flips.items, earlier.n_words, signed, size=len(region))
        losses = xp.empty(errors.shape)
        sizes = below.shape[1], below.shape[2], _ROUNDING, _TINY
        _LOSSES.on(xp)(below, errors, reach, *sizes, losses, size=losses.size)
        return cls(
            ptr=xp.append(xp.flatnonzero(begins), n),
            flips=Lists(flips.ptr, signed),
            parent=parent,
            below=below,
            losses=losses,
            columns=weights[0],
            bias=weights[1],
            reach=reach,
            underflow=underflow,
        )

    def run(self, kernel: Any, units: Units, *arguments: Any) -> None:
        """Run a kernel that walks, with its arguments besides the walk."""
        n_below, n_units = self.columns.shape
        width = 64 * units.n_words
        arrays = self.ptr, self.flips.ptr, self.flips.items, self.parent, self.below, self.losses
        numbers = n_below, n_units, width, _ROUNDING, self.underflow
        walk = *arrays, self.columns, self.bias, self.reach, *numbers
        kernel(*walk, *arguments, size=(len(self.ptr) - 1) * width)


def signs_on_walk(
    xp: Any,
    units: Units,
    walk: Walk,
    vertices: Lists,
    x: Array,
    deviation: Array,
    limit: float,
    signs: tuple[Array, Array, Array],
) -> None:
    """Find the signs of all units at vertices.

    Parameters
    ----------
    xp : module
        One that compiles kernels.
    units : Units
        Of the layer.
    walk : Walk
    vertices : Lists of int64
        For each region of the walk, vertices of it.
    x, deviation : (d, n), (n,) ndarrays
        All vertices, and bounds of their errors.
    limit : float
        Smallest magnitude of an axis.
    signs : three (n, n_words) ndarrays of uint64
        Receive the sets of units that are certainly positive, certainly negative, and neither
        known nor zero; zero before.
    """
    d, n = x.shape
    kernel = _SIGNS.on(xp, DIM=d)
    words = [sets.view(np.uint32) for sets in signs]
    at = vertices.ptr, vertices.items, x, deviation, n, limit
    walk.run(kernel, units, *at, *words)


def planes_on_walk(
    xp: Any, units: Units, walk: Walk, crossing: Array, row_ptr: Array, numbers: Array
) -> None:
    """Find the maps of some units on each region.

    Parameters
    ----------
    xp : module
        One that compiles kernels.
    units : Units
        Of the layer.
    walk : Walk
    crossing : (n, n_words) ndarray of uint64
        Which units, for each region of the walk.
    row_ptr : (n + 1,) ndarray of int64
        The columns of `numbers` for each region, whose units ascend.
    numbers : (d + 2, n_rows) ndarray
        Receives A, c and the error bound of A x + c.
    """
    kernel = _PLANES.on(xp, DIM=len(numbers) - 2)
    walk.run(kernel, units, crossing, row_ptr, numbers.shape[1], numbers)

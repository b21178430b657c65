"""A layer's planes as integers, each layer's from those of the layer before.

Planes of one layer share their scale, a power of two, so the products are those of weights that
are integers. Each region's map is a sum over its active units and the weights that are not zero,
which are few where maxima and minima are made of ReLUs. Floats with bounds are rounded from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import SMALLEST_REACH, UNIT_ROUNDOFF
from relutopo.geometry.domain import Domain
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.compilation import njit

from ..._certified.decisions import Decisions
from ..._shared.task import Stage
from ..blocks.block import Block
from ..records import IntegerPlanes, Maps
from .digits import BITS, MOST_TERMS, balance, digits_of_floats, digits_of_integers

__all__ = ["FirstPlanes", "ShortPlanes", "lines_after"]

_MOST_DIGITS = 10
_MOST_PRODUCTS = 256
"""Products of digits for a coefficient behind the first layer; many take longer than ties."""


class _Weights(NamedTuple):
    """A layer's weights times a power of two: entries ptr[i]:ptr[i + 1] are those of input i.

    An entry adds `digit` times 2^(26 place) times the input to unit `unit`. `bias` has the digits
    of the biases, to the layer's scale; `powers` is what digits are multiplied by for floats.
    """

    ptr: NDArray[np.int64]
    unit: NDArray[np.int32]
    place: NDArray[np.int32]
    digit: NDArray[np.int64]
    bias: NDArray[np.int32]
    powers: NDArray[np.float64]


def _trailing(*arrays: NDArray[np.float64]) -> int:
    """Return the least power of two that makes integers of all numbers."""
    numbers = np.concatenate([array[array != 0] for array in arrays])
    if not numbers.size:
        return 0
    mantissas, exponents = np.frexp(numbers)
    integers = np.ldexp(mantissas, 53).astype(np.int64)
    lowest = np.log2((integers & -integers).astype(np.float64)).astype(np.int64)
    return max(0, int((53 - lowest - exponents).max()))


def _n_digits(most: int) -> int:
    """Return how many digits integers of at most this size have, with room for carries."""
    return -(-(most.bit_length() + 3) // BITS)


def _has_twins(network: ReluNetwork) -> bool:
    """Return whether a layer has two neurons that vanish at the same points, as rows tell."""
    for w, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        rows = np.concatenate([w, b[:, None]], axis=1) + 0.0
        if len(set(np.abs(rows).sum(axis=1).tolist())) == len(rows):
            continue  # the sums of twins are the same
        rows = rows[(w != 0).any(axis=1)]
        first = np.take_along_axis(rows, (rows != 0).argmax(axis=1)[:, None], axis=1)
        rows = rows * np.sign(first) + 0.0  # no zero has a sign
        if len({row.tobytes() for row in rows}) < len(rows):
            return True
    return False


@dataclass(frozen=True)
class ShortPlanes:
    """The planes of a network all of which are short integers.

    Attributes
    ----------
    network : ReluNetwork
    domain : Domain
    n_digits : int
    shifts : tuple of int
        For each hidden layer the power of two that its planes are multiplied by.
    """

    network: ReluNetwork
    domain: Domain
    n_digits: int
    shifts: tuple[int, ...]

    @classmethod
    def of(cls, network: object, domain: Domain) -> ShortPlanes | None:
        """Return the planes of a network in which many meet, or None if it is not such a one."""
        if not isinstance(network, ReluNetwork) or domain.dim != 2 or not _has_twins(network):
            return None
        sides = domain.side_planes()
        most = float(max(abs(number) for number in sides.ravel().tolist()))
        shift, shifts, heights, n_terms, n_products = 0, [], np.ones(0), 0, 0
        for layer, (w, b) in enumerate(zip(network.weights[:-1], network.biases[:-1], strict=True)):
            own = _trailing(w, b)
            shift += own
            if shift > BITS * _MOST_DIGITS:
                return None
            inputs = np.abs(np.ldexp(w, own))
            offsets = np.abs(np.ldexp(b, shift))
            heights = inputs @ heights + offsets if layer else np.maximum(inputs.max(1), offsets)
            most = max(most, float(heights.max()))
            shifts.append(shift)
            n_inputs = int((w != 0).sum(axis=1).max())
            n_terms = max(n_terms, n_inputs)
            if layer:
                n_products = max(n_products, n_inputs * _n_digits(int(inputs.max())))
        if not most < 2.0 ** (BITS * _MOST_DIGITS - 3):
            return None
        n_digits = _n_digits(int(most))
        if n_products * n_digits > _MOST_PRODUCTS:
            return None
        if (n_terms + 1) * n_digits > MOST_TERMS:
            return None
        return cls(network, domain, n_digits, tuple(shifts))

    def sides(self) -> NDArray[np.int32]:
        """Return the sides of the domain, (n_sides, 3, k)."""
        return digits_of_integers(self.domain.side_planes(), self.n_digits)

    @cached_property
    def _layers(self) -> list[_Weights]:
        layers, before, k = [], 0, self.n_digits
        for w, b, shift in zip(
            self.network.weights, self.network.biases, self.shifts, strict=False
        ):
            digits = digits_of_floats(np.ldexp(w.T, shift - before), k)
            inputs, units, places = np.nonzero(digits)
            layers.append(
                _Weights(
                    ptr=np.searchsorted(inputs, np.arange(len(digits) + 1)),
                    unit=units.astype(np.int32),
                    place=places.astype(np.int32),
                    digit=digits[inputs, units, places].astype(np.int64),
                    bias=digits_of_floats(np.ldexp(b, shift), k),
                    powers=np.ldexp(1.0, BITS * np.arange(k) - shift),
                )
            )
            before = shift
        return layers

    def begin(
        self, stage: Stage, block: Block, magnitude: NDArray[np.float64]
    ) -> tuple[Maps, IntegerPlanes]:
        """Return the maps of a stage's layer on the regions of a block, and the planes exactly.

        Parameters
        ----------
        stage : Stage
            What cuts next.
        block : Block
        magnitude : (2,) ndarray
            Bound of the coordinates.
        """
        cells, earlier, integers = block.cells, block.earlier, block.integers
        n_regions, this = len(cells.packed), self._layers[stage.layer]
        every = np.arange(n_regions, dtype=np.int32)
        if integers is None or not isinstance(earlier, Maps):
            # The inputs x and y, as units that are active.
            sides = digits_of_integers(self.domain.side_planes(), self.n_digits)
            integers = IntegerPlanes(sides[-1 - cells.labels], _inputs(self.n_digits))
            packed, offset, plane_of = np.full((n_regions, 1), 3, np.uint8), 0, np.zeros_like(every)
        elif stage.first > 0:
            return earlier, integers
        else:
            packed, offset = cells.packed, self.network.layer_offsets[stage.layer - 1]
            plane_of = earlier.plane_of
        reach = np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0)
        planes, errors, units = _next(this, packed, offset, plane_of, integers.units, reach)
        maps = Maps(planes, every, errors, every, np.empty((0, 3)), float(magnitude.min()))
        return maps, integers._replace(units=units)


@dataclass(frozen=True)
class FirstPlanes:
    """The planes of any network's first layer, and the sides of the domain.

    Attributes
    ----------
    units : (n, 3, k) ndarray of int32
    sides : (n_sides, 3, k) ndarray of int32
    """

    units: NDArray[np.int32]
    sides: NDArray[np.int32]

    @classmethod
    def of(cls, network: Network, domain: Domain, decisions: Decisions) -> FirstPlanes | None:
        """Return the planes, or None if they are longer than integers may be."""
        no_pattern = np.zeros(0, np.uint8)
        rows = [decisions.plane((label, no_pattern)) for label in range(network.layer_sizes[0])]
        units, sides = np.array([row // max(1, gcd(*row)) for row in rows]), domain.side_planes()
        n_digits = _n_digits(max(map(abs, [*units.ravel(), *sides.ravel()])))
        if n_digits > _MOST_DIGITS:
            return None
        return cls(digits_of_integers(units, n_digits), digits_of_integers(sides, n_digits))

    def on(self, labels: NDArray[np.int32]) -> IntegerPlanes:
        """Return the planes as those of all regions, with the lines of edges of some labels."""
        lines = np.concatenate([self.units, self.sides[::-1]])[labels]
        return IntegerPlanes(lines, self.units[None])


def _inputs(n_digits: int) -> NDArray[np.int32]:
    """Return the planes of x and y, as those of a layer on one region."""
    units = np.zeros((1, 2, 3, n_digits), np.int32)
    units[0, 0, 0, 0] = units[0, 1, 1, 0] = 1
    return units


@njit(cache=True, nogil=True)
def _next(this, packed, offset, plane_of, inputs, reach):
    """Return a layer's planes on all regions as floats, the bounds of their errors, and exactly."""
    n_regions, (n, k) = len(packed), this.bias.shape
    n_inputs = inputs.shape[1]
    planes, errors = np.empty((n_regions, 3, n)), np.empty((n_regions, n))
    units = np.empty((n_regions, n, 3, k), np.int32)
    sums = np.empty((n, 3, k), np.int64)
    for r in range(n_regions):
        p = plane_of[r]
        sums[:] = 0
        sums[:, 2] = this.bias
        for i in range(n_inputs):
            bit = offset + i
            if not (packed[r, bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1):
                continue
            for entry in range(this.ptr[i], this.ptr[i + 1]):
                j, place, digit = this.unit[entry], this.place[entry], this.digit[entry]
                for c in range(3):
                    for d in range(k - place):
                        sums[j, c, d + place] += inputs[p, i, c, d] * digit
        for j in range(n):
            errors[r, j] = 0.0
            for c in range(3):
                balance(sums[j, c])
                value, n_used, last = 0.0, 0, 0
                for d in range(k):
                    digit = sums[j, c, d]
                    units[r, j, c, d] = digit
                    value += digit * this.powers[d]
                    if digit != 0:
                        n_used = n_used if n_used else d + 1
                        last = d
                planes[r, c, j] = value
                if n_used and last > n_used:  # more than two digits, which may not fit in a float
                    errors[r, j] += 4 * UNIT_ROUNDOFF * abs(value) * reach[c]
            errors[r, j] *= 1.01
    return planes, errors, units


@njit(cache=True, nogil=True)
def lines_after(before, plane_of, first, first_piece, cut):
    """Return the lines of the edges after a cut by neurons of a layer.

    Parameters
    ----------
    before : IntegerPlanes
    plane_of : (n_regions,) ndarray
        The rows of ``before.units`` that the regions before the cut have.
    first : int
        The layer's first neuron.
    first_piece : (n_edges + 1,) ndarray
        Of `Placed`.
    cut : Cut
    """
    cells = cut.cells
    n_pieces = first_piece[-1]
    lines = np.empty((len(cells.edge_vertices), *before.lines.shape[1:]), np.int32)
    for e in range(len(first_piece) - 1):
        lines[first_piece[e] : first_piece[e + 1]] = before.lines[e]
    for r in range(len(cells.packed)):
        plane = plane_of[cut.parent[r]]
        for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
            e = cells.half_edges[q] >> 1
            if e >= n_pieces:
                lines[e] = before.units[plane, cells.labels[e] - first]
    return lines

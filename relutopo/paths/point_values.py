"""Values of a graph at points of segments, with bounds, on a device.

Where a value is computed, and where it is interpolated; the bounds stand in
`relutopo.paths.knots` and `relutopo.networks.graph`. Arrays are of one namespace throughout, with a
row for each point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, UNIT_ROUNDOFF
from relutopo.devices.device import Device
from relutopo.networks.graph import Affine, Kink, Matrix

__all__ = ["Insertion", "NodeOn", "Value", "with_points"]

_Floats: TypeAlias = NDArray[np.float64]
_Ints: TypeAlias = NDArray[np.int64]
Value: TypeAlias = tuple[Any, Any]
"""A value at each point, and bounds of how far it is off: arrays of a device."""

_UNDERFLOW = 2.0**-600
_LOST = 2.0**-1000


class NodeOn:
    """A node of a graph, with its numbers on a device.

    Parameters
    ----------
    node : Affine or Kink
    device : Device
    """

    def __init__(self, node: Affine | Kink, device: Device) -> None:
        self._rounding = node.rounding
        if isinstance(node, Affine):
            self._sources = node.sources
            self._terms = [
                tuple(_on(matrix, device) for matrix in both)
                for both in zip(node.matrices, node.sizes, strict=True)
            ]
            self._bias = device.to_device(node.bias)
        else:
            self._sources = (node.source,)
            self._terms = []
            self._on, self._off = map(device.to_device, (node.slope_on, node.slope_off))

    def image(self, values: dict[int, Value], xp: Any) -> Value:
        """Return the result of the node, with bounds; see `relutopo.networks.graph`."""
        if self._terms:
            value, error = 0.0, self._rounding * xp.abs(self._bias)
            for source, (matrix, sizes) in zip(self._sources, self._terms, strict=True):
                z, e = values[source]
                value = _mapped(matrix, z) + value
                error = _mapped(sizes, self._spread(z, e, xp)) + error
            return value + self._bias, error
        z, e = values[self._sources[0]]
        on, off = xp.abs(self._on), xp.abs(self._off)
        slopes = xp.where(z > 0, self._on, self._off)
        steepest = xp.where(xp.abs(z) > e, xp.abs(slopes), xp.maximum(on, off))
        return z * slopes, steepest * self._spread(z, e, xp)

    def _spread(self, z: Any, e: Any, xp: Any) -> Any:
        """Return a source's error and its share of the node's rounding, entry by entry."""
        if not self._rounding:
            return ONCE * e
        heights = xp.abs(z)
        heights += _UNDERFLOW * ((z != 0) | (e > 0))
        heights *= self._rounding
        heights += ONCE * e
        return heights


def _mapped(matrix: Any, z: Any) -> Any:
    """Return the images of the rows of an array."""
    return (matrix @ z.T).T if hasattr(matrix, "indptr") else z @ matrix.T


def _on(matrix: Matrix, device: Device) -> Any:
    """Return a matrix on a device."""
    if isinstance(matrix, np.ndarray):
        return device.to_device(matrix)
    return device.csr_to_device(matrix)


@dataclass(frozen=True)
class Insertion:
    """New points between old ones, on a device.

    Attributes
    ----------
    pieces : (n_new,) array of int64
        The old point before each new one.
    fractions, deviations : (n_new, 1) arrays of float64
    moved, new : (n_old,), (n_new,) arrays of int64
        Where old points come to stand, and new ones.
    """

    pieces: Any
    fractions: Any
    deviations: Any
    moved: Any
    new: Any

    @staticmethod
    def of(
        pieces: _Ints,
        fractions: _Floats,
        deviations: _Floats,
        moved: _Ints,
        new: _Ints,
        device: Device | None = None,
    ) -> Insertion:
        """Return new points, from flat arrays of the host."""
        arrays = pieces, fractions[:, None], deviations[:, None], moved, new
        return Insertion(*(arrays if device is None else map(device.to_device, arrays)))


def with_points(value: Value, inserted: Insertion, xp: Any) -> Value:
    """Return a value at the old points and at the new ones between them.

    Parameters
    ----------
    value : pair of (n_old, n) arrays
    inserted : Insertion
    xp : module
        The namespace of all these arrays.

    Returns
    -------
    pair of (n_old + n_new, n) arrays

    Examples
    --------
    >>> ends = np.array([[0.0], [4.0]]), np.zeros((2, 1))
    >>> one, quarter = np.zeros(1, dtype=np.int64), np.array([0.25])
    >>> places = Insertion.of(one, quarter, np.zeros(1), np.array([0, 2]), one + 1)
    >>> with_points(ends, places, np)[0].ravel().tolist()
    [0.0, 1.0, 4.0]
    """
    z, e = value
    before = inserted.pieces
    z_0, z_1 = z[before], z[before + 1]
    e_0, e_1 = e[before], e[before + 1]
    step = z_1 - z_0
    shape = len(inserted.moved) + len(inserted.new), z.shape[1]
    values, errors = xp.empty(shape), xp.empty(shape)
    values[inserted.moved], errors[inserted.moved] = z, e
    values[inserted.new] = z_0 + inserted.fractions * step
    size = xp.abs(z_0) + xp.abs(z_1)
    errors[inserted.new] = ONCE * (
        xp.maximum(e_0, e_1)
        + inserted.deviations * xp.abs(step)
        + 4 * UNIT_ROUNDOFF * size
        + _LOST * (size > 0)
    )
    return values, errors

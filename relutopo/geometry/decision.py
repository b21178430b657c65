"""The network's decision at the vertices of its complex, with exact signs.

f is the network's output; of two outputs the difference, second minus first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, sign
from relutopo.arithmetic.rounding import UNIT_ROUNDOFF, bound_of_value
from relutopo.errors import FloatRangeError
from relutopo.geometry.cells import Cells
from relutopo.geometry.vertices import exact_vertex
from relutopo.networks.network import AffineMaps

__all__ = [
    "WELL_KNOWN",
    "decision_signs",
    "exact_values",
    "known_better",
    "output_values",
    "values_and_signs",
]

WELL_KNOWN = 2.0**-28
"""How far off the place of a zero on an edge may be, in lengths of the edge, before it is computed
exactly."""

_NUMBERS_AT_ONCE = 2**20
"""Entries of the largest temporary array."""


def decision_signs(complex_: Cells) -> NDArray[np.int8]:
    """Return the sign of f at every vertex.

    Floating point decides where its error bound allows; the rest is decided exactly, at the
    intersection of d walls of a region.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    (n_0,) ndarray of int8
        -1, 0 or +1.

    Raises
    ------
    InputError
        If the network has more than two outputs.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0]], [[3.0]]], [[0.1], [-0.3]])
    >>> decision_signs(rt.decompose(net, rt.Box(-1, 1), enumerator="exact")).tolist()
    [-1, 1, -1]
    """
    return values_and_signs(complex_)[1]


def values_and_signs(
    complex_: Cells,
) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    """Return f at every vertex, its exact sign, and error bounds.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    values : (n_0,) ndarray of float64
    signs : (n_0,) ndarray of int8
        See `decision_signs`.
    bounds : (n_0,) ndarray of float64
        Of the errors of values; NaN or infinite where floats tell nothing.

    Raises
    ------
    InputError
        If the network has more than two outputs.
    """
    from relutopo.geometry.kernels import signs_beyond  # loads numba

    network = complex_.network
    network.check_two_classes()
    f, bounds = network.bounded_decision(complex_.vertices, complex_.vertex_errors)
    signs: NDArray[np.int8]
    signs, is_open = signs_beyond(np.ascontiguousarray(f), np.ascontiguousarray(bounds))
    if is_open.any():
        known_better(complex_, f, bounds, np.flatnonzero(is_open))
        signs, is_open = signs_beyond(np.ascontiguousarray(f), np.ascontiguousarray(bounds))
        # A bound of zero says that f vanishes on the whole region.
        uncertain = np.flatnonzero(is_open & (bounds != 0))
        if not uncertain.size:
            return f, signs, bounds
        signs[uncertain] = [sign(value) for _, value in exact_values(complex_, uncertain)]
    return f, signs, bounds


def known_better(
    complex_: Cells,
    f: NDArray[np.float64],
    bounds: NDArray[np.float64],
    vertices: NDArray[np.int64],
) -> None:
    """Compute f at some vertices by the maps of regions around them, with smaller bounds.

    Parameters
    ----------
    complex_ : Cells
    f, bounds : (n_0,) ndarrays
        From `values_and_signs`; the entries of the vertices are replaced.
    vertices : (n,) ndarray of int64
    """
    for here, maps in _maps_at_vertices(complex_, vertices):
        with np.errstate(over="ignore", invalid="ignore"):  # decided exactly
            f[here], bounds[here] = _values(
                maps,
                complex_.vertices[here],
                complex_.vertex_errors[here],
                complex_.domain.magnitude,
            )


def output_values(complex_: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all outputs at every vertex, computed on one region around it, and error bounds.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    values, bounds : (n_0, n_outputs) ndarrays of float64
        A bound is infinite where floats tell nothing.

    Examples
    --------
    >>> import relutopo as rt
    >>> line = rt.decompose(([[[1.0], [-2.0]]], [[0.0, 0.5]]), rt.Box(-1, 1), enumerator="exact")
    >>> values, bounds = output_values(line)
    >>> values.tolist(), bool((bounds < 1e-14).all())
    ([[-1.0, 2.5], [1.0, -1.5]], True)
    """
    magnitude = complex_.domain.magnitude
    shape = complex_.n_cells[0], complex_.network.n_outputs
    values, bounds = np.zeros(shape), np.full(shape, np.inf)
    try:
        for here, maps in _maps_at_vertices(complex_, np.arange(shape[0])):
            with np.errstate(over="ignore", invalid="ignore"):
                for i in range(shape[1]):
                    one = AffineMaps(maps.planes[..., i : i + 1], maps.errors[:, i : i + 1])
                    values[here, i], bounds[here, i] = _values(
                        one, complex_.vertices[here], complex_.vertex_errors[here], magnitude
                    )
    except FloatRangeError:  # as networks of graphs say that floats cannot bound their errors
        bounds[:] = np.inf
    bounds[~(np.isfinite(values) & np.isfinite(bounds))] = np.inf
    return values, bounds


def _maps_at_vertices(
    complex_: Cells, vertices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], AffineMaps]]:
    """Iterate over vertices, some at once, with the outputs' maps on a region around each."""
    network, home = complex_.network, _homes(complex_)
    width = max(network.n_neurons + 1, network.n_outputs)
    step = max(1, _NUMBERS_AT_ONCE // (width * (network.input_dim + 1)))
    for i in range(0, len(vertices), step):
        here = vertices[i : i + step]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is decided exactly
            maps = network.affine_maps(
                len(network.layer_sizes),
                complex_.patterns[home[here]],
                complex_.domain.magnitude,
            )
        yield here, maps


def exact_values(complex_: Cells, vertices: Iterable[int]) -> list[tuple[Integers, int]]:
    """Return vertices and f there exactly.

    Parameters
    ----------
    complex_ : Cells
    vertices : iterable of int

    Returns
    -------
    list of pairs
        The point (X, W) in the sense of `relutopo.arithmetic.exact`, and f times W times a positive
        factor that all vertices share.
    """
    network, home = complex_.network, _homes(complex_)
    corners = complex_.cell_vertices(complex_.dim - 1)
    pairs = []
    for vertex in vertices:
        region = int(home[vertex])
        maps = network.exact_maps(complex_.patterns[region], len(network.layer_sizes) + 1)
        f = maps[-1][0] if network.n_outputs == 1 else maps[-1][1] - maps[-1][0]
        point = exact_vertex(complex_, region, int(vertex), maps, corners)
        pairs.append((point, f @ point))
    return pairs


def _homes(complex_: Cells) -> NDArray[np.int32]:
    """Return a region around every vertex."""
    homes = np.arange(complex_.n_regions, dtype=np.int32)
    for n_faces, (indptr, faces) in zip(
        complex_.n_cells[-2::-1], complex_.facets[::-1], strict=True
    ):
        of_cells, homes = homes, np.zeros(n_faces, dtype=np.int32)
        homes[faces] = np.repeat(of_cells, np.diff(indptr))
    return homes


def _values(
    maps: AffineMaps,
    x: NDArray[np.float64],
    deviations: NDArray[np.float64],
    magnitude: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return f at points, each by its own map, and bounds of the errors; zero where f is."""
    planes, errors = maps.planes[..., -1], maps.errors[:, -1]
    if maps.planes.shape[2] == 2:
        planes = planes - maps.planes[..., 0]
        rounding = UNIT_ROUNDOFF * np.abs(planes) @ np.append(magnitude, 1.0)
        errors = 1.01 * (errors + maps.errors[:, 0] + rounding)
    terms = planes * np.append(x, np.ones((len(x), 1)), axis=1)
    slopes = np.abs(planes[:, :-1]).sum(axis=1)
    size, limit = np.abs(terms).sum(axis=1), float(magnitude.min())
    bounds = bound_of_value(np, size, slopes, errors, deviations, limit, x.shape[1])
    bounds[(slopes == 0.0) & (planes[:, -1] == 0.0) & (errors == 0.0)] = 0.0
    return terms.sum(axis=1), bounds

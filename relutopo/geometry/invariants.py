"""The invariants of a cell complex, for tests, benchmarks and everybody's enumerators.

The Euler characteristic does not reveal sliver cells that rounding makes up: a complex with
them is still a ball. Distinct patterns, and the network's own pattern at an interior point of each
region, do.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy import sparse

from relutopo.errors import InvariantError
from relutopo.geometry.complex import CellComplex
from relutopo.geometry.exact import Integers, homogeneous_points, to_float
from relutopo.geometry.exact_vertices import exact_vertex
from relutopo.geometry.patterns import pattern_keys

__all__ = ["check"]

_VOLUME_TOLERANCE = 1e-9
_N_VERTICES = 16
"""Of how many vertices the errors are looked at."""
_MOST_REFINED = 1000
"""How many vertices are computed exactly before volumes are called wrong."""


def check(complex_: CellComplex) -> None:
    """Check every invariant of a complex.

    Shapes fit; ∂∂ = 0 over Z/2; Euler characteristic 1; every (d-1)-cell has two regions, or one
    and a side of the domain; volumes add up to the domain's within 1e-9 relative, or within what
    the rounding of vertices explains; patterns are distinct; the network's pattern at an interior
    point of each region is the region's. Where rounding makes the float interior point useless, as
    in a sliver, an exact one is computed from the region's facets. Vertices are within their errors
    of the exact ones; this is looked at for some of them, those with the largest errors first.

    Parameters
    ----------
    complex_ : CellComplex

    Raises
    ------
    InvariantError
        On the first broken invariant; the message names it and the cell.
    """
    _check_shapes(complex_)
    d = complex_.dim
    for k in range(2, d + 1):
        twice = complex_.boundary(k - 1).astype(np.int64) @ complex_.boundary(k).astype(np.int64)
        odd = np.flatnonzero(twice.data % 2)
        if odd.size:
            cell = int(twice.tocoo().col[odd[0]])
            raise InvariantError(f"∂∂ is not zero at the {k}-cell {cell}")
    euler = sum((-1) ** k * n for k, n in enumerate(complex_.n_cells))
    if euler != 1:
        raise InvariantError(f"the Euler characteristic is {euler}, a ball has 1")
    _check_sides(complex_)
    _check_volumes(complex_)
    keys, counts = np.unique(pattern_keys(complex_.packed_patterns), return_counts=True)
    if len(keys) < complex_.n_regions:
        twins = np.flatnonzero(pattern_keys(complex_.packed_patterns) == keys[counts > 1][0])
        raise InvariantError(f"regions {twins[0]} and {twins[1]} have the same pattern")
    _check_patterns(complex_)
    _check_vertices(complex_, _N_VERTICES)


def _check_shapes(complex_: CellComplex) -> None:
    n_cells, d = complex_.n_cells, complex_.dim
    n_bytes = -(-complex_.network.n_neurons // 8)
    if len(complex_.facets) != d or complex_.domain.dim != d:
        raise InvariantError(
            f"vertices have {d} coordinates, but there are facets up to dimension "
            f"{len(complex_.facets)} and a domain of dimension {complex_.domain.dim}"
        )
    if complex_.vertex_errors.shape != n_cells[:1] or not (complex_.vertex_errors >= 0).all():
        raise InvariantError(
            f"vertex errors have shape {complex_.vertex_errors.shape}, expected {n_cells[:1]}, and "
            "none negative or NaN"
        )
    if complex_.packed_patterns.shape != (n_cells[-1], n_bytes):
        raise InvariantError(
            f"packed patterns have shape {complex_.packed_patterns.shape}, "
            f"expected {(n_cells[-1], n_bytes)}"
        )
    if complex_.facet_labels.shape != (n_cells[-2],):
        raise InvariantError(
            f"facet labels have shape {complex_.facet_labels.shape}, expected {(n_cells[-2],)}"
        )
    for k, (indptr, indices) in enumerate(complex_.facets, start=1):
        if np.diff(indptr).min() < k + (k == 1):
            raise InvariantError(f"a {k}-cell has fewer facets than a simplex")
        if indices.min() < 0 or indices.max() >= n_cells[k - 1]:
            raise InvariantError(f"a {k}-cell has a facet that does not exist")


def _check_sides(complex_: CellComplex) -> None:
    _, facets = complex_.facets[-1]
    n_regions = np.bincount(facets, minlength=complex_.n_cells[-2])
    expected = np.where(complex_.facet_labels < 0, 1, 2)
    wrong = np.flatnonzero(n_regions != expected)
    if wrong.size:
        cell = int(wrong[0])
        raise InvariantError(
            f"the {complex_.dim - 1}-cell {cell} with label {complex_.facet_labels[cell]} has "
            f"{n_regions[cell]} regions instead of {expected[cell]}"
        )


def _check_volumes(complex_: CellComplex) -> None:
    total, expected = float(complex_.volumes.sum()), complex_.domain.volume
    slack = _VOLUME_TOLERANCE * expected
    if abs(total - expected) > slack:
        # Vertices that are off may turn slivers over, and far from the origin all of them are off:
        # round them anew, relative to the first.
        refined = _check_vertices(complex_, _MOST_REFINED)
        points = homogeneous_points(complex_.vertices)
        for vertex, point in refined.items():
            points[vertex] = point
        first = points[0]
        points = points * first[-1] - np.append(first[:-1], 0) * points[:, -1:]
        near = replace(complex_, vertices=np.array([to_float(point) for point in points]))
        total = float(near.volumes.sum())
        # What is still rounded moves facets, each between two regions.
        rounded = near if len(refined) == len(points) else complex_
        step = np.spacing(np.abs(rounded.vertices)).max() * np.sqrt(complex_.dim)
        slack += 2 * step * near.facet_measures.sum()
    if abs(total - expected) > slack:
        raise InvariantError(f"region volumes add up to {total}, the domain has {expected}")


def _check_patterns(complex_: CellComplex) -> None:
    patterns = complex_.patterns
    signs = complex_.network.signs(complex_.interior_points)
    for region in np.flatnonzero(((signs > 0) != patterns).any(axis=1)).tolist():
        point = _exact_interior_point(complex_, region)
        *hidden, _ = complex_.network.exact_preactivations(point[None])
        exact = np.concatenate(hidden, axis=1)[0] > 0
        wrong = np.flatnonzero(exact != patterns[region])
        if wrong.size:
            raise InvariantError(
                f"neuron {wrong[0]} is {'on' if exact[wrong[0]] else 'off'} inside region {region},"
                " whose pattern says otherwise"
            )


def _check_vertices(complex_: CellComplex, n: int) -> dict[int, Integers]:
    """Check up to n vertices, those with the largest errors first; return their exact points."""
    points = {}
    corners = complex_.cell_vertices(complex_.dim - 1)
    regions = sparse.csc_array(complex_.cell_vertices(complex_.dim))
    for vertex in np.argsort(-complex_.vertex_errors, kind="stable")[:n].tolist():
        region = int(regions.indices[regions.indptr[vertex]])
        maps = complex_.network.exact_maps(
            complex_.patterns[region], len(complex_.network.layer_sizes)
        )
        points[vertex] = exact_vertex(complex_, region, vertex, maps, corners)
        *exact, scale = points[vertex].tolist()
        off = max(
            abs(Fraction(x) - Fraction(number, scale))
            for x, number in zip(complex_.vertices[vertex].tolist(), exact, strict=True)
        )
        if off > complex_.vertex_errors[vertex]:
            raise InvariantError(
                f"vertex {vertex} is off by {float(off):.2e}, more than its error "
                f"{complex_.vertex_errors[vertex]:.2e}"
            )
    return points


def _exact_interior_point(complex_: CellComplex, region: int) -> Integers:
    """Return a convex combination of all of a region's vertices, exactly."""
    network = complex_.network
    maps = network.exact_maps(complex_.patterns[region], len(network.layer_sizes))
    corners = complex_.cell_vertices(complex_.dim - 1)
    first, *others = complex_.region_vertices(region).tolist()
    middle = exact_vertex(complex_, region, first, maps, corners)
    for vertex in others:  # the midpoint of X / W and Y / V is (X V + Y W) / (2 W V)
        point = exact_vertex(complex_, region, vertex, maps, corners)
        middle = middle * point[-1] + point * middle[-1]
    return middle

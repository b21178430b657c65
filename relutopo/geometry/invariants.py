"""The invariants of a cell complex, for tests, benchmarks and enumerators of other people.

The Euler characteristic does not reveal sliver cells that rounding makes up: a complex with
them is still a ball. Distinct patterns, and the network's own pattern at an interior point of each
region, do.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import sparse

from relutopo.arithmetic.exact import Integers, homogeneous_points, to_float
from relutopo.errors import InvariantError
from relutopo.geometry.cells import Cells, EnumerationRecord
from relutopo.geometry.patterns import pattern_keys
from relutopo.geometry.vertices import exact_vertex

__all__ = ["check", "check_arrays"]

_VOLUME_TOLERANCE = 1e-9
_N_VERTICES = 16
"""Of how many vertices the errors are looked at."""
_MOST_REFINED = 1000
"""How many vertices are computed exactly before volumes are called wrong."""


def check(complex_: Cells) -> None:
    """Check every invariant of a complex.

    Arrays fit together; ∂∂ = 0 over Z/2; Euler characteristic 1; every (d-1)-cell has two regions,
    or one and a side of the domain; volumes add up to the domain's within 1e-9 relative, or within
    what the rounding of vertices explains; patterns are distinct; the network's pattern at an
    interior point of each region is the region's. Where rounding makes the float interior point
    useless, as in a sliver, an exact one is computed from the region's facets. Vertices are within
    their errors of the exact ones; this is looked at for some of them, those with the largest
    errors first.

    Parameters
    ----------
    complex_ : Cells

    Raises
    ------
    InvariantError
        On the first broken invariant; the message names it and the cell.
    """
    check_arrays(complex_)
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


def check_arrays(complex_: Cells) -> None:
    """Check that the arrays of a complex fit together and to its network and its domain.

    This is the part of `check` that computes nothing.

    Parameters
    ----------
    complex_ : Cells

    Raises
    ------
    InvariantError
        On the first array that does not fit.
    """
    network, domain = complex_.network, complex_.domain
    arrays: list[tuple[str, Any, str, int]] = [
        ("vertices", complex_.vertices, "float64", 2),
        ("vertex errors", complex_.vertex_errors, "float64", 1),
        ("packed patterns", complex_.packed_patterns, "uint8", 2),
        ("facet labels", complex_.facet_labels, "int", 1),
    ]
    for k, (indptr, indices) in enumerate(complex_.facets, start=1):
        arrays += [(f"indptr of {k}-cells", indptr, "int", 1)]
        arrays += [(f"facets of {k}-cells", indices, "int", 1)]
    for name, array, kind, n_axes in arrays:
        is_array = isinstance(array, np.ndarray)
        if not is_array or not array.dtype.name.startswith(kind) or array.ndim != n_axes:
            found = f"{array.dtype} of shape {array.shape}" if is_array else type(array).__name__
            raise InvariantError(
                f"{name} are {found}, expected an array of {kind} with {n_axes} axes"
            )
    if not isinstance(complex_.record, EnumerationRecord):
        raise InvariantError(f"the record is {complex_.record!r}, expected an EnumerationRecord")
    n_cells, d = complex_.n_cells, complex_.dim
    if not len(complex_.facets) == domain.dim == network.input_dim == d:
        raise InvariantError(
            f"vertices have {d} coordinates, but there are facets up to dimension "
            f"{len(complex_.facets)}, a domain of dimension {domain.dim} and a network of "
            f"{network.input_dim} inputs"
        )
    if min(n_cells) < 1:
        raise InvariantError(f"there are no {int(np.argmin(n_cells))}-cells")
    finite = np.isfinite(complex_.vertices).all(axis=1)
    if not finite.all():
        vertex = int(np.argmin(finite))
        raise InvariantError(f"vertex {vertex} is at {complex_.vertices[vertex].tolist()}")
    errors = complex_.vertex_errors
    if errors.shape != n_cells[:1] or not ((errors >= 0) & (errors < np.inf)).all():
        raise InvariantError(
            f"vertex errors have shape {errors.shape}, expected {n_cells[:1]}, and none negative, "
            "infinite or NaN"
        )
    packed, n_neurons = complex_.packed_patterns, network.n_neurons
    if packed.shape != (n_cells[-1], -(-n_neurons // 8)):
        raise InvariantError(
            f"packed patterns have shape {packed.shape}, "
            f"expected {(n_cells[-1], -(-n_neurons // 8))}"
        )
    if n_neurons % 8 and (padded := packed[:, -1] >> n_neurons % 8 != 0).any():
        raise InvariantError(
            f"the packed pattern of region {np.argmax(padded)} has bits beyond the {n_neurons} "
            "neurons"
        )
    labels, n_sides = complex_.facet_labels, len(domain.halfspaces()[1])
    if labels.shape != (n_cells[-2],):
        raise InvariantError(f"facet labels have shape {labels.shape}, expected {(n_cells[-2],)}")
    unknown = np.flatnonzero((labels < -n_sides) | (labels >= n_neurons))
    if unknown.size:
        raise InvariantError(
            f"the {d - 1}-cell {unknown[0]} has label {labels[unknown[0]]}, but there are "
            f"{n_neurons} neurons and {n_sides} sides"
        )
    for k, (indptr, indices) in enumerate(complex_.facets, start=1):
        if indptr[0] != 0 or indptr[-1] != len(indices):
            raise InvariantError(
                f"indptr of {k}-cells run from {indptr[0]} to {indptr[-1]}, expected 0 to "
                f"{len(indices)}"
            )
        if np.diff(indptr).min() < k + (k == 1):
            raise InvariantError(f"a {k}-cell has fewer facets than a simplex")
        if indices.min() < 0 or indices.max() >= n_cells[k - 1]:
            raise InvariantError(f"a {k}-cell has a facet that does not exist")


def _check_sides(complex_: Cells) -> None:
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


def _check_volumes(complex_: Cells) -> None:
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


def _check_patterns(complex_: Cells) -> None:
    patterns = complex_.patterns
    signs = complex_.network.signs(complex_.interior_points)
    for region in np.flatnonzero(((signs > 0) != patterns).any(axis=1)).tolist():
        point = _exact_interior_point(complex_, region)
        *hidden, _ = complex_.network.exact_preactivations(point[None])
        exact = np.concatenate(hidden, axis=1)[0] > 0
        wrong = np.flatnonzero(exact != patterns[region])
        if wrong.size:
            (name,) = complex_.network.names_of(wrong[:1])
            state = "on" if exact[wrong[0]] else "off"
            raise InvariantError(
                f"neuron {name} (layer, unit) is {state} inside region {region}, whose pattern "
                "says otherwise"
            )


def _check_vertices(complex_: Cells, n: int) -> dict[int, Integers]:
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


def _exact_interior_point(complex_: Cells, region: int) -> Integers:
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

"""What is checked of a network on a domain, against slow or other computations."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import relutopo as rt
from relutopo.testing import assert_same_complex
from tests.campaign import oracles
from tests.campaign.cases import NetworkCase
from tests.campaign.framework import Clock, check

SIDE = 4.0 * np.finfo(float).eps


def decomposed(case: NetworkCase, clock: Clock, **options: Any) -> rt.CellComplex:
    """Decompose a case, and say how long that should take."""
    complex_ = clock(rt.decompose, case.network(), case.where(), **options)
    neurons = sum(map(len, case.biases))
    # A millisecond to begin with, and microseconds a cell and neuron; signs that are decided in
    # integers take longer.
    predicted = 2e-3 + 2e-5 * sum(complex_.n_cells) + 2e-6 * complex_.n_regions * neurons
    clock.predict(predicted + 2e-4 * complex_.record.n_uncertain)
    assert complex_.record.status == "certified"
    return complex_


def restricted(case: NetworkCase) -> tuple[list[Any], list[Any]]:
    """Return weights and biases as functions of the domain's coordinates, in fractions."""
    weights: list[Any] = [[[Fraction(x) for x in row] for row in w] for w in case.weights]
    biases: list[Any] = [[Fraction(x) for x in b] for b in case.biases]
    if case.domain[0] == "slice":
        _, origin, basis, *_ = case.domain
        first = weights[0]
        biases[0] = [
            b + sum(w * Fraction(x) for w, x in zip(row, origin, strict=True))
            for row, b in zip(first, biases[0], strict=True)
        ]
        columns = [list(map(Fraction, column)) for column in zip(*basis, strict=True)]
        weights[0] = [
            [sum(w * x for w, x in zip(row, column, strict=True)) for column in columns]
            for row in first
        ]
    return weights, biases


def sides(case: NetworkCase) -> list[oracles.Plane]:
    """Return what is not negative on the domain."""
    shape, *parts = case.domain
    if shape == "polytope":
        return [(*(-Fraction(x) for x in row), Fraction(b)) for row, b in zip(*parts, strict=True)]
    low, high = parts[-2:]
    planes: list[oracles.Plane] = []
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        unit = [Fraction(int(j == i)) for j in range(len(low))]
        planes.append((*unit, -Fraction(a)))
        planes.append((*(-x for x in unit), Fraction(b)))
    return planes


def in_fractions(case: NetworkCase) -> oracles.Complex:
    """Return the complex of a case as the slow computation finds it."""
    return oracles.regions(*restricted(case), sides(case))


def exactly(point: NDArray[np.float64]) -> oracles.Point:
    """Return a point in fractions."""
    return tuple(map(Fraction, point.tolist()))


def same_regions(complex_: rt.CellComplex, slow: oracles.Complex) -> list[int]:
    """Check that the patterns are those of the slow computation; return the order of regions."""
    assert complex_.n_cells == slow.n_cells, f"{complex_.n_cells} cells, {slow.n_cells} are right"
    number = {region.pattern: i for i, region in enumerate(slow.regions)}
    patterns = list(map(tuple, complex_.patterns.tolist()))
    assert set(patterns) == set(number), "other patterns than by brute force"
    return [number[pattern] for pattern in patterns]


@check("brute force")
def brute_force(case: NetworkCase, clock: Clock) -> None:
    """Cells, patterns, corners, volumes and neighbours against fractions."""
    complex_, slow = decomposed(case, clock), in_fractions(case)
    order = same_regions(complex_, slow)
    incidence = complex_.cell_vertices(complex_.dim)
    facets, owners = (
        complex_.facets[-1][1],
        np.repeat(np.arange(complex_.n_regions), np.diff(complex_.facets[-1][0])),
    )
    surfaces = np.bincount(owners, complex_.facet_measures[facets], complex_.n_regions)
    for region, other in enumerate(order):
        own = incidence.indices[incidence.indptr[region] : incidence.indptr[region + 1]]
        right = sorted(slow.regions[other].corners)
        assert len(own) == len(right), f"region {region} has {len(own)} corners, not {len(right)}"
        found = {v: exactly(complex_.vertices[v]) for v in own.tolist()}
        for v, point in found.items():
            error = Fraction(float(complex_.vertex_errors[v]))
            off = min(max(abs(x - y) for x, y in zip(point, c, strict=True)) for c in right)
            assert off <= error, f"vertex {v} is off by {float(off)}, its bound is {float(error)}"
        volume = float(slow.volume(slow.regions[other]))
        errors = float(complex_.vertex_errors[own].max())
        spacing = float(np.spacing(np.abs(complex_.vertices[own]).max()))
        slack = 1e-9 * volume + 4 * (errors + 8 * spacing) * (surfaces[region] + errors)
        off_volume = abs(float(complex_.volumes[region]) - volume)
        assert off_volume <= slack, f"region {region} has volume {volume}, off by {off_volume}"
    edges = {tuple(sorted(around)) for around in slow.faces[-2].values() if len(around) == 2}
    rank = np.array(order)
    graph = {tuple(sorted(rank[edge].tolist())) for edge in complex_.dual_graph().edges}
    assert graph == edges, "other neighbours than by brute force"
    complex_.check()


@check("exact enumerator")
def exact_enumerator(case: NetworkCase, clock: Clock) -> None:
    """Cell by cell against the enumerator that uses integers only."""
    complex_ = decomposed(case, clock)
    complex_.check()
    exact = rt.decompose(case.network(), case.where(), enumerator="exact")
    assert_same_complex(complex_, exact, tolerance=1.0)  # within the bounds of their errors


@check("neurons in another order")
def neurons_in_another_order(case: NetworkCase, clock: Clock) -> None:
    """The same cells whatever the order of neurons, and powers of two that cancel."""
    complex_ = decomposed(case, clock)
    rng = np.random.default_rng(len(case.points) + complex_.n_regions)
    weights = [np.array(w, dtype=float) for w in case.weights]
    biases = [np.array(b, dtype=float) for b in case.biases]
    columns, start = [], 0
    for layer in range(len(weights) - 1):
        order = rng.permutation(len(biases[layer]))
        scale = 2.0 ** rng.integers(-3, 4, len(order))
        weights[layer] = weights[layer][order] * scale[:, None]
        biases[layer] = biases[layer][order] * scale
        weights[layer + 1] = weights[layer + 1][:, order] / scale
        columns.append(start + order)
        start += len(order)
    other = rt.decompose((weights, biases), case.where())
    assert other.n_cells == complex_.n_cells, f"{other.n_cells} cells, {complex_.n_cells} before"
    moved = complex_.patterns[:, np.concatenate(columns)] if columns else complex_.patterns
    assert sorted(moved.tolist()) == sorted(other.patterns.tolist()), "other patterns"


@check("location")
def location(case: NetworkCase, clock: Clock) -> None:
    """Points of all sorts: in the region of their pattern, on a facet, or outside."""
    complex_, slow = decomposed(case, clock), in_fractions(case)
    order = same_regions(complex_, slow)
    rng = np.random.default_rng(complex_.n_regions)
    corners = complex_.vertices[rng.integers(complex_.n_cells[0], size=4)]
    ends = complex_.vertices[complex_.facets[0][1].reshape(-1, 2)]
    middles = ends[rng.integers(len(ends), size=4)].mean(axis=1)
    steps = np.nextafter(corners, rng.choice([-np.inf, np.inf], corners.shape))
    points = np.concatenate([corners, middles, steps, complex_.interior_points[:4]])
    if case.points:
        points = np.concatenate([points, np.array(case.points)])
    found = clock(complex_.locate, points)
    for point, region in zip(points, found.tolist(), strict=True):
        around = slow.around(exactly(point))
        if len(around) == 1:
            right = order.index(around[0])
        else:
            right = rt.ON_BOUNDARY if around else rt.OUTSIDE
        assert region == right, f"the point {point.tolist()} is in {region}, not in {right}"


@check("affine maps")
def affine_maps(case: NetworkCase, clock: Clock) -> None:
    """Outputs on each region against fractions, and against a forward pass."""
    complex_, slow = decomposed(case, clock), in_fractions(case)
    order = same_regions(complex_, slow)
    slopes, offsets = complex_.output_maps()
    magnitude = [*map(Fraction, complex_.domain.magnitude.tolist()), Fraction(1)]
    sizes = _sizes(case)
    for region, other in enumerate(order):
        for unit, plane in enumerate(slow.regions[other].outputs):
            row = [*slopes[region, unit].tolist(), float(offsets[region, unit])]
            off = sum(
                abs(Fraction(x) - y) * m for x, y, m in zip(row, plane, magnitude, strict=True)
            )
            assert off <= Fraction(1, 10**9) * sizes[unit], f"output {unit} of region {region}"


def _sizes(case: NetworkCase) -> list[Fraction]:
    """Return how large each output, and what it is a sum of, may become."""
    magnitude = [Fraction(x) for x in case.where().magnitude.tolist()]
    weights, biases = restricted(case)
    for w, b in zip(weights, biases, strict=True):
        magnitude = [
            abs(s) + sum(abs(x) * m for x, m in zip(row, magnitude, strict=True))
            for row, s in zip(w, b, strict=True)
        ]
    return magnitude


@check("neighbours")
def neighbours(case: NetworkCase, clock: Clock) -> None:
    """Both dual graphs against a comparison of all pairs."""
    complex_ = decomposed(case, clock)
    by_facet, by_pattern = (clock(complex_.dual_graph, a) for a in ("facet", "hamming"))
    patterns = complex_.patterns.astype(np.int64)
    differing = np.abs(patterns[:, None] - patterns[None]).sum(axis=2)
    right = np.argwhere(np.triu(differing == 1))
    assert by_pattern.edges.tolist() == right.tolist(), "pairs that differ in one neuron"
    pairs = complex_.facet_regions[complex_.facet_labels >= 0]
    assert sorted(pairs.tolist()) == by_facet.edges.tolist(), "pairs that share a facet"
    labels = oracles.components(complex_.n_regions, by_facet.edges.tolist())
    assert set(labels) == {0}, "regions of a convex set are connected"


@check("search of regions")
def search_of_regions(case: NetworkCase, clock: Clock) -> None:
    """Regions and neighbours that a search finds against the complex."""
    complex_ = decomposed(case, clock)
    found = rt.search_regions(case.network(), case.where())
    number = {tuple(pattern): i for i, pattern in enumerate(complex_.patterns.tolist())}
    order = [number.get(tuple(pattern)) for pattern in found.patterns.tolist()]
    assert None not in order, "a region that is not there"
    if found.status == "complete":
        assert len(order) == complex_.n_regions, "not all regions, and called complete"
    edges = {tuple(sorted((order[u], order[v]))) for u, v in found.graph.edges}
    right = set(map(tuple, complex_.dual_graph().edges.tolist()))
    assert edges <= right, "neighbours that are none"
    if found.status == "complete":
        assert edges == right, "not all neighbours, and called complete"


@check("decision boundary")
def decision_boundary(case: NetworkCase, clock: Clock) -> None:
    """Components and holes of {f = 0} against those of its cells in fractions."""
    complex_, slow = decomposed(case, clock), in_fractions(case)
    same_regions(complex_, slow)
    boundary = clock(rt.decision_boundary, complex_)
    values: dict[oracles.Point, Fraction] = {}
    for region in slow.regions:
        *first, last = region.outputs
        plane = tuple(a - b for a, b in zip(last, first[0], strict=True)) if first else last
        values |= {corner: oracles.at(plane, corner) for corner in region.corners}
    cells: list[list[frozenset[Any]]] = [[] for _ in range(slow.dim + 1)]
    for k, level in enumerate(slow.faces):
        for face in level:
            signs = {(values[c] > 0) - (values[c] < 0) for c in face}
            if signs == {0}:
                cells[k].append(face)
            elif {1, -1} <= signs:
                cells[k - 1].append(face)
    assert boundary.n_cells == tuple(map(len, cells)), f"{boundary.n_cells} cells"
    betti = clock(rt.betti_numbers, boundary)
    euler = sum((-1) ** k * len(level) for k, level in enumerate(cells))
    assert sum((-1) ** k * b for k, b in enumerate(betti)) == euler, "the Euler characteristic"
    # Cells of {f = 0} touch where the faces that they lie in do: those that contain one another.
    every = [face for level in cells for face in level]
    touching = [
        (i, j)
        for i, a in enumerate(every)
        for j, b in enumerate(every)
        if i < j and (a < b or b < a)
    ]
    n_parts = len(set(oracles.components(len(every), touching)))
    assert betti[0] == n_parts, f"{betti[0]} components, {n_parts} are right"


@check("classes")
def classes(case: NetworkCase, clock: Clock) -> None:
    """The cells of three classes, of which all tie where two do, against those in fractions."""
    complex_, slow = decomposed(case, clock), in_fractions(case)
    same_regions(complex_, slow)
    # The outputs f, -f and 0, or both outputs and the first again.
    last, bias = np.array(case.weights[-1]), np.array(case.biases[-1])
    signs = [[1.0], [-1.0], [0.0]] if len(last) == 1 else [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    network = rt.ReluNetwork(
        [*map(np.array, case.weights[:-1]), signs @ last], [*case.biases[:-1], signs @ bias]
    )
    found = clock(rt.decompose(network, case.where()).decision)
    values: dict[oracles.Point, Fraction] = {}
    for region in slow.regions:
        first, *others = region.outputs
        plane = tuple(a - b for a, b in zip(first, others[0], strict=True)) if others else first
        values |= {corner: oracles.at(plane, corner) for corner in region.corners}
    cells = np.zeros((3, slow.dim + 1), dtype=int)  # where class 0 wins, where class 1 does, ties
    for k, level in enumerate(slow.faces):
        for face in level:
            at_corners = {(values[c] > 0) - (values[c] < 0) for c in face}
            cells[0, k] += 1 in at_corners
            cells[1, k] += -1 in at_corners
            cells[2, k] += at_corners == {0}
            cells[2, k - 1] += {1, -1} <= at_corners
    ties = [[True] * 3, [True, False, len(last) == 2], [False, True, False]]
    for k, greatest in enumerate(found.refined.greatest):
        for count, kind in zip(cells[[2, 0, 1], k].tolist(), ties, strict=True):
            n = int((greatest == kind).all(axis=1).sum())
            assert n == count, f"{n} cells of dimension {k} with {kind}, {count} are right"
        assert len(greatest) == cells[:, k].sum(), "cells with other greatest outputs"
    euler = sum((-1) ** k * n for k, n in enumerate(found.refined.n_cells))
    assert euler == 1, f"the Euler characteristic is {euler}"
    if len(last) == 1:  # the first of two outputs, twice, ties wherever it wins
        assert rt.betti_numbers(found.boundary) == rt.betti_numbers(rt.decision_boundary(complex_))


@check("persistence")
def persistence(case: NetworkCase, clock: Clock) -> None:
    """Pairs of a filtration by both reducers against a naive reduction."""
    complex_ = decomposed(case, clock)
    names = ("layer_depth", "abs_output", "margin", "output", "random_closure", "random_extension")
    name = names[sum(complex_.n_cells) % len(names)]
    filtration = rt.filtration(complex_, name, seed=complex_.n_regions)
    matrix = complex_.boundary_matrix(filtration)
    columns = np.split(matrix.indices, matrix.indptr[1:-1])
    right = oracles.naive_reduction([column.tolist() for column in columns])
    for reducer in ("z2", "phat"):
        found = clock(rt.persistence, complex_, filtration, reducer=reducer)
        pairs = [tuple(pair) for pair in found.reduction.pairs.tolist()]
        assert (pairs, found.reduction.essential.tolist()) == right, f"pairs of {reducer} by {name}"
        for k in range(complex_.dim + 1):
            assert not np.isnan(found.total_persistence(k))
            curve = found.betti_curve(k, "index")
            assert curve(len(columns)) == (k == 0), "a convex set has no holes"


@check("measures")
def measures(case: NetworkCase, clock: Clock) -> None:
    """Volumes add up, and centroids and interior points lie within."""
    complex_ = decomposed(case, clock)
    complex_.check()
    volumes, total = clock(lambda: complex_.volumes), case.where().volume
    errors = float(complex_.vertex_errors.max()) + 8 * float(
        np.spacing(np.abs(complex_.vertices).max())
    )
    slack = 1e-9 * total + 4 * errors * float(complex_.facet_measures.sum())
    assert abs(volumes.sum() - total) <= slack, f"{volumes.sum()} of {total}"
    for points in (complex_.centroids, complex_.interior_points):
        low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
        assert np.all((points >= low - errors) & (points <= high + errors)), "outside the domain"
    owner, corners = complex_.triangulation(complex_.dim)
    assert set(owner.tolist()) == set(range(complex_.n_regions))
    assert corners.shape[1] == complex_.dim + 1


@check("canonical order")
def canonical_order(case: NetworkCase, clock: Clock) -> None:
    """The same arrays, whatever the numbers of cells were."""
    complex_ = decomposed(case, clock)
    once = clock(complex_.canonical)
    twice = once.canonical()
    for a, b in zip(_arrays(once), _arrays(twice), strict=True):
        assert np.array_equal(a, b), "the canonical order is not the canonical one"
    once.check()
    assert sorted(map(tuple, once.patterns.tolist())) == list(
        map(tuple, complex_.patterns[np.lexsort(complex_.patterns.T[::-1])].tolist())
    )
    assert_same_complex(complex_, once)


def _arrays(complex_: rt.CellComplex) -> list[NDArray[Any]]:
    own: list[NDArray[Any]] = [complex_.vertices, complex_.vertex_errors, complex_.packed_patterns]
    return [*own, complex_.facet_labels, *(part for lists in complex_.facets for part in lists)]


@check("stored and read")
def stored_and_read(case: NetworkCase, clock: Clock) -> None:
    """Complex, network and domain after a round trip through files."""
    complex_ = decomposed(case, clock)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "complex.npz"
        rt.save_complex(path, complex_)
        other = rt.load_complex(path)
        rt.save_network(path, complex_.network)
        network = rt.load_network(path)
    for a, b in zip(_arrays(complex_), _arrays(other), strict=True):
        assert a.dtype == b.dtype, "another type"
        assert np.array_equal(a, b), "another array"
    assert repr(other.domain) == repr(complex_.domain), "another domain"
    points = complex_.vertices[:5]
    for copy in (other.network, network):
        assert np.array_equal(copy(points), complex_.network(points)), "another network"
    other.check()


@check("meshes and graphs for others")
def exported(case: NetworkCase, clock: Clock) -> None:
    """What other programs read is what was written."""
    import meshio
    import networkx

    complex_ = decomposed(case, clock)
    graph = complex_.dual_graph()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.graphml"
        rt.save_graphml(path, graph, {"number": np.arange(graph.n_nodes)})
        read = networkx.read_graphml(path)
        edges = sorted(tuple(sorted((int(u), int(v)))) for u, v in read.edges)
        assert edges == list(map(tuple, graph.edges.tolist())), "edges"
        assert [read.nodes[str(i)]["number"] for i in range(graph.n_nodes)] == list(
            range(graph.n_nodes)
        )
        if complex_.dim > 3:
            return
        suffix = (".vtu", ".vtk")[graph.n_nodes % 2]
        rt.save_mesh(Path(folder) / f"mesh{suffix}", complex_)
        mesh = meshio.read(Path(folder) / f"mesh{suffix}")
        assert np.array_equal(mesh.points[:, : complex_.dim], complex_.vertices), "points"
        regions = np.concatenate([np.ravel(part) for part in mesh.cell_data["region"]])
        assert set(regions.astype(int).tolist()) == set(range(complex_.n_regions)), "regions"


@check("data and partition")
def data_and_partition(case: NetworkCase, clock: Clock) -> None:
    """Counts of points, the Fiedler value, and the agreement, each computed anew."""
    complex_ = decomposed(case, clock)
    graph, points = complex_.dual_graph(), np.array(case.points)
    regions = complex_.locate(points)
    part = clock(rt.fiedler_partition, graph, points)
    counts = [int(np.sum(regions == r)) for r in range(graph.n_nodes)]
    assert part.counts.tolist() == counts, "the numbers of points in regions"
    assert part.n_outside == np.sum(regions == rt.OUTSIDE)
    assert part.n_on_boundary == np.sum(regions == rt.ON_BOUNDARY)
    laplacian = np.zeros((graph.n_nodes, graph.n_nodes))
    for u, v in graph.edges.tolist():
        laplacian[[u, v], [u, v]] += 1
        laplacian[[u, v], [v, u]] -= 1
    root = 1 / np.sqrt(1.0 + np.array(counts))
    values, vectors = np.linalg.eigh(root[:, None] * laplacian * root)
    assert abs(part.value - values[1]) <= 1e-6 * values[1], f"{part.value}, not {values[1]}"
    regions = _settled(case, complex_, part.sides, points, regions)
    used = regions >= 0
    found = clock(part.agreement, points, case.labels)
    labels = (np.array(case.labels) == max(case.labels))[used]
    right = _accuracy(part.sides[regions[used]], labels)
    assert abs(found.accuracy - right) <= 1e-12, f"accuracy {found.accuracy}, not {right}"
    assert found.n_used == used.sum()
    assert found.accuracy_least - 1e-12 <= right <= found.accuracy_greatest + 1e-12
    # Any vector of the eigenspace that LAPACK finds has an accuracy within the interval.
    space = root[:, None] * vectors[:, 1:][:, values[1:] <= values[1] * (1 + 1e-8)]
    assert part.multiplicity == space.shape[1], f"{part.multiplicity}-fold, not {space.shape[1]}"
    if part.multiplicity <= 2:
        rng = np.random.default_rng(graph.n_nodes)
        for _ in range(8):
            vector = space @ rng.standard_normal(space.shape[1])
            accuracy = _accuracy(np.sign(vector)[regions[used]], labels)
            least, greatest = found.accuracy_least, found.accuracy_greatest
            assert least - 1e-12 <= accuracy <= greatest + 1e-12, (
                f"accuracy {accuracy} of an eigenvector, beyond {least} to {greatest}"
            )


def _settled(
    case: NetworkCase,
    complex_: rt.CellComplex,
    sides: NDArray[np.int8],
    points: NDArray[np.float64],
    regions: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the region of each point, the first of those around it if they are all on one side."""
    between = np.flatnonzero(regions == rt.ON_BOUNDARY)
    if not len(between):
        return regions
    slow, settled = in_fractions(case), regions.copy()
    order = same_regions(complex_, slow)
    for i in between.tolist():
        around = sorted(order.index(region) for region in slow.around(exactly(points[i])))
        if abs(sum(sides[around].tolist())) == len(around):
            settled[i] = around[0]
    return settled


def _accuracy(sides: NDArray[Any], labels: NDArray[np.bool_]) -> float:
    """Return the accuracy up to the flip; what is on the cut counts half."""
    agree = float(np.mean(np.where(sides == 0, 0.5, (sides > 0) == labels)))
    return max(agree, 1 - agree)


@check("whole space")
def whole_space(case: NetworkCase, clock: Clock) -> None:
    """The regions of the whole space are those of a far larger box."""
    space = clock(rt.decompose_whole_space, case.network())
    box = space.complex.domain
    assert isinstance(box, rt.Box)
    middle, reach = (box.low + box.high) / 2, (box.high - box.low) * 64
    large = rt.decompose(
        case.network(), rt.Box((middle - reach).tolist(), (middle + reach).tolist())
    )
    own, more = (set(map(tuple, c.patterns.tolist())) for c in (space.complex, large))
    assert own == more, f"{len(own)} regions, {len(more)} in a larger box"
    assert space.unbounded.any()
    space.complex.check()

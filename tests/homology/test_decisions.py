"""Where which output is greatest: against clipping in fractions, finer complexes, grids."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import dist
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage, sparse

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.vertices import exact_vertex
from relutopo.networks.graph import Affine, Kink
from relutopo.networks.perceptron import relu_nodes

Point: TypeAlias = tuple[Fraction, Fraction]
Polygon: TypeAlias = list[Point]
Plane: TypeAlias = list[Fraction]
KINDS = ("normal", "integers", "equal outputs", "constant differences", "decades", "dead")


def network_of(kind: str, widths: Sequence[int], seed: int) -> rt.ReluNetwork:
    rng = np.random.default_rng(seed)
    shapes = [(m, n) for n, m in pairwise(widths)]
    if kind == "integers":  # outputs are equal at vertices, on edges and on regions
        weights = [rng.integers(-2, 3, size=shape).astype(float) for shape in shapes]
        biases = [rng.integers(-1, 2, size=m).astype(float) for m, _ in shapes]
    else:
        weights = [rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in shapes]
        biases = [0.5 * rng.standard_normal(m) for m, _ in shapes]
    copied = rng.integers(0, widths[-1], size=widths[-1])
    if kind == "equal outputs":
        weights[-1], biases[-1] = weights[-1][copied], biases[-1][copied]
    if kind == "constant differences":
        weights[-1] = weights[-1][copied]
    if kind == "decades":
        weights = [w * 10.0 ** rng.integers(-6, 7, size=(len(w), 1)) for w in weights]
        biases = [b * 10.0 ** rng.integers(-6, 7, size=len(b)) for b in biases]
        weights[-1], biases[-1] = weights[-1] + 1e9, biases[-1] - 1e9
    if kind == "dead":  # where the last neurons are off, several outputs are equal
        biases[-1] = rng.integers(0, 2, size=widths[-1]).astype(float)
    return rt.ReluNetwork(weights, biases)


# The same in fractions: polygons cut by one line after another.


def at(plane: Plane, point: Point) -> Fraction:
    return plane[0] * point[0] + plane[1] * point[1] + plane[2]


def clipped(polygon: Polygon, plane: Plane) -> Polygon:
    """The part of a convex polygon, a segment or a point where a plane is not negative."""
    found: Polygon = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        at_a, at_b = at(plane, a), at(plane, b)
        if at_a >= 0:
            found.append(a)
        if at_a * at_b < 0:
            t = at_a / (at_a - at_b)
            found.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
    return list(dict.fromkeys(found))


def area(polygon: Polygon) -> Fraction:
    around = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum((a[0] * b[1] - a[1] * b[0] for a, b in around), Fraction(0))) / 2


def negative(plane: Plane) -> Plane:
    return [-x for x in plane]


def minus(first: Plane, second: Plane) -> Plane:
    return [x - y for x, y in zip(first, second, strict=True)]


def pieces_of(network: rt.ReluNetwork, half: int) -> list[tuple[Polygon, list[Plane]]]:
    """The regions of a network on a square, with the outputs there."""
    side = Fraction(half)
    square = [(-side, -side), (side, -side), (side, side), (-side, side)]
    identity = [[Fraction(i == j) for j in range(3)] for i in range(2)]
    pieces = [(square, identity)]
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        cut = []
        for polygon, inputs in pieces:
            planes = []
            for row, bias in zip(weights.tolist(), biases.tolist(), strict=True):
                terms = [
                    [Fraction(w) * x for x in plane] for w, plane in zip(row, inputs, strict=True)
                ]
                plane = [sum(column, Fraction(0)) for column in zip(*terms, strict=True)]
                plane[2] += Fraction(bias)
                planes.append(plane)
            if layer == len(network.weights) - 1:
                cut.append((polygon, planes))
                continue
            parts: list[tuple[Polygon, list[Plane]]] = [(polygon, [])]
            for plane in planes:
                halves = [
                    (clipped(part, signed), [*active, plane if on else [Fraction(0)] * 3])
                    for part, active in parts
                    for signed, on in ((plane, True), (negative(plane), False))
                ]
                parts = [(part, active) for part, active in halves if area(part) > 0]
                # A plane that vanishes on a part leaves it twice.
                parts = list({tuple(part): (part, active) for part, active in parts}.values())
            cut += parts
        pieces = cut
    return pieces


class Clipped:
    """Areas, lengths and Betti numbers of the decision, by clipping in fractions."""

    def __init__(self, network: rt.ReluNetwork, half: int) -> None:
        pieces = pieces_of(network, half)
        n = network.n_outputs
        self.areas = [Fraction(0)] * n
        self.parts: list[list[Polygon]] = [[] for _ in range(n)]
        self.n_crossed = self.n_cells = 0
        self.lengths = np.zeros((n, n))
        self.has_walls_on_sides = False
        for polygon, planes in pieces:
            left, classes = area(polygon), 0
            for i in range(n):
                part = polygon
                for j in range(n):
                    part = clipped(part, minus(planes[i], planes[j])) if part else part
                if part:
                    self.parts[i].append(part)
                # The first of several equal outputs takes the area.
                if (size := area(part)) > 0 and planes[i] not in planes[:i]:
                    self.areas[i] += size
                    left -= size
                    classes += 1
            assert left == 0
            self.n_cells += classes
            self.n_crossed += classes > 1
            for i, j in combinations(range(n), 2):
                along = clipped(polygon, minus(planes[i], planes[j]))
                along = clipped(along, minus(planes[j], planes[i])) if along else along
                for k in range(n):
                    along = clipped(along, minus(planes[i], planes[k])) if along else along
                if len(along) == 2:
                    self.has_walls_on_sides |= any(
                        (v - y) * (x - p) == (u - x) * (y - q)
                        for (x, y), (u, v) in zip(polygon, polygon[1:] + polygon[:1], strict=True)
                        for p, q in [tuple((s + t) / 2 for s, t in zip(*along, strict=True))]
                    )
                    a, b = ([float(x) for x in end] for end in along)
                    self.lengths[i, j] += dist(a, b)
        self.lengths += self.lengths.T

    def betti(self, class_: int) -> tuple[int, int, int]:
        """Of a union of convex sets that meet in common faces, by its Euler characteristic."""
        parts = self.parts[class_]
        vertices = sorted({point for part in parts for point in part})
        edges = set()
        for part in parts:
            if len(part) < 2:
                continue
            for a, b in zip(part, part[1:] + part[:1], strict=True):
                (x, y), (u, v) = a, b
                within = [
                    (p, q)
                    for p, q in vertices
                    if (u - x) * (q - y) == (v - y) * (p - x)
                    and min(x, u) <= p <= max(x, u)
                    and min(y, v) <= q <= max(y, v)
                ]
                edges |= set(pairwise(sorted(within)))
        root = {vertex: vertex for vertex in vertices}

        def find(vertex: Point) -> Point:
            while root[vertex] != vertex:
                root[vertex] = root[root[vertex]]
                vertex = root[vertex]
            return vertex

        for a, b in [*edges, *(pair for part in parts for pair in pairwise(part))]:
            root[find(a)] = find(b)
        components = sum(root[vertex] == vertex for vertex in vertices)
        full = {tuple(sorted(part)) for part in parts if area(part) > 0}
        return components, components - (len(vertices) - len(edges) + len(full)), 0


def check(found: rt.Decision, complex_: rt.CellComplex) -> None:
    """What every decision satisfies."""
    refined = found.refined
    for k in range(2, refined.dim + 1):
        twice = refined.boundary(k - 1).astype(int) @ refined.boundary(k).astype(int)
        assert not (twice.data % 2).any()
    assert sum((-1) ** k * n for k, n in enumerate(refined.n_cells)) == 1
    n_beside = np.bincount(refined.facets[-1][1], minlength=refined.n_cells[-2])
    assert set(n_beside.tolist()) <= {1, 2}
    assert refined.volumes.sum() == pytest.approx(complex_.domain.volume, rel=1e-9)
    inside = np.bincount(found.region_of, weights=refined.volumes)
    np.testing.assert_allclose(inside, complex_.volumes, atol=1e-9 * complex_.domain.volume)
    for k, (greatest, origins) in enumerate(zip(refined.greatest, refined.origins, strict=True)):
        assert greatest.any(axis=1).all()
        assert (origins[:, 0] >= k).all()
        keys = np.concatenate([origins, greatest], axis=1)
        assert len(np.unique(keys, axis=0)) == len(keys)  # each convex set is one cell
        if k:  # on a face at least the outputs are greatest that are around it
            indptr, faces = refined.facets[k - 1]
            cells = np.repeat(np.arange(len(greatest)), np.diff(indptr))
            assert (refined.greatest[k - 1][faces] >= greatest[cells]).all()
            assert np.diff(indptr).min() >= k + (k == 1)
    np.testing.assert_array_equal(np.sort(np.unique(found.region_of)), range(complex_.n_regions))
    np.testing.assert_array_equal(found.classes, refined.greatest[-1].argmax(axis=1))


@pytest.mark.slow
@examples(100)
@given(st.sampled_from(KINDS), st.integers(3, 10), st.integers(0, 10**6))
def test_areas_lengths_and_betti_numbers_are_those_of_clipping(
    kind: str, n_outputs: int, seed: int
) -> None:
    network = network_of(kind, (2, 4, 3, n_outputs), seed)
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=2), enumerator="exact")
    found, right = complex_.decision(), Clipped(network, 2)
    check(found, complex_)
    np.testing.assert_allclose(found.volumes, np.array(right.areas, dtype=float), atol=1e-9)
    assert found.refined.n_regions == right.n_cells
    assert found.crossed.sum() == right.n_crossed
    assert found.betti_numbers() == tuple(right.betti(i) for i in range(n_outputs))
    # Clipping counts a wall on a side of two regions twice, and one of equal outputs as theirs.
    if kind in ("normal", "decades") and not right.has_walls_on_sides:
        np.testing.assert_allclose(found.measures, right.lengths, atol=1e-7)


# The same from a finer complex: the differences of all outputs as one more layer.


def with_differences(network: rt.ReluNetwork) -> rt.GraphNetwork:
    n = network.n_outputs
    rows = np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in combinations(range(n), 2)])
    nodes = relu_nodes(network)
    outputs = len(nodes)
    nodes.append(Affine((outputs,), (rows,), np.zeros(len(rows))))
    nodes.append(Kink(outputs + 1, np.ones(len(rows)), np.zeros(len(rows))))
    nothing = np.zeros((n, len(rows)))
    nodes.append(Affine((outputs, outputs + 2), (np.eye(n), nothing), np.zeros(n)))
    return rt.GraphNetwork(network.input_dim, nodes)


def cells_by_signs(
    network: rt.ReluNetwork, domain: rt.Domain
) -> tuple[list[int], NDArray[np.float64], list[tuple[int, ...]]]:
    """Number of cells by dimension, volumes, and Betti numbers of the classes."""
    finer = rt.decompose(with_differences(network), domain, enumerator="exact")
    n_layers = len(finer.network.layer_sizes)
    corners = finer.cell_vertices(finer.dim - 1)
    around = sparse.csc_array(finer.cell_vertices(finer.dim))
    sides = domain.side_planes()
    signs, values = [], []
    for vertex in range(finer.n_cells[0]):
        region = int(around.indices[around.indptr[vertex]])
        maps = finer.network.exact_maps(finer.patterns[region], n_layers)
        point = exact_vertex(finer, region, vertex, maps, corners)
        *hidden, _, outputs = finer.network.exact_preactivations(point[None])
        z = np.concatenate([*(layer[0] for layer in hidden), sides @ point])
        signs.append((z > 0).astype(int) - (z < 0))
        values.append(outputs[0] == outputs[0].max())
    # A k-cell has the sign that some of its vertices have, and the outputs that all have.
    n = network.n_outputs
    dims: dict[tuple[bytes, bytes], int] = {}
    closed: list[list[NDArray[np.bool_]]] = [[] for _ in range(n)]
    for k in range(finer.dim + 1):
        incidence = finer.cell_vertices(k)
        greatest = np.zeros((finer.n_cells[k], n), dtype=bool)
        for cell, row in enumerate(np.split(incidence.indices, incidence.indptr[1:-1])):
            inside = np.sign(np.array(signs)[row].sum(axis=0)).astype(np.int8)
            greatest[cell] = np.array(values)[row].all(axis=0)
            dims[inside.tobytes(), greatest[cell].tobytes()] = k
        for i in range(n):
            closed[i].append(greatest[:, i])
    n_cells = np.bincount(list(dims.values()), minlength=finer.dim + 1).tolist()
    classes = greatest.argmax(axis=1)
    volumes = np.bincount(classes, weights=finer.volumes, minlength=n).astype(np.float64)
    betti = [rt.betti_numbers(Part(finer, chosen)) for chosen in closed]
    return n_cells, volumes, betti


class Part:
    """Some cells of a complex, with all of their faces."""

    def __init__(self, cells: rt.CellComplex, chosen: list[NDArray[np.bool_]]) -> None:
        self.n_cells = tuple(int(part.sum()) for part in chosen)
        facets = []
        for k in range(1, cells.dim + 1):
            part = sparse.csc_array(cells.boundary(k)[chosen[k - 1], :][:, chosen[k]])
            facets.append((part.indptr.astype(np.int64), part.indices.astype(np.int32)))
        self.facets = tuple(facets)


@examples(60)
@given(
    st.sampled_from([(1, 4, 3, 3), (1, 5, 6), (2, 3, 5), (3, 3, 2, 4), (3, 3, 3), (4, 2, 3)]),
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
)
def test_cells_volumes_and_betti_numbers_are_those_of_a_finer_complex(
    widths: tuple[int, ...], kind: str, seed: int
) -> None:
    network = network_of(kind, widths, seed)
    box = rt.Box(-2, [1.5 + i / 4 for i in range(widths[0])])
    complex_ = rt.decompose(network, box, enumerator="exact")
    found = complex_.decision()
    check(found, complex_)
    n_cells, volumes, betti = cells_by_signs(network, box)
    assert found.refined.n_cells == tuple(n_cells)
    np.testing.assert_allclose(found.volumes, volumes, atol=1e-9 * box.volume)
    assert found.betti_numbers() == tuple(betti)


@examples(40)
@given(
    st.sampled_from([(1, 5, 1), (2, 4, 3, 1), (2, 4, 3, 2), (3, 4, 1), (3, 3, 2, 2), (4, 2, 2)]),
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
)
@example((3, 3, 2, 2), "decades", 7348)  # ends of edges whose values nearly cancel
def test_of_two_classes_it_is_the_decision_boundary(
    widths: tuple[int, ...], kind: str, seed: int
) -> None:
    network = network_of(kind, widths, seed)
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=widths[0]), enumerator="exact")
    found, boundary = complex_.decision(), rt.decision_boundary(complex_)
    check(found, complex_)
    assert found.boundary.n_cells == boundary.n_cells
    assert rt.betti_numbers(found.boundary) == rt.betti_numbers(boundary)
    for ours, theirs in ((found.boundary, boundary), (boundary, found.boundary)):
        if len(ours.vertices):
            gaps = np.linalg.norm(ours.vertices[:, None] - theirs.vertices, axis=2).min(axis=1)
            assert gaps.max() < 1e-7
    lengths = [
        np.linalg.norm(b.segments[:, 1] - b.segments[:, 0], axis=1)
        for b in (found.boundary, boundary)
    ]
    np.testing.assert_allclose(np.sort(lengths[0]), np.sort(lengths[1]), atol=1e-7)
    values = network.decision_values(found.refined.interior_points)
    clear = np.abs(values) > 1e-9 * np.abs(network(complex_.vertices)).max()
    np.testing.assert_array_equal(found.classes[clear], values[clear] > 0)


@pytest.mark.parametrize(("d", "n_outputs"), [(2, 3), (2, 10), (3, 3), (3, 10)])
def test_volumes_and_classes_on_a_grid(d: int, n_outputs: int) -> None:
    network = random_network([d, 8, 6, n_outputs], n_outputs, bias=0.5)
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=d), enumerator="cpu")
    found = complex_.decision()
    check(found, complex_)
    steps = 400 if d == 2 else 60
    axis = (np.arange(steps) + 0.5) * 4 / steps - 2
    grid = np.stack(np.meshgrid(*[axis] * d), axis=-1).reshape(-1, d)
    shares = np.bincount(network(grid).argmax(axis=1), minlength=n_outputs) / len(grid)
    np.testing.assert_allclose(found.volumes / 4**d, shares, atol=0.003)
    inside = found.refined.interior_points
    np.testing.assert_array_equal(network(inside).argmax(axis=1), found.classes)
    np.testing.assert_array_equal(complex_.locate(inside), found.region_of)


def test_the_same_from_all_enumerators() -> None:
    network = random_network([2, 10, 8, 5], 3, bias=0.5)
    fast, exact = (
        rt.decompose(network, rt.Box(-2, 2, dim=2), enumerator=name).canonical().decision()
        for name in ("cpu", "exact")
    )
    for a, b in zip(fast.refined.facets, exact.refined.facets, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_array_equal(fast.classes, exact.classes)
    np.testing.assert_allclose(fast.measures, exact.measures, atol=1e-12)
    assert fast.refined.n_exact == 0


def test_one_class_around_two_others_in_the_plane() -> None:
    """The outputs 0, 1 - |x - a| and 0.5 - |x - b| in the 1-norm: two diamonds, apart."""
    a, b = np.array([-1.0, -0.3]), np.array([1.0, 0.4])
    rows = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=float)
    first, biases = np.concatenate([rows, rows]), np.concatenate([-rows @ a, -rows @ b])
    last = np.zeros((3, 8))
    last[1, :4] = last[2, 4:] = -1.0
    network = rt.ReluNetwork([first, last], [biases, [0.0, 1.0, 0.5]])
    complex_ = rt.decompose(network, rt.Box(-3, 3, dim=2), enumerator="exact")
    found = complex_.decision()
    np.testing.assert_allclose(found.volumes, [36 - 2.5, 2.0, 0.5])
    assert found.betti_numbers() == ((1, 2, 0), (1, 0, 0), (1, 0, 0))
    assert rt.betti_numbers(found.boundary) == (2, 2, 0)
    assert found.pairs.tolist() == [[0, 1], [0, 2]]
    expected = 4 * np.sqrt(2) * np.array([[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]])
    np.testing.assert_allclose(found.measures, expected)
    lengths = np.linalg.norm(np.diff(found.segments(2, 0), axis=1), axis=2)
    assert lengths.sum() == pytest.approx(2 * np.sqrt(2))
    assert len(found.segments(1, 2)) == len(found.triple_points) == 0
    assert found.crossed.sum() == 8
    axis = np.linspace(-2.99, 2.99, 300)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    classes = network(grid).argmax(axis=1).reshape(300, 300)
    assert [ndimage.label(classes == i)[1] for i in range(3)] == [1, 1, 1]


def test_a_shell_around_a_ball_in_space() -> None:
    """The outputs 2 r - 3, r and 1 - r for r = |x| + |y| + |z|: a ball, a shell, the rest."""
    rows = np.concatenate([np.eye(3), -np.eye(3)])
    last = np.outer([2.0, 1.0, -1.0], np.ones(6))
    network = rt.ReluNetwork([rows, last], [np.zeros(6), [-3.0, 0.0, 1.0]])
    complex_ = rt.decompose(network, rt.Box(-4, [4.5, 5, 5.5]), enumerator="exact")
    found = complex_.decision()
    check(found, complex_)
    inner, outer = 4 / 3 * 0.5**3, 4 / 3 * 3.0**3
    np.testing.assert_allclose(
        found.volumes, [complex_.domain.volume - outer, outer - inner, inner]
    )
    assert found.betti_numbers() == ((1, 0, 1, 0), (1, 0, 1, 0), (1, 0, 0, 0))
    assert rt.betti_numbers(found.boundary) == (2, 0, 2, 0)
    sphere = 4 * np.sqrt(3)  # the area of an octahedron of radius 1
    np.testing.assert_allclose(found.measures[1], [9 * sphere, 0.0, sphere / 4])
    assert len(found.meetings) == 0
    assert [len(found.walls(1, i)) for i in (0, 2)] == [8, 8]


def test_three_sectors_of_a_prism() -> None:
    """Three classes meet along an axis of space, which several regions share."""
    angles = 2 * np.pi * np.arange(3) / 3 + 0.2
    sectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # The neuron cuts the axis, and takes no part.
    weights = [np.concatenate([np.eye(3), -np.eye(3)]), np.zeros((3, 6))]
    weights[1][:, [0, 1]], weights[1][:, [3, 4]] = sectors, -sectors
    network = rt.ReluNetwork(weights, [np.zeros(6), np.zeros(3)])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=3), enumerator="exact")
    found = complex_.decision()
    check(found, complex_)
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert len(found.meetings) == 2  # two edges along the axis
    ends = np.unique(found.refined.facets[0][1].reshape(-1, 2)[found.meetings])
    np.testing.assert_allclose(
        np.sort(found.refined.vertices[ends], axis=0), [[0, 0, -1], [0, 0, 0], [0, 0, 1]]
    )
    assert found.betti_numbers() == ((1, 0, 0, 0),) * 3


# Ties


def test_outputs_that_are_equal_everywhere() -> None:
    network = rt.ReluNetwork([np.eye(2), np.ones((3, 2))], [np.zeros(2), np.zeros(3)])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    found = complex_.decision()
    assert found.refined.n_cells == complex_.n_cells
    assert found.is_tied.all()
    assert found.volumes.tolist() == [4.0, 0.0, 0.0]
    assert found.ties == {(0, 1, 2): 4.0}
    assert not found.crossed.any()
    assert len(found.pairs) == len(found.meetings) == 0
    assert found.boundary.n_cells == complex_.n_cells
    assert found.betti_numbers() == ((1, 0, 0),) * 3


def test_equal_outputs_of_a_graph_are_those_of_the_perceptron() -> None:
    network = network_of("equal outputs", (2, 5, 6), 3)
    graph = rt.GraphNetwork(2, relu_nodes(network))
    assert graph.equal_outputs().tolist() == network.equal_outputs().tolist() != list(range(6))
    kinks = rt.GraphNetwork(2, [*relu_nodes(network), Kink(3, np.ones(6), np.zeros(6))])
    assert kinks.equal_outputs().tolist() == list(range(6))
    box = rt.Box(-2, 2, dim=2)
    found = [rt.decompose(n, box, enumerator="exact").decision() for n in (network, graph, kinks)]
    assert set(found[0].ties) == set(found[1].ties) == {(0, 3), (1, 2)}
    assert found[0].refined.n_cells == found[1].refined.n_cells
    assert found[2].is_tied.any()


def test_outputs_that_are_equal_on_a_cone() -> None:
    """Outputs ReLU(x), ReLU(x) + ReLU(y) and -1: the first two tie where y ≤ 0."""
    network = rt.ReluNetwork(
        [np.eye(2), [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]], [np.zeros(2), [0.0, 0.0, -1.0]]
    )
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    found = complex_.decision()
    assert found.ties == {(0, 1): 2.0}
    np.testing.assert_allclose(found.volumes, [2.0, 2.0, 0.0])
    assert found.measures[0, 1] == 2.0
    assert found.betti_numbers() == ((1, 0, 0), (1, 0, 0), (0, 0, 0))
    assert repr(found) == "Decision(3 classes, 9 + 12 + 4 cells, 2 tied, 0 of 4 regions crossed)"
    assert "volume of ties" in found._repr_html_()


@pytest.mark.parametrize("constant", [0.0, 2.0**-60, -(2.0**-60), 1.0])
def test_outputs_that_differ_by_a_constant(constant: float) -> None:
    """Far below the rounding of values, the sign of a constant is exact."""
    rng = np.random.default_rng(0)
    row, other = 1e3 * rng.standard_normal((2, 5))
    network = rt.ReluNetwork(
        [rng.standard_normal((5, 2)), [row, other, row]],
        [rng.standard_normal(5), [0.0, -1.0, constant]],
    )
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="cpu")
    found = complex_.decision()
    check(found, complex_)
    winner, loser = (2, 0) if constant > 0 else (0, 2)
    assert found.volumes[winner] > 0
    assert found.volumes[loser] == 0
    assert set(found.ties) == ({(0, 2)} if constant == 0 else set())
    assert found.betti_numbers()[loser] == (
        found.betti_numbers()[winner] if constant == 0 else (0, 0, 0)
    )


@pytest.mark.parametrize("seed", range(8))
def test_outputs_that_are_equal_at_a_vertex_that_no_float_has(seed: int) -> None:
    """All outputs are combinations of two kinks, and vanish where these meet."""
    rng = np.random.default_rng(seed)
    kinks = rng.integers(3, 40, size=(2, 2)) * [[1, 1], [1, -1]]
    offsets = rng.integers(1, 3, size=2)
    angles = 2 * np.pi * (np.arange(5) + rng.uniform(-0.3, 0.3, size=5)) / 5
    mixed = np.rint(1000 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    network = rt.ReluNetwork(
        [np.concatenate([kinks, -kinks]), np.concatenate([mixed, -mixed], axis=1)],
        [np.concatenate([offsets, -offsets]), np.zeros(5)],
    )
    complex_ = rt.decompose(network, rt.Box(-3, 3, dim=2), enumerator="cpu")
    found = complex_.decision()
    check(found, complex_)
    np.testing.assert_allclose(found.triple_points, [np.linalg.solve(kinks, -offsets)])
    assert found.refined.greatest[0][found.meetings].all()
    assert found.refined.n_regions == len(complex_.volumes) + 5
    assert found.betti_numbers() == ((1, 0, 0),) * 5


def test_a_class_that_touches_the_maximum_in_one_point() -> None:
    """The outputs |x| + |y| and 0: the second is as great at the origin alone."""
    rows = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    network = rt.ReluNetwork([rows, [[1.0] * 4, [0.0] * 4]], [np.zeros(4), np.zeros(2)])
    found = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact").decision()
    assert found.volumes.tolist() == [4.0, 0.0]
    assert found.boundary.n_cells == (1, 0, 0)
    assert found.betti_numbers() == ((1, 0, 0), (1, 0, 0))
    assert found.measures.sum() == 0
    assert not found.crossed.any()


# Other networks


def test_slices_of_a_convolutional_network() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.LeakyReLU(0.1), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4),
    ).double()  # fmt: skip
    images = 5 * np.random.default_rng(1).standard_normal((4, 1, 4, 4))
    with torch.no_grad():  # outputs that are about as great
        model[-1].bias -= model(torch.tensor(images)).mean(dim=0)
    n_crossed = []
    for points in (images[:2], images[:3], images):
        plane = rt.AffineSlice.through(*points)
        complex_ = rt.decompose(model, plane, enumerator="exact" if len(points) < 4 else "cpu")
        found = complex_.decision()
        check(found, complex_)
        inside = torch.tensor(plane.embed(found.refined.interior_points))
        wide = found.refined.volumes > 1e-9
        np.testing.assert_array_equal(found.classes[wide], model(inside).argmax(dim=1)[wide])
        n_crossed.append(int(found.crossed.sum()))
    assert n_crossed[1] > 5
    assert n_crossed[2] > 20


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("enumerator", ["cpu", "exact"])
def test_outputs_beyond_the_range_of_floats(enumerator: str) -> None:
    """The outputs 1e320 y, 1.5e320 x and 1e320 (5 - x - y) / 2."""
    huge = np.diag([1e160, 1.5e160])
    last = [[0.0, 1e160 / 1.5], [1.5e160, 0.0], [-5e159, -5e159 / 1.5]]
    network = rt.ReluNetwork([huge, last], [np.zeros(2), np.zeros(3)])
    complex_ = rt.decompose(network, rt.Box([1, 1], [2, 2]), enumerator=enumerator)
    found = complex_.decision()
    check(found, complex_)
    # 1.5 x and y, up to the rounding of 1e160 / 1.5; the third is negative.
    assert found.volumes[0] == pytest.approx(1 / 12)
    assert found.volumes[2] == 0
    assert found.refined.n_exact > 0


def test_what_cannot_be_asked() -> None:
    network = random_network([3, 2, 3], 0, bias=0.5)
    found = rt.decompose(network, rt.Box(-1, 1, dim=3), enumerator="exact").decision()
    with pytest.raises(InputError, match=r"`segments` are for domains of dimension 2, got 3"):
        found.segments(0, 1)
    with pytest.raises(InputError, match=r"`triple_points` are for domains of dimension 2, got 3"):
        _ = found.triple_points
    with pytest.raises(InputError, match=r"must be different classes, got 1 twice; look at pairs"):
        found.walls(1, 1)
    with pytest.raises(InputError, match=r"`class_` must be .* 2, got 3; look at n_classes"):
        found.region(3)


def test_it_cannot_be_changed() -> None:
    found = rt.decompose(random_network([2, 4, 3], 0), rt.Box(-1, 1, dim=2)).decision()
    arrays = [found.classes, found.is_tied, found.region_of, found.crossed, found.volumes]
    arrays += [found.measures, found.wall_classes, found.refined.vertices, found.triple_points]
    arrays += [*found.refined.origins, *found.refined.greatest]
    assert not any(array.flags.writeable for array in arrays)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.classes, found.classes)
    assert not again.refined.greatest[0].flags.writeable

"""Hostile networks, domains and data."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import FloatRangeError, InputError, NoFiedlerVectorError, WeightsError
from tests.campaign import network_checks  # noqa: F401 - registers the checks
from tests.campaign.cases import NetworkCase
from tests.campaign.framework import kind

Rng = np.random.Generator
Arrays = list[NDArray[Any]]

SMALL = (
    "brute force",
    "exact enumerator",
    "location",
    "neurons in another order",
    "affine maps",
    "persistence",
    "decision boundary",
    "classes",
    "neighbours",
    "measures",
    "stored and read",
    "canonical order",
    "search of regions",
    "meshes and graphs for others",
)
"""Of networks so small that fractions can follow."""
LARGE = (
    "exact enumerator",
    "neurons in another order",
    "persistence",
    "neighbours",
    "measures",
    "stored and read",
    "canonical order",
)
OFF_SCALE = (
    "brute force",
    "exact enumerator",
    "location",
    "decision boundary",
    "classes",
    "neighbours",
    "search of regions",
)
"""Where floats leave no room for measures."""


def listed(arrays: Arrays) -> list[Any]:
    """Return arrays as lists."""
    return [np.asarray(a, dtype=float).tolist() for a in arrays]


def hidden_sizes(rng: Rng, most: int, depth: int = 3) -> list[int]:
    """Return random widths of at most so many neurons in all."""
    layers = int(rng.integers(1, depth + 1))
    return [int(rng.integers(1, max(2, most // layers) + 1)) for _ in range(layers)]


def gaussian(rng: Rng, sizes: list[int], bias: float = 1.0) -> tuple[Arrays, Arrays]:
    """Return weights and biases of a standard normal distribution."""
    pairs = list(itertools.pairwise(sizes))
    weights = [rng.standard_normal((n, m)) for m, n in pairs]
    return weights, [bias * rng.standard_normal(n) for _, n in pairs]


def sized(rng: Rng, dim: int | None = None, most: int = 8, depth: int = 3) -> list[int]:
    """Return random sizes of a small network."""
    dim = int(rng.integers(1, 4)) if dim is None else dim
    return [
        dim,
        *hidden_sizes(rng, most if dim < 3 else min(most, 6), depth),
        int(rng.integers(1, 3)),
    ]


def box(rng: Rng, dim: int) -> tuple[str, list[float], list[float]]:
    """Return a box with corners in quarters."""
    low = -rng.integers(1, 9, dim) / 4
    return ("box", low.tolist(), (low + rng.integers(2, 12, dim) / 4).tolist())


def case(rng: Rng, weights: Arrays, biases: Arrays, domain: Any = None, n: int = 0) -> NetworkCase:
    """Put a case together, with some points of the unit ball."""
    dim = weights[0].shape[1]
    points = rng.standard_normal((n, dim)).round(3).tolist()
    labels = [*rng.integers(0, 2, max(n - 2, 0)).tolist(), 0, 1] if n else []
    domain = box(rng, dim) if domain is None else domain
    return NetworkCase(listed(weights), listed(biases), domain, points, labels)


@kind("generic", "networks", checks=SMALL)
def generic(rng: Rng) -> NetworkCase:
    return case(rng, *gaussian(rng, sized(rng)), n=4)


@kind("planes an ulp apart", "networks", checks=SMALL)
def ulps_apart(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=6))
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        for row in range(1, len(w)):
            if rng.random() < 0.7:
                w[row] = w[0] * rng.choice([1, -1, 2, 0.1, 3])
                b[row] = b[0] * rng.choice([1, -1, 2, 0.1, 3])
                for array in (w[row], b[row : row + 1]):
                    if rng.random() < 0.7:
                        array[:] = np.nextafter(array, rng.choice([-np.inf, np.inf]))
    return case(rng, weights, biases, n=2)


@kind("planes turned by 1e-16", "networks", checks=SMALL)
def turned(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=6))
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        for row in range(1, len(w)):
            size = 10.0 ** rng.integers(-18, -12)
            w[row] = w[0] + size * rng.standard_normal(w.shape[1])
            b[row] = b[0] + size * rng.choice([0.0, rng.standard_normal()])
    return case(rng, weights, biases, n=2)


@kind("tied, doubled and negated neurons", "networks", checks=SMALL)
def tied(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=7))
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        for row in range(1, len(w)):
            source, factor = rng.integers(row), rng.choice([1.0, -1.0, 2.0, -0.5, 4.0])
            w[row], b[row] = factor * w[source], factor * b[source]
    return case(rng, weights, biases, n=2)


def scaled(rng: Rng, most: int) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=6))
    for w, b in zip(weights, biases, strict=True):
        factors = 10.0 ** rng.integers(-most, most + 1, len(w))
        w *= factors[:, None] if rng.random() < 0.5 else factors[0]
        b *= factors if rng.random() < 0.5 else 10.0 ** rng.integers(-most, most + 1)
    return case(rng, weights, biases, n=2)


@kind("scaled by 1e±8", "networks", checks=OFF_SCALE)
def scaled_by_8(rng: Rng) -> NetworkCase:
    return scaled(rng, 8)


@kind("scaled by 1e±150", "networks", checks=OFF_SCALE, refusals=(FloatRangeError,))
def scaled_by_150(rng: Rng) -> NetworkCase:
    return scaled(rng, 150)


@kind("rows whose squares vanish", "networks", checks=OFF_SCALE, refusals=(FloatRangeError,))
def vanishing_rows(rng: Rng) -> NetworkCase:
    """Neurons of all sizes in one layer, with weights and biases so small that squares are zero."""
    weights, biases = gaussian(rng, sized(rng, most=6))
    for w, b in zip(weights, biases, strict=True):
        factors = 10.0 ** -rng.integers(0, 220, len(w))
        w *= factors[:, None]
        b *= factors * rng.choice([0.0, 1.0, 1e-100], len(b))
    return case(rng, weights, biases, n=2)


@kind("at the ends of the floats", "networks", checks=OFF_SCALE, refusals=(InputError,))
def ends_of_floats(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=5, depth=2))
    ends = [5e-324, -5e-324, 2.2e-308, 1e-300, 1.7e308, -1.7e308, 1e300, 0.0, -0.0, 1.0]
    for array in (*weights, *biases):
        chosen = rng.random(array.shape) < 0.3
        array[chosen] = rng.choice(ends, chosen.sum())
    return case(rng, weights, biases, n=2)


@kind("deep", "networks", checks=LARGE)
def deep(rng: Rng) -> NetworkCase:
    dim, depth = int(rng.integers(1, 3)), int(rng.integers(4, 21))
    sizes = [dim, *rng.integers(1, 4, depth).tolist(), 1]
    weights, biases = gaussian(rng, sizes, bias=0.5)
    return case(rng, weights, biases)


@kind("lattices of maxima and minima", "networks", checks=LARGE)
def lattices(rng: Rng) -> NetworkCase:
    """The maximum of minima of affine functions, as ReLUs write it."""
    dim, n = int(rng.integers(1, 3)), int(rng.choice([2, 4]))
    slopes = rng.integers(-3, 4, (n, dim)).astype(float)
    chosen = slopes[rng.integers(n, size=n)]
    shifts = rng.integers(-2, 3, n) / 2
    weights: Arrays = []
    biases: Arrays = []
    c, d, sign = chosen, shifts, 1.0
    while len(c) > 1:
        half = len(c) // 2
        up, down = np.zeros((3 * half, len(c))), np.zeros((half, 3 * half))
        for i in range(half):  # max(a, b) = relu(a - b) + relu(b) - relu(-b)
            up[3 * i, [2 * i, 2 * i + 1]] = 1, -1
            up[3 * i + 1, 2 * i + 1], up[3 * i + 2, 2 * i + 1] = 1, -1
            down[i, 3 * i : 3 * i + 3] = 1, 1, -1
        weights.append(up @ (sign * c))
        biases.append(up @ (sign * d))
        c, d, sign = sign * down, np.zeros(half), -sign
    return case(rng, [*weights, c], [*biases, d])


@kind(
    "symmetric", "networks", checks=(*SMALL, "data and partition"), refusals=(NoFiedlerVectorError,)
)
def symmetric(rng: Rng) -> NetworkCase:
    """Kinks that a reflection, a swap of axes, or a turn by a third maps onto each other."""
    n = int(rng.integers(1, 3))
    rows, shifts = rng.integers(-2, 3, (n, 2)).astype(float), rng.integers(-2, 3, n) / 4
    choice = rng.integers(3)
    if choice == 0:
        images = [rows, rows * [-1, 1], rows * [1, -1], rows[:, ::-1]]
    elif choice == 1:
        images = [rows, rows[:, ::-1]]
    else:
        third = np.array([[-0.5, -(3**0.5) / 2], [3**0.5 / 2, -0.5]])
        images = [rows, rows @ third, rows @ third @ third]
    weights = [np.concatenate(images), np.ones((1, n * len(images)))]
    biases = [np.tile(shifts, len(images)), np.array([-float(rng.integers(0, 3))])]
    made = case(rng, weights, biases, ("box", [-1.0, -1.0], [1.0, 1.0]))
    quarter = rng.uniform(0, 1, (3, 2)).round(3)
    points = np.concatenate([quarter * [a, b] for a in (1, -1) for b in (1, -1)])
    points = np.concatenate([points, points[:, ::-1]])
    labels = (points[:, int(rng.integers(2))] > 0).astype(int)
    if labels.all() or not labels.any():
        labels[0] = 1 - labels[0]
    return NetworkCase(made.weights, made.biases, made.domain, points.tolist(), labels.tolist())


@kind("zeros and dead neurons", "networks", checks=SMALL)
def zeros(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=7), bias=float(rng.integers(0, 2)))
    for w, b in zip(weights, biases, strict=True):
        w[rng.random(w.shape) < 0.4] = 0.0
        w[rng.random(len(w)) < 0.3] = -0.0
        b[rng.random(len(b)) < 0.4] = 0.0
        dead = rng.random(len(b)) < 0.2
        b[dead] = -1e3
    return case(rng, weights, biases, n=2)


@kind("integers", "networks", checks=SMALL)
def integers(rng: Rng) -> NetworkCase:
    sizes = sized(rng, most=7)
    weights = [rng.integers(-3, 4, w.shape).astype(float) for w in gaussian(rng, sizes)[0]]
    biases = [rng.integers(-3, 4, len(w)).astype(float) for w in weights]
    points = rng.integers(-2, 3, (4, sizes[0])).astype(float).tolist()
    made = case(rng, weights, biases)
    return NetworkCase(made.weights, made.biases, made.domain, points, [0, 1, 0, 1])


@kind("dyadic", "networks", checks=SMALL)
def dyadic(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=7))
    step = 2.0 ** -rng.integers(0, 4)
    return case(
        rng,
        [np.round(w / step) * step for w in weights],
        [np.round(b / step) * step for b in biases],
        n=2,
    )


@kind("ternary", "networks", checks=SMALL)
def ternary(rng: Rng) -> NetworkCase:
    weights = [rng.integers(-1, 2, w.shape).astype(float) for w in gaussian(rng, sized(rng))[0]]
    biases = [rng.integers(-1, 2, len(w)).astype(float) for w in weights]
    return case(rng, weights, biases, n=2)


@kind("half precision", "networks", checks=SMALL)
def half_precision(rng: Rng) -> NetworkCase:
    """Weights rounded to 11 or 8 bits, as float16 and bfloat16 have."""
    weights, biases = gaussian(rng, sized(rng))
    bits = int(rng.choice([8, 11, 24]))

    def rounded(array: NDArray[np.float64]) -> NDArray[np.float64]:
        mantissa, exponent = np.frexp(array)
        return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent)

    return case(rng, [*map(rounded, weights)], [*map(rounded, biases)], n=2)


@kind("one input", "networks", checks=SMALL)
def one_input(rng: Rng) -> NetworkCase:
    return case(rng, *gaussian(rng, sized(rng, dim=1, most=14, depth=4)), n=4)


@kind("four inputs", "networks", checks=LARGE)
def four_inputs(rng: Rng) -> NetworkCase:
    sizes = [int(rng.integers(3, 5)), *hidden_sizes(rng, 5, 2), 1]
    return case(rng, *gaussian(rng, sizes, bias=float(rng.integers(0, 2))))


@kind("planes of many inputs", "networks", checks=SMALL)
def slices(rng: Rng) -> NetworkCase:
    dim, k = int(rng.integers(3, 12)), int(rng.integers(1, 3))
    weights, biases = gaussian(rng, [dim, *hidden_sizes(rng, 7), 1])
    basis = (
        rng.standard_normal((dim, k)) if rng.random() < 0.7 else rng.integers(-1, 2, (dim, k)) * 1.0
    )
    basis[:k] += 3 * np.eye(k)  # independent
    domain = ("slice", *listed([rng.standard_normal(dim), basis]), [-1.0] * k, [1.0] * k)
    made = case(rng, weights, biases, domain)
    points = rng.uniform(-1, 1, (2, k)).tolist()
    return NetworkCase(made.weights, made.biases, domain, points)


@kind("spaces of rounded directions", "networks", checks=LARGE)
def rounded_spaces(rng: Rng) -> NetworkCase:
    """Planes of small integers that would be equal, or meet in one line, differ by rounding."""
    dim, k = int(rng.integers(4, 9)), int(rng.integers(3, 5))
    sizes = [dim, int(rng.integers(3, 6)), int(rng.integers(2, 4)), 1]
    weights = [rng.integers(-1, 2, (b, a)) * 1.0 for a, b in itertools.pairwise(sizes)]
    biases = [np.round(rng.random() * rng.standard_normal(n)) for n in sizes[1:]]
    directions = rng.integers(-2, 3, (dim, k)) * 1.0
    directions[:k] += 5 * np.eye(k) * (rng.random() < 0.5)
    basis, _ = np.linalg.qr(directions)
    domain = ("slice", *listed([np.zeros(dim), basis]), [-1.0] * k, [1.0] * k)
    made = case(rng, weights, biases, domain)
    return NetworkCase(made.weights, made.biases, domain, rng.uniform(-1, 1, (2, k)).tolist())


@kind("the whole space", "networks", checks=("whole space",), refusals=(InputError,))
def in_whole_space(rng: Rng) -> NetworkCase:
    sizes = sized(rng, dim=int(rng.integers(1, 3)), most=7)
    weights, biases = gaussian(rng, sizes, bias=float(rng.choice([0.0, 1.0, 1e6])))
    if rng.random() < 0.3:
        weights = [np.round(w) for w in weights]
    return case(rng, weights, biases)


@kind("thin boxes", "domains", checks=SMALL)
def thin_boxes(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=6), bias=0.3)
    _, low, high = box(rng, weights[0].shape[1])
    axis = int(rng.integers(len(low)))
    high[axis] = low[axis] + 10.0 ** -rng.integers(3, 13)
    return case(rng, weights, biases, ("box", low, high))


@kind("boxes a few ulps wide", "domains", checks=OFF_SCALE, refusals=(FloatRangeError,))
def ulp_boxes(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=5), bias=0.3)
    dim = weights[0].shape[1]
    low = rng.choice([0.0, 1.0, -1.0, 0.3, 1e-3], dim)
    high = low.copy()
    for axis in range(dim):
        if rng.random() < 0.7:
            for _ in range(int(rng.integers(1, 4))):
                high[axis] = np.nextafter(high[axis], np.inf)
        else:
            high[axis] += 1
    # Kinks through the box, as near to its middle as floats allow.
    middle = low + (high - low) * rng.choice([0.0, 0.5, 1.0])
    biases[0] = -weights[0] @ middle
    return case(rng, weights, biases, ("box", low.tolist(), high.tolist()))


@kind("far from the origin", "domains", checks=OFF_SCALE)
def far_away(rng: Rng) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, most=6))
    dim = weights[0].shape[1]
    low = rng.choice([-1, 1], dim) * 10.0 ** rng.integers(3, 13, dim)
    high = low + 10.0 ** rng.integers(-1, 3, dim)
    biases[0] = -weights[0] @ ((low + high) / 2) + 0.1 * rng.standard_normal(len(biases[0]))
    return case(rng, weights, biases, ("box", low.tolist(), high.tolist()))


def on_polytope(rng: Rng, normals: Any, offsets: Any) -> NetworkCase:
    weights, biases = gaussian(rng, sized(rng, dim=len(normals[0]), most=6))
    return case(rng, weights, biases, ("polytope", *listed([normals, offsets])), n=2)


@kind("polytopes with nearly parallel sides", "domains", checks=SMALL)
def nearly_parallel(rng: Rng) -> NetworkCase:
    dim = int(rng.integers(2, 4))
    normals = np.concatenate([np.eye(dim), -np.eye(dim)])
    offsets = rng.integers(1, 4, 2 * dim) / 2
    chosen = rng.integers(2 * dim, size=2)
    size = 10.0 ** -rng.integers(6, 17)
    normals = np.concatenate([normals, normals[chosen] + size * rng.standard_normal((2, dim))])
    return on_polytope(rng, normals, np.append(offsets, offsets[chosen]))


@kind("polytopes with redundant sides", "domains", checks=SMALL)
def redundant_sides(rng: Rng) -> NetworkCase:
    dim = int(rng.integers(1, 4))
    normals = np.concatenate([np.eye(dim), -np.eye(dim)])
    offsets = rng.integers(1, 4, 2 * dim) / 2
    more = rng.integers(-1, 2, (3, dim)).astype(float)
    more[~more.any(axis=1), 0] = 1.0
    reach = [
        np.maximum(row, 0) @ offsets[:dim] + np.maximum(-row, 0) @ offsets[dim:] for row in more
    ]
    again = 2 * normals[:1], 2 * offsets[:1]
    return on_polytope(
        rng,
        np.concatenate([normals, more, again[0]]),
        np.concatenate([offsets, np.array(reach) + rng.integers(0, 2, 3), again[1]]),
    )


@kind("triangles and needles", "domains", checks=SMALL)
def triangles(rng: Rng) -> NetworkCase:
    dim = int(rng.integers(2, 4))
    stretch = 10.0 ** rng.integers(-6, 1, dim)
    normals = np.concatenate([-np.eye(dim), np.ones((1, dim)) / stretch])
    return on_polytope(rng, normals, np.append(np.zeros(dim), 1.0))


@kind("points on kinks", "data", checks=("location",))
def points_on_kinks(rng: Rng) -> NetworkCase:
    sizes = sized(rng, most=6)
    weights = [rng.integers(-2, 3, w.shape).astype(float) for w in gaussian(rng, sizes)[0]]
    biases = [rng.integers(-2, 3, len(w)) / 2 for w in weights]
    points = rng.integers(-4, 5, (12, sizes[0])) / 4
    made = case(rng, weights, biases)
    return NetworkCase(made.weights, made.biases, made.domain, points.tolist())


@kind(
    "points doubled, crowded and outside",
    "data",
    checks=("location", "data and partition"),
    refusals=(InputError,),
)
def crowded(rng: Rng) -> NetworkCase:
    made = case(rng, *gaussian(rng, sized(rng, most=7)))
    _, low, high = made.domain
    choice = rng.integers(4)
    points = rng.uniform(low, high, (8, len(low)))
    if choice == 0:
        points[:] = points[0]
    elif choice == 1:
        points = np.repeat(points[:2], 40, axis=0)
    elif choice == 2:
        points[2:] += 100.0
    else:
        points = np.concatenate([points, [low], [high]])
    labels = (rng.permutation(len(points)) % 2).tolist()
    return NetworkCase(made.weights, made.biases, made.domain, points.tolist(), labels)


@kind(
    "few points, and integer labels",
    "data",
    checks=("data and partition",),
    refusals=(InputError, WeightsError),
)
def few_points(rng: Rng) -> NetworkCase:
    made = case(rng, *gaussian(rng, sized(rng, most=7)))
    _, low, high = made.domain
    n = int(rng.integers(1, 4))
    points = rng.uniform(low, high, (n, len(low)))
    labels = rng.choice([[0, 1], [-1, 1], [3, 7], [0, 0]][rng.integers(4)], n).tolist()
    return NetworkCase(made.weights, made.biases, made.domain, points.tolist(), labels)

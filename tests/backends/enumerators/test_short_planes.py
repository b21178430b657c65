"""Networks in which many planes meet: decided with short integers, in compiled kernels."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.arithmetic.exact import sign
from relutopo.testing import assert_same_complex

digits = import_module("relutopo.backends.enumerators._planar.integers.digits")
planes = import_module("relutopo.backends.enumerators._planar.integers.planes")

LONG = st.integers(-(2**100), 2**100)


def lattice(seed: int, n: int, groups: int, kind: str) -> rt.ReluNetwork:
    """Return the minimum of the maxima of groups of n affine functions, made of ReLUs."""
    rng = np.random.default_rng(seed)
    functions: Any = rng.standard_normal((n + 1, 3))
    if kind == "dyadic":
        functions = np.round(4 * functions) / 4
    elif kind == "float32":
        functions = functions.astype(np.float32).astype(np.float64)
    chosen = functions[rng.integers(0, len(functions), (groups, n))].reshape(-1, 3)
    c, d = chosen[:, :2], chosen[:, 2]
    weights, biases, width, sense = [], [], n, 1.0
    while len(c) > 1:
        if width == 1:
            sense = -1.0
        half = len(c) // 2
        pair = np.array([[1.0, -1.0], [0.0, 1.0], [0.0, -1.0]])
        first, second = np.kron(np.eye(half), pair), np.kron(np.eye(half), [[1.0, 1.0, -1.0]])
        weights.append(first @ (sense * c))
        biases.append(first @ (sense * d))
        c, d, width = sense * second, np.zeros(half), max(1, width // 2)
    return rt.ReluNetwork([*weights, c], [*biases, d])


def doubled(seed: int, widths: list[int], kind: str) -> rt.ReluNetwork:
    """Return a network whose layers have equal, opposite, scaled, dead and dependent rows."""
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, width in zip([2, *widths], [*widths, 1], strict=True):
        w, b = rng.integers(-2, 3, (width, fan_in)) / 2.0, rng.integers(-2, 3, width) / 2.0
        if kind == "float32":
            w = rng.standard_normal(w.shape).astype(np.float32).astype(np.float64)
        for j in range(1, width):
            i, factor = int(rng.integers(j)), float(rng.choice([0.0, 1.0, -1.0, 2.0, -0.5]))
            if rng.random() < 0.6:
                w[j], b[j] = factor * w[i], factor * b[i]
        if kind == "no biases":
            b[:] = 0.0
        weights.append(w)
        biases.append(b)
    return rt.ReluNetwork(weights, biases)


@given(
    a=st.lists(LONG, min_size=3, max_size=3),
    b=st.lists(LONG, min_size=3, max_size=3),
    c=st.lists(LONG, min_size=3, max_size=3),
    is_dependent=st.booleans(),
)
@examples(60)
def test_signs_are_those_of_determinants(
    a: list[int], b: list[int], c: list[int], is_dependent: bool
) -> None:
    if is_dependent:
        c = [x - y for x, y in zip(a, b, strict=True)]
    numbers = np.array([a, b, c], dtype=object)
    p, q, r = digits.digits_of_integers(numbers, 4)
    point, sums = np.empty((3, 8), np.int64), np.empty(12, np.int64)
    cross = np.cross(numbers[0], numbers[1])
    assert digits.meet(p, q, point) == sign(cross[2])
    assert digits.sign_at(r, point, sums) == sign(cross @ numbers[2])


@given(numbers=st.lists(st.integers(-(2**52), 2**52), min_size=1), exponent=st.integers(0, 24))
@examples(30)
def test_digits_of_floats_are_those_of_integers(numbers: list[int], exponent: int) -> None:
    whole = np.array([number << exponent for number in numbers], dtype=object)
    found = digits.digits_of_floats(whole.astype(np.float64), 4)
    totals = sum(found[:, i].astype(object) << (26 * i) for i in range(4))
    assert totals.tolist() == whole.tolist()


@pytest.mark.parametrize("kind", ["gaussian", "dyadic", "float32"])
@given(seed=st.integers(0, 10**6), sizes=st.sampled_from([(4, 2), (2, 4), (4, 4)]))
@examples(6)
def test_lattices_are_those_of_integers(kind: str, seed: int, sizes: tuple[int, int]) -> None:
    network, box = lattice(seed, *sizes, kind), rt.Box(-1, 1, dim=2)
    assert planes.ShortPlanes.of(network, box) is not None
    ours = rt.decompose(network, box, enumerator="cpu")
    assert_same_complex(rt.decompose(network, box, enumerator="exact"), ours)


@pytest.mark.parametrize("kind", ["dyadic", "no biases", "float32"])
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 8))
@examples(12)
def test_doubled_rows_are_those_of_integers(kind: str, seed: int, depth: int) -> None:
    widths = np.random.default_rng(seed).integers(2, 6, depth).tolist()
    network, box = doubled(seed, widths, kind), rt.Box(-1, 1, dim=2)
    ours = rt.decompose(network, box, enumerator="cpu")
    assert_same_complex(rt.decompose(network, box, enumerator="exact"), ours)


def test_blocks_and_threads_change_nothing() -> None:
    """Small blocks, which pass lines and planes on."""
    tuning = import_module("relutopo.backends.enumerators._planar.tuning")
    enumeration = import_module("relutopo.backends.enumerators._planar.enumeration")
    network, box = lattice(3, 8, 4, "gaussian"), rt.Box(-1, 1, dim=2)
    whole = rt.decompose(network, box, enumerator="cpu")
    small: Any = tuning.Tuning(
        numbers_at_once=64, fewest=4, fewest_at_last=4, room_to_grow=2, wide_first=4, share=2
    )
    split = enumeration.enumerate_planar(network, box, None, None, 2, small)
    assert split.n_cells == whole.n_cells
    assert_same_complex(split, whole)


def test_vertices_have_their_bounds() -> None:
    """Also those of planes that differ by roundings of their weights."""
    network, box = lattice(0, 8, 4, "gaussian"), rt.Box(-1, 1, dim=2)
    ours = rt.decompose(network, box, enumerator="cpu").canonical()
    exact = rt.decompose(network, box, enumerator="exact").canonical()
    off = np.abs(ours.vertices - exact.vertices).max(axis=1)
    assert (off <= ours.vertex_errors + exact.vertex_errors).all()

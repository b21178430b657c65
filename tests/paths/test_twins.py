"""Twins are neurons that vanish together, and no others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from properties import examples
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.paths.twins import twins_of


@given(seed=st.integers(0, 2**32 - 1), is_sparse=st.booleans())
@examples(60)
def test_twins_are_multiples_by_powers_of_two(seed: int, is_sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    distinct = rng.integers(-2, 3, size=(4, 4)).astype(float)
    rows = distinct[rng.integers(4, size=n)] * rng.choice([1, 2, 0.25, -1, -4, 3], size=(n, 1))
    matrix = sparse.csr_array(rows[:, :3]) if is_sparse else rows[:, :3]
    affine = Affine((0,), (matrix,), rows[:, 3])
    found = twins_of(GraphNetwork(3, [affine, Kink(1, np.ones(n), np.zeros(n))]), 0)
    powers = np.ldexp(1.0, np.arange(-8, 9))
    for i, row in enumerate(rows):
        chosen = rows[found.chosen[found.place[i]]]
        assert any((row == found.signs[i] * power * chosen).all() for power in powers)
    for i, first in enumerate(found.chosen):
        for second in found.chosen[:i]:
            factors = np.concatenate([powers, -powers])
            assert not any((rows[first] == f * rows[second]).all() for f in factors)


def test_of_huge_numbers_none_is_lost() -> None:
    rows, bias = np.array([[2.0**1000], [2.0**1000]]), np.array([0.0, 2.0**-300])
    kink = Kink(1, np.ones(2), np.zeros(2))
    found = twins_of(GraphNetwork(1, [Affine((0,), (rows,), bias), kink]), 0)
    assert found.chosen.tolist() == [0, 1]


def test_two_kinks_of_one_value_switch_together() -> None:
    first = Affine((0,), (np.eye(2),), np.zeros(2))
    kinks = Kink(1, np.ones(2), np.zeros(2)), Kink(1, -np.ones(2), np.zeros(2))
    both = Affine((2, 3), (np.eye(2), np.eye(2)), np.zeros(2))
    found = twins_of(GraphNetwork(2, [first, *kinks, both]), 0)
    assert found.place.tolist() == [0, 1, 0, 1]

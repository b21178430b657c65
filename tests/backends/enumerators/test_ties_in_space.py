"""Planes in space that are equal, or equal up to rounding, behind each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError, LimitReachedError
from relutopo.testing import assert_same_complex


@examples(100)
@given(st.integers(0, 2**32 - 1))
def test_integers_on_rounded_directions(seed: int) -> None:
    """Planes that would be equal differ by rounding, so that many signs are decided exactly.

    Neurons that are in general position on all edges, but not on larger cells, are tried twice:
    all at once, and one after the other; no vertex of the first try may stay.
    """
    rng = np.random.default_rng(seed)
    n_inputs, dim = int(rng.integers(4, 9)), int(rng.integers(3, 5))
    sizes = [n_inputs, int(rng.integers(3, 6)), int(rng.integers(2, 4)), 1]
    weights = [rng.integers(-1, 2, (b, a)) * 1.0 for a, b in pairwise(sizes)]
    basis, _ = np.linalg.qr(rng.integers(-2, 3, (n_inputs, dim)) * 1.0)
    space = rt.AffineSlice(np.zeros(n_inputs), basis, rt.Box(-1, 1, dim=dim))
    try:
        found, exact = (
            rt.decompose((weights, [np.zeros(n) for n in sizes[1:]]), space, enumerator=name,
                         max_cells=2000)
            for name in ("cpu", "exact")
        )  # fmt: skip
    except (InputError, LimitReachedError):
        return
    found.check()
    assert_same_complex(found, exact)


def test_pooling_on_rounded_directions() -> None:
    nn = pytest.importorskip("torch").nn
    pools = nn.Unflatten(1, (1, 6)), nn.MaxPool1d(3, stride=1), nn.Flatten()
    network = rt.as_network(nn.Sequential(*pools, nn.Linear(4, 1)), input_shape=(6,))
    directions = [-2, -1, -1, 0, 1, 0], [0, 0, 0, 0, -1, -1], [0, 0, -1, 0, 0, -1]
    space = rt.AffineSlice.through(np.zeros(6), *map(np.array, directions))
    found, exact = (rt.decompose(network, space, enumerator=name) for name in ("cpu", "exact"))
    found.check()
    assert_same_complex(found, exact)

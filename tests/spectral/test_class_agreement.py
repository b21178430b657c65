"""Agreement of parts with classes: against all matchings, and against sides and two classes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from properties import examples
from relutopo.spectral.class_agreement import match

TABLES = arrays.arrays(
    np.int64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 9)
)


@examples(200)
@given(table=TABLES)
def test_no_matching_is_better(table: np.ndarray) -> None:
    n, k = table.shape
    found = match(table)
    used = found[found >= 0]
    assert len(used) == len(set(used)) == min(n, k)
    total = sum(table[row, column] for row, column in enumerate(found) if column >= 0)
    tall = table if n >= k else table.T
    best = max(
        sum(tall[row, column] for column, row in enumerate(rows))
        for rows in permutations(range(len(tall)), tall.shape[1])
    )
    assert total == best

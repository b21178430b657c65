"""Boundary matrices are assembled right, and a wrong one is refused with its first offender."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError
from relutopo.interfaces import BoundaryMatrix


def matrix(columns: Sequence[Sequence[int]], dims: Sequence[int]) -> BoundaryMatrix:
    indptr = np.cumsum([0, *map(len, columns)])
    return BoundaryMatrix(
        indptr, np.array([r for c in columns for r in c], dtype=np.int64), np.array(dims)
    )


TRIANGLE = [[], [], [], [0, 1], [0, 2], [1, 2], [3, 4, 5]]
DIMS = [0, 0, 0, 1, 1, 1, 2]


def test_columns_are_the_facets_in_filtration_order() -> None:
    rng = np.random.default_rng(0)
    net = ([rng.standard_normal((5, 2)), np.ones((1, 5))], [rng.standard_normal(5), [0.0]])
    complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    filtration = rt.filtration(complex_, "random_closure", seed=1)
    boundary = complex_.boundary_matrix(filtration)
    starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
    for j, cell in enumerate(filtration.order):
        k, i = filtration.cell(int(cell))
        rows = boundary.indices[boundary.indptr[j] : boundary.indptr[j + 1]]
        assert boundary.dimensions[j] == k
        if k:
            indptr, facets = complex_.facets[k - 1]
            expected = filtration.positions[starts[k - 1] + facets[indptr[i] : indptr[i + 1]]]
            assert rows.tolist() == sorted(expected.tolist())
        else:
            assert not rows.size
    # What is assembled without verification passes it.
    BoundaryMatrix(boundary.indptr, boundary.indices, boundary.dimensions)


def test_a_matrix_does_not_change_with_the_arrays_that_it_was_made_of() -> None:
    indptr, indices = np.array([0, 0, 0, 2]), np.array([0, 1])
    dimensions = np.array([0, 0, 1], dtype=np.int8)
    edge = BoundaryMatrix(indptr, indices, dimensions)
    for array in (indptr, indices, dimensions):
        array[:] = 1
    assert edge.indptr.tolist() == [0, 0, 0, 2]
    assert edge.indices.tolist() == [0, 1]
    assert edge.dimensions.tolist() == [0, 0, 1]


def test_a_right_matrix_is_taken() -> None:
    triangle = matrix(TRIANGLE, DIMS)
    assert triangle.n_columns == 7
    assert triangle.indices.dtype == np.int64
    assert (triangle.to_sparse().toarray().sum(axis=0) == [0, 0, 0, 2, 2, 2, 3]).all()


def test_a_boundary_that_is_no_cycle() -> None:
    columns = [*TRIANGLE[:6], [3, 4]]
    with pytest.raises(InputError, match=r"∂∂ must be zero.*column 6 whose own.* row 1;"):
        matrix(columns, DIMS)


def test_the_first_of_several_wrong_columns_is_named() -> None:
    columns = [*TRIANGLE, [3], [4, 5]]
    with pytest.raises(InputError, match=r"boundary of column 7 whose own boundary contains row 0"):
        matrix(columns, [*DIMS, 2, 2])


def test_columns_out_of_order() -> None:
    columns = [[], [0, 2], [], [0, 1]]
    with pytest.raises(InputError, match=r"got row 2 in column 1; put the columns in filtration"):
        matrix(columns, [0, 1, 0, 1])
    with pytest.raises(InputError, match="got row 1 in column 1"):
        matrix([[], [1]], [0, 1])
    with pytest.raises(InputError, match="got row -1 in column 1"):
        matrix([[], [-1]], [0, 1])


def test_rows_out_of_order() -> None:
    with pytest.raises(InputError, match=r"rows must ascend.*got 1 then 0 in column 2; sort"):
        matrix([[], [], [1, 0]], [0, 0, 1])
    with pytest.raises(InputError, match=r"distinct.*got 1 then 1 in column 2"):
        matrix([[], [], [1, 1]], [0, 0, 1])


def test_wrong_dimensions() -> None:
    with pytest.raises(InputError, match="row 1 of dimension 0 in column 2 of dimension 2"):
        matrix([[], [], [1]], [0, 0, 2])
    with pytest.raises(InputError, match=r"`dimensions` must be in 0\.\.127, got -1 at column 1"):
        matrix([[], []], [0, -1])
    with pytest.raises(InputError, match=r"one entry for each of the 2 columns, got 1"):
        matrix([[], []], [0])


def test_arrays_that_do_not_fit_together() -> None:
    with pytest.raises(InputError, match=r"`indptr` must go from 0 to the number of entries, 2"):
        BoundaryMatrix(np.array([0, 1]), np.array([0, 1]), np.array([0]))
    with pytest.raises(InputError, match=r"must not decrease, got 2 then 1 at column 1"):
        BoundaryMatrix(np.array([0, 2, 1, 2]), np.array([0, 1]), np.array([0, 0, 1]))
    with pytest.raises(InputError, match=r"`indices` must be a one-dim.*dtype float64; pass the"):
        BoundaryMatrix(np.array([0, 2]), np.array([0.0, 1.0]), np.array([0]))
    with pytest.raises(InputError, match=r"`indices` must be a one-dimensional.*shape \(1, 2\)"):
        BoundaryMatrix(np.array([0, 2]), np.array([[0, 1]]), np.array([0]))

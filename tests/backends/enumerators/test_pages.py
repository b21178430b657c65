"""Arrays that share pages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Pages = import_module("relutopo.backends.enumerators._shared.pages").Pages


@pytest.mark.parametrize("expected", [0, 2**23])
def test_arrays_that_share_pages_have_their_own_entries(expected: int) -> None:
    pages = Pages(expected, at_once=2**16)
    arrays: list[NDArray[Any]] = []
    for n in (0, 1, 7, 5000, 300000, 5000):
        for shape, dtype in (
            ((n,), np.int32), ((n, 3), np.float64), ((0, 2), np.uint64), ((n, 1), np.uint8)
        ):  # fmt: skip
            array = pages.empty(shape, dtype)
            assert array.shape == shape
            assert array.dtype == dtype
            assert array.flags.c_contiguous
            assert array.flags.aligned
            array[...] = len(arrays)
            arrays.append(array)
    assert all((array == i).all() for i, array in enumerate(arrays))


@pytest.mark.parametrize("rows", [(1, 2), (3, 100), (5000, 10000), (1000, 300000)])
def test_the_last_array_can_be_made_longer_and_shorter(rows: tuple[int, int]) -> None:
    pages = Pages(at_once=2**16)
    first, last = pages.empty((40, 2), np.uint64), pages.empty((rows[0], 2), np.uint64)
    first[...], last[...] = 1, 2
    last = pages.longer(last, rows[1])
    assert last.shape == (rows[1], 2)
    assert (last[: rows[0]] == 2).all()
    last[...] = 3
    last = pages.shorter(last, rows[0] - 1)
    others = [pages.empty((n, 2), np.uint64) for n in (1, 30, rows[1])]
    for i, other in enumerate(others):
        other[...] = 4 + i
    assert (first == 1).all()
    assert last.shape == (rows[0] - 1, 2)
    assert (last == 3).all()
    assert all((other == 4 + i).all() for i, other in enumerate(others))


def test_pages_are_used_again_where_an_array_became_shorter() -> None:
    pages = Pages(2**23)
    last = pages.empty((2**16,), np.uint8)
    assert pages.longer(last, 2**17).ctypes.data == last.ctypes.data
    pages.shorter(pages.empty((2**16,), np.uint8), 0)
    begin = pages.empty((1,), np.uint8).ctypes.data
    assert begin == last.ctypes.data + 2**17


def test_too_many_pages_are_an_error_of_memory() -> None:
    with pytest.raises(MemoryError):
        Pages().empty((2**60,), np.uint8)

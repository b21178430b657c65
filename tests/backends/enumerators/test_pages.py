"""Arrays that share pages."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

pages = import_module("relutopo.backends.enumerators._shared.pages")


@pytest.mark.parametrize("n", [0, 1, 7, 5000])
def test_arrays_that_share_pages_have_their_own_entries(n: int) -> None:
    wanted = [((n,), np.int32), ((n, 3), np.float64), ((0, 2), np.uint64), ((n, 1), np.uint8)]
    arrays = pages.empty_together(*wanted)
    for i, array in enumerate(arrays):
        array[...] = i
    for i, (array, (shape, dtype)) in enumerate(zip(arrays, wanted, strict=True)):
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert (array == i).all()

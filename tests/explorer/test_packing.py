"""Arrays survive the way into a page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from properties import examples
from relutopo.explorer.packing import pack, unpack

TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
ARRAYS = st.sampled_from(TYPES).flatmap(
    lambda kind: hnp.arrays(np.dtype("<" + kind), hnp.array_shapes(min_dims=1, max_side=9))
)


@examples(100)
@given(st.dictionaries(st.text(max_size=8), ARRAYS, max_size=4), st.text())
def test_unpacking_gives_back_what_was_packed(arrays: dict[str, NDArray[Any]], words: str) -> None:
    found, facts = unpack(pack(arrays, {"words": words}))
    assert facts == {"words": words}
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_types_that_pages_lack_become_others() -> None:
    given_ = {"bits": np.array([True, False]), "long": np.array([2**31 - 1, -(2**31)])}
    found, _ = unpack(pack(given_))
    assert found["bits"].tolist() == [1, 0]
    assert found["long"].tolist() == [2**31 - 1, -(2**31)]
    assert unpack(pack({"empty": np.empty((0, 2))}))[0]["empty"].shape == (0, 2)
    with pytest.raises(OverflowError):
        pack({"long": np.array([2**31])})

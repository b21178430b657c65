"""Archives of arrays come back as they were written, from many threads at once."""

from __future__ import annotations

import ast
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from properties import examples
from relutopo.system.archives import read_arrays

DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    arrays.unicode_string_dtypes(endianness="?", min_len=1, max_len=5),
)
ARRAYS = arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))


@examples(100)
@given(array=ARRAYS, by_columns=st.booleans(), is_packed=st.booleans())
def test_arrays_come_back(
    array: Any, by_columns: bool, is_packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("archive") / "one.npz"
    written = np.asfortranarray(array) if by_columns and array.ndim else array
    (np.savez_compressed if is_packed else np.savez)(path, a=written)
    expected = np.load(path)["a"]
    found = read_arrays(path)["a"]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.flags.f_contiguous == expected.flags.f_contiguous
    assert found.flags.writeable
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "header",
    ["{}", "[", "[" * 9000, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}",
     "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
     "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
     "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
     "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
     "{'descr': '<f8', 'fortran_order': False, 'shape': (1e0,)}",
     "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
     "{'descr': '<f8', 'fortran_order': False, 'shape': (4,)}"],
)  # fmt: skip
def test_other_headers_are_refused(header: str, tmp_path: Path) -> None:
    begin = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(tmp_path / "one.npz", "w") as archive:
        archive.writestr("a.npy", begin + bytes(24))
    with pytest.raises((ValueError, TypeError, KeyError, RecursionError)):
        read_arrays(tmp_path / "one.npz")


def test_many_threads_read_beside_one_that_parses(tmp_path: Path) -> None:
    array = np.arange(6.0)
    np.savez(tmp_path / "one.npz", a=array)
    has_ended, before = threading.Event(), sys.getswitchinterval()

    def parse() -> None:
        while not has_ended.is_set():
            with suppress(SystemError):  # Python 3.11 can't do it in two threads at once
                ast.parse("[" * 20 + "]" * 20)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(5) as pool:
            parsing = pool.submit(parse)
            for found in pool.map(lambda _: read_arrays(tmp_path / "one.npz")["a"], range(400)):
                np.testing.assert_array_equal(found, array)
            has_ended.set()
            parsing.result()
    finally:
        has_ended.set()
        sys.setswitchinterval(before)

"""Files that hold named arrays and nothing else: ``.safetensors``, and ``.npz`` of NumPy.

Invariants: nothing in a file is executed; the sizes that it declares are compared with its own size
before it is read; every entry of an array lies within the file, and belongs to no other array.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relutopo.system.archives import read_arrays
from relutopo.system.memory import Room
from relutopo.system.untrusted import open_regular

__all__ = ["ARRAY_FILES", "arrays_in_file"]

ARRAY_FILES = (".safetensors", ".npz")
_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{f"{sign}{8 * n}": f"<{kind}{n}" for n in (1, 2, 4, 8) for sign, kind in ("Ii", "Uu")},
}
"""Types of safetensors that are read; narrower types are not."""
_MOST_HEADER = 100_000_000
"""Most bytes of names and shapes that the format allows."""


def arrays_in_file(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays in a file of one of `ARRAY_FILES`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        In the order of the file. Numbers of the type bfloat16 become float32.

    Raises
    ------
    ValueError, OSError, LimitReachedError, and others
        If it is damaged, or declares more than it holds. The caller adds what was expected.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/weights.npz"
    >>> np.savez(path, **{"0.weight": np.ones((1, 2)), "0.bias": np.zeros(1)})
    >>> sorted(arrays_in_file(path))
    ['0.bias', '0.weight']
    """
    if os.fspath(path).endswith(".npz"):
        return read_arrays(path)
    with open_regular(path) as file:
        return _read_safetensors(file, os.fspath(path))


def _read_safetensors(file: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    """Read a length, a header of names, types, shapes and places, and the arrays behind it."""
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(n_bytes - 8, _MOST_HEADER):
        raise ValueError("it does not begin with a header of safetensors")
    Room().check(8 * n_bytes, f"reading {name!r}", "take a smaller file")
    header = json.loads(file.read(length), object_pairs_hook=_once)
    if not isinstance(header, dict):
        raise ValueError("its header holds no names")
    header.pop("__metadata__", None)
    n_data = n_bytes - 8 - length
    places = {key: _place(key, entry, n_data) for key, entry in header.items()}
    end = 0
    for key, (begin, stop, _, _) in sorted(places.items(), key=lambda item: item[1][:2]):
        if begin != end:
            raise ValueError(f"{key[:60]!r} in it does not begin where the array before it ends")
        end = stop
    if end != n_data:
        raise ValueError("it holds more than its arrays")
    data = file.read(n_data)
    return {key: _array(data, *place) for key, place in places.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _place(key: str, entry: Any, n_data: int) -> tuple[int, int, str, tuple[int, ...]]:
    """Return where an array begins and ends, its type and its shape."""
    entry = entry if isinstance(entry, Mapping) else {}
    dtype, shape, ends = (entry.get(name) for name in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise ValueError(f"{key[:60]!r} in it is of the type {str(dtype)[:20]!r}, not of numbers")
    if not all(isinstance(x, list) and all(type(n) is int for n in x) for x in (shape, ends)):
        raise ValueError(f"{key[:60]!r} in it has no shape and place")
    begin, stop = (*ends, 0, 0)[:2]
    size = np.dtype(_TYPES[dtype]).itemsize
    is_whole = all(n >= 0 for n in shape) and stop - begin == size * math.prod(shape)
    if len(ends) != 2 or not (is_whole and 0 <= begin <= stop <= n_data):
        raise ValueError(f"{key[:60]!r} in it has a shape that does not fit to its place")
    return begin, stop, dtype, tuple(shape)


def _array(data: bytes, begin: int, stop: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.frombuffer(data[begin:stop], _TYPES[dtype])
    if dtype == "BF16":  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(shape)

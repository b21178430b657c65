"""Arrays as text in a page, and back.

A block is a header in JSON, which names the arrays and holds further facts, and the bytes of the
arrays behind one another, each from a multiple of eight; all of it compressed by zlib and written
as base64. The page unpacks it by ``static/data.js``.

Before compression, integers are replaced by differences of neighbours along the flat array, modulo
their range, and the bytes of numbers are grouped by their place in the number, first bytes first.
Both are lossless, and halve the compressed size.

Invariant: `unpack` of `pack` gives equal arrays, of the same types and shapes, and equal facts.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

_ALIGNMENT = 8
_TYPES = {"u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"}
"""Types of numbers that typed arrays of the page support."""


def pack(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any] | None = None) -> str:
    """Return arrays and facts as one compressed text of letters, digits, ``+``, ``/`` and ``=``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Booleans become bytes, and integers of eight bytes four.
    facts : mapping, optional
        Whatever JSON can hold.

    Raises
    ------
    OverflowError
        If an integer does not fit into four bytes.

    Examples
    --------
    >>> arrays, facts = unpack(pack({"x": np.array([0.5, 2.0])}, {"unit": "m"}))
    >>> arrays["x"].tolist(), facts
    ([0.5, 2.0], {'unit': 'm'})
    """
    entries, parts, offset = [], [], 0
    for name, array in arrays.items():
        values = _as_page_type(array)
        kind = values.dtype.str[1:]
        entries.append({"name": name, "type": kind, "shape": values.shape, "offset": offset})
        content = _filtered(values)
        padding = -len(content) % _ALIGNMENT
        parts += [content, bytes(padding)]
        offset += len(content) + padding
    header = json.dumps({"arrays": entries, "facts": dict(facts or {})}, allow_nan=False).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    size = len(header).to_bytes(_ALIGNMENT, "little")
    return base64.b64encode(zlib.compress(b"".join([size, header, *parts]))).decode("ascii")


def unpack(text: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the facts that `pack` has written.

    Parameters
    ----------
    text : str
    """
    content = zlib.decompress(base64.b64decode(text))
    begin = _ALIGNMENT + int.from_bytes(content[:_ALIGNMENT], "little")
    header = json.loads(content[_ALIGNMENT:begin])
    arrays = {}
    for entry in header["arrays"]:
        dtype, shape = np.dtype("<" + entry["type"]), tuple(entry["shape"])
        n = int(np.prod(shape, dtype=np.int64))
        first = begin + entry["offset"]
        planes = np.frombuffer(content[first : first + n * dtype.itemsize], dtype=np.uint8)
        values = np.ascontiguousarray(planes.reshape(dtype.itemsize, n).T).view(dtype).ravel()
        if dtype.kind in "iu":
            values = np.cumsum(values, dtype=dtype)
        arrays[entry["name"]] = values.reshape(shape)
    return arrays, header["facts"]


def _as_page_type(array: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    elif values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        small = values.astype(np.int32)
        if not np.array_equal(small, values):
            raise OverflowError("an integer of a page must fit into four bytes")
        values = small
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    assert values.dtype.str[1:] in _TYPES, values.dtype
    return values


def _filtered(values: NDArray[Any]) -> bytes:
    flat = values.ravel()
    if flat.dtype.kind in "iu" and flat.size:
        unsigned = flat.view(f"<u{flat.dtype.itemsize}")
        flat = np.concatenate([unsigned[:1], unsigned[1:] - unsigned[:-1]])
    planes = flat.view(np.uint8).reshape(flat.size, values.dtype.itemsize).T
    return planes.tobytes()

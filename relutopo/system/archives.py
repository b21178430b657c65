"""Archives of arrays (``.npz``): declared sizes are checked before anything is unpacked.

Invariants: nothing is unpickled; no name in an archive is used as a path; a member unpacks to the
size that its array declares, and all members together to at most a multiple of the file.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from relutopo.system.memory import Room, readable
from relutopo.system.untrusted import open_regular

__all__ = ["check_members", "read_arrays"]

_MOST_TIMES, _FEW = 200, 2**26
"""An archive may unpack to this multiple of its size, or this many bytes; a bomb exceeds both."""
_DEFLATED = 1032
"""The most bytes that one byte can unpack to."""
_KINDS = "biufcU"
_LONGEST_HEADER = 10_000
_AT_ONCE = 2**20
_MOST_EMPTY = 2**20
"""The longest axis of an array without entries."""


def read_arrays(
    path: str | os.PathLike[str],
    wanted: Callable[[str], bool] = lambda name: True,
    room: Room | None = None,
) -> dict[str, Any]:
    """Return the arrays in an archive that `numpy.savez` or `numpy.savez_compressed` wrote.

    Parameters
    ----------
    path : path-like
    wanted : callable
        Takes the name of an array and tells whether to read it.
    room : Room, optional
        Memory that the arrays may take; by default what is available.

    Raises
    ------
    ValueError, OSError, MemoryError, zipfile.BadZipFile, LimitReachedError, and others
        If the archive is damaged, declares more than it holds, contains anything but arrays of
        numbers and words, or needs more memory than there is. The caller adds what was expected.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = tempfile.mkdtemp() + "/two.npz"
    >>> np.savez(path, a=[1.0, 2.0], b="word")
    >>> read_arrays(path)
    {'a': array([1., 2.]), 'b': array('word', dtype='<U4')}
    >>> read_arrays(path, lambda name: name == "b")
    {'b': array('word', dtype='<U4')}
    """
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = check_members(file, archive)
        arrays: dict[str, zipfile.ZipInfo] = {}
        for name, member in members.items():
            if not name.endswith(".npy"):
                raise ValueError(f"it holds {name[:60]!r}, which is no array")
            if wanted(name.removesuffix(".npy")):
                arrays[name.removesuffix(".npy")] = member
        needed = sum(member.file_size for member in arrays.values())
        (room or Room()).check(needed, f"unpacking {os.fspath(path)!r}", "take a smaller file")
        for name, member in arrays.items():
            with archive.open(member) as opened:
                _header(opened, member.file_size, name)
        return {name: _array(archive, member, name) for name, member in arrays.items()}


def check_members(file: BinaryIO, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members of an archive by name, if their declared sizes are possible.

    Parameters
    ----------
    file : binary file
    archive : zipfile.ZipFile
        Opened from it.

    Raises
    ------
    ValueError
        If a name occurs twice, a member is encrypted or declares an impossible size, or the whole
        unpacks to more than 64 MiB and more than 200 times the file.
    """
    size = file.seek(0, os.SEEK_END)
    members: dict[str, zipfile.ZipInfo] = {}
    packed = total = 0
    for member in archive.infolist():
        name = member.filename
        if name in members:
            raise ValueError(f"it holds {name[:60]!r} twice")
        members[name] = member
        packed, total = packed + member.compress_size, total + member.file_size
        if member.flag_bits & 1:
            raise ValueError(f"{name[:60]!r} in it is encrypted")
        if member.compress_type == zipfile.ZIP_STORED:
            is_possible = member.file_size == member.compress_size
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            is_possible = member.file_size <= _DEFLATED * member.compress_size
        else:
            raise ValueError(f"{name[:60]!r} in it is packed in a way that NumPy does not use")
        if not is_possible:
            raise ValueError(
                f"{name[:60]!r} in it declares {readable(member.file_size)} in "
                f"{readable(member.compress_size)}"
            )
    if packed > size:
        raise ValueError(f"it declares {readable(packed)} of packed members in {readable(size)}")
    if total > max(_FEW, _MOST_TIMES * size):
        raise ValueError(
            f"it unpacks to {readable(total)} from {readable(size)}; if it is yours, write it "
            "without compression, by numpy.savez"
        )
    return members


@dataclass(frozen=True)
class _Header:
    """The header of an array: its shape, its type, and whether its columns are contiguous."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool


def _header(file: IO[bytes], size: int, name: str) -> _Header:
    """Read the header of an array; raise a ValueError unless it is plain and fits the size."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name[:60]!r} in it has a format of version {version}")
    n_digits = 2 if version == (1, 0) else 4
    n_header = int.from_bytes(file.read(n_digits), "little")
    if n_header > _LONGEST_HEADER:
        raise ValueError(f"{name[:60]!r} in it declares its type in {readable(n_header)}")
    text = file.read(n_header).decode("latin1")
    # NumPy parses the header as Python, which Python 3.11 cannot do in two threads at once. For
    # plain arrays the header is JSON except for some characters.
    for of_python, of_json in (("'", '"'), ("(", "["), (")", "]"), ("T", "t"), ("F", "f")):
        text = text.replace(of_python, of_json)
    declared = json.loads(re.sub(r",\s*(?=[\]}])", "", text))
    shape, by_columns = declared["shape"], declared["fortran_order"]
    if not isinstance(declared["descr"], str) or not isinstance(by_columns, bool):
        raise ValueError(f"{name[:60]!r} in it is no plain array")
    dtype = np.dtype(declared["descr"])
    if dtype.kind not in _KINDS or dtype.itemsize == 0 or dtype.shape:
        raise ValueError(f"{name[:60]!r} in it is of {str(dtype)[:60]}, not of numbers or words")
    if len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{name[:60]!r} in it has the shape {str(shape)[:60]}")
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes + file.tell() != size or (n_bytes == 0 and max(shape) > _MOST_EMPTY):
        raise ValueError(
            f"{name[:60]!r} in it declares {dtype!s} of shape {str(shape)[:60]} in {readable(size)}"
        )
    return _Header(tuple(shape), dtype, by_columns)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Any:
    with archive.open(member) as opened:
        header = _header(opened, member.file_size, name)
        entries = np.empty(math.prod(header.shape), header.dtype)
        content = entries.view(np.uint8).data
        while content:
            read = opened.read(min(len(content), _AT_ONCE))
            if not read:
                raise ValueError(f"{name[:60]!r} in it ends too early")
            content[: len(read)] = read
            content = content[len(read) :]
        opened.read(1)  # reading to the end of a member compares its checksum
        return entries.reshape(header.shape, order="F" if header.by_columns else "C")

"""Archives of arrays (``.npz``): what they declare is compared before anything is unpacked.

Invariants: nothing is unpickled; no name in an archive is used as a path; what an array declares is
what its member unpacks to, and all members together unpack to no more than a multiple of the file.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Any, BinaryIO

from numpy.lib import format as npy

from relutopo.system.memory import Room, readable
from relutopo.system.untrusted import open_regular

__all__ = ["check_members", "read_arrays"]

_MOST_TIMES, _FEW = 200, 2**26
"""An archive may unpack to so many times its size, or to so many bytes: a bomb does to more."""
_DEFLATED = 1032
"""The most that a byte can unpack to."""
_KINDS = "biufcU"
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
        Takes the name of an array and tells whether it is read.
    room : Room, optional
        What the arrays may take; by default what there is.

    Raises
    ------
    ValueError, OSError, MemoryError, zipfile.BadZipFile, LimitReachedError, and others
        If the archive is damaged, or declares what it does not hold, or holds anything else than
        arrays of numbers and words, or what nobody can hold. Whoever calls says what was expected.

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
                _check_header(opened, member.file_size, name)
        return {name: _array(archive, member) for name, member in arrays.items()}


def check_members(file: BinaryIO, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members of an archive by name, if they can be what they declare.

    Parameters
    ----------
    file : binary file
    archive : zipfile.ZipFile
        Opened from it.

    Raises
    ------
    ValueError
        If a name stands twice, a member is encrypted, or unpacks to more than it can, or the whole
        to more than 64 MiB and 200 times the file.
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


def _check_header(file: IO[bytes], size: int, name: str) -> None:
    """Raise a ValueError for an array that is no plain one, or not as large as its member."""
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(file)
    else:
        raise ValueError(f"{name[:60]!r} in it has a format of version {version}")
    if dtype.kind not in _KINDS or dtype.itemsize == 0 or dtype.shape:
        raise ValueError(f"{name[:60]!r} in it is of {str(dtype)[:60]}, not of numbers or words")
    if not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 32:
        raise ValueError(f"{name[:60]!r} in it has the shape {str(shape)[:60]}")
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes + file.tell() != size or (n_bytes == 0 and max(shape) > _MOST_EMPTY):
        raise ValueError(
            f"{name[:60]!r} in it declares {dtype!s} of shape {str(shape)[:60]} in {readable(size)}"
        )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    with archive.open(member) as opened:
        array = npy.read_array(opened, allow_pickle=False)
        opened.read(1)  # at the end of a member its checksum is compared
        return array

"""Files of `torch.save`, read without trust.

Invariants: nothing in a file is executed unless the caller trusts it; the sizes that a file
declares are compared with its own size before it is unpacked; no tensor has more entries than its
file holds, whatever its shape and strides say.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from relutopo.optional import require
from relutopo.system.archives import check_members
from relutopo.system.memory import Room, readable
from relutopo.system.untrusted import open_regular

__all__ = ["load_tensors_only"]

_MOST_TIMES, _FEW = 16, 2**26
"""Tensors may share bytes, up to this multiple of the file's bytes, or up to this many bytes."""
_MAKES_BYTES = b"bytearray"
"""Torch lets files call this, and they could ask for any memory with it; torch.save never does."""
_CHUNK = 2**24
_MOST_PARTS = 10**6


def load_tensors_only(path: str | os.PathLike[str]) -> Any:
    """Return the content of a file of `torch.save` if it has only tensors and plain values.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    pickle.UnpicklingError
        If it needs anything else.
    ValueError, OSError, RuntimeError, LimitReachedError, and others
        If it is damaged, or declares more than it holds. The caller adds what was expected.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = tempfile.mkdtemp() + "/tensors.pt"
    >>> torch.save({"a": torch.zeros(1).expand(10**12)}, path)
    >>> load_tensors_only(path)
    Traceback (most recent call last):
    ValueError: 'a' in it has 1000000000000 entries, which need 3.6 TiB, and the file holds ...
    """
    torch = require("torch", "reading a model")
    with open_regular(path) as file:
        n_bytes = _check_file(file)
    Room().check(n_bytes, f"reading {os.fspath(path)!r}", "take a smaller file")
    content = torch.load(path, map_location="cpu", weights_only=True)
    _check_tensors(content, n_bytes)
    return content


def _check_file(file: BinaryIO) -> int:
    """Return the unpacked size of a file in bytes, if the declared sizes are possible."""
    size = file.seek(0, os.SEEK_END)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            members = check_members(file, archive)
            for name, member in members.items():
                if name.endswith("data.pkl"):
                    with archive.open(member) as opened:
                        _check_calls(opened)
            return sum(member.file_size for member in members.values())
    file.seek(0)
    _check_calls(file)
    return size


def _check_calls(file: Any) -> None:
    """Raise a ValueError for a pickle that calls bytearray, which could ask for any memory."""
    end = b""
    while chunk := file.read(_CHUNK):
        if _MAKES_BYTES in end + chunk:
            raise ValueError("it calls bytearray, which no file of torch.save does")
        end = chunk[-len(_MAKES_BYTES) :]


def _check_tensors(content: Any, n_bytes: int) -> None:
    """Raise a ValueError for tensors with more entries than a file of the given size can hold.

    Parameters
    ----------
    content : object
        Tensors in mappings and sequences, or anything with a ``state_dict``.
    n_bytes : int
        Size of the file, unpacked.
    """
    torch = require("torch", "reading a model")
    if hasattr(content, "state_dict"):
        content = content.state_dict()
    total = 0
    for name, tensor in _tensors(torch, content):
        needed = tensor.numel() * tensor.element_size()
        if needed > n_bytes or tensor.layout is not torch.strided or tensor.is_meta:
            raise ValueError(
                f"{name[:60]!r} in it has {tensor.numel()} entries, which need "
                f"{readable(needed)}, and the file holds {readable(n_bytes)}"
            )
        total += needed
    if total > max(_FEW, _MOST_TIMES * n_bytes):
        raise ValueError(
            f"its tensors have {readable(total)} together, and the file holds {readable(n_bytes)}"
        )


def _tensors(torch: Any, content: Any) -> Iterator[tuple[str, Any]]:
    """Yield all tensors within mappings and sequences, with the outermost name."""
    seen: set[int] = set()
    waiting = [("", content)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, torch.Tensor):
            yield name, part
        elif isinstance(part, (Mapping, list, tuple, set)) and id(part) not in seen:
            seen.add(id(part))
            if len(seen) > _MOST_PARTS:
                raise ValueError("it has too many parts")
            pairs = part.items() if isinstance(part, Mapping) else (("", one) for one in part)
            waiting += [(name or str(key)[:60], one) for key, one in pairs]

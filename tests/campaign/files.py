"""Damaged and hostile files: refused with a reason, nothing executed, nothing written elsewhere."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import relutopo as rt
from relutopo.errors import InputError, LimitReachedError, RelutopoError
from tests.campaign.cases import without_each
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator
REFUSALS = (InputError, LimitReachedError)
LINES = ([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0, -1.0]]], [[0.0, 0.0, 0.5], [0.0]])


@dataclass(frozen=True)
class FileCase:
    """A file that was written rightly, and then damaged.

    Attributes
    ----------
    name : str
        What it was.
    edits : list of (place, what, number)
        ``place`` is a share of its length in millionths.
    """

    name: str
    edits: list[tuple[int, str, int]]

    def tags(self) -> dict[str, Any]:
        """Return what it was."""
        return {"file": self.name}

    def simpler(self) -> Iterator[FileCase]:
        """Yield fewer edits."""
        for edits in without_each(self.edits):
            yield replace(self, edits=edits)

    def content(self) -> bytes:
        """Return the bytes."""
        data = bytearray(ORIGINALS[self.name][0]())
        for place, what, number in self.edits:
            at = place * len(data) // 1_000_000
            if what == "cut":
                del data[at:]
            elif what == "flip" and data:
                data[min(at, len(data) - 1)] ^= 1 << number % 8
            elif what == "set" and data:
                data[min(at, len(data) - 1)] = number % 256
            elif what == "drop":
                del data[at : at + number]
            elif what == "zeros":
                data[at : at + number] = bytes(min(number, len(data) - at))
            elif what == "again":
                data[at:at] = data[at : at + number]
        return bytes(data)


@functools.cache
def complex_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "complex.npz"
        rt.save_complex(path, rt.decompose(LINES, rt.Box(-1, 1, dim=2)))
        return path.read_bytes()


@functools.cache
def network_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        rt.save_network(path, rt.as_network(LINES))
        return path.read_bytes()


def module() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))


@functools.cache
def torch_file() -> bytes:
    stream = io.BytesIO()
    torch.save({"epoch": 3, "state_dict": module().state_dict()}, stream)
    return stream.getvalue()


@functools.cache
def onnx_file() -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = [x.detach().numpy() for x in module().parameters()]
    nodes = [
        helper.make_node("Gemm", ["x", "a", "b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "c", "d"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, "abcd", strict=True)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


ORIGINALS: dict[str, tuple[Callable[[], bytes], str, Callable[[Path], Any]]] = {
    "complex": (complex_file, "file.npz", rt.load_complex),
    "network": (network_file, "file.npz", rt.load_network),
    "torch": (torch_file, "file.pt", rt.load_model),
    "onnx": (onnx_file, "file.onnx", rt.load_model),
}


@check("refused or read")
def refused_or_read(case: FileCase, clock: Clock) -> None:
    """A damaged file is refused, or gives something whole."""
    _, name, load = ORIGINALS[case.name]
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            path = Path(folder) / name
            path.write_bytes(case.content())
            read = clock(load, path)
            if isinstance(read, rt.CellComplex):
                read.locate([[0.3, 0.2]])
            else:
                assert np.isfinite(read([[0.25] * read.input_dim])).size
        finally:
            os.chdir(before)
            others = set(os.listdir(folder)) - {name}
            assert not others, f"{others} was written"


def edits(rng: Rng) -> list[tuple[int, str, int]]:
    kinds = ["cut", "flip", "set", "drop", "zeros", "again"]
    return [
        (
            int(rng.integers(1_000_000)),
            str(rng.choice(kinds, p=[0.1, 0.35, 0.35, 0.1, 0.05, 0.05])),
            int(10 ** rng.uniform(0, 2.5)),
        )
        for _ in range(int(rng.integers(1, 4)))
    ]


for _name in ORIGINALS:

    @kind(f"damaged files: {_name}", "files", checks=("refused or read",), refusals=REFUSALS)
    def damaged(rng: Rng, name: str = _name) -> FileCase:
        return FileCase(name, edits(rng))


@dataclass(frozen=True)
class ArchiveCase:
    """An archive of arrays in which some were changed.

    Attributes
    ----------
    name : str
        "complex" or "network".
    changes : list of (which, how, number)
        Of the array with that number, in the order of names.
    """

    name: str
    changes: list[tuple[int, str, int]]

    def tags(self) -> dict[str, Any]:
        """Return what it was."""
        return {"file": self.name}

    def simpler(self) -> Iterator[ArchiveCase]:
        """Yield fewer changes."""
        for changes in without_each(self.changes):
            yield replace(self, changes=changes)

    def content(self) -> bytes:
        """Return the bytes."""
        with np.load(io.BytesIO(ORIGINALS[self.name][0]())) as archive:
            arrays: dict[str, Any] = dict(archive)
        for which, how, number in self.changes:
            key = sorted(arrays)[which % len(arrays)]
            array = np.atleast_1d(arrays[key])
            arrays[key] = _changed(array, how, number)
            if how == "missing":
                del arrays[key]
            elif how == "renamed":
                arrays["../" * (number % 3) + key + "x"] = arrays.pop(key)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive_file:
            for key, value in arrays.items():
                part = io.BytesIO()
                np.lib.format.write_array(part, np.asarray(value), allow_pickle=True)
                archive_file.writestr(f"{key}.npy", part.getvalue())
        return stream.getvalue()


class Touch:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> Any:
        return open, ("was_here", "w")


def _changed(array: Any, how: str, number: int) -> Any:
    flat = array.ravel().copy()
    if how == "entry" and flat.size and flat.dtype.kind in "iufb":
        special: list[float] = [0, -1, 1, 2**31 - 1, -(2**31), number]
        if flat.dtype.kind == "f":
            special += [np.nan, np.inf, -np.inf, 1e308, -0.0]
        value = special[number % len(special)]
        with np.errstate(all="ignore"):
            flat[number % flat.size] = np.array(value).astype(flat.dtype)
        return flat.reshape(array.shape)
    if how == "type":
        types = ["f4", "i1", "u8", "c16", "U3", "S2", "?", "M8[s]", "i8", "f8"]
        with np.errstate(all="ignore"):
            try:
                return array.astype(types[number % len(types)])
            except (TypeError, ValueError, RuntimeError):  # the last one of NumPy's dates
                return array
    if how == "shape":
        return [array[:0], array[None], flat, flat[: flat.size // 2], array.T, np.array(7)][
            number % 6
        ]
    if how == "longer":
        return np.resize(flat, flat.size + 1 + number % 5)
    if how == "pickle":
        return np.array([Touch()], dtype=object)
    return array


@check("changed arrays")
def changed_arrays(case: ArchiveCase, clock: Clock) -> None:
    """Whatever is read from an archive is whole; nothing is unpickled."""
    _, name, load = ORIGINALS[case.name]
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            path = Path(folder) / name
            path.write_bytes(case.content())
            read = clock(load, path)
            if isinstance(read, rt.CellComplex):
                with np.errstate(all="ignore"):  # numbers may be any
                    for use in (read.check, lambda: read.locate([[0.3, 0.2]]), read.dual_graph):
                        with contextlib.suppress(RelutopoError):
                            use()
            else:
                with np.errstate(all="ignore"):
                    read([[0.25] * read.input_dim])
        finally:
            os.chdir(before)
            others = set(os.listdir(folder)) - {name}
            assert not others, f"{others} was written"


HOWS = ["entry", "type", "shape", "longer", "pickle", "missing", "renamed"]
for _name in ("complex", "network"):

    @kind(f"changed archives: {_name}", "files", checks=("changed arrays",), refusals=REFUSALS)
    def changed(rng: Rng, name: str = _name) -> ArchiveCase:
        n = int(rng.integers(1, 4))
        chosen = rng.choice(HOWS, n, p=[0.4, 0.1, 0.2, 0.1, 0.05, 0.1, 0.05]).tolist()
        numbers = rng.integers(0, 1000, (n, 2)).tolist()
        return ArchiveCase(name, [(a, how, b) for (a, b), how in zip(numbers, chosen, strict=True)])

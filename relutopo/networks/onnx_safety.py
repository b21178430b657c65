"""Limits for ONNX files: sizes are compared and predicted before anything is allocated.

Invariants: no data outside the folder of a file is read; a tensor has as many numbers as its shape
says; the size of an operator's result is bounded before it runs, and nothing runs without end.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from relutopo.errors import UnsupportedModuleError
from relutopo.system.memory import Room, readable

__all__ = ["Bounds", "load_model_proto"]

_MOST_TIMES, _FEW = 4, 2**26
_BYTES_OF_TENSORS, _BYTES_OF_MATRICES = 64, 24
"""Bytes for one entry: of a tensor (in double precision, as an index, in a few copies); of a sparse
matrix."""
_MOST_RANK = 32
_UNBOUNDED = frozenset(
    {
        "AffineGrid", "Bernoulli", "BlackmanWindow", "CenterCropPad", "Col2Im", "ConvTranspose",
        "DFT", "GridSample", "HammingWindow", "HannWindow", "ImageDecoder", "Loop",
        "MaxRoiPool", "MaxUnpool", "MelWeightMatrix", "Multinomial", "RandomNormal",
        "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Resize", "RoiAlign", "STFT",
        "Scan", "SequenceMap", "Upsample",
    }
)  # fmt: skip
"""Operators that are random, that loop, or whose result has a size that is not predicted here."""


def load_model_proto(onnx: Any, path: str | os.PathLike[str]) -> Any:
    """Return the model in an ONNX file, including the data that it keeps in other files.

    Raises
    ------
    ValueError, OSError, and others of onnx and protobuf
        If the file is damaged, declares more than it holds, or names data in another folder. The
        caller adds what was expected.
    """
    room = Room()
    room.check(4 * os.path.getsize(path), f"reading {os.fspath(path)!r}", "take a smaller file")
    model = onnx.load(path, load_external_data=False)
    folder = Path(path).resolve().parent
    tensors = list(_tensors(model.graph))
    files: dict[Path, int] = {}
    total = 0
    for tensor in tensors:
        if any(size < 0 for size in tensor.dims) or len(tensor.dims) > _MOST_RANK:
            raise ValueError(f"tensor {tensor.name[:60]!r} has the shape {list(tensor.dims)[:9]}")
        declared = math.prod(tensor.dims)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            file, held = _external(tensor, folder)
            files[file] = file.stat().st_size
            total += held
        else:
            held = tensor.ByteSize()
        # A number takes at least one bit.
        if declared > 8 * held:
            raise ValueError(
                f"tensor {tensor.name[:60]!r} declares {declared} numbers in {readable(held)}"
            )
    if total > max(_FEW, _MOST_TIMES * sum(files.values())):
        raise ValueError(f"its tensors use {readable(total)} of smaller files")
    room.check(4 * total, f"reading the data of {os.fspath(path)!r}", "take a smaller file")
    if files:
        onnx.external_data_helper.load_external_data_for_model(model, os.fspath(folder))
    if len(model.graph.sparse_initializer):
        raise UnsupportedModuleError(
            f"{os.fspath(path)!r} has sparse initialisers; export it with dense ones"
        )
    return model


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph and of the graphs within."""
    graphs = [graph]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def _external(tensor: Any, folder: Path) -> tuple[Path, int]:
    """Return the file that holds the numbers of a tensor, and how many bytes they take there."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = folder / location
    is_inside = (
        location
        and "\0" not in location
        and not os.path.isabs(location)
        and ".." not in Path(location.replace("\\", "/")).parts
        and file.resolve().is_relative_to(folder)
        and file.is_file()
    )
    if not is_inside:
        raise ValueError(
            f"tensor {tensor.name[:60]!r} is in {location[:60]!r}, which is no file beside it"
        )
    size = file.stat().st_size
    offset = int(entries.get("offset") or 0)
    length = int(entries.get("length") or size - offset)
    if not (0 <= offset <= size and 0 <= length <= size - offset):
        raise ValueError(
            f"tensor {tensor.name[:60]!r} is at {offset} to {offset + length} of {location!r}, "
            f"which has {size} bytes"
        )
    return file, length


class Bounds:
    """Bounds for the results of operators, all of which are kept.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name, self._room, self._n_bytes = name, Room(), 0

    def add(self, n_entries: int, what: str, bytes_each: int = _BYTES_OF_TENSORS) -> None:
        """Count entries; raise a `LimitReachedError` if there are too many so far."""
        self._n_bytes += bytes_each * n_entries
        self._room.check(
            self._n_bytes,
            f"{self._name!r}, up to {what} with {n_entries} entries,",
            "check the file, or export a smaller model",
        )

    def add_result(
        self,
        op_type: str,
        attributes: Mapping[str, Any],
        inputs: Sequence[Any],
        *,
        is_constant: bool,
    ) -> str:
        """Count the result of an operator; return why it cannot be bounded, or an empty text.

        Parameters
        ----------
        op_type : str
        attributes : mapping
        inputs : sequence
            Objects with a shape, lists of these, or None for inputs that are left out. Inputs that
            determine the size of the result must be tensors.
        is_constant : bool
            Whether no input depends on the input of the network.
        """
        if is_constant and op_type in _UNBOUNDED:
            return "of constants, whose result cannot be told before"
        is_matrix = op_type in ("Conv", *_POOLS)
        bytes_each = _BYTES_OF_MATRICES if is_matrix else _BYTES_OF_TENSORS
        self.add(_entries(op_type, attributes, inputs), f"the operator {op_type}", bytes_each)
        return ""


def _entries(op_type: str, attributes: Mapping[str, Any], inputs: Sequence[Any]) -> int:
    """Return the largest number of entries of a result, temporary arrays included."""
    given = [y for x in inputs for y in (x if isinstance(x, list) else [x]) if y is not None]
    shapes = [tuple(map(int, x.shape)) for x in given]
    sizes = [math.prod(shape) for shape in shapes]
    if not given:
        return 0
    makers = {
        "ConstantOfShape": lambda: math.prod(_numbers(given[0])),
        "Expand": lambda: _broadcast([shapes[0], _numbers(given[1])]),
        "Tile": lambda: sizes[0] * math.prod(_numbers(given[1])),
        "Range": lambda: _length(*map(_number, given[:3])),
        "OneHot": lambda: sizes[0] * abs(int(_number(given[1]))),
        "Gather": lambda: sizes[0] * max(1, sizes[1]),
        "GatherND": lambda: sizes[0] * max(1, sizes[1]),
        "Einsum": lambda: math.prod(max(1, size) for size in sizes),
        "NonZero": lambda: sizes[0] * max(1, len(shapes[0])),
        "MatMul": lambda: _product(*shapes[:2]),
        "Gemm": lambda: _product(*shapes[:2]),
        "Pad": lambda: _padded(attributes, inputs, shapes[0]),
        "Conv": lambda: _convolved(attributes, shapes[0], shapes[1]),
        "ConvTranspose": lambda: _spread(attributes, shapes[0], shapes[1]),
        "CumSum": lambda: sizes[0] ** 2,
        "CenterCropPad": lambda: sizes[0] * math.prod(map(abs, _numbers(given[1]))),
        **dict.fromkeys(("Resize", "Upsample"), lambda: _resized(attributes, inputs, shapes[0])),
        **dict.fromkeys(_POOLS, lambda: _pooled(attributes, shapes[0])),
    }
    if op_type in makers:
        try:
            return makers[op_type]() + sum(sizes)
        except AttributeError:  # a size that depends on the input, which is refused anyway
            return sum(sizes)
    return _broadcast(shapes) + sum(sizes)


_POOLS = ("MaxPool", "AveragePool", "LpPool")


def _numbers(x: Any) -> list[int]:
    return [abs(int(n)) for n in x.reshape(-1).tolist()]


def _number(x: Any) -> float:
    return float(x.reshape(-1)[0])


def _length(start: float, limit: float, step: float) -> int:
    n = (limit - start) / step if step else math.inf
    return max(0, math.ceil(n)) if math.isfinite(n) else 2**63


def _broadcast(shapes: Sequence[Sequence[int]]) -> int:
    """Return the number of entries of tensors broadcast to a common shape."""
    rank = max(map(len, shapes))
    axes = zip(*([1] * (rank - len(shape)) + list(shape) for shape in shapes), strict=True)
    return math.prod(max(axis) for axis in axes)


def _product(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the largest number of entries of a product of matrices, transposed or not."""
    batch = _broadcast([a[:-2], b[:-2]]) if len(a) > 2 or len(b) > 2 else 1
    return batch * max(1, *a[-2:]) * max(1, *b[-2:])


def _grows(pad: float) -> int:
    return max(0, int(pad))


def _pads(attributes: Mapping[str, Any], rank: int) -> list[int]:
    """Return by how much each of the last axes grows."""
    pads = [_grows(pad) for pad in attributes.get("pads", [0] * (2 * rank))]
    half = len(pads) // 2
    return [a + b for a, b in zip(pads[:half], pads[half:], strict=True)]


def _padded(attributes: Mapping[str, Any], inputs: Sequence[Any], shape: Sequence[int]) -> int:
    """Return the number of entries of a padded tensor; with axes left out, any axis may grow."""
    pads = list(attributes.get("pads") or attributes.get("paddings") or ())
    if len(inputs) > 1 and inputs[1] is not None:
        pads = inputs[1].reshape(-1).tolist()
    half = len(pads) // 2
    grows = [_grows(a) + _grows(b) for a, b in zip(pads[:half], pads[half:], strict=False)]
    if len(grows) == len(shape):
        return math.prod(n + more for n, more in zip(shape, grows, strict=True))
    return math.prod(n + max(grows, default=0) for n in shape)


def _convolved(attributes: Mapping[str, Any], shape: Sequence[int], weight: Sequence[int]) -> int:
    """Return the largest number of entries of the matrix of a convolution."""
    space = shape[2:]
    pads = _pads(attributes, len(space))
    strides = attributes.get("strides") or [1] * len(space)
    places = math.prod(
        (n + pad) // max(1, int(stride)) + 1
        for n, pad, stride in zip(space, pads, strides, strict=False)
    )
    return places * math.prod(weight)


def _spread(attributes: Mapping[str, Any], shape: Sequence[int], weight: Sequence[int]) -> int:
    """Return the largest number of entries of the matrix of a transposed convolution."""
    rank = len(shape) - 2
    ones = [1] * rank
    extents = [
        (n + k * int(dilation)) * max(1, int(stride))
        for n, k, stride, dilation in zip(
            shape[2:], weight[2:], attributes.get("strides") or ones,
            attributes.get("dilations") or ones, strict=False,
        )
    ]  # fmt: skip
    longer = [max(1, abs(int(n))) for n in attributes.get("output_shape") or ()][-rank:]
    return math.prod(weight) * max(math.prod(extents), math.prod(longer))


def _resized(attributes: Mapping[str, Any], inputs: Sequence[Any], shape: Sequence[int]) -> int:
    """Return the number of entries of a resized tensor, and of the matrix that resizes."""
    scales = attributes.get("scales") or ()
    longest = [float(scale) for scale in scales]
    for x in inputs[1:]:
        if x is not None:
            longest += [float(n) for n in x.reshape(-1).tolist() if math.isfinite(n)]
    grown = math.prod(max(1.0, n) for n in longest) * math.prod(shape)
    is_moved = attributes.get("mode", b"nearest") == b"nearest"
    return math.ceil(grown) * (1 if is_moved else math.prod(shape[2:]))


def _pooled(attributes: Mapping[str, Any], shape: Sequence[int]) -> int:
    kernel = attributes.get("kernel_shape", [])
    channels = math.prod(shape[:2])
    return channels * _convolved(attributes, shape, [1, 1, *map(abs, map(int, kernel))])

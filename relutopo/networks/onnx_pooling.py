"""Pooling in ONNX files: the windows, and a reference that uses torch's own pooling.

The reference implementation of the `onnx` package fails on many settings of MaxPool and
AveragePool, and differs from onnxruntime on others. So it uses the operators defined here instead.

This module imports torch; it is imported only to read ONNX files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from relutopo.networks.pooling import Windows, sliding_windows
from relutopo.networks.tensors import Signal, need_signal
from relutopo.optional import require

__all__ = ["pool_windows", "reference_operators", "sides_of"]

Sides = list[tuple[int, int]]


def sides_of(
    attributes: dict[str, Any],
    extents: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Sides:
    """Return the padding before and behind each axis, given or chosen by an operator.

    Examples
    --------
    >>> sides_of({"auto_pad": b"SAME_UPPER"}, [5], [2], [1], [1])
    [(0, 1)]
    """
    rank = len(kernel)
    how = attributes.get("auto_pad", b"NOTSET")
    if how == b"NOTSET":
        pads = attributes.get("pads", [0] * (2 * rank))
        return list(zip(pads[:rank], pads[rank:], strict=True))
    if how == b"VALID":
        return [(0, 0)] * rank
    sides = []
    for n, k, s, d in zip(extents, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
        less = total // 2
        sides.append((less, total - less) if how == b"SAME_UPPER" else (total - less, less))
    return sides


def pool_windows(attributes: dict[str, Any], x: Signal) -> Windows:
    """Return the windows of MaxPool or AveragePool."""
    need_signal(x)
    extents, kernel, strides, dilations, sides, ceil_mode = _settings(attributes, x.shape)
    if len(x.shape) != len(kernel) + 2:
        raise ValueError(f"expected {len(kernel) + 2} axes for a kernel {tuple(kernel)}")
    return sliding_windows(extents, kernel, strides, sides, dilations, ceil_mode)


def _settings(
    attributes: dict[str, Any], shape: Sequence[int]
) -> tuple[Sequence[int], list[int], list[int], list[int], Sides, bool]:
    kernel = list(attributes["kernel_shape"])
    rank = len(kernel)
    strides, dilations = (attributes.get(key, [1] * rank) for key in ("strides", "dilations"))
    extents = tuple(shape[2:])
    sides = sides_of(attributes, extents, kernel, strides, dilations)
    # With SAME padding the number of windows is fixed.
    is_same = attributes.get("auto_pad", b"NOTSET").startswith(b"SAME")
    ceil_mode = bool(attributes.get("ceil_mode", 0)) and not is_same
    return extents, kernel, strides, dilations, sides, ceil_mode


def reference_operators() -> list[type]:
    """Return MaxPool and AveragePool for the reference implementation."""
    base: Any = require("onnx.reference.op_run", "reading an ONNX file").OpRun
    helper: Any = require("onnx.helper", "reading an ONNX file")

    def attributes_of(operator: Any) -> dict[str, Any]:
        return {a.name: helper.get_attribute_value(a) for a in operator.onnx_node.attribute}

    def run_largest(operator: Any, x: NDArray[Any], **_: Any) -> tuple[NDArray[Any]]:
        return (_pooled(attributes_of(operator), x, largest=True),)

    def run_average(operator: Any, x: NDArray[Any], **_: Any) -> tuple[NDArray[Any]]:
        return (_pooled(attributes_of(operator), x, largest=False),)

    return [
        type("MaxPool", (base,), {"op_domain": "", "_run": run_largest}),
        type("AveragePool", (base,), {"op_domain": "", "_run": run_average}),
    ]


def _pooled(attributes: dict[str, Any], x: NDArray[Any], *, largest: bool) -> NDArray[Any]:
    """Pool by torch. Its padding is equal on both sides, so the input is padded beforehand."""
    extents, kernel, strides, dilations, sides, ceil_mode = _settings(attributes, x.shape)
    maps = torch.tensor(x).double().reshape(-1, 1, *extents)
    beyond = [0] * len(kernel)
    if ceil_mode:
        for axis, (n, k, s, d, (low, high)) in enumerate(
            zip(extents, kernel, strides, dilations, sides, strict=True)
        ):
            count = -(-(n + low + high - d * (k - 1) - 1) // s) + 1
            count -= (count - 1) * s >= n + low
            beyond[axis] = max(0, (count - 1) * s + d * (k - 1) + 1 - n - low - high)

    def padded(y: Tensor, pairs: Sequence[tuple[int, int]], value: float) -> Tensor:
        return F.pad(y, [p for pair in reversed(pairs) for p in pair], value=value)

    ends = [(0, more) for more in beyond]
    rank = len(kernel)
    if largest:
        wide = padded(padded(maps, sides, -math.inf), ends, -math.inf)
        pooled = getattr(F, f"max_pool{rank}d")(wide, kernel, strides, 0, dilations)
    else:
        convolve = getattr(F, f"conv{rank}d")
        ones = torch.ones(1, 1, *kernel, dtype=torch.float64)
        weights = padded(
            torch.ones_like(maps), sides, float(attributes.get("count_include_pad", 0))
        )
        sums, counts = (
            convolve(padded(y, ends, 0.0), ones, None, strides, 0, dilations)
            for y in (padded(maps, sides, 0.0), weights)
        )
        pooled = sums / counts.clamp(min=1.0)
    return np.asarray(pooled.reshape(*x.shape[:2], *pooled.shape[2:]).numpy().astype(x.dtype))

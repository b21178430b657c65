"""Resizing in ONNX files: the matrix along each axis, and a reference that applies it.

The reference implementation of the `onnx` package interpolates entry by entry, cannot run files of
old operator sets, and mixes rows. So it uses the operator defined here instead.

Files are read only where what the operator's definition says is also what runtimes compute:

- Where a scale makes no whole number of entries, corners are aligned by that number in the cases of
  the `onnx` package, and by the number rounded down in runtimes.
- Runtimes copy an axis, or a tensor, whose length a scale keeps; by the definition it is moved.
- Runtimes find nearest entries in single precision, which may choose the other of two; and up to
  operator set 10, whose definition leaves it open, some take the entry above when they shrink.

Places are fractions, so that weights are correctly rounded and nearest entries exact.

This module imports torch; it is imported only to read ONNX files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import sparse

from relutopo.networks.tensors import NotUnderstood

__all__ = ["axis_matrices", "joint_matrix", "reference_operators"]


def axis_matrices(
    opset: int, attributes: Mapping[str, Any], shape: Sequence[int], scales: Any, sizes: Any
) -> list[sparse.csr_array]:
    """Return the matrix along each axis that Resize or Upsample multiplies by.

    Parameters
    ----------
    opset : int
        Up to operator set 10 only the nearest entries below are known.
    attributes : mapping
        As in the file; texts may be bytes.
    shape : sequence of int
        Shape of what is resized.
    scales, sizes : array_like or None
        One of them, for all axes or for those that the attributes name.

    Returns
    -------
    list of csr_array
        One of shape (n_out, n_in) for each axis; of a single 1 in each row if entries are moved.

    Raises
    ------
    NotUnderstood
        If definition and runtimes disagree, or the way of resizing is not known.

    Examples
    --------
    >>> how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    >>> (matrix,) = axis_matrices(13, how, [2], [1.5], None)
    >>> matrix.toarray().tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    given = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
    mode = given.get("mode") or "nearest"
    if opset <= 10:
        if mode != "nearest":
            raise NotUnderstood("which interpolates; only mode='nearest' is known")
        given = {
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
            "or_when_it_shrinks": "ceil",
        }
    if mode not in ("nearest", "linear", "cubic"):
        raise NotUnderstood(f"with the mode {mode!r}, which is not known")
    lengths = _lengths(given, shape, scales, sizes)
    if given.get("antialias") and mode != "nearest" and any(scale < 1 for _, scale in lengths):
        raise NotUnderstood("which smooths before it shrinks (antialias)")
    return [
        _axis_matrix(given, mode, n_in, n_out, scale)
        for n_in, (n_out, scale) in zip(shape, lengths, strict=True)
    ]


def joint_matrix(matrices: Sequence[sparse.csr_array]) -> sparse.csr_array:
    """Return the matrix of all axes together, for entries in the order of C."""
    joint = matrices[0]
    for matrix in matrices[1:]:
        joint = sparse.csr_array(sparse.kron(joint, matrix))
    return joint


def _lengths(
    given: Mapping[str, Any], shape: Sequence[int], scales: Any, sizes: Any
) -> list[tuple[int, Fraction]]:
    """Return the length of the result and the scale along each axis."""
    rank = len(shape)
    axes = [axis % rank for axis in given.get("axes") or range(rank)]
    result = [(n, Fraction(1)) for n in shape]
    if scales is not None and np.size(scales):
        for axis, scale in zip(axes, np.ravel(scales).tolist(), strict=True):
            if not 0 < scale < math.inf:
                raise ValueError(f"a scale must be positive, got {scale}")
            # In single precision, as runtimes do: 5 · 1.4 is 7.
            n_out = int(np.float32(scale) * np.float32(shape[axis]))
            result[axis] = n_out, Fraction(scale)
        return result
    wanted = [int(n) for n in np.ravel(sizes).tolist()]
    ratios = [Fraction(n, shape[axis]) for axis, n in zip(axes, wanted, strict=True)]
    policy = given.get("keep_aspect_ratio_policy") or "stretch"
    for axis, n, ratio in zip(axes, wanted, ratios, strict=True):
        result[axis] = n, ratio
        if policy != "stretch":
            scale = min(ratios) if policy == "not_larger" else max(ratios)
            result[axis] = math.floor(scale * shape[axis] + Fraction(1, 2)), scale
    return result


def _axis_matrix(
    given: Mapping[str, Any], mode: str, n_in: int, n_out: int, scale: Fraction
) -> sparse.csr_array:
    if n_out < 1:
        raise ValueError(f"an axis of {n_in} entries cannot get {n_out}")
    if scale == 1:
        return sparse.csr_array(sparse.eye_array(n_in))
    transform = str(given.get("coordinate_transformation_mode") or "half_pixel")
    if transform == "align_corners" and abs(n_in * scale - n_out) > _SLIGHT * n_out:
        raise NotUnderstood(
            f"which aligns corners at a scale of {float(scale):.4g}, by which {n_in} entries "
            f"become {float(n_in * scale):.4g}: some take that as their number, others {n_out}; "
            f"{_REMEDY}"
        )
    places = _places(transform, n_in, n_out, scale, Fraction)
    if mode == "nearest":
        how = str(given.get("nearest_mode") or "round_prefer_floor")
        columns = [_nearest(how, x, n_in) for x in places]
        if any(columns != others for others in _otherwise(given, how, n_in, n_out, scale, places)):
            raise NotUnderstood(
                "which takes the nearest entries, and which are the nearest depends on how their "
                f"places are rounded; {_REMEDY}"
            )
        weights = [[(column, 1.0)] for column in columns]
    elif mode == "linear":
        weights = [_linear(min(max(x, Fraction(0)), Fraction(n_in - 1)), n_in) for x in places]
    else:
        a, excludes = float(given.get("cubic_coeff_a", -0.75)), bool(given.get("exclude_outside"))
        weights = [_cubic(x, n_in, a, excludes) for x in places]
    rows = [row for row, terms in enumerate(weights) for _ in terms]
    columns = [column for terms in weights for column, _ in terms]
    numbers = [weight for terms in weights for _, weight in terms]
    matrix = sparse.csr_array((numbers, (rows, columns)), shape=(n_out, n_in))
    if n_in != n_out:
        return matrix
    same = sparse.csr_array(sparse.eye_array(n_in))
    if not np.allclose(matrix.toarray(), same.toarray(), rtol=0.0, atol=1e-9):
        raise NotUnderstood(
            f"which by a scale of {float(scale):.4g} takes {n_in} entries to as many other places, "
            f"while runtimes copy them; {_REMEDY}"
        )
    return same


def _otherwise(
    given: Mapping[str, Any], how: str, n_in: int, n_out: int, scale: Fraction, places: Any
) -> Iterator[list[int]]:
    """Yield the nearest entries as runtimes may find them."""
    transform = str(given.get("coordinate_transformation_mode") or "half_pixel")
    rounded = _places(transform, n_in, n_out, np.float32(float(scale)), np.float32)
    yield [_nearest(how, Fraction(float(x)), n_in) for x in rounded]
    if transform == "half_pixel_symmetric":  # a longer formula, which they round in other ways
        slack = n_in * Fraction(2) ** -20
        yield [_nearest(how, x - slack, n_in) for x in places]
        yield [_nearest(how, x + slack, n_in) for x in places]
    if scale < 1 and "or_when_it_shrinks" in given:
        yield [_nearest(given["or_when_it_shrinks"], x, n_in) for x in places]


_SLIGHT = Fraction(1, 10**6)
"""Difference of lengths, relative to them, that comes from the rounding of a scale."""
_REMEDY = "export the model with a fixed output size in place of a scale"


def _places(
    transform: str, n_in: int, n_out: int, scale: Any, number: Callable[[float], Any]
) -> list[Any]:
    """Return where the entries of the result lie among those that are resized."""
    half = number(0.5)
    entries = [number(i) for i in range(n_out)]
    if transform == "asymmetric":
        return [x / scale for x in entries]
    if transform == "align_corners":
        last = number(n_out - 1) if n_out > 1 else number(1)
        return [x * number(n_in - 1) / last for x in entries]
    if transform == "pytorch_half_pixel" and n_out == 1:
        return [number(0)]
    if transform in ("half_pixel", "pytorch_half_pixel"):
        return [(x + half) / scale - half for x in entries]
    if transform == "tf_half_pixel_for_nn":
        return [(x + half) / scale for x in entries]
    if transform == "half_pixel_symmetric":
        share = number(n_out) / (scale * number(n_in))
        offset = number(n_in) * half * (number(1) - share)
        return [offset + (x + half) / scale - half for x in entries]
    what = "which crops" if transform == "tf_crop_and_resize" else f"at {transform!r} places"
    raise NotUnderstood(what)


def _nearest(how: str, x: Fraction, n_in: int) -> int:
    half = Fraction(1, 2)
    found = {
        "floor": lambda: math.floor(x),
        "ceil": lambda: math.ceil(x),
        "round_prefer_floor": lambda: math.ceil(x - half),
        "round_prefer_ceil": lambda: math.floor(x + half),
    }
    if how not in found:
        raise NotUnderstood(f"which rounds by {how!r}")
    return min(max(found[how](), 0), n_in - 1)


def _linear(x: Fraction, n_in: int) -> list[tuple[int, float]]:
    """Return the weights of the two neighbours of a place within the entries."""
    below = math.floor(x)
    share = x - below
    terms = [(below, float(1 - share)), (below + 1, float(share))]
    return [(column, weight) for column, weight in terms if weight]


def _cubic(x: Fraction, n_in: int, a: float, excludes: bool) -> list[tuple[int, float]]:
    """Return the weights of the four neighbours of a place; the first and last entry go on."""
    below = math.floor(x)
    t = float(x - below)

    def near(s: float) -> float:
        return ((a + 2) * s - (a + 3)) * s * s + 1

    def far(s: float) -> float:
        return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a

    columns = range(below - 1, below + 3)
    terms = list(zip(columns, (far(t + 1), near(t), near(1 - t), far(2 - t)), strict=True))
    if excludes:
        terms = [(column, weight) for column, weight in terms if 0 <= column < n_in]
        total = sum(weight for _, weight in terms)
        terms = [(column, weight / total) for column, weight in terms]
    return [(min(max(column, 0), n_in - 1), weight) for column, weight in terms if weight]


def reference_operators(opset: int) -> dict[str, Any]:
    """Return methods for the operators of the reference implementation, by name."""

    def resize(
        self: Any, x: Any, *others: Any, scales: Any = None, **attributes: Any
    ) -> tuple[Any]:
        found = others if opset <= 10 else others[1:]
        scales, sizes = (*found, scales, None)[:2]
        matrices = axis_matrices(opset, attributes, x.shape, scales, sizes)
        for axis, matrix in enumerate(matrices):
            x = np.moveaxis(np.tensordot(matrix.toarray(), x, (1, axis)), 0, axis)
        return (np.ascontiguousarray(x),)

    return {"Upsample": resize} if opset < 10 else {"Resize": resize}

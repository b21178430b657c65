"""Every form of the operators that are read, at the operator sets that have it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_graphs import Function, mlp, node, perceptron, write
from relutopo.errors import RelutopoError
from relutopo.networks.onnx_files import network_of_onnx
from relutopo.networks.onnx_operators import OPERATORS

onnx: Any = pytest.importorskip("onnx")

NEWEST = onnx.defs.onnx_opset_version()
f4 = np.float32


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def rnd(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(f4)


Form = tuple[str, range, tuple[int, ...], list[Any], dict[str, Any], Function]
SWAP: Function = lambda x: x[:, ::-1]  # noqa: E731
SAME: Function = lambda x: x  # noqa: E731


def always(first: int = 7, last: int = NEWEST) -> range:
    return range(first, last + 1)


# Name, operator sets, shape of a row, nodes from x to h (two entries), constants, h as NumPy has it
FORMS: list[Form] = [
    (
        "transpose twice",
        always(),
        (2,),
        [node("Transpose", "x", "u"), node("Transpose", "u")],
        {},
        SAME,
    ),
    (
        "transpose 3",
        always(),
        (1, 2),
        [node("Transpose", "x", "u", perm=[0, 2, 1]), node("Flatten", "u")],
        {},
        lambda x: x[:, 0],
    ),
    ("squeeze", always(7, 12), (2, 1), [node("Squeeze", "x", axes=[2])], {}, lambda x: x[:, :, 0]),
    (
        "squeeze negative",
        always(11, 12),
        (2, 1),
        [node("Squeeze", "x", axes=[-1])],
        {},
        lambda x: x[:, :, 0],
    ),
    ("squeeze all", always(), (1, 2, 1), [node("Squeeze", "x")], {}, lambda x: x[:, 0, :, 0]),
    (
        "squeeze input",
        always(13),
        (2, 1),
        [node("Squeeze", "x i")],
        {"i": ints(-1)},
        lambda x: x[:, :, 0],
    ),
    (
        "unsqueeze",
        always(7, 12),
        (2,),
        [node("Unsqueeze", "x", "u", axes=[0, 2]), node("Reshape", "u s")],
        {"s": ints(-1, 2)},
        SAME,
    ),
    (
        "unsqueeze input",
        always(13),
        (2,),
        [node("Unsqueeze", "x i", "u"), node("Flatten", "u")],
        {"i": ints(-1)},
        SAME,
    ),
    (
        "split",
        always(7, 12),
        (2,),
        [node("Split", "x", "p q", axis=1), node("Concat", "q p", axis=1)],
        {},
        SWAP,
    ),
    (
        "split sizes",
        always(7, 12),
        (3,),
        [node("Split", "x", "p q", axis=1, split=[1, 2]), node("Identity", "q")],
        {},
        lambda x: x[:, 1:],
    ),
    (
        "split negative axis",
        always(11, 12),
        (2,),
        [node("Split", "x", "p q", axis=-1), node("Concat", "q p", axis=-1)],
        {},
        SWAP,
    ),
    (
        "split input",
        always(13),
        (3,),
        [node("Split", "x i", "p q", axis=1), node("Identity", "q")],
        {"i": ints(1, 2)},
        lambda x: x[:, 1:],
    ),
    (
        "split equal",
        always(13, 17),
        (2,),
        [node("Split", "x", "p q", axis=1), node("Concat", "q p", axis=1)],
        {},
        SWAP,
    ),
    (
        "split number",
        always(18),
        (3,),
        [node("Split", "x", "p q", axis=1, num_outputs=2), node("Identity", "p")],
        {},
        lambda x: x[:, :2],
    ),
    ("gather", always(), (2,), [node("Gather", "x i", axis=1)], {"i": ints(1, 0)}, SWAP),
    (
        "gather negative",
        always(11),
        (2,),
        [node("Gather", "x i", axis=-1)],
        {"i": ints(-1, 0)},
        SWAP,
    ),
    (
        "gather one",
        always(),
        (2, 3),
        [node("Gather", "x i", axis=2)],
        {"i": np.int64(2)},
        lambda x: x[:, :, 2],
    ),
    (
        "gather elements",
        always(11),
        (2,),
        [node("GatherElements", "x i", axis=-1)],
        {"i": ints(1, -2)[None]},
        SWAP,
    ),
    (
        "gather nd",
        always(12),
        (3,),
        [node("GatherND", "x i", batch_dims=1)],
        {"i": ints(2, 0).reshape(1, 2, 1)},
        lambda x: x[:, [2, 0]],
    ),
    (
        "slice",
        always(7, 9),
        (3,),
        [node("Slice", "x", axes=[1], starts=[1], ends=[9])],
        {},
        lambda x: x[:, 1:],
    ),
    (
        "slice all axes",
        always(7, 9),
        (3,),
        [node("Slice", "x", starts=[0, -2], ends=[99, 3])],
        {},
        lambda x: x[:, 1:],
    ),
    (
        "slice input",
        always(10),
        (3,),
        [node("Slice", "x lo hi i")],
        {"lo": ints(1), "hi": ints(2**62), "i": ints(-1)},
        lambda x: x[:, 1:],
    ),
    (
        "slice back",
        always(10),
        (3,),
        [node("Slice", "x lo hi i s")],
        {"lo": ints(-1), "hi": ints(-(2**62)), "i": ints(1), "s": ints(-2)},
        lambda x: x[:, ::-2],
    ),
    (
        "pad",
        always(7, 10),
        (1,),
        [node("Pad", "x", pads=[0, 1, 0, 0])],
        {},
        lambda x: np.c_[0 * x, x],
    ),
    (
        "pad value",
        always(7, 10),
        (1,),
        [node("Pad", "x", pads=[0, 0, 0, 1], value=0.5)],
        {},
        lambda x: np.c_[x, 0 * x + 0.5],
    ),
    (
        "pad input",
        always(11),
        (1,),
        [node("Pad", "x p k")],
        {"p": ints(0, 0, 0, 1), "k": f4(-2)},
        lambda x: np.c_[x, 0 * x - 2],
    ),
    (
        "crop",
        always(11),
        (4,),
        [node("Pad", "x p")],
        {"p": ints(0, -1, 0, -1)},
        lambda x: x[:, 1:3],
    ),
    (
        "crop and pad",
        always(11),
        (2,),
        [node("Pad", "x p")],
        {"p": ints(0, 1, 0, -1)},
        lambda x: np.c_[0 * x[:, :1], x[:, :1]],
    ),
    (
        "pad axes",
        always(18),
        (1,),
        [node("Pad", ["x", "p", "", "i"])],
        {"p": ints(1, 0), "i": ints(-1)},
        lambda x: np.c_[0 * x, x],
    ),
    (
        "pad reflect",
        always(11),
        (1, 2),
        [
            node("Pad", "x p", "u", mode="reflect"),
            node("Slice", "u lo hi i", "v"),
            node("Reshape", "v s"),
        ],
        {"p": ints(0, 0, 1, 0, 0, 0), "lo": ints(0), "hi": ints(2), "i": ints(2), "s": ints(-1, 2)},
        lambda x: x[:, 0, ::-1],
    ),
    (
        "reduce",
        always(7, 17),
        (2, 3),
        [node("ReduceMean", "x", axes=[2], keepdims=0)],
        {},
        lambda x: x.mean(2),
    ),
    (
        "reduce max",
        always(7, 17),
        (2, 3),
        [node("ReduceMax", "x", axes=[2], keepdims=0)],
        {},
        lambda x: x.max(2),
    ),
    (
        "reduce min negative",
        always(11, 17),
        (2, 3),
        [node("ReduceMin", "x", axes=[-1], keepdims=0)],
        {},
        lambda x: x.min(2),
    ),
    (
        "reduce l1",
        always(7, 17),
        (2, 3),
        [node("ReduceL1", "x", axes=[2], keepdims=0)],
        {},
        lambda x: np.abs(x).sum(2),
    ),
    (
        "reduce sum",
        always(7, 12),
        (2, 3),
        [node("ReduceSum", "x", axes=[2], keepdims=0)],
        {},
        lambda x: x.sum(2),
    ),
    (
        "reduce sum input",
        always(13),
        (2, 3),
        [node("ReduceSum", "x i", keepdims=0)],
        {"i": ints(-1)},
        lambda x: x.sum(2),
    ),
    (
        "reduce mean input",
        always(18),
        (2, 3),
        [node("ReduceMean", "x i", keepdims=0)],
        {"i": ints(2)},
        lambda x: x.mean(2),
    ),
    (
        "reduce nothing",
        always(18),
        (2,),
        [node("ReduceMax", "x", noop_with_empty_axes=1)],
        {},
        SAME,
    ),
    (
        "clip",
        always(7, 10),
        (2,),
        [node("Clip", "x", min=-0.5, max=0.25)],
        {},
        lambda x: np.clip(x, -0.5, 0.25),
    ),
    (
        "clip one side",
        always(7, 10),
        (2,),
        [node("Clip", "x", min=-0.5)],
        {},
        lambda x: np.maximum(x, -0.5),
    ),
    ("clip nothing", always(), (2,), [node("Clip", "x")], {}, SAME),
    (
        "clip input",
        always(11),
        (2,),
        [node("Clip", ["x", "", "k"])],
        {"k": f4(0.25)},
        lambda x: np.minimum(x, 0.25),
    ),
    (
        "clip infinite",
        always(11),
        (2,),
        [node("Clip", "x k l")],
        {"k": f4(-np.inf), "l": f4(0.5)},
        lambda x: np.minimum(x, 0.5),
    ),
    (
        "clip empty range",
        always(11),
        (2,),
        [node("Clip", "x k l")],
        {"k": f4(1), "l": f4(-1)},
        lambda x: 0 * x - 1,
    ),
    (
        "upsample",
        always(9, 9),
        (1, 1, 1),
        [node("Upsample", "x k", "u"), node("Flatten", "u")],
        {"k": np.array([1, 1, 1, 2], f4)},
        lambda x: np.repeat(x.reshape(-1, 1), 2, 1),
    ),
    (
        "upsample attribute",
        always(7, 8),
        (1, 1, 1),
        [node("Upsample", "x", "u", scales=[1.0, 1.0, 1.0, 2.0]), node("Flatten", "u")],
        {},
        lambda x: np.repeat(x.reshape(-1, 1), 2, 1),
    ),
    (
        "resize 10",
        always(10, 10),
        (1, 1, 1),
        [node("Resize", "x k", "u"), node("Flatten", "u")],
        {"k": np.array([1, 1, 1, 2], f4)},
        lambda x: np.repeat(x.reshape(-1, 1), 2, 1),
    ),
    (
        "resize",
        always(13),
        (1, 1, 1),
        [node("Resize", ["x", "", "k"], "u"), node("Flatten", "u")],
        {"k": np.array([1, 1, 1, 2], f4)},
        lambda x: np.repeat(x.reshape(-1, 1), 2, 1),
    ),
    (
        "resize linear",
        always(13),
        (1, 1, 2),
        [
            node(
                "Resize",
                ["x", "", "", "k"],
                "u",
                mode="linear",
                coordinate_transformation_mode="align_corners",
            ),
            node("Gather", "u i", "v", axis=3),
            node("Flatten", "v"),
        ],
        {"k": ints(1, 1, 1, 3), "i": ints(1, 2)},
        lambda x: np.c_[x[:, 0, 0].mean(1), x[:, 0, 0, 1]],
    ),
    ("expand", always(8), (1,), [node("Expand", "x s")], {"s": ints(1, 2)}, lambda x: np.c_[x, x]),
    ("tile", always(), (1,), [node("Tile", "x s")], {"s": ints(1, 2)}, lambda x: np.c_[x, x]),
    (
        "where",
        always(9),
        (2,),
        [node("Where", "k x j")],
        {"k": np.array([True, False]), "j": f4(3)},
        lambda x: np.c_[x[:, 0], 0 * x[:, 0] + 3],
    ),
    (
        "where positive",
        always(9),
        (2,),
        [node("Greater", "x o", "m"), node("Where", "m x o")],
        {"o": f4(0)},
        lambda x: np.maximum(x, 0),
    ),
    (
        "mask",
        always(9),
        (2,),
        [node("Less", "x o", "m"), node("Cast", "m", "n", to=1), node("Mul", "n x")],
        {"o": f4(0)},
        lambda x: np.minimum(x, 0),
    ),
    (
        "flatten 0",
        always(),
        (2,),
        [node("Flatten", "x", "u", axis=2), node("Reshape", "u s")],
        {"s": ints(-1, 2)},
        SAME,
    ),
    (
        "flatten negative",
        always(11),
        (1, 2),
        [node("Flatten", "x", axis=-1)],
        {},
        lambda x: x[:, 0],
    ),
    (
        "reshape",
        always(),
        (2, 1),
        [node("Reshape", "x s")],
        {"s": ints(0, -1)},
        lambda x: x[:, :, 0],
    ),
    (
        "reshape allowzero",
        always(14),
        (2, 1),
        [node("Reshape", "x s", allowzero=1)],
        {"s": ints(-1, 2)},
        lambda x: x[:, :, 0],
    ),
    (
        "depth to space",
        always(),
        (4, 1, 1),
        [
            node("DepthToSpace", "x", "u", blocksize=2),
            node("Flatten", "u", "v"),
            node("Gather", "v i", axis=1),
        ],
        {"i": ints(1, 2)},
        lambda x: x[:, 1:3, 0, 0],
    ),
    (
        "space to depth",
        always(),
        (1, 2, 2),
        [
            node("SpaceToDepth", "x", "u", blocksize=2),
            node("Flatten", "u", "v"),
            node("Gather", "v i", axis=1),
        ],
        {"i": ints(3, 0)},
        lambda x: x.reshape(-1, 4)[:, [3, 0]],
    ),
    (
        "mean",
        always(8),
        (2,),
        [node("Mean", "x k x")],
        {"k": rnd(2)},
        lambda x: (2 * x + rnd(2)) / 3,
    ),
    ("sum of one", always(), (2,), [node("Sum", "x")], {}, SAME),
    (
        "sum",
        always(8),
        (2,),
        [node("Sum", "k x x j")],
        {"k": rnd(2), "j": rnd(1)},
        lambda x: 2 * x + rnd(2) + rnd(1),
    ),
    ("max", always(8), (2,), [node("Max", "k x")], {"k": rnd(2)}, lambda x: np.maximum(x, rnd(2))),
    (
        "max of constants",
        always(8),
        (2,),
        [node("Max", "k j x")],
        {"k": rnd(2), "j": rnd(1)},
        lambda x: np.maximum(x, np.maximum(rnd(2), rnd(1))),
    ),
    ("min of one", always(), (2,), [node("Min", "x")], {}, SAME),
    ("dropout", always(), (2,), [node("Dropout", "x")], {}, SAME),
    (
        "dropout input",
        always(12),
        (2,),
        [node("Dropout", "x k j")],
        {"k": f4(0.5), "j": np.array(False)},
        SAME,
    ),
    (
        "hard sigmoid",
        always(),
        (2,),
        [node("HardSigmoid", "x", alpha=0.5)],
        {},
        lambda x: np.clip(np.float64(f4(0.5)) * x + 0.5, 0, 1),
    ),
    (
        "thresholded relu",
        always(10),
        (2,),
        [node("ThresholdedRelu", "x", alpha=0.0)],
        {},
        lambda x: np.maximum(x, 0),
    ),
    (
        "soft shrink",
        always(9),
        (2,),
        [node("Shrink", "x", lambd=0.5, bias=0.5)],
        {},
        lambda x: x - np.clip(x, -0.5, 0.5),
    ),
    (
        "cumsum",
        always(11),
        (2,),
        [node("CumSum", "x i", exclusive=1, reverse=1)],
        {"i": np.int64(1)},
        lambda x: np.c_[x[:, 1], 0 * x[:, 1]],
    ),
    (
        "einsum",
        always(12),
        (3,),
        [node("Einsum", "k x", equation="oi,bi->bo")],
        {"k": rnd(2, 3)},
        lambda x: x @ rnd(2, 3).T,
    ),
    (
        "trilu",
        always(14),
        (2, 2),
        [node("Trilu", "x", "u", upper=0), node("ReduceSum", "u i", keepdims=0)],
        {"i": ints(2)},
        lambda x: np.tril(x).sum(2),
    ),
    (
        "identity and power",
        always(),
        (2,),
        [node("Pow", "x k", "u"), node("Identity", "u")],
        {"k": f4(1)},
        SAME,
    ),
    (
        "prelu",
        always(7, NEWEST),
        (2, 1),
        [node("PRelu", "x k", "u"), node("Flatten", "u")],
        {"k": rnd(2, 1)},
        lambda x: np.where(x > 0, x, rnd(2, 1) * x)[:, :, 0],
    ),
    (
        "prelu scalar",
        always(),
        (2,),
        [node("PRelu", "x k")],
        {"k": rnd(1)},
        lambda x: np.where(x > 0, x, rnd(1) * x),
    ),
    (
        "leaky",
        always(),
        (2,),
        [node("LeakyRelu", "x")],
        {},
        lambda x: np.where(x > 0, x, np.float64(f4(0.01)) * x),
    ),
    (
        "gemm turned",
        always(),
        (3,),
        [node("Transpose", "x", "t"), node("Gemm", "t k c0", transA=1, alpha=0.5, beta=2.0)],
        {"k": rnd(3, 2), "c0": rnd(2)},
        lambda x: 0.5 * x @ rnd(3, 2) + 2 * rnd(2),
    ),
    (
        "gemm constant left",
        always(),
        (3,),
        [node("Gemm", "k x c0", "u", transB=1), node("Transpose", "u")],
        {"k": rnd(2, 3), "c0": rnd(1, 1)},
        lambda x: x @ rnd(2, 3).T + rnd(1, 1),
    ),
    (
        "gemm without c",
        always(11),
        (3,),
        [node("Gemm", "x k", alpha=2.0)],
        {"k": rnd(3, 2)},
        lambda x: 2 * x @ rnd(3, 2),
    ),
    (
        "matmul left",
        always(),
        (3, 1),
        [node("MatMul", "k x", "u"), node("Flatten", "u")],
        {"k": rnd(2, 3)},
        lambda x: x[:, :, 0] @ rnd(2, 3).T,
    ),
    (
        "matmul stack",
        always(),
        (1, 3),
        [node("MatMul", "x k", "u"), node("Flatten", "u")],
        {"k": rnd(1, 3, 2)},
        lambda x: x[:, 0] @ rnd(1, 3, 2)[0],
    ),
    (
        "matmul vector",
        always(),
        (2, 3),
        [node("MatMul", "x k")],
        {"k": rnd(3)},
        lambda x: x @ rnd(3),
    ),
    (
        "concat",
        always(),
        (1,),
        [node("Mul", "x o", "z0"), node("Add", "z0 k", "z1"), node("Concat", "z1 x", axis=1)],
        {"k": rnd(1), "o": f4(0)},
        lambda x: np.c_[0 * x + rnd(1), x],
    ),
    (
        "neg abs sub div",
        always(),
        (2,),
        [node("Neg", "x", "u"), node("Abs", "u", "v"), node("Sub", "k v", "w"), node("Div", "w j")],
        {"k": rnd(2), "j": rnd(1)},
        lambda x: (rnd(2) - np.abs(x)) / rnd(1),
    ),
    (
        "conv 1d",
        always(),
        (1, 3),
        [node("Conv", "x k", "u", pads=[2, 0], strides=[3], dilations=[2]), node("Flatten", "u")],
        {"k": np.ones((2, 1, 2), f4)},
        lambda x: np.repeat(x[:, 0, :1], 2, 1),
    ),
    (
        "conv same upper",
        always(),
        (1, 3, 3),
        [
            node("Conv", "x k", "u", auto_pad="SAME_UPPER", strides=[2, 2]),
            node("GlobalMaxPool", "u", "v"),
            node("Flatten", "v", "w"),
            node("Concat", "w w", axis=1),
        ],
        {"k": np.ones((1, 1, 2, 2), f4)},
        lambda x: np.repeat(
            np.stack(
                [
                    np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))[:, 0, i : i + 2, j : j + 2].sum(
                        (1, 2)
                    )
                    for i in (0, 2)
                    for j in (0, 2)
                ],
                1,
            ).max(1, keepdims=True),
            2,
            1,
        ),
    ),
    (
        "conv 3d",
        always(),
        (1, 2, 2, 2),
        [node("Conv", "x k", "u", group=1), node("Flatten", "u")],
        {"k": rnd(2, 1, 2, 2, 2)},
        lambda x: x.reshape(-1, 8) @ rnd(2, 1, 2, 2, 2).reshape(2, 8).T.astype(float),
    ),
    (
        "conv transpose",
        always(),
        (1, 1),
        [node("ConvTranspose", "x k", "u", strides=[2]), node("Flatten", "u")],
        {"k": np.array([[[1, 2]]], f4)},
        lambda x: x[:, 0] * [1.0, 2.0],
    ),
    (
        "conv transpose pads",
        always(),
        (1, 2),
        [
            node("ConvTranspose", "x k", "u", strides=[2], pads=[1, 1], output_padding=[0]),
            node("Flatten", "u"),
        ],
        {"k": np.array([[[1, 2]]], f4)},
        lambda x: np.c_[2 * x[:, 0, 0], x[:, 0, 1]],
    ),
    (
        "batch norm",
        always(),
        (2,),
        [node("BatchNormalization", "x g k m v", epsilon=0.5)],
        {"g": rnd(2), "k": rnd(2) + 1, "m": rnd(2) - 1, "v": np.array([1, 2], f4)},
        lambda x: rnd(2) * (x - (rnd(2) - 1)) / np.sqrt(np.array([1.5, 2.5])) + (rnd(2) + 1),
    ),
    (
        "average pool",
        always(),
        (1, 3),
        [
            node("AveragePool", "x", "u", kernel_shape=[2], pads=[0, 1], strides=[2]),
            node("Flatten", "u"),
        ],
        {},
        lambda x: np.c_[x[:, 0, :2].mean(1), x[:, 0, 2]],
    ),
    (
        "max pool ceil",
        always(10),
        (1, 3),
        [
            node("MaxPool", "x", "u", kernel_shape=[2], strides=[2], ceil_mode=1),
            node("Flatten", "u"),
        ],
        {},
        lambda x: np.c_[x[:, 0, :2].max(1), x[:, 0, 2]],
    ),
    (
        "global pools",
        always(),
        (2, 3),
        [node("GlobalAveragePool", "x", "u"), node("Flatten", "u")],
        {},
        lambda x: x.mean(2),
    ),
    ("cast", always(), (2,), [node("Cast", "x", "u", to=11), node("Cast", "u", to=1)], {}, SAME),
    ("cast like", always(15), (2,), [node("CastLike", "x k")], {"k": f4(0)}, SAME),
    (
        "constant",
        always(12),
        (2,),
        [
            node("Constant", "", "k", value_float=0.5),
            node("Constant", "", "j", value_floats=[1.0, 2.0]),
            node("Mul", "x k", "u"),
            node("Add", "u j"),
        ],
        {},
        lambda x: 0.5 * x + [1, 2],
    ),
    (
        "constant of shape",
        always(9),
        (2,),
        [node("ConstantOfShape", "i", "k"), node("Add", "x k", "u"), node("Max", "u k")],
        {"i": ints(2)},
        lambda x: np.maximum(x, 0),
    ),
    (
        "zeros like",
        always(9),
        (2,),
        [node("Shape", "x", "s"), node("ConstantOfShape", "s", "k"), node("Max", "x k")],
        {},
        lambda x: np.maximum(x, 0),
    ),
    (
        "sequence",
        always(11),
        (2,),
        [
            node("SplitToSequence", "x", "q", axis=1, keepdims=1),
            node("SequenceAt", "q i", "p"),
            node("SequenceAt", "q j", "o"),
            node("SequenceConstruct", "p o", "t"),
            node("ConcatFromSequence", "t", axis=1),
        ],
        {"i": np.int64(1), "j": np.int64(0)},
        SWAP,
    ),
    (
        "compress",
        always(9),
        (3,),
        [node("Compress", "x i", axis=1)],
        {"i": np.array([True, False, True])},
        lambda x: x[:, ::2],
    ),
    (
        "shape arithmetic",
        always(7, 12),
        (2, 1),
        [
            node("Shape", "x", "s"),
            node("Gather", "s o", "k"),
            node("Unsqueeze", "k", "k1", axes=[0]),
            node("Concat", "k1 w1", "t", axis=0),
            node("Reshape", "x t"),
        ],
        {"o": np.int64(0), "w1": ints(-1)},
        lambda x: x[:, :, 0],
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])
def test_forms_of_operators(form: Form, tmp_path: Path) -> None:
    """Equal to NumPy at every operator set that has the form."""
    _, opsets, shape, nodes, constants, function = form
    x = np.random.default_rng(3).standard_normal((7, *shape))
    expected = perceptron(np.asarray(function(x), dtype=float))
    for opset in opsets:
        path = write(
            tmp_path / "model.onnx", [*nodes, *mlp()], ("batch", *shape), constants, opset=opset
        )
        network = network_of_onnx(path)
        np.testing.assert_allclose(
            network(x.reshape(7, -1)), expected, rtol=1e-6, atol=1e-7, err_msg=f"opset {opset}"
        )


def _cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        cases = load_model_tests(kind="node")
    known = {name.rpartition(".")[2] for name in OPERATORS}
    return [
        case
        for case in cases
        if case.model is not None
        and len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in known
        and case.data_sets
        and all(isinstance(x, np.ndarray) for pair in case.data_sets[0] for x in pair)
        and sum(x.size for pair in case.data_sets[0] for x in pair) < _MOST
    ]


_MOST = 20_000
"""Entries of all arrays of a case; larger ones take seconds."""
_REASONS = (
    "that depends on the input",
    "division by a tensor that depends",
    "in training mode",
    "not continuous",
    "not piecewise linear",
    "returns indices",
    "combines what it writes",
    "which crops",
    "result that is not read",
    "whole numbers or truth values",
    "must be of floats",
    "does not depend on its input",
    "jumps",
    "aligns corners at a scale",
    "smooths before it shrinks",
)


@pytest.mark.slow
def test_node_cases_of_the_onnx_package(tmp_path: Path) -> None:
    """Each input of each case as the input of a network: equal, or refused with a known reason."""
    path, n_equal, refused, wrong = tmp_path / "model.onnx", 0, list[str](), list[str]()
    for case in _cases():
        inputs, outputs = case.data_sets[0]
        for k, value in enumerate(case.model.graph.input):
            if k >= len(inputs) or inputs[k].dtype.kind != "f" or not inputs[k].size:
                continue
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            del model.graph.input[:]
            model.graph.input.append(value)
            model.graph.initializer.extend(
                onnx.numpy_helper.from_array(x, given.name)
                for j, (given, x) in enumerate(zip(case.model.graph.input, inputs, strict=False))
                if j != k
            )
            onnx.save(model, path)
            x = inputs[k].astype(float)
            for place, output in enumerate(outputs):
                what = f"{case.name}, input {value.name}, output {place}"
                if output.dtype.kind != "f" or not output.size:
                    continue
                try:
                    network = network_of_onnx(path, x.shape or (1,), output=place)
                except RelutopoError as error:
                    if not any(reason in str(error) for reason in _REASONS):
                        wrong.append(f"{what}: {error}")
                    refused.append(what)
                    continue
                tolerance = 1e-2 if output.dtype == np.float16 else 1e-5
                given = network.predict(x.reshape(1, -1))[0]
                if not np.allclose(given, output.ravel(), rtol=1e-3, atol=tolerance):
                    wrong.append(f"{what}: {given} instead of {output.ravel()}")
                n_equal += 1
    assert not wrong, "\n".join(wrong)
    assert n_equal > 350
    assert len(refused) < n_equal

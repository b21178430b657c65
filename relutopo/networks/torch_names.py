"""Plain names of torch's functions and methods, and the kind of each.

Invariant: no name is in two of these: moves, operations on numbers, reasons not to follow it.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = [
    "ANSWERS",
    "CASTS",
    "COPIES",
    "LIKE",
    "MOVES",
    "NAMED_TYPES",
    "NOT_NUMBERS",
    "OF_STEPS",
    "PROPERTIES",
    "RANDOM",
    "REASONS",
    "SHOWN",
    "SIZES",
    "plain_name",
]


def plain_name(func: Any) -> tuple[str, bool]:
    """Return the plain name of a function or method, and whether it works in place.

    Examples
    --------
    >>> plain_name(torch.relu_), plain_name(Tensor.__iadd__), plain_name(Tensor.shape.__get__)
    (('relu', True), ('add', True), ('shape', False))
    """
    if isinstance(func, torch._ops.OpOverload):
        raw = func._schema.name.partition("::")[2]
    else:
        raw = getattr(func, "__name__", str(func))
    if func in _BY_THEMSELVES:
        return _BY_THEMSELVES[func], False
    if raw in ("__get__", "__set__"):
        attribute = getattr(func.__self__, "__name__", "")
        return attribute if raw == "__get__" else f"set {attribute}", False
    if raw in _KEPT:
        return raw, False
    plain = raw.strip("_")
    if raw in _IN_PLACE:
        return plain[1:], True
    return _SAME.get(plain, plain), raw.endswith("_") and not raw.endswith("__")


_BY_THEMSELVES: dict[Any, str] = {
    Tensor.where: "where_method",
    torch.nn.functional.unfold: "im2col",
    torch.nn.functional.threshold: "threshold",
}
"""Functions whose methods of the same name take other arguments."""
NAMED_TYPES = {
    **dict.fromkeys(("float", "double", "half", "bfloat16"), torch.float64),
    "long": torch.int64,
    "int": torch.int32,
    "short": torch.int16,
    "char": torch.int8,
    "byte": torch.uint8,
    "bool": torch.bool,
}
_KEPT = {
    *("__bool__", "__int__", "__float__", "__index__", "__complex__", "__long__"),
    *("requires_grad_", "detach_", "share_memory_", "rename_"),
}
_IN_PLACE = {
    f"__i{name}__"
    for name in ("add", "sub", "mul", "truediv", "div", "pow", "floordiv", "mod", "and", "or")
}
_SAME = {
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "rtruediv": "rdiv",
    "radd": "add",
    "rmul": "mul",
    "subtract": "sub",
    "multiply": "mul",
    "negative": "neg",
    "absolute": "abs",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "bitwise_not": "logical_not",
    "invert": "logical_not",
    "threshold": "threshold",
    "unsafe_view": "view",
    "arctan": "atan",
}
SHOWN = {"rdiv": "truediv", "rsub": "sub", "rpow": "pow"}
SIZES = {
    *("shape", "ndim", "size", "dim", "ndimension", "numel", "nelement", "stride", "len"),
    *("storage_offset", "is_contiguous", "sym_size", "sym_numel", "sym_stride"),
}
PROPERTIES = {
    *("dtype", "device", "layout", "requires_grad", "grad", "grad_fn", "is_leaf", "names", "name"),
    *("is_cuda", "is_cpu", "is_meta", "is_sparse", "is_sparse_csr", "is_quantized", "is_nested"),
    *("is_mkldnn", "is_mps", "is_xpu", "is_xla", "is_floating_point", "is_complex", "is_signed"),
    *("element_size", "itemsize", "get_device", "is_conj", "is_neg", "is_inference", "is_shared"),
    *("is_pinned", "retains_grad", "result_type"),
}
CASTS = {
    *("to", "type", "type_as", *NAMED_TYPES, "cpu", "cuda", "xpu", "detach", "alias", "data"),
    *("requires_grad_", "detach_", "share_memory_", "as_tensor", "tensor", "asarray", "to_copy"),
    *("positive", "real", "conj", "resolve_conj", "resolve_neg", "lift_fresh", "nan_to_num"),
    *("pin_memory", "deepcopy", "rename_", "as_subclass"),
}
COPIES = {"tensor", "deepcopy", "to_copy", "nan_to_num"}
LIKE = {
    *("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full"),
    *("new_empty", "new_tensor", "expand_as", "view_as", "reshape_as", "type_as", "to"),
}
"""Functions that use only shape and type of followed tensors, if the first argument is constant."""
NOT_NUMBERS = {"isnan", "isinf", "isposinf", "isneginf", "isfinite"}
MOVES = {
    *("flatten", "reshape", "view", "view_as", "reshape_as", "permute", "transpose", "t", "T"),
    *("mT", "H", "mH", "adjoint", "squeeze", "unsqueeze", "contiguous", "clone", "chunk", "split"),
    *("split_with_sizes", "tensor_split", "hsplit", "vsplit", "dsplit", "unsafe_split"),
    *("unsafe_chunk", "getitem", "expand", "expand_as", "broadcast_to", "flip", "fliplr"),
    *("flipud", "rot90", "unbind", "iter", "select", "narrow", "roll", "repeat", "tile"),
    *("repeat_interleave", "unflatten", "movedim", "moveaxis", "swapaxes", "swapdims", "ravel"),
    *("pixel_shuffle", "pixel_unshuffle", "gather", "index_select", "take", "take_along_dim"),
    *("diagonal", "unfold", "atleast_1d", "atleast_2d", "atleast_3d", "slice", "masked_select"),
    *("index", "reshape_alias", "view_copy", "as_strided", "squeeze_copy"),
}
ANSWERS = {
    "__bool__": "asks whether numbers that depend on the input are true, as control flow does",
    **dict.fromkeys(
        ("__int__", "__float__", "__index__", "__complex__", "__long__", "item", "tolist"),
        "takes a number that depends on the input out of its tensor",
    ),
    **dict.fromkeys(("numpy", "array"), "leaves torch with numbers that depend on the input"),
    **dict.fromkeys(
        ("nonzero", "argwhere", "unique", "equal", "allclose", "is_nonzero", "contains"),
        "asks for a property of numbers that depend on the input",
    ),
    **dict.fromkeys(
        ("backward", "register_hook", "grad.autograd"), "asks for derivatives at the input"
    ),
}
"""Questions without an answer, after which the code cannot continue."""
_SMOOTH = "which is not piecewise linear, but smooth"
_JUMPS = "which is not piecewise linear, but jumps"
REASONS = {
    **dict.fromkeys(
        (
            *("tanh", "sigmoid", "logsigmoid", "softmax", "log_softmax", "softmin", "softplus"),
            *("gelu", "silu", "mish", "elu", "selu", "celu", "softsign", "tanhshrink", "glu"),
            *(
                "hardswish",
                "exp",
                "expm1",
                "exp2",
                "log",
                "log1p",
                "log2",
                "log10",
                "sqrt",
                "rsqrt",
            ),
            *("sin", "cos", "tan", "atan", "asin", "acos", "sinh", "cosh", "erf", "square"),
            *("layer_norm", "group_norm", "rms_norm", "normalize", "cosine_similarity", "norm"),
            *("var", "std", "var_mean", "std_mean", "logsumexp", "prod", "cumprod", "reciprocal"),
            *(
                "scaled_dot_product_attention",
                "multi_head_attention_forward",
                "local_response_norm",
            ),
            *("lp_pool1d", "lp_pool2d", "lp_pool3d", "cdist", "pairwise_distance", "rpow"),
            *("lstm", "gru", "rnn_tanh", "logit", "hypot", "atan2", "gumbel_softmax", "bilinear"),
            *("linalg_norm", "linalg_vector_norm", "vector_norm", "softmax_int", "log_sigmoid"),
        ),
        _SMOOTH,
    ),
    **dict.fromkeys(
        (
            *("round", "floor", "ceil", "trunc", "fix", "frac", "fmod", "remainder", "mod"),
            *("floordiv", "floor_divide", "hardshrink", "argmax", "argmin", "argsort", "eq", "ne"),
            *("one_hot", "bucketize", "searchsorted", "signbit", "count_nonzero", "all", "any"),
        ),
        _JUMPS,
    ),
}
RANDOM = {
    *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
    *("bernoulli", "multinomial", "normal", "uniform", "poisson", "exponential", "cauchy"),
    *("geometric", "log_normal", "random", "kaiming_uniform", "kaiming_normal", "trunc_normal"),
    *("xavier_uniform", "xavier_normal", "orthogonal", "sparse", "native_dropout"),
    *("feature_dropout", "feature_alpha_dropout"),
}
OF_STEPS = {
    *(
        "mul",
        "add",
        "sub",
        "rsub",
        "neg",
        "div",
        "where",
        "where_method",
        "masked_fill",
        "logical_not",
        "copy",
    ),
}

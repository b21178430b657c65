"""Functions and methods of torch as operations on a graph of affine maps and kinks.

Each takes the arguments of torch's function, with signals (and steps, if it supports them) in place
of tensors that depend on the input:

- ReLU, LeakyReLU, PReLU and abs are kinks; hardtanh(z) = lo + ReLU(z - lo) - ReLU(z - hi);
- max(a, b) = a + ReLU(b - a), and max-pooling is a tournament of these. Its neurons compare two
  entries, so the regions are those on which all comparisons are constant: a refinement of the
  pieces on which the maximum is affine;
- a choice by a comparison, b + (a - b) [d > 0], is the kink b + k ReLU(d) if a - b = k d;
- batch normalisation in evaluation mode is the affine map with scale γ / sqrt(var + eps) and
  shift β - mean · scale, rounded to float64. Average pooling, means and divisions by a constant
  multiply by the rounded reciprocal. From then on these floats *are* the network, exactly.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relutopo.networks.following import Step
from relutopo.networks.pooling import Windows, adaptive_windows, as_numbers, sliding_windows
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal, need_signal

__all__ = ["OPERATIONS", "SUPPORTED"]

SUPPORTED = (
    "Linear, convolutions, batch normalisation, pooling, ReLU, LeakyReLU, PReLU, ReLU6, Hardtanh, "
    "Hardsigmoid, Softshrink, abs, max, where, sums, products with constants, concatenation, and "
    "what moves entries"
)


def _torch_windows(
    kind: str,
    extents: Sequence[int],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Windows:
    """Return the windows of one of torch's poolings, with the arguments of torch.

    Parameters
    ----------
    kind : {"max", "avg"}
    extents : sequence of int
        Shape of the map.

    Raises
    ------
    RuntimeError
        As torch does, for settings that it refuses.

    Examples
    --------
    >>> _torch_windows("max", (3,), 2, ceil_mode=True).places.tolist()
    [[0, 1], [2, -1]]
    """
    rank = len(extents)
    strides = kernel_size if stride is None or stride == [] else stride
    rest = (padding, dilation, ceil_mode) if kind == "max" else (padding, ceil_mode)
    # Torch itself checks the settings.
    pooled = getattr(F, f"{kind}_pool{rank}d")(
        torch.zeros(1, 1, *extents), kernel_size, strides, *rest
    )
    sides = [(p, p) for p in as_numbers(padding, rank)]
    kernel, steps, dilations = (as_numbers(x, rank) for x in (kernel_size, strides, dilation))
    windows = sliding_windows(extents, kernel, steps, sides, dilations, ceil_mode)
    assert windows.extents == tuple(pooled.shape[2:])
    return windows


def _max_pool(rank: int, with_indices: bool = False) -> Callable[..., Any]:
    def pool(
        t: GraphBuilder,
        x: Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        _need_maps(x, rank)
        extents = x.shape[-rank:]
        windows = _torch_windows("max", extents, kernel_size, stride, padding, dilation, ceil_mode)
        largest = t.max_pool(x, windows)
        return (largest, _indices()) if with_indices or return_indices else largest

    return pool


def _avg_pool(rank: int) -> Callable[..., Signal]:
    def pool(
        t: GraphBuilder,
        x: Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Signal:
        _need_maps(x, rank)
        extents = x.shape[-rank:]
        windows = _torch_windows("avg", extents, kernel_size, stride, padding, 1, ceil_mode)
        return t.avg_pool(x, windows, count_include_pad, divisor_override)

    return pool


def _adaptive(rank: int, largest: bool, with_indices: bool = False) -> Callable[..., Any]:
    def pool(t: GraphBuilder, x: Signal, output_size: Any, return_indices: bool = False) -> Any:
        _need_maps(x, rank)
        extents = x.shape[-rank:]
        wanted = [
            n if out is None else out
            for n, out in zip(extents, as_numbers(output_size, rank), strict=True)
        ]
        if min(*extents, *wanted) < 1:
            raise ValueError(f"a map of {tuple(extents)} entries cannot be pooled to {wanted}")
        windows = adaptive_windows(extents, wanted)
        if not largest:
            return t.avg_pool(x, windows, count_include_pad=False)
        pooled = t.max_pool(x, windows)
        return (pooled, _indices()) if with_indices or return_indices else pooled

    return pool


def _need_maps(x: Signal, rank: int) -> None:
    need_signal(x)
    if len(x.shape) not in (rank + 1, rank + 2):
        raise ValueError(f"expected {rank + 2} axes, or {rank + 1} without the batch axis")


def _indices() -> NotUnderstood:
    return NotUnderstood("which returns indices, whole numbers that depend on the input")


def _prelu(t: GraphBuilder, x: Signal, weight: Tensor) -> Signal:
    if weight.numel() > 1:
        weight = weight.reshape(-1, *[1] * (len(x.shape) - 2))
    return t.kink(x, 1.0, weight)


def _rrelu(
    t: GraphBuilder, x: Signal, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Signal:
    if training:
        raise NotUnderstood("which draws random slopes; pass training=self.training")
    return t.kink(x, 1.0, (lower + upper) / 2)


def _threshold(t: GraphBuilder, x: Signal, threshold: float, value: float) -> Signal:
    if threshold != value:
        raise NotUnderstood(f"which jumps from {value} to {threshold}")
    return t.hardtanh(x, float(value), None)


def _softshrink(t: GraphBuilder, x: Signal, lambd: float = 0.5) -> Signal:
    return t.sum(x, t.hardtanh(x, -lambd, lambd), -1.0)


def _hardsigmoid(t: GraphBuilder, x: Signal) -> Signal:
    return t.scale(t.hardtanh(x, -3.0, 3.0), 1.0 / 6.0, 0.5)


def _dropout(
    t: GraphBuilder, x: Signal, p: float = 0.5, training: bool = True, train: bool = False
) -> Signal:
    if training or train:
        raise NotUnderstood(
            "a dropout that stays random; pass training=self.training, or build it in __init__"
        )
    return x


def _batch_norm(
    t: GraphBuilder,
    x: Signal,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Signal:
    if training or running_mean is None:
        raise NotUnderstood("which normalises by the batch even in evaluation mode")
    statistics = {"running_mean": running_mean, "running_var": running_var}
    return t.batch_norm(x, SimpleNamespace(**statistics, weight=weight, bias=bias, eps=eps))


def _native_batch_norm(
    t: GraphBuilder, x: Signal, weight: Any, bias: Any, mean: Any, var: Any, *rest: Any
) -> Any:
    *_, eps = (x for x in rest if isinstance(x, float))
    return (_batch_norm(t, x, mean, var, weight, bias, eps=eps), None, None)


def _instance_norm(
    t: GraphBuilder,
    x: Signal,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Signal:
    if use_input_stats:
        raise NotUnderstood("which is not piecewise linear, but divides by a deviation")
    return _batch_norm(t, x, running_mean, running_var, weight, bias, eps=eps)


# Comparisons


def _compared(sign: float) -> Callable[..., Step]:
    def compare(t: GraphBuilder, x: Any, y: Any) -> Step:
        if isinstance(x, Signal) and not isinstance(y, (Signal, Tensor)) and y == 0:
            difference = x if sign > 0 else t.scale(x, -1.0)
        else:
            difference = t.sum(x, y, -sign, sign)
        ones = torch.ones(difference.shape, dtype=torch.float64)
        return Step(difference, ones, torch.zeros_like(ones), is_boolean=True)

    return compare


def _sign(t: GraphBuilder, x: Signal) -> Step:
    ones = torch.ones(x.shape, dtype=torch.float64)
    return Step(x, ones, -ones)


def _heaviside(t: GraphBuilder, x: Signal, values: Any) -> Step:
    ones = torch.ones(x.shape, dtype=torch.float64)
    return Step(x, ones, torch.zeros_like(ones))


def _changed(x: Step, change: Callable[[Tensor], Tensor]) -> Step:
    """Return a step whose numbers are changed by a function."""
    on, off = change(x.on), change(x.off)
    numbers = torch.arange(x.signal.size).reshape(x.signal.shape).expand(on.shape)
    signal = Signal(x.signal.value, x.signal.index.reshape(-1)[numbers])
    return Step(signal, on, off.expand(on.shape))


def _not(t: GraphBuilder, x: Step) -> Step:
    if not isinstance(x, Step):
        raise NotUnderstood("which asks where numbers that depend on the input are zero")
    return Step(x.signal, x.off, x.on, is_boolean=True)


def _gated(t: GraphBuilder, x: Signal, step: Step) -> Signal:
    """Add x · step, if the product does not jump."""
    shape = np.broadcast_shapes(x.shape, step.shape)
    x = Signal(x.value, x.index.expand(shape))
    step = _changed(step, lambda y: y.expand(shape))
    if torch.equal(step.on, step.off):
        return t.scale(x, step.on)
    k = t.ratios(x, step.signal)
    if k is None:
        raise NotUnderstood(
            "a product with a comparison of something else, which jumps, or is not known not to"
        )
    factors = torch.from_numpy(k).reshape(shape)
    return t.kink(step.signal, factors * step.on, factors * step.off)


def _where(t: GraphBuilder, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise NotUnderstood("which returns indices, whole numbers that depend on the input")
    x, y = (
        z if isinstance(z, (Signal, Step)) else torch.as_tensor(z, dtype=torch.float64)
        for z in (x, y)
    )
    if isinstance(x, Step) or isinstance(y, Step):
        raise NotUnderstood("which is given a comparison of the input, a function that jumps")
    if isinstance(condition, Signal):
        raise NotUnderstood("by numbers that depend on the input, not by a comparison")
    if not isinstance(condition, Step):
        return t.gathered([x, y], lambda numbers: torch.where(condition, *numbers))
    shape = np.broadcast_shapes(x.shape, y.shape, condition.shape)
    step = _changed(condition, lambda z: z.expand(shape))
    on, off = (_slopes(t, z, step.signal) for z in (x, y))
    if on is not None and off is not None:  # a kink, without further rounding
        return t.kink(step.signal, *(z * on + (1.0 - z) * off for z in (step.on, step.off)))
    if not isinstance(x, Signal) and not isinstance(y, Signal):
        raise NotUnderstood("between two constants by a comparison, which jumps")
    # One of the two, plus a kink on the side of the other.
    for one, other in ((x, y), (y, x)):
        toggled = step if one is x else Step(step.signal, step.off, step.on)
        z = toggled.signal if toggled.on.all() else t.scale(toggled.signal, -1.0)
        k = t.ratios(t.sum(one, other, -1.0), z, where_positive=True)
        if k is not None:
            return t.sum(t.kink(z, torch.from_numpy(k).reshape(shape), 0.0), other)
    raise NotUnderstood("by a comparison at which it jumps, or is not known not to")


def _slopes(t: GraphBuilder, x: Any, z: Signal) -> Tensor | None:
    """Return k with x = k z, if there are such numbers."""
    if not isinstance(x, Signal):
        return None if x.any() else torch.zeros(z.shape, dtype=torch.float64)
    k = t.ratios(Signal(x.value, x.index.expand(z.shape)), z)
    return None if k is None else torch.from_numpy(k).reshape(z.shape)


def _mul(t: GraphBuilder, x: Any, y: Any) -> Any:
    if isinstance(y, Step):
        x, y = y, x
    if isinstance(x, Step):
        if isinstance(y, Step):
            raise NotUnderstood("a product of two comparisons, which jumps")
        if isinstance(y, Signal):
            return _gated(t, y, x)
        return _changed(x, lambda z: z * _double(y))
    return t.product(x, y)


def _div(t: GraphBuilder, x: Any, y: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise NotUnderstood("which is not piecewise linear, but jumps")
    if isinstance(x, Step) and not isinstance(y, (Signal, Step)):
        return _changed(x, lambda z: z / _double(y))
    return t.quotient(x, y)


def _add(t: GraphBuilder, x: Any, y: Any, alpha: float = 1.0) -> Any:
    if isinstance(x, Step) and not isinstance(y, (Signal, Step)):
        return _changed(x, lambda z: z + alpha * _double(y))
    if isinstance(y, Step) and not isinstance(x, (Signal, Step)):
        return _changed(y, lambda z: _double(x) + alpha * z)
    if isinstance(x, Step) or isinstance(y, Step):
        raise NotUnderstood("a sum with a comparison of the input, which jumps")
    return t.sum(x, y, alpha)


def _sub(t: GraphBuilder, x: Any, y: Any, alpha: float = 1.0) -> Any:
    if isinstance(x, Step) or isinstance(y, Step):
        return _add(t, x, _neg(t, y) if isinstance(y, Step) else -1.0 * _double(y), alpha)
    return t.sum(x, y, -alpha)


def _neg(t: GraphBuilder, x: Any) -> Any:
    return _changed(x, torch.neg) if isinstance(x, Step) else t.scale(x, -1.0)


def _double(x: Any) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float64)


# Joining, moving with zeros


def _gathered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the graph operation of a function that moves entries of several tensors."""

    def gather(t: GraphBuilder, *args: Any, **kwargs: Any) -> Any:
        parts: list[Any] = []

        def is_part(x: Any) -> bool:
            return isinstance(x, Signal) or (isinstance(x, Tensor) and x.is_floating_point())

        def collect(x: Any) -> Any:
            if is_part(x):
                parts.append(x)
                return len(parts) - 1, _PART
            if isinstance(x, (tuple, list)):
                return [collect(child) for child in x]
            return x

        def fill(x: Any, numbers: list[Tensor]) -> Any:
            if isinstance(x, tuple) and len(x) == 2 and x[1] is _PART:
                return numbers[x[0]]
            return [fill(child, numbers) for child in x] if isinstance(x, list) else x

        places = [collect(x) for x in args]
        named = {key: collect(x) for key, x in kwargs.items()}
        return t.gathered(
            parts,
            lambda numbers: function(
                *(fill(x, numbers) for x in places),
                **{key: fill(x, numbers) for key, x in named.items()},
            ),
        )

    return gather


_PART = object()


def _in_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that torch has only for floats work on whole numbers."""
    return lambda x, *args, **kwargs: function(x.double(), *args, **kwargs)


def _pad(t: GraphBuilder, x: Signal, pad: Any, mode: str = "constant", value: Any = None) -> Signal:
    need_signal(x)
    sides = [int(p) for p in pad]
    if mode != "constant" or not value:
        padded: Signal = t.move(x, lambda i: F.pad(i.double(), sides, mode=mode))
        return padded
    filling = torch.as_tensor(value, dtype=torch.float64)
    numbers = 1 + torch.arange(x.size).reshape(x.shape)
    return t.join([x, filling], F.pad(numbers, sides, value=x.size + 1))


def _tensor_of(t: GraphBuilder, data: Any, *args: Any, **kwargs: Any) -> Any:
    """Add the tensor of nested lists of numbers."""
    if isinstance(data, (list, tuple)):
        parts = [_tensor_of(t, x) for x in data]
        return _stack(t, parts)
    return data if isinstance(data, Signal) else _double(data)


_stack = _gathered(torch.stack)


# Products with constants


def _linear_in(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the graph operation of a function that is linear in each of its tensors."""

    def image(t: GraphBuilder, *args: Any, **kwargs: Any) -> Signal:
        flat = [*args, *kwargs.values()]
        signals = [x for arg in flat for x in (arg if isinstance(arg, (tuple, list)) else [arg])]
        signals = [x for x in signals if isinstance(x, Signal)]
        if len(signals) != 1:
            raise NotUnderstood("a product of two tensors that both depend on the input")

        def filled(arg: Any, entries: Tensor) -> Any:
            if isinstance(arg, Signal):
                return entries
            if isinstance(arg, (tuple, list)) and not isinstance(arg, torch.Size):
                return [filled(x, entries) for x in arg]
            if isinstance(arg, Tensor) and arg.is_floating_point():
                return arg.detach().double()
            return arg

        return t.linear_image(
            signals[0],
            lambda entries: function(
                *(filled(x, entries) for x in args),
                **{key: filled(x, entries) for key, x in kwargs.items()},
            ),
        )

    return image


def _scaled_sum(product: Callable[..., Signal]) -> Callable[..., Signal]:
    """Return the operation beta · z + alpha · product(x, y)."""

    def add(
        t: GraphBuilder, z: Any, x: Any, y: Any, beta: float = 1.0, alpha: float = 1.0
    ) -> Signal:
        return t.sum(z, product(t, x, y), alpha, beta)

    return add


def _conv_transpose(rank: int) -> Callable[..., Signal]:
    function: Callable[..., Any] = getattr(F, f"conv_transpose{rank}d")

    def convolve(
        t: GraphBuilder, x: Signal, weight: Tensor, bias: Any = None, *args: Any, **kwargs: Any
    ) -> Signal:
        need_signal(x)
        spread = weight.detach().double()
        image = t.linear_image(x, lambda entries: function(entries, spread, None, *args, **kwargs))
        return image if bias is None else t.sum(image, bias.reshape(-1, *[1] * rank))

    return convolve


def _interpolate(t: GraphBuilder, x: Signal, *args: Any, **kwargs: Any) -> Signal:
    need_signal(x)
    return t.linear_image(x, lambda entries: F.interpolate(entries, *args, **kwargs))


# Reductions


def _extremum(how: str) -> Callable[..., Any]:
    """Return the operation max or min: of all entries, over an axis, or of two tensors."""

    def reduce(
        t: GraphBuilder, x: Any, dim: Any = None, keepdim: bool = False, **other: Any
    ) -> Any:
        second = other.get("other", dim)
        if isinstance(second, (Signal, Tensor)):
            return (t.maximum if how == "amax" else t.minimum)(x, second)
        if dim is None:
            return t.reduce(how, x)
        result = t.reduce(how, x, dim, keepdim)
        kind: Any = torch.return_types.max if how == "amax" else torch.return_types.min
        return kind((result, _indices()))

    return reduce


def _reduced(how: str) -> Callable[..., Signal]:
    def reduce(
        t: GraphBuilder, x: Signal, dim: Any = None, keepdim: bool = False, dtype: Any = None
    ) -> Signal:
        return t.reduce(how, x, dim, keepdim)

    return reduce


def _clamp(t: GraphBuilder, x: Signal, min: Any = None, max: Any = None) -> Signal:
    for bound in (min, max):
        if isinstance(bound, Signal):
            x = t.maximum(x, bound) if bound is min else t.minimum(x, bound)
    return t.hardtanh(x, *(None if isinstance(bound, Signal) else bound for bound in (min, max)))


def _lerp(t: GraphBuilder, x: Any, y: Any, weight: Any) -> Signal:
    return t.sum(x, t.product(t.sum(y, x, -1.0), weight))


def _pow(t: GraphBuilder, x: Signal, exponent: Any) -> Signal:
    if isinstance(exponent, (int, float)) and exponent == 1:
        return x
    raise NotUnderstood("which is not piecewise linear, but a power")


OPERATIONS: dict[str, Callable[..., Any]] = {
    # Kinks
    "relu": lambda t, x: t.relu(x),
    "leaky_relu": lambda t, x, negative_slope=0.01: t.kink(x, 1.0, negative_slope),
    "prelu": _prelu,
    "rrelu": _rrelu,
    "relu6": lambda t, x: t.hardtanh(x, 0.0, 6.0),
    "hardtanh": lambda t, x, min_val=-1.0, max_val=1.0: t.hardtanh(x, min_val, max_val),
    "hardsigmoid": _hardsigmoid,
    "softshrink": _softshrink,
    "threshold": _threshold,
    "clamp": _clamp,
    "clamp_min": lambda t, x, min: _clamp(t, x, min=min),
    "clamp_max": lambda t, x, max: _clamp(t, x, max=max),
    "abs": lambda t, x: t.kink(x, 1.0, -1.0),
    "max": _extremum("amax"),
    "min": _extremum("amin"),
    "maximum": lambda t, x, other: t.maximum(x, other),
    "minimum": lambda t, x, other: t.minimum(x, other),
    "fmax": lambda t, x, other: t.maximum(x, other),
    "fmin": lambda t, x, other: t.minimum(x, other),
    "amax": _reduced("amax"),
    "amin": _reduced("amin"),
    **{f"max_pool{rank}d": _max_pool(rank) for rank in (1, 2, 3)},
    **{f"max_pool{rank}d_with_indices": _max_pool(rank, True) for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d": _adaptive(rank, True) for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d_with_indices": _adaptive(rank, True, True) for rank in (1, 2, 3)},
    # Comparisons, and what makes them continuous
    "gt": _compared(1.0),
    "ge": _compared(1.0),
    "lt": _compared(-1.0),
    "le": _compared(-1.0),
    "sign": _sign,
    "sgn": _sign,
    "heaviside": _heaviside,
    "logical_not": _not,
    "where": _where,
    "where_method": lambda t, x, condition, other: _where(t, condition, x, other),
    "masked_fill": lambda t, x, mask, value: _where(t, mask, value, x),
    # Affine
    "neg": _neg,
    "add": _add,
    "sub": _sub,
    "rsub": lambda t, x, y, alpha=1.0: _sub(t, y, x, alpha),
    "mul": _mul,
    "div": _div,
    "rdiv": lambda t, x, y: t.quotient(y, x),
    "pow": _pow,
    "lerp": _lerp,
    "addcmul": lambda t, z, x, y, value=1.0: t.sum(z, t.product(x, y), value),
    "addcdiv": lambda t, z, x, y, value=1.0: t.sum(z, t.quotient(x, y), value),
    "mean": _reduced("mean"),
    "sum": _reduced("sum"),
    "cumsum": _linear_in(torch.cumsum),
    "diff": _linear_in(torch.diff),
    "linear": lambda t, x, weight, bias=None: t.linear(x, weight, bias),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), lambda t, x, y: t.matmul(x, y)),
    **dict.fromkeys(("rmatmul",), lambda t, x, y: t.matmul(y, x)),
    **dict.fromkeys(("addmm", "addmv", "baddbmm"), _scaled_sum(lambda t, x, y: t.matmul(x, y))),
    "einsum": _linear_in(torch.einsum),
    "tensordot": _linear_in(torch.tensordot),
    "inner": _linear_in(torch.inner),
    "outer": _linear_in(torch.outer),
    "kron": _linear_in(torch.kron),
    "multi_dot": _linear_in(torch.linalg.multi_dot),
    "trace": _linear_in(torch.trace),
    "fold": _linear_in(F.fold),
    "interpolate": _interpolate,
    **{
        f"conv{rank}d": lambda t, *args, **kwargs: t.convolution(*args, **kwargs)
        for rank in (1, 2, 3)
    },
    **{f"conv_transpose{rank}d": _conv_transpose(rank) for rank in (1, 2, 3)},
    "batch_norm": _batch_norm,
    "native_batch_norm_legit_no_training": _native_batch_norm,
    "instance_norm": _instance_norm,
    **{f"avg_pool{rank}d": _avg_pool(rank) for rank in (1, 2, 3)},
    **{f"adaptive_avg_pool{rank}d": _adaptive(rank, False) for rank in (1, 2, 3)},
    # Moves of several tensors, or with zeros
    **{
        name: _gathered(getattr(torch, name))
        for name in (
            *("cat", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack"),
            *("tril", "triu", "diag", "diag_embed", "diagflat", "block_diag", "meshgrid"),
            *("broadcast_tensors", "scatter", "index_copy", "select_scatter", "slice_scatter"),
        )
    },
    "tensor": _tensor_of,
    "as_tensor": _tensor_of,
    "pad": _pad,
    "constant_pad_nd": lambda t, x, pad, value=0.0: _pad(t, x, pad, "constant", value),
    "channel_shuffle": _gathered(_in_floats(F.channel_shuffle)),
    "im2col": _gathered(_in_floats(F.unfold)),
    # Nothing
    **dict.fromkeys(
        (
            "dropout",
            "dropout1d",
            "dropout2d",
            "dropout3d",
            "alpha_dropout",
            "feature_alpha_dropout",
        ),
        _dropout,
    ),
    # Written into another tensor
    "copy": lambda t, x, source, non_blocking=False: source,
    "fill": lambda t, x, value: value,
    "zero": lambda t, x: 0.0,
}

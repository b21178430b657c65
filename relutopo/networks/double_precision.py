"""Torch in double precision, on the processor.

The casts of a module, and the device of its tensors, do not belong to the function that it
computes: its weights are exact numbers, and its inputs any numbers. Within `InDouble`, a forward
pass ignores both.

Invariant: torch's override mechanism (`torch.overrides`) is local to the thread; nothing that other
threads see is changed.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from relutopo.networks.torch_names import CASTS, COPIES, NAMED_TYPES, PROPERTIES, SIZES, plain_name

__all__ = ["InDouble", "alike", "in_double", "leaves", "mapped", "wanted_dtype"]


class InDouble(TorchFunctionMode):
    """Within a ``with`` block, all of torch computes in double precision and on the processor.

    Casts to other floats and to other devices change nothing. Only the current thread is affected.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a function in double precision in place of torch."""
        return in_double(func, plain_name(func)[0], args, kwargs or {})


def in_double(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function of torch in double precision on the processor.

    Examples
    --------
    >>> in_double(torch.zeros, "zeros", (1,), {"dtype": torch.float16, "device": "cuda"})
    tensor([0.], dtype=torch.float64)
    """
    if name in SIZES or name in PROPERTIES:
        return func(*args, **kwargs)
    if name in CASTS and args and isinstance(args[0], Tensor) and args[0].is_floating_point():
        wanted = wanted_dtype(name, args[1:], kwargs)
        if name == "type" and len(args) == 1 and not kwargs:
            return func(*args)
        number = _doubled(args[0])
        if wanted is None or wanted.is_floating_point:
            return number.clone() if name in COPIES else number
        return number.to(wanted)
    is_inplace = plain_name(func)[1]
    kwargs = {
        key: torch.float64 if _is_float(x) else x
        for key, x in kwargs.items()
        if key not in ("device", "pin_memory")
    }
    if name in ("to", "cuda", "xpu", "cpu"):  # of tensors of whole numbers
        dtypes = [x for x in args[1:] if isinstance(x, (torch.dtype, Tensor))]
        args = (args[0], *(dtypes[:1] or [args[0].dtype]))
        func = Tensor.to
        kwargs = {key: x for key, x in kwargs.items() if key == "dtype"}
        args = args[:1] if kwargs else args
    first = args[:1] if is_inplace else ()
    args = (*first, *mapped(_doubled, args[len(first) :]))
    return mapped(_doubled, func(*args, **mapped(_doubled, kwargs)))


def _doubled(x: Any) -> Any:
    if isinstance(x, Tensor) and x.is_floating_point():
        return x if x.dtype is torch.float64 else x.double()
    return torch.float64 if _is_float(x) else x


def _is_float(x: Any) -> bool:
    return isinstance(x, torch.dtype) and x.is_floating_point


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of nested containers and slices."""
    if isinstance(tree, dict):
        return [x for child in tree.values() for x in leaves(child)]
    if isinstance(tree, (list, tuple)) and not isinstance(tree, torch.Size):
        return [x for child in tree for x in leaves(child)]
    if isinstance(tree, slice):
        return leaves((tree.start, tree.stop, tree.step))
    return [tree]


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """Change the leaves of nested containers."""
    if isinstance(tree, dict):
        return {key: mapped(change, x) for key, x in tree.items()}
    if isinstance(tree, (list, tuple)) and not isinstance(tree, torch.Size):
        return alike(tree, [mapped(change, x) for x in tree])
    if isinstance(tree, slice):
        parts = (tree.start, tree.stop, tree.step)
        return slice(*(mapped(change, x) for x in parts))
    return change(tree)


def alike(container: Any, parts: list[Any]) -> Any:
    """Return a container of the same kind with other contents."""
    if type(container) in (list, tuple):
        return type(container)(parts)
    if isinstance(container, list):
        return parts
    fields = getattr(container, "_fields", None)
    if fields is not None:
        return type(container)(*parts)
    if type(container).__module__ == "torch.return_types":
        return type(container)(parts)
    return tuple(parts)


def wanted_dtype(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.dtype | None:
    """Return the type of numbers that a cast asks for, or None if it leaves them as they are."""
    if name in NAMED_TYPES:
        return NAMED_TYPES[name]
    for x in leaves([args, kwargs]):
        if isinstance(x, torch.dtype):
            return x
        if isinstance(x, Tensor):
            return x.dtype
        if isinstance(x, str) and x.endswith("Tensor"):
            plain = x.rpartition(".")[2].removesuffix("Tensor").lower()
            return NAMED_TYPES.get(plain, torch.float64)
    return None

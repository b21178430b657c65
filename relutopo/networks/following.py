"""Following the forward pass of a torch module.

The module's own code is run once, on a `Followed` tensor in place of its input. Torch passes every
function and method that is called with such a tensor to this module, which applies the same
operation to a graph (`relutopo.networks.tensors`). The operations are applied at once and not
recorded, so the code may ask for shapes, build layers, loop and branch; only questions about the
*numbers* have no answer.

Invariants:

- Torch's override mechanism (`torch.overrides`) is local to the thread. Nothing that other threads
  see is changed: no class, no function, no flag, no random state.
- The batch axis has size 1.
- A followed tensor is a view of a *store*. Operations in place write into the store, and views of
  the same store see the change, as views of memory would. Whether an operation returns a view or
  new memory is found by applying it to a tensor of places.
- An operation that is not understood returns a tensor that carries the reason. The reason is raised
  if the output depends on that tensor, or if the code asks for its shape. A sigmoid, a softmax and
  the like may be the last step: then they are the link, and later operations must not change any
  number.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.overrides import TorchFunctionMode

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.double_precision import alike, in_double, leaves, mapped, wanted_dtype
from relutopo.networks.links import LINKS, reason_against_link
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.networks.torch_names import (
    ANSWERS,
    CASTS,
    COPIES,
    LIKE,
    MOVES,
    NOT_NUMBERS,
    OF_STEPS,
    PROPERTIES,
    RANDOM,
    REASONS,
    SHOWN,
    SIZES,
    plain_name,
)

__all__ = ["Followed", "Following", "Step", "is_torch_layer", "line_of"]

_TORCH = os.path.dirname(torch.__file__)
_HERE = os.path.dirname(os.path.dirname(__file__))


@dataclass(frozen=True)
class Step:
    """A tensor of steps: `on` where a signal is positive, `off` elsewhere.

    Attributes
    ----------
    signal : Signal
    on, off : Tensor
        Of the same shape, in double precision.
    is_boolean : bool
        Whether it is the result of a comparison.
    """

    signal: Signal
    on: Tensor
    off: Tensor
    is_boolean: bool = False

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor, the batch axis of size 1 first."""
        return self.signal.shape


@dataclass(frozen=True)
class _Linked:
    """The values that a link was applied to, and the names of the link in order."""

    signal: Signal
    names: tuple[str, ...]


class _Smooth(NotUnderstood):
    """A function that is understood only as the last step."""

    def __init__(self, reason: str, linked: _Linked) -> None:
        super().__init__(reason)
        self.linked = linked


@dataclass
class _Store:
    """The memory of followed tensors: flat values, or the reason why they are unknown."""

    content: Signal | Step | Exception

    @property
    def size(self) -> int:
        return 0 if isinstance(self.content, Exception) else self.content.shape.numel()


class Followed(Tensor):
    """A tensor that depends on the input of the module whose forward pass is followed."""

    _following: Following
    _store: _Store
    _places: Tensor

    @staticmethod
    def __new__(cls, following: Following, store: _Store, places: Tensor) -> Followed:
        """Make a view of a store; `places` holds the positions of its entries there."""
        # Sizes and everything else come from `places`: the tensor itself holds no data.
        x: Followed = torch.Tensor._make_wrapper_subclass(cls, (1,), dtype=torch.float64)
        x._following, x._store, x._places = following, store, places
        return x

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Apply the function to the graph, also in threads that the forward pass starts."""
        (first, *_) = _followed([args, kwargs])
        return first._following.follow(func, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Refuse functions that bypass torch's override mechanism, such as compiled ones."""
        (first, *_) = _followed([args, kwargs])
        raise first._following.unheard(func)


class Following(TorchFunctionMode):
    """Applies the operations of a forward pass to a graph, within a ``with`` block.

    Parameters
    ----------
    builder : GraphBuilder
        Receives the nodes.
    module : torch.nn.Module
        The module whose forward pass is followed; used to name places in messages.
    operations : mapping
        For the plain name of a function or method, the operation on a builder. It takes signals,
        steps and constants in place of the arguments of torch's function.
    supported : str
        The supported operations, for messages.
    allows_constants : bool, default True
        Whether functions of constants alone are called. Otherwise they end the pass with
        `NotUnderstood`, so that nothing in the module changes.
    """

    def __init__(
        self,
        builder: GraphBuilder,
        module: nn.Module,
        operations: Mapping[str, Callable[..., Any]],
        supported: str,
        allows_constants: bool = True,
    ) -> None:
        super().__init__()
        self.builder = builder
        self._module = module
        self._operations = operations
        self._supported = supported
        self._allows_constants = allows_constants
        self._paths = {id(part): path for path, part in module.named_modules()}
        # Constants into which values that depend on the input were written, by address. The
        # constants are kept alive, so that no other one gets the same address.
        self._written: dict[int, tuple[Tensor, Followed]] = {}
        self._unheard: UnsupportedModuleError | None = None
        self.link: str | None = None

    @property
    def input(self) -> Followed:
        """The input of the module."""
        return self._new(self.builder.input)

    def signal(self, output: Any) -> Any:
        """Return the signal of a followed tensor, and anything else as it is.

        Raises
        ------
        UnsupportedModuleError
            If the output depends on an operation that is not understood.
        """
        output = self._current(output)
        if not isinstance(output, Followed):
            return output
        value = self._value(output)
        if isinstance(value, Exception):
            linked = getattr(value, "linked", None)
            if linked is None:
                raise value
            self.link = ", ".join(linked.names)
            return linked.signal
        if isinstance(value, Step):
            raise self.refusal("output", "which jumps, as a comparison does")
        return value

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Follow a function in place of torch."""
        return self.follow(func, args, kwargs or {})

    def follow(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply a function of torch to the graph."""
        name, is_inplace = plain_name(func)
        if self._written:
            args, kwargs = mapped(self._current, (args, kwargs))
        inputs = _followed([args, kwargs])
        try:
            if name == "setitem":
                return self._set_item(args[0], args[1], args[2])
            if not inputs:
                return self._constant(func, name, args, kwargs)
            return self._followed_call(func, name, is_inplace, args, kwargs, inputs)
        except NotUnderstood as reason:
            linked = getattr(reason, "linked", None)
            if not self._allows_constants and linked is None:
                raise
            failure: Any = self.refusal(name, str(reason))
            failure.linked = linked
            if name in ANSWERS or (is_inplace and not inputs):
                raise failure from None
        except (UnsupportedModuleError, InputError):
            raise
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
            # As torch would, so that the code may catch it.
            kind = RuntimeError if isinstance(error, (ValueError, KeyError)) else type(error)
            raised: Any = kind(str(error))
            raised.misfit = self._misfit(name, inputs, error)
            raise raised from error
        return self._failed(failure, args[0] if is_inplace else None)

    # Values

    def _new(self, value: Signal | Step) -> Followed:
        places = torch.arange(value.shape.numel())
        return Followed(self, _Store(_moved(value, places)), places.reshape(value.shape))

    def _failed(self, failure: Exception, target: Any = None) -> Followed:
        if isinstance(target, Followed):
            target._store.content = failure
            return target
        return Followed(self, _Store(failure), torch.arange(0))

    def _value(self, x: Followed) -> Any:
        content = x._store.content
        return content if isinstance(content, Exception) else _moved(content, x._places)

    def _wrapped(self, name: str, result: Any) -> Any:
        if isinstance(result, (Signal, Step)):
            return self._new(result)
        if isinstance(result, NotUnderstood):
            return self._failed(self.refusal(name, str(result)))
        if isinstance(result, (tuple, list)):
            parts = [self._wrapped(name, part) for part in result]
            return alike(result, parts)
        return result

    def _current(self, x: Any) -> Any:
        return self._written[id(x)][1] if id(x) in self._written else x

    # Calls

    def _constant(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        if not self._allows_constants and name not in SIZES and name not in PROPERTIES:
            raise NotUnderstood("")
        if name in RANDOM or (kwargs.get("training") and "drop" in name):
            raise NotUnderstood("which draws random numbers")
        return in_double(func, name, args, kwargs)

    def _followed_call(
        self,
        func: Any,
        name: str,
        is_inplace: bool,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        inputs: list[Followed],
    ) -> Any:
        first = args[0] if args else inputs[0]
        if name in _NO_NUMBERS:
            return _NO_NUMBERS[name](first)
        if name in CASTS and isinstance(first, Followed):
            return self._cast(name, first, args[1:], kwargs)
        for x in inputs:
            if isinstance(x._store.content, Exception):
                if name in ANSWERS:
                    raise self.refusal(name, ANSWERS[name])
                if name in SIZES or name == "iter":
                    raise x._store.content
                content = self._behind_link(x._store.content, name, args, kwargs)
                return self._failed(content, first if is_inplace else None)
        if name in SIZES and isinstance(first, Followed):
            return func(first._places, *args[1:], **kwargs)
        if name in PROPERTIES:
            return func(_example(first), *args[1:], **kwargs)
        if name in LIKE:
            args, kwargs = mapped(_zeros, (args, kwargs))
            return in_double(func, name, args, kwargs)
        if name in NOT_NUMBERS:
            return torch.full(first._places.shape, name == "isfinite")
        if name in ANSWERS:
            raise NotUnderstood(ANSWERS[name])
        if name in RANDOM:
            raise NotUnderstood("which draws random numbers")
        if name in REASONS:
            value = self._value(first) if isinstance(first, Followed) else None
            if isinstance(value, Signal) and _is_link(name, value, args, kwargs):
                if reason := reason_against_link([name], value.size):
                    raise NotUnderstood(f"which changes decisions: {reason}")
                raise _Smooth(REASONS[name], _Linked(value, (name,)))
            raise NotUnderstood(REASONS[name])
        if kwargs.get("out") is not None:
            raise NotUnderstood("which writes its result into another tensor")
        if name in MOVES and isinstance(first, Followed):
            return self._move(func, name, is_inplace, first, args[1:], kwargs)
        if name not in self._operations:
            raise NotUnderstood("which is not piecewise linear or not known")
        args, kwargs = mapped(self._as_value, (args, kwargs))
        if name != "where":
            args = (*(kwargs.pop(key) for key in ("input", "self") if key in kwargs), *args)
        args = (*args, *(kwargs.pop(key) for key in ("other", "mat2", "vec") if key in kwargs))
        if name not in OF_STEPS and any(isinstance(x, Step) for x in leaves([args, kwargs])):
            raise NotUnderstood("which is given a comparison of the input, a function that jumps")
        is_inplace = bool(kwargs.pop("inplace", False)) or is_inplace
        result = self._operations[name](self.builder, *args, **kwargs)
        if is_inplace:
            return self._write(first, result)
        return self._wrapped(name, result)

    def _behind_link(self, content: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Return the reason in content, with its link if the operation changes no number."""
        linked = getattr(content, "linked", None)
        is_alone = linked is not None and name == "getitem" and linked.signal.size == 1
        if linked is None or name in _BEHIND_LINKS or is_alone:
            return content
        failure: Any = UnsupportedModuleError(*content.args)
        failure.linked = None
        if name == "argmax" and _is_link(name, linked.signal, args, kwargs):
            names = (*linked.names, name)
            if reason_against_link(names, linked.signal.size) is None:
                failure.linked = _Linked(linked.signal, names)
        return failure

    def _as_value(self, x: Any) -> Any:
        return self._value(x) if isinstance(x, Followed) else x

    def _move(
        self,
        func: Any,
        name: str,
        is_inplace: bool,
        x: Followed,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if _followed([args, kwargs]) and not name.endswith("_as"):
            raise NotUnderstood("at places that depend on the input")
        args, kwargs = mapped(_places, (args, kwargs))
        if is_inplace:  # a new shape of the same memory
            x._places = func(x._places.detach(), *args, **kwargs)
            return x
        moved = func(x._places, *args, **kwargs)
        memory = x._places.untyped_storage().data_ptr()

        def wrap(places: Any) -> Any:
            if name == "iter" and not isinstance(places, Tensor):
                return iter([wrap(part) for part in places])
            if isinstance(places, (tuple, list)):
                return alike(places, [wrap(part) for part in places])
            if places.untyped_storage().data_ptr() == memory:
                return Followed(self, x._store, places)
            content = x._store.content
            assert not isinstance(content, Exception)
            return self._new(_moved(content, places))

        return wrap(moved)

    def _cast(self, name: str, x: Followed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the same numbers, whatever precision or device is asked for."""
        if name == "type" and not args and not kwargs:
            return "torch.DoubleTensor"
        content = x._store.content
        wanted = wanted_dtype(name, args, kwargs)
        if isinstance(content, Step):
            boolean = wanted is torch.bool or (wanted is None and content.is_boolean)
            if boolean and not content.is_boolean:
                return self._failed(self.refusal(name, "a cast to truth values, which jumps"))
            content = Step(content.signal, content.on, content.off, boolean)
            return Followed(self, _Store(content), x._places)
        if wanted is not None and not wanted.is_floating_point:
            return self._failed(self.refusal(name, "a cast to whole numbers, which jumps"))
        if name in COPIES:
            return Followed(self, _Store(content), x._places)
        return Followed(self, x._store, x._places)

    def _write(self, target: Any, value: Any) -> Any:
        """Write into the memory of a tensor, as operations in place do."""
        if not isinstance(target, Followed):
            if not isinstance(target, Tensor):
                return self._wrapped("output", value)
            new = self._new(_at_shape(value, target.shape))
            self._written[id(target)] = target, new
            return new
        self._assign(target._store, target._places, value)
        return target

    def _assign(self, store: _Store, places: Tensor, value: Any) -> None:
        content = store.content
        if isinstance(content, Exception):
            return
        if isinstance(value, (Signal, Step)):
            value = _at_shape(value, places.shape)
        else:
            value = torch.as_tensor(value, dtype=torch.float64).detach().expand(places.shape)
        is_all = places.numel() == store.size and bool(
            (places.reshape(-1) == torch.arange(store.size)).all()
        )
        if is_all and isinstance(value, (Signal, Step)):
            store.content = _moved(value, torch.arange(store.size).reshape(-1))
            return
        if isinstance(value, Step) or isinstance(content, Step):
            raise NotUnderstood("which writes a comparison of the input")

        def change(numbers: list[Tensor]) -> Tensor:
            changed = numbers[0].clone()
            changed[places.reshape(-1)] = numbers[1].reshape(-1)
            return changed

        store.content = self.builder.gathered([content, value], change)

    def _set_item(self, target: Any, index: Any, value: Any) -> None:
        if not any(map(_is_followed, leaves([target, index, value]))):
            target[index] = value
            return
        index, value = self._as_value(index), self._as_value(value)
        for x in (index, value):
            if isinstance(x, Exception):
                self._failed(x, target)
                return
        if not isinstance(target, Followed):
            constant = target.detach().double()
            new = self._new(self.builder.constant(constant))
            self._written[id(target)] = target, new
            target = new
        if isinstance(index, Step):
            chosen = self._operations["where"](self.builder, index, value, self._value(target))
            self._write(target, chosen)
            return
        if any(map(_is_followed, leaves(index))):
            raise NotUnderstood("at places that depend on the input")
        self._assign(target._store, target._places[index], value)

    # Messages

    def unheard(self, func: Any) -> UnsupportedModuleError:
        """Return the error for a function that torch did not pass on; compiled code wraps it."""
        reason = "which compiled code calls; call what it was compiled from"
        self._unheard = self.refusal(plain_name(func)[0], reason)
        return self._unheard

    def refusal(self, name: str, reason: str) -> UnsupportedModuleError:
        """Return the error for the operation that is being called."""
        what, line = self._place(name)
        if name in ANSWERS:
            return UnsupportedModuleError(
                f"`model` ({type(self._module).__name__}) cannot be followed: {what} {reason}"
                f"{line}; remove from its forward method what depends on the numbers that it is "
                "given, or write it with torch.where, maxima and ReLUs"
            )
        return UnsupportedModuleError(
            f"`model` has {what}, {reason}{line}; replace it by what is supported "
            f"({self._supported}), or cut the model before it"
        )

    def _misfit(self, name: str, inputs: list[Followed], error: Exception) -> InputError:
        what, line = self._place(name)
        shapes = [tuple(x._places.shape) for x in inputs]
        given = ", ".join(map(str, self.builder.input.shape))
        return InputError(
            f"{what} cannot take inputs of shape {shapes}: {error}{line}; the model was given "
            f"inputs of shape ({given}), check `input_shape`"
        )

    def _place(self, name: str) -> tuple[str, str]:
        """Say which module or operation is running, and on which line of the user's code."""
        owner, line, frame = None, "", sys._getframe(1)
        while frame is not None and frame.f_code is not Following.run.__code__:
            line = line or _line(frame.f_code.co_filename, frame.f_lineno)
            first = _first_argument(frame)
            if owner is None and isinstance(first, nn.Module):
                owner = first
            frame = frame.f_back  # type: ignore[assignment]
        root = type(self._module).__name__
        if owner is None:
            return f"the operation {SHOWN.get(name, name)} in {root!r}", line
        kind = type_before_parametrizations(owner)
        inside = self._paths.get(id(owner))
        if inside is None:
            return f"{kind.__name__} in {root!r}", line
        path = f"{root}.{inside}" if inside else root
        if is_torch_layer(owner):
            return f"{kind.__name__} at {path!r}", line if owner is self._module else ""
        return f"the operation {SHOWN.get(name, name)} in {path!r}", line

    def run(self, call: Callable[[nn.Module, Tensor], Any]) -> Any:
        """Run the forward pass; return the signal of its output, or the output if it has none.

        Parameters
        ----------
        call : callable
            Takes the module and its input, and returns the output.

        Raises
        ------
        UnsupportedModuleError
            If the output depends on an operation that is not understood.
        InputError
            If torch cannot take its arguments.
        Exception
            Any that the module's own code raises.
        """
        x = self.input
        try:
            with torch.no_grad(), self:
                output = call(self._module, x)
        except Exception as error:
            # The module's own code may raise anything.
            reason = self._unheard or getattr(error, "misfit", None)
            if isinstance(reason, (InputError, UnsupportedModuleError)):
                raise reason from error
            raise
        return self.signal(output)


_BEHIND_LINKS = {
    *("squeeze", "unsqueeze", "flatten", "view", "reshape", "contiguous", "clone", "detach"),
    *("double", "float", "to", "cpu"),
}
"""Operations behind a link that change no number."""


def _is_link(name: str, x: Signal, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Tell whether an operation is a link that is taken over all outputs."""
    if name in ("sigmoid", "tanh"):
        return True
    if name not in LINKS or name == "log" or len(x.shape) != 2:
        return False
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    # Without a given dimension, layers take the last of two.
    return dim in (1, -1) or (dim is None and name != "argmax")


def _first_argument(frame: FrameType) -> Any:
    names = frame.f_code.co_varnames
    return frame.f_locals.get(names[0]) if frame.f_code.co_argcount and names else None


def line_of(error: Exception) -> str:
    """Say on which line of the user's code an error was raised; empty if on none."""
    line, trace = "", error.__traceback__
    while trace is not None:
        line = _line(trace.tb_frame.f_code.co_filename, trace.tb_lineno) or line
        trace = trace.tb_next
    return line


def _line(path: str, number: int) -> str:
    is_own = path.startswith((_TORCH, _HERE, "<"))
    return "" if is_own else f" (line {number} of {os.path.basename(path)})"


def is_torch_layer(module: nn.Module) -> bool:
    """Whether a module is a layer of torch and not a container."""
    kind = type_before_parametrizations(module)
    return kind.__module__.startswith("torch.nn.") and not isinstance(
        module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    )


def _moved(content: Signal | Step, places: Tensor) -> Any:
    """Return the entries of flat content at some places."""
    if isinstance(content, Signal):
        return Signal(content.value, content.index.reshape(-1)[places])
    on, off = content.on.reshape(-1)[places], content.off.reshape(-1)[places]
    return Step(_moved(content.signal, places), on, off, content.is_boolean)


def _at_shape(value: Any, shape: Any) -> Any:
    numbers = torch.arange(value.shape.numel()).reshape(value.shape).expand(shape)
    return _moved(value, numbers)


def _is_followed(x: Any) -> bool:
    return isinstance(x, (Followed, Signal, Step))


def _followed(tree: Any) -> list[Followed]:
    return [x for x in leaves(tree) if isinstance(x, Followed)]


def _example(x: Any) -> Tensor:
    """Return a tensor that stands in for x when properties are asked for."""
    content = x._store.content
    dtype = torch.bool if isinstance(content, Step) and content.is_boolean else torch.float64
    return torch.empty((), dtype=dtype)


def _places(x: Any) -> Any:
    return x._places if isinstance(x, Followed) else x


def _zeros(x: Any) -> Any:
    return torch.zeros(x._places.shape, dtype=torch.float64) if isinstance(x, Followed) else x


_NO_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "hash": id,
    "repr": lambda x: "a tensor that depends on the input",
    "format": lambda x: "a tensor that depends on the input",
    "set requires_grad": lambda x: None,
    "retain_grad": lambda x: None,
}

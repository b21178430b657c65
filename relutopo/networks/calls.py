"""How a module is called: with fixed values of other arguments, and one of several outputs taken.

Invariant: a call may convert the values that it passes, but never changes the module.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from relutopo.errors import InputError, UnsupportedModuleError

__all__ = ["Call", "described", "remedy"]


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A call of a module with one input.

    Parameters
    ----------
    output : str or int, optional
        Which of several outputs is taken: a key, a field, a number, or these joined by points for
        nested outputs.
    fixed : mapping, optional
        Values of other arguments, by name.
    """

    output: str | int | None = None
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __call__(self, module: nn.Module, x: Tensor) -> Any:
        """Call a module on x, and return the chosen output.

        Raises
        ------
        UnsupportedModuleError
            If the module needs more than one argument that is not fixed.
        InputError
            If a name in `fixed` is not that of an argument, or there is no such output.
        """
        values = {name: _value(value) for name, value in self.fixed.items()}
        result = module(**{self._free(module): x}, **values) if values else module(x)
        return _only(result) if self.output is None else self._taken(module, result)

    def check(self, module: nn.Module) -> None:
        """Raise an error if a module cannot be called with one input.

        Parameters
        ----------
        module : torch.nn.Module

        Raises
        ------
        UnsupportedModuleError
            If it needs more than one argument that is not fixed.
        InputError
            If a name in `fixed` is not that of an argument.
        """
        parameters = _parameters(module)
        kind = type(module).__name__
        takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if parameters and not takes_any:
            for name in self.fixed:
                if name not in {p.name for p in named}:
                    raise InputError(
                        f"`fixed` must name arguments of the forward method of {kind}, which has "
                        f"{', '.join(repr(p.name) for p in named)}, got {name!r}; choose one of "
                        "them"
                    )
        placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        placed = [p for p in placed if p.name not in self.fixed]
        needed = [p for p in placed[1:] if p.default is p.empty]
        needed += [
            p
            for p in parameters
            if p.kind == p.KEYWORD_ONLY and p.default is p.empty and p.name not in self.fixed
        ]
        if needed:
            raise UnsupportedModuleError(
                f"`model` ({kind}) must take one input, got a second one named {needed[0].name!r}; "
                f"give it a value, fixed={{{needed[0].name!r}: ...}}, or wrap the model in a "
                "module that takes one"
            )

    def _free(self, module: nn.Module) -> str:
        """Return the name of the first argument that is not fixed."""
        free = [p.name for p in _parameters(module) if p.name not in self.fixed]
        if not free:
            raise InputError(
                f"`fixed` must leave one input of {type(module).__name__} open, got values of all; "
                "leave one out"
            )
        return free[0]

    def _taken(self, module: nn.Module, result: Any) -> Any:
        """Return one of several outputs."""
        here, rest = result, [self.output] if isinstance(self.output, int) else [self.output or ""]
        if isinstance(self.output, str) and _entry(result, self.output) is None:
            rest = list(self.output.split("."))
        for step in rest:
            entry = _entry(here, step)
            if entry is None:
                raise InputError(
                    f"`output` must be the name or the number of an output of "
                    f"{type(module).__name__}, which returns {described(here)}, got "
                    f"{self.output!r}; choose one of them"
                )
            here = entry
        return here


def _parameters(module: nn.Module) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # a kind of callable that Python cannot inspect
        return []


def _value(value: Any) -> Any:
    """Return an argument, as a tensor in double precision if it is an array of floats."""
    if isinstance(value, np.ndarray):
        value = torch.tensor(value)
    if isinstance(value, (list, tuple)) and value and np.asarray(value).dtype.kind in "iuf":
        value = torch.tensor(value)
    if isinstance(value, Tensor):
        return value.detach().double().cpu() if value.is_floating_point() else value.cpu()
    return value


def _fields(result: Any) -> dict[str, Any]:
    """Return the outputs that have names."""
    if isinstance(result, Mapping):
        return {str(key): value for key, value in result.items()}
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return dict(zip(result._fields, result, strict=True))
    if dataclasses.is_dataclass(result):
        return {entry.name: getattr(result, entry.name) for entry in dataclasses.fields(result)}
    return {}


def _only(result: Any) -> Any:
    """Return the output if it is the only one with a name and a value; otherwise the result."""
    found = [value for value in _fields(result).values() if value is not None]
    return found[0] if len(found) == 1 else result


def _entry(result: Any, step: str | int) -> Any:
    """Return an output by its name or number; None if there is none."""
    named = _fields(result)
    if str(step) in named:
        return named[str(step)]
    listed: Sequence[Any] = list(named.values())
    if isinstance(result, (tuple, list)):
        listed = result
    if isinstance(step, str) and step.lstrip("-").isdecimal():
        step = int(step)
    if isinstance(step, int) and -len(listed) <= step < len(listed):
        return listed[step]
    return None


def described(result: Any) -> str:
    """Describe the result of a module in words.

    Parameters
    ----------
    result : object

    Examples
    --------
    >>> described({"logits": 1, "features": 2})
    "dict with 'logits', 'features'"
    >>> described((1, 2))
    'tuple of 2'
    """
    kind, named = type(result).__name__, _fields(result)
    if named:
        return f"{kind} with {', '.join(map(repr, named))}"
    return f"{kind} of {len(result)}" if isinstance(result, (tuple, list)) else kind


def remedy(result: Any) -> str:
    """Say how to choose one of several outputs, or what else to do.

    Parameters
    ----------
    result : object
        What the module returns.

    Examples
    --------
    >>> remedy({"logits": 1, "features": 2})
    "in as_network choose one, for example by output='logits'"
    """
    named = list(_fields(result))
    if named:
        return f"in as_network choose one, for example by output={named[0]!r}"
    if isinstance(result, (tuple, list)) and result:
        return "in as_network choose one, for example by output=0"
    return "wrap it in a module that returns one"

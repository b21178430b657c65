"""The types of all settings, for Hydra: a wrong type is refused before anything runs.

What belongs to one choice in a group (``eigensolver=arpack``) follows from the signature of the
class or function that the choice stands for, so that nothing is written twice. Choices of
other packages have no types; their constructors check the values.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, is_dataclass, make_dataclass
from enum import Enum
from functools import partial
from typing import Any, Literal, Optional, Union, get_args, get_origin, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from relutopo import registry

__all__ = ["Settings", "register", "schema_of_choice"]

_PLAIN = (int, float, str, bool)
_BOXES = ("box_2", "box_5")
"""Choices of a domain that are boxes: several of them can be swept, corners only crosswise."""


@dataclass
class Settings:
    """The keys outside all groups; what they mean stands in ``config.yaml``."""

    data: Any = MISSING
    network: Any = MISSING
    trainer: Any = MISSING
    enumerator: Any = MISSING
    eigensolver: Any = MISSING
    vertex_weights: Any = MISSING
    edge_weights: Any = MISSING
    rounding: Any = MISSING
    reducer: Any = MISSING
    filtration: Any = MISSING
    domain: Any = MISSING
    analysis: Any = MISSING
    signature: dict[str, Any] = field(default_factory=dict)
    seed: int = MISSING
    max_cells: int | None = None
    max_bytes: int | None = None
    checkpoints: str | None = None
    training_dir: str | None = None
    figures: bool = MISSING
    objective: str | None = None


@dataclass
class ModelFile:
    """A trained model in a file."""

    path: str | None = None
    trust: bool = False
    input_shape: list[int] | None = None
    key: str | None = None
    output: str | None = None
    fixed: Any = None  # a mapping; OmegaConf cannot put a typed one in the place of null


def register(*, checking: bool = True) -> None:
    """Give Hydra the types, in the groups ``schema/...`` of ``config.yaml``.

    Parameters
    ----------
    checking : bool
        Whether settings will be checked. The help takes none, and is written much faster when
        there are no types that Hydra copies for every group.
    """
    nodes: dict[tuple[str, str], Callable[[], type]] = {
        ("schema/network", "mlp"): _network,
        ("schema/network", "file"): lambda: ModelFile,
        ("schema/trainer", "adamw"): _trainer,
    }
    for role in registry.roles():
        for name in registry.built_in(role):
            nodes[f"schema/{role}", name] = partial(schema_of_choice, role, name)
    for name in _BOXES:
        nodes["schema/domain", name] = partial(schema_of_choice, "domain", "box")
    store = ConfigStore.instance()
    store.store(name="schema", node=Settings if checking else {})
    for (group, name), node in nodes.items():
        store.store(group=group, name=name, node=node() if checking else {})


def register_installed(arguments: Iterable[str]) -> None:
    """Make choices of the names that other packages registered.

    Parameters
    ----------
    arguments : iterable of str
        The command line. What it mentions is imported, so that its options are known and checked.
    """
    store = ConfigStore.instance()
    mentioned = {
        (key.lstrip("+"), word)
        for key, _, value in (argument.partition("=") for argument in arguments)
        for word in re.findall(r"[^\[\],\s()]+", value)
    }
    for part in registry.outside():
        is_mentioned = (part.role, part.name) in mentioned
        node: Any = schema_of_choice(part.role, part.name) if is_mentioned else {"name": part.name}
        # Any number of signatures stand beside each other.
        package = f"signature.{part.name}" if part.role == "signature" else None
        store.store(group=part.role, name=part.name, node=node, package=package)


def _network() -> type:
    from relutopo.learning.trainer import MlpSettings  # the help does without these

    return _schema_of(MlpSettings)


def _trainer() -> type:
    from relutopo.learning.trainer import TrainerSettings

    return _schema_of(TrainerSettings)


def schema_of_choice(role: str, name: str) -> type:
    """Return a structured configuration with the options of a choice, and its name."""
    # What analyses share stands outside their group.
    shared = (*Settings.__dataclass_fields__, "signatures") if role == "analysis" else ()
    return _schema_of(registry.constructor(role, name), name, without=shared)


def _schema_of(
    constructor: Callable[..., Any], name: str | None = None, *, without: Collection[str] = ()
) -> type:
    """Return a structured configuration with the parameters of a class or function.

    Parameters
    ----------
    constructor : callable
        With type hints. Types that a configuration cannot check are left open.
    name : str, optional
        The registry name, which becomes the key ``name``.
    without : collection of str
        Parameters that are left out.

    Returns
    -------
    type
        A dataclass.

    Examples
    --------
    >>> def solve(tol: float = 1e-8, steps: int | None = None): ...
    >>> {key: entry.type for key, entry in _schema_of(solve, "mine").__dataclass_fields__.items()}
    {'name': <class 'str'>, 'tol': <class 'float'>, 'steps': typing.Optional[int]}
    """
    # A dataclass inherits fields, whose types have a meaning in the modules of its bases.
    own_hints = is_dataclass(constructor) or not isinstance(constructor, type)
    hints = get_type_hints(constructor if own_hints else getattr(constructor, "__init__"))  # noqa: B009
    entries: list[tuple[str, Any, Any]] = []
    if name is not None:
        entries.append(("name", str, field(default=name)))
    for key, parameter in inspect.signature(constructor).parameters.items():
        if key in without:
            continue
        has_default = parameter.default is not parameter.empty
        default = _default(parameter.default) if has_default else field(default=MISSING)
        entries.append((key, _checkable(hints.get(key, Any)), default))
    return make_dataclass(constructor.__name__, entries)


def _default(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return field(default_factory=lambda: list(value))
    return field(default=value if isinstance(value, (*_PLAIN, type(None))) else NO_DEFAULT)


def _checkable(hint: Any) -> Any:
    """Return the hint as OmegaConf understands it, or `Any`."""
    if hint in _PLAIN:
        return hint
    arguments = get_args(hint)
    if get_origin(hint) is Literal and all(isinstance(choice, str) for choice in arguments):
        return Enum("Choice", list(arguments))
    if get_origin(hint) in (Union, types.UnionType) and len(arguments) == 2:
        inner = [_checkable(entry) for entry in arguments if entry is not type(None)]
        return Optional[inner[0]] if len(inner) == 1 else Any  # noqa: UP045
    if get_origin(hint) in (Sequence, list) and arguments[0] in _PLAIN:
        return list[arguments[0]]  # type: ignore[valid-type]
    return Any

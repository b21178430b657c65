"""Names for backends and strategies.

A *role* is a group of interchangeable parts ("enumerator", "eigensolver", ...). Each built-in
part is an import string here, so that nothing is imported before it is used. A package outside
relutopo adds its own by an entry point in the group ``relutopo.<role>``::

    [project.entry-points."relutopo.eigensolver"]
    my_solver = "my_package.my_module:MySolver"

Invariant: the name of a built-in backend, analysis or signature is also the name of its Python file
and of its YAML file. Other packages cannot replace a built-in name, and no name stands for the
parts of two packages.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any

from relutopo.errors import (
    BackendError,
    EntryPointError,
    InputError,
    RelutopoError,
    UnknownNameError,
)
from relutopo.system.public_names import listing
from relutopo.system.uninterrupted import uninterrupted

__all__ = [
    "OutsidePart",
    "built_in",
    "constructor",
    "create",
    "create_from",
    "names",
    "options_of",
    "outside",
    "provider",
    "roles",
]

__dir__ = listing(__name__)

_BACKENDS = "relutopo.backends"
_WEIGHTS = "relutopo.spectral.weights"
_ROUNDING = "relutopo.spectral.rounding"
_FILTRATIONS = "relutopo.homology.strategies"
_DATASETS = "relutopo.learning.datasets"
_CLASSES = "relutopo.learning.planar_classes"
_SURFACES = "relutopo.learning.surfaces"
_DOMAINS = "relutopo.learning.domain_rules"
_ANALYSES = "relutopo.analyses"
_SIGNATURES = "relutopo.signatures"
_BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "enumerator": {
        "cpu": f"{_BACKENDS}.enumerators.cpu:CpuEnumerator",
        "cuda": f"{_BACKENDS}.enumerators.cuda:CudaEnumerator",
        "exact": f"{_BACKENDS}.enumerators.exact:ExactEnumerator",
    },
    "eigensolver": {
        "auto": f"{_BACKENDS}.eigensolvers.auto:AutoEigensolver",
        "arpack": f"{_BACKENDS}.eigensolvers.arpack:ArpackEigensolver",
        "amg_lobpcg": f"{_BACKENDS}.eigensolvers.amg_lobpcg:AmgLobpcgEigensolver",
        "cuda_lobpcg": f"{_BACKENDS}.eigensolvers.cuda_lobpcg:CudaLobpcgEigensolver",
    },
    "reducer": {
        "z2": f"{_BACKENDS}.reducers.z2:Z2Reducer",
        "phat": f"{_BACKENDS}.reducers.phat:PhatReducer",
    },
    "vertex_weights": {
        "count_plus_one": f"{_WEIGHTS}:CountPlusOne",
        "scaled_count": f"{_WEIGHTS}:ScaledCount",
        "chung_langlands": f"{_WEIGHTS}:ChungLanglands",
        "unweighted": f"{_WEIGHTS}:Unweighted",
    },
    "edge_weights": {
        "unit": f"{_WEIGHTS}:UnitEdges",
        "facet_length": f"{_WEIGHTS}:FacetLength",
        "inverse_distance": f"{_WEIGHTS}:InverseDistance",
    },
    "rounding": {
        "auto": f"{_ROUNDING}:AutoRounding",
        "cluster_qr": f"{_ROUNDING}:ClusterQr",
        "k_means": f"{_ROUNDING}:KMeans",
        "signs": f"{_ROUNDING}:Signs",
    },
    "filtration": {
        "abs_output": f"{_FILTRATIONS}:AbsOutput",
        "dimension_major": f"{_FILTRATIONS}:DimensionMajor",
        "distance_to_data": f"{_FILTRATIONS}:DistanceToData",
        "distance_to_decision_boundary": f"{_FILTRATIONS}:DistanceToDecisionBoundary",
        "layer_depth": f"{_FILTRATIONS}:LayerDepth",
        "lower_star": f"{_FILTRATIONS}:LowerStar",
        "margin": f"{_FILTRATIONS}:Margin",
        "output": f"{_FILTRATIONS}:Output",
        "random_closure": f"{_FILTRATIONS}:RandomClosure",
        "random_extension": f"{_FILTRATIONS}:RandomExtension",
    },
    "data": {
        "two_moons": f"{_DATASETS}:two_moons",
        "two_spirals": f"{_CLASSES}:two_spirals",
        "three_blobs": f"{_CLASSES}:three_blobs",
        "three_rings": f"{_CLASSES}:three_rings",
        "three_spirals": f"{_CLASSES}:three_spirals",
        "two_circles": f"{_DATASETS}:two_circles",
        "sinsin": f"{_SURFACES}:sinsin",
        "bump": f"{_SURFACES}:bump",
        "franke": f"{_SURFACES}:franke",
        "peaks": f"{_SURFACES}:peaks",
        "digits": "relutopo.learning.digits:digits",
        "file": "relutopo.learning.data_files:data_file",
    },
    "domain": {
        "around_data": f"{_DOMAINS}:AroundData",
        "box": f"{_DOMAINS}:FixedBox",
        "slice_principal": f"{_DOMAINS}:SlicePrincipal",
        "slice_through": f"{_DOMAINS}:SliceThrough",
    },
    "analysis": {
        "classes": f"{_ANALYSES}.classes:Classes",
        "partition": f"{_ANALYSES}.partition:Partition",
        "homology": f"{_ANALYSES}.homology:Homology",
        "paths": f"{_ANALYSES}.paths:Paths",
        "scale": f"{_ANALYSES}.scale:Scale",
    },
    "signature": {
        "n_regions": f"{_SIGNATURES}.n_regions:NumberOfRegions",
        "n_cells": f"{_SIGNATURES}.n_cells:NumbersOfCells",
        "fiedler_value": f"{_SIGNATURES}.fiedler_value:FiedlerValue",
        "label_agreement": f"{_SIGNATURES}.label_agreement:LabelAgreement",
        "decision_agreement": f"{_SIGNATURES}.decision_agreement:DecisionAgreement",
        "betti_peaks": f"{_SIGNATURES}.betti_peaks:BettiPeaks",
        "total_persistence": f"{_SIGNATURES}.total_persistence:TotalPersistence",
        "paths": f"{_SIGNATURES}.paths:Paths",
        "local_complexity": f"{_SIGNATURES}.local_complexity:LocalComplexity",
    },
}
_KINDS: Mapping[str, str] = {
    "enumerator": "relutopo.interfaces:Enumerator",
    "eigensolver": "relutopo.interfaces:Eigensolver",
    "reducer": "relutopo.interfaces:Reducer",
    "vertex_weights": f"{_WEIGHTS}:VertexWeights",
    "edge_weights": f"{_WEIGHTS}:EdgeWeights",
    "rounding": f"{_ROUNDING}:Rounding",
    "filtration": f"{_FILTRATIONS}:FiltrationStrategy",
    "data": f"{_DATASETS}:Dataset",
    "domain": f"{_DOMAINS}:DomainRule",
    "analysis": f"{_ANALYSES}.base:Analysis",
    "signature": f"{_SIGNATURES}.base:Signature",
}
"""The base class of all instances of each role."""


def roles() -> tuple[str, ...]:
    """Return the names of all roles.

    Examples
    --------
    >>> "eigensolver" in roles()
    True
    """
    return tuple(_BUILT_IN)


def _check_role(role: str) -> None:
    if role not in _BUILT_IN:
        raise UnknownNameError(f"role {role!r} does not exist; the roles are {', '.join(roles())}")


def names(role: str) -> tuple[str, ...]:
    """Return the names that can be chosen for a role, including those of other packages, sorted.

    Parameters
    ----------
    role : str
        One of `roles`.

    Examples
    --------
    >>> "arpack" in names("eigensolver")
    True
    """
    _check_role(role)
    outside = metadata.entry_points(group=f"relutopo.{role}").names
    return tuple(sorted(outside | _BUILT_IN[role].keys()))


def built_in(role: str) -> tuple[str, ...]:
    """Return the names for a role that come with relutopo, sorted; see `names`."""
    _check_role(role)
    return tuple(sorted(_BUILT_IN[role]))


@dataclass(frozen=True)
class OutsidePart:
    """A part that an installed package adds to a role.

    Attributes
    ----------
    role, name : str
    package, version : str
        Where it comes from.
    target : str
        Module and class or function.
    """

    role: str
    name: str
    package: str
    version: str
    target: str


def outside() -> list[OutsidePart]:
    """Return the parts that installed packages add, importing nothing.

    Examples
    --------
    >>> all(part.role in roles() for part in outside())
    True
    """
    found = []
    every = metadata.entry_points()  # once: it reads the metadata of every installed package
    for role in roles():
        for point in every.select(group=f"relutopo.{role}"):
            if point.name not in _BUILT_IN[role]:
                package, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
                found.append(OutsidePart(role, point.name, package, version, point.value))
    return sorted(found, key=lambda part: (part.role, part.name, part.package))


def check(role: str, name: str) -> None:
    """Raise an error for a name that is not registered, or by several packages; import nothing.

    Parameters
    ----------
    role : str
        One of `roles`.
    name : str

    Raises
    ------
    UnknownNameError
        If the name is not registered.
    EntryPointError
        If several packages registered it.

    Examples
    --------
    >>> check("reducer", "z2")
    """
    if name not in _BUILT_IN.get(role, {}):
        _entry_point(role, name)


def _entry_point(role: str, name: str) -> metadata.EntryPoint:
    _check_role(role)
    # slow: it reads the metadata of every installed package
    points = tuple(metadata.entry_points(group=f"relutopo.{role}", name=name))
    if not points:
        raise UnknownNameError(
            f"{role}={name!r} is not registered; choose one of {', '.join(names(role))}, "
            f"pass an instance, or register yours in the entry-point group 'relutopo.{role}'"
        )
    if len(points) > 1:
        packages = " and ".join(_package(point) for point in points)
        raise EntryPointError(
            f"{role}={name!r} must be registered once, got entry points of the packages "
            f"{packages}; uninstall all but one, or pass an instance"
        )
    return points[0]


def constructor(role: str, name: str) -> Callable[..., Any]:
    """Return the class or function that makes the instance for a name.

    Parameters
    ----------
    role : str
        One of `roles`.
    name : str
        A name from `names(role)`.

    Raises
    ------
    UnknownNameError
        If nobody registered the name.
    EntryPointError
        If what another package registered cannot be loaded, or several packages registered it.

    Examples
    --------
    >>> constructor("vertex_weights", "unweighted").__name__
    'Unweighted'
    """
    made_by: Callable[..., Any]
    if name in _BUILT_IN.get(role, {}):
        made_by = _imported(_BUILT_IN[role][name])
        return made_by
    point = _entry_point(role, name)
    try:
        made_by = point.load()
    except RelutopoError:
        raise
    except Exception as error:  # importing a module of another package can raise anything
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not callable(made_by):
        raise _unusable(point, f"it is of type {type(made_by).__name__}")
    return made_by


def _unusable(point: metadata.EntryPoint, reason: str) -> EntryPointError:
    role = point.group.removeprefix("relutopo.")
    return EntryPointError(
        f"{role}={point.name!r} must be a class or function, but {point.value!r}, which the "
        f"package {_package(point)} registers, cannot be loaded: {reason}; repair, upgrade or "
        "uninstall that package"
    )


def _package(point: metadata.EntryPoint) -> str:
    return "of unknown name" if point.dist is None else repr(point.dist.name)


@cache
def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    # A module that is loaded already needs no separate thread.
    found = sys.modules.get(module)
    if found is None or getattr(found.__spec__, "_initializing", False):
        found = uninterrupted(import_module, module)
    return getattr(found, attribute)


def provider(role: str, name: str) -> dict[str, str]:
    """Return the package that registered a name from outside, and its version.

    Parameters
    ----------
    role : str
        One of `roles`.
    name : str
        A registry name.

    Returns
    -------
    dict of str to str
        Empty for built-in names, and for names that are not registered.

    Examples
    --------
    >>> provider("eigensolver", "arpack")
    {}
    """
    if name in _BUILT_IN.get(role, {}):
        return {}
    points = metadata.entry_points(group=f"relutopo.{role}", name=name)
    return {point.dist.name: point.dist.version for point in points if point.dist is not None}


def create(role: str, choice: object, /, **options: Any) -> Any:
    """Turn a registry name into an instance; pass an instance through.

    Parameters
    ----------
    role : str
        One of `roles`.
    choice : str or object
        A name from `names(role)`, or a ready instance, which is returned as it is.
    **options
        Keyword arguments of the constructor; only with a name.

    Returns
    -------
    object
        The instance.

    Raises
    ------
    UnknownNameError
        If nobody registered the name.
    EntryPointError
        If what another package registered cannot be loaded, or several packages registered it.
    InputError
        If options come with an instance, the constructor does not take their names or the types
        of their values, or `choice` is neither a name nor an instance of the role.
    BackendError
        If the name's constructor does not make an instance of the role.
    MissingExtraError
        If the part needs a package that is not installed.

    Examples
    --------
    >>> create("vertex_weights", "unweighted")
    Unweighted()
    """
    if not isinstance(choice, str):
        _check_instance(role, choice)
        if options:
            raise InputError(
                f"{role} got an instance of {type(choice).__name__} together with the options "
                f"{sorted(options)}; give the options to its constructor instead"
            )
        return choice
    made = _made(role, choice, options)
    kind = _kind(role)
    if not isinstance(made, kind):
        raise BackendError(
            f"{role}={choice!r} must make an instance of {_named(kind)}, got "
            f"{_named(type(made))}; let the entry point name a subclass"
        )
    return made


@contextmanager
def options_of(group: str, options: Collection[str]) -> Iterator[None]:
    """Name options, where one is refused, with the group of settings in which they stand.

    Parameters
    ----------
    group : str
        What the settings call the group.
    options : collection of str
        Those that the settings give.

    Examples
    --------
    >>> with options_of("data", {"n"}):
    ...     raise InputError("`n` must be positive, got -1; pass 10")
    Traceback (most recent call last):
    ...
    relutopo.errors.InputError: `data.n` must be positive, got -1; pass 10
    """
    try:
        yield
    except InputError as error:
        _name_in_full(error, group, options)
        raise


def _name_in_full(error: InputError, group: str, options: Collection[str]) -> None:
    def full(named: re.Match[str]) -> str:
        return f"`{group}.{named[1]}`" if named[1] in options else named[0]

    error.args = (re.sub(r"`(\w+)`", full, str(error)),)


def create_from(role: str, entry: Mapping[str, Any]) -> Any:
    """Return the instance that a mapping in settings describes.

    Parameters
    ----------
    role : str
        One of `roles`.
    entry : mapping
        ``name`` in the registry, and the options of its constructor.

    Raises
    ------
    InputError
        If there is no name, or the constructor does not take the options.

    See Also
    --------
    create : What else can go wrong.

    Examples
    --------
    >>> create_from("vertex_weights", {"name": "scaled_count", "scale": 2.0})
    ScaledCount(scale=2.0)
    """
    options = dict(entry)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise InputError(
            f"`{role}` must have a 'name' from the registry, got {options}; choose one of "
            f"{', '.join(names(role))}"
        )
    try:
        return create(role, name, **options)
    except InputError as error:
        _name_in_full(error, role, options)
        raise


def _made(role: str, name: str, options: Mapping[str, Any]) -> object:
    make = constructor(role, name)
    try:
        return make(**options)
    except TypeError as error:
        # Unknown names of options, or a value of a wrong type on which the constructor failed.
        is_inside = error.__traceback__ is not None and error.__traceback__.tb_next is not None
        if is_inside and not options:
            raise
        missing = _missing_options(make, options)
        if missing:
            raise InputError(
                f"`{role}` {name!r} needs the option{'s' * (len(missing) > 1)} "
                f"{', '.join(missing)}, got {', '.join(sorted(options)) or 'none'}; pass "
                f"{', '.join(f'{option}=...' for option in missing)}"
            ) from error
        raise InputError(
            f"`{role}` {name!r} does not take the options {sorted(options)}: {error}; leave out "
            "what it does not know, give what it misses, and values of the types that it expects"
        ) from error


def _missing_options(make: Callable[..., object], options: Mapping[str, Any]) -> list[str]:
    """Return the required options that are missing, if all given options are known."""
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # of a class that does not say
        return []
    if not options.keys() <= parameters.keys():
        return []
    return [
        name
        for name, p in parameters.items()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and p.default is p.empty
        and name not in options
    ]


def _kind(role: str) -> type:
    kind: type = _imported(_KINDS[role])
    return kind


def _check_instance(role: str, choice: object) -> None:
    _check_role(role)
    kind = _kind(role)
    if isinstance(choice, kind):
        return
    came, remedy = (
        f"an instance of {_named(type(choice))}",
        f"choose one of {', '.join(names(role))}",
    )
    if choice is None:
        came = "None"
    elif isinstance(choice, type):
        came = f"the class {choice.__name__}"
        if issubclass(choice, kind):
            remedy = f"pass an instance, {choice.__name__}()"
    raise InputError(
        f"`{role}` must be a registry name or an instance of {_named(kind)}, got {came}; {remedy}"
    )


def _named(kind: type) -> str:
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"

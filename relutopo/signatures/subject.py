"""A network with its training data, and all that has been computed from them so far.

Signatures and analyses of one network share a `Subject`, so that its complex, dual graph,
partitions and diagrams are computed once, and only when they are needed.

Invariant: a subject has no held-out data.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from relutopo import registry
from relutopo.checks import check_integer
from relutopo.complex import CellComplex
from relutopo.decomposition import decompose
from relutopo.errors import (
    DisconnectedGraphError,
    NoDecisionBoundaryError,
    NoFiedlerVectorError,
    NotConvergedError,
    WeightsError,
)
from relutopo.geometry.domain import Domain
from relutopo.geometry.location import Located, located
from relutopo.homology.diagram import Diagram
from relutopo.homology.persistence import filtration, persistence
from relutopo.homology.strategies import FiltrationStrategy
from relutopo.interfaces import Reducer
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import DomainRule, project_onto
from relutopo.networks.network import Network
from relutopo.reports.columns import Column
from relutopo.spectral.agreement import Decision, decision_of_regions
from relutopo.spectral.dual_graph import Adjacency, DualGraph
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.partitioner import Partitioner
from relutopo.spectral.spectral_partition import SpectralPartition

__all__ = [
    "Choice",
    "Cut",
    "Diagrams",
    "Filtering",
    "Parted",
    "Partitioned",
    "Subject",
    "made",
    "second_of_two",
]

Choice = str | Mapping[str, Any] | object
"""A registry name, a mapping with ``name`` and the options of its constructor, or an instance."""
_Result = TypeVar("_Result")
_FAILURES = {
    NoFiedlerVectorError: "one region",
    DisconnectedGraphError: "disconnected graph",
    NotConvergedError: "not converged",
    WeightsError: "weights not positive",
}


def made(role: str, choice: Choice, **more: Any) -> Any:
    """Return the instance that a choice stands for; `more` are further options."""
    if isinstance(choice, (dict, Mapping)):
        return registry.create_from(role, {**choice, **more})
    return registry.create(role, choice, **more)


def second_of_two(targets: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Return which targets are +1, if all are -1 or +1 and both occur; otherwise None.

    Examples
    --------
    >>> second_of_two(np.array([1.0, -1.0])).tolist(), second_of_two(np.array([1.0, 1.0]))
    ([True, False], None)
    """
    is_second = targets == 1
    n_second, n_first = np.count_nonzero(is_second), np.count_nonzero(targets == -1)
    return is_second if min(n_second, n_first) and n_second + n_first == len(targets) else None


class _Itself:
    """A key that equals only that of the same object; it keeps the object, so ids stay unique."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


def _frozen(value: Any) -> Hashable:
    """Return a hashable key for the value of an option."""
    if value is None:
        return None
    if isinstance(value, str):
        return str, value
    if isinstance(value, (dict, Mapping)):  # that of a dict is seen at once
        return tuple(sorted((key, _frozen(entry)) for key, entry in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    try:
        hash(value)
    except TypeError:
        return _Itself(value)
    return type(value), value


def _key_of_choice(choice: Choice) -> Hashable:
    """Return a hashable key for a choice; a name equals a mapping with this name and no options."""
    return _frozen({"name": choice} if isinstance(choice, str) else choice)


def _key_of(settings: object, kind: type) -> Hashable:
    """Return a hashable key for the fields of settings that a given class declares."""
    return kind, tuple(_key_of_choice(getattr(settings, name)) for name in _names_of(kind))


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@dataclass(frozen=True)
class Cut:
    """How a dual graph is partitioned.

    Parameters
    ----------
    vertex_weights, edge_weights, eigensolver : str, mapping or instance
        A registry name, a mapping with ``name`` and options, or an instance.
    adjacency : {"facet", "hamming"}
        Which regions are joined.
    component : {None, "largest"}
        What to partition of a disconnected graph: nothing, or its largest component.
    """

    vertex_weights: Choice = "count_plus_one"
    edge_weights: Choice = "unit"
    eigensolver: Choice = "auto"
    adjacency: Adjacency = "facet"
    component: Literal["largest"] | None = None

    @cached_property
    def key(self) -> Hashable:
        """What the results of equal cuts are kept under."""
        return _key_of(self, Cut)


@dataclass(frozen=True)
class Filtering:
    """How a complex is filtered, and how often.

    Parameters
    ----------
    filtration, reducer : str, mapping or instance
        A registry name, a mapping with ``name`` and options, or an instance. The filtration
        "distance_to_data" takes ``points: training`` for the training points.
    n_filtrations : int
        How many times a random filtration is drawn; others are made once.

    Raises
    ------
    InputError
        If `n_filtrations` is not an integer ≥ 1.
    """

    filtration: Choice = "random_closure"
    reducer: Choice = "z2"
    n_filtrations: int = 5

    def __post_init__(self) -> None:
        remedy = "2 or more show the spread of a random filtration"
        check_integer("n_filtrations", self.n_filtrations, 1, remedy=remedy)


class Partitioned(NamedTuple):
    """A partition, or why there is none."""

    part: FiedlerPartition | None
    status: str


class Parted(NamedTuple):
    """A partition into k parts, or why there is none."""

    part: SpectralPartition | None
    status: str


class Diagrams(NamedTuple):
    """A diagram for each filtration that was drawn; or none, and why."""

    diagrams: tuple[Diagram, ...]
    status: str


class Subject:
    """A network and its training data on a domain.

    Parameters
    ----------
    network : Network
    dataset : Dataset
        Only its training points and targets are used.
    domain : Domain or DomainRule
        On a slice, points are replaced by their projections. A rule is applied only when the domain
        is needed; segments, for example, need none.
    enumerator : str, mapping or instance
        Decomposes the domain.
    max_cells : int, optional
        Stop before the complex has more cells than this, all dimensions together.
    max_bytes : int, optional
        Stop before the decomposition takes more memory than this; see `relutopo.decompose`.
    seed : int
        Seed of eigensolvers' starts and of random filtrations.
    step : int
        Training step; also enters the seeds of filtrations.

    Attributes
    ----------
    network : Network
    inputs : (n, d) ndarray
        The training points, as the network takes them.
    targets : (n,) ndarray
    seed, step : int

    Examples
    --------
    >>> from relutopo import Box, as_network
    >>> from relutopo.learning.datasets import two_moons
    >>> kink = as_network(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]))
    >>> subject = Subject(kink, two_moons(n=20), Box(-2, 3, dim=2), enumerator="exact")
    >>> subject.complex.n_regions, subject.graph().n_edges
    (2, 1)
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        domain: Domain | DomainRule,
        *,
        enumerator: Choice = "cpu",
        max_cells: int | None = None,
        max_bytes: int | None = None,
        seed: int = 0,
        step: int = 0,
    ) -> None:
        self.network = network
        self.inputs, self.targets = dataset.points, dataset.targets
        self._dataset, self._domain = dataset, domain
        self.seed, self.step = seed, step
        self._enumerator, self._max_cells, self._max_bytes = enumerator, max_cells, max_bytes
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], _Result]) -> _Result:
        """Return the result of `compute`, which is called only once for equal keys.

        Parameters
        ----------
        key : hashable
            Usually a tuple that begins with the name of the result.
        compute : callable
        """
        if key not in self._known:
            self._known[key] = compute()
        result: _Result = self._known[key]
        return result

    @cached_property
    def domain(self) -> Domain:
        """The domain to decompose."""
        rule = self._domain
        return rule(self._dataset) if isinstance(rule, DomainRule) else rule

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The training points in coordinates of the domain; on a slice their projections."""
        return project_onto(self._dataset, self.domain).points

    @cached_property
    def complex(self) -> CellComplex:
        """The cells of the network in the domain."""
        return decompose(
            self.network,
            self.domain,
            enumerator=made("enumerator", self._enumerator),
            max_cells=self._max_cells,
            max_bytes=self._max_bytes,
        )

    @property
    def is_decomposed(self) -> bool:
        """Whether the complex has been computed."""
        return "complex" in vars(self)

    def dim_of(self, columns: Iterable[Column]) -> int:
        """Return the dimension of the domain, or 0 if no column depends on it."""
        return self.domain.dim if any(column.is_by_dimension for column in columns) else 0

    @cached_property
    def _located(self) -> Located:
        return located(self.complex, self.points)

    @cached_property
    def regions(self) -> NDArray[np.int64]:
        """The region of each training point, negative for none; see `CellComplex.locate`."""
        return self._located.regions

    @cached_property
    def decision(self) -> Decision:
        """The network's decision on each region."""
        return decision_of_regions(self.complex)

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """Whether the network's output is positive at each training point."""
        known = self._located.decided
        if known is None:
            known = self.complex.network.decision_values(self.points) > 0
        return known

    @cached_property
    def labels(self) -> NDArray[np.bool_] | None:
        """Which training points are of the second of two classes; None for other targets."""
        return second_of_two(self.targets)

    def graph(self, adjacency: Adjacency = "facet") -> DualGraph:
        """Return the dual graph."""
        return self.once(("graph", adjacency), lambda: self.complex.dual_graph(adjacency))

    def partition(self, cut: Cut) -> Partitioned:
        """Return the Fiedler partition, or the reason for none: no network must end a run."""
        return self.once(cut.key, lambda: self._partition(cut))

    def _partition(self, cut: Cut) -> Partitioned:
        weights = made("vertex_weights", cut.vertex_weights), made("edge_weights", cut.edge_weights)
        try:
            part = self._partitioner(cut).fiedler(*weights)
        except tuple(_FAILURES) as error:
            return Partitioned(None, _FAILURES[type(error)])
        return Partitioned(part, part.status)

    def parts(self, cut: Cut, k: int, rounding: Choice = "auto") -> Parted:
        """Return the partition into k parts, or the reason why there is none.

        Parameters
        ----------
        cut : Cut
        k : int
        rounding : str, mapping or instance
            See `relutopo.spectral_partition`.
        """
        key = "parts", k, _key_of_choice(rounding), cut.key
        return self.once(key, lambda: self._parts(cut, k, rounding))

    def _parts(self, cut: Cut, k: int, rounding: Choice) -> Parted:
        if k > self.graph(cut.adjacency).n_nodes:
            return Parted(None, f"fewer than {k} regions")
        weights = made("vertex_weights", cut.vertex_weights), made("edge_weights", cut.edge_weights)
        how = made("rounding", rounding)
        try:
            part = self._partitioner(cut).spectral(k, *weights, how)
        except tuple(_FAILURES) as error:
            return Parted(None, _FAILURES[type(error)])
        return Parted(part, part.status)

    def _partitioner(self, cut: Cut) -> Partitioner:
        """Return the partitioner shared by partitions that differ only in weights."""
        key = "partitioner", cut.adjacency, _key_of_choice(cut.eigensolver), cut.component
        return self.once(
            key,
            lambda: Partitioner(
                self.graph(cut.adjacency),
                self.points,
                regions=self.regions,
                eigensolver=made("eigensolver", cut.eigensolver),
                component=cut.component,
                seed=self.seed,
            ),
        )

    def diagrams(self, filtering: Filtering) -> Diagrams:
        """Return the diagrams, or the reason for none: no network must end a run."""
        return self.once(_key_of(filtering, Filtering), lambda: self._diagrams(filtering))

    def _diagrams(self, how: Filtering) -> Diagrams:
        reducer: Reducer = made("reducer", how.reducer)
        strategy = self._strategy(how.filtration)
        n = how.n_filtrations if strategy.random else 1
        seeds = np.random.SeedSequence((self.seed, self.step)).generate_state(n)
        try:
            orders = [filtration(self.complex, strategy, seed=int(seed)) for seed in seeds]
        except NoDecisionBoundaryError:
            return Diagrams((), "no decision boundary")
        diagrams = (persistence(self.complex, order, reducer=reducer) for order in orders)
        return Diagrams(tuple(diagrams), "ok")

    def _strategy(self, choice: Choice) -> FiltrationStrategy:
        points = choice.get("points") if isinstance(choice, Mapping) else None
        from_data = isinstance(points, str) and points == "training"
        strategy: FiltrationStrategy = made(
            "filtration", choice, **({"points": self.points} if from_data else {})
        )
        return strategy

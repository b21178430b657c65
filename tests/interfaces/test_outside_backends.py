"""What backends from outside return is looked at before it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

import relutopo as rt
from relutopo import registry
from relutopo.errors import BackendError
from relutopo.gallery import random_network
from relutopo.geometry.domain import Domain
from relutopo.interfaces import (
    BoundaryMatrix,
    EigenResult,
    Eigensolver,
    Enumerator,
    Progress,
    Reducer,
    Reduction,
)
from relutopo.networks.network import Network

BOX = rt.Box(-1, 1, dim=2)


class Spoiled(Eigensolver, Reducer, Enumerator):
    """Built-in backends whose results are spoiled."""

    def __init__(self, spoil: Callable[[Any], Any]) -> None:
        self.spoil = spoil

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> rt.CellComplex:
        found = registry.create("enumerator", "exact").enumerate(network, domain)
        spoiled: rt.CellComplex = self.spoil(found)
        return spoiled

    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        arpack = registry.create("eigensolver", "arpack")
        found = arpack.solve(laplacian, vertex_weights, n_pairs=n_pairs)
        spoiled: EigenResult = self.spoil(found)
        return spoiled

    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        spoiled: Reduction = self.spoil(registry.create("reducer", "z2").reduce(boundary))
        return spoiled


def disc() -> rt.CellComplex:
    return rt.decompose(random_network([2, 6, 1], 0), BOX, enumerator="exact")


def constant(found: EigenResult) -> EigenResult:
    ones = np.ones(found.vectors.shape)
    return replace(found, values=np.full(1, 1e-9), vectors=ones / np.sqrt(len(ones)))


def noise(found: EigenResult) -> EigenResult:
    x = np.random.default_rng(0).standard_normal(found.vectors.shape)
    x -= x.mean()
    return replace(found, vectors=x / np.linalg.norm(x))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda found: None, "an EigenResult, got NoneType"),
        (lambda found: (found.values, found.vectors), "an EigenResult, got tuple"),
        (lambda found: replace(found, status="fine"), "'not_converged', got 'fine'"),
        (lambda found: replace(found, values=None), "`values` of shape .* floats, got NoneType"),
        (lambda found: replace(found, values=0.1), "`values` of shape .* floats, got float"),
        (lambda found: replace(found, residuals="1e-9"), "`residuals` of shape .*, got str"),
        (lambda found: replace(found, next_value=None), "a number as `next_value`, got NoneType"),
        (lambda found: replace(found, values=np.zeros(1)), r"positive .*`values`, got \[0.0\]"),
        (lambda found: replace(found, values=np.nan * np.ones(1)), "finite `values`, got nan at"),
        (
            lambda found: replace(found, residuals=np.nan * np.ones(1)),
            "finite `residuals`, got nan",
        ),
        (lambda found: replace(found, residuals=-np.ones(1)), r"not negative, got \[-1.0\]"),
        (lambda found: replace(found, next_value=0.0), "a `next_value` from the last .*, got 0.0"),
        (
            lambda found: replace(found, next_value=np.nan),
            "a `next_value` from the last .*, got nan",
        ),
        (lambda found: replace(found, next_value=np.inf), "no more pairs, and only then, got inf"),
        (lambda found: replace(found, vectors=None), "real floats, got NoneType"),
        (lambda found: replace(found, vectors=found.vectors[1:]), r"floats, got shape \(\d+, 1\)"),
        (lambda found: replace(found, vectors=found.vectors[:, 0]), r"floats, got shape \(\d+,\)"),
        (lambda found: replace(found, vectors=found.vectors + 0j), "got shape .* complex128"),
        (lambda found: replace(found, vectors=found.vectors * np.nan), "got nan at index 0"),
        (lambda found: replace(found, vectors=2 * found.vectors), "xᵀ W_V x = 1, got 4"),
        (constant, "1ᵀ W_V x = 0, got"),
        (noise, r"the true residual 0, .*, \d.*, got"),
        (
            lambda found: replace(found, values=found.values / 2),
            "the true residual .* 1.0e.00",
        ),
        (lambda found: replace(found, residuals=1e-3 * np.ones(1)), "residual .*, got 1.0e-03"),
    ],
)
def test_eigensolvers(spoil: Callable[[EigenResult], Any], message: str) -> None:
    graph = disc().dual_graph()
    with pytest.raises(BackendError, match=f"`eigensolver` .*Spoiled must return .*{message}"):
        rt.fiedler_partition(graph, vertex_weights="unweighted", eigensolver=Spoiled(spoil))


class OldSignature(Spoiled):
    """Takes no number of pairs."""

    def solve(  # type: ignore[override]
        self, laplacian: sparse.csr_array, vertex_weights: NDArray[np.float64], *, seed: int = 0
    ) -> Any:
        return (0.1, np.ones(len(vertex_weights)))


class OldRecord(Spoiled):
    """Returns a record of one pair."""

    def solve(self, *args: Any, **options: Any) -> Any:
        values: Any = (0.1, np.ones(5), 1e-9, 0, 0.0, "old", "converged")
        return EigenResult(*values)


@pytest.mark.parametrize("old", [OldSignature, OldRecord])
def test_eigensolvers_of_the_old_kind_are_told_what_to_change(old: Any) -> None:
    graph = disc().dual_graph()
    with pytest.raises(BackendError, match=f"{old.__name__} .*n_pairs.*`next_value` from `solve"):
        rt.fiedler_partition(graph, vertex_weights="unweighted", eigensolver=old(None))


def both(found: Reduction) -> Reduction:
    return replace(found, essential=np.sort(np.append(found.essential, found.pairs[:, 0])))


def swapped(found: Reduction) -> Reduction:
    pairs = found.pairs.copy()
    pairs[:, 1] = pairs[::-1, 1]
    return replace(found, pairs=pairs)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda found: None, "a Reduction, got NoneType"),
        (lambda found: replace(found, pairs=None), r"`pairs` as .*\(n, 2\), got NoneType"),
        (lambda found: replace(found, pairs=1.0 * found.pairs), "integers .*float64"),
        (lambda found: replace(found, pairs=found.pairs.T), r"of shape \(n, 2\), got shape \(2,"),
        (lambda found: replace(found, essential=np.empty(0)), "`essential` as .*float64"),
        (lambda found: replace(found, essential=found.essential - 1), r"in 0\.\.\d+, got -1"),
        (lambda found: replace(found, essential=found.essential[:0]), "column 0 0 times"),
        (both, r"every column once.*, got column \d+ 2 times"),
        (lambda found: replace(found, pairs=found.pairs[:, ::-1]), "births before their deaths"),
        (swapped, "births (before|one dimension below) their deaths, got the pair"),
        (lambda found: replace(found, pairs=found.pairs[::-1]), "`pairs` sorted by birth"),
    ],
)
def test_reducers(spoil: Callable[[Reduction], Any], message: str) -> None:
    complex_ = disc()
    expected = f"`reducer` .*Spoiled must return .*{message}"
    with pytest.raises(BackendError, match=expected):
        rt.betti_numbers(complex_, reducer=Spoiled(spoil))
    with pytest.raises(BackendError, match=expected):
        rt.persistence(complex_, rt.filtration(complex_, "random_closure"), reducer=Spoiled(spoil))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda found: None, "a CellComplex, got NoneType"),
        (lambda found: disc(), "a complex with the `network` that it was given, got another one"),
        (lambda found: replace(found, domain=BOX), "a complex with the `domain` that it was given"),
    ],
)
def test_enumerators(spoil: Callable[[rt.CellComplex], Any], message: str) -> None:
    network, box = random_network([2, 4, 1], 1), rt.Box(-2, 2, dim=2)
    with pytest.raises(BackendError, match=f"`enumerator` .*Spoiled must return {message}"):
        rt.decompose(network, box, enumerator=Spoiled(spoil))


def test_what_is_right_passes() -> None:
    right = Spoiled(lambda found: found)
    complex_ = rt.decompose(random_network([2, 6, 1], 0), BOX, enumerator=right)
    graph = complex_.dual_graph()
    part = rt.fiedler_partition(graph, vertex_weights="unweighted", eigensolver=right)
    assert part.residual < 1e-8
    assert rt.betti_numbers(complex_, reducer=right) == (1, 0, 0)

"""The checks for backends from outside: they pass what is right and name what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

import relutopo as rt
from relutopo import registry
from relutopo.errors import InputError, LimitReachedError
from relutopo.geometry.domain import Domain
from relutopo.interfaces import (
    BoundaryMatrix,
    EigenResult,
    Eigensolver,
    Enumerator,
    PreparedLaplacian,
    Progress,
    Reducer,
    Reduction,
)
from relutopo.networks.network import Network
from relutopo.testing import check_backend


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("enumerator", "cpu"),
        *(("eigensolver", name) for name in ("arpack", "amg_lobpcg", "auto")),
        *(("reducer", name) for name in ("z2", "phat")),
    ],
)
def test_built_in_backends_obey_their_laws(role: str, name: str) -> None:
    check_backend(role, name)


class Cutter(Enumerator):
    """The enumerator "exact", with a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> Any:
        exact = registry.create("enumerator", "exact")
        limit = None if self.fault == "limit" else max_cells
        if self.fault == "error" and domain.dim == 3:
            raise ValueError("three dimensions are too many")
        n_bytes = None if self.fault == "bytes" else max_bytes
        found = exact.enumerate(network, domain, max_cells=limit, max_bytes=n_bytes)
        if self.fault == "count":  # that of the domain alone
            constant = rt.ReluNetwork([np.zeros((1, domain.dim))], [np.zeros(1)])
            return replace(exact.enumerate(constant, domain), network=network)
        if self.fault == "vertex":
            vertices = found.vertices.copy()
            vertices[0] += 1e-3
            return replace(found, vertices=vertices)
        return found


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "count",
            r"Cutter breaks a law of its role on stripes\(1, 1\): .* \(3, 2\) cells are",
        ),
        ("vertex", r"Cutter breaks a law of its role on stripes\(1, 1\): InvariantError"),
        ("limit", r"on random_network\(\[1, 6, 4, 1\].*: max_cells=\d+ must stop a complex of"),
        ("bytes", r"on random_network\(\[1, 6, 4, 1\].*: max_bytes=1 must stop every complex"),
        ("error", r"on stripes\(2, 3\): ValueError: three dimensions are too many"),
    ],
)
def test_faults_of_enumerators_are_named(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend("enumerator", Cutter(fault))


def dense(
    laplacian: sparse.csr_array, weights: NDArray[np.float64], index: int, n_pairs: int = 1
) -> EigenResult:
    """The pairs from some index on."""
    values, vectors = scipy.linalg.eigh(laplacian.toarray(), np.diag(weights))
    last = index + n_pairs
    next_value = values[last] if last < len(values) else np.inf
    values, x = values[index:last], vectors[:, index:last]
    x = x * np.sign(x[np.argmax(np.abs(x), axis=0), np.arange(x.shape[1])])
    right = values * weights[:, None] * x
    residuals = np.linalg.norm(laplacian @ x - right, axis=0) / np.linalg.norm(right, axis=0)
    return EigenResult(values, x, residuals, next_value, 0, 0.0, "dense", "converged")


class Solver(Eigensolver):
    """A dense eigensolver, with a fault."""

    def __init__(self, fault: Callable[[sparse.csr_array, Any, int], EigenResult]) -> None:
        self.fault = fault

    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        return self.fault(laplacian, vertex_weights, n_pairs)


def right(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    return dense(laplacian, weights, 1, n)


def third(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    return dense(laplacian, weights, 2 if n < len(weights) - 1 else 1, n)


def at_random(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    np.random.random()  # noqa: NPY002 - the fault
    return dense(laplacian, weights, 1, n)


def upside_down(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    found = dense(laplacian, weights, 1, n)
    return replace(found, vectors=-found.vectors)


def heedless(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    return dense(laplacian, np.ones(len(weights)), 1, n)


def blind(laplacian: sparse.csr_array, weights: NDArray[np.float64], n: int) -> EigenResult:
    """What Lanczos from one vector does with multiple eigenvalues."""
    found = dense(laplacian, weights, 1, n)
    return found if found.next_value == np.inf else replace(found, next_value=1e3)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (third, r"on the dual graph of stripes\(4, 2\): .* its eigenvalue is 0\.38.*, got 1\.38"),
        (heedless, "BackendError: .* a vector 0 with"),
        (upside_down, "the largest entry of the vector must be positive"),
        (at_random, "NumPy's global random state was changed"),
        (blind, r"`next_value` must not be above .*, got 1000"),
    ],
)
def test_faults_of_eigensolvers_are_named(fault: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_backend("eigensolver", Solver(fault))


def test_a_right_eigensolver_passes() -> None:
    check_backend("eigensolver", Solver(right))


class Remembering(PreparedLaplacian):
    """Right, but for the last bits, which depend on whether it solved before."""

    def __init__(self, laplacian: sparse.csr_array) -> None:
        self.laplacian, self.scale = laplacian, 1.0

    def solve(
        self, vertex_weights: NDArray[np.float64], *, n_pairs: int = 1, seed: int = 0
    ) -> EigenResult:
        found = dense(self.laplacian, vertex_weights, 1, n_pairs)
        self.scale += 1e-14
        return replace(found, vectors=self.scale * found.vectors)


class Hasty(Solver):
    """A solver whose preparations remember."""

    def prepare(self, laplacian: sparse.csr_array) -> PreparedLaplacian:
        return Remembering(laplacian)


def test_preparations_that_remember_are_named() -> None:
    with pytest.raises(AssertionError, match="prepared before must give the same vector"):
        check_backend("eigensolver", Hasty(right))


class Pairing(Reducer):
    """Pairs cells with the next ones that can be their deaths, which is wrong."""

    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        right: Reduction = registry.create("reducer", "z2").reduce(boundary)
        pairs = right.pairs.copy()
        degrees = boundary.dimensions[pairs[:, 0]]
        for degree in set(degrees.tolist()):
            chosen = np.flatnonzero(degrees == degree)
            pairs[chosen, 1] = np.sort(pairs[chosen, 1])
        return replace(right, pairs=pairs)


def test_faults_of_reducers_are_named() -> None:
    with pytest.raises(AssertionError, match=r"(?s)Pairing breaks .* with the filtration '.*pairs"):
        check_backend("reducer", Pairing())


def test_other_roles_have_no_checks() -> None:
    with pytest.raises(InputError, match="`role` must be one of enumerator, eigensolver, reducer"):
        check_backend("data", "two_moons")
    with pytest.raises(LimitReachedError):
        Cutter("none").enumerate(
            rt.as_network(([[[1.0]], [[1.0]]], [[0.0], [0.0]])), rt.Box(-1, 1), max_cells=4
        )

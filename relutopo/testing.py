"""Checks for backends, also those of other packages.

`check_backend` runs a backend through the laws of its role, as its docstring in
`relutopo.interfaces` states them, on small problems of `relutopo.gallery`; `assert_same_complex`
compares two complexes cell by cell. Both raise an `AssertionError` that says what differs, so that
a test of one line is enough.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

from relutopo import gallery, registry
from relutopo.checks import check_choice
from relutopo.complex import CellComplex
from relutopo.decomposition import decompose
from relutopo.errors import LimitReachedError, NotUniqueWarning
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.polytope import Polytope
from relutopo.geometry.slices import AffineSlice
from relutopo.homology.persistence import betti_numbers, filtration, persistence
from relutopo.interfaces import checked_eigenpair
from relutopo.networks.network import Network
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.laplacian import pencil
from relutopo.spectral.partitioner import Partitioner, fiedler_partition
from relutopo.spectral.weights import CountPlusOne, UnitEdges
from relutopo.system.public_names import listing

__all__ = ["assert_same_complex", "check_backend"]

__dir__ = listing(__name__)


def assert_same_complex(a: CellComplex, b: CellComplex, tolerance: float = 1e-9) -> None:
    """Check that two complexes have the same cells, after canonical relabelling.

    Parameters
    ----------
    a, b : CellComplex
        Of the same network and domain.
    tolerance : float
        How far coordinates may differ, relative to the domain's magnitude. In any case they must
        not differ by more than their error bounds.

    Raises
    ------
    AssertionError
        If cells, incidences, patterns, labels or coordinates differ.
    """
    assert a.n_cells == b.n_cells, f"{a} and {b} have different numbers of cells"
    a, b = a.canonical(), b.canonical()
    np.testing.assert_array_equal(a.packed_patterns, b.packed_patterns)
    for k, (x, y) in enumerate(zip(a.facets, b.facets, strict=True), start=1):
        np.testing.assert_array_equal(x[0], y[0], err_msg=f"numbers of facets of {k}-cells")
        np.testing.assert_array_equal(x[1], y[1], err_msg=f"facets of {k}-cells")
    np.testing.assert_array_equal(a.facet_labels, b.facet_labels)
    off = np.abs(a.vertices - b.vertices).max(axis=1)
    assert (off <= a.vertex_errors + b.vertex_errors).all(), (
        "vertices differ by more than the bounds of their errors"
    )
    np.testing.assert_allclose(
        a.vertices, b.vertices, rtol=0, atol=tolerance * float(a.domain.magnitude.max())
    )


def check_backend(role: str, backend: Any) -> None:
    """Check that a backend obeys the laws of its role on small problems.

    - An *enumerator* gives complexes that satisfy `CellComplex.check`, have the numbers of cells
      that the gallery states, and equal those of the enumerator "exact": on boxes, polygons and
      slices, with planes in general position and with coincidences. It stops at `max_cells` and
      at `max_bytes`.
    - An *eigensolver* finds the known eigenvalues of paths, cycles and grids, and with vertex
      weights those of a dense solver, the first five together and the value after them; the same
      seed gives the same vector, with its largest entry positive, also on a Laplacian that was
      prepared and solved before; NumPy's global random state does not change.
    - A *reducer* gives the same pairs and essential classes as the reducer "z2", which do not
      depend on the order of column additions, and the Betti numbers of a convex set.

    It takes seconds. It does not test large problems, ill-scaled numbers, or memory use.

    Parameters
    ----------
    role : {"enumerator", "eigensolver", "reducer"}
    backend : str or instance
        Registry name or instance.

    Raises
    ------
    AssertionError
        If a law is broken, or the backend raises an error; the message names the problem.

    Examples
    --------
    >>> check_backend("reducer", "z2")
    """
    check_choice("role", role, _CHECKS, remedy="other roles have no checks")
    instance = registry.create(role, backend)
    _CHECKS[role](instance)


@contextmanager
def _problem(role: str, backend: object, problem: str) -> Iterator[None]:
    """Name the backend and the problem in any error within the block."""
    try:
        with warnings.catch_warnings():
            # Some problems are symmetric on purpose.
            warnings.simplefilter("ignore", NotUniqueWarning)
            yield
    except Exception as error:  # a backend from outside can raise anything
        name = type(backend).__qualname__
        raise AssertionError(
            f"`{role}` {name} breaks a law of its role on {problem}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _networks() -> Iterator[tuple[str, Network, Domain]]:
    for dim, sizes in ((1, (6, 4)), (2, (5, 4)), (3, (4, 2))):
        for kind in ("gaussian", "integer"):
            for bias in (1.0, 0.0):
                call = f"random_network({[dim, *sizes, 1]}, seed={dim}, {kind!r}, bias={bias:g})"
                network = gallery.random_network([dim, *sizes, 1], dim, kind, bias)
                yield call, network, Box(-2, 2, dim=dim)
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [1.0, 1.0, 1.0])
    yield "grid([3, 2]) on a triangle", gallery.grid([3, 2]).network, triangle
    deep = gallery.random_network([4, 5, 3, 1], 0)
    plane = AffineSlice.through([0.0] * 4, [1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.5])
    yield "a plane in four dimensions", deep.restricted(plane.origin, plane.basis), plane.box


def _check_enumerator(enumerator: Any) -> None:
    for example in gallery.examples():
        with _problem("enumerator", enumerator, example.name):
            complex_ = decompose(example.network, example.domain, enumerator=enumerator)
            assert complex_.n_cells == example.n_cells, (
                f"{example.n_cells} cells are known to be there, got {complex_.n_cells}"
            )
            complex_.check()
    for name, network, domain in _networks():
        with _problem("enumerator", enumerator, name):
            complex_ = decompose(network, domain, enumerator=enumerator)
            complex_.check()
            assert_same_complex(complex_, decompose(network, domain, enumerator="exact"))
            n_cells = sum(complex_.n_cells)
            decompose(network, domain, enumerator=enumerator, max_cells=n_cells)
            try:
                decompose(network, domain, enumerator=enumerator, max_cells=n_cells - 1)
            except LimitReachedError:
                pass
            else:
                raise AssertionError(
                    f"max_cells={n_cells - 1} must stop a complex of {n_cells} cells"
                )
            try:
                decompose(network, domain, enumerator=enumerator, max_bytes=1)
            except LimitReachedError:
                continue
            raise AssertionError("max_bytes=1 must stop every complex")


def _examples_with_graphs() -> Iterator[tuple[gallery.Example, DualGraph]]:
    larger = (gallery.stripes(150, 1), gallery.grid([13, 8]), gallery.fan(60))
    for example in (*gallery.examples(), *larger, gallery.folding(4, 2)):
        yield example, decompose(example.network, example.domain).dual_graph()


def _check_eigensolver(eigensolver: Any) -> None:
    for example, graph in _examples_with_graphs():
        value = example.fiedler_value
        with _problem("eigensolver", eigensolver, f"the dual graph of {example.name}"):
            before = _global_random_state()
            found = fiedler_partition(graph, vertex_weights="unweighted", eigensolver=eigensolver)
            assert abs(found.value - value) <= _VALUE * value, (
                f"its eigenvalue is {value:.12g}, got {found.value:.12g}"
            )
            low, high = example.domain.low, example.domain.high
            points = np.random.default_rng(0).uniform(low, high, (200, len(low)))
            parts = [fiedler_partition(graph, points, eigensolver=eigensolver) for _ in range(2)]
            x = parts[0].vector
            system = pencil(graph, parts[0].counts, CountPlusOne(), UnitEdges())
            value = scipy.linalg.eigh(
                system.laplacian.toarray(), np.diag(system.vertex_weights), eigvals_only=True
            )[1]
            assert abs(parts[0].value - value) <= _VALUE * value, (
                f"with vertex weights its eigenvalue is {value:.12g}, got {parts[0].value:.12g}"
            )
            assert np.array_equal(x, parts[1].vector), "the same seed must give the same vector"
            partitioner = Partitioner(graph, points, eigensolver=eigensolver)
            partitioner.fiedler("unweighted")
            assert np.array_equal(x, partitioner.fiedler().vector), (
                "a Laplacian that was prepared before must give the same vector"
            )
            large, larger = np.sort(np.abs(x))[-2:]
            assert larger - large <= _TIED * larger or x[np.argmax(np.abs(x))] > 0, (
                "the largest entry of the vector must be positive"
            )
            _check_pairs(eigensolver, system.laplacian, system.vertex_weights)
            assert _global_random_state() == before, "NumPy's global random state was changed"


def _check_pairs(
    eigensolver: Any, laplacian: sparse.csr_array, weights: NDArray[np.float64]
) -> None:
    """Compare the first pairs, and the value after them, with a dense solver."""
    every = scipy.linalg.eigh(laplacian.toarray(), np.diag(weights), eigvals_only=True)
    every = np.append(every[1:], np.inf)
    for n_pairs in sorted({1, 2, 5} & set(range(1, len(every)))):
        found = eigensolver.solve(laplacian, weights, n_pairs=n_pairs, seed=0)
        found = checked_eigenpair(found, eigensolver, laplacian, weights, n_pairs)
        assert found.status == "converged", f"{n_pairs} pairs did not converge"
        values = every[:n_pairs]
        assert np.allclose(found.values, values, rtol=_VALUE, atol=0), (
            f"its first {n_pairs} eigenvalues are {values}, got {found.values}"
        )
        last, after = values[-1], every[n_pairs]
        assert found.next_value <= after * (1 + _VALUE), (
            f"`next_value` must not be above {after:.12g}, got {found.next_value:.12g}"
        )
        if after < np.inf:
            least = last + _SHARE_OF_GAP * (after - last)
            assert found.next_value >= least * (1 - _VALUE), (
                f"`next_value` must be from {least:.12g} on, got {found.next_value:.12g}"
            )


def _global_random_state() -> str:
    with np.printoptions(threshold=sys.maxsize):
        return repr(np.random.get_state(legacy=False))  # noqa: NPY002 - what must not change


def _check_reducer(reducer: Any) -> None:
    for example in gallery.examples():
        complex_ = decompose(example.network, example.domain)
        for name in ("layer_depth", "abs_output", "random_extension"):
            problem = f"{example.name} with the filtration {name!r}"
            with _problem("reducer", reducer, problem):
                order = filtration(complex_, name, seed=1)
                found = persistence(complex_, order, reducer=reducer).reduction
                right = persistence(complex_, order, reducer="z2").reduction
                np.testing.assert_array_equal(found.pairs, right.pairs, err_msg="pairs")
                np.testing.assert_array_equal(found.essential, right.essential, err_msg="essential")
        with _problem("reducer", reducer, example.name):
            betti = betti_numbers(complex_, reducer=reducer)
            assert betti == (1, *[0] * complex_.dim), f"a convex set has no holes, got {betti}"


_VALUE = 1e-6
"""Relative tolerance of eigenvalues; the residual is at most this."""
_SHARE_OF_GAP = 0.7
"""Share of the gap after the last value that a solver must find."""
_TIED = 1e-6
"""Entries of a vector that differ by less, relatively, count as equal."""

_CHECKS: dict[str, Callable[[Any], None]] = {
    "enumerator": _check_enumerator,
    "eigensolver": _check_eigensolver,
    "reducer": _check_reducer,
}

"""The eigensolver for cards on NumPy and SciPy in the role of CuPy.

The stand-in has only what CuPy 14 has and this solver uses, refuses to mix its arrays with those
of NumPy, and multiplies sparse matrices as cuSPARSE does: rows of products are not sorted, and the
next use sorts them in place.
"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from relutopo import decompose
from relutopo.devices.device import Device
from relutopo.gallery import random_network
from relutopo.geometry.domain import Box
from relutopo.spectral.laplacian import pencil
from relutopo.spectral.weights import CountPlusOne, UnitEdges

bases = import_module("relutopo.backends.eigensolvers._multigrid.orthonormal")
solvers = import_module("relutopo.backends.eigensolvers._multigrid.lobpcg")


class OnCard(np.ndarray):
    """An array that does not mix with those of NumPy; a sum of it is one as well, of no axis."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if out is not None:
            options["out"] = tuple(map(off, out))
        return on(getattr(ufunc, method)(*map(off, inputs), **options))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} got an array that is on a card")

    def __getitem__(self, key: Any) -> Any:
        return on(self.view(np.ndarray)[off(key) if isinstance(key, np.ndarray) else key])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def max(self, *args: Any, **kwargs: Any) -> Any:
        return on(self.view(np.ndarray).max(*args, **kwargs))


def off(value: Any) -> Any:
    if isinstance(value, OnCard):
        return value.view(np.ndarray)
    if isinstance(value, list):
        return [off(each) for each in value]
    if isinstance(value, np.ndarray):
        raise TypeError("an array of NumPy is used like one on a card")
    return value


def on(value: Any) -> Any:
    return np.asarray(value).view(OnCard)


def function(of_numpy: Any) -> Any:
    return lambda *args, **kwargs: on(of_numpy(*map(off, args), **kwargs))


NAMES = "arange ascontiguousarray cumsum empty maximum minimum ones searchsorted sqrt stack where"
XP = SimpleNamespace(
    **{name: function(getattr(np, name)) for name in NAMES.split()},
    linalg=SimpleNamespace(qr=lambda basis: tuple(map(on, np.linalg.qr(off(basis))))),
)


class CardMatrix:
    """A csr_matrix of CuPy."""

    def __init__(self, arrays: tuple[Any, Any, Any], shape: tuple[int, int]) -> None:
        self.data, self.indices, self.indptr = arrays
        self.shape = shape
        self._host = sparse.csr_matrix(tuple(map(off, arrays)), shape=shape, copy=False)
        assert np.shares_memory(self._host.data, off(self.data))

    @property
    def nnz(self) -> int:
        return len(self.data)

    @property
    def T(self) -> Any:
        transposed = self._host.T.tocsr()
        return SimpleNamespace(tocsr=lambda: wrapped(transposed))

    def tocsr(self) -> CardMatrix:
        return self

    def sum_duplicates(self) -> None:
        self._host.has_sorted_indices = False
        self._host.sort_indices()

    def diagonal(self) -> Any:
        return on(self._host.diagonal())

    def __sub__(self, other: CardMatrix) -> CardMatrix:
        return wrapped((self._host - other._host).tocsr())

    def __matmul__(self, other: Any) -> Any:
        self.sum_duplicates()
        if not isinstance(other, CardMatrix):
            return on(self._host @ off(other))
        other.sum_duplicates()
        product = (self._host @ other._host).tocsr()
        product.sort_indices()
        for begin, end in zip(product.indptr[:-1], product.indptr[1:], strict=True):
            product.indices[begin:end] = product.indices[begin:end][::-1].copy()
            product.data[begin:end] = product.data[begin:end][::-1].copy()
        return wrapped(product)


def wrapped(host: sparse.csr_matrix) -> CardMatrix:
    return CardMatrix((on(host.data), on(host.indices), on(host.indptr)), host.shape)


class StrictNamespace:
    def __init__(self, kernel: Any) -> None:
        vars(self).update(vars(XP), ElementwiseKernel=kernel)


class StrictDevice(Device):
    """A device whose arrays live in the computer's memory, but are kept apart."""

    name = "stand-in"
    sparse = SimpleNamespace(csr_matrix=CardMatrix)

    def __init__(self, kernel: Any) -> None:
        self.xp = StrictNamespace(kernel)
        self.n_to_host = 0

    def to_device(self, array: Any) -> Any:
        return array if isinstance(array, OnCard) else on(np.array(array))

    def to_host(self, array: Any, out: Any = None) -> Any:
        assert isinstance(array, OnCard)
        self.n_to_host += 1
        return super().to_host(off(array).copy(), out)


@pytest.fixture(scope="module")
def card(numpy_with_kernels: Any) -> StrictDevice:
    return StrictDevice(numpy_with_kernels.ElementwiseKernel)


@pytest.fixture(scope="module")
def system() -> Any:
    graph = decompose(random_network([2, 30, 30, 1], seed=1), Box(-3, 3, dim=2)).dual_graph()
    counts = np.random.default_rng(0).poisson(0.5, graph.n_nodes)
    return pencil(graph, counts, CountPlusOne(), UnitEdges())


def test_arrays_of_card_and_host_are_kept_apart(card: StrictDevice, system: Any) -> None:
    results = [
        solvers.DeviceLobpcgEigensolver(device, 1e-8, 500).solve(
            system.laplacian, system.vertex_weights
        )
        for device in (card, Device())
    ]
    for result in results:
        assert result.status == "converged"
        assert result.values == pytest.approx(results[0].values, rel=1e-9)
        np.testing.assert_allclose(result.vectors, results[0].vectors, atol=1e-6)


def test_an_iteration_asks_for_four_small_arrays(card: StrictDevice, system: Any) -> None:
    counts = []
    for n in (3, 6):
        card.n_to_host = 0
        solver = solvers.DeviceLobpcgEigensolver(card, 1e-15, n)
        assert solver.solve(system.laplacian, system.vertex_weights).iterations == n
        counts.append(card.n_to_host)
    assert counts[1] - counts[0] == 3 * 4


@pytest.mark.parametrize("gap", [1.0, 1e-3, 3e-7, 1e-7, 1e-9, 0.0])
def test_rows_are_made_orthonormal_however_dependent(card: StrictDevice, gap: float) -> None:
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal((3, 50)), rng.uniform(1, 500, 50)
    rows[2] = rows[1] + gap * rows[2]
    q = card.to_host(bases.orthonormal(on(rows), on(weights), card))
    np.testing.assert_allclose((weights * q) @ q.T, np.eye(3), atol=1e-12)
    for m in (1, 2):  # the first ones span the same
        rest = rows[:m] - (rows[:m] @ (weights * q[:m]).T) @ q[:m]
        np.testing.assert_allclose(rest, 0, atol=1e-12)

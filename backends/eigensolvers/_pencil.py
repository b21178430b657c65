"""The common part of the eigensolvers: preparation, substitution, the dense path, the record.

With g = W_V^{1/2} x the pencil L x = λ W_V x becomes the symmetric problem A g = λ g with
A = W_V^{-1/2} L W_V^{-1/2}, whose kernel is spanned by k = W_V^{1/2} 1 / ‖W_V^{1/2} 1‖.

Invariants: a backend works only on the complement of k, and never judges its own result; the
residual of the record is computed here, in terms of the pencil. Preparation depends on L alone, and
no solution changes it, so earlier solutions, with any weights, change no bit of later ones.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import read_only
from relutopo.checks import check_integer, check_number, check_seed
from relutopo.errors import InputError
from relutopo.interfaces import EigenResult, Eigensolver, PreparedLaplacian
from relutopo.spectral.accuracy import RESOLVED, Quality, certain_signs, error_bound
from relutopo.spectral.kernels import residual_norms
from relutopo.system.blas import one_blas_thread
from relutopo.system.compilation import njit

from ._dense import smallest_vectors
from ._factorisation.elimination import Elimination
from ._factorisation.inertia import count_below
from ._numbering import breadth_first_order, renumbered

__all__ = [
    "DENSE_UP_TO",
    "LARGEST_TOL",
    "Eigenpair",
    "Iterate",
    "NumberedLaplacian",
    "PencilSolver",
    "PreparedPencil",
    "SymmetricProblem",
    "with_proof",
]

DENSE_UP_TO = 64
"""Graphs of at most this many nodes are solved densely, whatever the backend."""
LARGEST_TOL = 1e-6
_FLOOR = 64
"""A residual is accepted up to this multiple of the effect of rounding the vector's entries once: a
solution has been rounded more than once."""
_PLANNED_UP_TO = 1_000
"""Up to this number of nodes, an elimination is planned only to prove the next value."""
_MOST_OPERATIONS = 3e6
"""Most multiplications of an elimination that only proves the next value."""
_N_TRIES = 8
_SHARE_OF_GAP = 0.1
_ROUNDING = 1e-9
"""Values with a smaller relative distance count as one."""

Setup = TypeVar("Setup")
"""The result of a solver's preparation of a Laplacian."""


@dataclass(frozen=True, eq=False)
class Eigenpair:
    """An approximate eigenpair of the pencil.

    Attributes
    ----------
    vector : (n,) ndarray
        x with xᵀ W_V x = 1 and 1ᵀ W_V x = 0, in the given order of nodes; its largest entry (the
        first of several) is positive.
    quality : Quality
        Its Rayleigh quotient, and how well it solves the pencil.
    """

    vector: NDArray[np.float64]
    quality: Quality

    @property
    def value(self) -> float:
        """Rayleigh quotient."""
        return self.quality.value

    @property
    def residual(self) -> float:
        """‖L x - λ W_V x‖ / (λ ‖W_V x‖)."""
        return self.quality.residual


@dataclass(frozen=True, eq=False)
class Iterate:
    """The result of an iteration.

    Attributes
    ----------
    pairs : sequence of Eigenpair
        The pairs found, as judged by `SymmetricProblem.eigenpair`, by ascending value.
    next_value : float
        See `EigenResult`.
    iterations : int
        Outer iterations.
    method : str
        Registry name of the method that ran.
    is_next_value_proved : bool
        See `EigenResult`.
    """

    pairs: Sequence[Eigenpair]
    next_value: float
    iterations: int
    method: str
    is_next_value_proved: bool = False


@dataclass(frozen=True, eq=False)
class NumberedLaplacian:
    """A Laplacian with nodes in the given order or numbered breadth first.

    In the order in which regions are found, neighbours may be scattered over memory; in breadth
    first order they are not.

    Attributes
    ----------
    given : (n, n) scipy.sparse.csr_array
        L as it was given.
    order : (n,) ndarray of int32, or None
        The given number of each node; None for the given order.
    matrix : (n, n) scipy.sparse.csr_array
        L in this order.
    """

    given: sparse.csr_array
    order: NDArray[np.int32] | None
    matrix: sparse.csr_array

    @classmethod
    def of(cls, laplacian: sparse.csr_array, *, breadth_first: bool) -> NumberedLaplacian:
        if not breadth_first:
            return cls(laplacian, None, laplacian)
        order = breadth_first_order(laplacian.indptr, laplacian.indices)
        return cls(laplacian, order, renumbered(laplacian, order))


@dataclass(frozen=True, eq=False)
class SymmetricProblem:
    """A g = λ g on the complement of the kernel.

    Attributes
    ----------
    numbered : NumberedLaplacian
        L.
    weights : (n,) ndarray
        Diagonal of W_V as it was given.
    roots : (n,) ndarray
        Diagonal of W_V^{1/2}; this and all that follows is in the order of `numbered`.
    kernel : (n,) ndarray
        Unit vector k.
    """

    numbered: NumberedLaplacian
    weights: NDArray[np.float64]
    roots: NDArray[np.float64]
    kernel: NDArray[np.float64]

    @classmethod
    def of(
        cls, numbered: NumberedLaplacian, vertex_weights: NDArray[np.float64]
    ) -> SymmetricProblem:
        roots = np.sqrt(vertex_weights)
        if numbered.order is not None:
            roots = roots[numbered.order]
        return cls(numbered, vertex_weights, roots, roots / math.sqrt(roots @ roots))

    @property
    def laplacian(self) -> sparse.csr_array:
        """L in the order of `numbered`."""
        return self.numbered.matrix

    @property
    def n(self) -> int:
        return len(self.roots)

    def matrix(self) -> sparse.csr_array:
        """Return A."""
        inverse = sparse.diags_array(1 / self.roots)
        return sparse.csr_array(inverse @ self.laplacian @ inverse)

    def eigenpair(self, g: NDArray[np.float64]) -> Eigenpair:
        """Return the eigenpair of the given pencil that a vector g approximates."""
        given = self.numbered.given
        x, found = _judged(
            (given.indptr, given.indices, given.data),
            read_only(self.weights),
            self.numbered.order,
            self.roots,
            self.kernel,
            np.ascontiguousarray(g),
        )
        return Eigenpair(x, Quality(*found))

    def eigenpairs(self, g: NDArray[np.float64]) -> list[Eigenpair]:
        """Return the eigenpairs that orthonormal columns approximate, by ascending value."""
        pairs = [self.eigenpair(row) for row in g.T]
        return sorted(pairs, key=lambda pair: pair.value) if len(pairs) > 1 else pairs

    def gains_signs(self, pair: Eigenpair, next_value: float) -> bool:
        """Tell whether a smaller residual would decide open signs.

        It would, unless double precision cannot tell the value from the next one anyway.
        """
        quality, gap = pair.quality, next_value - pair.value
        if quality.residual <= quality.rounding:
            return False
        least = quality.distance * quality.rounding / quality.residual
        if error_bound(least, gap) > RESOLVED:
            return False
        error = error_bound(quality.distance, gap)
        return not certain_signs(self.weights, pair.vector, error).all()


class PencilSolver(Eigensolver, Generic[Setup]):
    """Base of eigensolvers that implement set-up and iteration, and leave the rest to this class.

    Parameters
    ----------
    tol : float
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int
        Limit of outer iterations, ≥ 1.
    """

    name: ClassVar[str]
    numbered_from: ClassVar[float] = 0
    """From this number of nodes on they are numbered breadth first, which takes time but usually
    saves more."""

    def __init__(self, tol: float, max_iterations: int) -> None:
        self.tol = check_number(
            "tol",
            tol,
            above=0,
            most=LARGEST_TOL,
            remedy="it bounds the relative residual; the default 1e-8 suits nearly every graph",
        )
        self.max_iterations = check_integer(
            "max_iterations", max_iterations, 1, remedy="leave it out"
        )

    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        """Return the first eigenpairs of a connected graph; see `Eigensolver`."""
        begin = time.perf_counter()
        _check_shapes(laplacian, vertex_weights)
        # Threads do not speed up products of small blocks, and sums of long vectors would depend on
        # their number.
        with one_blas_thread():
            prepared = self._prepare(laplacian, n_pairs)
            result = prepared._solve(vertex_weights, n_pairs, seed)
        return replace(result, seconds=time.perf_counter() - begin)

    def prepare(self, laplacian: sparse.csr_array) -> PreparedPencil[Setup]:
        """Return the Laplacian numbered, with all that this solver sets up for it."""
        _check_shapes(laplacian)
        with one_blas_thread():
            return self._prepare(laplacian, 1)

    def _prepare(self, laplacian: sparse.csr_array, n_pairs: int) -> PreparedPencil[Setup]:
        n = laplacian.shape[0]
        numbered = NumberedLaplacian.of(laplacian, breadth_first=n >= self.numbered_from)
        if n <= _dense_up_to(n_pairs):
            return PreparedPencil(self, numbered, None, None)
        setup = self.set_up(numbered.matrix)
        plan = self.plan_of(setup, numbered.matrix)
        is_cheap = plan is not None and plan.n_operations <= _MOST_OPERATIONS
        return PreparedPencil(self, numbered, setup, plan if is_cheap else None)

    def plan_of(self, setup: Setup, laplacian: sparse.csr_array) -> Elimination | None:
        """Return the plan to eliminate a numbered Laplacian, or None if that may take long."""
        return Elimination.of(laplacian) if laplacian.shape[0] <= _PLANNED_UP_TO else None

    def accepts(self, pair: Eigenpair) -> bool:
        """Tell whether a pair is converged, or as good as double precision allows."""
        return pair.residual <= max(self.tol, _FLOOR * pair.quality.rounding)

    def is_final(
        self, problem: SymmetricProblem, pairs: Sequence[Eigenpair], next_value: float
    ) -> bool:
        """Tell whether to stop: going on would make no pair better, or no sign more certain."""
        return all(
            self.accepts(pair) and not problem.gains_signs(pair, next_value) for pair in pairs
        )

    @abstractmethod
    def set_up(self, laplacian: sparse.csr_array) -> Setup:
        """Return what `iterate` needs of a numbered Laplacian, for any weights."""

    @abstractmethod
    def iterate(
        self, setup: Setup, problem: SymmetricProblem, n_pairs: int, rng: np.random.Generator
    ) -> Iterate:
        """Return approximate eigenpairs and their cost; `setup` is not changed."""


@dataclass(frozen=True, eq=False)
class PreparedPencil(PreparedLaplacian, Generic[Setup]):
    """A Laplacian with what a solver has set up for it.

    Attributes
    ----------
    solver : PencilSolver
    numbered : NumberedLaplacian
    setup : object or None
        None if the pencils are so small that they are solved densely.
    plan : Elimination or None
        By which the next value is proved, if that is cheap.
    """

    solver: PencilSolver[Setup]
    numbered: NumberedLaplacian
    setup: Setup | None
    plan: Elimination | None

    def solve(
        self, vertex_weights: NDArray[np.float64], *, n_pairs: int = 1, seed: int = 0
    ) -> EigenResult:
        """Return the first eigenpairs for some vertex weights; see `PreparedLaplacian`."""
        _check_shapes(self.numbered.given, vertex_weights)
        with one_blas_thread():
            return self._solve(vertex_weights, n_pairs, seed)

    def _solve(self, vertex_weights: NDArray[np.float64], n_pairs: int, seed: int) -> EigenResult:
        begin = time.perf_counter()
        solver, problem = self.solver, SymmetricProblem.of(self.numbered, vertex_weights)
        n_pairs = check_integer(
            "n_pairs", n_pairs, 1, problem.n - 1, remedy="a graph of n nodes has n - 1 such pairs"
        )
        rng = np.random.Generator(np.random.PCG64(_words_of(check_seed(seed))))
        if self.setup is None or problem.n <= _dense_up_to(n_pairs):
            iterate = _dense(problem, n_pairs)
        else:
            iterate = with_proof(
                solver.iterate(self.setup, problem, n_pairs, rng), problem, self.plan
            )
        vectors = np.empty((problem.n, n_pairs))
        for i, pair in enumerate(iterate.pairs):
            vectors[:, i] = pair.vector
        values = np.array([pair.value for pair in iterate.pairs])
        return EigenResult(
            values=values,
            vectors=vectors,
            residuals=np.array([pair.residual for pair in iterate.pairs]),
            next_value=max(iterate.next_value, float(values[-1])),
            iterations=iterate.iterations,
            seconds=time.perf_counter() - begin,
            method=iterate.method,
            status="converged" if all(map(solver.accepts, iterate.pairs)) else "not_converged",
            is_next_value_proved=iterate.is_next_value_proved,
        )


class _Words(ISeedSequence):
    """The words that NumPy makes of a seed for its generator, made once."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.SeedSequence(seed).generate_state(4, np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return the words, which are four of 64 bits."""
        assert (n_words, np.dtype(dtype)) == (4, np.uint64)
        return self._words


@lru_cache(maxsize=16)
def _words_of(seed: int) -> Any:  # NumPy's stubs know `SeedSequence` only
    return _Words(seed)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _judged(
    matrix: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]],
    weights: NDArray[np.float64],
    order: NDArray[np.int32] | None,
    roots: NDArray[np.float64],
    kernel: NDArray[np.float64],
    g: NDArray[np.float64],
) -> tuple[NDArray[np.float64], tuple[float, float, float, float]]:
    """Return the eigenvector that a vector g approximates, and the fields of its quality."""
    n = len(g)
    for _ in range(2):  # the second time removes what rounding left
        part = 0.0
        for i in range(n):
            part += kernel[i] * g[i]
        rest = np.empty(n)
        for i in range(n):
            rest[i] = g[i] - part * kernel[i]
        g = rest
    square = 0.0
    for i in range(n):
        square += g[i] * g[i]
    length = np.sqrt(square)
    x, largest = np.empty(n), 0.0
    for i in range(n):
        entry = g[i] / (length * roots[i])
        largest = max(largest, abs(entry))
        if order is None:
            x[i] = entry
        else:
            x[order[i]] = entry
    for i in range(n):
        # Rounding must not decide which of several largest entries comes first.
        if abs(x[i]) >= (1 - 1e-6) * largest:
            if x[i] < 0.0:
                for j in range(n):
                    x[j] = -x[j]
            break
    indptr, columns, values = matrix
    return x, residual_norms(indptr, columns, values, weights, x)


def _check_shapes(laplacian: sparse.csr_array, *vertex_weights: NDArray[np.float64]) -> None:
    n = laplacian.shape[0]
    shapes = [laplacian.shape, *map(np.shape, vertex_weights)]
    if n < 2 or shapes != [(n, n), (n,)][: len(shapes)]:
        raise InputError(
            "`laplacian` must have shape (n, n) with n ≥ 2 and `vertex_weights` (n,), got "
            f"{' and '.join(map(str, shapes))}; build both with relutopo.spectral.laplacian.pencil"
        )


def _dense_up_to(n_pairs: int) -> int:
    # Iterated problems must be larger than a basis of three blocks and the kernel.
    return max(DENSE_UP_TO, 4 * (n_pairs + 1))


def _dense(problem: SymmetricProblem, n_pairs: int) -> Iterate:
    n_vectors = min(n_pairs + 1, problem.n - 1)
    g, at_least = smallest_vectors(problem.laplacian.toarray(), problem.roots, n_vectors)
    pairs = problem.eigenpairs(g)
    next_value = min(pairs[n_pairs].value, at_least) if n_vectors > n_pairs else np.inf
    return Iterate(pairs[:n_pairs], next_value, 0, "dense", is_next_value_proved=True)


def with_proof(iterate: Iterate, problem: SymmetricProblem, plan: Elimination | None) -> Iterate:
    """Return the result with a proved next value, if there is a plan for the proof.

    If the estimate is too large, because an eigenvalue was missed, smaller ones are tried. If none
    of them can be proved, the last value may be multiple. An estimate that is not refuted is kept
    if a proof would lose more than a fifth of the gap.
    """
    n_pairs, last = len(iterate.pairs), iterate.pairs[-1].value
    if n_pairs == problem.n - 1 or plan is None:
        return iterate
    weights, order = problem.weights, problem.numbered.order
    if order is not None:
        weights = weights[order]
    gap, is_refuted = iterate.next_value - last, False
    how = iterate.iterations, iterate.method
    least = (1 - 2 * _SHARE_OF_GAP) * gap
    for _ in range(_N_TRIES):
        if not gap > _ROUNDING * last:
            break
        n_below, uncertainty = count_below(problem.laplacian, weights, plan, last + gap)
        is_certain = uncertainty < _SHARE_OF_GAP * gap
        if is_certain and n_below <= n_pairs + 1:  # these, and 0
            next_value = last + gap - uncertainty
            if not is_refuted and next_value < last + least:
                return iterate
            return Iterate(iterate.pairs, next_value, *how, is_next_value_proved=True)
        is_refuted |= is_certain
        # A pivot that is nearly 0 leaves everything open at this shift.
        gap *= 1 - _SHARE_OF_GAP if is_certain else 1 - _SHARE_OF_GAP / 4
    return Iterate(iterate.pairs, last, *how) if is_refuted else iterate

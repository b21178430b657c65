"""Block Lanczos with thick restarts, for the largest eigenvalues of a symmetric operator.

J. Cullum, W. E. Donath, "A block Lanczos algorithm for computing the q algebraically largest
eigenvalues and a corresponding eigenspace of large, sparse, real symmetric matrices", CDC 1974;
restarts keep Ritz vectors (K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric
eigenvalue problems", SIAM J. Matrix Anal. Appl. 22 (2000) 602-616), which is what the implicit
restarts of ARPACK are equivalent to. From one vector, Lanczos finds only one eigenvector of a
multiple eigenvalue; a block finds as many as it has vectors.

Invariants: the basis is orthonormal up to about `_MOST_LOSS`. From block to block, orthogonality is
lost by the factor by which rows are shorter than their images; beyond the limit a block is
orthogonalised twice (B. N. Parlett, The Symmetric Eigenvalue Problem, SIAM 1998, section 6.9). The
basis never has as many rows as the space has dimensions, so there always is a next block. The
projected operator is T = V A Vᵀ with the basis in rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

from ._rows import NEARLY_DEPENDENT, inner_products, lengths, subtract_combinations, triangular

__all__ = ["Advance", "RitzVectors", "Step", "largest_ritz_vectors", "step_with", "steps_of"]

_FIRST_TEST = 8
"""Blocks; fewer are seldom enough, and of a few hundred nodes a test takes longer than a step."""
_BLOCKS = 14  # of the basis, before it is restarted
_KEPT = 3  # of them are kept
_FAR = 30  # times the residual that is wanted
_WELL_APART = 1e-3
_MOST_LOSS = 1e-12
_ROUNDING = 1e-14
_SHARE_OF_GAP = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RitzVectors:
    """Ritz pairs of a block of vectors.

    Attributes
    ----------
    values : (b,) ndarray
        Ritz values, descending.
    vectors : (b, n) ndarray
        Orthonormal Ritz vectors.
    bounds : (b,) ndarray
        Norms of their residuals: an eigenvalue is within this distance.
    """

    values: Floats
    vectors: Floats
    bounds: Floats


class Step(NamedTuple):
    """What steps of Lanczos leave.

    Attributes
    ----------
    rest, sizes : (b, n) and (b,) ndarrays
        The part of the last image that is orthogonal to the basis, and how long its rows are.
    block, coupling : (b, n) and (b, b) ndarrays
        Orthonormal rows q and a matrix r with r q = rest, if the rest is independent.
    is_independent : bool
        If not, no further steps are done, and `_one_by_one` finds q and r.
    size : int
        Rows of the basis.
    loss : float
        Bound of the loss of orthogonality.
    """

    rest: Floats
    sizes: Floats
    block: Floats
    coupling: Floats
    is_independent: bool
    size: int
    loss: float


Advance = Callable[[Floats, Floats, Floats, int, int, float], Step]
"""Takes the basis, T, the next block, the rows of the basis, how many there shall be, and the loss;
does steps until there are so many."""


def largest_ritz_vectors(
    advance: Advance,
    start: Floats,
    tol: float,
    max_restarts: int,
    rng: np.random.Generator,
) -> RitzVectors:
    """Return approximate eigenvectors for the largest eigenvalues, as many as there are rows.

    All but the last are computed to a residual of `tol`, relative to their eigenvalues; the last
    one until its distance from the one before is known to a tenth.

    Parameters
    ----------
    advance : callable
        Does steps with an operator that is symmetric and positive semidefinite; see `steps_of`.
    start : (b, n) ndarray
        Independent rows, b ≥ 1, n > 4 b; in the range of the operator, of dimension n - 1.
    tol : float
    max_restarts : int
    rng : numpy.random.Generator
    """
    b, n = start.shape
    room = min(_BLOCKS * b, n - 1 - b)
    basis, t = np.empty((room, n)), np.zeros((room, room))
    block, size, loss = _orthonormal(start, basis[:0], np.ones(b), rng), 0, _ROUNDING
    for restart in range(max_restarts + 1):
        next_test = _FIRST_TEST
        while True:
            until = min(next_test * b, room + 1 - b)
            step = advance(basis, t, block, size, until, loss)
            size, loss, known = step.size, step.loss, basis[: step.size]
            block, coupling = step.block, step.coupling
            if not step.is_independent:
                block, coupling = _one_by_one(step.rest, known, step.sizes, rng)
            if size < until:
                continue
            is_full = size + b > room
            values, c = np.linalg.eigh(t[:size, :size])
            values, c = values[::-1], c[:, ::-1]
            bounds = lengths((coupling.T @ c[size - b :, :b]).T)
            is_enough = _is_enough(values[:b], bounds, tol)
            if is_enough or is_full:
                break
            # One more block seldom reduces a residual further.
            is_far = (bounds[:-1] > _FAR * tol * values[: b - 1]).any()
            next_test = size // b + (2 if is_far else 1)
        if is_enough or restart == max_restarts:
            break
        kept = min(_KEPT * b, room - b)
        basis[:kept] = c[:, :kept].T @ known
        t[:] = 0.0
        np.fill_diagonal(t[:kept, :kept], values[:kept])
        size = kept
    return RitzVectors(values[:b], c[:, :b].T @ known, bounds)


@njit(cache=True)
def step_with(
    image: Floats, basis: Floats, t: Floats, block: Floats, size: int, loss: float
) -> Step:
    """Take a block, whose image is known, into the basis, and return the step."""
    end = size + len(block)
    for i in range(len(block)):
        for k in range(block.shape[1]):
            basis[size + i, k] = block[i, k]
    rest, sizes, q, r, least = _next(image, basis[:end], size, t, loss > _MOST_LOSS)
    is_independent = least > 0.0
    if is_independent:
        loss /= min(1.0, max(least, _ROUNDING))
    return Step(rest, sizes, q, r, is_independent, end, loss)


def steps_of(operator: Callable[[Floats], Floats]) -> Advance:
    """Return the function that does steps with an operator, which maps rows to rows."""

    def advance(
        basis: Floats, t: Floats, block: Floats, size: int, until: int, loss: float
    ) -> Step:
        while True:
            step: Step = step_with(operator(block), basis, t, block, size, loss)
            block, size, loss = step.block, step.size, step.loss
            if size >= until or not step.is_independent:
                return step

    return advance


def _is_enough(values: Floats, bounds: Floats, tol: float) -> bool:
    *first, last = zip(values.tolist(), bounds.tolist(), strict=True)
    if not all(bound <= tol * value for value, bound in first):
        return False
    gap = first[-1][0] - last[0] if first else 0.0
    return bool(last[1] <= max(_SHARE_OF_GAP * gap, tol * last[0]))


def _orthonormal(rows: Floats, others: Floats, sizes: Floats, rng: np.random.Generator) -> Floats:
    """Return orthonormal rows that span the same space, as far as they are independent."""
    q, _, least = _orthonormal_if_independent(rows, others, sizes)
    return q if least > 0.0 else _one_by_one(rows, others, sizes, rng)[0]


@njit(cache=True)
def _next(
    image: Floats, known: Floats, begin: int, t: Floats, is_twice: bool
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return the results of `_without`, and orthonormal rows q and a matrix r with r q = rest.

    The last result tells how far from dependent the rest is: 1 if it was made orthogonal to all
    others a second time, and 0 if `_one_by_one` must find q and r. The rest is orthogonal to the
    others up to rounding of numbers of the given sizes.
    """
    rest, sizes = _without(image, known, begin, t, is_twice)
    q, r, least = _orthonormal_if_independent(rest, known, sizes)
    return rest, sizes, q, r, least


@njit(cache=True)
def _without(
    image: Floats, known: Floats, begin: int, t: Floats, is_twice: bool
) -> tuple[Floats, Floats]:
    """Return the part of an image that is orthogonal to the basis, and the sizes of its rows.

    It is the image of the rows from `begin`, for which the projected operator is filled in.
    """
    size = len(known)
    overlap = inner_products(known, image)
    for i in range(size):
        for j in range(size - begin):
            t[i, begin + j] = overlap[i, j]
    for i in range(size):
        for j in range(size - begin):
            t[begin + j, i] = overlap[i, j]
    rest = image.copy()
    subtract_combinations(rest, overlap, known)
    if is_twice:
        subtract_combinations(rest, inner_products(known, rest), known)
    sizes = np.empty(len(image))
    for i in range(len(image)):
        square = 0.0
        for k in range(image.shape[1]):
            square += image[i, k] * image[i, k]
        sizes[i] = np.sqrt(square)
    return rest, sizes


@njit(cache=True)
def _orthonormal_if_independent(
    rows: Floats, others: Floats, sizes: Floats
) -> tuple[Floats, Floats, float]:
    """Return q, r and how far from dependent the rows are, 0 if nearly so; see `_next`."""
    q, r = rows, np.zeros((len(rows), len(rows)))
    for i in range(len(rows)):
        r[i, i] = 1.0
    for attempt in range(3):
        lower, inverse, least = triangular(np.dot(q, q.T), sizes)
        if least < NEARLY_DEPENDENT:
            break
        q, r = np.dot(inverse, q), np.dot(r, lower)
        if least > _WELL_APART:
            return q, r, least if attempt == 0 else 1.0
        subtract_combinations(q, inner_products(others, q), others)
        sizes = np.ones(len(rows))
    return q, r, 0.0


def _one_by_one(
    rows: Floats, others: Floats, sizes: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return q and r of `_next` for rows that may be dependent.

    Rows that are dependent up to rounding are replaced by random ones, for which r is zero.
    """
    n_others = len(others)
    every, r = np.concatenate([others, rows]), np.zeros((len(rows), len(rows)))
    for i, given in enumerate(rows):
        known, row = every[: n_others + i], given
        for _ in range(3):
            part = row @ known.T
            row = row - part @ known
            r[i, :i] += part[n_others:]
        length = float(np.linalg.norm(row))
        if length > _ROUNDING * sizes[i]:
            r[i, i] = length
        else:
            row = rng.standard_normal(len(row))
            length = float(np.linalg.norm(row))
        for _ in range(3):
            row = row / length
            row -= (row @ known.T) @ known
            length = float(np.linalg.norm(row))
        every[n_others + i] = row / length
    return every[n_others:], r

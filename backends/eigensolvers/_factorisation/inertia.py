"""How many eigenvalues of a pencil lie below a shift, by Sylvester's law of inertia.

L - σ W_V = V D Vᵀ has as many negative pivots as the pencil L x = λ W_V x has eigenvalues below σ.
The pivots are those of a graph with one additional node, joined to node i with the weight -σ wᵢ,
and are computed as sums as in `cholesky`: while they are positive, only the weights of that node
are subtracted.

With rounding, the computed factors are exact for a matrix L - σ W_V + E with
|E| ≤ γ |V| |D| |V|ᵀ, γ = m ε / (1 - m ε) for sums of m terms (N. J. Higham, Accuracy and Stability
of Numerical Algorithms, SIAM 2002, theorem 10.3 and section 11.1). So the count is certain except
for eigenvalues within γ tr(W_V⁻¹ |V| |D| |V|ᵀ) of σ. Pivots that are nearly 0 make this large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import read_only
from relutopo.system.compilation import njit

from .elimination import Elimination
from .fronts import STEP, assemble, index, take_off_later_rows, take_off_update, take_products

__all__ = ["count_below"]

_EPS = float(np.finfo(np.float64).eps)


def count_below(
    laplacian: sparse.csr_array, weights: NDArray[np.float64], plan: Elimination, shift: float
) -> tuple[int, float]:
    """Return the number of eigenvalues of a pencil below a shift, 0 included, and an uncertainty.

    At most this number are below the shift minus the uncertainty, and at least this number below
    the shift plus the uncertainty.

    Parameters
    ----------
    laplacian : (n, n) scipy.sparse.csr_array
        L; only its off-diagonal entries are used.
    weights : (n,) ndarray
        Diagonal of W_V.
    plan : Elimination
        Of L.
    shift : float

    Returns
    -------
    (int, float)
        The uncertainty is inf or NaN if a pivot is 0.
    """
    matrix = laplacian.indptr, laplacian.indices, laplacian.data
    n_below, growth, n_terms = _count(matrix, plan.blocks, read_only(weights), shift)
    gamma = (n_terms + 8) * _EPS
    return n_below, float(gamma / (1 - gamma) * growth)


@njit(cache=True, nogil=True)
def _count(matrix, blocks, weights, shift):
    """Return the number of negative pivots, tr(W_V⁻¹ |V| |D| |V|ᵀ) and more, and terms of sums."""
    order, starts, parents, _, border_ptr, borders, _ = blocks
    n, n_blocks = len(order), len(parents)
    # In the order of elimination W_V⁻¹, -σ W_V, and what is summed up so far.
    inverse, beyond, sizes = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        weight = weights[order[i]]
        inverse[i], beyond[i], sizes[i] = 1.0 / weight, -shift * weight, abs(shift * weight)
    n_terms = np.zeros(n, np.int64)  # of the sums of a row
    local, columns = np.empty(n, np.int32), np.empty(n, np.int32)
    room, stack = np.empty(64), np.empty(64)
    waiting = np.empty(n_blocks, np.int64)
    n_waiting = top = np.int64(0)  # for plain numbers `assemble` would be compiled apart
    n_negative, growth, longest = 0, 0.0, 0
    for b in range(n_blocks):
        begin, border = starts[b], borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = starts[b + 1] - begin, len(border)
        size, n_panel = n_border * n_border, n_own * (n_own + n_border)
        if n_panel + size > len(room):
            room = np.empty(2 * (n_panel + size))
        for q in range(n_panel + size):
            room[q] = 0.0
        panel, update = room[:n_panel], room[n_panel : n_panel + size]
        for k in range(n_border):
            n_terms[border[k]] += n_own
            longest = max(longest, n_terms[border[k]])
        n_waiting, top = assemble(
            b, matrix, blocks, panel, update, local, columns, waiting, n_waiting, stack, top
        )
        longest = max(longest, 2 * (n_own + n_border))
        more, added = _eliminate(panel, update, n_own, begin, border, inverse, beyond, sizes)
        n_negative += more
        growth += added
        if top + size > len(stack):
            longer = np.empty(2 * (top + size))
            for q in range(top):
                longer[q] = stack[q]
            stack = longer
        for q in range(size):
            stack[top + q] = room[n_panel + q]
        top += size
        waiting[n_waiting] = b
        n_waiting += 1
    return n_negative, growth, 2 * longest


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _eliminate(panel, update, n_own, begin, border, inverse, beyond, sizes):
    """Eliminate the columns of a front; return the number of negative pivots, and error sums.

    `beyond` are the weights to the node of the shift, `sizes` the sums of absolute terms.
    """
    n_border = len(border)
    n = n_own + n_border
    # Contiguous, like the rows of the front.
    near, shifts, sums = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n_own):
        near[i], shifts[i], sums[i] = inverse[begin + i], beyond[begin + i], sizes[begin + i]
    for i in range(n_border):
        near[n_own + i] = inverse[border[i]]
        shifts[n_own + i] = beyond[border[i]]
        sums[n_own + i] = sizes[border[i]]
    n_negative, growth = 0, 0.0
    for first in range(0, n_own, STEP):
        last = min(n_own, first + STEP)
        for k in range(first, last):
            at, after, rest = index(k * n + k + 1), index(k + 1), index(n - k - 1)
            take_products(panel, at, panel, n, k, first, k)
            pivot, size = 0.0, 0.0
            for i in range(rest):
                pivot -= panel[at + i]
                size += abs(panel[at + i])
            pivot += shifts[k]
            size += sums[k]
            growth += size * near[k]
            root = np.sqrt(abs(pivot))
            if root == 0.0:
                return n_negative, np.inf
            sign = 1.0 if pivot > 0.0 else -1.0
            share, total, added = sign * shifts[k] / root, sums[k] / root, 0.0
            for i in range(rest):
                entry = panel[at + i] / root
                panel[at + i] = entry
                added += entry * entry * near[after + i]
                shifts[after + i] -= entry * share
                sums[after + i] += abs(entry) * total
            growth += added
            if pivot < 0.0:
                # There are few of these, so each is subtracted from the rest of the front at once.
                n_negative += 1
                row = panel[k * n + k + 1 : (k + 1) * n]
                for i in range(len(row)):
                    m = k + 1 + i
                    if m < n_own:
                        target = panel[m * n + m + 1 : (m + 1) * n]
                    else:
                        m -= n_own
                        target = update[m * n_border + m + 1 : (m + 1) * n_border]
                    for j in range(len(target)):
                        target[j] += row[i] * row[i + 1 + j]
                for i in range(len(row)):
                    row[i] = 0.0
        take_off_later_rows(panel, n_own, n, last)
    take_off_update(panel, update, n_own, n_border)
    for i in range(n_border):
        beyond[border[i]] = shifts[n_own + i]
        sizes[border[i]] = sums[n_own + i]
    return n_negative, growth

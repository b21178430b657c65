"""How many eigenvalues of a pencil lie below a shift, by Sylvester's law of inertia.

L - σ W_V = V D Vᵀ has as many negative pivots as the pencil L x = λ W_V x has eigenvalues below σ.
The pivots are those of a graph with one node more, joined to node i with the weight -σ wᵢ, and
come from sums as in `cholesky`: while they are positive, only the weights of that node are
subtracted.

What rounding makes of it is another matrix L - σ W_V + E with |E| ≤ γ |V| |D| |V|ᵀ, γ = m ε / (1 -
m ε) for sums of m terms (N. J. Higham, Accuracy and Stability of Numerical Algorithms, SIAM 2002,
theorem 10.3 and section 11.1), so that the count is certain of all eigenvalues but those within
γ tr(W_V⁻¹ |V| |D| |V|ᵀ) of σ. Pivots that are nearly 0 make that large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.system.compilation import njit

from .elimination import Elimination
from .fronts import STEP, extend, index, take_off_later_rows, take_off_update, take_products

__all__ = ["count_below"]

_EPS = float(np.finfo(np.float64).eps)


def count_below(
    laplacian: sparse.csr_array, weights: NDArray[np.float64], plan: Elimination, shift: float
) -> tuple[int, float]:
    """Return how many eigenvalues of a pencil lie below a shift, 0 among them, and an uncertainty.

    No more than so many are below the shift less the uncertainty, no fewer below their sum.

    Parameters
    ----------
    laplacian : (n, n) scipy.sparse.csr_array
        L; only its entries beside the diagonal count.
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
    order = plan.dissection.order
    n_below, growth, n_terms = _count(
        (laplacian.indptr, laplacian.indices, laplacian.data),
        (
            order,
            plan.dissection.starts,
            plan.dissection.parents,
            plan.positions,
            plan.border_ptr,
            plan.borders,
        ),
        weights[order],
        shift,
    )
    gamma = (n_terms + 8) * _EPS
    return n_below, float(gamma / (1 - gamma) * growth)


@njit(cache=True, nogil=True)
def _count(matrix, blocks, weights, shift):
    """Return the number of negative pivots, tr(W_V⁻¹ |V| |D| |V|ᵀ) and more, and terms of sums."""
    indptr, indices, data = matrix
    order, starts, parents, positions, border_ptr, borders = blocks
    n, n_blocks = len(order), len(parents)
    inverse, beyond, sizes = 1.0 / weights, -shift * weights, np.abs(shift * weights)
    n_terms = np.zeros(n, np.int64)  # of the sums of a row
    local = np.empty(n, np.int32)
    columns = np.empty(np.max(np.diff(border_ptr)), np.int32)
    room, stack = np.empty(64), np.empty(64)
    waiting = np.empty(n_blocks, np.int64)
    n_waiting, top, n_negative, growth, longest = 0, 0, 0, 0.0, 0
    for b in range(n_blocks):
        begin, end = starts[b], starts[b + 1]
        border = borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = end - begin, len(border)
        size, n_panel = n_border * n_border, n_own * (n_own + n_border)
        if n_panel + size > len(room):
            room = np.empty(2 * (n_panel + size))
        room[: n_panel + size] = 0.0
        panel, update = room[:n_panel], room[n_panel : n_panel + size]
        for k in range(n_own):
            local[begin + k] = k
        for k in range(n_border):
            local[border[k]] = n_own + k
            n_terms[border[k]] += n_own
            longest = max(longest, n_terms[border[k]])
        for k in range(n_own):
            v, row = order[begin + k], panel[k * (n_own + n_border) : (k + 1) * (n_own + n_border)]
            for p in range(indptr[v], indptr[v + 1]):
                i = positions[indices[p]]
                if i > begin + k:
                    row[local[i]] = data[p]
        while n_waiting > 0 and parents[waiting[n_waiting - 1]] == b:
            n_waiting -= 1
            child = waiting[n_waiting]
            m = border_ptr[child + 1] - border_ptr[child]
            for k in range(m):
                columns[k] = local[borders[border_ptr[child] + k]]
            top -= m * m
            extend(panel, update, n_own, n_border, columns[:m], stack[top : top + m * m])
        longest = max(longest, 2 * (n_own + n_border))
        more, added = _eliminate(panel, update, n_own, begin, border, inverse, beyond, sizes)
        n_negative += more
        growth += added
        if top + size > len(stack):
            longer = np.empty(2 * (top + size))
            longer[:top] = stack[:top]
            stack = longer
        stack[top : top + size] = room[n_panel : n_panel + size]
        top += size
        waiting[n_waiting] = b
        n_waiting += 1
    return n_negative, growth, 2 * longest


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _eliminate(panel, update, n_own, begin, border, inverse, beyond, sizes):
    """Eliminate the columns of a front; return the negative pivots, and what they add up to.

    `beyond` are the weights to the node that stands for the shift, `sizes` what was summed up.
    """
    n_border = len(border)
    n = n_own + n_border
    # Side by side, as the rows of the front are.
    near, shifts, sums = np.empty(n), np.empty(n), np.empty(n)
    near[:n_own] = inverse[begin : begin + n_own]
    shifts[:n_own] = beyond[begin : begin + n_own]
    sums[:n_own] = sizes[begin : begin + n_own]
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
                # There are few of these: they take their part off the rest of the front at once.
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
                row[:] = 0.0
        take_off_later_rows(panel, n_own, n, last)
    take_off_update(panel, update, n_own, n_border)
    for i in range(n_border):
        beyond[border[i]] = shifts[n_own + i]
        sizes[border[i]] = sums[n_own + i]
    return n_negative, growth

"""Sparse Cholesky factorisation of graph Laplacians on a nested dissection.

The multifrontal method (I. S. Duff, J. K. Reid, "The multifrontal solution of indefinite sparse
symmetric linear equations", ACM Trans. Math. Softw. 9 (1983) 302-325): eliminating a block of the
dissection takes a small dense matrix, the *front*, over its columns and its *border*, the later
positions that it is joined to. The columns become columns of the factor; what is left on the
border, the *update*, is added to the front of the parent.

What is left is a graph Laplacian again, so a diagonal entry is minus the sum of the entries beside
it. Pivots are computed as such sums (after W. K. Grassmann, M. I. Taksar, D. P. Heyman,
"Regenerative analysis and steady state distributions for Markov chains", Oper. Res. 33 (1985)
1107-1116): nothing is ever subtracted from a larger number, and the factor is accurate entry by
entry however badly the weights are scaled. The last pivot is 0; it is replaced by 1, which grounds
the last node.

Sums are in a fixed order and by one thread: same matrix, same factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.compilation import njit

from ._dissection import Dissection, nested_dissection

__all__ = ["Cholesky", "Elimination"]

_CHUNK = 32
_TILE = 256


@dataclass(frozen=True, eq=False)
class Elimination:
    """Which entries the factor of a Laplacian has, before any is computed.

    Attributes
    ----------
    dissection : Dissection
    positions : (n,) ndarray of int32
        The position of each node in the order of elimination.
    border_ptr, borders : ndarray
        The border of block b is borders[border_ptr[b]:border_ptr[b + 1]], ascending positions.
    n_entries : int
        Entries of the factor.
    n_operations : float
        Multiplications, and as many additions, of the factorisation.
    """

    dissection: Dissection
    positions: NDArray[np.int32]
    border_ptr: NDArray[np.int64]
    borders: NDArray[np.int32]
    n_entries: int
    n_operations: float

    @classmethod
    def of(cls, laplacian: sparse.csr_array) -> Elimination:
        """Plan the elimination of a symmetric matrix, (n, n)."""
        indptr, indices = laplacian.indptr, laplacian.indices
        dissection = nested_dissection(indptr, indices)
        positions, border_ptr, borders = _borders(
            indptr, indices, dissection.order, dissection.starts, dissection.parents
        )
        columns = np.diff(dissection.starts).astype(np.float64)
        rows = columns + np.diff(border_ptr)
        # Σ over a block's columns of their numbers of entries, and of the squares
        entries = columns * rows - columns * (columns - 1) / 2
        below = rows - columns
        squares = _sum_of_squares(rows) - _sum_of_squares(below)
        return cls(
            dissection,
            positions,
            border_ptr,
            borders,
            n_entries=int(entries.sum()),
            n_operations=float(squares.sum()) / 2,
        )

    def factorize(self, laplacian: sparse.csr_array) -> Cholesky:
        """Return the factor of a Laplacian with these entries, grounded at the last node."""
        order, starts, parents = (
            self.dissection.order,
            self.dissection.starts,
            self.dissection.parents,
        )
        columns = np.diff(starts)
        panel_ptr = np.zeros(len(starts), dtype=np.int64)
        np.cumsum(columns * (columns + np.diff(self.border_ptr)), out=panel_ptr[1:])
        panels = _factorize(
            laplacian.indptr,
            laplacian.indices,
            laplacian.data,
            order,
            starts,
            parents,
            self.positions,
            self.border_ptr,
            self.borders,
            panel_ptr,
        )
        return Cholesky(self, panel_ptr, panels)


@dataclass(frozen=True, eq=False)
class Cholesky:
    """The factor of a grounded Laplacian: dense panels, one for each block.

    Row i of a block's panel is column i of its part of the factor: over the block's own columns,
    then over its border.
    """

    elimination: Elimination
    panel_ptr: NDArray[np.int64]
    panels: NDArray[np.float64]

    def solve(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return y with L y = right, 0 at the last node; both in the order of elimination.

        Parameters
        ----------
        right : (n,) ndarray
            With sum 0.
        """
        y = right.copy()
        plan = self.elimination
        _solve(
            self.panels, self.panel_ptr, plan.dissection.starts, plan.border_ptr, plan.borders, y
        )
        return y


def _sum_of_squares(n: NDArray[np.float64]) -> NDArray[np.float64]:
    return n * (n + 1) * (2 * n + 1) / 6


@njit(cache=True)
def _borders(indptr, indices, order, starts, parents):
    """Return positions, border_ptr and borders of `Elimination`."""
    n, n_blocks = len(order), len(parents)
    positions = np.empty(n, np.int32)
    for k in range(n):
        positions[order[k]] = k
    first_child = np.full(n_blocks, -1, np.int64)
    sibling = np.full(n_blocks, -1, np.int64)
    mark = np.full(n, -1, np.int64)
    border_ptr = np.zeros(n_blocks + 1, np.int64)
    borders = np.empty(len(indices), np.int32)
    size = 0
    for b in range(n_blocks):
        end = starts[b + 1]
        # Room for what comes at most.
        most = 0
        for k in range(starts[b], end):
            most += indptr[order[k] + 1] - indptr[order[k]]
        child = first_child[b]
        while child >= 0:
            most += border_ptr[child + 1] - border_ptr[child]
            child = sibling[child]
        if size + most > len(borders):
            longer = np.empty(2 * len(borders) + most, np.int32)
            longer[:size] = borders[:size]
            borders = longer
        begin = size
        for k in range(starts[b], end):
            for p in range(indptr[order[k]], indptr[order[k] + 1]):
                i = positions[indices[p]]
                if i >= end and mark[i] != b:
                    mark[i] = b
                    borders[size] = i
                    size += 1
        child = first_child[b]
        while child >= 0:
            for p in range(border_ptr[child], border_ptr[child + 1]):
                i = borders[p]
                if i >= end and mark[i] != b:
                    mark[i] = b
                    borders[size] = i
                    size += 1
            child = sibling[child]
        borders[begin:size].sort()
        border_ptr[b + 1] = size
        if parents[b] >= 0:
            sibling[b] = first_child[parents[b]]
            first_child[parents[b]] = b
    return positions, border_ptr, borders[:size].copy()


@njit(cache=True)
def _stack_size(border_ptr, parents):
    """Return the largest number of entries that waiting updates take at a time."""
    size = largest = 0
    n_children = np.zeros(len(parents), np.int64)
    below = np.zeros(len(parents), np.int64)  # entries of the children's updates
    for b in range(len(parents)):
        n_border = border_ptr[b + 1] - border_ptr[b]
        size += n_border * n_border
        largest = max(largest, size)
        size -= below[b]
        if parents[b] >= 0:
            n_children[parents[b]] += 1
            below[parents[b]] += n_border * n_border
    return largest


@njit(cache=True)
def _factorize(
    indptr,
    indices,
    data,
    order,
    starts,
    parents,
    positions,
    border_ptr,
    borders,
    panel_ptr,
):
    """Return the panels of all blocks.

    Updates wait on a stack: blocks come in postorder, so a block finds its children's on top.
    """
    n_blocks = len(parents)
    panels = np.zeros(panel_ptr[n_blocks])
    stack = np.empty(_stack_size(border_ptr, parents))
    waiting = np.empty(n_blocks, np.int64)  # blocks with an update on the stack
    n_waiting = top = 0
    local = np.empty(len(order), np.int32)  # column of a position in the front
    for b in range(n_blocks):
        begin, end = starts[b], starts[b + 1]
        border = borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = end - begin, len(border)
        panel = panels[panel_ptr[b] : panel_ptr[b + 1]].reshape(n_own, n_own + n_border)
        update = stack[top : top + n_border * n_border].reshape(n_border, n_border)
        update[:] = 0.0
        for k in range(n_own):
            local[begin + k] = k
        for k in range(n_border):
            local[border[k]] = n_own + k
        for k in range(n_own):
            v = order[begin + k]
            for p in range(indptr[v], indptr[v + 1]):
                i = positions[indices[p]]
                if i > begin + k:
                    panel[k, local[i]] = data[p]
        base = top
        while n_waiting > 0 and parents[waiting[n_waiting - 1]] == b:
            n_waiting -= 1
            child = waiting[n_waiting]
            rows = borders[border_ptr[child] : border_ptr[child + 1]]
            base -= len(rows) ** 2
            _extend(panel, update, local, rows, stack[base : base + len(rows) ** 2])
        _eliminate(panel, update)
        for q in range(n_border * n_border):
            stack[base + q] = stack[top + q]
        top = base + n_border * n_border
        waiting[n_waiting] = b
        n_waiting += 1
    return panels


@njit(cache=True)
def _extend(panel, update, local, rows, entries):
    """Add a child's update over the positions `rows` to a front."""
    n_own, n = len(panel), len(rows)
    for i in range(n):
        row = local[rows[i]]
        if row < n_own:
            for j in range(i, n):
                panel[row, local[rows[j]]] += entries[i * n + j]
        else:
            for j in range(i, n):
                update[row - n_own, local[rows[j]] - n_own] += entries[i * n + j]


@njit(cache=True, fastmath={"contract"})
def _eliminate(panel, update):
    """Turn a front's rows into columns of the factor, and take their part off the update."""
    n_own, n = panel.shape
    for begin in range(0, n_own, _CHUNK):
        end = min(n_own, begin + _CHUNK)
        for k in range(begin, end):
            row = panel[k]
            for j in range(begin, k):
                other, a = panel[j], panel[j, k]
                for i in range(k + 1, n):
                    row[i] -= a * other[i]
            degree = 0.0
            for i in range(k + 1, n):
                degree -= row[i]
            root = np.sqrt(degree) if degree > 0 else 1.0
            row[k] = root
            for i in range(k + 1, n):
                row[i] /= root
        _subtract_products(panel, 0, panel, begin, end, end, n_own)
        _subtract_products(update, n_own, panel, begin, end, n_own, n)


@njit(cache=True, fastmath={"contract"})
def _subtract_products(target, offset, panel, begin, end, first, last):
    """Subtract Σ_k panel[k, i] panel[k, j], k in begin..end, from entry (i, j) for j > i.

    The rows i are first..last; entry (i, j) is target[i - offset, j - offset]. Two rows and four
    products at a time keep the sums in registers; tiles of columns keep the panel in the cache.
    """
    n = panel.shape[1]
    for left in range(first, n, _TILE):
        right = min(n, left + _TILE)
        i = first
        while i < min(last, right):
            pair = i + 1 < last
            row = target[i - offset]
            after = target[i + 1 - offset] if pair else row
            start = max(left, i + 1)
            k = begin
            while k + 4 <= end:
                p, q, r, s = panel[k], panel[k + 1], panel[k + 2], panel[k + 3]
                a, b, c, d = p[i], q[i], r[i], s[i]
                if pair:
                    e, f, g, h = p[i + 1], q[i + 1], r[i + 1], s[i + 1]
                    for j in range(start, right):
                        row[j - offset] -= a * p[j] + b * q[j] + c * r[j] + d * s[j]
                        after[j - offset] -= e * p[j] + f * q[j] + g * r[j] + h * s[j]
                else:
                    for j in range(start, right):
                        row[j - offset] -= a * p[j] + b * q[j] + c * r[j] + d * s[j]
                k += 4
            while k < end:
                p = panel[k]
                a = p[i]
                for j in range(start, right):
                    row[j - offset] -= a * p[j]
                if pair:
                    e = p[i + 1]
                    for j in range(start, right):
                        after[j - offset] -= e * p[j]
                k += 1
            i += 2


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _solve(panels, panel_ptr, starts, border_ptr, borders, x):
    """Replace x by the solution of L Lᵀ y = x with the factor L."""
    n_blocks = len(starts) - 1
    y = np.empty(np.max(np.diff(border_ptr)))
    for b in range(n_blocks):
        begin, end = starts[b], starts[b + 1]
        border = borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = end - begin, len(border)
        y[:n_border] = 0.0
        at = panel_ptr[b]
        for k in range(n_own):
            z = x[begin + k] / panels[at + k]
            x[begin + k] = z
            for j in range(k + 1, n_own):
                x[begin + j] -= z * panels[at + j]
            at += n_own
            for j in range(n_border):
                y[j] -= z * panels[at + j]
            at += n_border
        for j in range(n_border):
            x[border[j]] += y[j]
    for b in range(n_blocks - 1, -1, -1):
        begin, end = starts[b], starts[b + 1]
        border = borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = end - begin, len(border)
        for j in range(n_border):
            y[j] = x[border[j]]
        at = panel_ptr[b + 1]
        for k in range(n_own - 1, -1, -1):
            at -= n_own + n_border
            z = x[begin + k]
            for j in range(k + 1, n_own):
                z -= panels[at + j] * x[begin + j]
            t = 0.0
            for j in range(n_border):
                t += panels[at + n_own + j] * y[j]
            x[begin + k] = (z - t) / panels[at + k]

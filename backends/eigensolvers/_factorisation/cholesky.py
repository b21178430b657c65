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

Pieces of the graph that do not depend on each other may be worked on at the same time. Into which
pieces it falls depends on the graph alone, and all sums are in a fixed order: same matrix, same
factor, same solution, however many threads there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.system.compilation import njit
from relutopo.system.threads import Run

from .elimination import Elimination
from .fronts import eliminate, extend

__all__ = ["Cholesky"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cholesky:
    """The factor of a grounded Laplacian: dense panels, one for each block.

    Row i of a block's panel is column i of its part of the factor: over the block's own columns,
    then over its border. Below the diagonal of its own columns anything may stand.

    Attributes
    ----------
    plan : Elimination
    panels : tuple of ndarray
        For each piece the panels of its blocks, one after the other.
    """

    plan: Elimination
    panels: tuple[Floats, ...]

    @classmethod
    def of(cls, laplacian: sparse.csr_array, plan: Elimination, run: Run = map) -> Cholesky:
        """Return the factor of a Laplacian with the entries of a plan.

        `run` is `map`, or a `map` that works in threads; the result does not depend on it.
        """
        matrix = (laplacian.indptr, laplacian.indices, laplacian.data)
        dissection = plan.dissection
        blocks = (
            dissection.order,
            dissection.starts,
            dissection.parents,
            plan.positions,
            plan.border_ptr,
            plan.borders,
            plan.panel_ptr,
        )
        panels: dict[int, Floats] = {}
        updates: dict[int, Floats] = {}

        def factorize(i: int) -> tuple[Floats, Floats]:
            piece = plan.pieces[i]
            last_below = np.array([plan.pieces[j].last - 1 for j in piece.below], dtype=np.int64)
            given = [updates.pop(j) for j in piece.below]
            n_given = sum(map(len, given))
            size = _stack_size(
                plan.border_ptr, dissection.parents, piece.first, piece.last, n_given
            )
            # NumPy's allocation is the one that asks for large pages.
            stack = np.empty(size)
            if given:
                np.concatenate(given, out=stack[:n_given])
            factor = np.zeros(plan.panel_ptr[piece.last] - plan.panel_ptr[piece.first])
            top = _factorize(
                matrix, blocks, piece.first, piece.last, last_below, n_given, stack, factor
            )
            return factor, stack[:top].copy()

        for level in plan.levels:
            for i, (factor, update) in zip(level, run(factorize, level), strict=True):
                panels[i], updates[i] = factor, update
        return cls(plan, tuple(panels[i] for i in range(len(plan.pieces))))

    def solve(self, right: Floats, run: Run = map) -> Floats:
        """Return y with L y = right, 0 at the last node; both in the order of elimination.

        Parameters
        ----------
        right : (m, n) ndarray
            Right sides with sum 0, one a row. Two at a time take little longer than one, because
            most of the time goes into reading the factor.
        run : callable
            As for `of`.
        """
        x = right.copy()
        if len(self.panels) == 1:
            dissection, plan = self.plan.dissection, self.plan
            _solve_at_once(self.panels[0], (dissection.starts, plan.border_ptr, plan.slots), x)
            return x
        for i in range(0, len(x), 2):
            self._solve(x[i : i + 2], run)
        return x

    def _solve(self, x: Floats, run: Run) -> None:
        """Replace one right side or two by the solutions."""
        plan = self.plan
        blocks = (plan.dissection.starts, plan.border_ptr, plan.slots)
        eliminate_from, substitute_into = (
            (_forward, _backward) if len(x) == 1 else (_forward_two, _backward_two)
        )

        def forward(i: int) -> Floats:
            piece = plan.pieces[i]
            own = x[:, plan.positions_of(piece)]
            n_own = own.shape[1]
            vectors = np.zeros((len(x), n_own + len(plan.border_of(piece))))
            vectors[:, :n_own] = own
            eliminate_from(self.panels[i], blocks, piece.first, piece.last, vectors)
            own[:] = vectors[:, :n_own]
            return vectors[:, n_own:]

        def backward(i: int) -> None:
            piece = plan.pieces[i]
            own = x[:, plan.positions_of(piece)]
            vectors = np.concatenate([own, x[:, plan.border_of(piece)]], axis=1)
            substitute_into(self.panels[i], blocks, piece.first, piece.last, vectors)
            own[:] = vectors[:, : own.shape[1]]

        for level in plan.levels:
            for i, beyond in zip(level, run(forward, level), strict=True):
                x[:, plan.border_of(plan.pieces[i])] += beyond
        for level in reversed(plan.levels):
            list(run(backward, level))


@njit(cache=True)
def _stack_size(border_ptr, parents, first, last, n_given):
    """Return the largest number of entries that waiting updates take at a time.

    `n_given` of them come from blocks before the first.
    """
    size = largest = n_given
    below = np.zeros(last - first, np.int64)  # entries of the children's updates
    below[0] = n_given
    for b in range(first, last):
        n_border = border_ptr[b + 1] - border_ptr[b]
        size += n_border * n_border
        largest = max(largest, size)
        size -= below[b - first]
        if parents[b] >= 0 and parents[b] < last:
            below[parents[b] - first] += n_border * n_border
    return largest


@njit(cache=True, nogil=True)
def _factorize(matrix, blocks, first, last, waiting_before, n_given, stack, panels):
    """Fill in the panels of the blocks first:last; return how many entries are left on the stack.

    Updates wait on the stack: blocks come in postorder, so a block finds its children's on top.
    `waiting_before` are the blocks whose updates are there already, `n_given` entries.
    """
    indptr, indices, data = matrix
    order, starts, parents, positions, border_ptr, borders, panel_ptr = blocks
    waiting = np.empty(len(waiting_before) + last - first, np.int64)
    waiting[: len(waiting_before)] = waiting_before
    n_waiting, top = len(waiting_before), n_given
    local = np.empty(len(order), np.int32)  # column of a position in the front
    columns = np.empty(np.max(np.diff(border_ptr)), np.int32)
    for b in range(first, last):
        begin, end = starts[b], starts[b + 1]
        border = borders[border_ptr[b] : border_ptr[b + 1]]
        n_own, n_border = end - begin, len(border)
        at = panel_ptr[b] - panel_ptr[first]
        panel = panels[at : at + n_own * (n_own + n_border)].reshape(n_own, n_own + n_border)
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
            n = border_ptr[child + 1] - border_ptr[child]
            for k in range(n):
                columns[k] = local[borders[border_ptr[child] + k]]
            base -= n * n
            extend(panel, update, columns[:n], stack[base : base + n * n])
        eliminate(panel, update)
        for q in range(n_border * n_border):
            stack[base + q] = stack[top + q]
        top = base + n_border * n_border
        waiting[n_waiting] = b
        n_waiting += 1
    return top


@njit(cache=True, nogil=True, fastmath={"contract"})
def _forward(panels, blocks, first, last, vectors):
    """Solve with the factor, over the slots of a piece; add to the border what comes to it."""
    starts, border_ptr, slots = blocks
    x = vectors[0]
    y = np.empty(_largest_front(starts, border_ptr, first, last))
    at = 0
    for b in range(first, last):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        y[:n_own] = x[begin : begin + n_own]
        y[n_own:n] = 0.0
        k = 0
        while k < n_own:
            row = panels[at : at + n]
            y[k] /= row[k]
            z = y[k]
            if k + 1 < n_own:  # two columns at a time, which halves the passes over y
                after = panels[at + n : at + 2 * n]
                y[k + 1] = (y[k + 1] - z * row[k + 1]) / after[k + 1]
                z_after = y[k + 1]
                rest, p, q = y[k + 2 : n], row[k + 2 :], after[k + 2 :]
                for j in range(len(rest)):
                    rest[j] -= z * p[j] + z_after * q[j]
            else:
                rest, p = y[k + 1 : n], row[k + 1 :]
                for j in range(len(rest)):
                    rest[j] -= z * p[j]
            n_done = min(2, n_own - k)
            at += n_done * n
            k += n_done
        x[begin : begin + n_own] = y[:n_own]
        for j in range(len(border)):
            x[border[j]] += y[n_own + j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _backward(panels, blocks, first, last, vectors):
    """Solve with the transposed factor, over the slots of a piece, those of the border given."""
    starts, border_ptr, slots = blocks
    x = vectors[0]
    y = np.empty(_largest_front(starts, border_ptr, first, last))
    at = len(panels)
    for b in range(last - 1, first - 1, -1):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        y[:n_own] = x[begin : begin + n_own]
        for j in range(len(border)):
            y[n_own + j] = x[border[j]]
        k = n_own - 1
        while k >= 0:
            at -= n
            row = panels[at : at + n]
            known, p = y[k + 1 : n], row[k + 1 :]
            z = 0.0
            if k > 0:
                at -= n
                before = panels[at : at + n]
                q = before[k + 1 :]
                z_before = 0.0
                for j in range(len(known)):
                    z += p[j] * known[j]
                    z_before += q[j] * known[j]
                y[k] = (y[k] - z) / row[k]
                y[k - 1] = (y[k - 1] - z_before - before[k] * y[k]) / before[k - 1]
                k -= 2
            else:
                for j in range(len(known)):
                    z += p[j] * known[j]
                y[k] = (y[k] - z) / row[k]
                k -= 1
        x[begin : begin + n_own] = y[:n_own]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _forward_two(panels, blocks, first, last, vectors):
    """Do what `_forward` does to two vectors."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    at = 0
    for b in range(first, last):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        x[:n_own] = v[begin : begin + n_own]
        y[:n_own] = w[begin : begin + n_own]
        x[n_own:n] = 0.0
        y[n_own:n] = 0.0
        k = 0
        while k < n_own:
            row = panels[at : at + n]
            x[k] /= row[k]
            y[k] /= row[k]
            s, t = x[k], y[k]
            if k + 1 < n_own:
                after = panels[at + n : at + 2 * n]
                x[k + 1] = (x[k + 1] - s * row[k + 1]) / after[k + 1]
                y[k + 1] = (y[k + 1] - t * row[k + 1]) / after[k + 1]
                s_after, t_after = x[k + 1], y[k + 1]
                x_rest, y_rest, p, q = x[k + 2 : n], y[k + 2 : n], row[k + 2 :], after[k + 2 :]
                for j in range(len(x_rest)):
                    x_rest[j] -= s * p[j] + s_after * q[j]
                    y_rest[j] -= t * p[j] + t_after * q[j]
            else:
                x_rest, y_rest, p = x[k + 1 : n], y[k + 1 : n], row[k + 1 :]
                for j in range(len(x_rest)):
                    x_rest[j] -= s * p[j]
                    y_rest[j] -= t * p[j]
            n_done = min(2, n_own - k)
            at += n_done * n
            k += n_done
        v[begin : begin + n_own] = x[:n_own]
        w[begin : begin + n_own] = y[:n_own]
        for j in range(len(border)):
            v[border[j]] += x[n_own + j]
            w[border[j]] += y[n_own + j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _backward_two(panels, blocks, first, last, vectors):
    """Do what `_backward` does to two vectors."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    at = len(panels)
    for b in range(last - 1, first - 1, -1):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        x[:n_own] = v[begin : begin + n_own]
        y[:n_own] = w[begin : begin + n_own]
        for j in range(len(border)):
            x[n_own + j] = v[border[j]]
            y[n_own + j] = w[border[j]]
        k = n_own - 1
        while k >= 0:
            at -= n
            row = panels[at : at + n]
            x_known, y_known, p = x[k + 1 : n], y[k + 1 : n], row[k + 1 :]
            s = t = 0.0
            if k > 0:
                at -= n
                before = panels[at : at + n]
                q = before[k + 1 :]
                s_before = t_before = 0.0
                for j in range(len(x_known)):
                    s += p[j] * x_known[j]
                    t += p[j] * y_known[j]
                    s_before += q[j] * x_known[j]
                    t_before += q[j] * y_known[j]
                x[k] = (x[k] - s) / row[k]
                y[k] = (y[k] - t) / row[k]
                x[k - 1] = (x[k - 1] - s_before - before[k] * x[k]) / before[k - 1]
                y[k - 1] = (y[k - 1] - t_before - before[k] * y[k]) / before[k - 1]
                k -= 2
            else:
                for j in range(len(x_known)):
                    s += p[j] * x_known[j]
                    t += p[j] * y_known[j]
                x[k] = (x[k] - s) / row[k]
                y[k] = (y[k] - t) / row[k]
                k -= 1
        v[begin : begin + n_own] = x[:n_own]
        w[begin : begin + n_own] = y[:n_own]


@njit(cache=True, nogil=True)
def _solve_at_once(panels, blocks, x):
    """Replace right sides by the solutions, if there is no more than one piece."""
    n_blocks = len(blocks[0]) - 1
    for i in range(0, len(x), 2):
        rows = x[i : i + 2]
        if len(rows) == 2:
            _forward_two(panels, blocks, 0, n_blocks, rows)
            _backward_two(panels, blocks, 0, n_blocks, rows)
        else:
            _forward(panels, blocks, 0, n_blocks, rows)
            _backward(panels, blocks, 0, n_blocks, rows)


@njit(cache=True, nogil=True)
def _largest_front(starts, border_ptr, first, last):
    largest = 0
    for b in range(first, last):
        n = starts[b + 1] - starts[b] + border_ptr[b + 1] - border_ptr[b]
        largest = max(largest, n)
    return largest

"""Sparse Cholesky factorisation of graph Laplacians on a nested dissection.

The multifrontal method (I. S. Duff, J. K. Reid, "The multifrontal solution of indefinite sparse
symmetric linear equations", ACM Trans. Math. Softw. 9 (1983) 302-325): eliminating a block of the
dissection uses a small dense matrix, the *front*, over its columns and its *border*, the later
positions that it is joined to. The columns become columns of the factor; the remainder on the
border, the *update*, is added to the front of the parent.

After each elimination the remainder is a graph Laplacian again, so a diagonal entry is minus the
sum of the others in its row. Pivots are computed as such sums (after W. K. Grassmann, M. I.
Taksar, D. P. Heyman,
"Regenerative analysis and steady state distributions for Markov chains", Oper. Res. 33 (1985)
1107-1116): nothing is ever subtracted from a larger number, and the factor is accurate entry by
entry however badly the weights are scaled. The last pivot is 0; it is replaced by 1, which grounds
the last node.

Independent pieces of the graph may be processed at the same time. The pieces depend only on the
graph, and all sums are in a fixed order: the same matrix gives the same factor and the same
solution for any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.system.compilation import njit
from relutopo.system.threads import Run

from .elimination import Elimination
from .fronts import assemble, eliminate
from .substitution import backward, forward, invert_steps, solve_at_once

__all__ = ["Cholesky"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cholesky:
    """The factor of a grounded Laplacian: dense panels, one for each block.

    Row i of a block's panel is column i of its part of the factor: first over the block's own
    columns, then over its border. Each diagonal triangle of `substitution.WIDE` own columns is
    replaced by its inverse; elsewhere the content below the diagonal is undefined.

    Attributes
    ----------
    plan : Elimination
    panels : tuple of ndarray
        For each piece the panels of its blocks, one after the other.
    """

    plan: Elimination
    panels: tuple[Floats, ...]

    @property
    def is_in_one_piece(self) -> bool:
        """Whether there is a single piece, so that no work is shared among threads."""
        return len(self.panels) == 1

    @property
    def blocks(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The arrays that substitution needs besides the panels."""
        return self.plan.dissection.starts, self.plan.border_ptr, self.plan.slots

    @classmethod
    def of(cls, laplacian: sparse.csr_array, plan: Elimination, run: Run = map) -> Cholesky:
        """Return the factor of a Laplacian with the entries of a plan.

        `run` is `map`, or a `map` that works in threads; the result does not depend on it.
        """
        matrix = (laplacian.indptr, laplacian.indices, laplacian.data)
        panels: dict[int, Floats] = {}
        updates: dict[int, Floats] = {}

        def factorize(i: int) -> tuple[Floats, Floats]:
            piece = plan.pieces[i]
            last_below = np.array([plan.pieces[j].last - 1 for j in piece.below], dtype=np.int64)
            given = [updates.pop(j) for j in piece.below]
            n_given = sum(map(len, given))
            size = _stack_size(
                plan.border_ptr, plan.dissection.parents, piece.first, piece.last, n_given
            )
            # NumPy's allocation is the one that asks for large pages.
            stack = np.empty(size)
            if given:
                np.concatenate(given, out=stack[:n_given])
            factor = np.zeros(plan.panel_ptr[piece.last] - plan.panel_ptr[piece.first])
            top = _factorize(
                matrix, plan.blocks, piece.first, piece.last, last_below, n_given, stack, factor
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
            Right sides with sum 0, one a row; two take as long as one.
        run : callable
            As for `of`.
        """
        n_given, n = right.shape
        x = np.zeros((n_given + n_given % 2, n))
        x[:n_given] = right
        if self.is_in_one_piece:
            solve_at_once(self.panels[0], self.blocks, x)
        else:
            for i in range(0, n_given, 2):
                self._solve(x[i : i + 2], run)
        return x[:n_given]

    def _solve(self, x: Floats, run: Run) -> None:
        """Replace two right sides by the solutions."""
        plan, blocks = self.plan, self.blocks

        def forward_over(i: int) -> Floats:
            piece = plan.pieces[i]
            own = x[:, plan.positions_of(piece)]
            n_own = own.shape[1]
            vectors = np.zeros((len(x), n_own + len(plan.border_of(piece))))
            vectors[:, :n_own] = own
            forward(self.panels[i], blocks, piece.first, piece.last, vectors)
            own[:] = vectors[:, :n_own]
            return vectors[:, n_own:]

        def backward_over(i: int) -> None:
            piece = plan.pieces[i]
            own = x[:, plan.positions_of(piece)]
            vectors = np.concatenate([own, x[:, plan.border_of(piece)]], axis=1)
            backward(self.panels[i], blocks, piece.first, piece.last, vectors)
            own[:] = vectors[:, : own.shape[1]]

        for level in plan.levels:
            for i, beyond in zip(level, run(forward_over, level), strict=True):
                x[:, plan.border_of(plan.pieces[i])] += beyond
        for level in reversed(plan.levels):
            list(run(backward_over, level))


@njit(cache=True)
def _stack_size(border_ptr, parents, first, last, n_given):
    """Return the largest number of entries of waiting updates at any time.

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
    order, starts, _, _, border_ptr, _, panel_ptr = blocks
    waiting = np.empty(len(waiting_before) + last - first, np.int64)
    for q in range(len(waiting_before)):
        waiting[q] = waiting_before[q]
    n_waiting, top = len(waiting_before), n_given
    local = np.empty(len(order), np.int32)  # column of a position in the front
    columns = np.empty(len(order), np.int32)
    for b in range(first, last):
        n_own, n_border = starts[b + 1] - starts[b], border_ptr[b + 1] - border_ptr[b]
        at = panel_ptr[b] - panel_ptr[first]
        n = n_own + n_border
        panel = panels[at : at + n_own * n]
        update = stack[top : top + n_border * n_border]
        for q in range(len(update)):
            update[q] = 0.0
        n_waiting, base = assemble(
            b, matrix, blocks, panel, update, local, columns, waiting, n_waiting, stack, top
        )
        eliminate(panel, update, n_own, n_border)
        invert_steps(panel, n_own, n)
        for q in range(n_border * n_border):
            stack[base + q] = stack[top + q]
        top = base + n_border * n_border
        waiting[n_waiting] = b
        n_waiting += 1
    return top

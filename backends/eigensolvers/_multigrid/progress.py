"""When LOBPCG stops, and which vectors of its block still need steps.

The first vectors must solve the pencil to the tolerance, and to the limit of double precision where
signs of their entries are open. The next vector only tells how far away the next eigenvalue is; a
tenth of that distance is accurate enough. A vector that is good enough stays in the basis and takes
no more steps, which are the costly part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.spectral.accuracy import error_bound

from .._pencil import Eigenpair, Iterate, PencilSolver, SymmetricProblem

__all__ = ["BlockState", "Progress"]

_SHARE_OF_GAP = 0.1
_PROMISING = 1e-6
_MOST_EXTRA = 30
"""Further iterations, for open signs, after all residuals are small enough."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockState:
    """The Ritz pairs of an iteration, in numbers; arrays have one for each vector of the block.

    Attributes
    ----------
    values : (m,) ndarray
        Ritz values, ascending.
    distances : (m,) ndarray
        Norms of the residuals in W_V⁻¹, for unit vectors: an eigenvalue is within this distance.
    errors, scales : (m,) ndarray
        ‖L x - λ W_V x‖ and ‖W_V x‖.
    sizes : (m,) ndarray
        About ‖|L| |x|‖.
    """

    values: Floats
    distances: Floats
    errors: Floats
    scales: Floats
    sizes: Floats


class Progress:
    """Decides after each iteration whether to stop, and which vectors need steps.

    Parameters
    ----------
    solver : PencilSolver
    problem : SymmetricProblem
    n_pairs : int
        Number of wanted vectors.
    m : int
        Vectors of the block, at least one more.

    Attributes
    ----------
    iterations : int
    active : (m,) ndarray of bool
        Which vectors need steps.
    """

    def __init__(
        self, solver: PencilSolver[Any], problem: SymmetricProblem, n_pairs: int, m: int
    ) -> None:
        self._solver, self._problem, self._n_pairs = solver, problem, n_pairs
        self.iterations, self._extra = 0, 0
        self.active = np.ones(m, dtype=bool)

    def judge(self, state: BlockState, vectors: Callable[[], Floats]) -> Iterate | None:
        """Return the result if the iteration is done; otherwise note which vectors need steps.

        Parameters
        ----------
        state : BlockState
        vectors : callable
            Gives g of the first vectors as columns, on the host.
        """
        n, solver = self._n_pairs, self._solver
        next_value = float(state.values[n] - state.distances[n])
        gap = state.values[n] - state.values[n - 1]
        is_gap_known = state.distances[n] <= max(_SHARE_OF_GAP * gap, solver.tol * state.values[n])
        relative = state.errors / (np.abs(state.values) * state.scales)
        rounding = np.finfo(np.float64).eps * state.sizes / (np.abs(state.values) * state.scales)
        is_close = relative <= np.maximum(_PROMISING, 2 * rounding)
        is_last = self.iterations == solver.max_iterations
        if is_last or (is_gap_known and is_close[:n].all()):
            g = vectors()
            at_limit = relative[:n] <= 2 * rounding[:n]
            if is_last or self._may_be_done(g, state, next_value, at_limit):
                pairs = self._problem.eigenpairs(g)
                if is_last or self._is_done(pairs, next_value):
                    return Iterate(pairs, next_value, self.iterations, solver.name)
        self.iterations += 1
        self.active[n] = not is_gap_known
        return None

    def _may_be_done(
        self, g: Floats, state: BlockState, next_value: float, at_limit: NDArray[np.bool_]
    ) -> bool:
        """Tell whether it is worth the time to judge the vectors in terms of the pencil.

        As long as signs are known to be open, it is not, until their entries are larger than the
        error, or rounding hides them.
        """
        if self._extra == 0 or self._extra == _MOST_EXTRA:
            return True
        pairs = zip(state.values, state.distances, strict=True)
        errors = [error_bound(distance, next_value - value) for value, distance in pairs]
        is_decided = np.abs(g).min(axis=0) > errors[: self._n_pairs]
        is_worth_it = bool((is_decided | at_limit).all())
        self._extra += not is_worth_it
        return is_worth_it

    def _is_done(self, pairs: list[Eigenpair], next_value: float) -> bool:
        if self._solver.is_final(self._problem, pairs, next_value):
            return True
        self._extra += all(map(self._solver.accepts, pairs))
        return self._extra > _MOST_EXTRA

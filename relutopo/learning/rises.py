"""When numbers change during training, after the training set is fitted.

The *fit* is the first checkpoint with a train accuracy of at least 0.99, and the *end* of a number
the median of its last three values. The *half-rise* of a number is the step at which it is half way
from its value at the fit to its end, interpolated between checkpoints on the logarithm of the step.
Falling numbers have one too. Half-rises make numbers of any kind comparable: their ratio says which
changed first, and how much later the other did.

A number has no half-rise if its end differs from its value at the fit by at most 2 % of the larger
of both; an accuracy has none unless it rises by more than 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FEWEST", "FITTED", "Rise", "fit_step", "rise"]

FITTED = 0.99
"""A training set counts as fitted from this train accuracy on."""
FEWEST = 4
"""With fewer checkpoints from the fit on, there is no half-rise."""
_LEAST, _LEAST_ACCURACY = 0.02, 0.05


@dataclass(frozen=True)
class Rise:
    """How a number changes after the fit.

    Attributes
    ----------
    start : float
        Value at the fit; NaN if unknown.
    end : float
        Median of the last three values.
    step : float
        The half-rise; NaN if there is none.
    """

    start: float
    end: float
    step: float

    @property
    def value(self) -> float:
        """Half way between `start` and `end`."""
        return (self.start + self.end) / 2


def fit_step(steps: ArrayLike, train_accuracy: ArrayLike) -> float:
    """Return the first of some steps with a train accuracy of at least 0.99; NaN for none.

    Examples
    --------
    >>> fit_step([0, 10, 100], [0.5, 0.995, 1.0])
    10.0
    """
    fitted = np.asarray(train_accuracy, dtype=np.float64) >= FITTED
    return float(np.asarray(steps)[fitted.argmax()]) if fitted.any() else np.nan


def rise(steps: ArrayLike, values: ArrayLike, fit: float, *, is_accuracy: bool = False) -> Rise:
    """Return how a number changes after the fit.

    Parameters
    ----------
    steps : (n,) array_like
        Steps of the checkpoints, ascending.
    values : (n,) array_like
        The number at each; NaN where unknown.
    fit : float
        See `fit_step`; NaN for never.
    is_accuracy : bool
        Whether the number is an accuracy, which must rise by more than 0.05.

    Examples
    --------
    >>> found = rise([0, 1, 10, 100, 1000, 2000], [9.0, 0.0, 0.0, 1.0, 1.0, 1.0], 1.0)
    >>> found.start, found.end, round(found.step, 3)
    (0.0, 1.0, 31.623)
    """
    t, y = _after(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64), fit)
    if not len(t):
        return Rise(np.nan, np.nan, np.nan)
    start, end = float(y[0]), float(np.median(y[-3:]))
    way = end - start
    least = _LEAST_ACCURACY if is_accuracy else _LEAST * max(abs(start), abs(end))
    if len(t) < FEWEST or (way if is_accuracy else abs(way)) <= least:
        return Rise(start, end, np.nan)
    done = (y - start) / way
    after = int(np.argmax(done >= 0.5))
    share = (0.5 - done[after - 1]) / (done[after] - done[after - 1])
    low, high = np.log(np.maximum(t[after - 1 : after + 1], 0.5))
    return Rise(start, end, float(np.exp(low + share * (high - low))))


def _after(
    t: NDArray[np.float64], y: NDArray[np.float64], fit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the known values from the fit on."""
    known = (t >= fit) & ~np.isnan(y)
    return t[known], y[known]

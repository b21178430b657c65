"""Spikes of a training loss.

A step is *high* if its log-loss exceeds the running median of the log-loss over ±25 steps (fewer at
the ends) by more than log 2. A spike is a maximal run of consecutive high steps; its peak is the
step that exceeds the median most. A run of high steps that starts at step 0 is the descent from the
initialisation, and not a spike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InputError

__all__ = [
    "HALF_WIDTH",
    "THRESHOLD",
    "Spike",
    "find_spikes",
    "log_excess",
    "running_median",
    "steps_around",
]

HALF_WIDTH = 25
"""Steps to each side over which the median is taken."""
THRESHOLD = float(np.log(2))
"""A step is high if the excess of its log-loss is above this."""


@dataclass(frozen=True)
class Spike:
    """One spike.

    Attributes
    ----------
    start, stop : int
        Its first and its last step.
    peak : int
        The step with the largest excess.
    excess : float
        Log-loss minus running median at the peak.
    """

    start: int
    peak: int
    stop: int
    excess: float


def running_median(values: ArrayLike, half_width: int = HALF_WIDTH) -> NDArray[np.float64]:
    """Return the median over the entries at most `half_width` away; fewer near the ends.

    Parameters
    ----------
    values : (n,) array_like
    half_width : int

    Examples
    --------
    >>> running_median([0, 0, 9, 0, 0], 1).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    x = np.asarray(values, dtype=np.float64)
    if not len(x):  # an empty signal has no windows
        return x
    padded = np.concatenate([np.full(half_width, np.nan), x, np.full(half_width, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_width + 1)
    return np.asarray(np.nanmedian(windows, axis=1))


def log_excess(loss: ArrayLike) -> NDArray[np.float64]:
    """Return the log-loss minus its running median.

    Parameters
    ----------
    loss : (n,) array_like
        Positive, one entry for each step.

    Raises
    ------
    InputError
        If an entry is not positive and finite.
    """
    values = np.asarray(loss, dtype=np.float64)
    bad = ~((values > 0) & np.isfinite(values))
    if bad.any():
        step = int(np.argmax(bad))
        raise InputError(
            f"`loss` must be positive and finite at every step, got {values[step]} at step {step}; "
            "a loss of zero has no spikes"
        )
    logarithms = np.log(values)
    return np.asarray(logarithms - running_median(logarithms))


def find_spikes(loss: ArrayLike) -> list[Spike]:
    """Return the spikes of a loss, in order.

    Parameters
    ----------
    loss : (n,) array_like
        Positive, one entry for each step from 0.

    Raises
    ------
    InputError
        If an entry is not positive and finite.

    Examples
    --------
    >>> loss = np.ones(100)
    >>> loss[40:43] = 3.0, 5.0, 2.5
    >>> [(spike.start, spike.peak, spike.stop) for spike in find_spikes(loss)]
    [(40, 41, 42)]
    """
    excess = log_excess(loss)
    high = np.concatenate([[False], excess > THRESHOLD, [False]])
    starts = np.flatnonzero(~high[:-1] & high[1:])
    stops = np.flatnonzero(high[:-1] & ~high[1:])  # one past the last
    spikes = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if start > 0:
            peak = start + int(np.argmax(excess[start:stop]))
            spikes.append(Spike(start, peak, stop - 1, float(excess[peak])))
    return spikes


def steps_around(spikes: Iterable[Spike], n_steps: int) -> list[int]:
    """Return for each spike the step before it, its peak and the step after it, ascending.

    Parameters
    ----------
    spikes : iterable of Spike
    n_steps : int
        The last step of the training.

    Examples
    --------
    >>> steps_around([Spike(4, 5, 7, 1.0)], n_steps=100)
    [3, 5, 8]
    """
    steps = {step for s in spikes for step in (s.start - 1, s.peak, min(s.stop + 1, n_steps))}
    return sorted(steps)

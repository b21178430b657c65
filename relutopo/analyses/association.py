"""Association of signals of the complexes with the training loss, and with its spikes.

Neighbouring checkpoints resemble each other, so they are not independent samples. Within a run,
intervals come from resampling blocks of consecutive checkpoints (circular moving blocks, Politis
and Romano, A circular block-resampling procedure for stationary data, 1992) or, for changes at
spikes, blocks of consecutive steps; they are percentile intervals at 95 %, and valid for this run
only. Over several runs the run is the unit: each gives one number, and `over_runs` tests these.

For each signal these coefficients and changes are given:

- *raw*: Spearman's rank correlation with the log-loss over the evenly spaced checkpoints. A common
  trend makes it large, whatever happens at spikes.
- *detrended*: the same after the running median over ±25 steps is taken from both; unknown unless
  there are evenly spaced checkpoints within 25 steps.
- *adjusted*: the same as raw for the residuals of both after regression (least squares, with
  intercept) on the logarithms of the cell counts of all dimensions. The regression is not repeated
  when resampling.
- *change at spikes*: the signal at the peak of a spike minus its mean over the evenly spaced
  checkpoints at most 25 steps away that belong to no spike, averaged over spikes; also adjusted.

Counts, indices and heights are used as logarithms, so a change of 0.01 is one per cent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InputError
from relutopo.learning.spikes import HALF_WIDTH, Spike, find_spikes, running_median
from relutopo.reports.columns import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS_OF_ASSOCIATIONS",
    "KINDS",
    "Estimate",
    "RunsTest",
    "associations",
    "change_at_spikes",
    "identity",
    "over_runs",
    "residuals",
    "signals",
    "spearman",
]

_Array = NDArray[np.float64]
KINDS = ("raw", "detrended", "adjusted", "change", "adjusted_change")
"""What `associations` estimates."""
N_RESAMPLES = 1000
SPIKE_BLOCK = 100
"""Steps in a block of spikes: twice what one spike is compared with, and more."""
COLUMNS_OF_ASSOCIATIONS = (
    Column("signal", "text", "the signal: a column of the table of the run"),
    Column("identity", "text", "the numbers of cells that it restates, if it does"),
    Column("first", "1", "the signal at the first checkpoint"),
    Column("last", "1", "the signal at the last checkpoint"),
    Column("trend", "1", "Spearman's rank correlation of the signal with the step"),
    Column("n_spikes", "spikes", "spikes of the loss"),
    Column("n_compared", "spikes", "those with checkpoints at the spike and beside it"),
    *(
        Column(f"{kind}{end}", unit, f"{'' if not end else word + ' of '}{meaning}")
        for kind, unit, meaning in (
            ("raw", "1", "Spearman's rank correlation of the signal with the log-loss"),
            ("detrended", "1", "the same without the running medians of both"),
            ("adjusted", "1", "the same without what the numbers of cells explain of both"),
            ("change", "1", "mean change of the signal, or of its logarithm, at spikes"),
            ("adjusted_change", "1", "the same without what the numbers of cells explain"),
        )
        for end, word in (("", ""), ("_low", "lower end"), ("_high", "upper end"))
    ),
)
"""Of the table of `associations`; ends are those of intervals at 95 %, NaN where there is none."""
_LEAST_BLOCKS = 5
"""With fewer blocks there is no interval."""
_COUNT = re.compile(r"n_cells_\d+")
_SIGNAL = re.compile(r"betti_\d+_peak_(value|fraction|index|height)|total_persistence_\d+")
_LOGARITHMIC = re.compile(r"n_cells|skeleton|betti_\d+_peak_(index|height)|total_persistence_\d+")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval at 95 %; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def sign(self) -> int:
        """1 or -1 if the interval lies above or below zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def spearman(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Estimate:
    """Return Spearman's rank correlation of two series, with a block-bootstrap interval.

    Parameters
    ----------
    x, y : (n,) array_like
        In order of time, evenly spaced. Blocks have a tenth of this length.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Estimate
        NaN if a series is constant or shorter than 3.

    Examples
    --------
    >>> spearman(range(50), [2.0**i for i in range(50)]).value
    1.0
    """
    series = np.stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    n = series.shape[1]
    if n < 3 or np.ptp(series, axis=1).min() == 0:
        return Estimate(float("nan"))
    value = float(_rank_correlation(series[:, None])[0])
    block = max(n // 10, 1)
    n_blocks = -(-n // block)
    rng = np.random.default_rng(seed)
    starts = rng.integers(n, size=(N_RESAMPLES, n_blocks))
    chosen = ((starts[:, :, None] + np.arange(block)) % n).reshape(N_RESAMPLES, -1)[:, :n]
    return _with_interval(value, _rank_correlation(series[:, chosen]))


def _rank_correlation(series: _Array) -> _Array:
    """Return the correlation of ranks of (2, m, n) series, (m,)."""
    from scipy import stats  # slow to load, and seldom needed

    ranks = stats.rankdata(series, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    norms = np.sqrt(np.sum(ranks**2, axis=-1)).prod(axis=0)
    products = np.sum(ranks[0] * ranks[1], axis=-1)
    result = np.full(len(norms), np.nan)
    np.divide(products, norms, out=result, where=norms > 0)
    return np.asarray(np.clip(result, -1, 1))


def _with_interval(value: float, resampled: _Array) -> Estimate:
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return Estimate(value)
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def residuals(
    values: ArrayLike, covariates: ArrayLike, fitted: NDArray[np.bool_] | None = None
) -> _Array:
    """Return the residuals of a least-squares regression with intercept.

    Parameters
    ----------
    values : (n,) array_like
    covariates : (n, m) array_like
    fitted : (n,) ndarray of bool, optional
        Rows that the regression is fitted to; all by default. Residuals are given for all.

    Examples
    --------
    >>> residuals([1.0, 3.0, 1.0, 3.0], [[0.0], [0.0], [1.0], [1.0]]).round(3).tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    y = np.asarray(values, dtype=np.float64)
    x = np.asarray(covariates, dtype=np.float64)
    use = np.ones(len(y), dtype=bool) if fitted is None else fitted
    centre = x[use].mean(axis=0)
    design = np.column_stack([np.ones(len(y)), x - centre])
    coefficients = np.linalg.lstsq(design[use], y[use])[0]
    return np.asarray(y - design @ coefficients)


def change_at_spikes(
    values: ArrayLike,
    steps: ArrayLike,
    regular: ArrayLike,
    spikes: Sequence[Spike],
    *,
    seed: int = 0,
) -> tuple[Estimate, int]:
    """Return the mean change of a signal at spikes; see the module's docstring.

    Parameters
    ----------
    values : (n,) array_like
        The signal.
    steps : (n,) array_like of int
        The steps at which it has these values, ascending.
    regular : (n,) array_like of bool
        Whether a step is one of the evenly spaced ones, which a spike is compared with.
    spikes : sequence of Spike
        Those whose peak is not among the steps, or that have nothing to be compared with, are
        left out.
    seed : int
        Seed of the resampling.

    Returns
    -------
    estimate : Estimate
        Spikes in the same block of 100 steps are resampled together; with fewer than 5 blocks
        that have spikes there is no interval. NaN without spikes.
    n_spikes : int
        Spikes that count.

    Examples
    --------
    >>> values = [0.0, 0.0, 1.0, 0.0]
    >>> estimate, n = change_at_spikes(values, [0, 5, 10, 15], [True] * 4, [Spike(10, 10, 10, 1.0)])
    >>> estimate.value, n
    (1.0, 1)
    """
    t, y = np.asarray(steps), np.asarray(values, dtype=np.float64)
    quiet = np.asarray(regular, dtype=bool).copy()
    for spike in spikes:
        quiet &= (t < spike.start) | (t > spike.stop)
    changes, blocks = [], []
    for spike in spikes:
        around = quiet & (np.abs(t - spike.peak) <= HALF_WIDTH)
        at = np.flatnonzero(t == spike.peak)
        if at.size and around.any():
            changes.append(y[at[0]] - y[around].mean())
            blocks.append(spike.peak // SPIKE_BLOCK)
    if not changes:
        return Estimate(float("nan")), 0
    _, block = np.unique(blocks, return_inverse=True)
    sums, counts = np.bincount(block, changes), np.bincount(block)
    value = float(np.mean(changes))
    if len(sums) < _LEAST_BLOCKS:
        return Estimate(value), len(changes)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(N_RESAMPLES, len(sums)))
    resampled = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    return _with_interval(value, resampled), len(changes)


def signals(table: pd.DataFrame) -> dict[str, _Array]:
    """Return the signals of a table of homology rows, by name.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns of `relutopo.analyses.homology`.

    Returns
    -------
    dict of str to (n,) ndarray
        The number of all cells, ``n_cells``; without the regions, ``skeleton`` (V + E in the
        plane); and where each Betti curve peaks, how high, and the total persistence.
    """
    found = {
        "n_cells": table["n_cells"].to_numpy(dtype=np.float64),
        "skeleton": (table["n_cells"] - table["n_regions"]).to_numpy(dtype=np.float64),
    }
    for name in table.columns:
        if _SIGNAL.fullmatch(name):
            found[name] = table[name].to_numpy(dtype=np.float64)
    return found


def identity(table: pd.DataFrame, signal: str) -> str:
    """Return the cell counts that a signal restates on every row, in words; "" if it does not.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns of `relutopo.analyses.homology`.
    signal : str
        One of `signals`.

    Returns
    -------
    str
        For example "V + E", with V, E, F the numbers of vertices, edges and regions of a complex
        in the plane, or "(V + E) / (V + E + F)".
    """
    if not signal.startswith("betti") or "n_cells_2" not in table or "n_cells_3" in table:
        return ""
    spread = table[f"{signal}_std"].fillna(0.0).to_numpy()
    values = table[signal].to_numpy(dtype=np.float64)
    v, e, f = (table[f"n_cells_{k}"].to_numpy(dtype=np.float64) for k in range(3))
    n = v + e + f
    for words, counts in (
        ("V", v),
        ("E", e),
        ("F", f),
        ("V + E", v + e),
        ("V + E + F", n),
        ("V / (V + E + F)", v / n),
        ("(V + E) / (V + E + F)", (v + e) / n),
    ):
        # Fractions of cells are rounded, and so are their means over filtrations.
        near = 1e-12 * counts
        if np.all(np.abs(values - counts) <= near) and np.all(spread <= near):
            return words
    return ""


def associations(table: pd.DataFrame, loss: ArrayLike, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return for each signal of a run its association with the loss and its spikes.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, in order, with the columns of
        `relutopo.analyses.homology` and ``is_regular``: whether the checkpoint is one
        of the evenly spaced ones.
    loss : (n_steps + 1,) array_like
        The training loss at every step.
    seed : int
        Seed of the resampling.

    Returns
    -------
    list of dict
        One row for each of `signals`: ``signal``; ``identity``, see there; ``first`` and ``last``
        value; ``trend``, the rank correlation with the step; ``n_spikes`` in the loss and
        ``n_compared`` of them; and ``raw``, ``detrended``, ``adjusted``, ``change`` and
        ``adjusted_change``, each with ``_low`` and ``_high``, as in the module's docstring.
        Adjusted numbers are NaN for cell counts and for signals that restate them.

    Raises
    ------
    InputError
        If a loss is not positive, or no checkpoint is regular.
    """
    spikes = find_spikes(loss)
    steps = table["step"].to_numpy()
    regular = table["is_regular"].to_numpy(dtype=bool)
    if not regular.any():
        raise InputError(
            "`table` must have evenly spaced checkpoints, got none with is_regular; "
            "pass checkpoint_every to TrainerSettings"
        )
    log_loss = np.log(np.asarray(loss, dtype=np.float64))[steps]
    by_dimension = [name for name in table.columns if _COUNT.fullmatch(name)]
    counts = np.log(table[by_dimension].to_numpy(dtype=np.float64))
    half = _half_width(steps[regular])

    def detrend(values: _Array) -> _Array:
        return np.asarray(values - running_median(values, half))

    rows = []
    for name, values in signals(table).items():
        logarithmic = _LOGARITHMIC.fullmatch(name) is not None
        with np.errstate(divide="ignore"):
            y = np.log(values) if logarithmic else values
        known = np.isfinite(y)
        use = known & regular
        restated = identity(table, name)
        row: dict[str, Any] = {
            "signal": name,
            "identity": restated,
            "first": float(values[0]),
            "last": float(values[-1]),
            "trend": spearman(steps[use], y[use], seed=seed).value,
            "n_spikes": len(spikes),
        }
        estimates = {
            "raw": spearman(log_loss[use], y[use], seed=seed),
            **dict.fromkeys(("detrended", "adjusted", "adjusted_change"), Estimate(float("nan"))),
        }
        if half:
            estimates["detrended"] = spearman(detrend(log_loss[use]), detrend(y[use]), seed=seed)
        at = steps[known], regular[known], spikes
        estimates["change"], row["n_compared"] = change_at_spikes(y[known], *at, seed=seed)
        if not restated and name not in ("n_cells", "skeleton") and use.sum() > counts.shape[1] + 1:
            fitted = regular[known]
            rest = residuals(y[known], counts[known], fitted)
            of_loss = residuals(log_loss[known], counts[known], fitted)
            estimates["adjusted"] = spearman(of_loss[fitted], rest[fitted], seed=seed)
            estimates["adjusted_change"], _ = change_at_spikes(rest, *at, seed=seed)
        for kind in KINDS:
            row[kind] = estimates[kind].value
            row[f"{kind}_low"], row[f"{kind}_high"] = estimates[kind].low, estimates[kind].high
        rows.append(row)
    return rows


def _half_width(steps: NDArray[np.int64]) -> int:
    """Return how many evenly spaced checkpoints are within the half width; 0 if they are not."""
    spacings = np.unique(np.diff(steps))
    return int(HALF_WIDTH // spacings[0]) if len(spacings) == 1 else 0


@dataclass(frozen=True)
class RunsTest:
    """Numbers of several runs against zero.

    Attributes
    ----------
    n : int
        Runs with a number.
    mean, low, high : float
        Mean and Student's t interval at 95 %; no interval (NaN) for fewer than two runs, nor for
        equal numbers, which do not show how far runs scatter.
    t_p : float
        Two-sided p of the t test that the mean is zero; NaN where there is no interval.
    n_positive : int
        Runs with a positive number.
    sign_p : float
        Two-sided p of the sign test, zeros left out.
    """

    n: int
    mean: float
    low: float
    high: float
    t_p: float
    n_positive: int
    sign_p: float


def over_runs(values: ArrayLike) -> RunsTest:
    """Test the numbers of independent runs, one number a run, against zero.

    Parameters
    ----------
    values : (n,) array_like
        NaN where a run has none.

    Examples
    --------
    >>> test = over_runs([1.0, 2.0, 3.0, 2.0, 2.0])
    >>> test.n_positive, test.sign_p, round(float(test.low), 3)
    (5, 0.0625, 1.122)
    """
    from scipy import stats  # slow to load, and seldom needed

    x = np.asarray(values, dtype=np.float64)
    x = x[~np.isnan(x)]
    nan = float("nan")
    if not len(x):
        return RunsTest(0, nan, nan, nan, nan, 0, nan)
    mean = float(x.mean())
    low = high = t_p = nan
    if len(x) > 1 and np.ptp(x) > 0:
        error = float(x.std(ddof=1)) / np.sqrt(len(x))
        reach = error * float(stats.t.ppf(0.975, len(x) - 1))
        low, high = float(mean - reach), float(mean + reach)
        t_p = float(2 * stats.t.sf(abs(mean) / error, len(x) - 1))
    positive, decided = int(np.sum(x > 0)), int(np.sum(x != 0))
    sign_p = float(stats.binomtest(positive, decided).pvalue) if decided else nan
    return RunsTest(len(x), mean, low, high, t_p, positive, sign_p)

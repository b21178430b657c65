"""What a run of the `relutopo` command says of Betti curves and the training loss.

A claim of the summary always stands beside the numbers that it rests on; what merely restates the
cell counts is called that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from relutopo.analyses.association import Estimate, over_runs, spearman
from relutopo.learning.spikes import HALF_WIDTH, Spike
from relutopo.reports.tables import known_part, mean_and_range
from relutopo.reports.text import cell, counted, natural_sort, not_certified, number, unknown

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["run_summary", "sweep_summary"]

_SHOWN = (
    "n_cells",
    "skeleton",
    "betti_0_peak_value",
    "betti_1_peak_value",
    "betti_0_peak_index",
    "betti_1_peak_index",
)
"""Signals at the terminal; the others stand in the table of associations."""
_CORRELATIONS = {"raw": "raw", "detrended": "detrended", "adjusted": "cell counts out"}
"""Headings of the kinds of correlation with the loss."""
_ADJUSTMENTS = (
    "detrended: running medians taken away; cell counts out: after regression on the cell counts"
)
_TOO_FEW = "too few checkpoints have a value, or it never changes"
"""Why something is not known."""
_CHANGES_NOTE = (
    "changes: mean \\[95 % t interval] over jobs with spikes, one number from each; up: jobs in "
    "which it rises; p: sign test"
)


def run_summary(
    table: pd.DataFrame, effects: pd.DataFrame, spikes: Sequence[Spike]
) -> list[RenderableType]:
    """Say whether spikes of the loss coincide with a rise of where the Betti curves peak.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, in order, as `relutopo.analyses.homology` makes
        them, with ``is_regular``, ``filtration`` and ``reducer``.
    effects : pandas.DataFrame
        From `relutopo.analyses.association.associations`.
    spikes : sequence of Spike

    Returns
    -------
    list of rich renderables
    """
    by_signal = {str(row["signal"]): row for _, row in effects.iterrows()}
    shown = [name for name in _SHOWN if name in by_signal]
    correlations, missing = known_part(
        "Spearman with log-loss",
        _CORRELATIONS.values(),
        {
            _words(name): [_interval(by_signal[name], kind, ".2f") for kind in _CORRELATIONS]
            for name in shown
        },
    )
    last = table.iloc[-1]
    peaks = [name for name in shown if name.endswith("peak_value")]
    return [
        "",
        "[bold]Do spikes of the training loss coincide with a rise of the filtration value at "
        "which a Betti curve peaks?[/bold]",
        *(_verdict(by_signal, name) for name in peaks),
        "",
        _spikes(spikes, table),
        _cells(table),
        "",
        correlations,
        *unknown(missing, _TOO_FEW),
        "",
        *_changes({name: by_signal[name] for name in shown}),
        f"[dim]{_ADJUSTMENTS}; not regions: the cells of lower dimension, V + E in the plane; "
        "brackets: 95 %, from resampled blocks of this one run, which say nothing of other "
        "seeds[/dim]",
        "",
        *_identities(table, effects),
        *_warnings(table),
        f"ran: filtration {last['filtration']} ({table['n_filtrations'].max()} a checkpoint), "
        f"reducer {', '.join(sorted(set(table['method'].dropna())))}, enumerator "
        f"{last['enumerator']}",
    ]


def _changes(by_signal: Mapping[str, pd.Series[Any]]) -> list[RenderableType]:
    """Show the signals at the ends of the run, and how they change at spikes if there are any."""
    are_compared = any(row["n_compared"] for row in by_signal.values())
    kinds = {"change": "change", "adjusted_change": "cell counts out"} if are_compared else {}
    rows = {
        _words(name): [
            *(number(row[end], ",.0f" if _is_count(name) else ".3f") for end in ("first", "last")),
            *(_change(row, kind, name) for kind in kinds),
        ]
        for name, row in by_signal.items()
    }
    title = "Change at spikes" if are_compared else "Values"
    grid, missing = known_part(title, ["first", "last", *kinds.values()], rows)
    note = "first, last: values at the first and the last step"
    if are_compared:
        note += (
            "; change: the peak of each spike against the quiet steps around it, counts in per cent"
        )
    return [grid, *unknown(missing, _TOO_FEW), f"[dim]{note}[/dim]"]


def _words(signal: str) -> str:
    if signal in ("n_cells", "skeleton"):
        return {"n_cells": "all cells", "skeleton": "not regions"}[signal]
    _, k, _, what = signal.split("_")
    return f"β{k} peak {what}"


def _is_count(signal: str) -> bool:
    return not signal.endswith(("value", "fraction"))


def _interval(row: pd.Series[Any], kind: str, form: str, unit: str = "") -> str:
    value, low, high = (float(row[f"{kind}{end}"]) for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "-"
    text = f"{value:+{form}}{unit}"
    return text if np.isnan(low) else f"{text} \\[{low:{form}}, {high:{form}}]"


def _change(row: pd.Series[Any], kind: str, signal: str) -> str:
    if not _is_count(signal):
        return _interval(row, kind, ".4f")
    return _interval(row.where(~row.index.str.startswith(kind), 100 * row), kind, ".2f", " %")


def _verdict(by_signal: Mapping[str, pd.Series[Any]], signal: str) -> str:
    name, row = f"β{signal.split('_')[1]}", by_signal[signal]
    if row["identity"]:
        index = signal.replace("value", "index")
        return (
            f"{name}: [yellow]no answer of its own[/yellow], the value at its peak is "
            f"{row['identity']}, a restatement of the cell counts (below). Its change over "
            f"{row['n_compared']} spikes is {_change(row, 'change', signal)}, that of the number "
            f"of cells at the peak {_change(by_signal[index], 'change', index)}."
        )
    if not row["n_compared"]:
        return f"{name}: [yellow]no answer[/yellow], there are no spikes."
    change = _interval(row, "change", ".4f")
    of = f"{row['n_compared']} spikes"
    if np.isnan(row["change_low"]):
        return f"{name}: [yellow]no answer[/yellow], too few spikes ({of}): change {change}."
    sign = Estimate(row["change"], row["change_low"], row["change_high"]).sign
    if sign == 0:
        return f"{name}: [red]No[/red], the change over {of} cannot be told from zero: {change}."
    if sign < 0:
        return f"{name}: [red]No[/red], it falls: {change} over {of}."
    adjusted = _interval(row, "adjusted_change", ".4f")
    if row["adjusted_change_low"] > 0:
        return (
            f"{name}: [green]Yes, in this run[/green]: {change} over {of}, and {adjusted} with the "
            "cell counts regressed out."
        )
    return (
        f"{name}: [yellow]It rises, but not beyond the cell counts[/yellow]: {change} over {of}, "
        f"{adjusted} with the cell counts regressed out."
    )


def _spikes(spikes: Sequence[Spike], table: pd.DataFrame) -> str:
    steps = int(table["step"].iloc[-1])
    if not spikes:
        return f"The training loss has no spikes in {steps} steps."
    largest = max(spikes, key=lambda spike: spike.excess)
    return (
        f"The training loss has {len(spikes)} spikes in {steps} steps (more than twice the running "
        f"median over ±{HALF_WIDTH} steps), the largest at step {largest.peak}: "
        f"{np.exp(largest.excess):.1f} times the median."
    )


def _cells(table: pd.DataFrame) -> str:
    regular = table[table["is_regular"]]
    first, last = (int(table["n_cells"].iloc[i]) for i in (0, -1))
    least = regular.iloc[int(regular["n_cells"].argmin())]
    trend = spearman(regular["step"], regular["n_cells"]).value
    return (
        f"The complex has {first:,} cells at the start and {last:,} at the end (ratio "
        f"{last / first:.2f}; least {least['n_cells']:,} at step {least['step']}); rank "
        f"correlation of cells and step {number(trend, '+.2f')}."
    )


def _identities(table: pd.DataFrame, effects: pd.DataFrame) -> list[str]:
    restated = dict(zip(effects["signal"], effects["identity"], strict=True))
    restated = {name: what for name, what in restated.items() if what}
    if not restated:
        return []
    is_euler = bool((table["euler"] == 1).all())
    equalities = "; ".join(f"{_words(name)} = {what}" for name, what in restated.items())
    text = (
        f"[yellow]These signals restate the cell counts exactly, on all {len(table)} checkpoints "
        f"and for every order drawn: {equalities}.[/yellow] With V vertices, E edges and F regions"
    )
    if is_euler:
        text += " (V - E + F = 1 on all of them, so that V + E + F = 2E + 1)"
    return [
        text + ", a change of such a signal is a change of the cell counts and nothing more. "
        "The filtration 'random_closure' gives signals that are not bound to them."
    ]


def _warnings(table: pd.DataFrame) -> list[str]:
    lines = []
    balls = (table["euler"] == 1) & (table["betti_0"] == 1)
    for name in [c for c in table.columns if c.startswith("betti_") and "peak" not in c][1:]:
        balls &= table[name] == 0
    if not balls.all():
        steps = ", ".join(map(str, table.loc[~balls, "step"]))
        lines.append(f"[red]the complex has not the homology of a ball at step {steps}[/red]")
    without = table[table["filtration_status"] != "ok"]
    if len(without):
        reasons = ", ".join(sorted(set(without["filtration_status"])))
        lines.append(
            f"[yellow]{len(without)} of {len(table)} checkpoints have no filtration and are left "
            f"out: {reasons}[/yellow]"
        )
    return lines + not_certified(table["enumeration_status"])


def sweep_summary(
    table: pd.DataFrame, effects: pd.DataFrame, swept: Sequence[str]
) -> list[RenderableType]:
    """Test the claim over the jobs of a sweep, with one number from each job.

    Parameters
    ----------
    table, effects : pandas.DataFrame
        All jobs' rows and associations, with the column ``job``.
    swept : sequence of str
        Overridden keys that differ between jobs. Jobs that differ in the seed only are one group.

    Returns
    -------
    list of rich renderables
    """
    settings = [key for key in swept if key != "seed"]
    groups = dict(list(effects.groupby(settings))) if settings else {("all jobs",): effects}
    tables: list[RenderableType] = []
    reasons, missing = Counter[str](), Counter[str]()
    n_tests = 0
    for setting in natural_sort(groups):
        of = {str(name): group for name, group in groups[setting].groupby("signal")}
        of = {name: of[name] for name in _SHOWN if name in of}
        cells = of["n_cells"]
        reason = _why_not_compared(cells)
        if reason:
            grid, left_out = _correlations_over_jobs(of)
            reasons[reason] += 1
        else:
            grid, left_out = _changes_over_jobs(of)
            n_tests += sum(
                not _restated(jobs) and jobs["change"].count() > 1 for jobs in of.values()
            )
        missing.update(left_out)
        tables += [
            "",
            f"[bold]{', '.join(map(cell, setting))}[/bold], {counted(len(cells), 'job')}",
            _trends(cells),
            grid,
        ]

    def in_settings(what: Counter[str]) -> list[str]:
        n = len(groups)
        return [f"{text}{f' in {k} of {n} settings' if k < n else ''}" for text, k in what.items()]

    notes = [
        "end/start, Spearman, spikes: mean \\[least, greatest]",
        *([_ADJUSTMENTS] if reasons else []),
        *([_CHANGES_NOTE] if reasons.total() < len(groups) else []),
        "'= ...': restates the cell counts exactly.",
    ]
    if n_tests:
        notes[-1] += (
            f" Of {n_tests} changes {n_tests / 20:.1f} are expected to exclude zero by chance "
            "alone."
        )
    return [
        *_not_compared(in_settings(reasons)),
        *tables,
        *unknown(in_settings(missing), _TOO_FEW),
        f"[dim]{'; '.join(notes)}[/dim]",
        *_reducers_compared(table, swept),
    ]


def _not_compared(reasons: Sequence[str]) -> list[str]:
    text = f"{'; '.join(reasons)}: nothing can be told about changes at spikes."
    return ["", f"[yellow]{text}[/yellow]"] if reasons else []


def _why_not_compared(jobs: pd.DataFrame) -> str:
    """Say why nothing is known of changes at spikes; "" if something is."""
    if jobs["n_compared"].any():
        return ""
    if jobs["n_spikes"].any():
        return "No loss spike has a checkpoint at its peak and quiet ones around it"
    return "No loss spikes were found"


def _trends(cells: pd.DataFrame) -> str:
    n_spikes = cells["n_spikes"]
    return (
        f"cells end/start {mean_and_range(cells['last'] / cells['first'], '.2f')}; "
        f"Spearman(step, cells) {mean_and_range(cells['trend'], '+.2f')}; "
        + (f"spikes {mean_and_range(n_spikes, '.0f')}" if n_spikes.any() else "no spikes")
    )


def _changes_over_jobs(of: Mapping[str, pd.DataFrame]) -> tuple[Table, list[str]]:
    """Show the mean change of each signal at spikes, and how sure it is."""
    rows = {}
    for name, jobs in of.items():
        test = over_runs(jobs["change"])
        rows[_words(name)] = [
            _tested(jobs["change"], name),
            _restated(jobs) or _tested(jobs["adjusted_change"], name),
            f"{test.n_positive}/{test.n}" if test.n else "-",
            number(test.sign_p, ".3f"),
        ]
    return known_part("", ["change at spikes", "cell counts out", "up", "p"], rows)


def _correlations_over_jobs(of: Mapping[str, pd.DataFrame]) -> tuple[Table, list[str]]:
    """Show the mean correlations of each signal with the loss."""
    rows = {
        _words(name): [
            *(mean_and_range(jobs[kind], "+.2f") for kind in ("raw", "detrended")),
            _restated(jobs) or mean_and_range(jobs["adjusted"], "+.2f"),
        ]
        for name, jobs in of.items()
    }
    return known_part("Spearman with log-loss", _CORRELATIONS.values(), rows)


def _restated(jobs: pd.DataFrame) -> str:
    """Say which cell counts a signal restates in all jobs; "" if none."""
    restated = jobs["identity"].unique()
    return f"= {restated[0]}" if len(restated) == 1 and restated[0] else ""


def _tested(values: pd.Series[Any], signal: str) -> str:
    scale, form, unit = (100, ".2f", " %") if _is_count(signal) else (1, ".4f", "")
    test = over_runs(scale * values)
    if not test.n:
        return "-"
    text = f"{test.mean:+{form}}{unit}"
    return text if np.isnan(test.low) else f"{text} \\[{test.low:{form}}, {test.high:{form}}]"


def _reducers_compared(table: pd.DataFrame, swept: Sequence[str]) -> list[str]:
    """Compare what different reducers found on the same checkpoints."""
    if "reducer" not in swept:
        return []
    others = [key for key in swept if key != "reducer"]
    left_out = {"job", "code", "reducer", "method", *swept}
    numbers = [
        name for name in table if name not in left_out and not str(name).startswith("seconds")
    ]
    groups = [rows for _, rows in table.groupby([*others, "step"], dropna=False) if len(rows) > 1]
    if not groups:
        return ["no two reducers worked on the same checkpoint"]
    same = sum(len(rows[numbers].drop_duplicates()) == 1 for rows in groups)
    colour = "green" if same == len(groups) else "red"
    return [
        f"reducers compared on {len(groups)} checkpoints: all numbers are equal on "
        f"[{colour}]{same}[/{colour}]"
    ]

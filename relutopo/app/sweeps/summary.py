"""Summary of a sweep: tables, a few lines of text, and a figure.

A measure is shown against each parameter that was swept, with its spread over all jobs of the same
value; then the best settings, and the failed jobs with their errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo import registry
from relutopo.analyses.base import analysis_class
from relutopo.analyses.columns import columns
from relutopo.app.messages import in_words_of_the_command, refuse_unknown_measure
from relutopo.app.reports.summaries import save_summary, show
from relutopo.app.sweeps import plots as sweep_plots
from relutopo.app.sweeps.sweep import Sweep
from relutopo.errors import InputError, RelutopoError
from relutopo.optional import require
from relutopo.plots import save_figure
from relutopo.reports.columns import Column, save_columns
from relutopo.reports.tables import new_table, save_table, spread
from relutopo.reports.text import cell, counted, natural_sort, short
from relutopo.system.untrusted import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["summarize"]

_N_BEST = 5
_MOST_VALUES = 12
"""A number that was swept over more values than this is shown in ranges."""
_N_RANGES = 5
_LESS_IS_BETTER = ("seconds", "loss")
"""Endings of measures of which the least is always the best."""


def summarize(directory: str | Path, *, measure: str | None = None, least: bool = False) -> Sweep:
    """Gather a sweep's jobs into tables; print and plot their measures.

    Parameters
    ----------
    directory : path-like
        Folder of the sweep. It gets ``results.parquet`` (all rows of all jobs), ``jobs.parquet``
        (one row for each job), both also as CSV, ``summary.txt``, and
        ``figures/<analysis>_<measure>``.
    measure : str, optional
        The measure to show against the parameters, a column of ``jobs.parquet``, for each kind of
        analysis that has it. By default the objective of the sweep, or the first measure that
        some job has.
    least : bool
        Whether the least of it is the best. Of seconds and losses it always is.

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        If the folder holds no jobs, or what is in it is not as relutopo writes it, or no kind of
        analysis in it measures `measure`.
    """
    sweep = Sweep.open(directory)
    try:
        _summarize(sweep, measure, least)
    except (RelutopoError, OSError):
        raise
    except Exception as error:  # a table with the right names may hold anything
        raise InputError(
            f"the tables in {str(sweep.directory)!r} must be those of relutopo's jobs, but they "
            f"cannot be summarized ({type(error).__name__}: {error}); delete the jobs that "
            "another program wrote; if none did, please report it as a bug"
        ) from error
    return sweep


def _summarize(sweep: Sweep, measure: str | None, least: bool) -> None:
    done = sweep.only("done")
    kinds = {name: done.only("done", name) for name in dict.fromkeys(j.analysis for j in done.jobs)}
    refuse_unknown_measure(measure, {name: part.measures for name, part in kinds.items()})
    overview = sweep.overview()
    save_table(overview, sweep.directory / "jobs")
    parts: list[RenderableType] = []
    if done.jobs:
        table = done.table()
        save_table(table, sweep.directory / "results")
        own = [c for name in kinds for c in analysis_class(name).columns_of_rows()]
        save_columns(_explained(table.columns, own), sweep.directory)
    for analysis, part in kinds.items():
        concluded = analysis_class(analysis).summarize(part)
        for name, table in concluded.tables.items():
            save_table(table, sweep.directory / name)
        for name, figure in concluded.figures.items():
            save_figure(figure, sweep.directory / "figures" / name)
        parts += concluded.summary
        rows = overview[(overview["analysis"] == analysis) & (overview["status"] == "done")]
        parts += _measured(rows, part, analysis, measure or _objective(part), least)
    parts += [*_failures(sweep), "", *_counts(sweep, overview)]
    save_summary(parts, sweep.directory)
    show(parts, sweep.directory)


def _explained(names: Iterable[str], own: Sequence[Column]) -> list[Column]:
    """Return the columns of a sweep's table: the job, what was swept, and those of its analyses."""
    signatures = registry.built_in("signature")
    of_signatures = [c for name in signatures for c in columns(name).of_names.values()]
    listed: dict[str, Column] = {"job": Column("job", "text", "folder of the job, below `jobs`")}
    for name in map(str, names):
        column = next((c for c in (*own, *of_signatures) if c.is_named(name)), None)
        column = column or Column(name, "text", "what was swept")
        listed.setdefault(column.name, column)
    return list(listed.values())


def _objective(sweep: Sweep) -> str | None:
    overrides = [text for job in sweep.jobs for text in job.record.overrides]
    named = [text.partition("=")[2] for text in overrides if text.startswith("objective=")]
    return named[0] if named else None


def _measured(
    rows: pd.DataFrame, sweep: Sweep, analysis: str, measure: str | None, least: bool
) -> list[RenderableType]:
    """Show a measure against each swept key, and draw it."""
    known = sweep.measures
    if not known:
        return ["", f"No job of the analysis {analysis!r} has a measure."]
    has = [column for column in known if rows[column].notna().any()]
    name = measure or next(iter(has), known[0])
    if name not in known:
        return ["", f"The analysis {analysis!r} does not measure {cell(name)}."]
    if name not in has:
        others = f"; --measure shows another of {', '.join(has)}" if has else ""
        return ["", f"No job has a {name}{others}."]
    keys = sweep.settings or list(sweep.swept)
    if not keys:
        return ["", f"{name}: {rows[name].mean():.4g}"]
    lines: list[RenderableType] = []
    if name not in (measure, known[0]):
        passed_over = ", ".join(known[: known.index(name)])
        lines += ["", f"[dim]No job has a {passed_over}; shown is the next, {name}.[/dim]"]
    for key in keys:
        groups = rows.groupby(_ranges(rows[key]), dropna=False, observed=True)[name]
        lines += ["", *_against(key, name, dict(list(groups)))]
    if len(keys) > 1:
        lines += ["", *_best(rows, keys, name, least)]
    figure = sweep_plots.plot_measure(rows, keys, name)
    save_figure(figure, sweep.directory / "figures" / f"{analysis}_{name}")
    return lines


def _against(key: str, name: str, groups: dict[Any, pd.Series[Any]]) -> list[RenderableType]:
    """Show a measure for each value of a key; name the values for which no job has it."""
    known = {value: groups[value] for value in natural_sort(groups) if groups[value].notna().any()}
    unknown = [cell(value) for value in natural_sort(groups) if value not in known]
    shown = _shown(known.values())
    grid = new_table([key], shown, wrap_numbers=True)
    for value, measured in known.items():
        cells = spread(measured)
        grid.add_row(cell(value), *(cells[column] for column in shown))
    lines: list[RenderableType] = [f"[italic]{name} against {key}[/italic]", grid]
    if unknown:
        lines.append(f"No job has a {name} where {key} is {', '.join(unknown)}.")
    return lines


def _ranges(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return what the rows of a table show of a swept key: its values, or ranges of many numbers.

    The ranges hold about equally many jobs.
    """
    pandas = require("pandas", "the table of a sweep")
    if not pandas.api.types.is_numeric_dtype(values) or values.nunique() <= _MOST_VALUES:
        return values
    numbers = pandas.qcut(values, _N_RANGES, labels=False, duplicates="drop")
    bounds = values.groupby(numbers).agg(["min", "max"])
    texts = {i: f"{low:.4g} to {high:.4g}" for i, low, high in bounds.itertuples()}
    ranges: pd.Series[Any] = numbers.map(texts)
    return ranges


def _best(rows: pd.DataFrame, keys: list[str], name: str, least: bool) -> list[RenderableType]:
    least = least or name.endswith(_LESS_IS_BETTER)
    means = rows.groupby(keys, dropna=False)[name].mean().dropna().sort_values(ascending=least)
    which, other = ("least", "greatest") if least else ("greatest", "least")
    groups = dict(list(rows.groupby(keys, dropna=False)[name]))
    best = {setting: groups[setting] for setting in means.index[:_N_BEST]}
    shown = [column for column in _shown(best.values()) if column != other]
    grid = new_table(keys, shown, wrap_numbers=True)
    for setting, measured in best.items():
        cells = spread(measured)
        grid.add_row(*map(cell, setting), *(cells[column] for column in shown))
    return [f"[italic]Best settings: the {which} mean {name} first[/italic]", grid]


def _shown(groups: Iterable[pd.Series[Any]]) -> list[str]:
    """Return the columns of a table of groups; where each has one number, that is all there is."""
    are_several = any(measured.count() > 1 for measured in groups)
    return ["jobs", "mean", "sd", "least", "greatest"] if are_several else ["jobs", "mean"]


def _failures(sweep: Sweep) -> list[str]:
    from rich.markup import escape

    reasons: dict[str, list[str]] = {}
    for i, job in enumerate(sweep.jobs):
        if job.status != "failed":
            continue
        error = job.folder.error
        where = ", ".join(f"{key}={short(v[i])}" for key, v in sweep.swept.items())
        text = f"{error['type']}: {in_words_of_the_command(error['message'])}"
        reasons.setdefault(text, []).append(f"{job.name} ({where})" if where else job.name)
    lines = [
        f"[red]failed: {escape(', '.join(names))}[/red]: {escape(printable(text))}"
        for text, names in reasons.items()
    ]
    return ["", *lines] if lines else []


def _counts(sweep: Sweep, overview: pd.DataFrame) -> list[str]:
    counts = overview["status"].value_counts()
    numbers = ", ".join(f"{n} {status}" for status, n in counts.items())
    lines = [f"{counted(len(sweep.jobs), 'job')}: {numbers}"]
    if counts.get("done", 0) < len(sweep.jobs):
        lines[0] += "; the same command runs those that are not done"
    seconds = overview.filter(regex="^seconds_").sum()
    if len(seconds):
        stages = ", ".join(
            f"{cell(stage).removeprefix('seconds_')} {value:.0f}"
            for stage, value in seconds.items()
        )
        lines.append(f"[dim]seconds, all jobs: {stages}[/dim]")
    versions: dict[str, set[str]] = {}
    for job in sweep.jobs:
        if job.status == "done":
            for package, version in job.record.identity.code.items():
                versions.setdefault(package, set()).add(version)
    lines += [
        f"[yellow]results of {len(found)} versions of {cell(package)} stand here[/yellow]"
        for package, found in versions.items()
        if len(found) > 1
    ]
    return lines

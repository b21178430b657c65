"""What `relutopo` does with ``analysis: partition``: settings, table, figures and summaries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relutopo.analyses.base import Row
from relutopo.analyses.partition import (
    AnalysisSettings,
    analyse_checkpoint,
    analyse_run,
    check,
)
from relutopo.app.reports import partition as partition_report
from relutopo.interfaces import Progress
from relutopo.learning.domain_rules import seen_on
from relutopo.learning.runs import TrainingRun
from relutopo.optional import require
from relutopo.plots import plot_partition, plot_partition_history, plot_timeline, save_figure
from relutopo.reports.conclusion import Conclusion
from relutopo.reports.tables import save_table
from relutopo.reports.text import first_middle_last

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from relutopo.app.sweeps.sweep import Sweep

__all__ = ["MEASURES", "analyse", "check", "conclude", "draw", "settings", "summarise"]

_COLUMNS = (
    "weighted_agreement",
    "unweighted_agreement",
    "weighted_held_out_agreement",
    "weighted_decision_by_points",
    "weighted_fiedler_value",
    "train_accuracy",
    "held_out_accuracy",
    "fitted_step",
    "generalised_step",
    "n_regions",
)
MEASURES = (*_COLUMNS, "delay")
"""What a job measures, the most important first."""


def settings(values: Mapping[str, Any]) -> AnalysisSettings:
    """Return the settings in a configuration; a wrong name shall not wait for the training."""
    chosen = AnalysisSettings(**{n: values[n] for n in AnalysisSettings.__dataclass_fields__})
    for role in ("domain", "enumerator", "eigensolver", "vertex_weights", "edge_weights"):
        chosen.create(role)
    return chosen


def analyse(run: TrainingRun, settings: AnalysisSettings, progress: Progress) -> list[Row]:
    """Return one row for each checkpoint."""
    return analyse_run(run, settings, progress=progress)


def conclude(
    rows: list[Row],
    run: TrainingRun,
    settings: AnalysisSettings,
    labels: Mapping[str, Any],
    directory: Path,
) -> Conclusion:
    """Write the table; return the summary and the measures."""
    pandas = require("pandas", "the table of a run")
    table = pandas.DataFrame(rows).assign(
        **labels,
        adjacency=settings.adjacency,
        vertex_weights=settings.vertex_weights["name"],
        edge_weights=settings.edge_weights["name"],
        eigensolver=settings.eigensolver["name"],
        **partition_report.learning_steps(run.history),
    )
    data = run.dataset
    has_held_out = not np.array_equal(data.held_out_points, data.points)
    if not has_held_out:  # the training points stood in their place
        names = [name for name in table.columns if "held_out" in name]
        table[[*names, "generalised_step"]] = np.nan
    save_table(table, directory / "results")
    summary = partition_report.run_summary(table, has_held_out=has_held_out)
    return Conclusion(summary, _measures(table))


def _measures(table: pd.DataFrame) -> dict[str, float]:
    """Return what is measured at the last checkpoint, and when the network generalised."""
    last = table.iloc[-1]
    measures = {name: float(last[name]) for name in _COLUMNS}
    delay = measures["generalised_step"] / max(measures["fitted_step"], 1.0)
    return {**measures, "delay": delay}


def draw(run: TrainingRun, settings: AnalysisSettings, directory: Path) -> None:
    """Draw three checkpoints and the time line, if there is more than one."""
    pandas = require("pandas", "the table of a run")
    table = pandas.read_parquet(directory / "results.parquet")
    steps = first_middle_last(run.steps)
    signatures = [analyse_checkpoint(run, step, settings) for step in steps]
    last = signatures[-1]
    dataset = seen_on(run.dataset, last.complex.domain)
    figures = {"timeline": plot_timeline(table)} if len(table) > 1 else {}
    if dataset.dim == 2:
        figures["partition_history"] = plot_partition_history(
            signatures, dataset.points, dataset.targets
        )
    if dataset.dim == 2 and last.weighted is not None:
        figures["partition"] = plot_partition(last.weighted, dataset.points, dataset.targets)
    for name, figure in figures.items():
        save_figure(figure, directory / "figures" / name)


def summarise(sweep: Sweep) -> list[RenderableType]:
    """Return the summary of a sweep's jobs."""
    return partition_report.sweep_summary(sweep.table(), list(sweep.swept))

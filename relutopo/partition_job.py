"""What `relutopo` does with ``analysis: partition``: settings, table, figures and summaries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo import plots, report
from relutopo.geometry.storage import save_complex
from relutopo.interfaces import Progress
from relutopo.learning.analysis import Row
from relutopo.learning.checkpoints import TrainingRun
from relutopo.learning.signatures import AnalysisSettings, analyse_checkpoint, analyse_run
from relutopo.optional import require

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["analyse", "conclude", "settings", "summarise"]


def settings(values: Mapping[str, Any]) -> AnalysisSettings:
    """Return the settings in a configuration; a wrong name shall not wait for the training."""
    chosen = AnalysisSettings(**{n: values[n] for n in AnalysisSettings.__dataclass_fields__})
    for role in ("enumerator", "eigensolver", "vertex_weights", "edge_weights"):
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
) -> list[RenderableType]:
    """Write the table and the figures; return the summary."""
    pandas = require("pandas", "the table of a run")
    table = pandas.DataFrame(rows).assign(
        **labels,
        adjacency=settings.adjacency,
        vertex_weights=settings.vertex_weights["name"],
        edge_weights=settings.edge_weights["name"],
        eigensolver=settings.eigensolver["name"],
        **report.learning_steps(run.history),
    )
    report.save_table(table, directory / "results")
    _draw(run, settings, table, directory)
    return report.run_summary(table)


def _draw(
    run: TrainingRun, settings: AnalysisSettings, table: pd.DataFrame, directory: Path
) -> None:
    """Draw three checkpoints and the time line, and keep the last complex."""
    steps = report.three_steps(run.steps)
    signatures = [analyse_checkpoint(run, step, settings) for step in steps]
    last, dataset = signatures[-1], run.dataset
    save_complex(directory / "complex.npz", last.complex)
    figures = {
        "timeline": plots.plot_timeline(table),
        "partition_history": plots.plot_partition_history(
            signatures, dataset.points, dataset.targets
        ),
    }
    if last.weighted is not None:
        figures["partition"] = plots.plot_partition(last.weighted, dataset.points, dataset.targets)
    for name, figure in figures.items():
        plots.save_figure(figure, directory / "figures" / name)


def summarise(jobs: report.Jobs, directory: Path) -> list[RenderableType]:
    """Return the summary of a sweep's jobs."""
    return report.sweep_summary(report.combine_jobs(jobs), report.swept_keys(jobs))

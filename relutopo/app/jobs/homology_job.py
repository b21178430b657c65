"""What `relutopo` does with ``analysis: homology``: settings, tables, figures and summaries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo.analyses.association import associations
from relutopo.analyses.base import Row
from relutopo.analyses.homology import (
    HomologySettings,
    analyse_homology_checkpoint,
    analyse_homology_run,
)
from relutopo.app.reports import homology as homology_report
from relutopo.geometry.domain import Domain
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.learning.spikes import find_spikes, log_excess
from relutopo.learning.trainer import TrainerSettings, checkpoint_steps
from relutopo.optional import require
from relutopo.plots import plot_betti_curves, plot_complexes, plot_spike_timeline, save_figure
from relutopo.reports.conclusion import Conclusion
from relutopo.reports.tables import save_table
from relutopo.reports.text import first_middle_last

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from relutopo.app.sweeps.sweep import Sweep

__all__ = ["MEASURES", "analyse", "check", "conclude", "draw", "settings", "summarise"]

_AT_SPIKES = {
    f"{signal}_{kind}": (signal, kind)
    for kind in ("change", "detrended")
    for signal in ("betti_1_peak_value", "betti_0_peak_value", "n_cells")
}
MEASURES = (*_AT_SPIKES, "n_spikes", "cells_end_over_start", "train_loss")
"""What a job measures, the most important first."""


def settings(values: Mapping[str, Any]) -> HomologySettings:
    """Return the settings in a configuration; a wrong name shall not wait for the training."""
    chosen = HomologySettings(**{n: values[n] for n in HomologySettings.__dataclass_fields__})
    for role in ("domain", "enumerator", "reducer", "filtration"):
        chosen.create(role)
    return chosen


def check(dataset: Dataset, domain: Domain) -> None:
    """Accept any data on any domain."""


def analyse(run: TrainingRun, settings: HomologySettings, progress: Progress) -> list[Row]:
    """Return one row for each checkpoint."""
    return analyse_homology_run(run, settings, progress=progress)


def conclude(
    rows: list[Row],
    run: TrainingRun,
    settings: HomologySettings,
    labels: Mapping[str, Any],
    directory: Path,
) -> Conclusion:
    """Write the tables; return the summary and the measures."""
    pandas = require("pandas", "the table of a run")
    names = {
        **labels,
        "filtration": settings.filtration["name"],
        "reducer": settings.reducer["name"],
    }
    loss = run.history.train_loss
    table = pandas.DataFrame(rows)
    table.insert(1, "is_regular", table["step"].isin(_regular_steps(run)))
    table.insert(2, "is_spike", table["step"].isin([spike.peak for spike in find_spikes(loss)]))
    table.insert(4, "log_excess", log_excess(loss)[table["step"]])
    table = table.assign(**names)
    effects = pandas.DataFrame(associations(table, loss)).assign(**names)
    save_table(table, directory / "results")
    save_table(effects, directory / "associations")
    summary = homology_report.run_summary(table, effects, find_spikes(loss))
    return Conclusion(summary, _measures(table, effects))


def _measures(table: pd.DataFrame, effects: pd.DataFrame) -> dict[str, float]:
    """Return how the signals change at spikes and go with the loss, and the last checkpoint."""
    by_signal = {str(row["signal"]): row for _, row in effects.iterrows()}
    measures = {
        name: float(by_signal[signal][kind])
        for name, (signal, kind) in _AT_SPIKES.items()
        if signal in by_signal
    }
    cells = table["n_cells"]
    return {
        **measures,
        "n_spikes": float(effects["n_spikes"].iloc[0]),
        "cells_end_over_start": float(cells.iloc[-1] / cells.iloc[0]),
        "train_loss": float(table["train_loss"].iloc[-1]),
    }


def _regular_steps(run: TrainingRun) -> list[int]:
    """Return the evenly spaced steps with a checkpoint, or all that were asked for by number."""
    values = json.loads((run.directory / "settings.json").read_text())["trainer"]
    trainer = TrainerSettings(**values)
    if trainer.checkpoint_every is None:
        return checkpoint_steps(trainer)
    return list(range(0, trainer.n_steps + 1, trainer.checkpoint_every))


def draw(run: TrainingRun, settings: HomologySettings, directory: Path) -> None:
    """Draw the time line, and curves and complexes around the largest spike."""
    pandas = require("pandas", "the table of a run")
    table = pandas.read_parquet(directory / "results.parquet")
    loss = run.history.train_loss
    spikes = find_spikes(loss)
    if spikes:
        spike = max(spikes, key=lambda spike: spike.excess)
        after = min(spike.stop + 1, len(loss) - 1)
        moments = {spike.start - 1: "before", spike.peak: "at the peak", after: "after"}
        steps = [step for step in moments if step in run.steps]
    else:
        moments, steps = {}, first_middle_last(run.steps)
    chosen = sorted({run.steps[0], *steps, run.steps[-1]})
    found = {step: analyse_homology_checkpoint(run, step, settings) for step in chosen}
    titles = [
        f"step {step}{', ' + moments[step] if step in moments else ''}: loss {loss[step]:.2g}"
        for step in steps
    ]
    figures = {"timeline": plot_spike_timeline(table, loss)}
    complexes = [found[step].complex for step in steps]
    if complexes[0].dim == 2:
        figures["complexes"] = plot_complexes(complexes, titles)
    curves = {step: found[step].diagrams[0] for step in chosen if found[step].diagrams}
    if curves:
        figures["betti_curves"] = plot_betti_curves(curves)
    for name, figure in figures.items():
        save_figure(figure, directory / "figures" / name)


def summarise(sweep: Sweep) -> list[RenderableType]:
    """Write the table of all jobs' associations; return the summary of the sweep."""
    effects = sweep.table("associations")
    save_table(effects, sweep.directory / "associations")
    return homology_report.sweep_summary(sweep.table(), effects, list(sweep.swept))

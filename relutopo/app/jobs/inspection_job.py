"""What `relutopo` does with ``analysis: homology`` for models that were trained elsewhere.

Their loss is known at their checkpoints only, so that nothing can be said of its spikes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo.analyses.base import Row
from relutopo.analyses.homology import HomologySettings, analyse_homology_checkpoint
from relutopo.app.jobs.homology_job import analyse, check, settings
from relutopo.learning.runs import TrainingRun
from relutopo.optional import require
from relutopo.plots import plot_betti_curves, plot_complexes, save_figure
from relutopo.reports.conclusion import Conclusion
from relutopo.reports.tables import new_table, save_table
from relutopo.reports.text import first_middle_last

if TYPE_CHECKING:
    from rich.console import RenderableType

    from relutopo.app.sweeps.sweep import Sweep

__all__ = ["MEASURES", "analyse", "check", "conclude", "draw", "settings", "summarise"]

_SHOWN = ("train_loss", "n_cells", "boundary_betti_0", "betti_0_peak_value", "betti_1_peak_value")
MEASURES = _SHOWN[::-1]
"""What a job measures, the most important first."""


def conclude(
    rows: list[Row],
    run: TrainingRun,
    settings: HomologySettings,
    labels: Mapping[str, Any],
    directory: Path,
) -> Conclusion:
    """Write the table; return its first and last rows, and the measures."""
    pandas = require("pandas", "the table of a run")
    names = {"filtration": settings.filtration["name"], "reducer": settings.reducer["name"]}
    table = pandas.DataFrame(rows).assign(**labels, **names)
    save_table(table, directory / "results")
    shown = [name for name in _SHOWN if name in table.columns]
    headings = ("step", *(name.replace("_", " ") for name in shown))
    grid = new_table((), headings, title="Homology", wrap_numbers=True)
    for step in first_middle_last(run.steps):
        row = table[table["step"] == step].iloc[0]
        grid.add_row(str(step), *(f"{row[name]:.4g}" for name in shown))
    last = table.iloc[-1]
    meaning = (
        "[dim]boundary betti 0: components of the decision boundary; betti k peak value: where the "
        "k-th Betti curve is highest[/dim]"
    )
    return Conclusion(["", grid, meaning], {name: float(last[name]) for name in shown[::-1]})


def draw(run: TrainingRun, settings: HomologySettings, directory: Path) -> None:
    """Draw the complexes and the Betti curves of three checkpoints."""
    steps = first_middle_last(run.steps)
    found = {step: analyse_homology_checkpoint(run, step, settings) for step in steps}
    curves = {step: one.diagrams[0] for step, one in found.items() if one.diagrams}
    complexes = [one.complex for one in found.values()]
    if complexes[0].dim == 2:
        figure = plot_complexes(complexes, [f"step {step}" for step in steps])
        save_figure(figure, directory / "figures" / "complexes")
    if curves:
        figure = plot_betti_curves(curves)
        save_figure(figure, directory / "figures" / "betti_curves")


def summarise(sweep: Sweep) -> list[RenderableType]:
    """Return nothing: the general part of the summary shows the measures."""
    return []

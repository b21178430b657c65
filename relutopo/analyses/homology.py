"""Betti curves along a run, and their association with the training loss.

A random filtration is drawn several times at each checkpoint, independently of all other
checkpoints, so that its noise is the same at all steps and shown beside the mean.

Spikes of the loss can be found, and compared with, only where the loss is known after every update
(`relutopo.learning.runs.Run.has_every_loss`). For other runs, such as models in files, tables and
figures do not mention spikes.

`relutopo.analyses.homology_summary` has the text of its summaries,
`relutopo.analyses.association` the statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relutopo.analyses.association import associations
from relutopo.analyses.base import Row, SweepTables, choice_field
from relutopo.analyses.checkpoints import CheckpointAnalysis, Exhibit, last_values
from relutopo.analyses.homology_summary import run_summary, sweep_summary
from relutopo.analyses.rows import timed
from relutopo.homology.decision_boundary import decision_boundary
from relutopo.homology.persistence import betti_numbers
from relutopo.interfaces import Reducer
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import Run
from relutopo.learning.spikes import find_spikes, log_excess
from relutopo.optional import require
from relutopo.plots import plot_betti_curves, plot_complexes, plot_spike_timeline
from relutopo.reports.columns import Column
from relutopo.reports.conclusion import Conclusion, SweepConclusion
from relutopo.reports.text import first_middle_last
from relutopo.signatures.betti_peaks import BettiPeaks
from relutopo.signatures.n_cells import NumbersOfCells
from relutopo.signatures.n_regions import NumberOfRegions
from relutopo.signatures.subject import Diagrams, Filtering, Subject
from relutopo.signatures.total_persistence import TotalPersistence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Homology"]

_AT_SPIKES = {
    f"{signal}_{kind}": (signal, kind)
    for kind in ("change", "detrended")
    for signal in ("betti_1_peak_value", "betti_0_peak_value", "n_cells")
}
"""Measures of runs whose loss is known at every step: a signal, and what of it."""
_WITHOUT_LOSS = (
    "betti_1_peak_value",
    "betti_0_peak_value",
    "boundary_betti_0",
    "n_cells",
    "train_loss",
)
"""Measures of other runs."""


def _columns() -> Iterator[Column]:
    yield Column("seconds_enumeration", "s", "wall-clock time of the complex")
    yield from NumbersOfCells.columns
    yield Column("n_cells", "cells", "cells of all dimensions")
    yield from NumberOfRegions.columns
    yield Column("euler", "1", "Euler characteristic: alternating sum of the numbers of cells")
    yield Column("enumerator", "text", "what cut the domain")
    yield Column("enumeration_status", "text", "whether the complex is certified")
    yield Column("betti_{k}", "1", "Betti numbers of the whole complex")
    yield Column(
        "boundary_betti_{k}", "1", "Betti numbers of the decision boundary {f = 0}", "d - 1"
    )
    yield Column("boundary_status", "text", '"ok", or why there is no decision boundary to look at')
    yield Column("method", "text", "what reduced the boundary matrices")
    yield Column("filtration_status", "text", '"ok", or why there is none and the rest is NaN')
    yield Column("n_filtrations", "filtrations", "how many there are")
    yield from BettiPeaks.columns
    yield from TotalPersistence.columns
    yield Column("seconds_homology", "s", "wall-clock time of everything but the complex")


@dataclass(frozen=True)
class Homology(CheckpointAnalysis):
    """Betti numbers and Betti curves of filtered complexes.

    Parameters
    ----------
    reducer, filtration : mapping
        ``name`` in the registry, and the options of its constructor. The filtration
        "distance_to_data" takes ``points: training`` for the training points.
    n_filtrations : int
        How many times a random filtration is drawn at each checkpoint; others are made once.
    enumerator, domain, max_cells, max_bytes, seed, signatures
        See `CheckpointAnalysis`; the seed is that of the filtrations.

    Examples
    --------
    >>> from relutopo import as_network
    >>> from relutopo.learning.datasets import two_moons
    >>> kink = as_network(([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]]))
    >>> row = Homology(enumerator={"name": "exact"}).analyse(kink, two_moons(n=20)).row
    >>> row["n_cells"], row["betti_0"], row["boundary_betti_0"]
    (15, 1, 1)
    """

    reducer: Mapping[str, Any] = choice_field("z2")
    filtration: Mapping[str, Any] = choice_field("random_closure")
    n_filtrations: int = 5

    columns = tuple(_columns())
    of_conclusion = (
        Column("filtration", "text", "name of the filtration"),
        Column("reducer", "text", "name of the reducer that was asked for"),
        Column(
            "is_regular",
            "1",
            "whether the checkpoint is one of the evenly spaced ones; only "
            "where the loss of every step is known, like the two next columns",
        ),
        Column("is_spike", "1", "whether the checkpoint is the peak of a spike of the loss"),
        Column("log_excess", "1", "logarithm of the loss minus its running median at that step"),
    )
    measures = (
        *_AT_SPIKES,
        "n_spikes",
        "cells_end_over_start",
        "train_loss",
        *(name for name in _WITHOUT_LOSS if name != "train_loss"),
    )
    of_history = ("train_loss", "held_out_loss")

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.filtering  # which checks the number

    @property
    def filtering(self) -> Filtering:
        """How complexes are filtered."""
        return Filtering(self.filtration, self.reducer, self.n_filtrations)

    def diagrams(self, subject: Subject) -> Diagrams:
        """Return a diagram for each filtration of a network's complex; or none, and why."""
        return subject.diagrams(self.filtering)

    def compute(self, subject: Subject, dataset: Dataset) -> Mapping[str, Any]:
        """Return the value of each column."""
        row: Row = {}
        with timed(row, "enumeration"):
            complex_ = subject.complex
        cells = complex_.n_cells
        row |= {**NumbersOfCells().compute(subject), **NumberOfRegions().compute(subject)}
        row |= {
            "n_cells": sum(cells),
            "euler": sum((-1) ** k * n for k, n in enumerate(cells)),
            "enumerator": complex_.record.method,
            "enumeration_status": complex_.record.status,
        }
        with timed(row, "homology"):
            reducer: Reducer = self.create("reducer")
            diagrams, status = self.diagrams(subject)
            # Any order of the cells gives the same Betti numbers.
            betti = (
                diagrams[0].betti_numbers if diagrams else betti_numbers(complex_, reducer=reducer)
            )
            row |= {f"betti_{k}": b for k, b in enumerate(betti)}
            if subject.network.n_outputs <= 2:
                boundary = betti_numbers(decision_boundary(complex_), reducer=reducer)
                row |= {f"boundary_betti_{k}": b for k, b in enumerate(boundary[:-1])}
                row["boundary_status"] = "ok"
            else:
                row["boundary_status"] = f"{subject.network.n_outputs} outputs"
            row |= {
                "method": diagrams[0].reduction.method if diagrams else None,
                "filtration_status": status,
                "n_filtrations": len(diagrams),
            }
            for signature in (BettiPeaks, TotalPersistence):
                row |= signature(**vars(self.filtering)).compute(subject)
        return row

    def conclude(
        self, rows: Sequence[Row], run: Run, labels: Mapping[str, Any] | None = None
    ) -> Conclusion:
        """Return tables, summary and measures: of changes at spikes, if the loss is known."""
        names = {
            **(labels or {}),
            "filtration": self.filtration["name"],
            "reducer": self.reducer["name"],
        }
        conclude = _with_loss if run.has_every_loss else _without_loss
        return conclude(self.table(rows, names), run, names)

    def draw(self, tables: Mapping[str, pd.DataFrame], run: Run) -> Mapping[str, Figure]:
        """Draw complexes and curves; and around the largest spike, if the loss is known."""
        moments = _moments(run)
        shown = [step for step in moments if step in run.steps] or first_middle_last(run.steps)
        figures = {}
        loss = run.history.train_loss
        titles = [f"step {step}" for step in shown]
        if run.has_every_loss:
            figures["timeline"] = plot_spike_timeline(tables["results"], loss)
            titles = [
                f"step {step}{moments.get(step, '')}: loss {loss[step]:.2g}" for step in shown
            ]
        chosen = sorted({run.steps[0], *shown, run.steps[-1]})
        found = {step: self.checkpoint(run, step) for step in chosen}
        complexes = [found[step].complex for step in shown]
        if complexes[0].dim == 2:
            figures["complexes"] = plot_complexes(complexes, titles)
        diagrams = {step: self.diagrams(entry.subject).diagrams for step, entry in found.items()}
        curves = {step: drawn[0] for step, drawn in diagrams.items() if drawn}
        if curves:
            figures["betti_curves"] = plot_betti_curves(curves)
        return figures

    def exhibit(self, subject: Subject, dataset: Dataset) -> Exhibit:
        """Return the diagram of the first filtration."""
        diagrams = self.diagrams(subject).diagrams
        return Exhibit(diagram=diagrams[0] if diagrams else None)

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Test changes at spikes over the jobs that had them; of others there is nothing more."""
        part = sweep.measuring("n_spikes")
        if not len(part):
            return SweepConclusion()
        effects = part.table("associations")
        summary = sweep_summary(part.table(), effects, list(part.swept))
        return SweepConclusion(summary, {"associations": effects})


def _with_loss(table: pd.DataFrame, run: Run, names: Mapping[str, Any]) -> Conclusion:
    pandas = require("pandas", "the table of a run")
    loss = run.history.train_loss
    spikes = find_spikes(loss)
    table.insert(1, "is_regular", table["step"].isin(run.regular_steps))
    table.insert(2, "is_spike", table["step"].isin([spike.peak for spike in spikes]))
    table.insert(4, "log_excess", log_excess(loss)[table["step"]])
    effects = pandas.DataFrame(associations(table, loss)).assign(**names)
    by_signal = {str(row["signal"]): row for _, row in effects.iterrows()}
    cells = table["n_cells"]
    measures = {
        **{
            name: float(by_signal[signal][kind])
            for name, (signal, kind) in _AT_SPIKES.items()
            if signal in by_signal
        },
        "n_spikes": float(effects["n_spikes"].iloc[0]),
        "cells_end_over_start": float(cells.iloc[-1] / cells.iloc[0]),
        "train_loss": float(table["train_loss"].iloc[-1]),
    }
    summary = run_summary(table, effects, spikes)
    return Conclusion({"results": table, "associations": effects}, summary, measures)


def _without_loss(table: pd.DataFrame, run: Run, names: Mapping[str, Any]) -> Conclusion:
    measures = [name for name in _WITHOUT_LOSS if name in table.columns]
    meaning = (
        "[dim]boundary betti 0: components of the decision boundary; betti k peak value: where the "
        "k-th Betti curve is highest[/dim]"
    )
    # The squared error of outputs on targets, which says nothing of models trained by another.
    told = [name for name in measures if name != "train_loss" or run.dataset.classes is None]
    if "train_loss" in told:
        meaning += "[dim]; train loss: mean squared error[/dim]"
    shown = CheckpointAnalysis.at_first_middle_last(table, told[::-1], "Homology")
    return Conclusion({"results": table}, [*shown, meaning], last_values(table, measures))


def _moments(run: Run) -> dict[int, str]:
    """Return the steps to draw, each with what happens there: the largest spike, or nothing."""
    loss = run.history.train_loss
    spikes = find_spikes(loss) if run.has_every_loss else []
    if not spikes:
        return dict.fromkeys(first_middle_last(run.steps), "")
    spike = max(spikes, key=lambda spike: spike.excess)
    after = min(spike.stop + 1, len(loss) - 1)
    return {spike.start - 1: ", before", spike.peak: ", at the peak", after: ", after"}

"""Networks on segments between training points, along a run; for any number of inputs.

`relutopo.analyses.paths_summary` has the text of its summaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relutopo.analyses.base import Row, SweepTables
from relutopo.analyses.checkpoints import CheckpointAnalysis, last_values
from relutopo.analyses.paths_summary import run_summary, sweep_summary
from relutopo.analyses.rows import timed
from relutopo.checks import check_flag, check_integer
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.learning.rises import fit_step, rise
from relutopo.learning.runs import Run
from relutopo.networks.network import Network
from relutopo.paths.pairs import segment_pairs
from relutopo.paths.path_signatures import COLUMNS_OF_PATHS, path_signatures
from relutopo.paths.segments import Segments, segments
from relutopo.plots import plot_timeline
from relutopo.plots.segments import crossings_history, segment_history
from relutopo.reports.columns import Column
from relutopo.reports.conclusion import Conclusion, SweepConclusion
from relutopo.signatures.subject import Subject

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Paths"]


@dataclass(frozen=True)
class Paths(CheckpointAnalysis):
    """Numbers of segments between training points, without a complex; see `path_signatures`.

    Parameters
    ----------
    n : int
        Largest number of pairs of training points with equal labels, and with different labels.
    exact : bool, optional
        Whether segments that error bounds leave open are recomputed in integers. For convolutional
        networks a single segment between images with many equal pixels takes minutes, so by default
        this is done for perceptrons only; ``n_open`` counts the segments that stay open.
    n_threads : int, optional
        By default the number of cores.
    device : int, optional
        Number of an NVIDIA card that finds the knots; by default the processor does.
    seed : int
        Of the choice of pairs, which are the same at all checkpoints.
    domain, enumerator, max_cells, max_bytes, signatures
        See `CheckpointAnalysis`; the first four serve added signatures alone.

    Examples
    --------
    >>> from relutopo import as_network
    >>> from relutopo.learning.datasets import two_moons
    >>> kink = as_network(([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]]))
    >>> row = Paths(n=50).analyse(kink, two_moons(n=20)).row
    >>> row["label_status"], row["class_constant_same"], row["hamming_ratio"] < 1
    ('ok', 0.74, True)
    """

    n: int = 600
    exact: bool | None = None
    n_threads: int | None = None
    device: int | None = None

    columns = (
        Column("seconds_paths", "s", "wall-clock time of the segments"),
        Column("label_status", "text", '"ok", or why there are no pairs'),
        *COLUMNS_OF_PATHS,
    )
    of_conclusion = (
        Column(
            "fit_step",
            "steps",
            "of the whole run: first checkpoint with a train accuracy of 0.99 or more; NaN for "
            "never",
        ),
        Column(
            "held_out_half_rise",
            "steps",
            "of the whole run: where held-out accuracy is half way from the fit to its end; NaN "
            "where it does not rise",
        ),
    )
    measures = (
        "class_constant_same",
        "departure_same",
        "departure_ratio",
        "variation_diff",
        "jacobian",
        "crossing_ratio",
        "hamming_ratio",
        "midpoint_accuracy",
        "weight_norm",
        "logit_scale",
        "train_accuracy",
        "held_out_accuracy",
        "fit_step",
        "held_out_half_rise",
    )
    needs_complex = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("n", self.n, 1, remedy="600 are usual")
        if self.exact is not None:
            check_flag("exact", self.exact)
        if self.n_threads is not None:
            check_integer("n_threads", self.n_threads, 1, remedy="leave it out for all cores")
        if self.device is not None:
            check_integer("device", self.device, 0, remedy="device=0 is the first card")

    def check_conclusion(self, dataset: Dataset) -> None:
        """Raise an `InputError` for data without classes."""
        if dataset.classes is None or len(dataset.classes) < 2:
            came = "values" if dataset.classes is None else "1 class"
            raise InputError(
                f"the targets of `data` {dataset.name!r} must be labels of two classes or more, so "
                f"that there are pairs within and between classes, got {came}; pass labels"
            )

    def check_network(self, network: Network, dataset: Dataset) -> None:
        """Raise an `InputError` for networks with another number of outputs than classes."""
        n_classes = len(dataset.classes or ())
        fitting = {1, 2} if n_classes == 2 else {n_classes}
        if n_classes > 1 and network.n_outputs not in fitting:
            raise InputError(
                f"`model` must have an output for each of the {n_classes} classes of `data` "
                f"{dataset.name!r}, got {network.n_outputs}; pass the model that learned them"
            )

    def compute(self, subject: Subject, dataset: Dataset) -> Mapping[str, Any]:
        """Return the value of each column."""
        if dataset.classes is None:
            return {"label_status": "targets are values, not labels"}
        labels = dataset.class_numbers(subject.targets)
        sizes = np.bincount(labels)
        if sizes.max() < 2 or (sizes > 0).sum() < 2:
            return {"label_status": "no pairs within and between classes"}
        row: Row = {"label_status": "ok"}
        with timed(row, "paths"):
            row |= path_signatures(
                subject.network,
                subject.inputs,
                labels,
                n=self.n,
                seed=self.seed,
                exact=self.exact,
                n_threads=self.n_threads,
                device=self.device,
            )
        return row

    def conclude(
        self, rows: Sequence[Row], run: Run, labels: Mapping[str, Any] | None = None
    ) -> Conclusion:
        """Return the table, which number changed when, and measures."""
        table = self.table(rows, labels)
        fit = fit_step(table["step"], table["train_accuracy"])
        held_out = rise(table["step"], table["held_out_accuracy"], fit, is_accuracy=True)
        table = table.assign(fit_step=fit, held_out_half_rise=held_out.step)
        summary = run_summary(table, has_held_out=run.dataset.has_held_out)
        return Conclusion({"results": table}, summary, last_values(table, self.measures))

    def draw(self, tables: Mapping[str, pd.DataFrame], run: Run) -> Mapping[str, Figure]:
        """Draw the time line, if there are several checkpoints; crossings; and one segment.

        Crossings are those at the first checkpoint, at the fit and at the last one; the segment
        joins two points of one class, at the fit and at the end.
        """
        table = tables["results"]
        figures = {"timeline": plot_timeline(table)} if len(table) > 1 else {}
        steps = {run.steps[0]: "", run.steps[-1]: ""}
        fit = table["fit_step"].iloc[0]
        if np.isfinite(fit):
            steps |= {int(fit): ", the fit"}
        found = {step: self.segments(run.network(step), run.dataset) for step in sorted(steps)}
        labels = run.dataset.class_numbers(run.dataset.targets)
        figures["crossings"] = crossings_history(
            {f"step {step}{steps[step]}": one for step, one in found.items()}, labels
        )
        later = {step: one for step, one in found.items() if np.isnan(fit) or step >= fit}
        figures["segment"] = segment_history(
            {f"step {step}{steps[step]}": one for step, one in later.items()},
            _typical(next(iter(later.values())), labels),
        )
        return figures

    def segments(self, network: Network, dataset: Dataset) -> Segments:
        """Return the segments from which the numbers are computed, equal labels first."""
        labels = dataset.class_numbers(dataset.targets)
        pairs = [
            segment_pairs(dataset.points, labels, kind, n=self.n, seed=self.seed)
            for kind in ("within", "between")
        ]
        return segments(
            network,
            dataset.points,
            pairs=np.concatenate(pairs),
            exact=self.exact,
            device=self.device,
        )

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Show each setting with its spread over seeds."""
        return SweepConclusion(sweep_summary(sweep.table(), list(sweep.swept)))


def _typical(found: Segments, labels: NDArray[np.int64]) -> int:
    """Return the segment with equal labels that is in the middle by its departure from straight."""
    same = np.flatnonzero(found.same_label(labels))
    return int(same[np.argsort(found.departures[same])[len(same) // 2]])

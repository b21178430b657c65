"""Fiedler partitions along a run, against the data and the network's own decision.

`relutopo.analyses.partition_summary` has the text of its summaries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from relutopo.analyses.base import Row, SweepTables, choice_field
from relutopo.analyses.checkpoints import Analysed, CheckpointAnalysis, Exhibit, last_values
from relutopo.analyses.partition_summary import (
    GENERALISED,
    learning_steps,
    run_summary,
    sweep_summary,
)
from relutopo.analyses.points import HeldOut, check_points
from relutopo.analyses.rows import timed
from relutopo.errors import InputError
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.domain import Domain
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import distance_from, project_onto
from relutopo.learning.runs import Run
from relutopo.networks.network import Network
from relutopo.plots import plot_partition, plot_partition_history, plot_timeline
from relutopo.reports.columns import Column, column_of
from relutopo.reports.conclusion import Conclusion, SweepConclusion
from relutopo.reports.text import first_middle_last
from relutopo.signatures.decision_agreement import DecisionAgreement
from relutopo.signatures.fiedler_value import FiedlerValue
from relutopo.signatures.label_agreement import LabelAgreement
from relutopo.signatures.n_cells import NumbersOfCells
from relutopo.signatures.n_regions import NumberOfRegions
from relutopo.signatures.subject import Cut, Subject
from relutopo.spectral.agreement import label_agreement_if_any, settled
from relutopo.spectral.dual_graph import Adjacency
from relutopo.spectral.fiedler import FiedlerPartition

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["KINDS", "Partition", "Partitions"]

KINDS = ("weighted", "unweighted")
"""The partitions that are compared: regions weighed as the settings say, and all alike."""
_OF_SIGNATURES = (*FiedlerValue.columns, *LabelAgreement.columns, *DecisionAgreement.columns)
_OK = "ok"
_SHARED = ("purity", "n_crossed_regions")
"""What the complex and the points give alone: the same for both kinds."""


def _of_one_kind() -> tuple[Column, ...]:
    """Return the columns of one kind of partition, without the kind."""
    return (
        Column("status", "text", '"converged", or why there is no partition'),
        Column("method", "text", "what ran"),
        column_of(_OF_SIGNATURES, "fiedler_value"),
        Column("residual", "1", "true relative residual of the Fiedler vector"),
        column_of(_OF_SIGNATURES, "agreement"),
        Column("held_out_agreement", "1", "a measure: accuracy against the held-out labels"),
        Column("held_out_agreement_least", "1", "the least that any Fiedler vector has"),
        Column("held_out_agreement_greatest", "1", "the greatest that any Fiedler vector has"),
        *(
            column
            for column in _OF_SIGNATURES
            if column.name not in ("fiedler_value", "agreement", *_SHARED)
        ),
        Column("partition", "text", "digest of the sides"),
    )


def _columns() -> Iterator[Column]:
    yield Column("seconds_enumeration", "s", "wall-clock time of the complex")
    yield Column("seconds_graph", "s", "wall-clock time of graph and location of points")
    yield from NumberOfRegions.columns
    yield from NumbersOfCells.columns
    yield Column("n_edges", "edges", "edges of the dual graph")
    yield Column("enumerator", "text", "what cut the domain")
    yield Column("enumeration_status", "text", "whether the complex is certified")
    yield Column("n_uncertain", "signs", "signs that were decided exactly")
    yield Column("n_points_outside", "points", "training points outside the domain")
    yield Column("n_points_on_boundary", "points", "training points between regions")
    yield Column("points_distance", "input", "their median distance from the slice, or 0")
    yield Column("label_status", "text", '"ok", or why there is no agreement with labels')
    yield Column("decision_status", "text", '"ok", or why there is none with a decision')
    yield Column("largest_class", "1", "share of the larger class, which one side for all has")
    yield column_of(_OF_SIGNATURES, "purity")
    yield Column("held_out_purity", "1", "a measure: the same for held-out points")
    yield column_of(_OF_SIGNATURES, "n_crossed_regions")
    for kind in KINDS:
        for column in _of_one_kind():
            meaning = f"{column.meaning} ({kind} partition)"
            yield replace(column, name=f"{kind}_{column.name}", meaning=meaning)
        shared = ", with what both share" if kind == KINDS[0] else ""
        yield Column(f"seconds_{kind}", "s", f"wall-clock time of the {kind} partition{shared}")


@dataclass(frozen=True, eq=False, repr=False)
class Partitions:
    """Both partitions of one network.

    Attributes
    ----------
    complex : Cells
        Its complex.
    weighted, unweighted : FiedlerPartition or None
        None where there is none, and the row says why.
    row : mapping
        See `Partition.columns`.
    """

    complex: Cells
    weighted: FiedlerPartition | None
    unweighted: FiedlerPartition | None
    row: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Partitions(weighted={self.weighted!r}, unweighted={self.unweighted!r})"

    @property
    def partitions(self) -> Mapping[str, FiedlerPartition | None]:
        """Both by their kind, the unweighted one first."""
        return {"unweighted": self.unweighted, "weighted": self.weighted}


@dataclass(frozen=True)
class Partition(CheckpointAnalysis):
    """Fiedler partitions, weighted and unweighted, compared with labels and decisions.

    Parameters
    ----------
    eigensolver, vertex_weights, edge_weights : mapping
        ``name`` in the registry, and the options of its constructor.
    adjacency : {"facet", "hamming"}
        What joins two regions.
    component : {None, "largest"}
        What to partition of a disconnected graph: nothing, or its largest component.
    enumerator, domain, max_cells, max_bytes, seed, signatures
        See `CheckpointAnalysis`; the seed is that of the eigensolver's start.

    Examples
    --------
    >>> from relutopo import as_network
    >>> from relutopo.learning.datasets import two_moons
    >>> kink = as_network(([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]]))
    >>> found = Partition(enumerator={"name": "exact"}).analyse(kink, two_moons(n=20))
    >>> found.row["n_regions"], found.row["weighted_status"]
    (2, 'converged')
    """

    eigensolver: Mapping[str, Any] = choice_field("auto")
    vertex_weights: Mapping[str, Any] = choice_field("count_plus_one")
    edge_weights: Mapping[str, Any] = choice_field("unit")
    adjacency: Adjacency = "facet"
    component: Literal["largest"] | None = None

    columns = tuple(_columns())
    of_conclusion = (
        Column("adjacency", "text", "what joins two regions"),
        Column("vertex_weights", "text", "name of the vertex weights"),
        Column("edge_weights", "text", "name of the edge weights"),
        Column("eigensolver", "text", "name of the eigensolver that was asked for"),
        Column(
            "fitted_step",
            "steps",
            "of the whole run: first evaluated step with a train accuracy of 1; NaN for never",
        ),
        Column(
            "generalised_step",
            "steps",
            f"of the whole run: first evaluated step with a held-out accuracy of {GENERALISED} or "
            "more; NaN for never",
        ),
    )
    measures = (
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
        "delay",
    )

    def check(self, dataset: Dataset, domain: Domain) -> None:
        """Raise an `InputError` for data with no point in the domain."""
        check_points(dataset, domain)

    def check_conclusion(self, dataset: Dataset) -> None:
        """Raise an `InputError` for data of other than two classes, the held-out ones too."""
        for name, targets in (
            ("training", dataset.targets),
            *([("held-out", dataset.held_out_targets)] if dataset.has_held_out else []),
        ):
            found = _labels_in(dataset, targets)
            if len(found) != 2:
                listed = ", ".join(f"{x:.4g}" if isinstance(x, float) else str(x)
                                   for x in found[:5])  # fmt: skip
                remedy = (
                    "take the analysis classes, relutopo.Classes, for any number of them"
                    if len(found) > 2 and dataset.classes is not None
                    else "pass points of both classes"
                )
                raise InputError(
                    f"the {name} targets of `data` {dataset.name!r} must be labels of two classes "
                    f"to be compared with Fiedler partitions, got {len(found)}: {listed}"
                    f"{', ...' if len(found) > 5 else ''}; {remedy}, or analyse homology, which "
                    "needs no classes"
                )

    def check_network(self, network: Network, dataset: Dataset) -> None:
        """Raise an `InputError` for networks of more than two outputs on two classes."""
        n_classes = 0 if dataset.classes is None else len(dataset.classes)
        if network.n_outputs > 2 >= n_classes > 0:
            raise InputError(
                f"`model` must have 1 or 2 outputs to be compared with partitions, got "
                f"{network.n_outputs}; pass a model that outputs the difference of two of them, or "
                "analyse homology"
            )

    def cut(self, kind: str) -> Cut:
        """Return how the dual graph is partitioned, "weighted" or "unweighted"."""
        return self._cuts[kind]

    @cached_property
    def _cuts(self) -> Mapping[str, Cut]:
        how = self.edge_weights, self.eigensolver, self.adjacency, self.component
        weights = {"weighted": self.vertex_weights, "unweighted": "unweighted"}
        return {kind: Cut(chosen, *how) for kind, chosen in weights.items()}

    def compute(self, subject: Subject, dataset: Dataset) -> Mapping[str, Any]:
        """Return the value of each column."""
        row: Row = {}
        with timed(row, "enumeration"):
            complex_ = subject.complex
        with timed(row, "graph"):
            graph, regions = subject.graph(self.adjacency), subject.regions
        held_out = HeldOut(subject, dataset)
        row |= {**NumberOfRegions().compute(subject), **NumbersOfCells().compute(subject)}
        row |= {
            "n_edges": graph.n_edges,
            "enumerator": complex_.record.method,
            "enumeration_status": complex_.record.status,
            "n_uncertain": complex_.record.n_uncertain,
            "n_points_outside": int(np.count_nonzero(regions == OUTSIDE)),
            "n_points_on_boundary": int(np.count_nonzero(regions == ON_BOUNDARY)),
            "points_distance": distance_from(complex_.domain, dataset),
            "label_status": _label_status(dataset, subject, held_out),
            "decision_status": _decision_status(subject.network, dataset),
        }
        if row["label_status"].startswith(_OK):
            sizes = np.bincount(dataset.class_numbers(dataset.targets))
            row["largest_class"] = float(sizes.max() / sizes.sum())
        for kind in KINDS:
            with timed(row, kind):
                row |= self._of_kind(kind, subject, dataset, held_out, row)
        return row

    def _of_kind(
        self,
        kind: str,
        subject: Subject,
        dataset: Dataset,
        held_out: HeldOut,
        known: Mapping[str, Any],
    ) -> Row:
        part, status = subject.partition(self.cut(kind))
        own: Row = {"status": status}
        if part is not None:
            own |= {"method": part.method, "residual": part.residual, "partition": _digest(part)}
            own |= FiedlerValue.of(part)
            if known["decision_status"] == _OK:
                own |= DecisionAgreement.of(part, subject)
            if known["label_status"].startswith(_OK):
                own |= LabelAgreement.of(part, subject)
            if known["label_status"] == _OK:
                own |= _of_held_out(held_out, part)
        shared = {name: own.pop(name) for name in (*_SHARED, "held_out_purity") if name in own}
        return {f"{kind}_{name}": value for name, value in own.items()} | shared

    def conclude(
        self, rows: Sequence[Row], run: Run, labels: Mapping[str, Any] | None = None
    ) -> Conclusion:
        """Return the table, whether the partition follows the decision boundary, and measures."""
        table = self.table(rows, labels).assign(
            adjacency=self.adjacency,
            vertex_weights=self.vertex_weights["name"],
            edge_weights=self.edge_weights["name"],
            eigensolver=self.eigensolver["name"],
            **learning_steps(run.history),
        )
        has_held_out = run.dataset.has_held_out
        measures = last_values(table, self.measures[:-1])
        measures["delay"] = measures["generalised_step"] / max(measures["fitted_step"], 1.0)
        summary = run_summary(table, has_held_out=has_held_out)
        return Conclusion({"results": table}, summary, measures)

    def draw(self, tables: Mapping[str, pd.DataFrame], run: Run) -> Mapping[str, Figure]:
        """Draw three checkpoints and the time line, if there is more than one."""
        table = tables["results"]
        found = [self.checkpoint(run, step) for step in first_middle_last(run.steps)]
        dataset = project_onto(run.dataset, found[-1].complex.domain)
        figures = {"timeline": plot_timeline(table)} if len(table) > 1 else {}
        if dataset.dim != 2:
            return figures
        partitions = [self.partitions(entry) for entry in found]
        figures["partition_history"] = plot_partition_history(
            partitions, dataset.points, dataset.targets
        )
        last = partitions[-1].weighted
        if last is not None:
            figures["partition"] = plot_partition(last, dataset.points, dataset.targets)
        return figures

    def exhibit(self, subject: Subject, dataset: Dataset) -> Exhibit:
        """Return the weighted partition."""
        return Exhibit(partition=subject.partition(self.cut("weighted")).part)

    def partitions(self, found: Analysed) -> Partitions:
        """Return the partitions of a network that was analysed."""
        weighted, unweighted = (found.subject.partition(self.cut(kind)).part for kind in KINDS)
        return Partitions(found.complex, weighted, unweighted, found.row)

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Show each setting with its spread over seeds."""
        return SweepConclusion(sweep_summary(sweep.table(), list(sweep.swept)))


def _of_held_out(held_out: HeldOut, part: FiedlerPartition) -> Row:
    """Return the columns, if there are such points, and one of them in the partition."""
    if held_out.labels is None:
        return {}
    regions = settled(part, part.sides, held_out.points, held_out.regions)
    found = label_agreement_if_any(part, regions, held_out.labels)
    if found is None:
        return {}
    return {
        "held_out_agreement": found.accuracy,
        "held_out_agreement_least": found.accuracy_least,
        "held_out_agreement_greatest": found.accuracy_greatest,
        "held_out_purity": found.purity,
    }


def _labels_in(dataset: Dataset, targets: NDArray[np.float64]) -> list[Any]:
    """Return the different labels of targets, or their different values."""
    if dataset.classes is None:
        values: list[Any] = np.unique(targets).tolist()
        return values
    return [dataset.classes[k] for k in np.unique(dataset.class_numbers(targets))]


def _label_status(dataset: Dataset, subject: Subject, held_out: HeldOut) -> str:
    if dataset.classes is None:
        return "targets are values, not labels"
    if subject.labels is not None and held_out.labels is not None:
        return _OK
    for words, targets in (
        ("", dataset.targets),
        (f"{_OK}; held out ", dataset.held_out_targets),
    ):
        n = len(_labels_in(dataset, targets))
        if n != 2 and len(targets):
            return f"{words}{n} class{'es' * (n > 1)}"
    return _OK


def _decision_status(network: Network, dataset: Dataset) -> str:
    if dataset.classes is None:
        return "targets are values, not labels"
    return _OK if network.n_outputs <= 2 else f"{network.n_outputs} outputs"


def _digest(part: FiedlerPartition) -> str:
    digest = hashlib.sha256(np.packbits(part.sides > 0).tobytes())
    if part.n_open:
        digest.update(np.packbits(part.sides < 0).tobytes())
    return digest.hexdigest()[:12]

"""Partitions into as many parts as there are classes, along a run, with three kinds of weights.

`relutopo.analyses.classes_summary` has the text of its summaries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from relutopo.analyses.base import Row, SweepTables, choice_field
from relutopo.analyses.checkpoints import Analysed, CheckpointAnalysis, Exhibit, last_values
from relutopo.analyses.classes_summary import WEIGHTINGS, run_summary, sweep_summary
from relutopo.analyses.partition import Partition
from relutopo.analyses.partition_summary import learning_steps
from relutopo.analyses.points import HeldOut, check_points
from relutopo.analyses.rows import timed
from relutopo.checks import check_integer, check_number
from relutopo.errors import InputError
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.domain import Domain
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import project_onto
from relutopo.learning.runs import Run
from relutopo.networks.network import Network
from relutopo.plots import (
    plot_partition,
    plot_partition_history,
    plot_spectral_embedding,
    plot_timeline,
)
from relutopo.reports.columns import Column, column_of
from relutopo.reports.conclusion import Conclusion, SweepConclusion
from relutopo.reports.text import first_middle_last
from relutopo.signatures.n_cells import NumbersOfCells
from relutopo.signatures.n_regions import NumberOfRegions
from relutopo.signatures.subject import Choice, Cut, Subject
from relutopo.spectral.agreement import in_component
from relutopo.spectral.class_agreement import class_agreement, class_decision_agreement
from relutopo.spectral.dual_graph import Adjacency
from relutopo.spectral.spectral_partition import SpectralPartition

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Classes", "PartitionedClasses"]

_OF_A_KIND = (
    Column("status", "text", '"converged", or why there is no partition'),
    Column("method", "text", "eigensolver that ran"),
    Column("separation", "1", "λ_k / λ_{k+1}: small if the graph has k groups"),
    Column("is_unique", "1", "1 if the gap after λ_k decides on the parts, 0 if they are a choice"),
    Column("n_on_cut", "regions", "regions between parts, where nothing decides"),
    Column("agreement", "1", "share of training points in the part of their class, best matching"),
    Column("adjusted_rand_index", "1", "of parts and training labels"),
    Column("held_out_agreement", "1", "a measure: share of held-out points in their class's part"),
    Column("held_out_adjusted_rand_index", "1", "a measure: of parts and held-out labels"),
    Column("decision_by_points", "1", "share of training points in the part of their decision"),
    Column("decision_by_volume", "1", "the same of the volume of regions"),
    Column("partition", "text", "digest of the parts"),
)


def _columns() -> Iterator[Column]:
    yield Column("seconds_enumeration", "s", "wall-clock time of the complex")
    yield Column("seconds_graph", "s", "wall-clock time of graph and location of points")
    yield from NumberOfRegions.columns
    yield from NumbersOfCells.columns
    yield Column("n_edges", "edges", "edges of the dual graph")
    yield Column("enumerator", "text", "what cut the domain")
    yield Column("enumeration_status", "text", "whether the complex is certified")
    yield Column("n_points_outside", "points", "training points outside the domain")
    yield Column("n_points_on_boundary", "points", "training points between regions")
    yield Column("k", "parts", "parts of each partition")
    yield Column("label_status", "text", '"ok", or why there is no agreement with labels')
    yield Column("largest_class", "1", "share of the largest class, which one part for all has")
    yield Column("purity", "1", "best accuracy of any labelling of regions, on training points")
    yield Column("held_out_purity", "1", "a measure: the same for held-out points")
    for kind in WEIGHTINGS:
        for column in _OF_A_KIND:
            meaning = f"{column.meaning} ({kind.replace('_', ' ')})"
            yield replace(column, name=f"{kind}_{column.name}", meaning=meaning)
        yield Column(f"seconds_{kind}", "s", f"wall-clock time of the {kind} partition")


@dataclass(frozen=True, eq=False, repr=False)
class PartitionedClasses:
    """All partitions of one network.

    Attributes
    ----------
    complex : Cells
        Its complex.
    partitions : mapping of str to SpectralPartition or None
        By their weights; None where there is none, and the row says why.
    row : mapping
        See `Classes.columns`.
    """

    complex: Cells
    partitions: Mapping[str, SpectralPartition | None]
    row: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"PartitionedClasses({dict(self.partitions)!r})"


@dataclass(frozen=True)
class Classes(CheckpointAnalysis):
    """Spectral partitions in k parts, compared with any number of classes and with the decision.

    Three kinds of vertex weights are compared: none, 1 + count as in the paper (Bosca et al.,
    arXiv:2510.12700), and those of Chung and Langlands.

    Parameters
    ----------
    k : int, optional
        Number of parts, ≥ 2; by default the number of classes.
    scale : float
        Of the Chung-Langlands weights: weight of all data relative to all regions.
    rounding, eigensolver, edge_weights : mapping
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
    >>> from relutopo.learning.planar_classes import three_blobs
    >>> rays = as_network(([[[-1, 1.7], [1, 1.7], [0, -1]], np.eye(3)], [[0, 0, 0], [0, 0, 0]]))
    >>> found = Classes(enumerator={"name": "exact"}).analyse(rays, three_blobs(n=30))
    >>> found.row["k"], found.row["chung_langlands_status"]
    (3, 'converged')
    """

    k: int | None = None
    scale: float = 10.0
    rounding: Mapping[str, Any] = choice_field("auto")
    eigensolver: Mapping[str, Any] = choice_field("auto")
    edge_weights: Mapping[str, Any] = choice_field("unit")
    adjacency: Adjacency = "facet"
    component: Literal["largest"] | None = None

    columns = tuple(_columns())
    of_conclusion = tuple(
        column_of(Partition.of_conclusion, name)
        for name in ("adjacency", "edge_weights", "eigensolver", "fitted_step", "generalised_step")
    )
    measures = (
        *(f"{kind}_agreement" for kind in reversed(WEIGHTINGS)),
        *(f"{kind}_held_out_agreement" for kind in reversed(WEIGHTINGS)),
        "chung_langlands_decision_by_points",
        "chung_langlands_separation",
        "train_accuracy",
        "held_out_accuracy",
        "n_regions",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k is not None:
            check_integer("k", self.k, 2, remedy="leave it out for the number of classes")
        check_number("scale", self.scale, least=0, remedy="10 is usual")

    def check(self, dataset: Dataset, domain: Domain) -> None:
        """Raise an `InputError` for data with no point in the domain."""
        check_points(dataset, domain)

    def check_conclusion(self, dataset: Dataset) -> None:
        """Raise an `InputError` for data without classes."""
        if dataset.classes is None or len(dataset.classes) < 2:
            came = "values" if dataset.classes is None else "1 class"
            raise InputError(
                f"the targets of `data` {dataset.name!r} must be labels of two classes or more to "
                f"be compared with partitions, got {came}; pass labels, or analyse homology, which "
                "needs no classes"
            )

    def check_network(self, network: Network, dataset: Dataset) -> None:
        """Raise an `InputError` for networks with another number of outputs than classes."""
        n_classes = len(dataset.classes or ())
        fitting = {n_classes, 1} if n_classes == 2 else {n_classes}
        if n_classes and network.n_outputs not in fitting:
            raise InputError(
                f"`model` must have an output for each of the {n_classes} classes of `data` "
                f"{dataset.name!r}, got {network.n_outputs}; pass the model that learned them"
            )

    def cut(self, kind: str) -> Cut:
        """Return how the dual graph is weighed: one of the three kinds."""
        weights: Choice = kind
        if kind == "chung_langlands":
            weights = {"name": kind, "scale": self.scale}
        return Cut(weights, self.edge_weights, self.eigensolver, self.adjacency, self.component)

    def parts(self, subject: Subject, kind: str, k: int) -> SpectralPartition | None:
        """Return the partition of one kind, or none."""
        return subject.parts(self.cut(kind), k, self.rounding).part

    def compute(self, subject: Subject, dataset: Dataset) -> Mapping[str, Any]:
        """Return the value of each column."""
        row: Row = {}
        with timed(row, "enumeration"):
            complex_ = subject.complex
        with timed(row, "graph"):
            graph, regions = subject.graph(self.adjacency), subject.regions
        n_classes = len(dataset.classes or ())
        k = self.k or n_classes
        row |= {**NumberOfRegions().compute(subject), **NumbersOfCells().compute(subject)}
        row |= {
            "n_edges": graph.n_edges,
            "enumerator": complex_.record.method,
            "enumeration_status": complex_.record.status,
            "n_points_outside": int(np.sum(regions == OUTSIDE)),
            "n_points_on_boundary": int(np.sum(regions == ON_BOUNDARY)),
            "k": k,
            "label_status": _label_status(dataset),
        }
        if n_classes:
            sizes = np.bincount(dataset.class_numbers(dataset.targets))
            row["largest_class"] = float(sizes.max() / sizes.sum())
        held_out = HeldOut(subject, dataset)
        for kind in WEIGHTINGS:
            with timed(row, kind):
                row |= self._of_kind(kind, subject, dataset, held_out, k)
        return row

    def _of_kind(
        self, kind: str, subject: Subject, dataset: Dataset, held_out: HeldOut, k: int
    ) -> Row:
        if k < 2:
            return {f"{kind}_status": "no classes to count"}
        part, status = subject.parts(self.cut(kind), k, self.rounding)
        own: Row = {"status": status}
        shared: Row = {}
        if part is not None:
            own |= {
                "method": part.method,
                "separation": part.separation,
                "is_unique": float(part.is_unique),
                "n_on_cut": part.n_open,
                "partition": hashlib.sha256(part.parts.tobytes()).hexdigest()[:12],
            }
            has_labels = dataset.classes is not None
            if has_labels and in_component(part, subject.regions).any():
                labels = dataset.class_numbers(dataset.targets)
                found = class_agreement(part, subject.points, labels, subject.regions)
                decided = class_decision_agreement(part, subject.points, subject.regions)
                own |= {
                    "agreement": found.accuracy,
                    "adjusted_rand_index": found.adjusted_rand_index,
                    "decision_by_points": decided.by_points,
                    "decision_by_volume": decided.by_volume,
                }
                shared["purity"] = found.purity
            has_held_out = has_labels and dataset.has_held_out
            if has_held_out and in_component(part, held_out.regions).any():
                labels = dataset.class_numbers(dataset.held_out_targets)
                found = class_agreement(part, held_out.points, labels, held_out.regions)
                own |= {
                    "held_out_agreement": found.accuracy,
                    "held_out_adjusted_rand_index": found.adjusted_rand_index,
                }
                shared["held_out_purity"] = found.purity
        return {f"{kind}_{name}": value for name, value in own.items()} | shared

    def conclude(
        self, rows: Sequence[Row], run: Run, labels: Mapping[str, Any] | None = None
    ) -> Conclusion:
        """Return the table, whether the parts follow the classes, and measures."""
        table = self.table(rows, labels).assign(
            adjacency=self.adjacency,
            edge_weights=self.edge_weights["name"],
            eigensolver=self.eigensolver["name"],
            **learning_steps(run.history),
        )
        summary = run_summary(table, has_held_out=run.dataset.has_held_out, scale=self.scale)
        return Conclusion({"results": table}, summary, last_values(table, self.measures))

    def draw(self, tables: Mapping[str, pd.DataFrame], run: Run) -> Mapping[str, Figure]:
        """Draw three checkpoints, the last one, its nodes, and the time line if there are several.

        The last one and its nodes have Chung-Langlands weights.
        """
        table = tables["results"]
        figures = {"timeline": plot_timeline(table)} if len(table) > 1 else {}
        found = [self.checkpoint(run, step) for step in first_middle_last(run.steps)]
        dataset = project_onto(run.dataset, found[-1].complex.domain)
        partitioned = [self.partitioned(entry, run.dataset) for entry in found]
        last = partitioned[-1].partitions["chung_langlands"]
        if dataset.dim == 2:
            figures["partition_history"] = plot_partition_history(
                partitioned, dataset.points, dataset.targets
            )
            if last is not None:
                figures["partition"] = plot_partition(last, dataset.points, dataset.targets)
        if last is not None:
            figures["embedding"] = plot_spectral_embedding(last, dataset.points, dataset.targets)
        return figures

    def exhibit(self, subject: Subject, dataset: Dataset) -> Exhibit:
        """Return the partition with Chung-Langlands weights."""
        k = self.k or len(dataset.classes or ())
        return Exhibit(partition=self.parts(subject, "chung_langlands", k) if k > 1 else None)

    def partitioned(self, found: Analysed, dataset: Dataset) -> PartitionedClasses:
        """Return the partitions of a network that was analysed."""
        k = self.k or len(dataset.classes or ())
        partitions = {kind: self.parts(found.subject, kind, k) for kind in WEIGHTINGS}
        return PartitionedClasses(found.complex, partitions, found.row)

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Show each setting with its spread over seeds."""
        return SweepConclusion(sweep_summary(sweep.table(), list(sweep.swept)))


def _label_status(dataset: Dataset) -> str:
    return "targets are values, not labels" if dataset.classes is None else "ok"

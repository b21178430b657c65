"""Fiedler partitions along a training run: one flat row for each checkpoint.

How rows are kept stands in `relutopo.analyses.base`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relutopo.analyses.base import CheckpointSettings, analyse_checkpoints, named, timed
from relutopo.complex import CellComplex
from relutopo.errors import (
    DisconnectedGraphError,
    InputError,
    NoFiedlerVectorError,
    NotConvergedError,
    WeightsError,
)
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE
from relutopo.geometry.domain import Domain
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import distance_from, seen_on
from relutopo.learning.runs import TrainingRun
from relutopo.networks.network import Network
from relutopo.spectral.agreement import (
    Decision,
    decision_agreement,
    decision_of_regions,
    in_component,
    label_agreement_in,
)
from relutopo.spectral.dual_graph import Adjacency, DualGraph
from relutopo.spectral.fiedler import FiedlerPartition, fiedler_partition

__all__ = [
    "AnalysisSettings",
    "Signature",
    "analyse",
    "analyse_checkpoint",
    "analyse_run",
    "check",
]

_FAILURES = {
    NoFiedlerVectorError: "one region",
    DisconnectedGraphError: "disconnected graph",
    NotConvergedError: "not converged",
    WeightsError: "weights not positive",
}
_NUMBERS = (
    "fiedler_value", "residual", "agreement", "held_out_agreement", "adjusted_rand",
    "sweep_agreement", "decision_by_points", "decision_by_volume", "decision_by_regions",
    "cut_at_boundary", "boundary_at_cut",
)  # fmt: skip
"""Columns of one kind of partition; NaN where there is none, or no point in it."""


@dataclass(frozen=True)
class AnalysisSettings(CheckpointSettings):
    """How checkpoints are partitioned.

    Attributes
    ----------
    eigensolver, vertex_weights, edge_weights : mapping
        ``name`` in the registry, and the options of its constructor.
    adjacency : {"facet", "hamming"}
        What joins two regions.
    component : {None, "largest"}
        What to partition of a disconnected graph: nothing, or its largest component.
    enumerator, domain, max_cells, seed
        See `CheckpointSettings`; the seed is that of the eigensolver's start.
    """

    eigensolver: Mapping[str, Any] = named("auto")
    vertex_weights: Mapping[str, Any] = named("count_plus_one")
    edge_weights: Mapping[str, Any] = named("unit")
    adjacency: Adjacency = "facet"
    component: Literal["largest"] | None = None


@dataclass(frozen=True, eq=False)
class Signature:
    """What is known of one network on its data.

    Attributes
    ----------
    complex : CellComplex
        Its complex.
    graph : DualGraph
        The dual graph.
    weighted, unweighted : FiedlerPartition or None
        The partitions; None where there is none, and the row says why.
    row : dict
        The numbers, flat; see `analyse`.
    """

    complex: CellComplex
    graph: DualGraph
    weighted: FiedlerPartition | None
    unweighted: FiedlerPartition | None
    row: dict[str, Any]


def check(dataset: Dataset, domain: Domain) -> None:
    """Raise an `InputError` for data that cannot be compared with partitions of a domain.

    Parameters
    ----------
    dataset : Dataset
    domain : Domain
        What the settings make of it.
    """
    seen = seen_on(dataset, domain)
    for name, targets in (("training", seen.targets), ("held-out", seen.held_out_targets)):
        values = np.unique(targets)
        if values.tolist() != [-1, 1]:
            listed = ", ".join(f"{x:.4g}" for x in values[:5])
            raise InputError(
                f"the {name} targets of `data` {dataset.name!r} must be two classes, -1 and 1 (in "
                f"a file also 0 and 1), to be compared with partitions, got {len(values)}: "
                f"{listed}{', ...' if len(values) > 5 else ''}; pass points of both classes with "
                "these targets, or analyse homology, which needs no classes"
            )
    if not domain.contains(seen.points).any():
        raise InputError(
            f"`domain` must hold training points of `data` {dataset.name!r} to be compared with "
            f"partitions, got {domain!r} with none of {len(seen.points)}; choose another box, or "
            "domain=around_data"
        )


def analyse(network: Network, dataset: Dataset, settings: AnalysisSettings) -> Signature:
    """Decompose the plane of a network and compare its Fiedler partitions with the data.

    Parameters
    ----------
    network : Network
        With one output.
    dataset : Dataset
        Its training points weigh the regions and bound the domain; on a slice their projections
        take part.
    settings : AnalysisSettings

    Returns
    -------
    Signature
        The row has these columns, for both kinds of partition where they start with
        ``weighted_`` (also ``unweighted_``):

        ========================================= ==============================================
        n_regions, n_cells_0, n_cells_1, ...      cells of each dimension
        n_edges                                   of the dual graph
        enumerator, enumeration_status            what ran, and whether it is certified
        n_uncertain                               signs that were decided exactly
        n_points_outside, n_points_on_boundary    training points without a region
        points_distance                           their median distance from the slice; 0 if there
                                                  is none
        purity, held_out_purity                   bound of every agreement
        n_crossed_regions                         regions that the decision boundary crosses
        weighted_status, weighted_method          "converged" or why not, and what ran
        weighted_fiedler_value, weighted_residual the eigenvalue and its true relative residual
        weighted_agreement                        accuracy against the training labels
        weighted_held_out_agreement               accuracy against the held-out labels
        weighted_adjusted_rand                    adjusted Rand index, training labels
        weighted_sweep_agreement                  accuracy of the best threshold (picked by labels)
        weighted_decision_by_points               agreement with the network's decision, by data
        weighted_decision_by_volume, _by_regions  the same by area and by number of regions
        weighted_cut_at_boundary                  cut edges at regions that the boundary crosses
        weighted_boundary_at_cut                  crossed regions at which the cut passes
        weighted_partition                        digest of the sides
        seconds_enumeration, _graph, _weighted    wall-clock time of each stage
        ========================================= ==============================================

    Raises
    ------
    InputError
        If a setting or the data cannot be used.
    LimitReachedError
        If `max_cells` is reached.
    """
    row: dict[str, Any] = {}
    with timed(row, "enumeration"):
        complex_ = settings.decompose(network, dataset)
    distance = distance_from(complex_.domain, dataset)
    dataset = seen_on(dataset, complex_.domain)
    with timed(row, "graph"):
        graph = complex_.dual_graph(settings.adjacency)
        regions = complex_.locate(dataset.points)
    row |= {
        "n_regions": complex_.n_regions,
        **{f"n_cells_{k}": n for k, n in enumerate(complex_.n_cells)},
        "n_edges": graph.n_edges,
        "enumerator": complex_.record.method,
        "enumeration_status": complex_.record.status,
        "n_uncertain": complex_.record.n_uncertain,
        "n_points_outside": int(np.sum(regions == OUTSIDE)),
        "n_points_on_boundary": int(np.sum(regions == ON_BOUNDARY)),
        "points_distance": distance,
        **dict.fromkeys(("purity", "held_out_purity", "n_crossed_regions"), np.nan),
    }
    known = _Known(dataset, regions, complex_)
    parts: dict[str, FiedlerPartition | None] = {}
    for kind in ("weighted", "unweighted"):
        weights = settings.create("vertex_weights") if kind == "weighted" else "unweighted"
        with timed(row, kind):
            parts[kind], status = _partition(graph, dataset, settings, weights)
            row |= _columns(kind, parts[kind], status, known)
    return Signature(complex_, graph, parts["weighted"], parts["unweighted"], row)


@dataclass(frozen=True, eq=False)
class _Known:
    """What both kinds of partition are compared with; found once, when it is first needed."""

    dataset: Dataset
    regions: NDArray[np.int64]
    complex: CellComplex

    @cached_property
    def held_out_regions(self) -> NDArray[np.int64]:
        return self.complex.locate(self.dataset.held_out_points)

    @cached_property
    def decision(self) -> Decision:
        return decision_of_regions(self.complex)


def _partition(
    graph: DualGraph, dataset: Dataset, settings: AnalysisSettings, vertex_weights: Any
) -> tuple[FiedlerPartition | None, str]:
    """Return the partition; or none, and why: one bad checkpoint must not end a run."""
    try:
        part = fiedler_partition(
            graph,
            dataset.points,
            vertex_weights=vertex_weights,
            edge_weights=settings.create("edge_weights"),
            eigensolver=settings.create("eigensolver"),
            component=settings.component,
            seed=settings.seed,
        )
    except tuple(_FAILURES) as error:
        return None, _FAILURES[type(error)]
    return part, part.status


def _columns(
    kind: str, part: FiedlerPartition | None, status: str, known: _Known
) -> dict[str, Any]:
    own = {"status": status, "method": None, **dict.fromkeys(_NUMBERS, np.nan), "partition": None}
    shared: dict[str, Any] = {}  # the same for both kinds: the complex and the points give them
    if part is not None:
        dataset, decision = known.dataset, known.decision
        found = decision_agreement(part, dataset.points, regions=known.regions, decision=decision)
        own |= {
            "method": part.method,
            "fiedler_value": part.value,
            "residual": part.residual,
            "decision_by_points": found.by_points,
            "decision_by_volume": found.by_volume,
            "decision_by_regions": found.by_regions,
            "cut_at_boundary": found.cut_edges_at_boundary,
            "boundary_at_cut": found.crossed_regions_at_cut,
            "partition": hashlib.sha256(np.packbits(part.sides).tobytes()).hexdigest()[:12],
        }
        shared["n_crossed_regions"] = found.n_crossed
        if in_component(part, known.regions).any():
            labels = label_agreement_in(part, known.regions, dataset.targets)
            own |= {
                "agreement": labels.accuracy,
                "adjusted_rand": labels.adjusted_rand_index,
                "sweep_agreement": labels.sweep_accuracy,
            }
            shared["purity"] = labels.purity
        if in_component(part, known.held_out_regions).any():
            labels = label_agreement_in(part, known.held_out_regions, dataset.held_out_targets)
            own["held_out_agreement"] = labels.accuracy
            shared["held_out_purity"] = labels.purity
    return {f"{kind}_{name}": value for name, value in own.items()} | shared


def analyse_checkpoint(run: TrainingRun, step: int, settings: AnalysisSettings) -> Signature:
    """Analyse one checkpoint of a run.

    Parameters
    ----------
    run : TrainingRun
        Complete.
    step : int
        One of ``run.steps``.
    settings : AnalysisSettings

    Returns
    -------
    Signature
        The row starts with ``step`` and the four entries of `History.at`.
    """
    signature = analyse(run.checkpoint(step).network, run.dataset, settings)
    return replace(signature, row={"step": step, **run.history.at(step), **signature.row})


def analyse_run(
    run: TrainingRun, settings: AnalysisSettings, *, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Analyse every checkpoint of a run, or go on where an interrupted analysis stopped.

    Parameters
    ----------
    run : TrainingRun
        Complete.
    settings : AnalysisSettings
    progress : Progress, optional
        Called after each checkpoint with (checkpoints done, checkpoints, message).

    Returns
    -------
    list of dict
        One row for each checkpoint, in order; see `analyse_checkpoint`.

    Raises
    ------
    InputError
        If training has not finished, or a checkpoint or a row cannot be read.
    """
    return analyse_checkpoints(
        run, settings, lambda step: analyse_checkpoint(run, step, settings).row, progress
    )

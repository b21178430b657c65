"""Betti curves along a training run: one flat row for each checkpoint.

How rows are kept stands in `relutopo.analyses.base`. A random filtration is drawn several
times at each checkpoint, independently of all other checkpoints, so that its noise is the same at
all steps and shown beside the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relutopo.analyses.base import (
    CheckpointSettings,
    Row,
    analyse_checkpoints,
    named,
    timed,
)
from relutopo.complex import CellComplex
from relutopo.errors import InputError, NoDecisionBoundaryError
from relutopo.homology.decision_boundary import decision_boundary
from relutopo.homology.diagram import Diagram
from relutopo.homology.persistence import betti_numbers, filtration, persistence
from relutopo.homology.strategies import FiltrationStrategy
from relutopo.interfaces import Progress, Reducer
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import seen_on
from relutopo.learning.runs import TrainingRun
from relutopo.networks.network import Network

__all__ = [
    "HomologySettings",
    "HomologySignature",
    "analyse_homology",
    "analyse_homology_checkpoint",
    "analyse_homology_run",
]


@dataclass(frozen=True)
class HomologySettings(CheckpointSettings):
    """How the homology of checkpoints is computed.

    Attributes
    ----------
    reducer, filtration : mapping
        ``name`` in the registry, and the options of its constructor. The filtration
        "distance_to_data" takes ``points: training`` for the training points.
    n_filtrations : int
        How often a random filtration is drawn at each checkpoint; others are made once.
    enumerator, domain, max_cells, seed
        See `CheckpointSettings`; the seed is that of the filtrations.
    """

    reducer: Mapping[str, Any] = named("z2")
    filtration: Mapping[str, Any] = named("random_closure")
    n_filtrations: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.n_filtrations, int) or self.n_filtrations < 1:
            raise InputError(
                f"`n_filtrations` must be an integer ≥ 1, got {self.n_filtrations!r}; "
                "2 or more show the spread of a random filtration"
            )

    def strategy(self, dataset: Dataset) -> FiltrationStrategy:
        """Return the filtration strategy for a data set."""
        from_data = self.filtration.get("points") == "training"
        more = {"points": dataset.points} if from_data else {}
        strategy: FiltrationStrategy = self.create("filtration", **more)
        return strategy


@dataclass(frozen=True, eq=False)
class HomologySignature:
    """What the homology of one network's complex is.

    Attributes
    ----------
    complex : CellComplex
    diagrams : tuple of Diagram
        One for each filtration that was drawn; none where there is no filtration, and the row
        says why.
    row : dict
        The numbers, flat; see `analyse_homology`.
    """

    complex: CellComplex
    diagrams: tuple[Diagram, ...]
    row: Row


def analyse_homology(
    network: Network, dataset: Dataset, settings: HomologySettings, *, step: int = 0
) -> HomologySignature:
    """Decompose the domain of a network, filter the complex, and follow its Betti numbers.

    Parameters
    ----------
    network : Network
        With one output.
    dataset : Dataset
        Its training points bound the domain, unless the settings fix one; on a slice their
        projections take part.
    settings : HomologySettings
    step : int
        Takes part in the seeds of the filtrations.

    Returns
    -------
    HomologySignature
        The row has these columns; k is 0, ..., d - 1, and means over filtrations have their
        standard deviation (n - 1 in the denominator; NaN for one filtration) in a column that
        ends with ``_std``:

        ======================================= ==================================================
        n_cells_0, n_cells_1, ...               cells of each dimension
        n_cells, n_regions, euler               their sum, the last, and their alternating sum
        enumerator, enumeration_status          what ran, and whether it is certified
        betti_0, betti_1, ...                   Betti numbers of the whole complex
        boundary_betti_0, _1, ...               Betti numbers of the decision boundary {f = 0}
        method                                  what reduced the boundary matrices
        filtration_status                       "ok", or why there is none and the rest is NaN
        n_filtrations                           how many there are
        betti_k_peak_index                      cells that are in when the k-th curve peaks
        betti_k_peak_fraction                   the same, divided by the number of cells
        betti_k_peak_value                      the filtration value there
        betti_k_peak_height                     the Betti number there
        total_persistence_k                     sum of death minus birth, by value
        seconds_enumeration, seconds_homology   wall-clock time of each stage
        ======================================= ==================================================

    Raises
    ------
    InputError
        If a setting or the data cannot be used.
    LimitReachedError
        If `max_cells` is reached.
    """
    row: Row = {}
    with timed(row, "enumeration"):
        complex_ = settings.decompose(network, dataset)
    dataset = seen_on(dataset, complex_.domain)
    cells = complex_.n_cells
    row |= {f"n_cells_{k}": n for k, n in enumerate(cells)}
    row |= {
        "n_cells": sum(cells),
        "n_regions": cells[-1],
        "euler": sum((-1) ** k * n for k, n in enumerate(cells)),
        "enumerator": complex_.record.method,
        "enumeration_status": complex_.record.status,
    }
    with timed(row, "homology"):
        reducer: Reducer = settings.create("reducer")
        diagrams, status = _diagrams(complex_, dataset, settings, reducer, step)
        row |= {f"betti_{k}": b for k, b in enumerate(betti_numbers(complex_, reducer=reducer))}
        boundary = betti_numbers(decision_boundary(complex_), reducer=reducer)
        row |= {f"boundary_betti_{k}": b for k, b in enumerate(boundary[:-1])}
        row |= {
            "method": diagrams[0].reduction.method if diagrams else None,
            "filtration_status": status,
            "n_filtrations": len(diagrams),
        }
        row |= _over_filtrations(diagrams, complex_.dim)
    return HomologySignature(complex_, diagrams, row)


def _diagrams(
    complex_: CellComplex,
    dataset: Dataset,
    settings: HomologySettings,
    reducer: Reducer,
    step: int,
) -> tuple[tuple[Diagram, ...], str]:
    """Return the diagrams; or none, and why: one bad checkpoint must not end a run."""
    strategy = settings.strategy(dataset)
    n = settings.n_filtrations if strategy.random else 1
    seeds = np.random.SeedSequence((settings.seed, step)).generate_state(n)
    try:
        filtrations = [filtration(complex_, strategy, seed=int(seed)) for seed in seeds]
    except NoDecisionBoundaryError:
        return (), "no decision boundary"
    return tuple(persistence(complex_, entry, reducer=reducer) for entry in filtrations), "ok"


def _over_filtrations(diagrams: tuple[Diagram, ...], dim: int) -> Row:
    """Return mean and standard deviation of everything that depends on the filtration."""
    row: Row = {}

    def add(name: str, values: list[float]) -> None:
        row[name] = float(np.mean(values)) if values else float("nan")
        row[f"{name}_std"] = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    for k in range(dim):
        # Over values, classes between equal values do not exist: ties cannot move the peak.
        peaks = [diagram.betti_curve(k).peak() for diagram in diagrams]
        for name in ("index", "fraction", "value", "height"):
            add(f"betti_{k}_peak_{name}", [getattr(peak, name) for peak in peaks])
        add(f"total_persistence_{k}", [diagram.total_persistence(k) for diagram in diagrams])
    return row


def analyse_homology_checkpoint(
    run: TrainingRun, step: int, settings: HomologySettings
) -> HomologySignature:
    """Analyse one checkpoint of a run.

    Parameters
    ----------
    run : TrainingRun
        Complete.
    step : int
        One of ``run.steps``.
    settings : HomologySettings

    Returns
    -------
    HomologySignature
        The row starts with ``step``, ``train_loss`` and ``held_out_loss`` (NaN where it was not
        evaluated).
    """
    signature = analyse_homology(run.checkpoint(step).network, run.dataset, settings, step=step)
    history = run.history.at(step)
    losses = {name: history[name] for name in ("train_loss", "held_out_loss")}
    return replace(signature, row={"step": step, **losses, **signature.row})


def analyse_homology_run(
    run: TrainingRun, settings: HomologySettings, *, progress: Progress | None = None
) -> list[Row]:
    """Analyse every checkpoint of a run, or go on where an interrupted analysis stopped.

    Parameters
    ----------
    run : TrainingRun
        Complete.
    settings : HomologySettings
    progress : Progress, optional
        Called after each checkpoint with (checkpoints done, checkpoints, message).

    Returns
    -------
    list of dict
        One row for each checkpoint, in order; see `analyse_homology_checkpoint`.

    Raises
    ------
    InputError
        If training has not finished, or a checkpoint or a row cannot be read.
    """
    return analyse_checkpoints(
        run,
        settings,
        lambda step: analyse_homology_checkpoint(run, step, settings).row,
        progress,
    )

"""The cost of each step on a random network, and its growth with size over a sweep.

Nothing is trained. A sweep over widths, depths, dimensions, seeds and backends ends with power laws
of every step's cost, in a table and a figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from relutopo.analyses.base import Analysis, Row, SweepTables, Workplace, choice_field
from relutopo.checks import check_integer, check_number
from relutopo.decomposition import decompose
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.domain import Box
from relutopo.homology.boundary import boundary_matrix
from relutopo.homology.persistence import filtration
from relutopo.interfaces import Progress, checked_reduction
from relutopo.networks.perceptron import ReluNetwork
from relutopo.optional import require
from relutopo.plots import plot_scaling
from relutopo.reports.columns import Column, save_columns
from relutopo.reports.conclusion import Conclusion, SweepConclusion
from relutopo.reports.power_laws import fit_power_law
from relutopo.reports.tables import new_table, save_table
from relutopo.spectral.partitioner import fiedler_partition
from relutopo.system.blas import one_blas_thread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Scale", "laws"]

_Result = TypeVar("_Result")
_STEPS = {
    "enumeration": "n_regions",
    "graph": "n_regions",
    "fiedler": "n_regions",
    "filtration": "n_cells",
    "reduction": "n_cells",
}
"""For each step the size that its cost is fitted against."""
_KEYS = ("dim", "depth", "enumerator", "eigensolver", "reducer")
"""What must be equal for costs to lie on one curve; widths and seeds vary along it."""
_WARM_UP = 8
"""Width of the network that loads or compiles everything first."""


def _columns() -> Iterator[Column]:
    yield Column("width", "neurons", "neurons of each hidden layer")
    yield Column("depth", "layers", "hidden layers")
    yield Column("dim", "1", "inputs")
    yield Column("seed", "1", "seed of the network")
    yield Column("n_neurons", "neurons", "hidden neurons")
    for step in _STEPS:
        yield Column(f"seconds_{step}", "s", f"least wall-clock time of the step {step}")
    yield Column("n_regions", "regions", "regions in the domain")
    yield Column("n_cells", "cells", "cells of all dimensions")
    yield Column("n_edges", "edges", "edges of the dual graph")
    yield Column("enumerator", "text", "what cut the domain")
    yield Column("enumeration_status", "text", "whether the complex is certified")
    yield Column("n_uncertain", "signs", "signs that were decided exactly")
    yield Column("eigensolver", "text", "the eigensolver's name")
    yield Column("eigensolver_method", "text", "what ran")
    yield Column("fiedler_value", "1", "eigenvalue of the Fiedler vector, regions unweighted")
    yield Column("fiedler_residual", "1", "its true relative residual")
    yield Column("fiedler_iterations", "iterations", "iterations of the eigensolver")
    yield Column("reducer", "text", "the reducer's name")
    yield Column("reducer_method", "text", "what ran")
    yield Column("n_pairs", "pairs", "pairs of cells in the persistence")


@dataclass(frozen=True)
class Scale(Analysis):
    """Times each step on a random, untrained network.

    Parameters
    ----------
    eigensolver, reducer, filtration : mapping
        ``name`` in the registry, and the options of its constructor.
    width : int
        Neurons of each hidden layer.
    depth : int
        Hidden layers.
    dim : int
        Inputs.
    radius : float
        The domain is the box [-radius, radius]^dim.
    rounds : int
        How many times each step is timed after a warm-up; the least time counts.
    enumerator, max_cells, max_bytes, seed
        See `Analysis`; the seed is that of the network, of the eigensolver's start and of the
        filtration.

    Raises
    ------
    InputError
        If a number is not positive.

    Examples
    --------
    >>> row = Scale(enumerator={"name": "exact"}, width=2, rounds=1).measure()
    >>> row["n_neurons"], row["seconds_enumeration"] > 0
    (4, True)
    """

    eigensolver: Mapping[str, Any] = choice_field("arpack")
    reducer: Mapping[str, Any] = choice_field("z2")
    filtration: Mapping[str, Any] = choice_field("random_closure")
    width: int = 32
    depth: int = 2
    dim: int = 2
    radius: float = 10.0
    rounds: int = 3

    columns = tuple(_columns())
    measures = ("seconds", "n_regions", *(f"{step}_seconds" for step in _STEPS))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "depth", "dim", "rounds"):
            check_integer(name, getattr(self, name), 1, remedy="pass a positive number")
        check_number("radius", self.radius, above=0, remedy="pass a positive number")

    @property
    def network(self) -> ReluNetwork:
        """The network, with one output."""
        return random_network([self.dim, *[self.width] * self.depth, 1], self.seed, "uniform")

    @property
    def box(self) -> Box:
        """The box that it is decomposed on."""
        return Box(-self.radius, self.radius, dim=self.dim)

    def measure(self, progress: Progress | None = None) -> Row:
        """Time each step.

        Parameters
        ----------
        progress : Progress, optional
            Called after each step with (steps done, steps, message).

        Returns
        -------
        dict
            Sizes, for every step the least time ``seconds_<step>``, what ran and with what result.

        Raises
        ------
        LimitReachedError
            If `max_cells` or `max_bytes` is reached.
        NotConvergedError
            If the eigensolver stops before its tolerance.
        """
        points = self.filtration.get("points")
        if isinstance(points, str):
            raise InputError(
                f"`filtration` must have points that are there without training, got {points!r}; "
                "pass an array, or another filtration"
            )
        _measure(
            replace(self, width=_WARM_UP, depth=2, rounds=1, max_cells=None, max_bytes=None), None
        )
        return _measure(self, progress)

    def carry_out(self, place: Workplace) -> Conclusion:
        """Measure, and write the row as a table; nothing is trained."""
        with (
            one_blas_thread(),
            place.stage("measuring"),
            place.progress("measuring") as progress,
        ):
            row = self.measure(progress)
        pandas = require("pandas", "the table of a run")
        table = pandas.DataFrame([row])
        save_table(table, place.directory / "results")
        save_columns(self.columns_of_rows(), place.directory)
        costs = {f"{step}_seconds": row[f"seconds_{step}"] for step in _STEPS}
        summary = [
            "",
            f"{row['n_regions']} regions, {row['n_cells']} cells of all dimensions; seconds:",
            *(f"  {step}: {row[f'seconds_{step}']:.6f}" for step in _STEPS),
        ]
        total = {"seconds": sum(costs.values()), "n_regions": float(row["n_regions"])}
        return Conclusion({"results": table}, summary, {**total, **costs})

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Return the laws, a figure of them, and a summary."""
        table = sweep.table()
        fitted = laws(table)
        figure = plot_scaling(_panels(table), "regions; cells for filtration and reduction")
        figures = {"scaling": figure}
        if not len(fitted):
            words = ["[yellow]no curve has two sizes: measure several widths[/yellow]"]
            return SweepConclusion(words, figures=figures)
        varying = [key for key in _KEYS if fitted[key].nunique() > 1]
        grid = new_table(
            ("step", *varying),
            ("jobs", "size", "exponent", "µs at the largest", "spread"),
            title="Cost against size: seconds ≈ factor · size^exponent",
            wrap_numbers=True,
        )
        for _, law in fitted.iterrows():
            largest = law["factor"] * law["greatest"] ** (law["exponent"] - 1)
            grid.add_row(
                law["step"],
                *(str(law[key]) for key in varying),
                str(law["n_jobs"]),
                f"{law['least']}-{law['greatest']}",
                f"{law['exponent']:.2f}",
                f"{1e6 * largest:.3g}",
                f"{law['spread']:.2f}",
            )
        note = (
            "[dim]µs at the largest: by the law, for each region (for filtration and reduction "
            "each cell)[/dim]"
        )
        return SweepConclusion(["", grid, note], {"scaling": fitted}, figures)


def _measure(settings: Scale, progress: Progress | None) -> Row:
    network = settings.network
    row: Row = {
        "width": settings.width,
        "depth": settings.depth,
        "dim": settings.dim,
        "seed": settings.seed,
        "n_neurons": network.n_neurons,
    }

    def timed(step: str, function: Callable[[], _Result]) -> _Result:
        row[f"seconds_{step}"] = float("inf")
        for _ in range(settings.rounds):
            begin = time.perf_counter()
            result = function()
            seconds = time.perf_counter() - begin
            row[f"seconds_{step}"] = min(row[f"seconds_{step}"], seconds)
        if progress is not None:
            done = sum(f"seconds_{name}" in row for name in _STEPS)
            progress(done, len(_STEPS), step)
        return result

    enumerator, reducer = settings.create("enumerator"), settings.create("reducer")
    complex_ = timed(
        "enumeration",
        lambda: decompose(
            network,
            settings.box,
            enumerator=enumerator,
            max_cells=settings.max_cells,
            max_bytes=settings.max_bytes,
        ),
    )
    graph = timed("graph", complex_.dual_graph)
    part = timed(
        "fiedler",
        lambda: fiedler_partition(
            graph,
            vertex_weights="unweighted",
            eigensolver=settings.create("eigensolver"),
            seed=settings.seed,
        ),
    )
    strategy = settings.create("filtration")
    boundary = timed(
        "filtration",
        lambda: boundary_matrix(complex_, filtration(complex_, strategy, seed=settings.seed)),
    )
    reduction = checked_reduction(
        timed("reduction", lambda: reducer.reduce(boundary)), reducer, boundary
    )
    return row | {
        "n_regions": complex_.n_regions,
        "n_cells": sum(complex_.n_cells),
        "n_edges": graph.n_edges,
        "enumerator": complex_.record.method,
        "enumeration_status": complex_.record.status,
        "n_uncertain": complex_.record.n_uncertain,
        "eigensolver": settings.eigensolver["name"],
        "eigensolver_method": part.method,
        "fiedler_value": part.value,
        "fiedler_residual": part.residual,
        "fiedler_iterations": part.iterations,
        "reducer": settings.reducer["name"],
        "reducer_method": reduction.method,
        "n_pairs": len(reduction.pairs),
    }


def laws(table: pd.DataFrame) -> pd.DataFrame:
    """Fit the cost of every step against its size.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `Scale.measure`.

    Returns
    -------
    pandas.DataFrame
        One row for each step and each combination of dimension, depth and backends that was
        measured at two sizes at least: the power law seconds ≈ factor · size^exponent, its spread
        (see `relutopo.reports.power_laws.PowerLaw`), and the range of sizes.
    """
    pandas = require("pandas", "the table of a sweep")
    rows = []
    for setting, group in table.groupby(list(_KEYS), sort=True):
        for step, size in _STEPS.items():
            law = fit_power_law(group[size], group[f"seconds_{step}"])
            if law is not None:
                rows.append(
                    {
                        "step": step,
                        **dict(zip(_KEYS, setting, strict=True)),
                        "size": size,
                        "n_jobs": law.n,
                        "least": int(group[size].min()),
                        "greatest": int(group[size].max()),
                        "exponent": law.exponent,
                        "factor": law.factor,
                        "spread": law.spread,
                    }
                )
    fitted: pd.DataFrame = pandas.DataFrame(rows)
    return fitted


def _panels(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the curves of each step; only what can change its cost tells them apart."""
    backends = {"enumeration": "enumerator", "fiedler": "eigensolver", "reduction": "reducer"}
    panels: dict[str, dict[str, Any]] = {}
    for step, size in _STEPS.items():
        keys = ["dim", "depth", *([backends[step]] if step in backends else [])]
        panels[step] = {
            ", ".join(f"{key} {value}" if key in ("dim", "depth") else str(value)
                      for key, value in zip(keys, setting, strict=True)): (
                group[size].to_numpy(), group[f"seconds_{step}"].to_numpy()
            )
            for setting, group in table.groupby(keys, sort=True)
        }  # fmt: skip
    return panels

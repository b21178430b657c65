"""What `relutopo` does with ``analysis: scale``: it times each step on a random network.

Nothing is trained. A sweep over widths, depths, dimensions, seeds and backends ends with power laws
of every step's cost, in a table and a figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from relutopo.analyses.base import CheckpointSettings, Row, named
from relutopo.decomposition import decompose
from relutopo.gallery import RandomNetwork
from relutopo.homology.boundary import boundary_matrix
from relutopo.homology.persistence import filtration
from relutopo.interfaces import Progress, checked_reduction
from relutopo.optional import require
from relutopo.plots import plot_scaling, save_figure
from relutopo.reports.conclusion import Conclusion
from relutopo.reports.power_laws import fit_power_law
from relutopo.reports.tables import new_table, save_table
from relutopo.spectral.fiedler import fiedler_partition

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from relutopo.app.sweeps.sweep import Sweep

__all__ = ["MEASURES", "ScaleSettings", "conclude", "laws", "measure", "settings", "summarise"]

_Result = TypeVar("_Result")
_STEPS = {
    "enumeration": "n_regions",
    "graph": "n_regions",
    "fiedler": "n_regions",
    "filtration": "n_cells",
    "reduction": "n_cells",
}
"""For each step the size that its cost is fitted against."""
MEASURES = ("seconds", "n_regions", *(f"{step}_seconds" for step in _STEPS))
"""What a job measures, the most important first."""
_KEYS = ("dim", "depth", "enumerator", "eigensolver", "reducer")
"""What must be equal for costs to lie on one curve; widths and seeds vary along it."""
_WARM_UP = 8
"""Width of the network that loads or compiles everything first."""


@dataclass(frozen=True)
class ScaleSettings(CheckpointSettings):
    """What is timed.

    Attributes
    ----------
    eigensolver, reducer, filtration : mapping
        ``name`` in the registry, and the options of its constructor.
    scale : RandomNetwork
    enumerator, max_cells, seed
        See `CheckpointSettings`; the seed is that of the network, of the eigensolver's start and
        of the filtration.
    """

    eigensolver: Mapping[str, Any] = named("arpack")
    reducer: Mapping[str, Any] = named("z2")
    filtration: Mapping[str, Any] = named("random_closure")
    scale: RandomNetwork = field(default_factory=RandomNetwork)


def settings(values: Mapping[str, Any]) -> ScaleSettings:
    """Return the settings in a configuration."""
    names = (n for n in ScaleSettings.__dataclass_fields__ if n != "scale")
    chosen = ScaleSettings(
        **{name: values[name] for name in names}, scale=RandomNetwork(**values["scale"])
    )
    for role in ("enumerator", "eigensolver", "reducer", "filtration"):
        chosen.create(role)
    return chosen


def measure(settings: ScaleSettings, progress: Progress | None = None) -> Row:
    """Time each step on one random network.

    Parameters
    ----------
    settings : ScaleSettings
    progress : Progress, optional
        Called after each step with (steps done, steps, message).

    Returns
    -------
    dict
        Sizes (``n_neurons``, ``n_regions``, ``n_cells``, ``n_edges``), for every step the least
        time ``seconds_<step>``, what ran and with what result.

    Raises
    ------
    LimitReachedError
        If `max_cells` is reached.
    NotConvergedError
        If the eigensolver stops before its tolerance.
    """
    small = RandomNetwork(_WARM_UP, 2, settings.scale.dim, settings.scale.radius, 1)
    _measure(settings, small, None)
    return _measure(settings, settings.scale, progress)


def _measure(settings: ScaleSettings, scale: RandomNetwork, progress: Progress | None) -> Row:
    network = scale.create(settings.seed)
    row: Row = {
        "width": scale.width,
        "depth": scale.depth,
        "dim": scale.dim,
        "seed": settings.seed,
        "n_neurons": network.n_neurons,
    }

    def timed(step: str, function: Callable[[], _Result]) -> _Result:
        row[f"seconds_{step}"] = float("inf")
        for _ in range(scale.rounds):
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
            network, scale.domain, enumerator=enumerator, max_cells=settings.max_cells
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


def conclude(row: Row, directory: Path) -> Conclusion:
    """Write the row as a table; return the summary and the measures."""
    pandas = require("pandas", "the table of a run")
    table = pandas.DataFrame([row])
    save_table(table, directory / "results")
    costs = {f"{step}_seconds": row[f"seconds_{step}"] for step in _STEPS}
    lines = [
        "",
        f"{row['n_regions']} regions, {row['n_cells']} cells of all dimensions; seconds:",
        *(f"  {step}: {row[f'seconds_{step}']:.6f}" for step in _STEPS),
    ]
    total = {"seconds": sum(costs.values()), "n_regions": float(row["n_regions"])}
    return Conclusion(lines, {**total, **costs})


def laws(table: pd.DataFrame) -> pd.DataFrame:
    """Fit the cost of every step against its size.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `measure`.

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


def summarise(sweep: Sweep) -> list[RenderableType]:
    """Write the laws as ``scaling.parquet``, draw ``figures/scaling``, and return a summary."""
    table = sweep.table()
    fitted = laws(table)
    figure = plot_scaling(_panels(table), "regions; cells for filtration and reduction")
    save_figure(figure, sweep.directory / "figures" / "scaling")
    if not len(fitted):
        return ["[yellow]no curve has two sizes: sweep scale.width[/yellow]"]
    save_table(fitted, sweep.directory / "scaling")
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
    note = "µs at the largest: by the law, for each region (for filtration and reduction each cell)"
    return ["", grid, f"[dim]{note}[/dim]"]


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

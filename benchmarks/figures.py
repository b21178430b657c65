"""The figures of the page: cost against size."""

from __future__ import annotations

from pathlib import Path

from relutopo.plots import plot_scaling
from relutopo.system.files import atomic_write

from .rows import Row, Rows, curves, shape


def draw(rows: Rows, folder: Path) -> None:
    """Draw cost against size on logarithmic axes, with fitted laws."""
    every = [row for row in rows.parts.get("enumerators", []) if "result_bytes" in row]
    groups: dict[str, list[Row]] = {}
    for row in every:
        in_series = row["dim"] == 2 and len(row["shape"]) == 4
        groups.setdefault("[2,w,w,1]" if in_series else shape(row), []).append(row)
    if groups:
        _draw("enumeration", groups, "regions", folder / "benchmarks_enumeration.png")
    solvers = curves(rows)
    if solvers:
        _draw("Fiedler pair", solvers, "nodes", folder / "benchmarks_fiedler.png")


def _draw(title: str, curves: dict[str, list[Row]], size: str, path: Path) -> None:
    points = {
        name: ([row[f"n_{size}"] for row in every], [row["seconds"] for row in every])
        for name, every in curves.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = plot_scaling({title: points}, size)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})

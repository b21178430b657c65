"""The figures of the page: cost against size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relutopo.plots import plot_scaling
from relutopo.plots.style import PALETTE, new_figure, open_frame, style
from relutopo.system.files import atomic_write

from .rows import Row, Rows, curves, shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(rows: Rows, folder: Path) -> None:
    """Draw what a region costs, and cost against size on logarithmic axes with fitted laws."""
    networks = [row for row in rows.parts.get("enumerators", []) if _is_of_one_network(row)]
    if networks:
        _draw_networks(networks, folder / "benchmarks_enumeration.png")
    solvers = curves(rows)
    if solvers:
        _draw("Fiedler pair", solvers, "nodes", folder / "benchmarks_fiedler.png")


def _is_of_one_network(row: Row) -> bool:
    return any(key in row for key in ("result_bytes", "graph", "peer")) and "n_regions" in row


def _name(row: Row) -> str:
    if "lattice" in row:
        return f"lattice of {row['lattice']}, ties everywhere"
    return str(row.get("graph") or shape(row))


def _compared(row: Row) -> tuple[str, float] | None:
    """Return a peer or floor of a row, and its seconds a region."""
    if "peer" in row:
        return row["peer"]["name"], row["peer"]["seconds"] / row["n_regions"]
    if "floor" in row:
        return row["floor"], 1e-6 * row["floor_microseconds"]
    return None


def _draw_networks(rows: list[Row], path: Path) -> None:
    """Draw the time that a region of each network takes, beside its peer or floor."""
    rows = sorted(rows, key=lambda row: row["seconds"] / row["n_regions"], reverse=True)
    with style():
        figure = new_figure(7.2, 0.24 * len(rows) + 1.3, layout="constrained")
        ax = figure.subplots()
        for i, row in enumerate(rows):
            seconds, other = row["seconds"] / row["n_regions"], _compared(row)
            if other is not None:
                ax.plot([1e6 * seconds, 1e6 * other[1]], [i, i], color="0.8", zorder=1)
                ax.plot(1e6 * other[1], i, "D", color=PALETTE[1], fillstyle="none", markersize=4)
                is_above = other[1] > seconds
                ax.annotate(
                    other[0],
                    (1e6 * max(seconds, other[1]), i),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize="x-small",
                    color=PALETTE[1] if is_above else "0.4",
                )
            ax.plot(1e6 * seconds, i, "o", color=PALETTE[0], markersize=4)
        names = [f"{_name(row)}  ({row['n_regions']:,} regions)" for row in rows]
        ax.set_yticks(range(len(rows)), names, fontsize="x-small")
        ax.set_xscale("log")
        ax.margins(x=0.05, y=0.03)
        low, high = ax.get_xlim()
        ax.set_xlim(low, 30 * high)  # room for the names of peers
        ax.set_xlabel("microseconds a region")
        ax.set_title("enumeration: dots, beside peers and floors: diamonds")
        open_frame(ax, grid="x")
        _save(figure, path)


def _draw(title: str, curves: dict[str, list[Row]], size: str, path: Path) -> None:
    points = {
        name: ([row[f"n_{size}"] for row in every], [row["seconds"] for row in every])
        for name, every in curves.items()
    }
    _save(plot_scaling({title: points}, size), path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})

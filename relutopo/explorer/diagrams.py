"""The data of a persistence diagram in a page: classes, representatives, and when cells enter.

Invariant: a class is numbered by the cell that creates it, as in
`relutopo.homology.diagram.Diagram`; if a class has no representative here, it has none in the page,
and the frame says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError
from relutopo.explorer.scene import Quantity
from relutopo.geometry.cells import CellLists
from relutopo.homology.diagram import Diagram
from relutopo.homology.filtration import Filtration

__all__ = ["MOST_CYCLE_CELLS", "complex_of", "parts_of_diagram", "quantity_of_entry"]

MOST_CYCLE_CELLS = 200_000
"""Cells of all representatives of a frame together; the most persistent classes come first."""


def parts_of_diagram(
    diagram: Diagram, most_cells: int = MOST_CYCLE_CELLS
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays and facts of a frame that shows a diagram.

    Parameters
    ----------
    diagram : Diagram
        With its complex and its filtration.
    most_cells : int
        Cells of all representatives together.
    """
    filtration, degrees = _filtration_of(diagram), range(diagram.dim + 1)
    found = [_classes(diagram, degree) for degree in degrees]
    births, deaths, numbers = (np.concatenate([entry[k] for entry in found]) for k in range(3))
    of_degree = np.repeat(np.arange(len(found), dtype=np.int8), [len(entry[0]) for entry in found])
    sizes = np.concatenate([np.diff(entry[3]) for entry in found])
    cells = [entry[4][a:b] for entry in found for a, b in zip(entry[3], entry[3][1:], strict=False)]
    with np.errstate(invalid="ignore"):
        by_persistence = np.argsort(-(deaths - births), kind="stable")
    kept = np.zeros(len(sizes), dtype=np.bool_)
    kept[by_persistence[np.cumsum(sizes[by_persistence]) <= most_cells]] = True
    chosen = [entry if is_kept else entry[:0] for entry, is_kept in zip(cells, kept, strict=True)]
    offsets = np.concatenate([[0], np.cumsum([len(entry) for entry in chosen])])
    starts = np.concatenate([[0], np.cumsum(filtration.n_cells)])
    last = diagram.dim
    arrays: dict[str, NDArray[Any]] = {
        "classes:births": births,
        "classes:deaths": deaths,
        "classes:numbers": numbers,
        "classes:degrees": of_degree,
        "cycles:offsets": offsets,
        "cycles:cells": np.concatenate([np.zeros(0, dtype=np.int64), *chosen]),
    }
    for name, dim in (("vertices", 0), ("facets", last - 1), ("regions", last)):
        arrays[f"entry:{name}"] = filtration.values[starts[dim] : starts[dim + 1]]
    note = f"Filtration: {filtration.name.replace('_', ' ')}."
    if filtration.seed is not None:
        note += f" It is random, with seed {filtration.seed}."
    if not kept.all():
        note += (
            f" The {int((~kept).sum())} classes that persist least have no representative here, "
            "which would make the page too large."
        )
    return arrays, {"diagram": {"filtration": filtration.name, "note": note}}


def complex_of(diagram: Diagram) -> CellLists:
    """Return the complex of a diagram.

    Raises
    ------
    InputError
        If the diagram was made without one.
    """
    if diagram.complex_ is None:
        raise _without_complex()
    return diagram.complex_


def _filtration_of(diagram: Diagram) -> Filtration:
    if diagram.filtration is None:
        raise _without_complex()
    return diagram.filtration


def _without_complex() -> InputError:
    return InputError(
        "`x` must be a diagram that knows its complex and its filtration, got one without; take it "
        "from relutopo.persistence"
    )


def quantity_of_entry(values: NDArray[np.float64]) -> Quantity:
    """Return when each region enters the filtration, as a quantity of the map."""
    numbers = np.where(np.isfinite(values), values, np.nan)  # others have no place in colours
    return Quantity(
        "entry", "enters at", numbers, "1", "The value at which the region enters the filtration."
    )


def _classes(diagram: Diagram, degree: int) -> tuple[NDArray[Any], ...]:
    """Return births, deaths and numbers of classes that last, and their cells as lists."""
    cycles = diagram.representatives(degree)
    births, deaths = np.asarray(cycles.births), np.asarray(cycles.deaths)
    lasts = births < deaths
    sizes = np.diff(cycles.indptr)
    cells = cycles.cells[np.repeat(lasts, sizes)]
    offsets = np.concatenate([[0], np.cumsum(sizes[lasts])])
    return births[lasts], deaths[lasts], np.asarray(cycles.pairs)[lasts, 0], offsets, cells

"""Tables of a search for regions: of its regions, and of points in them.

Invariant: every column is declared here as a `Column`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_points
from relutopo.geometry.margins import margins_of
from relutopo.optional import require
from relutopo.reports.columns import Column
from relutopo.spectral.dual_graph import DualGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS_OF_SEARCH", "COLUMNS_OF_SEARCH_POINTS", "search_points_table", "search_table"]

COLUMNS_OF_SEARCH = (
    Column("region", "region", "its number in the search, in the order in which it was entered"),
    Column("n_active", "neurons", "neurons that are on"),
    Column(
        "inradius",
        "input",
        "radius of a largest ball in the region, within the domain, rounded down: a ball of this "
        "radius around its interior point lies in the region for certain",
    ),
    Column("most_inradius", "input", "certain upper bound of the radius of any ball in the region"),
    Column("n_walls", "walls", "walls inside the domain, each proved"),
    Column("visits", "1", "how many times walkers were there; only with a random walk"),
    Column("n_neighbours", "regions", "regions behind its walls that were entered as well"),
    Column("n_points", "points", "points in the region; only where points are given"),
    Column(
        "least_margin",
        "input",
        "least distance of these points from a wall; NaN in a region without points",
    ),
)
"""What `RegionSearch.table` has."""
COLUMNS_OF_SEARCH_POINTS = (
    Column("point", "point", "its number among the points"),
    Column(
        "region",
        "region",
        "region of the point in the search; -3: none that was entered, -2: on a wall, -1: "
        "outside the domain",
    ),
    Column(
        "margin",
        "input",
        "distance of the point from the nearest wall, rounded down: certainly no neuron changes "
        "its sign nearer than that; sides of the domain are no walls",
    ),
    Column("most_margin", "input", "a bound of that distance from above"),
    Column("layer", "layer", "layer of the neuron whose wall is nearest, from 0; -1 if none is"),
    Column("unit", "unit", "its number in the layer, from 0; -1 if none is"),
    Column("inradius", "input", "that of the region; NaN for points in no region that was entered"),
    Column("n_walls", "walls", "walls of the region; -1 for points in no region that was entered"),
)
"""What `RegionSearch.points_table` has."""


def search_table(
    graph: DualGraph, known: Mapping[str, NDArray[Any]], points: ArrayLike | None
) -> pd.DataFrame:
    """Return a table of the regions; see `relutopo.RegionSearch.table`.

    Parameters
    ----------
    graph : DualGraph
        With regions.
    known : mapping of str to (n_regions,) ndarray
        Columns from the search itself.
    points : (n, d) array_like or None
    """
    pandas = require("pandas", "RegionSearch.table")
    n = graph.n_nodes
    values: dict[str, Any] = {
        "region": np.arange(n),
        **known,
        "n_neighbours": np.bincount(graph.edges.ravel(), minlength=n),
    }
    if points is not None:
        assert graph.regions is not None
        x = as_points(points, graph.regions.domain.dim)
        regions = graph.locate(x)
        inside = regions >= 0
        margins = np.full(n, np.nan)
        found = margins_of(graph.regions.network, x[inside]).margins
        np.fmin.at(margins, regions[inside], found)
        values |= {
            "n_points": np.bincount(regions[inside], minlength=n),
            "least_margin": margins,
        }
    table: pd.DataFrame = pandas.DataFrame(values)
    return table


def search_points_table(
    graph: DualGraph,
    inradii: NDArray[np.float64],
    n_walls: NDArray[np.int64],
    points: ArrayLike,
) -> pd.DataFrame:
    """Return a table of points; see `relutopo.RegionSearch.points_table`.

    Parameters
    ----------
    graph : DualGraph
        With regions.
    inradii, n_walls : (n_regions,) ndarrays
    points : (n, d) array_like
    """
    pandas = require("pandas", "RegionSearch.points_table")
    assert graph.regions is not None
    network = graph.regions.network
    x = as_points(points, network.input_dim)
    regions = graph.locate(x)
    margins = margins_of(network, x)
    is_some = margins.neurons >= 0
    layers, units = np.full(len(x), -1), np.full(len(x), -1)
    if is_some.any():
        layers[is_some], units[is_some] = np.array(network.names_of(margins.neurons[is_some])).T
    known = regions >= 0
    table: pd.DataFrame = pandas.DataFrame(
        {
            "point": np.arange(len(x)),
            "region": regions,
            "margin": margins.margins,
            "most_margin": margins.most_margins,
            "layer": layers,
            "unit": units,
            "inradius": np.where(known, inradii[np.where(known, regions, 0)], np.nan),
            "n_walls": np.where(known, n_walls[np.where(known, regions, 0)], -1),
        }
    )
    return table

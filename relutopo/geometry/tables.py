"""Tables of a complex: its regions, and its neurons.

Invariant: every column of a table is declared here as a `Column`; ``{i}`` in its name stands for an
axis of the domain, ``{j}`` for an output, both from 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_points
from relutopo.geometry.cells import Cells
from relutopo.geometry.location import locate
from relutopo.optional import require
from relutopo.reports.columns import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS_OF_NEURONS", "COLUMNS_OF_REGIONS", "neurons_table", "regions_table"]

_MOST_NUMBERS = 12
"""Of an affine map that is written in a row."""
_MOST_BITS = 64
"""Of a pattern that is written in a row."""
_BITS_AT_ONCE = 2**24

COLUMNS_OF_REGIONS = (
    Column("region", "region", "its number in the complex"),
    Column(
        "pattern", "text", f"its neurons by layer, 1 is on; left out beyond {_MOST_BITS} neurons"
    ),
    Column("n_active", "neurons", "neurons that are on"),
    Column("volume", "volume", "its d-dimensional volume: length for d = 1, area for d = 2"),
    Column(
        "is_at_border",
        "1",
        "whether a facet lies on a side of the domain, beyond which the region may continue; the "
        "others are bounded",
    ),
    Column("n_facets", "facets", "its facets, those on sides of the domain included"),
    Column("n_neighbours", "regions", "regions behind its facets"),
    Column("centroid_{i}", "input", "coordinate i of its centre of mass"),
    Column("output_{j}", "output", "output j of the network at the centre, before a link"),
    Column(
        "slope_{j}_{i}",
        "output / input",
        "how output j changes along axis i in the region: the entry of A in f(x) = A x + c; left "
        f"out where A and c have more than {_MOST_NUMBERS} numbers",
    ),
    Column("offset_{j}", "output", "the entry of c, likewise"),
    Column("n_points", "points", "points in the region; only where points are given"),
)
"""What `CellComplex.regions_table` has."""
COLUMNS_OF_NEURONS = (
    Column("layer", "layer", "layer of the neuron, from 0"),
    Column("unit", "unit", "its number in the layer, from 0"),
    Column("is_dead", "1", "whether it is off everywhere in the domain"),
    Column("is_always_on", "1", "whether it is on everywhere in the domain"),
    Column("active_volume", "share", "share of the domain's volume where it is on"),
    Column("n_facets", "facets", "facets at which it changes its sign"),
    Column("facet_measure", "(d-1)-volume", "measure of these facets: their length in the plane"),
    Column(
        "same_as",
        "text",
        "first other neuron, as (layer, unit), that is on in the same regions; empty for a neuron "
        "that is dead or always on",
    ),
    Column("opposite_of", "text", "first neuron that is on in the other regions, likewise"),
    Column("active_points", "share", "share of the points where it is on; only with points"),
    Column("is_dead_on_points", "1", "whether it is on at none of the points; only with points"),
    Column("is_always_on_on_points", "1", "whether it is on at all points; only with points"),
)
"""What `CellComplex.neurons_table` has."""


def regions_table(complex_: Cells, points: ArrayLike | None = None) -> pd.DataFrame:
    """Return a table with a row for each region; see `CellComplex.regions_table`."""
    pandas = require("pandas", "a table of regions")
    network, regions = complex_.network, np.arange(complex_.n_regions)
    values: dict[str, Any] = {"region": regions}
    if network.n_neurons <= _MOST_BITS:
        values["pattern"] = _patterns_as_text(complex_)
    owners = complex_.facet_regions
    inner = owners[:, 1] >= 0
    n_sides = np.bincount(owners[~inner, 0], minlength=complex_.n_regions)
    n_facets = np.diff(complex_.facets[-1][0])
    values |= {
        "n_active": complex_.patterns.sum(axis=1),
        "volume": complex_.volumes,
        "is_at_border": n_sides > 0,
        "n_facets": n_facets,
        "n_neighbours": n_facets - n_sides,
    }
    for i, column in enumerate(complex_.centroids.T):
        values[f"centroid_{i}"] = column
    for j, column in enumerate(network(complex_.centroids).T):
        values[f"output_{j}"] = column
    if network.n_outputs * (complex_.dim + 1) <= _MOST_NUMBERS:
        slopes, offsets = complex_.output_maps()
        for j in range(network.n_outputs):
            for i in range(complex_.dim):
                values[f"slope_{j}_{i}"] = slopes[:, j, i]
        for j in range(network.n_outputs):
            values[f"offset_{j}"] = offsets[:, j]
    if points is not None:
        found = locate(complex_, points)
        values["n_points"] = np.bincount(found[found >= 0], minlength=complex_.n_regions)
    table: pd.DataFrame = pandas.DataFrame(values)
    return table


def _patterns_as_text(complex_: Cells) -> list[str]:
    """Return the pattern of each region as 0 and 1, with a bar between layers.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0]], [[1.0], [2.0]], [[1.0, 1.0]]], [[0.0], [-0.5, 1.0], [0.0]])
    >>> _patterns_as_text(rt.decompose(net, rt.Box(-1, 1), enumerator="exact"))
    ['0|01', '1|01', '1|11']
    """
    bits = np.where(complex_.patterns, "1", "0")
    bars = list(complex_.network.layer_offsets[1:-1])
    rows: NDArray[np.str_] = np.insert(bits, bars, "|", axis=1)
    return ["".join(row) for row in rows.tolist()]


def neurons_table(complex_: Cells, points: ArrayLike | None = None) -> pd.DataFrame:
    """Return a table with a row for each neuron; see `CellComplex.neurons_table`."""
    pandas = require("pandas", "a table of neurons")
    patterns, network = complex_.patterns, complex_.network
    names = network.names_of(np.arange(network.n_neurons))
    volumes = complex_.volumes
    n_facets, measures = _facets_of_neurons(complex_)
    n_active_regions = patterns.sum(axis=0)
    is_dead, is_always_on = n_active_regions == 0, n_active_regions == complex_.n_regions
    is_fixed = is_dead | is_always_on
    same, opposite = _twins(patterns, is_fixed)
    values: dict[str, Any] = {
        "layer": [layer for layer, _ in names],
        "unit": [unit for _, unit in names],
        "is_dead": is_dead,
        "is_always_on": is_always_on,
        "active_volume": np.where(is_always_on, 1.0, volumes @ patterns / volumes.sum()),
        "n_facets": n_facets,
        "facet_measure": measures,
        "same_as": ["" if twin is None else str(names[twin]) for twin in same],
        "opposite_of": ["" if twin is None else str(names[twin]) for twin in opposite],
    }
    if points is not None:
        x = as_points(points, network.input_dim)
        is_on = network.signs(x) > 0
        values |= {
            "active_points": is_on.mean(axis=0) if len(x) else np.full(len(names), np.nan),
            "is_dead_on_points": ~is_on.any(axis=0),
            "is_always_on_on_points": is_on.all(axis=0),
        }
    table: pd.DataFrame = pandas.DataFrame(values)
    return table


def _facets_of_neurons(complex_: Cells) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return at how many facets each neuron changes its sign, and the measure of them all."""
    n_neurons = complex_.network.n_neurons
    counts, measures = np.zeros(n_neurons, dtype=np.int64), np.zeros(n_neurons)
    inner = np.flatnonzero(complex_.facet_regions[:, 1] >= 0)
    step = max(1, _BITS_AT_ONCE // max(1, n_neurons))
    for first in range(0, len(inner), step):
        cells = inner[first : first + step]
        low, high = complex_.facet_regions[cells].T
        changes = complex_.patterns[low] != complex_.patterns[high]
        counts += changes.sum(axis=0)
        measures += complex_.facet_measures[cells] @ changes
    return counts, measures


def _twins(
    patterns: NDArray[np.bool_], is_fixed: NDArray[np.bool_]
) -> tuple[list[int | None], list[int | None]]:
    """Return for each neuron the first other one that is on in the same regions, and opposite."""
    columns, inverted = np.packbits(patterns, axis=0).T, np.packbits(~patterns, axis=0).T
    by_pattern: dict[bytes, list[int]] = {}
    for neuron in np.flatnonzero(~is_fixed).tolist():
        by_pattern.setdefault(columns[neuron].tobytes(), []).append(neuron)
    same: list[int | None] = []
    opposite: list[int | None] = []
    for neuron, fixed in enumerate(is_fixed.tolist()):
        alike = [] if fixed else by_pattern[columns[neuron].tobytes()]
        other = [] if fixed else by_pattern.get(inverted[neuron].tobytes(), [])
        same.append(next((twin for twin in alike[:2] if twin != neuron), None))
        opposite.append(other[0] if other else None)
    return same, opposite

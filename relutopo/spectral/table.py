"""The table of a partition: its regions, and the points in them.

Invariant: every column is declared here as a `Column`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Labels, as_array, as_labels
from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.reports.columns import Column
from relutopo.spectral.agreement import Divided, decision_of_regions
from relutopo.spectral.given_graph import GivenGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS_OF_PARTS", "COLUMNS_OF_SIDES", "partition_table"]

_NODE = (
    Column("region", "region", "its number in the graph"),
    Column("node", "text", "name of the node, in place of the region, for a graph that was given"),
)
_OF_POINTS = (
    Column("vertex_weight", "1", "entry of W_V"),
    Column(
        "n_points", "points", "points in the region: those given, or those of the vertex weights"
    ),
    Column(
        "share_{label}",
        "share",
        "share of these points with that label; NaN in a region without points; only with labels",
    ),
    Column("mean_label", "label", "mean of the labels, where they are values and not classes"),
    Column(
        "decision",
        "class",
        "class of the network at an interior point, numbered from 0: the sign of one output, the "
        "greatest of several; only where the graph has a complex",
    ),
    Column(
        "is_crossed",
        "1",
        "whether the decision boundary goes through the region; where there are two classes",
    ),
)
COLUMNS_OF_SIDES = (
    *_NODE,
    Column(
        "part",
        "1",
        "side of the region: 1 or -1, and 0 for a region on the cut or outside the component that "
        "is partitioned",
    ),
    Column("fiedler", "1", "entry of the Fiedler vector; NaN outside the component"),
    *_OF_POINTS,
)
"""What `FiedlerPartition.table` has."""
COLUMNS_OF_PARTS = (
    *_NODE,
    Column(
        "part",
        "part",
        "part of the region, from 0; -1 for a region on the cut or outside the component that is "
        "partitioned",
    ),
    Column(
        "vector_{i}",
        "1",
        "entry of the i-th eigenvector, from 1, which is that of the smallest value above zero; "
        "NaN outside the component",
    ),
    *_OF_POINTS,
)
"""What `SpectralPartition.table` has."""


class _Weighed(Divided, Protocol):
    @property
    def counts(self) -> NDArray[np.int64]:
        """Data points in each region."""

    @property
    def vertex_weights(self) -> NDArray[np.float64]:
        """Diagonal of W_V."""


def partition_table(
    partition: _Weighed,
    of_nodes: Mapping[str, NDArray[Any]],
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return a table with a row for each region; see `FiedlerPartition.table`.

    Parameters
    ----------
    partition : FiedlerPartition or SpectralPartition
    of_nodes : mapping of str to (n_nodes,) ndarray
        Columns of the partition itself, by name: one number for each node.
    points, labels : array_like, optional
    """
    pandas = require("pandas", "the table of a partition")
    graph, counts = partition.graph, partition.counts
    n = graph.n_nodes
    of_labels: dict[str, Any] = {}
    if points is not None:
        found = np.atleast_1d(graph.locate(points))
        inside = found >= 0
        counts = np.bincount(found[inside], minlength=n)
        if labels is not None:
            _check_lengths(found, labels)
            of_labels = _of_labels(found[inside], as_labels(labels), inside, counts)
    elif labels is not None:
        raise InputError(
            "`points` must be given with `labels`, got None; pass the points of the labels"
        )
    values: dict[str, Any] = {
        **(
            {"node": list(graph.names)}
            if isinstance(graph, GivenGraph)
            else {"region": np.arange(n)}
        ),
        **of_nodes,
        "vertex_weight": partition.vertex_weights,
        "n_points": counts,
        **of_labels,
    }
    if graph.complex is not None:
        network = graph.complex.network
        if network.n_outputs <= 2:
            decision = decision_of_regions(graph.complex)
            values |= {"decision": decision.positive.astype(int), "is_crossed": decision.crossed}
        else:
            values["decision"] = network(graph.complex.interior_points).argmax(axis=1)
    table: pd.DataFrame = pandas.DataFrame(values)
    return table


def _check_lengths(regions: NDArray[np.int64], labels: ArrayLike) -> None:
    n_labels = len(np.atleast_1d(as_array(labels)))
    if n_labels != len(regions):
        raise InputError(
            f"`labels` must have one entry for each of the {len(regions)} points, got {n_labels}; "
            "pass points and labels of the same set"
        )


def _of_labels(
    regions: NDArray[np.int64],
    labels: Labels,
    inside: NDArray[np.bool_],
    counts: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """Return the share of each class in each region, or the mean of values."""
    codes, n = labels.codes[inside], len(counts)
    empty = np.where(counts > 0, counts, np.nan)
    if not labels.are_whole:
        sums = np.bincount(regions, weights=labels.classes[codes], minlength=n)
        return {"mean_label": sums / empty}
    return {
        f"share_{label}": np.bincount(regions[codes == code], minlength=n) / empty
        for code, label in enumerate(labels.classes.tolist())
    }

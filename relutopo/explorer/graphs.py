"""From a path graph to a scene: each region is a small octagon, its edges are lines between them.

So the page shows a graph as it shows a complex: octagons have colours, patterns and neighbours, and
an edge has the layer of the neuron that switches on it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_labels, as_numbers
from relutopo.errors import InputError, RelutopoError
from relutopo.explorer.layouts import places_of_nodes, principal_coordinates
from relutopo.explorer.quantities import quantities_of_partition
from relutopo.explorer.scene import Frame, Note, Quantity, Scene
from relutopo.explorer.scenes import documentation
from relutopo.explorer.spectra import parts_of_spectrum
from relutopo.geometry.patterns import unpack_patterns
from relutopo.paths.path_graph import PathGraph
from relutopo.plots.layers import values_of
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.partitioner import fiedler_partition
from relutopo.system.untrusted import printable

__all__ = ["scene_of_paths"]

_CORNERS = 8
_SIZE = 0.28
"""Radius of an octagon, in parts of the distance between nodes that are spread evenly."""


def scene_of_paths(
    paths: PathGraph,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    title: str | None = None,
) -> Scene:
    """Return the scene of a path graph.

    Parameters
    ----------
    paths : PathGraph
    points : (n, d) array_like, optional
        Data, by which nodes are laid out.
    labels : (n,) array_like, optional
        Their classes or values.
    title : str, optional
    """
    graph, regions = paths.graph, paths.graph.regions
    if regions is None:
        raise InputError(
            "`x` must be a path graph that knows its regions, got one without; take it from "
            "relutopo.path_graph"
        )
    network = regions.network
    notes = [
        Note("certified", "Every crossing was decided by an error bound or exactly.")
        if paths.status == "certified"
        else Note("uncertified", "Crossings were decided in floating point."),
        Note("partial", "The graph has the regions that segments meet, not all there are."),
    ]
    nodes: NDArray[np.int64] | None = None
    axes = ["first eigenvector", "second eigenvector"]
    if points is None:
        places = places_of_nodes(graph)
        if labels is not None:
            raise InputError("`points` must be given with `labels`, got None; pass them")
    else:
        x = as_numbers(points, "points")
        if x.ndim > 2:
            x = x.reshape(len(x), math.prod(x.shape[1:]))
        nodes = graph.locate(x)
        if not len(x):
            places = places_of_nodes(graph)
        else:
            coordinates, share = principal_coordinates(x)
            places = places_of_nodes(graph, nodes, coordinates)
            axes = ["first principal component of the data", "second principal component"]
            text = (
                f"Regions with data stand at their data on two principal components, {share:.0%} "
                "of the variance; all others at the mean of their neighbours."
            )
            notes.append(Note("projected", text))
    counts = np.zeros(graph.n_nodes, dtype=np.int64)
    if nodes is not None:
        counts = np.bincount(nodes[nodes >= 0], minlength=graph.n_nodes)
    arrays = _octagons(places, counts)
    patterns = unpack_patterns(regions.packed_patterns, network.n_neurons)
    arrays |= {
        "edges": graph.n_nodes * _CORNERS + np.asarray(graph.edges),
        "beside": np.asarray(graph.edges),
        "neurons": _switching(patterns, np.asarray(graph.edges)),
        "patterns": regions.packed_patterns,
    }
    facts: dict[str, Any] = {
        "layers": list(network.layer_sizes),
        "nOutputs": network.n_outputs,
        "axes": axes,
        "inputs": ["x"],
        "aspect": _aspect(arrays["vertices"]),
        "sides": [],
    }
    quantities = _quantities(paths, patterns, counts, nodes, labels)
    if (part := _partition(paths, points)) is not None:
        quantities += quantities_of_partition(part)
        more_arrays, more_facts = parts_of_spectrum(part)
        arrays, facts = arrays | more_arrays, facts | more_facts
    return Scene(
        "paths",
        "Regions along segments" if title is None else printable(str(title)),
        (Frame("", arrays, tuple(quantities), (), facts),),
        {
            "regions": f"{graph.n_nodes:,}",
            "facets crossed": f"{graph.n_edges:,}",
            "segments": f"{len(paths.ends):,}",
            "inputs": f"{network.input_dim:,}",
        },
        tuple(notes),
        "label" if labels is not None else "visits",
        (),
        {"docs": documentation()},
    )


def _switching(patterns: NDArray[np.bool_], edges: NDArray[Any]) -> NDArray[np.int64]:
    """Return the first neuron that switches on each edge."""
    if not len(edges):  # as of a network without hidden neurons, of which none is the first
        return np.zeros(0, dtype=np.int64)
    first: NDArray[np.int64] = (patterns[edges[:, 0]] != patterns[edges[:, 1]]).argmax(axis=1)
    return first


def _octagons(places: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the octagons of nodes, larger where there are data, and behind them their centres."""
    n = len(places)
    size = places.max(axis=0) - places.min(axis=0)
    extent = float(size.max()) or 1.0
    radii = _SIZE * extent / np.sqrt(n) * np.where(counts > 0, 1.0, 0.6)
    turns = 2 * np.pi * (np.arange(_CORNERS) + 0.5) / _CORNERS
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    corners = places[:, None, :] + radii[:, None, None] * circle
    return {
        "vertices": np.concatenate([corners.reshape(-1, 2), places]),
        "offsets": _CORNERS * np.arange(n + 1),
        "corners": np.arange(_CORNERS * n),
    }


def _aspect(vertices: NDArray[np.float64]) -> float:
    width, height = vertices.max(axis=0) - vertices.min(axis=0)
    return float(np.clip(height / width, 0.3, 2.0)) if width > 0 else 1.0


def _quantities(
    paths: PathGraph,
    patterns: NDArray[np.bool_],
    counts: NDArray[np.int64],
    nodes: NDArray[np.int64] | None,
    labels: ArrayLike | None,
) -> list[Quantity]:
    graph = paths.graph
    degrees = np.bincount(np.asarray(graph.edges).ravel(), minlength=graph.n_nodes)
    found = [
        Quantity(
            "visits",
            "visits",
            paths.visits,
            "pieces",
            "Pieces of segments that lie in the region.",
            scale="log",
        ),
        Quantity("n_active", "active neurons", patterns.sum(axis=1), "", "Neurons that are on "
                 "in the region."),
        Quantity("degree", "neighbours seen", degrees, "regions", "Regions behind the facets that "
                 "segments have crossed."),
    ]  # fmt: skip
    if nodes is None:
        return found
    found.append(Quantity("n_points", "data points", counts, "", "Data in the region."))
    if labels is not None:
        values = values_of(labels, len(nodes))
        if values is None:
            found.insert(0, _classes(nodes, labels, graph.n_nodes))
        else:
            found.insert(0, _means(nodes, values, graph.n_nodes))
    return found


def _means(nodes: NDArray[np.int64], values: NDArray[np.float64], n_nodes: int) -> Quantity:
    """Return the mean of the values of the data in each region."""
    inside = nodes >= 0
    counts = np.bincount(nodes[inside], minlength=n_nodes)
    sums = np.bincount(nodes[inside], values[inside], n_nodes)
    return Quantity(
        "label",
        "value of the data",
        np.where(counts > 0, sums / np.maximum(counts, 1), np.nan),
        "",
        "Mean of the values of the data in the region; none where there are no data.",
    )


def _classes(nodes: NDArray[np.int64], labels: ArrayLike, n_nodes: int) -> Quantity:
    """Return the class that most of the data in each region have."""
    known = as_labels(labels)
    n_classes = len(known.classes)
    inside = nodes >= 0
    table = np.zeros((n_nodes, n_classes), dtype=np.int64)
    np.add.at(table, (nodes[inside], known.codes[inside]), 1)
    return Quantity(
        "label",
        "class of the data",
        np.where(table.any(axis=1), table.argmax(axis=1), -1),
        "1",
        "The class of most of the data in the region; none where there are no data.",
        kind="category",
        categories=tuple(printable(str(name)) for name in known.classes),
    )


def _partition(paths: PathGraph, points: ArrayLike | None) -> FiedlerPartition | None:
    """Return the Fiedler partition of the largest component, if there is one."""
    try:
        weights = "unweighted" if points is None else "count_plus_one"
        return fiedler_partition(paths.graph, points, vertex_weights=weights, component="largest")
    except RelutopoError:  # one region, or an eigenvector that is not found
        return None

"""Filtration strategies: how cells get their values.

A strategy gives each cell a value no smaller than those of its faces; cells then enter by value,
ties by dimension, then by index (`Filtration.from_values`). If the strategy is a random *order*,
the i-th of n cells to enter has the value i / n.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_numbers, as_points, read_only
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polyhedra import for_kernels
from relutopo.homology.decision_boundary import decision_boundary

__all__ = [
    "AbsOutput",
    "DimensionMajor",
    "DistanceToData",
    "DistanceToDecisionBoundary",
    "FiltrationStrategy",
    "LayerDepth",
    "LowerStar",
    "Margin",
    "Output",
    "RandomClosure",
    "RandomExtension",
]

Values: TypeAlias = list[NDArray[np.float64]]
"""For each dimension the values of its cells."""


class FiltrationStrategy(ABC):
    """Gives the cells of a complex their values.

    Attributes
    ----------
    name : str
        Recorded in the filtration; for a built-in strategy its registry name.
    random : bool
        Whether the result depends on the seed.
    """

    name: ClassVar[str]
    random: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return for each dimension the values of its cells, none smaller than a face's."""


class DimensionMajor(FiltrationStrategy):
    """All vertices in random order, then all edges in random order, and so on."""

    name = "dimension_major"
    random = True

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the places in the order, divided by the number of cells."""
        n = sum(complex_.n_cells)
        ends = np.cumsum(complex_.n_cells)
        return [
            (end - count + 1 + rng.permutation(count)) / n
            for end, count in zip(ends, complex_.n_cells, strict=True)
        ]


class RandomClosure(FiltrationStrategy):
    """Independent uniform values in [0, 1) on all cells, each raised to the maximum over its faces.

    With probability one, the only ties are those that raising makes.
    """

    name = "random_closure"
    random = True

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the raised values."""
        values = [rng.random(complex_.n_cells[0])]
        for k in range(1, complex_.dim + 1):
            own = rng.random(complex_.n_cells[k])
            values.append(np.maximum(own, _facet_maximum(complex_, k, values[-1])))
        return values


class RandomExtension(FiltrationStrategy):
    """At each step, a cell chosen uniformly among those whose faces have all entered, enters.

    This is not the uniform distribution over all valid orders, which favours early choices that
    leave more orders open. It is the order of arrival if each cell waits for an exponential time
    of mean 1 after its last face has entered: of the waiting cells each is the next with equal
    probability, however long it has waited.
    """

    name = "random_extension"
    random = True

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the places in the order, divided by the number of cells."""
        arrivals = [rng.exponential(size=complex_.n_cells[0])]
        for k in range(1, complex_.dim + 1):
            wait = rng.exponential(size=complex_.n_cells[k])
            arrivals.append(wait + _facet_maximum(complex_, k, arrivals[-1]))
        n = sum(complex_.n_cells)
        places = np.empty(n)
        places[np.argsort(np.concatenate(arrivals), kind="stable")] = np.arange(1, n + 1) / n
        return np.split(places, np.cumsum(complex_.n_cells)[:-1])


class LowerStar(FiltrationStrategy):
    """A function at the vertices; each other cell has the maximum over its vertices.

    Parameters
    ----------
    function : callable or (n_0,) array_like
        The values at the vertices, or a function that returns them for the vertices, a read-only
        array of shape (n_0, d).

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
    >>> rt.filtration(line, LowerStar(lambda x: -x[:, 0])).values.tolist()[:3]
    [1.0, -1.0, -0.0]
    """

    name = "lower_star"

    def __init__(self, function: Callable[[NDArray[np.float64]], ArrayLike] | ArrayLike) -> None:
        self.function = function

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the function at the vertices, and maxima over vertices."""
        vertices = read_only(complex_.vertices)
        given = self.function(vertices) if callable(self.function) else self.function
        at_vertices = as_numbers(given, "function")
        if at_vertices.ndim == 2 and at_vertices.shape[1] == 1:  # a network of one output
            at_vertices = at_vertices[:, 0]
        if at_vertices.shape != (complex_.n_cells[0],):
            raise InputError(
                f"`function` must give one value for each of the {complex_.n_cells[0]} vertices, "
                f"got shape {at_vertices.shape}; return one number for each row"
            )
        return _lower_star(complex_, at_vertices)


class Output(FiltrationStrategy):
    """The network's output f (for two outputs, their difference, second minus first)."""

    name = "output"

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return f at the vertices, and maxima over vertices."""
        return _lower_star(complex_, complex_.network.decision_values(complex_.vertices))


class AbsOutput(FiltrationStrategy):
    """The distance |f| from the decision boundary in function value."""

    name = "abs_output"

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return |f| at the vertices, and maxima over vertices."""
        return _lower_star(complex_, np.abs(complex_.network.decision_values(complex_.vertices)))


class Margin(FiltrationStrategy):
    """The greatest output minus the second, for any number of outputs; |f| for a single one.

    For two outputs this equals `AbsOutput`.
    """

    name = "margin"

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the margin at the vertices, and maxima over vertices."""
        return _lower_star(complex_, complex_.network.margins(complex_.vertices))


class DistanceToDecisionBoundary(FiltrationStrategy):
    """The Euclidean distance to the decision boundary, for domains of dimension 1 and 2.

    In the plane the boundary consists of segments and single points, all of which are found, so the
    distances are exact up to rounding. For several outputs it is where no output is greatest alone.
    """

    name = "distance_to_decision_boundary"

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return distances at the vertices, and maxima over vertices."""
        return _lower_star(complex_, decision_boundary(complex_).distances(complex_.vertices))


class DistanceToData(FiltrationStrategy):
    """The Euclidean distance to the nearest data point.

    Parameters
    ----------
    points : (n, d) array_like
        At least one point.
    """

    name = "distance_to_data"

    def __init__(self, points: ArrayLike) -> None:
        self.points = points

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return distances at the vertices, and maxima over vertices."""
        points = as_points(self.points, complex_.dim)
        if not len(points):
            raise InputError("`points` must have at least one row, got none; pass the data")
        from scipy.spatial import cKDTree  # slow to load, and seldom needed

        distances, _ = cKDTree(points).query(complex_.vertices)
        return _lower_star(complex_, np.asarray(distances))


class LayerDepth(FiltrationStrategy):
    """The depth of the layer that made the cell.

    A (d-1)-cell has depth 0 if it lies in a side of the domain, and depth l if a neuron of the l-th
    hidden layer made it. A cell of lower dimension has the smallest depth of the (d-1)-cells around
    it, a region the largest depth of its walls. So the cells of depth at most l are the skeleton
    that the first l layers draw, and the regions that no later layer bounds.
    """

    name = "layer_depth"

    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Values:
        """Return the depths."""
        labels = complex_.facet_labels
        depth = np.where(labels < 0, 0, complex_.network.layer_of(np.maximum(labels, 0)) + 1)
        values = [depth.astype(np.float64)]
        for k in range(complex_.dim - 1, 0, -1):
            _, facets = complex_.facets[k - 1]
            lower = np.full(complex_.n_cells[k - 1], np.inf)
            sizes = np.diff(complex_.facets[k - 1][0])
            np.minimum.at(lower, facets, np.repeat(values[0], sizes))
            values.insert(0, lower)
        values.append(_facet_maximum(complex_, complex_.dim, values[-1]))
        return values


def _facet_maximum(complex_: Cells, k: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each k-cell the maximum of the values of its facets; every cell must have one."""
    from relutopo.homology.order_kernels import facet_maxima  # loads numba

    numbers = read_only(np.ascontiguousarray(values, dtype=np.float64))
    maxima: NDArray[np.float64] = facet_maxima(*for_kernels(complex_.facets[k - 1]), numbers)
    return maxima


def _lower_star(complex_: Cells, at_vertices: NDArray[np.float64]) -> Values:
    values = [at_vertices]
    for k in range(1, complex_.dim + 1):
        values.append(_facet_maximum(complex_, k, values[-1]))
    return values

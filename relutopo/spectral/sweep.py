"""Cuts along the Fiedler vector: all nodes above some threshold against the others.

Invariant: only nodes of the partition's component are cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.reports.shown import Shown
from relutopo.spectral.agreement import Sides

__all__ = ["Sweep", "SweepCut", "sweep_cut", "sweep_of"]


@dataclass(frozen=True, eq=False, repr=False)
class SweepCut(Shown):
    """The cut of least conductance along the Fiedler vector.

    Attributes
    ----------
    sides : (n_nodes,) ndarray of bool
        Vector > threshold; False outside the partition's component.
    threshold : float
        Halfway between the values on both sides of the cut.
    conductance : float
        Weight of the edges cut / the smaller of the two sides' vertex weights.
    sign_conductance : float
        The same for the partition by sign.
    """

    sides: NDArray[np.bool_]
    threshold: float
    conductance: float
    sign_conductance: float

    def __repr__(self) -> str:
        return (
            f"SweepCut({int(self.sides.sum())} of {len(self.sides)} nodes above "
            f"{self.threshold:.6g}, conductance {self.conductance:.6g}, by sign "
            f"{self.sign_conductance:.6g})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "nodes above": int(self.sides.sum()),
            "nodes": len(self.sides),
            "threshold": self.threshold,
            "conductance": self.conductance,
            "conductance by sign": self.sign_conductance,
        }


@dataclass(frozen=True, eq=False)
class Sweep:
    """The conductance of every cut along the Fiedler vector.

    Attributes
    ----------
    order : (n,) ndarray of int64
        Nodes of the partition's component, ascending by their entry.
    conductance : (n - 1,) ndarray of float64
        Of the cut after each node of `order` but the last; inf between equal entries, which no
        threshold separates.
    best : int
        The cut of least conductance: ``order[:best + 1]`` is its low side.
    sign : int
        The same for the cut at 0.
    """

    order: NDArray[np.int64]
    conductance: NDArray[np.float64]
    best: int
    sign: int


def sweep_of(partition: Sides) -> Sweep:
    """Return the conductance of every cut along the Fiedler vector."""
    graph = partition.graph
    order = np.argsort(partition.vector, kind="stable")[: int(partition.component.sum())]
    values = partition.vector[order]
    # Cut k has the nodes order[:k + 1] on the low side; an edge between the ranks a < b is cut by
    # the cuts a, ..., b - 1.
    rank = np.full(graph.n_nodes, -1)
    rank[order] = np.arange(len(order))
    kept = partition.component[graph.edges[:, 0]]
    ends = np.sort(rank[graph.edges[kept]], axis=1)
    weights = partition.edge_weights[kept]
    change = np.bincount(ends[:, 0], weights, len(order)) - np.bincount(
        ends[:, 1], weights, len(order)
    )
    mass = np.cumsum(partition.vertex_weights[order])
    conductance = np.cumsum(change)[:-1] / np.minimum(mass, mass[-1] - mass)[:-1]
    conductance[values[1:] == values[:-1]] = np.inf
    sign = int(np.searchsorted(values, 0.0, side="right")) - 1
    return Sweep(order, conductance, int(np.argmin(conductance)), sign)


def sweep_cut(partition: Sides) -> SweepCut:
    """Cut where the conductance is least; see `FiedlerPartition.sweep_cut`."""
    sweep = sweep_of(partition)
    low, high = partition.vector[sweep.order[sweep.best : sweep.best + 2]]
    threshold = float(low + (high - low) / 2)
    if threshold == high:  # neighbours in floating point
        threshold = float(low)
    with np.errstate(invalid="ignore"):
        sides = partition.vector > threshold
    least, by_sign = sweep.conductance[[sweep.best, sweep.sign]]
    return SweepCut(sides, threshold, float(least), float(by_sign))

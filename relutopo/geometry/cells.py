"""The cells into which a network cuts a domain: arrays, incidences, measures.

Everything takes `Cells`; `relutopo.complex.CellComplex` is what people get, with methods for what
is built on them.

Invariants (checked by `relutopo.geometry.invariants.check`): ∂∂ = 0 over Z/2; Euler
characteristic 1; every (d-1)-cell has one region (on the border) or two; region volumes add up to
the domain's; activation patterns are distinct and equal the network's own at interior points.

Cells of dimension k are numbered 0..n_k-1. Regions are the d-cells. Lower cells' sign vectors are
derived, not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import freeze, frozen
from relutopo.checks import kind_of
from relutopo.errors import InputError
from relutopo.geometry.domain import Domain, FacetLists
from relutopo.geometry.patterns import unpack_patterns
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.networks.network import Network

__all__ = [
    "ON_BOUNDARY",
    "OUTSIDE",
    "CellLists",
    "Cells",
    "EnumerationRecord",
    "check_cell_lists",
    "check_cells",
]

OUTSIDE = -1
"""What `locate` says of a point outside the domain."""
ON_BOUNDARY = -2
"""What `locate` says of a point that several regions have in their border."""


class CellLists(Protocol):
    """Whatever has cells with facets: a `CellComplex`, a `DecisionBoundary`."""

    @property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells of each dimension."""

    @property
    def facets(self) -> tuple[FacetLists, ...]:
        """For each k ≥ 1 the facets of the k-cells, (indptr, indices)."""


@dataclass(frozen=True)
class EnumerationRecord:
    """How a complex was made.

    Attributes
    ----------
    method : str
        Registry name of the enumerator that ran.
    status : {"certified", "uncertified"}
        Whether every sign was decided by an error bound or exactly.
    n_uncertain : int
        How many signs and comparisons the error bounds and the network's structure left open; all
        were then decided exactly if the status says so.
    seconds : float
        Wall-clock time.
    """

    method: str
    status: Literal["certified", "uncertified"]
    n_uncertain: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Cells(PolyhedralCells):
    """The polyhedral complex into which a network cuts a domain.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    network : Network
        The network.
    domain : Domain
        The domain.
    vertices : (n_0, d) ndarray of float64
        Coordinates, as floats.
    vertex_errors : (n_0,) ndarray of float64
        Bounds of how far any coordinate of a vertex is from the exact one. Hardly more than
        rounding, except where nearly parallel facets meet and in deep networks.
    facets : tuple of d pairs (indptr, indices)
        Entry k - 1 lists the facets of each k-cell in CSR form.
    packed_patterns : (n_d, ceil(n_neurons / 8)) ndarray of uint8
        Activation patterns of the regions, `numpy.packbits` with ``bitorder="little"``.
    facet_labels : (n_{d-1},) ndarray of int32
        The neuron that made each (d-1)-cell (the first of several), or -1 - s for side s of the
        domain.
    record : EnumerationRecord
        Which enumerator ran and what it certifies.
    """

    network: Network
    domain: Domain
    vertex_errors: NDArray[np.float64]
    packed_patterns: NDArray[np.uint8]
    facet_labels: NDArray[np.int32]
    record: EnumerationRecord

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vertex_errors", "packed_patterns", "facet_labels"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        cells = " + ".join(map(str, self.n_cells))
        return f"{type(self).__name__}(dim={self.dim}, {cells} cells, {self.record.method})"

    def _facts(self) -> Mapping[str, object]:
        return {
            "dimension": self.dim,
            "regions": self.n_regions,
            "cells by dimension": self.n_cells,
            "network": self.network,
            "domain": self.domain,
            "enumerator": f"{self.record.method}, {self.record.status}",
            "signs decided exactly": self.record.n_uncertain,
            "seconds": self.record.seconds,
        }

    @cached_property
    def patterns(self) -> NDArray[np.bool_]:
        """Activation patterns of the regions, (n_d, n_neurons)."""
        return freeze(unpack_patterns(self.packed_patterns, self.network.n_neurons))

    def output_maps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the affine function that the network is on each region.

        Returns
        -------
        coefficients : (n_d, n_outputs, d) ndarray
            A with f(x) = A x + c on the region.
        offsets : (n_d, n_outputs) ndarray
            c.
        """
        network = self.network
        planes = network.affine_maps(
            len(network.layer_sizes), self.patterns, self.domain.magnitude
        ).planes
        return planes[:, :-1].swapaxes(1, 2), planes[:, -1]


def check_cells(complex_: Any, name: str = "complex_", expected: str = "a CellComplex") -> Cells:
    """Return an argument if it is a complex.

    Parameters
    ----------
    complex_ : object
    name, expected : str
        The argument's name, and what it may be, for the message.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> check_cells("complex.npz")
    Traceback (most recent call last):
    ...
    relutopo.errors.InputError: `complex_` must be a CellComplex, got 'complex.npz'; take it ...
    """
    if isinstance(complex_, Cells):
        return complex_
    raise _no_complex(complex_, name, expected)


def check_cell_lists(complex_: Any) -> CellLists:
    """Return what has cells with facets; see `check_cells`."""
    has_cells = hasattr(complex_, "n_cells") and hasattr(complex_, "facets")
    if has_cells and not isinstance(complex_, type):
        cells: CellLists = complex_
        return cells
    raise _no_complex(complex_)


def _no_complex(came: Any, name: str = "complex_", expected: str = "a CellComplex") -> InputError:
    remedy = "take it from relutopo.decompose(model, domain)"
    has_one = hasattr(type(came), "complex") or "complex" in getattr(came, "__dict__", ())
    if has_one and not isinstance(came, type):  # a graph, a partition
        is_method = callable(getattr(type(came), "complex", None))  # that of a tracker
        remedy = "pass its `complex(step)`" if is_method else "pass its `complex`"
    return InputError(f"`{name}` must be {expected}, got {kind_of(came)}; {remedy}")

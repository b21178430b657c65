"""One region of a complex, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import Frozen, freeze
from relutopo.checks import check_integer
from relutopo.geometry.cells import Cells
from relutopo.geometry.region import RegionGeometry
from relutopo.reports.shown import Shown

__all__ = ["Region", "RegionFacet", "region_of"]


@dataclass(frozen=True)
class RegionFacet:
    """A facet of a region.

    Attributes
    ----------
    cell : int
        Number of the (d-1)-cell.
    neighbour : int or None
        The region behind it; None on a side of the domain.
    neurons : tuple of (layer, unit)
        Neurons that change their sign there, both numbers from 0; several if their kinks coincide.
    side : str or None
        The side of the domain in words; None between regions.
    measure : float
        (d-1)-dimensional measure: its length in the plane.
    """

    cell: int
    neighbour: int | None
    neurons: tuple[tuple[int, int], ...]
    side: str | None
    measure: float


@dataclass(frozen=True, eq=False, repr=False)
class Region(Frozen, Shown):
    """One region of a complex, with all that is known of it; `CellComplex.region` gives it.

    Attributes
    ----------
    complex : Cells
        The complex that it belongs to.
    index : int
        Its number there.
    pattern : tuple of (n_units,) tuples of bool
        Which neurons are on, layer by layer.
    vertices : (n, d) ndarray
        Its corners; in the plane counterclockwise, as a polygon.
    volume : float
        d-dimensional volume: length for d = 1, area for d = 2.
    centroid : (d,) ndarray
        Centre of mass.
    coefficients : (n_outputs, d) ndarray
        A of the affine map f(x) = A x + c that the network is here.
    offset : (n_outputs,) ndarray
        c.
    facets : tuple of RegionFacet

    Examples
    --------
    >>> import relutopo as rt
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0]]], [[0.0, 0.0], [0.5]])
    >>> complex_ = rt.decompose(lines, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> region = complex_.region(complex_.locate([0.5, 0.5]))
    >>> region
    Region(3, pattern 11, 4 vertices, volume 1, neighbours 1, 2)
    >>> region.coefficients.tolist(), region.offset.tolist(), round(region.inradius, 9)
    ([[1.0, 2.0]], [0.5], 0.5)
    >>> [facet.neurons for facet in region.facets if facet.neighbour is not None]
    [((0, 0),), ((0, 1),)]
    >>> sorted(facet.side for facet in region.facets if facet.side is not None)
    ['upper end of axis 0', 'upper end of axis 1']
    """

    complex: Cells
    index: int
    pattern: tuple[tuple[bool, ...], ...]
    vertices: NDArray[np.float64]
    volume: float
    centroid: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    offset: NDArray[np.float64]
    facets: tuple[RegionFacet, ...]

    def __repr__(self) -> str:
        neighbours = ", ".join(map(str, self.neighbours[:8])) or "none"
        more = ", ..." if len(self.neighbours) > 8 else ""
        pattern = self._pattern_as_text
        shown = pattern if len(pattern) <= 40 else f"{pattern[:37]}..."
        return (
            f"Region({self.index}, pattern {shown}, {len(self.vertices)} vertices, "
            f"volume {self.volume:.6g}, neighbours {neighbours}{more})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "region": self.index,
            "pattern by layer": self._pattern_as_text,
            "vertices": len(self.vertices),
            "volume": self.volume,
            "inradius": self.inradius,
            "centroid": self.centroid.tolist(),
            "at the border of the domain": "yes" if self.is_at_border else "no",
            "neighbours": list(self.neighbours),
            "neurons of its facets": list(dict.fromkeys(n for f in self.facets for n in f.neurons)),
            "A": self.coefficients.tolist(),
            "c": self.offset.tolist(),
        }

    @property
    def _pattern_as_text(self) -> str:
        return "|".join("".join("01"[bit] for bit in layer) for layer in self.pattern)

    @property
    def neighbours(self) -> tuple[int, ...]:
        """The regions behind its facets, ascending."""
        return tuple(sorted(f.neighbour for f in self.facets if f.neighbour is not None))

    @property
    def is_at_border(self) -> bool:
        """Whether a facet lies on a side of the domain; beyond it the region may continue."""
        return any(facet.side is not None for facet in self.facets)

    @cached_property
    def inradius(self) -> float:
        """Radius of the largest ball in the region, rounded down by some 10⁻¹⁰ of it."""
        bits = self.complex.patterns[self.index]
        geometry = RegionGeometry(self.complex.network, self.complex.domain, bits)
        return float(geometry.inradius * geometry.scale)


def _pattern_by_layer(complex_: Cells, region: int) -> tuple[tuple[bool, ...], ...]:
    """Return which neurons are on in a region, layer by layer."""
    bits = complex_.patterns[region].tolist()
    offsets = complex_.network.layer_offsets
    return tuple(tuple(bits[first:end]) for first, end in pairwise(offsets))


def region_of(complex_: Cells, region: int) -> Region:
    """Return a region with all that is known of it; see `CellComplex.region`."""
    remedy = "look at n_regions; `locate` is negative for points in no region"
    if np.size(region) == complex_.dim and np.ndim(region) == 1:
        remedy = "of a point it is `locate(point)`"
    index = check_integer("region", region, 0, complex_.n_regions - 1, remedy=remedy)
    bits = complex_.patterns[index]
    network = complex_.network
    indptr, cells = complex_.facets[-1]
    facets = []
    for cell in cells[indptr[index] : indptr[index + 1]].tolist():
        low, high = complex_.facet_regions[cell].tolist()
        label = int(complex_.facet_labels[cell])
        neighbour, neurons = None, np.empty(0, dtype=np.int64)
        if high >= 0:
            neighbour = low + high - index
            neurons = np.flatnonzero(bits != complex_.patterns[neighbour])
        facets.append(
            RegionFacet(
                cell,
                neighbour,
                tuple(network.names_of(neurons)),
                complex_.domain.side_name(-1 - label) if label < 0 else None,
                float(complex_.facet_measures[cell]),
            )
        )
    planes = network.affine_maps(
        len(network.layer_sizes), bits[None], complex_.domain.magnitude
    ).planes[0]
    return Region(
        complex=complex_,
        index=index,
        pattern=_pattern_by_layer(complex_, index),
        vertices=freeze(complex_.vertices[complex_.region_vertices(index)]),
        volume=float(complex_.volumes[index]),
        centroid=freeze(complex_.centroids[index].copy()),
        coefficients=freeze(planes[:-1].T.copy()),
        offset=freeze(planes[-1].copy()),
        facets=tuple(facets),
    )

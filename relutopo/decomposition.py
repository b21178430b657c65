"""The cells of a network on a domain, and on the whole space.

The whole space is decomposed on a box that provably contains all vertices.

Let every region of the whole space have a vertex (it is then *pointed*). Let B be a box, and call a
region that meets its interior *cut* if it has a facet on a side of B within B. If all vertices of
the cut regions lie in the interior of B, then B meets every region, and all vertices lie in B.
Proof: let Q meet the interior of B, and let Q' be the region behind a facet F of Q. If Q is cut, F
has a vertex, since it is a face of a pointed polyhedron; that is a vertex of Q, hence inside B, and
Q' meets the interior of B around it. If Q is not cut, Q lies in B, so F does, but in no side of
B, and Q' meets the interior of B around a point of F. As all regions are connected through facets,
all of them meet B, and each has its vertices in B. ∎

So: decompose a box; find the vertices of the cut regions, without the box's sides, by double
description in exact arithmetic (`relutopo.geometry.polytope`); if one is not inside, start again
with a box that contains it. Since there are finitely many vertices, this ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo import registry
from relutopo.arithmetic.exact import Integers, to_float
from relutopo.checks import check_integer, check_number
from relutopo.complex import CellComplex
from relutopo.errors import FloatRangeError, InputError
from relutopo.estimation.estimate import warn_of_costs
from relutopo.geometry.domain import Box, Domain, as_domain
from relutopo.geometry.polytope import Cone
from relutopo.geometry.slices import network_on
from relutopo.interfaces import Enumerator, Progress, check_progress, checked_cells
from relutopo.networks.network import Network
from relutopo.networks.reading import as_network
from relutopo.reports.shown import Shown
from relutopo.system.ahead import compile_next
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["WholeSpace", "decompose", "decompose_whole_space"]

_MOST = 2**63 - 1
"""The largest number of cells that kernels can count."""
_MOST_ROUNDS = 1000
"""How many boxes are tried. All but a few tries find a new vertex outside the last box."""
_SEARCH_MARGIN = 0.25
"""The margin until all vertices are known."""

# What most ask for next.
compile_next("relutopo.spectral.ahead", after="relutopo.backends.enumerators.")


@in_words("shrink the domain, or set `max_cells` or `max_bytes`")
@deliver_interrupts
def decompose(
    model: Any,
    domain: Domain | ArrayLike,
    *,
    enumerator: str | Enumerator = "cpu",
    max_cells: int | None = None,
    max_bytes: int | None = None,
    progress: Progress | None = None,
) -> CellComplex:
    """Cut a domain into the cells of a network.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain, or (n, d) array_like
        For example ``Box(-1.5, 1.5, dim=2)``. On an `AffineSlice` the complex is that of
        the network as a function of the slice's coordinates; for a torch module the shape of
        the slice's origin is the shape of one input. Points, also as a table or a tensor, mean
        ``Box.around(points)``.
    enumerator : str or Enumerator
        Registry name or instance.
    max_cells : int, optional
        Stop with an error before the complex has more cells than this, all dimensions together.
    max_bytes : int, optional
        Stop with an error before the work takes more memory than this, as far as can be predicted.
        By default nine tenths of what the process can have when it begins, according to free
        memory, control groups (containers, batch systems) and limits (``ulimit -v``).
    progress : Progress, optional
        Called after each layer with (layers done, layers, message).

    Returns
    -------
    CellComplex
        If neither limit is set, and the work is expected to take minutes or gigabytes, a warning
        with numbers is logged before it begins; see also `relutopo.estimate`.

    Raises
    ------
    InputError
        If the model or the domain cannot be used, or their dimensions differ.
    FloatRangeError
        If numbers are too large or too small for the enumerator; ``"exact"`` accepts all.
    LimitReachedError
        If `max_cells` or `max_bytes` is reached; its subclass `OutOfMemoryError` if the system
        gives less memory than predicted.
    BackendError
        If the enumerator does not return a complex.

    Examples
    --------
    >>> from relutopo import Box
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2)).n_cells
    (9, 12, 4)
    """
    if max_cells is not None:
        max_cells = check_integer("max_cells", max_cells, 1, remedy="None sets no limit")
        max_cells = min(max_cells, _MOST)
    if max_bytes is not None:
        max_bytes = check_integer("max_bytes", max_bytes, 1, remedy="None asks the system")
        max_bytes = min(max_bytes, _MOST)
    check_progress(progress)
    backend: Enumerator = registry.create("enumerator", enumerator)
    place: Domain = as_domain(domain)
    network = network_on(model, place)
    if max_cells is None and max_bytes is None:
        warn_of_costs(network, place)
    try:
        found = backend.enumerate(
            network, place, max_cells=max_cells, max_bytes=max_bytes, progress=progress
        )
    except FloatRangeError as error:
        raise FloatRangeError(f"{error}, or choose the enumerator 'exact'") from error
    return CellComplex.of(checked_cells(found, backend, network, place))


@dataclass(frozen=True, eq=False, repr=False)
class WholeSpace(Shown):
    """The decomposition of the whole space, cut off outside a box that contains every vertex.

    Attributes
    ----------
    complex : CellComplex
        The complex on the box. Its regions, and the facets between them, are those of the whole
        space.
    unbounded : (n_regions,) ndarray of bool
        Whether a region is unbounded: it then has a facet on the box's sides, where it is cut off.
    low, high : (d,) ndarrays of float64
        The smallest box that contains every vertex of the decomposition, up to rounding.
    """

    complex: CellComplex
    unbounded: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"WholeSpace({self.complex!r}, {int(self.unbounded.sum())} regions unbounded)"

    def _facts(self) -> Mapping[str, object]:
        return {
            "complex": self.complex,
            "unbounded regions": int(self.unbounded.sum()),
            "least of all vertices": self.low.tolist(),
            "greatest of all vertices": self.high.tolist(),
        }


@in_words("decompose a Box instead")
def decompose_whole_space(
    model: Any,
    *,
    margin: float = 0.25,
    enumerator: str | Enumerator = "cpu",
    max_cells: int | None = None,
    max_bytes: int | None = None,
) -> WholeSpace:
    """Cut the whole space into the cells of a network.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, or pair (weights, biases)
        See `relutopo.as_network`.
    margin : float, default 0.25
        How far the box extends beyond the outermost vertices, as a fraction of their extent on
        each axis (of the largest extent if that is zero, and of 1 for a single vertex).
    enumerator : str or Enumerator
        Registry name or instance.
    max_cells : int, optional
        Stop with an error before the complex has more cells of all dimensions than this.
    max_bytes : int, optional
        Stop with an error before a decomposition takes more memory than this; see `decompose`.

    Returns
    -------
    WholeSpace

    Raises
    ------
    InputError
        If the decomposition has no vertex, because its kinks leave a direction free, or the margin
        is not positive.
    LimitReachedError
        If `max_cells` or `max_bytes` is reached.

    Examples
    --------
    >>> cross = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[3.0, -5.0], [0.0]])
    >>> space = decompose_whole_space(cross)
    >>> space.low.tolist(), space.high.tolist(), space.unbounded.tolist()
    ([-3.0, 5.0], [-3.0, 5.0], [True, True, True, True])
    """
    network = as_network(model)
    margin = check_number("margin", margin, above=0, remedy="leave it out")
    box = Box(-1, 1, dim=network.input_dim)
    low = np.full(box.dim, np.inf)
    high, error = -low, np.inf
    for _ in range(_MOST_ROUNDS):
        complex_ = decompose(
            network, box, enumerator=enumerator, max_cells=max_cells, max_bytes=max_bytes
        )
        cut = np.zeros(complex_.n_regions, dtype=bool)
        cut[complex_.facet_regions[complex_.facet_labels < 0, 0]] = True
        outer = [
            vertex
            for region in np.flatnonzero(cut)
            for vertex in _vertices(network, complex_.patterns[region])
        ]
        proved = all(_strictly_inside(vertex, box) for vertex in outer)
        inner = complex_.cell_vertices(complex_.dim)[np.flatnonzero(~cut)].indices
        found = np.array([*map(_rounded, outer), *complex_.vertices[inner]])
        if not proved:
            low, high = np.minimum(low, found.min(axis=0)), np.maximum(high, found.max(axis=0))
        elif (new_error := complex_.vertex_errors[inner].max(initial=0.0)) < error:
            low, high, error = found.min(axis=0), found.max(axis=0), new_error
        # In a large box vertices are rounded more, so the margin waits until all are known.
        target, extent = _box_around(low, high, margin if error < np.inf else _SEARCH_MARGIN)
        # Rounded vertices may differ from run to run in their last digits.
        off = np.abs(np.stack([target.low - box.low, target.high - box.high]))
        slack = 1e-3 * max(1.0, margin) * extent + 8 * np.spacing(target.magnitude)
        if proved and (off <= slack).all():
            return WholeSpace(complex_, cut, low, high)
        box = target
    raise InputError(
        f"`model` must have vertices that {_MOST_ROUNDS} boxes reach, each around those that the "
        f"last one led to, got some beyond {low.tolist()} to {high.tolist()}; decompose a Box"
    )


def _box_around(
    low: NDArray[np.float64], high: NDArray[np.float64], margin: float
) -> tuple[Box, NDArray[np.float64]]:
    """Return a box with vertices from low to high in its interior, and their extent."""
    with np.errstate(over="ignore", invalid="ignore"):
        extent = np.where(high > low, high - low, np.max(high - low) or 1.0)
        # The margin may vanish in rounding; the rounding of a vertex is less than one step.
        box_low = np.minimum(low - margin * extent, np.nextafter(low, -np.inf))
        box_high = np.maximum(high + margin * extent, np.nextafter(high, np.inf))
        is_finite = bool(np.isfinite(box_high - box_low).all())
    if not is_finite:
        raise InputError(
            f"`margin` must leave a box within the range of floats, got {margin} and vertices "
            f"from {low.tolist()} to {high.tolist()}; choose a smaller one, or decompose a Box"
        )
    return Box(box_low.tolist(), box_high.tolist()), extent


def _vertices(network: Network, pattern: NDArray[np.bool_]) -> list[Integers]:
    """Return the vertices of a region of the whole space, exactly."""
    far = np.array([0] * network.input_dim + [1], dtype=object)
    planes = [plane for m in network.exact_maps(pattern, len(network.layer_sizes)) for plane in m]
    cone = Cone.of_rows(
        [far, *(plane if on else -plane for plane, on in zip(planes, pattern, strict=True))]
    )
    if cone.lines:
        longest = max(map(abs, cone.lines[0]))
        named = [float(Fraction(x, longest)) for x in cone.lines[0][:-1]]
        raise InputError(
            f"`model` must have kinks that meet in vertices, got a network that nothing bounds "
            f"along the direction {named}; decompose a Box instead"
        )
    return [ray for ray in cone.rays if ray[-1] > 0]


def _rounded(vertex: Integers) -> NDArray[np.float64]:
    try:
        return to_float(vertex)
    except OverflowError as error:
        raise InputError(
            "`model` must have its vertices within the range of floats, got one beyond it; scale "
            "its biases down, or decompose a Box"
        ) from error


def _strictly_inside(vertex: Integers, box: Box) -> bool:
    coordinates = [Fraction(x, vertex[-1]) for x in vertex[:-1]]
    return all(
        Fraction(a) < x < Fraction(b)
        for a, x, b in zip(box.low, coordinates, box.high, strict=True)
    )

"""Domains: the bounded convex sets that a network decomposes.

A domain is what an enumerator needs to start: its own face lattice (vertices, and the facets of
each higher face), the side that each (d-1)-face lies on, and each side's exact equation.

Invariant: sides are numbered 0..n_sides-1; in the facet labels of a complex side s appears
as -1 - s, so that labels of sides are negative and labels of neurons are not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers, homogeneous_points, mean_point
from relutopo.arrays import Frozen, as_numbers, as_points, freeze
from relutopo.checks import check_integer, check_number
from relutopo.errors import InputError
from relutopo.reports.shown import Shown

__all__ = [
    "MOST_DIMENSIONS_OF_FACES",
    "Box",
    "Domain",
    "FaceLattice",
    "FacetLists",
    "as_domain",
    "check_dimensions",
    "numbers_of",
    "side_label",
]

FacetLists: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]
"""The facets of each k-cell in CSR form: (indptr, indices of (k-1)-cells)."""
_MOST_DIMENSIONS = 2**24
"""Of a box, whose faces are not listed."""
MOST_DIMENSIONS_OF_FACES = 12
"""Of a box whose faces are listed: there are half a million then."""


def side_label(side: int) -> int:
    """Return the facet label of a side of the domain.

    Examples
    --------
    >>> side_label(0), side_label(3)
    (-1, -4)
    """
    return -1 - side


@dataclass(frozen=True)
class FaceLattice:
    """The faces of a domain.

    Attributes
    ----------
    vertices : (n_0, d) ndarray of float64
        Corners, correctly rounded; see `rounding`.
    facets : tuple of d pairs (indptr, indices)
        Entry k - 1 lists the (k-1)-faces of each k-face.
    sides : (n_{d-1},) ndarray of int32
        The side of each (d-1)-face.
    rational_vertices : (n_0, d + 1) ndarray of int objects, optional
        Corners as points (X, W) in the sense of `relutopo.arithmetic.exact`. Left out where the
        floats are exact.
    """

    vertices: NDArray[np.float64]
    facets: tuple[FacetLists, ...]
    sides: NDArray[np.int32]
    rational_vertices: Integers | None = None

    @property
    def exact_vertices(self) -> Integers:
        """Corners as exact points (X, W), (n_0, d + 1)."""
        if self.rational_vertices is None:
            return homogeneous_points(self.vertices)
        return self.rational_vertices

    @property
    def rounding(self) -> NDArray[np.float64]:
        """Bound of |float - exact| over the coordinates of each corner, (n_0,); 0 if exact."""
        if self.rational_vertices is None:
            return np.zeros(len(self.vertices))
        floats = homogeneous_points(self.vertices)
        off = floats[:, :-1] * self.rational_vertices[:, -1:] != (
            self.rational_vertices[:, :-1] * floats[:, -1:]
        )
        # A correctly rounded x is off by at most half the spacing of floats at x.
        bounds: NDArray[np.float64] = (off * np.spacing(np.abs(self.vertices))).max(axis=1)
        return bounds


def numbers_of(*arrays: NDArray[np.float64]) -> Hashable:
    """Return shapes and entries of arrays as something that can be hashed and compared.

    Examples
    --------
    >>> numbers_of(np.zeros(2)) == numbers_of(np.array([0.0, -0.0]))
    True
    """
    return tuple((array.shape, tuple(array.ravel().tolist())) for array in arrays)


class Domain(Shown, ABC):
    """A bounded convex polytope of full dimension, and its sides A x ≤ b.

    Domains of one class are equal if they were made of the same numbers.

    Attributes
    ----------
    dim : int
        Dimension d of the space that is decomposed.
    """

    dim: int

    def _numbers(self) -> Hashable:
        """Return what tells a domain from others of its class; by default no other is equal."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Domain):
            return NotImplemented
        return self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash((type(self), self._numbers()))

    def _facts(self) -> Mapping[str, object]:
        return {"": repr(self), "dimension": self.dim, "volume": self.volume}

    @abstractmethod
    def face_lattice(self) -> FaceLattice:
        """Return the vertices of the domain and the facets of its faces."""

    @abstractmethod
    def halfspaces(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A, of shape (n_sides, d), and b, of shape (n_sides,): the domain is A x ≤ b."""

    def side_planes(self) -> Integers:
        """Return A x - b of each side, (n_sides, d + 1), in the sense of `arithmetic.exact`."""
        normals, offsets = self.halfspaces()
        (planes,), _ = dyadic_integers(np.concatenate([normals, -offsets[:, None]], axis=1))
        return planes

    def side_name(self, side: int) -> str:
        """Return what a side is called, in words.

        Parameters
        ----------
        side : int
            0..n_sides-1, row `side` of `halfspaces`.

        Examples
        --------
        >>> Box(-1, 1, dim=2).side_name(3)
        'upper end of axis 1'
        """
        return f"side {side}"

    @property
    @abstractmethod
    def volume(self) -> float:
        """The d-dimensional volume."""

    @property
    @abstractmethod
    def magnitude(self) -> NDArray[np.float64]:
        """For each axis, a positive bound of |x_i| and of the width; shape (d,)."""

    def inner_point(self) -> Integers:
        """Return a point of the interior exactly, (d + 1,); see `relutopo.arithmetic.exact`."""
        return mean_point(self.face_lattice().exact_vertices)

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points lie in the domain, its border included.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray of bool

        Examples
        --------
        >>> Box(0, 1, dim=2).contains([[0.5, 1.0], [0.5, 1.1]]).tolist()
        [True, False]
        """
        return self.holds(as_points(points, self.dim))

    def holds(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return what `contains` does, for points that are known to be finite and (n, d)."""
        normals, offsets = self.halfspaces()
        inside: NDArray[np.bool_] = np.all(x @ normals.T <= offsets, axis=1)
        return inside


def _flat(dim: int, constant: NDArray[np.intp]) -> InputError:
    """Return what to do about points that are the same on some axes."""
    listed = ", ".join(map(str, constant[:5].tolist())) + (", ..." if len(constant) > 5 else "")
    remedy = "drop those inputs, or pass ends of your own, Box(low, high)"
    if dim > MOST_DIMENSIONS_OF_FACES:
        remedy = (
            f"a box of {dim} dimensions cannot be cut into cells anyway: pass an AffineSlice, "
            "AffineSlice.principal(points) or AffineSlice.through(a, b, c); for search_regions "
            "pass ends of your own, Box(points.min(axis=0) - 1, points.max(axis=0) + 1)"
        )
    return InputError(
        f"`points` must differ on every axis, got one value on {len(constant)} of {dim} axes "
        f"({listed}), so that the box around them is flat; {remedy}"
    )


class Box(Frozen, Domain):
    """The box [low_1, high_1] × ... × [low_d, high_d].

    Side 2i is x_i = low_i, side 2i + 1 is x_i = high_i.

    Parameters
    ----------
    low, high : float or sequence of d floats
        Corners; a single number serves every axis.
    dim : int, optional
        Dimension d; needed when both corners are single numbers.

    Raises
    ------
    InputError
        If a side is empty or inverted, a corner is not finite, or the lengths disagree.

    Examples
    --------
    >>> Box(-1.5, 1.5, dim=2).volume
    9.0
    >>> Box([0, -1], [2, 1])
    Box([0.0, -1.0], [2.0, 1.0])
    """

    def __init__(
        self, low: float | Sequence[float], high: float | Sequence[float], dim: int | None = None
    ) -> None:
        lows = np.atleast_1d(as_numbers(low, "low"))
        highs = np.atleast_1d(as_numbers(high, "high"))
        if dim is not None:
            dim = check_integer("dim", dim, 1, remedy="pass for example Box(-1, 1, dim=2)")
            if dim > _MOST_DIMENSIONS:
                raise InputError(
                    f"`dim` must be at most {_MOST_DIMENSIONS}, got {dim}; pass for example "
                    "Box(-1, 1, dim=2)"
                )
        lengths = {x.size for x in (lows, highs) if x.size != 1 or dim is None}
        if dim is None:
            dim = max(lengths)
        if lows.ndim > 1 or highs.ndim > 1 or any(n not in (1, dim) for n in lengths) or dim < 1:
            raise InputError(
                f"`low` and `high` must be numbers or have dim={dim} entries each, got shapes "
                f"{np.shape(low)} and {np.shape(high)}; pass for example Box(-1, 1, dim=2) "
                "or Box([0, -1], [2, 1])"
            )
        self.dim = dim
        corners = np.empty((2, dim))
        corners[0], corners[1] = lows, highs
        self.low, self.high = freeze(corners)
        if not np.isfinite(corners).all():
            raise InputError(
                f"`low` and `high` must be finite, got {self.low.tolist()} and "
                f"{self.high.tolist()}; a domain is bounded"
            )
        if not (self.low < self.high).all():
            axis = int(np.argmax(~(self.low < self.high)))
            raise InputError(
                f"`low` must be less than `high` on every axis, got [{self.low[axis]}, "
                f"{self.high[axis]}] on axis {axis}, which is "
                f"{'empty' if self.low[axis] == self.high[axis] else 'inverted'}; "
                "swap or widen them"
            )

    def __repr__(self) -> str:
        return f"Box({self.low.tolist()}, {self.high.tolist()})"

    def _numbers(self) -> Hashable:
        return tuple(self.low.tolist()), tuple(self.high.tolist())

    @classmethod
    def around(cls, points: ArrayLike, margin: float = 0.25) -> Box:
        """Return the bounding box of points, widened on each side.

        Parameters
        ----------
        points : (n, d) array_like
            At least two points that differ on every axis.
        margin : float, default 0.25
            Fraction of the width that is added on each side.

        Examples
        --------
        >>> Box.around([[0, 0], [1, 2]], margin=0.5)
        Box([-0.5, -1.0], [1.5, 3.0])
        """
        x = as_numbers(points, "points")
        if x.ndim != 2 or not len(x):
            raise InputError(
                f"`points` must have shape (n, d) with n ≥ 1, got {x.shape}; "
                "pass one row for each point"
            )
        x = as_points(x, x.shape[1])
        margin = check_number("margin", margin, remedy="0.25 is usual")
        columns = np.ascontiguousarray(x.T)  # along short rows minima take ten times as long
        low, high = columns.min(axis=1), columns.max(axis=1)
        constant = np.flatnonzero(low == high)
        if constant.size:
            raise _flat(x.shape[1], constant)
        width = margin * (high - low)
        return cls(low - width, high + width)

    def side_name(self, side: int) -> str:
        """Return what a side is called: the lower or the upper end of an axis, from 0."""
        return f"{('lower', 'upper')[side % 2]} end of axis {side // 2}"

    @property
    def volume(self) -> float:
        """The d-dimensional volume."""
        return float(np.prod(self.high - self.low))

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """For each axis, a positive bound of |x_i| and of the width; shape (d,)."""
        extremes = np.maximum(np.abs(self.low), np.abs(self.high))
        with np.errstate(over="ignore"):
            widths: NDArray[np.float64] = np.maximum(extremes, self.high - self.low)
        return widths

    def halfspaces(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A and b with A x ≤ b; rows 2i and 2i + 1 belong to axis i."""
        normals = np.zeros((2 * self.dim, self.dim))
        axes = np.arange(self.dim)
        normals[2 * axes, axes], normals[2 * axes + 1, axes] = -1.0, 1.0
        return normals, np.stack([-self.low, self.high], axis=1).ravel()

    def holds(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points lie in the box, its border included."""
        columns = np.ascontiguousarray(x.T)  # see `around`
        low, high = self.low[:, None], self.high[:, None]
        inside: NDArray[np.bool_] = ((low <= columns) & (columns <= high)).all(axis=0)
        return inside

    def inner_point(self) -> Integers:
        """Return the centre exactly, (d + 1,); see `relutopo.arithmetic.exact`."""
        return mean_point(homogeneous_points(np.stack([self.low, self.high])))

    def face_lattice(self) -> FaceLattice:
        """Return the 2^d corners, the edges, ..., and the box itself as the only d-face.

        Raises
        ------
        InputError
            If the box has more than 12 dimensions: its 3^d faces would fill the memory.
        """
        check_dimensions(self.dim, "a box")
        # A face fixes some axes to low (0) or high (1) and leaves the others free (2).
        faces: list[list[tuple[int, ...]]] = [[] for _ in range(self.dim + 1)]
        for face in product((0, 1, 2), repeat=self.dim):
            faces[face.count(2)].append(face)
        number = [{face: i for i, face in enumerate(level)} for level in faces]
        corners = np.array(
            [[(self.low, self.high)[s][i] for i, s in enumerate(v)] for v in faces[0]]
        )
        facets = []
        for k in range(1, self.dim + 1):
            lists = [
                [
                    number[k - 1][(*f[:i], s, *f[i + 1 :])]
                    for i in range(self.dim)
                    if f[i] == 2
                    for s in (0, 1)
                ]
                for f in faces[k]
            ]
            indptr = np.arange(len(lists) + 1, dtype=np.int64) * (2 * k)
            facets.append((indptr, np.array(lists, dtype=np.int32).ravel()))
        sides = np.array(
            [next(2 * i + s for i, s in enumerate(f) if s != 2) for f in faces[self.dim - 1]],
            dtype=np.int32,
        )
        return FaceLattice(corners, tuple(facets), sides)


def check_dimensions(dim: int, what: str) -> None:
    """Raise an `InputError` if a box has too many dimensions for its faces to be listed.

    Parameters
    ----------
    dim : int
    what : str
        What it is the box of, for the message.

    Examples
    --------
    >>> check_dimensions(64, "points")
    Traceback (most recent call last):
    relutopo.errors.InputError: `domain` must have at most 12 dimensions ... got points of 64, ...
    """
    if dim > MOST_DIMENSIONS_OF_FACES:
        raise InputError(
            f"`domain` must have at most {MOST_DIMENSIONS_OF_FACES} dimensions to be cut into "
            f"cells, got {what} of {dim}, and a box has 3^{dim} faces; pass an AffineSlice, for "
            "example the plane through three points, AffineSlice.through(a, b, c), or along the "
            "principal components of data, AffineSlice.principal(X), or look for regions only, by "
            "search_regions"
        )


def as_domain(domain: Any, *, is_cut: bool = True) -> Any:
    """Return a domain, or the box around data that stand in its place.

    Parameters
    ----------
    domain : Domain, or (n, d) array_like
        Points give `Box.around` with its margin. Anything else is returned as it is, for whoever
        checks domains.
    is_cut : bool, default True
        Whether the faces of a box will be listed, so that it may not have many dimensions.

    Raises
    ------
    InputError
        If points are no table of numbers, do not differ on every axis, or have too many columns.

    Examples
    --------
    >>> as_domain([[0, 0], [1, 2]])
    Box([-0.25, -0.5], [1.25, 2.5])
    """
    if isinstance(domain, Domain) or not (
        hasattr(domain, "shape") or isinstance(domain, (list, tuple))
    ):
        return domain
    if isinstance(domain, tuple) and len(domain) == 2 and all(hasattr(x, "ndim") for x in domain):
        shapes = [tuple(x.shape) for x in domain]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"`domain` must be a Domain, or points, got a pair of arrays of shapes {shapes[0]} "
                f"and {shapes[1]}; pass the points without their labels"
            )
    points = as_numbers(domain, "domain")
    is_pairs = isinstance(domain, list) and all(isinstance(x, tuple) for x in domain)
    if is_pairs and points.shape == (2, 2) and (points[:, 0] < points[:, 1]).all():
        (a, b), (c, d) = points.tolist()
        raise InputError(
            f"`domain` must be a Domain, or at least three points, got [({a:g}, {b:g}), ({c:g}, "
            f"{d:g})], which may be two points or the ends of two axes; pass Box([{a:g}, {c:g}], "
            f"[{b:g}, {d:g}]) for ends, an array for points"
        )
    if points.ndim < 2 or len(points) < 2:
        raise InputError(
            f"`domain` must be a Domain, or at least two points of shape (n, d), got an array of "
            f"shape {points.shape}; pass for example Box(-1, 1, dim=2), or the points of the data"
        )
    points = points.reshape(len(points), -1)
    if is_cut:
        check_dimensions(points.shape[1], "points")
    return Box.around(points)

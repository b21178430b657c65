"""Affine slices of a high-dimensional input space.

A slice is the set of points x = origin + basis u for u in a bounded domain, as a rule a box, of
few dimensions. A network on it is a network of u (`Network.restricted`). The floats in origin and
basis are taken as the exact numbers that they are: a slice "through" a point passes it within the
rounding of its basis, and the complex of the network on that slice is exact.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers
from relutopo.arrays import Frozen, as_array, as_numbers, as_points, check_finite, freeze, points_of
from relutopo.checks import check_integer
from relutopo.errors import InputError
from relutopo.geometry.domain import Box, Domain, FaceLattice, numbers_of
from relutopo.networks.network import Network
from relutopo.networks.reading import as_network

__all__ = ["AffineSlice", "network_on"]


class AffineSlice(Frozen, Domain):
    """The points x = origin + basis u of an input space, for u in a domain of k dimensions.

    As a `Domain` it is the domain of u: its volume, for example, is that of u, which is that of x
    where the basis is orthonormal.

    Parameters
    ----------
    origin : array_like
        A point of the input space, in the shape of one input: (D,), or (1, 28, 28) for an image.
    basis : (..., k) array_like
        Linearly independent columns: shape (D, k), or the shape of one input and k at the end.
    box : Domain, optional
        The domain of u; ``Box(-1, 1, dim=k)`` by default.
    axis_names : sequence of str, optional
        Names of the k directions, for figures. Comparisons of slices and files of complexes
        ignore them.

    Raises
    ------
    InputError
        If the shapes do not fit, a number is not finite, or the basis is dependent.

    Examples
    --------
    >>> plane = AffineSlice([0.0, 0.0, 5.0], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> plane.dim, plane.ambient_dim, plane.volume
    (2, 3, 4.0)
    >>> plane.embed([[0.5, -1.0]]).tolist()
    [[0.5, -1.0, 5.0]]
    """

    def __init__(
        self,
        origin: ArrayLike,
        basis: ArrayLike,
        box: Domain | None = None,
        axis_names: Sequence[str] | None = None,
    ) -> None:
        start = as_numbers(origin, "origin").copy()
        columns = as_numbers(basis, "basis").copy()
        if start.size == 0 or columns.shape not in (
            (start.size, *columns.shape[-1:]),
            (*start.shape, *columns.shape[-1:]),
        ):
            raise InputError(
                f"`basis` must have the shape ({start.size}, k), a column for each dimension of "
                f"the slice, to fit `origin` of shape {start.shape}, got {columns.shape}; "
                "transpose it if it holds rows"
            )
        for name, array in (("origin", start), ("basis", columns)):
            if not np.isfinite(array).all():
                raise InputError(f"`{name}` must be finite, got NaN or infinity; repair the data")
        self.input_shape = start.shape if start.ndim else (1,)
        self.origin: NDArray[np.float64] = freeze(start.ravel())
        self.basis: NDArray[np.float64] = freeze(columns.reshape(start.size, -1))
        self.dim = self.basis.shape[1]
        if not self.dim or not _are_independent(self.basis):
            raise InputError(
                f"`basis` must have linearly independent columns, got {self.dim} dependent ones; "
                "drop those that are combinations of the others"
            )
        self.box = Box(-1, 1, dim=self.dim) if box is None else box
        if not isinstance(self.box, Domain) or self.box.dim != self.dim:
            raise InputError(
                f"`box` must be a Domain of {self.dim} dimensions, one for each column of the "
                f"basis, got {self.box!r}; pass for example Box(-1, 1, dim={self.dim})"
            )
        self.axis_names = None if axis_names is None else tuple(map(str, axis_names))
        if self.axis_names is not None and len(self.axis_names) != self.dim:
            raise InputError(
                f"`axis_names` must be {self.dim} names, one for each column of the basis, got "
                f"{len(self.axis_names)}; leave them out, or name each"
            )

    def __repr__(self) -> str:
        return f"AffineSlice({self.box!r} in {self.ambient_dim} dimensions)"

    def _numbers(self) -> Hashable:
        return self.input_shape, numbers_of(self.origin, self.basis), self.box

    @classmethod
    def through(cls, *points: ArrayLike, margin: float = 0.25) -> AffineSlice:
        """Return the slice through k + 1 points, for example the plane through three.

        The basis is orthonormal, so that lengths and angles in the slice are those of the input
        space: u = 0 is the first point, the second lies on the positive first axis, the third
        on the positive side of it, and so on.

        Parameters
        ----------
        *points : array_like
            At least two points of one shape, which is that of one input; not on one line.
        margin : float, default 0.25
            The box of u holds the points, and this fraction of its width more on each side.

        Examples
        --------
        >>> plane = AffineSlice.through([0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [1.0, 3.0, 1.0])
        >>> plane.coordinates([[1.0, 3.0, 1.0]])[0].tolist()
        [[1.0, 3.0]]
        """
        arrays = [as_numbers(point, "points") for point in points]
        given = [as_array(point) for point in points]
        if any(x.ndim == 0 for x in arrays):
            raise InputError(
                f"`points` must be inputs of the network, got the numbers {points}; pass rows of "
                "data, for example X[0], X[1], X[2]"
            )
        if len(arrays) < 2 or any(x.shape != arrays[0].shape for x in arrays):
            raise InputError(
                "`points` must be at least two points of one shape, got the shapes "
                f"{[x.shape for x in arrays]}; pass three inputs of the network for a plane"
            )
        ends = np.stack([x.ravel() for x in arrays], axis=1)
        if not np.isfinite(ends).all():
            raise InputError("`points` must be finite, got NaN or infinity; repair the data")
        # Each point and the first, in a column.
        pairs, exponents = _near_one(
            np.concatenate([np.broadcast_to(ends[:, :1], ends[:, 1:].shape), ends[:, 1:]])
        )
        firsts, others = np.split(pairs, 2)
        spans = others - firsts
        # Coordinates are known to within the spacing of their floats, the spans relative to the
        # sizes of their ends.
        unit = max((np.finfo(x.dtype).eps for x in given if x.dtype.kind == "f"), default=0.0)
        sizes = np.maximum(np.linalg.norm(firsts, axis=0), np.linalg.norm(others, axis=0))
        rank = np.linalg.matrix_rank(spans / np.where(sizes > 0, sizes, 1.0), tol=8 * unit)
        if rank < len(sizes) or not _are_independent(spans):
            raise InputError(
                f"`points` must span {len(sizes)} dimensions, got {len(arrays)} points that lie "
                "on one line or in a smaller space, up to the rounding of their numbers; choose "
                "others"
            )
        basis, triangle = np.linalg.qr(spans)
        signs = np.sign(np.diag(triangle))
        far = _in_range("points", (signs[:, None] * triangle).T, exponents[:, None])
        corners = np.concatenate([np.zeros((1, len(signs))), far])
        across = [f"across, towards point {i}" for i in range(3, len(arrays) + 1)]
        names = ["from point 1 towards point 2", *across]
        return cls(arrays[0], basis * signs, Box.around(corners, margin), names)

    @classmethod
    def principal(cls, data: ArrayLike, k: int = 2, margin: float = 0.25) -> AffineSlice:
        """Return the slice through the mean of data, spanned by its first principal components.

        Parameters
        ----------
        data : (n, ...) array_like
            Points; what follows the first axis is the shape of one input.
        k : int, default 2
            Number of principal components, the dimension of the slice. The sign of each is chosen
            so that its largest entry is positive.
        margin : float, default 0.25
            The box of u holds the projections of the data, and this fraction of its width more
            on each side.

        Examples
        --------
        >>> slice_ = AffineSlice.principal([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [2.0, 1.0, 0.0]], k=2)
        >>> abs(slice_.basis).round(12).tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
        """
        x = as_numbers(data, "data")
        most = min(len(x) - 1, math.prod(x.shape[1:])) if x.ndim > 1 else 0
        k = check_integer("k", k, 1, remedy="2 gives a plane")
        if k > most:
            raise InputError(
                f"`data` must hold more than k={k} points, of at least k dimensions, got shape "
                f"{x.shape}; pass one row for each point"
            )
        check_finite(x, "data")
        columns, exponents = _near_one(x.reshape(len(x), -1))
        mean = columns.mean(axis=0)
        rest, powers = _near_one(columns - mean)
        exponent = (exponents + powers).max()
        centred = np.ldexp(rest, exponents + powers - exponent)
        _, sizes, rows = np.linalg.svd(centred, full_matrices=False)
        least = sizes[0] * max(centred.shape) * np.finfo(np.float64).eps
        if sizes[k - 1] <= least:
            raise InputError(
                f"`data` must spread in at least k={k} directions, got "
                f"{int(np.sum(sizes > least))}; choose a smaller k"
            )
        basis = rows[:k].T
        basis = basis * np.sign(basis[np.argmax(np.abs(basis), axis=0), np.arange(k)])
        shares = (sizes[:k] / np.linalg.norm(sizes)) ** 2
        names = [
            f"principal component {i} ({100 * share:.0f} % of variance)"
            for i, share in enumerate(shares, 1)
        ]
        around = Box.around(_in_range("data", centred @ basis, exponent), margin)
        return cls(np.ldexp(mean, exponents).reshape(x.shape[1:]), basis, around, names)

    @property
    def ambient_dim(self) -> int:
        """Dimension D of the input space."""
        return len(self.origin)

    def embed(self, coordinates: ArrayLike) -> NDArray[np.float64]:
        """Return the points x = origin + basis u, rounded to floats.

        Parameters
        ----------
        coordinates : (n, k) array_like
            Points u of the slice.

        Returns
        -------
        (n, ...) ndarray
            In the shape of the inputs.
        """
        u = as_points(coordinates, self.dim, "coordinates")
        points: NDArray[np.float64] = self.origin + u @ self.basis.T
        return points.reshape(len(u), *self.input_shape)

    def coordinates(self, points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project points of the input space onto the slice.

        Parameters
        ----------
        points : (n, ...) array_like
            In the shape of the inputs, or flat.

        Returns
        -------
        coordinates : (n, k) ndarray
            The coordinates u of the nearest point of the slice.
        distances : (n,) ndarray
            Euclidean distance to that point.

        Examples
        --------
        >>> line = AffineSlice([0.0, 0.0], [[2.0], [0.0]])
        >>> u, distances = line.coordinates([[1.0, 3.0]])
        >>> u.tolist(), distances.tolist()
        ([[0.5]], [3.0])
        """
        x = as_numbers(points, "points")
        if x.ndim > 1 and x.shape[1:] == self.input_shape:
            x = x.reshape(len(x), math.prod(self.input_shape))
        arms, powers = _near_one((as_points(x, self.ambient_dim) - self.origin).T)
        # Columns of one length, so that none counts as zero beside the others.
        columns, exponents = _near_one(self.basis)
        lengths = np.linalg.norm(columns, axis=0)
        units = columns / lengths
        along = np.linalg.lstsq(units, arms)[0]
        rest = np.linalg.norm(arms - units @ along, axis=0)
        with np.errstate(over="ignore"):
            u = np.ldexp(along.T / lengths, powers[:, None] - exponents)
            distances: NDArray[np.float64] = np.ldexp(rest, powers)
        if not (np.isfinite(u).all() and np.isfinite(distances).all()):
            raise InputError(
                "`points` must have coordinates and distances that floats hold, got larger ones; "
                "pass points nearer to the slice, or a slice with longer directions"
            )
        return u.astype(np.float64, copy=False), distances

    def face_lattice(self) -> FaceLattice:
        """Return the faces of the domain of u."""
        return self.box.face_lattice()

    def side_name(self, side: int) -> str:
        """Return what a side of `box` is called there."""
        return self.box.side_name(side)

    def halfspaces(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A and b: the domain of u is A u ≤ b."""
        return self.box.halfspaces()

    def side_planes(self) -> Integers:
        """Return A u - b of each side of the domain of u, exactly."""
        return self.box.side_planes()

    def inner_point(self) -> Integers:
        """Return a point of the interior of the domain of u, exactly."""
        return self.box.inner_point()

    def holds(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points u lie in the domain of u, its border included."""
        return self.box.holds(x)

    @property
    def volume(self) -> float:
        """The k-dimensional volume of the domain of u."""
        return self.box.volume

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """For each axis, a positive bound of |u_i| and of the width; shape (k,)."""
        return self.box.magnitude


def _are_independent(columns: NDArray[np.float64]) -> bool:
    columns, _ = _near_one(columns)
    lengths = np.linalg.norm(columns, axis=0)
    return bool(lengths.all()) and np.linalg.matrix_rank(columns / lengths) == columns.shape[1]


def _near_one(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return columns whose largest entries are in [1/2, 1), and the exponents of 2 taken out.

    So squares of entries stay in the range of floats, which those above 1e154 and below 1e-162
    leave. Columns of zeros count as of the least floats.
    """
    least = np.finfo(np.float64).smallest_subnormal
    exponents = np.frexp(np.abs(columns).max(axis=0, initial=least))[1]
    return np.ldexp(columns, -exponents), exponents


_FARTHEST = 1e307
"""Bound of coordinates in a slice of points, so that floats hold the box around them."""


def _in_range(
    name: str, numbers: NDArray[np.float64], exponents: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return coordinates in a slice times powers of two."""
    with np.errstate(over="ignore"):
        coordinates: NDArray[np.float64] = np.ldexp(numbers, exponents)
    if not (np.abs(coordinates) < _FARTHEST).all():
        raise InputError(
            f"`{name}` must lie within {_FARTHEST:g} of each other, got some so far apart that "
            "floats cannot hold their differences; scale them down"
        )
    return coordinates


def network_on(model: Any, domain: Domain) -> Network:
    """Return the network whose input space is that of the domain.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain
        On an `AffineSlice` the network is restricted to it.

    Raises
    ------
    InputError
        If the model or the domain cannot be used, or their dimensions differ.

    Examples
    --------
    >>> line = AffineSlice([0.0, 0.0, 0.0], [[1.0], [2.0], [3.0]])
    >>> network_on(([[[1.0, 1.0, 1.0]]], [[0.5]]), line)([[1.0]]).tolist()
    [[6.5]]
    """
    if isinstance(domain, AffineSlice):
        is_module = hasattr(model, "named_modules")
        network = as_network(model, domain.input_shape if is_module else None)
        if network.input_dim != domain.ambient_dim:
            raise InputError(
                f"`domain` is a slice of {domain.ambient_dim} dimensions, the network takes "
                f"{network.input_dim}; pass a slice through inputs of the network"
            )
        return network.restricted(domain.origin, domain.basis)
    network = _read(model, domain)
    if not isinstance(domain, Domain):
        raise InputError(
            f"`domain` must be a Domain, got {type(domain).__name__}; "
            + (points_of(domain) or f"pass for example Box(-1, 1, dim={network.input_dim})")
        )
    if domain.dim != network.input_dim:
        raise InputError(
            f"`domain` has {domain.dim} dimensions, the network takes {network.input_dim}; "
            f"pass for example Box(-1, 1, dim={network.input_dim}), or an AffineSlice"
        )
    return network


def _read(model: Any, domain: object) -> Network:
    """Read a model for points of a domain, whose dimension tells the shape that a module takes."""
    if not isinstance(domain, Domain) or not hasattr(model, "named_modules"):
        return as_network(model)
    try:
        return as_network(model, (domain.dim,))
    except InputError:  # a module may take these numbers in another shape
        return as_network(model)

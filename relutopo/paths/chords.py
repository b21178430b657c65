"""Chords of a domain: segments that go from border to border."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import to_float
from relutopo.arrays import as_points
from relutopo.checks import check_integer, check_kind, check_seed, random_generator
from relutopo.errors import InputError
from relutopo.geometry.domain import Domain, as_domain

__all__ = ["domain_chords"]

_Floats = NDArray[np.float64]


def domain_chords(
    domain: Domain | ArrayLike,
    points: ArrayLike | None = None,
    *,
    n: int = 300,
    seed: int = 0,
) -> tuple[_Floats, _Floats]:
    """Draw chords of a domain in random directions, for `relutopo.segments`.

    Parameters
    ----------
    domain : Domain, or (n_points, d) array_like
        A box, a polytope, or data, which mean ``Box.around(data)``. For a slice the chords are in
        its own coordinates; `AffineSlice.embed` gives inputs of the network.
    points : (n_points, d) array_like, optional
        Points of the domain: each chord goes through one of them, in turn. By default the chords
        are those of a random walk, which continues from a uniform place on each chord (hit and run;
        R. L. Smith, Operations Research 32 (1984)); its places become uniform in the domain.
    n : int, default 300
        Number of chords.
    seed : int, default 0

    Returns
    -------
    starts, ends : (n, d) ndarrays
        On the border, up to rounding. The directions are uniform.

    Raises
    ------
    InputError
        If a point lies outside the domain.

    Examples
    --------
    >>> from relutopo import Box
    >>> starts, ends = domain_chords(Box(-1, 1, dim=2), [[0.5, 0.0]], n=2)
    >>> np.abs(np.concatenate([starts, ends])).max(axis=1).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    place = check_kind(
        "domain",
        as_domain(domain, is_cut=False),
        Domain,
        remedy="pass for example Box(-1, 1, dim=2)",
    )
    n = check_integer("n", n, 1, remedy="pass how many chords are wanted")
    generator = random_generator(check_seed(seed))
    normals, offsets = place.halfspaces()
    directions = generator.normal(size=(n, place.dim))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    if points is None:
        return _walk(to_float(place.inner_point()), directions, normals, offsets, generator)
    x = as_points(points, place.dim)
    inside = place.contains(x)
    if not inside.all() or not len(x):
        where = f"{x[np.argmin(inside)].tolist()} outside it" if len(x) else "none"
        raise InputError(f"`points` must lie in the domain, got {where}; take a larger one")
    x = x[np.arange(n) % len(x)]
    low, high = _reach(x, directions, normals, offsets)
    return x + low[:, None] * directions, x + high[:, None] * directions


def _reach(x: _Floats, directions: _Floats, normals: Any, offsets: _Floats) -> tuple[_Floats, ...]:
    """Return how far the domain extends backwards and forwards from points along directions."""
    room = offsets - x @ normals.T
    speeds = directions @ normals.T
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.maximum(room, 0.0) / speeds
    high = np.where(speeds > 0, times, np.inf).min(axis=1)
    low = np.where(speeds < 0, times, -np.inf).max(axis=1)
    return low, high


def _walk(
    place: _Floats,
    directions: _Floats,
    normals: Any,
    offsets: _Floats,
    generator: np.random.Generator,
) -> tuple[_Floats, _Floats]:
    starts, ends = np.empty_like(directions), np.empty_like(directions)
    for i, direction in enumerate(directions):
        low, high = _reach(place[None], direction[None], normals, offsets)
        starts[i], ends[i] = place + low[0] * direction, place + high[0] * direction
        place = place + generator.uniform(low[0], high[0]) * direction
    return starts, ends

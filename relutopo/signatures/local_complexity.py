"""How much a network bends around points: neurons that switch, regions on planes.

For a point x and orthonormal directions v_1, ..., v_P, the points x ± r v_i are the vertices of a
cross-polytope. A neuron *switches* there if it is active at some of the vertices but not at all of
them. The number of these neurons is the local complexity of A. I. Humayun, R. Balestriero and
R. Baraniuk, "Deep Networks Always Grok and Here is Why", arXiv:2402.15555, section 3: it follows
the vertices through the layers and counts the neurons whose hyperplanes separate them. A neuron
that switches between vertices switches within the ball of radius r, so the count is a lower bound
of the number in the ball.

Signs at vertices are those of a forward pass in double precision. Regions and facets on planes come
from `relutopo.decompose` and are exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, freeze
from relutopo.checks import check_integer, check_number, check_seed, random_generator
from relutopo.decomposition import decompose
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.domain import Box
from relutopo.geometry.slices import AffineSlice
from relutopo.interfaces import Enumerator, Progress, check_progress
from relutopo.networks.network import Network
from relutopo.networks.reading import network_for
from relutopo.optional import require
from relutopo.reports.columns import Column
from relutopo.reports.shown import Shown
from relutopo.reports.text import counted
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Subject
from relutopo.system.blas import one_blas_thread
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS_OF_LOCAL_COMPLEXITY", "LocalComplexity", "LocalCounts", "local_complexity"]

_Floats = NDArray[np.float64]

COLUMNS_OF_LOCAL_COMPLEXITY = (
    Column("point", "point", "its number"),
    Column("n_switching", "neurons", "neurons that switch between vertices around the point"),
    Column("n_switching_layer_{j}", "neurons", "those of layer {j}"),
    Column("n_regions", "regions", "regions that meet the disc around the point, mean over planes"),
    Column("n_regions_error", "regions", "standard error of that mean; NaN for one plane"),
    Column(
        "facet_density", "1/input", "length of facets in the disc over its area, mean over planes"
    ),
    Column("facet_density_error", "1/input", "standard error of that mean; NaN for one plane"),
)
"""What `LocalCounts.table` has."""
_NUMBERS_AT_ONCE = 2**22
_SATURATED = 0.9
"""If this share of all neurons switches on average, counts hardly differ between points."""


@dataclass(frozen=True, eq=False, repr=False)
class LocalCounts(Frozen, Shown):
    """Counts of neurons and regions around points, within a radius.

    Attributes
    ----------
    radius : float
        Radius of the cross-polytopes and the discs, in units of the input.
    n_directions : int
        P; a cross-polytope has 2 P vertices.
    n_switching : (n, n_layers) ndarray of int64
        Neurons of each layer that switch between the vertices: a lower bound of those that switch
        in the ball.
    n_regions : (n, n_slices) ndarray of int64
        Exact number of regions that meet the open disc around each point in a random plane through
        it.
    facet_densities : (n, n_slices) ndarray of float64
        Length of the facets in the disc over the area of the disc.
    """

    radius: float
    n_directions: int
    n_switching: NDArray[np.int64]
    n_regions: NDArray[np.int64]
    facet_densities: _Floats

    def __post_init__(self) -> None:
        for name in ("n_switching", "n_regions", "facet_densities"):
            freeze(getattr(self, name))

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.n_switching)

    def __repr__(self) -> str:
        return (
            f"LocalCounts({counted(len(self), 'point')}, radius {self.radius:g}, "
            f"{self.values.mean():.3g} neurons switch on average)"
        )

    @property
    def values(self) -> NDArray[np.int64]:
        """Neurons of all layers that switch around each point, (n,)."""
        counts: NDArray[np.int64] = self.n_switching.sum(axis=1)
        return counts

    def _facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = {
            "points": len(self),
            "radius": self.radius,
            "vertices around each": 2 * self.n_directions,
            "neurons that switch, mean": float(self.values.mean()),
            "by layer": self.n_switching.mean(axis=0).tolist(),
        }
        if self.n_regions.shape[1]:
            facts |= {
                "planes through each": self.n_regions.shape[1],
                "regions in the disc, mean": float(self.n_regions.mean()),
                "facet density, mean": float(self.facet_densities.mean()),
            }
        return facts

    def table(self) -> pd.DataFrame:
        """Return a row for each point; ``rt.columns("local_complexity_table")`` explains them."""
        pandas = require("pandas", "the table of local complexity")
        layers = {f"n_switching_layer_{j}": c for j, c in enumerate(self.n_switching.T)}
        columns = {"point": np.arange(len(self)), "n_switching": self.values, **layers}
        if self.n_regions.shape[1]:
            for name, values in (
                ("n_regions", self.n_regions.astype(float)),
                ("facet_density", self.facet_densities),
            ):
                columns[name] = values.mean(axis=1)
                columns[f"{name}_error"] = _standard_errors(values)
        table: pd.DataFrame = pandas.DataFrame(columns)
        return table


@deliver_interrupts
@in_words("take fewer points or planes")
def local_complexity(
    model: Any,
    points: ArrayLike,
    radius: float,
    *,
    n_directions: int = 25,
    n_slices: int = 0,
    enumerator: str | Enumerator = "cpu",
    seed: int = 0,
    progress: Progress | None = None,
) -> LocalCounts:
    """Count around points: neurons that switch on cross-polytopes, and regions on planes.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        With any number of inputs; see `relutopo.as_network`.
    points : (n, ...) array_like
        One point in each row; images in their shape.
    radius : float
        > 0, in units of the input.
    n_directions : int, default 25
        P, reduced to the number of inputs if larger. Every point has its own random directions.
    n_slices : int, default 0
        Random planes through each point to decompose, for networks of two inputs or more.
    enumerator : str or Enumerator
        Decomposes the planes: registry name or instance.
    seed : int, default 0
        Of directions and planes.
    progress : Progress, optional
        Called with (points done, points, message): as their neurons are counted, and again from the
        first one if planes are decomposed.

    Returns
    -------
    LocalCounts

    Raises
    ------
    InputError
        If an argument is invalid, or planes are asked for a network with one input.

    Warns
    -----
    UserWarning
        If nine tenths of all neurons switch on average: for such a radius counts hardly differ.

    Examples
    --------
    Both neurons, x and y, switch near the origin; around (1, 0) with radius 0.5 only y does:

    >>> network = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [-1.0]]
    >>> found = local_complexity(
    ...     network, [[0.0, 0.1], [1.0, 0.0]], 0.5, n_slices=1, enumerator="exact"
    ... )
    >>> found.values.tolist(), found.n_regions.tolist()
    ([2, 1], [[4], [2]])
    """
    radius = check_number("radius", radius, above=0, remedy="pass the size of a neighbourhood")
    n_directions = check_integer("n_directions", n_directions, 1, remedy="25 are usual")
    n_slices = check_integer("n_slices", n_slices, 0, remedy="0 decomposes no planes")
    check_seed(seed)
    check_progress(progress)
    network, x = network_for(model, points)
    if not len(x):
        raise InputError("`points` must be one or more, got none; pass some")
    if n_slices and network.input_dim < 2:
        raise InputError(
            f"`n_slices` must be 0 for a network with one input, got {n_slices}; decompose the line"
        )
    n_directions = min(n_directions, network.input_dim)
    rng = random_generator(seed)
    parts: list[NDArray[np.int64]] = []
    done = 0
    for part in _switching(network, x, radius, n_directions, rng):
        parts.append(part)
        done += len(part)
        if progress is not None:
            progress(done, len(x), "neurons that switch")
    counts = np.concatenate(parts)
    share = counts.sum() / (len(x) * max(network.n_neurons, 1))
    if share > _SATURATED:
        warnings.warn(
            f"{share:.0%} of all neurons switch within radius {radius:g}, on average: counts "
            "hardly differ; take a smaller radius",
            stacklevel=4,
        )
    shape = (len(x), n_slices)
    regions, densities = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    for i, j in np.ndindex(shape):
        basis = _orthonormal(rng, 1, network.input_dim, 2)[0]
        plane = AffineSlice(x[i], basis, Box(-radius, radius, dim=2))
        regions[i, j], densities[i, j] = _in_disc(
            decompose(network, plane, enumerator=enumerator), radius
        )
        if progress is not None and j == n_slices - 1:
            progress(i + 1, len(x), "planes")
    return LocalCounts(radius, n_directions, counts, regions, densities)


def _orthonormal(rng: np.random.Generator, n: int, dim: int, k: int) -> _Floats:
    """Return n times k random orthonormal columns, (n, dim, k)."""
    with one_blas_thread():  # several threads wait for each other at every column
        columns: _Floats = np.linalg.qr(rng.normal(size=(n, dim, k)))[0]
    return columns


def _switching(
    network: Network, x: _Floats, radius: float, n_directions: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of neurons that switch, by layer, for some points at a time."""
    widest = max(network.n_neurons, network.input_dim, 1)
    step = max(1, _NUMBERS_AT_ONCE // (2 * n_directions * widest))
    first = np.asarray(network.layer_offsets[:-1], dtype=np.int64)
    for i in range(0, len(x), step):
        some = x[i : i + step, :, None]
        arms = radius * _orthonormal(rng, len(some), network.input_dim, n_directions)
        vertices = np.concatenate([some + arms, some - arms], axis=2).transpose(0, 2, 1)
        active = network.preactivations(vertices.reshape(-1, network.input_dim)) > 0
        active = active.reshape(len(some), 2 * n_directions, network.n_neurons)
        switches = active.any(axis=1) & ~active.all(axis=1)
        if not len(first):
            yield np.zeros((len(some), 0), dtype=np.int64)
            continue
        yield np.add.reduceat(switches, first, axis=1, dtype=np.int64)


def _in_disc(cells: Cells, radius: float) -> tuple[int, float]:
    """Return the number of regions in the open disc, and the length of its facets over its area."""
    indptr, edges = cells.facets[1]
    region_of = np.repeat(np.arange(cells.n_regions), np.diff(indptr))
    inner = np.bincount(edges, minlength=len(cells.facets[0][0]) - 1) == 2
    ends = cells.vertices[cells.facets[0][1].reshape(-1, 2)]
    spans = ends[:, 1] - ends[:, 0]
    squares = np.sum(spans**2, axis=1)
    # |a + t s|^2 = r^2 at t = (-a·s ± root) / s·s
    mixed = np.sum(ends[:, 0] * spans, axis=1)
    constant = np.sum(ends[:, 0] ** 2, axis=1) - radius**2
    inside = mixed**2 - squares * constant
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(inside, 0.0))
        low, high = (np.clip((sign * root - mixed) / squares, 0.0, 1.0) for sign in (-1, 1))
    shares = np.where((squares > 0) & (inside > 0) & inner, high - low, 0.0)
    length = float(np.sum(shares * np.sqrt(squares)))
    met = np.unique(region_of[shares[edges] > 0])
    return max(1, len(met)), length / (np.pi * radius**2)


def _standard_errors(values: _Floats) -> _Floats:
    """Return the standard errors of means over rows; NaN for one number."""
    n = values.shape[1]
    if n < 2:
        return np.full(len(values), np.nan)
    errors: _Floats = values.std(axis=1, ddof=1) / np.sqrt(n)
    return errors


@dataclass(frozen=True)
class LocalComplexity(Signature):
    """How many neurons switch around training points; see `local_complexity`.

    Parameters
    ----------
    radius : float
        In units of the input.
    n_directions : int
        Directions of each cross-polytope.
    n_points : int
        How many training points are used, from the first on.
    seed : int
        Of the directions.
    """

    radius: float = 0.1
    n_directions: int = 25
    n_points: int = 1000
    seed: int = 0

    columns = (
        Column("local_complexity", "neurons", "neurons that switch around a training point, mean"),
        Column("local_complexity_std", "neurons", "standard deviation over training points"),
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return mean and standard deviation over training points."""
        points = subject.inputs[: self.n_points]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a row has no column for it
            found = local_complexity(
                subject.network, points, self.radius, n_directions=self.n_directions, seed=self.seed
            )
        return {
            "local_complexity": float(found.values.mean()),
            "local_complexity_std": float(found.values.std()),
        }

"""The quantities of regions, which a map can show as colours and a region as numbers.

Invariant: numbers are those of the library's tables and records, under the same names; a missing
value is NaN, or the category -1.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_array, as_labels, as_numbers
from relutopo.errors import InputError
from relutopo.explorer.scene import Quantity
from relutopo.geometry.cells import Cells
from relutopo.networks.perceptron import ReluNetwork
from relutopo.plots.layers import scaled_vector, sign_of_labels
from relutopo.plots.parts import looks_of_parts
from relutopo.signatures.local_complexity import local_complexity
from relutopo.spectral.agreement import decision_of_regions
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.system.untrusted import printable

__all__ = ["own_quantities", "quantities_of", "quantities_of_partition"]

_MOST_OUTPUTS = 3
"""Of which each is a quantity, however many regions there are."""
_MOST_VALUES = 50_000
"""Of outputs at all regions together, where there are more."""
_SATURATION = 0.98
"""Quantile of numbers, or of their modulus, at which colours saturate."""
_MOST_CATEGORIES = 40
_NEAR = 0.05
"""Of the smallest width of a complex, how far around a region local complexity looks."""
_OWN = "A column of your own."
_REGIONS = "columns.md#table-of-cellcomplexregions_table"
_PARTITION = "columns.md#table-of-fiedlerpartitiontable"
_PARTS = "columns.md#table-of-spectralpartitiontable"


def quantities_of(
    complex_: Cells,
    slopes: NDArray[np.float64],
    counts: NDArray[np.int64] | None = None,
    classes: tuple[str, ...] = (),
) -> list[Quantity]:
    """Return the quantities that the regions of any complex have.

    Parameters
    ----------
    complex_ : Cells
    slopes : (n_regions, n_outputs, d) ndarray
        The first of its `output_maps`.
    counts : (n_regions,) ndarray of int64, optional
        Data points in each region.
    classes : tuple of str
        What the classes between which the network decides are called, if it is known.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> slopes, _ = complex_.output_maps()
    >>> [quantity.name for quantity in quantities_of(complex_, slopes)][:3]
    ['n_active', 'volume', 'output_0']
    """
    return list(_quantities(complex_, slopes, counts, classes))


def _quantities(
    complex_: Cells,
    slopes: NDArray[np.float64],
    counts: NDArray[np.int64] | None,
    classes: tuple[str, ...],
) -> Iterator[Quantity]:
    network, n = complex_.network, complex_.n_regions
    yield Quantity(
        "n_active",
        "active neurons",
        complex_.patterns.sum(axis=1),
        "",
        "How many hidden neurons are on in the region.",
        docs=_REGIONS,
    )
    size = {1: "length", 2: "area"}.get(complex_.dim, "volume")
    yield Quantity(
        "volume",
        size,
        complex_.volumes,
        "",
        f"The {size} of the region; colours go by its magnitude.",
        scale="log",
        limits=_by_magnitude(complex_.volumes),
        docs=_REGIONS,
    )
    if network.n_outputs <= _MOST_OUTPUTS or network.n_outputs * n <= _MOST_VALUES:
        for j, values in enumerate(network(complex_.centroids).T):
            which = "" if network.n_outputs == 1 else f" {j}"
            has_both_signs = bool(values.min() < 0 < values.max())
            yield Quantity(
                f"output_{j}",
                f"output{which}",
                values,
                "",
                f"The network's output{which} at the centre of mass of the region, before a link.",
                scale="signed" if has_both_signs else "linear",
                limits=_symmetric(values) if has_both_signs else None,
                docs=_REGIONS,
            )
    norms = np.linalg.norm(slopes, axis=(1, 2))
    yield Quantity(
        "gradient",
        "norm of the gradient",
        norms,
        "output / input",
        "How steep the network is on the region: the root of the sum of squares of the entries of "
        "A in f(x) = A x + c.",
        limits=_saturated(norms),
        docs=_REGIONS,
    )
    yield from _decision(complex_, classes)
    if counts is not None:
        yield Quantity(
            "n_points", "data points", counts, "", "How many data points lie in the region.",
            docs=_REGIONS,
        )  # fmt: skip
    owners = complex_.facet_regions
    n_sides = np.bincount(owners[owners[:, 1] < 0, 0], minlength=n)
    n_facets = np.diff(complex_.facets[-1][0])
    yield Quantity(
        "n_neighbours",
        "neighbours",
        n_facets - n_sides,
        "regions",
        "How many regions share a facet with the region.",
        docs=_REGIONS,
    )
    yield _newest_layer(complex_)
    if isinstance(network, ReluNetwork):  # of others many passes take their time
        yield _local_complexity(complex_, network)


def _local_complexity(complex_: Cells, network: ReluNetwork) -> Quantity:
    """Return how many neurons switch around the middle of each region."""
    widths = np.ptp(complex_.vertices, axis=0)
    radius = float(f"{_NEAR * widths.min():.3g}")
    with warnings.catch_warnings():  # that hardly any neuron stays as it is shows by itself
        warnings.simplefilter("ignore", UserWarning)
        counts = local_complexity(network, complex_.centroids, radius)
    return Quantity(
        "n_switching",
        "local complexity",
        counts.values,
        "neurons",
        f"How many neurons switch between {2 * counts.n_directions} corners of a cross-polytope "
        f"of radius {radius:g}, turned at random, around the centre of mass of the region.",
        docs="columns.md#table-of-localcountstable",
    )


def _by_magnitude(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return limits that a few small values do not stretch."""
    positive = values[values > 0]
    if not positive.size:
        return None
    low, high = float(np.quantile(positive, 1 - _SATURATION)), float(positive.max())
    return (low, high) if high > low else None


def _symmetric(values: NDArray[np.float64], quantile: float = _SATURATION) -> tuple[float, float]:
    """Return limits that are symmetric about zero."""
    modulus = np.abs(values[np.isfinite(values)])
    most = float(np.quantile(modulus, quantile)) if modulus.size else 0.0
    return -most, most


def _saturated(values: NDArray[np.float64]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(np.quantile(finite, _SATURATION))
    return (low, high) if high > low else None


def _decision(complex_: Cells, classes: tuple[str, ...]) -> Iterator[Quantity]:
    """Yield the class of each region, and whether the decision boundary goes through it."""
    network = complex_.network
    n_classes = max(2, network.n_outputs)
    names = classes if len(classes) == n_classes else ()
    if not names and network.n_outputs == 1:
        names = ("output < 0", "output > 0")
    names = names or tuple(f"class {k}" for k in range(n_classes))
    crossed = None
    if network.n_outputs <= 2:
        found = decision_of_regions(complex_)
        decided, crossed = found.positive.astype(np.int32), found.crossed
    else:
        decided = network(complex_.interior_points).argmax(axis=1)
    by = "the sign of its output" if network.n_outputs == 1 else "the greatest of its outputs"
    yield Quantity(
        "decision",
        "class",
        decided,
        "",
        f"What the network decides for at a point inside the region, by {by}.",
        kind="category",
        categories=names,
        docs=_PARTITION,
    )
    if crossed is not None:
        yield Quantity(
            "is_crossed",
            "crossed by the decision",
            crossed.astype(np.int32),
            "",
            "Whether the decision boundary goes through the region.",
            kind="category",
            categories=("no", "yes"),
            docs=_PARTITION,
        )


def _newest_layer(complex_: Cells) -> Quantity:
    """Return the last layer that has a facet at each region."""
    network = complex_.network
    owners, labels = complex_.facet_regions, complex_.facet_labels
    inner = owners[:, 1] >= 0
    layers = network.layer_of(labels[inner])
    newest = np.full(complex_.n_regions, -1)
    for side in owners[inner].T:
        np.maximum.at(newest, side, layers)
    return Quantity(
        "newest_layer",
        "layer of the newest neuron",
        newest,
        "",
        "Last layer, from 0, of which a neuron changes its sign at the border of the region.",
        kind="category",
        categories=tuple(f"layer {k}" for k in range(len(network.layer_sizes))),
    )


def quantities_of_partition(
    part: FiedlerPartition | SpectralPartition,
    points: NDArray[np.float64] | None = None,
    labels: ArrayLike | None = None,
) -> list[Quantity]:
    """Return the quantities of a partition for each region.

    Parameters
    ----------
    part : FiedlerPartition or SpectralPartition
    points, labels : array_like, optional
        Data: sides and parts take the colours of the classes that they hold.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> graph = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> part = rt.fiedler_partition(graph, vertex_weights="unweighted")
    >>> [quantity.name for quantity in quantities_of_partition(part)]
    ['fiedler', 'part', 'vertex_weight']
    """
    weights = Quantity(
        "vertex_weight",
        "vertex weight",
        part.vertex_weights,
        "",
        "How much the region counts in the partition: its entry of W_V.",
        docs=_PARTITION,
    )
    if isinstance(part, FiedlerPartition):
        return [*_of_sides(part, points, labels), weights]
    return [*_of_parts(part, points, labels), weights]


def _of_sides(
    part: FiedlerPartition, points: NDArray[np.float64] | None, labels: ArrayLike | None
) -> Iterator[Quantity]:
    sign = 1.0
    if points is not None and labels is not None:
        sign = sign_of_labels(part, points, labels)
    # As far as figures go before they saturate.
    scaled = np.abs(scaled_vector(part))
    most = float(np.nanmax(np.abs(part.vector)) / max(np.nanmax(scaled), 1.0))
    yield Quantity(
        "fiedler",
        "Fiedler vector",
        part.vector,
        "",
        "Entry of the Fiedler vector: its signs are the sides, and it changes slowly within them.",
        scale="signed",
        limits=(-sign * most, sign * most),
        docs=_PARTITION,
    )
    values = np.select([~part.component, part.sides < 0, part.sides > 0], [-1, 0, 1], default=2)
    yield Quantity(
        "part",
        "side",
        values,
        "",
        "Side of the Fiedler vector on which the region lies: the sign of its entry; on the cut "
        "where rounding leaves the sign open.",
        kind="category",
        categories=("side −1", "side +1", "on the cut"),
        colours=(0, 1, -1) if sign > 0 else (1, 0, -1),
        docs=_PARTITION,
    )


def _of_parts(
    part: SpectralPartition, points: NDArray[np.float64] | None, labels: ArrayLike | None
) -> Iterator[Quantity]:
    own, names = looks_of_parts(part, points, labels)
    values = np.where(part.parts < 0, part.k, part.parts)
    values[~part.component] = -1
    yield Quantity(
        "part",
        "part",
        values,
        "",
        f"Part of the spectral partition in {part.k} in which the region lies; on the cut where "
        "nothing decides between parts.",
        kind="category",
        categories=(*(name.replace("\\$", "$") for name in names), "on the cut"),
        colours=(*own, -1),
        docs=_PARTS,
    )
    for i, vector in enumerate(part.vectors.T, 1):
        yield Quantity(
            f"vector_{i}",
            f"eigenvector {i + 1}",
            vector,
            "",
            f"Entry of eigenvector {i + 1} of the Laplacian, counted from that of zero.",
            scale="signed",
            limits=_symmetric(vector, 0.95),
            docs=_PARTS,
        )


def own_quantities(columns: Mapping[str, ArrayLike] | None, n_regions: int) -> list[Quantity]:
    """Return the user's columns, of numbers or of words, as quantities.

    Parameters
    ----------
    columns : mapping of str to (n_regions,) array_like
        Missing entries, None or NaN, get no value.
    n_regions : int

    Raises
    ------
    InputError
        If it is not a mapping, two names are written alike, a column does not have one entry for
        each region, or has too many different words.

    Examples
    --------
    >>> [q.kind for q in own_quantities({"mine": [0.5, 2.0], "kind": ["a", "b"]}, 2)]
    ['number', 'category']
    """
    if columns is None:
        return []
    if not isinstance(columns, Mapping):
        raise InputError(
            f"`columns` must be a mapping of names to arrays, got {type(columns).__name__}; pass "
            + ("dict(columns)" if hasattr(columns, "columns") else 'for example {"mine": values}')
        )
    named = [(printable(str(name)), values) for name, values in columns.items()]
    seen: set[str] = set()
    for name, _ in named:
        if name in seen:
            raise InputError(
                f"`columns` must have a name of its own for each column, got {name!r} twice; "
                "rename one of them"
            )
        seen.add(name)
    return [_own(name, values, n_regions) for name, values in named]


def _is_there(value: Any) -> bool:
    """Tell whether an entry is not missing: not None, NaN, NaT or pandas.NA."""
    try:
        return value is not None and bool(value == value)
    except (TypeError, ValueError):  # pandas.NA equals nothing, nor does it differ
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _own(name: str, values: ArrayLike, n_regions: int) -> Quantity:
    called = f"columns[{name!r}]"
    array = as_array(values, name=called)
    if array.shape != (n_regions,):
        raise InputError(
            f"`{called}` must have one entry for each of the {n_regions} regions, got "
            f"shape {array.shape}; pass for example `complex_.volumes`"
        )
    if array.dtype.kind in "iufc":
        return _own_numbers(name, array)
    there = np.array([_is_there(value) for value in array.tolist()], dtype=np.bool_)
    entries = array[there].tolist()
    if all(isinstance(value, (bool, np.bool_)) for value in entries) and entries:
        return _own_categories(name, ("false", "true"), np.array(entries, dtype=np.int32), there)
    if all(map(_is_number, entries)):
        own = np.full(n_regions, np.nan)
        own[there] = as_numbers(entries, called)
        return _own_numbers(name, own)
    found = as_labels(array[there], called)
    if len(found.classes) > _MOST_CATEGORIES:
        raise InputError(
            f"`{called}` must have {_MOST_CATEGORIES} different words at most, got "
            f"{len(found.classes)}; put some together, or pass numbers"
        )
    words = tuple(printable(str(word)) for word in found.classes)
    return _own_categories(name, words, found.codes, there)


def _own_categories(
    name: str, words: tuple[str, ...], codes: NDArray[Any], there: NDArray[np.bool_]
) -> Quantity:
    values = np.full(len(there), -1, dtype=np.int32)
    values[there] = codes
    return Quantity(name, name, values, "", _OWN, kind="category", categories=words)


def _own_numbers(name: str, array: NDArray[Any]) -> Quantity:
    own = as_numbers(array, f"columns[{name!r}]")
    own = np.where(np.isfinite(own), own, np.nan)
    finite = own[np.isfinite(own)]
    is_signed = bool(finite.size and finite.min() < 0 < finite.max())
    return Quantity(
        name,
        name,
        own,
        "",
        _OWN,
        scale="signed" if is_signed else "linear",
        limits=_symmetric(own) if is_signed else None,
    )

"""A layer's affine maps on all regions of a block of the plane, from those of the layer before.

The children of one parent, the regions into which one region was cut by the layer before, differ
only in which of that layer's neurons are active. So the first of them needs a product of matrices,
and a neighbour, across an edge of neuron i, one update of rank one: plus or minus the column of i
times the pre-activation of i on the parent. Updates go from neighbour to neighbour along a forest
of shortest paths, which keeps their rounding small.

Rounding (notation of `relutopo.networks.network`): let A_k be the columns of a map, the offset c
as the last, and δA_k their deviations from the exact map. With e_k = ‖δA_k‖ in Euclidean norm over
the neurons, and γ_k = γ ‖A_k‖, plus γ times the size of the biases in the last column, column k of
the next layer is off by at most ::

    ‖W_j‖ (e_k + γ_k)  for neuron j,      e_k' = ‖W‖ e_k + ‖W‖_F γ_k

by the inequality of Cauchy and Schwarz. With depth this grows like the product of spectral norms
‖W‖, far slower than that of the matrices |W| of absolute values. The bound of a value adds up the
columns times |x_k| ≤ X_k over the block, which shrinks as blocks do. A sum of n products, four at
a time, and f flips after it, each a term that is added or taken away, round at most
n / 4 + 8 + 2 f times in a row, which is the index of γ; no partial sum exceeds the sum of the
absolute terms.

What values go round a layer are carried beside its units (`relutopo.networks.chains`): further
columns of its maps, with the slope 1 in every pattern, whose zeros cut nothing. They count in all
norms. Weights that are products are off themselves: a row by r_j in Euclidean norm, which is as
much as r_j / (u ‖W_j‖) more roundings.

Where the units before are leaky, no product of matrices may leave out those that are inactive, and
a flip changes a unit's slope by a *jump*. Then ‖W_j‖ and ‖W‖ are those of W times the steepest
slope of each layer. A jump is at most twice the steepest slope, is rounded, and so are its two
products and the sum: a flip counts as eight.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import SMALLEST_REACH, UNDERFLOW, UNIT_ROUNDOFF
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.chains import ChainLayer, chain_of
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.compilation import njit

from ..._certified.decisions import Decisions
from ..._certified.norms import norm_from, norms_of_rows, spectral_norm_bound
from ..._certified.values import larger
from ..._shared.bits import n_words
from ..._shared.growing import fill
from ..._shared.task import Stage
from ..cuts.signs import corner_signs
from ..records import Beside, Cutters, Maps, PlanarCells, Values, VertexSigns
from ..tuning import Tuning
from .entries import Entries, chooses, entries_of
from .free_maps import next_of_free
from .graph_maps import Evaluated, LocalCut, cut_locally
from .siblings import active_units, differing_units, forest, multiply, sum_of_squares, switch
from .vertex_values import are_coarse, next_values, values_of_maps

__all__ = ["MapChain"]


_NUMBERS_AT_ONCE = 2**15
"""How many numbers maps have that are made before they are used, while they are in the cache."""

_MOST_ROUNDINGS = 2**12
"""Weights that are off by more than so many roundings count as if they were larger."""


def _is_sparse(earlier: Maps, siblings: int) -> bool:
    """Return whether parents have fewer children on average."""
    n_parents = np.count_nonzero(np.bincount(earlier.plane_of))
    return bool(len(earlier.plane_of) < siblings * n_parents)


class MapChain:
    """The maps of all layers of a network, each layer's from those of the layer before.

    Parameters
    ----------
    network : Network
        A `ReluNetwork`, a graph whose layers form a chain, or one that gives its maps from patterns
        alone.
    magnitude : (d,) ndarray
        Bound of the coordinates.
    tuning : Tuning
    decisions : Decisions
        Has the maps to twice the precision.
    """

    def __init__(
        self,
        network: Network,
        magnitude: NDArray[np.float64],
        tuning: Tuning,
        decisions: Decisions,
    ) -> None:
        self._network, self._tuning = network, tuning
        self._magnitude, self._decisions = magnitude, decisions
        self._layers: dict[int, _Layer] = {}
        self._room = threading.local()
        self._entries: Callable[[], Entries] | None = None
        if isinstance(network, GraphNetwork) and chooses(network):
            self._entries = cache(partial(entries_of, network))
        self._units = [
            _every_unit(first, size, first)
            for first, size in zip(network.layer_offsets, network.layer_sizes, strict=False)
        ]
        last = len(network.layer_sizes) - 1
        # On a line maps come from patterns alone.
        layers = _chain(network, magnitude) if len(magnitude) == 2 else []
        for layer, found in enumerate(layers, start=1):
            # The last layer's maps are not passed on.
            self._layers[layer] = found if layer == last else found.with_norm()

    @property
    def _carries_input(self) -> bool:
        """Whether the input is carried beside the first layer."""
        second = self._layers.get(1)
        return second is not None and second.n_before < len(second.columns) - 1

    @property
    def is_local(self) -> bool:
        """Whether maps come from a graph that is evaluated block by block."""
        is_plane = len(self._magnitude) == 2
        return is_plane and isinstance(self._network, GraphNetwork) and not self.is_chain

    @property
    def is_chain(self) -> bool:
        """Whether each layer's maps come from those of the layer before."""
        return len(self._layers) + 1 >= len(self._network.layer_sizes)

    def first(self, layer: int, cells: PlanarCells) -> Maps:
        """Return a layer's maps on regions, from their patterns alone.

        Parameters
        ----------
        layer : int
        cells : PlanarCells
            The complex before the layer cuts.
        """
        patterns = unpack_patterns(cells.packed, self._network.n_neurons)
        maps = self._network.affine_maps(layer, patterns, self._magnitude)
        every = np.arange(len(patterns), dtype=np.int32)
        # With e the bounds of values, column k is off by at most |e_j| / X_k.
        reach = np.append(np.maximum(self._magnitude, SMALLEST_REACH), 1.0)
        sizes = 1.01 * norms_of_rows(maps.errors) if layer == 0 else np.zeros(len(patterns))
        norms = sizes[:, None] / reach
        limit = float(self._magnitude.min())
        planes = maps.planes
        if layer == 0 and self._carries_input:
            d = len(self._magnitude)
            inputs = np.broadcast_to(np.eye(d + 1, d), (len(planes), d + 1, d))
            planes = np.concatenate([planes, inputs], axis=2)
        return Maps(planes, every, maps.errors, every, norms, limit)

    def some(
        self, stage: Stage, maps: Maps, cells: PlanarCells, beside: Beside
    ) -> tuple[Cutters, Maps, VertexSigns]:
        """Return the units of a stage, their maps out of those of the layer, and their signs.

        Parameters
        ----------
        stage : Stage
        maps : Maps
            Of the whole layer.
        cells, beside
            The complex before the stage cuts.
        """
        units = self._units[stage.layer]
        if stage.last - stage.first < len(units.neurons):
            own = slice(stage.first, stage.last)
            units = units._replace(neurons=units.neurons[own], bits=units.bits[own])
            maps = maps._replace(
                planes=np.ascontiguousarray(maps.planes[..., own]),
                errors=np.ascontiguousarray(maps.errors[:, own]),
            )
        return units, maps, _all_signs(maps, cells, beside)

    def earlier(
        self, layer: int, cells: PlanarCells, beside: Beside, earlier: Maps | Values
    ) -> Maps | Values:
        """Return what a layer's maps or values come from: values at vertices if they cost less.

        Parameters
        ----------
        layer, cells, beside
            As for `some`; layer ≥ 1, in the plane.
        earlier : Maps or Values
            Of layer - 1; maps, as they were before that cut. Regions with the same plane have one
            parent.
        """
        if isinstance(earlier, Values):
            return self._sharpened(layer - 1, cells, beside, earlier)
        if not _is_sparse(earlier, self._tuning.siblings):
            return earlier
        values: Values = values_of_maps(earlier, cells, beside)
        return self._sharpened(layer - 1, cells, beside, values)

    def units(self, layer: int) -> Cutters:
        """Return all units of a layer."""
        return self._units[layer]

    def for_values(self, layer: int) -> _Layer:
        """Return a layer, from the second on, as `vertex_values.next_values` takes it."""
        this = self._layers[layer]
        if not this.norm:
            this = self._layers[layer] = this.with_norm()
        return this

    def next(
        self, layer: int, cells: PlanarCells, beside: Beside, earlier: Maps | Values
    ) -> tuple[Cutters, Maps | Values, VertexSigns, Maps | Values]:
        """Return a layer's units, maps and signs, and what the next layer's come from.

        Instead of maps, these are values at vertices if the earlier ones are.

        Parameters
        ----------
        layer, cells, beside
            As for `some`; layer ≥ 1, in the plane.
        earlier : Maps or Values
            Of layer - 1, from `earlier`.
        """
        before: Maps | Values = earlier
        is_last = layer + 1 == len(self._network.layer_sizes)
        both: tuple[Maps | Values, VertexSigns]
        if isinstance(before, Values):
            both = next_values(self.for_values(layer), cells, beside, before)
            return self.units(layer), *both, both[0]
        this = self._layers[layer]
        n_regions, n = len(cells.packed), len(this.bias)
        if not is_last:
            planes = np.empty((n_regions, 3, n))
        elif (
            this.is_relu
            and n >= self._tuning.wide_last
            and (before.plane_of == before.plane_of[0]).all()
        ):
            free: tuple[Cutters, Maps, VertexSigns]
            free = next_of_free(this, self._last_planes(3 * n_regions * n), cells, beside, before)
            return *free, free[1]
        else:
            planes = self._last_planes(3 * n_regions * n).reshape(n_regions, 3, n)
        both = _next(this, planes, cells, beside, before)
        return self._units[layer], *both, both[0]

    def local(
        self, layer: int, cells: PlanarCells, beside: Callable[[], Beside], earlier: Evaluated
    ) -> LocalCut:
        """Return what `next` does, for networks that are no chains; `beside` gives what is."""
        shared = earlier.shared
        assert shared is not None
        assert isinstance(self._network, GraphNetwork)
        found = cut_locally(self._network, layer, cells, self._magnitude, earlier, self._entries)
        if found is not None:
            return found
        units = self._units[layer]
        cells = cells._replace(packed=shared.whole(cells.packed))
        n = len(units.neurons)
        units = _every_unit(int(units.neurons[0]), n, len(shared.neurons))
        shared = shared.then(np.arange(n), np.zeros(n, dtype=bool))
        maps, there = self.first(layer, cells), beside()
        signs: VertexSigns = _all_signs(maps, cells, there)
        return LocalCut(there, units, maps, signs, Evaluated(None, shared))

    def _sharpened(self, layer: int, cells: PlanarCells, beside: Beside, values: Values) -> Values:
        """Return a layer's values, anew from maps to twice the precision if bounds have grown."""
        precise = self._decisions.precise
        if precise is None or not are_coarse(values, self._tuning.coarse):
            return values
        patterns = unpack_patterns(cells.packed, self._network.layer_offsets[layer])
        maps = precise.on(patterns, layer)
        sizes = np.linalg.norm(maps.high, axis=2) + np.sqrt(maps.high.shape[2]) * UNDERFLOW
        norms = 1.01 * (UNIT_ROUNDOFF * sizes + maps.errors)
        every = np.arange(len(patterns), dtype=np.int32)
        no_errors = np.empty((len(patterns), 0))
        sharp = Maps(maps.high, every, no_errors, every, norms, float(self._magnitude.min()))
        sharpened: Values = values_of_maps(sharp, cells, beside)
        return sharpened

    def _last_planes(self, size: int) -> NDArray[np.float64]:
        """Return room for planes of the last layer.

        They are not needed once it has cut; each thread uses the same memory for all of them, as
        new memory costs more than the maps in it.
        """
        room: NDArray[np.float64] | None = getattr(self._room, "planes", None)
        if room is None or len(room) < size:
            self._room.planes = room = np.empty(size)
        return room[:size]


def _chain(network: Network, magnitude: NDArray[np.float64]) -> list[_Layer]:
    """Return the hidden layers from the second on; none of a graph that is no perceptron."""
    smallest = float(np.finfo(np.float64).tiny)
    if isinstance(network, GraphNetwork):
        found = zip(network.layer_offsets, chain_of(network, magnitude) or (), strict=False)
        return [_Layer.of(layer, offset, smallest) for offset, layer in found]
    if not isinstance(network, ReluNetwork):
        return []
    if network.products_are_normal:
        smallest = 0.0
    pairs = zip(network.layer_offsets, network.weights[1:-1], network.biases[1:-1], strict=False)
    return [_Layer.dense(w, b, offset, smallest) for offset, w, b in pairs]


def _every_unit(first: int, n: int, bit: int) -> Cutters:
    """Return n units as what cuts, from the numbers of the first neuron and of its bit on."""
    every = np.arange(n, dtype=np.int32)
    return Cutters(first + every, bit + every, np.zeros(-(-(bit + n) // 8), np.uint8))


_NONE, _NO_PAIRS = np.empty(0, np.int64), np.empty((0, 2), np.int64)


class _Layer(NamedTuple):
    """Weights and biases of a layer as kernels take them.

    `columns` has the columns of W as rows, and a row of zeros; the first `n_before` are those of
    the units before, the first `n_units` numbers in each those of the layer's units, and all others
    are of what is carried. Rows of `added` are pairs (number, input): what is carried and added to
    one number as it is; `carried` has the other inputs that are no units. A unit of the layer
    before has `slopes_on` where it is active, `slopes_off` elsewhere, and `jumps` is the
    difference; all are 1 and 0 for `is_relu`, and 1 and 1 for what is carried. With D the slopes of
    any pattern, `norm` is a bound of ‖W D‖, or 0 for the last layer until it is needed, and
    `row_norms` of ‖W_j D‖; where a pattern changes it does so by at most `change` times as much.
    Weights are off by as much as `n_roundings` of rows with the norms `row_norms`, a switch rounds
    `n_of_switch` times, and the bias is off by at most `bias_error`.
    """

    offset: int
    n_before: int
    n_units: int
    carried: NDArray[np.int64]
    added: NDArray[np.int64]
    columns: NDArray[np.float64]
    slopes_on: NDArray[np.float64]
    slopes_off: NDArray[np.float64]
    jumps: NDArray[np.float64]
    is_relu: bool
    change: float
    row_norms: NDArray[np.float64]
    weight_error: float
    norm: float
    bias: NDArray[np.float64]
    bias_error: NDArray[np.float64]
    n_roundings: int
    n_of_switch: int
    underflow: float

    @classmethod
    def dense(
        cls,
        weights: NDArray[np.float64],
        bias: NDArray[np.float64],
        offset: int,
        underflow: float,
    ) -> _Layer:
        """Return a layer of a perceptron, whose inputs are neurons from `offset` on."""
        n, n_before = weights.shape
        columns = np.zeros((n_before + 1, n))
        columns[:n_before] = weights.T
        ones = np.ones(n_before)
        zeros = np.zeros(max(n, n_before))
        return cls(
            offset=offset,
            n_before=n_before,
            n_units=n,
            carried=_NONE,
            added=_NO_PAIRS,
            columns=columns,
            slopes_on=ones,
            slopes_off=zeros[:n_before],
            jumps=ones,
            is_relu=True,
            change=1.0,
            row_norms=norms_of_rows(weights) * (1 + 2.0**-20),
            weight_error=0.0,
            norm=0.0,
            bias=bias,
            bias_error=zeros[:n],
            n_roundings=0,
            n_of_switch=2,
            underflow=underflow,
        )

    @classmethod
    def of(cls, layer: ChainLayer, offset: int, underflow: float) -> _Layer:
        """Return a layer of a chain, whose inputs are neurons from `offset` on."""
        weights, on, off = layer.weights, layer.slopes_on, layer.slopes_off
        carried = np.ones(weights.shape[1] - len(on))
        is_relu = bool((on == 1).all()) and not off.any()
        steepest = float(np.maximum(np.abs(on), np.abs(off)).max(initial=1.0))
        jumps = on - off
        norms = norms_of_rows(weights) * (1 + 2.0**-20)
        # Where large terms cancelled, the norm of a row is taken for more than it is.
        norms = np.maximum(norms, layer.weight_errors / (_MOST_ROUNDINGS * UNIT_ROUNDOFF))
        is_off = layer.weight_errors > 0
        of_rows = layer.weight_errors[is_off] / (UNIT_ROUNDOFF * norms[is_off])
        n_roundings = int(np.ceil(of_rows.max(initial=0.0)))
        on_its_own = (np.count_nonzero(weights, axis=0) == 1) & (weights.sum(axis=0) == 1.0)
        on_its_own[: len(on)] = False
        added = np.argwhere((weights != 0) & on_its_own)
        # Each of these is a sum of its own.
        n_roundings += int(np.bincount(added[:, 0]).max(initial=0))
        return cls(
            offset=offset,
            n_before=len(on),
            n_units=layer.n_units,
            carried=len(on) + np.flatnonzero(~on_its_own[len(on) :]),
            added=np.ascontiguousarray(added),
            columns=np.ascontiguousarray(np.vstack([weights.T, np.zeros(len(weights))])),
            slopes_on=np.append(on, carried),
            slopes_off=np.append(off, carried),
            jumps=jumps,
            is_relu=is_relu,
            change=1.0 if is_relu else 1.01 * float(np.abs(jumps).max(initial=1.0)),
            row_norms=steepest * norms,
            weight_error=float(norms_of_rows(layer.weight_errors[None])[0]),
            norm=0.0,
            bias=layer.bias,
            bias_error=layer.bias_error,
            # A slope is one factor more; a jump is rounded, and so is what it is taken times.
            n_roundings=n_roundings + (0 if is_relu else 2),
            n_of_switch=2 if is_relu else 8,
            underflow=underflow,
        )

    def with_norm(self) -> _Layer:
        """Return the layer with its norm."""
        norm = spectral_norm_bound(self.columns)
        if self.weight_error:
            norm += 1.01 * self.weight_error
        if not self.is_relu:
            slopes = np.abs([self.slopes_on, self.slopes_off])
            norm *= 1.01 * float(slopes.max(initial=1.0))
        return self._replace(norm=norm)


class _Parents(NamedTuple):
    """The maps of the layer before that occur, by their rows, and which of them each region has."""

    rows: NDArray[np.int64]
    of: NDArray[np.int32]


@njit(cache=True)
def _parents(plane_of, n_planes):
    """Return the parents in the order in which they occur."""
    place = np.full(n_planes, -1, np.int32)
    rows = np.empty(min(len(plane_of), n_planes), np.int64)
    of = np.empty(len(plane_of), np.int32)
    n = 0
    for r in range(len(plane_of)):
        if place[plane_of[r]] < 0:
            place[plane_of[r]] = n
            rows[n] = plane_of[r]
            n += 1
        of[r] = place[plane_of[r]]
    return _Parents(rows[:n], of)


@njit(cache=True)
def _no_signs(n_vertices, n_units):
    shape = n_vertices, n_words(n_units)
    return VertexSigns(
        np.zeros(shape, np.uint64),
        np.zeros(shape, np.uint64),
        np.empty((16, 2), np.int32),
        np.empty((0, shape[1]), np.uint64),
        np.empty(0, np.int32),
    )


@njit(cache=True)
def _with_unknown(signs, unknown):
    return VertexSigns(signs.positive, signs.negative, unknown, signs.above, signs.regions)


@njit(cache=True, nogil=True)
def _all_signs(maps, cells, beside):
    """Return the signs at all vertices."""
    signs = _no_signs(len(cells.x), maps.errors.shape[1])
    regions = np.arange(len(maps.plane_of)).astype(np.int32)
    # For the plain number 0 it would be compiled apart.
    unknown, n_unknown = corner_signs(regions, maps, cells, beside, signs, np.int64(0))
    return _with_unknown(signs, unknown[:n_unknown])


@njit(cache=True, nogil=True)
def _next(this, planes, cells, beside, earlier):
    """Return the maps of a layer, in `planes`, and its signs at vertices."""
    n_regions, n_before, n = len(cells.packed), this.n_before, this.columns.shape[1]
    first, last = this.offset >> 3, (this.offset + n_before + 7) >> 3
    # So many round no more than the product itself.
    most = n_before // 8 + 4
    order, before, n_flips = forest(
        cells.region_ptr, beside.across, earlier.plane_of, cells.packed, first, last, most
    )
    parents = _parents(earlier.plane_of, len(earlier.planes))
    deviation = cells.deviation.max()
    reach = np.ones(3)
    for k in range(2):
        reach[k] = larger(np.abs(cells.x[:, k]).max() + 2 * deviation, SMALLEST_REACH)
    errors, norms = _bounds(this, earlier, parents, n_flips, reach)
    every, error_of = np.arange(n_regions, dtype=np.int32), np.empty(n_regions, np.int32)
    maps = Maps(planes, every, errors, error_of, norms, reach.min())
    signs, n_unknown = _no_signs(len(cells.x), this.n_units), np.int64(0)
    at_once = max(1, _NUMBERS_AT_ONCE // (3 * n))
    for start in range(0, n_regions, at_once):
        regions = order[start : start + at_once]
        _fill(regions, this, cells.packed, earlier.planes, parents, before, maps)
        unknown, n_unknown = corner_signs(regions, maps, cells, beside, signs, n_unknown)
        signs = _with_unknown(signs, unknown)
    return maps, _with_unknown(signs, signs.unknown[:n_unknown])


@njit(cache=True, nogil=True)
def _bounds(this, earlier, parents, n_flips, reach):
    """Return the bounds `errors` and `norms` of a layer's maps, a row for each parent.

    The last row is for regions without an active unit: only the bias is off there.
    """
    n_parents, n_before, n = len(parents.rows), len(this.columns) - 1, this.columns.shape[1]
    before_norms = np.empty((n_parents, 3))
    most_flips = np.zeros(n_parents, np.int64)
    for r in range(len(n_flips)):
        p = parents.of[r]
        fill(before_norms[p], earlier.norms[earlier.error_of[r]])
        most_flips[p] = max(most_flips[p], n_flips[r])
    errors, norms = np.zeros((n_parents + 1, this.n_units)), np.zeros((n_parents + 1, 3))
    row_norms, bias = this.row_norms, this.bias
    total = norm_from(np.sum(row_norms**2), row_norms)
    bias_norm = norm_from(np.sum(bias**2), bias)
    bias_error = norm_from(np.sum(this.bias_error**2), this.bias_error)
    fill(errors[n_parents], this.bias_error[: this.n_units])
    norms[n_parents, 2] = bias_error
    for p in range(n_parents):
        n_roundings = n_before // 4 + 8 + this.n_of_switch * most_flips[p] + this.n_roundings
        # γ, and the roundings of this bound itself.
        rounding = 1.02 * n_roundings * UNIT_ROUNDOFF
        smallest = n_roundings * 4 * this.underflow
        scale, lost = 0.0, 0.0
        for m in range(3):
            row = parents.rows[p]
            square = sum_of_squares(earlier.planes, row, m)
            size = norm_from(square, earlier.planes[row, m])
            height = rounding * size
            scale += reach[m] * (1.02 * before_norms[p, m] + height)
            norms[p, m] = 1.02 * this.norm * before_norms[p, m] + total * height
            if size > 0.0 or before_norms[p, m] > 0.0:  # products with zeros lose nothing
                norms[p, m] += n * smallest
                lost = smallest
        norms[p, 2] += rounding * bias_norm + bias_error
        for j in range(this.n_units):
            errors[p, j] = row_norms[j] * scale + rounding * abs(bias[j]) + lost
            errors[p, j] += this.bias_error[j]
    return errors, norms


@njit(cache=True)
def _fill(regions, this, packed, earlier, parents, before, maps):
    """Fill the maps of some regions, and which row of errors they have, from those before."""
    offset, columns, planes = this.offset, this.columns, maps.planes
    rows, parent_of, error_of = parents.rows, parents.of, maps.error_of
    n_before, n_inputs = this.n_before, len(columns) - 1
    # The bytes of a pattern that hold the layer before, and its bits in them.
    first, last, shift = offset >> 3, (offset + n_before + 7) >> 3, offset & 7
    mask = np.zeros(last - first, np.uint8)
    for i in range(n_before):
        mask[(shift + i) >> 3] |= np.uint8(1 << ((shift + i) & 7))
    carried, added = this.carried, this.added
    units = np.empty(8 * (last - first) + len(carried), np.int64)
    every, slopes = np.empty(n_before + len(carried), np.int64), this.slopes_on.copy()
    for i in range(len(every)):
        every[i] = shift + (i if i < n_before else carried[i - n_before])
    always_active = not this.is_relu or n_inputs > n_before
    for r in regions:
        p = parent_of[r]
        is_active = np.uint8(always_active)
        for i in range(last - first):
            is_active |= packed[r, first + i] & mask[i]
        error_of[r] = p if is_active else len(rows)
        if is_active and before[r] >= 0:
            other = before[r]
            for i in range(differing_units(packed, r, before[r], first, last, units)):
                bit = units[i]
                sign = 1.0 if (packed[r, first + (bit >> 3)] >> (bit & 7)) & 1 else -1.0
                i = bit - shift
                switch(planes, r, other, sign * this.jumps[i], earlier, rows[p], columns, i)
                other = r
        elif this.is_relu:
            n_active = active_units(packed, r, first, mask, units)
            for i in carried:
                units[n_active] = shift + i
                n_active += 1
            active = units[:n_active]
            multiply(planes, r, earlier, rows[p], columns, this.bias, active, shift, slopes, added)
        else:
            for bit in every[:n_before]:
                is_on = (packed[r, first + (bit >> 3)] >> (bit & 7)) & 1
                slopes[bit - shift] = (this.slopes_on if is_on else this.slopes_off)[bit - shift]
            multiply(planes, r, earlier, rows[p], columns, this.bias, every, shift, slopes, added)

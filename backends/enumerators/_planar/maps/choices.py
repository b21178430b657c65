"""Compiled kernels that tell which entries of a graph coincide where pooling chooses the same ones.

As in `_certified.structure`, but for all regions of a block, one after another. On a region every
entry of a graph's values is a multiple of a *class*: a class is an entry that is taken as it is, or
a sum of multiples of other classes, and equal sums are one class. So entries that are computed in
the same way of what is chosen there have the same class, whatever comes between. Neurons of the
class 0 vanish on the region; those of one class vanish on the same line; and if a sum is a
combination of two others, its line goes through the point where theirs meet.

Invariant: a class and a factor are an exact identity on the closure of a region. Products and sums
of weights that would be rounded are not carried out: what needs one stays a class of its own. What
is not found is left to other decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.networks.local_maps import Shared
from relutopo.networks.local_walks import Changes
from relutopo.system.compilation import njit

from ..._shared.growing import grown
from ..records import Beside, PlanarCells

__all__ = ["Choices", "Entries", "chooses", "entries_of", "may_vanish"]

_FEW, _MANY, _STEPS = 4, 128, 8
"""Sums of few terms are written in what their terms are made of, in some steps, if that is no
longer. Rows of more than many terms are classes of their own: hardly ever are all of their terms
the same as another's."""
_ZERO, _ONE = 0, 1
_SMALL, _LARGE = 2.0**-400, 2.0**400
"""Products between these are not lost to underflow, and nor are the parts of their errors."""
_NEAR = 1.05
"""Maps that vanish are smaller than their error bounds times this."""


class Entries(NamedTuple):
    """The entries of all values of a graph, one value after another.

    Attributes
    ----------
    first : (n_values,) ndarray of int64
        The first entry of each value.
    neuron : (n,) ndarray of int64
        The neuron of each entry of a kink, otherwise -1.
    slopes : (2, n) ndarray
        Slopes of kinks.
    ptr, terms, weights : ndarrays of int64, int64, float64
        What each entry is made of: of a kink its source.
    bias : (n,) ndarray
    is_whole : (n,) ndarray of bool
        Whether an entry is a class of its own on all regions.
    use_ptr, uses : ndarrays of int64
        The entries that each is a term of.
    before, after : (n_neurons,) ndarrays of int64
        The entry that is each neuron's pre-activation, and the one that is the kink's.
    """

    first: NDArray[np.int64]
    neuron: NDArray[np.int64]
    slopes: NDArray[np.float64]
    ptr: NDArray[np.int64]
    terms: NDArray[np.int64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    is_whole: NDArray[np.bool_]
    use_ptr: NDArray[np.int64]
    uses: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


class _Classes(NamedTuple):
    """What is known on the present region.

    Attributes
    ----------
    bits : (n_neurons,) ndarray of bool
    class_of, factor_of : (n,) ndarrays of int64, float64
        Of each entry, the class or -1 where it is not known, and the factor.
    own : (n,) ndarray of int64
        The class that each entry is on its own, or -1.
    sizes : (2,) ndarray of int64
        How many classes there are, and terms of these.
    start, length : ndarrays of int64
        Where the terms of each class are, and how many: none of entries that are taken as they are.
        The number is negative for products that would be rounded.
    parts, factors : ndarrays of int64, float64
    table : ndarray of int64
        Classes plus 1 by what they are, for open addressing, or 0.
    stack, changed : ndarrays of int64
        Room for entries.
    dirty : ndarray of uint64
        Entries that may not be as they were on the region before, as bits.
    sums, sum_factors : (8, n) ndarrays of int64, float64
        Room for sums: classes, ascending, and factors. The first four and the last one are used
        where entries are evaluated.
    """

    bits: NDArray[np.bool_]
    class_of: NDArray[np.int64]
    factor_of: NDArray[np.float64]
    own: NDArray[np.int64]
    sizes: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    parts: NDArray[np.int64]
    factors: NDArray[np.float64]
    table: NDArray[np.int64]
    stack: NDArray[np.int64]
    changed: NDArray[np.int64]
    dirty: NDArray[np.uint64]
    sums: NDArray[np.int64]
    sum_factors: NDArray[np.float64]


class _Regions(NamedTuple):
    """Regions of a block, and in `at` the one that was visited last, or -1; see `Shared`."""

    at: NDArray[np.int64]
    neurons: NDArray[np.int64]
    always: NDArray[np.bool_]
    packed: NDArray[np.uint8]


def chooses(network: GraphNetwork) -> bool:
    """Tell whether there are maxima in a graph, as in pooling."""
    for node in network.nodes:
        if not isinstance(node, Affine):
            continue
        for source in node.sources:
            kink = network.nodes[source - 1] if source else None
            before = network.nodes[kink.source - 1] if isinstance(kink, Kink) else None
            # As in max(a, b) = a + ReLU(b - a).
            if isinstance(before, Affine) and set(before.sources) & set(node.sources):
                lengths = np.sum([np.diff(ends) for ends, _, _ in before.rows], axis=0)
                if lengths.min(initial=_FEW + 1) <= _FEW:
                    return True
    return False


def entries_of(network: GraphNetwork) -> Entries:
    """Return the entries of a graph."""
    sizes = [network.size_of(number) for number in range(len(network.nodes) + 1)]
    first = np.cumsum([0, *sizes])
    n = int(first[-1])
    neuron, bias, slopes = np.full(n, -1), np.zeros(n), np.ones((2, n))
    is_whole = np.zeros(n, dtype=bool)
    is_whole[: sizes[0]] = True
    before, after = np.empty((2, network.n_neurons), dtype=np.int64)
    rows, columns, weights = [first[:0]], [first[:0]], [bias[:0]]
    for number, node in enumerate(network.nodes, start=1):
        own = slice(first[number], first[number + 1])
        every = np.arange(own.start, own.stop)
        if isinstance(node, Affine):
            bias[own] = node.bias
            counts = sum(np.diff(ends) for ends, _, _ in node.rows)
            is_whole[own] = counts > _MANY
            for source, (ends, places, numbers) in zip(node.sources, node.rows, strict=True):
                of_row = np.repeat(every, np.diff(ends))
                kept = ~is_whole[of_row]
                rows.append(of_row[kept])
                columns.append(first[source] + places[kept])
                weights.append(numbers[kept])
        else:
            neurons = network.first_neuron(number) + np.arange(node.size)
            neuron[own], slopes[:, own] = neurons, node.slopes
            before[neurons], after[neurons] = first[node.source] + np.arange(node.size), every
            rows.append(every)
            columns.append(before[neurons])
            weights.append(np.ones(node.size))
    row, column = np.concatenate(rows), np.concatenate(columns)
    weight: NDArray[np.float64] = np.concatenate(weights)
    order = np.argsort(row, kind="stable")
    ptr = np.append(0, np.cumsum(np.bincount(row, minlength=n)))
    column, weight = column[order], weight[order]
    ptr, column, weight = _kept(neuron, slopes, ptr, column, weight, is_whole)
    used_by = np.argsort(column, kind="stable")
    use_ptr = np.append(0, np.cumsum(np.bincount(column, minlength=n)))
    uses = np.repeat(np.arange(n), np.diff(ptr))[used_by]
    return Entries(
        first[:-1],
        neuron,
        slopes,
        ptr,
        column,
        weight,
        bias,
        is_whole,
        use_ptr,
        uses,
        before,
        after,
    )


@njit(cache=True)
def _kept(neuron, slopes, ptr, terms, weights, is_whole):
    """Mark entries that are the same sums on all regions as whole; return the terms of others."""
    n = len(neuron)
    varies = np.zeros(n, np.bool_)
    for e in range(n):
        for q in range(ptr[e], ptr[e + 1]):
            varies[e] |= varies[terms[q]]
        varies[e] |= neuron[e] >= 0 and (slopes[0, e] == 0.0 or slopes[1, e] == 0.0)
        if neuron[e] < 0 and ptr[e + 1] - ptr[e] <= _FEW:
            # As in max(a, b) = a + ReLU(b - a), of which a kink's source has another term, too.
            for q in range(ptr[e], ptr[e + 1]):
                if neuron[terms[q]] < 0:
                    continue
                z = terms[ptr[terms[q]]]
                for k in range(ptr[z], ptr[z + 1] if ptr[z + 1] - ptr[z] <= _FEW else ptr[z]):
                    for m in range(ptr[e], ptr[e + 1]):
                        varies[e] |= terms[k] == terms[m]
        # Kinks and short rows are followed, for what they are made of may be the same.
        is_whole[e] |= not varies[e] and neuron[e] < 0 and ptr[e + 1] - ptr[e] > _FEW
    kept_ptr = np.zeros(n + 1, np.int64)
    for e in range(n):
        kept_ptr[e + 1] = kept_ptr[e] + (0 if is_whole[e] else ptr[e + 1] - ptr[e])
    kept, kept_weights = np.empty(kept_ptr[n], np.int64), np.empty(kept_ptr[n])
    for e in range(n):
        for q in range(kept_ptr[e + 1] - kept_ptr[e]):
            kept[kept_ptr[e] + q] = terms[ptr[e] + q]
            kept_weights[kept_ptr[e] + q] = weights[ptr[e] + q]
    return kept_ptr, kept, kept_weights


def may_vanish(changes: Changes, reach: NDArray[np.float64]) -> bool:
    """Tell whether any maps are so small that they may vanish, besides those that are 0."""
    sizes, errors = np.abs(changes.maps[:, :3]) @ reach, changes.maps[:, 3]
    return bool(((sizes <= _NEAR * errors) & (errors > 0.0)).any())


class Choices:
    """What a graph's entries are on the regions of a block, which are visited one after another.

    Nothing is made before it is needed, and layers that cut the block share what is.

    Parameters
    ----------
    entries : callable
        Gives the network's entries.
    """

    def __init__(self, entries: Callable[[], Entries]) -> None:
        self._given = entries
        self._regions: _Regions | None = None

    def on(self, shared: Shared, packed: NDArray[np.uint8]) -> None:
        """Go to the regions that the next layer cuts.

        Parameters
        ----------
        shared : Shared
            What their patterns share.
        packed : (n_regions, n_bytes) ndarray of uint8
            What is kept of these.
        """
        self._regions = _Regions(np.full(1, -1), *shared, packed)

    @cached_property
    def _entries(self) -> Entries:
        return self._given()

    @cached_property
    def _classes(self) -> _Classes:
        entries = self._entries
        n, m = len(entries.neuron), len(entries.terms)
        n_classes, n_parts = 4 * (n + m) + 64, 8 * (n + m) + 4096
        classes = _Classes(
            np.zeros(len(entries.before), dtype=bool),
            np.empty(n, np.int64),
            np.empty(n),
            np.empty(n, np.int64),
            np.zeros(2, np.int64),
            np.empty(n_classes, np.int64),
            np.empty(n_classes, np.int64),
            np.empty(n_parts, np.int64),
            np.empty(n_parts),
            np.zeros(1 << (2 * n_classes - 1).bit_length(), np.int64),
            np.empty(n + m + 1, np.int64),
            np.empty(2 * n, np.int64),
            np.zeros((n + 63) >> 6, np.uint64),
            np.empty((8, 2 * _MANY), np.int64),
            np.empty((8, 2 * _MANY)),
        )
        _begin(classes)
        return classes

    def _units(self, neurons: NDArray[np.integer]) -> NDArray[np.int64]:
        units: NDArray[np.int64] = self._entries.before[neurons]
        return units

    def vanishing(
        self, neurons: NDArray[np.integer], changes: Changes, reach: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return which units begin or cease to vanish on each region, in CSR form.

        Parameters
        ----------
        neurons : ndarray of int
            The neurons of the units.
        changes : Changes
            Their maps.
        reach : (3,) ndarray
            Bounds of |x_i|, and 1.
        """
        found: tuple[NDArray[np.int64], NDArray[np.int32]] = _vanishing(
            self._units(neurons),
            changes,
            reach,
            self._entries,
            self._classes,
            self._regions,
        )
        return found

    def left(
        self,
        unknown: NDArray[np.int32],
        neurons: NDArray[np.integer],
        cells: PlanarCells,
        beside: Beside,
    ) -> NDArray[np.int32]:
        """Return those of the (vertex, unit) pairs in `unknown` that are not known to be zero."""
        found: NDArray[np.int32] = _left(
            unknown,
            self._units(neurons),
            cells,
            beside,
            self._entries,
            self._classes,
            self._regions,
        )
        return found

    def meet(self, region: int, line: int, neurons: NDArray[np.integer]) -> bool:
        """Tell whether neurons are known to cross a line in one point on a region.

        Parameters
        ----------
        region : int
        line : int
            A neuron that vanishes there, or a negative number.
        neurons : ndarray of int
        """
        return bool(
            _meet(
                region,
                self._entries.before[line] if line >= 0 else -1,
                self._units(neurons),
                self._entries,
                self._classes,
                self._regions,
            )
        )


@njit(cache=True)
def _begin(classes):
    """Begin without any classes but those of 0 and 1, and without known entries."""
    class_of, own, sizes = classes.class_of, classes.own, classes.sizes
    for e in range(len(class_of)):
        class_of[e] = own[e] = -1
    sizes[0] = sizes[1] = 0
    _add_class(0, False, classes)
    _add_class(0, False, classes)


@njit(cache=True)
def _add_class(length, is_fixed, classes):
    """Add a class with the next terms; return its number."""
    k = classes.sizes[0]
    classes.start[k], classes.length[k] = classes.sizes[1], -length if is_fixed else length
    classes.sizes[0] += 1
    classes.sizes[1] += length
    return k


@njit(cache=True)
def _product(a, b):
    """Return a product of numbers that are not zero, or 0 where it is not exact."""
    p = a * b
    if abs(a) == 1.0 or abs(b) == 1.0:
        return p
    # Dekker's product: p + error = a b, as no part is lost.
    if not _SMALL < abs(p) < _LARGE or not (abs(a) < _LARGE and abs(b) < _LARGE):
        return 0.0
    if not (abs(a) > _SMALL and abs(b) > _SMALL):
        return 0.0
    shift = 134217729.0
    t, u = shift * a, shift * b
    a1, b1 = t - (t - a), u - (u - b)
    a2, b2 = a - a1, b - b1
    error = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    return p if error == 0.0 else 0.0


@njit(cache=True)
def _quotient(a, b):
    """Return a quotient of numbers that are not zero, or 0 where it is not exact."""
    if a == b:
        return 1.0
    if a == -b:
        return -1.0
    q = a / b
    if not _SMALL < abs(q) < _LARGE:
        return 0.0
    return q if _product(q, b) == a else 0.0


@njit(cache=True)
def _put(w, n, k, factor, classes):
    """Add a multiple of a class to sum w of n terms, sorted by class; return how many it has.

    Return -1 where there is no room, or the sum of two factors is not exact.
    """
    sums, factors = classes.sums, classes.sum_factors
    i = n
    while i > 0 and sums[w, i - 1] > k:
        i -= 1
    if i > 0 and sums[w, i - 1] == k:
        a = factors[w, i - 1]
        s = a + factor
        if s == 0.0:
            for m in range(i, n):
                sums[w, m - 1], factors[w, m - 1] = sums[w, m], factors[w, m]
            return n - 1
        t = s - a
        if (a - (s - t)) + (factor - t) != 0.0 or not _SMALL < abs(s) < _LARGE:
            return -1
        factors[w, i - 1] = s
        return n
    if n >= sums.shape[1]:
        return -1
    for m in range(n, i, -1):
        sums[w, m], factors[w, m] = sums[w, m - 1], factors[w, m - 1]
    sums[w, i], factors[w, i] = k, factor
    return n + 1


@njit(cache=True)
def _put_parts(w, n, k, factor, classes):
    """Add a multiple of the terms of a class to sum w, as `_put`."""
    first = classes.start[k]
    for q in range(first, first + classes.length[k]):
        product = _product(factor, classes.factors[q])
        if product == 0.0:
            return -1
        n = _put(w, n, classes.parts[q], product, classes)
        if n < 0:
            return -1
    return n


@njit(cache=True)
def _interned(w, n, is_fixed, classes):
    """Return the class of sum w; one that is fixed is never written in other terms."""
    sums, sum_factors = classes.sums, classes.sum_factors
    parts, factors, table = classes.parts, classes.factors, classes.table
    end = classes.sizes[1]
    for i in range(n):
        parts[end + i], factors[end + i] = sums[w, i], sum_factors[w, i]
    numbers = factors.view(np.uint64)
    h = np.uint64(n + 1024 * is_fixed)
    for i in range(n):
        h = (h ^ np.uint64(parts[end + i])) * np.uint64(0x9E3779B97F4A7C15)
        h = (h ^ (h >> np.uint64(29)) ^ numbers[end + i]) * np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(32)
    mask = len(table) - 1
    place = np.int64(h & np.uint64(mask))
    length = -n if is_fixed else n
    while table[place]:
        k = table[place] - 1
        if classes.length[k] == length:
            first, is_same = classes.start[k], True
            for i in range(n):
                is_same &= parts[first + i] == parts[end + i]
                is_same &= factors[first + i] == factors[end + i]
            if is_same:
                return k
        place = (place + 1) & mask
    k = _add_class(n, is_fixed, classes)
    table[place] = k + 1
    return k


@njit(cache=True)
def _scaled(k, factor, by, classes):
    """Return a class and a factor: that of a class times two numbers."""
    if k == _ZERO:
        return k, 1.0
    product = _product(factor, by)
    if product != 0.0:
        return k, product
    # Fixed terms (k, factor), (-1, by) stand for a product; no sum has a class -1.
    sums, factors = classes.sums, classes.sum_factors
    sums[7, 0], factors[7, 0] = -1, by
    sums[7, 1], factors[7, 1] = k, factor
    return _interned(7, 2, True, classes), 1.0


@njit(cache=True)
def _follow(entry, entries, classes):
    """Make dirty entries known, and one more unless it is -1; those that change go to `changed`.

    Return how many these are. This is one function because calls with arrays count references,
    which would take most of the time; what is called here is rarely called.
    """
    bits, class_of, factor_of, own = classes.bits, classes.class_of, classes.factor_of, classes.own
    start, length = classes.start, classes.length
    parts, numbers = classes.parts, classes.factors
    stack, changed, dirty = classes.stack, classes.changed, classes.dirty
    sums, factors = classes.sums, classes.sum_factors
    neuron_of, slopes, is_whole = entries.neuron, entries.slopes, entries.is_whole
    ptr, terms, weights, bias = entries.ptr, entries.terms, entries.weights, entries.bias
    use_ptr, uses, room = entries.use_ptr, entries.uses, sums.shape[1]
    n_changed, at, n_stack, before, factor_before = 0, 0, 0, np.int64(-1), 1.0
    while True:
        if n_stack == 0:
            while at < len(dirty) and not dirty[at]:
                at += 1
            if at < len(dirty):
                # What an entry is a term of comes after it.
                word = dirty[at]
                e = 64 * at + int(lowest_bit(word))
                dirty[at] = word & (word - np.uint64(1))
                before, factor_before = class_of[e], factor_of[e]
                class_of[e] = -1
            elif entry >= 0 and class_of[entry] < 0:
                e, before = entry, np.int64(-1)
            else:
                break
            stack[0], n_stack = e, 1
        e = stack[n_stack - 1]
        if class_of[e] >= 0:
            n_stack -= 1
            if n_stack or before < 0 or (class_of[e] == before and factor_of[e] == factor_before):
                continue
            changed[n_changed] = e
            n_changed += 1
            for q in range(use_ptr[e], use_ptr[e + 1]):
                user = uses[q]
                i = neuron_of[user]
                is_open = class_of[user] >= 0 and (i < 0 or slopes[int(bits[i]), user] != 0.0)
                dirty[user >> 6] |= np.uint64(is_open) << np.uint64(user & 63)
            continue
        neuron, slope = neuron_of[e], 1.0
        if neuron >= 0:
            slope = slopes[int(bits[neuron]), e]
        first, last = ptr[e], ptr[e + 1] if not is_whole[e] and slope != 0.0 else ptr[e]
        m = n_stack
        for q in range(first, last):
            if class_of[terms[q]] < 0:
                stack[m] = terms[q]
                m += 1
        if m > n_stack:
            n_stack = m
            continue
        if slope == 0.0:
            class_of[e], factor_of[e] = _ZERO, 1.0
            continue
        # Sum 3 is what is put together, in one of the sums 0, 1 and 2.
        n_terms, is_exact = 0, not is_whole[e]
        for q in range(first, last):
            k, factor = class_of[terms[q]], factor_of[terms[q]]
            by = weights[q] * slope  # one of them is 1
            if k == _ZERO or by == 0.0:
                continue
            product = _product(factor, by)
            if product == 0.0:
                k, product = _scaled(k, factor, by, classes)
            sums[3, n_terms], factors[3, n_terms] = k, product
            n_terms += 1
        if bias[e] != 0.0:
            sums[3, n_terms], factors[3, n_terms] = _ONE, bias[e]
            n_terms += 1
        steps = _STEPS if last - first <= _FEW else 0
        v, n, total = 0, 0, 1.0
        best, best_n, best_total = -1, 0, 1.0
        while is_exact:
            # Put the terms together, by class.
            n = 0
            for j in range(n_terms):
                k, factor, i = sums[3, j], factors[3, j], n
                while i > 0 and sums[v, i - 1] > k:
                    i -= 1
                if i > 0 and sums[v, i - 1] == k:
                    a = factors[v, i - 1]
                    s = a + factor
                    if s == 0.0:
                        n -= 1
                        for i_next in range(i, n + 1):
                            sums[v, i_next - 1] = sums[v, i_next]
                            factors[v, i_next - 1] = factors[v, i_next]
                        continue
                    t = s - a
                    error = (a - (s - t)) + (factor - t)
                    if error != 0.0 or not _SMALL < abs(s) < _LARGE:
                        n = -1
                        break
                    factors[v, i - 1] = s
                    continue
                for i_next in range(n, i, -1):
                    sums[v, i_next], factors[v, i_next] = (
                        sums[v, i_next - 1],
                        factors[v, i_next - 1],
                    )
                sums[v, i], factors[v, i] = k, factor
                n += 1
            if n < 0:
                break
            if n > 1:
                # Divide by the first factor if all are alike but for signs, or by its sign.
                divisor, is_alike = factors[v, 0], True
                for i in range(n):
                    is_alike &= abs(factors[v, i]) == abs(divisor)
                if not is_alike:
                    divisor = 1.0 if divisor > 0.0 else -1.0
                product = _product(total, divisor)
                if product == 0.0:
                    break
                total = product
                for i in range(n):
                    if is_alike:
                        factors[v, i] = 1.0 if (factors[v, i] > 0.0) == (divisor > 0.0) else -1.0
                    else:
                        factors[v, i] *= divisor
            if best < 0 or n <= best_n:
                best, best_n, best_total = v, n, total
            # Write the latest class in its terms.
            i = n - 1
            while i >= 0 and not 0 < length[sums[v, i]] <= _FEW:
                i -= 1
            if i < 0 or n == 1 or steps == 0:
                break
            steps -= 1
            n_terms = 0
            for j in range(n):
                if j != i:
                    sums[3, n_terms], factors[3, n_terms] = sums[v, j], factors[v, j]
                    n_terms += 1
            k, factor = sums[v, i], factors[v, i]
            for j in range(start[k], start[k] + length[k]):
                product = _product(factor, numbers[j])
                if product == 0.0:
                    steps = -1
                    break
                sums[3, n_terms], factors[3, n_terms] = parts[j], product
                n_terms += 1
            if steps < 0 or n_terms + _FEW > room:
                break
            w = v
            v = 0
            while v in (w, best):
                v += 1
        if best < 0:
            if own[e] < 0:
                own[e] = _add_class(0, False, classes)
            class_of[e], factor_of[e] = own[e], 1.0
        elif best_n == 0:
            class_of[e], factor_of[e] = _ZERO, 1.0
        else:
            k, factor = sums[best, 0], factors[best, 0]
            if best_n > 1:
                k, factor = _interned(best, best_n, False, classes), 1.0
            product = _product(factor, best_total)
            if product == 0.0:
                k, product = _scaled(k, factor, best_total, classes)
            class_of[e], factor_of[e] = k, product
    return n_changed


@njit(cache=True)
def _evaluate(entry, entries, classes):
    """Return the class of an entry on the present region."""
    if classes.class_of[entry] < 0:
        _follow(entry, entries, classes)
    return classes.class_of[entry]


@njit(cache=True)
def _visit(r, entries, classes, regions):
    """Go to a region; known entries that are not as on the one before go to `changed`.

    Return how many these are.
    """
    bits, class_of, changed, dirty = (
        classes.bits,
        classes.class_of,
        classes.changed,
        classes.dirty,
    )
    packed, neurons, always = regions.packed, regions.neurons, regions.always
    before, n = regions.at[0], 0
    regions.at[0] = r
    room = len(entries.neuron) + len(entries.terms)
    if classes.sizes[0] + 2 * room > len(classes.length) or classes.sizes[
        1
    ] + 4 * room + 2048 > len(classes.parts):
        for e in range(len(class_of)):
            if class_of[e] >= 0:
                changed[n] = e
                n += 1
        for i in range(len(classes.table)):
            classes.table[i] = 0
        _begin(classes)
    if before < 0:
        now = always.copy()
        for i in range(len(neurons)):
            now[neurons[i]] = (packed[r, i >> 3] >> (i & 7)) & 1
        for neuron in range(len(now)):
            if bits[neuron] != now[neuron]:
                bits[neuron] = now[neuron]
                e = entries.after[neuron]
                dirty[e >> 6] |= np.uint64(class_of[e] >= 0) << np.uint64(e & 63)
    for b in range(packed.shape[1] if before >= 0 else 0):
        byte = np.uint64(packed[r, b] ^ packed[before, b])
        while byte:
            neuron = neurons[8 * b + int(lowest_bit(byte))]
            byte &= byte - np.uint64(1)
            bits[neuron] ^= True
            e = entries.after[neuron]
            dirty[e >> 6] |= np.uint64(class_of[e] >= 0) << np.uint64(e & 63)
    return max(n, _follow(-1, entries, classes))


@njit(cache=True, nogil=True)
def _vanishing(units, changes, reach, entries, classes, regions):
    n_units, class_of, changed = len(units), classes.class_of, classes.changed
    unit_of = np.full(len(entries.neuron), -1, np.int64)
    for j in range(n_units):
        unit_of[units[j]] = j
    is_near, is_zero = np.zeros(n_units, np.bool_), np.zeros(n_units, np.bool_)
    queue, seen = np.empty(n_units, np.int64), np.full(n_units, -1, np.int64)
    ptr, found, n_found = (
        np.zeros(len(regions.packed) + 1, np.int64),
        np.empty(n_units, np.int32),
        0,
    )
    for r in range(len(regions.packed)):
        n_queue, n_changed = 0, _visit(r, entries, classes, regions)
        for i in range(n_changed):
            j = unit_of[changed[i]]
            if j >= 0 and is_near[j]:
                seen[j] = r
                queue[n_queue] = j
                n_queue += 1
        for i in range(changes.ptr[r], changes.ptr[r + 1]):
            j, size = changes.places[i], 0.0
            for q in range(3):
                size += reach[q] * abs(changes.maps[i, q])
            is_near[j] = size <= _NEAR * changes.maps[i, 3] and changes.maps[i, 3] > 0.0
            if (is_near[j] or is_zero[j]) and seen[j] != r:
                seen[j] = r
                queue[n_queue] = j
                n_queue += 1
        found = grown(found, n_found + n_queue)
        for i in range(n_queue):
            j = queue[i]
            if is_near[j] and class_of[units[j]] < 0:
                _evaluate(units[j], entries, classes)
            vanishes = is_near[j] and class_of[units[j]] == _ZERO
            if vanishes != is_zero[j]:
                is_zero[j] = vanishes
                found[n_found] = j
                n_found += 1
        ptr[r + 1] = n_found
    return ptr, found[:n_found]


@njit(cache=True)
def _load(w, k, classes):
    """Put the terms of a class into sum w; return how many there are."""
    sums, factors = classes.sums, classes.sum_factors
    n = classes.length[k]
    if k == _ZERO:
        return 0
    if n <= 0:
        sums[w, 0], factors[w, 0] = k, 1.0
        return 1
    for i in range(n):
        q = classes.start[k] + i
        sums[w, i], factors[w, i] = classes.parts[q], classes.factors[q]
    return n


@njit(cache=True)
def _reduced(w, n, v, m, u, classes):
    """Write to sum u what sum v leaves of sum w, without its first term; return its length or -1.

    The length is -1 where a number is not exact.
    """
    sums, factors = classes.sums, classes.sum_factors
    ratio = 0.0
    for i in range(n):
        sums[u, i], factors[u, i] = sums[w, i], factors[w, i]
        if m > 0 and sums[w, i] == sums[v, 0]:
            ratio = _quotient(factors[w, i], factors[v, 0])
            if ratio == 0.0:
                return -1
    if ratio != 0.0:
        for i in range(m):
            product = _product(-ratio, factors[v, i])
            if product == 0.0:
                return -1
            n = _put(u, n, sums[v, i], product, classes)
            if n < 0:
                return -1
    return n


@njit(cache=True)
def _vanishes(k, k_a, k_b, classes):
    """Tell whether a class is 0 where two others are, by what all of its terms are made of."""
    sums, factors, length = classes.sums, classes.sum_factors, classes.length
    w, n = 6, 1
    sums[w, 0], factors[w, 0] = k, 1.0
    for _ in range(4 * _STEPS):
        i = n - 1
        while i >= 0 and length[sums[w, i]] <= 0:
            i -= 1
        if i < 0:
            break
        v, m = 13 - w, 0
        for q in range(n):
            if q != i and m >= 0:
                m = _put(v, m, sums[w, q], factors[w, q], classes)
        if m >= 0:
            m = _put_parts(v, m, sums[w, i], factors[w, i], classes)
        if m < 0:
            break
        w, n = v, 0
        for q in range(m):
            sums[w, n], factors[w, n] = sums[w, q], factors[w, q]
            n += sums[w, q] not in (k_a, k_b)
        if n == 0:
            return True
    return False


@njit(cache=True)
def _left(unknown, units, cells, beside, entries, classes, regions):
    region_ptr, half_edges, labels = cells.region_ptr, cells.half_edges, cells.labels
    left, n_left, i = np.empty_like(unknown), 0, 0
    while i < len(unknown):
        v = unknown[i, 0]
        r = beside.vertex_owner[v]
        _visit(r, entries, classes, regions)
        first, last = region_ptr[r], region_ptr[r + 1]
        q = first
        while beside.origins[q] != v:
            q += 1
        before = q - 1 if q > first else last - 1
        a, b = labels[half_edges[q] >> 1], labels[half_edges[before] >> 1]
        k_a = _evaluate(entries.before[a], entries, classes) if a >= 0 else _ZERO
        k_b = _evaluate(entries.before[b], entries, classes) if b >= 0 else _ZERO
        # Sums 4 and 5 are the two lines, the second one without what the first one has.
        n_a, n_b = _load(4, k_a, classes), _load(6, k_b, classes)
        n_b = max(0, _reduced(6, n_b, 4, n_a, 5, classes))
        while i < len(unknown) and unknown[i, 0] == v:
            j = unknown[i, 1]
            i += 1
            k = _evaluate(units[j], entries, classes)
            if k in (_ZERO, k_a, k_b):
                continue
            n = _reduced(6, _load(6, k, classes), 4, n_a, 7, classes)
            if n > 0:
                n = _reduced(7, n, 5, n_b, 6, classes)
            if n != 0 and not _vanishes(k, k_a, k_b, classes):
                left[n_left, 0], left[n_left, 1] = v, j
                n_left += 1
    return left[:n_left]


@njit(cache=True)
def _meet(r, line, units, entries, classes, regions):
    _visit(r, entries, classes, regions)
    k_line, n_first = _ZERO, 0
    if line >= 0:
        k_line = _evaluate(line, entries, classes)
    n_line = _load(4, k_line, classes)
    for j in range(len(units)):
        k = _evaluate(units[j], entries, classes)
        n = _reduced(6, _load(6, k, classes), 4, n_line, 5 if j == 0 else 7, classes)
        if n <= 0:
            return False
        if j == 0:
            n_first = n
        elif _reduced(7, n, 5, n_first, 6, classes) != 0:
            return False
    return True

"""Compiled kernels for graphs on a block of regions; see `relutopo.networks.local_maps`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = [
    "Rows",
    "image",
    "maps_on_regions",
    "put_bits",
    "sum_of_rows",
    "take_bits",
    "vanishing",
]


class Rows(NamedTuple):
    """A sparse matrix: the entries of row i are at ptr[i]:ptr[i + 1]; they may be zero."""

    ptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    numbers: NDArray[np.float64]

    @classmethod
    def empty(cls, n: int) -> Rows:
        """Return n rows without entries."""
        return cls(np.zeros(n + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many entries each row has."""
        return np.diff(self.ptr)

    @property
    def row_of(self) -> NDArray[np.int64]:
        """The row of each entry."""
        return np.repeat(np.arange(len(self.ptr) - 1), self.counts)

    @property
    def absolute(self) -> Rows:
        """The absolute values."""
        return self._replace(numbers=np.abs(self.numbers))

    def times(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product with a vector.

        Examples
        --------
        >>> Rows(np.array([0, 2, 2]), np.array([0, 1]), np.array([1.0, 2.0])).times(np.ones(2))
        array([3., 0.])
        """
        products = self.numbers * weights[self.columns]
        n = len(self.ptr) - 1
        return np.bincount(self.row_of, weights=products, minlength=n).astype(float)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Return some rows.

        Examples
        --------
        >>> rows = Rows(np.array([0, 2, 3]), np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]))
        >>> rows.take(np.array([1])).numbers
        array([3.])
        """
        counts = self.counts[rows]
        ptr = np.append(0, np.cumsum(counts))
        places = np.arange(ptr[-1]) + np.repeat(self.ptr[rows] - ptr[:-1], counts)
        return Rows(ptr, self.columns[places], self.numbers[places])

    def then(self, more: Rows) -> Rows:
        """Return these rows and more."""
        ends = self.ptr[-1] + more.ptr[1:]
        columns = np.append(self.columns, more.columns)
        return Rows(np.append(self.ptr, ends), columns, np.append(self.numbers, more.numbers))


@njit(cache=True, nogil=True)
def image(
    matrix: Rows,
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
    n_variables: int,
) -> tuple[NDArray[np.float64], Rows, NDArray[np.float64], NDArray[np.bool_]]:
    """Return a matrix times a value, and the sizes of its entries times the errors of the value.

    Parameters
    ----------
    matrix : Rows
    planes : (m, d + 1) ndarray
        A and c of the value.
    factors : Rows
        C of the value; its entries are the support.
    errors : (m,) ndarray
    others : (m,) ndarray of bool
        Whether anything besides the variables contributes.
    n_variables : int

    Returns
    -------
    planes, factors, errors, others
        The same of the product.
    """
    n, width = len(matrix.ptr) - 1, planes.shape[1]
    result, bounds = np.zeros((n, width)), np.zeros(n)
    has_others = np.zeros(n, np.bool_)
    most = 0
    for j in matrix.columns:
        most += factors.ptr[j + 1] - factors.ptr[j]
    most = min(most, n * n_variables)
    ptr = np.zeros(n + 1, np.int64)
    columns, numbers = np.empty(most, np.int64), np.empty(most)
    sums, is_found = np.zeros(n_variables), np.zeros(n_variables, np.bool_)
    count = 0
    for i in range(n):
        begin = count
        for q in range(matrix.ptr[i], matrix.ptr[i + 1]):
            j, weight = matrix.columns[q], matrix.numbers[q]
            if weight == 0.0:
                continue
            for k in range(width):
                result[i, k] += weight * planes[j, k]
            bounds[i] += abs(weight) * errors[j]
            has_others[i] |= others[j]
            for p in range(factors.ptr[j], factors.ptr[j + 1]):
                c = factors.columns[p]
                if not is_found[c]:
                    is_found[c], sums[c] = True, 0.0
                    # Entries of neighbours nearly ascend.
                    at = count
                    while at > begin and columns[at - 1] > c:
                        columns[at] = columns[at - 1]
                        at -= 1
                    columns[at] = c
                    count += 1
                sums[c] += weight * factors.numbers[p]
        for p in range(begin, count):
            numbers[p] = sums[columns[p]]
            is_found[columns[p]] = False
        ptr[i + 1] = count
    return result, Rows(ptr, columns[:count], numbers[:count]), bounds, has_others


@njit(cache=True, nogil=True)
def sum_of_rows(a: Rows, b: Rows) -> Rows:
    """Return the sum of two sparse matrices, in whose rows columns ascend.

    Examples
    --------
    >>> a = Rows(np.array([0, 2]), np.array([0, 2]), np.array([1.0, 2.0]))
    >>> b = Rows(np.array([0, 2]), np.array([1, 2]), np.array([5.0, 6.0]))
    >>> sum_of_rows(a, b).columns, sum_of_rows(a, b).numbers
    (array([0, 1, 2]), array([1., 5., 8.]))
    """
    most = len(a.columns) + len(b.columns)
    ptr, columns, numbers = np.zeros_like(a.ptr), np.empty(most, np.int64), np.empty(most)
    count = 0
    for i in range(len(ptr) - 1):
        p, q = a.ptr[i], b.ptr[i]
        while p < a.ptr[i + 1] or q < b.ptr[i + 1]:
            takes_a = q == b.ptr[i + 1] or (p < a.ptr[i + 1] and a.columns[p] <= b.columns[q])
            takes_b = p == a.ptr[i + 1] or (q < b.ptr[i + 1] and b.columns[q] <= a.columns[p])
            numbers[count] = 0.0
            if takes_a:
                columns[count] = a.columns[p]
                numbers[count] += a.numbers[p]
                p += 1
            if takes_b:
                columns[count] = b.columns[q]
                numbers[count] += b.numbers[q]
                q += 1
            count += 1
        ptr[i + 1] = count
    return Rows(ptr, columns[:count], numbers[:count])


@njit(cache=True, nogil=True)
def vanishing(
    factors: Rows,
    others: NDArray[np.bool_],
    neurons: NDArray[np.int64],
    active: NDArray[np.bool_],
    regions: NDArray[np.int32],
    labels: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Return which values are zero at points, from structure alone.

    Parameters
    ----------
    factors, others
        Of the variables, then of the values, as for `maps_on_regions`.
    neurons : (f,) ndarray of int64
    active : (n_regions, f) ndarray of bool
    regions, labels : (m,), (m, k) ndarrays
        A region beside each point, and neurons that are zero at it.
    """
    f, n_rows = len(neurons), len(others)
    found = np.zeros((len(regions), n_rows - f), np.bool_)
    is_active = np.empty(f, np.bool_)
    for v in range(len(regions)):
        for i in range(n_rows):
            is_empty = not others[i]
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                is_empty &= not is_active[factors.columns[q]]
            if i >= f:
                found[v, i - f] = is_empty
                continue
            is_active[i] = active[regions[v], i] and not is_empty
            for label in labels[v]:
                is_active[i] &= neurons[i] != label
    return found


@njit(cache=True, nogil=True)
def maps_on_regions(
    packed: NDArray[np.uint8],
    bits: NDArray[np.int64],
    slopes: NDArray[np.float64],
    planes: NDArray[np.float64],
    factors: Rows,
    own: NDArray[np.float64],
    others: NDArray[np.bool_],
    reach: NDArray[np.float64],
    rounding: float,
    lost: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return maps on regions, their bounds, and which variables are active there.

    A region mostly differs from the one before it in few neurons. Only what depends on these is
    computed again.

    Parameters
    ----------
    packed : (n_regions, n_bytes) ndarray of uint8
        Patterns of the regions.
    bits : (f,) ndarray of int64
        The bit of each variable in these.
    slopes : (2, f) ndarray
        Slopes of the variables where their bits are 0, and where they are 1.
    planes : (f + n, d + 1) ndarray
        A and c of the pre-activations of the variables, then of the wanted values.
    factors : Rows
        C of the same, and their supports; rows of variables have entries only in earlier columns.
    own : (f + n,) ndarray
        Bounds of the errors of A, c and C, including the rounding of the sums that start with them.
    others : (f + n,) ndarray of bool
        Whether anything besides the variables contributes to a value.
    reach : (d + 1,) ndarray
        Bounds of the factors of the columns of maps: of |x_i|, and 1.
    rounding, lost : float
        Relative rounding error of a sum, and its loss to underflow.

    Returns
    -------
    maps, bounds : (n_regions, d + 1, n), (n_regions, n) ndarrays
    active : (n_regions, f) ndarray of bool
    """
    (n_regions, n_bytes), f = packed.shape, len(bits)
    n_rows, width = planes.shape
    maps = np.empty((n_regions, width, n_rows - f))
    bounds = np.empty((n_regions, n_rows - f))
    active = np.empty((n_regions, f), np.bool_)
    inputs, losses, total = np.zeros((f, width)), np.zeros(f), np.empty(width)
    is_active = np.zeros(f, np.bool_)
    use_ptr, uses = _uses(f, factors)
    variable_of = np.full(8 * n_bytes, -1, np.int64)
    for i in range(f):
        variable_of[bits[i]] = i
    # Rows that are not known to be as on the region before, the first one last.
    queue = np.arange(n_rows)[::-1].copy()
    n_queued = int(n_rows)
    is_queued = np.ones(n_rows, np.bool_)
    for r in range(n_regions):
        if r > 0:
            for k in range(width):
                for j in range(n_rows - f):
                    maps[r, k, j] = maps[r - 1, k, j]
            for j in range(n_rows - f):
                bounds[r, j] = bounds[r - 1, j]
            for b in range(n_bytes):
                byte, bit = packed[r, b] ^ packed[r - 1, b], 8 * b
                while byte:
                    if byte & 1 and variable_of[bit] >= 0:
                        n_queued = _put(variable_of[bit], queue, n_queued, is_queued)
                    byte >>= 1
                    bit += 1
        while n_queued:
            n_queued -= 1
            i = queue[n_queued]
            is_queued[i] = False
            slope = 1.0
            if i < f:
                slope = slopes[(packed[r, bits[i] >> 3] >> (bits[i] & 7)) & 1, i]
            # A value whose support has nothing active is known to be zero.
            is_empty = slope == 0.0
            if not is_empty and not others[i]:
                is_empty = True
                for q in range(factors.ptr[i], factors.ptr[i + 1]):
                    is_empty &= not is_active[factors.columns[q]]
            bound = 0.0 if is_empty else own[i]
            for k in range(width):
                total[k] = 0.0 if is_empty else planes[i, k]
            if not is_empty:
                for q in range(factors.ptr[i], factors.ptr[i + 1]):
                    j, factor = factors.columns[q], factors.numbers[q]
                    for k in range(width):
                        total[k] += factor * inputs[j, k]
                    bound += abs(factor) * losses[j]
            if i >= f:
                bounds[r, i - f] = bound
                for k in range(width):
                    maps[r, k, i - f] = total[k]
                continue
            height, is_zero, is_same = 0.0, True, True
            for k in range(width):
                number = slope * total[k]
                is_same &= number == inputs[i, k]
                inputs[i, k] = number
                height += reach[k] * abs(number)
                is_zero &= number == 0.0
            loss = 1.01 * (abs(slope) * bound + 2.0 * rounding * height)
            if bound > 0.0:
                loss += lost
            if is_same and loss == losses[i]:
                continue
            losses[i], is_active[i] = loss, bound > 0.0 or not is_zero
            for q in range(use_ptr[i], use_ptr[i + 1]):
                n_queued = _put(uses[q], queue, n_queued, is_queued)
        for i in range(f):
            active[r, i] = is_active[i]
    return maps, bounds, active


@njit(cache=True)
def _uses(f: int, factors: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each variable, the rows that it is part of."""
    ptr = np.zeros(f + 2, np.int64)
    for j in factors.columns:
        ptr[j + 2] += 1
    ptr = ptr.cumsum()
    uses = np.empty(len(factors.columns), np.int64)
    for i in range(len(factors.ptr) - 1):
        for q in range(factors.ptr[i], factors.ptr[i + 1]):
            j = factors.columns[q]
            uses[ptr[j + 1]] = i
            ptr[j + 1] += 1
    return ptr[:-1], uses


@njit(cache=True)
def _put(i: int, queue: NDArray[np.int64], n_queued: int, is_queued: NDArray[np.bool_]) -> int:
    """Put a number into a falling queue unless it is there; return how many there are."""
    if is_queued[i]:
        return n_queued
    is_queued[i] = True
    k = n_queued
    while k > 0 and queue[k - 1] < i:
        queue[k] = queue[k - 1]
        k -= 1
    queue[k] = i
    return n_queued + 1


@njit(cache=True, nogil=True)
def take_bits(packed: NDArray[np.uint8], bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return some bits of packed patterns, packed again.

    Examples
    --------
    >>> take_bits(np.array([[0b1010]], dtype=np.uint8), np.array([3, 0])).tolist()
    [[1]]
    """
    taken = np.zeros((len(packed), (len(bits) + 7) >> 3), np.uint8)
    for r in range(len(packed)):
        for i in range(len(bits)):
            bit = (packed[r, bits[i] >> 3] >> (bits[i] & 7)) & 1
            taken[r, i >> 3] |= bit << (i & 7)
    return taken


@njit(cache=True, nogil=True)
def put_bits(
    taken: NDArray[np.uint8], bits: NDArray[np.int64], others: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return packed patterns whose bits have been taken; `others` are all other bits.

    Examples
    --------
    >>> put_bits(*(np.array(x, dtype=np.uint8) for x in ([[1]], [3, 0], [0b100]))).tolist()
    [[12]]
    """
    packed = np.empty((len(taken), len(others)), np.uint8)
    for r in range(len(taken)):
        # Regions mostly differ in few bits from those before them.
        for b in range(len(others)):
            packed[r, b] = packed[r - 1, b] if r > 0 else others[b]
        for b in range(taken.shape[1]):
            byte, i = taken[r, b] ^ (taken[r - 1, b] if r > 0 else np.uint8(0)), 8 * b
            while byte:
                if byte & 1:
                    packed[r, bits[i] >> 3] ^= np.uint8(1 << (bits[i] & 7))
                byte >>= 1
                i += 1
    return packed

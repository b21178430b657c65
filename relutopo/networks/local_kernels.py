"""Compiled kernels for what is done once a block of a graph; see `relutopo.networks.local_maps`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE
from relutopo.system.compilation import njit

__all__ = [
    "LEAST",
    "LOST",
    "UNDERFLOW",
    "Added",
    "Folded",
    "Frame",
    "Rows",
    "and_some",
    "free",
    "image",
    "image_of_kink",
    "plus_image",
]

LEAST = 2.0**-300
"""Bounds of factors are at least this."""
LOST = 2.0**-1000
"""More than products can lose by underflow in each entry of a map, for factors of 1."""
UNDERFLOW = 2.0**-600
"""More than values can lose by underflow, where the factors of their terms are at least `LEAST`."""


class Rows(NamedTuple):
    """A sparse matrix: the entries of row i are at ptr[i]:ptr[i + 1]; they may be zero."""

    ptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    numbers: NDArray[np.float64]

    @classmethod
    def empty(cls, n: int) -> Rows:
        """Return n rows without entries."""
        return cls(np.zeros(n + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))

    def then(self, more: Rows) -> Rows:
        """Return these rows and more."""
        ends = self.ptr[-1] + more.ptr[1:]
        columns = np.append(self.columns, more.columns)
        return Rows(np.append(self.ptr, ends), columns, np.append(self.numbers, more.numbers))


@njit(cache=True, nogil=True)
def image(
    matrix: Rows,
    bias: NDArray[np.float64],
    node_rounding: float,
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
    reach: NDArray[np.float64],
    reach_of_variables: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Rows, NDArray[np.float64], NDArray[np.bool_]]:
    """Return a matrix times a value, plus a bias unless that is empty.

    Parameters
    ----------
    matrix : Rows
    bias : (n,) or (0,) ndarray
    node_rounding : float
        Relative error bound of the node.
    planes : (m, 3) ndarray
        A and c of the value.
    factors : Rows
        C of the value; its entries are the support.
    errors : (m,) ndarray
    others : (m,) ndarray of bool
        Whether anything besides the variables contributes.
    reach, reach_of_variables : (3,), (f,) ndarrays
        Bounds of |x_i| and 1, and of the absolute values of the variables.

    Returns
    -------
    planes, factors, errors, others
        The same of the result.
    """
    spread = _spread(node_rounding, planes, factors, errors, reach, reach_of_variables)
    n_variables = len(reach_of_variables)
    n = len(matrix.ptr) - 1
    result, bounds = np.empty((n, 3)), np.empty(n)
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
        begin, a, b, c, bound = count, 0.0, 0.0, 0.0, 0.0
        for q in range(matrix.ptr[i], matrix.ptr[i + 1]):
            j, weight = matrix.columns[q], matrix.numbers[q]
            if weight == 0.0:
                continue
            a += weight * planes[j, 0]
            b += weight * planes[j, 1]
            c += weight * planes[j, 2]
            bound += abs(weight) * spread[j]
            has_others[i] |= others[j]
            for p in range(factors.ptr[j], factors.ptr[j + 1]):
                column = factors.columns[p]
                if not is_found[column]:
                    is_found[column], sums[column] = True, 0.0
                    # Entries of neighbours nearly ascend.
                    at = count
                    while at > begin and columns[at - 1] > column:
                        columns[at] = columns[at - 1]
                        at -= 1
                    columns[at] = column
                    count += 1
                sums[column] += weight * factors.numbers[p]
        result[i, 0], result[i, 1], result[i, 2], bounds[i] = a, b, c, bound
        for p in range(begin, count):
            numbers[p] = sums[columns[p]]
            is_found[columns[p]] = False
        ptr[i + 1] = count
    _add_bias(bias, node_rounding, result, bounds, has_others)
    return result, Rows(ptr, columns[:count], numbers[:count]), bounds, has_others


@njit(cache=True)
def _add_bias(
    bias: NDArray[np.float64],
    node_rounding: float,
    planes: NDArray[np.float64],
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
) -> None:
    """Add a bias to a value, unless it is empty."""
    for i in range(len(bias)):
        planes[i, planes.shape[1] - 1] += bias[i]
        errors[i] += node_rounding * abs(bias[i])
        others[i] |= bias[i] != 0.0


@njit(cache=True)
def _spread(
    node_rounding: float,
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    reach: NDArray[np.float64],
    reach_of_variables: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a value's error and its share of a node's rounding, entry by entry."""
    spread = np.empty(len(errors))
    for i in range(len(errors)):
        spread[i] = ONCE * errors[i]
        if node_rounding == 0.0:
            continue
        # The sum of the absolute terms.
        height = 0.0
        for k in range(planes.shape[1]):
            height += abs(planes[i, k]) * reach[k]
        for q in range(factors.ptr[i], factors.ptr[i + 1]):
            height += abs(factors.numbers[q]) * reach_of_variables[factors.columns[q]]
        if height > 0.0 or errors[i] > 0.0:
            height += UNDERFLOW
        spread[i] += node_rounding * height
    return spread


class Frame(NamedTuple):
    """Where a block is: its middle and half its widths, and bounds of |x_i| and 1."""

    middle: NDArray[np.float64]
    half: NDArray[np.float64]
    reach: NDArray[np.float64]


class Folded(NamedTuple):
    """Values in terms of x and w.

    With u_i = σ_i z_i + w_i, σ the slope in the middle of a block, every value is affine in x and
    the *jumps* w, each between 0 and the largest one.

    Attributes
    ----------
    planes, factors, errors
        As in `image`; columns of `factors` are those of w.
    sizes : (n,) ndarray
        Bounds of the sums of their absolute terms.
    """

    planes: NDArray[np.float64]
    factors: Rows
    errors: NDArray[np.float64]
    sizes: NDArray[np.float64]


@njit(cache=True, nogil=True)
def intervals(
    rows: NDArray[np.int64],
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    frame: Frame,
    variables: Folded,
    slopes: NDArray[np.float64],
    jumps: NDArray[np.float64],
    rounding: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], Folded]:
    """Return intervals that contain values throughout a block.

    Parameters
    ----------
    rows : (n,) ndarray of int64
        Which values.
    planes, factors, errors
        Of all values, as in `image`.
    frame : Frame
    variables : Folded
        The pre-activations of the variables.
    slopes, jumps : (f,) ndarrays
        The slopes σ, and the largest w.
    rounding : float
        Relative error bound of sums of products with all variables.

    Returns
    -------
    center, radius : (n,) ndarrays
    folded : Folded
        The values.
    """
    n, f, width = len(rows), len(slopes), planes.shape[1]
    lost = np.sum(frame.reach)
    for i in range(f):
        lost += abs(jumps[i])
    lost *= LOST
    center, radius = np.empty(n), np.empty(n)
    new_planes, new_errors, new_sizes = np.empty((n, width)), np.empty(n), np.empty(n)
    ptr = np.zeros(n + 1, np.int64)
    columns, numbers = np.empty(64 + f, np.int64), np.empty(64 + f)
    sums, is_found = np.zeros(f), np.zeros(f, np.bool_)
    total = np.empty(width)
    count = 0
    for m in range(n):
        if count + f > len(columns):
            columns = np.concatenate((columns, np.empty_like(columns)))
            numbers = np.concatenate((numbers, np.empty_like(numbers)))
        i, height, error = rows[m], 0.0, 0.0
        total[:] = 0.0
        for k in range(width):
            height += abs(planes[i, k]) * frame.reach[k]
        for q in range(factors.ptr[i], factors.ptr[i + 1]):
            j, number = factors.columns[q], factors.numbers[q]
            height += abs(number) * abs(jumps[j])
            weight = number * slopes[j]
            height += abs(weight) * variables.sizes[j]
            error += abs(weight) * variables.errors[j]
            is_found[j] = True
            sums[j] += number
            if weight == 0.0:
                continue
            for k in range(width):
                total[k] += weight * variables.planes[j, k]
            for p in range(variables.factors.ptr[j], variables.factors.ptr[j + 1]):
                c = variables.factors.columns[p]
                is_found[c] = True
                sums[c] += weight * variables.factors.numbers[p]
        size, middle, spread = 0.0, 0.0, 0.0
        for k in range(width):
            total[k] += planes[i, k]
            new_planes[m, k] = total[k]
            size += abs(total[k]) * frame.reach[k]
        for k in range(width - 1):
            middle += total[k] * frame.middle[k]
            spread += abs(total[k]) * frame.half[k]
        middle += total[width - 1]
        for c in range(f):
            if is_found[c]:
                columns[count], numbers[count] = c, sums[c]
                count += 1
                size += abs(sums[c]) * abs(jumps[c])
                middle += 0.5 * sums[c] * jumps[c]
                spread += 0.5 * abs(sums[c]) * abs(jumps[c])
                is_found[c], sums[c] = False, 0.0
        ptr[m + 1] = count
        new_errors[m] = ONCE * (errors[i] + error) + rounding * height + lost
        new_sizes[m] = ONCE * size
        center[m] = middle
        radius[m] = ONCE * (spread + new_errors[m] + rounding * size + lost)
    new_factors = Rows(ptr, columns[:count].copy(), numbers[:count].copy())
    return center, radius, Folded(new_planes, new_factors, new_errors, new_sizes)


_Arrays: TypeAlias = tuple[NDArray[np.float64], Rows, NDArray[np.float64], NDArray[np.bool_]]


class Added(NamedTuple):
    """The variables so far.

    Attributes
    ----------
    planes, factors, errors, others
        Pre-activations of the variables, as in `image`.
    folded : Folded
        The same in terms of x and w.
    slopes, jumps : (f,) ndarrays
        As in `intervals`.
    reach : (f,) ndarray
        Bounds of the absolute values of the variables.
    """

    planes: NDArray[np.float64]
    factors: Rows
    errors: NDArray[np.float64]
    others: NDArray[np.bool_]
    folded: Folded
    slopes: NDArray[np.float64]
    jumps: NDArray[np.float64]
    reach: NDArray[np.float64]


@njit(cache=True)
def _with_variables(
    before: Added,
    rows: NDArray[np.int64],
    kinks: NDArray[np.float64],
    pattern: NDArray[np.bool_],
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
    frame: Frame,
    rounding: float,
) -> Added:
    """Return the variables with some units of a kink.

    Parameters
    ----------
    before : Added
    rows : (n,) ndarray of int64
        The units.
    kinks : (2, m) ndarray
        Slopes of the kink.
    pattern : (2, m) ndarray of bool
        As in `image_of_kink`.
    planes, factors, errors, others
        The value before the kink, as in `image`.
    frame, rounding
        As for `intervals`.
    """
    center, radius, folded = intervals(
        rows,
        planes,
        factors,
        errors,
        frame,
        before.folded,
        before.slopes,
        before.jumps,
        rounding,
    )
    f, n = len(before.slopes), len(rows)
    slopes, jumps, reach = np.empty(f + n), np.empty(f + n), np.empty(f + n)
    for i in range(f):
        slopes[i], jumps[i], reach[i] = before.slopes[i], before.jumps[i], before.reach[i]
    for m in range(n):
        i, at = rows[m], f + m
        off, on, size = kinks[0, i], kinks[1, i], abs(center[m])
        if pattern[1, i]:
            slopes[at], steepest = on if center[m] > 0 else off, max(abs(on), abs(off))
            # NaN is kept.
            beyond = 0.0 if radius[m] - size < 0.0 else radius[m] - size
        else:
            slopes[at] = on if pattern[0, i] else off
            steepest, beyond = abs(slopes[at]), 0.0
        jumps[at], reach[at] = ONCE * (on - off) * beyond, ONCE * steepest * (size + radius[m])
        if reach[at] < LEAST:
            reach[at] = LEAST
    earlier = before.planes, before.factors, before.errors, before.others
    values = and_some(earlier, (planes, factors, errors, others), rows)
    return Added(
        values[0],
        values[1],
        values[2],
        values[3],
        _all_folded(before.folded, folded),
        slopes,
        jumps,
        reach,
    )


@njit(cache=True, nogil=True)
def and_some(a: _Arrays, b: _Arrays, rows: NDArray[np.int64]) -> _Arrays:
    """Return the entries of one value, then some of another, each as in `image`."""
    f, n, width = len(a[2]), len(rows), a[0].shape[1]
    planes, errors, others = np.empty((f + n, width)), np.empty(f + n), np.empty(f + n, np.bool_)
    for i in range(f):
        errors[i], others[i] = a[2][i], a[3][i]
        for k in range(width):
            planes[i, k] = a[0][i, k]
    for m in range(n):
        errors[f + m], others[f + m] = b[2][rows[m]], b[3][rows[m]]
        for k in range(width):
            planes[f + m, k] = b[0][rows[m], k]
    return planes, _rows_and_more(a[1], b[1], rows), errors, others


@njit(cache=True)
def _rows_and_more(a: Rows, b: Rows, rows: NDArray[np.int64]) -> Rows:
    """Return the rows of a, then some rows of b."""
    n_before, count = len(a.ptr) - 1, len(a.columns)
    for i in rows:
        count += b.ptr[i + 1] - b.ptr[i]
    ptr, columns, numbers = (
        np.zeros(n_before + len(rows) + 1, np.int64),
        np.empty(count, np.int64),
        np.empty(count),
    )
    for i in range(n_before + 1):
        ptr[i] = a.ptr[i]
    count = len(a.columns)
    for q in range(count):
        columns[q], numbers[q] = a.columns[q], a.numbers[q]
    for m in range(len(rows)):
        for q in range(b.ptr[rows[m]], b.ptr[rows[m] + 1]):
            columns[count], numbers[count] = b.columns[q], b.numbers[q]
            count += 1
        ptr[n_before + m + 1] = count
    return Rows(ptr, columns, numbers)


@njit(cache=True)
def _all_folded(a: Folded, b: Folded) -> Folded:
    """Return the values of a, then those of b."""
    f, n, width = len(a.errors), len(b.errors), a.planes.shape[1]
    planes, errors, sizes = np.empty((f + n, width)), np.empty(f + n), np.empty(f + n)
    for i in range(f):
        errors[i], sizes[i] = a.errors[i], a.sizes[i]
        for k in range(width):
            planes[i, k] = a.planes[i, k]
    for i in range(n):
        errors[f + i], sizes[f + i] = b.errors[i], b.sizes[i]
        for k in range(width):
            planes[f + i, k] = b.planes[i, k]
    return Folded(planes, _rows_and_more(a.factors, b.factors, np.arange(n)), errors, sizes)


@njit(cache=True, nogil=True)
def free(
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
    frame: Frame,
    variables: Folded,
    slopes: NDArray[np.float64],
    jumps: NDArray[np.float64],
    reach_of_variables: NDArray[np.float64],
    rounding: float,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which values may change their sign in a block, and which others are positive.

    Parameters are as for `intervals` and `image`.
    """
    n, d = len(planes), planes.shape[1] - 1
    left, is_on, n_left = np.empty(n, np.int64), np.zeros(n, np.bool_), 0
    for i in range(n):
        if not others[i] and factors.ptr[i] == factors.ptr[i + 1]:
            continue
        # A quick bound decides most values; NaN leaves a value open.
        center, radius, height = planes[i, d], rounding * abs(planes[i, d]), 0.0
        for k in range(d):
            center += planes[i, k] * frame.middle[k]
            radius += abs(planes[i, k]) * frame.half[k]
            height += abs(planes[i, k]) * frame.reach[k]
        for q in range(factors.ptr[i], factors.ptr[i + 1]):
            radius += abs(factors.numbers[q]) * reach_of_variables[factors.columns[q]]
        radius = ONCE * (radius + 2 * errors[i]) + rounding * height + UNDERFLOW
        if abs(center) > radius:
            is_on[i] = center > 0
        else:
            left[n_left] = i
            n_left += 1
    left = left[:n_left]
    centers, radii, _ = intervals(
        left, planes, factors, errors, frame, variables, slopes, jumps, rounding
    )
    n_free = 0
    for m in range(n_left):
        if abs(centers[m]) > radii[m]:
            is_on[left[m]] = centers[m] > 0
        else:
            left[n_free] = left[m]
            n_free += 1
    return left[:n_free].copy(), is_on


@njit(cache=True, nogil=True)
def image_of_kink(
    planes: NDArray[np.float64],
    factors: Rows,
    errors: NDArray[np.float64],
    others: NDArray[np.bool_],
    slopes: NDArray[np.float64],
    node_rounding: float,
    pattern: NDArray[np.bool_],
    is_local: NDArray[np.bool_],
    first: int,
    frame: Frame,
    before: Added,
    rounding: float,
) -> tuple[
    tuple[NDArray[np.float64], Rows, NDArray[np.float64], NDArray[np.bool_]],
    NDArray[np.int64],
    Added,
]:
    """Return the value of a kink, which of its units become variables, and the variables then.

    Parameters
    ----------
    planes, factors, errors, others
        Of its source, as in `image`.
    slopes : (2, n) ndarray
        Where a unit is negative or zero, and where it is positive.
    node_rounding : float
        Relative error bound of the node.
    pattern : (2, n_neurons) ndarray of bool
        The pattern of a region, and where others differ from it.
    is_local : (n_neurons,) ndarray of bool
        Neurons that become variables, unless they are zero on the whole block.
    first : int
        The neuron that the first unit is.
    frame, before, rounding
        The block, the variables before, and as for `intervals`.
    """
    pattern, is_local = (
        pattern[:, first : first + len(planes)].copy(),
        is_local[first : first + len(planes)],
    )
    n_variables = len(before.reach)
    spread = _spread(node_rounding, planes, factors, errors, frame.reach, before.reach)
    n, width = planes.shape
    result, bounds, has_others = np.zeros((n, width)), np.zeros(n), np.zeros(n, np.bool_)
    ptr, most = np.zeros(n + 1, np.int64), len(factors.columns) + n
    columns, numbers = np.empty(most, np.int64), np.empty(most)
    local, n_local, count = np.empty(n, np.int64), 0, 0
    for i in range(n):
        slope = slopes[1, i] if pattern[0, i] else slopes[0, i]
        if is_local[i] and (pattern[1, i] or slope != 0.0):
            # It is a variable, and nothing else.
            columns[count], numbers[count] = n_variables + n_local, 1.0
            local[n_local] = i
            n_local += 1
            count += 1
        elif slope != 0.0:
            for k in range(width):
                result[i, k] = slope * planes[i, k]
            bounds[i], has_others[i] = abs(slope) * spread[i], others[i]
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                columns[count], numbers[count] = factors.columns[q], slope * factors.numbers[q]
                count += 1
        ptr[i + 1] = count
    found = Rows(ptr, columns[:count].copy(), numbers[:count].copy())
    rows, after = local[:n_local].copy(), before
    if n_local:
        after = _with_variables(
            before, rows, slopes, pattern, planes, factors, errors, others, frame, rounding
        )
    return (result, found, bounds, has_others), rows, after


@njit(cache=True, nogil=True)
def plus_image(
    a: _Arrays,
    matrix: Rows,
    bias: NDArray[np.float64],
    node_rounding: float,
    value: _Arrays,
    reach: NDArray[np.float64],
    reach_of_variables: NDArray[np.float64],
) -> _Arrays:
    """Return the sum of a value and a matrix times another one, plus a bias unless that is empty.

    Parameters are as for `image`.
    """
    planes, factors, errors, others = value
    b = image(
        matrix,
        bias[:0],
        node_rounding,
        planes,
        factors,
        errors,
        others,
        reach,
        reach_of_variables,
    )
    planes, errors, others = a[0] + b[0], a[2] + b[2], a[3] | b[3]
    _add_bias(bias, node_rounding, planes, errors, others)
    return planes, _sum_of_rows(a[1], b[1]), errors, others


@njit(cache=True)
def _sum_of_rows(a: Rows, b: Rows) -> Rows:
    """Return the sum of two sparse matrices, in whose rows columns ascend.

    Examples
    --------
    >>> a = Rows(np.array([0, 2]), np.array([0, 2]), np.array([1.0, 2.0]))
    >>> b = Rows(np.array([0, 2]), np.array([1, 2]), np.array([5.0, 6.0]))
    >>> _sum_of_rows(a, b).columns, _sum_of_rows(a, b).numbers
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

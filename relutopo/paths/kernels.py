"""The compiled kernels for perceptrons; importing them loads numba, so import where needed only.

On a piece every value is α + β t, with coefficients that are updated from knot to knot. Where a
unit with coefficients a, b switches, all later values change by multiples of a + b t: in the next
layer by the unit's column of weights, in later layers by the image of that column under the weights
of the units that are on. So there is one vector for each knot, not two, and in a network of two
layers a knot costs a few operations for each unit.

Bounds
------
Let ``H_j = Σ_k |w_jk| S_k + |b_j|``, where S_k is the greatest ``|α_k| + |β_k|`` of unit k on any
piece, 0 if it is never on. Up to rounding, all coefficients of unit j stay below H_j. A unit whose
output changes is on before and after, and changes by at most 2 S_k, so all changes of unit j stay
below 2 H_j. Rounding adds to the errors of both coefficients at most (n + 2) u H_j in the first
sums of n terms; 4 u H_j at a knot of the layer before, where a product and a sum are rounded; and
(2 n + 5) u H_j at a knot of an older layer, where the vector is itself a sum of n terms. If all of
these add up to N u H_j, ::

    E_j = 1.01 Σ_k |w_jk| E_k + 4 N u H_j

bounds ``|δα_j| + |δβ_j|`` on all pieces, and with it the error of a value at any exact t. At a knot
that is off by at most τ, the value is off by a further ``|β_j| τ``; a zero of α + β t is off by at
most ``E / (|β| - E)``. These bounds are wider than those of `relutopo.paths.knots`, which follows
the segments that they leave open.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["classify", "departures", "walk"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_U = 2.0**-53
_STEP = 4.0
_LEAST = 1e-290
_CHUNK = 64
"""Units whose signs are examined together."""
_NARROW = 4
"""If a layer has fewer units than those before by this factor, sums run along the latter."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _map(
    weights: _Floats,
    rows: _Floats,
    sources: _Floats,
    n_sources: int,
    active: _Ints,
    images: _Floats,
) -> None:
    """Write the images of an even number of vectors; pairs of vectors are zero at the same places.

    `weights` are transposed, (n_in, n), `rows` are not; `active` has room for n_in numbers.
    """
    n_in, n = weights.shape
    if _NARROW * n < n_in:
        for i in range(0, n_sources, 2):
            one, other = sources[i], sources[i + 1]
            for j in range(n):
                row, first, second = rows[j], 0.0, 0.0
                for k in range(n_in):
                    first += row[k] * one[k]
                    second += row[k] * other[k]
                images[i, j], images[i + 1, j] = first, second
        return
    for i in range(0, n_sources, 2):
        one, other = sources[i], sources[i + 1]
        here, there = images[i], images[i + 1]
        m = 0
        for k in range(n_in):
            active[m] = k
            m += 1 if one[k] != 0.0 or other[k] != 0.0 else 0
        for j in range(n):
            here[j], there[j] = 0.0, 0.0
        for at in range(0, m - 3, 4):
            k, k1, k2, k3 = active[at], active[at + 1], active[at + 2], active[at + 3]
            w, w1, w2, w3 = weights[k], weights[k1], weights[k2], weights[k3]
            a, a1, a2, a3 = one[k], one[k1], one[k2], one[k3]
            b, b1, b2, b3 = other[k], other[k1], other[k2], other[k3]
            for j in range(n):
                here[j] += a * w[j] + a1 * w1[j] + a2 * w2[j] + a3 * w3[j]
                there[j] += b * w[j] + b1 * w1[j] + b2 * w2[j] + b3 * w3[j]
        for at in range(m - m % 4, m):
            k = active[at]
            w, a, b = weights[k], one[k], other[k]
            for j in range(n):
                here[j] += a * w[j]
                there[j] += b * w[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def walk(
    weights: _Floats,
    rows: _Floats,
    sizes: _Floats,
    straight_sizes: _Floats,
    biases: _Floats,
    widths: _Ints,
    alpha_0: _Floats,
    beta_0: _Floats,
    error_0: _Floats,
    capacity: int,
) -> tuple[_Ints, _Floats, _Floats, _Ints, NDArray[np.bool_], _Floats, _Floats, _Ints]:
    """Follow a perceptron along segments.

    Parameters
    ----------
    weights, rows : ndarrays
        Weights of all layers but the first, one after another; `weights` are transposed, (n_in,
        n_out), `rows` are not.
    sizes, straight_sizes : ndarrays
        Their absolute values.
    biases : ndarray
    widths : ndarray
        Neurons of each hidden layer, and outputs.
    alpha_0, beta_0, error_0 : (n, widths[0]) ndarrays
        Coefficients of the first layer, and E.
    capacity : int
        Largest number of knots of a segment; segments with more are left open.

    Returns
    -------
    indptr : (n + 1,) ndarray of int64
        Where the points of each segment begin: 0, the knots, 1.
    t, errors : (n_points,) ndarrays
        Where the points are, and error bounds of the knots.
    neurons : (n_points,) ndarray of int64
        The neuron that switches there, -1 at the ends.
    first : (n, n_neurons) ndarray of bool
        Pattern on the first piece.
    outputs, output_errors : (n_points, n_outputs) ndarrays
    n_open : (n,) ndarray of int64
        Signs and orders that bounds leave open, for each segment; open segments have only their
        ends, with outputs 0.
    """
    n_segments = len(alpha_0)
    n_layers = len(widths) - 1
    n_outputs = widths[n_layers]
    most = widths.max()
    n_neurons = widths[:n_layers].sum()
    indptr = np.zeros(n_segments + 1, np.int64)
    firsts = np.zeros((n_segments, n_neurons), np.bool_)
    n_open = np.zeros(n_segments, np.int64)
    room = n_segments * (n_neurons // 2 + 8)
    out_t, out_tau = np.empty(room), np.empty(room)
    out_neurons = np.empty(room, np.int64)
    outputs, output_errors = np.empty((room, n_outputs)), np.empty((room, n_outputs))
    # For the knots so far, and for these with the knots of the next layer: place, error bound,
    # layer, unit, and the coefficients that are added to the unit's output.
    t, tau = np.empty((2, capacity)), np.empty((2, capacity))
    layers, units = np.empty((2, capacity), np.int64), np.empty((2, capacity), np.int64)
    own = np.empty((2, capacity, 2))
    # For the layer before: α and β on the first piece, then for each knot of earlier layers the
    # multiples of a + b t by which it changes; their images; one more row to make them even.
    sources, images = np.empty((capacity + 3, most)), np.empty((capacity + 3, most))
    active = np.zeros(most, np.int64)
    bounds, spread = np.empty((2, most)), np.empty((2, most))
    alpha, beta, error, size = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    # By how much values exceed their bounds on the side where they were.
    beyond = np.empty(_CHUNK)
    # 1 where a neuron is on, otherwise 0; the same as 1 and -1.
    on, sign = np.zeros(most), np.zeros(most)
    for s in range(n_segments):
        n_knots, now, w_at, b_at, offset, n_sources = 0, 0, 0, 0, 0, 2
        unclear = 0
        base_out = indptr[s]
        for layer in range(n_layers + 1):
            n = widths[layer]
            n_in = 0 if layer == 0 else widths[layer - 1]
            matrix = weights[w_at : w_at + n_in * n].reshape(n_in, n)
            if layer == 0:
                for j in range(n):
                    alpha[j], beta[j], error[j] = alpha_0[s, j], beta_0[s, j], error_0[s, j]
            else:
                operations, steepest = n_in + 10.0, 1.0
                for i in range(n_knots):
                    operations += 4 if layers[now, i] == layer - 1 else 2 * n_in + 5
                    steepest = max(steepest, abs(own[now, i, 0]) + abs(own[now, i, 1]))
                for k in range(n_in):
                    bounds[0, k] = error[k] if size[k] > 0.0 else 0.0
                    bounds[1, k] = size[k]
                part = slice(w_at, w_at + n_in * n)
                wide, straight = sizes[part].reshape(n_in, n), straight_sizes[part].reshape(n, n_in)
                _map(wide, straight, bounds, 2, active, spread)
                if n_sources % 2:
                    for k in range(n_in):
                        sources[n_sources, k] = 0.0
                straight = rows[part].reshape(n, n_in)
                _map(matrix, straight, sources, n_sources + n_sources % 2, active, images)
                for j in range(n):
                    height = spread[1, j] + abs(biases[b_at + j])
                    error[j] = 1.01 * spread[0, j] + _STEP * operations * _U * height
                    error[j] += _LEAST * steepest
                    alpha[j] = images[0, j] + biases[b_at + j]
                    beta[j] = images[1, j]
            if layer == n_layers:
                end = base_out + n_knots + 2
                if end > len(out_t):
                    longer = 2 * end - len(out_t)
                    out_t = np.concatenate((out_t, np.empty(longer)))
                    out_tau = np.concatenate((out_tau, np.empty(longer)))
                    out_neurons = np.concatenate((out_neurons, np.empty(longer, np.int64)))
                    outputs = np.concatenate((outputs, np.empty((longer, n_outputs))))
                    output_errors = np.concatenate((output_errors, np.empty((longer, n_outputs))))
                for j in range(n):
                    outputs[base_out, j], output_errors[base_out, j] = alpha[j], error[j]
            else:
                for j in range(n):
                    if not abs(alpha[j]) > error[j]:
                        unclear += 1
                    on[j] = 1.0 if alpha[j] > 0.0 else 0.0
                    sign[j] = 2.0 * on[j] - 1.0
                    firsts[s, offset + j] = alpha[j] > 0.0
                    size[j] = on[j] * (abs(alpha[j]) + abs(beta[j]))
                    sources[0, j], sources[1, j] = on[j] * alpha[j], on[j] * beta[j]
            new = 1 - now
            q, source = 0, 2
            n_sources = 2
            for i in range(n_knots + 1):
                left = t[now, i - 1] if i else 0.0
                right = t[now, i] if i < n_knots else 1.0
                off = tau[now, i] if i < n_knots else 0.0
                if layer == n_layers:
                    for j in range(n):
                        outputs[base_out + i + 1, j] = alpha[j] + beta[j] * right
                        output_errors[base_out + i + 1, j] = error[j] + abs(beta[j]) * off
                else:
                    base = q
                    for begin in range(0, n, _CHUNK):
                        end = min(begin + _CHUNK, n)
                        # Unsigned indices: signed ones would each be compared with 0.
                        alphas, betas = alpha[begin:end], beta[begin:end]
                        signs, errors = sign[begin:end], error[begin:end]
                        n_kept = 0
                        for j in range(end - begin):
                            beyond[j] = signs[j] * (alphas[j] + betas[j] * right) - (
                                errors[j] + abs(betas[j]) * off
                            )
                            n_kept += 1 if beyond[j] > 0.0 else 0
                        if n_kept == end - begin:
                            continue
                        if q + (end - begin - n_kept) + (n_knots - i) > capacity:
                            unclear += 1
                            break
                        for unit in range(end - begin):
                            if beyond[unit] > 0.0:
                                continue
                            j = begin + unit
                            value = sign[j] * (alpha[j] + beta[j] * right)
                            slope = abs(beta[j])
                            if not value < -(error[j] + slope * off):
                                unclear += 1
                            if not slope > 4 * error[j]:
                                unclear += 1
                            zero = -alpha[j] / beta[j]
                            place = min(max(zero, left), right)
                            at = q
                            while at > base and t[new, at - 1] > place:
                                t[new, at], tau[new, at] = t[new, at - 1], tau[new, at - 1]
                                units[new, at] = units[new, at - 1]
                                at -= 1
                            t[new, at] = place
                            doubt = 1.01 * error[j] / (slope - error[j]) + 4 * _U
                            tau[new, at] = doubt + abs(place - zero)
                            units[new, at] = j
                            q += 1
                    if unclear:
                        break
                    for at in range(base, q):
                        j = units[new, at]
                        on[j] = 1.0 - on[j]
                        sign[j] = -sign[j]
                        layers[new, at] = layer
                        own[new, at, 0], own[new, at, 1] = sign[j] * alpha[j], sign[j] * beta[j]
                        size[j] = max(size[j], on[j] * (abs(alpha[j]) + abs(beta[j])))
                        if at > base and not (
                            t[new, at - 1] + tau[new, at - 1] < t[new, at] - tau[new, at]
                        ):
                            unclear += 1
                if i == n_knots:
                    break
                a, b = own[now, i, 0], own[now, i, 1]
                if layers[now, i] == layer - 1:
                    change = matrix[units[now, i]]
                else:
                    change = images[source]
                    source += 1
                # Few arrays in each loop, so that the compiler vectorises it.
                for j in range(n):
                    alpha[j] += a * change[j]
                    beta[j] += b * change[j]
                if layer < n_layers:
                    t[new, q], tau[new, q] = right, off
                    layers[new, q], units[new, q] = layers[now, i], units[now, i]
                    own[new, q, 0], own[new, q, 1] = a, b
                    q += 1
                    kept = sources[n_sources]
                    n_sources += 1
                    for j in range(n):
                        kept[j] = on[j] * change[j]
                    for j in range(n):
                        height = on[j] * (abs(alpha[j]) + abs(beta[j]))
                        size[j] = height if height > size[j] else size[j]
            if layer > 0:
                w_at += n_in * n
                b_at += n
            if unclear:
                break
            if layer < n_layers:
                offset += n
                n_knots, now = q, new
        n_open[s] = unclear
        if unclear:
            n_knots = 0
            if base_out + 2 > len(out_t):
                out_t = np.concatenate((out_t, np.empty(2)))
                out_tau = np.concatenate((out_tau, np.empty(2)))
                out_neurons = np.concatenate((out_neurons, np.empty(2, np.int64)))
                outputs = np.concatenate((outputs, np.empty((2, n_outputs))))
                output_errors = np.concatenate((output_errors, np.empty((2, n_outputs))))
            outputs[base_out : base_out + 2], output_errors[base_out : base_out + 2] = 0.0, 0.0
        last = base_out + n_knots + 1
        out_t[base_out], out_tau[base_out], out_neurons[base_out] = 0.0, 0.0, -1
        out_t[last], out_tau[last], out_neurons[last] = 1.0, 0.0, -1
        for i in range(n_knots):
            before = 0
            for layer in range(layers[now, i]):
                before += widths[layer]
            out_t[base_out + i + 1], out_tau[base_out + i + 1] = t[now, i], tau[now, i]
            out_neurons[base_out + i + 1] = before + units[now, i]
        indptr[s + 1] = last + 1
    n_points = indptr[n_segments]
    return (
        indptr, out_t[:n_points], out_tau[:n_points], out_neurons[:n_points], firsts,
        outputs[:n_points], output_errors[:n_points], n_open,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def classify(
    indptr: _Ints, t: _Floats, values: _Floats, errors: _Floats
) -> tuple[_Ints, _Floats, _Ints, _Ints]:
    """Return the class intervals of `relutopo.paths.classes`, comparing all outputs.

    Parameters
    ----------
    indptr : (n + 1,) ndarray of int64
    t : (n_points,) ndarray
    values, errors : (n_points, k) ndarrays
        Two outputs at least.

    Returns
    -------
    counts : (n,) ndarray of int64
        How many intervals each segment has.
    starts, classes : (n_intervals,) ndarrays
    n_open : (n,) ndarray of int64
    """
    n, k = len(indptr) - 1, values.shape[1]
    counts, n_open = np.empty(n, np.int64), np.zeros(n, np.int64)
    starts, classes = np.empty(4 * n + k), np.empty(4 * n + k, np.int64)
    m = 0
    for s in range(n):
        head, before = m, -1
        for i in range(indptr[s], indptr[s + 1]):
            here = values[i]
            best = 0
            for j in range(1, k):
                best = j if here[j] > here[best] else best
            for j in range(k):
                gap = here[best] - here[j]
                clear = gap > 2.0 * (errors[i, best] + errors[i, j])
                n_open[s] += 0 if clear or j == best else 1
            if before < 0:
                before = best
                continue
            now, place = before, 0.0
            if now != best:
                for j in range(k):
                    if values[i - 1, j] == values[i - 1, now] and here[j] > here[now]:
                        now = j
            while True:
                if m + 1 > len(starts):
                    starts = np.concatenate((starts, np.empty(m + n)))
                    classes = np.concatenate((classes, np.empty(m + n, np.int64)))
                where = min(t[i - 1] + place * (t[i] - t[i - 1]), t[i])
                if m > head and not where > starts[m - 1]:
                    m -= 1  # it lasts for no time
                if m == head or classes[m - 1] != now:
                    starts[m], classes[m] = where, now
                    m += 1
                if now == best:
                    break
                after, first, second, steepest = -1, np.inf, np.inf, 0.0
                near, next_near = 0.0, 0.0
                for j in range(k):
                    below = values[i - 1, now] - values[i - 1, j]
                    above = here[j] - here[now]
                    change = above + below
                    if not (above > 0.0 and change > 0.0):
                        continue
                    zero = max(below / change, place)
                    # The zero is off by at most the greatest error over its change, plus rounding.
                    error = max(errors[i - 1, j], errors[i, j])
                    error += max(errors[i - 1, now], errors[i, now])
                    off = 4 * error / change + 8 * _U
                    if zero < first or (zero == first and change > steepest):
                        second, next_near = first, near
                        after, first, near, steepest = j, zero, off, change
                    elif zero < second:
                        second, next_near = zero, off
                if after < 0:
                    break
                if k > 2 and not (second == np.inf or first + near + next_near < second):
                    n_open[s] += 1
                now, place = after, first
            before = best
        counts[s] = m - head
    return counts, starts[:m], classes[:m], n_open


@njit(cache=True, nogil=True, error_model="numpy")
def _area(y: float, square: float) -> float:
    """Return F(y) for a given δ²."""
    bend = square * math.asinh(y / math.sqrt(square)) if square > 0.0 else 0.0
    return (y * math.sqrt(y * y + square) + (bend if math.isfinite(bend) else 0.0)) / 2.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def departures(
    t: _Floats, outputs: _Floats, indptr: _Ints, small: float, nodes: _Floats, shares: _Floats
) -> tuple[_Floats, _Floats]:
    """Return mean distances from the chord, and path lengths; see `relutopo.paths.measures`.

    Parameters
    ----------
    t : (n_points,) ndarray
    outputs : (n_points, k) ndarray
    indptr : (n + 1,) ndarray of int64
    small : float
        Smaller steps, relative to the lengths at both ends, are integrated by quadrature.
    nodes, shares : ndarrays
        Nodes and weights on [-1, 1].
    """
    n, k = len(indptr) - 1, outputs.shape[1]
    means, ways = np.zeros(n), np.zeros(n)
    gap, before = np.zeros(k), np.zeros(k)
    for s in range(n):
        low = 0.0
        start, end = outputs[indptr[s]], outputs[indptr[s + 1] - 1]
        before[:] = 0.0
        for i in range(indptr[s] + 1, indptr[s + 1]):
            here, last, place = outputs[i], outputs[i - 1], t[i]
            way, high, step, inner = 0.0, 0.0, 0.0, 0.0
            for j in range(k):
                gap[j] = here[j] - ((1.0 - place) * start[j] + place * end[j])
            for j in range(k):
                moved = gap[j] - before[j]
                high += gap[j] * gap[j]
                step += moved * moved
                inner += before[j] * moved
                way += (here[j] - last[j]) * (here[j] - last[j])
            ways[s] += math.sqrt(way)
            high, alpha = math.sqrt(high), math.sqrt(step)
            if alpha > small * (low + high):
                p = inner / alpha
                # If δ is lost in rounding, it contributes nothing.
                square = max(low * low - p * p, 0.0)
                mean = (_area(p + alpha, square) - _area(p, square)) / alpha
            else:
                mean = 0.0
                for node in range(len(nodes)):
                    length = 0.0
                    for j in range(k):
                        between = before[j] + (1.0 + nodes[node]) / 2.0 * (gap[j] - before[j])
                        length += between * between
                    mean += shares[node] / 2.0 * math.sqrt(length)
            means[s] += (place - t[i - 1]) * mean
            low = high
            gap, before = before, gap
    return means, ways

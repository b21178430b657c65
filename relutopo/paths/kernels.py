"""The compiled kernels for perceptrons; importing them loads numba, so import it where it is used.

On a piece every value is α + β t, with coefficients that are kept up to date from knot to knot.
Where a unit with coefficients a, b switches, all values change by multiples of a + b t: those of
the next layer by its column of weights, those behind by that column's image under the weights of
the units that are on there. So there is one vector a knot, not two, and a knot costs a few
operations a unit in a network of two layers.

Bounds
------
Let ``H_j = Σ_k |w_jk| S_k + |b_j|``, where S_k is the greatest ``|α_k| + |β_k|`` that unit k had on
a piece, 0 if it was never on. A change of unit k is at most 2 S_k, as the unit is on before and
after it, so that all sums of unit j stay below 2 H_j, up to roundings, and each of the N operations
on its coefficients adds at most a small multiple of u H_j to their errors. So ::

    E_j = 1.01 Σ_k |w_jk| E_k + 16 N u H_j

bounds ``|δα_j| + |δβ_j|`` on all pieces, and with it the error of a value at any exact t. Both sums
are bounded by norms, the smaller of ``|w_j|_2 |S|_2`` and ``|w_j|_1 max S``. At a knot that is off
by at most τ the value is off by ``|β_j| τ`` more; a zero of α + β t is off by at most
``E / (|β| - E)``. These bounds are wider than those of `relutopo.paths.knots`; what they leave open
is done there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["walk"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_U = 2.0**-53
_STEP = 16.0
_LEAST = 1e-290
_LOST = 1e-150
"""More than the root of the squares that underflow."""
_CHUNK = 64
"""Units of which the signs are looked at together."""
_NARROW = 4
"""How many times fewer a layer's units are than those before, where sums go along these."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _map(
    weights: _Floats, rows: _Floats, sources: _Floats, n_sources: int, active: _Ints, images: _Floats
) -> None:
    """Write the images of an even number of vectors; neighbours are zero at the same places.

    `weights` are transposed, (n_in, n), `rows` are not; `active` has room for n_in numbers.
    """
    n_in, n = weights.shape
    if _NARROW * n < n_in:
        for i in range(n_sources):
            source = sources[i, :n_in]
            for j in range(n):
                row, total = rows[j], 0.0
                for k in range(n_in):
                    total += row[k] * source[k]
                images[i, j] = total
        return
    for first in range(0, n_sources, 2):
        one, other = sources[first], sources[first + 1]
        here, there = images[first], images[first + 1]
        m = 0
        for k in range(n_in):
            active[m] = k
            m += 1 if one[k] != 0.0 or other[k] != 0.0 else 0
        for j in range(n):
            here[j], there[j] = 0.0, 0.0
        for i in range(0, m - 3, 4):
            k, k1, k2, k3 = active[i], active[i + 1], active[i + 2], active[i + 3]
            w, w1, w2, w3 = weights[k], weights[k1], weights[k2], weights[k3]
            a, a1, a2, a3 = one[k], one[k1], one[k2], one[k3]
            b, b1, b2, b3 = other[k], other[k1], other[k2], other[k3]
            for j in range(n):
                here[j] += a * w[j] + a1 * w1[j] + a2 * w2[j] + a3 * w3[j]
                there[j] += b * w[j] + b1 * w1[j] + b2 * w2[j] + b3 * w3[j]
        for i in range(m - m % 4, m):
            k = active[i]
            w, a, b = weights[k], one[k], other[k]
            for j in range(n):
                here[j] += a * w[j]
                there[j] += b * w[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def walk(
    weights: _Floats,
    rows: _Floats,
    biases: _Floats,
    norms: _Floats,
    widths: _Ints,
    alpha_0: _Floats,
    beta_0: _Floats,
    error_0: _Floats,
    capacity: int,
) -> tuple[_Ints, _Floats, _Floats, _Ints, NDArray[np.bool_], _Floats, _Floats, _Ints]:
    """Follow a perceptron along segments.

    Parameters
    ----------
    weights, rows, biases : ndarrays
        Those of all layers but the first, one after another; `weights` are transposed, (n_in,
        n_out), `rows` are not.
    norms : (2, ...) ndarray
        Upper bounds of the Euclidean norms and of the sums of absolute values of the rows.
    widths : ndarray
        Neurons of each hidden layer, and outputs.
    alpha_0, beta_0, error_0 : (n, widths[0]) ndarrays
        Coefficients of the first layer, and E.
    capacity : int
        Most knots of a segment; those with more are left open.

    Returns
    -------
    indptr : (n + 1,) ndarray of int64
        Where the points of each segment begin: 0, the knots, 1.
    t, errors : (n_points,) ndarrays
        Where they are, and how far knots may be off.
    neurons : (n_points,) ndarray of int64
        Which neuron switches there, -1 at the ends.
    first : (n, n_neurons) ndarray of bool
        Pattern on the first piece.
    outputs, output_errors : (n_points, n_outputs) ndarrays
    n_open : (n,) ndarray of int64
        Signs and orders that bounds leave open, by segments; these have their ends only, and the
        outputs there are 0.
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
    # Of the knots so far, and of those with the next layer's: place, deviation, layer, unit, and
    # the coefficients of what is added to the unit's output.
    t = np.zeros((2, capacity))
    tau = np.zeros((2, capacity))
    layers = np.zeros((2, capacity), np.int64)
    units = np.zeros((2, capacity), np.int64)
    own = np.zeros((2, capacity, 2))
    # Of the layer before: α and β on the first piece, then for each knot of earlier layers the
    # multiples of a + b t by which it changes; their images; of odd ones a row more.
    sources, images = np.zeros((capacity + 3, most)), np.zeros((capacity + 3, most))
    active = np.zeros(most, np.int64)
    alpha, beta, error, size = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    # 1 where a neuron is on, else 0; 1 and -1.
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
                operations, steepest = n_in + 2.0, 1.0
                for i in range(n_knots):
                    operations += 2 if layers[now, i] == layer - 1 else 2 * (n_in + 1)
                    steepest = max(steepest, abs(own[now, i, 0]) + abs(own[now, i, 1]))
                # Norms of the errors and of the sizes of the layer before.
                squares, highest, heights, height = 0.0, 0.0, 0.0, 0.0
                for k in range(n_in):
                    e = error[k] if size[k] > 0.0 else 0.0
                    squares += e * e
                    heights += size[k] * size[k]
                    highest, height = max(highest, e), max(height, size[k])
                squares = 1.01 * math.sqrt(squares) + n_in * _LOST
                heights = 1.01 * math.sqrt(heights) + n_in * _LOST
                if n_sources % 2:
                    for k in range(n_in):
                        sources[n_sources, k] = 0.0
                straight = rows[w_at : w_at + n_in * n].reshape(n, n_in)
                _map(matrix, straight, sources, n_sources + n_sources % 2, active, images)
                for j in range(n):
                    euclidean, total = norms[0, b_at + j], norms[1, b_at + j]
                    before = 1.02 * min(euclidean * squares, total * highest)
                    around = 1.01 * min(euclidean * heights, total * height) + abs(biases[b_at + j])
                    error[j] = before + _STEP * operations * _U * around + _LEAST * steepest
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
                        n_kept = 0
                        for j in range(begin, end):
                            value = sign[j] * (alpha[j] + beta[j] * right)
                            n_kept += 1 if value > error[j] + abs(beta[j]) * off else 0
                        if n_kept == end - begin:
                            continue
                        if q + (end - begin - n_kept) + (n_knots - i) > capacity:
                            unclear += 1
                            break
                        for j in range(begin, end):
                            value = sign[j] * (alpha[j] + beta[j] * right)
                            slope = abs(beta[j])
                            if value > error[j] + slope * off:
                                continue
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
                if layer < n_layers:
                    t[new, q], tau[new, q] = right, off
                    layers[new, q], units[new, q] = layers[now, i], units[now, i]
                    own[new, q, 0], own[new, q, 1] = a, b
                    q += 1
                    kept = sources[n_sources]
                    n_sources += 1
                    for j in range(n):
                        alpha[j] += a * change[j]
                        beta[j] += b * change[j]
                        size[j] = max(size[j], on[j] * (abs(alpha[j]) + abs(beta[j])))
                        kept[j] = on[j] * change[j]
                else:
                    for j in range(n):
                        alpha[j] += a * change[j]
                        beta[j] += b * change[j]
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

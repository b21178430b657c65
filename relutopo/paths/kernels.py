"""The compiled kernel for perceptrons; importing it loads numba, so import it where it is used.

On a piece every value is α + β t, with coefficients that are kept up to date from knot to knot.
Where a unit k of the layer before switches, its coefficients times a column of weights are added or
taken away; where one of an earlier layer does, the change of the layer before is multiplied by the
weights. So a knot costs a few operations a unit in a network of two layers.

Bounds
------
Let ``H_j = Σ_k |w_jk| S_k + |b_j|``, where S_k is the greatest ``|α_k| + |β_k|`` that unit k had on
a piece, 0 if it was never on. All sums of unit j stay below H_j, up to roundings, so that each of
the N operations on its coefficients adds at most a small multiple of u H_j to their errors, and ::

    E_j = 1.01 Σ_k |w_jk| E_k + 16 N u H_j

bounds ``|δα_j| + |δβ_j|`` on all pieces, and with it the error of a value at any exact t. At a knot
that is off by at most τ the value is off by ``|β_j| τ`` more; a zero of α + β t is off by at most
``E / (|β| - E)``. These bounds are wider than those of `relutopo.paths.knots`; what they leave open
is done there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["walk"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_U = 2.0**-53
_STEP = 16.0
_LEAST = 1e-290


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def walk(
    weights: _Floats,
    rows: _Floats,
    biases: _Floats,
    widths: _Ints,
    alpha_0: _Floats,
    beta_0: _Floats,
    error_0: _Floats,
    capacity: int,
) -> tuple[_Floats, _Floats, _Ints, _Ints, NDArray[np.bool_], _Floats, _Floats, _Ints]:
    """Follow a perceptron along segments.

    Parameters
    ----------
    weights, rows, biases : ndarrays
        Those of all layers but the first, one after another; `weights` are transposed, (n_in,
        n_out), `rows` are not.
    widths : ndarray
        Neurons of each hidden layer, and outputs.
    alpha_0, beta_0, error_0 : (n, widths[0]) ndarrays
        Coefficients of the first layer, and E.
    capacity : int
        Most knots of a segment; those with more are left open.

    Returns
    -------
    t, errors : (n, capacity + 2) ndarrays
        0, the knots, 1, and how far knots may be off.
    neurons : (n, capacity + 2) ndarray of int64
        Which neuron switches there, -1 at the ends.
    counts : (n,) ndarray of int64
        How many knots there are.
    first : (n, n_neurons) ndarray of bool
        Pattern on the first piece.
    outputs, output_errors : (n, capacity + 2, n_outputs) ndarrays
    n_open : (n,) ndarray of int64
        Signs and orders that bounds leave open, by segments; some of these are not finished.
    """
    n_segments = len(alpha_0)
    n_layers = len(widths) - 1
    n_outputs = widths[n_layers]
    most = widths.max()
    n_neurons = widths[:n_layers].sum()
    out_t = np.zeros((n_segments, capacity + 2))
    out_tau = np.zeros((n_segments, capacity + 2))
    out_neurons = np.full((n_segments, capacity + 2), -1)
    counts = np.zeros(n_segments, np.int64)
    firsts = np.zeros((n_segments, n_neurons), np.bool_)
    outputs = np.empty((n_segments, capacity + 2, n_outputs))
    output_errors = np.empty((n_segments, capacity + 2, n_outputs))
    n_open = np.zeros(n_segments, np.int64)
    # Of the knots so far, and of those with the next layer's: place, deviation, layer, unit, sign
    # (on or off), coefficients of the unit; the change of the layer before at each.
    t = np.zeros((2, capacity))
    tau = np.zeros((2, capacity))
    layers = np.zeros((2, capacity), np.int64)
    units = np.zeros((2, capacity), np.int64)
    turns = np.zeros((2, capacity))
    own = np.zeros((2, capacity, 2))
    change = np.zeros((2, capacity, 2, most))
    alpha, beta, error = np.zeros(most), np.zeros(most), np.zeros(most)
    before_a, before_b, before_e = np.zeros(most), np.zeros(most), np.zeros(most)
    size, before_size, height = np.zeros(most), np.zeros(most), np.zeros(most)
    # 1 where a neuron is on, else 0.
    on, before_on = np.zeros(most), np.zeros(most)
    step_a, step_b = np.zeros(most), np.zeros(most)
    for s in range(n_segments):
        n_knots, now, w_at, b_at, offset = 0, 0, 0, 0, 0
        unclear = 0
        for layer in range(n_layers + 1):
            n = widths[layer]
            n_in = 0 if layer == 0 else widths[layer - 1]
            if layer == 0:
                for j in range(n):
                    alpha[j], beta[j], error[j] = alpha_0[s, j], beta_0[s, j], error_0[s, j]
            else:
                for j in range(n):
                    alpha[j], beta[j] = biases[b_at + j], 0.0
                    height[j], error[j] = abs(biases[b_at + j]), 0.0
                operations = n_in + 2
                for i in range(n_knots):
                    operations += 1 if layers[now, i] == layer - 1 else n_in + 1
                for k in range(n_in):
                    row = weights[w_at + k * n : w_at + (k + 1) * n]
                    if before_size[k] > 0.0:
                        for j in range(n):
                            height[j] += abs(row[j]) * before_size[k]
                            error[j] += abs(row[j]) * before_e[k]
                    if before_on[k] > 0.0:
                        for j in range(n):
                            alpha[j] += row[j] * before_a[k]
                            beta[j] += row[j] * before_b[k]
                for j in range(n):
                    error[j] = 1.01 * error[j] + _STEP * operations * _U * height[j] + _LEAST
            if layer == n_layers:
                for j in range(n):
                    outputs[s, 0, j], output_errors[s, 0, j] = alpha[j], error[j]
            else:
                for j in range(n):
                    if not abs(alpha[j]) > error[j]:
                        unclear += 1
                    on[j] = 1.0 if alpha[j] > 0.0 else 0.0
                    firsts[s, offset + j] = alpha[j] > 0.0
                    size[j] = on[j] * (abs(alpha[j]) + abs(beta[j]))
                # What the next layer begins with; the layer's own coefficients go on changing.
                first_a, first_b = alpha[:n].copy(), beta[:n].copy()
            new = 1 - now
            q = 0
            for i in range(n_knots + 1):
                left = t[now, i - 1] if i else 0.0
                right = t[now, i] if i < n_knots else 1.0
                off = tau[now, i] if i < n_knots else 0.0
                if layer == n_layers:
                    for j in range(n):
                        outputs[s, i + 1, j] = alpha[j] + beta[j] * right
                        output_errors[s, i + 1, j] = error[j] + abs(beta[j]) * off
                else:
                    n_kept = 0
                    for j in range(n):
                        value = (2.0 * on[j] - 1.0) * (alpha[j] + beta[j] * right)
                        n_kept += 1 if value > error[j] + abs(beta[j]) * off else 0
                    n_flips = n - n_kept
                    if q + n_flips + (n_knots - i) > capacity:
                        unclear += 1
                        break
                    if n_flips:
                        base = q
                        for j in range(n):
                            value = (2.0 * on[j] - 1.0) * (alpha[j] + beta[j] * right)
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
                        for at in range(base, q):
                            j = units[new, at]
                            on[j] = 1.0 - on[j]
                            layers[new, at] = layer
                            turns[new, at] = 2.0 * on[j] - 1.0
                            own[new, at, 0], own[new, at, 1] = alpha[j], beta[j]
                            size[j] = max(size[j], on[j] * (abs(alpha[j]) + abs(beta[j])))
                            if at > base and not (
                                t[new, at - 1] + tau[new, at - 1] < t[new, at] - tau[new, at]
                            ):
                                unclear += 1
                if i == n_knots:
                    continue
                if layers[now, i] == layer - 1:
                    k = units[now, i]
                    row = weights[w_at + k * n : w_at + (k + 1) * n]
                    a, b = turns[now, i] * own[now, i, 0], turns[now, i] * own[now, i, 1]
                    for j in range(n):
                        step_a[j], step_b[j] = row[j] * a, row[j] * b
                else:
                    for j in range(n):
                        step_a[j], step_b[j] = 0.0, 0.0
                    if n < n_in:  # long sums, not many short ones
                        for j in range(n):
                            a, b = 0.0, 0.0
                            for k in range(n_in):
                                w = rows[w_at + j * n_in + k]
                                a += w * change[now, i, 0, k]
                                b += w * change[now, i, 1, k]
                            step_a[j], step_b[j] = a, b
                    for k in range(0 if n < n_in else n_in):
                        a, b = change[now, i, 0, k], change[now, i, 1, k]
                        if a != 0.0 or b != 0.0:
                            row = weights[w_at + k * n : w_at + (k + 1) * n]
                            for j in range(n):
                                step_a[j] += row[j] * a
                                step_b[j] += row[j] * b
                for j in range(n):
                    alpha[j] += step_a[j]
                    beta[j] += step_b[j]
                if layer < n_layers:
                    t[new, q], tau[new, q] = right, off
                    layers[new, q], units[new, q] = layers[now, i], units[now, i]
                    for j in range(n):
                        size[j] = max(size[j], on[j] * (abs(alpha[j]) + abs(beta[j])))
                        change[new, q, 0, j] = on[j] * step_a[j]
                        change[new, q, 1, j] = on[j] * step_b[j]
                    q += 1
            if layer > 0:
                w_at += n_in * n
                b_at += n
            if unclear:
                break
            if layer < n_layers:
                for j in range(n):
                    before_a[j], before_b[j], before_e[j] = first_a[j], first_b[j], error[j]
                    before_size[j] = size[j]
                    before_on[j] = 1.0 if firsts[s, offset + j] else 0.0
                offset += n
                n_knots, now = q, new
        n_open[s] = unclear
        if unclear:
            continue
        counts[s] = n_knots
        out_t[s, n_knots + 1] = 1.0
        for i in range(n_knots):
            out_t[s, i + 1], out_tau[s, i + 1] = t[now, i], tau[now, i]
            before = 0
            for layer in range(layers[now, i]):
                before += widths[layer]
            out_neurons[s, i + 1] = before + units[now, i]
    return out_t, out_tau, out_neurons, counts, firsts, outputs, output_errors, n_open

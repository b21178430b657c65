"""Solving with the factor: forward and backward substitution, for two right sides at a time.

Two take little longer than one, because most of the time goes into reading the factor.

Steps of `WIDE` columns of a block are solved by the inverse of their triangle, which stands in the
panel in place of the triangle itself: no column waits for the one before, nothing is divided, and
no sum of a few numbers is taken across a register. The inverse has, as the factor of a Laplacian,
no negative entries, so that they are sums of numbers of one sign, and accurate one by one.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

__all__ = ["WIDE", "backward", "forward", "invert_steps", "solve_at_once"]

WIDE = 16


@njit(cache=True, nogil=True, fastmath={"contract"})
def invert_steps(panel, n_own, n):
    """Replace the triangle of each step's own columns by its inverse, above and below the diagonal.

    Row k holds column k of the inverse from the diagonal on, and row k of it before.
    """
    inverse = np.empty(WIDE * WIDE)
    for low in range(0, n_own, WIDE):
        size = min(WIDE, n_own - low)
        for k in range(size):
            # Column k, entry by entry: each takes its part off the later ones.
            column = inverse[k * size : (k + 1) * size]
            column[:] = 0.0
            column[k] = 1.0
            for i in range(k, size):
                row = panel[(low + i) * n + low : (low + i) * n + low + size]
                column[i] /= row[i]
                z = column[i]
                for j in range(i + 1, size):
                    column[j] -= z * row[j]
        for k in range(size):
            row = panel[(low + k) * n + low : (low + k) * n + low + size]
            for j in range(k):
                row[j] = inverse[j * size + k]
            for j in range(k, size):
                row[j] = inverse[k * size + j]


@njit(cache=True, nogil=True, fastmath={"contract"})
def forward(panels, blocks, first, last, vectors):
    """Solve with the factor, over the slots of a piece; add to the border what comes to it."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    at = 0
    for b in range(first, last):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        x[:n_own] = v[begin : begin + n_own]
        y[:n_own] = w[begin : begin + n_own]
        x[n_own:n] = 0.0
        y[n_own:n] = 0.0
        for low in range(0, n_own, WIDE):
            high = min(n_own, low + WIDE)
            s, t = v[begin + low : begin + high], w[begin + low : begin + high]
            s[:] = 0.0
            t[:] = 0.0
            for k in range(low, high):
                p = panels[at + k * n + k : at + k * n + high]
                a, b_ = x[k], y[k]
                s_rest, t_rest = s[k - low :], t[k - low :]
                for j in range(len(p)):
                    s_rest[j] += a * p[j]
                    t_rest[j] += b_ * p[j]
            x_rest, y_rest, k = x[high:n], y[high:n], low
            while k + 4 <= high:
                row = at + k * n
                p, q = panels[row + high : row + n], panels[row + n + high : row + 2 * n]
                row += 2 * n
                r, o = panels[row + high : row + n], panels[row + n + high : row + 2 * n]
                i = k - low
                a, b_, c, d = s[i], s[i + 1], s[i + 2], s[i + 3]
                e, f, g, h = t[i], t[i + 1], t[i + 2], t[i + 3]
                for j in range(len(x_rest)):
                    x_rest[j] -= a * p[j] + b_ * q[j] + c * r[j] + d * o[j]
                    y_rest[j] -= e * p[j] + f * q[j] + g * r[j] + h * o[j]
                k += 4
            while k < high:
                p = panels[at + k * n + high : at + (k + 1) * n]
                a, b_ = s[k - low], t[k - low]
                for j in range(len(x_rest)):
                    x_rest[j] -= a * p[j]
                    y_rest[j] -= b_ * p[j]
                k += 1
        for j in range(len(border)):
            v[border[j]] += x[n_own + j]
            w[border[j]] += y[n_own + j]
        at += n_own * n


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def backward(panels, blocks, first, last, vectors):
    """Solve with the transposed factor, over the slots of a piece, those of the border given."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    at = len(panels)
    for b in range(last - 1, first - 1, -1):
        begin, n_own = starts[b] - starts[first], starts[b + 1] - starts[b]
        border = slots[border_ptr[b] : border_ptr[b + 1]]
        n = n_own + len(border)
        at -= n_own * n
        for j in range(len(border)):
            x[n_own + j] = v[border[j]]
            y[n_own + j] = w[border[j]]
        for low in range((n_own - 1) // WIDE * WIDE, -1, -WIDE):
            high = min(n_own, low + WIDE)
            own_x, own_y, x_known, y_known = x[low:high], y[low:high], x[high:n], y[high:n]
            own_x[:] = 0.0
            own_y[:] = 0.0
            for k in range(low, high):
                row = panels[at + k * n : at + (k + 1) * n]
                p, s, t = row[high:], 0.0, 0.0
                for j in range(len(p)):
                    s += p[j] * x_known[j]
                    t += p[j] * y_known[j]
                s, t = v[begin + k] - s, w[begin + k] - t
                q = row[low : k + 1]
                for j in range(len(q)):
                    own_x[j] += s * q[j]
                    own_y[j] += t * q[j]
        v[begin : begin + n_own] = x[:n_own]
        w[begin : begin + n_own] = y[:n_own]


@njit(cache=True, nogil=True)
def solve_at_once(panels, blocks, x):
    """Replace an even number of right sides by the solutions, if there is one piece only."""
    n_blocks = len(blocks[0]) - 1
    for i in range(0, len(x), 2):
        forward(panels, blocks, 0, n_blocks, x[i : i + 2])
        backward(panels, blocks, 0, n_blocks, x[i : i + 2])


@njit(cache=True, nogil=True)
def _largest_front(starts, border_ptr, first, last):
    largest = 0
    for b in range(first, last):
        n = starts[b + 1] - starts[b] + border_ptr[b + 1] - border_ptr[b]
        largest = max(largest, n)
    return largest

"""Solving with the factor: forward and backward substitution, for two right sides at a time.

Two right sides take little longer than one, because most of the time goes into reading the factor.

Steps of `WIDE` columns of a block are solved by the inverse of their triangle, which replaces the
triangle in the panel: no column waits for the one before, nothing is divided, and no few numbers
are summed within a register. Since the factor is that of a Laplacian, the inverse has no negative
entries, so its entries are sums of numbers of one sign, and each is accurate.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

from .fronts import index

__all__ = ["WIDE", "backward", "forward", "invert_steps", "solve_at_once"]

WIDE = 16


@njit(cache=True, nogil=True, fastmath={"contract"})
def invert_steps(panel, n_own, n):
    """Replace the triangle of each step's own columns by its inverse, above and below the diagonal.

    Row k holds column k of the inverse from the diagonal on, and row k of it before.
    """
    for low in range(0, n_own, WIDE):
        high = min(n_own, low + WIDE)
        # Column k of the inverse, entry by entry: each takes its part off the later ones. The
        # places are those of row k below the diagonal, which is column k after transposing.
        for k in range(high - 1, low - 1, -1):
            root = 1.0 / panel[k * n + k]
            # Row k right of the diagonal times the inverse of what is below, which is there.
            for j in range(k + 1, high):
                entry = 0.0
                for i in range(k + 1, j + 1):
                    entry -= panel[index(k * n + i)] * panel[index(j * n + i)]
                panel[index(j * n + k)] = entry * root
            panel[index(k * n + k)] = root
            for j in range(k + 1, high):
                panel[index(k * n + j)] = panel[index(j * n + k)]


@njit(cache=True, nogil=True, fastmath={"contract"})
def forward(panels, blocks, first, last, vectors):
    """Solve with the factor, over the slots of a piece; add its contributions to the border."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    s, t = np.empty(WIDE), np.empty(WIDE)
    at = 0
    for m in range(first, last):
        begin, n_own = starts[m] - starts[first], starts[m + 1] - starts[m]
        slot, n_border = border_ptr[m], border_ptr[m + 1] - border_ptr[m]
        n = n_own + n_border
        for j in range(index(n_own)):
            x[j] = v[index(begin) + j]
            y[j] = w[index(begin) + j]
        for j in range(index(n_own), index(n)):
            x[j] = 0.0
            y[j] = 0.0
        for low in range(0, n_own, WIDE):
            high = min(n_own, low + WIDE)
            for j in range(WIDE):
                s[j] = t[j] = 0.0
            for k in range(low, high):
                p, place = index(at + k * n + k), index(k - low)
                a, b = x[k], y[k]
                for j in range(index(high - k)):
                    s[place + j] += a * panels[p + j]
                    t[place + j] += b * panels[p + j]
            for j in range(index(high - low)):
                v[index(begin + low) + j] = s[j]
                w[index(begin + low) + j] = t[j]
            rest, beyond, step, k = index(n - high), index(high), index(n), low
            while k + 4 <= high:
                p = index(at + k * n + high)
                q, r, o = p + step, p + step + step, p + step + step + step
                i = k - low
                a, b, c, d = s[i], s[i + 1], s[i + 2], s[i + 3]
                e, f, g, h = t[i], t[i + 1], t[i + 2], t[i + 3]
                for j in range(rest):
                    x[beyond + j] -= (
                        a * panels[p + j]
                        + b * panels[q + j]
                        + c * panels[r + j]
                        + d * panels[o + j]
                    )
                    y[beyond + j] -= (
                        e * panels[p + j]
                        + f * panels[q + j]
                        + g * panels[r + j]
                        + h * panels[o + j]
                    )
                k += 4
            while k < high:
                p = index(at + k * n + high)
                a, b = s[k - low], t[k - low]
                for j in range(rest):
                    x[beyond + j] -= a * panels[p + j]
                    y[beyond + j] -= b * panels[p + j]
                k += 1
        for j in range(n_border):
            place = index(slots[slot + j])
            v[place] += x[n_own + j]
            w[place] += y[n_own + j]
        at += n_own * n


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def backward(panels, blocks, first, last, vectors):
    """Solve with the transposed factor, over the slots of a piece, those of the border given."""
    starts, border_ptr, slots = blocks
    v, w = vectors[0], vectors[1]
    size = _largest_front(starts, border_ptr, first, last)
    x, y = np.empty(size), np.empty(size)
    at = len(panels)
    for m in range(last - 1, first - 1, -1):
        begin, n_own = starts[m] - starts[first], starts[m + 1] - starts[m]
        slot, n_border = border_ptr[m], border_ptr[m + 1] - border_ptr[m]
        n = n_own + n_border
        at -= n_own * n
        for j in range(n_border):
            place = index(slots[slot + j])
            x[n_own + j] = v[place]
            y[n_own + j] = w[place]
        for low in range((n_own - 1) // WIDE * WIDE, -1, -WIDE):
            high = min(n_own, low + WIDE)
            rest, beyond, here = index(n - high), index(high), index(low)
            for j in range(here, beyond):
                x[j] = 0.0
                y[j] = 0.0
            for k in range(low, high):
                p, s, t = index(at + k * n + high), 0.0, 0.0
                for j in range(rest):
                    s += panels[p + j] * x[beyond + j]
                    t += panels[p + j] * y[beyond + j]
                s, t = v[begin + k] - s, w[begin + k] - t
                q = index(at + k * n + low)
                for j in range(index(k + 1 - low)):
                    x[here + j] += s * panels[q + j]
                    y[here + j] += t * panels[q + j]
        for j in range(index(n_own)):
            v[index(begin) + j] = x[j]
            w[index(begin) + j] = y[j]


@njit(cache=True, nogil=True, inline="always")  # else LLVM would see it once more
def solve_at_once(panels, blocks, x):
    """Replace an even number of right sides by the solutions, if there is one piece only."""
    n_blocks = len(blocks[0]) - 1
    for i in range(0, len(x), 2):
        # For the plain number 0 they would be compiled apart.
        forward(panels, blocks, np.int64(0), n_blocks, x[i : i + 2])
        backward(panels, blocks, np.int64(0), n_blocks, x[i : i + 2])


@njit(cache=True, nogil=True)
def _largest_front(starts, border_ptr, first, last):
    largest = 0
    for b in range(first, last):
        n = starts[b + 1] - starts[b] + border_ptr[b + 1] - border_ptr[b]
        largest = max(largest, n)
    return largest

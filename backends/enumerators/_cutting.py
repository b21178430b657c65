"""Compiled kernels that cut a face lattice by one neuron; `_lattice.py` calls them.

Data. The facets of k-cell c are ``pool[start[c] : start[c] + count[c]]``, numbers of (k-1)-cells. A
cell that is cut keeps its number for its half on the minus side; the half on the plus side and the
section get new numbers. `flags` tells what signs the vertices of a cell carry: 1 for +, 2 for -, 3
for both, 0 for neither. `half[c]` and `section[c]` are the plus half and the section of a cell cut
by the current neuron, -1 for others.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ._arrangement import UNKNOWN, _parameter, _place, _value


@njit(cache=True)
def resolve_signs(first, last, planes, errors, parent, x, x_error, limit, signs):
    """Decide the `UNKNOWN` signs of vertices first..last-1 from floats; return how many stay."""
    n_unknown = 0
    for v in range(first, last):
        for j in range(signs.shape[1]):
            if signs[v, j] != UNKNOWN:
                continue
            z, bound = _value(planes, errors, parent[v], j, x, x_error, v, limit)
            if z > bound:
                signs[v, j] = 1
            elif z < -bound:
                signs[v, j] = -1
            elif bound == 0.0:
                signs[v, j] = 0
            else:
                n_unknown += 1
    return n_unknown


@njit(cache=True)
def vertex_flags(signs, unit, n, flags):
    """Write the flags of the first n vertices for one neuron."""
    for v in range(n):
        s = signs[v, unit]
        flags[v] = 1 if s > 0 else (2 if s < 0 else 0)


@njit(cache=True)
def classify(n, start, count, pool, flags_below, half_below, flags):
    """Write the flags of the first n cells; return how many are cut."""
    n_cut = 0
    for c in range(n):
        found = np.uint8(0)
        for i in range(start[c], start[c] + count[c]):
            f = pool[i]
            found |= np.uint8(3) if half_below[f] >= 0 else flags_below[f]
        flags[c] = found
        n_cut += found == 3
    return n_cut


@njit(cache=True)
def room_to_cut(n, start, count, pool, flags, count_below):
    """Return how many entries the cut cells (k ≥ 2) may add to their pool and to the one below."""
    own, below = 0, 0
    for c in range(n):
        if flags[c] == 3:
            own += 2 * (count[c] + 1)
            for i in range(start[c], start[c] + count[c]):
                below += 1 + count_below[pool[i]]
    return own, below


@njit(cache=True)
def cut_edges(
    n,
    start,
    count,
    pool,
    pool_end,
    flags,
    half,
    section,
    parent,
    unit,
    n_vertices,
    planes,
    errors,
    x,
    x_error,
    limit,
    magnitude,
    origin,
    vertex_parent,
    signs,
    vertex_flag,
):
    """Cut the edges that carry both signs; return the new end of the pool.

    New vertices are numbered from n_vertices, new edges from n, in the order of the edges cut.
    """
    new_vertex, new_edge = n_vertices, n
    for e in range(n):
        half[e] = section[e] = -1
        if flags[e] != 3:
            continue
        a, b = pool[start[e]], pool[start[e] + 1]
        r = parent[e]
        za, bound_a = _value(planes, errors, r, unit, x, x_error, a, limit)
        zb, bound_b = _value(planes, errors, r, unit, x, x_error, b, limit)
        t, t_error = _parameter(za, bound_a, zb, bound_b)
        _place(x, x_error, a, b, t, t_error, magnitude, new_vertex)
        origin[new_vertex, 0], origin[new_vertex, 1] = a, b
        vertex_parent[new_vertex] = r
        for j in range(signs.shape[1]):
            # Between its ends an affine function keeps a sign that they agree on or that one has.
            if signs[a, j] == -signs[b, j] and signs[a, j] != 0:
                signs[new_vertex, j] = UNKNOWN
            else:
                signs[new_vertex, j] = signs[a, j] if signs[a, j] != 0 else signs[b, j]
        signs[new_vertex, unit] = 0
        vertex_flag[new_vertex] = 0
        plus, minus = (a, b) if signs[a, unit] > 0 else (b, a)
        pool[start[e]], pool[start[e] + 1] = minus, new_vertex
        start[new_edge], count[new_edge] = pool_end, 2
        pool[pool_end], pool[pool_end + 1] = plus, new_vertex
        pool_end += 2
        flags[e], flags[new_edge] = 2, 1
        half[e], section[e] = new_edge, new_vertex
        half[new_edge] = section[new_edge] = -1
        parent[new_edge] = r
        new_vertex += 1
        new_edge += 1
    return pool_end


@njit(cache=True)
def cut_cells(
    n,
    start,
    count,
    pool,
    pool_end,
    flags,
    half,
    section,
    parent,
    n_below,
    start_below,
    count_below,
    pool_below,
    end_below,
    flags_below,
    half_below,
    section_below,
    parent_below,
    flags_two_below,
):
    """Cut the k-cells that carry both signs (k ≥ 2); return the new ends of both pools.

    Sections are numbered from n_below among the (k-1)-cells, plus halves from n.
    """
    new_cell, new_section = n, n_below
    for c in range(n):
        half[c] = section[c] = -1
        if flags[c] != 3:
            continue
        s = new_section
        start_below[s], section_first = end_below, end_below
        plus_start = pool_end
        plus_end = plus_start
        minus_end = plus_start + count[c] + 1
        minus_start = minus_end
        for i in range(start[c], start[c] + count[c]):
            f = pool[i]
            if half_below[f] >= 0:
                pool[plus_end] = half_below[f]
                plus_end += 1
                pool[minus_end] = f
                minus_end += 1
                pool_below[end_below] = section_below[f]
                end_below += 1
                continue
            if flags_below[f] & 1:
                pool[plus_end] = f
                plus_end += 1
            else:
                pool[minus_end] = f
                minus_end += 1
            # Faces of an uncut facet that lie in the zero set bound the section; each of them
            # lies in two facets of c.
            for q in range(start_below[f], start_below[f] + count_below[f]):
                g = pool_below[q]
                if flags_two_below[g] == 0:
                    known = False
                    for p in range(section_first, end_below):
                        known = known or pool_below[p] == g
                    if not known:
                        pool_below[end_below] = g
                        end_below += 1
        pool[plus_end] = s
        pool[minus_end] = s
        start[new_cell], count[new_cell] = plus_start, plus_end + 1 - plus_start
        start[c], count[c] = minus_start, minus_end + 1 - minus_start
        pool_end = minus_end + 1
        count_below[s] = end_below - section_first
        flags_below[s] = 0
        half_below[s] = section_below[s] = -1
        parent_below[s] = parent[c]
        flags[c], flags[new_cell] = 2, 1
        half[c], section[c] = new_cell, s
        half[new_cell] = section[new_cell] = -1
        parent[new_cell] = parent[c]
        new_cell += 1
        new_section += 1
    return pool_end, end_below


@njit(cache=True)
def record_neuron(n, n_cut, flags, half, packed, neuron):
    """Copy the patterns of cut regions and set the neuron's bit where it is positive."""
    for c in range(n):
        if half[c] >= 0:
            packed[half[c]] = packed[c]
    for c in range(n + n_cut):
        if flags[c] & 1:
            packed[c, neuron >> 3] |= np.uint8(1 << (neuron & 7))


@njit(cache=True)
def compact(n, start, count, pool):
    """Return the facet lists in CSR form."""
    indptr = np.zeros(n + 1, np.int64)
    for c in range(n):
        indptr[c + 1] = indptr[c] + count[c]
    indices = np.empty(indptr[n], np.int32)
    for c in range(n):
        for i in range(count[c]):
            indices[indptr[c] + i] = pool[start[c] + i]
    return indptr, indices


@njit(cache=True)
def hand_down(n, start, count, pool, above, below):
    """Give every (k-1)-cell the mark of a k-cell that contains it."""
    for c in range(n - 1, -1, -1):
        for i in range(start[c], start[c] + count[c]):
            below[pool[i]] = above[c]

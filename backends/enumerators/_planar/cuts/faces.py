"""Compiled kernels that cut each region of the plane along its chords; see `chords`.

Everything here is combinatorial except the coordinates of the new vertices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

from .signs import place

__all__ = ["Sizes", "build_faces", "count_cells", "split_edges"]


@njit(cache=True, nogil=True)
def split_edges(edge_vertices, group_ptr, base, n_more):
    """Return the vertices of the pieces of all edges, edge by edge, with room for more edges."""
    n_edges = len(edge_vertices)
    pieces, k = np.empty((n_edges + group_ptr[-1] + n_more, 2), np.int32), 0
    for e in range(n_edges):
        tail = edge_vertices[e, 0]
        for g in range(group_ptr[e], group_ptr[e + 1]):
            pieces[k, 0], pieces[k, 1] = tail, base + g
            tail = base + g
            k += 1
        pieces[k, 0], pieces[k, 1] = tail, edge_vertices[e, 1]
        k += 1
    return pieces


class Sizes(NamedTuple):
    """How many cells there will be, and how much room the largest region takes.

    Attributes
    ----------
    n_inner, n_edges, n_faces, n_sides : int
        Inner vertices, chord edges, faces and half-edges of faces.
    most_points, most_chords, most_crossings : int
        Of a region.
    """

    n_inner: int
    n_edges: int
    n_faces: int
    n_sides: int
    most_points: int
    most_chords: int
    most_crossings: int


@njit(cache=True, nogil=True)
def count_cells(cells, regions, group_ptr, chords):
    """Return how many cells there will be, where some regions are crossed.

    A point where chords cross is counted with the first of them. Euler's relation for the disc:
    faces = chord edges - inner vertices + 1.
    """
    chord_ptr, region_ptr, half_edges = chords.chord_ptr, cells.region_ptr, cells.half_edges
    cross_ptr, cross, same = chords.crossings.ptr, chords.crossings.item, chords.crossings.same
    n_inner, n_edges, n_faces, n_sides = 0, 0, len(region_ptr) - 1, len(half_edges)
    most_points, most_chords, most_crossings = 0, 0, 0
    for r in regions:
        c0, c1 = chord_ptr[r], chord_ptr[r + 1]
        inner, edges, points = 0, 0, 0
        for c in range(c0, c1):
            edges += 1
            i = cross_ptr[c]
            while i < cross_ptr[c + 1]:
                smallest = cross[i]
                i += 1
                while i < cross_ptr[c + 1] and same[i]:
                    smallest = min(smallest, cross[i])
                    i += 1
                edges += 1
                inner += smallest > c - c0
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e = half_edges[q] >> 1
            points += group_ptr[e + 1] - group_ptr[e]
        n_inner += inner
        n_edges += edges
        n_faces += edges - inner
        n_sides += 2 * edges + points
        size = region_ptr[r + 1] - region_ptr[r] + points
        most_points, most_chords = max(most_points, size), max(most_chords, c1 - c0)
        most_crossings = max(most_crossings, cross_ptr[c1] - cross_ptr[c0])
    return Sizes(n_inner, n_edges, n_faces, n_sides, most_points, most_chords, most_crossings)


@njit(cache=True, nogil=True)
def build_faces(crossed, placed, chords, magnitude, sizes, cut):
    """Build vertices, edges, faces and patterns inside every region.

    Fills in the rows of `cut` for inner vertices, chord edges and faces. One call builds all
    regions: calls for every region, with records, would take half as long again.

    Parameters
    ----------
    crossed : Crossed
    placed : Placed
    chords : Chords
    magnitude : (d,) ndarray
        Bound of the coordinates.
    sizes : Sizes
    cut : Cut
        With the vertices on edges, and the pieces of edges with their labels.
    """
    cells, always, above = crossed.cells, crossed.cutters.always, crossed.above
    regions = crossed.regions
    region_ptr, half_edges, packed = cells.region_ptr, cells.half_edges, cells.packed
    bits, neurons = crossed.cutters.bits, crossed.cutters.neurons
    group_ptr, first_piece = placed.group_ptr, placed.first_piece
    chord_ptr, ends, end_vertices = chords.chord_ptr, chords.ends, chords.end_vertices
    unit_ptr, units, after = chords.unit_ptr, chords.units, chords.after
    cross_ptr, cross, same = chords.crossings.ptr, chords.crossings.item, chords.crossings.same
    t, t_error = chords.crossings.t, chords.crossings.t_error
    x, deviation = cut.cells.x, cut.cells.deviation
    new_vertices, new_labels = cut.cells.edge_vertices, cut.cells.labels
    inner_source, inner_ends, inner_base = cut.inner_source, cut.inner_ends, len(placed.x)
    out_ptr, out_half_edges = cut.cells.region_ptr, cut.cells.half_edges
    out_packed, out_parent = cut.cells.packed, cut.parent
    # The units with a positive corner, and what they add to the pattern.
    present = np.zeros(above.shape[1], np.uint64)
    added = always.copy()
    # Arrays that are replaced by longer ones would count references in the loop over regions.
    most, k = sizes.most_points + sizes.most_crossings, sizes.most_chords
    rim_piece, begins = np.empty(sizes.most_points, np.int32), np.empty(sizes.most_points, np.int32)
    met, degree = np.empty(k * k, np.int32), np.empty(most, np.int32)
    path, path_ptr = np.empty(most + 2 * k, np.int32), np.empty(k + 1, np.int64)
    low, high, rotation_ptr = (
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most + 1, np.int64),
    )
    # Chords have an edge more than crossings.
    most += k
    rotation, following = np.empty(2 * most, np.int64), np.empty(2 * most, np.int64)
    edge_chord, face_of = np.empty(most, np.int32), np.empty(2 * most, np.int32)
    first_half, known, stack = (
        np.empty(most, np.int64),
        np.empty(most, np.bool_),
        np.empty(most, np.int64),
    )
    n_bytes, n_words, n_regions = packed.shape[1], len(present), len(region_ptr) - 1
    # Patterns of whole words are copied as such.
    is_whole = n_bytes % 8 == 0 and len(added) % 8 == 0
    before_words = packed.view(np.uint64) if is_whole else np.empty((0, 0), np.uint64)
    added_words = added.view(np.uint64) if is_whole else np.empty(0, np.uint64)
    after_words = out_packed.view(np.uint64) if is_whole else np.empty((0, 0), np.uint64)
    n_before, n_after = before_words.shape[1], len(added_words)
    f0, s0, inner0, edge0, first = 0, 0, 0, int(first_piece[-1]), 0
    for crossing in range(len(regions) + 1):
        # Regions up to the next one that is crossed stay as they are; so far, its first face does.
        r = regions[crossing] if crossing < len(regions) else n_regions
        last = min(r + 1, n_regions)
        for i in range(first, last):
            out_ptr[f0 + i - first] = s0 + region_ptr[i] - region_ptr[first]
            out_parent[f0 + i - first] = i
        for i in range(first, last):
            face = f0 + i - first
            # Most units are as on the region before.
            for w in range(n_words):
                word = above[i, w] ^ present[w]
                present[w] = above[i, w]
                while word:
                    bit = bits[64 * w + int(lowest_bit(word))]
                    added[bit >> 3] ^= np.uint8(1 << (bit & 7))
                    word &= word - np.uint64(1)
            if is_whole:
                for k in range(n_before):
                    after_words[face, k] = added_words[k] | before_words[i, k]
                for k in range(n_before, n_after):
                    after_words[face, k] = added_words[k]
                continue
            for k in range(n_bytes):
                out_packed[face, k] = added[k] | packed[i, k]
            for k in range(n_bytes, len(added)):
                out_packed[face, k] = added[k]
        shift = s0 - region_ptr[first]
        for q in range(region_ptr[first], region_ptr[r]):
            h = half_edges[q]
            out_half_edges[q + shift] = 2 * first_piece[h >> 1] + (h & 1)
        f0, s0, first = f0 + r - first, region_ptr[r] + shift, r + 1
        if r == n_regions:
            break
        c0, c1 = chord_ptr[r], chord_ptr[r + 1]

        # The first face is left of the first piece of the rim. Crossing units have been set
        # above; clear those that are negative there.
        for c in range(c0, c1):
            for m in range(unit_ptr[c], unit_ptr[c + 1]):
                if (after[m] > 0) != (ends[c, 0] == 0):
                    bit = bits[units[m]]
                    out_packed[f0, bit >> 3] ^= np.uint8(1 << (bit & 7))
        # For each point of the rim the half-edge that follows it.
        size = 0
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e, back = half_edges[q] >> 1, half_edges[q] & 1
            n = group_ptr[e + 1] - group_ptr[e]
            for i in range(n + 1):
                rim_piece[size] = 2 * (first_piece[e] + (n - i if back else i)) + back
                size += 1
        k = c1 - c0
        if k == 1:
            # Left of the chord are the pieces after its second point and before its first.
            a, b = ends[c0, 0], ends[c0, 1]
            new_vertices[edge0, 0], new_vertices[edge0, 1] = (
                end_vertices[c0, 0],
                end_vertices[c0, 1],
            )
            new_labels[edge0] = neurons[units[unit_ptr[c0]]]
            for i in range(len(added)):
                out_packed[f0 + 1, i] = out_packed[f0, i]
            for m in range(unit_ptr[c0], unit_ptr[c0 + 1]):
                bit = bits[units[m]]
                out_packed[f0 + 1, bit >> 3] ^= np.uint8(1 << (bit & 7))
            out_parent[f0 + 1] = r
            for side in range(2):
                # The first face is the one left of the chord, unless that begins at point 0.
                out_ptr[f0 + side] = s0
                if (side == 0) == (a > 0):
                    for p in range(a):
                        out_half_edges[s0] = rim_piece[p]
                        s0 += 1
                    out_half_edges[s0] = 2 * edge0
                    s0 += 1
                    for p in range(b, size):
                        out_half_edges[s0] = rim_piece[p]
                        s0 += 1
                else:
                    for p in range(a, b):
                        out_half_edges[s0] = rim_piece[p]
                        s0 += 1
                    out_half_edges[s0] = 2 * edge0 + 1
                    s0 += 1
            f0 += 2
            edge0 += 1
            continue

        # Local vertices: rim points, then inner ones. Local edge i < size is the rim piece after
        # point i; chord edges follow. `path` holds the local vertices along each chord.
        n_crossings = cross_ptr[c1] - cross_ptr[c0]
        for v in range(size + n_crossings):
            degree[v] = 0
        n_vertices = size
        w = 0
        for c in range(k):
            path_ptr[c] = w
            path[w] = ends[c0 + c, 0]
            w += 1
            stop = cross_ptr[c0 + c]
            while stop < cross_ptr[c0 + c + 1]:
                i = stop
                smallest, best = cross[i], i
                stop = i + 1
                while stop < cross_ptr[c0 + c + 1] and same[stop]:
                    smallest = min(smallest, cross[stop])
                    if t_error[stop] < t_error[best]:
                        best = stop
                    stop += 1
                if smallest > c:
                    local = n_vertices
                    n_vertices += 1
                    for m in range(i, stop):
                        met[c * k + cross[m]] = local
                    source = inner0 + local - size
                    place(
                        x,
                        deviation,
                        end_vertices[c0 + c, 0],
                        end_vertices[c0 + c, 1],
                        t[best],
                        t_error[best],
                        magnitude,
                        inner_base + source,
                    )
                    inner_source[source, 0] = r
                    inner_ends[source, 0] = end_vertices[c0 + c, 0]
                    inner_ends[source, 1] = end_vertices[c0 + c, 1]
                    inner_source[source, 1] = units[unit_ptr[c0 + c]]
                    inner_source[source, 2] = units[unit_ptr[c0 + cross[best]]]
                else:
                    local = met[smallest * k + c]
                degree[local] += 1
                path[w] = local
                w += 1
            path[w] = ends[c0 + c, 1]
            w += 1
        path_ptr[k] = w
        n_edges = size + w - k

        # Rotations: the half-edges that leave each vertex, counterclockwise. At a rim point:
        # the rim piece ahead, chords that begin here by their other end, chords that end here by
        # their other end, the rim piece behind. At an inner vertex: towards the chords' first
        # ends, then towards their second ends, in the order of the chords.
        for v in range(size):
            begins[v] = 0
        for c in range(c0, c1):
            begins[ends[c, 0]] += 1
            degree[ends[c, 0]] += 1
            degree[ends[c, 1]] += 1
        at = 0
        for v in range(n_vertices):
            rotation_ptr[v] = at
            if v < size:
                low[v] = at + 1
                high[v] = at + 1 + begins[v]
                at += degree[v] + 2
            else:
                low[v] = at
                high[v] = at + degree[v]
                at += 2 * degree[v]
        rotation_ptr[n_vertices] = at
        for p in range(size):
            rotation[rotation_ptr[p]] = 2 * p
            before = p - 1 if p > 0 else size - 1
            rotation[rotation_ptr[p + 1] - 1] = 2 * before + 1
        edge = size
        for c in range(k):
            a, b = path_ptr[c], path_ptr[c + 1] - 1
            for w in range(a, b):
                edge_chord[edge] = c0 + c
                tail, head = path[w], path[w + 1]
                if w == a:
                    rotation[low[tail]] = 2 * edge
                    low[tail] += 1
                else:
                    rotation[high[tail]] = 2 * edge
                    high[tail] += 1
                if w + 1 == b:
                    rotation[high[head]] = 2 * edge + 1
                    high[head] += 1
                else:
                    rotation[low[head]] = 2 * edge + 1
                    low[head] += 1
                inner = inner_base + inner0 - size
                new_row = edge0 + edge - size
                new_vertices[new_row, 0] = end_vertices[c0 + c, 0] if w == a else inner + tail
                new_vertices[new_row, 1] = end_vertices[c0 + c, 1] if w + 1 == b else inner + head
                new_labels[new_row] = neurons[units[unit_ptr[c0 + c]]]
                edge += 1

        # A face keeps to its left: after arriving at a vertex it leaves by the half-edge that
        # comes just before the reverse of the arrival in the rotation.
        for v in range(n_vertices):
            lo, hi = rotation_ptr[v], rotation_ptr[v + 1]
            previous = rotation[hi - 1]
            for i in range(lo, hi):
                following[rotation[i] ^ 1] = previous
                previous = rotation[i]
        for h in range(2 * n_edges):
            face_of[h] = -1
        n_faces = 0
        for start in range(2 * n_edges):
            if face_of[start] >= 0 or (start < 2 * size and start & 1):
                continue
            out_ptr[f0 + n_faces] = s0
            out_parent[f0 + n_faces] = r
            first_half[n_faces] = start
            h = start
            while face_of[h] < 0:
                face_of[h] = n_faces
                if h < 2 * size:
                    out_half_edges[s0] = rim_piece[h >> 1]
                else:
                    out_half_edges[s0] = 2 * (edge0 - size) + h
                s0 += 1
                h = following[h]
            n_faces += 1

        # Patterns spread from the first face across chord edges, which flip their units.
        for face in range(n_faces):
            known[face] = face == 0
        stack[0] = 0
        height = 1
        while height > 0:
            height -= 1
            face = stack[height]
            start = first_half[face]
            h = start
            while True:
                if h >= 2 * size:
                    other = face_of[h ^ 1]
                    if not known[other]:
                        known[other] = True
                        stack[height] = other
                        height += 1
                        for i in range(len(added)):
                            out_packed[f0 + other, i] = out_packed[f0 + face, i]
                        c = edge_chord[h >> 1]
                        for m in range(unit_ptr[c], unit_ptr[c + 1]):
                            bit = bits[units[m]]
                            out_packed[f0 + other, bit >> 3] ^= np.uint8(1 << (bit & 7))
                h = following[h]
                if h == start:
                    break
        f0 += n_faces
        edge0 += n_edges - size
        inner0 += n_vertices - size
    out_ptr[f0] = s0

"""Triangulated surfaces with known homology."""

from __future__ import annotations

from itertools import product


def grid_surface(is_twisted: bool) -> list[list[int]]:
    """A torus, or a Klein bottle, of 4 x 4 squares with one diagonal each."""

    def vertex(i: int, j: int) -> int:
        return 4 * (i % 4) + (-j if is_twisted and i == 4 else j) % 4

    return [
        triangle
        for i, j in product(range(4), repeat=2)
        for triangle in (
            [vertex(i, j), vertex(i + 1, j), vertex(i + 1, j + 1)],
            [vertex(i, j), vertex(i, j + 1), vertex(i + 1, j + 1)],
        )
    ]


PROJECTIVE_PLANE = [
    [0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5], [0, 1, 5],
    [1, 2, 4], [2, 3, 5], [1, 3, 4], [2, 4, 5], [1, 3, 5],
]  # fmt: skip

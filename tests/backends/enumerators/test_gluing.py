"""Room for blocks that are put together again."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from relutopo import Box

_ENUMERATORS = "relutopo.backends.enumerators"
gluing = import_module(f"{_ENUMERATORS}._planar.blocks.gluing")
enumeration = import_module(f"{_ENUMERATORS}._planar.enumeration")
task = import_module(f"{_ENUMERATORS}._shared.task")


def test_room_follows_what_is_there_and_the_limits_not_the_first_part_alone() -> None:
    whole = enumeration._start(Box(-1, 1, dim=2))
    there = np.array([700, 1000, 400, 2000])
    for limits, most in (
        (task.Limits(None, None, 60), 4 * there),
        (task.Limits(3000, None, 60), np.array([1500, 1500, 1500, 3000])),
        (task.Limits(None, 100_000, 60), np.array([1250, 1250, 1250, 2500])),
    ):
        glued = gluing.Gluing(whole, 10**6, limits)
        glued._n_added = 1
        room = glued._room_for(there, whole.cells)
        assert (there <= room).all()
        assert (room <= most + 4).all()


def test_vertices_that_the_whole_has_are_not_expected_of_every_part() -> None:
    whole = enumeration._start(Box(-1, 1, dim=2))
    glued = gluing.Gluing(whole, 3, task.Limits(None, None, 60))
    glued._begin[0], glued._n_added = 10**6, 1
    room = glued._room_for(np.array([10**6 + 10, 20, 10, 40]), whole.cells)
    assert room[0] <= 10**6 + 2 * 3 * 10

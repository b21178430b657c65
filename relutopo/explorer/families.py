"""From several complexes, such as parallel slices, to a scene with a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from relutopo.errors import InputError
from relutopo.explorer.notes import of_frames
from relutopo.explorer.scene import Frame, Scene
from relutopo.explorer.scenes import scene_of
from relutopo.system.untrusted import printable

__all__ = ["member", "scene_of_family"]


def scene_of_family(
    x: Mapping[str, Any] | Sequence[Any],
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    title: str | None = None,
) -> Scene:
    """Return the scene of complexes or partitions, a frame for each.

    Parameters
    ----------
    x : mapping of str to complexes or partitions, or a sequence of these
    points, labels, title
        See `relutopo.explore`.
    """
    if not len(x):
        raise InputError("`x` must be at least one complex, got none; decompose a network first")
    named = x if isinstance(x, Mapping) else {f"number {i + 1}": entry for i, entry in enumerate(x)}
    scenes = [scene_of(entry, points=points, labels=labels) for entry in named.values()]
    count, first = {"complexes": f"{len(scenes)}"}, scenes[0]
    frames = [
        member(name, scene, count, title, like=first)
        for name, scene in zip(named, scenes, strict=True)
    ]
    return Scene(
        "family",
        first.title if title is None else printable(str(title)),
        tuple(frames),
        {**count, **first.summary},
        of_frames([scene.notes for scene in scenes], "complexes"),
        first.colour,
        tuple(dict.fromkeys(name for scene in scenes for name in scene.overlays)),
        {**first.facts, "time": {"noun": "complex"}},
    )


def member(
    name: str, scene: Scene, count: Mapping[str, str], title: str | None, *, like: Scene
) -> Frame:
    """Return the frame of one complex of a family, with a head of its own.

    Parameters
    ----------
    name : str
    scene : Scene
        Of the complex alone.
    count : mapping of str to str
        What the head says of the family.
    title : str, optional
        Of the family.
    like : Scene
        Of another complex of the family.

    Raises
    ------
    InputError
        If one is of a plane and the other of space.
    """
    (frame,) = scene.frames
    kinds = [of_one.frames[0].facts["kind"] for of_one in (like, scene)]
    if kinds[0] != kinds[1]:
        raise InputError(
            "`x` must be complexes of one dimension, got one of a plane and one of space; make a "
            "page of each"
        )
    head: dict[str, Any] = {"summary": {**count, **scene.summary}}
    if title is None:
        head["title"] = scene.title
    return replace(frame, label=printable(str(name)), facts={**frame.facts, **head})

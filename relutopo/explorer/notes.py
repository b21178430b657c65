"""Notes on the certainty of several frames together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relutopo.explorer.scene import Note

__all__ = ["of_frames"]


def of_frames(notes: Sequence[Sequence[Note]], noun: str) -> tuple[Note, ...]:
    """Return the notes of frames, each kind once, with the number of frames that have it.

    Limitations take precedence: if some frames are uncertified, the note that others are certified
    is left out.

    Parameters
    ----------
    notes : sequence of sequences of Note
        Those of each frame.
    noun : str
        What frames are called, in the plural.

    Examples
    --------
    >>> both = [[Note("certified", "Every sign is known.")], [Note("uncertified", "Not every.")]]
    >>> of_frames(both, "checkpoints")
    (Note(kind='uncertified', text='At 1 of 2 checkpoints: Not every.'),)
    """
    found: dict[str, Note] = {}
    counts: dict[str, int] = {}
    for note in (note for of_one in notes for note in of_one):
        found[note.kind] = note
        counts[note.kind] = counts.get(note.kind, 0) + 1
    if "uncertified" in found:
        found.pop("certified", None)
    if len(notes) == 1:
        return tuple(found.values())
    return tuple(
        replace(note, text=f"At {counts[kind]} of {len(notes)} {noun}: {note.text}")
        for kind, note in found.items()
    )

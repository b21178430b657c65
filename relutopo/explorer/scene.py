"""The content of a page: a scene, which consists of frames, which consist of quantities.

Invariants: every quantity has one value for each region of its frame; all frames of a scene have
quantities with the same names; names from the user and from files are kept unchanged, since the
page inserts text only as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from relutopo.explorer.packing import pack

__all__ = ["Frame", "Note", "Overlay", "Quantity", "Scene"]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A value for every region, shown as a colour of the map.

    Attributes
    ----------
    name : str
        Its name in tables and in the page's address.
    label : str
        Its name in the page.
    values : (n_regions,) ndarray
        Numbers, NaN where there is none; or numbers of categories, -1 where there is none.
    unit : str
    meaning : str
        A sentence, for the legend.
    kind : {"number", "category"}
    scale : {"linear", "signed", "log"}
        How numbers become colours: from least to greatest, symmetrically about zero, by magnitude.
    limits : (float, float) or None
        Numbers at both ends of the colours, which saturate beyond; the first may be the greater.
        None for the least and the greatest.
    categories : tuple of str
        Names of the categories.
    colours : tuple of int
        The number of the colour of each category; by default its own.
    docs : str
        File and heading in the documentation, for example ``"columns.md#volume"``.
    """

    name: str
    label: str
    values: NDArray[Any]
    unit: str
    meaning: str
    kind: Literal["number", "category"] = "number"
    scale: Literal["linear", "signed", "log"] = "linear"
    limits: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    colours: tuple[int, ...] = ()
    docs: str = ""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Lines over the map, or a surface in space.

    Attributes
    ----------
    name : str
        In the page's address.
    label : str
    segments : (n, d, d) ndarray of float64
        Ends of segments in the plane, corners of triangles in space.
    meaning : str
    look : {"boundary", "cut", "cycle"}
    """

    name: str
    label: str
    segments: NDArray[Any]
    meaning: str
    look: Literal["boundary", "cut", "cycle"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One complex: of a run, that of one step.

    Attributes
    ----------
    label : str
        For example ``"step 200"``; empty if there is one frame.
    arrays : mapping of str to ndarray
        The geometry; the names are those of ``static/data.js``.
    quantities : tuple of Quantity
    overlays : tuple of Overlay
    facts : mapping
        Whatever else JSON can hold.
    """

    label: str
    arrays: Mapping[str, NDArray[Any]]
    quantities: tuple[Quantity, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_made: bool = True
    """Whether the page holds it; otherwise whoever shows the page is asked for it."""

    def packed(self) -> str:
        """Return the frame as the page reads it."""
        arrays = dict(self.arrays)
        arrays |= {f"quantity:{entry.name}": entry.values for entry in self.quantities}
        arrays |= {f"overlay:{entry.name}": entry.segments for entry in self.overlays}
        quantities = [
            {
                "name": entry.name,
                "label": entry.label,
                "unit": entry.unit,
                "meaning": entry.meaning,
                "kind": entry.kind,
                "scale": entry.scale,
                "limits": entry.limits,
                "categories": entry.categories,
                "colours": entry.colours,
                "docs": entry.docs,
            }
            for entry in self.quantities
        ]
        overlays = [
            {"name": entry.name, "label": entry.label, "meaning": entry.meaning, "look": entry.look}
            for entry in self.overlays
        ]
        own = {"label": self.label, "quantities": quantities, "overlays": overlays}
        return pack(arrays, {**self.facts, **own})


@dataclass(frozen=True)
class Note:
    """A note for the reader about the certainty of what is shown.

    Attributes
    ----------
    kind : str
        The page's name of it, one of those below; a frame has at most one note of each kind.
    text : str
        A sentence.
    """

    kind: Literal[
        "certified", "uncertified", "partial", "sampled", "not unique", "projected", "data outside"
    ]
    text: str


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a page shows.

    Attributes
    ----------
    kind : str
        ``"complex"``, ``"partition"``, ``"run"`` ...
    title : str
    frames : tuple of Frame
    summary : mapping of str to str
        What stands below the title.
    notes : tuple of Note
    colour : str
        The quantity that is shown at first.
    overlays : tuple of str
        The overlays that are shown at first.
    facts : mapping
        Whatever else JSON can hold, for charts and the time line.
    """

    kind: str
    title: str
    frames: tuple[Frame, ...]
    summary: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    colour: str = ""
    overlays: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Return all but the frames as the page reads it."""
        return {
            **self.facts,
            "kind": self.kind,
            "title": self.title,
            "summary": dict(self.summary),
            "notes": [{"kind": note.kind, "text": note.text} for note in self.notes],
            "colour": self.colour,
            "overlays": list(self.overlays),
            "frames": [frame.label for frame in self.frames],
        }

"""From objects of the library to scenes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_labels
from relutopo.errors import InputError
from relutopo.explorer.diagrams import complex_of, parts_of_diagram, quantity_of_entry
from relutopo.explorer.quantities import (
    own_quantities,
    quantities_of,
    quantities_of_partition,
)
from relutopo.explorer.scene import Frame, Note, Overlay, Quantity, Scene
from relutopo.explorer.spaces import cut_triangles, decision_triangles, geometry_of_space
from relutopo.explorer.spectra import facts_of_parts, parts_of_spectrum
from relutopo.geometry.cells import OUTSIDE, Cells, check_cells
from relutopo.geometry.location import locate
from relutopo.geometry.polygons import edge_vertices, polygons
from relutopo.geometry.slices import AffineSlice
from relutopo.homology.diagram import Diagram
from relutopo.plots.layers import (
    aspect,
    cut_segments,
    decision_segments,
    points_of,
    values_of,
)
from relutopo.reports.text import counted
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.system.untrusted import printable

__all__ = ["documentation", "frame_of", "scene_of"]

_FEW_NUMBERS = 6
"""Of an affine map, of which every region has its own in the page."""
_MOST_NUMBERS = 100_000
"""Of all affine maps together, where they have more."""

_SHOWN = (
    "a complex, a partition, a diagram, a training run or its folder, a path graph, or a list of "
    "complexes"
)

Partition = FiedlerPartition | SpectralPartition


def scene_of(
    x: Any,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    title: str | None = None,
) -> Scene:
    """Return the scene that shows an object; see `relutopo.explore`.

    Parameters
    ----------
    x : CellComplex, FiedlerPartition, SpectralPartition or Diagram
    points, labels, columns, title
    """
    part = x if isinstance(x, (FiedlerPartition, SpectralPartition)) else None
    diagram = x if isinstance(x, Diagram) else None
    if part is not None:
        complex_ = part.complex
    else:
        complex_ = check_cells(x if diagram is None else complex_of(diagram), "x", _SHOWN)
    if complex_.dim not in (2, 3):
        raise InputError(
            f"`x` must be of dimension 2 or 3 to be explored, got dimension {complex_.dim}; "
            "decompose the network on a plane, an AffineSlice of two dimensions"
        )
    frame, notes = frame_of(
        complex_, part, points=points, labels=labels, columns=columns, diagram=diagram
    )
    colour = "n_active"
    if part is not None:
        colour = "fiedler" if isinstance(part, FiedlerPartition) else "part"
    elif diagram is not None:
        colour = "entry"
    elif columns:
        colour = printable(str(next(iter(columns))))
    kind = "slice" if isinstance(complex_.domain, AffineSlice) else "complex"
    if part is not None or diagram is not None:
        kind = "diagram" if part is None else "partition"
    return Scene(
        kind,
        _default_title(complex_, x) if title is None else printable(str(title)),
        (frame,),
        _summary(complex_, part, points),
        notes,
        colour,
        tuple(overlay.name for overlay in frame.overlays),
        {"docs": documentation()},
    )


def documentation() -> str:
    """Return where the documentation of the installed package is, empty if it does not say."""
    try:
        urls = metadata("relutopo").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    found = named.get("Documentation", "")
    return found if found.startswith("https://") else ""


def frame_of(
    complex_: Cells,
    part: Partition | None = None,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    diagram: Diagram | None = None,
    label: str = "",
) -> tuple[Frame, tuple[Note, ...]]:
    """Return one complex with all that a page shows of it, and what to know of it.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2 or 3.
    part : FiedlerPartition or SpectralPartition, optional
        Of the complex.
    points : (n, d) array_like, optional
        Data; for a slice also inputs of the network, which are projected.
    labels : (n,) array_like, optional
        Their classes or values.
    columns : mapping of str to (n_regions,) array_like, optional
    diagram : Diagram, optional
        Of a filtration of the complex.
    label : str
        What the frame is called, beside others.
    """
    is_space = complex_.dim == 3
    x, notes = _points(complex_, points)
    maps = complex_.output_maps()
    arrays = _geometry_of(complex_, maps)
    facts: dict[str, Any] = {
        "layers": list(complex_.network.layer_sizes),
        "nOutputs": complex_.network.n_outputs,
        "axes": _axes(complex_, points),
        "inputs": _inputs(complex_),
        "kind": "space" if is_space else "plane",
        "aspect": 1.0 if is_space else aspect(complex_),
        "sides": [
            complex_.domain.side_name(side) for side in range(int(_n_sides(complex_.facet_labels)))
        ],
    }
    counts: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    if x is not None:
        found = locate(complex_, x)
        notes += _notes_of_outside(found)
        counts = np.bincount(found[found >= 0], minlength=complex_.n_regions)
        arrays |= {"points": x, "pointRegions": found}
        of_points, classes = _labels(labels, len(x))
        arrays |= of_points
        facts["classes"] = list(classes)
    elif labels is not None:
        raise InputError(
            "`points` must be given with `labels`, got None; pass the points of the labels"
        )
    elif part is not None:
        counts = part.counts
    quantities: list[Quantity] = []
    if is_space:
        boundary, surfaces = decision_triangles(complex_)
        arrays |= surfaces
    else:
        boundary = decision_segments(complex_)
    overlays = [
        Overlay(
            "decision",
            "decision boundary",
            boundary,
            "Where the network's decision changes, exactly: the zeros of one output or of the "
            "difference of two, and where another of several becomes the greatest.",
            "boundary",
        )
    ]
    if part is not None:
        quantities += quantities_of_partition(part, x, labels)
        cut = cut_triangles(part) if is_space else cut_segments(part)
        overlays.append(
            Overlay(
                "cut",
                "cut",
                cut,
                "The facets between regions of different parts of the spectral partition.",
                "cut",
            )
        )
        notes += _notes_of_partition(part)
    quantities += quantities_of(complex_, maps[0], counts, classes)
    own = own_quantities(columns, complex_.n_regions)
    names = {quantity.name for quantity in own}
    quantities = [*own, *(quantity for quantity in quantities if quantity.name not in names)]
    overlays = [overlay for overlay in overlays if len(overlay.segments)]
    if isinstance(part, FiedlerPartition):
        more_arrays, more_facts = parts_of_spectrum(part)
        arrays, facts = arrays | more_arrays, facts | more_facts
    elif part is not None and not any(name.split("_")[0] in ("part", "vector") for name in names):
        facts |= facts_of_parts(part)  # which go with its own columns
    if diagram is not None:
        more_arrays, more_facts = parts_of_diagram(diagram)
        arrays, facts = arrays | more_arrays, facts | more_facts
        quantities.insert(0, quantity_of_entry(arrays["entry:regions"]))
    frame = Frame(label, arrays, tuple(quantities), tuple(overlays), facts)
    return frame, (_certainty(complex_), *notes)


def _geometry_of(
    complex_: Cells, maps: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a complex as the page reads them; see `geometry_of_space` for space.

    ``vertices``, the coordinates as they are; ``offsets`` and ``corners``, the vertices of each
    region counterclockwise; ``edges``, ``neurons`` and ``beside``, the vertices, the label and the
    regions of each facet; ``patterns``, packed; ``slopes`` and ``constants``, the affine maps,
    unless they are too many.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2 or 3.
    maps : (ndarray, ndarray)
        Its `output_maps`.
    """
    arrays = geometry_of_space(complex_) if complex_.dim == 3 else _geometry_of_plane(complex_)
    n_numbers = complex_.network.n_outputs * (complex_.dim + 1)
    if n_numbers <= _FEW_NUMBERS or n_numbers * complex_.n_regions <= _MOST_NUMBERS:
        arrays |= dict(zip(("slopes", "constants"), maps, strict=True))
    return arrays


def _geometry_of_plane(complex_: Cells) -> dict[str, NDArray[Any]]:
    offsets, corners = polygons(complex_)
    return {
        "vertices": complex_.vertices,
        "offsets": offsets,
        "corners": corners,
        "edges": edge_vertices(complex_),
        "neurons": complex_.facet_labels,
        "beside": complex_.facet_regions,
        "patterns": complex_.packed_patterns,
    }


def _n_sides(labels: NDArray[np.int32]) -> int:
    return max(0, -int(labels.min())) if len(labels) else 0


def _axes(complex_: Cells, points: Any) -> list[str]:
    """Return the names of the axes, in plain text."""
    columns = getattr(points, "columns", None)
    if columns is not None and len(columns) == complex_.dim:
        return [printable(str(name)) for name in columns]
    domain = complex_.domain
    if isinstance(domain, AffineSlice) and domain.axis_names is not None:
        return [printable(name) for name in domain.axis_names]
    return _inputs(complex_)


def _inputs(complex_: Cells) -> list[str]:
    """Return short names of the coordinates, for formulas."""
    letter = "u" if isinstance(complex_.domain, AffineSlice) else "x"
    return [f"{letter}{'₁₂₃'[i]}" for i in range(complex_.dim)]


def _points(complex_: Cells, points: Any) -> tuple[NDArray[np.float64] | None, tuple[Note, ...]]:
    """Return data in the plane of the complex, and what to know of them."""
    if points is None:
        return None, ()
    domain = complex_.domain
    if not isinstance(domain, AffineSlice):
        return points_of(points, complex_), ()
    shape = np.shape(points)
    if shape[1:] == (complex_.dim,) != domain.input_shape:
        return points_of(points, complex_), ()
    if shape[1:] not in (domain.input_shape, (domain.ambient_dim,)):
        inputs = ", ".join(map(str, domain.input_shape))
        raise InputError(
            f"`points` must have shape (n, {inputs}), inputs of the network, or "
            f"(n, {complex_.dim}), places on the slice, got {shape}; pass a row for each point"
        )
    x, distances = domain.coordinates(points)
    if not len(x) or distances.max() <= 1e-9 * max(1.0, float(np.abs(domain.origin).max())):
        return x, ()
    text = (
        f"Data points are projected onto the slice; half of them are more than "
        f"{np.median(distances):.3g} away from it. Counts are those of projections."
    )
    return x, (Note("projected", text),)


def _notes_of_outside(found: NDArray[np.int64]) -> tuple[Note, ...]:
    """Return what to know of data for which there is no map."""
    n_outside = int((found == OUTSIDE).sum())
    if not n_outside:
        return ()
    text = (
        f"{n_outside:,} of {counted(len(found), 'data point')} lie outside of the domain that is "
        "cut, where no region is known. They are in no count."
    )
    return (Note("data outside", text),)


def _labels(labels: ArrayLike | None, n: int) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Return labels of points as arrays of the page, and what their classes are called."""
    if labels is None:
        return {}, ()
    values = values_of(labels, n)
    if values is not None:
        return {"pointValues": values}, ()
    found = as_labels(labels)
    names = tuple(printable(f"{k:g}" if found.are_numbers else str(k)) for k in found.classes)
    return {"pointClasses": found.codes}, tuple(name.replace("-", "−") for name in names)


def _certainty(complex_: Cells) -> Note:
    record = complex_.record
    if record.status == "certified":
        exactly = f"; {record.n_uncertain:,} of them exactly" if record.n_uncertain else ""
        text = f"Every sign was decided by an error bound or exactly{exactly} ({record.method})."
        return Note("certified", text)
    return Note("uncertified", f"Signs were decided in floating point ({record.method}).")


def _notes_of_partition(part: Partition) -> tuple[Note, ...]:
    notes = []
    if isinstance(part, FiedlerPartition):
        if part.multiplicity > 1:
            notes.append(Note("not unique", f"The partition is {part.uniqueness}."))
    elif not part.is_unique:
        notes.append(Note("not unique", "The partition is one of many: values nearly coincide."))
    if not part.component.all():
        share = float(part.component.mean())
        text = f"The partition is of the largest component, {share:.0%} of the regions."
        notes.append(Note("partial", text))
    return tuple(notes)


def _default_title(complex_: Cells, x: Any) -> str:
    domain = complex_.domain
    n_inputs = domain.ambient_dim if isinstance(domain, AffineSlice) else complex_.network.input_dim
    sizes = (n_inputs, *complex_.network.layer_sizes, complex_.network.n_outputs)
    name = "-".join(map(str, sizes)) if len(sizes) <= 8 else f"{len(sizes) - 2} layers"
    kind = "Persistence" if isinstance(x, Diagram) else "Regions"
    if isinstance(x, (FiedlerPartition, SpectralPartition)):
        kind = "Partition"
    return f"{kind} of a ReLU network, {name}"


def _summary(complex_: Cells, part: Partition | None, points: Any) -> dict[str, str]:
    network = complex_.network
    facts = {
        "regions": f"{complex_.n_regions:,}",
        "neurons": f"{network.n_neurons:,} in {counted(len(network.layer_sizes), 'layer')}",
    }
    if isinstance(complex_.domain, AffineSlice):
        facts["inputs"] = f"{complex_.domain.ambient_dim:,}, on a slice"
    if points is not None:
        facts["data points"] = f"{len(points):,}"
    if isinstance(part, FiedlerPartition):
        facts["Fiedler value"] = f"{part.value:.4g}"
    elif part is not None:
        facts["parts"] = f"{part.k}"
        facts["separation"] = f"{part.separation:.3g}"
    return facts

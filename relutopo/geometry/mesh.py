"""Complexes as meshes that ParaView reads.

Regions become intervals for d = 1, polygons for d = 2, and tetrahedra for d = 3, several a region:
mesh formats know few polyhedra, and a triangulation without new vertices shows the same. Everything
that is known of a region stands at each of its cells. Cycles come as points, lines and triangles
beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.checks import check_path, kind_of
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells, check_cells
from relutopo.geometry.polygons import polygons
from relutopo.optional import require
from relutopo.system.files import atomic_write

__all__ = ["save_mesh"]

_FORMATS = {".vtu": "vtu", ".vtk": "vtk"}
_SIMPLICES = ("vertex", "line", "triangle", "tetra")


class _Cycle(Protocol):
    """What is written of a cycle."""

    @property
    def complex_(self) -> object: ...

    @property
    def birth(self) -> float: ...

    @property
    def death(self) -> float: ...

    @property
    def simplices(self) -> NDArray[np.float64]: ...


def save_mesh(
    path: str | os.PathLike[str],
    complex_: Cells,
    cell_data: Mapping[str, ArrayLike] | None = None,
    cycles: _Cycle | Sequence[_Cycle] = (),
) -> None:
    """Write the regions of a complex as a mesh, atomically.

    Cells carry ``region`` (its index), ``n_active`` (active neurons), ``volume``, and what
    `cell_data` adds; points carry ``output``, the network's values: three numbers for two outputs,
    the last one zero, because VTK has no vectors with two entries.

    Parameters
    ----------
    path : path-like
        ``....vtu`` (VTK XML) or ``....vtk`` (VTK legacy).
    complex_ : Cells
        Of dimension 1, 2 or 3.
    cell_data : mapping of str to (n_regions,) array_like, optional
        Numbers of the regions by name, for example
        ``{"fiedler": part.vector, "population": part.counts}``.
    cycles : Cycle or sequence of Cycle, optional
        Such as ``diagram.representatives(1, least=0.1)``: their points, edges or triangles are
        cells beside those of the regions. All cells then carry ``cycle``, the number in this
        sequence, ``birth`` and ``death``; those of regions have -1 and NaN there, those of cycles
        have -1 as their ``region``, and NaN or 0 for other numbers of regions.

    Raises
    ------
    MissingExtraError
        If meshio is not installed.
    InputError
        If the dimension is above 3, the file name has another ending, an array has another shape,
        or `cycles` are no cycles, have other coordinates, or belong to another complex.

    Examples
    --------
    >>> import tempfile, meshio
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> path = Path(tempfile.mkdtemp()) / "regions.vtu"
    >>> save_mesh(path, decompose(lines, Box(-1, 1, dim=2), enumerator="exact"))
    >>> len(meshio.read(path).cells_dict["quad"])
    4
    """
    meshio = require("meshio", "save_mesh")
    suffix = Path(check_path(path, "complex.vtu")).suffix
    check_cells(complex_)
    if suffix not in _FORMATS:
        raise InputError(
            f"`path` must end in {' or '.join(_FORMATS)}, got {os.fspath(path)!r}; ParaView reads "
            "both, .vtu is smaller"
        )
    if complex_.dim > 3:
        raise InputError(
            f"`complex_` must have at most 3 dimensions, got {complex_.dim}; decompose a slice of "
            "the domain"
        )
    data = {
        "region": np.arange(complex_.n_regions),
        "n_active": complex_.patterns.sum(axis=1),
        "volume": complex_.volumes,
    }
    for name, values in (cell_data or {}).items():
        array = np.asarray(values)
        if array.shape != (complex_.n_regions,):
            raise InputError(
                f"`cell_data`[{name!r}] must have shape ({complex_.n_regions},), got "
                f"{array.shape}; pass one number for each region"
            )
        data[name] = array.astype(np.uint8) if array.dtype == bool else array
    points = [complex_.vertices]
    cells: list[tuple[str, NDArray[np.int64]]] = []
    of_cells: dict[str, list[NDArray[Any]]] = {name: [] for name in data}
    for kind, region, corners in _blocks(complex_):
        cells.append((kind, corners))
        for name, array in data.items():
            of_cells[name].append(array[region])
    listed = _list_of(cycles)
    if listed:
        _append(listed, complex_, points, cells, of_cells)
    every = np.concatenate(points)
    outputs = complex_.network(every)
    if outputs.shape[1] == 2:
        outputs = np.append(outputs, np.zeros((len(outputs), 1)), axis=1)
    mesh = meshio.Mesh(
        np.pad(every, ((0, 0), (0, 3 - complex_.dim))),
        cells,
        point_data={"output": outputs},
        cell_data=of_cells,
    )
    with atomic_write(path) as file:
        # By name: meshio writes VTK XML to no open file.
        meshio.write(file.name, mesh, file_format=_FORMATS[suffix])


def _list_of(cycles: Any) -> list[_Cycle]:
    found = [cycles] if hasattr(cycles, "simplices") else cycles
    if not isinstance(found, Sequence) or not all(hasattr(entry, "simplices") for entry in found):
        raise InputError(
            f"`cycles` must be a Cycle or a sequence of them, got {kind_of(cycles)}; pass "
            "diagram.representatives(1)"
        )
    return list(found)


def _append(
    cycles: Sequence[_Cycle],
    complex_: Cells,
    points: list[NDArray[np.float64]],
    cells: list[tuple[str, NDArray[np.int64]]],
    of_cells: dict[str, list[NDArray[Any]]],
) -> None:
    """Append the simplices of cycles to the cells of a mesh, with points of their own."""
    sizes = [len(corners) for _, corners in cells]
    of_cells["cycle"] = [np.full(size, -1) for size in sizes]
    for name in ("birth", "death"):
        of_cells[name] = [np.full(size, np.nan) for size in sizes]
    n_points = sum(map(len, points))
    for number, cycle in enumerate(cycles):
        simplices = cycle.simplices
        size, n_corners, d = simplices.shape
        if d != complex_.dim:
            raise InputError(
                f"`cycles` must have {complex_.dim} coordinates, as the complex, got {d} in number "
                f"{number}; pass cycles of this complex, or of its decision"
            )
        if isinstance(cycle.complex_, Cells) and not _are_equal(cycle.complex_, complex_):
            raise InputError(
                f"`cycles` must be those of `complex_`, {complex_!r}, got number {number} of "
                f"another one, {cycle.complex_!r}; pass cycles of this complex, or of its decision"
            )
        points.append(simplices.reshape(-1, d))
        corners = n_points + np.arange(size * n_corners).reshape(size, n_corners)
        n_points += size * n_corners
        cells.append((_SIMPLICES[n_corners - 1], corners))
        own: dict[str, Any] = {"cycle": number, "birth": cycle.birth, "death": cycle.death}
        for name, arrays in of_cells.items():
            kind = arrays[0].dtype
            blank = {"region": -1}.get(name, np.nan if kind.kind == "f" else 0)
            arrays.append(np.full(size, own.get(name, blank), dtype=kind))


def _are_equal(first: Cells, second: Cells) -> bool:
    """Whether two complexes are equal; one of them may have been saved and loaded."""
    return first is second or (
        first.n_cells == second.n_cells and np.array_equal(first.vertices, second.vertices)
    )


def _blocks(
    complex_: Cells,
) -> list[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Return mesh cells by kind: the kind's name, the region of each, and its vertices."""
    if complex_.dim != 2:
        region, corners = complex_.triangulation(complex_.dim)
        if complex_.dim == 1:
            return [("line", region, corners)]
        spans = complex_.vertices[corners[:, 1:]] - complex_.vertices[corners[:, :1]]
        mirrored = np.linalg.det(spans) < 0
        corners[mirrored, :2] = corners[mirrored, 1::-1]
        return [("tetra", region, corners)]
    indptr, vertices = polygons(complex_)
    counts = np.diff(indptr)
    blocks = []
    for n in np.unique(counts).tolist():
        region = np.flatnonzero(counts == n)
        corners = vertices[indptr[region, None] + np.arange(n)].astype(np.int64)
        blocks.append(({3: "triangle", 4: "quad"}.get(n, "polygon"), region, corners))
    return blocks

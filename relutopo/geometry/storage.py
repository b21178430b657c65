"""Complexes in files: NumPy archives of plain arrays, nothing pickled.

Invariant: what `load_cells` returns has the same arrays, network and domain as what
`save_complex` was given. Names of arrays are paths: ``network/kind``, ``domain/box/low``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from relutopo.arrays import freeze
from relutopo.checks import check_path
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells, EnumerationRecord, check_cells
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.invariants import check_arrays
from relutopo.geometry.polytope import Polytope
from relutopo.geometry.slices import AffineSlice
from relutopo.networks.storage import Arrays, network_arrays, network_of
from relutopo.system.archives import read_arrays
from relutopo.system.files import atomic_write

__all__ = ["load_cells", "save_complex"]

FORMAT = 3


def save_complex(path: str | os.PathLike[str], complex_: Cells) -> None:
    """Write a complex with its network and its domain, atomically.

    Parameters
    ----------
    path : path-like
        By custom ``....npz``.
    complex_ : Cells
        Of a network and on a domain of this library, not of a class of your own.

    Raises
    ------
    InputError
        If the network or the domain is of another kind.

    Examples
    --------
    >>> import tempfile
    >>> from relutopo import decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> path = Path(tempfile.mkdtemp()) / "complex.npz"
    >>> save_complex(path, decompose(lines, Box(-1, 1, dim=2), enumerator="exact"))
    >>> load_cells(path)
    Cells(dim=2, 9 + 12 + 4 cells, exact)
    """
    check_path(path, "complex.npz")
    record = check_cells(complex_).record
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "vertices": complex_.vertices,
        "vertex_errors": complex_.vertex_errors,
        "packed_patterns": complex_.packed_patterns,
        "facet_labels": complex_.facet_labels,
        "method": record.method,
        "status": record.status,
        "n_uncertain": record.n_uncertain,
        "seconds": record.seconds,
        **network_arrays("network", complex_.network),
        **_domain_arrays("domain", complex_.domain),
    }
    for k, (indptr, indices) in enumerate(complex_.facets, start=1):
        arrays |= {f"facet_indptr_{k}": indptr, f"facet_indices_{k}": indices}
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def load_cells(path: str | os.PathLike[str]) -> Cells:
    """Read the cells of a complex that `save_complex` wrote, executing nothing in it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Cells

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format or not a complex.
    """
    if not Path(check_path(path, "complex.npz")).is_file():
        raise InputError(f"complex {os.fspath(path)!r} does not exist; look into its folder")
    try:
        arrays = read_arrays(path)
        version = int(arrays["format"])
        if version == FORMAT:
            cells = _cells(arrays)
            check_arrays(cells)
    except Exception as error:
        # Value, key, end-of-file and zip errors alike come from a damaged file, and an array that
        # is missing or cut off may do harm anywhere.
        raise InputError(
            f"{os.fspath(path)!r} cannot be read as a complex ({type(error).__name__}: {error}); "
            "make it again with save_complex"
        ) from error
    if version != FORMAT:
        raise InputError(
            f"{os.fspath(path)!r} must have format {FORMAT}, got {version}; read it with the "
            "version of relutopo that wrote it"
        )
    return cells


def _cells(arrays: Arrays) -> Cells:
    return Cells(
        network=network_of("network", arrays),
        domain=_domain("domain", arrays),
        vertices=freeze(arrays["vertices"]),
        vertex_errors=freeze(arrays["vertex_errors"]),
        facets=tuple(
            (freeze(arrays[f"facet_indptr_{k}"]), freeze(arrays[f"facet_indices_{k}"]))
            for k in range(1, arrays["vertices"].shape[1] + 1)
        ),
        packed_patterns=freeze(arrays["packed_patterns"]),
        facet_labels=freeze(arrays["facet_labels"]),
        record=EnumerationRecord(
            method=str(arrays["method"]),
            status="certified" if arrays["status"] == "certified" else "uncertified",
            n_uncertain=int(arrays["n_uncertain"]),
            seconds=float(arrays["seconds"]),
        ),
    )


def _domain_arrays(path: str, domain: Domain) -> dict[str, Any]:
    if type(domain) is Box:
        return {f"{path}/kind": "box", f"{path}/low": domain.low, f"{path}/high": domain.high}
    if type(domain) is Polytope:
        normals, offsets = domain.halfspaces()
        return {
            f"{path}/kind": "polytope",
            f"{path}/normals": normals,
            f"{path}/offsets": offsets,
        }
    if type(domain) is AffineSlice:
        return {
            f"{path}/kind": "slice",
            f"{path}/origin": domain.origin.reshape(domain.input_shape),
            f"{path}/basis": domain.basis,
            **_domain_arrays(f"{path}/box", domain.box),
        }
    raise InputError(
        f"`complex_` must be on a Box, a Polytope or an AffineSlice, got {type(domain).__name__}; "
        "save its arrays yourself"
    )


def _domain(path: str, arrays: Arrays) -> Domain:
    kind = str(arrays[f"{path}/kind"])
    if kind == "box":
        return Box(arrays[f"{path}/low"].tolist(), arrays[f"{path}/high"].tolist())
    if kind == "polytope":
        return Polytope(arrays[f"{path}/normals"], arrays[f"{path}/offsets"])
    box = _domain(f"{path}/box", arrays)
    return AffineSlice(arrays[f"{path}/origin"], arrays[f"{path}/basis"], box)

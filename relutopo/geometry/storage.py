"""Complexes in files: NumPy archives of plain arrays, nothing pickled.

Invariant: what `load_complex` returns has the same arrays, network and domain as what
`save_complex` was given.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from relutopo.errors import InputError
from relutopo.files import atomic_write
from relutopo.geometry.complex import CellComplex, EnumerationRecord
from relutopo.geometry.domain import Box
from relutopo.geometry.network import ReluNetwork

__all__ = ["load_complex", "save_complex"]

FORMAT = 1


def save_complex(path: str | os.PathLike[str], complex_: CellComplex) -> None:
    """Write a complex with its network and its domain, atomically.

    Parameters
    ----------
    path : path-like
        By custom ``....npz``.
    complex_ : CellComplex
        Of a `ReluNetwork` on a `Box`.

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
    >>> load_complex(path)
    CellComplex(dim=2, 9 + 12 + 4 cells, exact)
    """
    network, domain, record = complex_.network, complex_.domain, complex_.record
    if not isinstance(network, ReluNetwork) or not isinstance(domain, Box):
        raise InputError(
            f"`complex_` must be of a ReluNetwork on a Box, got {type(network).__name__} on "
            f"{type(domain).__name__}; save its arrays yourself"
        )
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "n_layers": len(network.weights),
        "low": domain.low,
        "high": domain.high,
        "vertices": complex_.vertices,
        "packed_patterns": complex_.packed_patterns,
        "facet_labels": complex_.facet_labels,
        "method": record.method,
        "status": record.status,
        "n_uncertain": record.n_uncertain,
        "seconds": record.seconds,
    }
    for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays |= {f"weight_{i}": weight, f"bias_{i}": bias}
    for k, (indptr, indices) in enumerate(complex_.facets, start=1):
        arrays |= {f"facet_indptr_{k}": indptr, f"facet_indices_{k}": indices}
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def load_complex(path: str | os.PathLike[str]) -> CellComplex:
    """Read a complex that `save_complex` wrote, executing nothing in it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    CellComplex

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format or not a complex.
    """
    if not Path(path).is_file():
        raise InputError(f"complex {os.fspath(path)!r} does not exist; look into its folder")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        version = int(arrays["format"])
    except Exception as error:
        # NumPy raises value, key, end-of-file and zip errors alike for a damaged file.
        raise InputError(
            f"{os.fspath(path)!r} cannot be read as a complex ({type(error).__name__}); "
            "make it again with save_complex"
        ) from error
    if version != FORMAT:
        raise InputError(
            f"{os.fspath(path)!r} must have format {FORMAT}, got {version}; read it with the "
            "version of relutopo that wrote it"
        )
    layers = range(int(arrays["n_layers"]))
    return CellComplex(
        network=ReluNetwork(
            [arrays[f"weight_{i}"] for i in layers], [arrays[f"bias_{i}"] for i in layers]
        ),
        domain=Box(arrays["low"].tolist(), arrays["high"].tolist()),
        vertices=arrays["vertices"],
        facets=tuple(
            (arrays[f"facet_indptr_{k}"], arrays[f"facet_indices_{k}"])
            for k in range(1, arrays["vertices"].shape[1] + 1)
        ),
        packed_patterns=arrays["packed_patterns"],
        facet_labels=arrays["facet_labels"],
        record=EnumerationRecord(
            method=str(arrays["method"]),
            status="certified" if arrays["status"] == "certified" else "uncertified",
            n_uncertain=int(arrays["n_uncertain"]),
            seconds=float(arrays["seconds"]),
        ),
    )

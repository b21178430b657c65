"""Complexes and networks in files: NumPy archives of plain arrays, nothing pickled.

Invariant: what `load_complex` returns has the same arrays, network and domain as what
`save_complex` was given. Names of arrays are paths: ``network/kind``, ``domain/box/low``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from relutopo.errors import InputError
from relutopo.geometry.complex import CellComplex, EnumerationRecord
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.invariants import check_arrays
from relutopo.geometry.polytope import Polytope
from relutopo.geometry.slices import AffineSlice
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.networks.network import Network, ReluNetwork
from relutopo.system.files import atomic_write

__all__ = ["load_complex", "load_network", "save_complex", "save_network"]

FORMAT = 3

_Arrays = Mapping[str, Any]


def save_complex(path: str | os.PathLike[str], complex_: CellComplex) -> None:
    """Write a complex with its network and its domain, atomically.

    Parameters
    ----------
    path : path-like
        By custom ``....npz``.
    complex_ : CellComplex
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
    >>> load_complex(path)
    CellComplex(dim=2, 9 + 12 + 4 cells, exact)
    """
    record = complex_.record
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
        **_network_arrays("network", complex_.network),
        **_domain_arrays("domain", complex_.domain),
    }
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
        if version == FORMAT:
            complex_ = _complex(arrays)
            check_arrays(complex_)
    except Exception as error:
        # NumPy raises value, key, end-of-file and zip errors alike for a damaged file, and an array
        # that is missing or cut off may do harm anywhere.
        raise InputError(
            f"{os.fspath(path)!r} cannot be read as a complex ({type(error).__name__}: {error}); "
            "make it again with save_complex"
        ) from error
    if version != FORMAT:
        raise InputError(
            f"{os.fspath(path)!r} must have format {FORMAT}, got {version}; read it with the "
            "version of relutopo that wrote it"
        )
    return complex_


def _complex(arrays: _Arrays) -> CellComplex:
    return CellComplex(
        network=_network("network", arrays),
        domain=_domain("domain", arrays),
        vertices=arrays["vertices"],
        vertex_errors=arrays["vertex_errors"],
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


def save_network(path: str | os.PathLike[str], network: Network, *, flush: bool = True) -> None:
    """Write a network, atomically.

    Parameters
    ----------
    path : path-like
        By custom ``....npz``.
    network : Network
        Of a class of this library.
    flush : bool, default True
        Whether to wait for the disk; see `relutopo.system.files.atomic_write`.

    Raises
    ------
    InputError
        If the network is of another kind.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "network.npz"
    >>> save_network(path, ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]))
    >>> load_network(path)
    ReluNetwork(2-1-1)
    """
    with atomic_write(path, flush=flush) as file:
        np.savez(file, **_network_arrays("network", network))


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network that `save_network` wrote, executing nothing in it.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _network("network", dict(archive))
    except Exception as error:
        # NumPy raises value, key, end-of-file and zip errors alike for a damaged file.
        raise InputError(
            f"{os.fspath(path)!r} cannot be read as a network ({type(error).__name__}); "
            "make it again with save_network"
        ) from error


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


def _domain(path: str, arrays: _Arrays) -> Domain:
    kind = str(arrays[f"{path}/kind"])
    if kind == "box":
        return Box(arrays[f"{path}/low"].tolist(), arrays[f"{path}/high"].tolist())
    if kind == "polytope":
        return Polytope(arrays[f"{path}/normals"], arrays[f"{path}/offsets"])
    box = _domain(f"{path}/box", arrays)
    return AffineSlice(arrays[f"{path}/origin"], arrays[f"{path}/basis"], box)


def _network_arrays(path: str, network: Network) -> dict[str, Any]:
    if type(network) is ReluNetwork:
        arrays = {f"{path}/kind": "relu", f"{path}/n_layers": len(network.weights)}
        for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            arrays |= {f"{path}/{i}/weight": weight, f"{path}/{i}/bias": bias}
        return arrays
    if type(network) is GraphNetwork:
        arrays = {
            f"{path}/kind": "graph",
            f"{path}/input_dim": network.input_dim,
            f"{path}/n_nodes": len(network.nodes),
        }
        for i, node in enumerate(network.nodes):
            if isinstance(node, Kink):
                arrays[f"{path}/{i}/source"] = node.source
                arrays[f"{path}/{i}/slope_on"] = node.slope_on
                arrays[f"{path}/{i}/slope_off"] = node.slope_off
            else:
                arrays[f"{path}/{i}/sources"] = np.array(node.sources, dtype=np.int64)
                arrays[f"{path}/{i}/bias"] = node.bias
                for j, matrix in enumerate(node.matrices):
                    arrays |= _matrix_arrays(f"{path}/{i}/matrices/{j}", matrix)
        return arrays
    raise InputError(
        f"`complex_` must be of a ReluNetwork or a GraphNetwork, got {type(network).__name__}; "
        "save its arrays yourself"
    )


def _network(path: str, arrays: _Arrays) -> Network:
    if str(arrays[f"{path}/kind"]) == "relu":
        layers = range(int(arrays[f"{path}/n_layers"]))
        return ReluNetwork(
            [arrays[f"{path}/{i}/weight"] for i in layers],
            [arrays[f"{path}/{i}/bias"] for i in layers],
        )
    nodes: list[Affine | Kink] = []
    for i in range(int(arrays[f"{path}/n_nodes"])):
        node = f"{path}/{i}"
        if f"{node}/source" in arrays:
            slopes = arrays[f"{node}/slope_on"], arrays[f"{node}/slope_off"]
            nodes.append(Kink(int(arrays[f"{node}/source"]), *slopes))
        else:
            sources = tuple(arrays[f"{node}/sources"].tolist())
            matrices = tuple(_matrix(f"{node}/matrices/{j}", arrays) for j in range(len(sources)))
            nodes.append(Affine(sources, matrices, arrays[f"{node}/bias"]))
    return GraphNetwork(int(arrays[f"{path}/input_dim"]), nodes)


def _matrix_arrays(path: str, matrix: Matrix) -> dict[str, Any]:
    if isinstance(matrix, np.ndarray):
        return {path: matrix}
    return {
        f"{path}/data": matrix.data,
        f"{path}/indices": matrix.indices,
        f"{path}/indptr": matrix.indptr,
        f"{path}/shape": np.array(matrix.shape, dtype=np.int64),
    }


def _matrix(path: str, arrays: _Arrays) -> Matrix:
    if path in arrays:
        dense: Matrix = arrays[path]
        return dense
    parts = arrays[f"{path}/data"], arrays[f"{path}/indices"], arrays[f"{path}/indptr"]
    return sparse.csr_array(parts, shape=tuple(arrays[f"{path}/shape"].tolist()))

"""Networks in files: NumPy archives of plain arrays, nothing pickled.

Invariant: the network that `load_network` returns computes with the same numbers as the one given
to `save_network`. Names of arrays are paths: ``network/kind``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from relutopo.checks import check_kind, check_path
from relutopo.errors import InputError
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.networks.links import LINKS
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.archives import read_arrays
from relutopo.system.files import atomic_write
from relutopo.system.memory import Room

__all__ = ["Arrays", "load_network", "network_arrays", "network_of", "save_network"]

Arrays = Mapping[str, Any]


def save_network(path: str | os.PathLike[str], network: Network, *, flush: bool = True) -> None:
    """Write a network, atomically.

    Parameters
    ----------
    path : path-like
        Usually ends in ``.npz``.
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
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "network.npz"
    >>> save_network(path, ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]))
    >>> load_network(path)
    ReluNetwork(2-1-1)
    """
    check_path(path, "network.npz")
    check_kind("network", network, Network, remedy="make one by relutopo.as_network(model)")
    with atomic_write(path, flush=flush) as file:
        np.savez(file, **network_arrays("network", network))


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
    check_path(path, "network.npz")
    try:
        return network_of("network", read_arrays(path))
    except Exception as error:
        # Value, key, end-of-file and zip errors alike come from a damaged file.
        raise InputError(
            f"{os.fspath(path)!r} cannot be read as a network ({type(error).__name__}: {error}); "
            "make it again with save_network"
        ) from error


def network_arrays(path: str, network: Network) -> dict[str, Any]:
    """Return the arrays of a network, under names that begin with a path."""
    more: dict[str, Any] = {"link": network.link, "weight_norm": network.weight_norm}
    known = {f"{path}/{name}": value for name, value in more.items() if value is not None}
    return _node_arrays(path, network) | known


def _node_arrays(path: str, network: Network) -> dict[str, Any]:
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
        f"`network` must be a ReluNetwork or a GraphNetwork, got {type(network).__name__}; "
        "save its arrays yourself"
    )


def network_of(path: str, arrays: Arrays) -> Network:
    """Return the network whose arrays `network_arrays` returned."""
    link, norm = arrays.get(f"{path}/link"), arrays.get(f"{path}/weight_norm")
    unknown = [] if link is None else [x for x in str(link).split(", ") if x not in LINKS]
    if unknown:
        raise ValueError(f"its link is {unknown[0][:60]!r}, which is not known")
    network = _network_of(path, arrays).with_link(None if link is None else str(link))
    network.weight_norm = None if norm is None else float(norm)
    return network


def _network_of(path: str, arrays: Arrays) -> Network:
    if str(arrays[f"{path}/kind"]) == "relu":
        layers = range(int(arrays[f"{path}/n_layers"]))
        return ReluNetwork(
            [arrays[f"{path}/{i}/weight"] for i in layers],
            [arrays[f"{path}/{i}/bias"] for i in layers],
        )
    if str(arrays[f"{path}/kind"]) != "graph":
        raise ValueError(f"it is a network of another kind, {str(arrays[f'{path}/kind'])[:60]!r}")
    nodes: list[Affine | Kink] = []
    input_dim = int(arrays[f"{path}/input_dim"])
    Room().check(8 * input_dim, f"a point of {input_dim} inputs", "save a smaller network")
    for i in range(int(arrays[f"{path}/n_nodes"])):
        node = f"{path}/{i}"
        if f"{node}/source" in arrays:
            slopes = arrays[f"{node}/slope_on"], arrays[f"{node}/slope_off"]
            nodes.append(Kink(int(arrays[f"{node}/source"]), *slopes))
        else:
            sources = tuple(arrays[f"{node}/sources"].tolist())
            matrices = tuple(_matrix(f"{node}/matrices/{j}", arrays) for j in range(len(sources)))
            nodes.append(Affine(sources, matrices, arrays[f"{node}/bias"]))
    return GraphNetwork(input_dim, nodes)


def _matrix_arrays(path: str, matrix: Matrix) -> dict[str, Any]:
    if isinstance(matrix, np.ndarray):
        return {path: matrix}
    return {
        f"{path}/data": matrix.data,
        f"{path}/indices": matrix.indices,
        f"{path}/indptr": matrix.indptr,
        f"{path}/shape": np.array(matrix.shape, dtype=np.int64),
    }


def _matrix(path: str, arrays: Arrays) -> Matrix:
    if path in arrays:
        dense: Matrix = arrays[path]
        return dense
    parts = arrays[f"{path}/data"], arrays[f"{path}/indices"], arrays[f"{path}/indptr"]
    matrix = sparse.csr_array(parts, shape=tuple(arrays[f"{path}/shape"].tolist()))
    # Products use the places of entries unchecked, so they are checked here.
    matrix.check_format(full_check=True)
    return matrix

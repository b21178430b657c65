"""The data of eigenvectors in a page.

For two parts: regions in the order of the Fiedler vector, and the conductance of every cut along
it. For several: the eigenvalues, the one after them, and the contents of each part.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.spectral.sweep import sweep_of

__all__ = ["facts_of_parts", "parts_of_spectrum"]


def parts_of_spectrum(
    partition: FiedlerPartition,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays and facts of a frame that shows an eigenvector.

    Parameters
    ----------
    partition : FiedlerPartition
    """
    sweep = sweep_of(partition)
    arrays: dict[str, NDArray[Any]] = {
        "spectrum:order": sweep.order,
        "spectrum:entries": partition.vector[sweep.order],
        "spectrum:conductance": sweep.conductance.astype(np.float32),
    }
    least, by_sign = (float(sweep.conductance[k]) for k in (sweep.best, sweep.sign))
    facts = {
        "cut": sweep.sign,
        "best": sweep.best,
        "conductance": least,
        "signConductance": by_sign if math.isfinite(by_sign) else None,
        "value": partition.value,
    }
    return arrays, {"spectrum": facts}


def facts_of_parts(partition: SpectralPartition) -> dict[str, Any]:
    """Return facts of a frame that shows the spectrum of a partition in several parts.

    ``values``, the eigenvalues that the parts come from, without zero; ``next``, the one behind
    them, None if there is none; ``separation``; and of each part ``sizes``, regions, ``points``,
    data, ``weights``, sums of W_V, and ``conductance``: the weight of its edges to all else over
    the lesser of its own weight and that of the rest, None where one of them is zero.

    Parameters
    ----------
    partition : SpectralPartition

    Examples
    --------
    >>> import relutopo as rt
    >>> kinks = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    >>> graph = rt.decompose(kinks, rt.Box(-1, 1), enumerator="exact").dual_graph()
    >>> part = rt.spectral_partition(graph, [[-0.9], [0.0], [0.1], [0.8]], k=3)
    >>> facts = facts_of_parts(part)["parts"]
    >>> facts["sizes"], facts["points"], facts["weights"], facts["next"]
    ([1, 1, 1], [1, 2, 1], [2.0, 3.0, 2.0], None)
    >>> facts["conductance"]
    [0.5, 0.6666666666666666, 0.5]
    """
    parts, k = partition.parts, partition.k
    is_in = parts >= 0
    weights = np.bincount(parts[is_in], partition.vertex_weights[is_in], k)
    rest = partition.vertex_weights[partition.component].sum() - weights
    edges = partition.graph.edges
    first, second = parts[edges].T
    leaving = np.zeros(k)
    for own in (first, second):
        cut = (first != second) & (own >= 0)
        leaving += np.bincount(own[cut], partition.edge_weights[cut], k)
    with np.errstate(divide="ignore", invalid="ignore"):
        conductance = leaving / np.minimum(weights, rest)
    return {
        "parts": {
            "values": partition.values.tolist(),
            "next": partition.next_value if math.isfinite(partition.next_value) else None,
            "separation": partition.separation,
            "sizes": partition.sizes.tolist(),
            "points": partition.masses.tolist(),
            "weights": weights.tolist(),
            "conductance": [x if math.isfinite(x) else None for x in conductance.tolist()],
        }
    }

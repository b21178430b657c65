"""How fast regions around data are found: ``pytest benchmarks/bench_search.py``.

A network that reads handwritten digits of 64 pixels, trained here. End to end: from the weights and
a picture to regions, all of whose walls are proved, and the graph of them. The peer is relucent,
which finds the walls of a region by linear programmes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import relutopo as rt

from . import peers
from .measuring import QUICK, record

HIDDEN = (8, 8) if QUICK else (32, 32)
RADIUS = 1.25
"""Half the width of the box; pixels are in [0, 1]."""
N_REGIONS = 10 if QUICK else 200
N_REGIONS_OF_PEER = 2  # which take it minutes


@cache
def digits() -> tuple[rt.Network, np.ndarray[Any, Any]]:
    pictures, labels = load_digits(return_X_y=True)
    pictures = pictures / 16
    model = MLPClassifier(HIDDEN, random_state=0, max_iter=2000).fit(pictures, labels)
    weights = [w.T for w in model.coefs_]
    return rt.ReluNetwork(weights, model.intercepts_), pictures


def search(n_regions: int, n_processes: int = 1) -> rt.RegionSearch:
    network, pictures = digits()
    box = rt.Box(-RADIUS, RADIUS, dim=64)
    return rt.search_regions(
        network, box, pictures[:1], max_regions=n_regions, n_processes=n_processes
    )


@pytest.mark.parametrize("n_processes", [1, 2])
def test_search(benchmark: Any, n_processes: int) -> None:
    search(2)
    found = record(benchmark, lambda: search(N_REGIONS, n_processes), rounds=5)
    benchmark.extra_info |= {
        "shape": [64, *HIDDEN, 10],
        "n_regions": found.n_regions,
        "n_walls": int(found.n_walls.sum()),
        "n_open": found.n_open,
        "n_linear_programs": found.n_linear_programs,
        "n_processes": n_processes,
    }
    assert found.n_open == 0


def test_margins(benchmark: Any) -> None:
    network, pictures = digits()
    found = record(benchmark, lambda: rt.wall_margins(network, pictures), rounds=5)
    benchmark.extra_info |= {"shape": [64, *HIDDEN, 10], "n_points": len(pictures)}
    assert (found.margins > 0).all()


def test_relucent(benchmark: Any) -> None:
    """The first regions of a breadth-first search, whose walls it looks for as well."""
    network, pictures = digits()
    assert isinstance(network, rt.ReluNetwork)
    ours = record(benchmark, lambda: search(N_REGIONS_OF_PEER), rounds=5)
    theirs = peers.run(
        "relucent_regions",
        {
            **{f"weights_{i}": w for i, w in enumerate(network.weights)},
            **{f"biases_{i}": b for i, b in enumerate(network.biases)},
            "start": pictures[0],
            "radius": np.array(RADIUS),
            "n_regions": np.array(N_REGIONS_OF_PEER),
        },
        timeout=1200,
    )
    patterns = theirs.arrays["patterns"].astype(bool)
    first = (patterns == ours.patterns[0]).all(axis=1)
    benchmark.extra_info |= {
        "shape": [64, *HIDDEN, 10],
        "n_regions": ours.n_regions,
        "peer": theirs.facts | {"n_regions": len(patterns)},
    }
    assert first.sum() == 1

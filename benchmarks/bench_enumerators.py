"""How fast networks are enumerated: ``pytest benchmarks/bench_enumerators.py``.

End to end: from the weights to the complex with its facets and patterns, and its dual graph. Each
row has the sizes, the memory at its peak and that of the result itself. The peer is relucent, which
finds the same regions by linear programs. Graphs on planes stand beside a floor that is measured in
the same test: average pooling for max pooling, the perceptron of that size for what is one behind
its first layer, and the forward pass of three points, which a map on a region takes, for others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.gallery import random_network
from relutopo.geometry.patterns import pack_patterns
from relutopo.registry import create

from . import graphs, peers
from .measuring import BOX, QUICK, decompose, record, result_bytes
from .peaks import peak_of

SERIES = [128, 256] if QUICK else [128, 256, 512, 1032]
NETWORKS = [[2, width, width, 1] for width in SERIES] + (
    [[2, *[32] * 5, 1], [3, 16, 16, 1], [4, 8, 8, 1]]
    if QUICK
    else [
        [2, *[64] * 10, 1],
        [2, *[32] * 18, 1],
        [2, *[16] * 20, 1],
        [3, 48, 48, 1],
        [4, 20, 20, 1],
        [5, 16, 16, 1],
        [6, 12, 12, 1],
    ]
)
SHARED = (
    [[2, 64, 64, 1]]
    if QUICK
    else [[2, 512, 512, 1], [2, *[64] * 10, 1], [3, 48, 48, 1], [4, 20, 20, 1]]
)
"""What is measured with one thread and with two."""
LATTICES = [4] if QUICK else [16, 24, 32]
PEER_SHAPE = [2, 12, 12, 1] if QUICK else [2, 32, 32, 1]


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Load or compile every kernel."""
    # Those of blocks and of deep networks are only asked for by large and by deep ones.
    for shape in ([2, 8, 8, 1], [2, 128, 128, 1], [2, *[16] * 8, 1], [3, 8, 8, 1], [4, 6, 6, 1]):
        decompose(random_network(shape, kind="uniform"))


@pytest.mark.parametrize("shape", NETWORKS, ids=str)
def test_enumeration(benchmark: Any, shape: list[int]) -> None:
    network = random_network(shape, kind="uniform")
    _measure(benchmark, network, rounds=10, shape=shape)
    benchmark.extra_info["peak_bytes"] = peak_of(shape)


@pytest.mark.parametrize("size", LATTICES)
def test_lattice(benchmark: Any, size: int) -> None:
    """Minima of maxima, made of ReLUs: most neurons vanish where others do."""
    network = _lattice(size)
    shape = [*network.widths]
    _measure(benchmark, network, rounds=3 if size < 20 else 1, shape=shape, lattice=size)


def _lattice(size: int) -> rt.ReluNetwork:
    """Return the minimum of so many maxima of half as many of so many affine functions.

    The greater one of a and b is relu(a - b) + relu(b) - relu(-b). Sizes that are no powers of two
    take some functions and some maxima twice.
    """
    rng, length = np.random.default_rng(0), 1 << (size - 1).bit_length()
    functions = rng.normal(size=(size, 3)) * [1.0, 1.0, 0.5]
    groups = [rng.choice(size, size // 2, replace=False) for _ in range(size)]
    same_length = [np.resize(group, length // 2) for group in groups]
    chosen = functions[np.resize(same_length, (length, length // 2)).ravel()]
    before: Any
    before, offsets, weights, biases = chosen[:, :2], chosen[:, 2], [], []
    while len(before) > 1:
        sense = 1.0 if len(before) > length else -1.0
        pairs = np.eye(len(before) // 2)
        first = np.kron(pairs, [[1.0, -1.0], [0.0, 1.0], [0.0, -1.0]])
        weights.append(first @ (sense * before))
        biases.append(first @ (sense * offsets))
        before, offsets = sense * np.kron(pairs, [[1.0, 1.0, -1.0]]), np.zeros(len(pairs))
    return rt.ReluNetwork([*weights, before], [*biases, offsets])


def _measure(benchmark: Any, network: rt.ReluNetwork, rounds: int, **facts: Any) -> None:
    half = 1.0 if "lattice" in facts else BOX

    def enumerate_() -> tuple[rt.CellComplex, rt.DualGraph]:
        return decompose(network, half)

    complex_, graph = record(benchmark, enumerate_, rounds=rounds, **facts)
    benchmark.extra_info |= {
        "dim": complex_.dim,
        "n_regions": complex_.n_regions,
        "n_cells": complex_.n_cells,
        "n_edges": graph.n_edges,
        "result_bytes": result_bytes(complex_, graph),
        "status": complex_.record.status,
        "n_uncertain": complex_.record.n_uncertain,
    }
    counts = (np.array(complex_.n_cells) * (-1) ** np.arange(complex_.dim + 1)).sum()
    assert counts == 1
    assert complex_.record.status == "certified"


DIGESTS: list[dict[str, Any]] = []


@pytest.mark.parametrize("n_threads", [1, 2])
def test_bits_do_not_depend_on_threads(benchmark: Any, n_threads: int) -> None:
    """The complex, the dual graph and the Fiedler vector, each time in a process of its own."""
    shape = [2, 64, 64, 1] if QUICK else [2, 256, 256, 1]
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(n_threads))
    command = [sys.executable, "-m", "benchmarks.digests", *map(str, shape)]

    def process() -> None:
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        DIGESTS.append(json.loads(result.stdout) | {"n_threads": n_threads})

    benchmark.pedantic(process, rounds=2)
    same = {key: len({run[key] for run in DIGESTS}) == 1 for key in ("complex", "graph", "fiedler")}
    benchmark.extra_info |= {"shape": shape, "n_threads": n_threads, "same": same, "runs": DIGESTS}
    assert all(same.values()), DIGESTS


@pytest.mark.parametrize("shape", SHARED, ids=str)
def test_threads(benchmark: Any, shape: list[int]) -> None:
    """Two threads after one, in turns, in one process."""
    network = random_network(shape, kind="uniform")
    domain = rt.Box(-BOX, BOX, dim=shape[0])
    one, two = (create("enumerator", "cpu", n_threads=n) for n in (1, 2))
    seconds: list[float] = []

    def alone() -> tuple[tuple[()], dict[str, Any]]:
        begin = time.perf_counter()
        one.enumerate(network, domain)
        seconds.append(time.perf_counter() - begin)
        return (), {}

    alone()
    complex_ = benchmark.pedantic(
        lambda: two.enumerate(network, domain), setup=alone, rounds=3 if QUICK else 7
    )
    benchmark.extra_info |= {
        "shape": shape,
        "n_regions": complex_.n_regions,
        "seconds_of_one": min(seconds),
        "load": os.getloadavg()[0],
    }


@pytest.mark.parametrize("name", list(graphs.CASES))
def test_graph(benchmark: Any, name: str) -> None:
    case = graphs.CASES[name]
    network, plane = case.make()
    floor = graphs.Floor(case.floor)
    complex_ = record(
        benchmark,
        lambda: graphs.enumerate_on(network, plane),
        rounds=15,
        before=floor.measure,  # in turns, as the machine's speed changes
        graph=name,
    )
    benchmark.extra_info |= {
        "n_regions": complex_.n_regions,
        "n_neurons": network.n_neurons,
        "status": complex_.record.status,
        "n_uncertain": complex_.record.n_uncertain,
        "floor": case.floor,
        "floor_microseconds": floor.microseconds,
        "wanted": case.wanted,
    }
    assert complex_.record.status == "certified"


@pytest.mark.parametrize("mode", ["whole plane", "box"])
def test_relucent(benchmark: Any, mode: str) -> None:
    """The same regions, found by a breadth-first search with linear programs.

    relucent explores the whole plane by default; there the box is made large enough to hold every
    vertex, which is what `decompose_whole_space` does.
    """
    network = random_network(PEER_SHAPE, kind="uniform")
    if mode == "box":
        ours = record(benchmark, lambda: decompose(network)[0], rounds=20)
    else:
        whole = rt.decompose_whole_space(network)
        box = whole.complex.domain
        ours = record(
            benchmark,
            lambda: _with_graph(rt.decompose(network, box, enumerator="cpu")),
            rounds=20,
        )
    theirs = peers.run(
        "relucent_regions",
        {
            **{f"weights_{i}": w for i, w in enumerate(network.weights)},
            **{f"biases_{i}": b for i, b in enumerate(network.biases)},
            "radius": np.array(BOX if mode == "box" else 0.0),
        },
        timeout=600,
    )
    patterns = pack_patterns(theirs.arrays["patterns"].astype(bool))
    same = set(map(bytes, patterns)) == set(map(bytes, ours.packed_patterns))
    benchmark.extra_info |= {
        "shape": PEER_SHAPE,
        "mode": mode,
        "n_regions": ours.n_regions,
        "same_regions": same,
        "peer": theirs.facts,
    }
    assert same


def _with_graph(complex_: rt.CellComplex) -> rt.CellComplex:
    complex_.dual_graph()
    return complex_

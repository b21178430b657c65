"""How fast Fiedler pairs are found: ``pytest benchmarks/bench_eigensolvers.py``.

The dual graphs of networks with two hidden layers in the plane, of 8,000 to two million regions.
All solvers get the same pencil, with unit vertex weights, which is all that networkx can do; and
relutopo's own also one with vertex weights that count data points. The residual is computed here
from the vector, for everybody: ‖L x - λ W_V x‖ / (λ ‖W_V x‖). The peers stop at tolerances of
their own, scipy's at 1e-8 in its terms and networkx's at its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relutopo import registry
from relutopo.gallery import random_network
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.laplacian import Pencil, pencil
from relutopo.spectral.weights import CountPlusOne, UnitEdges, Unweighted

from . import peers
from .measuring import QUICK, decompose, record

TOL = 1e-6
"""Relative residual that is asked of relutopo's solvers."""
WIDTHS = [64, 128] if QUICK else [64, 128, 256, 512, 1032]
# Those on cards are compared by bench_cuda.
SOLVERS = [name for name in registry.names("eigensolver") if not name.startswith("cuda")]
LARGEST_SOLVER = "auto" if "auto" in SOLVERS else "amg_lobpcg"
NETWORKX_SECONDS = 20 if QUICK else 90
GAVE_UP: set[str] = set()


@dataclass(frozen=True, eq=False)
class Problem:
    """A dual graph with two pencils."""

    graph: DualGraph
    unweighted: Pencil
    weighted: Pencil


@lru_cache(maxsize=1)  # the tests of one size follow each other
def problem(width: int) -> Problem:
    complex_, graph = decompose(random_network([2, width, width, 1], kind="uniform"))
    points = np.random.default_rng(0).standard_normal((1000, 2))
    regions = complex_.locate(points)
    counts = np.bincount(regions[regions >= 0], minlength=graph.n_nodes)
    graph = DualGraph(graph.n_nodes, graph.edges, graph.facets, graph.kind)  # frees the complex
    return Problem(
        graph,
        pencil(graph, counts, Unweighted(), UnitEdges()),
        pencil(graph, counts, CountPlusOne(), UnitEdges()),
    )


def quality(system: Pencil, vector: NDArray[np.float64]) -> dict[str, float]:
    """Return the Rayleigh quotient of a vector and its relative residual."""
    w = system.vertex_weights
    x = vector - (w @ vector) / w.sum()
    image = system.laplacian @ x
    value = float(x @ image / (x @ (w * x)))
    rest = np.linalg.norm(image - value * w * x)
    return {"value": value, "residual": float(rest / (value * np.linalg.norm(w * x)))}


CASES = [
    (width, solver, weights)
    for width in WIDTHS
    for weights in ("unweighted", "weighted")
    for solver in (SOLVERS if width < 1032 else [LARGEST_SOLVER])
]


@pytest.mark.parametrize(("width", "solver", "weights"), CASES)
def test_solver(benchmark: Any, width: int, solver: str, weights: str) -> None:
    system: Pencil = getattr(problem(width), weights)
    backend = registry.create("eigensolver", solver, tol=TOL)
    small = problem_of_warm_up()
    backend.solve(small.laplacian, small.vertex_weights)
    result = record(
        benchmark,
        lambda: backend.solve(system.laplacian, system.vertex_weights, seed=0),
        rounds=1 if width >= 512 else 3,
        width=width,
        n_nodes=len(system.vertex_weights),
        n_edges=len(system.edge_weights),
        weights=weights,
        solver=solver,
    )
    benchmark.extra_info |= {
        "iterations": result.iterations,
        "method": result.method,
        "status": result.status,
        **quality(system, result.vectors[:, 0]),
    }
    assert result.status == "converged"


@lru_cache(maxsize=1)
def problem_of_warm_up() -> Pencil:
    _, graph = decompose(random_network([2, 16, 16, 1], kind="uniform"))
    zeros = np.zeros(graph.n_nodes, dtype=np.int64)
    return pencil(graph, zeros, Unweighted(), UnitEdges())


@pytest.mark.parametrize("width", [w for w in WIDTHS if w <= 512])
@pytest.mark.parametrize("method", ["tracemin_pcg", "tracemin_lu"])
def test_networkx(benchmark: Any, width: int, method: str) -> None:
    if method in GAVE_UP:
        pytest.skip(f"{method} did not finish a smaller graph in {NETWORKX_SECONDS} s")
    given = problem(width)
    graph = given.graph
    _peer(
        benchmark,
        "networkx_fiedler",
        {"n": graph.n_nodes, "edges": graph.edges, "method": method},
        method,
        width,
        given.unweighted,
    )


@pytest.mark.parametrize("width", [w for w in WIDTHS if w in (64, 128, 256, 512)])
def test_scipy(benchmark: Any, width: int) -> None:
    system = problem(width).unweighted
    inputs = {
        "n": len(system.vertex_weights),
        "data": system.laplacian.data,
        "indices": system.laplacian.indices,
        "indptr": system.laplacian.indptr,
        "vertex_weights": system.vertex_weights,
        "tol": 1e-8,
    }
    _peer(benchmark, "scipy_eigsh", inputs, "scipy", width, system)


def _peer(
    benchmark: Any,
    script: str,
    inputs: dict[str, Any],
    name: str,
    width: int,
    system: Pencil,
) -> None:
    """Run a peer once; its own clock says how long it took."""
    timeout = NETWORKX_SECONDS if script == "networkx_fiedler" else 300
    answers: list[peers.Answer] = []
    try:
        benchmark.pedantic(lambda: answers.append(peers.run(script, inputs, timeout=timeout)))
    except peers.TooSlow as error:
        GAVE_UP.add(name)
        pytest.skip(str(error))
    (answer,) = answers
    benchmark.extra_info |= {
        "width": width,
        "n_nodes": len(system.vertex_weights),
        "weights": "unweighted",
        "peer": name,
        **answer.facts,
        **quality(system, answer.arrays["vector"]),
    }

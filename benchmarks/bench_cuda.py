"""How fast a card is, beside the processor: ``pytest benchmarks/bench_cuda.py``.

The networks of the other benchmarks, from 10,000 to ten million regions, enumerated and
partitioned by the backends for the processor and for the card, one after the other. Times are end
to end, from arrays of the host to arrays of the host. Sizes that do not fit the card are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo import registry
from relutopo.devices.cuda import cuda_device
from relutopo.devices.device import Device
from relutopo.errors import DeviceMemoryError, RelutopoError
from relutopo.gallery import random_network
from relutopo.spectral.laplacian import Pencil, pencil
from relutopo.spectral.weights import UnitEdges, Unweighted

from .bench_eigensolvers import TOL, quality
from .measuring import BOX, QUICK, record
from .phases import phases

WIDTHS = [24, 72] if QUICK else [72, 128, 256, 512, 1032, 2275]
PROFILED = WIDTHS[0] if QUICK else 1032
MOST_PHASES = 12
LARGEST_REPEATED = 1032
SLOW = {"amg_lobpcg": 256}
"""Up to which width slow solvers are measured."""
CELLS: dict[int, tuple[int, ...]] = {}


@lru_cache(maxsize=1)
def card() -> Device:
    try:
        return cuda_device(purpose="this benchmark")
    except RelutopoError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _needs_a_card() -> None:
    card()


def peak_on_card(function: Callable[[], Any]) -> int:
    """Call a function; return how much memory of the card was taken at the highest.

    The card is asked at every allocation, which takes time.
    """
    peak = 0
    cupy: Any = card().xp

    def in_use() -> int:
        n_free, n_all = cupy.cuda.runtime.memGetInfo()
        return int(n_all - n_free)

    class Hook(cupy.cuda.MemoryHook):  # type: ignore[misc]  # CuPy has no types
        def alloc_postprocess(self, **_: Any) -> None:
            nonlocal peak
            peak = max(peak, in_use() - before)

    card().free()
    before = in_use()
    with Hook():
        function()
    return peak


@lru_cache(maxsize=2)
def network_of(width: int) -> rt.ReluNetwork:
    return random_network([2, width, width, 1], kind="uniform")


def enumerate_by(enumerator: str, width: int) -> rt.CellComplex:
    return rt.decompose(network_of(width), rt.Box(-BOX, BOX, dim=2), enumerator=enumerator)


@lru_cache(maxsize=1)  # the tests of one size follow each other
def problem(width: int) -> Pencil:
    graph = enumerate_by("cuda", width).dual_graph()
    return pencil(graph, np.zeros(graph.n_nodes, dtype=np.int64), Unweighted(), UnitEdges())


def solve_by(solver: str, width: int) -> Any:
    system = problem(width)
    backend = registry.create("eigensolver", solver, tol=TOL)
    return backend.solve(system.laplacian, system.vertex_weights, seed=0)


@pytest.mark.parametrize("enumerator", ["cpu", "cuda"])
@pytest.mark.parametrize("width", WIDTHS)
def test_enumeration(benchmark: Any, width: int, enumerator: str) -> None:
    enumerate_by(enumerator, WIDTHS[0])
    facts = {"width": width, "role": "enumerator", "name": enumerator}
    rounds = 1 if width > LARGEST_REPEATED else 3
    complex_ = _measured(
        benchmark, lambda: enumerate_by(enumerator, width), enumerator, rounds, facts
    )
    benchmark.extra_info |= {"n_regions": complex_.n_regions, "n_cells": complex_.n_cells}
    assert complex_.record.method == enumerator
    assert complex_.record.status == "certified"
    assert CELLS.setdefault(width, complex_.n_cells) == complex_.n_cells


@pytest.mark.parametrize("solver", ["auto", "amg_lobpcg", "cuda_lobpcg"])
@pytest.mark.parametrize("width", WIDTHS)
def test_fiedler(benchmark: Any, width: int, solver: str) -> None:
    if width > SLOW.get(solver, width):
        pytest.skip("takes minutes")
    system = problem(width)
    backend = registry.create("eigensolver", solver, tol=TOL)
    small = pencil_of_warm_up()
    backend.solve(small.laplacian, small.vertex_weights)
    facts = {"width": width, "role": "eigensolver", "name": solver}
    rounds = 1 if width > LARGEST_REPEATED else 2
    result = _measured(benchmark, lambda: solve_by(solver, width), solver, rounds, facts)
    benchmark.extra_info |= {
        "n_regions": len(system.vertex_weights),
        "iterations": result.iterations,
        "status": result.status,
        **quality(system, result.vector),
    }
    assert result.status == "converged"


@lru_cache(maxsize=1)
def pencil_of_warm_up() -> Pencil:
    graph = enumerate_by("cpu", 24).dual_graph()
    return pencil(graph, np.zeros(graph.n_nodes, dtype=np.int64), Unweighted(), UnitEdges())


def _measured(benchmark: Any, function: Any, name: str, rounds: int, facts: Any) -> Any:
    if not name.startswith("cuda"):
        return record(benchmark, function, rounds=rounds, **facts)
    try:
        peak = peak_on_card(function)
        result = record(benchmark, function, rounds=rounds, **facts)
    except DeviceMemoryError as error:
        pytest.skip(str(error))
    benchmark.extra_info |= {"device": card().name, "card_bytes": peak}
    return result


@pytest.mark.parametrize(
    ("role", "folder"),
    [("enumerator", "enumerators/_bulk"), ("eigensolver", "backends/eigensolvers")],
)
def test_where_the_time_goes(benchmark: Any, role: str, folder: str) -> None:
    works: dict[str, Callable[[], Any]] = {
        "enumerator": lambda: enumerate_by("cuda", PROFILED),
        "eigensolver": lambda: solve_by("cuda_lobpcg", PROFILED),
    }
    work = works[role]
    work()  # compiles kernels, and makes the pencil
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(phases(card(), folder, work)))
    total = sum(found[0].values())
    shares = {name: seconds / total for name, seconds in found[0].items()}
    benchmark.extra_info |= {
        "profile": role,
        "device": card().name,
        "n_regions": len(problem(PROFILED).vertex_weights),
        "shares": dict(list(shares.items())[:MOST_PHASES]),
    }
    assert total > 0
